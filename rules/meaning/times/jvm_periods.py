"""In whose time java.time and joda code makes the start or end of a day, month or year."""

from collections.abc import Iterator

from rules.facts import Call, Expression, Literal, Member, Name, fold, walk
from rules.meaning.values import Values, definitions_at

DATES = frozenset("localdate localdatetime localtime yearmonth datetime datemidnight zoneddatetime offsetdatetime year".split())
STARTS = frozenset("atstartofday todatetimeatstartofday withtimeatstartofday todatemidnight atday".split())
ZONED = frozenset("atstartofday todatetimeatstartofday withtimeatstartofday atzone withzonesameinstant withzone".split())
"""Methods that may be told a zone."""
ENDS = frozenset("atendofmonth".split())


def clock_zone(call: Call) -> str | None:
    """In whose time a clock is read: local, utc or named. None for what reads no calendar."""
    said = call.folded.split(".")
    if said[-1] == "now" and len(said) > 1 and said[-2] in DATES:
        return zone_said(call.arguments[0].value) if call.arguments else "local"
    if call.constructs and said[-1] in ("datetime", "localdate", "localdatetime", "datemidnight") and not call.arguments:
        return "local"
    return None


def zone_said(value: Expression) -> str:
    """`ZoneOffset.UTC`, `ZoneId.of("UTC")`, `Clock.systemUTC()`; `ZoneId.systemDefault()` is the machine's."""
    for part in walk(value):
        if isinstance(part, Call) and fold(part.method) in ("systemdefault", "getdefault", "systemdefaultzone"):
            return "local"
        if isinstance(part, Call) and fold(part.method) in ("systemutc",):
            return "utc"
        if isinstance(part, Member) and part.name == "UTC":
            return "utc"
        if isinstance(part, Literal) and str(part.value).upper() in ("UTC", "Z", "GMT", "ETC/UTC"):
            return "utc"
    return "named"


def makes_boundary(call: Call) -> bool:
    """`withDayOfMonth(1)`, `atStartOfDay()`, `with(firstDayOfMonth())`, `truncatedTo(DAYS)`, `atTime(23, 59, 59)`."""
    last = fold(call.method)
    given = [argument.value for argument in call.arguments]
    first = given[0] if given else None
    if last in STARTS | ENDS:
        return last != "atday" or (isinstance(first, Literal) and first.value == 1)
    if last in ("withdayofmonth", "withdayofyear"):
        return isinstance(first, Literal) and first.value == 1
    if last == "with" and len(given) == 1:
        return bool({"firstdayofmonth", "lastdayofmonth", "firstdayofyear", "min", "max", "midnight"} & set(said_in(first)))
    if last == "truncatedto":
        return "days" in said_in(first)
    return ends_day(call)


def ends_day(call: Call) -> bool:
    """The last second of a day: `atTime(23, 59, 59)`, `withHour(23)`, `atTime(LocalTime.MAX)`."""
    last = fold(call.method)
    first = call.arguments[0].value if call.arguments else None
    if last == "withhour":
        return isinstance(first, Literal) and first.value == 23
    return last in ("attime", "with") and ((isinstance(first, Literal) and first.value == 23) or "max" in said_in(first))


def ends_with_fraction(call: Call) -> bool:
    return "max" in said_in(call.arguments[0].value if call.arguments else None)


def said_in(value: Expression | None) -> list[str]:
    names = (
        part.method if isinstance(part, Call) else getattr(part, "name", getattr(part, "text", "")) for part in walk(value)
    )
    return [fold(str(name)) for name in names]


def zone_of(values: Values, call: Call) -> str | None:
    """Whose midnight a boundary is: the zone that it is told, else that of the clock it starts from."""
    told = [part for part in walk(call) if isinstance(part, Call) and fold(part.method) in ZONED and part.arguments]
    if told:
        return zone_said(told[0].arguments[0].value)
    found = set(reads(values, call, 4))
    return "local" if "local" in found else next(iter(found), None)


def reads(values: Values, expression: Expression, hops: int) -> Iterator[str]:
    for part in walk(expression):
        if isinstance(part, Call) and (zone := clock_zone(part)) is not None:
            yield zone
        elif isinstance(part, Name) and hops:
            for known in values.definitions.get(part.text, ())[:8]:
                for one in definitions_at(values, part.text, known.scope, part.span.start):
                    if one.value is not None and one.how == "assign":
                        yield from reads(values, one.value, hops - 1)
                break
