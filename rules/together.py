"""Several findings of one rule in one function that say the same become one: a reader mends them in one go.

A finding with a safe fix stays alone, since its fix is applied on its own.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rules.code import Code
from rules.facts import Class, Function, Kind, enclosing
from rules.fingerprints import innermost
from rules.judge import Said
from rules.report import Place, Reported, State, TracePoint
from rules.rule import Confidence

NAMED = re.compile(r"`[^`]*`")
PLACES: tuple[Place, ...] = ("changed_line", "changed_file", "elsewhere")


@dataclass(frozen=True, slots=True)
class Family:
    """What makes findings one: rule and form, the function or class around them, and the message but for its names."""

    rule: str
    variant: str | None
    symbol: str
    start: int
    """Where the symbol begins: two may have one name."""
    message: str
    state: State
    audible: bool


def together(said: Sequence[Said], findings: Sequence[Reported], code: Code | None) -> tuple[Reported, ...]:
    """The findings in their order, with those of a family in their first: its own fingerprint, the others as trace.

    `said` and `findings` are the same findings, pair by pair. The first is one on a changed line, if there is one.
    """
    families: dict[Family, list[Reported]] = {}
    alone: set[str] = set()
    for one, finding in zip(said, findings, strict=True):
        family = family_of(one, finding, code)
        if family is None:
            alone.add(finding.fingerprint)
        else:
            families.setdefault(family, []).append(finding)
    first = {one.fingerprint: one for family, members in families.items() for one in (joined(family, members),)}
    return tuple(
        first.get(finding.fingerprint, finding)
        for finding in findings
        if finding.fingerprint in alone or finding.fingerprint in first
    )


def family_of(said: Said, finding: Reported, code: Code | None) -> Family | None:
    """None for what stands at the top of a file or in the text before the change: only a function or class holds together."""
    if code is None or said.finding.at_base or (finding.fix is not None and finding.fix.safe):
        return None
    holder = enclosing(innermost(code, said.finding.span), Kind.FUNCTION, Kind.CLASS)
    while holder is not None and isinstance(holder.head, Function) and not holder.head.name:
        holder = enclosing(holder.parent, Kind.FUNCTION, Kind.CLASS)
    if holder is None or not isinstance(holder.head, Function | Class):
        return None
    return Family(
        finding.rule,
        finding.variant,
        holder.head.name,
        holder.span.start,
        NAMED.sub("", finding.description),
        finding.state,
        finding.confidence != Confidence.POSSIBLE,
    )


def joined(family: Family, members: list[Reported]) -> Reported:
    lead = min(members, key=lambda one: (PLACES.index(one.place), Confidence(one.confidence).rank, one.line))
    others = sorted((one for one in members if one is not lead), key=lambda one: one.line)
    if not others:
        return lead
    many = "once more" if len(others) == 1 else f"{len(others)} more times"
    return replace(
        lead,
        description=f"{lead.description} The same stands {many} in `{family.symbol}`.",
        trace=(*lead.trace, *(TracePoint(one.path, one.line, "the same here") for one in others)),
    )
