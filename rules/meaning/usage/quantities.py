"""How much a report or a charge says was used: which of its values is the amount."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Expression, fold
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.requests import carried
from rules.meaning.vocabulary import words

QUANTITIES = frozenset(
    "quantity qty amount value units tokens count usage credits credit used cost total minutes seconds duration characters "
    "pages requests calls consumed spent points increment delta quota hours".split()
)
NOT_QUANTITIES = frozenset("id type name max limit currency key subscription price plan package code pack".split())


def is_quantity(name: str) -> bool:
    """`quantity`, `tokens_used`, `credits`; not `usage_type`, `creditPackage`, `max_tokens`."""
    said = frozenset(words(name))
    return bool(said & QUANTITIES) and not said & NOT_QUANTITIES


def given_quantities(code: Code, emission: Emission) -> Iterator[Expression]:
    """What a report is given as its amount, by the provider's name or by a name that says amount.

    Positional arguments of the project's own recorders are all given back: their names are not in view.
    """
    for _, value in named_quantities(code, emission):
        yield value
    if emission.record is None:
        yield from (argument.value for argument in emission.call.arguments if argument.name is None)


def named_quantities(code: Code, emission: Emission) -> Iterator[tuple[str, Expression]]:
    call = emission.call
    known = emission.record.quantity.names if emission.record and emission.record.quantity else ()
    for argument in call.arguments:
        named = [(argument.name, argument.value)] if argument.name is not None else []
        for name, value in (*named, *carried(code, argument.value, call.scope, call.span.start)):
            if fold(name) in known or is_quantity(name):
                yield name, value
