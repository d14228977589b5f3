"""The way of one meter, stage by stage, as it is put together from what the files show."""

from dataclasses import dataclass, field
from typing import Literal

from rules.tracing.graph import Node
from rules.tracing.sights import SURE, MeteredAction, Sight, Sure

Sort = Literal["event", "counter", "table"]
STAGES = ("actions", "emitted", "transported", "stored", "aggregated", "limited", "charged")
PLACES = 12
"""Of one stage in a report; the surest ones."""


@dataclass(frozen=True, slots=True)
class Step:
    """One place on the way."""

    path: str
    line: int
    sure: Sure
    text: str


@dataclass(slots=True)
class Trail:
    """One meter on its way; filled while the files are joined, then read only."""

    sort: Sort
    name: str
    owner: str
    """The table of a counter, the provider of an event."""
    sinks: list[tuple[Sight, Node]]
    """Where it is written or sent."""
    columns: tuple[str, ...] = ()
    """Of a counter, all that are written together."""
    prepaid: bool = False
    """A balance that was paid before: taking from it is the charge."""
    steps: dict[str, dict[tuple[str, int], Step]] = field(default_factory=lambda: {stage: {} for stage in STAGES})
    entries: dict[Node, MeteredAction] = field(default_factory=dict)
    """The actions by their routine."""
    way: set[Node] = field(default_factory=set)
    """The routines between the actions and the sinks."""

    def add(self, stage: str, path: str, line: int, sure: Sure, text: str) -> None:
        """Keeps the surest of what is said of one place."""
        had = self.steps[stage].get((path, line))
        if had is None or SURE.index(sure) < SURE.index(had.sure):
            self.steps[stage][path, line] = Step(path, line, sure, text)

    def has(self, stage: str) -> bool:
        return bool(self.steps[stage])

    def places(self, stage: str) -> tuple[Step, ...]:
        """The surest ones, in the order of the files; where some are likely, a mere possibility is left out."""
        found = sorted(self.steps[stage].values(), key=lambda one: (SURE.index(one.sure), one.path, one.line))
        sure = [one for one in found if one.sure != "possible"]
        return tuple((sure or found)[:PLACES])

    @property
    def title(self) -> str:
        """As people know it: an event's name, `users.credits`, a table."""
        if self.sort != "counter" or not self.owner:
            return self.name
        return f"{self.owner}.{self.name}" if self.owner != "redis" else self.name
