"""A usage counter is read, changed in the program and written back.

Two requests that read the same value write the same result, and one use is never counted; under load a good part of the
usage is lost, or a balance is spent twice. Let the database add: `SET used = used + n`, `increment`, `F("used") + n`, `$inc`,
`INCRBY`.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Class,
    Compare,
    Expression,
    Function,
    Handler,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Span,
    Start,
    chain,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.flow import runs_alone
from rules.meaning.repeats.goroutines import shared_writes
from rules.meaning.subjects import BILLED, bills, name_around
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.readings import same_field
from rules.meaning.values import definitions_at, root_of
from rules.meaning.vocabulary import of_a_plan, words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.alone import called_alone, set_right
from rules.tracing.digest import digest_of
from rules.tracing.graph import upwards
from rules.tracing.newborn import of_new_row
from rules.tracing.purposes import BALANCES, at_stake
from rules.tracing.served import is_served
from rules.tracing.sights import Routine
from rules.tracing.staff import only_by_staff
from rules.tracing.standing import standing
from rules.tracing.stores import table_of_counter
from rules.tracing.weighed import OUTCOMES, QUALITIES

ABOUT = About(
    id="MTR-308",
    title="Usage counter is read, changed and written back",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A6",),
    cwe=("CWE-362",),
    iso_25010="Reliability / faultlessness",
    gives_way_to=("check-then-act-limit",),
    unprompted=True,
)
FILES = 20
"""In so many files the class of a row is looked for."""
SAVES = frozenset(
    "save commit flush saveasync savechanges savechangesasync put set update updateone replaceone persist updates store "
    "write".split()
)
LOCKING = re.compile(
    r"for[_ ]?(?:\w{1,24}_)?update|_locked\(|serializable|locking|lockmode|"
    r"with_?lock|pessimistic|advisory|redlock|mutex|\.lock\(|setnx|"
    r"multi\(|\bwatch\(|\block\s*:\s*(?:true\b|[\w.]{1,40}\.LOCK\b)",
    re.I,
)
INSERTS = frozenset("insert create add createmany insertone insertmany bulkcreate append push xadd".split())
SHOWN_COUNTS = frozenset(
    "downloads sales likes votes views plays visits followers comments reviews shares success uses matches download "
    "deliveries experience xp reputation karma".split()
)
"""Counts that adorn a page."""
RATINGS = frozenset("success rating ratings feedback score popularity".split())
ENDS = frozenset("ttl ex px exat expire expires expiresin expiration timeout maxage".split())
"""How a call says when what it keeps goes away."""
PAID_FOR = BALANCES | frozenset("usage used plan tier tokens subscription billing billed spend spent cost seats".split())
MEASURES = 2
"""So many averages or rates beside a count make it a statistic."""
AVERAGES = frozenset("average avg mean median p50 p90 p95 p99".split())
GAMES = frozenset("forum learning game games gamification challenge challenges bounty leaderboard".split())
"""Where points are earned and nobody pays for them."""
STAFF_DAYS = frozenset("hr vacation vacations pto absence absences attendance timeoff".split())
BALANCE_WORDS = frozenset({"balance", "balances"})
"""Where the days off of the staff are counted, with `leave` beside them."""
SOLD = frozenset("credit credits billing subscription subscriptions token tokens seat seats quota quotas invoice plan".split())
"""What makes a count one of something that is sold, wherever it stands."""
IN_ORDER = frozenset("indexer indexers subgraph subgraphs projector projectors".split())
"""What follows a chain or a log entry by entry, and alone writes what it makes of it."""
KNOWN = re.compile(
    r"read-modify-write|(only|single) writer|race (is )?(accepted|fine|ok)|"
    r"\b(race|concurren\w+|overwrit\w+)\b[^\n]{0,160}\b(ok|okay|fine|acceptable|accepted|tolera\w+|inexact|approximate)\b",
    re.I,
)
NOTED = frozenset("before after snapshot opening closing".split())
"""In the name of a field: it notes what a balance was when a row was made, and nobody spends it."""
CONFLICT = re.compile(r"Concurrency|StaleObject|StaleData|OptimisticLock|StaleEntity|VersionConflict|WriteConflict")
"""The failure of a store that refuses a row which changed since it was read."""
ROW_VERSION = re.compile(r"\[(?:Timestamp|ConcurrencyCheck)\]|IsRowVersion\(|IsConcurrencyToken\(")
NEVER_FILLED = re.compile(r"(UseNpgsql)\b")
"""The store that fills in no version of bytes: `[Timestamp] byte[]` stays empty there."""
KEEPS_VERSION = re.compile(
    r"@Version\b|ORM\\Version\b|\bversion_id_col\b|optimisticConcurrency\s*:\s*true|UseXminAsConcurrencyToken|"
    r"OptimisticLockType|\boptimistic_?lock"
)
"""How a model says that its store counts versions and refuses a row that changed since it was read."""
BRINGING = frozenset("import imports importer importing migration migrations migrate migrator backfill".split())
NOT_BESIDE_ITSELF = re.compile(r"new\s+WithoutOverlapping\b|\bShouldBeUnique\b")
"""How a queued job says that no second one runs beside it."""
DEEP = 6
AFTER_NOTE = 4
"""Lines between the end of a note and the function that it speaks of."""
STORE_WORDS = frozenset("db database session repo repository redis cache client collection table prisma orm em store".split())
VERSIONS = frozenset("version lockversion etag updatedat rev revision".split())


def check(code: Code) -> Iterator[Finding]:
    said: set[Call] = set()
    for counter in code.counters:
        if counter.atomic or counter.read is None or counter.change not in (Change.ADD, Change.SUBTRACT):
            continue
        if not of_a_plan(counter.name) or NOTED & set(words(counter.name)) or is_tally(code, counter):
            continue
        saved = saving_call(code, counter)
        if (
            saved is None
            or saved in said
            or not (persists(saved) or of_itself(code, counter, saved))
            or not unprotected(code, counter.scope)
            or compares_old(code, counter, saved)
            or versioned(code, counter)
            or handed_locked(code, counter)
            or in_process(code, counter, saved)
            or begins_period(code, counter)
            or is_of_another(code, counter)
            or of_one_row(code, saved)
            or rated(code, counter)
            or is_statistic(code, counter)
            or throttles_in_cache(code, counter)
            or conflicts(code, counter, saved)
            or of_new_row(code, counter)
            or called_alone(code, counter.scope)
            or set_right(code, counter.name, counter.scope, saved.span.end)
        ):
            continue
        stake = at_stake(code, counter.name, table_of_counter(code, counter), counter.scope)
        if stake is not False:
            said.add(saved)
            yield finding(code, counter, saved, bool(stake))
    for saved, read in whole_records(code):
        if saved not in said and unprotected(code, saved.scope):
            yield whole_record(saved, read, counts_here(code, saved, read) and is_served(code, saved.scope))
    yield from shared_by_goroutines(code)


def is_tally(code: Code, counter: Counter) -> bool:
    """`tokens = 0`, then `tokens += n` in a loop, then `save(tokens=tokens)`: a sum of this run, not an earlier reading."""
    function = enclosing(counter.scope, Kind.FUNCTION)
    return isinstance(counter.read, Name) and any(
        isinstance(assign.value, Literal) and assign.operator == "=" and enclosing(assign.scope, Kind.FUNCTION) is function
        for assign in code.facts.assigns
        if any(isinstance(target, Name) and target.text == counter.read.text for target in assign.targets)
    )


def shared_by_goroutines(code: Code) -> Iterator[Finding]:
    """`total += n` and `batch = append(batch, event)` in goroutines that a loop starts, without a lock."""
    for write, started in shared_writes(code) if code.billing else ():
        if code.context(write.scope) in (Context.TEST, Context.SCRIPT) or not bills(code.facts, started.scope):
            continue
        name = code.facts.text(write.targets[0].span)
        yield Finding(
            span=write.span,
            description=f"Several goroutines write `{name}` at once without a lock: what one adds, another overwrites, "
            "so usage is lost or sent twice.",
            remediation=f"Give each goroutine its own `{name.rsplit('.', 1)[-1]}`, or guard it with a mutex.",
            confidence=Confidence.CERTAIN,
            trace=(Step(started.span, "started here, once for each round of the loop"),),
        )


def unprotected(code: Code, scope: Scope) -> bool:
    """A transaction alone is no protection: by default two of them read the same value and both commit."""
    # That a browser writes the counter at all is what another rule says.
    if code.context(scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER) or runs_alone(code, scope, transactions=False):
        return False
    function = enclosing(scope, Kind.FUNCTION)
    if function is not None and (accepted(code, function) or minds_conflicts(code, function)):
        return False
    while function is not None and enclosing(function.parent, Kind.FUNCTION) is not None:
        function = enclosing(function.parent, Kind.FUNCTION)
    return function is None or LOCKING.search(code.facts.text(function.span)) is None


def minds_conflicts(code: Code, function: Scope) -> bool:
    """Whether a failure is caught that says that the row has changed: the store compares versions."""
    return any(
        isinstance(one.head, Handler) and within(one, function) and CONFLICT.search(" ".join(one.head.catches))
        for one in code.facts.scopes
    )


def accepted(code: Code, function: Scope) -> bool:
    """Whether a comment in or right over the function says that the race is known, or that there is but one writer."""
    near = (
        re.sub(r"\s*\n\W*", " ", one.text).strip("#/* ")
        for one in code.facts.comments
        if one.span.line <= function.span.end_line and one.span.end_line >= function.span.line - 2
    )
    return KNOWN.search(" ".join(near)) is not None


def handed_locked(code: Code, counter: Counter) -> bool:
    """A helper that is handed the row: whoever calls it has locked it, wherever in this file that is."""
    root = root_of(counter.read) if counter.read is not None else None
    function = enclosing(counter.scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    if function is None or not isinstance(root, Name) or not isinstance(head, Function):
        return False
    if root.text not in [one.name for one in head.parameters]:
        return False
    callers = [call for call in code.facts.calls if call.method == head.name and not within(call.scope, function)]
    return bool(callers) and all(not unprotected(code, call.scope) for call in callers)


def in_process(code: Code, counter: Counter, saved: Call) -> bool:
    """`entry.count++; entries.set(key, entry)` of a Map: with promises, a function runs through to its next `await`."""
    if not code.facts.traits.promises or counter.call is not None or saved.start is Start.AWAITED:
        return False
    holder = name_of(saved.receiver)
    made = [one.value for one in code.values.definitions.get(holder, ())]
    made += [one.value for one in code.facts.assigns if any(name_of(target) == holder for target in one.targets)]
    return any(isinstance(one, Call) and one.constructs and one.method in ("Map", "WeakMap") for one in made)


def begins_period(code: Code, counter: Counter) -> bool:
    """A write that also sets a counter to nothing begins a period: run twice, it writes the same values twice."""
    return counter.call is not None and any(one.call is counter.call and one.change is Change.RESET for one in code.counters)


def sells_nothing(code: Code, counter: Counter) -> bool:
    """`hr/LeaveBalanceRepository`: what is left of a year's leave is on nobody's bill. Nor does a file race with itself that
    follows a chain or a log in order."""
    said = frozenset(words(code.facts.path))
    if SOLD & (said | {*words(counter.name)}):
        return False
    return bool((STAFF_DAYS | IN_ORDER) & said) or ("leave" in said and bool(BALANCE_WORDS & said))


def is_of_another(code: Code, counter: Counter) -> bool:
    """`user.limit = user.next_plan.limit + rest`: what another thing has is applied, and nothing is added to the own field."""
    if counter.call is not None or not isinstance(counter.read, Member):
        return False
    targets = next((one.targets for one in code.facts.assigns if one.span == counter.span), ())
    owners = {code.facts.text(one.object.span) for one in targets if isinstance(one, Member)}
    owned = counter.read.object
    while isinstance(owned, Member):
        owned = owned.object
        if code.facts.text(owned.span) in owners:
            return True
    return False


def of_one_row(code: Code, saved: Call) -> bool:
    """`….eq("id", TEST_USER)`: a row that the file names is one of a trial by hand."""
    chained = (one for one in code.facts.calls if one.span.start == saved.span.start)
    link: Expression | None = max(chained, key=lambda one: one.span.end, default=saved)
    while isinstance(link, Call):
        names = [one.value.text for one in link.arguments if isinstance(one.value, Name) and one.value.text.isupper()]
        for name in names:
            made = code.values.definitions.get(name, ())
            if made and all(isinstance(one.value, Literal) and isinstance(one.value.value, str) for one in made):
                return fold(link.method) in ("eq", "where", "match", "filter")
        link = link.receiver
    return False


def saving_call(code: Code, counter: Counter) -> Call | None:
    """The call that writes it back. A field of an object counts only if that object is saved later in the function."""
    if counter.call is not None:
        return None if inserts(counter.call) else counter.call
    root = root_of(counter.read) if counter.read is not None else None
    if not isinstance(root, Name):
        return None
    function = enclosing(counter.scope, Kind.FUNCTION)
    own = root.text in ("self", "this")
    for call in code.calls_in(function) if function is not None else ():
        if call.span.start < counter.span.end or fold(call.method) not in SAVES:
            continue
        if not persists(call):
            continue
        if own and call.folded == f"{root.text}.save":
            return call
        if not own and saves(call, root.text, row=not isinstance(counter.read, Index) and not code.facts.traits.plain_records):
            return call
    return None


def inserts(call: Call) -> bool:
    """A row or invoice item of its own that notes the result overwrites nothing."""
    return fold(call.method) in INSERTS


def persists(call: Call) -> bool:
    """`map.set(key, row)` keeps a row in memory; a store's `set` is awaited or called on something named like one."""
    if fold(call.method) not in ("set", "put", "update", "write", "store"):
        return True
    return call.start is Start.AWAITED or isinstance(call.receiver, Call) or bool(STORE_WORDS & set(words(call.name)))


