"""The provider answers that it has a record already, and the code takes that for success without comparing the quantities.

AWS and Azure know a record by customer, dimension and hour, not by how much was used: the answer comes as well when another
run, or the same hour summed again, sends a different quantity, and the difference is never billed. Compare the recorded
quantity with yours, or store the hour's sum before the first attempt. The opposite is wrong too: where a provider refuses a
repeated key, code that retries and knows no such answer takes success for failure and tries or alarms for ever.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Compare,
    Expression,
    Handler,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    Test,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.origins import Kinds
from rules.meaning.repeats.retries import retried
from rules.meaning.usage.emissions import Emission
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-211",
    title="AWS/Azure duplicate answer ignored without comparing the quantity",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E9", "D3"),
    cwe=("CWE-394",),
    iso_25010="Functional suitability / functional correctness",
    gives_way_to=("retry-without-stable-key", "missing-idempotency-key", "unstable-key-random"),
    variants={
        "duplicate-treated-as-error": Variant(
            "Provider's 'already recorded' answer leads to retry or alarm loop", Severity.MEDIUM, ("D1", "E5"), cwe=("CWE-754",)
        ),
    },
)
BY_HOUR = frozenset({"aws_marketplace", "azure_marketplace"})
"""Providers for which a repeat is one of customer, dimension and hour, whatever the quantity."""
QUANTITIES = frozenset("quantity usagequantity amount units total".split())
KNOWS = ("duplicate", "already", "conflict", "409", "422")


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        key = emission.record.key if emission.record else None
        if key is None or code.context(emission.scope) in (Context.TEST, Context.BROWSER) or emission.provider is None:
            continue
        if emission.provider.id in BY_HOUR and key.duplicate_signals:
            yield from benign(code, emission, key.duplicate_signals)
        elif key.on_duplicate == "refused" and key.names:
            yield from fatal(code, emission, (*key.names, *key.option_names))


def benign(code: Code, emission: Emission, signals: tuple[str, ...]) -> Iterator[Finding]:
    """The answer is named, and what follows is what follows on success."""
    function = enclosing(emission.scope, Kind.FUNCTION)
    if function is None or frozen(code, emission) or compares_quantities(code, function):
        return
    for test in code.facts.tests:
        named = within(test.scope, function) and names_signal(test.value, signals)
        if named and not (raises_then(code, test) and not negated(test.value, signals)):
            yield passed(code, test.span, emission)
            return
    for scope in code.facts.scopes:
        head = scope.head
        caught = head.catches if isinstance(head, Handler) and within(scope, function) else ()
        if any(fold(kind).rsplit(".", 1)[-1] in signals for kind in caught) and not raises_in(code, scope):
            yield passed(code, scope.span, emission)
            return


def names_signal(value: Expression, signals: tuple[str, ...]) -> bool:
    return any(
        fold(text).endswith(signal) if not signal.isdigit() else text == signal for text in spoken(value) for signal in signals
    )


def spoken(value: Expression) -> Iterator[str]:
    for part in walk(value):
        if isinstance(part, Literal):
            yield str(part.value)
        elif isinstance(part, Member | Call):
            yield part.name.rsplit(".", 1)[-1]
        elif isinstance(part, Name):
            yield part.text


def negated(value: Expression, signals: tuple[str, ...]) -> bool:
    """`status != "Success" and status != "DuplicateRecord"`: what the branch does is done to the others."""
    return any(
        isinstance(part, Compare) and part.operator in ("!=", "not in") and names_signal(part, signals) for part in walk(value)
    )


def raises_then(code: Code, test: Test) -> bool:
    return test.then is not None and raises_in(code, test.then)


def raises_in(code: Code, scope: Scope) -> bool:
    if any(within(one.scope, scope) for one in code.facts.raises):
        return True
    return any(
        within(one.scope, scope) and any(isinstance(part, Name) and "err" in fold(part.text) for part in walk(one.value))
        for one in code.facts.returns
        if one.value is not None
    )


def compares_quantities(code: Code, function: Scope) -> bool:
    """Whether the function compares what was recorded with what it sent."""
    for test in code.facts.tests:
        if within(test.scope, function):
            for part in walk(test.value):
                if isinstance(part, Compare) and all(
                    QUANTITIES & {fold(t) for t in spoken(side)} for side in (part.left, part.right)
                ):
                    return True
    return any({"compare", "reconcile", "verify"} & set(words(call.method)) for call in code.calls_in(function))


def frozen(code: Code, emission: Emission) -> bool:
    """Whether the quantity was stored before: then a repeat sends the same."""
    names = emission.record.quantity.names if emission.record and emission.record.quantity else ("quantity",)
    for event in emission.events:
        value = event.first(names)
        if value is None:
            return True
        origins = code.origins(value, emission.scope, emission.call.span.start)
        if any(one.kind is Kinds.STORED and not isinstance(one.expression, Name) for one in origins):
            return True
    return False


def passed(code: Code, span: Span, emission: Emission) -> Finding:
    name = emission.provider.name if emission.provider else "The provider"
    return Finding(
        span=span,
        cause=span,
        description=(
            f"{name}'s answer that the record exists passes for success here, and the quantity is not compared: if an earlier "
            "attempt sent another sum for this hour, the difference is never billed."
        ),
        remediation="Compare the recorded quantity with this one, or store the hour's sum before the first attempt.",
        confidence=Confidence.LIKELY if code.context(emission.scope) in REDELIVERED else Confidence.POSSIBLE,
    )


def fatal(code: Code, emission: Emission, names: tuple[str, ...]) -> Iterator[Finding]:
    """A stable key, a retry, and nobody who knows the answer that the key is taken."""
    again = retried(code, emission.scope)
    if again is None and code.context(emission.scope) not in REDELIVERED:
        return
    keys = [found for one in (*emission.events, emission.given) if (found := one.first(names)) is not None]
    if not keys or any(one.kind in (Kinds.CLOCK, Kinds.RANDOM) for key in keys for one in code.origins(key, emission.scope)):
        return
    if any(word in code.facts.source.decode(errors="replace").lower() for word in KNOWS):
        return
    provider = emission.provider.name if emission.provider else "The provider"
    yield Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=(
            f"{provider} refuses a repeated key, and this is run again after a failure: when the first attempt did arrive, "
            "every further one fails, and work that is done is retried or reported as failed."
        ),
        remediation="Take the answer that the key is known already for success.",
        confidence=Confidence.LIKELY if again is not None else Confidence.POSSIBLE,
        variant="duplicate-treated-as-error",
    )


EXAMPLES = (
    Example(
        "python",
        """
