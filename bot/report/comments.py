"""What the App writes on a pull request: the one review and its comments on lines."""

import re
from dataclasses import dataclass

from bot.report.anchors import Anchor
from bot.report.edits import diff_block, suggested, suggestion_block
from bot.report.masking import masked_finding
from bot.report.quoting import code_span, comment_in, prose
from bot.report.verdict import counted, number
from rules.report import Report, Reported

LONGEST_BODY = 60_000
"""Characters. GitHub takes 65,536; the rest is room for a line about the comment's fate."""
STICKY = "<!-- meteraudit:v1 summary -->"
_MOST_STEPS = 8
_MARKER = re.compile(r"^<!-- meteraudit:v1 fp=([0-9a-f]+) rule=([A-Z0-9-]+) -->\s*\Z", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Marker:
    """Which finding a comment of ours is about."""

    fingerprint: str
    rule: str


def review_body(report: Report, check_url: str) -> str:
    """One or two lines over the comments: how many there are and where the rest is."""
    comments = sum(finding.shown == "comment" for finding in report.findings)
    below = f"{number(comments, 'comment')} below" if comments else "no comment on a line"
    return f"MeterAudit: {counted(report.summary.counts)} in this change, {below}. [Score and full report]({check_url})"


def sticky_body(title: str, check_url: str) -> str:
    """The one comment that sums up the review where the configuration asks for it."""
    return f"**MeterAudit**: {prose(title, 200)}. [Score and full report]({check_url})\n\n{STICKY}"


def comment_body(finding: Reported, anchor: Anchor | None, more: int = 0) -> str:
    """The text of one comment. `anchor` is where it goes, None for a comment on the whole file.

    `more` counts findings of the same rule in the file that get no comment. A suggestion is offered only where the
    anchor is exactly the lines that it replaces; otherwise the fix is shown as a diff.
    """
    # Whether a fix may be suggested is asked of the finding as it is: masked evidence would never equal the code.
    edit = suggested(finding)
    finding = masked_finding(finding)
    parts = [
        f"**[{finding.severity.upper()}] {prose(finding.title, 200)}**",
        prose(finding.description, 1_500),
        f"**Fix:** {prose(finding.remediation, 1_500)}",
    ]
    if edit and anchor and anchor.covers(edit):
        parts.append(suggestion_block(edit))
    elif finding.fix:
        parts += [f"{prose(finding.fix.title, 200)}:", diff_block(finding)]
    if more:
        parts.append(f"And {more} more like this in this file.")
    parts += [_details(finding), marker(finding)]
    body = "\n\n".join(parts)
    return body if len(body) <= LONGEST_BODY else _short(finding)


def _details(finding: Reported) -> str:
    steps = [f"- {code_span(f'{step.path}:{step.line}')}: {prose(step.note, 300)}" for step in finding.trace[:_MOST_STEPS]]
    ignore = comment_in(finding.path, f"meteraudit: ignore {finding.rule} <reason>")
    rule = code_span(f"{finding.rule} {finding.name}")
    page = f"[{rule}]({finding.help})" if finding.help else rule
    return "\n".join(
        [
            "<details><summary>Why am I told this, and how to silence it</summary>",
            "",
            f"- Rule: {page}, {finding.confidence}, {finding.classification}",
            *steps,
            f"- If this is right as it is, say why on this line or the one above: {code_span(ignore)}",
            f"- To switch the rule off: `rules: {{{finding.rule}: off}}` in `.meteraudit.yml` on the base branch",
            "",
            "</details>",
        ]
    )


def _short(finding: Reported) -> str:
    """What is left of a comment that GitHub would refuse: the fix is cut, and the comment says so."""
    return "\n\n".join(
        [
            f"**[{finding.severity.upper()}] {prose(finding.title, 200)}**",
            prose(finding.description, 1_000),
            f"**Fix:** {prose(finding.remediation, 1_000)}",
            "The code of the fix is too long for a comment: run `meteraudit review` to see it.",
            marker(finding),
        ]
    )


def heading_of(body: str) -> str:
    """The first line of a comment of ours: severity and title, without the strokes of a retired one."""
    return body.partition("\n")[0].removeprefix("~~").removesuffix("~~")


def retired_body(body: str, fate: str) -> str:
    """What is left of a comment of ours whose finding is no longer there: the title struck through, and what became of it."""
    found = read_marker(body)
    mark = f"<!-- meteraudit:v1 fp={found.fingerprint} rule={found.rule} -->" if found else ""
    return f"~~{heading_of(body)}~~\n\n{fate}\n\n{mark}"


def is_retired(body: str) -> bool:
    return body.startswith("~~")


def marker(finding: Reported) -> str:
    """The invisible last line by which a later run recognises the comment."""
    return f"<!-- meteraudit:v1 fp={finding.fingerprint} rule={finding.rule} -->"


def read_marker(body: str) -> Marker | None:
    """The marker that ends a comment; one that is quoted, or followed by anything, is text.

    Says nothing about who wrote the comment: the caller must know that it is ours.
    """
    found = _MARKER.search(body[-500:])
    return Marker(found[1], found[2]) if found else None
