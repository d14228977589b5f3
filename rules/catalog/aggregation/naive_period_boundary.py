"""A billing period starts or ends at the machine's midnight, or at that of a date without a zone.

The same event then falls into one month on a server in UTC and into another on a laptop, in a container with another `TZ` or
after a change to summer time: it is billed twice, in the wrong period or not at all, and two parts of the program that
compute the period in different ways disagree. Compute boundaries in UTC (`Date.UTC`, `datetime.now(timezone.utc)`,
`time.UTC`) or in the customer's zone with a zone library, and in one place.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Assign,
    Binary,
    Call,
    Expression,
    Function,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Scope,
    Template,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.subjects import BILLED, bills, only_shows, spoken_in
from rules.meaning.times.days import LOGS, customers_zone, days_of_moments, only_told
from rules.meaning.times.fates import LASTING, Fate, fates, uses_of
from rules.meaning.times.jvm_periods import zone_said
from rules.meaning.times.periods import Boundary, Zone
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.answered import only_shown_by_callers, read_again
from rules.tracing.served import is_served
from rules.traits import Dates

ABOUT = About(
    id="MTR-302",
    title="Billing period computed from local or naive time",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A1",),
    cwe=("CWE-1025",),
    iso_25010="Functional suitability / functional correctness",
)
GETTERS = frozenset("getfullyear getmonth getdate getday gethours".split())
UTC_DAYS = frozenset("split slice substring substr".split())
USED = frozenset("usage usages quota credits metering metered overage entitlement entitlements consumption billing".split())
COUNTED = frozenset("usage usages metering metered consumption".split())
"""Words of code that counts what happened up to a moment; the days of other items may be compared among themselves."""
LICENCE = frozenset("license licenses licence licences".split())
"""What a program is allowed to run, which no customer's usage is billed by."""
KEYS = frozenset("get set hget hset incr incrby hincrby hincrbyfloat incrbyfloat zadd expire".split())
KEY = re.compile(r"`[\w-]+:[\w:-]*\$\{|[\"'][\w-]+:[\w:-]*[\"']\s*\+")
"""A key of a store that names what it counts and when."""
GONE_BY = re.compile(
    r"((?:dai?ly|weekly|monthly|hourly|per_?(?:day|week|month)|today)\w{0,20}_?(?:limit|quota|budget|allowance)"
    r"|(?:limit|quota|budget|allowance)s?_?(?:per|this)?_?(?:day|dai?ly|week|month|hour)"
    r"|billing_?(?:day|month|period|cycle)|billing:|invoice|overage)",
    re.I,
)
"""What a program limits or bills by the day or the month."""
PERIOD_WORDS = frozenset("period month monthly day daily today cycle reset billing renew week year quota start end".split())
SHIFTING = frozenset(
    "startofmonth endofmonth submonths addmonths setdate startofday endofday setmonth differenceinmonths".split()
)
DAY_STARTS = frozenset("atstartofday todatetimeatstartofday".split())
READING = SHIFTING | {"getdaysinmonth", "getmonth", "getdate"}


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[Scope | None] = set()
    by_machine = () if in_utc(code) else (*shifted(code), *local_library_on_utc(code), *boundaries(code))
    for found in (*offsets(code), *naive_to_aware(code), *dates_in_utc(code), *days_in_utc(code), *by_machine):
        function = enclosing(found[0], Kind.FUNCTION)
        if function is None or function not in said:
            said.add(function)
            yield found[1]


def judged(code: Code, scope: Scope) -> bool:
    if code.context(scope) in (Context.TEST, Context.SCRIPT) or SHOWN_IN.search(code.facts.path):
        return False
    return bills(code.facts, scope)


SHOWN_IN = re.compile(r"(^|/)(frontend|webapp|renderer|mobile|components|web/[\w-]+/src)/(?!.*(server|route))")
"""Where days are drawn for a reader in the reader's own zone."""
EDGE_PATH = re.compile(r"(^|/)(supabase/functions|durable-objects)/")
EDGE = re.compile(
    r"\b(ExportedHandler\b|KVNamespace\b|D1Database\b|DurableObject(State|Namespace)\b)|^export const runtime = [\"']edge[\"']",
    re.M,
)
"""Types and settings of what runs at the edge."""
DJANGO = re.compile(r"^(INSTALLED_APPS)\b", re.M)
SETTING = re.compile(r"^[ \t]*TIME_ZONE[ \t]*=[ \t]*[\"']?([^\"'#\n]*)", re.M)
CALENDARS = frozenset("ical ics icalendar calendars vevent oncall rota roster shifts appointment appointments".split())
"""Words of files and functions about when somebody is to be somewhere."""
Found = tuple[Scope, Finding]


