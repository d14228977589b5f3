"""Whether an amount is a whole number, of which nothing can be cut: `49`, `int(amount)`, a column of integers."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Conditional,
    Expression,
    Function,
    Index,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Unary,
    fold,
    name_of,
)
from rules.meaning.money.reckoning import nouns
from rules.meaning.values import definitions_at, resolved, root_of

HOPS = 4
MAKES_WHOLE = frozenset("int int64 int32 parseint intval trunc floor ceil len count toint tolong".split())
ROUNDS = frozenset({"round"})
"""With one argument: with two, cents are left."""
INTEGERS = re.compile(r"^(?:int(?:eger|32|64)?|i32|i64|u32|u64|long|bigint|Integer|Long)\??$")
INTEGER_COLUMN = re.compile(r"\b(?:(?:positive)?(?:big|small|tiny|medium)?int(?:eger)?\d*(?:field)?|serial)\b", re.I)
NO_FRACTION = re.compile(r"(?:numeric|decimal)\w*\s*\(\s*\d+\s*,\s*0\s*\)", re.I)
CONSTANT = re.compile(r"[A-Z][A-Z0-9_]{3,}")


def is_whole(code: Code, value: Expression | None, scope: Scope, hops: int = HOPS) -> bool:
    if value is None or not hops:
        return False
    match value:
        case Literal(value=said):
            return isinstance(said, int) and not isinstance(said, bool)
        case Unary(operator="-", value=inner):
            return is_whole(code, inner, scope, hops)
        case Binary(operator="+" | "-" | "*", left=left, right=right) | Logical(left=left, right=right):
            return is_whole(code, left, scope, hops) and is_whole(code, right, scope, hops)
        case Conditional(then=then, otherwise=otherwise):
            return is_whole(code, then, scope, hops) and is_whole(code, otherwise, scope, hops)
        case Call():
            return makes_whole(value)
        case Name():
            return named_whole(code, value, scope, hops)
        case Member() | Index():
            return column_whole(code, value) or listed_whole(code, value, scope) or constant_whole(code, name_of(value))
        case _:
            return False


def makes_whole(call: Call) -> bool:
    given = len([one for one in call.arguments if one.name is None])
    return fold(call.method) in MAKES_WHOLE or (fold(call.method) in ROUNDS and given == 1 and len(call.arguments) == 1)


def named_whole(code: Code, name: Name, scope: Scope, hops: int) -> bool:
    found = definitions_at(code.values, name.text, scope, name.span.start)
    if not found:
        return constant_whole(code, name.text)
    return all(
        is_whole(code, one.value, one.scope, hops - 1) if one.how == "assign" else
        one.how == "parameter" and isinstance(one.scope.head, Function) and any(
            each.name == name.text and INTEGERS.match(each.type.strip()) for each in one.scope.head.parameters
        )
        for one in found
    )  # fmt: skip


def column_whole(code: Code, field: Member | Index) -> bool:
    """Whether every table that the row may be of has the column without a fraction.

    `body.amount` is no column, whatever a table keeps under that name.
    """
    name, rows = fold(name_of(field)), nouns(name_of(field.object))
    kinds = [
        table.columns[name] for _, table in code.elsewhere.tables
        if name and table.columns.get(name) and rows & nouns(table.name)
    ]  # fmt: skip
    return bool(kinds) and all(INTEGER_COLUMN.search(kind) or NO_FRACTION.search(kind) for kind in kinds)


def listed_whole(code: Code, field: Member | Index, scope: Scope) -> bool:
    """`PACKS[size]["price"]` of `PACKS = {"small": {"price": 49}}`."""
    root = root_of(field)
    listed = resolved(code.values, root, scope, field.span.start) if isinstance(root, Name) else root
    if isinstance(listed, Member | Index) and isinstance(root_of(listed), Name):
        listed = resolved(code.values, root_of(listed), scope, field.span.start)
    key = field.name if isinstance(field, Member) else getattr(field.key, "value", None)
    found = [value for name, value in leaves_of(listed) if key is None or name == key] if isinstance(listed, Object) else []
    return bool(found) and all(isinstance(one, Literal) and is_whole(code, one, scope) for one in found)


def leaves_of(listed: Object) -> Iterator[tuple[str | None, Expression | None]]:
    for entry in listed.entries:
        if isinstance(entry.value, Object):
            yield from leaves_of(entry.value)
        else:
            yield entry.name, entry.value


def constant_whole(code: Code, name: str) -> bool:
    """`SETUP_FEE` of another file, wherever a number is given to that name."""
    if not CONSTANT.fullmatch(name):
        return False
    given = code.elsewhere.found(re.compile(rf"\b{name}\s*(?::[^=\n]+)?=\s*(\d[\d_]*(?:\.\d+)?)"))
    return bool(given) and not any("." in one for one in given)
