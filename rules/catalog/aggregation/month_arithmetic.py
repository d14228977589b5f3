"""A billing period is computed with months of 30 days, or by adding a month to a day that the next month does not have.

Thirty days are not a month: the period moves against the calendar by five or six days a year, and customers are billed
thirteen times in some years. Adding a month to the 31st overflows into the month after, or sticks at the 28th for ever when
each period is computed from the one before. Count whole months from the original anchor day and clamp to the length of the
month: `anchor + relativedelta(months=n)`, `addMonths(anchor, n)`, or step from the first of the month.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Branch,
    Call,
    Compare,
    Conditional,
    Expression,
    Function,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Scope,
    Span,
    Template,
    Unary,
    chain,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.subjects import BILLED, bills, name_around, only_shows
from rules.meaning.times.chains import stepped_in_loops
from rules.meaning.times.fates import LASTING, Fate, corrected, fates, uses_of
from rules.meaning.times.months import thirty_calls, thirty_products
from rules.meaning.times.weeks import week_format, week_template
from rules.meaning.values import definitions_at, resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity
from rules.tracing.answered import calls_of
from rules.tracing.dues import after_given, is_default, only_shown
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-309",
    title="Period derived with 30 days, setMonth, or from the previous period end",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("A7",),
    cwe=("CWE-682",),
    iso_25010="Functional suitability / functional correctness",
)
PERIODIC = frozenset(
    "period cycle billing renew renews renewal renewed reset resets month monthly anchor recurring invoice "
    "quota anniversary".split()
)
"""Words of things that come round with the calendar."""
FIXED = frozenset(
    "due trial retention retain ttl cache cookie session token expire expires expiry expiration grace lookback "
    "since cutoff ago recent "
    "history archive purge cleanup stale window rolling warning remind delete deleted old invite link max limit key avg "
    "due average estimate projected projection forecast daily".split()
)
"""Words of spans that really are thirty days."""
THIRTY = re.compile(r"30[- ]days?\b|thirty|approximat|roughly|rolling", re.I)
LOOKBACK = frozenset("ago cutoff since retention lookback".split())
ACTED = re.compile(r"(sub|si|in|pi|cs|ch|cus)_|(BA|I)-")
ELSEWHERE = frozenset(
    "cookie token session grace retention retain invite cache ttl appointment appointments occurrence booking reminder "
    "warranty password locale".split()
)
"""Words of dates that nobody pays by."""
CHAINED = frozenset("addmonths subaddmonths addmonth addyears".split())
LABELS = frozenset("tolocalestring tolocaledatestring todatestring".split())
PROVIDED = frozenset({"current_period_end", "current_period_start", "current_billing_period", "next_billed_at"})
"""Fields in which Stripe and Paddle give the period."""
ANSWERS = re.compile(r"transformer|serializ|presenter|resources?/|views?/|graphql|(^|[/_.])dto|_dto|mailer", re.I)
"""Files in which what is known is written out for whoever asks."""
LONG = 250
"""Lines of a function of which its words no longer tell what one line of it is about."""
ENDS = frozenset("end ends until next start starts".split())
"""Words of a period's boundaries."""
INSTEAD = frozenset("default fallback coalesce normalize normalise or else".split())
"""Calls that take what is given and, last, what stands in for it."""
BOUNDARIES = PERIODIC | ENDS | frozenset("cycles terms expire expires expired expiry expiration through paid".split())
"""Words of a date up to which somebody has paid, or from which a limit is counted anew."""
SHOWN = frozenset(
    "trial trials print printed receipt template report reports chart dashboard preview statistic statistics stats summary "
    "history forecast label".split()
)
"""Words of what is only looked at, or that nobody paid for."""
FIRST = re.compile(
    r",\s*1\s*[,)]|start_?of_?(?:the_?)?month|month_?start|first_?(?:day|of)|day\s*=\s*1\b|-01\b|beginning", re.I
)
"""A date written as the first of a month."""
KEPT = frozenset("renewal renews anchor expires expiry expiration".split())
"""Words of a date that the last period left."""
SHORTEST = 28
"""Days that every month has."""
LONG_MONTHS = {1: "January", 3: "March", 5: "May", 7: "July", 8: "August", 10: "October", 12: "December"}
Found = tuple[Span, Scope, str, str, Confidence]


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[object] = set()
    for span, scope, description, remediation, confidence in (
        *overflowing(code), *mixed_weeks(code), *thirty_days(code), *chained(code),
        *from_round_to_round(code), *months_without_years(code), *made_by_hand(code),
    ):  # fmt: skip
        key = (enclosing(scope, Kind.FUNCTION), span.line)
        if key in said or code.context(scope) in (Context.TEST, Context.SCRIPT):
            continue
        said.add(key)
        yield Finding(span=span, description=description, remediation=remediation, confidence=confidence)


def names_here(code: Code, span: Span, scope: Scope) -> frozenset[str]:
    """The words of what an expression is assigned to or passed as, and of the function around it."""
    said = set(words(name_around(scope)))
    for assign in code.facts.assigns:
        if assign.value is not None and assign.value.span.holds(span):
            said.update(word for target in assign.targets for word in words(name_of(target)))
    for expression, _ in code_objects(code, span):
        said.update(words(expression))
    return frozenset(said)


def own_names(code: Code, span: Span) -> frozenset[str]:
    """The words of what a date is kept under, whatever the function is called; of the function where it returns the date."""
    said = {word for name, _ in code_objects(code, span) for word in words(name)}
    for assign in code.facts.assigns:
        if assign.value is not None and assign.value.span.holds(span):
            said.update(word for target in assign.targets for word in words(name_of(target)))
    for one in code.facts.returns:
        if one.value is not None and one.value.span.holds(span):
            said.update(words(name_around(one.scope)))
    return frozenset(said)


def code_objects(code: Code, span: Span) -> Iterator[tuple[str, Span]]:
    """The names of entries and keyword arguments around an expression."""
    for call in code.facts.calls:
        for argument in call.arguments if call.span.holds(span) else ():
            if argument.name is not None and argument.span.holds(span):
                yield argument.name, argument.span
    for whole, _ in code.expressions:
        for part in walk(whole) if whole.span.holds(span) else ():
            for entry in getattr(part, "entries", ()):
                if entry.name is not None and entry.value.span.holds(span):
                    yield entry.name, entry.span


