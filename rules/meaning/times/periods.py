"""Expressions that make the start or the end of a day, month or year, and in whose time: local, naive, UTC or a named zone."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rules.facts import (
    Call,
    Expression,
    Facts,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    Use,
    fold,
    walk,
)
from rules.meaning.times import jvm_periods
from rules.meaning.values import Values, definitions_at
from rules.traits import Dates


class Zone(StrEnum):
    """Whose midnight it is."""

    LOCAL = "local"
    """The machine's, whatever that is set to."""
    UTC = "utc"
    NAMED = "named"
    """A zone that somebody chose."""
    UNKNOWN = "unknown"


class Precision(StrEnum):
    """How close the end of a period comes to the next one's start."""

    EXACT = "exact"
    SECOND = "second"
    MILLISECOND = "millisecond"
    MICROSECOND = "microsecond"


@dataclass(frozen=True, slots=True, eq=False)
class Boundary:
    """One expression that makes a period's boundary."""

    span: Span
    scope: Scope
    expression: Expression
    zone: Zone
    end: Precision | None = None
    """For the last moment of a period, how much of it is missing; None for a start."""


Held = tuple[tuple[Expression, Scope], ...]
"""Every outermost expression of a file with its scope: `Code.expressions`, worked out once."""

ENDS = re.compile(r"23:59(?::59)?(\.\d+)?")
RELATIVE = re.compile(r"\b(first|last) day of\b|\b(midnight|today)\b", re.I)
"""How PHP writes the start or end of a period."""
STARTS_OF = re.compile(r"^(start|end|beginning)of(day|week|isoweek|month|quarter|year|today)$")
CALENDARS = frozenset("moment dayjs luxon date-fns datefns datetime now pendulum arrow".split())
UTC_MARKS = frozenset("utc utcnow toutc getutcfullyear getutcmonth getutcdate utcdate".split())
ZONE_MARKS = frozenset(
    "tz setzone tozonedtime utctozonedtime zonedtimetoutc fromzonedtime tzdate astimezone localize in zoneinfo inzone "
    "formatintimezone totimezone".split()
)


def boundaries_of(facts: Facts, values: Values, held: Held) -> tuple[Boundary, ...]:
    """All boundaries of a file in source order; `new Date(y, m + 1, 0).getDate()` is the number of days in a month."""
    counted = {id(call.receiver) for call in facts.calls if fold(call.method) in ("getdate", "getutcdate")}
    found = [
        made for call in facts.calls if id(call) not in counted and (made := boundary(facts, values, call)) is not None
    ]  # fmt: skip
    found.extend(written_ends(held))
    return tuple(sorted(found, key=lambda one: one.span.start))


def boundary(facts: Facts, values: Values, call: Call) -> Boundary | None:
    last = fold(call.method)
    dates = facts.traits.dates
    if dates is Dates.LOCATED:
        return located_boundary(values, call, last)
    if dates is Dates.JAVA_TIME:
        return java_time_boundary(values, call)
    if dates is Dates.CHRONO:
        return chrono_boundary(values, call, last)
    if dates is Dates.CLR:
        return clr_boundary(values, call)
    if dates is Dates.NAIVE:
        return naive_boundary(values, call, last)
    if dates is Dates.FLUENT:
        return spelled_boundary(call, last) or fluent_boundary(values, call, last)
    if call.constructs and call.folded == "date" and len(call.arguments) > 1:
        return date_of_parts(call)
    if last in ("sethours", "setutchours"):
        return set_hours(call, Zone.LOCAL if last == "sethours" else Zone.UTC)
    if STARTS_OF.match(last) and is_calendar(values, call):
        end = Precision.MILLISECOND if last.startswith("end") else None
        return Boundary(call.span, call.scope, call, calendar_zone(values, call), end)
    if last in ("startof", "endof") and call.arguments and isinstance(call.arguments[0].value, Literal):
        end = Precision.MILLISECOND if last == "endof" else None
        return Boundary(call.span, call.scope, call, calendar_zone(values, call), end)
    return None


def numbers(call: Call) -> list[int | None]:
    """The positional arguments where they are whole numbers."""
    plain = [argument.value for argument in call.arguments if argument.name is None]
    return [one.value if isinstance(one, Literal) and isinstance(one.value, int) else None for one in plain]


def date_of_parts(call: Call) -> Boundary | None:
    """`new Date(y, m, 1)`, `new Date(y, m + 1, 0, 23, 59, 59)`; a date written out in numbers is none."""
    given = numbers(call)
    if None not in given[:2] or (len(given) == 3 and given[2] is None and not whole_day(call)):
        return None
    if len(given) > 3 and given[3] == 23:
        end = {6: Precision.SECOND, 7: Precision.MILLISECOND}.get(len(given), Precision.SECOND)
        return Boundary(call.span, call.scope, call, Zone.LOCAL, end)
    if any(one != 0 for one in given[3:]):
        return None
    return Boundary(call.span, call.scope, call, Zone.LOCAL)