def of_itself(code: Code, counter: Counter, call: Call) -> bool:
    """`account.update(balance: account.balance + n)`: a row that is given its own field, and no map."""
    read = counter.read
    if isinstance(read, Name):
        return isinstance(call.receiver, Name) and call.receiver.text == "self"
    return (
        isinstance(read, Member)
        and call.receiver is not None
        and code.facts.text(read.object.span) == code.facts.text(call.receiver.span)
        and any(argument.name is not None or isinstance(argument.value, Object) for argument in call.arguments)
    )


def saves(call: Call, name: str, row: bool) -> bool:
    """`row.save()`, `db.Save(&row)`; `session.commit()` writes changed rows, but no entry of a map, and in Go no fields.

    `batch.tx.Commit()` writes what the transaction was given, and nothing of the batch.
    """
    commits = fold(call.method) in ("commit", "flush", "savechanges", "savechangesasync")
    if row and commits:
        return True
    receiver = None if commits and isinstance(call.receiver, Member) else call.receiver
    parts = [receiver, *(argument.value for argument in call.arguments)]
    return any(isinstance(one, Name) and one.text == name for part in parts if part is not None for one in walk(part))


def compares_old(code: Code, counter: Counter, saved: Call) -> bool:
    """A version or the old value in the condition: a concurrent write makes this one match nothing."""
    for call in code.facts.calls:
        if not (call.span.holds(saved.span) or saved.span.holds(call.span)) or (
            call.span.start != saved.span.start and (not within(call.scope, saved.scope))
        ):
            continue
        if any(conditioned(counter, argument.value) for argument in call.arguments) or compares_call(counter, call):
            return True
    return False


