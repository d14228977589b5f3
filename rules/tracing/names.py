"""The names of events as code gives them: texts, constants, defaults of the environment, and what a function is handed."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Class,
    Expression,
    Function,
    Literal,
    Member,
    Name,
    Object,
    Template,
    dotted,
    enclosing,
    fold,
)
from rules.facts import Kind as Around
from rules.meaning.arguments import given
from rules.meaning.naming import HOLE, text_of
from rules.meaning.usage.emissions import Emission, named_function
from rules.meaning.values import definitions_at

CONSTANT = 200


def sent_through(code: Code, emission: Emission) -> Iterator[tuple[Call, str]]:
    """The calls of the file's own function that sends, where they name the event that it is handed."""
    assert emission.record is not None
    function = named_function(emission.scope)
    name = function.head.name if function is not None and isinstance(function.head, Function) else ""
    for call in code.facts.calls if name else ():
        if call.method == name:
            value = given(code.values, call).first(tuple(map(fold, emission.record.event_name)))
            for text in named(code, value, call) if value is not None else ():
                yield call, text


def event_names(code: Code, emission: Emission) -> Iterator[str]:
    """The events' names; `$NAME` where a constant of another file holds it, with `*` for what is filled in."""
    assert emission.record is not None
    for event in emission.events:
        value = event.first(tuple(map(fold, emission.record.event_name)))
        if value is not None:
            yield from named(code, value, emission.call)


def named(code: Code, value: Expression, call: Call) -> Iterator[str]:
    """Every text that a value can be: a literal, either arm of a condition, a constant, a template."""
    text = text_of(code.values, value, call)
    if text:
        yield text
        return
    match value:
        case Name(text=name):
            found = definitions_at(code.values, name, call.scope, call.span.start)
            made_of = [one for one in found if one.how == "assign" and one.value is not None]
            if made_of:
                for one in made_of[:4]:
                    if isinstance(one.value, Literal) and isinstance(one.value.value, str):
                        yield one.value.value
                    elif one.value is not None and not isinstance(one.value, Name):
                        yield from named(code, one.value, call)
            elif not found:
                yield f"${code.facts.imports.get(name, name)}"
        case Member():
            if dotted(value).rsplit(".", 1)[0] and dotted(value).split(".")[0] not in code.values.definitions:
                yield f"${resolved_name(code, dotted(value))}"
            elif is_constant(dotted(value)):
                yield f"${dotted(value)}"
        case Template(parts=parts):
            yield "".join(str(part.value) if isinstance(part, Literal) else HOLE for part in parts)
        case Call() if value.arguments and fold(value.method) in ("string", "str", "getenv", "get", "ptr", "valueof"):
            yield from environment(value) or named(code, value.arguments[0].value, call)
        case _:
            for part in ("then", "otherwise", "left", "right"):
                inner = getattr(value, part, None)
                if inner is not None and not isinstance(value, Member):
                    yield from named(code, inner, call)


def environment(call: Call) -> list[str]:
    """`getenv("METER", "api_calls")`: the default is what the event is called where nothing is set."""
    if "env" not in call.folded:
        return []
    texts = [one.value.value for one in call.arguments if isinstance(one.value, Literal) and isinstance(one.value.value, str)]
    return [texts[-1] if len(texts) > 1 else f"${texts[0]}"] if texts else []


def is_constant(name: str) -> bool:
    last = name.rsplit(".", 1)[-1]
    return last.isupper() or name.split(".")[0][:1].isupper()


def resolved_name(code: Code, name: str) -> str:
    first, _, rest = name.partition(".")
    return f"{code.facts.imports.get(first, first)}.{rest}" if rest else code.facts.imports.get(first, first)


def constants_of(code: Code) -> Iterator[tuple[str, str]]:
    """Texts with a name: at the top of a file, in enums, in objects of constants, and defaults of environment variables."""
    count = 0
    for assign in code.facts.assigns:
        if count >= CONSTANT or assign.value is None or enclosing(assign.scope, Around.FUNCTION) is not None:
            continue
        holder = enclosing(assign.scope, Around.CLASS)
        before = f"{holder.head.name}." if holder is not None and isinstance(holder.head, Class) else ""
        for target in assign.targets:
            name = target.text if isinstance(target, Name) else target.name if isinstance(target, Member) else ""
            for path, text in texts_in(before + name, assign):
                count += 1
                yield path, text


def texts_in(name: str, assign: Assign) -> Iterator[tuple[str, str]]:
    waiting: list[tuple[str, Expression]] = [(name, assign.value)] if assign.value is not None and name else []
    while waiting:
        path, value = waiting.pop()
        match value:
            case Literal(value=str(text)) if 0 < len(text) <= 80:
                yield path, text
            case Object(entries=entries):
                waiting += [(f"{path}.{entry.name}", entry.value) for entry in entries if entry.name is not None]
            case Call() if found := environment(value):
                yield path, found[0]
            case _ if hasattr(value, "right") and isinstance(value.right, Literal):
                waiting.append((path, value.right))
