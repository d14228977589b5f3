"""Limits that keep a service up, and that nobody bought: rate limits, circuit breakers, probes after an outage."""

from rules.facts import Class, Expression, Facts, Function, Member, Name, Scope, chain, walk
from rules.meaning.vocabulary import words

BREAKERS = (("circuit", "breaker"), ("circuitbreaker",), ("breaker",), ("half", "open"))
THROTTLES = (
    ("rate", "limit"), ("rate", "limits"), ("rate", "limiter"), ("rate", "limiting"), ("ratelimit",), ("ratelimits",),
    ("ratelimiter",), ("throttle",), ("throttler",), ("throttling",), ("token", "bucket"), ("leaky", "bucket"), ("abuse",),
    ("brute", "force"), ("ddos",), ("antispam",), ("flood",),
)  # fmt: skip
SOLD = frozenset(
    "plan plans tier tiers subscription subscriptions credit credits balance balances quota quotas entitlement entitlements "
    "prepaid wallet monthly month budget spend usage billing package allowance included".split()
)
"""What a limit is called that somebody pays for, be it a rate."""
PLACES = 2
"""The file, and the folder that it lies in: further up stands the product."""


def keeps_up(facts: Facts, scope: Scope, *said: Expression) -> bool:
    """Whether a limit at a scope only protects the service. `said` are the operands that are compared."""
    names = tuple(filter(None, (*places(facts, scope), *(name for one in said for name in spoken(one)))))
    if any(marked(name, BREAKERS) for name in names):
        return True
    sold = {word for one in said for name in spoken(one) for word in words(name)} & SOLD
    return not sold and any(marked(name, THROTTLES) for name in names)


def places(facts: Facts, scope: Scope) -> tuple[str, ...]:
    """What the functions, classes and files around are called."""
    heads = (one.head.name for one in chain(scope) if isinstance(one.head, Function | Class))
    return (*heads, *facts.path.rsplit("/", PLACES)[-PLACES:])


def spoken(value: Expression) -> tuple[str, ...]:
    return tuple(part.text if isinstance(part, Name) else part.name for part in walk(value) if isinstance(part, Name | Member))


def marked(name: str, marks: tuple[tuple[str, ...], ...]) -> bool:
    """Whether the words of a mark stand in a name, side by side."""
    said = words(name)
    return any(said[at : at + len(mark)] == mark for mark in marks for at in range(len(said)))
