"""Usage is taken in advance, and one way out of the function does not give it back although others do.

Each request that fails on that way keeps the customer's reservation: the balance shrinks by work that was never done. The
opposite happens where two blocks give the same reservation back. Release it in one place that every failure passes, such as
a deferred call or `finally` that asks whether the work succeeded.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.contexts import Context
from rules.facts import Call, Handler, Kind, Lambda, Raise, Return, Scope, Start, chain, enclosing, walk, within
from rules.flow import exclusive
from rules.handlers import handlers_of
from rules.losses import gives_back
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.vocabulary import BILLING_NOUNS, consumes, words

ABOUT = About(
    id="MTR-129",
    title="Reserved or pre-consumed usage is not released, or is released twice, on some exit",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E6", "D6"),
    cwe=("CWE-459",),
    iso_25010="Functional suitability / functional correctness",
)
RESERVES = frozenset("reserve hold acquire preconsume consume deduct decrement charge prededuct".split())
HOPS = 3
GIVES_BACK = frozenset("refund release restore return rollback revert unreserve compensate giveback".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for taken in code.facts.calls:
        function = enclosing(taken.scope, Kind.FUNCTION)
        if function is None or not reserves(taken) or code.context(function) in (Context.TEST, Context.BROWSER):
            continue
        back = [call for call in code.calls_in(function) if releases_usage(code, call) and call.span.start > taken.span.end]
        if not back:
            continue
        deferred = [call for call in back if covers_all(code, call, function)]
        if deferred:
            yield from twice(code, deferred[0], back, function)
        else:
            yield from unreleased(code, taken, back, function)


def reserves(call: Call) -> bool:
    said = words(call.method)
    first = said[1] if said[:1] == ("pre",) and len(said) > 1 else said[0] if said else ""
    return first in RESERVES and (consumes(call.method) or bool(set(said) & BILLING_NOUNS)) and not gives_back(call)


def releases_usage(code: Code, call: Call) -> bool:
    """`ReturnPreConsumedQuota`, `refundCredits`, `reservation.release()`, `consume(-n)`."""
    said = words(call.method)
    if not said:
        return False
    named = said[0] in GIVES_BACK and (bool(set(said) & (BILLING_NOUNS | {"reservation", "consumed"})) or on_reservation(call))
    return named or (gives_back(call) and consumes(call.method))


def on_reservation(call: Call) -> bool:
    return any({"reservation", "hold", "credits", "quota"} & set(words(segment)) for segment in call.name.split(".")[:-1])


def covers_all(code: Code, call: Call, function: Scope) -> bool:
    """A release in `finally`, or in a `defer` that stands in no branch, is on every way out."""
    if enclosing(call.scope, Kind.FINALLY, Kind.FUNCTION) is not enclosing(call.scope, Kind.FUNCTION):
        return True
    deferred = placed(code, call, function)
    return deferred is not None and deferred.start is Start.DEFERRED and deferred.scope is function


def placed(code: Code, call: Call, function: Scope) -> Call | None:
    """The statement of the function that a call belongs to: itself, or the one whose closure it lies in."""
    for _ in range(HOPS):
        inner = enclosing(call.scope, Kind.FUNCTION)
        if inner is function:
            return call
        outer = next((one for one in code.facts.calls if carries(one, inner)), None)
        if outer is None:
            return None
        call = outer
    return None


def carries(call: Call, inner: Scope | None) -> bool:
    values = (call.callee, *(argument.value for argument in call.arguments))
    return any(isinstance(value, Lambda) and value.scope is inner for value in values)


def unreleased(code: Code, taken: Call, back: list[Call], function: Scope) -> Iterator[Finding]:
    """Ways out after a failure, past the reservation, of which some release and this one does not."""
    exits = list(failing_exits(code, taken, function))
    ways = [where for call in back if (where := placed(code, call, function)) is not None]
    released = [one for one in leaving(code, function) if any(on_way(code, call, one) for call in ways)]
    if not released:
        return
    kept = [one for one in exits if one not in released]
    if not kept:
        return
    more = f" and on {len(kept) - 1} more" if len(kept) > 1 else ""
    yield Finding(
        span=kept[0].span,
        cause=taken.span,
        description=f"What `{taken.method}` took is not given back on this exit{more}; `{back[0].method}` does so on another.",
        remediation=f"Call `{back[0].method}` before leaving here, or once in a deferred block that all exits pass.",
        confidence=Confidence.LIKELY,
        trace=(
            Step(taken.span, "taken here"),
            Step(back[0].span, "given back here"),
            *(Step(one.span, "not given back here either") for one in kept[1:]),
        ),
    )


def leaving(code: Code, function: Scope) -> Iterator[Return | Raise]:
    exits: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    for one in exits:
        if enclosing(one.scope, Kind.FUNCTION) is function and one.scope is not function:
            yield one


def failing_exits(code: Code, taken: Call, function: Scope) -> Iterator[Return | Raise]:
    own = handlers_of(code, taken, taken)
    for one in leaving(code, function):
        handler = enclosing(one.scope, Kind.HANDLER, Kind.FUNCTION)
        if handler is None or not isinstance(handler.head, Handler) or enclosing(one.scope, Kind.FUNCTION) is not function:
            continue
        guarded = isinstance(handler.head.guards, Scope) and within(taken.scope, handler.head.guards)
        if one.span.start > taken.span.end and handler not in own and not guarded and not exclusive(taken.scope, one.scope):
            yield one


def on_way(code: Code, call: Call, one: Return | Raise) -> bool:
    """Whether a release runs before this exit: earlier in the same branch, or in its value."""
    branches = (scope for scope in chain(call.scope) if scope.kind in (Kind.BRANCH, Kind.HANDLER))
    inside = call.span.end <= one.span.start and any(within(one.scope, branch) for branch in branches)
    return inside or any(part is call for part in walk(one.value))


def twice(code: Code, deferred: Call, back: list[Call], function: Scope) -> Iterator[Finding]:
    """A release on one exit, where a deferred block that asks for the same failure releases as well."""
    for call in back:
        handler = enclosing(call.scope, Kind.HANDLER, Kind.FUNCTION)
        if call is deferred or call.method != deferred.method or handler is None or handler.kind is not Kind.HANDLER:
            continue
        if enclosing(call.scope, Kind.FUNCTION) is function:
            yield Finding(
                span=call.span,
                cause=call.span,
                description=f"`{call.method}` runs here and again in the deferred block: the reservation is given back twice.",
                remediation="Leave it to the deferred block, which runs on this exit too.",
                confidence=Confidence.LIKELY,
                trace=(Step(deferred.span, "it is given back here as well"),),
            )


EXAMPLES = (
    Example(
        "python",
        """
