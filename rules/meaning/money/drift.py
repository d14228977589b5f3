"""What becomes of a binary float that was added up: only some ends of it make an amount wrong.

A sum that is rounded, shown or logged is right to the last digit anybody sees. It goes wrong where it is kept unrounded, cut to
whole units, or compared with another amount.
"""

import re
from collections.abc import Iterator
from itertools import pairwise

from rules.code import Code
from rules.facts import (
    Assign,
    Binary,
    Call,
    Compare,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    chain,
    dotted,
    enclosing,
    fold,
    parts,
    within,
)
from rules.meaning.money.names import MONEY, spoken
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words

STORES = frozenset("update insert create save hset execute upsert updateone insertone exec query insertmany".split())
WRITES = STORES | frozenset("values put flush commit savechanges persist".split())
FILLS = frozenset("set values put add push append".split())
CHARGES = frozenset("charge bill invoice debit deduct pay refund consume spend transfer credit".split())
MAKES = frozenset("create make issue process".split())
CHARGED = frozenset("charge charges invoice payment refund transfer payout".split())
ROUNDS = frozenset("round tofixed quantize ceil roundbank format toprecision numberformat rounddp sprintf".split())
CUTS = frozenset("int int64 int32 uint64 floor trunc parseint toint tolong".split())
LIMITS = frozenset("limit max cap budget threshold allowance quota remaining".split())
ANSWERS = frozenset(
    "response result results res resp summary stats output dto view context report body json log logger".split()
)
WRITTEN = MONEY | {"total", "sum", "quantity"}
EXACT = re.compile(r"(?:numeric|decimal)\w*\s*\((?:[^)]*max_digits\s*=\s*)?(\d+)")
DIGITS = 15
"""As many decimal digits survive in a double: a column of no more rounds the error away with each write."""
HOPS = 2
Path = tuple[Expression, ...]


def goes_wrong(code: Code, name: str, scope: Scope, hops: int = HOPS) -> bool:
    """Whether a float that a function holds under a name is kept unrounded, cut, charged or compared."""
    function = enclosing(scope, Kind.FUNCTION)
    if function is None:
        return False
    for whole, place in code.expressions:
        if not within(place, function):
            continue
        for inside in paths_to(whole, name, ()):
            path = (*given_to(code, whole), *inside)
            rounded = any(isinstance(one, Call) and fold(one.method) in ROUNDS for one in path)
            if not rounded and ends_badly(code, path):
                return True
    return followed(code, name, function, hops)


def given_to(code: Code, whole: Expression) -> Path:
    """The call that an outermost expression is an argument of, if it is one."""
    return tuple(call for call in code.facts.calls if any(one.value is whole for one in call.arguments))[:1]


def paths_to(part: Expression, name: str, above: Path) -> Iterator[Path]:
    """The expressions from the outermost to each use of a name."""
    if isinstance(part, Name) and part.text == name:
        yield (*above, part)
    for inner in parts(part):
        yield from paths_to(inner, name, (*above, part))


def ends_badly(code: Code, path: Path) -> bool:
    for outer, inner in pairwise(path):
        if isinstance(outer, Compare) and outer.operator in ("==", "!=", "<", ">", "<=", ">="):
            other = outer.right if outer.left is inner else outer.left
            return bool(spoken(other) & (MONEY | LIMITS))
        if isinstance(outer, Call):
            if fold(outer.method) in CUTS:
                return True
            if inner is outer.callee:
                continue
            if stores(outer, inner) or charges(outer.method):
                kept = rounded_away(code, path) or written_fixed(code, outer)
                return not spoken(outer.callee) & ANSWERS and not kept
    return False


def stores(call: Call, given: Expression) -> bool:
    """Whether a call writes a row; `set` and `add` do where they are given its fields, else they fill a collection."""
    last = fold(call.method)
    return "." in call.name and (last in STORES or (last in FILLS and isinstance(given, Object)))


def charges(method: str) -> bool:
    """`chargeCustomer`, `deduct_credits`, `createInvoice`."""
    said = words(method)
    return bool(said) and (said[0] in CHARGES or (said[0] in MAKES and bool(CHARGED & set(said[1:]))))


def rounded_away(code: Code, path: Path) -> bool:
    """Whether the column that the value goes to keeps fewer digits than a float has right."""
    fields = [
        entry.name for one, inner in pairwise(path) if isinstance(one, Object)
        for entry in one.entries if entry.value is inner and entry.name
    ]  # fmt: skip
    return bool(fields) and is_fixed(code, fields[-1])


