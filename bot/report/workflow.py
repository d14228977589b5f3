"""The report as GitHub Actions workflow commands, which the runner turns into annotations."""

from bot.report.masking import masked
from bot.report.quoting import clipped, one_line, place, visible, visible_name
from bot.report.verdict import due, headline, number
from rules.report import Report, Reported

MOST_OF_A_LEVEL = 10
"""A step shows ten annotations of each level; the runner drops the rest without a word."""
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "notice"}


def as_commands(report: Report) -> str:
    """One command a finding, gravest first, at most ten a level; what did not fit is counted in a last notice."""
    report = masked(report)
    levels: dict[str, list[str]] = {"error": [], "warning": [], "notice": []}
    for finding in due(report):
        levels[_level(finding)].append(_command(finding))
    total = sum(map(len, levels.values()))
    if any(len(commands) > MOST_OF_A_LEVEL for commands in levels.values()):
        # The notice that counts the rest is a notice too, and must be among the ten.
        shown = (
            levels["error"][:MOST_OF_A_LEVEL] + levels["warning"][:MOST_OF_A_LEVEL] + levels["notice"][: MOST_OF_A_LEVEL - 1]
        )
        rest = f"{number(total - len(shown), 'more finding')} not shown here: run `meteraudit review` for all"
        shown.append(f"::notice title=MeterAudit::{escaped(rest)}")
    else:
        shown = [command for commands in levels.values() for command in commands]
    unread = [f"Not analysed: {number(len(report.not_analyzed), 'file')}"] if report.not_analyzed else []
    return "\n".join([*shown, f"MeterAudit: {one_line(headline(report), 500)}", *unread]) + "\n"


def _level(finding: Reported) -> str:
    """A guess or a suggestion must not look like a failure."""
    quiet = finding.confidence == "possible" or finding.classification == "suggestion"
    return "notice" if quiet else _LEVELS[finding.severity]


def _command(finding: Reported) -> str:
    # A deleted line has no number at the head: the annotation goes to the file, and the message names the line.
    position: dict[str, str] = {"file": visible_name(finding.path)}
    if finding.side == "right":
        position |= {"line": str(finding.line), "endLine": str(finding.end_line)}
        if finding.line == finding.end_line:
            position |= {"col": str(finding.column), "endColumn": str(finding.end_column)}
    position["title"] = one_line(f"[{finding.severity.upper()}] {finding.rule}: {finding.title}", 200)
    properties = ",".join(f"{name}={escaped_property(value)}" for name, value in position.items())
    gone = f"Deleted line {place(finding)}\n" if finding.side == "left" else ""
    message = f"{gone}{finding.description}\n{finding.remediation}"
    return f"::{_level(finding)} {properties}::{escaped(clipped(visible(message), 4_000))}"


def escaped(text: str) -> str:
    """For the message of a command: one line, so that no text can start a command of its own."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def escaped_property(text: str) -> str:
    """For a property, where the colon and the comma separate."""
    return escaped(text).replace(":", "%3A").replace(",", "%2C")
