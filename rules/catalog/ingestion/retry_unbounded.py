"""A usage report is repeated for ever, or again at once, when it fails.

An event that the provider refuses for good is then sent without end: it holds up all that comes after it, uses up the rate
limit and hides the outage that a raised error would show. A job that both queues itself anew and fails doubles with every
round. Bound the attempts, wait longer between them, and put what is left into a dead-letter queue that somebody watches.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Handler,
    Jump,
    Kind,
    Literal,
    Loop,
    Member,
    Name,
    Return,
    Scope,
    Span,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-110",
    title="Emission retried forever or without back-off",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("E5",),
    cwe=("CWE-835", "CWE-770"),
    iso_25010="Reliability / fault tolerance",
)
BOUNDS = ("attempt", "tries", "retries", "retry", "max", "deadline", "count")
ENQUEUES = frozenset("add enqueue send sendmessage publish delay applyasync push schedule".split())
SPEAKS = frozenset("usage metering metered meter billing billable quota credits consumption".split())


def check(code: Code) -> Iterator[Finding]:
    reported: set[Scope] = set()
    for write in failing_writes(code):
        if write.call is None or code.context(write.scope) in (Context.TEST, Context.BROWSER):
            continue
        loop = endless(code, write)
        if loop is not None and loop not in reported:
            reported.add(loop)
            yield forever(write, loop.span, waits(code, loop))
        yield from decorated(code, write)
    yield from requeued(code)


def endless(code: Code, write: UsageWrite) -> Scope | None:
    """A loop without a bound that sends the same again: its handler stays in the loop, and its events come from outside."""
    assert write.call is not None
    loop = enclosing(write.scope, Kind.LOOP, Kind.FUNCTION)
    if loop is None or not isinstance(loop.head, Loop) or loop.head.iterates is not None or not always(loop.head.test):
        return None
    taken = [one for one in handlers_of(code, write.call, write.sent or write.call) if within(one, loop)]
    if not taken or any(outcome(code.facts, one) in (Outcome.RETHROWN, Outcome.DURABLE, Outcome.ANSWERED) for one in taken):
        return None
    if (
        any(leaves_loop(code, one) or counts(code, one) for one in taken)
        or counts(code, loop)
        or fetched_inside(code, write, loop)
    ):
        return None
    return loop if ends_on_success(code, write, loop) else None


def always(test: Expression | None) -> bool:
    return test is None or (isinstance(test, Literal) and bool(test.value))


def leaves_loop(code: Code, handler: Scope) -> bool:
    exits = [one for one in code.facts.jumps if one.word == "break" and within(one.scope, handler)]
    return bool(exits) or any(within(one.scope, handler) for one in code.facts.returns)


def counts(code: Code, scope: Scope) -> bool:
    """A test of how often it was tried, or for how long."""
    return any(
        within(test.scope, scope) and any(word in code.facts.text(test.value.span).lower() for word in BOUNDS)
        for test in code.facts.tests
    )


def fetched_inside(code: Code, write: UsageWrite, loop: Scope) -> bool:
    """A worker's loop takes the next event each time round: what it sends is set inside."""
    assert write.call is not None
    names = {part.text for argument in write.call.arguments for part in walk(argument.value) if isinstance(part, Name)}
    return any(
        within(assign.scope, loop)
        and assign.span.end <= write.span.start
        and any(isinstance(part, Name) and part.text in names for target in assign.targets for part in walk(target))
        for assign in code.facts.assigns
    )


def ends_on_success(code: Code, write: UsageWrite, loop: Scope) -> bool:
    leaving: tuple[Return | Jump, ...] = (*code.facts.returns, *(one for one in code.facts.jumps if one.word == "break"))
    return any(within(one.scope, loop) and one.span.end > write.span.start for one in leaving)


def waits(code: Code, loop: Scope) -> bool:
    return any(fold(call.method) in ("sleep", "settimeout", "delay", "wait", "after") for call in code.calls_in(loop))


def decorated(code: Code, write: UsageWrite) -> Iterator[Finding]:
    """`@retry` of tenacity without a stop, `@backoff.on_exception(…)` without a maximum: both go on for ever."""
    for scope in chain(write.scope):
        if not isinstance(scope.head, Function):
            continue
        for mark in scope.head.decorators:
            if boundless(code, mark):
                yield forever(write, mark.span, not isinstance(mark, Name | Member))


