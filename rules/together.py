"""Several findings of one rule in one function that say the same become one: a reader mends them in one go.

So does a finding with that of another rule, which it gives way to, and whose trace leads up to it. One with a safe fix stays
alone, since its fix is applied on its own.
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
Pair = tuple[Said, Reported]
"""What a rule says, and how it is reported."""


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
    pairs = once(list(zip(said, findings, strict=True)))
    for one, finding in pairs:
        family = family_of(one, finding, code)
        if family is None:
            alone.add(finding.fingerprint)
        else:
            families.setdefault(family, []).append(finding)
    first = {one.fingerprint: one for family, members in families.items() for one in (joined(family, members),)}
    return tuple(
        first.get(finding.fingerprint, finding)
        for _, finding in pairs
        if finding.fingerprint in alone or finding.fingerprint in first
    )


def once(pairs: list[Pair]) -> list[Pair]:
    """Without those that a finding of a rule which they give way to leads up to: they are one defect, told at one place.

    That is the place of the better rule, unless the change touches only the other.
    """
    kept = dict(enumerate(pairs))
    for number, (one, lesser) in enumerate(pairs):
        for ahead, (other, better) in enumerate(pairs):
            if number not in kept or ahead not in kept or not leads_to(other, one):
                continue
            if has_safe_fix(lesser) or not alike(lesser, better):
                continue
            stays, goes = (ahead, number) if PLACES.index(better.place) <= PLACES.index(lesser.place) else (number, ahead)
            kept[stays] = (pairs[stays][0], with_place(kept[stays][1], pairs[goes][1]))
            del kept[goes]
    return list(kept.values())


def leads_to(other: Said, one: Said) -> bool:
    """Whether the trace of one finding points at what another, which gives way to it, is about."""
    cause = one.finding.cause or one.finding.span
    return other.rule.name in one.rule.about.gives_way_to and any(
        step.path is None and step.span == cause for step in other.finding.trace
    )


def alike(one: Reported, other: Reported) -> bool:
    """Whether both are new or neither, and both are said or neither."""
    unsaid = Confidence.POSSIBLE
    return one.state == other.state and (one.confidence == unsaid) == (other.confidence == unsaid)


def with_place(stays: Reported, goes: Reported) -> Reported:
    if goes.line in {stays.line, *(one.line for one in stays.trace if one.path == stays.path)}:
        return stays
    return replace(stays, trace=(*stays.trace, TracePoint(goes.path, goes.line, goes.title)))


def family_of(said: Said, finding: Reported, code: Code | None) -> Family | None:
    """None for what stands at the top of a file or in the text before the change: only a function or class holds together."""
    if code is None or said.finding.at_base or has_safe_fix(finding):
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


def has_safe_fix(finding: Reported) -> bool:
    return finding.fix is not None and finding.fix.safe


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
