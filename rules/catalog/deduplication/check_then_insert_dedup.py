"""An event is looked up by its id and stored when it is not there, in two steps that nothing holds together.

Two deliveries of the same event at once both find nothing and both store it, and the usage counts twice. Let the store decide
in one step: a unique index with `ON CONFLICT DO NOTHING` or a caught duplicate error, and in Redis `SET … NX`. Then do the
work only where the row or key was really new.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Class,
    Compare,
    Expression,
    Function,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Spread,
    Unary,
    Use,
    chain,
    dotted,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes, runs_alone
from rules.meaning.limits.limits import leaves
from rules.meaning.outcomes import catches_duplicate, tests_duplicate
from rules.meaning.repeats.keys import NAMED
from rules.meaning.repeats.marks import ROW_INSERTS, STORE_SETS, is_store, receipt_table, speaks, spoken_key
from rules.meaning.repeats.presence import READS_ROW
from rules.meaning.subjects import STRICT
from rules.meaning.usage.counters import texts
from rules.meaning.usage.duties import works
from rules.meaning.usage.emissions import sent
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant
from rules.schema.plain_indexes import plain_indexes
from rules.schema.sql import tables
from rules.schema.tables import Schema, Table, joined
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-206",
    title="Existence query followed by insert, without unique constraint or conflict clause",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D4",),
    cwe=("CWE-367",),
    iso_25010="Reliability / faultlessness",
    gives_way_to=("mark-before-success",),
    variants={
        "redis-dedup-get-then-set": Variant("Dedup by GET/EXISTS then SET instead of SET NX", Severity.HIGH, ("D4",)),
        "dedup-key-not-unique": Variant("Index over the key that tells repeats is not unique", Severity.HIGH, ("D4",)),
    },
)
LOOKS = (*READS_ROW, "eq", "where")
ASKS_STORE = frozenset("get stringget keyexists exists hget hexists sismember has haskey ismember contains".split())
EVENT_KEYS = NAMED | frozenset(
    "eventid transactionid messageid requestid externalid stripeeventid webhookid webhookeventid usageid uniqueid deliveryid "
    "externaleventid providereventid trackingid".split()
)
COUNTED = STRICT | frozenset(
    "event events webhook webhooks credit credits meter meters ledger payment payments charge charges transaction transactions "
    "redemption redemptions topup topups grant grants record records delivery deliveries processed".split()
)
"""What a row is called that is added up, paid for, or the mark of a delivery."""
HOLDERS = frozenset("tenantid customerid orgid organizationid accountid userid workspaceid teamid provider source".split())
"""Within whom an event's id is unique: its repeat is of the same one."""
SOLE_KEYS = NAMED | frozenset("eventid messageid usageid deliveryid externaleventid providereventid trackingid".split())
"""Of these, names of what stands for one event alone; several rows may come of one request or transaction."""
NO_TABLE = frozenset(
    "prisma db session objects client self this ctx tx trx database orm query conn connection supabase models repo repository "
    "model c s r e d app store manager service select from insert where values eq execute add create find get".split()
)
CONFLICT = tuple(
    b"on conflict|onconflict|on_conflict|ignore_conflicts|insert ignore|insertignore|orignore|skipduplicates|on duplicate key|"
    b"get_or_create|findorcreate|firstorcreate|isolationlevel".split(b"|")
)


