"""Names that are meant to be the same and are not: meters, keys of stores, queues, and how near one name is to another."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import partial

from rules import providers
from rules.facts import Binary, Call, Expression, Facts, Kind, Literal, Object, Scope, Span, Template, enclosing, fold, walk
from rules.meaning.arguments import Given, given
from rules.meaning.usage.emissions import body, by_address, is_http
from rules.meaning.values import Values, resolved
from rules.meaning.vocabulary import names_counter, words

HOLE = "*"
DEEP = 10
STORES = frozenset("redis cache kv rdb valkey pipeline pipe multi client store".split())
READS = frozenset(
    "get hget hgetall mget getdel scard smembers zscore lrange llen zrange exists hmget stringget hashget haskey "
    "multiget".split()
)
WRITES = frozenset(
    "set setex psetex setnx incr incrby incrbyfloat decr decrby hset hincrby hincrbyfloat hmset sadd zadd zincrby lpush rpush "
    "getset append mset stringset stringincrement stringdecrement hashincrement increment decrement setifabsent".split()
)
DELETES = frozenset("del delete unlink expire expireat keydelete keyexpire".split())


class Way(StrEnum):
    READ = "read"
    WRITTEN = "written"
    DELETED = "deleted"
    PRODUCED = "produced"
    CONSUMED = "consumed"


@dataclass(frozen=True, slots=True)
class Use:
    """One use of a name: a store's key as a template (`usage:*:daily`), or a queue's name."""

    name: str
    way: Way
    path: str
    span: Span


@dataclass(frozen=True, slots=True)
class Meter:
    """A meter that code defines at a provider. Empty where it is not written out."""

    provider: str
    event: str
    value: str
    customer: str
    path: str
    line: int


def uses_of(facts: Facts, values: Values) -> Iterator[Use]:
    """Every key and queue of a file whose name is written out; the others are left out."""
    for call in facts.calls:
        last = fold(call.method)
        way = Way.READ if last in READS else Way.WRITTEN if last in WRITES else Way.DELETED if last in DELETES else None
        if way is not None and "." in call.name and STORES & set(words(call.name.rpartition(".")[0])):
            for key in keys(call):
                name = template(values, key, call.scope, call.span.start)
                if name.count(HOLE) < len(name) - 3 and names_counter(name.replace(HOLE, "")):
                    yield Use(name, way, facts.path, call.span)
        elif call.arguments and (role := queue_role(call)) is not None:
            name = template(values, call.arguments[0].value, call.scope, call.span.start)
            if name and HOLE not in name:
                yield Use(name, role, facts.path, call.span)


def keys(call: Call) -> Iterator[Expression]:
    """The key argument; Go's context goes first."""
    plain = [one.value for one in call.arguments if one.name is None]
    if plain and getattr(plain[0], "text", "") in ("ctx", "c"):
        plain = plain[1:]
    yield from plain[:1]


def queue_role(call: Call) -> Way | None:
    if not call.constructs or call.name not in ("Queue", "Worker", "bullmq.Queue", "bullmq.Worker"):
        return None
    return Way.PRODUCED if call.method == "Queue" else Way.CONSUMED


def template(values: Values, value: Expression, scope: Scope, at: int, hops: int = 3, deep: int = DEEP) -> str:
    """The text of a key with `*` for what is filled in; empty where nothing of it is written out.

    `hops` builders are followed, and no more than `deep` parts of parts: `key = prefix + key` may be a part of itself.
    """
    whole = resolved(values, value, scope, at)
    part = partial(template, values, scope=scope, at=at, deep=deep - 1)
    match whole:
        case _ if not deep:
            return ""
        case Literal(value=str(text)):
            return re.sub(r"%[sdvq]|\{\w*\}", HOLE, text)
        case Template(parts=inside):
            return re.sub(r"\*+", HOLE, "".join(part(one, hops=0) or HOLE for one in inside))
        case Call() if fold(whole.method) in ("sprintf", "format") and whole.arguments:
            return part(whole.arguments[0].value, hops=0)
        case Call() if hops:
            return built(values, whole, hops - 1, deep - 1)
        case Binary(operator="+", left=left, right=right):
            return (part(left, hops=1) or HOLE) + (part(right, hops=1) or HOLE)
        case _:
            return ""


