"""Usage is gathered in the memory of the process, and nothing writes it out when the process ends.

Every deployment, scale-down and crash drops what was gathered since the last flush, and with a serverless function that may be
after every request. Flush in the shutdown hook (`SIGTERM`, `atexit`, the framework's close event), and where usage must never
be lost, write it to a database or a durable queue at once instead of a variable.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Function, Kind, Lambda, Literal, Member, Name, Scope, Start, enclosing, fold
from rules.meaning.contexts import Context
from rules.meaning.usage.buffers import SPEAKS, Emptying, emptyings, fed_containers, is_empty
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.flushes import Flush, closings, flushes, header, runs_aside, starts_of, tracked, waits
from rules.meaning.usage.memory import additions, holds_usage
from rules.meaning.usage.snapshots import first_send
from rules.meaning.vocabulary import words
from rules.providers import imports
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant
from rules.tracing.buffered import STATISTICS, only_looked_at, still_stored

ABOUT = About(
    id="MTR-108",
    title="Buffered metering with no flush on shutdown",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E7",),
    cwe=("CWE-404",),
    iso_25010="Reliability / recoverability",
    variants={
        "serverless-buffering-sdk": Variant(
            "Buffering SDK used in a serverless handler without an awaited flush before returning",
            Severity.HIGH,
            ("E7", "E2"),
        )
    },
    gives_way_to=("buffer-cleared-before-send",),
)
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.SCRIPT})
EXIT = re.compile(
    rb"SIGTERM|SIGINT|beforeExit|atexit|OnApplicationShutdown|onModuleDestroy|on_shutdown|lifespan|__a?exit__|asyncDispose|"
    rb"NotifyContext|RegisterOnShutdown|onClose|add_event_handler\([\"']shutdown|gracefulShutdown|@PreDestroy|"
    rb"addShutdownHook|DisposableBean|SmartLifecycle|ShutdownEvent|implements \w*Closeable|ApplicationStopp|Disposes\b|"
    rb"IAsyncDisposable|StopAsync|ctrl_c\(|is_cancelled\(|\.cancelled\(\)|graceful_shutdown|impl Drop for|"
    rb"pcntl_signal|register_shutdown_function|__destruct|[wW]orkerStop"
)
ENDS = frozenset("close shutdown stop destroy dispose drain terminate teardown".split())
TIMERS = frozenset(
    "setinterval settimeout timer newticker tick sleep scheduleatfixedrate schedulewithfixeddelay fixedratetimer "
    "waitfornexttick delay addperiodictimer".split()
)
SERVERLESS = frozenset("handler lambdahandler lambda_handler GET POST PUT PATCH DELETE onRequest onRequestPost fetch".split())
FLUSHES = frozenset("flush shutdown close stop flushasync closeasync drain".split())
STORE_WORDS = re.compile(
    rb"prisma|supabase|mongoose|drizzle|sqlalchemy|redis|\bpg\b|psycopg|dynamodb|firestore|knex|session\.commit|\.save\(", re.I
)
SERVES = re.compile(rb"\.listen\(|ListenAndServe|\bserve\(|createServer\(")
CLOSES = frozenset("close shutdown disconnect stop end quit drain terminate".split())
SENDERS = frozenset(
    "queue queues producer publisher sender senders batcher batchers sqs kafka amqp rabbit meter metering usage".split()
)
TEMPORARY = frozenset("cache cached rate bucket window limiter inflight seen lock locks refresh access session jwt".split())


def check(code: Code) -> Iterator[Finding]:
    yield from timed_buffers(code)
    yield from half_closed(code)
    yield from senders_first(code)
    yield from wrong_hooks(code)
    yield from memory_only(code)
    yield from serverless(code)


def timed_buffers(code: Code) -> Iterator[Finding]:
    """The project's own buffer, emptied on a timer by a function that nothing outside the file can call."""
    if EXIT.search(code.facts.source):
        return
    for one in emptyings(code):
        timer = next((call for call in code.facts.calls if fold(call.method) in TIMERS and reaches(code, call, one)), None)
        if timer is None or code.context(one.scope) in QUIET or not is_private(code, one) or ends_cleanly(code):
            continue
        if still_stored(code, one) or only_looked_at(code, one, first_send(code, one)):
            continue
        yield Finding(
            span=timer.span,
            cause=one.span,
            description=f"`{one.buffer}` is only flushed by this timer: what was gathered since is lost when the process ends.",
            remediation=f"Flush `{one.buffer}` in a shutdown hook as well, and wait for it before the process exits.",
            confidence=Confidence.LIKELY,
        )
        return


