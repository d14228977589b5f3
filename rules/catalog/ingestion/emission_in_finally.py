"""Usage is recorded in a block that runs whatever became of the metered work.

`finally`, a `defer` before the work, and the `finish` event of a response all run after failures too: customers pay for calls
that gave them nothing. Record the usage where the work has succeeded, or test its outcome first. Where an attempt itself is
what costs, such as tokens that were used before an error, recording it always is right.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Function,
    Kind,
    Lambda,
    Literal,
    Member,
    Name,
    Raise,
    Return,
    Scope,
    Start,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.vocabulary import CONSUME_VERBS, COUNT_UP_VERBS, consumes, emits, releases, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-105",
    title="Usage recorded in finally / defer / after() regardless of outcome",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E6",),
    cwe=("CWE-696", "CWE-705"),
    iso_25010="Functional suitability / functional correctness",
)
MEASURED = frozenset(
    "token tokens byte bytes duration elapsed seconds second ms millis minutes time latency length size cost usage quota delta "
    "prompt completion input output read written".split()
)
"""What was used up before an error was used up all the same."""
DEFER = "a `defer`"
OUTCOMES = ("status", "success", "succeed", "ok", "err", "error", "fail", "completed", "done")


def check(code: Code) -> Iterator[Finding]:
    for write in failing_writes(code):
        call = write.call
        if call is None or code.context(write.scope) in (Context.TEST, Context.BROWSER) or not reports(code, write):
            continue
        place = where(code, write)
        if (
            place is not None
            and not depends(code, write, call, place)
            and not asks_outcome(code, write)
            and not asks_work(code, write)
            and not gives_back(call)
        ):
            yield regardless(write, place, confidence(code, call))


def reports(code: Code, write: UsageWrite) -> bool:
    """An emission or a consumption. Counters of other kinds, such as slots in use, belong into a `finally`."""
    return any(one.call is write.call for one in code.emissions) or (write.call is not None and consumes(write.call.method))


def gives_back(call: Call) -> bool:
    return releases(call.method) and not emits(call.method)


def where(code: Code, write: UsageWrite) -> str | None:
    """How the block that always runs is called in a message."""
    call = write.call
    assert call is not None
    if enclosing(write.scope, Kind.FINALLY, Kind.FUNCTION) is not enclosing(write.scope, Kind.FUNCTION):
        return code.facts.idioms.last_block
    if call.start is Start.DEFERRED and work_after(code, call, call.scope):
        return DEFER
    function = enclosing(write.scope, Kind.FUNCTION)
    if function is None or not isinstance(function.head, Function):
        return None
    for one in code.facts.calls:
        if one.start is Start.DEFERRED and isinstance(one.callee, Lambda) and one.callee.scope is function:
            return DEFER if work_after(code, one, one.scope) else None
    if fold(function.head.passed_to).endswith((".on", ".once")) and function.head.registered_as in ("finish", "close"):
        return f"the `{function.head.registered_as}` event of the response"
    return None


def work_after(code: Code, deferred: Call, scope: Scope) -> bool:
    """Whether something that can fail comes after the `defer`: a handler of an error that leaves, or Rust's `?`."""
    function = enclosing(scope, Kind.FUNCTION)
    if any(passes_on(code, call) and call.span.start > deferred.span.end for call in code.calls_in(function)):
        return True
    left: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    return any(
        one.scope.kind is Kind.HANDLER
        and one.span.start > deferred.span.end
        and enclosing(one.scope, Kind.FUNCTION) is function
        for one in left
    )


def passes_on(code: Code, call: Call) -> bool:
    """`draw(prompt).await?` leaves the function when it fails."""
    after = code.facts.source[call.span.end : call.span.end + 10]
    return after.removeprefix(b".await").startswith(b"?")


