"""What has been handled is forgotten before it can come again, or is known to one process only.

A repeat is recognised only as long as its mark lives. Retries go on for hours, payment providers deliver a webhook again for
days, and a dead-letter queue is emptied when somebody finds the time: after the mark is gone the same usage is counted again. A
set in memory is worse: another replica never saw it, and a restart empties it. Keep marks in a shared store for longer than
anything upstream tries again, best as a unique index that forgets nothing.
"""

import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import (
    Call,
    Class,
    Compare,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Name,
    Scope,
    chain,
    dotted,
    enclosing,
    fold,
    outermost_function,
    walk,
    within,
)
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.repeats.keys import keys_of
from rules.meaning.repeats.marks import ROW_INSERTS, UPDATES, How, Mark, adds_to_cache, lifetime, marks_of, outlives, speaks
from rules.meaning.repeats.recognition import is_happening_id
from rules.meaning.repeats.redelivery import deliveries
from rules.meaning.repeats.segments import Part, segments_of
from rules.meaning.subjects import BILLED
from rules.meaning.times.durations import horizon, seconds, spoken
from rules.meaning.usage.duties import works
from rules.meaning.usage.emissions import own_functions
from rules.meaning.vocabulary import BILLING_NOUNS, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant
from rules.tracing.graph import downwards, upwards
from rules.tracing.served import is_served
from rules.tracing.sights import Kind as Sight
from rules.tracing.standing import standing

ABOUT = About(
    id="MTR-207",
    title="Dedup TTL shorter than the retry horizon",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("D5",),
    cwe=("CWE-837",),
    iso_25010="Reliability / fault tolerance",
    variants={
        "in-memory-dedup": Variant("Processed-ids kept in a process-local Set/Map/LRU", Severity.HIGH, ("D5",)),
    },
)
BILLED_ROWS = BILLED | frozenset("payment payments order orders wallet balance purchase purchases ledger".split())
GRANTS = frozenset("grant bonus fulfill topup deduct debit credit credits refund activate".split())
MOVES = (Sight.COUNT, Sight.GRANT, Sight.INSERT, Sight.CHARGE, Sight.EMIT)
HOPS = 3
"""How many calls lie between a handler and what it books."""
SHORT = 300
WEBHOOK = 3600
"""A provider's second and third attempt come within this time; its last days later."""
ASKS = frozenset("has contains containskey containsoradd load loadorstore get includes exists".split())
IDS = frozenset("id uuid guid jobId job_id deliveryId".split())
CLAIMS = frozenset("processing pending claimed started locked running progress inflight".split())
STORES = ("Set", "Map", "set", "dict", "LRU", "lru", "Cache", "sync.Map", "map[", "OrderedDict", "deque", "Dictionary")


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    marks = [mark for mark in marks_of(code) if code.context(mark.scope) not in (Context.TEST, Context.BROWSER, Context.SCRIPT)]
    yield from expired(code, [mark for mark in marks if mark.how is How.STORE])
    yield from removed_jobs(code)
    yield from in_memory(code)
    yield from locked_in_memory(code)


def expired(code: Code, marks: list[Mark]) -> Iterator[Finding]:
    """Keys that run out before the work they stand for is given up."""
    lengths = {mark: length for mark in marks if (length := lives(code, mark)) is not None}
    tried = horizon(code) if lengths else None
    for mark, length in lengths.items():
        longer = any(
            other.function is mark.function and other is not mark and lengths.get(other, 1e9) > length for other in marks
        )
        if longer or CLAIMS & set(words(mark.value)) or length <= 0:
            continue
        if tried is not None and length < tried:
            yield too_short(code, mark, length, f"this file tries again for {spoken(tried)}", Confidence.LIKELY)
        elif length < WEBHOOK and code.context(mark.scope) is Context.WEBHOOK:
            yield too_short(code, mark, length, "a provider delivers a webhook again for days", Confidence.LIKELY)
        elif length <= SHORT:
            yield too_short(code, mark, length, "a retry may come later", Confidence.POSSIBLE)


