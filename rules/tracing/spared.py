"""Records of usage whose unheard failure costs nobody anything: kept further in, made good later, or no record at all."""

import re
from collections.abc import Callable, Iterator

from rules.code import Code
from rules.facts import Call, Class, Function, Literal, Name, Scope, chain, enclosing, fold
from rules.facts import Kind as Block
from rules.meaning.contexts import REDELIVERED
from rules.meaning.outcomes import logs
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.emissions import Emission, is_local, own_functions
from rules.meaning.usage.losses import keeps_failures
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.tracing.graph import Node, upwards
from rules.tracing.stakes import behind, trails_of
from rules.tracing.standing import scope_of, standing, started_in

HOPS = 3
RECONCILES = frozenset(
    "reconcile reconciles reconciler reconciliation recompute recomputes recalculate recalculates recalc recount resync".split()
)
"""What a function is called that works a count out anew, whatever it was before."""
PARKS = frozenset(
    "reconcile reconciliation reconciler outbox park parked requeue deadletter dlq quarantine unsettled compensate".split()
)
"""What a handler calls that keeps the usage for a later attempt, or keeps what was reserved for it."""
REPLAYS = frozenset("replay reenrich reprocess backfill reingest migrate migration rebuild".split())
STORES = frozenset(
    "redis kv client db database firestore collection doc ref storage prisma supabase repository repo repos repositories table "
    "store queue producer session tx conn connection pool api http axios bucket model dao".split()
)
"""What stands before the dot of a call that leaves the process."""
IN_MEMORY = frozenset(
    "get set has delete push pop append add setdefault shift unshift splice slice extend update clear now max min number "
    "string int float len str round floor ceil abs keys values items entries map filter reduce sort includes join time "
    "monotonic perfcounter isfinite isnan tostring tolowercase trim lock unlock rlock runlock acquire release getorcreate "
    "computeifabsent getordefault put addorupdate getoradd trygetvalue merge make date set list dict containskey find "
    "some every indexof foreach tofixed parseint parsefloat hasown assign freeze".split()
)
NOTICES = frozenset("alert alerts alerting alerter notify notifies notifier notification notifications".split())
AUDITS = frozenset("audit audits auditor auditing".split())
STATES = frozenset("state status reason code kind type flag mode".split())
"""How a column ends that says how things stand, and counts nothing."""
NOTED = frozenset("before after prior previous old new".split())
"""How a column ends that notes in a history what a balance was, beside the balance itself."""
TO_FILL_IN = re.compile(r"^\s*$|^\{\{.*\}\}$|^<[^<>]+>$|^(?:your|my)[-_ ]|^x{3,}$", re.I)
"""What stands in an example where an id belongs."""
LAST_COUNTS = ("last_during_period", "last_ever")
"""How a price is told that the newest figure replaces those before it."""


def kept_behind(code: Code, call: Call) -> bool:
    """Whether the function of another file that a call leads to keeps every failure to itself, so that none comes back."""
    found = tuple(functions_behind(code, call))
    return bool(found) and all(keeps_failures(other, function) for other, function in found)


def parked(code: Code, call: Call) -> bool:
    """Whether the recorder behind a call has put what failed where it is booked or cleared up later, and then says so.

    Trying three times in a row is no such thing: an outage is longer.
    """
    return everywhere_behind(
        code, call, lambda one: bool(PARKS & set(words(one.method))) and enclosing(one.scope, Block.HANDLER) is not None
    )


def everywhere_behind(code: Code, call: Call, does: Callable[[Call], bool]) -> bool:
    """Whether every function that a call may mean has a call of a kind in it."""
    found = functions_meant(code, call)
    return bool(found) and all(any(map(does, other.calls_in(function))) for other, function in found)


def functions_meant(code: Code, call: Call) -> tuple[tuple[Code, Scope], ...]:
    """The functions that a call leads to: the file's own, else those of other files."""
    own = own_functions(call, code.values)
    return tuple((code, one) for one in own) or tuple(functions_behind(code, call))


def functions_behind(code: Code, call: Call) -> Iterator[tuple[Code, Scope]]:
    """The project's functions that a call leads to, as surely as their names tell; nothing if one of them is not at hand."""
    trace = code.elsewhere.trace
    nodes: frozenset[Node] = behind(trace, code.facts.path, call, call.method, 0) if trace is not None else frozenset()
    found = []
    for node in nodes:
        routine = trace.graph.routine(node) if trace is not None else None
        other = code.elsewhere.code_of(routine.path) if routine is not None else None
        function = scope_of(other, routine) if other is not None and routine is not None else None
        if other is None or function is None:
            return
        found.append((other, function[0]))
    yield from found


