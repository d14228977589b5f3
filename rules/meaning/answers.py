"""What becomes of the answer of a call: dropped, passed on, or looked at, and which of its fields."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Expression, Kind, Name, Object, Scope, Sequence, Start, Use, enclosing, fold, within
from rules.meaning.outcomes import logs

FIELD = re.compile(r"[?!]?\.\s*(\w+)|\[\s*[\"'](\w+)[\"']\s*\]")
GET = re.compile(r"\.get\(\s*[\"'](\w+)[\"']")


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """How the code treats an answer. `names` are the variables that hold it or a part of it."""

    dropped: bool = False
    passed_on: bool = False
    """Returned, or given to another call that is no log line: what becomes of it then cannot be seen."""
    fields: frozenset[str] = frozenset()
    """Folded names of what is taken from it."""
    names: frozenset[str] = frozenset()


def answer_of(code: Code, call: Call) -> Answer:
    """`call` is the end of the promise chain: the one whose value is the answer."""
    match call.use:
        case Use.DISCARDED:
            return Answer(dropped=call.start in (Start.AWAITED, Start.PLAIN))
        case Use.ASSIGNED:
            return assigned(code, call)
        case Use.CHAINED:
            after = code.facts.source[call.span.end : call.span.end + 200].decode(errors="replace").lstrip(") \n\t")
            field = FIELD.match(after)
            return Answer(passed_on=True, fields=frozenset({fold(field[1] or field[2])} if field else set()))
        case Use.ARGUMENT:
            outer = code.outer.get(id(call))
            only_logged = outer is not None and logs(outer)
            return Answer(dropped=only_logged, passed_on=not only_logged)
        case _:
            return Answer(passed_on=True)


def assigned(code: Code, call: Call) -> Answer:
    target = call.targets[0] if call.targets else None
    if isinstance(target, Object):
        taken = frozenset(fold(entry.name) for entry in target.entries if entry.name is not None)
        return Answer(fields=taken, passed_on=not target.complete)
    if isinstance(target, Sequence) and target.items:
        target = target.items[0]
    if not isinstance(target, Name):
        return Answer(passed_on=target is not None)
    if target.text == "_":
        return Answer(dropped=True)
    return followed(code, call, target.text)


def followed(code: Code, call: Call, name: str) -> Answer:
    """What is taken from a variable after the call, also by way of others that are set from it."""
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE)
    assert function is not None
    text = read_text(code, function, call)
    names = {name, *derived(code, function, call, name)}
    fields = {fold(field) for one in names for field in taken(text, one)}
    bare = any(passes(code, function, call, one) for one in names)
    unread = not fields and not bare and not re.search(rf"\b{re.escape(name)}\b", text)
    return Answer(unread, bare, frozenset(fields), frozenset(names))


def read_text(code: Code, function: Scope, call: Call) -> str:
    """The function's source after the call, without comments and log lines."""
    source = bytearray(code.facts.source)
    hidden = [comment.span for comment in code.facts.comments] + [one.span for one in code.facts.calls if logs(one)]
    for span in hidden:
        if call.span.end <= span.start:
            source[span.start : span.end] = b" " * (span.end - span.start)
    return source[call.span.end : function.span.end].decode(errors="replace")


def derived(code: Code, function: Scope, call: Call, name: str) -> Iterator[str]:
    """Variables that are set from the answer: `const body = await response.json()`, `const { Failed } = out`."""
    known = {name}
    for assign in code.facts.assigns:
        if assign.span.start < call.span.end or assign.value is None or not within(assign.scope, function):
            continue
        text = code.facts.text(assign.value.span)
        if any(re.search(rf"\b{re.escape(one)}\b", text) for one in known):
            for target in assign.targets:
                for found in set_names(target):
                    known.add(found)
                    yield found


def set_names(target: Expression) -> Iterator[str]:
    match target:
        case Name(text=text):
            yield text
        case Object(entries=entries):
            yield from (entry.name for entry in entries if entry.name is not None)
        case Sequence(items=items):
            for item in items:
                yield from set_names(item)
        case _:
            return


def taken(text: str, name: str) -> Iterator[str]:
    for place in re.finditer(rf"(?<![\w.]){re.escape(name)}\b", text):
        yield name
        rest = text[place.end() : place.end() + 120]
        while (field := GET.match(rest) or FIELD.match(rest)) is not None:
            yield next(group for group in field.groups() if group)
            rest = rest[field.end() :]


def passes(code: Code, function: Scope, call: Call, name: str) -> bool:
    """Whether the variable itself is returned or given to another call."""
    given = (
        argument.value
        for one in code.facts.calls
        if one.span.start > call.span.start and within(one.scope, function) and not logs(one)
        for argument in one.arguments
    )
    returned = (one.value for one in code.facts.returns if one.span.start > call.span.start and within(one.scope, function))
    return any(isinstance(value, Name) and value.text == name for value in (*given, *returned))


def mentions_field(code: Code, fields: tuple[str, ...]) -> bool:
    """Whether the file names one of these fields anywhere, as a member, a key or a destructured part."""
    text = fold(code.facts.source.decode(errors="replace"))
    return any(re.search(rf"[.\"'{{,\s(\[]{re.escape(field)}\b", text) for field in fields)