def whole_day(call: Call) -> bool:
    """`new Date(d.getFullYear(), d.getMonth(), d.getDate())` is the start of a day."""
    return any(isinstance(part, Call) and fold(part.method) == "getdate" for part in walk(call.arguments[2].value))


def set_hours(call: Call, zone: Zone) -> Boundary | None:
    given = numbers(call)
    if given[:1] == [0] and all(one == 0 for one in given):
        return Boundary(call.span, call.scope, call, zone)
    if given[:2] == [23, 59]:
        end = Precision.MILLISECOND if len(given) == 4 else Precision.SECOND
        return Boundary(call.span, call.scope, call, zone, end)
    return None


def is_calendar(values: Values, call: Call) -> bool:
    """Whether `startOfMonth` is a calendar library's, not the project's own."""
    root = call.folded.split(".")[0]
    return root in CALENDARS and call.method not in values.functions


def calendar_zone(values: Values, call: Call) -> Zone:
    """From the marks on the value it is made of: `.utc()`, `.tz(…)`, `{ in: utc }`; a parameter's zone is not known."""
    marks = set(mark_names(values, call, 4))
    if marks & ZONE_MARKS:
        return Zone.NAMED
    if marks & UTC_MARKS:
        return Zone.UTC
    if "?" in marks and not call.folded.startswith("datefns") and not call.name.startswith("date-fns"):
        return Zone.UNKNOWN
    return Zone.LOCAL


def mark_names(values: Values, expression: Expression, hops: int) -> Iterator[str]:
    for part in walk(expression):
        if isinstance(part, Call):
            yield fold(part.method)
            yield from fold(part.name).split(".")
            for argument in part.arguments:
                yield fold(argument.name or "")
                yield from (fold(entry.name or "") for entry in getattr(argument.value, "entries", ()))
        elif isinstance(part, Member):
            yield fold(part.name)
        elif isinstance(part, Name) and hops:
            reaching = definitions_at(values, part.text, scope_of(values, part), part.span.start)
            for one in reaching:
                if one.value is not None and one.how != "loop":
                    yield from mark_names(values, one.value, hops - 1)
            if not reaching or any(one.value is None for one in reaching):
                yield "?"


def scope_of(values: Values, part: Expression) -> Scope:
    """The innermost function or module around an expression, by position."""
    around = [
        scope for scope in values.facts.scopes if scope.kind in (Kind.FUNCTION, Kind.MODULE) and scope.span.holds(part.span)
    ]
    return min(around, key=lambda scope: scope.span.end - scope.span.start, default=values.facts.root)


def naive_boundary(values: Values, call: Call, last: str) -> Boundary | None:
    given = {fold(argument.name): argument.value for argument in call.arguments if argument.name}
    if last == "replace" and ({"day", "hour"} & given.keys()) and starts_or_ends(given):
        return Boundary(call.span, call.scope, call, clock_zone(values, call), naive_end(given))
    if call.folded.endswith("datetime.combine"):
        named = "tzinfo" in given or len(call.arguments) > 2
        moment = call.arguments[1].value if len(call.arguments) > 1 else None
        named = named or any(fold(one.name or "") == "tzinfo" for one in getattr(moment, "arguments", ()))
        end = Precision.MICROSECOND if isinstance(moment, Member) and moment.name == "max" else None
        return Boundary(call.span, call.scope, call, Zone.NAMED if named else clock_zone(values, call), end)
    if call.folded.endswith("datetime.datetime") and len(call.arguments) > 2 and "tzinfo" not in given:
        plain = numbers(call)
        if None not in plain[:2] or any(one not in (0, 1, 23, 59, 999999) for one in plain[2:] if one is not None):
            return None
        end = None if 23 not in plain[2:] else Precision.MICROSECOND if len(plain) > 6 else Precision.SECOND
        return Boundary(call.span, call.scope, call, clock_zone(values, call), end)
    return None


def starts_or_ends(given: dict[str, Expression]) -> bool:
    """Whether what is replaced is the start or end of a day or month, not `replace(day=anchor)`."""
    wanted = {"day": (1,), "hour": (0, 23)}
    return any(isinstance(one := given.get(name), Literal) and one.value in numbers for name, numbers in wanted.items())