SHARED = re.compile(r"redis|valkey|postgres|mysql|dynamo|mongo|database", re.I)
CONTEXTS = frozenset({"ctx", "context"})
"""A client that takes the context first takes the key's lifetime last."""


def lives(code: Code, mark: Mark) -> float | None:
    """How long a key lives: in options, as the second argument of `setex`, or the last of Go's `Set`."""
    call = mark.call
    if call is None:
        return None
    if (known := lifetime(code, mark)) is not None:
        return known
    plain = [one.value for one in call.arguments if one.name is None]
    last = fold(call.method)
    if last in ("setex", "psetex") and len(plain) > 2:
        length = seconds(code, plain[-2], mark.scope, call.span.start)
        return length / 1000 if length is not None and last == "psetex" else length
    if adds_to_cache(call):
        return seconds(code, plain[-1], mark.scope, call.span.start)
    if last in ("set", "setnx") and len(plain) == 4 and CONTEXTS & set(words(code.facts.text(plain[0].span))):
        return seconds(code, plain[-1], mark.scope, call.span.start)
    for argument in call.arguments:
        if fold(argument.name or "") in ("ex", "ttl", "timeout", "expire"):
            return seconds(code, argument.value, mark.scope, call.span.start)
    for unit, number in pairwise(plain):
        if isinstance(unit, Literal) and str(unit.value).upper() == "EX":
            return seconds(code, number, mark.scope, call.span.start)
    return None


def too_short(code: Code, mark: Mark, length: float, why: str, sure: Confidence) -> Finding:
    holder = mark.call.arguments[0].value if mark.call is not None and mark.call.arguments else None
    key = code.facts.text(holder.span).strip("\"'`") if holder is not None else mark.name
    return Finding(
        span=mark.span,
        cause=mark.span,
        description=(
            f"The mark `{key[:60]}` is forgotten after {spoken(length)}, and {why}: a repeat after that counts the usage again."
        ),
        remediation="Keep it for longer than anything upstream tries again (35 days for usage), or use a unique index.",
        confidence=sure,
    )


def removed_jobs(code: Code) -> Iterator[Finding]:
    """A queue knows a job's id only while it keeps the job."""
    for key in keys_of(code):
        if not key.queued or key.holder is None or code.context(key.scope) in (Context.TEST, Context.BROWSER):
            continue
        gone = next((one for one in key.holder.entries if fold(one.name or "") == "removeoncomplete"), None)
        if gone is None or not isinstance(gone.value, Literal) or gone.value.value is not True:
            continue
        if any(one.part is Part.IDENTITY for one in segments_of(code, key.value, key.scope, key.at)):
            yield Finding(
                span=gone.span,
                cause=key.cause,
                description=(
                    f"The job's id `{code.facts.text(key.value.span)}` is to keep the same usage from being queued twice, but "
                    "the finished job is removed at once and its id with it: a repeat is queued, and counted, again."
                ),
                remediation="Keep finished jobs longer than repeats can come: `removeOnComplete: { age: 35 * 24 * 3600 }`.",
                confidence=Confidence.LIKELY if code.context(key.scope) in REDELIVERED else Confidence.POSSIBLE,
            )