def in_utc(code: Code) -> bool:
    """Whether the machine's own zone is UTC wherever this runs."""
    return at_the_edge(code) or set_by_django(code)


def at_the_edge(code: Code) -> bool:
    """Cloudflare's workers, the functions of Supabase and what Vercel runs at its edge know no zone but UTC."""
    text = code.facts.source.decode(errors="replace")
    return "cloudflare:workers" in code.facts.packages or bool(EDGE_PATH.search(code.facts.path) or EDGE.search(text))


def set_by_django(code: Code) -> bool:
    """Django sets the zone of the process to the one of its settings when it starts."""
    if code.facts.traits.dates is not Dates.NAIVE or not code.elsewhere.found(DJANGO):
        return False
    return code.elsewhere.found(SETTING) in ({"UTC"}, {"Etc/UTC"})


def offsets(code: Code) -> Iterator[Found]:
    """`offset || 8`: zero, which is UTC, is taken for missing."""
    for expression, scope in code.expressions:
        for part in walk(expression):
            if not isinstance(part, Logical) or part.operator != "or" or not isinstance(part.right, Literal):
                continue
            if not is_zero_for_utc(part) or code.context(scope) is Context.TEST:
                continue
            yield (
                scope,
                Finding(
                    span=part.span,
                    description=(
                        f"`{code.facts.text(part.span)}` takes an offset of 0 for a missing one: in UTC the "
                        "days and months that are "
                        f"counted start {part.right.value} hours off."
                    ),
                    remediation=f"Fall back only where nothing is set ({code.facts.idioms.null_test}).",
                    confidence=Confidence.CERTAIN if keyed(code, scope) and goes_by_days(code) else Confidence.POSSIBLE,
                    fix=nullish(code, part),
                ),
            )


def keyed(code: Code, scope: Scope, hops: int = 3) -> bool:
    """Whether a key, or a boundary that is looked up by, is made of what the function answers: by it, or by those that call it.
    What is only told to a customer agrees with itself."""
    function = enclosing(scope, Kind.FUNCTION)
    if function is None:
        return False
    if any(KEY.search(code.facts.text(call.span)) for call in code.calls_in(function) if KEYS & set(words(call.method))):
        return True
    made = any(
        isinstance(part, Template) and KEY.search(code.facts.text(part.span))
        for whole, place in code.expressions if within(place, function) for part in walk(whole)
    )  # fmt: skip
    if made or hops == 0 or not isinstance(function.head, Function) or not function.head.name:
        return made
    callers = [
        call.scope for call in code.facts.calls if call.method == function.head.name and not within(call.scope, function)
    ]
    return any(keyed(code, one, hops - 1) for one in callers)


def goes_by_days(code: Code) -> bool:
    """Whether anything at hand limits or bills by the day or the month: else only statistics have the wrong day."""
    return bool(GONE_BY.search(code.facts.source.decode(errors="replace")) or code.elsewhere.found(GONE_BY))


def is_zero_for_utc(part: Logical) -> bool:
    name = part.left.name if isinstance(part.left, Member) else part.left.text if isinstance(part.left, Name) else ""
    said = words(name)
    fallback = part.right.value if isinstance(part.right, Literal) else None
    zoned = {"timezone", "utc", "tz", "zone"} & set(said) and "offset" in said
    return bool(zoned) and isinstance(fallback, int | float) and not isinstance(fallback, bool) and fallback != 0


def nullish(code: Code, part: Logical) -> Fix | None:
    if not code.facts.idioms.nullish:
        return None
    start, end = part.left.span.end, part.right.span.start
    return Fix("Fall back only where nothing is set", (Edit(start, end, f" {code.facts.idioms.nullish} "),))


