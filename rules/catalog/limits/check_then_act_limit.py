"""A limit is tested on a reading of the usage, and the usage is taken in a later statement.

Requests that run at the same time all read the old value, all pass the test and all consume: the limit can be passed by as
much as there are requests at once. Test and take in one step: a conditional update (`SET used = used + n WHERE used + n <=
limit`) whose affected rows are looked at, an atomic increment that is compared after, or a row lock around both.
"""

import re
from collections.abc import Iterable, Iterator, Mapping

from rules.code import Code
from rules.facts import (
    Binary,
    Branch,
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Logical,
    Member,
    Name,
    Scope,
    Span,
    Start,
    Test,
    Unary,
    Use,
    chain,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.flow import follows, held_alone
from rules.meaning.limits import gates
from rules.meaning.limits.amounts import is_amount, is_share, spared_if_free
from rules.meaning.limits.limits import Limit, arm_of, is_zero, lets_through, of_loop, said_by
from rules.meaning.limits.machinery import SOLD, keeps_up, places
from rules.meaning.origins import Kinds
from rules.meaning.times.expiries import lone_expiries
from rules.meaning.usage.counters import Change
from rules.meaning.usage.takings import (
    Taking,
    compares_version,
    conditional,
    one_more,
    same_for_all,
    same_thing,
    takings,
)
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import names_left, names_used, releases, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step, Variant
from rules.tracing.alone import called_alone
from rules.tracing.belonging import belongs
from rules.tracing.counted import WRITES, Looked, behind, looked_at, moves
from rules.tracing.firm import raises, refusal_dropped, swallowed, takes_firmly
from rules.tracing.graph import Node
from rules.tracing.held import callers_hold, in_one_step, in_procedure, read_under_lock
from rules.tracing.served import is_served, only_timed
from rules.tracing.shared_store import share_store
from rules.tracing.sights import Kind as Sighted
from rules.tracing.sights import Sight
from rules.tracing.standing import meant
from rules.tracing.whole import Trace

ABOUT = About(
    id="MTR-401",
    title="Limit is tested in one statement and consumed in another",
    severity=Severity.HIGH,
    classification=Classification.VULNERABILITY,
    classes=("L1",),
    cwe=("CWE-367",),
    iso_25010="Security / integrity",
    variants={
        "incr-expire-not-atomic": Variant(
            "INCR followed by EXPIRE in two calls",
            Severity.MEDIUM,
            ("L1",),
            cwe=("CWE-362",),
            classification=Classification.DEFICIENCY,
        ),
    },
    unprompted=True,
)
BESIDE = 5
"""Lines between the test and the taking within which one comment speaks of both."""
SAVES_ALONE = frozenset("save commit flush persist".split())
SAVES = SAVES_ALONE | frozenset("update put set write upsert updateone sync".split())
SAVING = tuple((word,) for word in ("save", "update", "put", "write", "store", "persist", "set"))
OWN = frozenset({"self", "this"})
UNTELLING = frozenset("total current daily monthly today used month day number".split())
"""What counters of all kinds have in their names."""
FEATURES = frozenset("entitlement entitlements feature features access permission plan tier".split())
QUANTITIES = frozenset(
    "usage limit limits quota quotas credit credits balance count remaining spend budget tokens seats".split()
)
KNOWN = re.compile(r"read-then-act|check-then-act|\brace\b|toctou|overshoot|not atomic|accepted", re.I)
COUNTING_UP = tuple((word,) for word in ("incr", "increment", "incrby", "hincrby", "zincrby", "consume", "eval", "evalsha"))
"""How a call begins that counts and answers what it came to."""
SETTINGS = frozenset("config configs configuration settings setting env environ getenv".split())
"""What holds, or answers, the numbers of an installation, one for all customers."""
CASTS = frozenset("int float number decimal parseint parsefloat intval floatval str".split())
TAKING = ("incr", "increment", "consume", "take", "reserve", "decr", "charge", "deduct")


def check(code: Code) -> Iterator[Finding]:
    found: dict[Scope | None, list[tuple[Limit, Taking]]] = {}
    for limit in code.limits:
        if unjudged(code, limit.scope) or shares_out(code, limit) or of_loop(code.facts, limit) or known(code, limit.span):
            continue
        if refused_by_column(code, limit):
            continue
        if from_taking(code, limit) or held_alone(code, limit.scope, limit.span.start) or after_the_fact(limit.function):
            continue
        taken = None if is_price(code, limit) else taken_after(code, limit)
        if taken is not None and not only_clips(code, limit, taken) and not held_elsewhere(code, limit):
            found.setdefault(limit.function, []).append((limit, taken))
    for pairs in found.values():
        # Of several tests, the one that reads what is taken decides, and an amount before a bare `!balance`.
        limit, taken = min(pairs, key=lambda pair: (is_bare(pair[0]), not same_thing(pair[0].used, pair[1])))
        more = taken.counter is None and taken.emission is None and taken.what.endswith("adds one more")
        # A number of rows is mostly held to a fixed bound, which is on nobody's plan.
        weak = more or is_bare(limit) or only_noted(taken) or not of_one_subject(code, limit, taken)
        weak = weak or not is_served(code, limit.scope) or (code.elsewhere.whole and not belongs(code, limit, taken))
        weak = weak or (code.elsewhere.whole and told_below(code, limit.span, limit.test, taken))
        weak = weak or never_queued(code, limit.scope)
        yield finding(code, limit.span, said_by(limit.used), taken, Confidence.POSSIBLE if weak else None)
    reported = set(found)
    yield from behind_gates(code, reported)
    yield from expiring(code)


def never_queued(code: Code, scope: Scope) -> bool:
    """Whether a task of a queue is named nowhere but where it is written: nothing ever sends it."""
    function = enclosing(scope, Kind.FUNCTION)
    head = function.head if function is not None and code.elsewhere.whole else None
    if function is None or not isinstance(head, Function) or not head.name:
        return False
    marks = [one.method if isinstance(one, Call) else name_of(one) for one in head.decorators if not renames(one)]
    if not {"task", "shared_task"} & set(marks):
        return False
    here = range(function.span.line, function.span.end_line + 1)
    named = code.elsewhere.mentions(head.name)
    return bool(named) and all(one.path == code.facts.path and one.line in here for one in named)


def renames(mark: Expression) -> bool:
    """`@app.task(name="billing.embed")`: whoever sends it says another name."""
    return isinstance(mark, Call) and any(one.name in (None, "name") for one in mark.arguments)


def told_below(code: Code, span: Span, test: Test | None, taken: Taking) -> bool:
    """Whether the function that takes tests the same first, right after, and is heard: the race is in it, and told there.

    With work in between the early test is what lets the work begin, whatever is refused after it.
    """
    call, trace = taken.call, code.elsewhere.trace
    if call is None or taken.counter is not None or trace is None:
        return False
    testing = tests_first(code, trace, call)
    return bool(testing) and heard(code, call, testing) and not works_between(code, span, test, call)


def heard(code: Code, call: Call, testing: Mapping[Node, range]) -> bool:
    """Whether a refusal of the functions that test comes back: by the answer, or raised after the test and kept by nothing."""
    if call.use is not Use.DISCARDED:
        return True
    raised = all(raises(code, node, lines) for node, lines in testing.items())
    return raised and call.start is not Start.DETACHED and not swallowed(code, call)


def tests_first(code: Code, trace: Trace, call: Call) -> dict[Node, range]:
    """The functions that a call may mean that compare, and then write, themselves: each with the lines in between."""
    node = trace.graph.at(code.facts.path, call.span.line)
    found = {
        callee: between(trace.seen.by_node.get(callee, ()))
        for callee in (meant(trace.graph, node, (call.method,)) if node is not None else ())
    }
    return {callee: lines for callee, lines in found.items() if lines is not None}


def between(sights: Iterable[Sight]) -> range | None:
    """The lines from the first test of a limit to the last write after it."""
    there = list(sights)
    first = min((one.line for one in there if one.kind is Sighted.LIMIT), default=None)
    written = [one.line for one in there if one.kind in WRITES and first is not None and one.line > first]
    return range(first, max(written) + 1) if first is not None and written else None


def works_between(code: Code, span: Span, test: Test | None, taking: Call) -> bool:
    """Whether anything is waited for between a test and a taking, apart from what a refusal does."""
    waits = code.facts.traits.promises or code.facts.traits.lazy_coroutines
    return any(
        span.end < one.span.start and one.span.end < taking.span.start and (one.start is Start.AWAITED or not waits)
        for one in code.calls_in(enclosing(taking.scope, Kind.FUNCTION))
        if test is None or arm_of(one.scope, test) is None
    )


def is_bare(limit: Limit) -> bool:
    """`!answer.credits` compares with no amount: it may only ask whether the row was found."""
    return limit.limit.span == limit.compare.span


def held_elsewhere(code: Code, limit: Limit) -> bool:
    """Whether the reading's own function locks the row, or those who call this one hold a lock."""
    root = root_of(limit.used)
    known = definitions_at(code.values, root.text, limit.scope, limit.span.start) if isinstance(root, Name) else ()
    values = (limit.used, *(one.value for one in known if one.value is not None))
    if read_under_lock(code, values) or callers_hold(code, limit.scope):
        return True
    return called_alone(code, limit.scope) or only_timed(code, limit.scope)


def after_the_fact(function: Scope | None) -> bool:
    """A function that is handed the usage or the answer books what has happened: its test refuses no work any more."""
    head = function.head if function is not None else None
    return isinstance(head, Function) and any(
        said[-1:] in (("usage",), ("usages",), ("completion",), ("response",)) and said[0] not in ("max", "current", "allowed")
        for one in head.parameters
        for said in (words(one.name), words(one.type))
        if said
    )


def refused_by_column(code: Code, limit: Limit) -> bool:
    """Whether the column is taken from in the store, and the schema lets it not fall below nothing: the second take fails."""
    name = name_of(limit.used).rpartition(".")[2]
    if not limit.left or not any(one.atomic and one.name == name and one.change is Change.SUBTRACT for one in code.counters):
        return False
    never_less = rf"check\s*\(\s*[\"`]?({re.escape(name)})[\"`]?\s*>=\s*0\b"
    return bool(code.elsewhere.found(re.compile(never_less, re.I)))


def is_price(code: Code, limit: Limit) -> bool:
    """`credits = config("prices.message"); if credits > 0`: what a thing costs here, which is nobody's balance."""
    if not limit.left or not isinstance(limit.used, Name):
        return False
    known = definitions_at(code.values, limit.used.text, limit.scope, limit.span.start)
    return bool(known) and all(one.value is not None and is_setting(one.value) for one in known)


def is_setting(value: Expression) -> bool:
    """`config("…")`, `env("…")`, `settings.PRICE`, `process.env.PRICE`, `MESSAGE_CREDITS`; cast, or with a default."""
    match value:
        case Logical(left=first):
            return is_setting(first)
        case Call(method=method, arguments=(first, *_)) if fold(method) in CASTS:
            return is_setting(first.value)
        case Call(method=method, receiver=None):
            return fold(method) in SETTINGS
        case Call(receiver=holder) if holder is not None:
            return is_setting_store(holder)
        case Member(object=holder) | Index(object=holder):
            return is_setting_store(holder)
        case Name(text=text):
            return text.isupper()
        case _:
            return False


def is_setting_store(value: Expression) -> bool:
    named = fold(name_of(value))
    inner = value.object if isinstance(value, Member | Index) else None
    return named in SETTINGS or (inner is not None and is_setting_store(inner))


def only_clips(code: Code, limit: Limit, taken: Taking) -> bool:
    """`if balance <= 0: return`, then `balance = max(0, balance - amount)` of an amount that is handed in and never compared:
    it books what was used before, down to nothing, and refuses no use."""
    counter, head = taken.counter, limit.function.head if limit.function is not None else None
    if counter is None or counter.value is None or not limit.left or not is_zero(limit.limit) or not isinstance(head, Function):
        return False
    value = resolved(code.values, counter.value, counter.scope, counter.span.start)
    if not isinstance(value, Call) or fold(value.method).rpartition(".")[2] not in ("max", "greatest", "fmax"):
        return False
    given = {one.name for one in head.parameters}
    less = [part for part in walk(value) if isinstance(part, Binary) and part.operator == "-"]
    return any(isinstance(part, Name) and part.text in given for one in less for part in walk(one.right))


def unjudged(code: Code, scope: Scope) -> bool:
    """Tests and browsers decide nothing for the server, and schedules and scripts run one at a time."""
    return code.context(scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT, Context.SCHEDULE)


def from_taking(code: Code, limit: Limit) -> bool:
    """`used = incr(key); if used > limit`: the test is on the result of taking."""
    for origin in code.origins(limit.used, limit.scope, limit.span.start):
        called = origin.expression if origin.kind is Kinds.CALL else None
        if isinstance(called, Call) and any(word in called.folded for word in TAKING):
            return True
    return False


def shares_out(code: Code, limit: Limit) -> bool:
    """`for grant in grants: if grant.left > 0: …`, or one balance before another: a choice, which refuses nobody."""
    around = enclosing(limit.scope, Kind.LOOP, Kind.FUNCTION)
    if limit.refuses or not limit.left:
        return False
    if {"then", "else"} <= {arm_of(taking.scope, limit.test) for taking in takings(code)}:
        return True
    if around is None or around.kind is not Kind.LOOP:
        return False
    arms = {
        arm_of(assign.scope, limit.test): target.name
        for assign in code.facts.assigns
        for target in assign.targets
        if isinstance(target, Member) and names_used(target.name)
    }
    return is_zero(limit.limit) or ("then" in arms and arms["then"] == arms.get("else"))


def taken_after(code: Code, limit: Limit) -> Taking | None:
    """What takes from the limit after the test, and is reached only with room; None where the store tests again."""
    counted = resolved(code.values, limit.used, limit.scope, limit.span.start)
    found = [
        taking
        for taking in (*takings(code), *(one_more(code, counted) if not same_for_all(code, limit) else ()))
        if follows(code, limit.span, limit.scope, taking.span, taking.scope)
        and lets_through(code.facts, limit, taking.scope)
        and not at_once(code, limit, taking)
        and of_one_kind(code, limit, taking)
        and kept(code, taking)
        and not of_itself(code, taking)
        and not is_amount(code, limit, taking.call)
        and not spared_if_free(code, limit, taking)
        and not is_share(code, limit, taking.call)
    ]
    if any(tests_itself(code, one) or tests_again(code, one, limit) for one in found):
        return None
    return min(found, key=lambda one: (not same_thing(limit.used, one), not belongs(code, limit, one), rank(one)), default=None)


def tests_itself(code: Code, taking: Taking) -> bool:
    """Whether the taking refuses where there is no room any more, so that the test before it only spares work."""
    if conditional(code.facts, taking.call) or compares_version(code.facts, taking) or says_atomic(taking):
        return True
    call = taking.call
    return call is not None and (takes_firmly(code, call) or in_one_step(code, call) or in_procedure(code, call))


def known(code: Code, span: Span) -> bool:
    """Whether a comment right above says that the race is known and accepted."""
    return any(
        span.line - 14 <= one.span.line <= span.line and one.span.end_line >= span.line - 2 and KNOWN.search(one.text)
        for one in code.facts.comments
    )


def kept(code: Code, taking: Taking) -> bool:
    """A field of a local object is a count of one run, unless the object is saved afterwards."""
    counter = taking.counter
    root = root_of(counter.read) if counter is not None and counter.call is None and counter.read is not None else None
    if not isinstance(root, Name) or root.text in OWN:
        return True
    after = [call for call in code.calls_in(enclosing(taking.scope, Kind.FUNCTION)) if call.span.start > taking.span.end]
    return any(
        fold(call.method) in SAVES | SAVES_ALONE
        or (words(call.method)[:1] in SAVING and any(is_name(one.value, root.text) for one in call.arguments))
        for call in after
    )


def is_name(value: Expression, text: str) -> bool:
    value = value.value if isinstance(value, Unary) else value
    return isinstance(value, Name) and value.text == text


def of_one_kind(code: Code, limit: Limit, taking: Taking) -> bool:
    """A balance is not taken from by counting something else up, nor a usage by lowering another number; nor is a share
    that is cut to what is left held back by the test."""
    if taking.counter is None:
        return True
    if taking.counter.amount is not None and is_cut(code, taking):
        return False
    return limit.left or not names_left(taking.counter.name) or names_left(said_by(limit.used))


def is_cut(code: Code, taking: Taking) -> bool:
    """`used += min(amount, remaining)`."""
    amount = taking.counter.amount if taking.counter is not None else None
    amount = resolved(code.values, amount, taking.scope, taking.span.start) if amount is not None else None
    return any(isinstance(part, Call) and fold(part.method) == "min" for part in walk(amount))


def at_once(code: Code, limit: Limit, taking: Taking) -> bool:
    """`if (this.used >= max) return; this.used += 1`: in memory, and nothing else runs between the two."""
    if taking.call is not None:
        return False
    between = [call for call in code.calls_in(limit.function) if call.span.start > limit.span.end]
    if any(fold(call.method) in (SAVES if call.start is Start.AWAITED else SAVES_ALONE) for call in between):
        return False
    return not any(
        call.span.end < taking.span.start
        and (call.start is Start.AWAITED or not code.facts.traits.promises)
        and not within_exit(limit, call)
        for call in between
    )


def within_exit(limit: Limit, call: Call) -> bool:
    return limit.refuses and limit.test.then is not None and within(call.scope, limit.test.then)


def tests_again(code: Code, taking: Taking, first: Limit) -> bool:
    """A cheap test outside and the real one under a lock, next to the write: a double-checked gate."""
    return held_alone(code, taking.scope, taking.span.start) and any(
        one is not first and follows(code, one.span, one.scope, taking.span, taking.scope)
        for one in code.limits
        if held_alone(code, one.scope, one.span.start)
    )


def behind_gates(code: Code, reported: set[Scope | None]) -> Iterator[Finding]:
    """`if (!(await checkCredits(user))) return …; await deductCredits(user)`: the helpers know nothing of one another."""
    for gate in gates.gates(code):
        function = enclosing(gate.scope, Kind.FUNCTION)
        if function in reported or unjudged(code, gate.scope) or held_alone(code, gate.scope, gate.span.start):
            continue
        if takes_itself(code, gate.call) or known(code, gate.span) or decides_nothing(code, gate):
            continue
        if asks_for_feature(code, gate):
            continue
        found = taken_behind(code, gate)
        if not found or any(tests_itself(code, taking) for taking in found) or callers_hold(code, gate.scope):
            continue
        if called_alone(code, gate.scope) or only_timed(code, gate.scope):
            continue
        reported.add(function)
        taken = found[0]
        weak = only_noted(taken) or not of_what_is_checked(code, gate, taken) or not is_served(code, gate.scope)
        # What is out of view may be one store or two, and where all is at hand only what is seen is said.
        weak = weak or (code.elsewhere.whole and not share_store(code, gate.call, taken))
        weak = weak or (code.elsewhere.whole and told_below(code, gate.span, gate.test, taken))
        weak = weak or never_queued(code, gate.scope)
        yield finding(code, gate.span, gate.call.method, taken, Confidence.POSSIBLE if weak else Confidence.LIKELY)


def of_itself(code: Code, taking: Taking) -> bool:
    """`self.used += 1` that nobody saves here: the state of one object, and who has it to himself is seen only by its owner."""
    counter = taking.counter
    root = root_of(counter.read) if counter is not None and counter.call is None and counter.read is not None else None
    if not isinstance(root, Name) or root.text not in OWN:
        return False
    after = [call for call in code.calls_in(enclosing(taking.scope, Kind.FUNCTION)) if call.span.start > taking.span.end]
    return not any(fold(call.method) in SAVES | SAVES_ALONE or words(call.method)[:1] in SAVING for call in after)


def of_one_subject(code: Code, limit: Limit, taking: Taking) -> bool:
    """Whether the counter that is written is the one that was read, as far as names tell: `cost` is no number of sessions."""
    if taking.counter is None or same_thing(limit.used, taking):
        return True
    whole = resolved(code.values, limit.used, limit.scope, limit.span.start)
    read = {*words(said_by(limit.used)), *words(said_by(whole)), *words(name_of(whole))}
    return not isinstance(whole, Member | Index) or bool(singular(read) & singular(words(taking.counter.name)))


def singular(said: Iterable[str]) -> frozenset[str]:
    return frozenset(word.rstrip("s") for word in said) - UNTELLING


def decides_nothing(code: Code, gate: gates.Gate) -> bool:
    """A helper whose answer nobody reads, and that is seen to raise and to compare nothing: it makes what is missing."""
    trace = code.elsewhere.trace
    if gate.test is not None or trace is None:
        return False
    nodes = tuple(behind(trace, code.facts.path, gate.call))
    return bool(nodes) and not any(may_refuse(code, trace, node) for node in nodes)


def asks_for_feature(code: Code, gate: gates.Gate) -> bool:
    """`requireEntitlement(org, "sso")`: a plan has a feature or not, where nothing behind it is seen to count or compare."""
    trace, said = code.elsewhere.trace, set(words(gate.call.method))
    if trace is None or not said & FEATURES or said & QUANTITIES or looked_at(code, gate.call):
        return False
    nodes = tuple(behind(trace, code.facts.path, gate.call))
    return bool(nodes) and not any(
        one.kind in (Sighted.LIMIT, Sighted.AGGREGATE) for node in nodes for one in trace.seen.by_node.get(node, ())
    )


def may_refuse(code: Code, trace: Trace, node: Node) -> bool:
    routine = trace.graph.routine(node)
    there = code.elsewhere.code_of(routine.path) if routine is not None else None
    if routine is None or there is None or any(one.kind is Sighted.LIMIT for one in trace.seen.by_node.get(node, ())):
        return True
    return any(routine.line <= one.span.line <= routine.end_line for one in there.facts.raises)


def taken_behind(code: Code, gate: gates.Gate) -> list[Taking]:
    """What is taken after a limit helper, the one that moves what the helper is seen to count first; nothing that moves
    something else."""
    after = [
        taking
        for taking in takings(code)
        if follows(code, gate.span, gate.scope, taking.span, taking.scope)
        and gates.lets_through(code, gate, taking.scope)
        and kept(code, taking)
        and not of_itself(code, taking)
    ]
    looked = looked_at(code, gate.call)
    if not looked:
        return sorted(after, key=rank)
    others = moved_behind(code, gate, looked) if after else ()
    known = [(is_moved(code, taking, looked), taking) for taking in (*after, *others)]
    return [taking for said, taking in sorted(known, key=lambda one: (not one[0], rank(one[1]))) if said is not False]


def of_what_is_checked(code: Code, gate: gates.Gate, taking: Taking) -> bool:
    """Whether the taking is seen to move what the helper counts. Where that is out of view, their names must not tell of
    two things: a helper that counts projects is not passed by a deduction of credits."""
    looked = looked_at(code, gate.call)
    moved = is_moved(code, taking, looked) if looked else None
    if moved is not None:
        return moved
    name = taking.counter.name if taking.counter is not None else taking.call.method if taking.call is not None else ""
    asked, taken = things(gate.call.method), things(name)
    return not asked or not taken or bool(asked & taken)


def things(name: str) -> frozenset[str]:
    """What a helper's name says that it is about, as against what it does, for whom and when."""
    return singular(words(name)[1:]) - UNTOLD


UNTOLD = frozenset(
    "usage limit quota allowance entitlement exceeded enough sufficient available allowed left remaining over within and or "
    "for if can by of from to in has is ai api user account org organization team tenant workspace customer key plan tier "
    "subscription billing count counter used amount cost raise check access hour hourly week weekly year period".split()
)
"""What says nothing of the thing that is counted."""
STAFF = frozenset("admin staff superuser internal owner sandbox".split())


def rank(taking: Taking) -> tuple[bool, int]:
    """What all customers come by, before what only a branch for the staff writes."""
    tests = (one.head.test for one in chain(taking.scope) if isinstance(one.head, Branch) and one.head.arm == "then")
    names = (name_of(part) for test in tests if test is not None for part in walk(test))
    return any(STAFF & set(words(name)) for name in names), taking.span.start


def is_moved(code: Code, taking: Taking, looked: Looked) -> bool | None:
    if taking.counter is not None:
        return not looked.counters or fold(taking.counter.name) in looked.counters
    return moves(code, taking.call, looked) if taking.call is not None else None


def moved_behind(code: Code, gate: gates.Gate, looked: Looked) -> Iterator[Taking]:
    """`tracker.track_message(…)`: what by its name takes nothing, and is seen to write what the helper counts."""
    known = {id(taking.call) for taking in takings(code) if taking.call is not None}
    for call in code.calls_in(enclosing(gate.scope, Kind.FUNCTION)):
        if call is gate.call or id(call) in known or releases(call.method) or looks_only(call):
            continue
        after = follows(code, gate.span, gate.scope, call.span, call.scope) and gates.lets_through(code, gate, call.scope)
        if after and moves(code, call, looked):
            yield Taking(call.span, call.scope, f"`{call.name}` counts it", call)


def looks_only(call: Call) -> bool:
    """A second look may make the row that it does not find; `db.add` says nothing of what is added."""
    return len(words(call.method)) < 2 or words(call.method)[:1] in (
        ("get",),
        ("load",),
        ("find",),
        ("check",),
        ("ensure",),
        ("read",),
        ("fetch",),
        ("reset",),
    )


def says_atomic(taking: Taking) -> bool:
    """`deduct_credits_atomic`, `tryConsume`, `deductIfEnough`: the helper tests again, by its name."""
    said = set(words(taking.call.method)) if taking.call is not None and taking.emission is not None else set()
    return bool(said & {"atomic", "atomically", "try", "if", "locked", "conditional"})


def only_noted(taken: Taking) -> bool:
    """`checkUsageLimits()` before and `recordUsage()` after the work, billed afterwards: what it came to is only known then."""
    said = words(taken.call.method) if taken.call is not None and taken.emission is not None else ()
    return said[:1] in (("record",), ("log",), ("track",), ("report",), ("publish",), ("emit",)) and not {
        "credits",
        "credit",
        "balance",
    } & set(said)


def takes_itself(code: Code, call: Call) -> bool:
    """Whether the helper already takes, so that what comes after is a settlement."""
    here = code.values.functions.get(call.method, ())
    if any(within(taking.scope, scope) for scope in here for taking in takings(code)):
        return True
    return any(word in call.folded.rsplit(".", 1)[-1] for word in TAKING) or counts_up(code, call)


def counts_up(code: Code, call: Call) -> bool:
    """`storage.increment(key, ttl, max)` or `INCR` in the helper itself, whose answer is what it says: test and take are one.

    Only what goes by the name counts; a helper may well write a counter that it sets back at the start of a day.
    """
    trace = code.elsewhere.trace
    node = trace.graph.at(code.facts.path, call.span.line) if trace is not None else None
    if trace is None or node is None:
        return False
    routines = (trace.graph.routine(one) for one in meant(trace.graph, node, (call.method,)))
    return any(
        words(one.method)[:1] in COUNTING_UP and not one.back for each in routines if each is not None for one in each.calls
    )


def finding(code: Code, span: Span, reading: str, taken: Taking, confidence: Confidence | None = None) -> Finding:
    sure = taken.counter is not None and taken.call is not None
    dropped = taken.call is not None and refusal_dropped(code, taken.call)
    harm = "the rest is never paid" if dropped else "use more than is allowed"
    told = f"`{shortened(code.facts.text(span))}` looks at an earlier reading, and {taken.what} only later"
    remedy = (
        f"Test and take in one statement: a conditional update that holds `{reading}` to its limit, whose affected rows "
        "are checked, or a row lock around both."
    )
    if dropped:
        told += ", where a refusal is thrown away"
        remedy = "Take before the work is done, and end the request where what was taken is answered to be too little."
    return Finding(
        span=span,
        description=f"{told}: requests at once all pass the test and {harm}.",
        remediation=remedy,
        confidence=confidence or (Confidence.CERTAIN if sure else Confidence.LIKELY),
        cause=taken.span if taken.span.line - span.line <= BESIDE else span,
        trace=(Step(taken.span, "taken here, and nobody looks whether it was" if dropped else "taken here, after the test"),),
    )


def shortened(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 80 else line[:77] + "..."


def expiring(code: Code) -> Iterator[Finding]:
    """`count = redis.incr(key); if count == 1: redis.expire(key, ttl)`: a crash in between leaves a key that never ends."""
    for added, call in lone_expiries(code):
        if not unjudged(code, added.scope):
            yield unset_expiry(added, call, Confidence.LIKELY if is_sold(code, added) else Confidence.POSSIBLE)


def is_sold(code: Code, added: Call) -> bool:
    """Whether the key, or what stands around it, speaks of what a customer pays for, and not of a rate limit."""
    keys = tuple(one.value for one in added.arguments[:1])
    said = {
        word
        for name in (*places(code.facts, added.scope), *map(code.facts.text, (one.span for one in keys)))
        for word in words(name)
    }
    return bool(said & SOLD) and not keeps_up(code.facts, added.scope, *keys)


def unset_expiry(added: Call, call: Call, sure: Confidence) -> Finding:
    return Finding(
        span=added.span,
        description=(
            f"`{added.name}` and `{call.name}` are two commands: if the process ends between them, the key has no expiry and "
            "its count is never reset, which locks the customer out for good."
        ),
        remediation="Send both in one `MULTI` or Lua script, or create the key with its expiry first (`SET key 0 EX ttl NX`).",
        confidence=sure,
        variant="incr-expire-not-atomic",
        trace=(Step(call.span, "the expiry is set here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
from app.purse import has_credits, deduct_credit


async def write_letter(socket, db, user):
    try:
        if not await has_credits(db, user.id):
            await socket.close(code=4402)
            return
        taken = await deduct_credit(db, user.id)
        if not taken:
            await socket.close(code=4402)
            return
        await socket.send_json(await run_model(user))
    except Exception:
        logger.exception("no letter")


async def write_poem(socket, db, user):
    try:
        if not await has_credits(db, user.id):  # <- finding
            await socket.close(code=4402)
            return
        taken = await deduct_credit(db, user.id)
        await socket.send_json(await run_model(user))
        logger.info("taken: %s", taken)
    except Exception:
        logger.exception("no poem")
""",
        path="app/letters.py",
        context={
            "app/purse.py": """
async def deduct_credit(db, user_id) -> bool:
    done = await db.execute(
        update(Purse).where(Purse.user_id == user_id, Purse.balance > 0).values(balance=Purse.balance - 1)
    )
    await db.commit()
    return done.rowcount > 0


async def balance_of(db, user_id):
    purse = await db.get(Purse, user_id)
    return purse.balance


async def has_credits(db, user_id) -> bool:
    return (await balance_of(db, user_id)) > 0
"""
        },
    ),
    Example(
        "python",
        """
async def generate(user_id: str, prompt: str):
    allowed = await check_credits(user_id)  # <- finding
    if not allowed:
        raise HTTPException(status_code=402, detail="out of credits")
    image = await render(prompt)
    await deduct_credits(user_id, 1)
    return image


def record(db, account, tokens):
    used = db.query(func.sum(UsageEvent.tokens)).filter_by(account_id=account.id).scalar()
    if used + tokens > account.monthly_limit:  # <- finding
        return {"allowed": False}
    db.add(UsageEvent(account_id=account.id, tokens=tokens))
    db.commit()
    return {"allowed": True}


def take(account_id, cost):
    account = Account.objects.get(pk=account_id)
    if account.credits < cost:  # <- finding
        return False
    Account.objects.filter(pk=account_id).update(credits=F("credits") - cost)
    return True


def hits(redis, account, limit):
    count = redis.incr(f"monthly_usage:{account}")  # <- finding
    if count == 1:
        redis.expire(f"monthly_usage:{account}", 2678400)
    return count <= limit
""",
    ),
    Example(
        "python",
        """
def take(account_id, cost):
    account = Account.objects.get(pk=account_id)
    if account.credits < cost:
        return False
    changed = Account.objects.filter(pk=account_id, credits__gte=cost).update(credits=F("credits") - cost)
    return changed == 1


def double_checked(session, account_id, cost):
    if read_balance(account_id).credits < cost:
        raise PaymentRequired()
    with session.begin():
        account = session.query(Account).with_for_update().get(account_id)
        if account.credits < cost:
            raise PaymentRequired()
        account.credits -= cost


def set_plan(session, account, quota):
    if quota < 0:
        raise ValueError("quota must not be negative")
    session.execute(update(Account).where(Account.id == account.id).values(quota=quota))


def hits(redis, key, limit):
    pipe = redis.pipeline(transaction=True)
    pipe.incr(key)
    pipe.expire(key, 86400)
    return pipe.execute()[0] <= limit
""",
    ),
    Example(
        "javascript",
        """
const { FREE_GENERATIONS_LIMIT } = require("./plans");

exports.generate = async (req, res) => {
  const used = await Generation.countDocuments({ user: req.user.id, usage: true });
  if (used >= FREE_GENERATIONS_LIMIT) {  // <- finding
    return res.status(402).json({ error: "limit reached" });
  }
  const image = await render(req.body.prompt);
  await UsageRecord.create({ user: req.user.id });
  res.json(image);
};

exports.remove = async (req, res) => {
  const { data } = await supabase.from("profiles").select("credits").eq("id", req.user.id).single();
  if (data.credits <= 0) return res.status(402).json({ error: "out of credits" });  // <- finding
  await supabase.from("profiles").update({ credits: data.credits - 1 }).eq("id", req.user.id);
  res.json({ ok: true });
};
""",
    ),
    Example(
        "javascript",
        """
exports.remove = async (req, res) => {
  const { data } = await supabase.from("profiles").select("credits").eq("id", req.user.id).single();
  if (data.credits <= 0) return res.status(402).json({ error: "out of credits" });
  const user = await User.findOneAndUpdate(
    { _id: req.user.id, credits: { $gte: 1 } },
    { $inc: { credits: -1 } },
    { new: true },
  );
  if (!user) return res.status(402).json({ error: "out of credits" });
  res.json({ ok: true });
};

class Slots {
  take(additional) {
    if (this.usedSlots + additional > this.maxSlots) return false;
    this.usedSlots += additional;
    return true;
  }
}

export async function page(req, res) {
  const total = await Invoice.count();
  const limit = Number(req.query.limit) || 20;
  if (total > limit) res.set("x-more", "1");
  res.json(await Invoice.find().limit(limit));
}
""",
    ),
    Example(
        "python",
        """
def generate(session, account_id, cost):
    account = session.get(Account, account_id)
    if account.credits_used + cost > account.credit_limit:  # <- finding
        raise PaymentRequired()
    result = run_model()
    session.execute(update(Account).where(Account.id == account_id).values(credits_used=Account.credits_used + cost))
    return result
""",
    ),
    Example(
        "python",
        """
def generate(session, account_id, cost):
    with session.begin():
        account = session.query(Account).with_for_update().get(account_id)
        if account.credits_used + cost > account.credit_limit:
            raise PaymentRequired()
        session.execute(update(Account).where(Account.id == account_id).values(credits_used=Account.credits_used + cost))

def limited(redis, account):
    used = redis.incr(f"usage:{account.id}")
    if used > account.quota_limit:
        raise PaymentRequired()
""",
    ),
    Example(
        "typescript",
        """
export async function generate(prisma: PrismaClient, userId: string) {
  const user = await prisma.user.findUnique({ where: { id: userId } });
  if (user.usedCredits >= user.creditLimit) {  // <- finding
    throw new PaymentRequiredError();
  }
  const image = await render();
  await prisma.user.update({ where: { id: userId }, data: { usedCredits: { increment: 1 } } });
  return image;
}
""",
    ),
    Example(
        "typescript",
        """
export async function generate(prisma: PrismaClient, userId: string, cost: number) {
  const user = await prisma.user.findUnique({ where: { id: userId } });
  if (user.credits < 1) {
    throw new PaymentRequiredError();
  }
  const taken = await prisma.user.updateMany({
    where: { id: userId, credits: { gte: cost } },
    data: { credits: { decrement: cost } },
  });
  if (taken.count === 0) throw new PaymentRequiredError();
}
""",
    ),
    Example(
        "go",
        """
package quota

func consume(db *gorm.DB, user *User, amount int) error {
	if user.UsedQuota+amount > user.QuotaLimit {  // <- finding
		return ErrQuotaExceeded
	}
	return db.Model(user).Update("used_quota", gorm.Expr("used_quota + ?", amount)).Error
}
""",
    ),
    Example(
        "go",
        """
package quota

func consume(db *gorm.DB, user *User, amount int) error {
	result := db.Exec("UPDATE users SET used_quota = used_quota + ? WHERE id = ? AND used_quota + ? <= quota_limit",
		amount, user.ID, amount)
	if result.Error != nil {
		return result.Error
	}
	if result.RowsAffected == 0 {
		return ErrQuotaExceeded
	}
	return nil
}
""",
    ),
    Example(
        "python",
        """
def spread(session, grants, cost):
    for grant in grants:
        if grant.credits_remaining > 0:
            part = min(cost, grant.credits_remaining)
            grant.credits_used += part
            cost -= part


async def fetch_pages(api, state, max_requests):
    if state.requests_used >= max_requests:
        return []
    page = await api.next(state.cursor)
    state.requests_used += 1
    return page


async def charge(user_id, credits_needed):
    account = await load_account(user_id)
    if account.credits_remaining < credits_needed:
        raise PaymentRequired()
    await deduct_credits_atomic(user_id, credits_needed)


async def settle(store, user_id, answer_usage):
    credits = price(answer_usage.total_tokens)
    balance = await store.get_credits(user_id)
    if balance < credits:
        raise PaymentRequired()
    await store.deduct_credits(user_id, credits)
""",
    ),
    Example(
        "python",
        """
from app.ledger import settle_credits


async def transcribe(account, audio):
    if account.credits < estimate(audio):
        raise PaymentRequired()
    text = await run_model(audio)
    await settle_credits(account.id, price(text))
    return text
""",
        context={
            "app/ledger.py": """
async def settle_credits(account_id, cost):
    async with session.begin():
        account = await session.get(Account, account_id, with_for_update=True)
        if account.credits < cost:
            raise PaymentRequired()
        account.credits -= cost
"""
        },
    ),
    Example(
        "typescript",
        """
const MAX_KEYS_PER_TENANT = 10;

export async function createKey(tenantId: string, quota: number) {
  const existing = await models.ApiKey.count({ where: { tenantId } });
  if (existing >= MAX_KEYS_PER_TENANT) throw new Error("too many keys");
  return models.ApiKey.create({ tenantId, quota });
}

export async function withdraw(prisma: PrismaClient, walletId: string, amount: number) {
  const wallet = await prisma.wallet.findUnique({ where: { id: walletId } });
  if (wallet.balance < amount) throw new Error("not enough balance");
  const taken = await prisma.wallet.updateMany({
    where: { id: walletId, updatedAt: wallet.updatedAt },
    data: { balance: { decrement: amount } },
  });
  if (taken.count === 0) throw new Error("changed meanwhile");
}

export async function note(db: Db, account: Account, credits: number) {
  if (account.bonusCredits > 0) {
    await db.update(accounts).set({ bonusCredits: account.bonusCredits - credits, version: account.version + 1 })
      .where(and(eq(accounts.id, account.id), eq(accounts.version, account.version)));
  } else {
    const usedCredits = sql`${accounts.usedCredits} + ${credits}`;
    await db.update(accounts).set({ usedCredits }).where(eq(accounts.id, account.id));
  }
}
""",
    ),
    Example(
        "python",
        """
class Session:
    async def execute(self, code):
        if self.cost_used >= self.max_cost_limit:
            raise QuotaExceeded()
        result = await self.run(code)
        self.cost_used += 1
        return result


async def order(db, account, cart):
    room = await check_usage_limit(db, account.id)
    if not room.allowed:
        raise QuotaExceeded()
    await db.execute(update(Buyer).where(Buyer.id == cart.buyer_id).values(orders_count=Buyer.orders_count + 1))
""",
        context={
            "app/plan_limits.py": """
async def check_usage_limit(db, account_id):
    account = await db.get(Account, account_id)
    return Room(allowed=account.requests_used < account.requests_limit)
"""
        },
    ),
    Example(
        "typescript",
        """
import { chargeCredits } from "./ledger";

export async function answer(db: Db, accountId: string, question: string) {
  const room = await requireCredits(db, accountId, 1);  // <- finding
  if (!room.allowed) return { error: "out of credits" };
  const text = await model.complete(question);
  await chargeCredits(db, accountId, 1);
  return { text };
}
""",
        path="app/answer.ts",
        context={
            "app/ledger.ts": """
export async function chargeCredits(db: Db, accountId: string, cost: number) {
  const done = await db.update(accounts)
    .set({ credits: sql`${accounts.credits} - ${cost}` })
    .where(and(eq(accounts.id, accountId), gte(accounts.credits, cost)));
  return done.rowsAffected > 0;
}
"""
        },
    ),
    Example(
        "typescript",
        """
import { chargeCredits } from "./ledger";

export async function answer(db: Db, accountId: string, question: string) {
  const room = await requireCredits(db, accountId, 1);
  if (!room.allowed) return { error: "out of credits" };
  const text = await model.complete(question);
  const taken = await chargeCredits(db, accountId, 1);
  return taken ? { text } : { error: "out of credits" };
}
""",
        path="app/answer.ts",
        context={
            "app/ledger.ts": """
export async function chargeCredits(db: Db, accountId: string, cost: number) {
  const done = await db.update(accounts)
    .set({ credits: sql`${accounts.credits} - ${cost}` })
    .where(and(eq(accounts.id, accountId), gte(accounts.credits, cost)));
  return done.rowsAffected > 0;
}
"""
        },
    ),
    Example(
        "typescript",
        """
export async function topUp(db: Database, user: string, units: number) {
  await ensureBalanceRow(db, user);
  await db.update(balances).set({ credits: sql`credits + ${units}` }).where(eq(balances.user, user));
}
""",
        path="src/billing/top-up.ts",
    ),
    Example(
        "typescript",
        """
export class UsageMeter extends DurableObject<Env> {
  async take(plan: Plan, n: number) {
    const used = (await this.ctx.storage.get<number>("used")) ?? 0;
    if (used + n > plan.monthlyQuota) return false;
    await this.recordUsage(n);
    return true;
  }
}

export class CircuitBreaker {
  async probe() {
    if ((await this.halfOpenQuota()) <= 0) throw new OpenError();
    await this.decrementQuota();
  }
}
""",
        path="src/billing/meter.ts",
    ),
    Example(
        "python",
        """
class AccountView(APIView):
    def post(self, request):
        account = self.get_object()
        if account.emails.count() >= settings.MAX_EMAILS:
            raise ValidationError("too many addresses of invoices")
        account.emails.create(address=request.data["address"])


def share(quantity, tiers):
    remaining_credits = quantity
    charges = []
    for tier in tiers:
        if remaining_credits <= 0:
            return charges
        part = min(remaining_credits, tier.size)
        charges.append(UsageCharge(tier, part))
        record_usage(tier, part)
        remaining_credits -= part
    return charges
""",
    ),
    Example(
        "python",
        """
from app.accounts import load_account


async def spend(session, account_id, cost):
    account = await load_account(session, account_id)
    if account.credits < cost:
        raise PaymentRequired()
    await deduct_credits(session, account_id, cost)


async def _spend(session, account, cost):
    if account.credits < cost:
        raise PaymentRequired()
    await deduct_credits(session, account.id, cost)


async def spend_alone(session, redis, account, cost):
    async with redis.lock(f"account:{account.id}"):
        await _spend(session, account, cost)
""",
        path="app/spending.py",
        context={
            "app/accounts.py": """
async def load_account(session, account_id):
    found = await session.execute(select(Account).where(Account.id == account_id).with_for_update())
    return found.scalar_one()
"""
        },
    ),
    Example(
        "go",
        """
package quota

func Handle(ctx context.Context, store *Store, user *User, cost int64) error {
	if user.Credits < cost {
		return ErrNoCredits
	}
	return store.DeductCredits(ctx, user.ID, cost)
}
""",
        path="quota/handle.go",
        context={
            "quota/store.go": """
package quota

const deduct = `UPDATE users SET credits = credits - $1 WHERE id = $2 AND credits >= $1`

func (s *Store) DeductCredits(ctx context.Context, id string, cost int64) error {
	tag, err := s.db.Exec(ctx, deduct, cost, id)
	if err == nil && tag.RowsAffected() == 0 {
		return ErrNoCredits
	}
	return err
}
"""
        },
    ),
    Example(
        "python",
        """
from app.tracker import Tracker, check_message_quota


async def answer(db, user, question):
    await check_message_quota(db, user)  # <- finding
    text = await model.complete(question)
    db.add(UsageCost(user_id=user.id, cost=text.cost))
    record_usage_cost(db, user, text)
    Tracker(db).track_chat_message(user)
    return text
""",
        path="app/answers.py",
        context={
            "app/tracker.py": """
async def check_message_quota(db, user):
    quota = db.get(Quota, user.id)
    if quota.messages_used >= quota.messages_limit:
        raise QuotaExceeded()


class Tracker:
    def track_chat_message(self, user):
        quota = self.db.get(Quota, user.id)
        quota.messages_used += 1
        self.db.commit()
"""
        },
    ),
    Example(
        "typescript",
        """
export async function dub(req: Request, user: User, clip: Clip) {
  const credits = Math.ceil(clip.seconds * CREDITS_PER_SECOND);
  if (credits <= 0) return Response.json({ error: "nothing to dub" }, { status: 400 });
  const taken = await deductCredits(user.id, credits, "dub");
  if (!taken.ok) return Response.json({ error: "out of credits" }, { status: 402 });
  return Response.json(await startDub(clip));
}

export async function abort(supabase: SupabaseClient, job: Job) {
  let refundCredits = 0;
  if (job.state === "running") refundCredits = Math.floor(job.cost / 2);
  if (refundCredits > 0) {
    await supabase.from("credit_ledger").insert({ account_id: job.account_id, delta: refundCredits });
  }
}

export async function settle(supabase: SupabaseClient, account: Account, overage: number) {
  const remainingCredits = account.purchasedCredits - account.consumedCredits;
  if (overage > 0 && remainingCredits > 0) {
    await kv.incr({ key: `account:${account.id}`, amounts: { consumedCredits: Math.min(overage, remainingCredits) } });
  }
}
""",
    ),
    Example(
        "python",
        """
async def boards(session, team):
    await require_boards_entitlement(session, team)
    summary = BoardSummary(used_count=0)
    for board in await boards_of(session, team):
        summary.used_count += 1
    return summary


async def open_board(session, team, name):
    await require_boards_entitlement(session, team)
    await record_usage(session, team, "boards", 1)
    return await make_board(session, team, name)
""",
        path="app/boards.py",
        context={
            "app/plans.py": """
async def require_boards_entitlement(session, team):
    if not await has_feature(session, team, "boards"):
        raise Forbidden("boards")


async def record_usage(session, team, meter, amount):
    session.add(UsageEvent(team_id=team.id, meter=meter, amount=amount))
    await session.commit()
"""
        },
    ),
    Example(
        "typescript",
        """
import { creditsLeft, deductCredits } from "./wallet";

export async function paint(req: Request, account: Account, cost: number) {
  const remaining = await creditsLeft(account.id);
  if (remaining < cost) return Response.json({ error: "not enough credits" }, { status: 402 });
  await deductCredits(account.id, cost);
  return Response.json(await startPainting(account));
}

export async function retry(owner: Owner, failed: Job) {
  if (failed.credits > 0) {
    await deductCredits(owner.id, failed.credits, { note: "once more" });
  }
  return queue.add("paint", failed.input);
}

export async function grant(supabase: SupabaseClient, owner: Owner, bought: Bought) {
  if (bought.credits > 0) {
    await supabase.from("credit_ledger").insert({ owner_id: owner.id, delta: bought.credits });
  }
}
""",
        path="app/paint.ts",
        context={
            "app/wallet.ts": """
export async function creditsLeft(accountId: string): Promise<number> {
  const { data } = await supabase.from("wallets").select("credits").eq("account_id", accountId).single();
  return data?.credits ?? 0;
}

export async function deductCredits(accountId: string, cost: number) {
  const { error } = await supabase.rpc("lower_wallet", { p_account: accountId, p_cost: cost });
  if (error) throw new Error(`not taken: ${error.message}`);
}
""",
            "migrations/007_wallets.sql": """
CREATE OR REPLACE FUNCTION public.lower_wallet(p_account UUID, p_cost INTEGER)
RETURNS VOID AS $$
BEGIN
  UPDATE wallets SET credits = credits - p_cost
  WHERE account_id = p_account AND credits >= p_cost;
  IF NOT FOUND THEN
    RAISE EXCEPTION 'not enough credits';
  END IF;
END;
$$ LANGUAGE plpgsql;
""",
        },
    ),
    Example(
        "typescript",
        """
import { creditsLeft, deductCredits } from "./wallet";

export async function paint(req: Request, account: Account, cost: number) {
  const remaining = await creditsLeft(account.id);
  if (remaining < cost) {  // <- finding
    return Response.json({ error: "not enough credits" }, { status: 402 });
  }
  await deductCredits(account.id, cost);
  return Response.json(await startPainting(account));
}
""",
        path="app/paint.ts",
        context={
            "app/wallet.ts": """
export async function creditsLeft(accountId: string): Promise<number> {
  const { data } = await supabase.from("wallets").select("credits").eq("account_id", accountId).single();
  return data?.credits ?? 0;
}

export async function deductCredits(accountId: string, cost: number) {
  const { error } = await supabase.rpc("lower_wallet", { p_account: accountId, p_cost: cost });
  if (error) throw new Error(`not taken: ${error.message}`);
}
""",
            "migrations/007_wallets.sql": """
CREATE OR REPLACE FUNCTION lower_wallet(p_account UUID, p_cost INTEGER)
RETURNS VOID AS $$
DECLARE v_credits INTEGER;
BEGIN
  IF p_cost <= 0 THEN RAISE EXCEPTION 'bad amount'; END IF;
  -- the app has looked whether balance < cost
  SELECT credits INTO v_credits FROM wallets WHERE account_id = p_account FOR UPDATE;
  UPDATE wallets SET credits = v_credits - p_cost WHERE account_id = p_account;
END;
$$ LANGUAGE plpgsql;
""",
        },
    ),
    Example(
        "typescript",
        """
import { isQuotaExceeded } from "./quota";

export async function enter(req: Request, user: User) {
  if (await isQuotaExceeded(user)) return new Response("too many requests", { status: 429 });
  await prisma.visits.update({ where: { userId: user.id }, data: { requestsUsed: { increment: 1 } } });
  return serveUser(user);
}
""",
        path="app/enter.ts",
        context={
            "app/quota.ts": """
export async function isQuotaExceeded(user: User): Promise<boolean> {
  const { isBlocked } = await storage.increment(`requests:${user.id}`, DAY, user.plan.dailyRequests);
  return isBlocked;
}
"""
        },
    ),
    Example(
        "python",
        """
def admit(db, link, visitor):
    if link.minutes_used >= link.minutes_limit:
        raise OverBudget()
    usage = VisitorUsage(link_id=link.id, visitor_id=visitor, minutes_used=Decimal("0"))
    db.add(usage)
    db.commit()


def notify(account):
    credits = config("prices.mail_credits")
    if credits > 0:
        account.plan.credits -= credits
        account.plan.save()
""",
    ),
    Example(
        "typescript",
        """
export async function draft(db: Pool, accountId: string) {
  const { rows } = await db.query("SELECT credits_left FROM plans_bought WHERE account_id = $1", [accountId]);
  const bought = rows[0];
  if (bought.credits_left <= 0) throw new PaymentRequired();
  await db.query("UPDATE plans_bought SET drafts = drafts + 1, credits_left = credits_left - 1 WHERE account_id = $1", [
    accountId,
  ]);
}
""",
        path="src/drafts.ts",
        context={
            "migrations/004_plans.sql": """
CREATE TABLE plans_bought (
  account_id uuid PRIMARY KEY,
  drafts integer NOT NULL DEFAULT 0,
  credits_left integer NOT NULL CHECK (credits_left >= 0)
);
"""
        },
    ),
)