def boundless(code: Code, mark: Expression) -> bool:
    if isinstance(mark, Name):
        return code.facts.imports.get(mark.text, "") == "tenacity.retry"
    if isinstance(mark, Member):
        return mark.name == "retry" and isinstance(mark.object, Name) and mark.object.text == "tenacity"
    if not isinstance(mark, Call):
        return False
    given = {fold(argument.name or "") for argument in mark.arguments}
    if mark.folded == "tenacity.retry":
        return not given & {"stop", ""} or (not given)
    return mark.folded.endswith("backoff.onexception") and not given & {"maxtries", "maxtime"}


def forever(write: UsageWrite, span: Span, waiting: bool) -> Finding:
    how = "without end" if waiting else "without end and without a pause"
    return Finding(
        span=span,
        cause=span,
        description=f"When {write.title} keeps failing, it is repeated {how}: one refused event blocks all usage after it.",
        remediation="Stop after some attempts with a growing pause between them, and keep what is left in a dead-letter queue.",
        confidence=Confidence.LIKELY if waiting else Confidence.CERTAIN,
        trace=(Step(write.span, "this is repeated"),),
    )


def requeued(code: Code) -> Iterator[Finding]:
    """A worker's handler that queues the job anew and raises as well: the queue retries the old one too."""
    if not code.billing:
        return
    for handler in code.facts.scopes:
        if not isinstance(handler.head, Handler) or code.context(handler) is Context.TEST:
            continue
        queued = next((call for call in code.facts.calls if within(call.scope, handler) and enqueues(code, call)), None)
        raised = [one for one in code.facts.raises if one.scope is handler]
        if queued is not None and any(one.span.start > queued.span.end for one in raised):
            yield Finding(
                span=queued.span,
                cause=queued.span,
                description="The job is queued anew and also fails: the queue retries the old one too, and jobs multiply.",
                remediation="Do one of the two: fail and let the queue retry with its back-off, or queue anew and return.",
                confidence=Confidence.LIKELY,
            )


def enqueues(code: Code, call: Call) -> bool:
    said = {word for segment in call.name.split(".") for word in words(segment)}
    if fold(call.method) not in ENQUEUES or "queue" not in said or said & {"dead", "dlq", "failed", "letter", "alert"}:
        return False
    return bool({*said, *words(code.facts.path)} & SPEAKS)


EXAMPLES = (
    Example(
        "python",
        """
from tenacity import retry

def report(client, event):
    while True:  # <- finding
        try:
            client.report_usage(event)
            return
        except ProviderError:
            continue

@retry  # <- finding
def report_again(client, event):
    client.report_usage(event)
""",
    ),
    Example(
        "python",
        """
import time
from tenacity import retry, stop_after_attempt, wait_exponential

def report(client, event):
    for attempt in range(5):
        try:
            client.report_usage(event)
            return
        except ProviderError:
            time.sleep(2**attempt)
    raise UsageNotReported(event)

@retry(stop=stop_after_attempt(5), wait=wait_exponential())
def report_again(client, event):
    client.report_usage(event)

def work(queue, client):
    while True:
        event = queue.get()
        if event is None:
            return
        try:
            client.report_usage(event)
        except ProviderError:
            queue.retry_later(event)
""",
    ),
    Example(
        "typescript",
        """
export async function report(usage: UsageClient, event: UsageEvent) {
  for (;;) {  // <- finding
    try {
      await usage.reportUsage(event);
      return;
    } catch (error) {
      console.error("again", error);
    }
  }
}

export const usageProcessor: Processor = async (job) => {
  try {
    await closeBillingPeriod(job.data);
  } catch (error) {
    await usageQueue.add("close-billing-period", job.data);  // <- finding
    throw error;
  }
};
""",
    ),
    Example(
        "typescript",
        """
export async function report(usage: UsageClient, event: UsageEvent) {
  for (let attempt = 0; attempt < 5; attempt++) {
    try {
      await usage.reportUsage(event);
      return;
    } catch (error) {
      await sleep(2 ** attempt * 100);
    }
  }
  throw new Error("usage not reported");
}

export const usageProcessor: Processor = async (job) => {
  try {
    await closeBillingPeriod(job.data);
  } catch (error) {
    logger.error("billing period not closed", error);
    throw error;
  }
};
""",
    ),
    Example(
        "go",
        """
package usage

func report(ctx context.Context, store *Store, event Event) {
	for {  // <- finding
		err := store.RecordUsage(ctx, event)
		if err != nil {
			log.Printf("again: %v", err)
			continue
		}
		return
	}
}
""",
    ),
    Example(
        "go",
        """
package usage

func report(ctx context.Context, store *Store, event Event) error {
	var err error
	for attempt := 0; attempt < 5; attempt++ {
		err = store.RecordUsage(ctx, event)
		if err == nil {
			return nil
		}
		time.Sleep(time.Duration(1<<attempt) * 100 * time.Millisecond)
	}
	return err
}
""",
    ),
)
