"""Every place where usage is written down: reported to a provider, added to a counter, or stored as a row."""

from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from rules.code import Code
from rules.facts import Call, Expression, Kind, Literal, Name, Object, Scope, Sequence, Span, dotted, enclosing, fold, walk
from rules.meaning.usage.counters import Change
from rules.meaning.usage.emissions import sent, shown
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import consumes, emits, words

INSERTS = frozenset(
    "create createmany insert insertone insertmany insertall add addall bulkcreate bulkinsert save savemany put putitem "
    "upsert upsertmany xadd copyfrom batchinsert createinbatches".split()
)
ROW_NOUNS = frozenset("usage usages meter metering ledger billable consumption".split())
COPIES = frozenset(
    "backup archive mirror export snapshot cache audit history setting settings plan limit limits secret secrets alert alerts "
    "notification notifications email emails threshold thresholds".split()
)
"""What holds usage a second time, or speaks of it without being any."""
TABLES = frozenset("from table collection into doc model".split())
"""Calls whose string names the table: `supabase.from("usage_logs")`."""


@dataclass(frozen=True, slots=True, eq=False)
class UsageWrite:
    """One write of usage. `title` is how a message names it."""

    span: Span
    scope: Scope
    title: str
    call: Call | None
    certain: bool
    sent: Call | None = None
    """The call whose result tells the outcome: the end of the promise or query chain."""

    @property
    def function(self) -> Scope | None:
        return enclosing(self.scope, Kind.FUNCTION)


FOUND: WeakKeyDictionary[Code, tuple[UsageWrite, ...]] = WeakKeyDictionary()
"""What was worked out for a file; gone with it."""


def usage_writes(code: Code) -> tuple[UsageWrite, ...]:
    """In source order. A call that is several of these is listed once."""
    if code not in FOUND:
        FOUND[code] = each_once(code)
    return FOUND[code]


def each_once(code: Code) -> tuple[UsageWrite, ...]:
    found = {id(one.call) if one.call else id(one): one for one in all_writes(code)}
    return tuple(sorted(found.values(), key=lambda write: write.span.start))


def failing_writes(code: Code) -> tuple[UsageWrite, ...]:
    """Those of the usage writes that can fail: calls; of counters those that add or take, not those that set a field."""
    moved = {id(one.call) for one in code.counters if one.change in (Change.ADD, Change.SUBTRACT)}
    still = {id(one.call) for one in code.counters} - moved
    reported = {id(one.call) for one in code.emissions}
    return tuple(
        one for one in usage_writes(code) if one.call is not None and (id(one.call) not in still or id(one.call) in reported)
    )


def all_writes(code: Code) -> Iterator[UsageWrite]:
    outer = code.outer
    about = frozenset(words(code.facts.path))
    for call in code.facts.calls:
        if (inserts_usage(call, about) and not fills_list(code, call)) or calls_procedure(call):
            yield UsageWrite(call.span, call.scope, f"`{shown(call)}`", call, False, chained(call, outer))
    for counter in code.counters:
        end = chained(counter.call, outer) if counter.call is not None else None
        yield UsageWrite(counter.span, counter.scope, f"the write of `{counter.name}`", counter.call, True, end)
    for emission in code.emissions:
        yield UsageWrite(emission.call.span, emission.scope, emission.title, emission.call, emission.certain, emission.sent)


QUERY_STEPS = frozenset("select single maybesingle returning eq match where throwonerror onconflict limit".split())
"""What a query builder chains to a write without changing whose outcome it is."""


def chained(call: Call, outer: dict[int, Call]) -> Call:
    """The end of a promise or query chain: `.update({…}).eq(…).select()`."""
    end = sent(call, outer)
    while id(end) in outer and outer[id(end)].receiver is end and fold(outer[id(end)].method) in QUERY_STEPS:
        end = sent(outer[id(end)], outer)
    return end


def inserts_usage(call: Call, about: frozenset[str] = frozenset()) -> bool:
    """Rows of usage; `about` are the words of the file's path, by which a table of `events` may be one of usage.

    `prisma.usageEvent.create`, `db.insert(usageEvents)`, `session.add(UsageRecord(…))`, `BulkInsertUsageEvents`.
    """
    said = words(call.method)
    if fold(call.method) in INSERTS or (said and said[0] in ("insert", "bulk", "save", "store", "persist") and len(said) > 1):
        if schedules(call) or counts_for_people(call):
            return False
        before = {*words(dotted(call.callee)), *tables(call)}
        inside = {word for argument in call.arguments[:1] for part in walk(argument.value) for word in spoken(part)}
        named = (before | inside) & ROW_NOUNS or (about & {"usage", "metering"} and before & {"event", "events"})
        return bool(named) and not (before | inside) & COPIES
    return False


LISTS = frozenset("list arraylist linkedlist hashset linkedhashset treeset concurrentbag mutablelist vec".split())


def fills_list(code: Code, call: Call) -> bool:
    """`records.Add(new UsageRecord { … })` on a list that the function makes itself: nothing is written by that."""
    if fold(call.method) not in ("add", "addall", "addrange") or not isinstance(call.receiver, Name):
        return False
    made = [one.value for one in definitions_at(code.values, call.receiver.text, call.scope, call.span.start)]
    return bool(made) and all(
        isinstance(one, Sequence) or (isinstance(one, Call) and one.constructs and fold(one.method) in LISTS) for one in made
    )


def counts_for_people(call: Call) -> bool:
    """`Diagnostics.UsageCalls.Add(1)`: a number is added to a metric of the process; a row is no number."""
    first = call.arguments[0].value if call.arguments else None
    numbered = isinstance(first, Literal) and isinstance(first.value, int | float)
    return fold(call.method) == "add" and (numbered or bool({"diagnostics", "telemetry"} & set(words(dotted(call.callee)))))


def schedules(call: Call) -> bool:
    """`queue.add("usage-job", {})` only starts a job: it carries no usage."""
    payloads = [one for argument in call.arguments if isinstance(one := argument.value, Object)]
    return "queue" in words(call.name) and bool(payloads) and not payloads[0].entries


def tables(call: Call) -> Iterator[str]:
    """The words of the table that a query chain names before the write."""
    for part in walk(call.receiver):
        if isinstance(part, Call) and fold(part.method) in TABLES and part.arguments:
            value: Expression = part.arguments[0].value
            if isinstance(value, Literal):
                yield from words(str(value.value))


def calls_procedure(call: Call) -> bool:
    """`supabase.rpc("increment_usage", …)`: the name of the procedure says what it writes."""
    if fold(call.method) not in ("rpc", "callproc") or not call.arguments:
        return False
    name = call.arguments[0].value
    return isinstance(name, Literal) and isinstance(name.value, str) and (emits(name.value) or consumes(name.value))


def spoken(part: object) -> tuple[str, ...]:
    if isinstance(part, Call):
        return words(part.method)
    if isinstance(part, Object):
        return words(part.type)
    return words(getattr(part, "text", "") or getattr(part, "name", "") or "")
