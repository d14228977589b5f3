"""Where the project keeps its own count: columns, balances, ledgers and Redis counters, and how each is written."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from rules.facts import (
    Assign,
    Binary,
    Call,
    Expression,
    Facts,
    Index,
    Kind,
    Lambda,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Template,
    Unary,
    dotted,
    enclosing,
    fold,
    walk,
)
from rules.meaning.usage.readings import arithmetic, field_name, names_count, old_reading, stepped
from rules.meaning.values import Values, resolved
from rules.meaning.vocabulary import names_counter, words

WRITES = frozenset(
    "update updatemany updateone updates updatecolumn updatecolumns set save upsert findoneandupdate findbyidandupdate values "
    "updateuser updateby updateall upsertall insertall patch put hset hmset mset setex create insert bulkwrite modify execute "
    "exec stringset".split()
)
REDIS_ADDS = {
    "incr": 1,
    "incrby": 1,
    "increment": 1,
    "decrement": -1,
    "hincrby": 1,
    "incrbyfloat": 1,
    "hincrbyfloat": 1,
    "zincrby": 1,
    "stringincrement": 1,
    "hashincrement": 1,
    "stringdecrement": -1,
    "hashdecrement": -1,
    "decr": -1,
    "decrby": -1,
}
ATOMIC_KEYS = frozenset("increment decrement inc dec $inc multiply".split())
SQL_COLUMN_WRITE = re.compile(r"\b(?:set|,)\s+[\"`]?(?:\w+\.)?[\"`]?(\w+)[\"`]?\s*=\s*([^,;\n]+)", re.I)
SQL_UPDATE = re.compile(r"^\s*(?:with\b.*\)\s*)?(?:update|insert)\b", re.I | re.S)


SETTER = re.compile(r"^Set([A-Z]\w+)$")
"""Ent's and other generated builders: `update.SetCredits(n)`."""


class Change(StrEnum):
    ADD = "add"
    SUBTRACT = "subtract"
    SET = "set"
    RESET = "reset"


@dataclass(frozen=True, slots=True, eq=False)
class Counter:
    """One write of a usage counter."""

    span: Span
    """The statement or call."""
    name: str
    """The field, column or key as written."""
    change: Change
    atomic: bool
    """The store itself adds, so that two writers do not overwrite each other."""
    scope: Scope
    call: Call | None
    """The writing call, None for an assignment to a field."""
    amount: Expression | None
    read: Expression | None = None
    """The earlier reading that the new value is computed from, for one that is not atomic."""
    value: Expression | None = None

    @property
    def function(self) -> Scope | None:
        return enclosing(self.scope, Kind.FUNCTION)


def counters_of(facts: Facts, values: Values) -> tuple[Counter, ...]:
    """Every write of something named like a count of usage, in source order."""
    found = [
        *(one for assign in facts.assigns for one in assigned(values, assign)),
        *(one for call in facts.calls for one in written(values, call)),
    ]
    return tuple(sorted(found, key=lambda counter: counter.span.start))


def assigned(values: Values, assign: Assign) -> Iterator[Counter]:
    """`user.used += n`, `user.credits = user.credits - n`, `data["usage"] = 0`."""
    for target in assign.targets:
        name = field_name(target)
        if not name or not names_count(name) or assign.value is None or of_machine(target):
            continue
        if assign.operator in ("+=", "-="):
            change = Change.ADD if assign.operator == "+=" else Change.SUBTRACT
            yield Counter(assign.span, name, change, False, assign.scope, None, assign.value, target, assign.value)
        elif assign.operator == "=":
            yield from named(classified(values, assign.span, name, assign.value, assign.scope, None))


OF_MACHINES = frozenset("bucket timeout timeouts error errors failure failures retry retries attempt attempts".split())


def of_machine(target: Expression) -> bool:
    """`tokenBucket.Tokens`, `timeoutCounter.Count`: what a limiter or a fault handler counts is nobody's usage."""
    holder = dotted(target.object) if isinstance(target, Member) else ""
    return bool(OF_MACHINES & set(words(holder.rpartition(".")[2])))


def named(counter: Counter) -> Iterator[Counter]:
    """What is only named like a number counts where it is added to what it was; else its name must say more."""
    if counter.read is not None or counter.atomic or names_counter(counter.name):
        yield counter


