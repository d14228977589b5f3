"""A batch of usage is sent and the part of the answer that names the refused items is never looked at.

Such calls succeed as a whole while single records failed, because of a throttle, a closed subscription or a bad field. Code
that only waits for the call to return takes those records for delivered, and they are never billed. Read the list of failed
items, send those again, and raise when some remain.
"""

from collections.abc import Iterator

from rules import providers
from rules.code import Code
from rules.facts import Call, Function, Kind, Lambda, Name, Scope, Start, Use, chain, enclosing, fold, within
from rules.meaning import wording
from rules.meaning.answers import Answer, answer_of, mentions_field
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.usage.emissions import sender, sent, shown
from rules.meaning.usage.writes import INSERTS, failing_writes
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-104",
    title="Batch emission answers 200 with failed items and the response is ignored",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("E9",),
    cwe=("CWE-252", "CWE-394"),
    iso_25010="Reliability / fault tolerance; Functional suitability / functional correctness",
    variants={
        "aws-only-unprocessed": Variant(
            "BatchMeterUsage: only UnprocessedRecords is looked at, Results[].Status is not",
            Severity.HIGH,
            ("E9",),
            cwe=("CWE-394",),
        )
    },
    unprompted=True,
)
SPEAKS = frozenset("usage usages metering metered meter billing billable quota credits consumption ledger".split())


def check(code: Code) -> Iterator[Finding]:
    for call, record, end in batches(code):
        if code.context(call.scope) is not Context.TEST and (said := judged(code, call, record, end)) is not None:
            yield said
    yield from undeleted(code)
    yield from settled(code)


def batches(code: Code) -> Iterator[tuple[Call, providers.Call, Call]]:
    """Each batch call with the call whose value is its answer. Queue and stream batches count where usage is in them."""
    outer = code.outer
    for emission in code.emissions:
        if emission.record is not None and emission.record.partial_failure:
            yield emission.call, emission.record, emission.sent
    for call in code.facts.calls:
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is None or matched[1].role != "transport_batch" or not carries_usage(code, call):
            continue
        if "delete" in call.folded or "visibility" in call.folded:
            continue
        command = matched[1].returns == "command"
        yield call, matched[1], sender(code.facts, call, outer) if command else sent(call, outer)


def undeleted(code: Code) -> Iterator[Finding]:
    """A batch of messages is deleted from the queue; those whose deletion failed arrive, and count, again."""
    if not code.billing:
        return
    outer = code.outer
    for call in code.facts.calls:
        if "deletemessagebatch" not in call.folded or code.context(call.scope) is Context.TEST:
            continue
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is None or matched[1].role != "transport_batch":
            continue
        end = sender(code.facts, call, outer) if matched[1].returns == "command" else sent(call, outer)
        if answer_of(code, end).dropped:
            yield Finding(
                span=call.span,
                cause=call.span,
                description=f"{matched[1].title} can succeed while single messages stay queued: those are worked on twice.",
                remediation="Read `Failed` of the answer and delete those again, and recognise a message that comes twice.",
                confidence=Confidence.LIKELY,
            )


def carries_usage(code: Code, call: Call) -> bool:
    """Whether the queue, the stream or the function is one of usage: by the names around the call and in it."""
    said = set(words(code.facts.text(call.span)))
    for scope in chain(call.scope):
        if isinstance(scope.head, Function):
            said |= set(words(scope.head.name))
    return bool(said & SPEAKS) or bool(set(words(code.facts.path)) & SPEAKS)


def judged(code: Code, call: Call, record: providers.Call, end: Call) -> Finding | None:
    answer = answer_of(code, end)
    fields = tuple(field.split(".")[0] for field in record.partial_failure)
    if answer.dropped:
        return unread(code, call, record, Confidence.CERTAIN)
    if not mentions_field(code, tuple(field.split(".")[-1] for field in record.partial_failure) + fields):
        return unread(code, call, record, Confidence.POSSIBLE if answer.passed_on else Confidence.LIKELY)
    return only_unprocessed(code, call, record, answer)


def unread(code: Code, call: Call, record: providers.Call, confidence: Confidence) -> Finding:
    fields = " or ".join(f"`{wording.cased(field, record.help)}`" for field in record.partial_failure)
    fail = code.facts.idioms.fail
    return Finding(
        span=call.span,
        cause=call.span,
        description=f"{record.title} can succeed while single items are refused; nothing reads {fields}, so those are lost.",
        remediation=f"Read the failed items of the answer, send them again, and {fail} when some remain.",
        confidence=confidence,
    )


