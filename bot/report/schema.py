"""The contract of the JSON report as a JSON Schema, generated from the types that the report is made of."""

from typing import Any

import msgspec

from bot.report.verdict import LEGEND, SECTIONS
from rules.report import Report
from rules.rule import Classification, Confidence, Severity

VERSION = "meteraudit/report/1"

_NARROWER: dict[str, dict[str, dict[str, Any]]] = {
    "Report": {"schema": {"const": VERSION}},
    "Summary": {
        "counts": {
            "type": "object",
            "properties": {severity: {"type": "integer", "minimum": 0} for severity in LEGEND},
            "required": list(LEGEND),
            "additionalProperties": False,
        },
    },
    "Reported": {
        "severity": {"enum": [str(value) for value in Severity]},
        "confidence": {"enum": [str(value) for value in Confidence]},
        "classification": {"enum": [str(value) for value in Classification]},
        "section": {"enum": list(SECTIONS)},
        "rule": {"type": "string", "pattern": "^MTR-[0-9]{3}$"},
        "fingerprint": {"type": "string", "pattern": "^[0-9a-f]+$"},
        **{name: {"type": "integer", "minimum": 1} for name in ("line", "end_line", "column", "end_column")},
    },
    "Section": {"id": {"enum": list(SECTIONS)}},
    "Answer": {"confidence": {"enum": [*(str(value) for value in Confidence), None]}},
    "Dimension": {
        "id": {"enum": list(SECTIONS)},
        "score": {"anyOf": [{"type": "integer", "minimum": 1, "maximum": 10}, {"type": "null"}]},
    },
    "Score": {"composite": {"type": "integer", "minimum": 1, "maximum": 10}},
}
"""What the types leave open: `str` where the contract lists the values, `int` where it sets bounds."""


def schema() -> dict[str, Any]:
    """JSON Schema 2020-12; closed: every field is required and no other is allowed."""
    (reference,), types = msgspec.json.schema_components([Report], ref_template="#/$defs/{name}")
    for name, described in types.items():
        described["properties"] |= _NARROWER.get(name, {})
        described["required"] = list(described["properties"])
        described["additionalProperties"] = False
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": VERSION,
        **reference,
        "$defs": dict(sorted(types.items())),
    }
