"""One file's part of the trace: what it records, sums, compares and charges, and which functions do so."""

import re
from collections.abc import Iterator, Mapping
from weakref import WeakKeyDictionary

from rules import providers
from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Compare,
    Expression,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    fold,
    name_of,
    walk,
)
from rules.meaning.arguments import given
from rules.meaning.contexts import Context
from rules.meaning.limits import gates
from rules.meaning.naming import HOLE, keys
from rules.meaning.samples import is_copy
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.emissions import shown
from rules.meaning.usage.work import is_model_call, is_work
from rules.meaning.usage.writes import INSERTS, ROW_NOUNS, inserts_usage
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import names_counter, names_left, names_limit, names_used, words
from rules.tracing.alone import alone_in, recounted_in
from rules.tracing.firm import firm_in
from rules.tracing.names import constants_of, event_names, named, sent_through
from rules.tracing.queues import queues_of
from rules.tracing.routines import index_of, mentions_of, routes_of, routines_of
from rules.tracing.sights import MEMORY, RESET, Digest, Kind, Make, Sight, Sure
from rules.tracing.stores import is_redis, key_of, sql_text, table_of_call, table_of_counter
from rules.tracing.sums import sums_of
from rules.tracing.weighed import weighed_in

DIGESTS: WeakKeyDictionary[Code, Digest] = WeakKeyDictionary()
"""What was worked out for a file; gone with it."""
SETTLED = re.compile(
    r"^(create|issue|generate|finalize|finalise|send|add|build|make|post|raise|draft)_?(\w*_)?(invoice|invoices|invoice_?items?|"
    r"invoice_?line_?items?|fees?|charges?)$|^(charge|invoice|bill)_?(customer|overage|overages|subscription|account|usage|user|org|"
    r"organization|team|tenant|payment_?method|card)\w*$",
    re.I,
)
PAYMENTS = ("invoiceitems.create", "invoiceitem.create", "invoices.create", "invoice.create", "charges.create", "charge.create",
            "paymentintents.create", "paymentintent.create", "invoiceitem.new", "invoice.new", "paymentintent.new",
            "invoices.finalizeinvoice", "invoice.finalizeinvoice", "subscriptionitems.update")  # fmt: skip
CHARGED = frozenset("invoice invoices invoiceitem invoiceitems invoiceline invoicelines fee fees ledgerentry".split())
GIVES = frozenset("reset resets allocate allocated init initialize initialized grant sync refresh update create".split())
"""In the name of a helper: it sees to it that there is a limit, and asks nobody."""
ORDERS = frozenset("isbefore isafter before after ispast past isfuture lt lte gt gte lessthan greaterthan compareto".split())
"""Methods that hold one date against another."""

Known = Mapping[Scope, int]


def digest_of(code: Code) -> Digest:
    """Worked out once for a file."""
    if code not in DIGESTS:
        DIGESTS[code] = made(code)
    return DIGESTS[code]


def made(code: Code) -> Digest:
    routines, known = routines_of(code)
    seen = dict.fromkeys(sights_of(code, known)) if is_server(code) else {}
    sights = tuple(sorted(seen, key=lambda one: (one.line, one.kind, one.name, one.owner)))
    return Digest(
        code.facts.path,
        routines,
        sights,
        tuple(routes_of(code)),
        frozenset(mentions_of(code)) if code.billing else frozenset(),
        dict(constants_of(code)),
        frozenset(compared_in(code)) if code.billing else frozenset(),
        code.context(code.facts.root) is Context.TEST or is_copy(code.facts.path),
        weighed_in(code) if is_server(code) else frozenset(),
        frozenset(firm_in(code, known)) if is_server(code) else frozenset(),
        frozenset(alone_in(code, known)) if is_server(code) else frozenset(),
        frozenset(recounted_in(code, known)) if is_server(code) else frozenset(),
    )


def compared_in(code: Code) -> Iterator[str]:
    """`if (row.periodEnd < now)`, `where: { resetAt: { lte: now } }`, `isBefore(row.periodEnd, now)`."""
    yield from (fold(bound.column) for bound in code.bounds)
    for whole, _ in code.expressions:
        for part in walk(whole):
            if isinstance(part, Compare) and part.operator in ("<", "<=", ">", ">="):
                yield from (fold(name_of(one)) for one in (*walk(part.left), *walk(part.right)) if name_of(one))
            elif isinstance(part, Call) and fold(part.method) in ORDERS:
                given = (part.receiver, *(argument.value for argument in part.arguments))
                yield from (fold(name_of(one)) for each in given for one in walk(each) if name_of(one))


