"""Maps by key that are made of rows whose keys may repeat, by a collector that fails on the second one."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Kind, Lambda, Member, Name, enclosing, fold, walk

JOINS = frozenset("flatmap selectmany flatmapiterable mapmulti".split())
"""What lays the rows of several parents in one row: a key that is unique with one parent need not be so here."""
OWN_IDS = frozenset("id uuid key getid getuuid getkey".split())


def failing_maps(code: Code) -> Iterator[Call]:
    """`flatMap(…).collect(Collectors.toMap(k, v))` without an argument that merges, `SelectMany(…).ToDictionary(…)`."""
    for call in code.facts.calls:
        last = fold(call.method)
        first = call.arguments[0].value if call.arguments else None
        if first is None or not joined(call.receiver):
            continue
        if (last == "collect" and is_strict(first)) or (last == "todictionary" and not own_id(code, first)):
            yield call


def is_strict(collector: Expression) -> bool:
    """`Collectors.toMap(k, v)`; with a merge function, and in `groupingBy`, a repeated key is no failure."""
    return (
        isinstance(collector, Call) and fold(collector.method) in ("tomap", "toconcurrentmap") and len(collector.arguments) == 2
    )


def joined(source: Expression | None) -> bool:
    """Whether the rows come from several parents, and nothing on the way leaves repeats out."""
    names = [fold(part.method) for part in walk(source) if isinstance(part, Call)]
    return any(name in JOINS for name in names) and not any(name in ("distinct", "distinctby", "groupby") for name in names)


def own_id(code: Code, key: Expression) -> bool:
    """`row => row.Id`: the row's own id."""
    if not isinstance(key, Lambda):
        return isinstance(key, Name | Member) and fold(getattr(key, "name", "")) in OWN_IDS
    returned = [one.value for one in code.facts.returns if enclosing(one.scope, Kind.FUNCTION) is key.scope]
    return any(isinstance(value, Member) and fold(value.name) in OWN_IDS for value in returned)