def written(values: Values, call: Call) -> Iterator[Counter]:
    last = fold(call.method)
    if last in COLUMN_ADDS and shows_progress(values, call):
        return
    if last in COLUMN_ADDS and (found := tuple(stepped_column(call, last))):
        yield from found
        return
    if last in REDIS_ADDS and "." in call.name and adds_in_store(call, last):
        yield from redis(call, last)
        return
    if statement := sql_of(call):
        yield from sql(call, statement)
        return
    if last == "inc" and len(call.arguments) == 2 and isinstance(field := call.arguments[0].value, Member):
        if names_count(field.name):
            yield Counter(call.span, field.name, Change.ADD, True, call.scope, call, call.arguments[1].value)
        return
    if last == "set" and len(call.arguments) == 1 and isinstance(setting := call.arguments[0].value, Call):
        yield from set_columns(call, setting)
    if last == "executeupdate":
        yield from set_properties(values, call)
        return
    if last not in WRITES and not last.startswith("update") and not SETTER.match(call.method):
        return
    for name, value in written_fields(values, call):
        if names_count(name):
            yield from named(classified(values, call.span, name, value, call.scope, call))


COLUMN_ADDS = {
    "increment": 1,
    "incrementcounter": 1,
    "incrementeach": 1,
    "updatecounters": 1,
    "incrementquietly": 1,
    "decrement": -1,
    "decrementcounter": -1,
    "decrementeach": -1,
    "decrementquietly": -1,
}
"""Of ActiveRecord and Eloquent: the column is named, and the database adds."""


def stepped_column(call: Call, last: str) -> Iterator[Counter]:
    """`user.increment!(:used, n)`, `$row->increment('used', $n)`, `Account.update_counters(id, credits: -n)`."""
    change = Change.ADD if COLUMN_ADDS[last] > 0 else Change.SUBTRACT
    plain = [argument.value for argument in call.arguments if argument.name is None]
    first = plain[0] if plain else None
    if isinstance(first, Literal) and isinstance(first.value, str) and first.value.isidentifier() and "." in call.name:
        amount = plain[1] if len(plain) > 1 and last in ("increment", "decrement") else None
        if names_count(first.value):
            yield Counter(call.span, first.value, change, True, call.scope, call, amount)
        return
    named = [(argument.name, argument.value) for argument in call.arguments if argument.name is not None]
    for argument in call.arguments:
        named += [(entry.name, entry.value) for entry in getattr(argument.value, "entries", ())]
    for name, value in named:
        if name is not None and names_count(name):
            lowered = isinstance(value, Unary) and value.operator == "-"
            yield Counter(call.span, name, Change.SUBTRACT if lowered else change, True, call.scope, call, value)


PROGRESS = frozenset("progress progressbar spinner".split())
RUN_METADATA = re.compile(r"\.metadata$")


def shows_progress(values: Values, call: Call) -> bool:
    """`bar.increment()`, and the `metadata` that SDKs of background tasks hand out: how far one run has come, for people."""
    if call.receiver is None:
        return False
    if PROGRESS & set(words(dotted(call.receiver).rpartition(".")[2])):
        return True
    handle = resolved(values, call.receiver, call.scope, call.span.start)
    return any(
        isinstance(part, Name) and RUN_METADATA.search(values.facts.imports.get(part.text, "")) is not None
        for part in walk(handle)
    )


def set_columns(call: Call, setting: Call) -> Iterator[Counter]:
    """Diesel: `update(rows).set(used.eq(used + n))`."""
    value = setting.arguments[0].value if fold(setting.method) == "eq" and len(setting.arguments) == 1 else None
    if setting.receiver is None or not isinstance(value, Binary) or value.operator not in ("+", "-"):
        return
    name = dotted(setting.receiver).rpartition(".")[2]
    if names_count(name) and dotted(value.left).rpartition(".")[2] == name:
        change = Change.SUBTRACT if value.operator == "-" else Change.ADD
        yield Counter(call.span, name, change, True, call.scope, call, value.right, value=value)