def shifted(code: Code) -> Iterator[Found]:
    """Local getters on a date that was moved by a zone's offset: the machine's own offset comes on top."""
    for assign in code.facts.assigns:
        if not isinstance(assign.targets[0], Name) or not moved_by_zone(code, assign.value, assign.scope):
            continue
        name = assign.targets[0].text
        read = [
            call
            for call in code.calls_in(enclosing(assign.scope, Kind.FUNCTION))
            if isinstance(call.receiver, Name)
            and call.receiver.text == name
            and fold(call.method) in GETTERS
            and call.span.start > assign.span.end
        ]
        if read:
            call = min(read, key=lambda one: one.span.start)
            yield (
                call.scope,
                Finding(
                    span=call.span,
                    description=(
                        f"`{name}` is already moved by the zone's offset, and `{call.method}` adds the "
                        "machine's offset to it: "
                        "outside UTC usage is booked on the wrong day."
                    ),
                    remediation=f"Read it with `{call.method.replace('get', 'getUTC', 1)}`, as all parts of a moved date.",
                    confidence=Confidence.CERTAIN,
                    trace=(Step(assign.span, "moved here"),),
                    fix=Fix("Read it in UTC", tuple(utc_getter(one) for one in read)),
                ),
            )


def moved_by_zone(code: Code, value: Expression | None, scope: Scope) -> bool:
    """Whether a date is moved by a zone's offset and the machine's own is not taken off before, which makes up for it."""
    return (adds_offset(value) and not makes_up(code, scope)) or made_shifted(code, value)


def makes_up(code: Code, scope: Scope) -> bool:
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and "getTimezoneOffset" in code.facts.text(function.span)


def made_shifted(code: Code, value: Expression | None) -> bool:
    """A call of the file's own function that gives back a moved date."""
    functions = code.values.functions.get(value.method, ()) if isinstance(value, Call) else ()
    return any(
        len(functions) == 1
        and not makes_up(code, functions[0])
        and one.value is not None
        and enclosing(one.scope, Kind.FUNCTION) is functions[0]
        and adds_offset(resolved(code.values, one.value, one.scope, one.span.start))
        for one in code.facts.returns
    )


def utc_getter(call: Call) -> Edit:
    """From `getDate` to `getUTCDate`: the name stands just before the parentheses."""
    start = call.callee.span.end - len(call.method)
    return Edit(start, call.callee.span.end, call.method.replace("get", "getUTC", 1))


def adds_offset(value: Expression | None) -> bool:
    """`new Date(date.getTime() + offset * 3600000)`, where the name says that it is a zone's."""
    if not isinstance(value, Call) or not value.constructs or value.folded != "date" or len(value.arguments) != 1:
        return False
    sum_ = value.arguments[0].value
    if not isinstance(sum_, Binary) or sum_.operator != "+":
        return False
    return any("offset" in words(getattr(part, "text", "") or getattr(part, "name", "")) for part in walk(sum_.right))


def local_library_on_utc(code: Code) -> Iterator[Found]:
    """`subMonths(new Date(Date.UTC(y, m, 1)), 1)`: the library steps in local time through a date made in UTC."""
    hits = [call for call in code.facts.calls if reads_utc_locally(code, call)]
    hits.sort(key=lambda call: fold(call.method) not in SHIFTING)
    for call in hits:
        if code.context(call.scope) is Context.TEST:
            continue
        others = [
            one
            for one in hits
            if one is not call and enclosing(one.scope, Kind.FUNCTION) is enclosing(call.scope, Kind.FUNCTION)
        ]
        yield (
            call.scope,
            Finding(
                span=call.span,
                description=(
                    f"`{call.method}` works in local time, and its date is made with `Date.UTC`: west of UTC "
                    "that date is still in the "
                    "month before, and the period is computed for the wrong month."
                ),
                remediation="Step in UTC as well: `new Date(Date.UTC(year, month - 1, 1))`, or `UTCDate` of `@date-fns/utc`.",
                confidence=Confidence.LIKELY if bounds(code, call) else Confidence.POSSIBLE,
                trace=tuple(Step(one.span, "the same") for one in others),
            ),
        )


