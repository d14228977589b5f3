"""Usage is reported by a call that nobody waits for.

The code goes on while the report is still under way. If the process ends, the serverless function is frozen or the provider
refuses the event, that usage is gone and no caller, retry or log hears of it. Await the report, return its promise, or hand
it to something that keeps it alive and sees its failure, such as `waitUntil` with a durable fallback.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Name, Scope, Span, Start, Use, enclosing, fold
from rules.meaning.contexts import Context
from rules.meaning.promises import (
    goroutine,
    in_async,
    is_async,
    is_lazy,
    is_void,
    left_alone,
    only_collects,
    promises,
)
from rules.meaning.tasks import beside
from rules.meaning.usage.emissions import Emission, own_functions, shown
from rules.meaning.usage.losses import cannot_fail, gives_back
from rules.meaning.usage.snapshots import drains
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.vocabulary import words
from rules.meaning.wording import capital
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Variant
from rules.tracing.served import is_served
from rules.tracing.spared import kept_behind, only_in_memory, only_logs, replays
from rules.tracing.stakes import Stake, matters, stake

ABOUT = About(
    id="MTR-101",
    title="Emission promise is neither awaited, returned, nor handed to waitUntil",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E2",),
    cwe=("CWE-252", "CWE-391"),
    iso_25010="Reliability / faultlessness",
    variants={
        "emit-detached-task": Variant(
            "Emission started in a goroutine, create_task, Thread or executor whose result nobody reads",
            Severity.HIGH,
            ("E2",),
        )
    },
    gives_way_to=("emit-error-swallowed",),
)
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.SCRIPT})
ROUND = re.compile(
    r"\bfor\s+(?:\w+\s*:?=\s*)?range\s+(?:time\.Tick\(|\w*[tT]ick\w*(?:\.C)?\b)|<-\s*(?:[\w.]*[tT]ick(?:er)?\w*\.C\b|time\.After\()|"
    r"\bfor\s*\{[^{}]*\btime\.Sleep\(|\bwhile\s+(?:True|1|not\s+[\w.]*stop\w*(?:\.is_set\(\))?)\s*:"
)
"""A loop that a clock drives, or one that has no end."""
BLOCKS = re.compile(r"\bselect\s*\{\s*\}")
"""A Go function that stays for ever."""
STORES = frozenset(
    "redis kv client db database firestore collection doc ref storage prisma supabase repository repo table".split()
)


def check(code: Code) -> Iterator[Finding]:
    writes = [one for one in failing_writes(code) if one.call is not None and code.context(one.scope) not in QUIET]
    if code.facts.traits.promises:
        yield from (found for write in writes if (found := floating(code, write)) is not None)
        yield from flushes(code)
    else:
        yield from (found for write in writes if (found := detached(code, write)) is not None)
        for call, name, what in beside(code):
            if code.context(call.scope) not in QUIET and not any(goes_round(code, one) for one in named(code, name)):
                yield task(call.span, what, SAID[is_sure(code, call, name) if name else not replays(code, call.scope)])


def floating(code: Code, write: UsageWrite) -> Finding | None:
    """A JavaScript promise that is dropped where it is made, or inside a callback that nobody waits for."""
    call, end = write.call, write.sent or write.call
    assert call is not None
    assert end is not None
    if fold(end.method) == "catch" or only_collects(call) or gives_back(call) or answers_nothing(code, call):
        return None
    if end.use is Use.DISCARDED and end.start is Start.PLAIN:
        certainty = promised(code, write, call)
        if certainty is None:
            return None
        return found(code, write.title, call, end, certainty if at_stake(code, write, call) else Confidence.POSSIBLE)
    if (end.start is Start.AWAITED or end.use is Use.RETURNED) and (head := left_alone(call.scope)) is not None:
        if enclosing(call.scope, Kind.TRY, Kind.FUNCTION) is not enclosing(call.scope, Kind.FUNCTION):
            return None
        if head.asynchronous or is_provider(code, call):
            return left(write.title, call, head.passed_to, SAID[at_stake(code, write, call)])
    return None


SAID = {True: Confidence.LIKELY, False: Confidence.POSSIBLE}


def at_stake(code: Code, write: UsageWrite, call: Call) -> bool:
    """What a provider is told is billed, what is counted in a balance is paid; rows of usage may only be looked at."""
    known = any(one.call is call and one.direct and one.certain for one in code.emissions)
    return known or any(one.call is call for one in code.counters) or is_sure(code, call)


def is_sure(code: Code, call: Call, name: str = "") -> bool:
    """Whether it is seen that somebody is charged or limited by what the call writes, where it is served."""
    if not code.elsewhere.whole:
        return matters(code, call, name)
    hangs = stake(code.elsewhere.trace, code.facts.path, call, name)
    return hangs in (Stake.BILL, Stake.LIMIT) and is_served(code, call.scope)


def answers_nothing(code: Code, call: Call) -> bool:
    """A recorder that gives its caller nothing to wait for, or keeps its failures to itself: what is wrong is wrong in it."""
    if cannot_fail(code, call) or kept_behind(code, call) or only_in_memory(code, call) or only_logs(code, call):
        return True
    recorders = () if code.values.functions.get(call.method) else code.recorders(call)
    return bool(recorders) and not any(one.asynchronous for one in recorders)


def promised(code: Code, write: UsageWrite, call: Call) -> Confidence | None:
    """How sure it is that the dropped value is a promise. A recorder that only counts in memory returns none."""
    emission = next((one for one in code.emissions if one.call is call), None)
    if emission is not None and emission.record is not None:
        return Confidence.CERTAIN if emission.record.returns == "response" else None
    if is_lazy(call):
        return Confidence.CERTAIN
    if promises(code, call):
        return Confidence.LIKELY
    if emission is not None and (recorders := code.recorders(call)):
        return Confidence.LIKELY if any(one.asynchronous for one in recorders) else None
    imported = "." not in call.name or call.name.split(".")[0] in {one.split(".")[0] for one in code.facts.imports.values()}
    plain = isinstance(call.callee, Name) and call.callee.text in code.facts.imports
    if emission is not None and plain and imported and in_async(call.scope):
        return Confidence.LIKELY
    if (
        write.certain
        and not isinstance(call.callee, Name)
        and in_async(call.scope)
        and emission is None
        and not in_memory(call)
    ):
        return Confidence.LIKELY
    return None


def in_memory(call: Call) -> bool:
    """`totals.set(month, sum)` fills a Map, unless its holder is called a store."""
    return fold(call.method) in ("set", "put", "add") and not STORES & set(words(call.name.rpartition(".")[0]))


def is_provider(code: Code, call: Call) -> bool:
    return any(one.call is call and one.direct for one in code.emissions)


def found(code: Code, title: str, call: Call, end: Call, confidence: Confidence) -> Finding:
    lazy = is_lazy(call)
    what = "is never run, because nobody waits for it" if lazy else "is started and nobody waits for it"
    return Finding(
        span=call.span,
        cause=call.span,
        description=f"{capital(title)} {what}: if it fails or the process ends first, that usage is lost unseen.",
        remediation=code.facts.idioms.wait_for,
        confidence=confidence,
        fix=awaited(code, end),
    )


def awaited(code: Code, end: Call) -> Fix | None:
    """Only where `await` may stand: in an async function, or after `void` in one."""
    if not in_async(end.scope) or not code.facts.idioms.awaits:
        return None
    at = end.span.start
    if is_void(code, end):
        start = code.facts.source[:at].rindex(b"void")
        return Fix("Await the report", (Edit(start, at, code.facts.idioms.awaits),))
    return Fix("Await the report", (Edit(at, at, code.facts.idioms.awaits),))


def left(title: str, call: Call, passed_to: str, confidence: Confidence) -> Finding:
    return Finding(
        span=call.span,
        cause=call.span,
        description=f"`{passed_to}` does not wait for {title} inside it: if it fails, that usage is lost unheard.",
        remediation="Use a `for` loop with `await`, or `await Promise.all(…map(…))`, so that failures reach the caller.",
        confidence=confidence,
        variant="emit-detached-task",
    )


def is_kept(code: Code, call: Call) -> bool:
    """Whether the flush itself puts its promise into a collection: `this.inFlight.add(sent)`, which the shutdown awaits."""
    return any(
        fold(one.method) in ("add", "push")
        and any(isinstance(given.value, Name) and given.value.text in made for given in one.arguments)
        for function in code.values.functions.get(call.method, ())
        for made in [promises_in(code, function)]
        for one in code.calls_in(function)
        if enclosing(one.scope, Kind.FUNCTION) is function
    )


def promises_in(code: Code, function: Scope) -> frozenset[str]:
    """The names that a function gives to calls it does not await."""
    return frozenset(
        target.text
        for one in code.calls_in(function)
        if one.start is Start.PLAIN
        for target in one.targets
        if isinstance(target, Name)
    )


def flushes(code: Code) -> Iterator[Finding]:
    """The flush of a usage buffer that is started and left alone: `this.flush()`, `setTimeout(() => this.flush(), 5000)`."""
    for call in drains(code):
        if code.context(call.scope) in QUIET or cannot_fail(code, call) or is_kept(code, call):
            continue
        dropped = call.use is Use.DISCARDED and call.start is Start.PLAIN
        timed = call.use is Use.RETURNED and (head := left_alone(call.scope)) is not None and not is_async(head)
        if dropped or timed:
            yield Finding(
                span=call.span,
                cause=call.span,
                description=(f"`{shown(call)}` sends buffered usage and nobody waits for it: nobody hears of a failed send."),
                remediation=f"Wait for `{shown(call)}`, or handle its failure and put the events back for the next attempt.",
                confidence=Confidence.LIKELY,
                fix=awaited(code, call) if dropped else None,
            )


def detached(code: Code, write: UsageWrite) -> Finding | None:
    """A goroutine or a task of a thread pool, or a Python coroutine that is made and never awaited."""
    call, end = write.call, write.sent or write.call
    assert call is not None
    assert end is not None
    if gives_back(call):
        return None
    emission = next((one for one in code.emissions if one.call is call), None)
    if code.facts.traits.lazy_coroutines:
        return unawaited(code, write.title, call, emission)
    if emission is None and not write.certain:
        return None
    if runs_for_ever(code, call):
        return None
    if end.start is Start.DETACHED or goroutine(code, call.scope) is not None:
        alone = f"{capital(write.title)} runs in {code.facts.idioms.beside}, and nobody waits for it"
        return task(call.span, alone, SAID[at_stake(code, write, call)], cannot_fail(code, call))
    return None


def runs_for_ever(code: Code, call: Call) -> bool:
    """Whether a goroutine is the loop of a schedule, or starts one: it is no report beside a request, but what reports.

    `go func() { w.report(ctx); for range time.Tick(time.Hour) { w.report(ctx) } }()`; `go w.report(ctx)` before `select {}`.
    """
    around = enclosing(call.scope, Kind.FUNCTION)
    launcher = enclosing(around.parent, Kind.FUNCTION) if around is not None and around.parent is not None else None
    if around is None or goes_round(code, around):
        return around is not None
    starts = call.start is Start.DETACHED
    own = own_functions(call, code.values) if starts else ()
    blocking = around if starts else launcher
    text = code.facts.text(blocking.span) if blocking is not None else ""
    return any(goes_round(code, one) for one in own) or BLOCKS.search(text) is not None


def goes_round(code: Code, function: Scope) -> bool:
    """Whether a function only ends with the process: a loop without an end, or one that a clock drives."""
    return ROUND.search(code.facts.text(function.span)) is not None


def named(code: Code, name: str) -> tuple[Scope, ...]:
    return tuple(code.values.functions.get(name, ())) if name else ()


def unawaited(code: Code, title: str, call: Call, emission: Emission | None) -> Finding | None:
    """A call of the file's own `async def` recorder as a statement: the coroutine is made and never runs."""
    local = code.values.functions.get(call.method, ())
    asynchronous = bool(local) and all(isinstance(one.head, Function) and one.head.asynchronous for one in local)
    if emission is None or not asynchronous or call.use is not Use.DISCARDED or call.start is not Start.PLAIN:
        return None
    return found(code, title, call, call, Confidence.CERTAIN)