def in_memory(code: Code) -> Iterator[Finding]:
    """Ids of what was handled, kept in this process and asked before the next is taken."""
    reached = {scope for delivery in deliveries(code) for scope in delivery.path}
    said: set[str] = set()
    for asked, holder, key, scope in questions(code):
        name = dotted(holder)
        function = enclosing(scope, Kind.FUNCTION)
        if name in said or function is None or code.context(scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        if not remembers(code, name, scope) or not outlives(code, holder, scope) or not is_process_own(code, name):
            continue
        arrives = code.context(scope) in REDELIVERED or any(within(scope, one) for one in reached)
        if not names_event(code, key) or not (is_deduplicator(code, scope) or (arrives and costs(code, scope))):
            continue
        if code.elsewhere.whole and not (is_served(code, scope) and books(code, scope)):
            continue
        said.add(name)
        yield only_here(asked, name, Confidence.POSSIBLE if is_one_driver(code, scope) else Confidence.LIKELY)


def costs(code: Code, scope: Scope) -> bool:
    """Whether a repeat that is taken for new writes usage, a balance, an order or the like a second time."""
    function = outermost_function(scope)
    if function is None or any(within(around, function) for _, around, _ in works(code, handed_on=False)):
        return function is not None
    for call in code.calls_in(function):
        said = set(words(call.method))
        if (fold(call.method) in UPDATES | ROW_INSERTS and BILLED_ROWS & set(words(call.name))) or said & GRANTS:
            return True
    found = standing(code, function.span.line)
    if found is None or found[1][1] < 0:
        return False
    graph, node = found
    return any(
        sight.kind in MOVES and sight.routine == below.node[1]
        for below in downwards(graph, node, HOPS)
        for sight in graph.digests[below.node[0]].sights
    )


def books(code: Code, scope: Scope) -> bool:
    """Whether the function around is seen to lead to a row or column of usage, credit or money; other rows are nobody's bill.

    Of one that only recognises repeats, its callers are asked.
    """
    function = outermost_function(scope)
    found = standing(code, function.span.line) if function is not None else None
    if function is None or found is None or found[1][1] < 0:
        return True
    graph, node = found
    asking = [one.node for one in upwards(graph, node, 2)] if is_deduplicator(code, scope) else [node]
    if any(within(around, function) for _, around, _ in works(code, handed_on=False)):
        return True
    if any(GRANTS & set(words(call.method)) or BILLED_ROWS & set(words(call.name)) for call in code.calls_in(function)):
        return True
    return any(
        sight.kind in MOVES and sight.routine == below.node[1] and (sight.kind is not Sight.INSERT or owns_money(sight.owner))
        for start in asking
        for below in downwards(graph, start, HOPS)
        if below.sure != "possible"
        for sight in graph.digests[below.node[0]].sights
    )


def owns_money(table: str) -> bool:
    return bool((BILLED_ROWS | BILLING_NOUNS) & set(words(table)))


def questions(code: Code) -> Iterator[tuple[Expression, Expression, Expression, Scope]]:
    """`seen.has(id)`, `id in seen`, `seen[id]`: the question, what is asked, by which key, and where."""
    for call in code.facts.calls:
        if fold(call.method) in ASKS and call.receiver is not None and call.arguments:
            yield call, unlocked(call.receiver), call.arguments[0].value, call.scope
    for test in code.facts.tests:
        for part in walk(test.value):
            if isinstance(part, Compare) and part.operator in ("in", "not in"):
                yield part, part.right, part.left, test.scope
            elif isinstance(part, Index):
                yield part, part.object, part.key, test.scope


def unlocked(holder: Expression) -> Expression:
    """What a lock guards: `SEEN.lock().unwrap().contains(id)` in Rust asks `SEEN`."""
    if isinstance(holder, Call) and holder.method in ("lock", "read", "write") and not holder.arguments and holder.receiver:
        return holder.receiver
    return holder


def remembers(code: Code, name: str, scope: Scope) -> bool:
    return speaks(name.rsplit(".", 1)[-1]) or is_deduplicator(code, scope)


def is_deduplicator(code: Code, scope: Scope) -> bool:
    """Whether the class or file says that recognising repeats is what it is for."""
    names = [one.head.name for one in chain(scope) if isinstance(one.head, Class)]
    names += [PurePosixPath(code.facts.path).stem]
    names += [one.type for outer in chain(scope) if isinstance(outer.head, Function) for one in outer.head.parameters[:1]]
    return any("dedup" in fold(name) for name in names)


def names_event(code: Code, key: Expression) -> bool:
    text = code.facts.text(key.span)
    return is_happening_id(text) or bool({"event", "item", "message", "key", "hash"} & set(words(text))) or text in IDS


def is_process_own(code: Code, name: str) -> bool:
    """Whether the holder is made as a set, map or cache of this process; a Redis client has the same methods."""
    last = name.rsplit(".", 1)[-1]
    made = [one.value for one in code.values.definitions.get(last, ()) if one.value is not None]
    made += [
        one.value for one in code.facts.assigns if one.value is not None and any(ends(target, last) for target in one.targets)
    ]
    types = [one.type for one in code.facts.assigns if any(ends(target, last) for target in one.targets)]
    texts = [code.facts.text(value.span) for value in made] + types
    if not texts:
        return False
    return any(any(store in text for store in STORES) or text.strip() in ("{}", "[]") for text in texts) and not any(
        "redis" in text.lower() for text in texts
    )


def ends(target: Expression, last: str) -> bool:
    return dotted(target).rsplit(".", 1)[-1] == last


def is_one_driver(code: Code, scope: Scope) -> bool:
    """Whether the project has the same for a store that replicas share: who runs several of them chooses that one."""
    return any(map(SHARED.search, code.elsewhere.naming(code.function_name(scope)) - {code.facts.path}))


def only_here(asked: Expression, name: str, sure: Confidence) -> Finding:
    return Finding(
        span=asked.span,
        cause=asked.span,
        description=(
            f"What was handled is remembered in `{name}`, in this process only: another replica, or this one after a restart, "
            "takes a repeat for new, and what it books is booked again."
        ),
        remediation="Keep the ids in a shared store: a unique index, or `SET … NX` with a long expiry.",
        confidence=sure,
        variant="in-memory-dedup",
    )


def locked_in_memory(code: Code) -> Iterator[Finding]:
    """A delivery that is kept apart from its repeat by a lock of this process, taken by the order's or event's id."""
    done = list(works(code))
    for delivery in deliveries(code):
        function = delivery.path[-1]
        for call in code.calls_in(function):
            locks = own_functions(call, code.values)
            if len(locks) != 1 or "lock" not in words(call.method) or {"unlock", "distributed"} & set(words(call.method)):
                continue
            holder = lock_map(code, locks[0])
            later = [one for one in done if within(one[1], function) and one[0].start > call.span.end]
            if holder and later and call.arguments:
                yield locked_here(code, call, holder, later[0][2])
                return


def lock_map(code: Code, function: Scope) -> str:
    """The module's map of locks that a function looks its lock up in."""
    for call in code.calls_in(function):
        holder = call.receiver
        if fold(call.method) in ("load", "loadorstore", "get", "setdefault") and isinstance(holder, Name):
            known = code.values.definitions.get(holder.text, ())
            if {"lock", "locks", "mutex", "mutexes"} & set(words(holder.text)) and all(
                one.scope.kind is Kind.MODULE for one in known
            ):
                return holder.text
    return ""


def locked_here(code: Code, call: Call, holder: str, what: str) -> Finding:
    return Finding(
        span=call.span,
        cause=call.span,
        description=(
            f"`{call.name}` keeps a repeat waiting with a lock from `{holder}`, which only this process knows: on two replicas "
            f"the same delivery reaches {what} twice."
        ),
        remediation="Let the database decide: change the state in one conditional update, and go on only if it changed a row.",
        confidence=Confidence.LIKELY,
        variant="in-memory-dedup",
    )


EXAMPLES = (
    Example(
        "python",
        """
def stripe_webhook(request):
    event = stripe.Webhook.construct_event(request.body, request.headers["stripe-signature"], SECRET)
    key = f"processed:{event.id}"
    if not redis.set(key, "1", nx=True, ex=300):  # <- finding
        return HttpResponse("ok")
    add_credits(event.data.object.customer, 100)
    return HttpResponse("ok")

seen_events = set()

@app.task
def count_usage(event_id, customer, tokens):
    if event_id in seen_events:  # <- finding
        return
    record_usage(customer, tokens)
    seen_events.add(event_id)
""",
    ),
    Example(
        "python",
        """
def stripe_webhook(request):
    event = stripe.Webhook.construct_event(request.body, request.headers["stripe-signature"], SECRET)
    add_credits(event.data.object.customer, 100, event.id)
    redis.set(f"processed:{event.id}", "1", ex=35 * 24 * 3600)
    return HttpResponse("ok")

@app.task
def bill(rows):
    seen = set()
    for row in rows:
        if row.event_id in seen:
            continue
        seen.add(row.event_id)
        record_usage(row.customer, row.tokens, row.event_id)
""",
    ),
    Example(
        "typescript",
        """
import { Queue, Worker } from "bullmq";

const processedIds = new Set<string>();
const usageQueue = new Queue("usage", {
  defaultJobOptions: { attempts: 12, backoff: { type: "exponential", delay: 60_000 } },
});

export const worker = new Worker("usage", async (job) => {
  if (processedIds.has(job.data.eventId)) return;  // <- finding
  await recordUsage(job.data.customerId, job.data.tokens);
  processedIds.add(job.data.eventId);
  await redis.set(`usage:processed:${job.data.eventId}`, "1", "EX", 3600);  // <- finding
});
""",
    ),
    Example(
        "typescript",
        """
const processedIds = new Set<string>();

export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), signatureOf(request), SECRET);
  if (processedIds.has(event.id)) return Response.json({ received: true });
  processedIds.add(event.id);
  if (event.type === "invoice.payment_failed") await mailer.send(event.data.object.customer_email, "Your card was refused");
  return Response.json({ received: true });
}
""",
        path="app/api/webhooks/stripe/route.ts",
    ),
    Example(
        "typescript",
        """
import { Queue, Worker } from "bullmq";

const usageQueue = new Queue("usage", {
  defaultJobOptions: { attempts: 5, backoff: { type: "exponential", delay: 1_000 } },
});

export const worker = new Worker("usage", async (job) => {
  const seen = new Set<string>();
  for (const event of job.data.events) {
    if (seen.has(event.id)) continue;
    seen.add(event.id);
    await recordUsage(event.customerId, event.tokens, event.id);
  }
  await redis.set(`usage:processed:${job.id}`, "1", "EX", 35 * 24 * 3600);
});

class UsageReporter {
  private reported = new Set<string>();
  async reportOnce(requestId: string, usage: Usage) {
    if (this.reported.has(requestId)) return;
    await recordUsage(usage.customerId, usage.tokens, requestId);
    this.reported.add(requestId);
  }
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/segmentio/kafka-go"

var processedEvents = map[string]bool{}

func HandleMessage(ctx context.Context, message kafka.Message) error {
	usage := decode(message)
	if processedEvents[usage.EventID] {  // <- finding
		return nil
	}
	processedEvents[usage.EventID] = true
	return RecordUsage(ctx, usage.Customer, usage.Tokens)
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/segmentio/kafka-go"

func HandleMessages(ctx context.Context, messages []kafka.Message) error {
	seen := map[string]bool{}
	for _, message := range messages {
		usage := decode(message)
		if seen[usage.EventID] {
			continue
		}
		seen[usage.EventID] = true
		if err := RecordUsage(ctx, usage.EventID, usage.Customer, usage.Tokens); err != nil {
			return err
		}
	}
	return nil
}
""",
    ),
    Example(
        "typescript",
        """
const processedEvents = new Set<string>();

export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), signature(request), secret);
  if (processedEvents.has(event.id)) return new Response("ok");
  processedEvents.add(event.id);
  if (event.type === "customer.subscription.created") {
    await mails.send("welcome", event.data.object.customer);
  }
  return new Response("ok");
}
""",
        path="app/api/webhooks/stripe/route.ts",
    ),
    Example(
        "python",
        """
processed_messages = set()

class ChatBot:
    async def process_message(self, payload, usage_hint):
        message_id = payload["message_id"]
        if message_id in processed_messages:
            return None
        processed_messages.add(message_id)
        return await self.handle_text(payload, usage_hint)

    async def handle_text(self, payload, usage_hint):
        return await self.model.reply(payload["text"], tokens=usage_hint)
""",
        path="billing/chat/bot.py",
    ),
)
