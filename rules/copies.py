"""The same finding on a copy of a file under another folder is said once, in the main place, which names the copies.

Where a project holds an older state of itself, or two programs share a file by copying it, a reader mends or deletes them in
one go. A finding with a safe fix stays alone, since its fix is applied on its own.
"""

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import Function
from rules.project import Project
from rules.report import Reported, TracePoint
from rules.rule import Confidence
from rules.together import has_safe_fix

LAYOUT = re.compile(r"[\s()\"'`;]+|,(?=\s*[)\]}])")
"""What a formatter may change in a copy: its spaces, quotes, and parentheses that are not needed. Of the others none is told
from these, which is borne: who brackets anew and changes nothing else is not met."""
TAIL = 2
"""So many last parts of a path are the same, its name among them: every other folder has an `index.ts`. A file at the top of
the project, which has no more, is nobody's copy."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What makes findings of several files one: rule and variant, the end of the path, and the code without its layout."""

    rule: str
    variant: str | None
    audible: bool
    tail: tuple[str, ...]
    around: str
    description: str
    count: int = 0
    """The how-manieth of equal ones in its file it is."""


def said_once(found: Iterable[Reported], project: Project) -> list[Reported]:
    """The findings in their order, without those that stand in the copy of a file that has the same."""
    findings = list(found)
    families: dict[Copied, list[Reported]] = {}
    counts: Counter[tuple[str, Copied]] = Counter()
    for one in sorted(findings, key=lambda one: (one.path, one.line)):
        code = project.by_path.get(one.path)
        if code is not None and not has_safe_fix(one):
            family = copied(one, code)
            counts[one.path, family] += 1
            families.setdefault(replace(family, count=counts[one.path, family]), []).append(one)
    leads: dict[str, Reported] = {}
    gone: set[str] = set()
    for members in families.values():
        lead = min(members, key=lambda one: (one.path.count("/"), len(one.path), one.path))
        copies = [one for one in members if one is not lead]
        if copies:
            leads[lead.fingerprint] = naming(lead, copies)
            gone.update(one.fingerprint for one in copies)
    return [leads.get(one.fingerprint, one) for one in findings if one.fingerprint not in gone]


def copied(one: Reported, code: Code) -> Copied:
    audible = one.confidence != Confidence.POSSIBLE
    text, description = (LAYOUT.sub("", each) for each in (around(one, code), one.description))
    return Copied(one.rule, one.variant, audible, PurePosixPath(one.path).parts[-TAIL:], text, description)


def around(one: Reported, code: Code) -> str:
    """The function that it stands in, or the whole file."""
    functions = (scope.span for scope in code.facts.scopes if isinstance(scope.head, Function) and scope.head.name)
    holding = [span for span in functions if span.line <= one.line and one.end_line <= span.end_line]
    return code.facts.text(min(holding, key=lambda span: span.end - span.start, default=code.facts.root.span))


def naming(lead: Reported, copies: list[Reported]) -> Reported:
    where = f"in the copy `{copies[0].path}`" if len(copies) == 1 else f"in {len(copies)} copies of this file"
    return replace(
        lead,
        description=f"{lead.description} The same stands {where}.",
        trace=(*lead.trace, *(TracePoint(one.path, one.line, "the same in a copy of this file") for one in copies)),
    )
