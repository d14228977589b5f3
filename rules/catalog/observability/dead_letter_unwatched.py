"""A dead-letter queue for usage is set up and nothing watches it.

What cannot be delivered ends there, and after the retention it is gone: the usage is never billed, and nobody is told. Put an
alarm on the queue's depth, and have a way to send its messages again, with the keys that they had.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Object, Scope, Span, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-602",
    title="DLQ configured without alarm, redrive or consumer",
    severity=Severity.MEDIUM,
    classification=Classification.SUGGESTION,
    classes=("O4",),
    cwe=("CWE-391",),
    iso_25010="Reliability / recoverability",
)
SETTINGS = frozenset(
    "deadletterqueue redrivepolicy deadlettertargetarn deadletterpolicy xdeadletterexchange deadletterconfig".split()
)
WATCHED = re.compile(
    r"alarm|alert|monitor|pagerduty|opsgenie|slack|sentry|start_?message_?move|redrive_?allow|reprocess|replay|"
    r"process_?dead|consume_?dead|dlq_?(?:consumer|worker|handler|processor|depth)|metric",
    re.I,
)
ALARMS = re.compile(r"alarm|alert", re.I)
USAGE = frozenset("usage metering billing billable overage".split())
POLICY = re.compile(r"redrive_?policy|dead_?letter", re.I)


def check(code: Code) -> Iterator[Finding]:
    """At most one finding for a file."""
    source = code.facts.source.decode(errors="replace")
    if not POLICY.search(source):
        return
    for span, scope, near in policies(code):
        if code.context(scope) is Context.TEST or not USAGE & set(words(near)):
            continue
        others = elsewhere_watched(code, source)
        if others is None:
            return
        yield Finding(
            span=span,
            description="What cannot be delivered goes to a dead-letter queue that nothing here watches, and is never billed.",
            remediation="Put an alarm on the number of its messages, and have a way to send them again.",
            confidence=Confidence.LIKELY if others else Confidence.POSSIBLE,
        )
        return


def policies(code: Code) -> Iterator[tuple[Span, Scope, str]]:
    """Where a queue is given its dead-letter queue, with the text around it."""
    for call in code.facts.calls:
        for argument in call.arguments:
            named = argument.name is not None and fold(argument.name) in SETTINGS
            if named or any(sets(part) for part in walk(argument.value)):
                yield call.span, call.scope, code.facts.text(call.span) + " " + code.facts.path
                break
    for whole, scope in code.expressions:
        if any(sets(part) for part in walk(whole)) and not isinstance(whole, Call):
            yield whole.span, scope, code.facts.text(whole.span) + " " + code.facts.path


def sets(part: Expression) -> bool:
    return isinstance(part, Object) and any(fold(entry.name or "").replace(".", "") in SETTINGS for entry in part.entries)


def elsewhere_watched(code: Code, source: str) -> bool | None:
    """None where the dead letters are watched; else whether this file sets up alarms for other things."""
    lines = source.split("\n")
    dead = [line for line in lines if re.search(r"dlq|dead_?letter", line, re.I)]
    if any(WATCHED.search(line) for line in dead):
        return None
    near = any(
        ALARMS.search(line) and any(re.search(r"dlq|dead", other, re.I) for other in lines[max(0, at - 3) : at + 6])
        for at, line in enumerate(lines)
    )
    if near:
        return None
    return any(re.search(r"new\s+[\w.]*Alarm\(|put_metric_alarm|PutMetricAlarm|\bAlarm\(", line) for line in lines)


EXAMPLES = (
    Example(
        "python",
        """
from aws_cdk import aws_sqs as sqs

class Metering(Stack):
    def __init__(self, scope):
        dead = sqs.Queue(self, "UsageDead")
        sqs.Queue(self, "UsageEvents", dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5))  # <- finding
""",
    ),
    Example(
        "python",
        """
from aws_cdk import aws_cloudwatch as cloudwatch, aws_sqs as sqs

class Metering(Stack):
    def __init__(self, scope):
        dead = sqs.Queue(self, "UsageDead")
        sqs.Queue(self, "UsageEvents", dead_letter_queue=sqs.DeadLetterQueue(queue=dead, max_receive_count=5))
        cloudwatch.Alarm(self, "UsageDeadAlarm", metric=dead.metric_approximate_number_of_messages_visible(), threshold=1)
""",
    ),
    Example(
        "typescript",
        """
import * as sqs from "aws-cdk-lib/aws-sqs";

const failed = new sqs.Queue(stack, "FailedUsage");
export const usage = new sqs.Queue(stack, "UsageEvents", {  // <- finding
  deadLetterQueue: { queue: failed, maxReceiveCount: 5 },
});
""",
    ),
    Example(
        "typescript",
        """
import * as sqs from "aws-cdk-lib/aws-sqs";

const dlq = new sqs.Queue(stack, "FailedUsage");
export const usage = new sqs.Queue(stack, "UsageEvents", {
  deadLetterQueue: { queue: dlq, maxReceiveCount: 5 },
});
dlq.metricApproximateNumberOfMessagesVisible().createAlarm(stack, "DlqAlarm", { threshold: 1, evaluationPeriods: 1 });
""",
    ),
    Example(
        "go",
        """
package billing

func CreateUsageQueue(ctx context.Context, client *sqs.Client, dead string) error {
	_, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{  // <- finding
		QueueName:  aws.String("usage-events"),
		Attributes: map[string]string{"RedrivePolicy": dead},
	})
	return err
}
""",
    ),
    Example(
        "go",
        """
package billing

func CreateUsageQueue(ctx context.Context, client *sqs.Client, dead string) error {
	_, err := client.CreateQueue(ctx, &sqs.CreateQueueInput{
		QueueName:  aws.String("usage-events"),
		Attributes: map[string]string{"RedrivePolicy": dead},
	})
	if err != nil {
		return err
	}
	return alarmOnDeadLetters(ctx, dead)
}
""",
    ),
)
