"""Usage is taken in advance, and one way out of the function does not give it back although others do.

Each request that fails on that way keeps the customer's reservation: the balance shrinks by work that was never done. The
opposite happens where two blocks give the same reservation back. Release it in one place that every failure passes, such as
a deferred call or `finally` that asks whether the work succeeded.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Branch, Call, Kind, Name, Scope, chain, enclosing, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes
from rules.meaning.novelty import is_added
from rules.meaning.usage.reservations import (
    Exit,
    amounts_of,
    caught_and_undone,
    compensates,
    covers_all,
    failing_exits,
    gives_usage_back,
    in_advance,
    leaving,
    may_give_back,
    on_way,
    passes_amount,
    placed,
    reserves,
    settles,
)
from rules.meaning.usage.slots import Slot, half_released
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant

ABOUT = About(
    id="MTR-129",
    title="Reserved or pre-consumed usage is not released, or is released twice, on some exit",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E6", "D6"),
    cwe=("CWE-459",),
    iso_25010="Functional suitability / functional correctness",
    variants={"slot-kept-on-close": Variant("Slot of a limit is not released when the client goes away", classes=("L1", "E6"))},
    unprompted=True,
)


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for taken in code.facts.calls:
        function = enclosing(taken.scope, Kind.FUNCTION)
        if function is None or not reserves(taken) or code.context(function) in (Context.TEST, Context.BROWSER):
            continue
        back = [call for call in code.calls_in(function) if gives_usage_back(call) and call.span.start > taken.span.end]
        deferred = [call for call in back if covers_all(code, call, function)]
        if deferred:
            yield from twice(code, deferred[0], back, function)
        elif cleared_up(code, taken, function):
            continue
        elif back:
            yield from unreleased(code, taken, back, function)
        elif in_advance(taken):
            yield from unsettled(code, taken, function)
    yield from map(kept_slot, half_released(code))


def cleared_up(code: Code, taken: Call, function: Scope) -> bool:
    """Whether a deferred block or `finally` calls something that may give the reservation back."""
    amounts = amounts_of(taken)
    return any(
        call.span.start > taken.span.end
        and not settles(call)
        and may_give_back(call, amounts)
        and covers_all(code, call, function)
        for call in code.calls_in(function)
    )


def unreleased(code: Code, taken: Call, back: list[Call], function: Scope) -> Iterator[Finding]:
    """Ways out after a failure, past the reservation, of which some release and this one does not."""
    ways = [where for call in back if (where := placed(code, call, function)) is not None]
    released = [one for one in leaving(code, function) if any(on_way(call, one) for call in ways)]
    settled = settlement(code, taken, function)
    failing = [one for one in failing_exits(code, taken, function) if one not in released and not after(one, settled)]
    kept = [one for one in failing if not undone(code, taken, function, one)]
    if not released or not kept:
        return
    here = shown(code, kept, ways[0], back[0])
    span = here.span if here is not None else ways[0].span
    place = "on this exit" if here is not None else f"on the exit at line {kept[-1].span.line}"
    more = f" and on {len(kept) - 1} more" if len(kept) > 1 else ""
    other = "does so on another" if here is not None else "does so only here"
    block = code.facts.idioms.last_block
    yield Finding(
        span=span,
        cause=taken.span,
        description=f"What `{taken.method}` took is not given back {place}{more}; `{back[0].method}` {other}.",
        remediation=f"Call `{back[0].method}` before leaving there, or once in {block}, which all exits pass.",
        confidence=Confidence.LIKELY,
        trace=(
            Step(taken.span, "taken here"),
            Step(back[0].span, "given back here"),
            *(Step(one.span, "not given back here") for one in kept if one is not here),
        ),
    )


def shown(code: Code, kept: list[Exit], way: Call, back: Call) -> Exit | None:
    """The exit to speak of: one that the change adds; else the last one before the release, where the work was tried.

    None where only the release is new: then the comment stands there.
    """
    added = [one for one in kept if is_added(code, one.span)]
    if not added and (is_added(code, way.span) or is_added(code, back.span)):
        return None
    before = [one for one in added or kept if one.span.start < way.span.start]
    return before[-1] if before else (added or kept)[0]


def undone(code: Code, taken: Call, function: Scope, one: Exit) -> bool:
    """Whether something on the way to this exit undoes or books what was taken, whatever it is called."""
    amounts = amounts_of(taken)
    return (
        passes_amount(one)
        or caught_and_undone(code, one)
        or any(
            on_way(call, one) or (settles(call) and precedes(code, call.span, call.scope, one.span, one.scope))
            for call in code.calls_in(function)
            if call.span.start > taken.span.end and (compensates(call) or may_give_back(call, amounts))
        )
    )


def settlement(code: Code, taken: Call, function: Scope) -> Call | None:
    """Where the true amount is booked for every way out from there on: deferred, or in `finally`."""
    for call in code.calls_in(function):
        if call.span.start > taken.span.end and settles(call) and covers_all(code, call, function):
            return placed(code, call, function) or call
    return None


def after(one: Exit, settled: Call | None) -> bool:
    return settled is not None and one.span.start > settled.span.start


def unsettled(code: Code, taken: Call, function: Scope) -> Iterator[Finding]:
    """Ways out between a reservation and the deferred block that settles it."""
    settled = settlement(code, taken, function)
    if settled is None or settled.span.start < taken.span.end:
        return
    failing = [one for one in failing_exits(code, taken, function) if not after(one, settled)]
    kept = [one for one in failing if not undone(code, taken, function, one)]
    if not kept:
        return
    here = next((one for one in reversed(kept) if is_added(code, one.span)), kept[-1])
    more = f", and {len(kept) - 1} more exits do the same" if len(kept) > 1 else ""
    block = code.facts.idioms.last_block
    yield Finding(
        span=here.span,
        cause=taken.span,
        description=f"This exit keeps what `{taken.method}` took: it is settled only further down{more}.",
        remediation=f"Give the reservation back before leaving here, or settle it in {block} right behind it.",
        confidence=Confidence.LIKELY,
        trace=(Step(taken.span, "taken here"), Step(settled.span, "settled here, which this exit does not reach")),
    )


def twice(code: Code, deferred: Call, back: list[Call], function: Scope) -> Iterator[Finding]:
    """A release on one exit, where a deferred block that asks for the same failure releases as well."""
    registered = placed(code, deferred, function) or deferred
    asked = tested(deferred)
    block = code.facts.idioms.last_block
    for call in back:
        if call is deferred or call.method != deferred.method or enclosing(call.scope, Kind.FUNCTION) is not function:
            continue
        branch = enclosing(call.scope, Kind.HANDLER, Kind.BRANCH, Kind.FUNCTION)
        ending = enclosing(deferred.scope, Kind.FINALLY, Kind.FUNCTION)
        inline = ending is not None and ending.kind is Kind.FINALLY and deferred is registered
        before = (inline and joined_by(code, call, ending)) or registered.span.start < call.span.start
        if branch is None or branch.kind is Kind.FUNCTION or not before or sets_any(code, branch, asked):
            continue
        if any(within(one.scope, branch) and one.span.start > call.span.end for one in leaving(code, function)):
            yield Finding(
                span=call.span,
                cause=call.span,
                description=f"`{call.method}` runs here and again in {block}: the reservation is given back twice.",
                remediation=f"Leave it to {block}, which runs on this exit too.",
                confidence=Confidence.LIKELY,
                trace=(Step(deferred.span, "it is given back here as well"),),
            )


def joined_by(code: Code, call: Call, ending: Scope | None) -> bool:
    """Whether a call stands in the try that a `finally` ends, or in one of its handlers: nothing lies between the two."""
    tries = [one for one in code.facts.scopes if one.kind is Kind.TRY and ending is not None and one.span.holds(ending.span)]
    nearest = max(tries, key=lambda one: one.span.start, default=None)
    return nearest is not None and nearest.span.holds(call.span)


def tested(deferred: Call) -> frozenset[str]:
    """The names that the deferred release asks first."""
    tests = [scope.head.test for scope in chain(deferred.scope) if isinstance(scope.head, Branch)]
    return frozenset(part.text for test in tests for part in walk(test) if isinstance(part, Name))


def sets_any(code: Code, branch: Scope, names: frozenset[str]) -> bool:
    """`released = true` beside the release: the deferred block will see it."""
    return any(
        within(assign.scope, branch) and assign.operator == "=" and not assign.declares
        for assign in code.facts.assigns
        if any(isinstance(target, Name) and target.text in names for target in assign.targets)
    )


def kept_slot(slot: Slot) -> Finding:
    return Finding(
        span=slot.release.span,
        cause=slot.taken.span,
        description=(
            f"`{slot.release.method}` gives the slot back on {slot.events}, but a client that hangs up only emits `close`: "
            f"what `{slot.taken.method}` took is then kept."
        ),
        remediation="Release it on `close` too, which comes after every end, and guard against a second release.",
        confidence=Confidence.LIKELY,
        variant="slot-kept-on-close",
        trace=(Step(slot.taken.span, "taken here"),),
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
    Example(
        "go",
        """
