"""Reads untrusted YAML 1.2 into plain data with the line and column of every key and value."""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from ruamel.yaml.error import YAMLError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 10
MAX_NODES = 10_000

Location: TypeAlias = tuple[str | int, ...]
Data: TypeAlias = "str | int | float | bool | tuple[Data, ...] | dict[str, Data] | None"

_NULLS = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
# 18 digits hold every number a configuration has; longer ones stay text and fail as the wrong type.
_INTEGER = re.compile(r"[-+]?[0-9]{1,18}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]{1,18}|[0-9]{1,18}(?:\.[0-9]{0,18})?)(?:[eE][-+]?[0-9]{1,3})?")
_SURROGATE = re.compile("[\ud800-\udfff]")
_LINE_BREAK = re.compile(r"\r\n|\r|\n")
_QUOTE_HINT = "put text that begins with * & ! @ ` or % in quotes"


@dataclass(frozen=True, slots=True, order=True)
class Position:
    """A place in the text: 1-based line, 1-based column in Unicode code points."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """Why the text is not acceptable YAML, and where."""

    position: Position
    message: str


@dataclass(frozen=True, slots=True)
class Document:
    """The one document of a text.

    `data` is None where the text holds no value or could not be read; lists are tuples. `readable` is False where
    reading stopped early, so that `data` says nothing. `unreadable` are the locations whose value was refused.
    """

    data: Data
    keys: Mapping[Location, Position]
    values: Mapping[Location, Position]
    problems: tuple[Problem, ...]
    readable: bool
    unreadable: frozenset[Location]


class _StopError(Exception):
    """Reading on makes no sense; the reason is among the problems."""


@dataclass(slots=True)
class _Frame:
    location: Location
    mapping: dict[str, Data] | None
    items: list[Data] = field(default_factory=list)
    key: str | None = None


@dataclass(slots=True)
class _Tree:
    starts: list[int]
    data: Data = None
    documents: int = 0
    nodes: int = 0
    frames: list[_Frame] = field(default_factory=list)
    keys: dict[Location, Position] = field(default_factory=dict)
    values: dict[Location, Position] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    unreadable: set[Location] = field(default_factory=set)


def read_yaml(text: str | bytes) -> Document:
    """Reads exactly one YAML 1.2 document; never raises, whatever the text holds.

    Refused: over 64 KiB, other encodings than UTF-8, aliases, anchors, tags, directives, duplicate keys, nesting over
    10 levels, more than one document. What is wrong beyond one value stops the reading; the rest is collected.
    """
    raw = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
    if len(raw) > MAX_BYTES:
        return _refused(Position(1, 1), f"the file has {len(raw)} bytes; at most {MAX_BYTES} are read")
    try:
        return _parsed(raw.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode("utf-8").removeprefix("\ufeff")
        return _refused(_position(_line_starts(before), len(before)), "the file is not UTF-8")


def _refused(position: Position, message: str) -> Document:
    return Document(None, {}, {}, (Problem(position, message),), False, frozenset())


def _line_starts(text: str) -> list[int]:
    return [0, *(found.end() for found in _LINE_BREAK.finditer(text))]


def _position(starts: list[int], index: int) -> Position:
    line = bisect_right(starts, index)
    return Position(line, index - starts[line - 1] + 1)


def _parsed(text: str) -> Document:
    from ruamel.yaml.error import YAMLError

    tree = _Tree(_line_starts(text))
    readable = True
    reached = 0
    try:
        for event in _events(text):
            reached = event.start_mark.index
            _take(tree, event)
    except _StopError:
        readable = False
    except YAMLError as error:
        readable = False
        tree.problems.append(_syntax_problem(tree, text, error))
    except (ValueError, OverflowError):
        # The parser turns an escape beyond U+10FFFF into a number that no character has.
        readable = False
        tree.problems.append(Problem(_position(tree.starts, reached), "an escape after here is no Unicode character"))
    data = tree.data if readable else None
    return Document(data, tree.keys, tree.values, tuple(tree.problems), readable, frozenset(tree.unreadable))


def _events(text: str) -> Iterator[Any]:
    from ruamel.yaml import YAML

    # Events come from a loop; composing nodes would recurse once a level.
    return iter(YAML(typ="safe", pure=True).parse(text))


def _syntax_problem(tree: _Tree, text: str, error: "YAMLError") -> Problem:
    from ruamel.yaml.error import MarkedYAMLError
    from ruamel.yaml.reader import ReaderError

    if isinstance(error, ReaderError):
        return Problem(_position(tree.starts, error.position), "this control character is not allowed in YAML")
    if not isinstance(error, MarkedYAMLError):
        return Problem(Position(1, 1), "not valid YAML")
    # A word without its colon is noticed lines later; the context is where it stands.
    missing_colon = error.problem == "could not find expected ':'"
    mark = (error.context_mark if missing_colon else None) or error.problem_mark or error.context_mark
    index = min(mark.index, len(text)) if mark else 0
    at = text[index : index + 1]
    if at == "\t":
        message = "YAML is not indented with tabs: use spaces"
    elif (at and at in "*&!@`%") or text[index - 1 : index] in ("*", "&", "!"):
        message = f"not valid YAML: {_QUOTE_HINT}"
    else:
        message = f"not valid YAML: {error.problem or error.context or 'cannot be read'}"
    return Problem(_position(tree.starts, index), message)


def _take(tree: _Tree, event: Any) -> None:
    from ruamel.yaml import events as kinds

    position = _position(tree.starts, event.start_mark.index)
    if isinstance(event, kinds.DocumentStartEvent):
        _take_document(tree, event, position)
    elif isinstance(event, kinds.MappingEndEvent | kinds.SequenceEndEvent):
        _close(tree)
    elif isinstance(event, kinds.NodeEvent):
        _count(tree, position)
        _take_node(tree, event, position)


def _take_document(tree: _Tree, event: Any, position: Position) -> None:
    tree.documents += 1
    if tree.documents > 1:
        _stop(tree, position, "a second document begins here; the file holds exactly one")
    if event.version or event.tags:
        tree.problems.append(Problem(Position(1, 1), "YAML directives (lines that begin with %) are not allowed"))


def _count(tree: _Tree, position: Position) -> None:
    tree.nodes += 1
    if tree.nodes > MAX_NODES:
        _stop(tree, position, f"more than {MAX_NODES} values")


def _take_node(tree: _Tree, event: Any, position: Position) -> None:
    from ruamel.yaml import events as kinds

    frame = tree.frames[-1] if tree.frames else None
    if frame is not None and frame.mapping is not None and frame.key is None:
        _take_key(tree, frame, event, position)
        return
    location = _next_location(frame)
    tree.values.setdefault(location, position)
    _refuse_decorations(tree, event, location, position)
    if isinstance(event, kinds.AliasEvent):
        message = "aliases are not allowed; a pattern that begins with * is written in quotes"
        tree.problems.append(Problem(position, message))
        tree.unreadable.add(location)
        _put(tree, None)
    elif isinstance(event, kinds.ScalarEvent):
        _put(tree, _scalar(event.value) if event.style is None and event.tag is None else event.value)
    else:
        if len(tree.frames) >= MAX_DEPTH:
            _stop(tree, position, f"nested deeper than {MAX_DEPTH} levels")
        tree.frames.append(_Frame(location, {} if isinstance(event, kinds.MappingStartEvent) else None))


def _take_key(tree: _Tree, frame: _Frame, event: Any, position: Position) -> None:
    from ruamel.yaml import events as kinds

    if not isinstance(event, kinds.ScalarEvent):
        _stop(tree, position, "a key is a plain word, not an alias, a list or a mapping")
    # A key stays the text that was written: `on` and `1` name what they look like.
    key: str = event.value
    location = (*frame.location, key)
    _refuse_decorations(tree, event, location, position)
    first = tree.keys.setdefault(location, position)
    if frame.mapping is not None and key in frame.mapping:
        message = f"the key {shown(key)} is already given at line {first.line}, column {first.column}"
        tree.problems.append(Problem(position, message))
    frame.key = key


def _refuse_decorations(tree: _Tree, event: Any, location: Location, position: Position) -> None:
    from ruamel.yaml import events as kinds

    if isinstance(event, kinds.AliasEvent):
        return
    if isinstance(event, kinds.ScalarEvent) and _SURROGATE.search(event.value):
        _stop(tree, position, "an escape in this text stands for half a character")
    if event.anchor is not None:
        tree.problems.append(Problem(position, "anchors are not allowed; text that begins with & is written in quotes"))
        tree.unreadable.add(location)
    if event.tag is not None:
        tree.problems.append(Problem(position, "tags are not allowed; a pattern that begins with ! is written in quotes"))
        tree.unreadable.add(location)


def _next_location(frame: _Frame | None) -> Location:
    if frame is None:
        return ()
    return (*frame.location, len(frame.items) if frame.mapping is None else frame.key or "")


def _put(tree: _Tree, value: Data) -> None:
    if not tree.frames:
        tree.data = value
        return
    frame = tree.frames[-1]
    if frame.mapping is None:
        frame.items.append(value)
        return
    # The first of two equal keys stays, so that the errors about its value keep their place.
    frame.mapping.setdefault(frame.key or "", value)
    frame.key = None


def _close(tree: _Tree) -> None:
    frame = tree.frames.pop()
    _put(tree, tuple(frame.items) if frame.mapping is None else frame.mapping)


def _stop(tree: _Tree, position: Position, message: str) -> None:
    tree.problems.append(Problem(position, message))
    raise _StopError


def _scalar(text: str) -> Data:
    """A plain scalar by the YAML 1.2 core schema, https://yaml.org/spec/1.2.2/#103-core-schema, decimal numbers only."""
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text


def shown(value: object) -> str:
    """A value as an error message shows it: short, on one line, nothing invisible."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    if isinstance(value, str):
        short = value if len(value) <= 40 else value[:39] + "…"
        return f'"{short}"' if short.isprintable() else ascii(short)
    return "a mapping" if isinstance(value, dict) else "a list"