def naive_end(given: dict[str, Expression]) -> Precision | None:
    hour = given.get("hour")
    if not isinstance(hour, Literal) or hour.value != 23:
        return None
    return Precision.MICROSECOND if "microsecond" in given else Precision.SECOND


def spelled_boundary(call: Call, last: str) -> Boundary | None:
    """`new DateTimeImmutable('first day of this month midnight')`, `date('Y-m-01')`, `mktime(0, 0, 0, $m, 1)`."""
    first = call.arguments[0].value if call.arguments else None
    text = first.value if isinstance(first, Literal) and isinstance(first.value, str) else ""
    if last in ("mktime", "gmmktime"):
        zone = Zone.LOCAL if last == "mktime" else Zone.UTC
        return Boundary(call.span, call.scope, call, zone) if numbers(call)[:3] == [0, 0, 0] else None
    if last in ("date", "gmdate") and text.startswith(("Y-m-01", "Y-01-01")) and len(call.arguments) == 1:
        return Boundary(call.span, call.scope, call, Zone.LOCAL if last == "date" else Zone.UTC)
    makes = last == "strtotime" or (call.constructs and last in ("datetime", "datetimeimmutable"))
    if not makes or not RELATIVE.search(text):
        return None
    said = " ".join(str(getattr(part, "value", "")) for argument in call.arguments[1:] for part in walk(argument.value))
    zone = Zone.UTC if "utc" in (text + said).lower() else Zone.LOCAL
    if zone is Zone.LOCAL and len(call.arguments) > 1 and last != "strtotime":
        zone = Zone.NAMED
    return Boundary(call.span, call.scope, call, zone, Precision.SECOND if ENDS.search(text) else None)


def fluent_boundary(values: Values, call: Call, last: str) -> Boundary | None:
    """`Time.current.beginning_of_month`, `$date->endOfDay()`: the end is the last microsecond or less."""
    if not STARTS_OF.match(last.removeprefix("at")):
        return None
    end = Precision.MICROSECOND if "end" in last[:5] else None
    return Boundary(call.span, call.scope, call, fluent_zone(values, call), end)


def fluent_zone(values: Values, expression: Expression) -> Zone:
    """`Time.current`, `Time.zone` and Carbon are in the application's zone, which is UTC unless it says otherwise."""
    marks = set(mark_names(values, expression, 4))
    if marks & {"intimezone", "usezone", "localtime", "settimezone", "timezone", "shifttimezone", "tz"}:
        return Zone.NAMED
    if marks & (UTC_MARKS | {"current", "zone", "carbon", "carbonimmutable"}):
        return Zone.UTC
    return Zone.LOCAL if {"now", "today"} & marks and {"time", "date", "datetime"} & marks else Zone.UNKNOWN


def clock_zone(values: Values, expression: Expression) -> Zone:
    """In whose time the clock was read that a Python or Go expression is computed from."""
    reads = list(clock_reads(values, expression, 4))
    if any(zone is Zone.LOCAL for zone in reads):
        return Zone.LOCAL if not set(mark_names(values, expression, 4)) & (ZONE_MARKS | UTC_MARKS) else Zone.NAMED
    return reads[0] if reads else Zone.UNKNOWN


def clock_reads(values: Values, expression: Expression, hops: int) -> Iterator[Zone]:
    for part in walk(expression):
        if isinstance(part, Call):
            if (zone := clock_call(part)) is not None:
                yield zone
        elif isinstance(part, Name) and hops:
            for one in definitions_at(values, part.text, scope_of(values, part), part.span.start):
                if one.value is not None and one.how in ("assign", "change"):
                    yield from clock_reads(values, one.value, hops - 1)


def clock_call(call: Call) -> Zone | None:
    folded = call.folded
    if folded.endswith(("datetimeoffset.now", "getlocalnow", "local.now")):
        return Zone.LOCAL
    if folded.endswith(("datetime.now", "datetime.today", "date.today")):
        return Zone.LOCAL if not call.arguments else Zone.NAMED
    if folded.endswith(
        ("datetime.utcnow", "timezone.now", "utcnow", "getutcnow", "utc.now", "nowutc", "utc_now", "arrow.now", "pendulum.now")
    ):
        return Zone.UTC
    if folded == "time.now":
        return Zone.LOCAL
    if folded in ("now.beginningofmonth", "now.endofmonth", "now.beginningofday", "now.endofday"):
        return Zone.LOCAL
    return None