def conditioned(counter: Counter, value: Expression) -> bool:
    """`{ id, version }`, `where: { credits: user.credits }`: an entry that is compared, not written."""
    for part in walk(value):
        if isinstance(part, Call) and compares_call(counter, part):
            return True
        if not isinstance(part, Object):
            continue
        for entry in part.entries:
            if entry.name is None or entry.value is counter.value or isinstance(entry.value, Object | Binary):
                continue
            if fold(entry.name) in VERSIONS and not is_fresh(entry.value):
                return True
            if (
                same_field(entry.name, counter.name)
                and isinstance(entry.value, Member)
                and same_field(entry.value.name, counter.name)
            ):
                return True
    return False


def versioned(code: Code, counter: Counter) -> bool:
    """Whether the table has the column by which ActiveRecord and its kind refuse to save a row that changed since."""
    root = counter.read
    while isinstance(root, Member | Index) and isinstance(root.object, Member | Index):
        root = root.object
    owner = root.object if isinstance(root, Member | Index) else None
    name = owner.text if isinstance(owner, Name) else ""
    if name in ("self", "this"):
        around = enclosing(counter.scope, Kind.CLASS)
        name = around.head.name if around is not None and isinstance(around.head, Class) else ""
    table = code.elsewhere.schema.table(name) if name else None
    if table is not None and {"lockversion", "optlock"} & set(table.columns):
        return True
    return keeps_version(code, table_of_counter(code, counter))


def keeps_version(code: Code, model: str) -> bool:
    """Whether the class of a row has a version that its store compares."""
    model = model[:1].upper() + model[1:]
    for path in sorted(code.elsewhere.naming(model))[:FILES] if model.isidentifier() else ():
        there = code.elsewhere.code_of(path)
        if there is not None and any(
            isinstance(one.head, Class) and one.head.name == model and says_version(code, there.facts.text(one.span))
            for one in there.facts.scopes
        ):
            return True
    return False


def says_version(code: Code, text: str) -> bool:
    if KEEPS_VERSION.search(text):
        return True
    bytes_only = re.search(r"\[Timestamp\]\s*public\s+byte\[\]", text) is not None
    return ROW_VERSION.search(text) is not None and not (bytes_only and code.elsewhere.found(NEVER_FILLED))


def is_fresh(value: Expression) -> bool:
    """`updatedAt: new Date()` is written; `updatedAt: row.updatedAt` is compared."""
    return isinstance(value, Call | Literal)


