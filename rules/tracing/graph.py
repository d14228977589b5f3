"""Who calls whom, over the files at hand: calls joined to functions by name, as surely as the name allows."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from rules.facts import fold
from rules.meaning.vocabulary import words
from rules.schema.tables import Schema
from rules.tracing.places import Place, alike, place_of
from rules.tracing.rows import stored_only
from rules.tracing.sights import Called, Digest, Kind, Routine, Sight, Sure, least

Node = tuple[int, int]
"""A file and a routine by position; routine -1 is the top of the file."""
SAME_NAME = 3
"""A name that more functions have is nobody's: the calls of it are not followed."""
HANDED = 2
GENERIC = frozenset(
    "create update get set add save run process execute handle call send find delete remove insert build make new init start "
    "check validate load fetch read write apply close open query main render submit post put patch next invoke perform do use "
    "record track emit publish default handler POST GET PUT".lower().split()
)
"""Names that say nothing without what stands before the dot."""


@dataclass(frozen=True, slots=True)
class Link:
    """A call from one routine to another, at a line of the first one's file."""

    caller: Node
    callee: Node
    line: int
    sure: Sure
    back: bool = False
    """The call gives back what was taken."""
    over: Sight | None = None
    """The queue it goes through, where it does: the producing sight."""


@dataclass(frozen=True, eq=False)
class Graph:
    """All files joined. Worked out when first asked."""

    digests: tuple[Digest, ...]
    constants: Mapping[str, str] = field(default_factory=dict)
    schema: Schema = Schema()

    def routine(self, node: Node) -> Routine | None:
        return self.digests[node[0]].routines[node[1]] if node[1] >= 0 else None

    def context(self, node: Node) -> str:
        routine = self.routine(node)
        return routine.context if routine is not None else ""

    def at(self, path: str, line: int) -> Node | None:
        """The innermost routine around a line of a file."""
        position = self.positions.get(path)
        if position is None:
            return None
        around = [
            (routine.end_line - routine.line, number)
            for number, routine in enumerate(self.digests[position].routines)
            if routine.line <= line <= routine.end_line
        ]
        return (position, min(around)[1]) if around else (position, -1)

    @cached_property
    def shown(self) -> frozenset[str]:
        """Folded names of counters that any file speaks of outside of functions that write them."""
        return frozenset().union(*(digest.mentions for digest in self.digests))

    @cached_property
    def compared(self) -> frozenset[str]:
        """Folded names of fields and columns that any file holds against something."""
        return frozenset().union(*(digest.compared for digest in self.digests if not digest.test))

    @cached_property
    def weighed(self) -> frozenset[str]:
        """Folded names of the fields by which any file refuses or charges somebody."""
        return frozenset().union(*(digest.weighed for digest in self.digests if not digest.test))

    @cached_property
    def positions(self) -> Mapping[str, int]:
        return {digest.path: position for position, digest in enumerate(self.digests)}

    def path(self, node: Node) -> str:
        return self.digests[node[0]].path

    @cached_property
    def by_name(self) -> Mapping[str, tuple[Node, ...]]:
        found: dict[str, list[Node]] = {}
        for position, digest in enumerate(self.digests):
            if digest.test:
                continue
            for number, routine in enumerate(digest.routines):
                if routine.name:
                    found.setdefault(routine.name, []).append((position, number))
        return {name: tuple(nodes) for name, nodes in found.items()}

    @cached_property
    def callers(self) -> Mapping[Node, tuple[Link, ...]]:
        """The links that lead to a routine."""
        return gathered(self.links, lambda link: link.callee)

    @cached_property
    def callees(self) -> Mapping[Node, tuple[Link, ...]]:
        return gathered(self.links, lambda link: link.caller)

    @cached_property
    def links(self) -> tuple[Link, ...]:
        return (*self.called(), *self.nested(), *self.transported())

    def called(self) -> Iterator[Link]:
        for position, digest in enumerate(self.digests):
            if digest.test:
                continue
            for number, routine in enumerate(digest.routines):
                seen: set[Node] = set()
                for call in routine.calls:
                    for node, sure in self.targets(position, routine, call):
                        if node not in seen and node != (position, number):
                            seen.add(node)
                            yield Link((position, number), node, call.line, sure, call.back)

    def nested(self) -> Iterator[Link]:
        """A function inside another runs on its behalf, unless a framework calls it."""
        for position, digest in enumerate(self.digests):
            if digest.test:
                continue
            for number, routine in enumerate(digest.routines):
                if routine.outer >= 0 and routine.name and digest.routines[routine.outer].context == routine.context:
                    yield Link((position, routine.outer), (position, number), routine.line, "likely")

    def transported(self) -> Iterator[Link]:
        """From what puts work on a queue to what takes it off, where the names are the same."""
        takers: dict[str, list[tuple[int, Sight]]] = {}
        for position, digest in enumerate(self.digests):
            for sight in () if digest.test else digest.sights:
                if sight.kind is Kind.CONSUME and (name := self.said(sight.name)):
                    takers.setdefault(fold(name), []).append((position, sight))
        for position, digest in enumerate(self.digests):
            for sight in () if digest.test else digest.sights:
                if sight.kind is not Kind.PRODUCE or not (name := self.said(sight.name)):
                    continue
                found = takers.get(fold(name), ())
                for there, taker in found[:SAME_NAME]:
                    for node in self.taking(there, taker):
                        if node != (position, sight.routine):
                            yield Link((position, sight.routine), node, sight.line,
                                       "certain" if len(found) == 1 else "likely", over=sight)  # fmt: skip

    def taking(self, position: int, taker: Sight) -> Iterator[Node]:
        """The routine that works on what is taken: the one that takes, or the one that it hands as handler."""
        handed = [node for name in taker.via for node in self.by_name.get(name, ()) if node[0] == position]
        yield from handed or [(position, taker.routine)]

    def said(self, name: str) -> str:
        """A name as the program has it when it runs: `$NAME` stands for a constant."""
        if not name.startswith("$"):
            return name
        return self.constant(name[1:]) or name

    def constant(self, dotted: str) -> str:
        """The text of a constant, by the longest ending of its dotted name that one value has."""
        pieces = dotted.split(".")
        for start in range(len(pieces)):
            if found := self.constants.get(".".join(pieces[start:])):
                return found
        return ""

    def targets(self, position: int, routine: Routine, call: Called) -> Iterator[tuple[Node, Sure]]:
        """The functions that a call can mean."""
        nodes = self.by_name.get(call.method, ())
        if not nodes or (call.before.startswith("@") and len(nodes) > HANDED):
            return
        before = call.before.removeprefix("@")
        if before in ("self", "this", "cls", "super()"):
            own = [node for node in nodes if node[0] == position and self.holder(node) == routine.holder]
            nodes = tuple(own) or tuple(node for node in nodes if node[0] == position) or nodes
        elif not before:
            here = tuple(node for node in nodes if node[0] == position)
            folder = self.places[position].parent
            beside = tuple(node for node in nodes if self.places[node[0]].open and self.places[node[0]].parent == folder)
            if here or beside:
                yield (here or beside)[0], "certain"
                return
            if fold(call.method) in GENERIC:
                return
        else:
            matched = tuple(node for node in nodes if self.meets(before, node))
            if not matched and call.typed:
                matched = tuple(node for node in nodes if alike(fold(call.typed), fold(self.holder(node))))
            if matched:
                for node in matched[:SAME_NAME]:
                    yield node, "certain" if len(matched) == 1 else "likely"
                return
            if fold(call.method) in GENERIC or len(words(call.method)) < 2:
                return
        if len(nodes) <= SAME_NAME:
            for node in nodes:
                yield node, "likely" if len(nodes) == 1 else "possible"

    def holder(self, node: Node) -> str:
        routine = self.routine(node)
        return routine.holder if routine is not None else ""

    @cached_property
    def places(self) -> tuple[Place, ...]:
        return tuple(place_of(digest.path) for digest in self.digests)

    def meets(self, before: str, node: Node) -> bool:
        """Whether what stands before the dot names the function's class, file or package."""
        routine = self.routine(node)
        assert routine is not None
        last = fold(before.replace("()", "").rsplit(".", 1)[-1])
        if not last:
            return False
        holder = fold(routine.holder)
        if holder and (alike(last, holder) or (holder.endswith(last) and len(last) > 5)):
            return True
        place = self.places[node[0]]
        if place.open:
            return last == place.folder and not holder
        return last == place.stem or ("." in before and place.whole.endswith("/" + fold(before).replace(".", "/")))


