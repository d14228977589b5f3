"""What a deduplication key is made of, and whether that tells one use from the next."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rules.code import Code
from rules.facts import Call, Expression, Index, Literal, Member, Name, Scope, fold, walk
from rules.meaning.origins import Kinds, Origin
from rules.meaning.repeats.keys import Key
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words


class Part(StrEnum):
    """What one piece of a key names."""

    CONSTANT = "constant"
    CUSTOMER = "customer"
    FEATURE = "feature"
    """Which meter, model or action."""
    PERIOD = "period"
    """A stretch of time: one value for all that happens in it."""
    TIME = "time"
    """The time of the event."""
    CLOCK = "clock"
    RANDOM = "random"
    AMOUNT = "amount"
    ATTEMPT = "attempt"
    IDENTITY = "identity"
    """Anything else: it may tell one use from the next, so it counts as if it did."""


ATTEMPT = frozenset("attempt attempts retry retries retried tries try redelivered redelivery".split())
ATTEMPT_NAMES = frozenset("attemptsmade retrycount deliverycount receivecount approximatereceivecount deliveryattempt".split())
PERIOD = frozenset(
    "period day month week hour date year window bucket cycle interval start end yyyymm yyyymmdd daily monthly".split()
)
TIME = frozenset("ts timestamp time occurred".split())
AMOUNT = frozenset("quantity amount tokens value cost units total count delta".split())
CUSTOMER = frozenset(
    "user users customer customers org organization organisation tenant workspace account team member subscription client "
    "company project owner email apikey subject uid".split()
)
FEATURE = frozenset(
    "metric meter feature model type kind action plan price product name code sku dimension endpoint route method tool "
    "resource provider operation unit env environment mode version category tier region event usage item".split()
)
GENERIC = frozenset("id ids key ref uuid external internal stripe str string value default current".split())
BUILDERS = frozenset("key hash digest idempotency idempotent dedup dedupe fingerprint uuid5 sha256".split())
COARSE = re.compile(
    r"/\s*1000|//\s*\d|\.unix\(\)|int\(time\.time\(\)\)|round\(time\.time\(\)\)|"
    r"toisostring\(\)\.(slice\(0, ?1\d\)|substring|split\()|"
    r"\.date\(\)|date\.today|todatestring|tolocaledatestring|\.format\(|strftime\(|timespec=|microsecond=0|getdate\(|"
    r"epochsecond|tounixtimeseconds|tostring\(\"[yMdHms:./ -]+\"|:yyyy[yMdHms:./ -]*\}|\.date\b(?!time)|dateonly\.|"
    r"\.truncate\(|\.to_i\b|\.to_date\b|\.strftime\b|getTimestamp\(|\btime\(\)",
    re.I,
)


@dataclass(frozen=True, slots=True, eq=False)
class Segment:
    """One source of a key."""

    part: Part
    expression: Expression
    scope: Scope
    name: str
    """How the code writes it."""


def segments_of(code: Code, value: Expression, scope: Scope, at: int) -> tuple[Segment, ...]:
    """Every source that flows into a key, those of an unseen key builder's arguments included."""
    return tuple(one for origin in code.origins(value, scope, at) for one in from_origin(code, origin, at))


def from_origin(code: Code, origin: Origin, at: int) -> Iterator[Segment]:
    one = origin.expression
    if origin.kind is Kinds.CALL and isinstance(one, Call) and BUILDERS & set(words(one.method)) and one.arguments:
        for argument in one.arguments:
            yield from segments_of(code, argument.value, origin.scope, one.span.start)
        return
    if isinstance(one, Call) and fold(one.method) == "get" and one.arguments and isinstance(one.arguments[0].value, Literal):
        name = str(one.arguments[0].value.value)
    else:
        name = written(one)
    yield Segment(part_of(origin.kind, one, name), one, origin.scope, code.facts.text(one.span))


def part_of(kind: Kinds, one: Expression, name: str) -> Part:
    if kind is Kinds.LITERAL:
        return Part.CONSTANT
    if kind is Kinds.CLOCK:
        return Part.CLOCK
    if kind is Kinds.RANDOM:
        return Part.RANDOM
    return named(name, one)


def named(name: str, one: Expression) -> Part:
    said = set(words(name))
    if is_attempt(name):
        return Part.ATTEMPT
    if said <= GENERIC and isinstance(one, Member | Index):
        said |= set(words(written(one.object)))
        # The id of an event or a usage record is its identity; the name of one is not.
        if said & {"event", "usage", "item", "operation", "action"} and said & {"id", "uuid", "key"}:
            return Part.IDENTITY
    if said & PERIOD:
        return Part.PERIOD
    if said & TIME or name.endswith(("At", "_at")):
        return Part.TIME
    if said & CUSTOMER:
        return Part.CUSTOMER
    if said & {"event", "usage", "operation", "action"} and said & {"id", "uuid", "key"}:
        return Part.IDENTITY
    if said & AMOUNT:
        return Part.AMOUNT
    return Part.FEATURE if said & FEATURE else Part.IDENTITY


def is_attempt(name: str) -> bool:
    """`attempt`, `retry_count`, `attemptsMade`, `attemptId`; `retryOfJob` is none."""
    said = words(name)
    if fold(name) in ATTEMPT_NAMES:
        return True
    return bool(ATTEMPT & set(said)) and said[-1] in ATTEMPT | {"count", "number", "no", "num", "id", "index"}


def written(one: Expression) -> str:
    match one:
        case Name(text=text):
            return text
        case Member(name=name):
            return name
        case Index(key=Literal(value=str(key))):
            return key
        case Call():
            return one.method
        case _:
            return ""


def is_coarse(code: Code, key: Key) -> bool:
    """Whether the clock in a key is cut to seconds or more: two uses in one of them have one key."""
    return any(COARSE.search(text) for text in behind(code, key.value, key.scope, key.at, 4))


def behind(code: Code, value: Expression, scope: Scope, at: int, hops: int) -> Iterator[str]:
    """The source of a value and of the variables in it."""
    yield code.facts.text(value.span)
    if hops == 0:
        return
    for part in walk(value):
        if isinstance(part, Name):
            for one in definitions_at(code.values, part.text, scope, at):
                if one.value is not None:
                    yield from behind(code, one.value, one.scope, one.end, hops - 1)