def calendar(code: Code, span: Span, scope: Scope) -> bool:
    """Whether what is computed comes round with the calendar."""
    said = names_here(code, span, scope)
    return bool(said & PERIODIC) and not said & FIXED and not only_shows(code.facts, scope) and says_so_itself(code, scope)


def overflowing(code: Code) -> Iterator[Found]:
    """`date.setMonth(date.getMonth() + 1)` and Go's `AddDate(0, 1, 0)` on a day that need not be the first."""
    said: set[Scope | None] = set()
    for call in code.facts.calls:
        last = fold(call.method)
        if last in ("setmonth", "setutcmonth") and len(call.arguments) == 1 and steps_month(call):
            target = call.receiver
            if (
                isinstance(target, Name)
                and not LOOKBACK & set(words(target.text))
                and not first_of_month(code, target, call)
                and not stands_in(code, call.span, call.scope)
                and not behind_provider(code, call)
                and not corrected(code, call.span, call.scope, target.text)
                and paid(code, call.scope)
            ):
                label = is_label(code, target, call) or not goes_on(code, call, target.text)
                kept = not label and pays_by(code, call, target.text)
                yield (
                    call.span, call.scope,
                    f"`{one_line(code, call.span)}` on the 29th to 31st lands in another month than the one meant, "
                    f"{set_late(call) if day_before(code, target, call) else late(call)}.",
                    f"Set the day to 1 first, or use a calendar library that clamps: `addMonths({target.text}, n)`.",
                    Confidence.POSSIBLE if not kept
                    else Confidence.CERTAIN if calendar(code, call.span, call.scope) else Confidence.LIKELY,
                )  # fmt: skip
        elif code.facts.traits.months_run_over and carried_over(code, call):
            function = enclosing(call.scope, Kind.FUNCTION)
            if function in said or names_here(code, call.span, call.scope) & FIXED or stands_in(code, call.span, call.scope):
                continue
            if corrected(code, call.span, call.scope):
                continue
            said.add(function)
            if calendar(code, call.span, call.scope) or paid(code, call.scope):
                yield (
                    call.span, call.scope,
                    f"`{one_line(code, call.span)}` on the 29th to 31st runs over into the month after the one meant, "
                    f"{run_over(stepped(call))}: what is billed or reset then is late, and what is counted from there shifts.",
                    "Use `addMonthNoOverflow()`, and count from the anchor.",
                    Confidence.POSSIBLE if not (goes_on(code, call) and pays_by(code, call))
                    else Confidence.CERTAIN if calendar(code, call.span, call.scope) else Confidence.LIKELY,
                )  # fmt: skip
        elif last == "adddate" and adds_month(call):
            overflows = (
                not is_first_of_month(code, call)
                and not stands_in(code, call.span, call.scope)
                and "created" not in words(name_of(call.receiver))
                and not corrected(code, call.span, call.scope)
            )
            if overflows and calendar(code, call.span, call.scope):
                yield (
                    call.span, call.scope,
                    f"`{one_line(code, call.span)}` on the 29th to 31st lands in another month than the one meant, "
                    f"{run_over(stepped(call))}: the period boundary moves.",
                    "Add months to the first of the month, then clamp the anchor day to the length of that month.",
                    Confidence.LIKELY if goes_on(code, call) and pays_by(code, call) and not once(code, call)
                    else Confidence.POSSIBLE,
                )  # fmt: skip


def once(code: Code, call: Call) -> bool:
    """Whether a month is counted from the present and never onwards from a date: that one month is as long as another."""
    return code.elsewhere.whole and from_now(code, call) and not any(
        fold(other.method) == "adddate" and adds_month(other) and not steps_back(other) and goes_on_from(code, other)
        for other in code.facts.calls
    )  # fmt: skip


def goes_on_from(code: Code, call: Call) -> bool:
    """Whether a period follows on a date that was kept, one that a month may lack; those of a statistic begin on the first."""
    return not from_now(code, call) and not is_first_of_month(code, call) and calendar(code, call.span, call.scope)


def from_now(code: Code, call: Call) -> bool:
    """From the present, or from what a function is given as such and nobody hands it the end of a period for."""
    base = resolved(code.values, call.receiver, call.scope, call.span.start) if call.receiver is not None else None
    if any(isinstance(part, Call) and part.folded in ("time.now", "clock.now") for part in walk(base)):
        return True
    given = set(words(base.text)) if isinstance(base, Name) else set()
    return (given in ({"now"}, {"now", "utc"}) or given >= {"paid", "at"}) and not follows_on(code, call.scope)


def follows_on(code: Code, scope: Scope) -> bool:
    name = code.function_name(scope)
    handed = (one for call in code.facts.calls if name and call.method == name for one in call.arguments)
    return any((ENDS | KEPT) & set(words(name_of(one.value))) for one in handed)


def pays_by(code: Code, call: Call, held: str = "") -> bool:
    """Whether the date bounds what somebody pays for, may be one that the next month lacks, and is computed by what runs."""
    years = (stepped(call) or 1) % 12 == 0
    if years or not ends_something(code, call, held) or always_first(code, call, held) or is_default(code, call.scope):
        return False
    if after_given(code, call.span, call.scope) or stands_in_for_callers(code, call):
        return False
    return runs(code, call.scope) and not only_shown(code, call.span, call.scope, held)


