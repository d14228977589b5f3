"""Helpers that say whether there is room: `checkCredits(user)`, `await assertWithinQuota(org)`, `limiter.check(key)`."""

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from rules.code import Code, is_one_of
from rules.facts import Call, Expression, Kind, Member, Name, Object, Scope, Span, Test, Unary, Use, enclosing, walk
from rules.meaning.limits.limits import arm_of, leaves, operands
from rules.meaning.vocabulary import NOT_OF_A_PLAN, checks_limit, words

ASKING = frozenset("allowed ok success has can within enough available valid permitted remaining available sufficient".split())
REFUSED = frozenset("exceeded over reached blocked denied insufficient exhausted limited".split())


@dataclass(frozen=True, slots=True, eq=False)
class Gate:
    """One call that checks a limit, and the test of its answer. Without a test it raises where there is no room."""

    call: Call
    test: Test | None

    @property
    def span(self) -> Span:
        return self.call.span

    @property
    def scope(self) -> Scope:
        return self.test.scope if self.test is not None else self.call.scope


ASKED: WeakKeyDictionary[Code, tuple[Call, ...]] = WeakKeyDictionary()
"""What was worked out for a file; gone with it."""


def asked(code: Code) -> tuple[Call, ...]:
    """The calls of limit helpers, whatever becomes of their answer."""
    if code not in ASKED:
        ASKED[code] = tuple(call for call in code.facts.calls if is_gate(code, call))
    return ASKED[code]


def gates(code: Code) -> Iterator[Gate]:
    """The calls of limit helpers whose answer is looked at, or that raise."""
    for call in asked(code):
        test = test_of(code, call)
        if test is not None or raises(call):
            yield Gate(call, test)


def is_gate(code: Code, call: Call) -> bool:
    if is_one_of(call.name, code.names.limit):
        return True
    said = words(call.method)
    if call.constructs or not said or frozenset(said) & NOT_OF_A_PLAN:
        return False
    return checks_limit(call.method) or asks_for_use(said)


def asks_for_use(said: tuple[str, ...]) -> bool:
    """`canUserGenerate`, `checkUsage`: limit helpers that do not say limit."""
    rest = frozenset(said[1:])
    if said[0] == "can":
        return bool(rest & {"generate", "consume", "spend", "afford", "proceed"})
    return (
        said[0] in ("check", "verify", "enforce")
        and rest <= {"usage", "user", "daily", "monthly", "api", "and"}
        and "usage" in rest
    )


MADE = frozenset("row record entry exists account wallet customer subscription table".split())


def raises(call: Call) -> bool:
    """`await enforceQuota(org)` as a statement can only refuse by raising; `ensureBalanceRow(user)` makes what is missing."""
    if words(call.method)[-1] in MADE:
        return False
    return call.use is Use.DISCARDED and words(call.method)[0] in ("assert", "enforce", "ensure", "require", "throw", "check")


def test_of(code: Code, call: Call) -> Test | None:
    """The first test that looks at what a call answered, in its own function."""
    names = {name for target in call.targets for name in bound(target)}
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE)
    for test in code.facts.tests:
        if enclosing(test.scope, Kind.FUNCTION, Kind.MODULE) is not function or test.span.end < call.span.start:
            continue
        for part in walk(test.value):
            if part is call or (isinstance(part, Name) and part.text in names and test.span.start > call.span.end):
                return test
    return None


def bound(target: Expression) -> Iterator[str]:
    match target:
        case Name(text=text):
            yield text
        case Object(entries=entries):
            for entry in entries:
                yield from bound(entry.value)
        case _:
            for part in getattr(target, "items", ()):
                yield from bound(part)


def lets_through(code: Code, gate: Gate, scope: Scope) -> bool:
    """Whether a scope after a gate is reached only with room."""
    if gate.test is None:
        return True
    arm = arm_of(scope, gate.test)
    if refuses(gate.test):
        return arm == "else" or (arm is None and leaves(code.facts, gate.test.then))
    return arm == "then"


def refuses(test: Test) -> bool:
    """Whether the branch is taken without room: `!allowed`, `result.exceeded`, `err != nil`."""
    for part in operands(test.value):
        if isinstance(part, Unary) and part.operator == "not":
            return not says_refused(part.value)
        if says_refused(part):
            return True
    return "err" in {getattr(part, "text", "") for part in walk(test.value)}


def says_refused(part: Expression) -> bool:
    name = part.method if isinstance(part, Call) else getattr(part, "name", "") or getattr(part, "text", "")
    return bool(REFUSED & frozenset(words(name))) if isinstance(part, Call | Member | Name) else False