SQL_STORE = re.compile(r"\b(?:insert|replace|merge)\s+(?:or\s+\w+\s+)?into\b", re.I)
TABLE_OF = re.compile(r"(?:dao|repository|repo|mapper)$")
"""What stands behind a table's name for what reads and writes it: `rolledUpUsageDao`."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for call in code.facts.calls:
        if code.context(call.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        if fold(call.method) in STORE_SETS and (asked := asked_before(code, call)) is not None:
            if counts(code, call):
                yield in_store(call, asked, is_booked_after(code, asked.span, call.scope))
        elif inserts(call) and stores_row(code, call) and not gathers(code, call) and not held_together(code, call):
            looked = looked_before(code, call)
            if looked is not None and counts(code, call):
                yield from in_table(code, call, looked)
    yield from not_unique(code)


def asked_before(code: Code, call: Call) -> Call | None:
    """The earlier question for the same key that decides whether this call sets it."""
    receiver = call.name.rpartition(".")[0]
    if not is_store(receiver) or not speaks(spoken_key(code, call)) or sets_if_new(call) or not call.arguments:
        return None
    key = key_text(code, call)
    for other in code.calls_in(enclosing(call.scope, Kind.FUNCTION)):
        if fold(other.method) in ASKS_STORE and other.arguments and is_store(other.name.rpartition(".")[0]):
            same = key_text(code, other) == key
            if same and precedes(code, other.span, other.scope, call.span, call.scope) and decides(code, other):
                return None if runs_alone(code, call.scope, transactions=False) else other
    return None


def key_text(code: Code, call: Call) -> str:
    """The key as written; Go passes its context first."""
    plain = [code.facts.text(argument.value.span) for argument in call.arguments]
    return next((text for text in plain if text not in ("ctx", "context.Background()", "context.TODO()")), "")


def sets_if_new(call: Call) -> bool:
    said = {str(text).lower() for argument in call.arguments for text in texts(argument.value)}
    named = {fold(argument.name) for argument in call.arguments if argument.name is not None}
    entries = {fold(one.name or "") for argument in call.arguments for one in getattr(argument.value, "entries", ())}
    return bool({"nx", "notexists"} & (said | named | entries)) or "nx" in call.folded.rsplit(".", 1)[-1]


def decides(code: Code, asked: Call) -> bool:
    """Whether the answer is tested, directly or under the name it was given."""
    looked = sent(asked, code.outer)
    if looked.use is Use.TESTED:
        return True
    names = {part.text for target in looked.targets for part in walk(target) if isinstance(part, Name)}
    function = enclosing(looked.scope, Kind.FUNCTION)
    return any(
        enclosing(test.scope, Kind.FUNCTION) is function and test.span.start > looked.span.start
        and any(part is looked or (isinstance(part, Name) and part.text in names) for part in walk(test.value))
        for test in code.facts.tests
    )  # fmt: skip


def inserts(call: Call) -> bool:
    last = fold(call.method)
    if {"stripe", "paddle"} & set(words(call.name)):
        return False
    if call.method == "record" and TABLE_OF.search(fold(call.name.rpartition(".")[0])):
        return True
    return last in ROW_INSERTS and last not in ("upsert", "firstorcreate", "run", "query", "values") and "." in call.name


def stores_row(code: Code, call: Call) -> bool:
    """`execute(insert(Event)…)`, and not `execute(select(Event)…)`: a statement of unknown kind stores nothing that is seen."""
    if fold(call.method) not in ("exec", "execute"):
        return True
    whole = [resolved(code.values, one.value, call.scope, call.span.start) for one in call.arguments[:2]]
    whole += [resolved(code.values, call.receiver, call.scope, call.span.start)] if call.receiver is not None else []
    made = [part for value in whole for part in walk(value)]
    built = any(isinstance(part, Call) and words(part.method)[-1:] == ("insert",) for part in made)
    written = (part.value for part in made if isinstance(part, Literal) and isinstance(part.value, str))
    return built or any(map(SQL_STORE.search, written))


def gathers(code: Code, call: Call) -> bool:
    """`rows.add(…)` to a list of this function."""
    if fold(call.method) != "add" or not isinstance(call.receiver, Name):
        return False
    return isinstance(resolved(code.values, call.receiver, call.scope, call.span.start), Sequence)


def held_together(code: Code, call: Call) -> bool:
    """A lock, a transaction, a conflict clause or a caught duplicate: the second one is noticed."""
    function = enclosing(call.scope, Kind.FUNCTION)
    if function is None or runs_alone(code, call.scope):
        return True
    source = code.facts.source[function.span.start : function.span.end].lower()
    if any(word in source for word in CONFLICT):
        return True
    return any(
        scope.kind is Kind.HANDLER
        and within(scope, function)
        and (catches_duplicate(scope) or tests_duplicate(code.facts, scope))
        for scope in code.facts.scopes
    )


def looked_before(code: Code, insert: Call) -> Call | None:
    """The lookup by an event's id, in the same table, that decides whether this insert runs."""
    tables = tables_of(insert)
    for call in code.calls_in(enclosing(insert.scope, Kind.FUNCTION)):
        if call.span.end > insert.span.start or not looks(call):
            continue
        asked = asked_in(code, call)
        if by_event(code, asked) and tables & tables_of(asked) and decides(code, call) and chosen(code, call, insert):
            return call if not finds_or_makes(code, call, insert) else None
    return None