def compares_call(counter: Counter, call: Call) -> bool:
    """`.eq("credits", old)`, `eq(users.credits, user.credits)`, `.Where("version = ?", …)`."""
    if fold(call.method) not in ("eq", "where", "filter", "filterby", "andwhere", "equals") or not call.arguments:
        return False
    if any(
        fold(argument.name or "") in VERSIONS or same_field(argument.name or "", counter.name) for argument in call.arguments
    ):
        return True
    first = call.arguments[0].value
    said = [first.name] if isinstance(first, Member) else []
    if isinstance(first, Literal) and isinstance(first.value, str):
        said = re.findall(r"\w+(?=\s*=)", first.value) or [first.value]
    if isinstance(first, Compare) and first.operator == "==" and isinstance(first.left, Member):
        said = [first.left.name]
    return any(fold(name) in VERSIONS or same_field(name, counter.name) for name in said)


def whole_records(code: Code) -> Iterator[tuple[Call, Call]]:
    """`r = await store.getKey(id); r.x = …; await store.setKey(id, r)`: all fields are written, also those changed since."""
    for call in code.facts.calls:
        said = words(call.method)
        if not said or said[0] not in ("set", "put", "store", "write") or len(said) < 2 or not code.billing:
            continue
        for argument in call.arguments:
            if isinstance(argument.value, Name) and (read := read_whole(code, argument.value, call, said[1:])) is not None:
                yield call, read


def read_whole(code: Code, name: Name, call: Call, nouns: tuple[str, ...]) -> Call | None:
    reaching = definitions_at(code.values, name.text, call.scope, call.span.start)
    read = reaching[0].value if len(reaching) == 1 else None
    if (
        not isinstance(read, Call)
        or words(read.method)[:1] not in (("get",), ("load",), ("read",))
        or words(read.method)[1:] != nouns
    ):
        return None
    changed = any(
        isinstance(target, Member) and isinstance(target.object, Name) and target.object.text == name.text
        for assign in code.values.changes.get(name.text, ())
        if read.span.end < assign.span.start < call.span.start
        for target in assign.targets
    )
    told = set(words(name_around(call.scope))) & (BILLED | {"limit", "cost", "balance"})
    return read if changed and told and bills(code.facts, call.scope) else None


def counts_here(code: Code, saved: Call, read: Call) -> bool:
    """Whether a count of the record is worked out between: of a row of settings nothing is lost."""
    names = {one.text for one in read.targets if isinstance(one, Name)}
    return any(
        counter.change in (Change.ADD, Change.SUBTRACT)
        and read.span.end < counter.span.start < saved.span.start
        and getattr(root_of(counter.read) if counter.read is not None else None, "text", "") in names
        for counter in code.counters
    )


def whole_record(saved: Call, read: Call, counts: bool) -> Finding:
    return Finding(
        span=saved.span,
        description=(
            f"`{saved.name}` writes back the whole record that `{read.name}` read: what another request changed "
            "in between, a limit "
            "or a count, is set back to its old value."
        ),
        remediation="Write only the fields that changed (`HSET key field value`, `$set`, a column update).",
        confidence=Confidence.LIKELY if counts else Confidence.POSSIBLE,
        trace=(Step(read.span, "read here"),),
    )


def only_looked_at(code: Code, counter: Counter) -> bool:
    """Whether, as far as can be seen, no customer is billed or limited by the count while two requests change it."""
    game = "points" in words(counter.name) and GAMES & set(words(code.facts.path))
    return bool(
        SHOWN_COUNTS & set(words(counter.name))
        or game
        or in_batch(code, counter.scope)
        or brings_over(code, counter.scope)
        or laid_aside(code, counter.scope)
        or not is_served(code, counter.scope)
        or only_by_staff(code, counter)
        or sells_nothing(code, counter)
    )


def finding(code: Code, counter: Counter, saved: Call, limits: bool) -> Finding:
    assert counter.read is not None
    sign = "add" if counter.change is Change.ADD else "subtract"
    sure = counter.call is not None and not runs_alone(code, counter.scope)
    shown = only_looked_at(code, counter)
    return Finding(
        span=counter.span if counter.call is None else within_call(counter),
        cause=counter.span,
        description=(
            f"{subject(code, counter)} is computed from `{code.facts.text(counter.read.span)}`, read earlier: two requests at "
            "once write the same value and one of them is not counted."
        ),
        remediation=(
            "Create a customer balance transaction of the amount: Stripe adds those up itself."
            if "stripe" in words(saved.name) and fold(counter.name) == "balance"
            else f"Let the database {sign}, in one statement, or lock the row before it is read."
        ),
        confidence=Confidence.POSSIBLE if shown or not limits else Confidence.CERTAIN if sure else Confidence.LIKELY,
        trace=(Step(saved.span, "written back here"),) if saved.span.line != counter.span.line else (),
        fix=increment(code, counter),
    )


def throttles_in_cache(code: Code, counter: Counter) -> bool:
    """`cache.set(key, count + n, DAY)`: a count that goes away by itself holds back abuse, unless its name or its function's
    speaks of what is sold."""
    call = counter.call
    if call is None or fold(call.method) not in ("set", "setex", "put") or "cache" not in words(call.name.rpartition(".")[0]):
        return False
    plain = [one for one in call.arguments if one.name is None]
    named = {
        entry.name for one in call.arguments for part in walk(one.value) if isinstance(part, Object) for entry in part.entries
    }
    named |= {one.name for one in call.arguments}
    ends = len(plain) > 2 or bool(ENDS & {fold(name or "") for name in named})
    return ends and not PAID_FOR & {*words(counter.name), *words(name_around(counter.scope))}


def subject(code: Code, counter: Counter) -> str:
    """How a message calls it: by its field; what a variable holds the key of has no name to tell."""
    keyed = (
        counter.call.arguments[:1] if counter.call is not None and fold(counter.call.method) in ("set", "setex", "put") else ()
    )
    if any(isinstance(one.value, Name) and one.value.text == counter.name for one in keyed):
        return f"What is kept under `{counter.name}`"
    return f"`{counter.name}`"