def built(values: Values, call: Call, hops: int, deep: int) -> str:
    """What the file's own key builder returns, where it returns one thing."""
    functions = values.functions.get(call.method, ())
    if len(functions) != 1:
        return ""
    made = [
        one for one in values.facts.returns if one.value is not None and enclosing(one.scope, Kind.FUNCTION) is functions[0]
    ]
    if len(made) != 1 or made[0].value is None:
        return ""
    return template(values, made[0].value, made[0].scope, made[0].span.end, hops, deep)


def meters_of(facts: Facts, values: Values) -> Iterator[Meter]:
    """The meters that a file creates at a provider."""
    for call in facts.calls:
        matched = providers.match(call.folded, facts.packages, facts.language) or by_address(values, call)
        if matched is None or matched[1].role != "define" or not matched[1].event_name:
            continue
        arguments = body(values, call) if is_http(call) else given(values, call)
        event = text_of(values, arguments.first(matched[1].event_name), call)
        value = payload_key(values, arguments, ("valuesettings",), call) or text_of(
            values, arguments.first(("valueproperty",)), call
        )
        customer = payload_key(values, arguments, ("customermapping",), call)
        if event:
            yield Meter(matched[0].id, event, value.removeprefix("$."), customer, facts.path, call.span.line)


def payload_key(values: Values, arguments: Given, holders: tuple[str, ...], call: Call) -> str:
    holder = arguments.first(holders)
    whole = resolved(values, holder, call.scope, call.span.start) if holder is not None else None
    for part in walk(whole):
        for entry in part.entries if isinstance(part, Object) else ():
            if fold(entry.name or "") == "eventpayloadkey":
                return text_of(values, entry.value, call)
    return ""


def text_of(values: Values, value: Expression | None, call: Call) -> str:
    """A string that is written out, behind names and wrappers such as `stripe.String(…)`."""
    if value is None:
        return ""
    whole = resolved(values, value, call.scope, call.span.start)
    if isinstance(whole, Call) and len(whole.arguments) == 1 and fold(whole.method) in ("string", "ptr", "str", "to"):
        whole = resolved(values, whole.arguments[0].value, call.scope, call.span.start)
    return whole.value if isinstance(whole, Literal) and isinstance(whole.value, str) else ""


def near(one: str, other: str) -> bool:
    """Whether two names are meant to be one: spelled apart, a letter or an ending off, or in another order."""
    if one == other:
        return False
    if fold(one).replace(".", "").replace(":", "") == fold(other).replace(".", "").replace(":", ""):
        return True
    mine, theirs = re.split(r"[:/._-]", one), re.split(r"[:/._-]", other)
    if sorted(mine) == sorted(theirs):
        return True
    if len(mine) != len(theirs):
        return False
    apart = [(a, b) for a, b in zip(mine, theirs, strict=True) if a != b]
    return len(apart) == 1 and HOLE not in apart[0] and alike(*apart[0])


def alike(one: str, other: str) -> bool:
    """`month` and `monthly`, `credit` and `credits`, `usgae` and `usage`; never `day` and `week`, nor numbers."""
    if min(len(one), len(other)) < 4 or re.sub(r"\D", "", one) != re.sub(r"\D", "", other):
        return False
    short, long = sorted((one.lower(), other.lower()), key=len)
    if long.startswith(short) and long[len(short) :] in ("s", "es", "ly", "ed", "d", "ing"):
        return True
    return distance(short, long) <= (1 if len(short) < 6 else 2) and short[0] == long[0]


def distance(one: str, other: str) -> int:
    """Edits from one to the other, two letters swapped counted as one."""
    rows = [list(range(len(other) + 1))]
    for i, mine in enumerate(one, 1):
        row = [i]
        for j, theirs in enumerate(other, 1):
            cost = min(rows[-1][j] + 1, row[j - 1] + 1, rows[-1][j - 1] + (mine != theirs))
            if i > 1 and j > 1 and mine == other[j - 2] and one[i - 2] == theirs:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]