def written_fixed(code: Code, call: Call) -> bool:
    """Whether the statement that a call runs writes money to columns of few digits only."""
    first = call.arguments[0].value if call.arguments else None
    text = resolved(code.values, first, call.scope, call.span.start) if first is not None else None
    for one in code.statements:
        run = one.call is call or (text is not None and text.span.holds(one.span))
        if run and one.kind in ("insert", "update"):
            named = set(one.written) | {str(part.name) for part in getattr(one.tree.this, "expressions", ())}
            money = [name for name in named if frozenset(words(name)) & WRITTEN]
            return bool(money) and all(is_fixed(code, name) for name in money)
    return False


def is_fixed(code: Code, column: str) -> bool:
    """Whether every table that has this column has it as a decimal of few digits."""
    kinds = [table.columns[fold(column)] for _, table in code.elsewhere.tables if table.columns.get(fold(column))]
    return bool(kinds) and all(
        (found := EXACT.search(kind)) is not None and int(found[1]) <= DIGITS
        for kind in kinds
    )  # fmt: skip


def followed(code: Code, name: str, function: Scope, hops: int) -> bool:
    """The value under the next name: another variable, a field of a row, what a caller in the file makes of the result."""
    for assign in code.facts.assigns:
        if not within(assign.scope, function) or assign.value is None or assign.operator != "=":
            continue
        if any(carries(path) for path in paths_to(assign.value, name, ())) and taken(code, assign, name, hops):
            return True
    if not hops or not any(
        carries(path) for one in code.facts.returns if within(one.scope, function) and one.value is not None
        for path in paths_to(one.value, name, ())
    ):  # fmt: skip
        return False
    head = function.head
    own = head.name if isinstance(head, Function) else ""
    return any(
        goes_wrong(code, target.text, call.scope, hops - 1)
        for call in code.facts.calls if own and call.method == own and not within(call.scope, function)
        for target in call.targets if isinstance(target, Name)
    )  # fmt: skip


def carries(path: Path) -> bool:
    """Whether the value goes on as it is: through arithmetic, a text of it, an object that holds it."""
    plain = (Name, Binary, Object, Member)
    return all(isinstance(one, plain) or fold(getattr(one, "method", "")) in ("tostring", "str", "string") for one in path)


def taken(code: Code, assign: Assign, name: str, hops: int) -> bool:
    for target in assign.targets:
        if isinstance(target, Name) and target.text != name and hops:
            if goes_wrong(code, target.text, assign.scope, hops - 1):
                return True
        elif isinstance(target, Member | Index):
            field = target.name if isinstance(target, Member) else str(getattr(target.key, "value", ""))
            root = frozenset(words(dotted(target.object)))
            if not root & ANSWERS and field and not is_fixed(code, field) and saved(code, assign):
                return True
    return False


def saved(code: Code, assign: Assign) -> bool:
    """Whether the function writes rows: otherwise a field that is set may be one of an answer."""
    function = enclosing(assign.scope, Kind.FUNCTION)
    return function is not None and any(writes(call) for call in code.calls_in(function))


def writes(call: Call) -> bool:
    return "." in call.name and fold(call.method) in WRITES


def is_exact(code: Code, value: Expression, scope: Scope) -> bool:
    """Whether a value is a decimal for sure: it was made as one, is annotated as one, or comes out of such a column."""
    for part in every(code, value, scope):
        if isinstance(part, Call) and fold(part.method) in ("decimal", "bigdecimal", "tobigdecimal", "money"):
            return True
        field = part.name if isinstance(part, Member) and not code.facts.traits.inexact_products else ""
        kinds = [table.columns[fold(field)] for _, table in code.elsewhere.tables if field and table.columns.get(fold(field))]
        if kinds and all(re.search(r"numeric|decimal|integer|bigint", kind) for kind in kinds):
            return True
        if isinstance(part, Name) and any(
            isinstance(one.head, Function) and any(p.name == part.text and "ecimal" in p.type for p in one.head.parameters)
            for one in chain(scope)
        ):
            return True
    return False


def every(code: Code, value: Expression, scope: Scope) -> Iterator[Expression]:
    """The parts of a value, and of what its names were given."""
    waiting: list[Expression] = [value]
    known: set[str] = set()
    while waiting:
        part = waiting.pop()
        yield part
        waiting.extend(parts(part))
        if isinstance(part, Name) and part.text not in known:
            known.add(part.text)
            function = enclosing(scope, Kind.FUNCTION)
            waiting.extend(
                one.value for one in code.values.definitions.get(part.text, ())
                if one.how == "assign" and one.value is not None and enclosing(one.scope, Kind.FUNCTION) is function
            )  # fmt: skip


def number(value: Expression) -> float | None:
    """A number that is written out, products included: `60 * 60 * 24`."""
    if isinstance(value, Literal) and isinstance(value.value, int | float) and not isinstance(value.value, bool):
        return float(value.value)
    if isinstance(value, Binary) and value.operator == "*":
        left, right = number(value.left), number(value.right)
        return left * right if left is not None and right is not None else None
    return None
