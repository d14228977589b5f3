"""Amounts in a unit of the project's own that is so small that a fraction of it is worth nothing."""

import re
from math import prod

from rules.code import Code
from rules.facts import Branch, Call, Compare, Kind, Literal, Name, Scope, enclosing, walk, within
from rules.meaning.vocabulary import words

PER_CURRENCY = re.compile(
    r"(?<![\w.])(\w+?_?per_?(?:unit|dollar|usd|euro|eur)\b[ \t]*(?::?[ \t]*\w+[ \t]*)?:?="
    r"[ \t]*[\d._e]+(?:[ \t]*\*[ \t]*[\d._e]+)*)",
    re.I,
)
"""How many of the project's units make one of the currency: `CreditsPerDollar = 250 * 800.0`."""
PRICES = frozenset("cost costs price prices amount amounts rate rates fee fees charge charges tariff".split())
"""What stands before `per` in a price, which says what one thing is worth and not how fine a unit is."""
FINE = 100_000
"""So many to one of the currency that a whole one is a thousandth of a cent at most."""


def cut_of_nothing(code: Code, cut: Call) -> bool:
    """Whether what a cut takes away is a part of so small a unit, and no use gets away with none of it: a minimum follows."""
    names = {one.text for one in cut.targets if isinstance(one, Name)}
    return any(is_fine_unit(code, name) and has_minimum(code, name, cut) for name in names)


def is_fine_unit(code: Code, name: str) -> bool:
    """By a constant whose name begins with what the amount's ends in: `creditsPerDollar` for `usedCredits`."""
    for constant in code.elsewhere.found(PER_CURRENCY):
        said, _, worth = constant.partition("=")
        unit = words(said)[: words(said).index("per")] if "per" in words(said) else ()
        if unit and unit[:1] == words(name)[-1:] and not PRICES & set(unit) and number(worth) >= FINE:
            return True
    return False


def number(product: str) -> float:
    try:
        return prod(float(factor.replace("_", "")) for factor in product.split("*"))
    except ValueError:
        return 0


def has_minimum(code: Code, name: str, cut: Call) -> bool:
    """`if quota <= 0 { quota = 1 }`, after the cut: before it, what is less than one still becomes nothing."""
    function = enclosing(cut.scope, Kind.FUNCTION)
    return function is not None and any(
        isinstance(assign.value, Literal)
        and isinstance(assign.value.value, int)
        and assign.value.value > 0
        and any(isinstance(one, Name) and one.text == name for one in assign.targets)
        and assign.span.start > cut.span.end
        and within(assign.scope, function)
        and asks_for_none(assign.scope, name)
        for assign in code.facts.assigns
    )


NONE_LEFT = frozenset({("<=", 0), ("==", 0), ("<", 1)})


def asks_for_none(branch: Scope, name: str) -> bool:
    """`< 0` asks for less than none, and leaves a nothing as it is."""
    test = branch.head.test if isinstance(branch.head, Branch) and branch.head.arm == "then" else None
    return any(
        isinstance(part, Compare)
        and isinstance(part.left, Name)
        and part.left.text == name
        and isinstance(part.right, Literal)
        and (part.operator, part.right.value) in NONE_LEFT
        for part in walk(test)
    )
