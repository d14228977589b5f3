"""Section 5: how usage is summed, over which period, and what a part of a period costs."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from rules import providers
from rules.answers.seen import Said, Seen, at, functions, of_findings, surest
from rules.code import Code
from rules.facts import Literal, Object, fold, walk
from rules.meaning.arguments import given
from rules.meaning.times.periods import Boundary, Zone
from rules.meaning.times.ranges import ranges_of
from rules.meaning.vocabulary import names_counter, words
from rules.report import Evidence
from rules.rule import Confidence
from rules.tracing.sights import Kind, Sight

USAGE = frozenset(
    "usage usages meter meters metering metered consumption event events ledger credit credits token tokens quota".split()
)
FORMULA = frozenset("formula aggregation aggregationtype aggregationmethod".split())
TIME = re.compile(r"(_at|At|time|timestamp|date|day|_ts|ts|period\w*|created|recorded|occurred)$", re.I)
MOST_SHOWN = 4


def function(seen: Seen) -> Said | None:
    """What is summed or counted in queries, what meters are defined as, and counters that only run up."""
    found: dict[str, Evidence] = {}
    for code in seen.billing:
        for text, where in [*defined(code), *queried(code)]:
            found.setdefault(text, where)
    for one in seen.records:
        if one.kind is Kind.COUNT and " " not in one.name:
            found.setdefault(f"running counter `{counter(seen, one)}`", Evidence(one.path, one.line))
    if not found:
        return None
    shown = list(found)[:MOST_SHOWN]
    rest = f" and {len(found) - MOST_SHOWN} more" if len(found) > MOST_SHOWN else ""
    return Said("; ".join(shown) + rest, Confidence.LIKELY, tuple(dict.fromkeys(found[text] for text in shown)))


def defined(code: Code) -> Iterator[tuple[str, Evidence]]:
    """The formula of a meter that is created at a provider."""
    for call in code.facts.calls:
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is None or matched[1].role != "define":
            continue
        for value in given(code.values, call).named.values():
            for part in walk(value):
                for entry in part.entries if isinstance(part, Object) else ():
                    if fold(entry.name or "") in FORMULA and isinstance(entry.value, Literal):
                        yield f"`{entry.value.value}` of a {matched[0].name} meter", at(code, call.span)


def queried(code: Code) -> Iterator[tuple[str, Evidence]]:
    for one in code.statements:
        for aggregate in one.aggregates:
            about = {word for table in one.tables for word in words(table)}
            named = names_counter(aggregate.argument) or names_counter(aggregate.alias)
            if one.tables and (about & USAGE or named) and aggregate.function.lower() in SQL_SUMS:
                distinct = "distinct " if aggregate.distinct else ""
                argument = aggregate.argument or "*"
                yield (
                    f"`{aggregate.function.lower()}({distinct}{argument[:60]})` over `{one.tables[0]}`",
                    at(code, aggregate.span),
                )


SQL_SUMS = frozenset("sum count max uniq uniqexact argmax".split())


def counter(seen: Seen, one: Sight) -> str:
    """With its table, where that is one and not the name of a variable or a type."""
    return f"{one.owner}.{one.name}" if seen.is_table(one.owner) else one.name


def boundaries(seen: Seen) -> Said | None:
    """Zones of the boundaries that code makes, and the upper bounds of queries over time."""
    naive, inclusive = seen.named("naive-period-boundary"), seen.named("inclusive-period-end")
    zones = Counter(zone_of(code, one) for code in seen.billing for one in code.boundaries if one.end is None)
    uppers = [
        (code, one.upper)
        for code in seen.billing
        for one in ranges_of(code.bounds)
        if TIME.search(one.upper.column.split(".")[-1])
    ]
    open_ends = [(code, one) for code, one in uppers if one.operator == "<"]
    parts: list[str] = []
    if naive:
        parts.append("not in UTC: a boundary is made in local or naive time")
    elif zones and set(zones) <= {Zone.UTC}:
        parts.append("in UTC")
    elif zones[Zone.NAMED] and set(zones) <= {Zone.UTC, Zone.NAMED}:
        parts.append("in a named time zone")
    if inclusive:
        parts.append("not half-open: a period includes its end")
    elif uppers and len(open_ends) == len(uppers):
        parts.append("half-open")
    if not parts:
        return None
    wrong = [*naive, *inclusive]
    if wrong:
        return Said(", ".join(parts), surest(wrong), of_findings(wrong))
    where = (
        [at(code, one.span) for code in seen.billing for one in code.boundaries]
        if "UTC" in parts[0] or "zone" in parts[0]
        else []
    )
    where += [at(code, one.span) for code, one in open_ends] if "half-open" in parts else []
    missing = (
        "" if len(parts) > 1 else "; the ends are not visible" if "half-open" not in parts else "; the time zone is not visible"
    )
    return Said(", ".join(parts) + missing, Confidence.LIKELY, tuple(dict.fromkeys(where))[:5])


def zone_of(code: Code, boundary: Boundary) -> Zone:
    """A zone that is named may be UTC: `datetime.now(UTC)`, `startOf("month").tz("UTC")`."""
    named = boundary.zone is Zone.NAMED and re.search(r"\bUTC\b", code.facts.text(boundary.span), re.I)
    return Zone.UTC if named else boundary.zone


def proration(seen: Seen) -> Said | None:
    wrong = seen.named("proration-fixed-30")
    if wrong:
        return Said(f"no: {wrong[0].title[:1].lower()}{wrong[0].title[1:]}", surest(wrong), of_findings(wrong))
    for code in seen.billing:
        for call in code.facts.calls:
            for argument in call.arguments:
                for name, value in options(argument.name, argument.value):
                    if fold(name) in ("prorationbehavior", "prorationmode") and isinstance(value, Literal):
                        return Said(
                            f"left to the provider: `{name}: {value.value}`", Confidence.CERTAIN, (at(code, call.span),)
                        )
    own = [at(code, scope.span) for code in seen.billing for scope, head in functions(code) if "prorat" in fold(head.name)]
    return (
        Said("the code prorates itself, and nothing wrong is visible in it", Confidence.LIKELY, tuple(own[:5])) if own else None
    )


def options(name: str | None, value: object) -> Iterator[tuple[str, object]]:
    if name is not None:
        yield name, value
    for part in walk(value):  # type: ignore[arg-type]
        if isinstance(part, Object):
            yield from ((entry.name, entry.value) for entry in part.entries if entry.name is not None)


ANSWERS: Mapping[str, Callable[[Seen], Said | None]] = {"function": function, "boundaries": boundaries, "proration": proration}
