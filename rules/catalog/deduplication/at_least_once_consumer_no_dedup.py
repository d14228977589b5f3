"""A webhook or queue consumer adds to a counter or a balance, and nothing tells a message that it has already handled.

Webhooks and queues deliver at least once: when an answer is slow or an acknowledgement is lost, the same message comes again, and
the usage is counted or the credits are granted a second time. Store the message's id under a unique index in the same
transaction as the addition and go on only if it was new, or make the write one that may be repeated: an upsert of a row per
message, a sum over such rows, a provider key made of the message's id.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.contexts import Context
from rules.counters import Change, Counter
from rules.facts import Call, Kind, Object, Scope, Span, enclosing, fold, walk
from rules.marks import saving
from rules.redelivery import Delivery, carries_identity, deliveries, tells_repeats
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.values import resolved, root_of
from rules.vocabulary import releases, words
from rules.writes import inserts_usage

ABOUT = About(
    id="MTR-208",
    title="Webhook or queue consumer increments usage with no event-id guard",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("D6",),
    cwe=("CWE-837", "CWE-675"),
    iso_25010="Functional suitability / functional correctness",
    gives_way_to=(
        "missing-idempotency-key",
        "unstable-key-random",
        "colliding-key",
        "guard-removed",
        "client-supplied-quantity",
        "check-then-insert-dedup",
    ),
)
GRANTS = frozenset("increase increment add grant credit topup deposit give fulfill".split())
BALANCES = frozenset("credit credits quota quotas balance tokens token usage minutes units".split())
UNDOING = frozenset("fail failed failure failures refund error errors retry rollback cancel".split())

Addition = tuple[Span, Scope, str, Call | None]


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    added = list(additions(code))
    if not added:
        return
    said: set[Span] = set()
    for delivery in deliveries(code):
        here = [one for one in added if belongs(one[1], delivery.path[-1]) and one[0] not in said]
        if not here or tells_repeats(code, delivery):
            continue
        for span, scope, title, call in here:
            if enclosing(scope, Kind.HANDLER) is None and not (call is not None and carries_identity(code, call)):
                said.add(span)
                yield finding(code, delivery, span, title)


def belongs(scope: Scope, function: Scope) -> bool:
    """Whether the work stands in the function itself or in a closure of it."""
    current: Scope | None = scope
    while current is not None and current is not function:
        if current.kind is Kind.FUNCTION and getattr(current.head, "name", "") and not getattr(current.head, "passed_to", ""):
            return False
        current = current.parent
    return current is not None


def additions(code: Code) -> Iterator[Addition]:
    """What counts double when it is done twice: additions to stored counters, grants, rows of usage, own recorders."""
    for counter in code.counters:
        if adds(code, counter):
            yield counter.span, counter.scope, f"`{counter.name}`", counter.call
    written = {id(counter.call) for counter in code.counters}
    for emission in code.emissions:
        if emission.record is None and not releases(emission.call.method) and id(emission.call) not in written:
            yield emission.call.span, emission.scope, emission.title, emission.call
            written.add(id(emission.call))
    for call in code.facts.calls:
        if id(call) in written or code.context(call.scope) is Context.TEST:
            continue
        if grants(call) or (inserts_usage(call) and not fold(call.method).startswith("upsert") and not keyed(code, call)):
            yield call.span, call.scope, f"`{call.name}`", call


def adds(code: Code, counter: Counter) -> bool:
    if counter.change not in (Change.ADD, Change.SUBTRACT) or UNDOING & set(words(counter.name)):
        return False
    if counter.call is not None or counter.atomic:
        return True
    assign = next((one for one in code.facts.assigns if one.span == counter.span), None)
    return assign is not None and any(saving(code, assign, root_of(target)) is not None for target in assign.targets)


def grants(call: Call) -> bool:
    """`addCredits(user, n)`, `grant_tokens(…)`: the project's own way to raise a balance."""
    said = words(call.method)
    return len(said) > 1 and said[0] in GRANTS and bool(BALANCES & set(said[1:])) and not call.constructs and len(call.arguments) > 1


def keyed(code: Code, call: Call) -> bool:
    """Whether a row has an id that is given to it: then a unique index may tell, which the project's schema may answer."""
    for argument in call.arguments:
        whole = resolved(code.values, argument.value, call.scope, call.span.start)
        for part in (*walk(argument.value), *walk(whole)):
            if isinstance(part, Object) and any(fold(entry.name or "") in ("id", "uuid", "key") for entry in part.entries):
                return True
    return not any(isinstance(part, Object) for argument in call.arguments for part in walk(argument.value))


def finding(code: Code, delivery: Delivery, span: Span, title: str) -> Finding:
    what = "webhook" if delivery.webhook else "consumer"
    name = code.function_name(delivery.entry)
    named = f"The {what} `{name}`" if name else f"This {what}"
    return Finding(
        span=span,
        cause=span,
        description=(
            f"{named} adds to {title} each time a message is delivered, and nothing here tells a message that comes again: "
            "one event counts twice."
        ),
        remediation=(
            "Store the message's id under a unique index, in the same transaction as this write, and go on only if it was new."
        ),
        confidence=Confidence.LIKELY if delivery.sure else Confidence.POSSIBLE,
        trace=() if delivery.entry is delivery.path[-1] else (Step(delivery.entry.span, "deliveries arrive here"),),
    )


EXAMPLES = ()