def task(span: Span, what: str, confidence: Confidence, handled: bool = False) -> Finding:
    """`handled`: its failure is taken where it happens, and only the end of the process can lose it."""
    when = "if the process stops first" if handled else "if it fails or the process stops first"
    return Finding(
        span=span,
        cause=span,
        description=f"{what}: {when}, that usage is lost unseen.",
        remediation="Wait for it and handle its error, or write the event to a durable queue that retries.",
        confidence=confidence,
        variant="emit-detached-task",
    )


EXAMPLES = (
    Example(
        "python",
        """
import asyncio
import threading

from billing import record_usage

async def report_usage(client, customer, tokens):
    await client.post("/usage", json={"customer": customer, "tokens": tokens})

async def complete(request, client):
    answer = await generate(request.prompt)
    report_usage(client, request.customer, answer.tokens)  # <- finding
    return answer

async def stream(request):
    answer = await generate(request.prompt)
    asyncio.create_task(record_usage(request.customer, answer.tokens))  # <- finding
    return answer

def classify(request):
    answer = infer(request.prompt)
    threading.Thread(target=record_usage, args=(request.customer, answer.tokens)).start()  # <- finding
    return answer
""",
    ),
    Example(
        "python",
        """
import asyncio

from billing import record_usage

async def complete(request):
    answer = await generate(request.prompt)
    await record_usage(request.customer, answer.tokens)
    return answer

async def both(request):
    answer = await generate(request.prompt)
    task = asyncio.create_task(record_usage(request.customer, answer.tokens))
    await task
    asyncio.create_task(send_newsletter(request.customer))
    return answer

async def transcribe(request, loop):
    text = await hear(request.audio)
    await loop.run_in_executor(None, record_usage, request.customer, text.seconds)
    await asyncio.wait_for(loop.run_in_executor(None, record_usage, request.customer, 1), timeout=5)
    return text
""",
    ),
    Example(
        "typescript",
        """
import { recordImageUsage } from "@/lib/image-usage";
import { recordTokenUsage } from "@/lib/tokens";

export async function POST(request: Request) {
  const picture = await draw(await request.text());
  recordImageUsage(picture.customer, 1);
  recordTokenUsage(picture.customer, picture.tokens);
  return Response.json(picture);
}
""",
        context={
            "lib/image-usage.ts": """
import { storeUsage } from "./store";

export function recordImageUsage(customer: string, images: number): void {
  storeUsage({ customer, images });
}
""",
            "lib/store.ts": """
export function storeUsage(row: UsageRow): void {
  outbox.append(row);
}
""",
            "lib/tokens.ts": """
export async function recordTokenUsage(customer: string, tokens: number) {
  try {
    await prisma.usageEvent.create({ data: { customer, tokens } });
  } catch (error) {
    await retryQueue.add("usage", { customer, tokens });
  }
}
""",
        },
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
import { reportUsage } from "@/lib/usage";

const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function POST(request: Request) {
  const { customer, prompt } = await request.json();
  const answer = await generate(prompt);
  stripe.billing.meterEvents.create({  // <- finding
    event_name: "tokens", identifier: answer.id, payload: { stripe_customer_id: customer, value: String(answer.tokens) },
  });
  void reportUsage(customer, answer.tokens);  // <- finding
  return Response.json(answer);
}

export async function charge(prisma: PrismaClient, userId: string, rows: Row[]) {
  prisma.user.update({ where: { id: userId }, data: { credits: { decrement: 1 } } });  // <- finding
  rows.forEach(async (row) => {
    await reportUsage(row.customer, row.tokens);  // <- finding
  });
}
""",
    ),
    Example(
        "typescript",
        """
export class UsageBatcher {
  private events: UsageEvent[] = [];
  private timer?: NodeJS.Timeout;

  add(event: UsageEvent) {
    this.events.push(event);
    this.timer ??= setTimeout(() => this.flush(), 5000);  // <- finding
  }

  async flush(): Promise<void> {
    await this.client.ingest(this.events);
    this.events = [];
  }
}
""",
    ),
    Example(
        "typescript",
        """
import { reportUsage } from "@/lib/usage";

export async function POST(request: Request, context: Context) {
  const customer = (await auth(request)).customerId;
  const answer = await generate(await request.text());
  const reported = reportUsage(customer, answer.tokens);
  refreshCache(customer);
  await reported;
  context.waitUntil(reportUsage(customer, answer.extra));
  return Response.json(answer);
}

export const later = (customer: string, tokens: number) => reportUsage(customer, tokens);

export async function count(redis: Redis, rows: Row[]) {
  const pipeline = redis.pipeline();
  for (const row of rows) pipeline.incrby(`usage:${row.customer}`, row.tokens);
  await pipeline.exec();
  await Promise.all(rows.map(async (row) => { await reportUsage(row.customer, row.tokens); }));
}
""",
    ),
    Example(
        "go",
        """
package relay

func complete(c *gin.Context, req *Request) {
	answer := generate(req)
	go billing.PostConsumeQuota(c, req.TokenID, answer.Tokens)  // <- finding
	c.JSON(200, answer)
}

func stream(c *gin.Context, req *Request, store *Store) {
	answer := generate(req)
	go func() {
		store.RecordUsage(req.Customer, answer.Tokens)  // <- finding
	}()
	c.JSON(200, answer)
}
""",
    ),
    Example(
        "go",
        """
package relay

func complete(c *gin.Context, req *Request, store *Store) {
	answer := generate(req)
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		if err := store.RecordUsage(req.Customer, answer.Tokens); err != nil {
			answer.Err = err
		}
	}()
	wg.Wait()
	c.JSON(200, answer)
}

func work(store *Store, events <-chan Event) {
	go func() {
		for event := range events {
			store.RecordUsage(event.Customer, event.Tokens)
		}
	}()
}
""",
    ),
    Example(
        "typescript",
        """
export class UsageBatches {
  private events: UsageEvent[] = [];
  private underway = new Set<Promise<void>>();

  addUsage(event: UsageEvent) {
    this.events.push(event);
    if (this.events.length > 100) void this.sendAll();
  }

  async close() {
    await Promise.all([this.sendAll(), ...this.underway]);
  }

  private sendAll(): Promise<void> {
    const sending = this.deliver();
    this.underway.add(sending);
    return sending;
  }

  private async deliver(): Promise<void> {
    const batch = [...this.events];
    this.events = [];
    await this.queue.send({ events: batch });
  }
}
""",
    ),
    Example(
        "javascript",
        """
import { reportUsage } from "./client";

angular.module("shop.billing").controller("PlanDialog", function () {
  async function opened(source) {
    reportUsage(source, 1);
  }
  opened("plan-dialog");
});
""",
    ),
    Example(
        "go",
        """
package worker

func (w *Worker) ScheduledTasks(ctx context.Context) {
	go func() {
		w.ReportStripeUsage(ctx)
		for range time.Tick(time.Hour) {
			w.ReportStripeUsage(ctx)
		}
	}()
	select {}
}
""",
        path="billing/worker.go",
    ),
    Example(
        "typescript",
        """
import { metadata, task } from "@acme/background-tasks";

export const draft = task({
  id: "draft",
  run: async (payload: { reports: Report[] }) => {
    const handle = metadata.parent ?? metadata;
    for (const report of payload.reports) {
      await write(report);
      handle.decrement("creditsRemaining", 1);
    }
  },
});
""",
        path="src/billing/draft.ts",
    ),
)
