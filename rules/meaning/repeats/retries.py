"""Whether code runs again after a failure: a retry decorator, a retry helper around it, a loop that catches."""

from rules.code import Code
from rules.facts import Call, Function, Handler, Kind, Object, Scope, chain, fold, within
from rules.meaning.outcomes import Outcome, outcome

RETRIERS = frozenset(
    "retry retrying pretry asyncretry withretry withretries retrywithbackoff onexception onpredicate backoff "
    "exponentialbackoff attempt retryasync withbackoff retryable tenacity stamina callwithretry retryoperation".split()
)
MODULES = frozenset("pretry asyncretry backoff retry retrygo".split())
RETRY_OPTIONS = frozenset("autoretryfor maxretries attempts retries retrybackoff".split())


def retried(code: Code, scope: Scope) -> Scope | None:
    """The scope that is run again, if there is one: a function handed to a retry helper, or a loop around a try."""
    for outer in chain(scope):
        if isinstance(outer.head, Function) and (by_decorator(outer.head) or is_retrier(outer.head.passed_to)):
            return outer
        if outer.kind is Kind.LOOP and catches_inside(code, outer, scope):
            return outer
    return None


def is_retrier(name: str) -> bool:
    segments = fold(name).split(".")
    return bool(name) and (segments[-1] in RETRIERS or bool(MODULES & set(segments)))


def by_decorator(head: Function) -> bool:
    for mark in head.decorators:
        name = mark.name if isinstance(mark, Call) else getattr(mark, "text", getattr(mark, "name", ""))
        if is_retrier(name):
            return True
        if isinstance(mark, Call) and any(fold(one.name or "") in RETRY_OPTIONS - {"retries"} for one in mark.arguments):
            return True
    return False


def catches_inside(code: Code, loop: Scope, scope: Scope) -> bool:
    """A loop that tries the same again: a counted or endless one, with a handler inside that does not leave."""
    head = loop.head
    if head is None or not is_attempt_loop(head):
        return False
    if any(jump.word == "retry" and within(jump.scope, loop) for jump in code.facts.jumps):
        return True
    if counted(head) and any(
        isinstance(handler.head, Handler)
        and within(handler, loop)
        and isinstance(handler.head.guards, tuple)
        and any(call.scope is scope for call in handler.head.guards)
        and outcome(code.facts, handler) is not Outcome.RETHROWN
        for handler in code.facts.scopes
    ):
        return True
    return any(
        isinstance(handler.head, Handler)
        and within(handler, loop)
        and isinstance(handler.head.guards, Scope)
        and within(scope, handler.head.guards)
        and outcome(code.facts, handler) is not Outcome.RETHROWN
        for handler in code.facts.scopes
    )


def counted(head: object) -> bool:
    """`for attempt in 0..3`: an endless loop with a test of an error in it may well take one message after another."""
    iterates = getattr(head, "iterates", None)
    return isinstance(iterates, Call) and fold(iterates.method) == "range"


def is_attempt_loop(head: object) -> bool:
    """`for attempt in range(3)`, `for (let i = 0; i < retries; i++)`, `while True`; not a loop over things."""
    iterates = getattr(head, "iterates", None)
    if iterates is None:
        return True
    counts = isinstance(iterates, Call) and fold(iterates.method) in ("range", "times", "upto", "downto")
    return counts or (isinstance(iterates, Object) and iterates.type == "Range")