def set_properties(values: Values, call: Call) -> Iterator[Counter]:
    """Entity Framework: `ExecuteUpdate(s => s.SetProperty(row => row.Used, row => row.Used + n))`."""
    for setter in values.facts.calls:
        if fold(setter.method) != "setproperty" or not call.span.holds(setter.span) or len(setter.arguments) != 2:
            continue
        name, value = (argument.value for argument in setter.arguments)
        if not isinstance(name, Member) or not names_count(name.name):
            continue
        own = isinstance(value, Binary) and value.operator in ("+", "-") and field_name(value.left) == name.name
        if isinstance(value, Binary) and own:
            change = Change.SUBTRACT if value.operator == "-" else Change.ADD
            yield Counter(call.span, name.name, change, True, call.scope, call, value.right, value=value)
        else:
            yield from named(classified(values, call.span, name.name, value, call.scope, call))


def adds_in_store(call: Call, last: str) -> bool:
    """`increment` is many libraries' word: with a key it is the one of a template for Redis."""
    if last not in ("increment", "decrement"):
        return True
    return bool(call.arguments) and bool(
        {"redis", "cache"} & {word for part in call.name.split(".")[:-1] for word in words(part)}
    )


def redis(call: Call, last: str) -> Iterator[Counter]:
    """`redis.incrby(key, n)`: the key must speak of usage."""
    said = " ".join(text for argument in call.arguments for text in texts(argument.value))
    if not names_counter(said):
        return
    change = Change.ADD if REDIS_ADDS[last] > 0 else Change.SUBTRACT
    amount = call.arguments[-1].value if ("by" in last or "crement" in last) and len(call.arguments) > 1 else None
    yield Counter(call.span, said[:60], change, True, call.scope, call, amount)


def texts(expression: Expression) -> Iterator[str]:
    for part in walk(expression):
        match part:
            case Literal(value=str(text)):
                yield text
            case Name(text=text):
                yield text
            case Member(name=name):
                yield name


def sql_of(call: Call) -> str:
    """The statement text of `db.execute("UPDATE …")` and tagged templates, with `?` for what is filled in.

    Of `rows.update_all("used = used + 1")`, what stands after SET is written alone.
    """
    for argument in call.arguments[:2]:
        first = argument.value.items[0] if isinstance(argument.value, Sequence) and argument.value.items else argument.value
        if fold(call.method) == "updateall" and "=" in (text := statement_text(first)):
            return f"update t set {text}"  # noqa: S608  parsed, never run
        text = statement_text(argument.value)
        if SQL_UPDATE.match(text):
            return text
    return ""


def statement_text(expression: Expression) -> str:
    match expression:
        case Literal(value=str(text)):
            return text
        case Template(parts=inside):
            return "".join(statement_text(part) if isinstance(part, Literal) else "?" for part in inside)
        case Call(arguments=arguments) if arguments:
            return statement_text(arguments[0].value)
        case _:
            return ""


def sql(call: Call, statement: str) -> Iterator[Counter]:
    for column, written_to in SQL_COLUMN_WRITE.findall(statement):
        value = re.split(r"\bwhere\b|\breturning\b", written_to, maxsplit=1, flags=re.I)[0]
        if not names_counter(column):
            continue
        if re.match(rf"[\"`(]*(?:\w+\.)?[\"`]?{re.escape(column)}[\"`]?\s*([+-])", value, re.I) or "coalesce" in value.lower():
            change = Change.SUBTRACT if "-" in value else Change.ADD
            yield Counter(call.span, column, change, True, call.scope, call, None)
        else:
            change = Change.RESET if value.strip() == "0" else Change.SET
            yield Counter(call.span, column, change, False, call.scope, call, None)


def written_fields(values: Values, call: Call) -> Iterator[tuple[str, Expression]]:
    """Field and value pairs that a writing call sets: keywords, object entries however deep, `Update("quota", x)`."""
    for argument in call.arguments:
        if argument.name is not None:
            yield argument.name, argument.value
        whole = resolved(values, argument.value, call.scope, call.span.start)
        if isinstance(whole, Object):
            yield from deep_entries(whole)
    plain = [argument.value for argument in call.arguments if argument.name is None]
    for key, value in pairwise(plain):
        if isinstance(key, Literal) and isinstance(key.value, str) and key.value.isidentifier():
            yield key.value, value
    if (
        fold(call.method) in ("set", "setex", "put", "stringset")
        and len(plain) > 1
        and not isinstance(plain[-1], Object | Lambda)
    ):
        yield key_name(plain[0]), plain[1] if fold(call.method) != "setex" else plain[-1]
    if (setter := SETTER.match(call.method)) and len(plain) == 1:
        yield setter.group(1), plain[0]


