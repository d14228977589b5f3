"""What a counter is for: whether anybody is refused or charged by it, or it is only shown, sorted by and logged."""

from rules.code import Code
from rules.facts import Scope, fold
from rules.meaning.vocabulary import BILLING_NOUNS, names_used, words
from rules.schema.tables import key
from rules.tracing.digest import digest_of

BALANCES = frozenset("credit credits quota quotas balance balances wallet prepaid allowance entitlement".split())
"""What is taken from is spent: such a name needs no reader to say so."""
STATISTICS = frozenset("lifetime total earned ever cumulative historical alltime".split())
"""What only ever grows beside a balance, for people to look at, unless something is seen to limit by it."""
METERED = (BILLING_NOUNS - {"usage", "usages"}) | frozenset(
    "requests minutes seats units calls generations storage period month monthly weekly daily today plan api".split()
)
OWNERS = frozenset("account subscription org organization team tenant workspace customer user users usage".split())
VAGUE = frozenset("count counter total value amount number current used usage uses requests tokens limit points".split())
"""Names that many tables have: a reader elsewhere may mean another one's."""
THROTTLES = (("rate", "limit"), ("rate", "limits"), ("rate", "limiter"), ("ratelimit",), ("ratelimiter",), ("throttle",))


def at_stake(code: Code, name: str, holder: str, scope: Scope) -> bool | None:
    """Whether somebody is refused or charged by a counter. None where that is not known: a reader may lie elsewhere."""
    said = set(words(name))
    if throttles(code, holder, scope):
        return False
    if BALANCES & said and not STATISTICS & said and not names_used(name):
        return True
    if is_weighed(code, name, holder):
        return True
    paid = names_used(name) and not STATISTICS & said and bool(METERED & said or (METERED | OWNERS) & set(words(holder)))
    # Where all files are at hand and none reads it, a name is little; where they are not, it is all there is.
    return not code.elsewhere.whole or None if paid else None if not code.elsewhere.whole else False


def throttles(code: Code, holder: str, scope: Scope) -> bool:
    """A rate limit keeps a service up: what it miscounts in a minute is on nobody's bill."""
    places = (holder, code.function_name(scope), code.facts.path.rsplit("/", 1)[-1])
    return any(set(mark) <= set(words(place)) for place in places for mark in THROTTLES)


def is_weighed(code: Code, name: str, holder: str) -> bool:
    """Vague names count only where they are read in this file, or as a field of the same thing."""
    if fold(name) in digest_of(code).weighed:
        return True
    graph = code.elsewhere.trace.graph if code.elsewhere.trace is not None else None
    if graph is None:
        return False
    if frozenset(words(name)) <= VAGUE:
        return bool(holder) and f"{key(holder)}.{fold(name)}" in graph.weighed
    return fold(name) in graph.weighed
