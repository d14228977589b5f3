"""What makes a claim harmless that compares nothing: it is meant to be taken up again, or its work may be done twice."""

from collections.abc import Callable, Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Compare,
    Expression,
    Literal,
    Logical,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Test,
    Unary,
    chain,
    fold,
    walk,
    within,
)
from rules.meaning.flow import held_alone, runs_alone
from rules.meaning.origins import Kinds
from rules.meaning.repeats.keys import NAMED
from rules.meaning.repeats.marks import DONE, state_of
from rules.meaning.repeats.recognition import id_columns, refuses
from rules.meaning.usage.counters import written_fields
from rules.meaning.usage.duties import Work
from rules.meaning.usage.emissions import is_local
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words

KEYED_BY = frozenset(
    "idempotency idempotent idem dedup dedupe refund grant charge event request operation settlement settle reference ledger "
    "usage transaction reservation debit credit booking".split()
)
INSERTS = frozenset("create insert insertone add save".split())
HOLDS = frozenset({"==", "is", "in"})
FAILS = frozenset({"!=", "is not", "not in"})
MEMBERSHIP = frozenset("includes contains include".split())

Write = tuple[Span, Scope]


def resumes(code: Code, test: Test, claims: list[Write], tells_state: Callable[[str], bool]) -> bool:
    """`if status not in ("queued", "running"): return` before `status = "running"`: a run that broke off is taken up again,
    and that there is one at a time is left to whoever starts it. A last state that is accepted again is none of that."""
    holds = any(within(claim[1], branch) for branch in branches(code, test) for claim in claims)
    accepted = set(accepted_states(code, test.value, test.scope, holds))
    new = {state_of(value).lower() for claim in claims for value in values_written(code, claim, tells_state)}
    return any(state and not DONE & set(words(state)) for state in accepted & new)


def branches(code: Code, test: Test) -> Iterator[Scope]:
    """What runs where a test holds."""
    for one in code.facts.scopes:
        if isinstance(one.head, Branch) and one.head.test is test.value and one.head.arm != "else":
            yield one


def accepted_states(code: Code, value: Expression, scope: Scope, holds: bool) -> Iterator[str]:
    """The states, in lower case, with which a test lets through."""
    if isinstance(value, Unary) and value.operator == "not":
        yield from accepted_states(code, value.value, scope, not holds)
    elif isinstance(value, Logical):
        yield from accepted_states(code, value.left, scope, holds)
        yield from accepted_states(code, value.right, scope, holds)
    elif isinstance(value, Compare) and value.operator in (HOLDS if holds else FAILS):
        yield from states_in(code, value.right, scope)
    elif isinstance(value, Call) and holds and fold(value.method) in MEMBERSHIP:
        given = [one.value for one in value.arguments]
        for one in (value.receiver, *given):
            yield from states_in(code, one, scope) if one is not None else ()


def states_in(code: Code, value: Expression, scope: Scope) -> Iterator[str]:
    whole = resolved(code.values, value, scope, value.span.start)
    for one in whole.items if isinstance(whole, Sequence) else (whole,):
        if state := state_of(one):
            yield state.lower()


def values_written(code: Code, claim: Write, tells_state: Callable[[str], bool]) -> Iterator[Expression]:
    """What a write gives the fields of a state."""
    for assign in code.facts.assigns:
        if assign.span == claim[0] and assign.value is not None:
            yield assign.value
    for call in code.facts.calls:
        if call.span == claim[0]:
            fields = list(written_fields(code.values, call))
            yield from (value for name, value in fields if tells_state(name))
            yield from (one.value for one in call.arguments[1:] if not fields)


def recognised(code: Code, work: Work) -> bool:
    """`refund(user, refund_key=f"refund:{job.id}")`: whoever is handed a key that a repeat has as well can tell it."""
    call = next((one for one in code.facts.calls if one.span == work[0]), None)
    return call is not None and any(lasting(code, value, call) for name, value in named_values(call) if is_key(name))


def named_values(call: Call) -> Iterator[tuple[str, Expression]]:
    for argument in call.arguments:
        if argument.name is not None:
            yield argument.name, argument.value
        if isinstance(argument.value, Object):
            yield from ((entry.name, entry.value) for entry in argument.value.entries if entry.name)


def is_key(name: str) -> bool:
    said = words(name)
    return fold(name) in NAMED or (said[-1:] == ("key",) and bool(KEYED_BY & set(said)))


def lasting(code: Code, value: Expression, call: Call) -> bool:
    if isinstance(value, Literal):
        return False
    kinds = {one.kind for one in code.origins(value, call.scope, call.span.start)}
    return not kinds & {Kinds.CLOCK, Kinds.RANDOM}


def refused_once_stored(code: Code, test: Test, function: Scope, done: list[Work]) -> bool:
    """A row of the claimed thing under a unique key, stored before the work or in its transaction: the second run fails."""
    roots = {part.text for part in walk(test.value) if isinstance(part, Name)}
    for call in code.calls_in(function):
        if call.span.start < test.span.end or fold(call.method) not in INSERTS or "." not in call.name:
            continue
        columns = id_columns(call)
        mine = any(isinstance(part, Name) and part.text in roots for one in call.arguments for part in walk(one.value))
        if columns and mine and refuses(code, call, columns):
            return all(call.span.end <= one[0].start or together(code, call, one) for one in done)
    return False


def together(code: Code, insert: Call, work: Work) -> bool:
    """Whether an insert after the work is stored with it or not at all: in one transaction, or in a session's next commit."""
    if held_alone(code, insert.scope, work[0].start):
        return True
    between = (one for one in code.facts.calls if work[0].end <= one.span.start < insert.span.start)
    return fold(insert.method) in ("add", "save") and not any(fold(one.method) == "commit" for one in between)


def called_alone(code: Code, function: Scope) -> bool:
    """Whether everybody in the file who calls the function holds a lock, or a lease on the piece of work."""
    name = code.function_name(function)
    calling = [one for one in code.facts.calls if name and one.method == name and is_local(one, code.values)]
    outside = [one for one in calling if not any(outer is function for outer in chain(one.scope))]
    return bool(outside) and all(runs_alone(code, one.scope, transactions=False) for one in outside)