def bounds(code: Code, call: Call) -> bool:
    """Whether more becomes of a date than its month's length, or a difference in days."""
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    uses = uses_of(code, set(), call.span, function) or [call.span]
    counted = [
        other.span for other in code.facts.calls
        if fold(other.method).startswith(("getdaysinmonth", "difference")) and other.arguments
    ]  # fmt: skip
    return any(not any(one.holds(use) for one in counted) for use in uses)


def reads_utc_locally(code: Code, call: Call) -> bool:
    if not call.folded.startswith("datefns") or fold(call.method) not in READING or len(call.arguments) == 0:
        return False
    if any("in" in [entry.name for entry in getattr(argument.value, "entries", ())] for argument in call.arguments):
        return False
    return any(isinstance(part, Call) and part.folded == "date.utc" for part in walk(call.arguments[0].value))


def naive_to_aware(code: Code) -> Iterator[Found]:
    """`datetime.combine(day, time.min).astimezone(zone)` reads a date without a zone as the machine's."""
    for call in code.facts.calls:
        if fold(call.method) != "astimezone" or not isinstance(call.receiver, Call) or not call.arguments:
            continue
        made = call.receiver
        named = any(fold(argument.name or "") == "tzinfo" for argument in made.arguments) or len(made.arguments) > 2
        if not made.folded.endswith("datetime.combine") or named or not of_periods(code, call.scope):
            continue
        if says_utc(call.arguments[0].value) and in_utc(code):
            continue
        yield (
            call.scope,
            Finding(
                span=call.span,
                description=(
                    "`combine` makes a time without a zone, and `astimezone` reads it as the machine's before "
                    "it converts: the boundary "
                    "is off by the difference between the two zones."
                ),
                remediation="Give the zone where the time is made: `datetime.combine(day, time.min, tzinfo=zone)`; with pytz "
                "`zone.localize(datetime.combine(day, time.min))`.",
                confidence=Confidence.CERTAIN
                if fates(code, call.span, call.scope) & (LASTING | {Fate.BOUND})
                else Confidence.POSSIBLE,
            ),
        )


def of_periods(code: Code, scope: Scope) -> bool:
    """Whether a conversion lies among what bills, by the words around it or by any folder: its own are only those of dates."""
    if code.context(scope) in (Context.TEST, Context.SCRIPT) or keeps_dates(code, scope):
        return False
    return bills(code.facts, scope) or bool(BILLED & set(words(code.facts.path)))


def says_utc(zone: Expression) -> bool:
    """`UTC`, `timezone.utc`, `pytz.UTC`, `ZoneInfo("UTC")`."""
    return any((str(one.value) if isinstance(one, Literal) else name_of(one)).lower() == "utc" for one in walk(zone))


def keeps_dates(code: Code, scope: Scope) -> bool:
    return bool(CALENDARS & {*words(code.function_name(scope)), *words("/".join(code.facts.path.split("/")[-2:]))})


def dates_in_utc(code: Code) -> Iterator[Found]:
    """`date.atStartOfDay(UTC)` of a date in a customer's calendar, where the file or the schema knows that calendar."""
    helper = zone_helper(code)
    zoned = customers_zone(code) if helper is None else None
    for call in code.facts.calls if helper is not None or zoned is not None else ():
        told = call.arguments[0].value if len(call.arguments) == 1 else None
        if fold(call.method) not in DAY_STARTS or told is None or zone_said(told) != "utc" or not judged(code, call.scope):
            continue
        if only_told(code, call):
            continue
        if zoned is not None and not COUNTED & spoken_in(code.facts, call.scope):
            continue
        known = f"`{helper.method}` makes them in the customer's own zone" if helper else f"each row of `{zoned}` has a zone"
        yield (
            call.scope,
            Finding(
                span=call.span,
                description=(
                    f"A day of the customer's calendar is taken to begin at midnight in UTC, while {known}: the boundary is "
                    "off by that zone's hours, and usage near it is billed twice or not at all."
                ),
                remediation="Convert in the customer's zone, with one helper for both directions.",
                confidence=Confidence.LIKELY,
                severity=None if helper is not None else Severity.MEDIUM,
                trace=(Step(helper.span, "made in the customer's zone here"),) if helper is not None else (),
            ),
        )