def is_server(code: Code) -> bool:
    """What runs in a browser, in tests and in scripts meters nothing."""
    return code.context(code.facts.root) not in (Context.BROWSER, Context.TEST, Context.SCRIPT)


def sights_of(code: Code, known: Known) -> Iterator[Sight]:
    def sight(kind: Kind, name: str, owner: str, span: Span, scope: Scope, text: str, sure: Sure = "certain",
              via: tuple[str, ...] = ()) -> Sight:  # fmt: skip
        return Sight(kind, name, owner, code.facts.path, span.line, index_of(scope, known), text, sure, via)

    yield from emitted(code, sight)
    yield from counted(code, sight)
    yield from called(code, sight)
    yield from limited(code, sight)
    yield from sums_of(code, sight)
    yield from queues_of(code, sight)


def emitted(code: Code, sight: Make) -> Iterator[Sight]:
    for emission in code.emissions:
        call = emission.call
        if emission.record is None or emission.provider is None:
            continue
        title = (emission.record.title,)
        names = dict.fromkeys(event_names(code, emission))
        sent = tuple(sent_through(code, emission)) if not names else ()
        for call_of_sender, name in sent:
            text = f"`{shown(call_of_sender)}`"
            yield sight(
                Kind.EMIT, name, emission.provider.name, call_of_sender.span, call_of_sender.scope, text, "certain", title
            )
        for name in names or ({} if sent else {"": None}):
            yield sight(Kind.EMIT, name, emission.provider.name, call.span, call.scope, f"`{shown(call)}`", "certain", title)
    named_meters = {meter.line for meter in code.meters}
    for call in code.facts.calls:
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is not None and matched[1].role == "define" and call.span.line not in named_meters:
            yield sight(Kind.DEFINE, "", matched[0].name, call.span, call.scope, "the meter")
    for meter in code.meters:
        yield Sight(Kind.DEFINE, meter.event, meter.provider, meter.path, meter.line, -1, "the meter")


def counted(code: Code, sight: Make) -> Iterator[Sight]:
    for counter in code.counters:
        kind = direction(counter)
        if kind is None:
            continue
        if counter.call is not None and is_redis(counter.call):
            name, owner = key_of(code, counter.call) or key_text(code, counter), "redis"
            field = hash_field(counter.call)
            if field and not names_counter(name.replace(HOLE, "")):
                name = f"{name}.{field}"
        else:
            name, owner = counter.name, table_of_counter(code, counter)
        text = f"`{shown(counter.call)}`" if counter.call is not None else f"`{code.facts.text(counter.span)[:60]}`"
        # A field that is added to may be memory only; whether a table has it is known when the files are joined.
        via = (*((MEMORY,) if counter.call is None else ()), *((RESET,) if counter.change is Change.RESET else ()))
        sure: Sure = "certain" if counter.atomic or counter.read else "likely"
        yield sight(kind, name, owner, counter.span, counter.scope, text, sure, via)


def key_text(code: Code, counter: Counter) -> str:
    """The key as it stands in the code, where nothing of it is written out."""
    key = next(keys(counter.call), None) if counter.call is not None else None
    return code.facts.text(key.span)[:40] if key is not None else counter.name


def hash_field(call: Call) -> str:
    plain = [one.value for one in call.arguments if one.name is None]
    if fold(call.method).startswith("h") and len(plain) > 1 and isinstance(plain[1], Literal):
        return str(plain[1].value)
    return ""


def direction(counter: Counter) -> Kind | None:
    """Whether a write books usage, gives back, or says nothing of use. Of a balance, taking is using."""
    if counter.change is Change.RESET or counter.change is Change.SET:
        return Kind.GRANT
    left = names_left(counter.name) and not names_used(counter.name)
    if names_limit(counter.name) and not left:
        return None
    return Kind.COUNT if (counter.change is Change.SUBTRACT) == left else Kind.GRANT