def looks(call: Call) -> bool:
    """`findByEventId`, `existsByKey`, `recordsWithTrackingIdExist`."""
    return fold(call.method).startswith(LOOKS) or fold(call.method).endswith(("exist", "exists"))


def asked_in(code: Code, call: Call) -> Call:
    """The lookup itself, where the file's own function only hands the question on."""
    local = code.values.functions.get(call.method, ()) if call.receiver is None else ()
    if len(local) != 1:
        return call
    inner = [one for one in code.calls_in(local[0]) if looks(one) and one.receiver is not None]
    return inner[0] if len(inner) == 1 else call


def tables_of(call: Call) -> frozenset[str]:
    """Folded singular names that may be the table: segments of the name, models given, strings of `from("…")`."""
    # As written: of an imported client, the path it comes from says nothing.
    names = [*(dotted(call.callee) or call.name).replace("()", "").split(".")[:-1]]
    inner: Call | None = call
    while inner is not None:
        for argument in inner.arguments[:1]:
            # `create({ data })`: what the row holds is no table.
            if isinstance(argument.value, Object) and not argument.value.type:
                continue
            names += [part.name.rsplit(".", 1)[-1] for part in walk(argument.value) if isinstance(part, Call)]
            names += [text for text in texts(argument.value) if " " not in text]
        inner = inner.receiver if isinstance(inner.receiver, Call) else None
    return frozenset(
        TABLE_OF.sub("", fold(name)).removesuffix("s")
        for name in names
        if fold(name) not in NO_TABLE and len(name) > 3 and not fold(name).endswith("id")
    )


def by_event(code: Code, call: Call) -> bool:
    """Whether a lookup asks for one event's id, and not for a customer or a name."""
    inner: Call | None = call
    while inner is not None:
        for argument in inner.arguments:
            if fold(argument.name or "").split("__")[0] in EVENT_KEYS:
                return True
            if any(is_event_key(text) for text in texts(argument.value)):
                return True
            for part in walk(argument.value):
                if any(fold(entry.name or "") in EVENT_KEYS for entry in getattr(part, "entries", ())):
                    return True
        inner = inner.receiver if isinstance(inner.receiver, Call) else None
    return bool(receipt_names(call)) or any(key in fold(call.method) for key in EVENT_KEYS)


def is_event_key(text: str) -> bool:
    return fold(text) in EVENT_KEYS or any(fold(word) in EVENT_KEYS for word in text.replace("=", " ").split())


def receipt_names(call: Call) -> bool:
    """A table of handled events is asked by nothing but the event."""
    return any(speaks(name) for name in call.name.split(".")[:-1])


def chosen(code: Code, looked: Call, insert: Call) -> bool:
    """Whether the insert runs only where nothing was found: in a branch of the test, or after a branch that leaves."""
    names = {part.text for target in looked.targets for part in walk(target) if isinstance(part, Name)}
    for scope in code.facts.scopes:
        if not isinstance(scope.head, Branch) or scope.head.test is None or scope.span.start < looked.span.start:
            continue
        asks = any(part is looked or (isinstance(part, Name) and part.text in names) for part in walk(scope.head.test))
        inside = any(one is scope for one in chain(insert.scope))
        passed = scope.span.end <= insert.span.start and leaves(code.facts, scope)
        if asks and (inside or passed):
            missing = is_missing(scope.head.test, looked, names)
            missing = not missing if missing is not None and scope.head.arm == "else" else missing
            if missing is None or missing is inside:
                return True
    return False


