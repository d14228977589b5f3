"""Which functions nobody calls: what is wrong in them harms no one yet.

In doubt a function is called: where a framework may find it by its class, its mark, its folder or its name, and in a
library, whose callers are other programs. What only functions call that nobody calls is not called either.
"""

import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Protocol
from weakref import WeakKeyDictionary

from rules.code import Code
from rules.facts import Call, Class, Expression, Function, Kind, Name, Object, Scope, Span, chain, dotted, fold
from rules.meaning.contexts import SERVED, Context
from rules.meaning.vocabulary import words
from rules.mentions import Mention
from rules.tracing.graph import Graph, Node
from rules.tracing.places import INDEX
from rules.tracing.sights import Routine
from rules.tracing.standing import scope_of

HOOKS = frozenset(
    "on handle serve process perform run before after get test configure do main init setup register work execute consume "
    "receive apply boot scope".split()
)
"""How methods begin that a framework finds by their name."""
BY_NAME = re.compile(
    r"(Polic(?:y|ies)|Serializers?|Helpers?|Observers?|Listeners?|Subscribers?|Plugins?|Drivers?|Adapters?|Gateways?|Providers?|"
    r"Strateg(?:y|ies)|Handlers?|Extensions?|Modules?|Commands?|Jobs?|Controllers?|Hooks?|Migrations?|Resolvers?|Presenters?)$"
)
"""How classes end that a framework, or the project's own loader, finds by their name."""
BY_FOLDER = re.compile(
    r"(^|[/_.-])(resolvers?|graphql|hooks?|listeners?|subscribers?|plugins?|extensions?|migrations?|commands|signals|rpc|grpc|"
    r"routes?|pages|controllers?|handlers?|events?)([/_.-]|$)",
    re.I,
)
"""Folders and files whose functions a framework looks up."""
NAMED_PACKAGE = re.compile(r"^(?:.*/)?(?:packages|apps|libs|services|crates)/[^/]+/")
"""How a path of a workspace begins: what its package is called, `packages/rpc/`, is no folder that anything looks into."""
PUBLISHED = re.compile(r"(^|/)(sdks?|packages|libs?|crates|clients?|pkg|gems?|modules|addons)/")
"""Folders of what other programs may use: what such a package hands out may be called from there."""
OWN_LIB = re.compile(r"^(?:apps/[^/]+/)?src/libs?/")
"""Where a program keeps what its own pages and endpoints share."""
HANDS_OUT = (
    r"^\s*(?:export\s+(?:(?:async|abstract|declare)\s+)*(?:function\*?|class|const|let|var)\s+{0}\b(?!.*\b{0}\b)|"
    r"(?:module\.)?exports\.{0}\s*=\s*{0}\s*;?\s*$)"
)
"""A line that exports it by its own name, so that whoever uses it names it."""
INERT = frozenset(
    "staticmethod classmethod property override deprecated abstractmethod inline allow mustuse suppress suppresswarnings "
    "jvmstatic transactional retryable circuitbreaker cacheable cacheevict cacheput timed nullable nonnull atomic".split()
)
"""Marks by which nobody finds a function."""
UNUSED = frozenset({"unused", "obsolete"})
"""In the name of a function that was taken out of use: no framework looks for it."""
FROM_OUTSIDE = frozenset("event evt req request payload".split())
"""What a platform hands to the functions it calls; a configuration, which is no code, names them."""
GENERATED_CALLER = re.compile(r"\b\w*pb\.|Request\b")
BESIDE = frozenset("repos snapshot snapshots upstream references".split())
FEW = 5
"""So few files that concern billing are no program: what calls them lies elsewhere."""
FAR = 3
"""Callers of callers that are asked for."""
MANY = 8
"""Lines and files that have a name: of so many one will run."""
ALIVE: WeakKeyDictionary[Graph, set[Node]] = WeakKeyDictionary()
"""What was found to be called, by project; gone with it."""
DEFINES = (
    r"\b(?:function|def|func|fn|fun|class|struct|interface|trait|impl|type|object|enum|record)\b\s*\*?\s*(?:\([^)]*\)\s*)?{}\b"
)
OWN = r"(?:\$this->|\bthis\.|\bself\.|\bself::|\bstatic::|\bcls\.){}\b"