def measured(code: Code, call: Call) -> bool:
    """Whether the quantity is one that is used up as the work goes on, or was set inside the work."""
    named = [
        word
        for argument in call.arguments
        for part in walk(argument.value)
        if isinstance(part, Name | Member)
        for word in words(part.text if isinstance(part, Name) else part.name)
    ]
    keyed = [
        word
        for argument in call.arguments
        for part in walk(argument.value)
        for entry in getattr(part, "entries", ())
        if entry.name is not None and not isinstance(entry.value, Literal)
        for word in words(entry.name)
    ]
    return bool(MEASURED & {*named, *keyed}) or set_inside(code, call)


def depends(code: Code, write: UsageWrite, call: Call, place: str) -> bool:
    """Whether the quantity tells the outcome. One that is fixed before a `defer` is the same however the work ends."""
    if place != DEFER:
        return measured(code, call)
    names = {part.text for argument in call.arguments for part in walk(argument.value) if isinstance(part, Name)}
    deferred = deferring(code, call)
    function = enclosing(deferred.scope, Kind.FUNCTION)
    if any(
        test.span.end <= deferred.span.start
        and enclosing(test.scope, Kind.FUNCTION) is function
        and "status" in code.facts.text(test.value.span).lower()
        for test in code.facts.tests
    ):
        return True
    return any(
        assign.span.end > deferred.span.start
        and function is not None
        and within(assign.scope, function)
        and any(isinstance(target, Name) and target.text in names for target in assign.targets)
        for assign in code.facts.assigns
    )


def deferring(code: Code, call: Call) -> Call:
    """The `defer` statement's call: the call itself, or that of the closure it lies in."""
    function = enclosing(call.scope, Kind.FUNCTION)
    if call.start is Start.DEFERRED:
        return call
    return next(
        one
        for one in code.facts.calls
        if one.start is Start.DEFERRED and isinstance(one.callee, Lambda) and one.callee.scope is function
    )


def set_inside(code: Code, call: Call) -> bool:
    names = {part.text for argument in call.arguments for part in walk(argument.value) if isinstance(part, Name)}
    function = enclosing(call.scope, Kind.FUNCTION)
    return any(
        enclosing(assign.scope, Kind.TRY, Kind.FUNCTION) is not enclosing(assign.scope, Kind.FUNCTION)
        and function is enclosing(assign.scope, Kind.FUNCTION)
        and any(isinstance(target, Name) and target.text in names for target in assign.targets)
        for assign in code.facts.assigns
    )


def asks_outcome(code: Code, write: UsageWrite) -> bool:
    """A branch around the write, or an early return before it, that asks how the work ended."""
    function = enclosing(write.scope, Kind.FUNCTION)
    always = enclosing(write.scope, Kind.FINALLY, Kind.FUNCTION)
    for scope in chain(write.scope):
        if scope is always:
            break
        if isinstance(scope.head, Branch) and scope.head.test is not None and tells(code.facts.text(scope.head.test.span)):
            return True
    return always is function and any(
        test.span.end <= write.span.start and function is not None and within(test.scope, function)
        for test in code.facts.tests
        if tells(code.facts.text(test.value.span))
    )


def tells(text: str) -> bool:
    return any(word in text.lower() for word in OUTCOMES)


def confidence(code: Code, call: Call) -> Confidence:
    """Likely where a provider is told of one use however the work ended.

    What is gathered while the work runs may be nothing after a failure, and a recorder of the project may know of it.
    """
    direct = any(one.call is call and one.direct for one in code.emissions)
    return Confidence.LIKELY if direct and is_fixed(code, call) else Confidence.POSSIBLE


