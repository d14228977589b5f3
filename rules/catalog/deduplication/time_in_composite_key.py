"""The provider recognises a repeat by id and time together, and the time is left out or read from the clock on each attempt.

The id is stable, so the call looks safe, but the time is half of the key: a retry brings a new moment, the provider takes it
for a new event and bills the usage again. Send the time at which the usage happened, stored before the first attempt.
With AWS and Azure the hour counts, so an attempt after the full hour is a new record. Lago ignores the time where it stores
events in Postgres, and counts it where it stores them in ClickHouse.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Expression, Function, Kind, Member, Name, Scope, Span, chain, enclosing, fold, walk, within
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.origins import Kinds
from rules.meaning.repeats.retries import retried
from rules.meaning.usage.emissions import Emission
from rules.providers import Key, Time
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-205",
    title="Provider dedups on id AND time, and time is missing or recomputed",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D2", "E15"),
    cwe=("CWE-837",),
    iso_25010="Functional suitability / functional correctness",
    gives_way_to=(
        "retry-without-stable-key",
        "unstable-key-random",
        "missing-idempotency-key",
        "colliding-key",
        "processing-time-as-event-time",
    ),
)
SOMETIMES = frozenset({"lago"})
"""Providers whose store decides whether the time counts."""
EVENT_TIMES = frozenset(
    "timestamp occurredat occurred eventtime happenedat usedat createdat startedat finishedat endedat completedat ts".split()
)


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        key = emission.record.key if emission.record else None
        time = emission.record.time if emission.record else None
        if key is None or time is None or not time.names or not (key.includes_time or of_some_stores(emission)):
            continue
        if code.context(emission.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        yield from judged(code, emission, key, time)


def of_some_stores(emission: Emission) -> bool:
    return emission.provider is not None and emission.provider.id in SOMETIMES


def judged(code: Code, emission: Emission, key: Key, time: Time) -> Iterator[Finding]:
    """At most one finding for a call, however many events it sends."""
    again = repeats(code, emission)
    for event in emission.events:
        if key.names and event.first(key.names) is None and not key.implicit:
            continue
        value = event.first(time.names)
        if value is None:
            if event.complete and emission.given.complete and time.default_now:
                yield left_out(code, emission, time, again)
                return
        elif reads_clock(code, emission, value, again):
            if by_hour(key) and again is None:
                continue
            yield read_again(code, emission, value, again)
            return


def by_hour(key: Key) -> bool:
    return "hour" in key.implicit


def repeats(code: Code, emission: Emission) -> Scope | None:
    """What is run again after a failure: a retry around the call, or a worker whose message comes again."""
    if (again := retried(code, emission.scope)) is not None:
        return again
    if code.context(emission.scope) in REDELIVERED:
        outer = [one for one in chain(emission.scope) if one.kind is Kind.FUNCTION]
        return outer[-1] if outer else None
    return None


def reads_clock(code: Code, emission: Emission, value: Expression, again: Scope | None) -> bool:
    """Whether the time is the moment of sending and nothing that was stored; one read before the retry stays the same."""
    origins = code.origins(value, emission.scope, emission.call.span.start)
    clocks = [one for one in origins if one.kind is Kinds.CLOCK]
    if not clocks or any(one.kind in (Kinds.STORED, Kinds.PARAMETER, Kinds.REQUEST, Kinds.CALL) for one in origins):
        return False
    return again is None or any(within(one.scope, again) for one in clocks)


def confidence(emission: Emission, again: Scope | None) -> Confidence:
    if of_some_stores(emission):
        return Confidence.LIKELY if again is not None else Confidence.POSSIBLE
    return Confidence.CERTAIN if again is not None else Confidence.LIKELY


def event_time(code: Code, emission: Emission) -> str:
    """A time in scope that the event already has."""
    for outer in chain(emission.scope):
        if isinstance(outer.head, Function):
            found = next((one.name for one in outer.head.parameters if fold(one.name) in EVENT_TIMES), None)
            if found:
                return f"`{found}`"
    function = enclosing(emission.scope, Kind.FUNCTION)
    for call in code.calls_in(function):
        for argument in call.arguments:
            for part in walk(argument.value):
                if isinstance(part, Member) and fold(part.name) in EVENT_TIMES and isinstance(part.object, Name):
                    return f"`{code.facts.text(part.span)}`"
    return "the time at which the usage happened"


def store(emission: Emission) -> str:
    return " where it stores events in ClickHouse" if of_some_stores(emission) else ""


def name_of(emission: Emission) -> str:
    return emission.provider.name if emission.provider is not None else "The provider"


def left_out(code: Code, emission: Emission, time: Time, again: Scope | None) -> Finding:
    return finding(
        code,
        emission,
        emission.call.span,
        f"{name_of(emission)} knows a repeat by its id and its time together{store(emission)}, and no time is sent: each "
        "attempt gets the moment of its arrival and is billed as a new event.",
        again,
    )


def read_again(code: Code, emission: Emission, value: Expression, again: Scope | None) -> Finding:
    return finding(
        code,
        emission,
        value.span,
        f"{name_of(emission)} knows a repeat by its id and its time together{store(emission)}, and "
        f"`{code.facts.text(value.span)}` is another on each attempt: a repeat is billed as a new event.",
        again,
    )


def finding(code: Code, emission: Emission, span: Span, description: str, again: Scope | None) -> Finding:
    return Finding(
        span=span,
        cause=emission.call.span,
        description=description,
        remediation=f"Send {event_time(code, emission)}, stored with the event before the first attempt.",
        confidence=confidence(emission, again),
    )


EXAMPLES = (
    Example(
        "python",
        """
