"""Turns what rules said about a file into entries of the report: lines, columns, evidence, whole-line edits."""

from bisect import bisect_right

from rules.change import ChangedFile
from rules.facts import Span
from rules.judge import Said
from rules.options import Options
from rules.report import LineEdit, Place, Reported, State, Suggestion, TracePoint
from rules.rule import Edit, Fix, Severity, Step

EVIDENCE_LINES = 12


class Lines:
    """A text by lines and bytes."""

    def __init__(self, text: str) -> None:
        self.source = text.encode()
        self.lines = self.source.split(b"\n")
        self.starts = [0]
        for line in self.lines:
            self.starts.append(self.starts[-1] + len(line) + 1)

    def line_of(self, offset: int) -> int:
        return bisect_right(self.starts, offset)

    def column(self, offset: int) -> int:
        """1-based, in code points."""
        start = self.starts[self.line_of(offset) - 1]
        return len(self.source[start:offset].decode(errors="replace")) + 1

    def between(self, first: int, last: int) -> str:
        return b"\n".join(self.lines[first - 1 : last]).decode(errors="replace")


def reported(said: Said, file: ChangedFile, texts: tuple[Lines, Lines], state: State, options: Options) -> Reported:
    """One finding as the report has it; `texts` are head and base. Where it is shown is decided later, over all of them."""
    finding, about = said.finding, said.rule.about
    lines = texts[finding.at_base]
    variant = about.variants.get(finding.variant) if finding.variant else None
    span = finding.span
    last = max(span.start, span.end - 1)
    return Reported(
        rule=about.id,
        name=said.rule.name,
        variant=finding.variant,
        title=variant.title if variant else about.title,
        section=said.rule.section,
        classes=(variant.classes if variant else ()) or about.classes,
        severity=severity(said, options),
        confidence=finding.confidence.value,
        classification=((variant.classification if variant else None) or about.classification).value,
        path=file.path,
        side="left" if finding.at_base else "right",
        line=span.line,
        end_line=lines.line_of(last),
        column=lines.column(span.start),
        end_column=lines.column(last),
        evidence=lines.between(span.line, min(lines.line_of(last), span.line + EVIDENCE_LINES - 1)),
        description=finding.description,
        remediation=finding.remediation,
        trace=tuple(point(step, file.path) for step in finding.trace),
        fix=suggestion(finding.fix, file.path, lines) if finding.fix else None,
        cwe=(variant.cwe if variant else ()) or about.cwe,
        iso_25010=about.iso_25010,
        help=f"{options.help_url}/{about.id}" if options.help_url else None,
        fingerprint=said.fingerprint,
        state=state,
        place=place(span, file, finding.at_base),
        shown="count",
    )


def severity(said: Said, options: Options) -> str:
    """The configuration's word beats the finding's, the finding's the variant's, the variant's the rule's."""
    configured = options.rules.get(said.rule.about.id)
    if isinstance(configured, Severity):
        return configured.value
    variant = said.rule.about.variants.get(said.finding.variant or "")
    own = said.finding.severity or (variant.severity if variant else None) or said.rule.about.severity
    return own.value


def point(step: Step, path: str) -> TracePoint:
    return TracePoint(step.path or path, step.span.line, step.note)


def place(span: Span, file: ChangedFile, at_base: bool) -> Place:
    """On a changed line if any of its lines is one."""
    changed = file.deleted if at_base else file.added
    if any(span.line <= line <= span.end_line for line in changed):
        return "changed_line"
    return "changed_file" if file.hunks else "elsewhere"


def suggestion(fix: Fix, path: str, lines: Lines) -> Suggestion:
    """Byte edits as replacements of whole lines; edits on touching lines become one."""
    groups: list[tuple[int, int, list[Edit]]] = []
    for edit in sorted(fix.edits, key=lambda edit: edit.start):
        first, last = lines.line_of(edit.start), lines.line_of(max(edit.start, edit.end - 1))
        if groups and first <= groups[-1][1] + 1:
            start, end, edits = groups.pop()
            groups.append((start, max(end, last), [*edits, edit]))
        else:
            groups.append((first, last, [edit]))
    return Suggestion(fix.title, fix.safe, tuple(line_edit(path, lines, *group) for group in groups))


def line_edit(path: str, lines: Lines, first: int, last: int, edits: list[Edit]) -> LineEdit:
    start = lines.starts[first - 1]
    text = b"\n".join(lines.lines[first - 1 : last])
    for edit in reversed(edits):
        text = text[: edit.start - start] + edit.text.encode() + text[edit.end - start :]
    return LineEdit(path, first, last, text.decode(errors="replace"))
