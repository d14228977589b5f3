"""What a counter is for: whether anybody is refused or charged by it, or it is only shown, sorted by and logged."""

import re

from rules.code import Code
from rules.facts import Class, Kind, Scope, enclosing, fold
from rules.meaning.vocabulary import BILLING_NOUNS, names_used, words
from rules.schema.tables import key
from rules.tracing.digest import digest_of
from rules.tracing.standing import graph_of

BALANCES = frozenset("credit credits quota quotas balance balances wallet prepaid allowance entitlement".split())
"""What is taken from is spent, as far as the name tells."""
STATISTICS = frozenset("lifetime total earned ever cumulative historical alltime".split())
"""What only ever grows beside a balance, for people to look at, unless something is seen to limit by it."""
METERED = (BILLING_NOUNS - {"usage", "usages"}) | frozenset(
    "requests minutes seats units calls generations storage period month monthly weekly daily today plan api".split()
)
OWNERS = frozenset("account subscription org organization team tenant workspace customer user users usage".split())
FEW = 5
"""So few files are no project: what they do not read is read elsewhere."""
VAGUE = frozenset(
    "count counter total value amount number current used usage uses requests tokens limit points input output prompt "
    "completion token".split()
)
"""Names that many tables have: a reader elsewhere may mean another one's."""
COMMON = 6
"""A name that so many things of a project have is as vague as these."""
OF_ONE_ANSWER = frozenset("input output prompt completion tokens token total count".split())
"""Every answer of a model has these: that one's are priced says nothing of another's."""
AMOUNTS = frozenset("total subtotal amount amounts due tax discount sum".split())
DOCUMENTS = frozenset("invoice invoices document documents order orders quote cart bill receipt payment payments line".split())
"""Their totals are amounts of one paper, and count nothing."""
ADMISSIONS = frozenset(
    "registered registration registrations signup signups enrolled enrollments admitted admissions rsvp rsvps waitlist".split()
)
"""What is counted where people are let in."""
SOLD = frozenset(
    "credit credits balance wallet plan plans tier tiers subscription subscriptions seat seats license licenses usage price "
    "prices paid payment payments billing invoice checkout ticket tickets fee fees entitlement entitlements stripe".split()
)
"""By one of these words a file speaks of something that somebody pays for."""
THROTTLES = (
    ("rate", "limit"), ("rate", "limits"), ("rate", "limiter"), ("ratelimit",), ("ratelimiter",), ("throttle",),
    ("token", "bucket"), ("leaky", "bucket"),
)  # fmt: skip


def at_stake(code: Code, name: str, holder: str, scope: Scope) -> bool | None:
    """Whether somebody is refused or charged by a counter. None where that is not known: a reader may lie elsewhere."""
    said = set(words(name))
    if throttles(code, holder, scope) or (said <= AMOUNTS and DOCUMENTS & set(words(holder))):
        return False
    if admits(code, name, holder):
        return False
    if is_weighed(code, name, holder):
        return True
    spent = bool(BALANCES & said) and not names_used(name)
    used = names_used(name) and bool(METERED & said or (METERED | OWNERS) & set(words(holder)))
    if STATISTICS & said or not (spent or used):
        return False if code.elsewhere.whole else None
    # The name alone is believed only where those who would read it may lie elsewhere.
    graph = graph_of(code)
    return graph is None or not code.elsewhere.whole or len(graph.digests) < FEW or None


def throttles(code: Code, holder: str, scope: Scope) -> bool:
    """A rate limit keeps a service up: what it miscounts in a minute is on nobody's bill."""
    around = enclosing(scope, Kind.CLASS)
    within = around.head.name if around is not None and isinstance(around.head, Class) else ""
    places = (holder, within, code.function_name(scope), code.facts.path.rsplit("/", 1)[-1])
    return any(set(mark) <= set(words(place)) for place in places for mark in THROTTLES)


def admits(code: Code, name: str, holder: str) -> bool:
    """A count of those who signed up, held to what an operator opened, in a file that speaks of nothing that is sold."""
    if not ADMISSIONS & set(words(name)) or SOLD & {*words(name), *words(holder)}:
        return False
    return not SOLD.intersection(words(" ".join(re.findall(r"\w+", source_without_comments(code)))))


def source_without_comments(code: Code) -> str:
    source = bytearray(code.facts.source)
    for one in code.facts.comments:
        source[one.span.start : one.span.end] = b" " * (one.span.end - one.span.start)
    return source.decode(errors="replace")


def is_weighed(code: Code, name: str, holder: str) -> bool:
    """Vague names count only where they are read in this file, or as a field of the same thing; those of an answer only so."""
    own = digest_of(code).weighed
    graph = graph_of(code)
    every = graph.weighed if graph is not None else own
    if fold(name) in own and not is_of_one_answer(name):
        return True
    table, said = key(holder), frozenset(words(name))
    holders = {one.partition(".")[0] for one in every if one.endswith(f".{fold(name)}")}
    common = bool(table) and len(holders) >= COMMON
    total = bool(STATISTICS & said) and not BALANCES & said
    if not said <= VAGUE and not (code.elsewhere.whole and (common or total)):
        return fold(name) in every
    return any(alike(one, table) for one in holders) if table else False


def is_of_one_answer(name: str) -> bool:
    """`output_tokens`, `prompt_tokens`, and no `total_tokens`, which an account may have, too."""
    said = frozenset(words(name))
    return said <= OF_ONE_ANSWER and bool(said & {"input", "output", "prompt", "completion"})


def alike(one: str, table: str) -> bool:
    """`usage.used` is read of a `TenantUsage`."""
    return len(one) > 3 and (table.endswith(key(one)) or key(one).endswith(table))