def only_in_memory(code: Code, call: Call) -> bool:
    """Whether what a call leads to fills maps and numbers of the process, and so cannot fail for want of a store."""
    if is_local(call, code.values) and (own := code.values.functions.get(call.method, ())):
        return len(own) == 1 and fills_memory(code, own[0])
    found = tuple(functions_behind(code, call))
    return bool(found) and all(fills_memory(other, function) for other, function in found)


def only_logs(code: Code, call: Call) -> bool:
    """Whether a recorder is still to be written: all that it calls writes a line for people."""
    found = functions_meant(code, call)
    return bool(found) and all(
        bool(inside := tuple(other.calls_in(function))) and all(logs(one) or fold(one.method) in SPEAKS for one in inside)
        for other, function in found
    )


SPEAKS = frozenset("tojson stringify dumps format tostring tofixed toisostring now date".split())
"""What a log line is made with."""


def fills_memory(code: Code, function: Scope, hops: int = 1) -> bool:
    inside = tuple(code.calls_in(function))
    if not isinstance(function.head, Function) or function.head.asynchronous or not inside:
        return False
    return all(stays(code, one, hops) for one in inside)


def stays(code: Code, call: Call, hops: int) -> bool:
    """Whether a call keeps to the memory of the process."""
    before = call.name.rpartition(".")[0]
    if logs(call) or before in ("Math", "Date", "Object", "Number", "math", "time"):
        return True
    if STORES & set(words(before)) or (call.constructs and fold(call.method) not in IN_MEMORY | {"map", "set", "date"}):
        return False
    own = own_functions(call, code.values)
    if own:
        return hops > 0 and all(is_small(code, one) or fills_memory(code, one, hops - 1) for one in own)
    return fold(call.method) in IN_MEMORY


def is_small(code: Code, function: Scope) -> bool:
    """A function that calls nothing only makes a value: `keyOf(node, model)`."""
    head = function.head
    return isinstance(head, Function) and not head.asynchronous and not any(code.calls_in(function))


def made_good(code: Code, call: Call) -> bool:
    """Whether all counters that a call moves are worked out anew by something that runs by itself."""
    names = {one.name for one in code.counters if one.call is call}
    trace = code.elsewhere.trace
    if not names:
        names = {
            one.name
            for other, function in functions_behind(code, call)
            for one in other.counters
            if one.function is function and one.change is not Change.RESET
        }
    if trace is not None and not names:
        trails = tuple(trails_of(trace, code.facts.path, call, ""))
        if any(one.sort == "event" for one in trails):
            return False
        names = {one.name for one in trails if one.sort == "counter"}
    return bool(names) and all(is_reconciled(code, name) for name in names)


def is_reconciled(code: Code, name: str) -> bool:
    """`quota.used = measured` in `reconcile_quotas`, which a schedule or a worker starts: what was lost is found again."""
    others = (code.elsewhere.code_of(path) for path in sorted(code.elsewhere.naming(name)))
    return any(
        fold(one.name) == fold(name) and sets_anew(other, one)
        for other in others
        if other is not None
        for one in other.counters
    )


def sets_anew(code: Code, one: Counter) -> bool:
    if one.change is not Change.SET or one.value is None or isinstance(one.value, Literal):
        return False
    said = {*words(code.function_name(one.scope)), *words(code.facts.path.rpartition("/")[2])}
    return bool(RECONCILES & said) and runs_by_itself(code, one.scope)


def runs_by_itself(code: Code, scope: Scope) -> bool:
    if code.context(scope) in REDELIVERED:
        return True
    found = standing(code, scope.span.line)
    return found is not None and started_in(*found, REDELIVERED, HOPS)


def tells_total(code: Code, call: Call) -> bool:
    """Whether a report is a total that is sent anew on each run, so that the next one makes good what this one lost.

    The function, or one that leads to it, says that it reconciles; or the project's prices take the last figure of a period.
    """
    found = standing(code, call.span.line)
    if found is None:
        return bool(RECONCILES & set(words(code.function_name(call.scope))))
    graph, here = found
    named = (
        routine.name
        for one in upwards(graph, here, HOPS)
        if one.sure != "possible" and (routine := graph.routine(one.node)) is not None
    )
    return any(RECONCILES & set(words(name)) for name in named)