def key_name(key: Expression) -> str:
    """What a key of a store speaks of: the last text in it that names a count, else its first."""
    said = [text.strip(":") for text in texts(key)]
    return next((text for text in reversed(said) if names_counter(text)), said[0] if said else "")


SELECTS = frozenset("where filter select include orderby columns returning".split())


def deep_entries(whole: Object) -> Iterator[tuple[str, Expression]]:
    for entry in whole.entries:
        if entry.name is None or fold(entry.name) in SELECTS:
            continue
        if entry.name in ("$inc", "increment") and isinstance(entry.value, Object):
            for inner in entry.value.entries:
                if inner.name is not None:
                    single = Object(entry.span, (type(entry)(entry.span, "increment", inner.value),))
                    yield inner.name.rsplit(".", 1)[-1], single
            continue
        yield entry.name, entry.value
        if isinstance(entry.value, Object) and not is_atomic_object(entry.value):
            yield from deep_entries(entry.value)


def is_atomic_object(value: Object) -> bool:
    return any(entry.name in ATOMIC_KEYS for entry in value.entries)


def classified(values: Values, span: Span, name: str, value: Expression, scope: Scope, call: Call | None) -> Counter:
    """How a new value comes about."""
    if isinstance(value, Object) and is_atomic_object(value):
        entry = next(entry for entry in value.entries if entry.name in ATOMIC_KEYS)
        change = Change.SUBTRACT if entry.name in ("decrement", "dec") else Change.ADD
        return Counter(span, name, change, True, scope, call, entry.value, value=value)
    whole = resolved(values, value, scope, span.start)
    if (step := stepped(values, value, name, scope, span.start)) is not None:
        change = Change.SUBTRACT if step[0] == "-" else Change.ADD
        return Counter(span, name, change, False, scope, call, step[1], step[2], value)
    if isinstance(whole, Literal):
        change = Change.RESET if whole.value == 0 and not isinstance(whole.value, bool) else Change.SET
        return Counter(span, name, change, False, scope, call, None, value=value)
    if (operation := arithmetic(values, whole, scope, span.start)) is not None:
        change = Change.SUBTRACT if operation.operator == "-" else Change.ADD
        if is_column(operation.left, call):
            return Counter(span, name, change, True, scope, call, operation.right, value=value)
        read = old_reading(values, operation, name, scope, span.start)
        if read is not None:
            return Counter(span, name, change, False, scope, call, operation.right, read, value)
    if isinstance(whole, Call | Template) and call is not None and in_store(whole):
        change = Change.SUBTRACT if "-" in "".join(texts(whole)) else Change.ADD
        return Counter(span, name, change, True, scope, call, None, value=value)
    return Counter(span, name, Change.SET, False, scope, call, None, value=value)


def is_column(left: Expression, call: Call | None) -> bool:
    """`F("used") + 1`, `Sequel[:used] + 1`, `User.used + n` inside a query, `update(model).values(used=model.used + n)`: the
    database adds."""
    if isinstance(left, Index):
        return isinstance(left.object, Name) and left.object.text == "Sequel"
    if isinstance(left, Call):
        return fold(left.method) in ("f", "raw", "literal", "col", "column", "expr", "coalesce")
    if call is None or not isinstance(left, Member):
        return False
    if (whole := dotted(left.object)) and whole == updated(call):
        return True
    named = isinstance(left.object, Name) and left.object.text[:1].isupper()
    return named and fold(call.method) in ("values", "update", "set", "execute")


def updated(call: Call) -> str:
    """What the `update(…)` that a call is chained to changes."""
    link: Expression | None = call.receiver
    while isinstance(link, Call):
        if fold(link.method) == "update" and link.arguments:
            return dotted(link.arguments[0].value)
        link = link.receiver
    return ""


def in_store(value: Expression) -> bool:
    """`gorm.Expr("quota - ?", n)`, `` sql`${t.used} + 1` ``, `FieldValue.increment(1)`: the store computes."""
    return isinstance(value, Call) and fold(value.method) in (
        "expr", "sql", "raw", "increment", "decrement", "literal", "case", "greatest", "func", "f", "arrayunion"
    )  # fmt: skip
