"""Which names stand for money, and which for a figure that only looks like it."""

from rules.facts import Expression, Index, Literal, Member, Name, name_of, walk
from rules.meaning.vocabulary import words

MONEY = frozenset(
    "price prices amount amounts cost costs fee fees balance balances charge charges usd eur dollars spend spent revenue "
    "subtotal budget credit credits money payout invoice".split()
)
AMOUNTS = frozenset({"amount", "amounts", "balance", "charge"})
"""Words that are money beside a currency, and beside a unit or a metric an amount of anything."""
SUMS = frozenset("sum total agg aggregate value quantity units consumed usage".split())
SHOWN = frozenset("estimate estimated display displayed format formatted label text approx percent percentage ratio rate rates "
                  "str string log average avg".split())  # fmt: skip
UNITS = frozenset("micro micros cents cent nano nanos minor millis ms seconds bytes count counts tokens".split())
"""Words of numbers that are whole."""
WEIGHTS = frozenset("weight weights weighting score scores factor multiplier coefficient bias penalty".split())
"""`weight_cost` says how much a cost counts in a choice, and is none."""


def is_money(said: frozenset[str]) -> bool:
    return bool(said & MONEY) and not said & (UNITS | SHOWN | WEIGHTS)


def money_name(name: str) -> bool:
    return is_money(frozenset(words(name)))


def spoken(expression: Expression | None) -> frozenset[str]:
    """The words of the names, fields and keys in an expression."""
    said: set[str] = set()
    for part in walk(expression):
        if isinstance(part, Name | Member):
            said.update(words(name_of(part)))
        elif isinstance(part, Index) and isinstance(part.key, Literal):
            said.update(words(str(part.key.value)))
    return frozenset(said)
