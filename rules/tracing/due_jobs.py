"""Jobs that ask a stored date first whether they are due, and leave where they are not: one run more does nothing."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Compare,
    Expression,
    Kind,
    Logical,
    Member,
    Name,
    Return,
    Scope,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.origins import is_clock
from rules.meaning.outcomes import logs
from rules.meaning.repeats.presence import LOOKS
from rules.meaning.repeats.startups import job_of
from rules.meaning.usage.counters import WRITES, written_fields
from rules.meaning.values import resolved, root_of
from rules.meaning.vocabulary import emits, words
from rules.tracing.spared import functions_meant

OBTAINS = frozenset((*LOOKS, "upsert", "retrieve", "ensure", "read"))
"""How a method begins that answers with a row, one that it makes where there is none included."""
DUE = frozenset("last next due run ran until since".split())
SAVES = WRITES | {"commit", "flush"}
HOPS = 2
"""Through so many calls it is followed whether something is written or reported."""


def asks_first(code: Code, enqueued: Call, registered: Call) -> bool:
    """Whether all that acts where the job is taken leaves first if a row says that it is not due."""
    names = job_of(code, enqueued) & job_of(code, registered)
    acting = [call for call in calls_on(code, names) if acts(code, call, HOPS)]
    return bool(acting) and all(leaves_first(code, call) for call in acting)


def calls_on(code: Code, names: frozenset[str]) -> Iterator[Call]:
    """The calls where the name of a taken job is held against this one's, but those that follow a failure."""
    arms = [
        test.then for test in code.facts.tests if test.then is not None and any(
            code.facts.text(side.span).lower() in names
            for part in walk(test.value) if isinstance(part, Compare) for side in (part.left, part.right)
        )
    ]  # fmt: skip
    for call in code.facts.calls:
        if any(within(call.scope, arm) for arm in arms) and enclosing(call.scope, Kind.HANDLER) is None:
            yield call


def acts(code: Code, call: Call, hops: int) -> bool:
    """Whether a call writes or reports, itself or in what it leads to."""
    if logs(call):
        return False
    if fold(call.method) in WRITES or emits(call.method) or any(one.call is call for one in code.emissions):
        return True
    return hops > 0 and any(
        acts(there, inner, hops - 1) for there, function in functions_meant(code, call) for inner in there.calls_in(function)
    )


def leaves_first(code: Code, call: Call) -> bool:
    found = functions_meant(code, call)
    return bool(found) and all(leaves_until_due(there, function) for there, function in found)


def leaves_until_due(code: Code, function: Scope) -> bool:
    """`if (job.lastRun + HOUR > now) return`, of a row that was loaded, whose date the same function then moves on."""
    return any(
        moved_on(code, due, leaving, function)
        for leaving in code.facts.returns
        if (arm := enclosing(leaving.scope, Kind.BRANCH)) is not None and arm.parent is function
        if not any(within(one.scope, function) and one.call.span.start < leaving.span.start for one in code.emissions)
        for test in code.facts.tests
        if test.then is arm
        for part in either(test.value)
        if isinstance(part, Compare)
        for due in dates_ahead(code, part, test.scope)
    )


def either(test: Expression) -> Iterator[Expression]:
    """What is enough by itself for a test to hold: the sides of an `or`."""
    if isinstance(test, Logical) and test.operator == "or":
        yield from either(test.left)
        yield from either(test.right)
    else:
        yield test


def dates_ahead(code: Code, test: Compare, scope: Scope) -> Iterator[Member]:
    """The dates of rows that a comparison holds to be later than the clock: `row.next > now`, `now - row.last < HOUR`."""
    if test.operator not in ("<", "<=", ">", ">="):
        return
    later, earlier = (test.right, test.left) if test.operator.startswith("<") else (test.left, test.right)
    terms = (*signed(later, 1), *signed(earlier, -1))
    if any(sign < 0 and reads_clock(code, one, scope) for one, sign in terms):
        for one, sign in terms:
            if sign > 0:
                yield from (part for part in walk(one) if isinstance(part, Member) and is_due_date(code, part))


def signed(whole: Expression, sign: int) -> Iterator[tuple[Expression, int]]:
    """The terms of a sum, each with the sign it has there."""
    if isinstance(whole, Binary) and whole.operator in ("+", "-"):
        yield from signed(whole.left, sign)
        yield from signed(whole.right, sign if whole.operator == "+" else -sign)
    else:
        yield whole, sign


def reads_clock(code: Code, term: Expression, scope: Scope) -> bool:
    read = resolved(code.values, term, scope, term.span.start)
    return any(isinstance(part, Call) and is_clock(part) for part in walk(read))


def is_due_date(code: Code, part: Member) -> bool:
    """A date of a row: `cron.lastRun`, `schedule.next_due_at`."""
    root = root_of(part)
    if not DUE & set(words(part.name)) or not isinstance(root, Name):
        return False
    return any(
        isinstance(one.value, Call) and OBTAINS & set(words(one.value.method)[:1])
        for one in code.values.definitions.get(root.text, ())
    )


def moved_on(code: Code, due: Member, leaving: Return, function: Scope) -> bool:
    """Whether the function writes that date itself after it has asked for it: in a call, or in the row that it then saves."""
    after = [call for call in code.calls_in(function) if call.span.start > leaving.span.end and fold(call.method) in SAVES]
    if any(fold(name) == fold(due.name) for call in after for name, _ in written_fields(code.values, call)):
        return True
    return any(
        isinstance(target, Member)
        and fold(target.name) == fold(due.name)
        and any(one.span.start > assign.span.end for one in after)
        for assign in code.facts.assigns
        if within(assign.scope, function) and assign.span.start > leaving.span.end
        for target in assign.targets
    )