def only_unprocessed(code: Code, call: Call, record: providers.Call, answer: Answer) -> Finding | None:
    """AWS reports a duplicate or a customer without a subscription in the results, not among the unprocessed."""
    if record.partial_failure[:1] != ("unprocessedrecords",) or answer.passed_on:
        return None
    if mentions_field(code, ("results",)) or not mentions_field(code, ("unprocessedrecords",)):
        return None
    return Finding(
        span=call.span,
        cause=call.span,
        description=(
            "Only `UnprocessedRecords` is looked at: a record in `Results` with status `CustomerNotSubscribed` or "
            "`DuplicateRecord` was not billed either."
        ),
        remediation="Go through `Results` as well and treat every `Status` but `Success` as not delivered.",
        confidence=Confidence.LIKELY,
        variant="aws-only-unprocessed",
    )


def settled(code: Code) -> Iterator[Finding]:
    """`await Promise.allSettled(rows.map(send))` as a statement, and `Promise.all` over items that only answer a status."""
    for call in code.facts.calls:
        if call.use is not Use.DISCARDED or call.start is not Start.AWAITED or not call.arguments:
            continue
        kind = ".".join(call.folded.split(".")[-2:])
        kept = kind == "asyncio.gather" and any(fold(one.name or "") == "returnexceptions" for one in call.arguments)
        if kind not in ("promise.allsettled", "promise.all") and not kept:
            continue
        body = each_item(code, call)
        if body is None or code.context(call.scope) is Context.TEST or not writes_usage(code, body):
            continue
        if kind == "promise.all" and not answers_status(code, body):
            continue
        yield Finding(
            span=call.span,
            cause=call.span,
            description=f"Nothing reads the results of `{shown(call)}`: items whose usage write failed are lost unseen.",
            remediation=f"Collect the items that failed, and send them again or {code.facts.idioms.fail}.",
            confidence=Confidence.LIKELY,
        )


def each_item(code: Code, call: Call) -> Scope | None:
    """The function that runs for each item of the list, also where the list is a variable."""
    value = resolved(code.values, call.arguments[0].value, call.scope, call.span.start)
    if isinstance(value, Call) and fold(value.method) in ("map", "flatmap"):
        made = next((argument.value for argument in value.arguments), None)
        if isinstance(made, Lambda):
            return made.scope
        if isinstance(made, Name):
            return next(iter(code.values.functions.get(made.text, ())), None)
    return None


def writes_usage(code: Code, body: Scope) -> bool:
    if any(within(write.scope, body) for write in failing_writes(code)):
        return True
    about = {*words(code.facts.path), *words(code.function_name(body))}
    inserts = any(fold(call.method) in INSERTS and "event" in call.folded for call in code.calls_in(body))
    return inserts and code.billing and bool(about & {*SPEAKS, "balances", "events"})


def answers_status(code: Code, body: Scope) -> bool:
    """Whether a failure inside becomes a value, `{ success: false }`, which the list then holds."""
    for call in code.calls_in(body):
        if enclosing(call.scope, Kind.FUNCTION) is body:
            for handler in handlers_of(code, call, call):
                if within(handler, body) and outcome(code.facts, handler) is Outcome.STATUS:
                    return True
    return False


