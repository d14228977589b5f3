"""Judges one text of one file: facts, meaning, then every rule."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import PurePosixPath

from rules.code import Code, Elsewhere, Nothing, OwnNames
from rules.facts import Facts, Kind, Span, enclosing
from rules.fingerprints import fingerprints, innermost
from rules.languages import UNREAD, front_end
from rules.languages.lowering import TooComplexError
from rules.meaning.samples import bills_nobody, is_library
from rules.meaning.unreached import never_runs
from rules.meaning.vocabulary import BILLING_EVIDENCE, WEAK_EVIDENCE
from rules.rule import Confidence, Finding, Rule
from rules.tracing.arms import never_matches
from rules.tracing.callers import set_beside
from rules.tracing.uncalled import uncalled
from rules.wording import as_written

SIZE = 512 * 1024
LINE = 20 * 1024
MEAN_LINE = 500
"""Bounds before parsing, measured: error recovery on garbage runs at seconds per megabyte."""

HEADER_LINES = 40
GENERATED = re.compile(r"^[ \t]*(?://|#|--|;|%|/\*+|\*)[ \t]*Code generated\b[^\n]{0,400}?\bDO NOT EDIT", re.M)
"""As https://go.dev/s/generatedcode has it. The author of a change can write it too, so such a file is named."""

WORK = frozenset(
    "completions.create completions().create chatcompletion completechat messages.create messages.stream images.generate "
    "embeddings.create .chat().create .images().create generatetext streamtext generateobject streamobject generatecontent "
    "replicate.run".split()
)
"""Calls of priced resources: a handler that only makes one may be the one that forgets to record it."""
RELEVANT = tuple(sorted(((BILLING_EVIDENCE | WEAK_EVIDENCE) - {"lago", "orb"}) | {"getlago", "withorb"} | WORK, key=len))


@dataclass(frozen=True, slots=True, eq=False)
class Said:
    """One finding with the rule that made it and its fingerprint."""

    rule: Rule
    finding: Finding
    fingerprint: str


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """One text judged. `code` is None where it was not read: `reason` says why, unless it cannot concern billing."""

    code: Code | None
    said: tuple[Said, ...] = ()
    reason: str | None = None
    failed: tuple[str, ...] = ()
    """Ids of rules that could not finish on it."""


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """What stands around a text: its code before the change, the lines of it that are gone, and the rest of the project."""

    code: Code | None = None
    deleted: frozenset[int] = frozenset()
    elsewhere: Elsewhere = Nothing()


def judge(
    path: str, text: str, rules: tuple[Rule, ...], names: OwnNames, identity: str, around: Around | None = None
) -> Judged:
    """`identity` is the path that goes into the fingerprints."""
    around = around or Around()
    lower = front_end(path)
    if lower is None:
        language = UNREAD.get(PurePosixPath(path).suffix.lower())
        return Judged(None, reason=f"{language} is not read yet" if language and may_concern_billing(text) else None)
    if (reason := out_of_bounds(path, text)) is not None:
        return Judged(None, reason=reason)
    if not may_concern_billing(f"{path}\n{text}"):
        return Judged(None)
    try:
        code = ready_code(path, around) or Code(
            lower(path, text.encode()), names, around.code, around.deleted, around.elsewhere
        )
    except TooComplexError as error:
        return Judged(None, reason=str(error))
    said: list[Said] = []
    failed: list[str] = []
    harmless = bills_nobody(code.facts)
    for rule in rules:
        try:
            findings = [as_written(code, one) for one in rule.check(code)]
        except Exception:  # noqa: BLE001  one rule that fails on one file costs just that, and the report names it
            failed.append(rule.about.id)
            continue
        unsure = harmless or (around.elsewhere.swept and not rule.about.unprompted)
        findings = [
            replace(finding, confidence=Confidence.POSSIBLE) if unsure or is_idle(code, finding) else finding
            for finding in findings
        ]
        prints = fingerprints(code, rule.about.id, identity, findings)
        said.extend(Said(rule, *pair) for pair in zip(findings, prints, strict=True))
    return Judged(code, tuple(one_per_cause(said)), failed=tuple(failed))


def is_idle(code: Code, finding: Finding) -> bool:
    """Whether it cannot be said that the finding bites: what is around it does not parse, never runs, or nothing calls it."""
    if in_broken(code, finding):
        return True
    if finding.confidence is Confidence.POSSIBLE or finding.at_base:
        return False
    scope = innermost(code, finding.span)
    unreached = never_runs(code.facts, scope, finding.span) or never_matches(code, scope)
    return unreached or set_beside(code) or uncalled(code, scope)


def in_broken(code: Code, finding: Finding) -> bool:
    """Whether what stands around a finding does not parse, so that its braces may close elsewhere than it seems."""
    facts = (code.base.facts if code.base is not None else None) if finding.at_base else code.facts
    if facts is None or not facts.broken or facts.traits.statements_only:
        return False
    bodies = bodies_of(facts)
    around = next((body for body in bodies if body.holds(finding.span)), None)
    if around is not None and any(around.holds(span) for span in facts.broken):
        return True
    # Outside of every function a brace is missing or too many: which function anything is in is then a guess.
    return any(not any(body.holds(span) for body in bodies) for span in facts.broken)


@lru_cache(maxsize=8)
def bodies_of(facts: Facts) -> tuple[Span, ...]:
    """The functions that stand in no other."""
    return tuple(
        scope.span for scope in facts.scopes if scope.kind is Kind.FUNCTION and enclosing(scope.parent, Kind.FUNCTION) is None
    )


def ready_code(path: str, around: Around) -> Code | None:
    """The project's code of the file, lowered once for the file itself and for those that look at it."""
    code = around.elsewhere.code_at(path)
    return code if code is not None and code.base is around.code and code.deleted == around.deleted else None


def may_concern_billing(text: str) -> bool:
    """A look at the words only: cheap, and wrong on the side of reading."""
    lowered = text.lower()
    return any(word in lowered for word in RELEVANT)


def out_of_bounds(path: str, text: str) -> str | None:
    """Why a text is not parsed, if it is not."""
    if len(text) > SIZE:
        return f"larger than {SIZE // 1024} kB"
    lines = text.split("\n")
    if max(map(len, lines)) > LINE:
        return f"has a line of more than {LINE // 1024} kB"
    if len(lines) > 0 and len(text) > 5_000 and len(text) / len(lines) > MEAN_LINE:
        return "minified"
    if GENERATED.search("\n".join(lines[:HEADER_LINES])):
        return "says that it is generated"
    if is_library(path, text):
        return "a library that was copied in"
    return None


def one_per_cause(said: list[Said]) -> Iterator[Said]:
    """Drops a finding where a rule that it gives way to speaks of the same call."""
    at: dict[Span, set[str]] = {}
    for one in said:
        at.setdefault(one.finding.cause or one.finding.span, set()).add(one.rule.name)
    for one in said:
        if not at[one.finding.cause or one.finding.span].intersection(one.rule.about.gives_way_to):
            yield one
