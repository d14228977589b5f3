"""The functions of a file, as steps of a path: what each calls, what it reads, and where a framework enters it."""

import re
from collections.abc import Iterator, Mapping

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Class,
    Entry,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Start,
    Unary,
    Use,
    chain,
    dotted,
    enclosing,
    fold,
    walk,
)
from rules.facts import name_of as last_name
from rules.meaning.contexts import HTTP, NEXT_METHODS, Context, own_context_by_call
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.usage.emissions import sent
from rules.meaning.vocabulary import names_counter, names_left
from rules.tracing.rows import books
from rules.tracing.sights import Called, Routine

CALLS = 300
"""Of one function; a longer one is a table of calls, and the first ones tell as much."""
EVERYDAY = frozenset(
    "push pop map filter reduce foreach join split slice log info warn error debug warning tostring tofixed parse "
    "stringify now keys values entries includes startswith endswith replace trim len append print println printf "
    "sprintf errorf round floor ceil max min abs int str float bool isinstance getattr setattr json status then "
    "catch finally require string number isarray assign resolve reject sleep tolowercase touppercase isoformat "
    "format strip lower upper items extend any all sorted range zip enumerate set list dict tuple super type errorf "
    "wrap fatal header some find concat flat".split()
)
"""What every program calls: never a function of the project that matters here, or not to be told from one."""
WRAPPED = re.compile(r"&?(?:mut )?(?:Arc|Rc|Box|State|Data|Extension|Lazy|Provider)<(?:dyn )?(.*)>$")
"""Types that only hand on what they hold."""
TYPE = re.compile(r"[&*?\s]*(?:mut |dyn |impl )?(?:\w+(?:\.|::|\\))*(?:I(?=[A-Z][a-z]))?([A-Z]\w*)\??$")
REACHING = frozenset({Outcome.RETHROWN, Outcome.DUPLICATE_ONLY, Outcome.DURABLE, Outcome.ANSWERED, Outcome.STATUS})
VERBS = frozenset({"get", "post", "put", "patch", "delete", "all", "route", "handle", "handlefunc"})


def places_of(code: Code) -> tuple[tuple[Scope, ...], Mapping[Scope, int]]:
    """The scopes that are routines: functions with a name, and those that a framework is handed."""
    found = tuple(scope for scope in code.facts.scopes if isinstance(scope.head, Function) and stands_alone(scope.head))
    return found, {scope: position for position, scope in enumerate(found)}


def stands_alone(head: Function) -> bool:
    if head.passed_to:
        return answers(head) or own_context_by_call(head) is not None
    return bool(head.name)


def answers(head: Function) -> bool:
    """Whether it is registered for a route, on whatever object: `datasets.post("/", f)`."""
    return fold(head.passed_to).rsplit(".", 1)[-1] in VERBS and head.registered_as[:1] == "/"


def index_of(scope: Scope | None, known: Mapping[Scope, int]) -> int:
    """The routine around a scope, -1 at the top of a file."""
    for outer in chain(scope):
        if outer in known:
            return known[outer]
    return -1


def routines_of(code: Code) -> tuple[tuple[Routine, ...], Mapping[Scope, int]]:
    scopes, known = places_of(code)
    calls: dict[int, list[Called]] = {}
    fields = fields_of(code)
    emitting = {id(emission.call) for emission in code.emissions}
    for call in code.facts.calls:
        for one in called(call, fields, (id(call) in emitting or books(call.method)) and is_heard(code, call)):
            here = calls.setdefault(index_of(call.scope, known), [])
            if len(here) < CALLS:
                here.append(one)
    reads = reads_of(code, known)
    made = tuple(
        Routine(
            name=name_of(scope),
            title=title_of(scope, code),
            holder=holder_of(scope),
            path=code.facts.path,
            line=scope.span.line,
            end_line=scope.span.end_line,
            context=context_of(scope, code),
            outer=index_of(scope.parent, known),
            calls=tuple(calls.get(position, ())),
            reads=frozenset(reads.get(position, ())),
        )
        for position, scope in enumerate(scopes)
    )
    return made, known