def days_in_utc(code: Code) -> Iterator[Found]:
    """`period.ended_at.to_date`, `trial_ends_at.today?`, where the schema gives each customer a zone."""
    zoned = customers_zone(code)
    for call, moment in days_of_moments(code) if zoned is not None else ():
        text = code.facts.text(moment.span).split("\n")[0]
        yield (
            call.scope,
            Finding(
                span=call.span,
                description=(
                    f"The day of `{text}` is taken in the server's zone or in UTC, while each row of `{zoned}` has a zone of "
                    "its own: for some hours it is another day than the customer's, and what goes by it is billed twice, a day "
                    "late or not at all."
                ),
                remediation=code.facts.idioms.day_in_zone,
                confidence=Confidence.LIKELY,
                severity=Severity.MEDIUM,
            ),
        )


def zone_helper(code: Code) -> Call | None:
    """`tenantContext.toLocalDate(moment)`: the project's own conversion, which knows whose calendar it is."""
    for call in code.facts.calls:
        holder = set(words(call.name.rpartition(".")[0]))
        if fold(call.method) == "tolocaldate" and len(call.arguments) == 1 and holder & {"tenant", "account", "customer"}:
            return call
    return None


def boundaries(code: Code) -> Iterator[Found]:
    for one in code.boundaries:
        if one.zone is not Zone.LOCAL or not judged(code, one.scope):
            continue
        if only_shows(code.facts, one.scope) or code.facts.renders:
            continue
        mixed = utc_day(code, one)
        if mixed is None and in_front_end(code, one.scope):
            continue
        spoken = spoken_in(code.facts, one.scope)
        if LICENCE & spoken or keeps_dates(code, one.scope) or converted(code, one) or (mixed is None and not USED & spoken):
            continue
        if mixed is None and not counts(code, one):
            continue
        yield one.scope, local_boundary(code, one, mixed)


def in_front_end(code: Code, scope: Scope) -> bool:
    """Components and hooks show a period in the reader's own zone, which is what they should do."""
    name = code.facts.path.rsplit("/", 1)[-1]
    return code.context(scope) is Context.BROWSER or bool(re.match(r"use[A-Z-].*", name))


def converted(code: Code, one: Boundary) -> bool:
    """`createTZDate(new Date(y, m, 1))`: whoever takes it puts it into a zone."""
    return any(
        call.span.holds(one.span) and call.span != one.span and {"tz", "zoned", "utc", "zone"} & set(words(call.method))
        for call in code.facts.calls
    )


def counts(code: Code, one: Boundary) -> bool:
    """Whether the boundary decides what is counted: it is named for a period and something of its function counts usage."""
    named = {word for name in names_of(code, one) for word in words(name)} | set(words(code.function_name(one.scope)))
    return bool(named & PERIOD_WORDS)


def names_of(code: Code, one: Boundary) -> Iterator[str]:
    """What the boundary is assigned to, and the variable it is set on."""
    for assign in code.facts.assigns:
        if assign.span.holds(one.span) and assign.span.line >= one.span.line - 4:
            yield from target_names(assign)
    receiver = one.expression.receiver if isinstance(one.expression, Call) else None
    if isinstance(receiver, Name):
        yield receiver.text


def target_names(assign: Assign) -> Iterator[str]:
    for target in assign.targets:
        yield getattr(target, "text", "") or getattr(target, "name", "")


def utc_day(code: Code, one: Boundary) -> Call | None:
    """Where the same code takes days in UTC, `toISOString().split("T")[0]`: the two disagree for some hours of each day."""
    nearby = code.facts.root.span.end_line <= 250
    for call in code.facts.calls:
        if not nearby and enclosing(call.scope, Kind.FUNCTION) is not enclosing(one.scope, Kind.FUNCTION):
            continue
        inner = call.receiver
        taken = fold(call.method) in UTC_DAYS and isinstance(inner, Call) and fold(inner.method) == "toisostring"
        if taken and day_part(call) and not only_logged(code, call):
            return call
    return None


def only_logged(code: Code, call: Call) -> bool:
    """Whether the day only goes into a line of the log, itself or by a variable."""
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    uses = uses_of(code, set(), call.span, function) or [call.span]
    lines = [one for one in code.facts.calls if one.span != call.span and logs(one)]
    return all(any(argument.span.holds(use) for one in lines for argument in one.arguments) for use in uses)


