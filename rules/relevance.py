"""Which part a file has in metering, most important first: for whoever must choose what to show to a reader."""

from collections import Counter
from enum import IntEnum

from rules.answers.seen import Seen, functions, is_served
from rules.answers.transparency import SHOWN
from rules.code import Code
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.schema import looks_like_schema
from rules.tracing.digest import digest_of
from rules.tracing.sights import Kind


class Part(IntEnum):
    """In the order in which files are kept."""

    EMISSION = 0
    AGGREGATION = 1
    LIMITS = 2
    CUTOVER = 3
    DISPLAY = 4
    SCHEMA = 5
    OTHER = 6


KINDS = {
    Kind.EMIT: Part.EMISSION,
    Kind.COUNT: Part.EMISSION,
    Kind.INSERT: Part.EMISSION,
    Kind.DEFINE: Part.AGGREGATION,
    Kind.AGGREGATE: Part.AGGREGATION,
    Kind.GRANT: Part.AGGREGATION,
    Kind.LIMIT: Part.LIMITS,
    Kind.CHARGE: Part.CUTOVER,
}
TELLING = 10
"""A report to a provider counts as much as so many writes of the own store."""
CUTOVER = frozenset(
    "close period cutover rollover reset renew renewal finalize finalise proration prorate invoice cycle".split()
)


def part_of(seen: Seen, code: Code) -> tuple[Part, int]:
    """The most important part that a file has, and how often it shows it."""
    if not is_served(code) or (
        code.context(code.facts.root) is Context.SCRIPT and not any(one.direct for one in code.emissions)
    ):
        return Part.OTHER, 0
    found: Counter[Part] = Counter()
    for one in digest_of(code).sights if code.billing else ():
        if one.kind in KINDS:
            found[KINDS[one.kind]] += TELLING if one.kind is Kind.EMIT else 1
    found[Part.EMISSION] += sum(emission.certain for emission in code.emissions)
    names = {word for _, head in functions(code) for word in words(head.name)} | {*words(code.facts.path)}
    if code.billing and (names & CUTOVER or code.boundaries):
        found[Part.CUTOVER] += 1
    if (code.billing and code.context(code.facts.root) is Context.BROWSER) or names & SHOWN:
        found[Part.DISPLAY] += 1
    part = min((one for one, count in found.items() if count), default=Part.OTHER)
    return part, found[part]


def part_of_text(path: str) -> Part:
    """Of a file that is not read as code."""
    return Part.SCHEMA if looks_like_schema(path) else Part.OTHER