def reaches(code: Code, timer: Call, one: Emptying) -> bool:
    """Whether a timer leads to an emptying: in the same function, or in one that speaks of it."""
    around = enclosing(timer.scope, Kind.FUNCTION)
    function = one.function
    if function is None or around is function:
        return function is not None
    name = function.head.name if isinstance(function.head, Function) else ""
    text = code.facts.text(around.span) if around is not None else code.facts.text(timer.span)
    return bool(name) and re.search(rf"\b{re.escape(name)}(?:Async)?\b", text) is not None


def half_closed(code: Code) -> Iterator[Finding]:
    """A flush runs beside everything else, and the function that ends its owner does not wait for it."""
    for flush in flushes(code):
        beside = next((call for call in starts_of(code, flush) if runs_aside(code, flush, call)), None)
        if beside is None or code.context(flush.function) in QUIET:
            continue
        for closing in closings(code, flush):
            name = getattr(closing.head, "name", "")
            if not waits(code, closing):
                yield Finding(
                    span=header(code, closing),
                    cause=closing.span,
                    description=(
                        f"`{name}` neither flushes `{flush.buffer}` nor waits for a running `{flush.name}`: usage is cut off "
                        "half sent or left behind when the process ends."
                    ),
                    remediation=f"Wait for a running `{flush.name}` in `{name}`, and flush what is left, before it returns.",
                    confidence=Confidence.LIKELY,
                    trace=(Step(beside.span, "it is started here, and nobody waits for it"),),
                )
        yield from blind_flush(code, flush, beside)


def blind_flush(code: Code, flush: Flush, beside: Call) -> Iterator[Finding]:
    """A last flush that finds an empty buffer while what was in it is still on its way."""
    if flush.returns_it or tracked(code, flush) or not waits_to_send(code, flush):
        return
    for call in starts_of(code, flush):
        caller = enclosing(call.scope, Kind.FUNCTION)
        head = caller.head if caller is not None else None
        if not isinstance(head, Function) or not head.asynchronous or runs_aside(code, flush, call):
            continue
        if fold(head.name) in ENDS or fold(head.name).startswith(("flush", "close", "shutdown")):
            yield Finding(
                span=call.span,
                cause=call.span,
                description=(
                    f"`{flush.name}` empties `{flush.buffer}` before it sends, and one started elsewhere may still be sending: "
                    f"`{head.name}` returns at once then, and the process may end with that batch unsent."
                ),
                remediation=f"Keep hold of each running `{flush.name}` and wait for all of them in `{head.name}`.",
                confidence=Confidence.LIKELY,
                trace=(Step(beside.span, "started here, and nobody waits for it"),),
            )
            return


def waits_to_send(code: Code, flush: Flush) -> bool:
    """Whether the send is awaited after the buffer is emptied, so that the two are apart in time."""
    return any(one.function is flush.function and first_send(code, one) is not None for one in emptyings(code))


