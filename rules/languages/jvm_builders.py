"""Builders read as the object they build: `Params.builder().setValue(1).putPayload("k", v).build()`."""

from rules.facts import Argument, Entry, Expression, Literal, Object, Sequence, Span
from rules.languages.jvm_names import simple

STARTS = frozenset({"builder", "newBuilder", "toBuilder"})
ENDS = frozenset({"build", "buildPartial", "create"})
PREFIXES = ("set", "with", "addAll", "putAll", "add", "put")

Link = tuple[str, tuple[Argument, ...]]
"""A method of the chain and what it is given."""


def built(place: Span, type_name: str, links: list[Link]) -> Object:
    """The object that a chain of builder methods makes; what is put under a key lies in an object of its own."""
    entries: dict[str, Entry] = {}
    complete = True
    for method, given in links:
        name, many = property_of(method)
        if not given or method in ENDS:
            continue
        where = Span(given[0].span.line, given[-1].span.end_line, given[0].span.start, given[-1].span.end)
        if len(given) == 1:
            value = listed(entries.get(name), given[0].value, where) if many == "add" else given[0].value
            complete = complete and not (many == "putAll" and name in entries)
            entries[name] = Entry(where, name, value)
        elif len(given) == 2:
            entries[name] = Entry(where, name, keyed(entries.get(name), given, where))
        else:
            complete = False
    return Object(place, tuple(entries.values()), complete, simple(type_name))


def property_of(method: str) -> tuple[str, str]:
    """`setEventName` sets `eventName`, `addLineItem` adds to `lineItems`; `quantity` is its own name."""
    for prefix in PREFIXES:
        rest = method[len(prefix) :]
        if method.startswith(prefix) and rest[:1].isupper():
            name = rest[0].lower() + rest[1:]
            return name + "s" if prefix == "add" and not name.endswith(("s", "usage", "data")) else name, prefix
    return method, ""


def listed(had: Entry | None, value: Expression, where: Span) -> Sequence:
    before = had.value.items if had is not None and isinstance(had.value, Sequence) else ()
    return Sequence(where, (*before, value))


def keyed(had: Entry | None, given: tuple[Argument, ...], where: Span) -> Object:
    """`putPayload("value", v)`, `header("Idempotency-Key", key)`: a computed key has no name."""
    before = had.value if had is not None and isinstance(had.value, Object) else Object(where, ())
    key = given[0].value
    name = key.value if isinstance(key, Literal) and isinstance(key.value, str) else None
    return Object(where, (*before.entries, Entry(where, name, given[1].value)), before.complete and name is not None)