package relay

func speak(c *Context, req *Request) error {
	if err := model.PreConsumeQuota(c, req.TokenID, req.Estimate); err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req.HTTP)
	if err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return upstreamError(resp)  // <- finding
	}
	var answer Answer
	defer func() {
		go settleQuota(c, req.TokenID, answer.Tokens-req.Estimate)
	}()
	return json.NewDecoder(resp.Body).Decode(&answer)
}

func draw(c *Context, req *Request) (failure *Failure) {
	reserved, failure := reserveCredits(c, req)
	if failure != nil {
		return failure
	}
	defer func() {
		if failure != nil {
			refundCredits(c, reserved)
		}
	}()
	resp, err := upstream.Send(req)
	if err != nil {
		return wrap(err)
	}
	if resp.StatusCode >= 400 {
		refundCredits(c, reserved)  // <- finding
		return refusal(resp)
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package relay

func speak(c *Context, req *Request) error {
	if err := model.PreConsumeQuota(c, req.TokenID, req.Estimate); err != nil {
		return err
	}
	var answer Answer
	defer func() {
		settleQuota(c, req.TokenID, answer.Tokens-req.Estimate)
	}()
	resp, err := http.DefaultClient.Do(req.HTTP)
	if err != nil {
		return fmt.Errorf("upstream: %w", err)
	}
	if resp.StatusCode != http.StatusOK {
		return upstreamError(resp)
	}
	return json.NewDecoder(resp.Body).Decode(&answer)
}

func draw(c *Context, req *Request) error {
	reserved, err := reserveCredits(c, req)
	if err != nil {
		return err
	}
	settled := false
	defer func() {
		if !settled {
			refundCredits(c, reserved)
		}
	}()
	resp, err := upstream.Send(req)
	if err != nil {
		settled = true
		refundCredits(c, reserved)
		return err
	}
	settled = true
	return bill(resp)
}
""",
    ),
    Example(
        "typescript",
        """
export async function render(credits: CreditLedger, user: string, scene: Scene) {
  const held = await credits.reserveCredits(user, scene.price);
  const response = await fetch(RENDERER, { method: "POST", body: scene.json });
  if (!response.ok) {
    throw new RenderFailed(response.status);  // <- finding
  }
  try {
    return await response.json();
  } catch (error) {
    await credits.releaseCredits(held);
    throw error;
  }
}

export async function speak(credits: CreditLedger, user: string, text: string) {
  const held = await credits.reserveCredits(user, text.length);
  let done = false;
  try {
    const voice = await synthesize(text);
    done = true;
    return voice;
  } catch (error) {
    await credits.refundCredits(held);  // <- finding
    throw error;
  } finally {
    if (!done) await credits.refundCredits(held);
  }
}
""",
    ),
    Example(
        "typescript",
        """
export async function limitConcurrency(req: Request, res: Response, next: NextFunction) {
  const running = await quota.acquireSlot(req.tenantId);
  if (running > req.plan.concurrency) {
    await quota.releaseSlot(req.tenantId);
    return res.status(429).end();
  }
  res.on("finish", () => quota.releaseSlot(req.tenantId).catch(log));  // <- finding
  res.on("error", () => quota.releaseSlot(req.tenantId).catch(log));
  next();
}
""",
        path="src/billing/concurrency.ts",
    ),
    Example(
        "typescript",
        """
export async function limitConcurrency(req: Request, res: Response, next: NextFunction) {
  const running = await quota.acquireSlot(req.tenantId);
  if (running > req.plan.concurrency) {
    await quota.releaseSlot(req.tenantId);
    return res.status(429).end();
  }
  const free = once(() => quota.releaseSlot(req.tenantId).catch(log));
  res.on("finish", free);
  res.on("close", () => quota.releaseSlot(req.tenantId).catch(log));
  next();
}
""",
        path="src/billing/concurrency.ts",
    ),
    Example(
        "python",
        """
def render(ledger, renderer, user, scene):
    ledger.reserve_credits(user, scene.price)
    done = False
    try:
        picture = renderer.draw(scene)
        done = True
        return picture
    except RenderError:
        ledger.refund_credits(user, scene.price)  # <- finding
        raise
    finally:
        if not done:
            ledger.refund_credits(user, scene.price)
""",
    ),
    Example(
        "python",
        """
def render(ledger, renderer, user, scene):
    ledger.reserve_credits(user, scene.price)
    response = renderer.post(scene)
    if response.status_code >= 400:
        raise RenderError(response.text)  # <- finding
    try:
        return response.json()
    except ValueError:
        ledger.refund_credits(user, scene.price)
        raise
""",
    ),
    Example(
        "python",
        """
def sign_up(captchas, credits, form):
    captchas.consume_token(form.token)
    try:
        user = create(form)
    except TakenError as error:
        captchas.release_token(form.token)
        raise Refused from error
    try:
        return credits.welcome(user)
    except StoreError as error:
        raise Refused from error
""",
        path="billing/sign_up.py",
    ),
    Example(
        "typescript",
        """
export async function generate(store: CreditStore, user: string, phase: string, body: Body) {
  if (phase === "script") {
    await store.deductCredits(user, 10);
    const { data, error } = await queue.insert(body);
    if (error) {
      await store.refundCredits(user, 10);
      throw error;
    }
    return { job: data.id };
  }
  try {
    return await draw(body);
  } catch (drawError) {
    throw new NotDrawn(drawError);
  }
}
""",
    ),
)
