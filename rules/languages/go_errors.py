"""Errors as values in Go: which calls an error variable may speak for, and which tests ask whether they failed."""

from rules.facts import (
    Call,
    Compare,
    Expression,
    Handler,
    Literal,
    Logical,
    Member,
    Name,
    Scope,
    walk,
    within,
)
from rules.languages.lowering import Lowering

CANDIDATES = 8
"""More calls than this behind one variable are not told apart; the newest stand for all."""
TAKES = ("Err", "Error", "Result")
"""Methods and fields that only hand on the error of what they are asked of: `db.Create(x).Error`, `rdb.Incr(k).Err()`."""


def remember(low: Lowering, targets: tuple[Expression, ...], value: Expression | None, scope: Scope) -> None:
    """Notes which call set these variables.

    An earlier call stays a candidate where the new assignment may not run: `err = a(); if again { err = b() }`.
    """
    for target in targets:
        if not isinstance(target, Name) or target.text == "_":
            continue
        earlier = low.failing.get(target.text, ())
        made = spoken_for(low, value)
        if made or earlier:
            kept = tuple(call for call in earlier if not within(call.scope, scope) and call not in made)
            low.failing[target.text] = (kept + made)[-CANDIDATES:]


def spoken_for(low: Lowering, value: Expression | None) -> tuple[Call, ...]:
    """The calls whose failure this value tells."""
    if isinstance(value, Name):
        return low.failing.get(value.text, ())
    if isinstance(value, Member) and value.name in TAKES:
        return spoken_for(low, value.object)
    if not isinstance(value, Call):
        return ()
    if isinstance(value.receiver, Call) and value.method in TAKES:
        return (value.receiver, value)
    return (value,)


def failure(low: Lowering, test: Expression, scope: Scope) -> tuple[Handler | None, bool]:
    """What the test asks of an error, and whether it holds on failure.

    `errors.Is` and `errors.As` ask which error it is, not whether there is one: such a test stays a branch.
    """
    subject, on_failure = asked(test)
    if subject is None:
        return None, True
    calls = guarded(low, subject, scope)
    binds = subject.text if isinstance(subject, Name) else ""
    return (Handler((), binds, calls), on_failure) if calls else (None, True)


def asked(test: Expression) -> tuple[Expression | None, bool]:
    """The error that is compared to nil, and whether the test holds when there is one."""
    if isinstance(test, Compare):
        return compared(test)
    if not isinstance(test, Logical):
        return None, True
    found: Expression | None = None
    for part in walk(test):
        if isinstance(part, Call) and part.name in ("errors.Is", "errors.As"):
            return None, True
        if isinstance(part, Compare) and part.operator == "!=" and found is None:
            found = compared(part)[0]
    return found, True


def compared(test: Compare) -> tuple[Expression | None, bool]:
    left, right = (test.right, test.left) if is_nil(test.left) else (test.left, test.right)
    if test.operator not in ("!=", "==") or not is_nil(right) or not is_error(left):
        return None, True
    return left, test.operator == "!="


def is_nil(one: Expression) -> bool:
    return isinstance(one, Literal) and one.value is None


def is_error(one: Expression) -> bool:
    """Go has no types here, but names errors alike: `err`, `err2`, `closeErr`, `errs`, `result.Error`, `rows.Err()`."""
    if isinstance(one, Name):
        lower = one.text.lower()
        return lower.startswith("err") or lower.endswith(("err", "errs", "error", "errors"))
    return (isinstance(one, Member) and one.name in TAKES) or (isinstance(one, Call) and one.method in TAKES)


def guarded(low: Lowering, subject: Expression, scope: Scope) -> tuple[Call, ...]:
    """The calls that may have set the error when it is tested here: newest back to the one that surely ran.

    One that an earlier test took already is left out where others remain.
    """
    found: list[Call] = []
    surely = False
    for call in reversed(spoken_for(low, subject)):
        if surely and call is not found[-1].receiver:
            break
        found.append(call)
        surely = within(scope, call.scope)
    fresh = [call for call in found if call not in low.tested]
    low.tested.update(found)
    return tuple(reversed(fresh or found))
