"""Jobs that ask a stored date first whether they are due, and leave where they are not: one run more does nothing."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Compare, Expression, Kind, Member, Name, Return, Scope, enclosing, fold, walk, within
from rules.meaning.repeats.startups import job_of
from rules.meaning.values import root_of
from rules.meaning.vocabulary import words
from rules.tracing.spared import functions_behind

LOADS = frozenset("find get fetch load select upsert query first read retrieve ensure".split())
DUE = frozenset("last next due run ran until since".split())
CLOCK = re.compile(r"\b(Date\.now\(|new Date\(\)|time\.Now\(\)|now\(|utcnow\(|Instant\.now)", re.I)


def asks_first(code: Code, enqueued: Call, registered: Call) -> bool:
    """Whether a function that takes the job leaves if a row says that it is not due."""
    names = job_of(code, enqueued) & job_of(code, registered)
    return any(leaves_until_due(there, function) for there, function in handlers_of(code, names))


def handlers_of(code: Code, names: frozenset[str]) -> Iterator[tuple[Code, Scope]]:
    """The functions that are called where the name of a taken job is held against this one's."""
    arms = [
        test.then for test in code.facts.tests if test.then is not None and any(
            code.facts.text(side.span).lower() in names
            for part in walk(test.value) if isinstance(part, Compare) for side in (part.left, part.right)
        )
    ]  # fmt: skip
    for call in code.facts.calls:
        if any(within(call.scope, arm) for arm in arms):
            yield from ((code, one) for one in code.values.functions.get(call.method, ()))
            yield from functions_behind(code, call)


def leaves_until_due(code: Code, function: Scope) -> bool:
    """`if (job.lastRun + HOUR > now) return`, of a row that was loaded, whose date the same function then moves on."""
    return any(
        isinstance(due, Member) and moved_on(code, due.name, leaving, function)
        for leaving in code.facts.returns
        if (arm := enclosing(leaving.scope, Kind.BRANCH)) is not None and arm.parent is function
        for test in code.facts.tests
        if test.then is arm and CLOCK.search(code.facts.text(test.value.span))
        for due in walk(test.value)
        if is_due_date(code, due)
    )


def is_due_date(code: Code, part: Expression) -> bool:
    """A date of a row: `cron.lastRun`, `schedule.next_due_at`."""
    root = root_of(part)
    if not isinstance(part, Member) or not DUE & set(words(part.name)) or not isinstance(root, Name):
        return False
    return any(
        isinstance(one.value, Call) and words(one.value.method)[:1] and words(one.value.method)[0] in LOADS
        for one in code.values.definitions.get(root.text, ())
    )


def moved_on(code: Code, name: str, leaving: Return, function: Scope) -> bool:
    """Whether the function writes that date itself, after it has asked for it."""
    written = [
        entry.name for whole, scope in code.expressions
        if within(scope, function) and whole.span.start > leaving.span.end
        for part in walk(whole) for entry in getattr(part, "entries", ()) if entry.name
    ]  # fmt: skip
    written += [
        target.name for one in code.facts.assigns
        if within(one.scope, function) and one.span.start > leaving.span.end
        for target in one.targets if isinstance(target, Member)
    ]  # fmt: skip
    return any(fold(one) == fold(name) for one in written)