import boto3

metering = boto3.client("meteringmarketplace")

def report_hour(db, account, hour):
    quantity = sum_usage(db, account, hour)
    record = {"CustomerAWSAccountId": account, "Dimension": "tokens", "Timestamp": hour, "Quantity": quantity}
    answer = metering.batch_meter_usage(LicenseArn=LICENSE, UsageRecords=[record])
    for result in answer["Results"]:
        if result["Status"] not in ("Success", "DuplicateRecord"):  # <- finding
            raise UsageRefusedError(result)
    if answer["UnprocessedRecords"]:
        raise UsageRefusedError(answer["UnprocessedRecords"])
""",
    ),
    Example(
        "python",
        """
from autumn import Autumn
from tenacity import retry, stop_after_attempt

@retry(stop=stop_after_attempt(5))
def report(autumn, customer_id, usage_id, tokens):
    autumn.track(customer_id=customer_id, feature_id="tokens", value=tokens, idempotency_key=usage_id)  # <- finding
""",
    ),
    Example(
        "python",
        """
import boto3

metering = boto3.client("meteringmarketplace")

def report_hour(db, account, hour):
    quantity = sum_usage(db, account, hour)
    record = {"CustomerAWSAccountId": account, "Dimension": "tokens", "Timestamp": hour, "Quantity": quantity}
    answer = metering.batch_meter_usage(LicenseArn=LICENSE, UsageRecords=[record])
    for result in answer["Results"]:
        recorded = result["UsageRecord"]["Quantity"]
        if result["Status"] == "DuplicateRecord" and recorded.quantity != quantity:
            raise UsageRefusedError(result)
    if answer["UnprocessedRecords"]:
        raise UsageRefusedError(answer["UnprocessedRecords"])