def logs(call: Call) -> bool:
    """`logger.info(…)`, `console.log(…)`, `this.logger.debug(…)`."""
    holder = [*words(call.name.rpartition(".")[0])][-1:]
    return bool(LOGS & {*holder, *words(call.method)[:1]} or holder == ["console"]) and not call.constructs


def day_part(call: Call) -> bool:
    given = [argument.value.value for argument in call.arguments if isinstance(argument.value, Literal)]
    return given in (["T"], [0, 10], [0, 7])


def decides(code: Code, one: Boundary) -> bool:
    """Whether somebody goes by the date: of one that is only asked for its day, as for the length of a month, nobody does."""
    if re.match(r"\)*\s*\.get(UTC)?Date\(", code.facts.source[one.span.end : one.span.end + 40].decode(errors="replace")):
        return False
    return bool(fates(code, one.span, one.scope, held_in(one)) & (LASTING | {Fate.BOUND}))


def is_gone_by(code: Code, one: Boundary) -> bool:
    """Whether more becomes of it than a column that nothing at hand reads, or a figure that its callers only show."""
    found = fates(code, one.span, one.scope, held_in(one))
    if found == {Fate.KEPT} and (fields := entries_of(code, one)):
        return any(read_again(code, name) for name in fields)
    return found != {Fate.BOUND} or not only_shown_by_callers(code, one.scope)


def entries_of(code: Code, one: Boundary) -> frozenset[str]:
    """The columns into which a row takes it up, where it stands in the row itself."""
    return frozenset(
        entry.name for whole, _ in code.expressions if whole.span.holds(one.span)
        for part in walk(whole) for entry in getattr(part, "entries", ())
        if entry.name is not None and entry.value.span.holds(one.span)
    )  # fmt: skip


def held_in(one: Boundary) -> str:
    """The variable on which it is set."""
    receiver = one.expression.receiver if isinstance(one.expression, Call) else None
    return receiver.text if isinstance(receiver, Name) else ""


def local_boundary(code: Code, one: Boundary, mixed: Call | None) -> Finding:
    text = code.facts.text(one.span).split("\n")[0]
    told = spoken_in(code.facts, one.scope) | set(words("/".join(code.facts.path.split("/")[-2:])))
    counted = bool(told & (USED - {"billing"}))
    also = f", and `{code.facts.text(mixed.span)}` takes the day in UTC: for some hours a day they disagree" if mixed else ""
    return Finding(
        span=one.span,
        description=(
            f"`{text}` is a boundary in the machine's own zone{also}. Usage near midnight is counted in another period than "
            "the one it is billed in, depending on where this runs."
        ),
        remediation=code.facts.idioms.utc_month_start,
        confidence=Confidence.LIKELY
        if mixed is not None and counted and decides(code, one) and is_served(code, one.scope) and is_gone_by(code, one)
        else Confidence.POSSIBLE,
        trace=(Step(mixed.span, "a day in UTC"),) if mixed is not None else (),
    )


