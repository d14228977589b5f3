"""Points in time as code writes them: seconds, milliseconds, a text, a date, and where they were taken."""

from enum import StrEnum

from rules.facts import Binary, Call, Conditional, Expression, Literal, Logical, Member, Name, Scope, Unary, fold
from rules.meaning.origins import is_clock
from rules.meaning.values import Values, definitions_at
from rules.traits import Dates

HOPS = 3


class Unit(StrEnum):
    SECONDS = "seconds"
    MILLISECONDS = "milliseconds"
    NANOSECONDS = "nanoseconds"
    TEXT = "text"
    DATE = "date"


BY_METHOD = {
    "gettime": Unit.MILLISECONDS,
    "unixmilli": Unit.MILLISECONDS,
    "unix": Unit.SECONDS,
    "unixnano": Unit.NANOSECONDS,
    "timestamp": Unit.SECONDS,
    "timestampmillis": Unit.MILLISECONDS,
    "timestampnanos": Unit.NANOSECONDS,
    "torfc3339": Unit.TEXT,
    "tounixtimeseconds": Unit.SECONDS,
    "tounixtimemilliseconds": Unit.MILLISECONDS,
    "toisostring": Unit.TEXT,
    "isoformat": Unit.TEXT,
    "strftime": Unit.TEXT,
    "getepochsecond": Unit.SECONDS,
    "toepochsecond": Unit.SECONDS,
    "toepochmilli": Unit.MILLISECONDS,
    "currenttimemillis": Unit.MILLISECONDS,
    "gettimeinmillis": Unit.MILLISECONDS,
    "nanotime": Unit.NANOSECONDS,
    "iso8601": Unit.TEXT,
}
BY_NAME = {
    "date.now": Unit.MILLISECONDS,
    "time.time": Unit.SECONDS,
    "time.timens": Unit.NANOSECONDS,
    "time.now": Unit.DATE,
    "time": Unit.SECONDS,
    "microtime": Unit.SECONDS,
    "time.current": Unit.DATE,
    "zone.now": Unit.DATE,
    "datetime.now": Unit.DATE,
    "datetime.utcnow": Unit.DATE,
    "instant.now": Unit.DATE,
    "localdatetime.now": Unit.DATE,
    "zoneddatetime.now": Unit.DATE,
    "offsetdatetime.now": Unit.DATE,
}
THROUGH = frozenset(
    "floor round trunc ceil int int64 number parseint string str int32 float float64 abs ptr int64ptr f".split()
)
FACTORS = {
    (Unit.MILLISECONDS, "/", 1000): Unit.SECONDS,
    (Unit.MILLISECONDS, "//", 1000): Unit.SECONDS,
    (Unit.SECONDS, "*", 1000): Unit.MILLISECONDS,
    (Unit.NANOSECONDS, "/", 1_000_000): Unit.MILLISECONDS,
    (Unit.NANOSECONDS, "//", 1_000_000): Unit.MILLISECONDS,
    (Unit.NANOSECONDS, "/", 1_000_000_000): Unit.SECONDS,
    (Unit.NANOSECONDS, "//", 1_000_000_000): Unit.SECONDS,
}


def unit_of(values: Values, value: Expression, scope: Scope, at: int, hops: int = HOPS) -> Unit | None:
    """The unit that the shape of an expression shows, followed through one variable. None: not to be seen."""
    match value:
        case Name(text=text):
            found = definitions_at(values, text, scope, at) if hops else ()
            made = found[0].value if len(found) == 1 and found[0].how == "assign" else None
            return unit_of(values, made, found[0].scope, found[0].end, 0) if made is not None else None
        case Call():
            return unit_of_call(values, value, scope, at, hops)
        case Binary(operator=operator, left=left, right=right):
            return unit_of_product(unit_of(values, left, scope, at, hops), operator, right)
        case Unary(operator="+" | "-", value=inner):
            inside = unit_of(values, inner, scope, at, hops)
            return Unit.MILLISECONDS if inside is Unit.DATE and values.facts.traits.dates is Dates.EPOCH else inside
        case Logical(left=left, right=right) | Conditional(then=left, otherwise=right):
            one, other = unit_of(values, left, scope, at, hops), unit_of(values, right, scope, at, hops)
            return one if one is other else None
        case _:
            return None


def unit_of_call(values: Values, call: Call, scope: Scope, at: int, hops: int) -> Unit | None:
    last = fold(call.method)
    tail = ".".join(call.folded.split(".")[-2:])
    if tail in BY_NAME:
        return BY_NAME[tail]
    if call.folded == "date" and call.constructs:
        return Unit.DATE
    if last in BY_METHOD and isinstance(call.callee, Member):
        return BY_METHOD[last]
    if last in THROUGH and len(call.arguments) in (1, 2):
        inside = unit_of(values, call.arguments[0].value, scope, at, hops)
        if inside is Unit.DATE:
            # Ruby's `time.to_i`; in Python a date is no number.
            return {"number": Unit.MILLISECONDS, "int": Unit.SECONDS, "float": Unit.SECONDS}.get(last, inside)
        return inside
    return None


def unit_of_product(unit: Unit | None, operator: str, right: Expression) -> Unit | None:
    """A sum keeps the unit; a known factor changes it; anything else cannot be followed."""
    if unit is None:
        return None
    if operator in ("+", "-"):
        return unit
    factor = right.value if isinstance(right, Literal) else None
    return FACTORS.get((unit, operator, factor)) if isinstance(factor, int) else None


def naive(value: Expression) -> Call | None:
    """`datetime.utcnow()` or `datetime.now()` without a zone, where the value of Python is made from it."""
    if isinstance(value, Call):
        tail = ".".join(value.folded.split(".")[-2:])
        if tail in ("datetime.utcnow", "datetime.today") or (tail == "datetime.now" and not value.arguments):
            return value
        inner: Expression | None = value.receiver
        if fold(value.method) in ("astimezone", "replace", "localize"):
            return None
        if fold(value.method) in THROUGH and value.arguments:
            inner = value.arguments[0].value
        return naive(inner) if inner is not None else None
    if isinstance(value, Binary):
        return naive(value.left)
    return None


def reads_clock(value: Expression) -> bool:
    return isinstance(value, Call) and is_clock(value)