def stands_in_for_callers(code: Code, call: Call) -> bool:
    """Whether all who call the function around fall back on it where no date is kept, or hand it the first of a month."""
    function = enclosing(call.scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    if not code.elsewhere.whole or not isinstance(head, Function) or not head.name:
        return False
    given = {one.name for one in head.parameters} & {part.text for part in walk(call.receiver) if isinstance(part, Name)}
    calling = [
        (there, one) for there, one in calls_of(code, head.name)
        if there is code or name_of(one.receiver).lstrip("$") not in ("this", "self")
    ]  # fmt: skip
    return bool(calling and given) and all(
        stands_in(there, one.span, one.scope)
        or any(from_first(there, each.value, one.scope, one.span.start) for each in one.arguments)
        for there, one in calling
    )


def ends_something(code: Code, call: Call, held: str = "") -> bool:
    """Whether the date says by its name that a period begins or ends with it, or what was paid for is renewed, reset or gone;
    and neither it nor the function is about a trial, a report or a print."""
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    uses = uses_of(code, {held} if held else set(), call.span, function)
    named = own_names(code, call.span) | set(words(held)) | {word for use in uses for word in own_names(code, use)}
    around = set(words(code.function_name(call.scope))) | set(words(code.facts.path.rsplit("/", 1)[-1]))
    return bool((named | set(words(code.function_name(call.scope)))) & BOUNDARIES) and not (named | around) & SHOWN


def always_first(code: Code, call: Call, held: str = "") -> bool:
    """Whether the date comes out of a field into which every file that writes it puts the first of a month."""
    bases: list[Expression | None] = [call.receiver]
    if held:
        bases += [one.value for one in definitions_at(code.values, held, call.scope, call.span.start)]
    fields = {part.name for base in bases for part in walk(base) if isinstance(part, Member) and len(words(part.name)) > 1}
    return code.elsewhere.whole and any(written_first(code, one) for one in fields)


def written_first(code: Code, name: str) -> bool:
    put = re.compile(rf"\b{re.escape(name)}\b[\"'`]?\s*(?::|=>?|:=)(?!=)\s*(?P<value>[^=>].*)")
    lines = (put.search(one.text) for one in code.elsewhere.mentions(name))
    values = [found["value"] for found in lines if found is not None and "(" in found["value"]]
    return bool(values) and all(map(FIRST.search, values))


def runs(code: Code, scope: Scope) -> bool:
    """Whether a request, a message or a schedule leads here, where all of the program is at hand to say so."""
    return is_served(code, scope)


def goes_on(code: Code, call: Call, held: str = "") -> bool:
    """Whether a period that is paid for follows from the date: it is stored, given back or looked up by; or it goes back from
    the end of a period, to measure what was paid for it. A date that goes on from the first one as the stored end did agrees
    with that end however it overflows, and one that only bounds a query or is told to somebody moves no period."""
    if ELSEWHERE & (own_names(code, call.span) | set(words(held)) | set(words(code.function_name(call.scope)))):
        return False
    found = fates(code, call.span, call.scope, held)
    back = any(isinstance(part, Binary) and part.operator == "-" for one in call.arguments for part in walk(one.value))
    return bool(found & LASTING) or (Fate.MEASURED in found and back)


def carried_over(code: Code, call: Call) -> bool:
    """Carbon's `addMonth()` and PHP's own `modify('+1 month')`, on a date that need not be the first of a month."""
    last = fold(call.method)
    text = call.arguments[0].value if call.arguments else None
    spelled = isinstance(text, Literal) and re.fullmatch(r"\+ ?\d+ months?", str(text.value)) is not None
    if last not in ("addmonth", "addmonths", "addquarter", "addquarters") and not (last in ("modify", "strtotime") and spelled):
        return False
    base: Expression = call.receiver if call.receiver is not None else call
    return not from_first(code, base, call.scope, call.span.start) and not stands_in(code, call.span, call.scope)


def from_first(code: Code, base: Expression, scope: Scope, at: int, hops: int = 3) -> bool:
    """Whether a date is the first of a month, itself or through copies and variables: there no month overflows."""
    for part in walk(base):
        said = set(words(name_of(part) or getattr(part, "method", "")))
        if ({"start", "first", "beginning", "begin"} & said and {"month", "year", "quarter"} & said) or {
            "first",
            "day",
        } <= said:
            return True
        if isinstance(part, Call) and (third_is_one(part) or sets_first(part) or (hops and gives_first(code, part))):
            return True
        if isinstance(part, Literal | Template) and ("-01" in text_of(part) or "first day of" in text_of(part)):
            return True
        if isinstance(part, Name) and hops:
            for one in definitions_at(code.values, part.text, scope, at):
                if one.value is not None and from_first(code, one.value, one.scope, one.end, hops - 1):
                    return True
    return False


def gives_first(code: Code, call: Call) -> bool:
    """A call of the file's own function that answers with the first of a month."""
    functions = code.values.functions.get(call.method, ())
    return len(functions) == 1 and any(
        one.value is not None
        and enclosing(one.scope, Kind.FUNCTION) is functions[0]
        and from_first(code, one.value, one.scope, one.span.start, 0)
        for one in code.facts.returns
    )


def sets_first(call: Call) -> bool:
    """`setDay(1)`, `day(1)`, `setDate(1)`, `replace(day=1)`."""
    only = call.arguments[0] if len(call.arguments) == 1 else None
    one = only is not None and isinstance(only.value, Literal) and only.value.value == 1
    return one and fold(call.method) in ("setday", "day", "setdate", "setutcdate", "date", "replace", "withdayofmonth")


def one_line(code: Code, span: Span) -> str:
    return re.sub(r"\(\s+|,?\s+\)", lambda found: found[0].strip(" \n\t,"), " ".join(code.facts.text(span).split()))


def set_late(call: Call) -> str:
    """The same where the day was set before: which dates overflow hangs on it."""
    then = "begins days late" if steps_back(call) else "is too long"
    return f"where that month lacks the day that was set before: the period {then}"


def late(call: Call) -> str:
    """What comes of a day that the month does not have."""
    months = stepped(call)
    if steps_back(call):
        return f"{run_over(months)}: the period begins days late, and what was used before is left out"
    return f"{run_over(months)}: the period is too long, and what is counted from its end shifts with it"


def stepped(call: Call) -> int | None:
    """How many months a call adds, below zero where it takes them away; None where that is worked out."""
    if fold(call.method) in ("addmonth", "addquarter"):
        return (1 if fold(call.method) == "addmonth" else 3) if not call.arguments else None
    given = call.arguments[1 if fold(call.method) == "adddate" else 0].value
    if isinstance(given, Literal) and isinstance(given.value, str) and (found := re.search(r"\d+", given.value)):
        return int(found[0])
    number = given.right if isinstance(given, Binary) else given.value if isinstance(given, Unary) else given
    if fold(call.method) == "addquarters" or not isinstance(number, Literal) or not isinstance(number.value, int):
        return None
    return -number.value if steps_back(call) and number.value > 0 else number.value


def steps_back(call: Call) -> bool:
    return any(
        getattr(part, "operator", "") == "-" or (isinstance(part, Literal) and str(part.value)[:1] == "-")
        for one in call.arguments
        for part in walk(one.value)
    )


def run_over(months: int | None) -> str:
    """An example with that many months, true in a year whose February has 28 days."""
    if months is None:
        return "as January 31 becomes March 3 with one month more"
    from_here = LONG_MONTHS.get((1 - months) % 12 + 1)
    return f"as {from_here} 31 becomes March 3" if from_here else "as the 31st becomes the 1st where the month has 30 days"


def paid(code: Code, scope: Scope) -> bool:
    return bills(code.facts, scope) and not only_shows(code.facts, scope) and says_so_itself(code, scope)


def says_so_itself(code: Code, scope: Scope) -> bool:
    """Whether the words stand near: a function as long as a file speaks of many things."""
    functions = [one for one in chain(scope) if one.kind is Kind.FUNCTION]
    if not functions or functions[-1].span.end_line - functions[-1].span.line < LONG:
        return True
    near = next((one for one in reversed(functions) if one.span.end_line - one.span.line < LONG), functions[0])
    said = frozenset(words(code.facts.text(near.span))) | frozenset(words(code.facts.path))
    return bool(said & BILLED)


def steps_month(call: Call) -> bool:
    value = call.arguments[0].value
    return isinstance(value, Binary) and any(
        isinstance(part, Call) and fold(part.method) in ("getmonth", "getutcmonth") and same(part.receiver, call.receiver)
        for part in walk(value)
    )


def same(one: Expression | None, other: Expression | None) -> bool:
    return isinstance(one, Name) and isinstance(other, Name) and one.text == other.text


def first_of_month(code: Code, target: Name, call: Call) -> bool:
    """Whether the day was set to one that every month has before: `setDate(1)`, `new Date(y, m, 1)`, `startOfMonth(x)`."""
    day = day_before(code, target, call)
    if isinstance(day, Literal) and isinstance(day.value, int) and day.value <= SHORTEST:
        return True
    return from_first(code, target, call.scope, call.span.start)


def day_before(code: Code, target: Name, call: Call) -> Expression | None:
    """The day that the date, or the one it is a copy of, was last set to."""
    names = {target.text, *copied_from(code, target, call)}
    found: Expression | None = None
    for other in code.calls_in(enclosing(call.scope, Kind.FUNCTION, Kind.MODULE)):
        on_it = isinstance(other.receiver, Name) and other.receiver.text in names and other.span.end <= call.span.start
        if on_it and fold(other.method) in ("setdate", "setutcdate") and other.arguments:
            found = other.arguments[0].value
    return found


def copied_from(code: Code, target: Name, call: Call) -> Iterator[str]:
    """`start` where the date was made by `new Date(start)`."""
    for one in definitions_at(code.values, target.text, call.scope, call.span.start):
        given = one.value.arguments if isinstance(one.value, Call) and len(one.value.arguments) == 1 else ()
        yield from (part.text for argument in given for part in walk(argument.value) if isinstance(part, Name))


def is_label(code: Code, target: Name, call: Call) -> bool:
    """Whether the date is written out for a reader where it is stepped: an axis of a chart, a list of months."""
    function = enclosing(call.scope, Kind.FUNCTION)
    return any(
        fold(other.method) in LABELS and same(other.receiver, target)
        for other in (code.calls_in(function) if function is not None else ())
    )


def behind_provider(code: Code, call: Call) -> bool:
    """Whether the month is only added in the branch that is left where the provider's own period is not given."""
    function = enclosing(call.scope, Kind.FUNCTION)
    branch = enclosing(call.scope, Kind.BRANCH, Kind.FUNCTION)
    while branch is not None and branch.kind is Kind.BRANCH:
        if isinstance(branch.head, Branch) and branch.head.arm == "else":
            break
        branch = enclosing(branch.parent, Kind.BRANCH, Kind.FUNCTION)
    else:
        return False
    return any(
        one.value is not None
        and one.span.end < call.span.start
        and one.scope.kind is Kind.BRANCH
        and function is not None
        and within(one.scope, function)
        and not one.scope.span.holds(call.span)
        and any(name_of(part) in PROVIDED for part in walk(one.value))
        for one in code.facts.assigns
    )


def text_of(part: Literal | Template) -> str:
    if isinstance(part, Literal):
        return str(part.value)
    return "".join(str(one.value) for one in part.parts if isinstance(one, Literal))


def third_is_one(call: Call) -> bool:
    given = [argument.value for argument in call.arguments]
    if any(isinstance(one, Literal) and isinstance(one.value, str) for one in given):
        return False
    return fold(call.method) in ("date", "utc") and (
        len(given) == 2 or (len(given) > 2 and isinstance(given[2], Literal) and given[2].value == 1)
    )


def adds_month(call: Call) -> bool:
    given = [argument.value for argument in call.arguments]
    months = given[1] if len(given) == 3 else None
    # `AddDate(0, 1, -1)` is the last day of a month that begins on the first, `AddDate(0, 1, 1-at.Day())` the next first.
    days = len(given) == 3 and not (isinstance(given[2], Literal) and given[2].value == 0)
    return months is not None and not days and not (isinstance(months, Literal) and months.value in (0, 12))


def is_first_of_month(code: Code, call: Call) -> bool:
    """Whether the receiver is the first of a month: made by `time.Date(y, m, 1, …)`, or named the start of one."""
    base: Expression | None = call.receiver
    whole = resolved(code.values, base, call.scope, call.span.start) if base is not None else None
    for part in walk(whole):
        if isinstance(part, Call):
            given = [argument.value for argument in part.arguments]
            if part.folded == "time.date" and len(given) > 2 and isinstance(given[2], Literal) and given[2].value == 1:
                return True
            if {"start", "first", "beginning"} & set(words(part.method)) and "month" in words(part.method):
                return True
    said = set(words(name_of(base)))
    return bool({"first", "month", "start"} & said) and not said & {"anchor", "renewal"}


def thirty_days(code: Code) -> Iterator[Found]:
    """`timedelta(days=30)`, `30 * 24 * 60 * 60 * 1000`, `addDays(start, 30)`, `30 * 24 * time.Hour` for a month."""
    for span, scope, text in (*thirty_calls(code), *thirty_products(code)):
        if calendar(code, span, scope) and bills(code.facts, scope) and not FIXED & beside(code, span, scope):
            if (
                thirty_meant(code, scope)
                or after_failure(code, scope)
                or is_lifetime(code, span)
                or stands_in(code, span, scope)
                or never_due(code, span, scope)
                or is_made_up(code, span)
            ):
                continue
            yield (
                span, scope,
                f"`{text}` stands for a month here, and months have 28 to 31 days: the date is up to three days off, and "
                "periods that follow one another drift by five days a year.",
                f"Add calendar months to the anchor: {code.facts.idioms.months_added}.",
                # Plans of thirty days are common, and nothing in the code tells them from months.
                Confidence.POSSIBLE,
            )  # fmt: skip


def is_made_up(code: Code, span: Span) -> bool:
    """Whether the date stands in a provider's answer that is only acted: its `id` is written here, with their prefix."""
    ids = [
        entry.value for whole, _ in code.expressions if whole.span.holds(span)
        for part in walk(whole) for entry in getattr(part, "entries", ()) if entry.name == "id"
    ]  # fmt: skip
    return any(
        isinstance(part, Literal | Template) and ACTED.match(text_of(part)) is not None for one in ids for part in walk(one)
    )


def never_due(code: Code, span: Span, scope: Scope) -> bool:
    """Whether the date is stored in a field that no file compares with anything: nothing renews, charges or ends by it."""
    trace = code.elsewhere.trace
    if trace is None or not code.elsewhere.whole:
        return False
    fields = {fold(name) for name, inside in code_objects(code, span) if inside.holds(span)}
    for assign in code.facts.assigns:
        if assign.value is not None and assign.value.span.holds(span) and assign.scope is scope:
            fields |= {fold(target.name) for target in assign.targets if isinstance(target, Member)}
    return bool(fields) and not fields & trace.graph.compared


def beside(code: Code, span: Span, scope: Scope) -> frozenset[str]:
    """The words of what the stretch is added to or compared with: a `windowStart` moves by thirty days on purpose."""
    said: set[str] = set()
    for whole, place in code.expressions:
        if place is scope and whole.span.holds(span) and whole.span.end_line - whole.span.line < 3:
            said.update(word for part in walk(whole) if isinstance(part, Name | Member) for word in words(name_of(part)))
    return frozenset(said & {"window", "rolling", "trial", "retention", "grace", "due"})


def thirty_meant(code: Code, scope: Scope) -> bool:
    """Whether the function, or the comment over it, says in words that it is thirty days, or about a month."""
    function = enclosing(scope, Kind.FUNCTION)
    if function is None:
        return False
    own = code.facts.text(function.span)[:600]
    near = [one.text for one in code.facts.comments if function.span.line - 4 <= one.span.line <= function.span.end_line]
    return bool(THIRTY.search(own) or THIRTY.search("\n".join(near)))


def stands_in(code: Code, span: Span, scope: Scope) -> bool:
    """Only where the true period is not known: `data.periodEnd || now + 30 days`, `if length <= 0 { length = … }`, or a
    value that the next branch replaces by what is stored."""
    for whole, _ in code.expressions:
        for part in walk(whole) if whole.span.holds(span) else ():
            if isinstance(part, Logical) and part.operator in ("or", "??") and part.right.span.holds(span):
                return True
            if isinstance(part, Conditional) and left_for_want(code, part, span):
                return True
    for call in code.facts.calls:
        instead = len(call.arguments) > 1 and bool(INSTEAD & set(words(call.method)))
        if instead and call.arguments[-1].span.holds(span):
            return True
    assign = next((one for one in code.facts.assigns if one.value is not None and one.value.span.holds(span)), None)
    name = assign.targets[0].text if assign is not None and isinstance(assign.targets[0], Name) else None
    branch = enclosing(scope, Kind.BRANCH, Kind.FUNCTION)
    test = branch.head.test if branch is not None and isinstance(branch.head, Branch) else None
    if name is None or assign is None:
        return False
    if isinstance(test, Compare) and any(isinstance(part, Name) and part.text == name for part in walk(test)):
        return True
    return any(
        isinstance(one.targets[0], Name)
        and one.targets[0].text == name
        and one.span.start > assign.span.end
        and one.span.line - assign.span.end_line <= 4
        and enclosing(one.scope, Kind.BRANCH, Kind.FUNCTION) is not branch
        for one in code.values.changes.get(name, code.facts.assigns)
        if one.targets
    )


def left_for_want(code: Code, whole: Conditional, span: Span) -> bool:
    """`end === null ? start.addMonth() : fromTimestamp(end)`: the arm for what was not given, where the other arm takes it."""
    arm, other = (whole.then, whole.otherwise) if whole.then.span.holds(span) else (whole.otherwise, whole.then)
    if not arm.span.holds(span):
        return False
    asked = {fold(name_of(part)) for part in walk(whole.test) if isinstance(part, Name | Member)}
    text = code.facts.text(whole.test.span)
    wants = isinstance(whole.test, Name | Member) or re.search(r"\bisset\b|\bempty\b|\bnull\b|\bnone\b|undefined", text, re.I)
    taken = {fold(name_of(part)) for part in walk(other) if isinstance(part, Name | Member)}
    return bool(wants) and bool(asked & taken)


def is_lifetime(code: Code, span: Span) -> bool:
    """`incrWithExpire(key, n, 30 * day)`: how long a key is kept."""
    kept = {"expire", "expires", "expiry", "ttl", "setex", "expireat", "pexpire", "cache", "retention"}
    return any(call.span.holds(span) and kept & {*words(call.method), fold(call.method)} for call in code.facts.calls)


def after_failure(code: Code, scope: Scope) -> bool:
    """`if err != nil { period = 30 * 24 * time.Hour }`: a last resort, for what could not be read."""
    branch = enclosing(scope, Kind.BRANCH, Kind.HANDLER, Kind.FUNCTION)
    if branch is None or branch.kind is Kind.FUNCTION:
        return False
    test = branch.head.test if isinstance(branch.head, Branch) and branch.head.arm == "then" else None
    return branch.kind is Kind.HANDLER or "err" in {name_of(part) for part in walk(test)}


def chained(code: Code) -> Iterator[Found]:
    """`addMonths(subscription.currentPeriodEnd, 1)`: the day that February cut is never the 31st again."""
    for expression, scope, base, text in (*added_by_operator(code), *added_by_call(code)):
        said = set(words(name_of(base)))
        ends = {"end", "ends"} & said and said & {"period", "cycle", "renewal", "billing"}
        if ends and isinstance(base, Member) and paid(code, scope) and not corrected(code, expression, scope):
            yield (
                    expression, scope,
                    f"`{text}` counts from the end of the period before: an anchor on the 31st becomes the 28th "
                    "in February and stays "
                    "there.",
                    "Keep the anchor day, and compute each period as anchor plus n months.",
                    Confidence.POSSIBLE,
                )  # fmt: skip


def from_round_to_round(code: Code) -> Iterator[Found]:
    """A loop that adds a month to the occurrence before, from an anchor that may be the 31st."""
    for span, scope, name in stepped_in_loops(code):
        if (paid(code, scope) or calendar(code, span, scope) or recurs(code, scope)) and not capped(
            code, enclosing(scope, Kind.FUNCTION) or scope
        ):
            yield (
                    span, scope,
                    f"Each round adds a month to the `{name}` of the round before: from the 31st it passes a month that is "
                    "shorter, and every later period starts on another day than the anchor's.",
                    "Count the rounds, and compute each occurrence from the anchor: anchor plus n months, clamped to the "
                    "length of that month.",
                    Confidence.POSSIBLE
                    if not runs(code, scope) or ELSEWHERE & set(words(code.function_name(scope))) or previewed(code, scope)
                    else Confidence.LIKELY,
                )  # fmt: skip


def previewed(code: Code, scope: Scope) -> bool:
    """Whether a list of dates is made, and all that call for it write it into an answer."""
    function = enclosing(scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    if not code.elsewhere.whole or not isinstance(head, Function) or not head.name:
        return False
    calls = re.compile(rf"(->|\.|::|\b){re.escape(head.name)}\s*\(")
    defines = re.compile(rf"\b(function|def|func|fun|fn)\b[^(]*\b{re.escape(head.name)}\s*\(")
    asking = [
        one for one in code.elsewhere.mentions(head.name) if calls.search(one.text) and not defines.search(one.text)
    ]  # fmt: skip
    return bool(asking) and all(map(ANSWERS.search, (one.path for one in asking)))


def made_by_hand(code: Code) -> Iterator[Found]:
    """`day = anchor.day - 1` and `month = date.month + 3` put into one date: on the 31st, or the 1st, there is no such day."""
    for assign in code.facts.assigns:
        function = enclosing(assign.scope, Kind.FUNCTION)
        if function is None or not shifts(assign.value, "day") or not of_periods(code, assign.scope):
            continue
        stepped = {
            name_of(one.targets[0]) for one in code.facts.assigns if one.scope is assign.scope and shifts(one.value, "month")
        }
        named = name_of(assign.targets[0])
        for call in code.calls_in(function):
            given = {argument.value.text for argument in call.arguments if isinstance(argument.value, Name)}
            if named in given and stepped & given and call.span.start > assign.span.end and not capped(code, function):
                yield (
                    assign.span, assign.scope,
                    f"`{code.facts.text(assign.span)}` is put together with a month that was counted up by hand: where that "
                    "month is shorter, or the anchor is its first day, the period ends on a day that does not exist or leaves "
                    "a gap.",
                    "Add calendar months to the anchor with the date library, and take a day off the result.",
                    Confidence.LIKELY if runs(code, assign.scope) else Confidence.POSSIBLE,
                )  # fmt: skip
                break


def of_periods(code: Code, scope: Scope) -> bool:
    """Whether the dates are those of subscriptions and their bills, by the path where the function does not say it."""
    place = set(words(code.facts.path)) & (PERIODIC | {"subscription", "subscriptions", "quarterly", "yearly"})
    return paid(code, scope) or recurs(code, scope) or bool(place)


def shifts(value: Expression | None, unit: str) -> bool:
    """`anchor.day - 1`, `date.month + 3`."""
    return (
        isinstance(value, Binary)
        and value.operator in ("+", "-")
        and isinstance(value.left, Member)
        and value.left.name == unit
        and isinstance(value.right, Literal)
    )


def capped(code: Code, function: Scope) -> bool:
    """Whether the day is held against the length of the month somewhere."""
    return (
        re.search(r"days_in_month|monthrange|end_of_month|\bmin\b|clamp|valid_date", code.facts.text(function.span)) is not None
    )


def recurs(code: Code, scope: Scope) -> bool:
    """A function or type whose subject is what comes round."""
    said = set(words(name_around(scope))) | set(words(code.facts.path.rsplit("/", 1)[-1]))
    return bool(said & {"recurrence", "recurring", "renewal", "period", "periods", "cycle", "anchor"}) and not only_shows(
        code.facts, scope
    )


def added_by_operator(code: Code) -> Iterator[tuple[Span, Scope, Expression, str]]:
    for whole, scope in code.expressions:
        for part in walk(whole):
            if isinstance(part, Binary) and part.operator == "+" and isinstance(part.right, Call):
                named = {argument.name for argument in part.right.arguments}
                if fold(part.right.method) == "relativedelta" and named & {"months", "month"}:
                    yield part.span, scope, part.left, code.facts.text(part.span)
            elif isinstance(part, Binary) and part.operator == "+" and in_months(part.right):
                yield part.span, scope, part.left, code.facts.text(part.span)


def in_months(length: Expression) -> bool:
    """`1.month`, `n.months`."""
    unit = length.right if isinstance(length, Binary) and length.operator == "*" else None
    return isinstance(unit, Member) and unit.name in ("month", "months")


def added_by_call(code: Code) -> Iterator[tuple[Span, Scope, Expression, str]]:
    for call in code.facts.calls:
        if fold(call.method) in CHAINED and len(call.arguments) == 2:
            yield call.span, call.scope, call.arguments[0].value, code.facts.text(call.span)
        elif fold(call.method) in CHAINED and len(call.arguments) == 1 and call.receiver is not None:
            yield call.span, call.scope, call.receiver, code.facts.text(call.span)


def months_without_years(code: Code) -> Iterator[Found]:
    """`relativedelta(a, b).months`: a year and one month count as one month."""
    for whole, scope in code.expressions:
        for part in walk(whole):
            if not isinstance(part, Member) or part.name != "months":
                continue
            base = resolved(code.values, part.object, scope, part.span.start)
            if not isinstance(base, Call) or fold(base.method) != "relativedelta" or len(base.arguments) != 2:
                continue
            if any(argument.name for argument in base.arguments) or mentions_years(code, scope):
                continue
            yield (
                part.span, scope,
                f"`{code.facts.text(part.span)}` leaves the years out: thirteen months count as one.",
                "Count `delta.years * 12 + delta.months`.",
                Confidence.CERTAIN if paid(code, scope) else Confidence.POSSIBLE,
            )  # fmt: skip


def mentions_years(code: Code, scope: Scope) -> bool:
    function = enclosing(scope, Kind.FUNCTION)
    return ".years" in code.facts.text((function or code.facts.root).span)


def mixed_weeks(code: Code) -> Iterator[Found]:
    """The ISO week with the calendar year: the last days of December are booked under week 1 of the old year."""
    for whole, scope in code.expressions:
        for part in walk(whole):
            if (isinstance(part, Template) and week_template(code, part, scope)) or (
                isinstance(part, Literal) and isinstance(part.value, str) and week_format(code, part.value)
            ):
                yield week(code, part.span, scope)


def week(code: Code, span: Span, scope: Scope) -> Found:
    return (
        span, scope,
        f"`{code.facts.text(span)[:60]}` joins the ISO week with the calendar year: at the turn of the year the "
        "days of one week "
        "are counted under two names, or two weeks under one.",
        f"Take the year of the week's Thursday, as ISO 8601 does ({code.facts.idioms.week_year}).",
        Confidence.CERTAIN if counts_billed(code, scope) else Confidence.POSSIBLE,
    )  # fmt: skip


def counts_billed(code: Code, scope: Scope) -> bool:
    """Whether what is paid for is put into the weeks: by the function, or by one that asks it for the week."""
    name = code.function_name(scope)
    asking = [(there, call.scope) for there, call in calls_of(code, name)] if name else []
    return paid(code, scope) or any(bills(there.facts, one) for there, one in asking)


RENEWALS = """
export async function renewDue(prisma: PrismaClient) {
  const due = await prisma.subscription.findMany({ where: { quotaResetsAt: { lte: new Date() } } });
  for (const one of due) await reset(one);
}
"""

EXAMPLES = (
    Example(
        "python",
        """
def renew(subscription):
    subscription.period_end = subscription.period_start + timedelta(days=30)  # <- finding

def next_billing(subscription):
    return subscription.current_period_end + relativedelta(months=1)  # <- finding

def billed_months(subscription, now):
    return relativedelta(now, subscription.billing_start).months  # <- finding

def usage_week(at):
    return at.strftime("%Y-W%V")  # <- finding
""",
    ),
    Example(
        "python",
        """
def renew(subscription, number):
    subscription.period_end = subscription.anchor + relativedelta(months=number)

def trial_end(subscription):
    return subscription.billing_start + timedelta(days=30)

def purge_usage_history(session, now):
    cutoff = now - timedelta(days=30)
    session.query(UsageEvent).filter(UsageEvent.created_at < cutoff).delete()

def billed_months(subscription, now):
    delta = relativedelta(now, subscription.billing_start)
    return delta.years * 12 + delta.months

def usage_week(at):
    return at.strftime("%G-W%V")
""",
    ),
    Example(
        "typescript",
        """
export function nextReset(account: Account): Date {
  const resetAt = new Date(account.quotaResetAt);
  resetAt.setMonth(resetAt.getMonth() + 1);  // <- finding
  return resetAt;
}

export function billingPeriodEnd(start: Date): Date {
  return new Date(start.getTime() + 30 * 24 * 60 * 60 * 1000);  // <- finding
}

export function nextInvoice(subscription: Subscription): Date {
  return addMonths(subscription.currentPeriodEnd, 1);  // <- finding
}

export function usageWeek(date: Date): string {
  const year = date.getUTCFullYear();
  const thursday = new Date(date);
  thursday.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7));
  const yearStart = new Date(Date.UTC(thursday.getUTCFullYear(), 0, 1));
  const weekNumber = Math.ceil(((+thursday - +yearStart) / 86400000 + 1) / 7);
  return `${year}-W${String(weekNumber).padStart(2, "0")}`;  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
export function nextReset(account: Account): Date {
  const resetAt = new Date(account.quotaResetAt);
  resetAt.setUTCDate(1);
  resetAt.setUTCMonth(resetAt.getUTCMonth() + 1);
  return resetAt;
}

export function billingPeriodEnd(anchor: Date, n: number): Date {
  return addMonths(anchor, n);
}

export function retentionCutoff(now: Date): Date {
  return new Date(now.getTime() - 30 * 24 * 60 * 60 * 1000);
}

export function usageWeek(date: Date): string {
  const thursday = new Date(date);
  thursday.setUTCDate(date.getUTCDate() + 4 - (date.getUTCDay() || 7));
  const year = thursday.getUTCFullYear();
  const yearStart = new Date(Date.UTC(year, 0, 1));
  const weekNumber = Math.ceil(((+thursday - +yearStart) / 86400000 + 1) / 7);
  return `${year}-W${String(weekNumber).padStart(2, "0")}`;
}
""",
    ),
    Example(
        "go",
        """
package billing

import "time"

func nextBillingPeriod(renewal time.Time) time.Time {
	return renewal.AddDate(0, 1, 0)  // <- finding
}

func quotaResetAt(start time.Time) time.Time {
	return start.Add(30 * 24 * time.Hour)  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

import "time"

func nextBillingPeriod(at time.Time) time.Time {
	monthStart := time.Date(at.Year(), at.Month(), 1, 0, 0, 0, 0, time.UTC)
	return monthStart.AddDate(0, 1, 0)
}

func usageRetention(now time.Time) time.Time {
	return now.Add(-30 * 24 * time.Hour)
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s Subscription) NextPeriod(now time.Time) time.Time {
	at := s.Anchor
	for at.Before(now) {
		at = s.next(at)  // <- finding
	}
	return at
}

func (s Subscription) next(at time.Time) time.Time {
	if s.Interval == Weekly {
		return at.AddDate(0, 0, 7)
	}
	return at.AddDate(0, s.Months, 0)
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s Subscription) NextPeriod(now time.Time) time.Time {
	at := s.Anchor
	for n := 1; at.Before(now); n++ {
		at = clamped(s.Anchor, n*s.Months)
	}
	return at
}

func (s Subscription) NextWeek(now time.Time) time.Time {
	at := s.Anchor
	for at.Before(now) {
		at = at.AddDate(0, 0, 7)
	}
	return at
}
""",
    ),
    Example(
        "typescript",
        """
export function nextRenewal(subscription: Subscription, now: Date) {
  let at = subscription.billingAnchor;
  while (at <= now) {
    at = addMonths(at, 1);  // <- finding
  }
  return at;
}
""",
    ),
    Example(
        "typescript",
        """
export function nextRenewal(subscription: Subscription, now: Date) {
  let at = subscription.billingAnchor;
  for (let n = 1; at <= now; n += 1) {
    at = addMonths(subscription.billingAnchor, n);
  }
  return at;
}
""",
    ),
    Example(
        "python",
        """
def next_renewal(subscription, now):
    at = subscription.billing_anchor
    while at <= now:
        at += relativedelta(months=1)  # <- finding
    return at
""",
    ),
    Example(
        "python",
        """
def next_renewal(subscription, now):
    at, n = subscription.billing_anchor, 0
    while at <= now:
        n += 1
        at = subscription.billing_anchor + relativedelta(months=n)
    return at
""",
    ),
    Example(
        "go",
        """
import "time"

func MonthlyResetTime(sub *Subscription) time.Time {
	return sub.MonthlyWindowStart.Add(30 * 24 * time.Hour)
}

func (s *Service) InvoiceFor(period Period, now time.Time) Invoice {
	billingStart := orDefault(period.Start, now.AddDate(0, -1, 0))
	return s.invoice(billingStart, now)
}
""",
    ),
    Example(
        "python",
        """
def allocate(user, now):
    # Without a subscription, a 30-day billing period.
    user.billing_period_end = now + timedelta(days=30)
""",
    ),
    Example(
        "typescript",
        """
export async function startPlan(prisma: PrismaClient, userId: string) {
  const quotaResetsAt = new Date(Date.now() + 30 * 24 * 60 * 60 * 1000);  // <- finding
  await prisma.subscription.create({ data: { userId, quotaResetsAt } });
}

export async function renewPlan(prisma: PrismaClient, id: string) {
  const data = { quotaResetsAt: new Date(Date.now() + 30 * 24 * 60 * 60 * 1000) };  // <- finding
  await prisma.subscription.update({ where: { id }, data });
}
""",
        path="src/plans.ts",
        context={"src/renewals.ts": RENEWALS},
    ),
    Example(
        "typescript",
        """
export async function startPlan(prisma: PrismaClient, userId: string) {
  await prisma.subscription.create({
    data: { userId, currentPeriodEnd: new Date(Date.now() + 30 * 24 * 60 * 60 * 1000) },
  });
}

export async function usageSummary(prisma: PrismaClient, subscription: Subscription) {
  const now = new Date();
  const start = subscription.currentPeriodStart || new Date(now.setMonth(now.getMonth() - 1));
  return prisma.usageRecord.findMany({ where: { subscriptionId: subscription.id, at: { gte: start } } });
}
""",
        path="src/plans.ts",
        context={"src/renewals.ts": RENEWALS},
    ),
    Example(
        "typescript",
        """
export function chargesByMonth(charges: Charge[], subscriptions: Subscription[]) {
  const first = new Date();
  first.setDate(1);
  const month = new Date(first);
  const rows = [];
  while (month < new Date()) {
    rows.push({ month: month.toISOString(), billed: billedIn(charges, month) });
    month.setMonth(month.getMonth() + 1);
  }
  return rows;
}

export async function syncSubscription(db: Db, subscription: Stripe.Subscription) {
  let periodEnd = new Date();
  if (subscription.current_period_end) {
    periodEnd = new Date(subscription.current_period_end * 1000);
  } else {
    const end = new Date(subscription.start_date * 1000);
    end.setMonth(end.getMonth() + 1);
    periodEnd = end;
  }
  await db.subscriptions.update({ id: subscription.id, periodEnd });
}
""",
    ),
    Example(
        "rust",
        """
fn open_invoice(order: &Order) -> Invoice {
    Invoice { customer: order.customer.clone(), due_date: Utc::now() + chrono::Duration::days(30), paid_at: None }
}

fn renew_subscription(subscription: &mut Subscription) {
    subscription.quota_resets_at = Utc::now() + chrono::Duration::days(30);  // <- finding
}
""",
        context={"renewals.ts": RENEWALS},
    ),
    Example(
        "typescript",
        """
export function createSubscription(plan: string) {
  const subscription = {
    id: `sub_${crypto.randomUUID()}`,
    plan,
    quotaResetsAt: new Date(Date.now() + 30 * 24 * 60 * 60 * 1000),
  };
  return subscription;
}
""",
        context={"src/renewals.ts": RENEWALS},
    ),
    Example(
        "go",
        """
package billing

import "time"

// renewal steps back into the month that was meant.
func renewal(anchor time.Time) time.Time {
	next := anchor.AddDate(0, 1, 0)
	for next.Month() != anchor.Month()%12+1 {
		next = next.AddDate(0, 0, -1)
	}
	return next
}
""",
    ),
    Example(
        "typescript",
        """
export function unusedCredit(subscription: Subscription, plan: Plan, now: Date): number {
  const periodStart = new Date(subscription.renewsAt);
  periodStart.setMonth(periodStart.getMonth() - 1);  // <- finding
  const whole = subscription.renewsAt.getTime() - periodStart.getTime();
  return plan.price * ((subscription.renewsAt.getTime() - now.getTime()) / whole);
}
""",
    ),
    Example(
        "typescript",
        """
export function nextRenewal(subscription: Subscription): Date {
  const renewsAt = new Date(subscription.renewsAt);
  const day = renewsAt.getDate();
  renewsAt.setMonth(renewsAt.getMonth() + 1);
  if (renewsAt.getDate() !== day) {
    renewsAt.setDate(0);
  }
  return renewsAt;
}
""",
    ),
    Example(
        "python",
        """
def start_window(quota, now):
    if quota.period_end < now:
        quota.period_start = now
        quota.period_end = now + timedelta(days=30)
        quota.messages_used = 0
""",
    ),
    Example(
        "go",
        """
package billing

import "time"

func quotaResetsAt(now time.Time) time.Time {
	return now.Truncate(24 * time.Hour).AddDate(0, 1, 1-now.Day())
}
""",
    ),
    Example(
        "typescript",
        """
function billingMonth(): Date {
  const now = new Date();
  return new Date(now.getFullYear(), now.getMonth(), 1);
}

export function quotaResetsAt(opened?: Date): Date {
  const next = new Date(opened || billingMonth());
  next.setMonth(next.getMonth() + 1);
  return next;
}
""",
    ),
    Example(
        "typescript",
        """
import moment from "moment";

export function billedUsageOf(events: UsageEvent[]) {
  return groupBy(events, (event) => moment(event.at).format("YYYY-WW"));  // <- finding
}
""",
        path="src/billing/weeks.ts",
    ),
    Example(
        "typescript",
        """
export async function usageByWeek(pool: Pool, customer: string) {
  return pool.query("SELECT to_char(at, $2) AS week, sum(quantity) FROM usage_events WHERE customer = $1 GROUP BY 1", [
    customer,
    "YYYY-WW",
  ]);
}
""",
    ),
)
