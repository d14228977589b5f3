"""Checks for repeats inside a loop over events that ask about the whole batch and not about the item at hand."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Function, Kind, Lambda, Loop, Member, Name, Scope, Test, enclosing, fold, walk, within
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words

ASKS = frozenset(
    "exists count first find findone findfirst findunique findmany has includes contains any some get scalar scalars "
    "onenone query execute all isduplicate ismember smismember sismember".split()
)
REPEATS = frozenset(
    "idempotency idem duplicate duplicates dup dups seen processed repeat repeats existing exists dedup".split()
)
NAMES = re.compile(r"(?<![\w.])[A-Za-z_$][\w$]*")
ITEMS = frozenset("event events record records item items message messages row rows entry entries usage batch usages".split())


def batch_checks(code: Code) -> Iterator[tuple[Test, Call]]:
    """Tests in a loop over events, each with its query, that no name of the loop has a part in and that skip the item."""
    for loop in code.facts.scopes:
        head = loop.head
        if not isinstance(head, Loop) or head.iterates is None or not speaks_of_items(head):
            continue
        own = bound(head)
        for test in code.facts.tests:
            if test.then is None or not within(test.scope, loop) or enclosing(test.scope, Kind.LOOP) is not loop:
                continue
            if decides_item(code, test) and (asked := query(code, test, loop, own)) is not None:
                yield test, asked


def speaks_of_items(head: Loop) -> bool:
    parts = [part for one in (head.iterates, *head.targets) for part in walk(one)]
    return any(ITEMS & set(words(getattr(part, "text", "") or getattr(part, "name", ""))) for part in parts)


def bound(head: Loop) -> frozenset[str]:
    """What the loop binds anew each time round."""
    return frozenset(part.text for target in head.targets for part in walk(target) if isinstance(part, Name))


def decides_item(code: Code, test: Test) -> bool:
    """Whether the branch leaves this item out, or alone keeps it."""
    arm = test.then
    assert arm is not None
    skips = any(one.word == "continue" and within(one.scope, arm) for one in code.facts.jumps)
    keeps = any(fold(call.method) in ("append", "push", "add") and within(call.scope, arm) for call in code.facts.calls)
    return (
        skips
        or keeps
        or any(
            within(one.scope, arm) and isinstance(one.value, Call) and one.value.folded == "append"
            for one in code.facts.assigns
        )
    )


def query(code: Code, test: Test, loop: Scope, own: frozenset[str]) -> Call | None:
    """The query that the test depends on, if nothing of the loop's items flows into the test."""
    seen: set[str] = set()
    asked: list[Call] = []
    waiting: list[tuple[Expression, Scope, int]] = [(test.value, test.scope, test.span.start)]
    while waiting:
        expression, scope, at = waiting.pop()
        for part in walk(expression):
            if isinstance(part, Name) and part.text in own:
                return None
            if isinstance(part, Lambda):
                # `known.find((one) => one.id === item.id)`: what is asked stands in the function that is handed over.
                waiting.extend((name, scope, at) for name in names_in(code, part))
            if isinstance(part, Call) and fold(part.method) in ASKS:
                asked.append(part)
            if isinstance(part, Name) and part.text not in seen:
                seen.add(part.text)
                for one in definitions_at(code.values, part.text, scope, at):
                    if one.how in ("loop", "change"):
                        return None
                    if one.value is None:
                        continue
                    if within(one.scope, loop):
                        waiting.append((one.value, one.scope, one.end))
                    elif expression is test.value and isinstance(one.value, Call):
                        asked.extend(call for call in walk(one.value) if isinstance(call, Call) and fold(call.method) in ASKS)
    return next((call for call in asked if REPEATS & spoken(call, test)), None)


def names_in(code: Code, handed: Lambda) -> Iterator[Name]:
    """What a function that is handed over reads from around it."""
    own = {parameter.name for parameter in handed.scope.head.parameters} if isinstance(handed.scope.head, Function) else set()
    for name in dict.fromkeys(NAMES.findall(code.facts.text(handed.span))):
        if name not in own:
            yield Name(handed.span, name)


def spoken(call: Call, test: Test) -> frozenset[str]:
    """The words of a query and of the test on it."""
    parts = (*walk(call), *walk(test.value))
    said = {word for part in parts if isinstance(part, Name) for word in words(part.text)}
    said |= {word for part in parts if isinstance(part, Member | Call) for word in words(part.name)}
    return frozenset(said | {word for argument in call_arguments(call) for word in words(argument)})


def call_arguments(call: Call) -> Iterator[str]:
    for part in walk(call):
        if isinstance(part, Call):
            yield from (argument.name for argument in part.arguments if argument.name is not None)