def called(code: Code, sight: Make) -> Iterator[Sight]:
    about = frozenset(words(code.facts.path))
    sent = {emission.call.span for emission in code.emissions if emission.direct}
    for call in code.facts.calls:
        table = table_of_call(code, call) if stores_row(call) or inserts_usage(call, about) else ""
        if call.span in sent:
            continue
        if table and not is_charge_row(table) and fold(table) not in ("meterevent", "usagerecord"):
            # Whether a row of this table holds usage is known from its columns when the files are joined.
            says = inserts_usage(call, about) or (bool(ROW_NOUNS & {*words(table)}) and bool(sql_text(call)))
            via = () if says else (MEMORY,)
            yield sight(Kind.INSERT, "", table, call.span, call.scope, f"`{shown(call)}`", "likely", via)
        if is_charge(call):
            yield sight(Kind.CHARGE, "", "", call.span, call.scope, f"`{shown(call)}`", "likely")
        if is_model_call(call) or is_work(call):
            yield sight(Kind.WORK, call.name, "", call.span, call.scope, f"`{shown(call)}`",
                        "certain" if is_model_call(call) else "likely")  # fmt: skip
        elif table and is_charge_row(table):
            yield sight(Kind.CHARGE, "", "", call.span, call.scope, f"`{shown(call)}`", "likely")
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is not None and matched[1].role in ("check", "query"):
            arguments = given(code.values, call)
            value = arguments.first(tuple(map(fold, matched[1].event_name)))
            for name in (*named(code, value, call),) if value is not None else ("",):
                kind = Kind.LIMIT if matched[1].role == "check" else Kind.AGGREGATE
                yield sight(kind, name, matched[0].name, call.span, call.scope, f"`{shown(call)}`")


def stores_row(call: Call) -> bool:
    """`Model.create(…)`, `db.add(row)`, `INSERT INTO …`."""
    if fold(call.method) in INSERTS:
        return True
    return bool(re.match(r"\s*insert\s", sql_text(call), re.I))


def is_charge_row(table: str) -> bool:
    said = fold(table)
    return said in CHARGED or said.removesuffix("s") in CHARGED


def is_charge(call: Call) -> bool:
    if call.folded.endswith(PAYMENTS):
        return True
    return bool(SETTLED.match(call.method)) and not call.constructs


def limited(code: Code, sight: Make) -> Iterator[Sight]:
    for limit in code.limits:
        used = "" if isinstance(limit.used, Name) else last_name(limit.used)
        via = tuple(dict.fromkeys(sources(code, limit.used, limit.scope, limit.span.start)))
        # `quota > 100 * cost` decides about trust, not about room.
        scaled = isinstance(limit.limit, Binary) and limit.limit.operator == "*" and not limit.refuses
        sure: Sure = "possible" if scaled else "certain"
        yield sight(Kind.LIMIT, used, "", limit.span, limit.scope, f"`{code.facts.text(limit.span)[:80]}`", sure, via)
    for call in (gate.call for gate in gates.gates(code)):
        if GIVES & set(words(call.method)):
            continue
        yield sight(Kind.LIMIT, "", "", call.span, call.scope, f"`{shown(call)}`", "likely", (f"{call.method}()",))


def sources(code: Code, value: Expression, scope: Scope, at: int, hops: int = 4) -> Iterator[str]:
    """Names of fields and, with `()`, of functions that a compared value comes from."""
    for part in walk(value):
        if isinstance(part, Member):
            yield part.name
        elif isinstance(part, Call):
            yield f"{part.method}()"
        elif isinstance(part, Literal) and isinstance(part.value, str) and part.value.isidentifier():
            yield part.value
        elif isinstance(part, Name):
            for found in definitions_at(code.values, part.text, scope, at)[:3] if hops else ():
                if found.part:
                    yield found.part
                if found.value is not None and found.how in ("assign", "part", "change"):
                    yield from sources(code, found.value, found.scope, found.end, hops - 1)


def last_name(value: Expression) -> str:
    match value:
        case Name(text=text):
            return text
        case Member(name=name):
            return name
        case _:
            return next((name for part in walk(value) if (name := getattr(part, "name", "") or getattr(part, "text", ""))), "")