EXAMPLES = (
    Example(
        "python",
        """
from datetime import datetime, time

def usage_of_month(session, customer_id):
    period_start = datetime.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)  # <- finding
    rows = session.query(UsageEvent).filter(UsageEvent.customer_id == customer_id, UsageEvent.occurred_at >= period_start)
    return sum(row.quantity for row in rows)

def invoice_period_end(day, zone):
    return datetime.combine(day, time.max).astimezone(zone)  # <- finding

def usage_day(moment, settings):
    offset = settings.timezone_offset or 8  # <- finding
    return (moment + timedelta(hours=offset)).date()
""",
    ),
    Example(
        "python",
        """
from datetime import datetime, time, timezone
from zoneinfo import ZoneInfo

def usage_of_month(session, customer_id):
    period_start = datetime.now(timezone.utc).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    rows = session.query(UsageEvent).filter(UsageEvent.customer_id == customer_id, UsageEvent.occurred_at >= period_start)
    return sum(row.quantity for row in rows)

def invoice_period_end(day, zone: str):
    return datetime.combine(day, time.max, tzinfo=ZoneInfo(zone))

def month_of_usage(year, month):
    return datetime(year, month, 1)

def shown_since():
    return datetime.now() - timedelta(days=7)
""",
    ),
    Example(
        "typescript",
        """
import { subMonths } from "date-fns";

export async function monthlyUsage(db: Db, customerId: string) {
  const now = new Date();
  const periodStart = new Date(now.getFullYear(), now.getMonth(), 1);  // <- finding
  return db.usageEvent.aggregate({ where: { customerId, at: { gte: periodStart } }, _sum: { quantity: true } });
}

export function previousCycle(year: number, month: number) {
  return subMonths(new Date(Date.UTC(year, month, 1)), 1);  // <- finding
}

export function usageDay(at: Date, config: Config) {
  const hours = config.timezoneOffset || 8;  // <- finding
  return new Date(at.getTime() + hours * 3600000).toISOString();
}
""",
    ),
    Example(
        "typescript",
        """
import { tz } from "@date-fns/tz";
import { startOfMonth } from "date-fns";

export async function monthlyUsage(db: Db, customerId: string) {
  const now = new Date();
  const periodStart = new Date(Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1));
  return db.usageEvent.aggregate({ where: { customerId, at: { gte: periodStart } }, _sum: { quantity: true } });
}

export function billingMonth(at: Date, zone: string) {
  return startOfMonth(at, { in: tz(zone) });
}

export function usageChartFrom(now: Date) {
  return new Date(now.getFullYear(), now.getMonth(), 1);
}

export function usageResetAt() {
  const reset = new Date();
  reset.setUTCHours(24, 0, 0, 0);
  return reset;
}
""",
    ),
    Example(
        "javascript",
        """
function usageMonth(date, timezoneOffset) {
  const moved = new Date(date.getTime() + timezoneOffset * 3600000);
  const year = moved.getFullYear();  // <- finding
  return `billing:usage:${year}`;
}
""",
    ),
    Example(
        "javascript",
        """
function usageMonth(date, timezoneOffset) {
  const moved = new Date(date.getTime() + timezoneOffset * 3600000);
  return `billing:usage:${moved.getUTCFullYear()}`;
}
""",
    ),
    Example(
        "go",
        """
package billing

import "time"

func usageThisMonth(db *DB, customer string) (int64, error) {
	now := time.Now()
	monthStart := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, now.Location())  // <- finding
	return db.SumUsage(customer, monthStart)
}
""",
    ),
    Example(
        "go",
        """
package billing

import "time"

func usageThisMonth(db *DB, customer string) (int64, error) {
	now := time.Now().UTC()
	monthStart := time.Date(now.Year(), now.Month(), 1, 0, 0, 0, 0, time.UTC)
	return db.SumUsage(customer, monthStart)
}

func periodStart(anchor time.Time, zone *time.Location) time.Time {
	return time.Date(anchor.Year(), anchor.Month(), 1, 0, 0, 0, 0, zone)
}
""",
    ),
    Example(
        "javascript",
        """
function inZone(date) {
  const moved = new Date(date.getTime() + config.timezoneOffset * 3600000);
  return moved;
}

function billingDayKey(date) {
  const local = inZone(date);
  return `usage:${local.getFullYear()}-${local.getMonth() + 1}-${local.getDate()}`;  // <- finding
}
""",
    ),
    Example(
        "javascript",
        """
function inZone(date) {
  const moved = new Date(date.getTime() + config.timezoneOffset * 3600000);
  return moved;
}

function billingHour(date) {
  const utc = date.getTime() + date.getTimezoneOffset() * 60000;
  const there = new Date(utc + config.timezoneOffset * 3600000);
  return there.getHours();
}

function billingDayKey(date) {
  const local = inZone(date);
  return `usage:${local.getUTCFullYear()}-${local.getUTCMonth() + 1}-${local.getUTCDate()}`;
}
""",
    ),
    Example(
        "typescript",
        """
export function billingDayOf(subscription: Subscription, month: Date) {
  const days = new Date(month.getFullYear(), month.getMonth() + 1, 0).getDate();
  const usageDay = month.toISOString().slice(0, 10);
  return { day: Math.min(subscription.billingDay, days), usageDay };
}
""",
    ),
)