def gathered(links: Iterable[Link], by: "object") -> Mapping[Node, tuple[Link, ...]]:
    found: dict[Node, list[Link]] = {}
    for link in links:
        found.setdefault(by(link), []).append(link)  # type: ignore[operator]
    return {node: tuple(them) for node, them in found.items()}


def joined(digests: Iterable[Digest], schema: Schema | None = None) -> Graph:
    """The files joined, each once, in the order of their paths. A constant with two values is none."""
    by_path = {digest.path: stored_only(digest, schema or Schema()) for digest in digests}
    ordered = tuple(by_path[path] for path in sorted(by_path))
    constants: dict[str, str | None] = {}
    for digest in ordered:
        for name, text in () if digest.test else digest.constants.items():
            pieces = name.split(".")
            for ending in {".".join(pieces[start:]) for start in range(len(pieces))}:
                constants[ending] = text if constants.get(ending, text) == text else None
    return Graph(ordered, {name: text for name, text in constants.items() if text}, schema or Schema())


@dataclass(frozen=True, slots=True)
class Reached:
    """A routine on the way to another, with how sure the whole way is and the first step of it."""

    node: Node
    hops: int
    sure: Sure
    line: int
    """The line in this routine's file on which the way goes on."""
    links: tuple[Link, ...]


def upwards(graph: Graph, start: Node, hops: int, most: int = 400) -> Iterator[Reached]:
    """The routines from which a routine is reached, nearest first, the routine itself included."""
    seen = {start}
    waiting = [Reached(start, 0, "certain", 0, ())]
    while waiting and len(seen) < most:
        one = waiting.pop(0)
        yield one
        if one.hops >= hops:
            continue
        for link in graph.callers.get(one.node, ()):
            if link.caller not in seen and link.caller[1] >= 0:
                seen.add(link.caller)
                waiting.append(Reached(link.caller, one.hops + 1, least(one.sure, link.sure), link.line, (link, *one.links)))


def downwards(graph: Graph, start: Node, hops: int, most: int = 400) -> Iterator[Reached]:
    """The routines that a routine reaches, nearest first, itself included."""
    seen = {start}
    waiting = [Reached(start, 0, "certain", 0, ())]
    while waiting and len(seen) < most:
        one = waiting.pop(0)
        yield one
        if one.hops >= hops:
            continue
        for link in graph.callees.get(one.node, ()):
            if link.callee not in seen:
                seen.add(link.callee)
                waiting.append(
                    Reached(link.callee, one.hops + 1, least(one.sure, link.sure), one.line or link.line, (*one.links, link))
                )