def finds_or_makes(code: Code, looked: Call, insert: Call) -> bool:
    """`row = find(); if (!row) row = insert()`: what follows goes on either way, and tells no event apart."""
    names = {part.text for target in sent(looked, code.outer).targets for part in walk(target) if isinstance(part, Name)}
    branch = enclosing(insert.scope, Kind.BRANCH, Kind.FUNCTION)
    if branch is None or branch.kind is not Kind.BRANCH or leaves(code.facts, branch):
        return False
    return any(
        within(assign.scope, branch) and assign.span.end >= insert.span.end
        for assign in code.facts.assigns
        if any(isinstance(target, Name) and target.text in names for target in assign.targets)
    )


def is_missing(test: Expression, looked: Call, names: set[str]) -> bool | None:
    """Whether a test holds where nothing was found, `!row`, or where something was, `row`; None if it is not so plain."""
    if isinstance(test, Logical) and test.operator in ("or", "and"):
        # `!row || row.expired` holds wherever nothing was found, `row && row.done` only where something was.
        sides = {is_missing(test.left, looked, names), is_missing(test.right, looked, names)}
        decisive = test.operator == "or"
        if decisive in sides:
            return decisive
        return sides.pop() if len(sides) == 1 else None
    if (counted := is_none_of(test, looked, names)) is not None:
        return counted
    asked = test.value if isinstance(test, Unary) and test.operator == "not" else test
    nothing = isinstance(test, Compare) and isinstance(test.right, Literal) and test.right.value is None
    if isinstance(test, Compare) and nothing:
        asked = test.left
    if asked is not looked and not (isinstance(asked, Name) and asked.text in names):
        return None
    if isinstance(test, Compare):
        return test.operator in ("==", "is") if nothing else None
    return asked is not test


LENGTHS = frozenset("length size count len rowcount".split())


def is_none_of(test: Expression, looked: Call, names: set[str]) -> bool | None:
    """The same of how many were found: `rows.length === 0`, `len(rows) > 0`, `count > 0`, `rows.isEmpty()`."""
    if isinstance(test, Unary) and test.operator == "not":
        inner = is_none_of(test.value, looked, names)
        return None if inner is None else not inner
    if isinstance(test, Call) and fold(test.method) in ("isempty", "empty", "isnotempty", "any", "exists", "ispresent"):
        return fold(test.method) in ("isempty", "empty") if of_lookup(test.receiver, looked, names) else None
    sized = test.left if isinstance(test, Compare) else test
    if isinstance(sized, Call) and fold(sized.method) in LENGTHS:
        held = sized.receiver if isinstance(sized.callee, Member) else sized.arguments[0].value if sized.arguments else None
    else:
        held = sized.object if isinstance(sized, Member) and fold(sized.name) in LENGTHS else None
    if held is None and isinstance(test, Compare) and isinstance(test.right, Literal) and type(test.right.value) is int:
        held = sized
    if held is None or not of_lookup(held, looked, names):
        return None
    if not isinstance(test, Compare):
        return False
    none = (test.operator, getattr(test.right, "value", None))
    return none in (("==", 0), ("<", 1), ("<=", 0)) if isinstance(test.right, Literal) else None


def of_lookup(value: Expression | None, looked: Call, names: set[str]) -> bool:
    return value is looked or (isinstance(value, Name) and value.text in names)


def in_table(code: Code, insert: Call, looked: Call) -> Iterator[Finding]:
    known = unique(code, insert)
    if (known is True and not drops_error(insert)) or not carries_key(code, insert):
        return
    sure = Confidence.LIKELY if known is False or drops_error(insert) else Confidence.POSSIBLE
    booked = is_booked_after(code, looked.span, insert.scope) or says_usage(insert)
    if told_once(code, insert) or is_copy(code, insert) or not booked:
        sure = Confidence.POSSIBLE
    yield Finding(
        span=insert.span,
        cause=insert.span,
        description=(
            f"`{looked.name}` looks for the event and `{insert.name}` stores it later: two deliveries at once both find "
            "nothing and both go on, so the usage counts twice."
        ),
        remediation="Give the event's id a unique index, insert with a conflict clause, and go on only if the row was new.",
        confidence=sure,
        trace=(Step(looked.span, "the event is looked for here"),),
    )