class Named(Protocol):
    """Where to look for who names a function: a project, or the rest of one of which only some files are judged."""

    def sees(self, name: str) -> bool: ...

    def naming(self, name: str) -> frozenset[str]: ...

    def mentions(self, name: str) -> tuple[Mention, ...]: ...

    def code_of(self, path: str) -> Code | None: ...


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A function that is asked about, with what stands around it."""

    code: Code
    graph: Graph
    node: Node
    routine: Routine
    scope: Scope
    head: Function

    @property
    def path(self) -> str:
        return self.code.facts.path

    @property
    def own_names(self) -> tuple[str, ...]:
        """How others name what it lies in: its class, its file, and its folder where the file stands for it."""
        here = PurePosixPath(self.path)
        package = self.code.facts.traits.packages_are_folders
        folder = here.parent.name if here.stem in INDEX or package else ""
        return tuple(filter(None, (self.routine.holder, "" if here.stem in INDEX else here.stem, folder)))


def is_dead(elsewhere: Named, graph: Graph, node: Node, above: frozenset[Node] = frozenset()) -> bool:
    """`above`: those of which it is asked whether only it calls them, so that their calling it says nothing."""
    if node in above:
        return True
    alive = ALIVE.setdefault(graph, set())
    asked = asked_of(elsewhere, graph, node) if len(above) < FAR and node not in alive else None
    if asked is None or may_be_found(asked):
        return False
    around = above | {node}
    if not is_called(elsewhere, asked, around) or of_unused_class(elsewhere, asked, around):
        return True
    alive.add(node)
    return False


def asked_of(elsewhere: Named, graph: Graph, node: Node) -> Asked | None:
    """None where nothing can be said: the top of a file runs, and so does what answers a request."""
    routine = graph.routine(node)
    code = elsewhere.code_of(graph.path(node))
    if routine is None or code is None or code.facts.traits.statements_only:
        return None
    if routine.context != Context.LIBRARY and not UNUSED & set(words(routine.name)):
        return None
    function = scope_of(code, routine)
    return Asked(code, graph, node, routine, *function) if function is not None else None


def set_beside(code: Code) -> bool:
    """Whether it lies in a folder of other repositories that the program only keeps to look things up in."""
    trace = code.elsewhere.trace if code.elsewhere.whole else None
    top, _, below = code.facts.path.partition("/")
    if trace is None or not below or top not in BESIDE:
        return False
    rest = (digest for digest in trace.graph.digests if not digest.test and not digest.path.startswith(f"{top}/"))
    return any(one.context in SERVED for digest in rest for one in digest.routines)


def is_program(graph: Graph) -> bool:
    routines = (one for digest in graph.digests if not digest.test for one in digest.routines)
    return len(graph.digests) >= FEW and any(one.context in SERVED for one in routines)


def outermost(graph: Graph, node: Node) -> Node:
    routine = graph.routine(node)
    while routine is not None and routine.outer >= 0:
        node = (node[0], routine.outer)
        routine = graph.routine(node)
    return node


def may_be_found(asked: Asked) -> bool:
    """Whether a decorator, a class that it inherits from, a registration, its folder or a platform may lead to it."""
    if UNUSED & set(words(asked.routine.name)):
        return False
    for one in chain(asked.scope):
        if isinstance(one.head, Class) and (one.head.bases or any(map(is_mark, one.head.decorators))):
            return True
        if one.head is asked.head and (
            any(map(is_mark, asked.head.decorators)) or one.head.registered_as or one.head.passed_to
        ):
            return True
    stem = fold(PurePosixPath(asked.path).stem)
    if BY_FOLDER.search(NAMED_PACKAGE.sub("", asked.path)) or (len(stem) > 2 and fold(asked.head.name).startswith(stem)):
        return True
    types = " ".join(parameter.type for parameter in asked.head.parameters)
    outside = asked.head.parameters[:1] and fold(asked.head.parameters[0].name) in FROM_OUTSIDE
    return bool(outside and asked.head.exported) or GENERATED_CALLER.search(types) is not None


def is_mark(decorator: Expression) -> bool:
    return (
        fold(decorator.name if isinstance(decorator, Call) else dotted(decorator)).rpartition(".")[2].split("(")[0] not in INERT
    )


def is_called(elsewhere: Named, asked: Asked, above: frozenset[Node]) -> bool:
    """Whether any line means it that runs. A name of one word, and a method called like a hook, says nothing."""
    said = words(asked.routine.name)
    if len(said) < 2 or not elsewhere.sees(asked.routine.name) or (said[0] in HOOKS and asked.routine.holder):
        return True
    others = {asked.graph.path(one) for one in asked.graph.by_name.get(asked.routine.name, ()) if one != asked.node}
    if asked.path in others or is_published(elsewhere, asked, asked.routine.name):
        return True
    if len(elsewhere.naming(asked.routine.name)) > MANY:
        return True
    found = [
        one for one in elsewhere.mentions(asked.routine.name)
        if means(elsewhere, asked, one, others) and not in_unused_bundle(elsewhere, one)
    ]  # fmt: skip
    return any_runs(elsewhere, asked.graph, found, above)


def is_published(elsewhere: Named, asked: Asked, name: str) -> bool:
    """Whether a package hands it out: whoever uses that package may call it."""
    if not PUBLISHED.search(OWN_LIB.sub("", asked.path)):
        return False
    if not elsewhere.sees(name) or not elsewhere.sees(PurePosixPath(asked.path).stem):
        return True
    handing = {path for path in elsewhere.naming(PurePosixPath(asked.path).stem) if PurePosixPath(path).stem in INDEX}
    return bool(handing) or bool(elsewhere.naming(name) - {asked.path})


def in_unused_bundle(elsewhere: Named, one: Mention) -> bool:
    """`export const usage = { add: addUse }`: that it is put into an object which nobody names, calls nothing."""
    code = elsewhere.code_of(one.path)
    for assign in code.facts.assigns if code is not None else ():
        holder = assign.targets[0] if len(assign.targets) == 1 else None
        if not isinstance(holder, Name) or not isinstance(assign.value, Object) or assign.scope.kind is not Kind.MODULE:
            continue
        if assign.span.line <= one.line <= assign.span.end_line:
            named = (each for each in elsewhere.mentions(holder.text) if not within_lines(assign.span, one.path, each))
            return not any(named)
    return False


def within_lines(span: Span, path: str, one: Mention) -> bool:
    return one.path == path and span.line <= one.line <= span.end_line


def means(elsewhere: Named, asked: Asked, one: Mention, others: set[str]) -> bool:
    """Whether a line that has its name means this function, and does more than define it or hand it out."""
    name = re.escape(asked.routine.name)
    if one.path == asked.path:
        if one.line == asked.routine.line:
            return re.search(r"\bdefault\b|\bmodule\.exports\s*=", one.text) is not None
        return not only_hands_out(one, asked.routine.name)
    if defines(one, asked.routine.name) or defined_at(asked, one):
        return False
    if not others:
        return True
    if of_another(asked, one):
        return False
    # Of two functions with one name, those who name the other's class or file mean that one.
    named = any(one.path in elsewhere.naming(own) for own in asked.own_names)
    beside = asked.code.facts.traits.packages_are_folders and PurePosixPath(one.path).parent == PurePosixPath(asked.path).parent
    return (named or beside) and not (one.path in others and re.search(OWN.format(name), one.text))


def of_another(asked: Asked, one: Mention) -> bool:
    """`ledgerService.recordUsage(…)` is said of the `LedgerService`, where two classes have such a method."""
    called = re.search(rf"(\w+)\??\.{re.escape(asked.routine.name)}\s*\(", one.text)
    before = fold(called[1]) if called is not None else ""
    if not asked.routine.holder or before == fold(asked.routine.holder):
        return False
    holders = {fold(asked.graph.holder(node)) for node in asked.graph.by_name.get(asked.routine.name, ()) if node != asked.node}
    return len(before) > 3 and before in holders


def defines(one: Mention, name: str) -> bool:
    return re.search(DEFINES.format(re.escape(name)), one.text) is not None


def only_hands_out(one: Mention, name: str) -> bool:
    return re.search(HANDS_OUT.format(re.escape(name)), one.text) is not None


def defined_at(asked: Asked, one: Mention) -> bool:
    at = (asked.graph.routine(node) for node in asked.graph.by_name.get(asked.routine.name, ()))
    return any(routine is not None and (routine.path, routine.line) == (one.path, one.line) for routine in at)


def any_runs(elsewhere: Named, graph: Graph, found: list[Mention], above: frozenset[Node]) -> bool:
    """Whether one of these lines may run: it stands in no function that nobody calls."""
    nodes = {graph.at(one.path, one.line) for one in found}
    callers = {outermost(graph, node) for node in nodes if node is not None}
    if None in nodes or len(found) > MANY or any(asked_of(elsewhere, graph, one) is None for one in callers - above):
        return True
    return any(not is_dead(elsewhere, graph, one, above) for one in sorted(callers))


def of_unused_class(elsewhere: Named, asked: Asked, above: frozenset[Node]) -> bool:
    """Whether it is a method of a class that no line names that runs: nobody makes one."""
    holder = next((one for one in chain(asked.scope) if isinstance(one.head, Class)), None)
    name = asked.routine.holder
    if holder is None or len(words(name)) < 2 or BY_NAME.search(name):
        return False
    stem = PurePosixPath(asked.path).stem
    if not elsewhere.sees(name) or not elsewhere.sees(stem):
        return False
    if is_published(elsewhere, asked, name) or (fold(stem) != fold(name) and elsewhere.naming(stem) - {asked.path}):
        return False
    if len(elsewhere.naming(name)) > MANY:
        return False
    inside = range(holder.span.line, holder.span.end_line + 1)
    beyond = (one for one in elsewhere.mentions(name) if one.path != asked.path or one.line not in inside)
    found = [one for one in beyond if not (one.path == asked.path and only_hands_out(one, name)) and not defines(one, name)]
    return not any_runs(elsewhere, asked.graph, found, above)
