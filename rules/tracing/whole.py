"""The trace of a project: the files joined, the metered actions and the meters, each worked out when first asked for."""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

from rules.schema.tables import Schema
from rules.tracing.actions import metered, surest
from rules.tracing.graph import Graph, Node, joined
from rules.tracing.meters import trails_of
from rules.tracing.seen import Seen
from rules.tracing.sights import Digest, MeteredAction
from rules.tracing.trails import Trail


@dataclass(frozen=True, eq=False)
class Trace:
    """Empty where no project is at hand."""

    graph: Graph = Graph(())

    @cached_property
    def actions(self) -> tuple[MeteredAction, ...]:
        recorded: dict[Node, MeteredAction] = {}
        for trail in self.meters:
            for node, action in trail.entries.items():
                recorded[node] = surest(action, recorded.get(node))
        return metered(self.graph, recorded)

    @cached_property
    def meters(self) -> tuple[Trail, ...]:
        return trails_of(self.seen)

    @cached_property
    def seen(self) -> Seen:
        return Seen(self.graph)


def traced(digests: Iterable[Digest], schema: Schema) -> Trace:
    return Trace(joined(digests, schema))
