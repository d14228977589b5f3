"""The report as JSON, `meteraudit/report/1`: what scripts, editors and other tools rely on."""

from dataclasses import replace
from typing import Any

import msgspec

from bot.report.masking import masked
from bot.report.verdict import LEGEND
from rules.report import Report


def as_json(report: Report) -> bytes:
    """UTF-8, indented by two, with a newline at the end; unknown is null; the same report gives the same bytes.

    Lone surrogates of file names that are not UTF-8 become U+FFFD: JSON cannot hold them.
    """
    clean = masked(report)
    counts = {severity: clean.summary.counts.get(severity, 0) for severity in LEGEND}
    clean = replace(clean, summary=replace(clean.summary, counts=counts))
    return msgspec.json.format(msgspec.json.encode(_encodable(msgspec.to_builtins(clean))), indent=2) + b"\n"


def _encodable(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, dict):
        return {key: _encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_encodable(item) for item in value]
    return value