def senders_first(code: Code) -> Iterator[Finding]:
    """A shutdown handler that closes what usage is sent with, in a file whose server is never told to stop."""
    if not code.billing or SERVES.search(code.facts.source) is None:
        return
    for handler in shutdown_handlers(code):
        own = (call for call in code.calls_in(handler) if enclosing(call.scope, Kind.FUNCTION) is handler)
        closed = next((call for call in own if closes_sender(call)), None)
        stops = next((call for call in code.calls_in(handler) if stops_server(call)), None)
        if closed is None or code.context(handler) is Context.TEST:
            continue
        name = code.facts.text(closed.callee.span)
        if stops is None or stops.span.start > closed.span.end:
            yield Finding(
                span=closed.span,
                cause=closed.span,
                description=f"`{name}` runs while the server still takes requests: their usage is refused or lost.",
                remediation="Stop the server first, wait for its requests, flush what they gathered, and close senders last.",
                confidence=Confidence.LIKELY,
            )


def shutdown_handlers(code: Code) -> Iterator[Scope]:
    """The functions that run on SIGTERM or SIGINT; where a signal is waited for, those that shut a server down."""
    if code.facts.traits.signals_waited_for:
        for function in {enclosing(call.scope, Kind.FUNCTION): None for call in code.facts.calls if stops_server(call)}:
            if function is not None:
                yield function
    for call in code.facts.calls:
        said = [str(one.value.value) for one in call.arguments if isinstance(one.value, Literal)]
        if fold(call.method) not in ("on", "once") or not {"SIGTERM", "SIGINT"} & set(said):
            continue
        for argument in call.arguments:
            if isinstance(argument.value, Lambda):
                yield argument.value.scope
            elif isinstance(argument.value, Name):
                yield from code.values.functions.get(argument.value.text, ())
        return


def closes_sender(call: Call) -> bool:
    said = words(call.name)
    if STATISTICS & set(said):
        return False
    ends = bool(CLOSES & set(words(call.method))) and bool(SENDERS & set(said))
    return ends and (call.start is Start.AWAITED or (call.start is Start.PLAIN and call.method[:1].isupper()))


def stops_server(call: Call) -> bool:
    """`server.close()`, `app.close()`, or a wait until no request is under way: `waitForInFlightRequests()`."""
    said = set(words(call.name))
    if (
        call.start is Start.AWAITED
        and said & {"wait", "await", "drain", "settle"}
        and said & {"requests", "flight", "inflight"}
    ):
        return True
    return bool(said & CLOSES) and bool(said & {"server", "srv", "app", "http", "fastify", "listener", "requests"})


def is_private(code: Code, one: Emptying) -> bool:
    function = one.function
    head = function.head if function is not None else None
    if function is None or not isinstance(head, Function):
        return False
    return not is_public(code, function, head)


def ends_cleanly(code: Code) -> bool:
    """A function that ends the buffer, or a public flush that whoever shuts down can call."""
    named = [(scope, scope.head) for scope in code.facts.scopes if isinstance(scope.head, Function) and scope.head.name]
    return any(
        fold(head.name) in ENDS or (fold(head.name).startswith("flush") and is_public(code, scope, head))
        for scope, head in named
    )


def is_public(code: Code, function: Scope, head: Function) -> bool:
    traits = code.facts.traits
    if head.exported or traits.hidden_unless_exported:
        return head.exported
    if traits.private_prefix and head.name.startswith(traits.private_prefix):
        return False
    line = code.facts.source[: function.span.start].rsplit(b"\n", 1)[-1] + code.facts.source[function.span.start :][:80]
    return b"private" not in line and head.method


def wrong_hooks(code: Code) -> Iterator[Finding]:
    """`atexit.register(self.join)`: a hook that only ends the threads, where the file has a flush."""
    for call in code.facts.calls:
        if call.folded not in ("atexit.register", "atexit") or not call.arguments or not speaks(code, call.scope):
            continue
        name = hooked(code, call.arguments[-1].value)
        functions = code.values.functions.get(name, ())
        if not functions or fold(name) in FLUSHES or "flush" in fold(name) or "flush" not in code.values.functions:
            continue
        if any(fold(inner.method) in FLUSHES for function in functions for inner in code.calls_in(function)):
            continue
        yield Finding(
            span=call.span,
            cause=call.span,
            description=f"At exit `{name}` runs, which does not flush: the usage still in the queue is lost with the process.",
            remediation=f"Register a function that flushes and then calls `{name}`.",
            confidence=Confidence.LIKELY,
        )