from flexprice import Flexprice
from tenacity import retry, stop_after_attempt

@retry(stop=stop_after_attempt(5))
def report(customer_id, usage_id, tokens):
    client.events.ingest_event(
        event_id=usage_id,
        event_name="tokens",
        external_customer_id=customer_id,
        timestamp=datetime.now(timezone.utc).isoformat(),  # <- finding
        properties={"tokens": tokens},
    )
""",
    ),
    Example(
        "python",
        """
from flexprice import Flexprice
from tenacity import retry, stop_after_attempt

@retry(stop=stop_after_attempt(5))
def report(customer_id, usage_id, tokens, occurred_at):
    client.events.ingest_event(
        event_id=usage_id,
        event_name="tokens",
        external_customer_id=customer_id,
        timestamp=occurred_at,
        properties={"tokens": tokens},
    )
""",
    ),
    Example(
        "typescript",
        """
import { Worker } from "bullmq";
import { BatchMeterUsageCommand, MarketplaceMeteringClient } from "@aws-sdk/client-marketplace-metering";

export const worker = new Worker("usage", async (job) => {
  const answer = await client.send(new BatchMeterUsageCommand({
    LicenseArn: licenseArn,
    UsageRecords: [
      { CustomerAWSAccountId: job.data.account, Dimension: "t", Quantity: job.data.n, Timestamp: new Date() },  // <- finding
    ],
  }));
  const refused = answer.Results?.some((one) => one.Status !== "Success");
  if (answer.UnprocessedRecords?.length || refused) throw new Error("not taken");
});
""",
    ),
    Example(
        "typescript",
        """
import { Worker } from "bullmq";
import { BatchMeterUsageCommand, MarketplaceMeteringClient } from "@aws-sdk/client-marketplace-metering";

export const worker = new Worker("usage", async (job) => {
  const answer = await client.send(new BatchMeterUsageCommand({
    LicenseArn: licenseArn,
    UsageRecords: [
      { CustomerAWSAccountId: job.data.account, Dimension: "t", Quantity: job.data.n, Timestamp: new Date(job.data.hour) },
    ],
  }));
  const refused = answer.Results?.some((one) => one.Status !== "Success");
  if (answer.UnprocessedRecords?.length || refused) throw new Error("not taken");
});
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/flexprice/go-sdk"

func (s *Service) Report(ctx context.Context, usage Usage) error {
	_, err := s.client.Events.IngestEvent(ctx, flexprice.EventRequest{  // <- finding
		EventID:            usage.ID,
		EventName:          "tokens",
		ExternalCustomerID: usage.CustomerID,
	})
	return err
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/flexprice/go-sdk"

func (s *Service) Report(ctx context.Context, usage Usage) error {
	_, err := s.client.Events.IngestEvent(ctx, flexprice.EventRequest{
		EventID:            usage.ID,
		EventName:          "tokens",
		ExternalCustomerID: usage.CustomerID,
		Timestamp:          usage.OccurredAt.Format(time.RFC3339),
	})
	return err
}
""",
    ),
)
