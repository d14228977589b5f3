"""SARIF 2.1.0, checked against the official schema.

`sarif-2.1.0.json` is that schema without its descriptions, as the npm package @microsoft/sarif-multitool-linux 5.7.0 ships it
(MIT licence).
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from jsonschema import Draft202012Validator

from bot.report.sarif import as_sarif
from rules.report import Gate, LineEdit, NotAnalyzed, Report, Suggestion, TracePoint
from tests.report.samples import HOSTILE, finding, hostile, many, report, silent

SCHEMA = json.loads((Path(__file__).parent / "sarif-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def run_of(sample: Report) -> dict[str, Any]:
    document = json.loads(as_sarif(sample))
    VALIDATOR.validate(document)
    (run,) = document["runs"]
    return run


def result_of(*, mode: str = "review", **changes: Any) -> dict[str, Any]:
    (result,) = run_of(report(finding(**changes), mode=mode))["results"]
    return result


def region_of(**changes: Any) -> dict[str, Any]:
    return result_of(**changes)["locations"][0]["physicalLocation"]["region"]


@pytest.mark.parametrize(
    "sample",
    [
        report(finding()),
        report(finding(fix=None, help=None, side="left", variant="x")),
        report(finding(rule="MTR-999"), *many(3, "low")),
        silent(),
        *(report(hostile(text)) for text in HOSTILE),
    ],
)
def test_every_report_is_valid_against_the_official_schema(sample: Report) -> None:
    assert run_of(sample)["tool"]["driver"]["name"] == "MeterAudit"


def test_the_schema_refuses_what_is_not_sarif() -> None:
    document = json.loads(as_sarif(report(finding())))
    document["runs"][0]["results"][0]["level"] = "grave"

    assert list(VALIDATOR.iter_errors(document))


def test_the_same_report_gives_the_same_bytes() -> None:
    assert as_sarif(report(finding())) == as_sarif(report(finding()))
    assert as_sarif(report(finding())).endswith("}\n")


@pytest.mark.parametrize(
    ("changes", "level"),
    [
        ({"severity": "critical"}, "error"),
        ({"severity": "high"}, "error"),
        ({"severity": "medium"}, "warning"),
        ({"severity": "low"}, "note"),
        ({"severity": "critical", "confidence": "possible"}, "note"),
        ({"severity": "critical", "classification": "suggestion"}, "note"),
    ],
)
def test_a_guess_and_a_suggestion_are_notes_whatever_their_severity(changes: dict[str, str], level: str) -> None:
    assert result_of(**changes)["level"] == level


def test_a_result_names_its_rule_by_id_and_by_place_in_the_list() -> None:
    run = run_of(report(finding(rule="MTR-301", name="x"), finding(), finding(rule="MTR-999")))
    listed = [rule["id"] for rule in run["tool"]["driver"]["rules"]]

    assert listed == ["MTR-201", "MTR-301"]
    assert [(one["ruleId"], one.get("ruleIndex")) for one in run["results"]] == [
        ("MTR-301", 1),
        ("MTR-201", 0),
        ("MTR-999", None),
    ]


def test_a_rule_brings_its_help_its_page_and_how_grave_it_is() -> None:
    (rule,) = run_of(report(finding()))["tool"]["driver"]["rules"]

    assert rule["name"] == "MissingIdempotencyKey"
    assert rule["helpUri"] == "https://meteraudit.example/rules/MTR-201"
    assert rule["help"]["markdown"].startswith("# MTR-201 missing-idempotency-key")
    assert len(rule["help"]["text"]) > 100
    assert 7.0 <= float(rule["properties"]["security-severity"]) <= 8.9
    assert {"security", "external/cwe/cwe-837", "deduplication"} <= set(rule["properties"]["tags"])


def test_without_a_server_the_help_is_the_page_of_the_weakness() -> None:
    (rule,) = run_of(report(finding(help=None)))["tool"]["driver"]["rules"]

    assert rule["helpUri"].startswith("https://cwe.mitre.org/data/definitions/")


def test_columns_are_utf_16_code_units_and_the_end_is_behind_the_last() -> None:
    line = "  /* 𝒳é */ meter(a)"
    start, end = line.index("meter") + 1, len(line)
    region = region_of(evidence=line, line=3, end_line=3, column=start, end_column=end)

    assert (region["startLine"], region["endLine"]) == (3, 3)
    assert (region["startColumn"], region["endColumn"]) == (start + 1, end + 2)
    assert (
        line.encode("utf-16-le")[2 * (region["startColumn"] - 1) : 2 * (region["endColumn"] - 1)].decode("utf-16-le")
        == "meter(a)"
    )


def test_the_end_of_evidence_that_was_cut_short_is_left_open() -> None:
    region = region_of(evidence="a\nb", line=3, end_line=40, column=1, end_column=5)

    assert "endColumn" not in region
    assert region["endLine"] == 40


def test_a_masked_secret_does_not_move_the_columns() -> None:
    line = 'meter(key="sk_live_0123456789abcdefghij")'
    result = result_of(evidence=line, column=1, end_column=len(line), trace=())
    region = result["locations"][0]["physicalLocation"]["region"]

    assert region["endColumn"] == len(line) + 1
    assert "0123456789" not in json.dumps(result)


def test_a_deleted_line_has_no_region_at_the_head_and_says_where_it_was() -> None:
    location = result_of(side="left")["locations"][0]

    assert "region" not in location["physicalLocation"]
    assert location["message"]["text"] == "Deleted: it was line 14 of the base."


@pytest.mark.parametrize("path", ["src/a b.ts", "src/ü#?.ts", "a:b/c.ts", "src/100%.ts"])
def test_a_path_is_a_reference_from_the_root_that_reads_back(path: str) -> None:
    artifact = result_of(path=path, fix=None)["locations"][0]["physicalLocation"]["artifactLocation"]

    assert (unquote(artifact["uri"]), artifact["uriBaseId"]) == (path, "%SRCROOT%")
    assert not set(artifact["uri"]) & set(" #?:")


def test_a_file_outside_the_root_has_an_absolute_address() -> None:
    artifact = result_of(path="/srv/x y.ts", fix=None)["locations"][0]["physicalLocation"]["artifactLocation"]

    assert artifact == {"uri": "file:///srv/x%20y.ts"}


def test_the_trace_is_a_flow_that_ends_at_the_finding() -> None:
    steps = (TracePoint("src/a.ts", 3, "first"), TracePoint("src/b.ts", 9, "then"))
    result = result_of(trace=steps)
    (flow,) = result["codeFlows"][0]["threadFlows"]
    told = [
        (
            one["location"]["physicalLocation"]["artifactLocation"]["uri"],
            one["location"]["physicalLocation"]["region"]["startLine"],
        )
        for one in flow["locations"]
    ]

    assert told == [("src/a.ts", 3), ("src/b.ts", 9), ("src/usage.ts", 14)]
    assert [(one["id"], one["message"]["text"]) for one in result["relatedLocations"]] == [(1, "first"), (2, "then")]


def apply(text: str, replacement: dict[str, Any]) -> str:
    """As a SARIF reader does: columns are 1-based, an end column not given is the end of its line."""
    region, lines = replacement["deletedRegion"], text.split("\n")
    start = sum(len(line) + 1 for line in lines[: region["startLine"] - 1]) + region["startColumn"] - 1
    before = sum(len(line) + 1 for line in lines[: region["endLine"] - 1])
    end = before + (region["endColumn"] - 1 if "endColumn" in region else len(lines[region["endLine"] - 1]))
    return text[:start] + replacement.get("insertedContent", {"text": ""})["text"] + text[end:]


@pytest.mark.parametrize(
    ("edit", "after"),
    [
        (LineEdit("src/usage.ts", 2, 3, "X\nY\nZ\n"), "a\nX\nY\nZ\nd\n"),
        (LineEdit("src/usage.ts", 2, 2, "  X"), "a\n  X\nc\nd\n"),
        (LineEdit("src/usage.ts", 2, 3, ""), "a\nd\n"),
    ],
)
def test_a_fix_replaces_or_deletes_exactly_its_lines(edit: LineEdit, after: str) -> None:
    (fix,) = result_of(fix=Suggestion("Change it", True, (edit,)))["fixes"]
    ((replacement,),) = [change["replacements"] for change in fix["artifactChanges"]]

    assert apply("a\nb\nc\nd\n", replacement) == after


def test_fingerprints_are_the_reports() -> None:
    assert result_of(fingerprint="abc1")["partialFingerprints"] == {"meteraudit/v1": "abc1", "primaryLocationLineHash": "abc1"}


def test_a_review_says_what_is_new_and_an_audit_has_nothing_to_compare_with() -> None:
    assert result_of()["baselineState"] == "new"
    assert result_of(state="existing")["baselineState"] == "unchanged"
    assert result_of(state="reappeared")["baselineState"] == "new"
    assert "baselineState" not in result_of(mode="audit")


def test_what_is_silenced_or_not_analysed_is_a_notification_so_that_github_opens_no_alert_for_it() -> None:
    run = run_of(report(finding()))
    told = run["invocations"][0]["toolExecutionNotifications"]

    assert [one["suppressions"] for one in run["results"]] == [[]]
    assert [(one["descriptor"]["id"], one["level"]) for one in told] == [
        ("not-analyzed", "warning"),
        ("suppressed", "note"),
        ("suppressed", "warning"),
    ]
    assert "billed by hand" in told[1]["message"]["text"]


def test_invisible_characters_are_spelt_out_in_every_message() -> None:
    sample = report(
        hostile("a\u202eb"), not_analyzed=(NotAnalyzed("x\u202e.ts", "why\u202e"),), because="so\u202e", conclusion="failure"
    )
    messages = json.dumps([texts(run_of(replace(sample, gate=Gate("failure", "x\u202e")))["results"])], ensure_ascii=False)

    assert "\u202e" not in messages
    assert "[U+202E]" in messages


def texts(value: Any) -> list[str]:
    """Every message of a SARIF object."""
    if isinstance(value, list):
        return [text for one in value for text in texts(one)]
    if isinstance(value, dict):
        own = [value["text"]] if isinstance(value.get("text"), str) and "startLine" not in value and len(value) == 1 else []
        return own + [text for key, one in value.items() if key not in {"snippet", "insertedContent"} for text in texts(one)]
    return []