def carries_key(code: Code, insert: Call) -> bool:
    """Whether the row that is stored holds an event's id: a refund of a payment that was looked up is another row."""
    columns = {fold(name) for name in columns_of(code, insert)}
    spread = any(isinstance(part, Spread) for argument in insert.arguments for part in walk(argument.value))
    return not columns or spread or any(one in EVENT_KEYS or one.endswith(tuple(EVENT_KEYS)) for one in columns)


BROKERS = frozenset(
    "kafka kafkajs rabbitmq amqplib amqp sqs sns pubsub nats jetstream bullmq bull celery kinesis servicebus eventbridge "
    "pulsar masstransit sidekiq asynq watermill".split()
)


def told_once(code: Code, insert: Call) -> bool:
    """A handler of a program's own events, that no broker brings: each is told once, and not again after a failure."""
    heads = [one.head for one in chain(insert.scope)]
    folders = set(words(code.facts.path))
    listens = any(
        (isinstance(head, Class) and (EVENT_HANDLER.search(head.name) or any(map(EVENT_HANDLER.search, head.bases))))
        or (isinstance(head, Function) and any(EVENT_MARK.search(name_of(mark)) for mark in head.decorators))
        for head in heads
    ) or ({"event", "events"} & folders and {"handler", "handlers", "listener", "listeners", "subscriber"} & folders)
    brokers = {word for package in code.facts.packages for word in words(package.lower())} & BROKERS
    return bool(listens) and not brokers and code.context(insert.scope) not in (Context.WEBHOOK, Context.WORKER)


EVENT_HANDLER = re.compile(
    r"^I?(?:\w*Domain)?Event(?:s)?(?:Handler|Listener|Subscriber)\b|\w+(?:Event|Events)(?:Handler|Listener)$"
)
EVENT_MARK = re.compile(r"(?:^|\.)(?:OnEvent|EventListener|EventsHandler|EventHandler|receiver)$")


def is_copy(code: Code, insert: Call) -> bool:
    """A product or a customer that is kept as it lies elsewhere: stored twice, nobody pays for it."""
    columns = {fold(name) for name in columns_of(code, insert)}
    return "externalid" in columns and bool(columns & {"title", "description", "name", "sku", "slug", "email"})


def unique(code: Code, insert: Call) -> bool | None:
    """Whether the schema keeps two rows of one event apart; None where the table is not known."""
    found = [table for name in tables_of(insert) if (table := code.elsewhere.schema.table(name)) is not None and table.columns]
    if not found:
        return None
    set_here = {fold(name) for name in columns_of(code, insert)} | EVENT_KEYS | HOLDERS
    return any(key <= set_here and key & (EVENT_KEYS | {"id"}) for table in found for key in table.unique)


def columns_of(code: Code, insert: Call) -> Iterator[str]:
    """The columns that an insert sets, in keywords, an object, or a model that is built for it."""
    for argument in insert.arguments:
        if argument.name is not None:
            yield argument.name
        whole = resolved(code.values, argument.value, insert.scope, insert.span.start)
        for part in walk(whole):
            yield from (entry.name for entry in getattr(part, "entries", ()) if entry.name)
            if isinstance(part, Call):
                yield from (one.name for one in part.arguments if one.name is not None)


def counts(code: Code, insert: Call) -> bool:
    """Whether a second row costs somebody: it is one of usage, money or what came in, or work of that kind goes with it."""
    said = {*words(insert.name), *words(code.function_name(insert.scope)), *words(code.facts.path.rsplit("/", 1)[-1])}
    if fold(insert.method) in STORE_SETS:
        said |= set(words(spoken_key(code, insert)))
    for argument in insert.arguments[:2]:
        whole = resolved(code.values, argument.value, insert.scope, insert.span.start)
        said |= {word for text in heads(argument.value, whole) for word in words(text)}
    function = enclosing(insert.scope, Kind.FUNCTION)
    return bool(said & COUNTED) or any(function is not None and within(scope, function) for _, scope, _ in works(code))


def heads(*values: Expression) -> Iterator[str]:
    """The names that stand for a row and its type, and not those of its fields."""
    for value in values:
        yield value.method if isinstance(value, Call) else getattr(value, "type", "") or name_of(value)
        if isinstance(value, Literal) and isinstance(value.value, str) and len(value.value) < 200:
            yield value.value