def chrono_boundary(values: Values, call: Call, last: str) -> Boundary | None:
    """`Local.with_ymd_and_hms(y, m, 1, 0, 0, 0)`, `Local::now().date_naive().with_day(1)`."""
    given = numbers(call)
    if last == "withymdandhms" and len(given) == 6 and None in given[:2]:
        place = call.folded.split(".")[-2]
        zone = {"local": Zone.LOCAL, "utc": Zone.UTC}.get(place, Zone.NAMED)
        end = Precision.SECOND if given[3] == 23 else None
        return Boundary(call.span, call.scope, call, zone, end) if end or given[3:] == [0, 0, 0] else None
    if last == "withday" and given == [1]:
        return Boundary(call.span, call.scope, call, clock_zone(values, call))
    return None


def clr_boundary(values: Values, call: Call) -> Boundary | None:
    """`new DateTime(now.Year, now.Month, 1)`; `DateTime.Today` is the machine's midnight."""
    if call.folded == "datetime.today":
        return Boundary(call.span, call.scope, call, Zone.LOCAL)
    if not call.constructs or call.folded not in ("datetime", "datetimeoffset") or len(call.arguments) < 3:
        return None
    given = numbers(call)
    if None not in given[:2] or any(one not in (0, 1, 23, 59, 999) for one in given[2:6] if one is not None):
        return None
    end = None if 23 not in given[2:6] else Precision.MILLISECOND if 999 in given else Precision.SECOND
    return Boundary(call.span, call.scope, call, clock_zone(values, call), end)


def located_boundary(values: Values, call: Call, last: str) -> Boundary | None:
    """`time.Date(y, m, 1, 0, 0, 0, 0, loc)` and its last moment."""
    if call.folded != "time.date" or len(call.arguments) != 8:
        return None
    given = numbers(call)
    zone = located_zone(values, call.arguments[7].value)
    if given[3] == 23:
        fine = {0: Precision.SECOND, 999_000_000: Precision.MILLISECOND, 999_999_000: Precision.MICROSECOND}
        return Boundary(call.span, call.scope, call, zone, fine.get(given[6] or 0, Precision.MICROSECOND))
    if given[3:7] == [0, 0, 0, 0] and None in given[:2]:
        return Boundary(call.span, call.scope, call, zone)
    return None


def java_time_boundary(values: Values, call: Call) -> Boundary | None:
    """`LocalDate.now().withDayOfMonth(1).atStartOfDay()`; of a chain the outermost link is the boundary."""
    if call.use is Use.CHAINED or not any(isinstance(one, Call) and jvm_periods.makes_boundary(one) for one in walk(call)):
        return None
    zone = jvm_periods.zone_of(values, call)
    ends = [one for one in walk(call) if isinstance(one, Call) and jvm_periods.ends_day(one)]
    end = Precision.MICROSECOND if ends and jvm_periods.ends_with_fraction(ends[0]) else Precision.SECOND if ends else None
    return Boundary(call.span, call.scope, call, Zone(zone) if zone else Zone.UNKNOWN, end)


def located_zone(values: Values, location: Expression) -> Zone:
    if isinstance(location, Member) and location.name in ("UTC", "Local"):
        return Zone.UTC if location.name == "UTC" else Zone.LOCAL
    if isinstance(location, Call) and fold(location.method) == "location":
        return clock_zone(values, location)
    return Zone.NAMED


def written_ends(held: Held) -> Iterator[Boundary]:
    """`"…T23:59:59Z"`, `` `${day} 23:59:59` ``: the last second of a day, spelled out."""
    for expression, scope in held:
        for part in walk(expression):
            if isinstance(part, Literal) and isinstance(part.value, str) and len(part.value) < 60:
                found = ENDS.search(part.value)
                if found is not None:
                    zone = Zone.UTC if part.value.endswith(("Z", "+00:00", "+00")) else Zone.UNKNOWN
                    yield Boundary(part.span, scope, part, zone, precision(found.group(1)))


def precision(fraction: str | None) -> Precision:
    digits = len(fraction or ".") - 1
    return Precision.SECOND if digits == 0 else Precision.MILLISECOND if digits < 6 else Precision.MICROSECOND


def expressions(facts: Facts) -> Held:
    """Every outermost expression of a file once, with its scope: assigned, returned, and arguments of calls made for effect."""
    seen: set[int] = set()
    held: list[tuple[Expression, Scope]] = [
        *((assign.value, assign.scope) for assign in facts.assigns if assign.value is not None),
        *((one.value, one.scope) for one in facts.returns if one.value is not None),
        *((test.value, test.scope) for test in facts.tests),
        *((argument.value, call.scope) for call in reversed(facts.calls) for argument in call.arguments),
    ]
    found: list[tuple[Expression, Scope]] = []
    for expression, scope in held:
        if id(expression) not in seen:
            seen.update(map(id, walk(expression)))
            found.append((expression, scope))
    return tuple(found)
