"""What the trace keeps of one file: plain data, so that files can be judged in different processes and joined afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal, Protocol

from rules.facts import Scope, Span

Sure = Literal["certain", "likely", "possible"]
"""How sure a link is. Certain: the names are the same and nothing else has them. Possible: a reader should look."""
SURE: tuple[Sure, ...] = ("certain", "likely", "possible")


MEMORY = "="
"""Marks the write of a field, which is stored only if the object is a row."""


RESET = "0"
"""Marks a counter that is set to nothing, as at the start of a period."""


def least(*links: Sure) -> Sure:
    """A path is as sure as its least sure link."""
    return max(links, key=SURE.index, default="certain")


class Kind(StrEnum):
    """What is seen at one place."""

    EMIT = "emit"
    """A usage event is sent to a provider; `name` is the event's, `owner` the provider."""
    COUNT = "count"
    """A counter is moved by what was used; `name` is the column or key, `owner` the table."""
    GRANT = "grant"
    """A counter is moved the other way: bought, refunded, reset."""
    INSERT = "insert"
    """A row of usage is stored; `owner` is the table."""
    ROW = "row"
    """A row that by itself is no usage; what is billed by counting such rows is."""
    AGGREGATE = "aggregate"
    """Rows or columns are summed or counted; `owner` is the table, `name` the column."""
    LIMIT = "limit"
    """Usage is compared with what is allowed; `name` is what is compared."""
    CHARGE = "charge"
    """Money is asked for: an invoice, an invoice item, a payment."""
    DEFINE = "define"
    """A meter or a metered price is created at a provider."""
    PRODUCE = "produce"
    CONSUME = "consume"
    WORK = "work"
    """A priced resource is used: a model, a renderer."""
    SHOW = "show"


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing seen at one line. `routine` is the index of its function among the file's, -1 at the top."""

    kind: Kind
    name: str
    owner: str
    path: str
    line: int
    routine: int
    text: str
    """How a report names it."""
    sure: Sure = "certain"
    via: tuple[str, ...] = ()
    """Names of functions and fields that its value comes from."""


@dataclass(frozen=True, slots=True)
class Called:
    """One call: the last name, what stands before it, and the line."""

    method: str
    before: str
    line: int
    back: bool = False
    """An amount is given with a minus: what was taken is given back."""
    heard: bool = False
    """Of a record of usage: it is waited for, and its failure reaches the caller, a retry or a store."""
    typed: str = ""
    """The declared type of what stands before it, where the file writes one."""


@dataclass(frozen=True, slots=True)
class Routine:
    """A function with a name or a registration of its own; closures inside it belong to it."""

    name: str
    title: str
    """`POST /v1/chat`, else its name."""
    holder: str
    """The class around it or the receiver's type."""
    path: str
    line: int
    end_line: int
    context: str
    """A value of `Context`."""
    outer: int
    """The index of the routine around it, -1 if none."""
    calls: tuple[Called, ...]
    reads: frozenset[str]
    """Folded names of counters that it reads."""


@dataclass(frozen=True, slots=True)
class Digest:
    """One file."""

    path: str
    routines: tuple[Routine, ...]
    sights: tuple[Sight, ...]
    routes: tuple[tuple[str, str, int], ...] = ()
    """Handlers that are registered by name: the handler, its route, the line."""
    mentions: frozenset[str] = frozenset()
    """Folded names of counters that stand anywhere in it but in a write: in a template, a serializer, a type, a query."""
    constants: Mapping[str, str] = field(default_factory=dict)
    """Texts that the file gives a name, by dotted name."""
    compared: frozenset[str] = frozenset()
    """Folded names of fields and columns that are held against something: a date by which things renew, a limit, an order."""
    test: bool = False
    """A test, or a copy that was put aside: nothing calls it, and it is nobody's sibling."""
    weighed: frozenset[str] = frozenset()
    """Folded names of the fields by which it refuses or charges somebody, alone and with what they belong to."""
    firm: frozenset[int] = frozenset()
    """The routines that take only where there is room: under a row lock, or by a conditional write."""
    alone: frozenset[int] = frozenset()
    """The routines that take a lock or run under one."""
    recounted: frozenset[tuple[str, int]] = frozenset()
    """Folded names of counters that are set to what their rows add up to, each with the routine that does so."""


@dataclass(frozen=True, slots=True)
class MeteredAction:
    """A request handler or job that does what is billed."""

    path: str
    line: int
    title: str
    """`POST /v1/chat` or the function's name."""
    recorded: bool
    where: tuple[str, int] | None
    """Path and line of the call in it that leads to the record."""
    record: tuple[str, int] | None
    """Path and line of the record itself."""
    sure: Sure
    context: str
    siblings: tuple[tuple[str, int], ...] = ()
    """Of an unrecorded one: the actions that do the same work and record it."""
    work: str = ""
    """The priced resource that it uses as they do."""


class Make(Protocol):
    """Makes a sight of the file that is being looked through."""

    def __call__(
        self,
        kind: Kind,
        name: str,
        owner: str,
        span: Span,
        scope: Scope,
        text: str,
        sure: Sure = "certain",
        via: tuple[str, ...] = (),
    ) -> Sight: ...
