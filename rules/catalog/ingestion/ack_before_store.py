"""A message is acknowledged, committed, deleted or popped before its usage is written.

If the process stops or the write fails in between, the queue has forgotten the message and nobody has its usage: it is lost
for good. Write first and acknowledge after; a message that then arrives twice is caught by its idempotency key.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.contexts import Context
from rules.facts import Argument, Call, Handler, Kind, Literal, Start, enclosing, fold
from rules.flow import precedes
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.writes import UsageWrite, usage_writes

ABOUT = About(
    id="MTR-109",
    title="Message is acknowledged before its usage is stored",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("E8",),
    cwe=("CWE-696",),
    iso_25010="Reliability / recoverability",
)
ACKS = frozenset(
    "ack basicack acknowledge deletemessage deletemessagebatch commitoffsets commitoffset markmessage markoffset storeoffset "
    "storeoffsets commitmessages commitmessage complete completemessage xack deletemsg".split()
)
QUEUE_ONLY = frozenset("complete".split())
"""Words that say acknowledge only of a message."""
POPS = frozenset("lpop rpop blpop brpop spop zpopmin zpopmax getdel lpopcount".split())
COMMANDS = frozenset("deletemessagecommand deletemessagebatchcommand".split())
FLAGS = {"autoack": True, "noack": True, "autocommit": True}
CONSUMES = frozenset("consume basicconsume channelconsume subscribe qconsume".split())


def check(code: Code) -> Iterator[Finding]:
    writes = [write for write in usage_writes(code) if code.context(write.scope) is not Context.TEST]
    if not writes:
        return
    for call in code.facts.calls:
        if (flag := automatic(call)) is not None:
            yield automatically(code, call, flag)
        elif acknowledges(call):
            after = first_after(code, call, writes)
            if after is not None and not written_before(code, call, writes):
                yield too_early(call, after)


def acknowledges(call: Call) -> bool:
    last = fold(call.method)
    if call.start is Start.DEFERRED or enclosing(call.scope, Kind.HANDLER):
        return False
    if last in COMMANDS or last in POPS:
        return "." in call.name or last in COMMANDS
    return last in ACKS and "." in call.name and (last not in QUEUE_ONLY or "mess" in call.folded)


def first_after(code: Code, ack: Call, writes: list[UsageWrite]) -> UsageWrite | None:
    return next((write for write in writes if precedes(code, ack.span, ack.scope, write.span, write.scope)), None)


def written_before(code: Code, ack: Call, writes: list[UsageWrite]) -> bool:
    """A write before the acknowledgement: the later one is another matter."""
    return any(precedes(code, write.span, write.scope, ack.span, ack.scope) for write in writes)


def automatic(call: Call) -> Argument | None:
    """`auto_ack=True` and `noAck: true`: the broker forgets the message as it hands it over."""
    if fold(call.method) not in CONSUMES:
        return None
    for argument in call.arguments:
        value = argument.value
        if argument.name is not None and fold(argument.name) in FLAGS and isinstance(value, Literal) and value.value is True:
            return argument
        for entry in getattr(value, "entries", ()):
            flagged = entry.name is not None and fold(entry.name) in FLAGS
            if flagged and isinstance(entry.value, Literal) and entry.value.value is True:
                return Argument(entry.value.span, entry.name, entry.value)
    return None


def automatically(code: Code, call: Call, flag: Argument) -> Finding:
    value = flag.value.span
    off = "False" if code.facts.language == "python" else "false"
    return Finding(
        span=call.span,
        description="The broker forgets each message as it hands it over, so usage in work at a crash or failure is lost.",
        remediation=f"Set `{flag.name}` to `{off}` and acknowledge each message after its usage is stored.",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "Acknowledge by hand; add the acknowledgement after the write", (Edit(value.start, value.end, off),), safe=False
        ),
    )


def too_early(ack: Call, write: UsageWrite) -> Finding:
    popped = fold(ack.method) in POPS
    what = "taken off the queue" if popped else "acknowledged"
    return Finding(
        span=ack.span,
        cause=ack.span,
        description=f"The message is {what} before {write.title}: if that fails or the process stops, its usage is lost.",
        remediation=(
            "Move it to a processing list and remove it after the write." if popped else "Acknowledge after the write."
        ),
        confidence=Confidence.CERTAIN if write.certain and not isinstance(ack.scope.head, Handler) else Confidence.LIKELY,
        trace=(Step(write.span, "the usage is written here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
def on_usage_message(channel, method, properties, body):
    channel.basic_ack(delivery_tag=method.delivery_tag)  # <- finding
    event = parse(body)
    UsageEvent.objects.create(key=event["id"], customer=event["customer"], quantity=event["quantity"])

def start(channel):
    channel.basic_consume(queue="usage", on_message_callback=on_usage_message, auto_ack=True)  # <- finding
""",
    ),
    Example(
        "python",
        """
def on_usage_message(channel, method, properties, body):
    event = parse(body)
    if event is None:
        channel.basic_ack(delivery_tag=method.delivery_tag)
        return
    UsageEvent.objects.create(key=event["id"], customer=event["customer"], quantity=event["quantity"])
    channel.basic_ack(delivery_tag=method.delivery_tag)
""",
    ),
    Example(
        "typescript",
        """
export async function drain(redis: Redis, prisma: PrismaClient) {
  const raw = await redis.lpop("usage:pending");  // <- finding
  if (!raw) return;
  const event = JSON.parse(raw);
  await prisma.usageEvent.create({ data: event });
}
""",
    ),
    Example(
        "typescript",
        """
export async function onMessage(message: Message, channel: Channel, prisma: PrismaClient) {
  const event = JSON.parse(message.content.toString());
  await prisma.usageEvent.create({ data: event });
  channel.ack(message);
}
""",
    ),
    Example(
        "go",
        """
package usage

func consume(ctx context.Context, session sarama.ConsumerGroupSession, msg *sarama.ConsumerMessage, store *Store) error {
	session.MarkMessage(msg, "")  // <- finding
	event := decode(msg.Value)
	return store.InsertUsageEvent(ctx, event)
}
""",
    ),
    Example(
        "go",
        """
package usage

func consume(ctx context.Context, session sarama.ConsumerGroupSession, msg *sarama.ConsumerMessage, store *Store) error {
	event := decode(msg.Value)
	if err := store.InsertUsageEvent(ctx, event); err != nil {
		return err
	}
	session.MarkMessage(msg, "")
	return nil
}
""",
    ),
)