def context_of(scope: Scope, code: Code) -> str:
    found = code.context(scope)
    registered = found is Context.LIBRARY and isinstance(scope.head, Function) and answers(scope.head)
    return Context.REQUEST.value if registered else found.value


def name_of(scope: Scope) -> str:
    return scope.head.name if isinstance(scope.head, Function) else ""


def is_heard(code: Code, call: Call) -> bool:
    """Whether somebody waits for the call, and its failure ends in no handler that only logs or does nothing."""
    end = sent(call, code.outer)
    dropped = end.start is Start.PLAIN and end.use is Use.DISCARDED
    if end.start is Start.DETACHED or (dropped and waits_are_written(code)):
        return False
    return all(outcome(code.facts, one) in REACHING for one in handlers_of(code, call, end)[:1])


def waits_are_written(code: Code) -> bool:
    """Whether a call that is not awaited may fail with nobody near to hear it."""
    return code.facts.traits.promises or code.facts.traits.lazy_coroutines


def called(call: Call, fields: Mapping[tuple[str, str], str], heard: bool = False) -> Iterator[Called]:
    """The call itself, and functions that it is handed by name: `waitUntil(record)`, `go run(job)`."""
    back = any(isinstance(one.value, Unary) and one.value.operator == "-" for one in call.arguments)
    if fold(call.method) not in EVERYDAY:
        yield Called(call.method, call.name.rpartition(".")[0], call.span.line, back, heard, type_before(call, fields))
    for argument in call.arguments[:6]:
        if isinstance(argument.value, Name | Member):
            name = dotted(argument.value)
            yield Called(name.rpartition(".")[2], "@" + name.rpartition(".")[0], call.span.line)


def fields_of(code: Code) -> dict[tuple[str, str], str]:
    """The declared types of fields by class and name; a Rust type and its `impl` are two scopes of one name."""
    return {
        (one.scope.head.name, target.text): one.type
        for one in code.facts.assigns
        if one.type and isinstance(one.scope.head, Class)
        for target in one.targets
        if isinstance(target, Name)
    }


def type_before(call: Call, fields: Mapping[tuple[str, str], str]) -> str:
    """`UsageRecorder` for `usage.record(…)` and `this.usage.record(…)` where a parameter or field is declared so."""
    held = call.receiver
    if isinstance(held, Name):
        return type_of(held.text, call.scope, fields)
    if not isinstance(held, Member) or not isinstance(held.object, Name):
        return ""
    if held.object.text in ("this", "self"):
        holder = enclosing(call.scope, Kind.CLASS)
        owner = holder.head.name if holder is not None and isinstance(holder.head, Class) else ""
    else:
        owner = type_of(held.object.text, call.scope, fields)
    return simple(fields.get((owner, held.name), ""))


def type_of(name: str, scope: Scope, fields: Mapping[tuple[str, str], str]) -> str:
    for outer in chain(scope):
        if isinstance(outer.head, Class) and (outer.head.name, name) in fields:
            return simple(fields[outer.head.name, name])
        for one in outer.head.parameters if isinstance(outer.head, Function) else ():
            if one.name == name:
                return simple(one.type)
    return ""


def simple(written: str) -> str:
    """`*usage.Recorder`, `Arc<UsageRecorder>` and `IUsageRecorder` name `Recorder` and `UsageRecorder`."""
    wrapped = WRAPPED.match(written)
    found = TYPE.match(wrapped[1] if wrapped else written)
    return found[1] if found else ""


def holder_of(scope: Scope) -> str:
    """The class around a method, or the type of a Go receiver."""
    holder = enclosing(scope.parent, Kind.CLASS)
    if holder is not None and isinstance(holder.head, Class):
        return holder.head.name
    head = scope.head
    if isinstance(head, Function) and head.method and head.parameters and head.parameters[0].type:
        return head.parameters[0].type.lstrip("*").split("[")[0]
    return ""