def replaces(code: Code, emission: Emission) -> bool:
    """Whether a report that is sent twice leaves the same figure: it is a total, or the price takes the newest."""
    record = emission.record
    if record is None or "increment" in code.facts.text(emission.call.span).lower():
        return False
    if tells_total(code, emission.call):
        return True
    return "usage record" in record.title and any(
        code.elsewhere.speaks_of(one, frozenset()) or one in code.facts.source.decode(errors="replace") for one in LAST_COUNTS
    )


def is_notice(code: Code, call: Call) -> bool:
    """An alert that is told, or an audit record beside the work: what failed to be written there is no usage."""
    holder = set(words(call.name.rpartition(".")[0].rpartition(".")[2])) | set(words(call.method))
    around: set[str] = set()
    for scope in chain(call.scope):
        if isinstance(scope.head, Function | Class):
            around |= set(words(scope.head.name))
    return bool(holder & (AUDITS | NOTICES) or around & NOTICES)


def only_states(names: list[str]) -> bool:
    """`quota_state`, `usage_status`: named after a count, and holding none."""
    return bool(names) and all(words(name)[-1:] and words(name)[-1] in STATES for name in names)


def only_noted(names: list[str]) -> bool:
    """`balance_before`, `balance_after`: a row of a history, of which nobody takes anything."""
    return bool(names) and all(words(name)[-1:] and words(name)[-1] in NOTED for name in names)


def unfilled(code: Code, call: Call) -> bool:
    """Whether a call is handed an empty text, or the name of what belongs there, by its own program: it reports nobody's usage
    until somebody fills that in."""
    return any(
        isinstance(value, Literal) and isinstance(value.value, str) and TO_FILL_IN.match(value.value) is not None
        for value in (resolved(code.values, one.value, call.scope, call.span.start) for one in call.arguments)
    )


def replays(code: Code, scope: Scope) -> bool:
    """Whether events are sent that are stored already, by somebody who can start it over."""
    file = code.facts.path.rpartition("/")[2]
    said = f"{file} {code.function_name(scope)}".lower().replace("_", "").replace("-", "")
    return any(word in said for word in REPLAYS)


def per_request(code: Code, scope: Scope) -> bool:
    """Whether every object of the class around is made inside a function for one piece of work, and dies with it."""
    holder = enclosing(scope, Block.CLASS)
    name = holder.head.name if holder is not None and isinstance(holder.head, Class) else ""
    if not name or not code.elsewhere.whole:
        return False
    others = [code.elsewhere.code_of(path) for path in sorted(code.elsewhere.naming(name))]
    made = [(other, call) for other in others if other is not None for call in other.facts.calls if call.method == name]
    return bool(made) and all(is_local_object(other, call) for other, call in made)


def is_local_object(code: Code, call: Call) -> bool:
    """`collector = UsageCollector(user)` in a function that keeps it; not `self.collector = …` or `return UsageCollector()`."""
    function = enclosing(call.scope, Block.FUNCTION)
    names = {target.text for target in call.targets if isinstance(target, Name)}
    if function is None or not names or len(names) != len(call.targets):
        return False
    given = (one.value for one in code.facts.returns if enclosing(one.scope, Block.FUNCTION) is function)
    return not any(isinstance(value, Name) and value.text in names for value in given)


SIGNATURE = re.compile(r"""\$(?:signature|name)\s*=\s*['"]([\w:.-]+)""")
"""What a console command is called by."""


def by_hand(code: Code, scope: Scope) -> bool:
    """Whether a console command is started by nothing but people: no schedule and no other code names it or its class."""
    holder = enclosing(scope, Block.CLASS)
    if not code.facts.traits.console_commands or holder is None or not isinstance(holder.head, Class):
        return False
    if "Command" not in holder.head.bases or not code.elsewhere.whole:
        return False
    called = SIGNATURE.search(code.facts.text(holder.span))
    names = (holder.head.name, *((called[1],) if called else ()))
    return not any(starts(code, path, name) for name in names for path in code.elsewhere.naming(name) - {code.facts.path})


def starts(code: Code, path: str, name: str) -> bool:
    """Whether a file that names a command hands its name to a call; a list of what there is starts nothing."""
    other = code.elsewhere.code_of(path)
    if other is None:
        return not path.endswith((".md", ".txt"))
    spelled = re.compile(rf"\b{re.escape(name)}\b")
    return any(spelled.search(other.facts.text(one.value.span)) for call in other.facts.calls for one in call.arguments)