def send_stored(row):
    record = {"CustomerAWSAccountId": row.account, "Dimension": "tokens", "Timestamp": row.hour, "Quantity": row.quantity}
    answer = metering.batch_meter_usage(LicenseArn=LICENSE, UsageRecords=[record])
    for result in answer["Results"]:
        if result["Status"] not in ("Success", "DuplicateRecord"):
            raise UsageRefusedError(result)
    if answer["UnprocessedRecords"]:
        raise UsageRefusedError(answer["UnprocessedRecords"])
""",
    ),
    Example(
        "typescript",
        """
import { BatchMeterUsageCommand, MarketplaceMeteringClient } from "@aws-sdk/client-marketplace-metering";

export async function reportHour(account: string, hour: Date) {
  const quantity = await sumUsage(account, hour);
  const record = { CustomerAWSAccountId: account, Dimension: "tokens", Timestamp: hour, Quantity: quantity };
  const answer = await client.send(new BatchMeterUsageCommand({ LicenseArn: license, UsageRecords: [record] }));
  for (const result of answer.Results ?? []) {
    if (result.Status === "Success" || result.Status === "DuplicateRecord") continue;  // <- finding
    throw new Error("refused");
  }
  if (answer.UnprocessedRecords?.length) throw new Error("not taken");
}
""",
    ),
    Example(
        "typescript",
        """
import { BatchMeterUsageCommand, MarketplaceMeteringClient } from "@aws-sdk/client-marketplace-metering";

export async function reportHour(account: string, hour: Date) {
  const quantity = await sumUsage(account, hour);
  const record = { CustomerAWSAccountId: account, Dimension: "tokens", Timestamp: hour, Quantity: quantity };
  const answer = await client.send(new BatchMeterUsageCommand({ LicenseArn: license, UsageRecords: [record] }));
  for (const result of answer.Results ?? []) {
    if (result.Status === "Success") continue;
    if (result.Status === "DuplicateRecord" && result.UsageRecord?.Quantity === quantity) continue;
    throw new Error("refused");
  }
  if (answer.UnprocessedRecords?.length) throw new Error("not taken");
}
""",
    ),
    Example(
        "go",
        """
package billing

import (
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering/types"
)

func (s *Service) ReportHour(ctx context.Context, account string, hour time.Time) error {
	quantity, err := s.store.SumUsage(ctx, account, hour)
	if err != nil {
		return err
	}
	answer, err := s.client.BatchMeterUsage(ctx, &marketplacemetering.BatchMeterUsageInput{
		LicenseArn: s.license,
		UsageRecords: []types.UsageRecord{
			{CustomerAWSAccountId: &account, Dimension: &s.dimension, Timestamp: &hour, Quantity: &quantity},
		},
	})
	if err != nil {
		return err
	}
	for _, result := range answer.Results {
		if result.Status == types.UsageRecordResultStatusDuplicateRecord {  // <- finding
			continue
		}
		if result.Status != types.UsageRecordResultStatusSuccess {
			return errRefused
		}
	}
	if len(answer.UnprocessedRecords) > 0 {
		return errRefused
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package billing

import (
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"
	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering/types"
)

func (s *Service) ReportHour(ctx context.Context, account string, hour time.Time) error {
	quantity, err := s.store.SumUsage(ctx, account, hour)
	if err != nil {
		return err
	}
	answer, err := s.client.BatchMeterUsage(ctx, &marketplacemetering.BatchMeterUsageInput{
		LicenseArn: s.license,
		UsageRecords: []types.UsageRecord{
			{CustomerAWSAccountId: &account, Dimension: &s.dimension, Timestamp: &hour, Quantity: &quantity},
		},
	})
	if err != nil {
		return err
	}
	for _, result := range answer.Results {
		same := *result.UsageRecord.Quantity == quantity
		if result.Status == types.UsageRecordResultStatusDuplicateRecord && !same {
			return errRefused
		}
	}
	if len(answer.UnprocessedRecords) > 0 {
		return errRefused
	}
	return nil
}
""",
    ),
)