def complete(store, client, user, prompt):
    store.reserve_credits(user, 10)
    try:
        answer = client.send(prompt)
    except NetworkError as error:
        store.refund_credits(user, 10)
        raise Unavailable from error
    try:
        return parse(answer)
    except ParseError as error:
        raise BadAnswer from error  # <- finding
""",
    ),
    Example(
        "python",
        """
def complete(store, client, user, prompt):
    store.reserve_credits(user, 10)
    try:
        answer = client.send(prompt)
    except NetworkError as error:
        store.refund_credits(user, 10)
        raise Unavailable from error
    try:
        return parse(answer)
    except ParseError as error:
        store.refund_credits(user, 10)
        raise BadAnswer from error
""",
    ),
    Example(
        "typescript",
        """
export async function complete(store: CreditStore, user: string, prompt: string) {
  await store.reserveCredits(user, 10);
  const { data, error } = await client.send(prompt);
  if (error) {
    await store.refundCredits(user, 10);
    throw error;
  }
  try {
    return await parse(data);
  } catch (parseError) {
    throw new BadAnswer(parseError);  // <- finding
  }
}
""",
    ),
    Example(
        "typescript",
        """
export async function complete(store: CreditStore, user: string, prompt: string) {
  await store.reserveCredits(user, 10);
  let done = false;
  try {
    const data = await client.send(prompt);
    done = true;
    return data;
  } finally {
    if (!done) await store.refundCredits(user, 10);
  }
}
""",
    ),
    Example(
        "go",
        """
package relay

func complete(ctx context.Context, req *Request) error {
	quota, err := preConsumeQuota(ctx, req)
	if err != nil {
		return err
	}
	body, err := encode(req)
	if err != nil {
		return err  // <- finding
	}
	if _, err := send(ctx, body); err != nil {
		billing.ReturnPreConsumedQuota(ctx, quota, req.TokenID)
		return err
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package relay

func complete(ctx context.Context, req *Request) (err error) {
	quota, err := preConsumeQuota(ctx, req)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			billing.ReturnPreConsumedQuota(ctx, quota, req.TokenID)
		}
	}()
	body, err := encode(req)
	if err != nil {
		return err
	}
	_, err = send(ctx, body)
	return err
}
""",
    ),
)
