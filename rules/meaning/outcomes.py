"""What becomes of a failure: the ways a handler can end, of which the last ones lose usage."""

import re
from enum import StrEnum

from rules.facts import (
    Assign,
    Branch,
    Call,
    Expression,
    Facts,
    Function,
    Handler,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Raise,
    Return,
    Scope,
    Sequence,
    Start,
    Use,
    chain,
    dotted,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.vocabulary import words


class Outcome(StrEnum):
    RETHROWN = "rethrown"
    """Raised again, returned as an error, or handed to something that will hear of it: `next(err)`, `reject(err)`."""
    DUPLICATE_ONLY = "duplicate only"
    """Only the provider's answer that the event is known already is taken for success."""
    DURABLE = "durable fallback"
    """Written to a queue, table or file for another attempt."""
    ANSWERED = "answered"
    """The caller of the endpoint is told."""
    TOLD = "told"
    """The error goes to a function of unknown effect: `respondError(w, err)`, `toConnectError(err)`, `onError(err)`."""
    STATUS = "status"
    """Reported in the return value, which may be read."""
    COUNTED = "counted"
    """Counted or marked in what the function returns: `result.failed += 1`."""
    NOTHING = "nothing"
    """`null`, zero or an object of zeros is returned, as if nothing had been used."""
    LOGGED = "logged"
    EMPTY = "empty"


LOST = frozenset({Outcome.LOGGED, Outcome.EMPTY})

PASSES_ON = frozenset("reject next done cb callback fail nack requeue retry abort exit fatal fatalf panic throwerror".split())
HANDS_ON = frozenset("raise throw rethrow reject requeue retry nack".split())
RESPONSE = frozenset(
    "status json send sendstatus error abort abortwithstatusjson abortwithstatus writeheader jsonresponse".split()
)
STORES = frozenset(
    "enqueue queue add push publish produce sendmessage insert create save upsert update updatemany lpush rpush xadd write "
    "writefile append extend addall unshift put delay applyasync performlater performasync performin performat performbulk "
    "dispatch schedule store persist insertone bulkcreate execute setex".split()
)
FALLBACK_WORDS = frozenset("retry queue outbox dead dlq pending failed fallback backlog failure requeue buffer unsent".split())
LOG_WORDS = frozenset(
    "log logger logging console warn error info debug print println printf slog sentry capture exception".split()
)
REPORTS = LOG_WORDS - {"error", "exception"} | frozenset(
    "logs lg logf warning warnf infof errorf debugf tracef exceptionf fprintf fprintln stderr stdout sys syslog zap glog klog "
    "rollbar bugsnag datadog honeybadger report track metric metrics stats statsd counter gauge observe record trace span "
    "notify alert telemetry posthog analytics captureexception traceback".split()
)
"""Words of a call that writes a failure down for people and changes nothing else."""
SAYS_ERROR = frozenset("error errorf errorln errorw exception".split())
READERS = frozenset("controller subscriber observer subject stream sink emitter socket".split())
"""Whose `error(…)` tells the one who reads from them."""
FAILURES = frozenset("fail failed failure failures failing err errs error errors skipped rejected success succeeded ok".split())
DUPLICATE = frozenset(
    "duplicate exists already conflict 409 unique p2002 11000 integrityerror uniqueviolation 23505 2601 2627 1062".split()
)


def outcome(facts: Facts, handler: Scope) -> Outcome:
    """How a handler ends. Where a doubt remains the milder reading is taken: unsure is quiet."""
    if passes_on(facts, handler):
        return Outcome.DUPLICATE_ONLY if tests_duplicate(facts, handler) else Outcome.RETHROWN
    if catches_duplicate(handler):
        return Outcome.DUPLICATE_ONLY
    calls = [call for call in facts.calls if inside(call.scope, handler) or inside_nested(call, handler)]
    if any(stores(call) for call in calls):
        return Outcome.DURABLE
    if any(answers(call) for call in calls):
        return Outcome.ANSWERED
    if any(tells(call, handler, calls) for call in calls):
        return Outcome.TOLD
    if returned := results(facts, handler):
        return Outcome.NOTHING if all(says_nothing(facts, one) for one in returned) else Outcome.STATUS
    if counts_failure(facts, handler):
        return Outcome.COUNTED
    return Outcome.LOGGED if calls else Outcome.EMPTY


def inside(scope: Scope, handler: Scope) -> bool:
    return within(scope, handler)


def inside_nested(call: Call, handler: Scope) -> bool:
    return handler.span.holds(call.span)


def passes_on(facts: Facts, handler: Scope) -> bool:
    if any(within(one.scope, handler) for one in facts.raises):
        return True
    if any(raises(call) for call in facts.calls if within(call.scope, handler)):
        return True
    bound = handler.head.binds if isinstance(handler.head, Handler) else ""
    if any(returns_error(facts, one, bound, handler) for one in facts.returns if within(one.scope, handler)):
        return True
    return keeps_error(facts, handler, bound) or returned_after(facts, handler, bound)


def raises(call: Call) -> bool:
    """`reject(err)`, `next(err)`, and the project's own `_raise_error(…)`."""
    return fold(call.method) in PASSES_ON or (words(call.method) or ("",))[0] in HANDS_ON


def returns_error(facts: Facts, one: Return, bound: str, handler: Scope) -> bool:
    """`return err`, `return fmt.Errorf("…: %w", err)`, `return nil, err`: the caller hears of it."""
    if enclosing(one.scope, Kind.FUNCTION) is not enclosing(handler, Kind.FUNCTION):
        return is_callback(handler) and mentions(one, bound) and not (isinstance(one.value, Call) and logs(one.value))
    if one.value is None:
        return facts.traits.errors_returned and names_result(handler, bound)
    if facts.traits.errors_returned:
        values = one.value.items if isinstance(one.value, Sequence) else (one.value,)
        last = values[-1]
        return not (isinstance(last, Literal) and last.value is None) and (
            mentions(one, bound) or isinstance(last, Call | Name | Member)
        )
    return False


def names_result(handler: Scope, bound: str) -> bool:
    """A bare return passes on what the function declares as `(err error)`."""
    function = enclosing(handler, Kind.FUNCTION)
    head = function.head if function is not None else None
    return isinstance(head, Function) and bool(bound) and f"{bound} error" in head.returns


def returned_after(facts: Facts, handler: Scope, bound: str) -> bool:
    """Go code that logs, falls through and returns the same error at the end."""
    function = enclosing(handler, Kind.FUNCTION)
    if not facts.traits.errors_returned or not bound or function is None:
        return False
    later = [one for one in facts.returns if one.span.start >= handler.span.end and within(one.scope, function)]
    said = next((one for one in later if mentions(one, bound)), None)
    if said is None and not (names_result(handler, bound) and any(one.value is None for one in later)):
        return False
    again = (
        assign.span.start
        for assign in facts.assigns
        if assign.span.start >= handler.span.end
        and within(assign.scope, function)
        and any(isinstance(part, Name) and part.text == bound for target in assign.targets for part in walk(target))
    )
    return said is None or next(again, said.span.start) >= said.span.start


def is_callback(handler: Scope) -> bool:
    return isinstance(handler.head, Handler) and isinstance(handler.head.guards, tuple)


def mentions(one: Return, bound: str) -> bool:
    return bool(bound) and any(isinstance(part, Name) and part.text == bound for part in walk(one.value))


def keeps_error(facts: Facts, handler: Scope, bound: str) -> bool:
    """`lastErr = err`, `errs = append(errs, err)`, `errors.push(err)`: collected for whoever reads it after."""
    if not bound:
        return False
    for assign in facts.assigns:
        # What is declared in the handler ends with it.
        if assign.declares or not within(assign.scope, handler):
            continue
        if any(isinstance(part, Name) and part.text == bound for part in walk(assign.value)):
            names = [word for target in assign.targets for word in words(getattr(target, "text", getattr(target, "name", "")))]
            if {"err", "error", "errors", "errs", "failed", "failures"} & set(names):
                return True
    return any(
        fold(call.method) in ("push", "append")
        and {"err", "errs", "error", "errors", "failed", "failures"} & set(words(call.name))
        for call in facts.calls
        if within(call.scope, handler)
    )


def catches_duplicate(handler: Scope) -> bool:
    caught = handler.head.catches if isinstance(handler.head, Handler) else ()
    return any(DUPLICATE & set(words(kind)) or fold(kind).rsplit(".", 1)[-1] in DUPLICATE for kind in caught)


def tests_duplicate(facts: Facts, handler: Scope) -> bool:
    """Whether some branch of the handler asks for the duplicate answer before the rest is raised again."""
    for scope in facts.scopes:
        if isinstance(scope.head, Branch) and within(scope, handler) and scope.head.test is not None:
            for part in walk(scope.head.test):
                text = str(part.value) if isinstance(part, Literal) else part.name if isinstance(part, Member | Call) else ""
                if DUPLICATE & set(words(text)) or fold(text) in DUPLICATE:
                    return True
    return False


def stores(call: Call) -> bool:
    """A write that another attempt can start from. Adding to a log or a metric is none."""
    if logs(call):
        return False
    if call.name == "this.release":
        # A Laravel job puts itself back into its queue.
        return True
    said = set(words(call.name))
    last = fold(call.method)
    return last in STORES and (bool(said & FALLBACK_WORDS) or call.start is Start.AWAITED or "." in call.name)


def logs(call: Call) -> bool:
    return bool(set(words(call.name)) & LOG_WORDS)


def tells(call: Call, handler: Scope, calls: list[Call]) -> bool:
    """Whether the caught error is handed to a function that does not say that it only writes it down.

    A call that makes a text of the error inside a log call, `logger.error(describe(err))`, tells nobody else.
    """
    bound = handler.head.binds if isinstance(handler.head, Handler) else ""
    if says_failed(call) and not reports(call):
        return True
    if not bound or call.use is not Use.DISCARDED or reports(call):
        return False
    return any(isinstance(part, Name) and part.text == bound for one in call.arguments for part in walk(one.value)) and not any(
        other is not call and reports(other) and other.span.holds(call.span) for other in calls
    )


def says_failed(call: Call) -> bool:
    """`yield sse_event("error", …)`, `socket.emit("error", …)`: whoever asked hears of it."""
    first = call.arguments[0].value if call.arguments else None
    return isinstance(first, Literal) and str(first.value).lower() in ("error", "failed", "failure")


def reports(call: Call) -> bool:
    """`logger.error(…)`, `console.warn(…)`, `common.SysError(…)`, `reportError(err)`, `Sentry.captureException(err)`."""
    holder = set(words(call.name.rpartition(".")[0]))
    return bool(set(words(call.name)) & REPORTS) or (bool(holder) and fold(call.method) in SAYS_ERROR and not holder & READERS)


def counts_failure(facts: Facts, handler: Scope) -> bool:
    """`result.failed += 1`, `ok = false`: counted or marked in what the function returns."""
    function = enclosing(handler, Kind.FUNCTION)
    head = function.head if function is not None else None
    marked = {
        target
        for assign in facts.assigns
        if within(assign.scope, handler)
        for target in map(dotted, assign.targets)
        if FAILURES & set(words(target.rpartition(".")[2]))
    }
    if not marked:
        return False
    if any(within(one.scope, handler) and one.operator == "+=" and is_tally(one) for one in facts.assigns):
        return True
    roots = {target.partition(".")[0] for target in marked}
    if roots & {"this", "self"} and any({"fail", "failed", "failure", "error"} & set(words(target)) for target in marked):
        return True
    if isinstance(head, Function) and any(re.search(rf"\b{re.escape(root)}\b", head.returns) for root in roots):
        return True
    around = [one for one in chain(handler) if isinstance(one.head, Function)]
    if any(parameter.name in roots for one in around if isinstance(one.head, Function) for parameter in one.head.parameters):
        return True
    ends: tuple[Return | Raise, ...] = (*facts.returns, *facts.raises)
    returned = (one for one in ends if enclosing(one.scope, Kind.FUNCTION) in around)
    return any(isinstance(part, Name) and part.text in roots for one in returned for part in walk(one.value))


def is_tally(assign: Assign) -> bool:
    """`errors += batch.length` in a loop that goes on: how many failed is told at the end."""
    return all(FAILURES & set(words(dotted(target).rpartition(".")[2])) for target in assign.targets) and (
        enclosing(assign.scope, Kind.LOOP, Kind.FUNCTION) is not enclosing(assign.scope, Kind.FUNCTION)
    )


def answers(call: Call) -> bool:
    """`res.status(500)`, `c.JSON(500, …)`, `http.Error(w, …)`, `return NextResponse.json(…, {status: 500})`."""
    said = call.folded.split(".")
    last = said[-1]
    if said[0] == "response()" or (said[0] == "call" and last.startswith("respond")):
        return True
    if said[0].rsplit("/", 1)[-1] in ("res", "response", "reply", "c", "ctx", "w", "http", "nextresponse", "context"):
        return last in RESPONSE or len(said) > 1
    if said[-2:] == ["http", "error"]:
        return True
    if call.folded in ("render", "head", "halt", "redirectto"):
        return True
    return last in ("jsonresponse", "response", "httpexception", "jsonify", "abort") or (call.constructs and last == "response")


def results(facts: Facts, handler: Scope) -> list[Return]:
    """What a handler returns in place of the result, where somebody may look at it: `return { success: false }`."""
    function = enclosing(handler, Kind.FUNCTION)
    return [
        one
        for one in facts.returns
        if within(one.scope, handler)
        and enclosing(one.scope, Kind.FUNCTION) is function
        and one.value is not None
        and (not isinstance(one.value, Name | Member) or not is_nothing(one.value))
        and not (facts.traits.errors_returned and is_nothing(one.value))
    ]


def says_nothing(facts: Facts, one: Return) -> bool:
    """`return null`, `return 0`, `return { realCost: 0, ratedCost: 0 }`: the same as where nothing was used."""
    if isinstance(one.value, Object):
        entries = one.value.entries
        return (
            bool(entries)
            and all(isinstance(entry.value, Literal) and entry.value.value == 0 for entry in entries)
            and all(not isinstance(entry.value, Literal) or not isinstance(entry.value.value, bool) for entry in entries)
        )
    return one.value is not None and is_nothing(one.value)


def is_nothing(value: Expression) -> bool:
    if isinstance(value, Name):
        return value.text == "undefined"
    return isinstance(value, Literal) and (value.value is None or (value.value == 0 and not isinstance(value.value, bool)))
