"""A message is acknowledged, committed, deleted or popped before its usage is written.

If the process stops or the write fails in between, the queue has forgotten the message and nobody has its usage: it is lost
for good. Write first and acknowledge after; a message that then arrives twice is caught by its idempotency key.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Argument, Call, Handler, Kind, Literal, Name, Scope, Start, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes
from rules.meaning.limits.limits import leaves
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.repeats.consumers import auto_commits, early_task, takes_out
from rules.meaning.usage.early_acks import acknowledged_in_buffer
from rules.meaning.usage.emissions import shown
from rules.meaning.usage.writes import UsageWrite, usage_writes
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step, Variant

ABOUT = About(
    id="MTR-109",
    title="Message is acknowledged before its usage is stored",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("E8",),
    cwe=("CWE-696",),
    iso_25010="Reliability / recoverability",
    variants={
        "kafka-autocommit-usage": Variant("Usage consumer relies on automatic commits", Severity.HIGH, ("E8", "D6")),
        "celery-early-ack": Variant("Task that reports usage acknowledges before it runs", Severity.MEDIUM, ("E8",)),
    },
)
ACKS = frozenset(
    "ack basicack acknowledge deletemessage deletemessagebatch commitoffsets commitoffset markmessage markoffset storeoffset "
    "storeoffsets commitmessages commitmessage complete completemessage xack deletemsg".split()
)
QUEUE_ONLY = frozenset("complete".split())
"""Words that say acknowledge only of a message."""
POPS = frozenset("lpop rpop blpop brpop spop zpopmin zpopmax getdel lpopcount".split())
COMMANDS = frozenset("deletemessagecommand deletemessagebatchcommand".split())
DONE = frozenset("taskdone".split())
WRITES = frozenset(
    "record save insert store write add send publish report flush persist create bulk upsert submit process".split()
)
CREDITS = frozenset("increase add grant credit topup recharge increment deduct decrease".split())
BALANCES = frozenset("quota credits credit balance usage".split())
FLAGS = {"autoack": True, "noack": True, "autocommit": True}
USAGE = frozenset("usage meter metering billing credits quota".split())
ANSWERS = frozenset("send sendstatus json end write writestring string status writeheader text".split())
CONSUMES = frozenset("consume basicconsume channelconsume subscribe qconsume".split())


def check(code: Code) -> Iterator[Finding]:
    writes = [write for write in usage_writes(code) if code.context(write.scope) is not Context.TEST]
    yield from in_order(code, writes)
    yield from buffered(code)
    if code.billing:
        yield from whatever_happened(code)
        yield from answered_early(code, writes)
    if writes:
        yield from committed(code)
        yield from started(code, writes)


def in_order(code: Code, writes: list[UsageWrite]) -> Iterator[Finding]:
    for call in code.facts.calls:
        if (flag := automatic(call)) is not None and writes:
            yield automatically(code, call, flag)
        elif acknowledges(call):
            after = first_after(code, call, writes)
            if after is not None and not written_before(code, call, writes):
                yield too_early(call, after)
        elif takes_out(call) and code.context(call.scope) is not Context.TEST:
            passed = passed_on(code, call)
            if passed is not None:
                yield too_early(call, UsageWrite(passed.span, passed.scope, f"`{shown(passed)}`", passed, False))


def passed_on(code: Code, taken: Call) -> Call | None:
    """The later call that writes what was taken out."""
    names = {target.text for target in taken.targets if isinstance(target, Name)}
    for call in code.facts.calls:
        given = any(isinstance(part, Name) and part.text in names for one in call.arguments for part in walk(one.value))
        if given and WRITES & set(words(call.method)) and precedes(code, taken.span, taken.scope, call.span, call.scope):
            return call
    return None


def buffered(code: Code) -> Iterator[Finding]:
    """The queue forgets the message as soon as its event lies in memory."""
    for ack, (added, _, name) in acknowledged_in_buffer(code):
        yield Finding(
            span=ack.span,
            cause=ack.span,
            description=f"`{ack.method}` lets a message go whose event is only in `{name}`: a crash or failed flush loses it.",
            remediation=f"Acknowledge what is in `{name}` after the flush that stored it.",
            confidence=Confidence.LIKELY,
            trace=(Step(added, "so far it is only kept in memory"),),
        )


def whatever_happened(code: Code) -> Iterator[Finding]:
    """`finally: queue.task_done()` behind a send whose failure ends in a log line."""
    for call in code.facts.calls:
        ending = enclosing(call.scope, Kind.FINALLY, Kind.FUNCTION)
        if fold(call.method) not in (DONE | ACKS) - QUEUE_ONLY or ending is None or ending.kind is not Kind.FINALLY:
            continue
        for handler in code.facts.scopes:
            guarded = handler.head.guards if isinstance(handler.head, Handler) else None
            if not isinstance(guarded, Scope) or guarded.parent is not ending.parent or handler.span.start > ending.span.start:
                continue
            sends = next((one for one in code.calls_in(guarded) if WRITES & set(words(one.method))), None)
            if (
                sends is not None
                and outcome(code.facts, handler) is not Outcome.RETHROWN
                and USAGE & set(words(code.facts.path))
            ):
                yield regardless(call, sends)


def answered_early(code: Code, writes: list[UsageWrite]) -> Iterator[Finding]:
    """A webhook that says that all is well before the balance or usage is written: its sender will not come again."""
    for call in code.facts.calls:
        if not says_taken(call) or code.context(call.scope) is not Context.WEBHOOK or enclosing(call.scope, Kind.HANDLER):
            continue
        after = next(
            (one for one in balance_writes(code, writes) if precedes(code, call.span, call.scope, one.span, one.scope)), None
        )
        if after is not None and not in_dead_end(code, call):
            yield Finding(
                span=call.span,
                cause=call.span,
                description=f"The webhook is answered before {after.title}: if that fails, the sender does not come again.",
                remediation="Answer after the write, or store the event first and work on it from there.",
                confidence=Confidence.LIKELY,
                trace=(Step(after.span, "written only here"),),
            )
            return


def says_taken(call: Call) -> bool:
    """`res.sendStatus(200)`, `res.json({received: true})`, `c.Writer.Write("success")`; not an error answer."""
    root = call.folded.split(".")[0]
    if root not in ("res", "response", "reply", "c", "w", "ctx") or fold(call.method) not in ANSWERS:
        return False
    said = " ".join(str(part.value).lower() for one in call.arguments for part in walk(one.value) if isinstance(part, Literal))
    return not any(word in said for word in ("fail", "error", "invalid", "400", "401", "403", "404", "405", "500"))


def in_dead_end(code: Code, call: Call) -> bool:
    branch = enclosing(call.scope, Kind.BRANCH, Kind.FUNCTION)
    return branch is not None and branch.kind is Kind.BRANCH and leaves(code.facts, branch)


def balance_writes(code: Code, writes: list[UsageWrite]) -> Iterator[UsageWrite]:
    yield from (write for write in writes if write.certain)
    for call in code.facts.calls:
        said = words(call.method)
        if said and said[0] in CREDITS and BALANCES & set(said[1:]):
            yield UsageWrite(call.span, call.scope, f"`{shown(call)}`", call, False)


def committed(code: Code) -> Iterator[Finding]:
    for one in auto_commits(code):
        lost = "a message may be committed before its usage is written, and a crash then loses it"
        twice = "a crash between the write and the next poll brings the message again, and it counts twice without a key"
        yield Finding(
            span=one.call.span,
            description=f"This consumer commits by itself: {lost if one.early else twice}.",
            remediation="Turn automatic commits off, and commit after the usage is stored under a key of its own.",
            confidence=Confidence.LIKELY if one.early else Confidence.POSSIBLE,
            variant="kafka-autocommit-usage",
        )


def started(code: Code, writes: list[UsageWrite]) -> Iterator[Finding]:
    reported: set[Scope] = set()
    for write in writes:
        found = early_task(code, write.scope)
        if found is None or found[0] in reported:
            continue
        reported.add(found[0])
        yield Finding(
            span=found[1].span,
            cause=found[1].span,
            description=f"This task is acknowledged before it runs: if the worker is killed, {write.title} never happens.",
            remediation="Set `acks_late=True` and `reject_on_worker_lost=True`, and give the report a stable key.",
            confidence=Confidence.LIKELY if surely_early(code, write) else Confidence.POSSIBLE,
            variant="celery-early-ack",
            trace=(Step(write.span, "the usage is written here"),),
        )


def surely_early(code: Code, write: UsageWrite) -> bool:
    """A report in view, in a file that never speaks of late acknowledgement. A periodic task simply runs again."""
    reported = any(one.call is write.call for one in code.emissions)
    return reported and b"acks_late" not in code.facts.source and code.context(write.scope) is not Context.SCHEDULE


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
    off = code.facts.idioms.false
    return Finding(
        span=call.span,
        description="The broker forgets each message as it hands it over, so usage in work at a crash or failure is lost.",
        remediation=f"Set `{flag.name}` to `{off}` and acknowledge each message after its usage is stored.",
        confidence=Confidence.CERTAIN,
        fix=Fix(
            "Acknowledge by hand; add the acknowledgement after the write", (Edit(value.start, value.end, off),), safe=False
        ),
    )


def regardless(ack: Call, sends: Call) -> Finding:
    return Finding(
        span=ack.span,
        cause=ack.span,
        description=f"`{shown(ack)}` is called even when `{shown(sends)}` failed: the queue forgets usage that was never sent.",
        remediation="Acknowledge only after success, and put the items back or keep them for another attempt after a failure.",
        confidence=Confidence.LIKELY,
        trace=(Step(sends.span, "this can fail"),),
    )


def too_early(ack: Call, write: UsageWrite) -> Finding:
    popped = fold(ack.method) in POPS or takes_out(ack)
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
    Example(
        "python",
        """