def rated(code: Code, counter: Counter) -> bool:
    """How often a thing was used, kept beside how well that went: it tells good things from bad ones."""
    function = enclosing(counter.scope, Kind.FUNCTION)
    beside = (target for one in code.facts.assigns if within(one.scope, function) for target in one.targets) if function else ()
    counts = bool({"count", "counter", "uses"} & set(words(counter.name)))
    return counts and any(isinstance(one, Member) and RATINGS & set(words(one.name)) for one in beside)


def is_statistic(code: Code, counter: Counter) -> bool:
    """Whether it is kept beside averages and rates of success: a record of how well a thing does, unless something in this
    file limits or charges by the count."""
    function = enclosing(counter.scope, Kind.FUNCTION)
    if not code.elsewhere.whole or function is None or BALANCES & set(words(counter.name)):
        return False
    beside = {name_of(target) for one in code.facts.assigns if within(one.scope, function) for target in one.targets}
    measures = {name for name in beside if measures_well(name)}
    return len(measures) >= MEASURES and fold(counter.name) not in digest_of(code).weighed


def measures_well(name: str) -> bool:
    said = words(name)
    rate = said[-1:] == ("rate",) and bool(set(said) & OUTCOMES)
    return rate or bool(said and said[0] in AVERAGES) or bool(set(said) & QUALITIES)


def conflicts(code: Code, counter: Counter, saved: Call) -> bool:
    """Whether the row is read and saved in a transaction of MongoDB, which reads a snapshot and fails where another writes the
    same row: `await Account.findById(id).session(session)`."""
    root = root_of(counter.read) if counter.read is not None else None
    function = enclosing(counter.scope, Kind.FUNCTION)
    if not isinstance(root, Name) or function is None or fold(saved.method) != "save" or not begins_snapshot(code, function):
        return False
    return any(
        (isinstance(part, Call) and part.method == "session" and part.arguments)
        or (isinstance(part, Object) and any(entry.name == "session" for entry in part.entries))
        for one in definitions_at(code.values, root.text, counter.scope, counter.span.start) for part in walk(one.value)
    )  # fmt: skip


def begins_snapshot(code: Code, function: Scope) -> bool:
    head = function.head
    handed = isinstance(head, Function) and fold(head.passed_to).endswith("transaction")
    return handed or any(fold(one.method) == "starttransaction" for one in code.calls_in(function))


def in_batch(code: Code, scope: Scope) -> bool:
    """A clean-up that folds old rows together runs once at a time, and no request writes what it writes."""
    place = words(code.facts.path.rsplit("/", 1)[-1]) + words(name_around(scope))
    return bool({"retention", "cleanup", "archive", "backfill", "rollup"} & set(place))


def brings_over(code: Code, scope: Scope) -> bool:
    """An import or a migration of old data: it is run once, row by row, and no request writes what it has just made."""
    around = (one.head.name for one in chain(scope) if isinstance(one.head, Class | Function))
    if BRINGING & {word for name in (code.facts.path.rsplit("/", 1)[-1].partition(".")[0], *around) for word in words(name)}:
        return True
    holder = enclosing(scope, Kind.CLASS)
    return holder is not None and NOT_BESIDE_ITSELF.search(code.facts.text(holder.span)) is not None


def laid_aside(code: Code, scope: Scope) -> bool:
    """Whether all that leads to it inside its file is marked as deprecated, and no other file names that."""
    found = standing(code, scope.span.line) if code.elsewhere.whole else None
    if found is None:
        return False
    graph, node = found
    tops = [one.node for one in upwards(graph, node, DEEP) if not graph.callers.get(one.node)]
    return bool(tops) and all(is_deprecated(code, graph.routine(one)) for one in tops)


def is_deprecated(code: Code, routine: Routine | None) -> bool:
    if routine is None or routine.path != code.facts.path or code.elsewhere.naming(routine.name) - {code.facts.path}:
        return False
    return any(
        "@deprecated" in one.text.lower() and 0 < routine.line - one.span.end_line <= AFTER_NOTE for one in code.facts.comments
    )


def within_call(counter: Counter) -> Span:
    return counter.value.span if counter.value is not None else counter.span


def increment(code: Code, counter: Counter) -> Fix | None:
    """Prisma's own increment, where the call is Prisma's."""
    call, value = counter.call, counter.value
    if call is None or value is None or counter.amount is None:
        return None
    if fold(call.method) not in ("update", "upsert") or not is_prisma(call) or not isinstance(counter.read, Member | Name):
        return None
    word = "increment" if counter.change is Change.ADD else "decrement"
    entry = code.facts.idioms.entry.format(word, code.facts.text(counter.amount.span))
    return Fix(f"Use `{word}`", (Edit(value.span.start, value.span.end, f"{{ {entry} }}"),))


def is_prisma(call: Call) -> bool:
    return "prisma" in call.folded.split(".")[0] or ".prisma." in call.folded


