"""What a piece of code is about, by the words around it."""

import re

from rules.facts import Facts, Kind, Scope, chain, enclosing
from rules.meaning.vocabulary import words

BILLED = frozenset(
    "usage usages billing billable billed bill quota quotas credits credit invoice invoices invoicing overage metering metered "
    "meter meters entitlement entitlements consumption spend subscription subscriptions plan plans charge charges".split()
)
"""Words that say that what is counted here is paid for or limited."""
STRICT = BILLED - frozenset("subscription subscriptions plan plans charge charges bill credit meter meters".split())
WEAK = BILLED | frozenset(
    "metric metrics counter counters quantity customer tenant price tariff rating tokens units renew renewal recurring".split()
)
"""Words of which two together say the same."""
PERIODS = frozenset(
    "period periods cycle cycles month monthly day daily billing reset renew renewal renews quota usage invoice anchor bucket "
    "window year yearly annual week weekly limit limits subscription next start end".split()
)
SHOWN = frozenset("chart charts dashboard display format formatted label labels report reports stats statistics analytics "
                  "trend trends history revenue export csv overview insights growth widget".split())  # fmt: skip
"""Words of code that only shows figures."""


def spoken_in(facts: Facts, scope: Scope) -> frozenset[str]:
    """The words of the function around a scope; of the outermost one for a closure, of the path for code at the top."""
    functions = [one for one in chain(scope) if one.kind is Kind.FUNCTION]
    outermost = functions[-1] if functions else None
    text = facts.text(outermost.span) if outermost is not None else facts.path
    named = getattr(outermost.head, "name", "") if outermost is not None else ""
    return frozenset(words(text)) | frozenset(words(named))


def bills(facts: Facts, scope: Scope) -> bool:
    """Whether a function speaks of paid or limited usage: in its own words, or its file's path and one weaker word."""
    said = spoken_in(facts, scope)
    place = frozenset(words(re.sub(r"^.*/(?=[^/]+/[^/]+$)", "", facts.path)))
    return bool(said & STRICT) or len(said & WEAK) > 1 or bool(place & BILLED and said & (BILLED | PERIODS))


def name_around(scope: Scope) -> str:
    """The name of the nearest named function, empty at the top."""
    function = enclosing(scope, Kind.FUNCTION)
    while function is not None:
        name = getattr(function.head, "name", "")
        if name:
            return str(name)
        function = enclosing(function.parent, Kind.FUNCTION)
    return ""


def only_shows(facts: Facts, scope: Scope) -> bool:
    """Whether the names around a scope say that its figures are looked at, not charged."""
    said = frozenset(words(name_around(scope))) | frozenset(words("/".join(facts.path.split("/")[-3:])))
    return bool(said & SHOWN)