EXAMPLES = (
    Example(
        "python",
        """
import boto3

client = boto3.client("meteringmarketplace")

def report(records):
    client.batch_meter_usage(ProductCode="p", UsageRecords=records)  # <- finding

def report_loosely(records):
    response = client.batch_meter_usage(ProductCode="p", UsageRecords=records)  # <- finding
    print("sent", response["ResponseMetadata"])
""",
    ),
    Example(
        "python",
        """
import boto3

client = boto3.client("meteringmarketplace")

def report(records):
    response = client.batch_meter_usage(ProductCode="p", UsageRecords=records)
    refused = [one["UsageRecord"] for one in response["Results"] if one["Status"] != "Success"]
    left = [*response["UnprocessedRecords"], *refused]
    if left:
        raise RuntimeError(f"{len(left)} records were not taken")
""",
    ),
    Example(
        "python",
        """
import boto3

client = boto3.client("meteringmarketplace")

def report(records):
    response = client.batch_meter_usage(ProductCode="p", UsageRecords=records)  # <- finding
    if response["UnprocessedRecords"]:
        raise RuntimeError("not all records were taken")
""",
    ),
    Example(
        "typescript",
        """
import { MarketplaceMeteringClient, BatchMeterUsageCommand } from "@aws-sdk/client-marketplace-metering";

const client = new MarketplaceMeteringClient({});

export async function report(records: UsageRecord[]) {
  await client.send(new BatchMeterUsageCommand({ ProductCode: "p", UsageRecords: records }));  // <- finding
}

export async function reportAll(rows: Row[]) {
  await Promise.allSettled(rows.map((row) => recordUsage(row.customer, row.tokens)));  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
import { MarketplaceMeteringClient, BatchMeterUsageCommand } from "@aws-sdk/client-marketplace-metering";

const client = new MarketplaceMeteringClient({});

export async function report(records: UsageRecord[], retry: Queue) {
  const answer = await client.send(new BatchMeterUsageCommand({ ProductCode: "p", UsageRecords: records }));
  const refused = (answer.Results ?? []).filter((result) => result.Status !== "Success");
  const left = [...(answer.UnprocessedRecords ?? []), ...refused.map((result) => result.UsageRecord)];
  if (left.length > 0) await retry.add("usage-retry", left);
}

export async function reportAll(rows: Row[]) {
  const results = await Promise.allSettled(rows.map((row) => recordUsage(row.customer, row.tokens)));
  const failed = results.filter((result) => result.status === "rejected");
  if (failed.length > 0) throw new Error(`${failed.length} rows were not recorded`);
  await Promise.allSettled(rows.map((row) => sendMail(row.customer)));
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"
)

func report(ctx context.Context, client *marketplacemetering.Client, input *marketplacemetering.BatchMeterUsageInput) error {
	_, err := client.BatchMeterUsage(ctx, input)  // <- finding
	return err
}

type reporter struct {
	client *marketplacemetering.Client
}

func (r *reporter) report(ctx context.Context, input *marketplacemetering.BatchMeterUsageInput) error {
	out, err := r.client.BatchMeterUsage(ctx, input)  // <- finding
	if err != nil {
		return err
	}
	log.Printf("sent %v", out)
	return nil
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"
	"fmt"

	"github.com/aws/aws-sdk-go-v2/service/marketplacemetering"
)

func report(ctx context.Context, client *marketplacemetering.Client, input *marketplacemetering.BatchMeterUsageInput) error {
	out, err := client.BatchMeterUsage(ctx, input)
	if err != nil {
		return err
	}
	for _, result := range out.Results {
		if result.Status != "Success" {
			return fmt.Errorf("record refused: %v", result.Status)
		}
	}
	if len(out.UnprocessedRecords) > 0 {
		return fmt.Errorf("%d records were not taken", len(out.UnprocessedRecords))
	}
	return nil
}
""",
    ),
    Example(
        "typescript",
        """
import { DeleteMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { applyUsage } from "../billing/apply";

export async function work(sqs: SQSClient, queueUrl: string, messages: Message[]) {
  await Promise.all(messages.map((message) => applyUsage(message.MessageId, JSON.parse(message.Body))));
  await sqs.send(
    new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: messages.map(entry) }),  // <- finding
  );
}
""",
    ),
    Example(
        "typescript",
        """
import { DeleteMessageBatchCommand, SQSClient } from "@aws-sdk/client-sqs";
import { applyUsage } from "../billing/apply";

export async function work(sqs: SQSClient, queueUrl: string, messages: Message[]) {
  await Promise.all(messages.map((message) => applyUsage(message.MessageId, JSON.parse(message.Body))));
  const answer = await sqs.send(new DeleteMessageBatchCommand({ QueueUrl: queueUrl, Entries: messages.map(entry) }));
  if (answer.Failed?.length) await deleteOneByOne(sqs, queueUrl, answer.Failed);
}
""",
    ),
    Example(
        "python",
        """
import boto3

sqs = boto3.client("sqs")

def work(queue_url, messages, ledger):
    for message in messages:
        ledger.apply(message["MessageId"], message["Body"], quota=True)
    sqs.delete_message_batch(QueueUrl=queue_url, Entries=[entry(one) for one in messages])  # <- finding
""",
        path="billing/worker.py",
    ),
    Example(
        "python",
        """
import boto3

sqs = boto3.client("sqs")

def work(queue_url, messages, ledger):
    for message in messages:
        ledger.apply(message["MessageId"], message["Body"], quota=True)
    answer = sqs.delete_message_batch(QueueUrl=queue_url, Entries=[entry(one) for one in messages])
    for one in answer.get("Failed", []):
        sqs.delete_message(QueueUrl=queue_url, ReceiptHandle=handles[one["Id"]])
""",
        path="billing/worker.py",
    ),
    Example(
        "go",
        """
package billing

import "github.com/aws/aws-sdk-go-v2/service/sqs"

func (w *Worker) finish(ctx context.Context, client *sqs.Client, entries []types.DeleteMessageBatchRequestEntry) error {
	_, err := client.DeleteMessageBatch(ctx, &sqs.DeleteMessageBatchInput{QueueUrl: w.queue, Entries: entries})  // <- finding
	return err
}

func (w *Worker) finishAll(ctx context.Context, client *sqs.Client, billed []Message) error {
	return w.finish(ctx, client, entriesOf(billed))
}
""",
    ),
)