def drops_error(insert: Call) -> bool:
    """A client that answers failure with a value, and nobody takes it: a unique index would refuse, and be ignored."""
    return (
        "from" in fold(insert.name).replace("()", "").split(".") and insert.use is Use.DISCARDED and bool(receipt_table(insert))
    )


def is_booked_after(code: Code, asked: Span, scope: Scope) -> bool:
    """Whether usage or money is booked after the question, in the function that asks: then a repeat surely costs."""
    function = enclosing(scope, Kind.FUNCTION)
    return (
        function is not None
        and is_served(code, scope)
        and any(within(place, function) and span.start > asked.end for span, place, _ in works(code))
    )


def says_usage(insert: Call) -> bool:
    """Whether the row itself is one of usage that is billed, and not a note or a statistic."""
    said = set(words(insert.name))
    return bool(said & {"usage", "usages", "meter", "metering", "credit", "credits", "ledger", "charge", "charges"})


def in_store(call: Call, asked: Call, booked: bool) -> Finding:
    return Finding(
        span=call.span,
        cause=call.span,
        description=(
            f"`{asked.name}` asks whether the event was seen and `{call.name}` notes it later: two deliveries at once both "
            "find nothing and both go on, so the usage counts twice."
        ),
        remediation="Ask and note in one step: `SET key value NX EX …`, and go on only if it was set.",
        confidence=Confidence.CERTAIN if booked else Confidence.POSSIBLE,
        variant="redis-dedup-get-then-set",
        trace=(Step(asked.span, "the event is asked for here"),),
    )


def not_unique(code: Code) -> Iterator[Finding]:
    """`CREATE INDEX ON usage_events (event_id)`, where no unique key of the table has that column."""
    own = joined(tables(code.facts.source.decode(errors="replace"))) if code.facts.traits.statements_only else Schema()
    for index in plain_indexes(code.facts):
        table = code.elsewhere.schema.table(index.table) or own.table(index.table)
        if table is None or index.column not in SOLE_KEYS & table.columns.keys() or not counts_usage(index.table, table):
            continue
        schemas = (code.elsewhere.schema, own)
        if any(index.column in key for known in schemas for other in known.tables.values() for key in other.unique):
            continue
        yield Finding(
            span=index.call.span,
            cause=index.call.span,
            description=(
                f"Rows of `{index.table}` are looked for by the key that tells a repeated event, and this index does not keep "
                "two of one key apart, nor does any other: a repeat at the same time is stored, and its usage counts twice."
            ),
            remediation="Make it a unique index, with the tenant and what else an event may hold several rows of.",
            confidence=Confidence.LIKELY,
            variant="dedup-key-not-unique",
        )


def counts_usage(name: str, table: Table) -> bool:
    """By its name, or as one of events that carry how much."""
    said = set(words(name))
    if said & {"log", "logs", "archive", "history", "audit", "summary", "daily", "monthly", "hourly"}:
        return False
    measured = bool({"quantity", "amount", "units", "tokens", "value"} & table.columns.keys())
    return measured and bool(said & {"usage", "usages", "meter", "metering", "metered", "consumption", "event", "events"})


UNIQUE = "CREATE TABLE usage_events (id serial PRIMARY KEY, event_id text {}, customer text, quantity bigint);\n"

