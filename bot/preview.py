"""What the pull request's own `.meteraudit.yml` would do: read as data, shown, never applied to its own review."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from bot.configuration import FILE, InForce, options_of, read, text_at
from bot.desk import Desk
from bot.reading import Reading
from bot.report.verdict import counted
from config.configuration import Configuration
from config.inheritance import merged
from config.repository import ConfigurationError
from rules.change import Change
from rules.options import Options
from rules.report import Report


@dataclass(frozen=True, slots=True)
class Preview:
    """`errors` of the file at the head, else one sentence on what it would do once it is merged."""

    errors: tuple[ConfigurationError, ...]
    sentence: str = ""


async def preview(
    desk: Desk, reading: Reading, configuration: InForce, examine: Callable[[Change, Options], Awaitable[Report]]
) -> Preview | None:
    """None where the pull request leaves the file alone."""
    if FILE not in reading.names:
        return None
    text = await text_at(desk.repository, desk.pull.head.sha)
    found = read(text) if text is not None else None
    if found is not None and found.configuration is None:
        return Preview(found.errors)
    own = found.configuration if found is not None else None
    would_be = merged(configuration.organisation, own)
    report = await examine(reading.change, options_of(would_be, found.lines if found else {}, None))
    return Preview((), sentence(report, would_be))


def sentence(report: Report, would_be: Configuration) -> str:
    ends = {
        "failure": "would fail",
        "success": "would pass",
        "neutral": "would not block",
        "action_required": "would need action",
    }
    return (
        f"This pull request changes {FILE}, which has no effect on its own review. With it: "
        f"{counted(report.summary.counts)}, mode {would_be.mode}, the check {ends[report.gate.conclusion]}."
    )
