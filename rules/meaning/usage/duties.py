"""The work that a mark, a claim or a repeat is about: usage reported, a balance changed, and calls that do these."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Handler, Kind, Name, Scope, Span, Start, Use, chain, enclosing, walk, within
from rules.meaning.contexts import REDELIVERED
from rules.meaning.flow import precedes
from rules.meaning.outcomes import LOST, Outcome, outcome
from rules.meaning.repeats.marks import Mark
from rules.meaning.usage.counters import Change
from rules.meaning.usage.emissions import command, is_local, own_functions
from rules.meaning.vocabulary import words

GRANTS = frozenset("increase add grant credit topup increment fulfill apply give deposit settle refund".split())
BALANCES = frozenset("credit credits quota quotas balance tokens token usage".split())
ANSWERS = frozenset("error errors exception failure response email emails mail notification log cors".split())
"""`handleApiError` answers the request, and `handleWelcomeEmail` writes a letter: neither books anything."""
HANDLES = frozenset("process handle apply fulfill grant dispatch sync".split())

Work = tuple[Span, Scope, str]
"""Where work is done, and how a message names it."""


def works(code: Code, handed_on: bool = True) -> Iterator[Work]:
    """Reports of usage, changes of a balance, and calls of the file's own functions that do these.

    Unless `handed_on` is false, also what a consumer or job hands its item to, whatever that does: `processOrder(order)`.
    """
    doing: set[Scope] = set()
    for emission in code.emissions:
        yield emission.call.span, emission.scope, emission.title
        doing.update(named_around(emission.scope))
    for counter in code.counters:
        if counter.change in (Change.ADD, Change.SUBTRACT):
            yield counter.span, counter.scope, f"the write of `{counter.name}`"
            doing.update(named_around(counter.scope))
    if not handed_on:
        # What an item is handed to is then judged by what stands in it, a grant of credits included.
        doing.update(around for call in code.facts.calls if grants(call) for around in named_around(call.scope))
    for call in code.facts.calls:
        said = words(command(call) or call.method)
        if grants(call):
            yield call.span, call.scope, f"`{call.name}`"
        functions = own_functions(call, code.values)
        if any(function in doing for function in functions) or (handed_on and is_handed(code, call, said)):
            yield call.span, call.scope, f"`{call.name}`"


def grants(call: Call) -> bool:
    said = words(command(call) or call.method)
    return bool(said) and (said[0] in GRANTS or said[:2] == ("top", "up")) and bool(BALANCES & set(said[1:]))


def is_handed(code: Code, call: Call, said: tuple[str, ...]) -> bool:
    named = len(said) > 1 and said[0] in HANDLES and not ANSWERS & set(said)
    return named and code.context(call.scope) in REDELIVERED and waited(call)


def named_around(scope: Scope) -> Iterator[Scope]:
    yield from (one for one in chain(scope) if isinstance(one.head, Function) and one.head.name)


def waited(call: Call) -> bool:
    return call.start is Start.AWAITED or call.use is not Use.DISCARDED or "." not in call.name


def unread_failure(code: Code, mark: Mark) -> Call | None:
    """A call of the file's own recorder, before the mark, that answers its failure with a value that nobody reads."""
    if mark.function is None:
        return None
    for call in code.calls_in(mark.function):
        if call.span.end > mark.span.start or not is_local(call, code.values):
            continue
        functions = code.values.functions.get(call.method, ())
        if len(functions) != 1 or not swallows(code, functions[0]) or read(code, call, mark.function):
            continue
        if precedes(code, call.span, call.scope, mark.span, mark.scope):
            return call
    return None


def swallows(code: Code, function: Scope) -> bool:
    """Whether a report of usage inside fails without the caller hearing of it but by the returned value."""
    for handler in code.facts.scopes:
        if not isinstance(handler.head, Handler) or enclosing(handler, Kind.FUNCTION) is not function:
            continue
        if outcome(code.facts, handler) in LOST | {Outcome.STATUS} and takes_report(code, handler.head):
            return True
    return False


def takes_report(code: Code, head: Handler) -> bool:
    tried = head.guards
    if isinstance(tried, Scope):
        return any(within(emission.scope, tried) for emission in code.emissions)
    return tried is not None and any(emission.call in tried or emission.sent in tried for emission in code.emissions)


def read(code: Code, call: Call, function: Scope) -> bool:
    """Whether the result is tested, directly or under the names it gets."""
    if call.use is Use.TESTED or call.use is Use.CHAINED:
        return True
    names = {part.text for target in call.targets for part in walk(target) if isinstance(part, Name)}
    for assign in code.facts.assigns:
        if any(isinstance(part, Name) and part.text in names for part in walk(assign.value)):
            names |= {target.text for target in assign.targets if isinstance(target, Name)}
    return any(
        isinstance(part, Name) and part.text in names
        for test in code.facts.tests
        if within(test.scope, function)
        for part in walk(test.value)
    )