EXAMPLES = (
    Example(
        "python",
        """
from app.holds import open_hold


async def render(session, user, clips):
    hold = await open_hold(session, user.id, len(clips) * CREDITS_PER_CLIP)
    failed = await render_all(clips)
    if hold is not None and failed:
        hold.credits_held = max(0, hold.credits_held - len(failed) * CREDITS_PER_CLIP)
        await session.commit()
    await settle(session, user.id)


async def render_again(session, user, hold_id, failed):
    hold = await session.get(CreditHold, hold_id)
    if hold is None:
        hold = CreditHold(user_id=user.id, credits_held=0)
        session.add(hold)
    else:
        hold.credits_held = max(0, hold.credits_held - len(failed) * CREDITS_PER_CLIP)  # <- finding
    await session.commit()
""",
        path="app/rendering.py",
        context={
            "app/holds.py": """
async def open_hold(session, user_id, credits):
    if credits <= 0:
        return None
    row = CreditHold(user_id=user_id, credits_held=credits)
    session.add(row)
    await session.commit()
    return row


async def release(session, hold):
    if hold.credits_held > 0:
        await refund(session, hold.user_id, hold.credits_held)
"""
        },
    ),
    Example(
        "python",
        """
async def render_first(session, user, clips):
    wallet = Wallet(user_id=user.id, credits=WELCOME_CREDITS)
    session.add(wallet)
    await session.commit()
    await render_all(clips)
    wallet.credits -= len(clips) * CREDITS_PER_CLIP  # <- finding
    await session.commit()
""",
        path="app/rendering.py",
    ),
    Example(
        "typescript",
        """
export async function spendCredits(userId: string, cost: number) {
  const session = await mongoose.startSession();
  session.startTransaction();
  const user = await User.findById(userId).session(session);
  if (user.credits < cost) throw new OutOfCredits();
  user.credits -= cost;
  await user.save();
  await session.commitTransaction();
}
""",
        path="src/billing/credits.ts",
    ),
    Example(
        "typescript",
        """
export async function spendCredits(userId: string, cost: number) {
  await sequelize.transaction(async (transaction) => {
    const user = await User.findByPk(userId, { transaction, lock: transaction.LOCK.UPDATE });
    if (user.credits < cost) throw new OutOfCredits();
    user.credits -= cost;
    await user.save({ transaction });
  });
}
""",
        path="src/billing/credits.ts",
    ),
    Example(
        "typescript",
        """
export async function learnFrom(answer: Answer) {
  const route = await Route.findOne({ model: answer.model });
  route.totalRequests += 1;
  route.successRate = route.succeeded / route.totalRequests;
  route.averageSavings = (route.averageSavings + answer.saved) / 2;
  await route.save();
}
""",
        path="src/usage/routes.ts",
    ),
    Example(
        "python",
        """
class Domain(Base):
    @classmethod
    def add(cls, owner, name):
        owner.domain_quota -= 1
        session.flush()
        return cls(owner_id=owner.id, name=name)
""",
        path="app/domain.py",
        context={
            "app/views.py": """
from app.domain import Domain

@app.route("/domains", methods=["POST"])
@request_lock("domain")
def create_domain():
    if current_user.domain_quota <= 0:
        abort(402)
    Domain.add(current_user, request.form["name"])
    return redirect("/domains")
"""
        },
    ),
    Example(
        "python",
        """
def grant(session, seat, tokens):
    session.add(TokenEntry(seat_id=seat.id, tokens=tokens))
    seat.token_balance += tokens
    session.commit()
    settle_seat(session, seat.id)
""",
        path="app/grants.py",
        context={
            "app/seats.py": """
def settle_seat(session, seat_id):
    total = session.query(func.sum(TokenEntry.tokens)).filter_by(seat_id=seat_id).scalar()
    session.query(Seat).filter_by(id=seat_id).update({"token_balance": total})
"""
        },
    ),
    Example(
        "python",
        """
def begin_next_plan(session, subscriber):
    subscriber.data_quota = subscriber.next_plan.data_quota + subscriber.bonus
    subscriber.seat_quota = subscriber.next_plan.tier.seat_quota + subscriber.bonus_seats
    session.commit()


class Recipe(Base):
    def used(self, session, went_well):
        self.usage_count += 1
        self.success_rate = (self.success_rate + went_well) / 2
        self.save()


class TokenBucket(Base):
    def allow(self, session, capacity):
        self.tokens -= 1 / capacity
        if self.tokens < 0:
            return False
        self.save()
        return True


def book(session, account, fee):
    # Two bookings at once are a race, and one may overwrite the other:
    # that is fine, the nightly run is what is billed.
    account.used_credits += fee
    session.commit()
""",
    ),
    Example(
        "typescript",
        """
const TRIAL_USER = "6f1c2a0e-trial";

export async function settle(supabase: SupabaseClient, payment: Payment, wallet: Wallet) {
  const before = wallet.balance;
  const noted = { balance_before: before, balance_after: before + payment.credits };
  await supabase.from("payments").update(noted).eq("id", payment.id);
  await supabase.rpc("credit_wallet", { wallet_id: wallet.id, credits: payment.credits });
}

export async function tryChannel(supabase: SupabaseClient) {
  const { data: user } = await supabase.from("users").select("balance").eq("id", TRIAL_USER).single();
  await supabase.from("users").update({ balance: user.balance + 1 }).eq("id", TRIAL_USER);
}

export class Meter extends DurableObject {
  async add(tokens: number) {
    const usedTokens = (await this.ctx.storage.get<number>("usedTokens")) ?? 0;
    await this.ctx.storage.put("usedTokens", usedTokens + tokens);
  }
}
""",
    ),
    Example(
        "java",
        """
@Service
class QuotaService {
    private final QuotaRepository repository;

    @Transactional
    void use(String tenant, long bytes) {
        Quota quota = repository.findByTenant(tenant);
        quota.setUsedBytes(quota.getUsedBytes() + bytes);
        repository.save(quota);
    }
}
""",
        path="src/main/java/app/QuotaService.java",
        context={
            "src/main/java/app/Quota.java": """
@Entity
class Quota {
    @Version
    private long version;
    private long usedBytes;
}
"""
        },
    ),
    Example(
        "python",
        """
class Wallet(models.Model):
    credits = models.IntegerField()

    def deduct(self, amount):
        self.credits -= amount  # <- finding
        self.save()

async def add_usage(redis, customer_id, tokens):
    used = int(await redis.get(f"usage:{customer_id}") or 0)
    await redis.set(f"usage:{customer_id}", used + tokens)  # <- finding
""",
    ),
    Example(
        "typescript",
        """
export async function spend(supabase: SupabaseClient, userId: string, cost: number) {
  const { data: profile } = await supabase.from("profiles").select("credits").eq("id", userId).single();
  await supabase.from("profiles").update({ credits: profile.credits - cost }).eq("id", userId);  // <- finding
}

export async function addUsage(db: Db, account: Account, tokens: number) {
  const usedTokens = account.usedTokens + tokens;
  await db.update(accounts).set({ usedTokens }).where(eq(accounts.id, account.id));  // <- finding
}

export async function increment(customerId: string) {
  const usage = await Usage.findOne({ customerId });
  let count = usage.count;
  count += 1;
  await Usage.findOneAndUpdate({ customerId }, { count });  // <- finding
}

export async function recordUsageTime(store: Store, keyId: string) {
  const record = await store.getApiKey(keyId);
  record.lastUsageAt = Date.now();
  await store.setApiKey(keyId, record);  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
export async function spend(supabase: SupabaseClient, userId: string, cost: number) {
  const { data: profile } = await supabase.from("profiles").select("credits").eq("id", userId).single();
  const { error } = await supabase
    .from("profiles")
    .update({ credits: profile.credits - cost })
    .eq("id", userId)
    .eq("credits", profile.credits);
  if (error) throw error;
}

export async function addUsage(db: Db, accountId: string, tokens: number) {
  await db.update(accounts).set({ usedTokens: sql`${accounts.usedTokens} + ${tokens}` }).where(eq(accounts.id, accountId));
}

export async function increment(customerId: string) {
  await Usage.findOneAndUpdate({ customerId }, { $inc: { count: 1 } });
}

export async function recordUsageTime(store: Store, keyId: string) {
  await store.setApiKeyField(keyId, "lastUsageAt", Date.now());
}
""",
    ),
    Example(
        "go",
        """
package ingest

type usageBatch struct {
	tx     *sql.Tx
	insert *sql.Stmt
	usage  int
}

func (b *usageBatch) add(event UsageEvent) error {
	if _, err := b.insert.Exec(event.CustomerID, event.Quantity); err != nil {
		return err
	}
	b.usage++
	if b.usage < batchSize {
		return nil
	}
	b.usage = 0
	return b.tx.Commit()
}
""",
    ),
    Example(
        "go",
        """
package credits

func deduct(ctx context.Context, client *ent.Client, id int, amount int) error {
	account, err := client.Account.Get(ctx, id)
	if err != nil {
		return err
	}
	return client.Account.UpdateOneID(id).SetCredits(account.Credits - amount).Exec(ctx)  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package credits

func deduct(ctx context.Context, client *ent.Client, id int, amount int) error {
	return client.Account.UpdateOneID(id).AddCredits(-amount).Exec(ctx)
}
""",
    ),
    Example(
        "python",
        """
def record(session, customer_id, tokens):
    account = session.get(Account, customer_id)
    account.used_tokens += tokens  # <- finding
    session.commit()
""",
    ),
    Example(
        "python",
        """
from django.db import transaction
from django.db.models import F

def record(customer_id, tokens):
    Account.objects.filter(id=customer_id).update(used_tokens=F("used_tokens") + tokens)

def record_locked(customer_id, tokens):
    with transaction.atomic():
        account = Account.objects.select_for_update().get(id=customer_id)
        account.used_tokens += tokens
        account.save()
""",
    ),
    Example(
        "typescript",
        """
export async function deduct(prisma: PrismaClient, userId: string, cost: number) {
  const user = await prisma.user.findUnique({ where: { id: userId } });
  await prisma.user.update({
    where: { id: userId },
    data: { credits: user.credits - cost },  // <- finding
  });
}
""",
    ),
    Example(
        "typescript",
        """
export async function deduct(prisma: PrismaClient, userId: string, cost: number) {
  await prisma.user.update({ where: { id: userId }, data: { credits: { decrement: cost } } });
}

export async function deductVersioned(prisma: PrismaClient, userId: string, cost: number) {
  const user = await prisma.user.findUnique({ where: { id: userId } });
  await prisma.user.updateMany({
    where: { id: userId, version: user.version },
    data: { credits: user.credits - cost, version: user.version + 1 },
  });
}
""",
    ),
    Example(
        "go",
        """
package quota

func consume(db *gorm.DB, userID int, amount int) error {
	var user User
	if err := db.First(&user, userID).Error; err != nil {
		return err
	}
	user.UsedQuota += amount  // <- finding
	return db.Save(&user).Error
}
""",
    ),
    Example(
        "go",
        """
package quota

func consume(db *gorm.DB, userID int, amount int) error {
	return db.Model(&User{}).Where("id = ?", userID).Update("used_quota", gorm.Expr("used_quota + ?", amount)).Error
}
""",
    ),
    Example(
        "go",
        """
package billing

func monthlyUsage(ctx context.Context, customers []Customer) int64 {
	var total int64
	var wg sync.WaitGroup
	for _, customer := range customers {
		wg.Add(1)
		go func() {
			defer wg.Done()
			total += usageOf(ctx, customer)  // <- finding
		}()
	}
	wg.Wait()
	return total
}

func (b *UsageBatcher) Start(consumers int) {
	for range consumers {
		go b.consume()
	}
}

func (b *UsageBatcher) consume() {
	for event := range b.events {
		b.batch = append(b.batch, event)  // <- finding
		if len(b.batch) >= b.size {
			b.flush(b.batch)
			b.batch = b.batch[:0]
		}
	}
}
""",
    ),
    Example(
        "go",
        """
package billing

func monthlyUsage(ctx context.Context, customers []Customer) []int64 {
	usage := make([]int64, len(customers))
	group, ctx := errgroup.WithContext(ctx)
	for place, customer := range customers {
		group.Go(func() error {
			var sum int64
			for _, meter := range customer.Meters {
				sum += usageOf(ctx, meter)
			}
			usage[place] = sum
			return nil
		})
	}
	return usage
}

func (b *UsageBatcher) Start(consumers int) {
	for range consumers {
		go b.consume()
	}
}

func (b *UsageBatcher) consume() {
	batch := make([]UsageEvent, 0, b.size)
	for event := range b.events {
		batch = append(batch, event)
		if len(batch) >= b.size {
			b.flush(batch)
			batch = batch[:0]
		}
	}
}
""",
    ),
    Example(
        "python",
        """
def by_month(session, rows):
    stats = {"usage_total": 0}
    for row in rows:
        stats["usage_total"] += 1
    session.add(MonthlyUsage(total=stats["usage_total"]))
    session.commit()
""",
    ),
    Example(
        "typescript",
        """
export async function rollOver(prisma: PrismaClient, wallet: Wallet) {
  await prisma.wallet.update({
    where: { id: wallet.id },
    data: { creditsUsed: 0, creditsGranted: wallet.creditsGranted + MONTHLY_CREDITS, lastReset: new Date() },
  });
}

const windows = new Map<string, { requestsUsed: number }>();

export function admit(key: string, plan: Plan): boolean {
  const window = windows.get(key) ?? { requestsUsed: 0 };
  if (window.requestsUsed >= plan.requestLimit) return false;
  window.requestsUsed += 1;
  windows.set(key, window);
  return true;
}
""",
    ),
    Example(
        "typescript",
        """
export async function placePhoto(db: Db, photo: Photo, invoiceId: string) {
  await db.from("photos").update({ usage_count: photo.usage_count + 1 }).eq("id", photo.id);
  return db.from("billing_pages").update({ photo: photo.id }).eq("invoice_id", invoiceId);
}
""",
        context={
            "src/gallery.ts": """
export function leastUsed(photos: Photo[]) {
  return photos.sort((one, other) => one.usage_count - other.usage_count).filter((one) => one.usage_count < 9);
}
"""
        },
    ),
    Example(
        "typescript",
        """
export async function placePhoto(db: Db, photo: Photo, invoiceId: string) {
  await db.from("photos").update({ usage_count: photo.usage_count + 1 }).eq("id", photo.id);  // <- finding
  return db.from("billing_pages").update({ photo: photo.id }).eq("invoice_id", invoiceId);
}
""",
        context={
            "src/gallery.ts": """
export function assertLicensed(photo: Photo, plan: Plan) {
  if (photo.usage_count >= plan.usesPerPhoto) throw new PaymentRequiredError();
}
"""
        },
    ),
    Example(
        "typescript",
        """
export async function redeem(prisma: PrismaClient, code: string) {
  const voucher = await prisma.voucher.findUnique({ where: { code } });
  if (voucher.usedCount >= voucher.maxUses) throw new Error("this voucher gives no more credits");
  await prisma.voucher.update({ where: { code }, data: { usedCount: voucher.usedCount + 1 } });  // <- finding
}
""",
    ),
    Example(
        "php",
        """
final class PrepaidMeter
{
    public function take(int $accountId, int $units): void
    {
        DB::transaction(function () use ($accountId, $units) {
            $account = Account::query()->lockForUpdate()->findOrFail($accountId);
            $this->draw($account, $units);
        });
    }

    private function draw(Account $account, int $units): void
    {
        $account->update(['balance' => $account->balance - $units]);
    }
}
""",
    ),
    Example(
        "typescript",
        """
export async function note(db: Db, wallet: Wallet, amount: number) {
  await db.from("credit_entries").insert({ wallet_id: wallet.id, balance_after: wallet.balance + amount });
}
""",
    ),
    Example(
        "typescript",
        """
import { internalMutation } from "./_generated/server";

export const consumeCredits = internalMutation({
  handler: async (ctx, args) => {
    const account = await ctx.db.get(args.accountId);
    if (account.credits < args.amount) throw new Error("not enough credits");
    await ctx.db.patch(args.accountId, { credits: account.credits - args.amount });
  },
});
""",
    ),
    Example(
        "csharp",
        """
public class AllowanceStore
{
    public async Task Use(string team, int amount)
    {
        while (true)
        {
            var allowance = await _context.Allowances.FirstAsync(a => a.Team == team);
            allowance.UsedCredits += amount;
            try
            {
                await _context.SaveChangesAsync();
                return;
            }
            catch (DbUpdateConcurrencyException)
            {
                _context.ChangeTracker.Clear();
            }
        }
    }
}
""",
    ),
    Example(
        "python",
        """
class SeatPool:
    async def take(self, pool, seats: int):
        pool.seats_used += seats
        await self.session.flush()
""",
        path="app/pools.py",
        context={
            "app/orders.py": """
async def order(pools, seat_pool, team, seats):
    pool = await pools.get_pool_for_order_update(team)
    await SeatPool(session).take(pool, seats)
"""
        },
    ),
    Example(
        "python",
        """
def close_hint(session, member_id):
    member = session.get(Member, member_id)
    member.hint_count = (member.hint_count or 0) + 1
    session.commit()


def went_over(session, sheet, rows):
    sheet.matched_count = sheet.matched_count + len(rows)
    session.commit()


def answer_more(session, reply, tokens):
    charge_credits(session, reply.account_id, tokens)
    reply.output_tokens = (reply.output_tokens or 0) + tokens
    session.commit()
""",
        path="app/members.py",
        context={
            "app/hints.py": """
MOST_HINTS_PER_MEMBER = 6

def hint_for(member):
    if member.hint_count >= MOST_HINTS_PER_MEMBER:
        return None
    return next_hint(member)

def state_of(sheet, total_rows):
    return "done" if sheet.matched_count >= total_rows else "open"
""",
            "app/prices.py": """
def price_of(call, rate):
    return call.output_tokens * rate.per_token
""",
        },
    ),
    Example(
        "python",
        """
def record_render(session, member_id, invoice):
    member = session.get(Member, member_id)
    member.render_count = (member.render_count or 0) + 1  # <- finding
    session.commit()
    add_to_invoice(invoice, member)
""",
        path="app/members.py",
        context={
            "app/renders.py": """
def assert_room(member):
    if member.render_count >= 6:
        raise PaymentRequired()
"""
        },
    ),
    Example(
        "typescript",
        """
export async function noteInvitations(teamId: string, count: number) {
  const countKey = invitationsKey(teamId);
  const existingCount = (await cache.get(countKey)) || 0;
  await cache.set(countKey, existingCount + count, 86400);
}
""",
    ),
    Example(
        "python",
        """
def admit(session, door):
    if door.registered_count >= door.max_registrations:
        return False
    with session.lock(door):
        door.registered_count += 1
        session.commit()
    return True
""",
    ),
)