def asks_work(code: Code, write: UsageWrite) -> bool:
    """A branch around the write that asks for what the work has gathered: `if chunks:`."""
    always, function = enclosing(write.scope, Kind.FINALLY, Kind.FUNCTION), enclosing(write.scope, Kind.FUNCTION)
    asked: set[str] = set()
    for scope in chain(write.scope):
        if scope is always:
            break
        if isinstance(scope.head, Branch):
            asked |= {part.text for part in walk(scope.head.test) if isinstance(part, Name)}
    tries = [one for one in code.facts.scopes if one.kind is Kind.TRY and enclosing(one, Kind.FUNCTION) is function]
    filled = {call.name.rpartition(".")[0] for call in code.facts.calls if any(within(call.scope, one) for one in tries)}
    filled |= {
        target.text
        for assign in code.facts.assigns
        if any(within(assign.scope, one) for one in tries)
        for target in assign.targets
        if isinstance(target, Name)
    }
    return bool(asked & filled)


def is_fixed(code: Code, call: Call) -> bool:
    """A provider's event, a number that stands in the call, or a function that counts up by one."""
    if any(one.call is call and one.certain for one in code.emissions):
        return True
    if (words(call.method) or ("",))[0] in COUNT_UP_VERBS | CONSUME_VERBS:
        return True
    return any(
        isinstance(part, Literal) and isinstance(part.value, int | float) and not isinstance(part.value, bool)
        for argument in call.arguments
        for part in walk(argument.value)
    )


def regardless(write: UsageWrite, place: str, sure: Confidence) -> Finding:
    return Finding(
        span=write.span,
        cause=write.span,
        description=f"{write.title[:1].upper() + write.title[1:]} runs in {place}, so failed work is billed like any other.",
        remediation="Record the usage after the work has succeeded, or test its outcome here first.",
        confidence=sure,
    )


EXAMPLES = (
    Example(
        "python",
        """
def render(request, usage):
    try:
        return draw(request.prompt)
    finally:
        usage.record_usage(request.customer, 1)  # <- finding
""",
    ),
    Example(
        "python",
        """
def render(request, usage):
    image = draw(request.prompt)
    usage.record_usage(request.customer, 1)
    return image

def complete(request, usage):
    tokens = 0
    try:
        for part in generate(request.prompt):
            tokens += part.tokens
            yield part
    finally:
        usage.record_usage(request.customer, tokens)

def draw_some(request, usage):
    drawn = []
    try:
        for part in request.parts:
            drawn.append(draw(part))
    finally:
        if drawn:
            usage.record_usage(request.customer, len(drawn))

def draw_all(request, usage):
    succeeded = False
    try:
        draw(request.prompt)
        succeeded = True
    finally:
        if succeeded:
            usage.record_usage(request.customer, 1)
""",
    ),
    Example(
        "typescript",
        """
export async function render(request: RenderRequest) {
  try {
    return await draw(request.prompt);
  } finally {
    await recordUsage(request.customer, 1);  // <- finding
  }
}

export function meter(req: Request, res: Response, next: NextFunction) {
  res.on("finish", async () => {
    await recordUsage(req.customer, 1);  // <- finding
  });
  next();
}
""",
    ),
    Example(
        "typescript",
        """
export async function render(request: RenderRequest) {
  const image = await draw(request.prompt);
  await recordUsage(request.customer, 1);
  return image;
}

export function meter(req: Request, res: Response, next: NextFunction) {
  res.on("finish", async () => {
    if (res.statusCode < 400) await recordUsage(req.customer, 1);
  });
  next();
}
""",
    ),
    Example(
        "go",
        """
package render

func render(ctx context.Context, req *Request, store *Store) (*Image, error) {
	defer store.RecordUsage(ctx, req.Customer, 1)  // <- finding
	image, err := draw(ctx, req.Prompt)
	if err != nil {
		return nil, err
	}
	return image, nil
}
""",
    ),
    Example(
        "go",
        """
package render

func render(ctx context.Context, req *Request, store *Store) (image *Image, err error) {
	defer func() {
		if err == nil {
			err = store.RecordUsage(ctx, req.Customer, 1)
		}
	}()
	image, err = draw(ctx, req.Prompt)
	if err != nil {
		return nil, err
	}
	return image, nil
}
""",
    ),
)
