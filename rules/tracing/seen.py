"""What all files show, by kind and by function: gathered once for all meters."""

from collections.abc import Iterator

from rules.tracing.graph import Graph, Node, Reached, downwards
from rules.tracing.sights import Kind, Sight


class Seen:
    """What all files show, by kind: gathered once for all meters."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.by_kind: dict[Kind, list[tuple[Sight, Node]]] = {}
        self.by_node: dict[Node, list[Sight]] = {}
        for position, digest in enumerate(graph.digests):
            for sight in () if digest.test else digest.sights:
                node = (position, sight.routine)
                self.by_kind.setdefault(sight.kind, []).append((sight, node))
                self.by_node.setdefault(node, []).append(sight)
        self.shared: frozenset[str] = frozenset()
        """Folded columns that several meters have: reading one does not say which meter is read."""
        self.below: dict[tuple[Node, int], tuple[Reached, ...]] = {}

    def of(self, kind: Kind) -> list[tuple[Sight, Node]]:
        return self.by_kind.get(kind, [])

    def reaches(self, node: Node, hops: int) -> tuple[Reached, ...]:
        if (node, hops) not in self.below:
            self.below[node, hops] = tuple(downwards(self.graph, node, hops)) if node[1] >= 0 else ()
        return self.below[node, hops]

    def sums(self, node: Node) -> list[Sight]:
        """The sums over tables in a function."""
        return [one for one in self.by_node.get(node, ()) if one.kind is Kind.AGGREGATE and one.owner and one.owner != "redis"]

    def charges(self, node: Node) -> bool:
        return any(sight.kind is Kind.CHARGE for sight in self.by_node.get(node, ()))


def sinks(graph: Graph, kind: Kind) -> Iterator[tuple[Sight, Node]]:
    for position, digest in enumerate(graph.digests):
        for sight in () if digest.test else digest.sights:
            if sight.kind is kind:
                yield sight, (position, sight.routine)
