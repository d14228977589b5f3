"""Where fields of money are reckoned with: added up, compared with another amount, or cut to whole units.

A binary float that is only carried from place to place is as good as what was stored; it goes wrong where it is reckoned with.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import (
    Binary,
    Branch,
    Call,
    Compare,
    Expression,
    Function,
    Index,
    Kind,
    Lambda,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Span,
    Template,
    Unary,
    dotted,
    enclosing,
    fold,
    outermost_function,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.money.drift import LIMITS, charges, writes
from rules.meaning.money.names import MONEY, money_name, spoken
from rules.meaning.subjects import name_around, only_shows
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words
from rules.schema.tables import key

ADDED = "it is added up"
COMPARED = "it is compared with another amount"
CUT = "it is cut to whole units"
CUTS = frozenset("floor trunc parseint int int64 int32 uint64 toi intval".split())
THROUGH = frozenset("float parsefloat number decimal str tof tod floatval double bigdecimal".split())
FROM_ITSELF = frozenset("doublevalue tof tod tonumber todouble".split())
AGGREGATES = frozenset("sum sumby sumof increment decrement sumasync".split())
CHANGES = frozenset("increment decrement".split())
IDENTIFIER = re.compile(r"[A-Za-z_]\w+")
FIGURES = frozenset("stats summary sales income list index overview export find search serialize".split())
"""Words of functions that only show what they add up."""
OWED = frozenset("payable due owed refundable charge bill invoice refund pay paid payment balance checkout debit".split())
ANYTHING = frozenset(
    "row item it self this record entry line each model document doc existing found db database prisma tx trx client session "
    "query builder aggregate update updatemany upsert select sum func repository repo where filter filterby groupby "
    "findoneandupdate updateone connection".split()
)
"""Names of rows that do not say of which table."""


@dataclass(frozen=True, slots=True, eq=False)
class Reckoning:
    """One field reckoned with at one place."""

    field: str
    """Folded."""
    how: str
    path: str
    span: Span
    holder: frozenset[str]
    """Names of what the field was taken from, each whole and by its last word, folded and in the singular."""
    named: frozenset[str]
    """Every name in the file, folded and in the singular."""

    def concerns(self, table: str) -> bool:
        """Whether the field may be a column of this table: its holder is named after it, or has a name that says nothing."""
        telling = {one for one in self.holder - ANYTHING if len(one) > 2}
        return bool(telling & nouns(table)) if telling else key(table) in self.named

    def is_of(self, table: str) -> bool:
        """Whether the field surely is a column of this table: its holder is named after it, and the file names it."""
        return bool(self.holder & nouns(table)) and (key(table) in self.named or key(table) in self.holder)


def nouns(name: str) -> frozenset[str]:
    """`walletTransactions` -> {wallettransaction, transaction}: a row is called after its table or its last word."""
    return frozenset({key(name), *map(key, words(name)[-1:])})


def reckonings_of(code: Code) -> tuple[Reckoning, ...]:
    """All of a file that production code runs and that is not about showing figures."""
    in_database = tuple(in_place(code))
    spoken_of = [one for one in (*in_database, *reckoned(code)) if money_name(one[0]) and not aside(code, one[-1])]
    found = [one for one in spoken_of if one in in_database or one[2] != ADDED or acts(code, one[-1])]
    if not found:
        return ()
    named = frozenset(key(word) for word in IDENTIFIER.findall(code.facts.source.decode(errors="replace")))
    return tuple(Reckoning(fold(field), how, code.facts.path, span, holder, named) for field, holder, how, span, _ in found)


def aside(code: Code, scope: Scope) -> bool:
    return code.context(scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER) or only_shows(code.facts, scope)


def acts(code: Code, scope: Scope) -> bool:
    """Whether a function does something with what it adds up: it writes, charges or refuses, or works out what is owed."""
    named = frozenset(words(name_around(scope)))
    if named & FIGURES:
        return False
    function = outermost_function(scope)
    wrote = any(writes(call) or charges(call.method) for call in code.calls_in(function) if call.method)
    refused = any(function is not None and within(one.scope, function) for one in code.facts.raises)
    return bool(named & OWED) or (function is not None and (wrote or refused))


Found = tuple[str, frozenset[str], str, Span, Scope]


def reckoned(code: Code) -> Iterator[Found]:
    for assign in code.facts.assigns:
        if assign.operator in ("+=", "-=") and assign.value is not None:
            for one in (*assign.targets, assign.value):
                for field, holder in fields(code, one, assign.scope):
                    yield field, holder, ADDED, assign.span, assign.scope
    for whole, scope in code.expressions:
        for part in walk(whole):
            if isinstance(part, Binary) and part.operator in ("+", "-"):
                yield from added(code, part, scope)
            elif isinstance(part, Compare) and part.operator in ("==", "!=", "<", ">", "<=", ">=") and not clamps(code, part):
                yield from compared(code, part, scope)
            elif isinstance(part, Object):
                yield from summed(code, part, scope)
    for call in code.facts.calls:
        yield from called(code, call)
    for statement in code.statements:
        for aggregate in statement.aggregates:
            if aggregate.function == "sum":
                for name in IDENTIFIER.findall(aggregate.argument):
                    yield name, frozenset(map(key, statement.tables)), ADDED, aggregate.span, statement.scope


def in_place(code: Code) -> Iterator[Found]:
    """What the database adds to a column: `{ balance: { increment: x } }`, `{ $inc: { balance: x } }`, `SET a = a + 1`."""
    for whole, scope in code.expressions:
        for part in walk(whole):
            for entry in part.entries if isinstance(part, Object) else ():
                inside = [one.name for one in entry.value.entries if one.name] if isinstance(entry.value, Object) else []
                if CHANGES & set(inside) and entry.name:
                    yield entry.name, asked(code, entry.span), ADDED, entry.span, scope
                for name in inside if entry.name == "$inc" else ():
                    yield name, asked(code, entry.span), ADDED, entry.span, scope
    for statement in code.statements:
        for name, value in statement.written.items():
            if re.search(rf"\b{re.escape(name)}\b\"?\s*\)?\s*[+-]", value):
                yield name, frozenset(map(key, statement.tables)), ADDED, statement.span, statement.scope


def added(code: Code, part: Binary, scope: Scope) -> Iterator[Found]:
    sides = (part.left, part.right)
    if any(isinstance(side, Template) or (isinstance(side, Literal) and isinstance(side.value, str)) for side in sides):
        return
    function = enclosing(scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    if isinstance(head, Function) and fold(head.passed_to).rsplit(".", 1)[-1] in ("sort", "tosorted", "sorted", "sortby"):
        return
    for side in sides:
        for field, holder in fields(code, side, scope):
            yield field, holder, ADDED, part.span, scope


def compared(code: Code, part: Compare, scope: Scope) -> Iterator[Found]:
    for side, other in ((part.left, part.right), (part.right, part.left)):
        if isinstance(other, Literal | Template) or dotted(other) in ("undefined", "nil", "null", "None"):
            continue
        for field, holder in fields(code, side, scope) if spoken(other) & (MONEY | LIMITS) else ():
            yield field, holder, COMPARED, part.span, scope


def clamps(code: Code, part: Compare) -> bool:
    """`if (fee > cap) fee = cap`: wherever the two differ by a hair, so does what comes out."""
    sides = [code.facts.text(part.left.span), code.facts.text(part.right.span)]
    return part.operator not in ("==", "!=") and any(
        one.operator == "=" and one.value is not None and len(one.targets) == 1
        and sorted((code.facts.text(one.targets[0].span), code.facts.text(one.value.span))) == sorted(sides)
        and isinstance(one.scope.head, Branch) and one.scope.head.test is not None and one.scope.head.test.span.holds(part.span)
        for one in code.facts.assigns
    )  # fmt: skip


def summed(code: Code, part: Object, scope: Scope) -> Iterator[Found]:
    """`{ _sum: { amount: true } }`."""
    for entry in part.entries:
        for one in entry.value.entries if entry.name == "_sum" and isinstance(entry.value, Object) else ():
            if one.name is not None:
                yield one.name, asked(code, entry.span), ADDED, entry.span, scope


def called(code: Code, call: Call) -> Iterator[Found]:
    last = fold(call.method)
    if last in AGGREGATES and call.arguments:
        first = call.arguments[0].value
        if isinstance(first, Literal) and isinstance(first.value, str):
            yield first.value.rsplit(".", 1)[-1], chained(call), ADDED, call.span, call.scope
        for inner in of_each(code, first):
            for field, holder in fields(code, inner, call.scope):
                yield field, holder, ADDED, call.span, call.scope
    if last in CUTS and call.arguments and isinstance(call.arguments[0].value, Binary):
        product = call.arguments[0].value
        for side in (product.left, product.right) if product.operator == "*" else ():
            for field, holder in fields(code, side, call.scope):
                yield field, holder, CUT, call.span, call.scope


def of_each(code: Code, given: Expression) -> tuple[Expression, ...]:
    """What is summed: the argument, what a lambda returns of each, or the item of a comprehension."""
    if isinstance(given, Lambda):
        return tuple(one.value for one in code.facts.returns if one.scope is given.scope and one.value is not None)
    return tuple(getattr(given, "items", ())) or (given,)


def fields(code: Code, part: Expression, scope: Scope) -> Iterator[tuple[str, frozenset[str]]]:
    """The field that an operand is, conversions and defaults peeled off, also behind a name that was given its value."""
    part = peeled(part)
    if isinstance(part, Member) and written_out(code, part.object, scope):
        return
    if isinstance(part, Name):
        for one in definitions_at(code.values, part.text, scope, part.span.start):
            if one.how == "part" and one.part:
                yield one.part, holder_of(one.value)
            elif one.how == "assign" and one.value is not None and not isinstance(peeled(one.value), Name):
                yield from own_field(peeled(one.value))
    else:
        yield from own_field(part)


def written_out(code: Code, holder: Expression, scope: Scope) -> bool:
    """Whether a row is an object that stands in the code, `discount = { minAmount: 1000 }`: no column is read there."""
    if not isinstance(holder, Name):
        return False
    values = [one.value for one in definitions_at(code.values, holder.text, scope, holder.span.start) if one.how != "part"]
    return any(isinstance(one, Object) for one in values) and all(
        isinstance(one, Object | Literal) or (one is not None and dotted(one) in ("undefined", "nil", "null", "None"))
        for one in values
    )


def own_field(part: Expression) -> Iterator[tuple[str, frozenset[str]]]:
    match part:
        case Member(object=holder, name=name):
            yield name, holder_of(holder)
        case Index(object=holder, key=Literal(value=str() as name)):
            yield name, holder_of(holder)
        case Call(arguments=(), method=name) if part.receiver is not None:
            yield re.sub(r"^get(?=[A-Z])", "", name), holder_of(part.receiver)
        case Call(method="get", arguments=(first, *_)) if isinstance(first.value, Literal) and part.receiver is not None:
            yield str(first.value.value), holder_of(part.receiver)


def peeled(part: Expression) -> Expression:
    while True:
        match part:
            case Call(arguments=(only,)) if fold(part.method) in THROUGH:
                part = only.value
            case Call(arguments=()) if fold(part.method) in FROM_ITSELF and part.receiver is not None:
                part = part.receiver
            case Logical(left=inner) | Unary(operator="-", value=inner):
                part = inner
            case _:
                return part


def holder_of(holder: Expression | None) -> frozenset[str]:
    """What a row is called: `invoice` of `invoice.amount`, `payment` of `order.payment.amount`."""
    while isinstance(holder, Index | Unary):
        holder = holder.object if isinstance(holder, Index) else holder.value
    text = holder.method if isinstance(holder, Call) else getattr(holder, "name", "") or getattr(holder, "text", "")
    return nouns(text) if text else frozenset()


def chained(call: Call) -> frozenset[str]:
    """The names before a method: `tenant.payments()` of `tenant.payments().sum("amount")`."""
    return frozenset(noun for part in re.findall(r"(?<![$\w])\w+", call.name)[:-1] for noun in nouns(part))


def asked(code: Code, part: Span) -> frozenset[str]:
    """The names in the innermost call that is given this part: `prisma.wallet` of `prisma.wallet.update({ … })`."""
    around = [
        call for call in code.facts.calls if call.span.holds(part) and any(one.span.holds(part) for one in call.arguments)
    ]
    return chained(min(around, key=lambda call: call.span.end - call.span.start)) if around else frozenset()