EXAMPLES = (
    Example(
        "typescript",
        """
export class RefundPayment {
  async run(input: RefundInput) {
    const payments = await this.payments.findByProviderTransactionId(input.transactionId);
    if (!payments || payments.length === 0) {
      return failure("no such payment");
    }
    await this.provider.refund(input.transactionId, payments[0].amount);
    const earlier = await this.payments.findByTransactionId(input.transactionId);
    if (!earlier || earlier.closed) throw new Error("nothing to refund");
    await this.payments.create({ amount: payments[0].amount, kind: "refund", transactionId: input.transactionId });
  }
}
""",
        context={"migrations/001.sql": "CREATE TABLE payments (id serial PRIMARY KEY, transaction_id text, amount bigint);"},
    ),
    Example(
        "typescript",
        """
export class PaymentLogHandler implements IEventHandler<PaymentTaken> {
  async handle(event: PaymentTaken) {
    const known = await this.payments.findByTransactionId(event.transactionId);
    if (known.length === 0) {
      await this.payments.create({ transactionId: event.transactionId, amount: event.amount });
    }
  }
}
""",
        context={"migrations/001.sql": "CREATE TABLE payments (id serial PRIMARY KEY, transaction_id text, amount bigint);"},
    ),
    Example(
        "typescript",
        """
export async function onPayment(req: Request, res: Response) {
  const known = await payments.findByTransactionId(req.body.transactionId);
  if (known.length > 0) return res.sendStatus(200);
  await payments.create({ transactionId: req.body.transactionId, credits: req.body.credits });  // <- finding
  res.sendStatus(200);
}
""",
        context={"migrations/001.sql": "CREATE TABLE payments (id serial PRIMARY KEY, transaction_id text, credits bigint);"},
    ),
    Example(
        "python",
        """
def store_usage(message):
    if UsageEvent.objects.filter(event_id=message.id).exists():
        return
    UsageEvent.objects.create(event_id=message.id, customer=message.customer, quantity=message.tokens)  # <- finding
""",
        context={"migrations/001.sql": UNIQUE.format("not null")},
    ),
    Example(
        "python",
        """
def store_usage(message):
    if UsageEvent.objects.filter(event_id=message.id).exists():
        return
    UsageEvent.objects.create(event_id=message.id, customer=message.customer, quantity=message.tokens)
""",
        context={"migrations/001.sql": UNIQUE.format("unique")},
    ),
    Example(
        "python",
        """
def on_usage(redis, message):
    key = f"processed:{message.id}"
    if redis.get(key):
        return
    record_usage(message.customer, message.tokens)
    redis.setex(key, 86400, "1")  # <- finding
""",
    ),
    Example(
        "python",
        """
from django.db import IntegrityError

def on_usage(redis, message):
    if not redis.set(f"processed:{message.id}", "1", nx=True, ex=300):
        return
    record_usage(message.customer, message.tokens)

def store_usage(message):
    if UsageEvent.objects.filter(event_id=message.id).exists():
        return
    try:
        UsageEvent.objects.create(event_id=message.id, customer=message.customer, quantity=message.tokens)
    except IntegrityError:
        return

def cached_usage(redis, customer):
    found = redis.get(f"usage:{customer}")
    if found is None:
        found = load_usage(customer)
        redis.set(f"usage:{customer}", found)
    return found
""",
    ),
    Example(
        "typescript",
        """
export async function onUsage(redis: Redis, message: UsageMessage) {
  const key = `usage:seen:${message.id}`;
  const seen = await redis.exists(key);
  if (seen) return;
  await recordUsage(message.customer, message.tokens);
  await redis.set(key, "1", "EX", 86400);  // <- finding
}

export async function creditsWebhook(supabase: SupabaseClient, event: StripeEvent) {
  const { data } = await supabase.from("processed_stripe_events").select("id").eq("event_id", event.id);
  if (data && data.length > 0) return;
  await grantCredits(event.customer, event.credits);
  await supabase.from("processed_stripe_events").insert({ event_id: event.id });  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
export async function onUsage(redis: Redis, message: UsageMessage) {
  const first = await redis.set(`usage:seen:${message.id}`, "1", "EX", 300, "NX");
  if (!first) return;
  await recordUsage(message.customer, message.tokens);
}

export async function storeUsage(db: Database, message: UsageMessage) {
  const found = await db.select().from(usageEvents).where(eq(usageEvents.eventId, message.id));
  if (found.length > 0) return;
  await db.insert(usageEvents).values({ eventId: message.id, tokens: message.tokens }).onConflictDoNothing();
}
""",
    ),
    Example(
        "go",
        """
package usage

func onUsage(ctx context.Context, redis *redis.Client, message UsageMessage) error {
	key := "processed:" + message.ID
	found, err := redis.Exists(ctx, key).Result()
	if err != nil {
		return err
	}
	if found > 0 {
		return nil
	}
	if err := RecordUsage(ctx, message.Customer, message.Tokens); err != nil {
		return err
	}
	return redis.Set(ctx, key, "1", 24*time.Hour).Err()  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package usage

func onUsage(ctx context.Context, redis *redis.Client, message UsageMessage) error {
	first, err := redis.SetNX(ctx, "claim:"+message.ID, "1", time.Minute).Result()
	if err != nil || !first {
		return err
	}
	return RecordUsage(ctx, message.Customer, message.Tokens)
}
""",
    ),
    Example(
        "typescript",
        """
export async function onPaid(db: PrismaClient, hook: PaidEvent) {
  const payment = await db.payment.findFirst({ where: { transactionId: hook.transactionId, customer: hook.customer } });
  if (!payment) {
    return;
  }
  await db.payment.update({ where: { id: payment.id }, data: { status: "PAID" } });
  await db.savedCard.create({ data: { customer: payment.customer, last4: hook.last4 } });
}
""",
    ),
    Example(
        "python",
        """
def on_product(session, tenant, payload):
    existing = session.query(Product).filter_by(tenant_id=tenant.id, external_id=payload["id"], plan=tenant.plan).first()
    if existing is None:
        session.add(Product(tenant_id=tenant.id, external_id=payload["id"], title=payload["title"]))
""",
        path="shop/products.py",
    ),
    Example(
        "sql",
        """
CREATE TABLE usage_records (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    event_id varchar(128) NOT NULL,
    quantity numeric(18, 9) NOT NULL
);
CREATE INDEX usage_records_event ON usage_records (event_id, tenant_id);  -- <- finding
CREATE INDEX usage_records_tenant ON usage_records (tenant_id);
""",
    ),
    Example(
        "sql",
        """
CREATE TABLE usage_records (
    id uuid PRIMARY KEY,
    tenant_id uuid NOT NULL,
    event_id varchar(128) NOT NULL,
    request_id varchar(128) NOT NULL,
    quantity numeric(18, 9) NOT NULL
);
CREATE UNIQUE INDEX usage_records_once ON usage_records (tenant_id, event_id);
CREATE INDEX usage_records_event ON usage_records (event_id);
CREATE INDEX usage_records_request ON usage_records (request_id);

CREATE TABLE webhook_events (id uuid PRIMARY KEY, event_id text NOT NULL, payload text);
CREATE INDEX webhook_events_event ON webhook_events (event_id);
""",
    ),
    Example(
        "sql",
        """
CREATE TABLE metering_events (
    id uuid NOT NULL,
    at timestamptz NOT NULL,
    idempotency_key text NOT NULL,
    quantity bigint NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX metering_events_key ON metering_events (idempotency_key);
CREATE TABLE metering_event_keys (idempotency_key text PRIMARY KEY);
""",
    ),
    Example(
        "typescript",
        """
export async function onUsageMessage(event: UsageMessage) {
  let thread = await prisma.chargedThread.findFirst({ where: { externalId: event.sender, tenantId: event.tenantId } });
  if (!thread) {
    thread = await prisma.chargedThread.create({ data: { externalId: event.sender, tenantId: event.tenantId } });
  }
  await answer(thread.id, event.text);
}
""",
        context={"prisma/schema.prisma": "model ChargedThread {\n  id String @id\n  externalId String\n  tenantId String\n}\n"},
    ),
    Example(
        "python",
        """
async def continue_chat(session, message_id, user):
    message = await session.get(Message, message_id)
    if message is None:
        return
    rows = await session.execute(select(Message).where(Message.chat_id == message.chat_id))
    answer = await complete(rows.all())
    await deduct_credits(session, user, answer.tokens)
""",
        context={"migrations/001.sql": "CREATE TABLE messages (id serial, chat_id text, message_id text);"},
    ),
    Example(
        "python",
        """
async def on_usage(session, event_id, user, tokens):
    known = await session.scalar(select(UsageEvent).filter_by(event_id=event_id))
    if known:
        return
    await session.execute(insert(UsageEvent).values(event_id=event_id, tokens=tokens))  # <- finding
    await deduct_credits(session, user, tokens)
""",
        context={"migrations/001.sql": "CREATE TABLE usage_events (id serial PRIMARY KEY, event_id text, tokens int);"},
    ),
)