def title_of(scope: Scope, code: Code) -> str:
    """`POST /v1/chat` for a handler that is registered where it stands, else its name."""
    head = scope.head
    assert isinstance(head, Function)
    if head.passed_to and head.registered_as:
        verb = fold(head.passed_to).rsplit(".", 1)[-1]
        return routed(verb, head.registered_as) if head.registered_as.startswith("/") else head.registered_as
    for mark, route in zip(head.decorators, decorator_routes(head), strict=False):
        if route:
            verb = dotted(mark.callee).rsplit(".", 1)[-1] if isinstance(mark, Call) else ""
            return routed(fold(verb), route)
    if head.name in NEXT_METHODS and (route := file_route(code.facts.path)):
        return f"{head.name} {route}"
    holder = enclosing(scope.parent, Kind.CLASS)
    if code.facts.idioms.action and context_of(scope, code) != Context.LIBRARY.value and holder is not None:
        return f"{getattr(holder.head, 'name', '')}{code.facts.idioms.action}{head.name}"
    return head.name or head.registered_as or "function"


def routed(verb: str, route: str) -> str:
    """`POST /v1/chat`; the route alone where the verb is none of HTTP."""
    return f"{verb.upper()} {route}" if verb in ("get", "post", "put", "patch", "delete") else route


def decorator_routes(head: Function) -> Iterator[str]:
    for mark in head.decorators:
        first = mark.arguments[0].value if isinstance(mark, Call) and mark.arguments else None
        text = first.value if isinstance(first, Literal) and isinstance(first.value, str) else ""
        yield text if text.startswith("/") else ""


def file_route(path: str) -> str:
    """`app/api/chat/route.ts` -> `/api/chat`."""
    pieces = path.split("/")
    if "app" not in pieces[:-1]:
        return ""
    inner = pieces[len(pieces) - pieces[::-1].index("app") : -1]
    return "/" + "/".join(piece for piece in inner if not (piece.startswith("(") and piece.endswith(")")))


MIGRATION = re.compile(r"(^|/)(migrations?|migrate|alembic|liquibase|flyway|seeders?|factories)/")
"""What names a column to make it or to fill it reads no count."""


def reads_of(code: Code, known: Mapping[Scope, int]) -> dict[int, set[str]]:
    """Folded names of fields and columns that hold a count, by routine."""
    found: dict[int, set[str]] = {}
    if not code.billing or MIGRATION.search(code.facts.path):
        return found
    seen: set[int] = set()
    for expression, scope in code.expressions:
        here = None
        for part in walk(expression):
            name = counted(part)
            if name and id(part) not in seen:
                seen.add(id(part))
                here = index_of(scope, known) if here is None else here
                found.setdefault(here, set()).add(fold(name))
    return found


def counted(part: Expression) -> str:
    """The name of a count that is read: `user.credits`, `row["used"]`, `Select("quota")`."""
    if isinstance(part, Member):
        name = part.name
    elif isinstance(part, Index) and isinstance(part.key, Literal):
        name = str(part.key.value)
    elif isinstance(part, Literal) and isinstance(part.value, str) and part.value.isidentifier() and len(part.value) < 60:
        name = part.value
    else:
        return ""
    return name if names_counter(name) or names_left(name) else ""


def mentions_of(code: Code) -> Iterator[str]:
    """Folded names of counters in objects that select or copy: `select: { used: true }`, `{ used: row.used }`, `used` alone."""
    for expression, _ in code.expressions:
        for part in walk(expression):
            for entry in part.entries if isinstance(part, Object) else ():
                if entry.name is not None and selects(entry) and names_counter(entry.name):
                    yield fold(entry.name)


def selects(entry: Entry) -> bool:
    """Not `used: { increment: 1 }`, `used: 0` or `used: row.used + n`, which write it."""
    value = entry.value
    if isinstance(value, Binary):
        return fold(last_name(value.left)) != fold(entry.name or "")
    return not isinstance(value, Object) and (not isinstance(value, Literal) or value.value is True)


def routes_of(code: Code) -> Iterator[tuple[str, str, int]]:
    """Handlers that are registered by name: `router.POST("/chat", controller.Relay)`."""
    for call in code.facts.calls:
        if fold(call.method) not in HTTP or len(call.arguments) < 2:
            continue
        first = call.arguments[0].value
        if not (isinstance(first, Literal) and isinstance(first.value, str) and first.value[:1] in "/:*"):
            continue
        for argument in call.arguments[1:]:
            if isinstance(argument.value, Name | Member):
                yield dotted(argument.value), routed(fold(call.method), first.value), call.span.line