from aiokafka import AIOKafkaConsumer
from celery import shared_task

async def consume(store):
    consumer = AIOKafkaConsumer("usage", group_id="metering", bootstrap_servers=BROKERS)  # <- finding
    async for message in consumer:
        await store.insert_usage_event(decode(message.value))

@shared_task  # <- finding
def report(customer, tokens, event_id):
    record_usage(customer, tokens, idempotency_key=event_id)
""",
    ),
    Example(
        "python",
        """
from aiokafka import AIOKafkaConsumer
from celery import shared_task

async def consume(store):
    consumer = AIOKafkaConsumer("usage", group_id="metering", bootstrap_servers=BROKERS, enable_auto_commit=False)
    async for message in consumer:
        await store.insert_usage_event(decode(message.value))
        await consumer.commit()

@shared_task(acks_late=True, reject_on_worker_lost=True)
def report(customer, tokens, event_id):
    record_usage(customer, tokens, idempotency_key=event_id)
""",
    ),
    Example(
        "typescript",
        """
export async function paid(req: Request, res: Response) {
  const event = stripe.webhooks.constructEvent(req.body, req.headers["stripe-signature"], secret);
  res.sendStatus(200);  // <- finding
  await addCredits(event.data.object.metadata.account, event.data.object.metadata.credits);
}