def hooked(code: Code, target: Expression) -> str:
    """The function that a hook is given, or the one that its block calls."""
    if isinstance(target, Lambda):
        inside = list(code.calls_in(target.scope))
        return inside[0].method if len(inside) == 1 else ""
    return target.name if isinstance(target, Member) else getattr(target, "text", "")


def speaks(code: Code, scope: Scope) -> bool:
    return bool({*words(code.facts.path), *words(code.function_name(scope))} & SPEAKS) and code.billing


def memory_only(code: Code) -> Iterator[Finding]:
    """A module's own list or map of usage that functions add to, in a file that writes it nowhere."""
    fed = fed_containers(code)
    emptied = {one.buffer for one in emptyings(code)}
    if STORE_WORDS.search(code.facts.source):
        return
    for assign in code.facts.assigns:
        name = assign.targets[0] if len(assign.targets) == 1 else None
        if not isinstance(name, Name) or enclosing(assign.scope, Kind.FUNCTION, Kind.CLASS) or not is_empty(assign.value):
            continue
        if name.text not in fed or name.text in emptied or set(words(name.text)) & TEMPORARY:
            continue
        adding = next(iter(additions(code, name.text)), None)
        if adding is None or code.context(adding) in QUIET or not (holds_usage(code, name.text)):
            continue
        yield Finding(
            span=assign.span,
            cause=assign.span,
            description=f"`{name.text}` keeps usage only in the memory of this process: a restart loses it.",
            remediation=f"Write what goes into `{name.text}` to a database or a durable queue at once.",
            confidence=Confidence.LIKELY,
        )


def serverless(code: Code) -> Iterator[Finding]:
    """A buffering SDK in a function that is frozen after its answer, and no flush awaited in it."""
    for emission in code.emissions:
        if emission.record is None or emission.record.returns != "void_buffered" or emission.provider is None:
            continue
        if not imports(emission.provider, code.facts.packages, code.facts.language) or flushed(code):
            continue
        handler = serverless_handler(code, emission)
        if handler is not None:
            yield Finding(
                span=emission.call.span,
                cause=emission.call.span,
                description=(
                    f"{emission.title} only waits in memory, and `{handler}` may be frozen after its answer: the usage is lost."
                ),
                remediation="Wait for the SDK's flush before the function returns.",
                confidence=Confidence.LIKELY,
                variant="serverless-buffering-sdk",
            )


def flushed(code: Code) -> bool:
    return any(fold(call.method) in FLUSHES for call in code.facts.calls)


def serverless_handler(code: Code, emission: Emission) -> str | None:
    """The name of the serverless entry around an emission: a Lambda handler, a route of a serverless framework."""
    function = emission.function
    head = function.head if function is not None else None
    if not isinstance(head, Function):
        return None
    names = [fold(parameter.name) for parameter in head.parameters]
    if fold(head.name) in {fold(name) for name in SERVERLESS} and (head.exported or names[:2] == ["event", "context"]):
        return head.name
    return head.name if names[:2] == ["event", "context"] else None


