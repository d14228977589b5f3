"""A buffer of usage is emptied before the send of what was in it is known to have worked.

When the send fails, the events are in neither place: not in the buffer, and not at the receiver. Every provider outage and
every database hiccup then loses a whole batch. Empty the buffer after the send has succeeded, or put the events back in the
handler of its failure; an idempotency key on each event keeps the second attempt from counting twice.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Class, Literal, Object, chain, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.usage.appends import dropped, misread
from rules.meaning.usage.buffers import SPEAKS, Emptying, emptyings, puts_back
from rules.meaning.usage.emissions import shown
from rules.meaning.usage.snapshots import first_send, sent_before
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant
from rules.tracing.buffered import only_looked_at, still_stored
from rules.tracing.spared import per_request

ABOUT = About(
    id="MTR-107",
    title="In-memory usage buffer is emptied before the send is known to have worked",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E7",),
    cwe=("CWE-460", "CWE-696"),
    iso_25010="Reliability / recoverability",
    variants={"stream-capped": Variant("Stream of usage is trimmed to a length before it is read")},
)
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.SCRIPT})
REREAD = ("storeoffset", "commitoffset", "commitmessage", "markmessage", "msg.ack", "message.ack")
"""What a consumer calls that reads its messages again as long as they are not committed."""

SHOWING = frozenset("xread xrange xrevrange".split())
WORKING = frozenset("xreadgroup xack xautoclaim".split())
"""Who reads a stream without a group is shown what is new, and keeps nothing: such a stream holds no usage of its own."""


def check(code: Code) -> Iterator[Finding]:
    consumed = any(call.folded.endswith(REREAD) for call in code.facts.calls)
    for one in () if consumed else emptyings(code):
        if code.context(one.scope) in QUIET or puts_back(code, one) or sent_before(code, one):
            continue
        after = first_send(code, one)
        if after is None or still_stored(code, one) or only_looked_at(code, one, after):
            continue
        if not per_request(code, one.scope):
            yield cleared(code, one, after)
    yield from trimmed(code)
    yield from misread_additions(code)


def trimmed(code: Code) -> Iterator[Finding]:
    """A Redis stream of usage with a maximum length: what was not read yet gives way to what is new. Once for a file."""
    methods = {fold(call.method) for call in code.facts.calls}
    if methods & SHOWING and not methods & WORKING:
        return
    capped = [
        call
        for call in code.facts.calls
        if fold(call.method) == "xadd" and code.context(call.scope) not in QUIET and speaks(code, call) and is_capped(call)
    ]
    if capped:
        first = min(capped, key=lambda call: call.span.start)
        yield Finding(
            span=first.span,
            cause=first.span,
            description=f"`{first.name}` trims the stream of usage to a length: what its reader has not read yet is lost.",
            remediation="Trim by what the consumer group has acknowledged, or leave it uncapped and watch its length.",
            confidence=Confidence.LIKELY,
            variant="stream-capped",
            trace=tuple(Step(call.span, "it is trimmed here, too") for call in capped if call is not first),
        )


def is_capped(call: Call) -> bool:
    return any(
        fold(argument.name or "") in ("maxlen", "approximatemaxlength")
        or any(isinstance(part, Literal) and str(part.value).lower() == "maxlen" for part in walk(argument.value))
        or any(fold(name) == "maxlen" for part in walk(argument.value) if isinstance(part, Object) for name in keys(part))
        for argument in call.arguments
    )


def misread_additions(code: Code) -> Iterator[Finding]:
    """The buffer becomes what adding to it answers, which is not the buffer: what was gathered is gone."""
    for assign, call, name in misread(code):
        if code.context(assign.scope) is not Context.TEST:
            answer = code.facts.traits.appending_answers
            yield Finding(
                span=assign.span,
                cause=assign.span,
                description=f"`{call.method}` answers {answer}, not the list: `{name}` loses what it held with each event.",
                remediation=f"Call `{call.method}` as a statement of its own and do not assign its answer.",
                confidence=Confidence.CERTAIN,
            )
    for call, name in dropped(code):
        if code.context(call.scope) is not Context.TEST:
            yield Finding(
                span=call.span,
                cause=call.span,
                description=f"`{call.method}` answers a new list and leaves `{name}` as it was: these events are never kept.",
                remediation=f"Assign the answer to `{name}`, or add the events with `push`.",
                confidence=Confidence.CERTAIN,
            )


def keys(part: Object) -> Iterator[str]:
    return (entry.name for entry in part.entries if entry.name is not None)


def speaks(code: Code, call: Call) -> bool:
    said = {*words(code.facts.path), *words(code.function_name(call.scope))}
    for scope in chain(call.scope):
        if isinstance(scope.head, Class):
            said |= set(words(scope.head.name))
    return bool(said & SPEAKS)


def cleared(code: Code, one: Emptying, after: Call) -> Finding:
    name = one.buffer
    reported = any(emission.call is after for emission in code.emissions)
    return Finding(
        span=one.span,
        cause=one.span,
        description=(f"`{name}` is emptied before `{shown(after)}` is known to have worked: if that fails, the batch is lost."),
        remediation=f"Empty `{name}` after `{shown(after)}` has succeeded, or put the events back where its failure ends.",
        confidence=Confidence.CERTAIN if reported else Confidence.LIKELY,
        trace=(Step(after.span, "the events are sent here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
class UsageReporter:
    def __init__(self, client):
        self.client = client
        self.pending = []

    def record(self, customer, tokens):
        self.pending.append({"customer": customer, "tokens": tokens})

    def flush(self):
        batch = list(self.pending)
        self.pending.clear()  # <- finding
        self.client.post("/usage", json=batch)

class QuotaWriter:
    def __init__(self, store):
        self.store = store
        self.deltas = {}

    def add(self, user, amount):
        self.deltas[user] = self.deltas.get(user, 0) + amount

    def drain(self):
        taken, self.deltas = self.deltas, {}  # <- finding
        for user, amount in taken.items():
            self.store.increment_quota(user, amount)
""",
    ),
    Example(
        "python",
        """
class UsageReporter:
    def __init__(self, client):
        self.client = client
        self.pending = []

    def record(self, customer, tokens):
        self.pending.append({"customer": customer, "tokens": tokens})

    def flush(self):
        batch = list(self.pending)
        self.pending.clear()
        try:
            self.client.post("/usage", json=batch)
        except Exception:
            self.pending.extend(batch)
            raise

    def flush_after(self):
        self.client.post("/usage", json=self.pending)
        self.pending = []

    def begin(self):
        if self.pending is None:
            self.pending = []
        self.client.post("/usage/begin", json={})
""",
    ),
    Example(
        "typescript",
        """
export class UsageBatcher {
  private events: UsageEvent[] = [];

  add(event: UsageEvent) {
    this.events.push(event);
  }

  async flush(): Promise<void> {
    const batch = this.events;
    this.events = [];  // <- finding
    await this.queue.send(batch);
  }

  async drain(): Promise<void> {
    const taken = this.events.splice(0, this.events.length);  // <- finding
    await this.client.ingest(taken);
  }
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
  }

  async flush(): Promise<void> {
    const batch = this.events;
    this.events = [];
    try {
      await this.queue.send(batch);
    } catch (error) {
      this.events.unshift(...batch);
      throw error;
    }
  }
}

export class PageViews {
  private views: string[] = [];

  add(view: string) {
    this.views.push(view);
  }

  async flush(): Promise<void> {
    const batch = this.views;
    this.views = [];
    await fetch("/views", { method: "POST", body: JSON.stringify(batch) });
  }
}
""",
    ),
    Example(
        "go",
        """
package quota

var pending = make(map[int]int64)

func add(user int, amount int64) {
	pending[user] += amount
}

func writeQuota(store *Store) {
	taken := pending
	pending = make(map[int]int64)  // <- finding
	for user, amount := range taken {
		if err := store.IncreaseQuota(user, amount); err != nil {
			log.Printf("quota not written: %v", err)
		}
	}
}
""",
    ),
    Example(
        "go",
        """
package quota

var pending = make(map[int]int64)

func add(user int, amount int64) {
	pending[user] += amount
}

func writeQuota(store *Store) {
	taken := pending
	pending = make(map[int]int64)
	for user, amount := range taken {
		if err := store.IncreaseQuota(user, amount); err != nil {
			pending[user] += amount
		}
	}
}
""",
    ),
    Example(
        "python",
        """
class UsageConsumer:
    def __init__(self, store):
        self.buffer = {}
        self.store = store

    def handle(self, message):
        key = message["customer"]
        self.buffer[key] = self.buffer.get(key, []).append(message)  # <- finding

    def handle_batch(self, messages):
        self.buffer = self.buffer.update(messages)  # <- finding
""",
        path="metering/consumer.py",
    ),
    Example(
        "python",
        """
class UsageNotices:
    async def publish(self, channel, notice):
        await self.redis.xadd(channel, {"data": notice}, maxlen=1000)

    async def listen(self, channel, last):
        return await self.redis.xread({channel: last}, block=5000)
""",
        path="billing/notices.py",
    ),
    Example(
        "python",
        """
class UsageConsumer:
    def __init__(self, store):
        self.buffer = {}
        self.store = store

    def handle(self, message):
        self.buffer.setdefault(message["customer"], []).append(message)
        self.last = self.store.add(message)
        total = self.buffer.get("total")
        return total
""",
        path="metering/consumer.py",
    ),
    Example(
        "typescript",
        """
export class UsageBuffer {
  private events: UsageEvent[] = [];

  add(event: UsageEvent) {
    this.events = this.events.push(event) as any;  // <- finding
  }

  addAll(batch: UsageEvent[]) {
    this.events.concat(batch);  // <- finding
  }
}
""",
        path="src/metering/buffer.ts",
    ),
    Example(
        "typescript",
        """
export class UsageBuffer {
  private events: UsageEvent[] = [];

  add(event: UsageEvent) {
    const size = this.events.push(event);
    return size;
  }

  addAll(batch: UsageEvent[]) {
    this.events = this.events.concat(batch);
  }
}
""",
        path="src/metering/buffer.ts",
    ),
    Example(
        "python",
        """
class UsageCollector:
    def __init__(self, user):
        self.events = []

    def record(self, event):
        self.events.append(event)

    def flush(self, db):
        taken = list(self.events)
        self.events.clear()
        for event in taken:
            db.save(UsageRow.create_from_event(event))
""",
        path="app/usage/collector.py",
        context={
            "app/chat.py": """
from app.usage.collector import UsageCollector

def chat(user, question, db):
    collector = UsageCollector(user)
    answer = ask(question, collector)
    collector.flush(db)
    return answer
""",
        },
    ),
    Example(
        "typescript",
        """
export class QuotaStore {
  private pendingInvalidations = new Set<string>();
  private flushed: UsageRow[] = [];

  changed(account: string) {
    this.pendingInvalidations.add(`quota:${account}`);
  }

  add(row: UsageRow) {
    this.flushed.push(row);
  }

  async broadcast(): Promise<void> {
    const stale = [...this.pendingInvalidations];
    this.pendingInvalidations.clear();
    await this.peers.publish("quota.changed", stale);
  }

  show(): void {
    const rows = this.flushed;
    this.flushed = [];
    this.events.emit("usage.flushed", rows);
  }
}
""",
        path="src/quota/store.ts",
    ),
    Example(
        "python",
        """
class UsageArchive:
    def __init__(self, dao):
        self.dao = dao
        self.pending = []

    def read(self, chunks):
        for chunk in chunks:
            self.pending.append(chunk)

    def write(self):
        taken, self.pending = self.pending, []
        self.dao.insert_many(taken)
        self.dao.delete_chunks([chunk.id for chunk in taken])
""",
        path="usage/archive.py",
    ),
)
