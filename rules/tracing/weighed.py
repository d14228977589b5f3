"""By which fields a file refuses or charges: what it compares to decide, multiplies by a price, or sends as a quantity."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
    Compare,
    Entry,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Raise,
    Return,
    Scope,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.limits.limits import answers, is_zero, said_by
from rules.meaning.limits.machinery import SOLD
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import BILLING_NOUNS, names_left, names_limit, names_used, words

HOPS = 4
ORDERS = frozenset("< > <= >=".split())
PICKS = frozenset("filter sort sorted find findindex some every any all map reduce orderby sortby min max partition".split())
"""A comparison in a function that these are handed chooses among rows, and refuses nobody."""
PRICES = frozenset("price prices rate tariff cost fee cents multiplier".split())
OUTCOMES = frozenset("success acceptance accept error failure hit conversion completion win".split())
"""In the name of a rate: how often something went that way."""
QUALITIES = frozenset("confidence weight latency accuracy score".split())
"""In the name of what is worked out from a count, and counts nothing itself."""
FREE = frozenset("free trial trials pro premium paid basic starter anonymous guest demo".split())
"""In the name of a constant: how much whoever pays nothing, or so much, may use."""
COUNTED = BILLING_NOUNS | frozenset(
    "request requests call calls minute minutes seat seats unit units generation generations render renders message messages "
    "storage bytes period month monthly weekly daily today plan trial trials free".split()
)
WHOLE = frozenset("total expected".split())
SQL_COMPARED = re.compile(r"([\w.]+)\s*(?:[+-]\s*[\w.$:?()]+\s*)?(?:>=|<=|<(?![>@])|(?<![-=<])>)\s*([\w.]+)?")


def weighed_in(code: Code) -> frozenset[str]:
    """Folded names, each alone and with what it is a field of: `used`, `account.used`."""
    known = frozenset(map(fold, (*decided(code), *priced(code), *reported(code), *in_sql(code))))
    return known | frozenset(map(fold, carried(code, known)))


def carried(code: Code, known: frozenset[str]) -> Iterator[str]:
    """What is handed on under a name that is weighed: `{ count: row.daily_count, limit }`, `self.room = account.credits`.

    In an object only beside a limit: the same shape without one is how usage is shown.
    """
    for value, scope in code.expressions if known else ():
        for part in walk(value):
            if isinstance(part, Object) and any(bounds(one) for one in part.entries):
                for one in part.entries:
                    if one.name is not None and fold(one.name) in known:
                        yield from fields(code, one.value, scope, part.span.start)
    for assign in code.facts.assigns if known else ():
        if assign.value is not None and any(
            isinstance(one, Member) and fold(one.name) in known and not QUALITIES & set(words(one.name))
            for one in assign.targets
        ):
            yield from fields(code, assign.value, assign.scope, assign.span.start)


def bounds(entry: Entry) -> bool:
    """`limit: plan.limit`, and not `limit: null`: there is none."""
    none = isinstance(entry.value, Literal) and entry.value.value is None
    return entry.name is not None and names_limit(entry.name) and not none


def decided(code: Code) -> Iterator[str]:
    for value, scope in compared(code):
        for part in walk(value):
            if isinstance(part, Compare) and part.operator in ORDERS:
                yield from against(code, part, scope)


def compared(code: Code) -> Iterator[tuple[Expression, Scope]]:
    """The values that are answers, or tests after which a function is left, or that are named for a limit."""
    for one in answers(code.facts):
        if not picks(one.scope):
            yield one.value, one.scope
    for one in code.facts.tests:
        if one.then is None or ends_function(code, one.then) or names_allowed(one.value):
            yield one.value, one.scope
    for assign in code.facts.assigns:
        if assign.value is not None and names_allowed(assign.value):
            yield assign.value, assign.scope


def picks(scope: Scope) -> bool:
    function = enclosing(scope, Kind.FUNCTION)
    head = function.head if function is not None else None
    return isinstance(head, Function) and fold(head.passed_to).rsplit(".", 1)[-1] in PICKS


def ends_function(code: Code, branch: Scope) -> bool:
    exits: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    function = enclosing(branch, Kind.FUNCTION)
    return any(within(one.scope, branch) and enclosing(one.scope, Kind.FUNCTION) is function for one in exits)


def names_allowed(value: Expression) -> bool:
    """Whether one side is named as what is allowed: `const over = used >= plan.limit`."""
    return any(
        isinstance(part, Compare)
        and part.operator in ORDERS
        and any(names_limit(said_by(one)) for one in (part.left, part.right))
        for part in walk(value)
    )


def against(code: Code, part: Compare, scope: Scope) -> Iterator[str]:
    """The fields of one side that the other side does not have, too. Zero bounds what is left, and not what was used.

    A fixed number bounds only what is sold, and so does how many there are to do: `dismissed >= 3` and `imported >= total`
    are on nobody's plan.
    """
    sides = [frozenset(fields(code, one, scope, part.span.start)) for one in (part.left, part.right)]
    for side, own, other in ((sides[0] - sides[1], part.left, part.right), (sides[1] - sides[0], part.right, part.left)):
        if is_zero(other):
            yield from side if any(names_left(name.rpartition(".")[2]) for name in side) else ()
        elif not is_fixed(other) and not is_whole(other):
            yield from side
        elif not isinstance(own, Member) or is_sold(own.name):
            # What else the row of `row.count` holds is not what is compared.
            yield from filter(is_sold, side)


def is_fixed(value: Expression) -> bool:
    """A number of the code or its settings, the same for all: `8`, `settings.MAX_RETRIES`, and no `FREE_RENDERS`."""
    if isinstance(value, Literal):
        return True
    whole = value.text if isinstance(value, Name) else name_of(value) if isinstance(value, Member) else ""
    return whole.rpartition(".")[2].isupper() and not set(words(whole)) & (SOLD | FREE)


def is_whole(value: Expression) -> bool:
    """How many there are altogether, against which work in progress is held: `total_rows`, `expected`, and no `plan.total`."""
    said = set(words(name_of(value)))
    return bool(said & WHOLE) and not said & (SOLD | FREE) and not names_limit(said_by(value))


def is_sold(name: str) -> bool:
    """Whether a name alone says that what it counts is paid for or belongs to a plan."""
    field = name.rpartition(".")[2]
    return names_used(field) or names_left(field) or bool(set(words(field)) & COUNTED)


def priced(code: Code) -> Iterator[str]:
    """`minutes * pricePerMinute`, `used - included`, `limit - used`: multiplied by a price, or set off against a limit."""
    for value, scope in code.expressions:
        for part in walk(value):
            if isinstance(part, Binary) and part.operator == "*":
                for side, other in ((part.left, part.right), (part.right, part.left)):
                    if is_price(said_by(other)):
                        yield from fields(code, side, scope, part.span.start)
            elif isinstance(part, Binary) and part.operator == "-":
                for side, other in ((part.left, part.right), (part.right, part.left)):
                    if names_limit(said_by(other)):
                        yield from fields(code, side, scope, part.span.start)


def is_price(said: str) -> bool:
    """`pricePerMinute`, and no `successRate`: how often a thing went well costs nothing."""
    return bool(PRICES & set(words(said))) and not (OUTCOMES | {"average", "avg"}) & set(words(said))


def reported(code: Code) -> Iterator[str]:
    for emission in code.emissions:
        for argument in emission.call.arguments if emission.direct else ():
            yield from fields(code, argument.value, emission.scope, emission.call.span.start)


def fields(code: Code, value: Expression, scope: Scope, at: int, hops: int = HOPS) -> Iterator[str]:
    """The fields that a value comes from, followed through variables, and the variables themselves."""
    for part in walk(value):
        match part:
            case Member(object=holder, name=name) | Index(object=holder, key=Literal(value=str(name))):
                yield from (name, f"{name_of(holder)}.{name}")
            case Call():
                yield re.sub(r"^get(?=[A-Z_])", "", part.method)
                yield from (text for one in part.arguments[:1] if isinstance(text := getattr(one.value, "value", None), str))
            case Name(text=text):
                yield text
                for found in definitions_at(code.values, text, scope, at)[:3] if hops else ():
                    if found.part:
                        yield found.part
                    if found.value is not None and found.how in ("assign", "part", "change"):
                        yield from fields(code, found.value, found.scope, found.end, hops - 1)
            case _:
                pass


def in_sql(code: Code) -> Iterator[str]:
    """What a procedure compares: `IF v_used >= v_limit`, `WHERE used + amount <= quota`."""
    if code.facts.traits.statements_only:
        for both in SQL_COMPARED.findall(code.facts.text(code.facts.root.span)):
            yield from (re.sub(r"^[vp]?_(?=\w)|^v(?=[A-Z])", "", name.rpartition(".")[2]) for name in both)