EXAMPLES = (
    Example(
        "python",
        """
import atexit
from queue import Queue

class UsageProducer:
    def __init__(self, threads):
        self.queue = Queue(1000)
        self.threads = threads
        atexit.register(self.join)  # <- finding

    def meter(self, customer, tokens):
        self.queue.put({"customer": customer, "tokens": tokens, "meter": "tokens"})

    def flush(self):
        self.queue.join()

    def join(self):
        for thread in self.threads:
            thread.join()
""",
        path="metering/producer.py",
    ),
    Example(
        "python",
        """
from fastapi import FastAPI

app = FastAPI()
quotas = {}  # <- finding

@app.post("/ask")
def ask(token: str, tokens_used: int):
    quotas[token]["used"] += tokens_used
    return {"remaining": quotas[token]["max"] - quotas[token]["used"]}
""",
        path="billing/quota.py",
    ),
    Example(
        "python",
        """
import atexit
from queue import Queue

class UsageProducer:
    def __init__(self, threads):
        self.queue = Queue(1000)
        self.threads = threads
        atexit.register(self.shutdown)

    def flush(self):
        self.queue.join()

    def shutdown(self):
        self.flush()
        for thread in self.threads:
            thread.join()

rate_window = {}

def allowed(key):
    rate_window[key] = rate_window.get(key, 0) + 1
    return rate_window[key] < 100
""",
        path="metering/producer.py",
    ),
    Example(
        "typescript",
        """
export const usageEvents: UsageEvent[] = [];  // <- finding

export function logUsage(userId: string, amount: number) {
  usageEvents.push({ userId, amount, at: new Date() });
}
""",
        path="lib/metering.ts",
    ),
    Example(
        "typescript",
        """
import { SchematicClient } from "@schematichq/schematic-typescript-node";

const client = new SchematicClient({ apiKey: process.env.SCHEMATIC_KEY! });

export async function handler(event: Event) {
  const answer = await generate(event.prompt);
  client.track({ event: "tokens", company: { id: event.customer }, quantity: answer.tokens });  // <- finding
  return answer;
}
""",
    ),
    Example(
        "typescript",
        """
import { SchematicClient } from "@schematichq/schematic-typescript-node";

const client = new SchematicClient({ apiKey: process.env.SCHEMATIC_KEY! });

export async function handler(event: Event) {
  const answer = await generate(event.prompt);
  client.track({ event: "tokens", company: { id: event.customer }, idempotencyKey: event.id });
  await client.close();
  return answer;
}
""",
    ),
    Example(
        "go",
        """
package quota

var pending = make(map[int]int64)

func start(store *Store) {
	for {
		time.Sleep(time.Minute)  // <- finding
		flushQuota(store)
	}
}

func add(user int, amount int64) {
	pending[user] += amount
}

func flushQuota(store *Store) {
	for user, amount := range pending {
		if err := store.IncreaseQuota(user, amount); err != nil {
			return
		}
	}
	pending = make(map[int]int64)
}
""",
    ),
    Example(
        "go",
        """
package quota

var pending = make(map[int]int64)

func start(ctx context.Context, store *Store) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGTERM)
	defer stop()
	for ctx.Err() == nil {
		time.Sleep(time.Minute)
		flushQuota(store)
	}
	flushQuota(store)
}

func add(user int, amount int64) {
	pending[user] += amount
}

func flushQuota(store *Store) {
	for user, amount := range pending {
		if err := store.IncreaseQuota(user, amount); err != nil {
			return
		}
	}
	pending = make(map[int]int64)
}
""",
    ),
    Example(
        "typescript",
        """
export class UsageBatcher {
  private events: UsageEvent[] = [];

  add(event: UsageEvent) {
    this.events.push(event);
    if (this.events.length >= 100) void this.send();
  }

  async shutdown(): Promise<void> {
    await this.send();  // <- finding
  }

  private async send(): Promise<void> {
    const batch = this.events.splice(0);
    await this.queue.publish(batch);
  }
}
""",
        path="src/metering/batcher.ts",
    ),
    Example(
        "typescript",
        """
export class UsageBatcher {
  private events: UsageEvent[] = [];
  private readonly inFlight = new Set<Promise<void>>();

  add(event: UsageEvent) {
    this.events.push(event);
    if (this.events.length >= 100) this.start();
  }

  async shutdown(): Promise<void> {
    this.start();
    await Promise.all(this.inFlight);
  }

  private start() {
    const sending = this.send().finally(() => this.inFlight.delete(sending));
    this.inFlight.add(sending);
  }

  private async send(): Promise<void> {
    const batch = [...this.events];
    await this.queue.publish(batch);
    this.events.splice(0, batch.length);
  }
}
""",
        path="src/metering/batcher.ts",
    ),
    Example(
        "python",
        """
import asyncio

class UsageBatcher:
    def __init__(self, client):
        self.client = client
        self.pending = []

    def add(self, event):
        self.pending.append(event)
        if len(self.pending) > 100:
            asyncio.create_task(self.flush())

    async def flush(self):
        batch, self.pending = self.pending, []
        await self.client.post("/usage", json=batch)

    def close(self):  # <- finding
        self.client = None
""",
        path="metering/batcher.py",
    ),
    Example(
        "python",
        """
import asyncio

class UsageBatcher:
    def __init__(self, client):
        self.client = client
        self.pending = []
        self.in_flight = set()

    def add(self, event):
        self.pending.append(event)
        if len(self.pending) > 100:
            self.in_flight.add(asyncio.create_task(self.flush()))

    async def flush(self):
        batch = list(self.pending)
        await self.client.post("/usage", json=batch)
        del self.pending[: len(batch)]

    async def close(self):
        await asyncio.gather(*self.in_flight)
        await self.flush()
""",
        path="metering/batcher.py",
    ),
    Example(
        "go",
        """
package metering

type UsageSink struct {
	buffer *Buffer
	timer  *time.Timer
	store  Store
}

func (s *UsageSink) flush(ctx context.Context) error {
	events := s.buffer.Drain()
	return s.store.BulkInsertUsage(ctx, events)
}

func (s *UsageSink) arm(ctx context.Context, report chan<- error) {
	s.timer = time.AfterFunc(time.Second, func() { report <- s.flush(ctx) })
}

func (s *UsageSink) Close() error {  // <- finding
	s.timer.Stop()
	return nil
}
""",
    ),
    Example(
        "go",
        """
package metering

type UsageSink struct {
	buffer *Buffer
	timer  *time.Timer
	mu     sync.Mutex
	store  Store
}

func (s *UsageSink) flush(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	events := s.buffer.Drain()
	return s.store.BulkInsertUsage(ctx, events)
}

func (s *UsageSink) arm(ctx context.Context, report chan<- error) {
	s.timer = time.AfterFunc(time.Second, func() { report <- s.flush(ctx) })
}

func (s *UsageSink) Close() error {
	s.timer.Stop()
	return s.flush(context.Background())
}
""",
    ),
    Example(
        "typescript",
        """
import http from "node:http";
import { app } from "./app";
import { meterProducer } from "./billing/producer";

const server = http.createServer(app);
server.listen(3000);

process.on("SIGTERM", async () => {
  await meterProducer.disconnect();  // <- finding
  process.exit(0);
});
""",
    ),
    Example(
        "typescript",
        """
import http from "node:http";
import { app } from "./app";
import { meterProducer } from "./billing/producer";

const server = http.createServer(app);
server.listen(3000);

process.on("SIGTERM", async () => {
  await new Promise((resolve) => server.close(resolve));
  await meterProducer.disconnect();
  process.exit(0);
});

process.on("SIGINT", async () => {
  await waitForRequestsInFlight(10_000);
  await meterProducer.disconnect();
  process.exit(0);
});
""",
    ),
    Example(
        "go",
        """
package main

func run(ctx context.Context, usageProducer *billing.Producer, handler http.Handler) error {
	srv := &http.Server{Addr: ":8080", Handler: handler}
	go srv.ListenAndServe()
	<-ctx.Done()
	usageProducer.Close()  // <- finding
	return srv.Shutdown(context.Background())
}

func serve(ctx context.Context, usageProducer *billing.Producer, handler http.Handler) error {
	srv := &http.Server{Addr: ":8080", Handler: handler}
	go srv.ListenAndServe()
	<-ctx.Done()
	err := srv.Shutdown(context.Background())
	usageProducer.Close()
	return err
}
""",
    ),
)
