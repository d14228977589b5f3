"""The JSON report keeps its contract."""

import json
from dataclasses import replace
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from bot.report.document import as_json
from bot.report.schema import schema
from rules.report import Report
from tests.report.samples import HOSTILE, finding, hostile, report, silent


def check(document: dict[str, Any]) -> None:
    Draft202012Validator(schema()).validate(document)


def spoilt(change: Any) -> list[Any]:
    document = json.loads(as_json(report(finding())))
    change(document)
    return list(Draft202012Validator(schema()).iter_errors(document))


@pytest.mark.parametrize(
    "sample",
    [report(finding()), report(finding(fix=None, help=None, side="left")), silent(), report(*map(hostile, HOSTILE))],
    ids=["ordinary", "with unknowns", "silent", "hostile"],
)
def test_reports_match_the_schema(sample: Report) -> None:
    check(json.loads(as_json(sample)))


def test_the_schema_is_valid_json_schema() -> None:
    Draft202012Validator.check_schema(schema())


def test_the_schema_comes_first_and_the_text_ends_in_a_newline() -> None:
    text = as_json(report(finding())).decode()
    assert text.startswith('{\n  "schema": "meteraudit/report/1",\n  "tool": {\n    "name"')
    assert text.endswith("}\n")


def test_top_level_fields_are_in_the_order_of_the_contract() -> None:
    assert (
        list(json.loads(as_json(report())))
        == (
            "schema tool mode subject summary findings fixed sections meters score checks actions suppressed not_analyzed gate"
        ).split()
    )


def test_unknown_is_null_and_never_left_out() -> None:
    document = json.loads(as_json(silent()))
    assert document["score"] is None
    assert document["summary"]["highest_risk"] is None


def test_the_same_report_gives_the_same_bytes_whatever_the_order_of_its_counts() -> None:
    sample = report(finding())
    other = replace(sample, summary=replace(sample.summary, counts=dict(reversed(sample.summary.counts.items()))))
    assert as_json(sample) == as_json(other)


def test_a_file_name_that_is_not_utf_8_is_written_with_replacement_characters() -> None:
    document = json.loads(as_json(report(finding(path="src/\udce9.py"))))
    assert document["findings"][0]["path"] == "src/\ufffd.py"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("severity", "grave"),
        ("confidence", "sure"),
        ("classification", "bug"),
        ("state", "old"),
        ("place", "here"),
        ("shown", "nowhere"),
        ("side", "RIGHT"),
        ("section", "misc"),
        ("line", None),
        ("line", 0),
        ("extra", 1),
    ],
)
def test_the_schema_refuses_what_the_contract_does_not_list(field: str, value: Any) -> None:
    assert spoilt(lambda document: document["findings"][0].__setitem__(field, value))


def test_the_schema_refuses_a_field_left_out() -> None:
    assert spoilt(lambda document: document["findings"][0].pop("fix"))
    assert spoilt(lambda document: document.pop("score"))


def test_the_schema_refuses_another_conclusion() -> None:
    assert spoilt(lambda document: document["gate"].__setitem__("conclusion", "skipped"))