export async function drainCounts() {
  const counts = await usageCounter.popCounts(200);  // <- finding
  await dailyUsage.recordCounts(counts);
}
""",
        path="src/webhooks/stripe.ts",
    ),
    Example(
        "typescript",
        """
export async function paid(req: Request, res: Response) {
  const event = stripe.webhooks.constructEvent(req.body, req.headers["stripe-signature"], secret);
  if (event.type !== "checkout.session.completed") {
    res.sendStatus(200);
    return;
  }
  await addCredits(event.data.object.metadata.account, event.data.object.metadata.credits, event.id);
  res.sendStatus(200);
}
""",
        path="src/webhooks/stripe.ts",
    ),
    Example(
        "go",
        """
package metering

func (s *UsageSink) run(ctx context.Context) error {
	for s.running {
		msg := s.consumer.Poll(100)
		event, err := parse(msg)
		if err != nil {
			return err
		}
		s.buffer.Add(event)
		if _, err := s.consumer.StoreMessage(msg); err != nil {  // <- finding
			return err
		}
		if s.buffer.Size() >= s.max {
			if err := s.flush(ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *UsageSink) flush(ctx context.Context) error {
	return s.store.BulkInsertUsage(ctx, s.buffer.All())
}
""",
    ),
    Example(
        "go",
        """
package metering

func (s *UsageSink) run(ctx context.Context) error {
	for s.running {
		msg := s.consumer.Poll(100)
		event, err := parse(msg)
		if err != nil {
			return err
		}
		s.buffer.Add(event)
		if s.buffer.Size() >= s.max {
			if err := s.flush(ctx); err != nil {
				return err
			}
			if _, err := s.consumer.StoreMessage(msg); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *UsageSink) flush(ctx context.Context) error {
	return s.store.BulkInsertUsage(ctx, s.buffer.All())
}
""",
    ),
    Example(
        "python",
        """
class UsageConsumer:
    def run(self):
        for message in self.consumer:
            self.pending.append(parse(message))
            self.consumer.commit()  # <- finding
            if len(self.pending) >= 500:
                self.flush_usage()

    def flush_usage(self):
        self.store.bulk_insert(self.pending)
        self.pending.clear()
""",
        path="metering/consumer.py",
    ),
    Example(
        "python",
        """
class UsageConsumer:
    def run(self):
        for message in self.consumer:
            self.pending.append(parse(message))
            if len(self.pending) >= 500:
                self.flush_usage()
                self.consumer.commit()

    def flush_usage(self):
        self.store.bulk_insert(self.pending)
        self.pending.clear()
""",
        path="metering/consumer.py",
    ),
    Example(
        "typescript",
        """
export class UsageConsumer {
  private batch: UsageEvent[] = [];

  async onMessage(message: Message) {
    this.batch.push(parse(message));
    this.channel.ack(message);  // <- finding
    if (this.batch.length >= 500) await this.flush();
  }

  async flush() {
    await this.store.insertUsage(this.batch);
    this.batch = [];
  }
}
""",
        path="src/metering/consumer.ts",
    ),
    Example(
        "typescript",
        """
export class UsageConsumer {
  private batch: Held[] = [];

  async onMessage(message: Message) {
    this.batch.push({ event: parse(message), message });
    if (this.batch.length < 500) return;
    await this.flush();
    this.channel.ack(message, true);
  }

  async flush() {
    await this.store.upsertUsage(this.batch);
    this.batch = [];
  }
}
""",
        path="src/metering/consumer.ts",
    ),
    Example(
        "python",
        """
def store(report, allocation):
    usage = dict(report.usage)
    total = usage.pop("total")
    save_usage(allocation, total)
""",
    ),
)
