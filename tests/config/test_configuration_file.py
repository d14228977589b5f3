"""The reading of `.meteraudit.yml`: defaults, errors with their places, hostile texts, the JSON Schema, inheritance."""

import json
import pickle
import time
from pathlib import Path
from typing import Any, get_args

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from config.configuration import LockableKey
from config.repository import Configuration, Reading, loosened, merged, read_configuration, schema

RULES = {"MTR-101": "emit-not-awaited", "MTR-201": "missing-idempotency-key"}

EVERYTHING = """\
version: 1
paths:
  include: ["src/**", "!src/legacy/"]
  exclude: [docs/]
rules:
  MTR-201: critical
  emit-not-awaited: off
names:
  emit: [billing.record_usage]
  aggregate: [sumUsage]
  limit: [$quota.check]
mode: advisory
fail_on: medium
min_score: 7
min_confidence: certain
min_severity: low
max_comments: 0
drafts: review
skip:
  labels: [no billing]
  authors: ["dependabot[bot]"]
on_config_error: neutral
on_partial: neutral
fail_closed: true
merge_group: scan
resolved_threads: ignore
summary_comment: on_findings
badge: true
extends: org
locked: [fail_on, paths]
suppressions: require_approval
"""


def messages(text: str | bytes, **options: Any) -> list[str]:
    return [str(error) for error in read_configuration(text, **options).errors]


def only_message(text: str | bytes, **options: Any) -> str:
    (message,) = messages(text, **options)
    return message


def configured(text: str) -> Configuration:
    reading = read_configuration("version: 1\n" + text, known_rules=RULES)
    assert reading.configuration is not None, reading.errors
    return reading.configuration


def test_every_key_of_the_contract_is_read() -> None:
    reading = read_configuration(EVERYTHING, known_rules=RULES)
    assert reading.errors == ()
    assert reading.configuration is not None
    assert reading.configuration.model_dump(mode="json") == {
        "version": 1,
        "paths": {"include": ["src/**", "!src/legacy/"], "exclude": ["docs/"]},
        "rules": {"MTR-201": "critical", "MTR-101": "off"},
        "names": {"emit": ["billing.record_usage"], "aggregate": ["sumUsage"], "limit": ["$quota.check"]},
        "mode": "advisory",
        "fail_on": "medium",
        "min_score": 7,
        "min_confidence": "certain",
        "min_severity": "low",
        "max_comments": 0,
        "drafts": "review",
        "skip": {"labels": ["no billing"], "authors": ["dependabot[bot]"]},
        "on_config_error": "neutral",
        "on_partial": "neutral",
        "fail_closed": True,
        "merge_group": "scan",
        "resolved_threads": "ignore",
        "summary_comment": "on_findings",
        "badge": True,
        "extends": "org",
        "locked": ["fail_on", "paths"],
        "suppressions": "require_approval",
    }


def test_a_repository_without_a_file_has_the_defaults_of_the_contract() -> None:
    assert Configuration().model_dump(mode="json") == {
        "version": 1,
        "paths": {"include": [], "exclude": []},
        "rules": {},
        "names": {"emit": [], "aggregate": [], "limit": []},
        "mode": "blocking",
        "fail_on": "high",
        "min_score": None,
        "min_confidence": "likely",
        "min_severity": "medium",
        "max_comments": 10,
        "drafts": "skip",
        "skip": {"labels": [], "authors": []},
        "on_config_error": "action_required",
        "on_partial": "action_required",
        "fail_closed": False,
        "merge_group": "inherit",
        "resolved_threads": "count",
        "summary_comment": "off",
        "badge": False,
        "extends": None,
        "locked": [],
        "suppressions": "allow",
    }


def test_a_configuration_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Configuration().mode = "advisory"  # type: ignore[misc]


def test_a_configuration_crosses_a_process_boundary() -> None:
    configuration = configured("rules: {MTR-201: off}\n")
    assert pickle.loads(pickle.dumps(configuration)) == configuration


def test_the_line_of_every_key_is_known() -> None:
    lines = read_configuration(EVERYTHING, known_rules=RULES).lines
    assert (lines["version"], lines["paths.exclude"], lines["fail_on"]) == (1, 4, 13)


def test_a_rule_given_by_name_has_its_line_under_its_id_too() -> None:
    lines = read_configuration(EVERYTHING, known_rules=RULES).lines
    assert lines["rules.emit-not-awaited"] == lines["rules.MTR-101"] == 7


@pytest.mark.parametrize("text", ["", "\n# only a comment\n", "---\n", "fail_on: high\n"])
def test_a_file_without_a_version_is_told_to_add_it(text: str) -> None:
    assert only_message(text) == ".meteraudit.yml:1:1: version is required: add version: 1"


def test_a_newer_version_says_that_the_program_is_older() -> None:
    assert "version 2 is newer than this MeterAudit, which reads version 1" in only_message("version: 2\n")


@pytest.mark.parametrize("value", ["0", "true", "1.0", "'1'", "one", "[1]", "99999999999999999999"])
def test_only_the_number_one_is_a_version(value: str) -> None:
    assert only_message(f"version: {value}\n").startswith(".meteraudit.yml:1:10: version must be the number 1, not ")


def test_the_path_of_the_file_begins_every_error() -> None:
    assert only_message("", path="org/.github/.meteraudit.yml").startswith("org/.github/.meteraudit.yml:1:1: ")


def test_all_errors_are_told_in_the_order_of_the_file() -> None:
    assert messages("version: 1\nbadge: 3\nmodus: x\nversion: 1\npaths:\n  exclude: [a****b]\n") == [
        ".meteraudit.yml:2:8: badge must be true or false, not 3",
        '.meteraudit.yml:3:1: unknown key "modus"; did you mean mode?',
        '.meteraudit.yml:4:1: the key "version" is already given at line 1, column 1',
        '.meteraudit.yml:6:13: paths.exclude[1]: "a****b" has more than 3 * between two slashes',
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("fail-on: high", '2:1: unknown key "fail-on"; did you mean fail_on?'),
        ("names: {emits: []}", '2:9: unknown key "emits" in names; did you mean emit?'),
        ("skip: {zzz: []}", '2:8: unknown key "zzz" in skip; known are labels, authors'),
        ("fail_on: High", '2:10: fail_on must be critical, high, medium or low, not "High"; did you mean high?'),
        ("min_confidence: possible", "certain or likely: possible findings are never comments"),
        ("min_score: 0", "2:12: min_score must be a whole number from 1 to 10, not 0"),
        ("min_score: 11", "2:12: min_score must be a whole number from 1 to 10, not 11"),
        ("min_score: 7.5", "2:12: min_score must be a whole number from 1 to 10, not 7.5"),
        ("max_comments: 41", "2:15: max_comments must be a whole number from 0 to 40, not 41"),
        ("max_comments: true", "2:15: max_comments must be a whole number from 0 to 40, not true"),
        ("mode:", "2:1: mode is empty: it must be blocking or advisory; remove the key for its default"),
        ("paths: src", '2:8: paths must be a mapping of keys to values, not "src"'),
        ("rules: []", "2:8: rules must be a mapping of keys to values, not a list"),
        ("paths: {include: src}", '2:18: paths.include must be a list, not "src"'),
        ("skip: {labels: [12]}", "2:17: skip.labels[1] must be text"),
        ("skip: {labels: ['']}", '2:17: skip.labels[1]: "" is empty'),
        ("names: {emit: [a-b]}", '2:16: names.emit[1] must be a dotted name such as billing.record_usage, not "a-b"'),
        ("names: {emit: [" + "a" * 101 + "]}", "is longer than 100 characters"),
        ("names: {emit: [" + "a," * 201 + "]}", "names.emit has more than 200 entries; at most 200 are allowed"),
        ("paths: {exclude: [" + "a," * 201 + "]}", "paths.exclude has more than 200 entries"),
        ("paths: {exclude: [" + "a" * 257 + "]}", "has 257 characters; at most 256 are allowed"),
        ("extends: other", '2:10: extends must be org, not "other"'),
        ("locked: [fail-on]", "did you mean fail_on?"),
        ("rules: {MTR-202: off}", '2:9: unknown rule "MTR-202"; did you mean MTR-201?'),
        ("rules: {missing-idempotency-kye: off}", "did you mean missing-idempotency-key?"),
        ("rules: {MTR-201: hihg}", 'must be off, critical, high, medium or low, not "hihg"; did you mean high?'),
        ("rules: {MTR-201: false}", "must be off, critical, high, medium or low, not false"),
    ],
)
def test_a_wrong_key_or_value_is_told_with_its_place_and_what_is_accepted(text: str, message: str) -> None:
    assert message in only_message(f"version: 1\n{text}\n", known_rules=RULES)


def test_one_rule_given_by_id_and_by_name_is_an_error() -> None:
    text = "version: 1\nrules:\n  MTR-201: off\n  missing-idempotency-key: high\n"
    assert only_message(text, known_rules=RULES).endswith(
        "missing-idempotency-key is the same rule as MTR-201, given at line 3"
    )


def test_without_a_catalogue_rules_stay_as_written() -> None:
    reading = read_configuration("version: 1\nrules: {anything: off}\n")
    assert reading.configuration is not None
    assert reading.configuration.rules == {"anything": "off"}


def test_off_stays_a_word() -> None:
    assert configured("rules: {MTR-201: off}\nsummary_comment: off\n").rules == {"MTR-201": "off"}


def test_no_stays_a_word() -> None:
    assert configured("skip: {labels: [no, on, 1:30]}\n").skip.labels == ("no", "on", "1:30")


def test_yes_is_not_true() -> None:
    assert 'badge must be true or false, not "yes"' in only_message("version: 1\nbadge: yes\n")


def test_on_as_a_key_is_named_as_written() -> None:
    assert only_message("version: 1\non: 1\n") == '.meteraudit.yml:2:1: unknown key "on"'


def test_a_duplicate_key_names_both_places() -> None:
    text = "version: 1\npaths:\n  include: [a]\n  include: [b]\n"
    assert only_message(text) == '.meteraudit.yml:4:3: the key "include" is already given at line 3, column 3'


def test_an_alias_bomb_is_refused_at_its_first_anchor() -> None:
    bomb = "a: &a [x, x]\n" + "".join(
        f"{new}: &{new} [*{old}, *{old}]\n" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    )
    first, *others = messages("version: 1\n" + bomb)
    assert first == ".meteraudit.yml:2:4: anchors are not allowed; text that begins with & is written in quotes"
    assert sum("aliases are not allowed" in message for message in others) == 16


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("*.py", "aliases are not allowed; a pattern that begins with * is written in quotes"),
        ("!src", "tags are not allowed; a pattern that begins with ! is written in quotes"),
        ("&a b", "anchors are not allowed"),
        ("@bob", "in quotes"),
    ],
)
def test_an_unquoted_special_character_is_refused_where_it_stands(entry: str, message: str) -> None:
    error = messages(f"version: 1\npaths:\n  exclude:\n    - {entry}\n")[0]
    assert error.startswith(".meteraudit.yml:4:7: ")
    assert message in error


def test_a_word_without_its_colon_is_pointed_at() -> None:
    assert only_message("version: 1\nfoo\n").startswith(".meteraudit.yml:2:1: not valid YAML")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("version: 1\nmode: 'x\n", "not valid YAML"),
        ("version: 1\n\tmode: x\n", "2:1: YAML is not indented with tabs: use spaces"),
        ("version: 1\n---\nversion: 1\n", "2:1: a second document begins here"),
        ("%YAML 1.1\n---\nversion: 1\n", "1:1: YAML directives"),
        ("- version\n", "1:1: the file holds a list"),
        ("version\n", '1:1: the file holds "version"'),
        ("version: 1\n? [a]\n: b\n", "2:3: a key is a plain word"),
        ("version: 1\x07\n", "1:11: this control character is not allowed"),
        ('version: 1\nmode: "\\UFFFFFFFF"\n', "an escape after here is no Unicode character"),
        ('version: 1\nmode: "\\ud800"\n', "2:7: an escape in this text stands for half a character"),
        ('"\\ud800": 1\n', "1:1: an escape in this text stands for half a character"),
        ("version: 1\nmode: \ud800\n", "2:7: the file is not UTF-8"),
        (b"version: 1\nmode: \xe9\n", "2:7: the file is not UTF-8"),
        ("version: 1\n".encode("utf-16"), "1:1: the file is not UTF-8"),
        (" " * 65537, "1:1: the file has 65537 bytes; at most 65536 are read"),
        ("é" * 32769, "1:1: the file has 65538 bytes; at most 65536 are read"),
        ("a: " + "[" * 10 + "]" * 10, "1:13: nested deeper than 10 levels"),
        ("skip: {labels: [" + "a," * 12000 + "]}", "more than 10000 values"),
    ],
)
def test_a_text_that_cannot_be_read_says_why_and_where(text: str | bytes, message: str) -> None:
    assert message in only_message(text)


def test_nesting_of_ten_levels_is_read() -> None:
    assert not any("nested" in message for message in messages("a: " + "[" * 9 + "]" * 9))


def test_a_file_of_exactly_64_kib_is_read() -> None:
    assert read_configuration("version: 1\n".ljust(65536, "#")[:11] + "#" * (65536 - 11)).configuration == Configuration()


def test_a_byte_order_mark_and_windows_line_ends_do_not_shift_places() -> None:
    text = "\ufeffversion: 1\r\nmode: x\r\n".encode()
    assert only_message(text).startswith(".meteraudit.yml:2:7: ")


def test_columns_count_code_points() -> None:
    assert only_message("version: 1\nskip: {labels: [😀é, 12]}\n").startswith(".meteraudit.yml:2:21: ")


def test_an_unprintable_value_is_shown_escaped() -> None:
    assert r"not 'a\u202eb'" in only_message('version: 1\nmode: "a\u202eb"\n')


def test_a_flood_of_errors_is_counted_after_the_first_hundred() -> None:
    told = messages("version: 1\n" + "".join(f"key{number}: 1\n" for number in range(500)))
    assert (len(told), told[-1]) == (101, ".meteraudit.yml:102:1: and 400 more errors from here on")


HOSTILE = [
    "[" * 65536,
    "{" * 65536,
    "[a," * 20000,
    "{a: " * 16000,
    "- " * 32000,
    "? " * 32000,
    "[]," * 20000,
    "[" + "[]," * 20000,
    "- a\n" * 16000,
    "'" * 65536,
    "a: |\n" + " \n" * 30000,
    "!a " * 20000,
    "%a\n" * 20000,
    "#\n" * 32768,
    "rules:\n" + "".join(f" MTR-{number}: 1\n" for number in range(4000)),
    "".join(f"fail_o{number}: 1\n" for number in range(4000)),
    "version: 1\npaths: {exclude: [" + ("'" + "**/*a*a*a/" * 25 + "',") * 230 + "]}",
    "a" * 65000 + ": 1",
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:12]))
def test_a_hostile_file_is_refused_in_seconds(text: str) -> None:
    start = time.process_time()
    reading = read_configuration(text, known_rules={f"MTR-{number}": f"rule-{number}" for number in range(100, 200)})
    assert time.process_time() - start < 5
    assert reading.configuration is None


def judged(text: str | bytes) -> Reading:
    start = time.process_time()
    reading = read_configuration(text, known_rules=RULES)
    assert time.process_time() - start < 2
    assert (reading.configuration is None) == bool(reading.errors)
    assert all(error.line >= 1 and error.column >= 1 and error.message for error in reading.errors)
    return reading


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_arbitrary_bytes_never_raise_and_never_take_long(raw: bytes) -> None:
    judged(raw)


YAML_PIECES = st.sampled_from(
    [
        *"[]{}:,-?&*!|>'\"%@`#\\ \n\t\r\0\x85\u2028\ufeff~<=",
        "version: 1\n",
        "rules:",
        "paths: ",
        "  ",
        "\\x",
        "\\ud800",
        "on",
        "--- ",
        "...\n",
        "%YAML 1.1\n",
        "!!int ",
        "<<: ",
        "1e999",
        "0x1F",
        ".inf",
        "😀",
        "\ud800",
        "\\UFFFFFFFF",
        "- ",
    ]
)


@settings(max_examples=500, deadline=None)
@given(st.lists(YAML_PIECES | st.text(max_size=4), max_size=40).map("".join))
def test_arbitrary_yaml_pieces_never_raise_and_never_take_long(text: str) -> None:
    judged(text)


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_a_valid_file_with_one_place_damaged_never_raises(data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(EVERYTHING)))
    end = data.draw(st.integers(start, min(len(EVERYTHING), start + 20)))
    judged(EVERYTHING[:start] + data.draw(YAML_PIECES) + EVERYTHING[end:])


def test_the_schema_is_valid_draft_2020_12() -> None:
    jsonschema.Draft202012Validator.check_schema(schema())
    assert schema()["$schema"] == "https://json-schema.org/draft/2020-12/schema"


def schema_accepts(document: object) -> bool:
    return bool(jsonschema.Draft202012Validator(schema()).is_valid(document))


def test_the_schema_accepts_a_file_with_every_key() -> None:
    reading = read_configuration(EVERYTHING, known_rules=RULES)
    assert reading.configuration is not None
    assert schema_accepts(reading.configuration.model_dump(mode="json"))


def test_the_schema_describes_every_key_and_allows_no_other() -> None:
    whole = schema()
    objects = [whole, *whole["$defs"].values()]
    assert all(node["additionalProperties"] is False for node in objects)
    undescribed = [name for node in objects for name, key in node["properties"].items() if "description" not in key]
    assert undescribed == []


KEYS = list(Configuration.model_fields)
LEAVES = st.none() | st.booleans() | st.integers(-2, 45) | st.text("ab.*/", max_size=9) | st.sampled_from(get_args(LockableKey))
WORDS = st.sampled_from(["off", "high", "low", "skip", "review", "org", "allow", "neutral", "blocking", "count", "likely"])
LISTS = st.lists(LEAVES | WORDS, max_size=3)
MAPPINGS = st.dictionaries(st.sampled_from(["include", "exclude", "emit", "labels", "MTR-201"]), WORDS | LISTS, max_size=2)


@settings(max_examples=400, deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), LEAVES | WORDS | LISTS | MAPPINGS, max_size=4), st.booleans())
def test_the_reader_and_the_schema_judge_alike(document: dict[str, object], versioned: bool) -> None:
    document |= {"version": 1} if versioned else {}
    reading = read_configuration(json.dumps(document, ensure_ascii=False))
    # What the schema cannot say: a pattern that names no path or has two slashes in a row or dots for a folder.
    pattern_errors = [error for error in reading.errors if ' "' in error.message and error.message.startswith("paths.")]
    if schema_accepts(document):
        assert len(reading.errors) == len(pattern_errors), (document, reading.errors)
    else:
        assert reading.errors


def test_an_org_value_counts_where_the_repository_extends_and_says_nothing() -> None:
    organisation = configured("fail_on: low\nskip: {labels: [wip]}\nmax_comments: 3\n")
    both = merged(organisation, configured("extends: org\nmax_comments: 5\n"))
    assert (both.fail_on, both.skip.labels, both.max_comments, both.mode) == ("low", ("wip",), 5, "blocking")


def test_an_org_value_does_not_count_where_the_repository_does_not_extend() -> None:
    assert merged(configured("fail_on: low\n"), configured("")).fail_on == "high"


def test_a_repository_without_a_file_has_the_organisation_s_configuration() -> None:
    organisation = configured("fail_on: low\n")
    assert merged(organisation, None) == organisation


def test_rules_are_joined_one_by_one() -> None:
    organisation = configured("rules: {MTR-101: off, MTR-201: low}\n")
    assert merged(organisation, configured("extends: org\nrules: {MTR-201: high}\n")).rules == {
        "MTR-101": "off",
        "MTR-201": "high",
    }


def test_an_explicit_default_in_the_repository_beats_the_organisation() -> None:
    both = merged(configured("min_score: 8\n"), configured("extends: org\nmin_score: null\n"))
    assert both.min_score is None


def test_a_lock_holds_for_a_repository_that_does_not_extend() -> None:
    organisation = configured("fail_on: medium\nlocked: [fail_on]\n")
    assert merged(organisation, configured("fail_on: critical\n")).fail_on == "medium"


def test_what_a_lock_overrules_is_named() -> None:
    organisation = configured("locked: [fail_on, skip, rules]\nrules: {MTR-201: high}\n")
    repository = configured("fail_on: critical\nskip: {authors: [bob]}\nrules: {MTR-201: low, MTR-101: off}\n")
    assert loosened(organisation, repository) == ("fail_on", "rules.MTR-101", "rules.MTR-201", "skip.authors")


@pytest.mark.parametrize(
    ("organisation", "tighter", "looser"),
    [
        ("mode: advisory", "mode: blocking", None),
        ("mode: blocking", None, "mode: advisory"),
        ("fail_on: medium", "fail_on: low", "fail_on: high"),
        ("min_score: 6", "min_score: 7", "min_score: 5"),
        ("min_score: 6", None, "min_score: null"),
        ("min_confidence: certain", "min_confidence: likely", None),
        ("min_severity: medium", "min_severity: low", "min_severity: high"),
        ("max_comments: 10", "max_comments: 11", "max_comments: 9"),
        ("drafts: review", None, "drafts: skip"),
        ("skip: {labels: [a, b]}", "skip: {labels: [a]}", "skip: {labels: [a, c]}"),
        ("on_partial: neutral", "on_partial: action_required", None),
        ("fail_closed: true", None, "fail_closed: false"),
        ("merge_group: inherit", "merge_group: scan", None),
        ("resolved_threads: count", None, "resolved_threads: ignore"),
        ("summary_comment: on_findings", None, "summary_comment: off"),
        ("badge: true", "badge: false", None),
        ("paths: {exclude: [a, b]}", "paths: {exclude: [b]}", "paths: {exclude: [c]}"),
        ("paths: {exclude: [a, '!a/b']}", None, "paths: {exclude: [a]}"),
        ("paths: {include: [a]}", None, "paths: {include: [b]}"),
        ("names: {limit: [a]}", None, "names: {limit: [a, b]}"),
        ("rules: {MTR-201: medium}", "rules: {MTR-201: high}", "rules: {MTR-201: off}"),
    ],
)
def test_a_locked_key_can_be_tightened_and_not_loosened(organisation: str, tighter: str | None, looser: str | None) -> None:
    key = organisation.partition(":")[0]
    upper = configured(f"{organisation}\nlocked: [{key}]\n")
    if tighter:
        assert getattr(merged(upper, configured(tighter)), key) == getattr(configured(tighter), key)
    if looser:
        assert getattr(merged(upper, configured(looser)), key) == getattr(upper, key)


def test_suppressions_and_locks_are_the_organisation_s() -> None:
    organisation = configured("suppressions: require_approval\nlocked: [mode]\n")
    both = merged(organisation, configured("suppressions: allow\nlocked: []\n"))
    assert (both.suppressions, both.locked) == ("require_approval", ("mode",))


def test_every_key_but_the_organisation_s_own_can_be_locked() -> None:
    groups = {key for key in KEYS if hasattr(getattr(Configuration(), key), "model_fields_set")}
    leaves = {f"{group}.{leaf}" for group in groups for leaf in type(getattr(Configuration(), group)).model_fields}
    assert set(get_args(LockableKey)) == set(KEYS) - {"version", "extends", "locked", "suppressions"} | leaves


def test_config_imports_neither_rules_nor_bot() -> None:
    folder = Path(__file__).parents[2] / "config"
    sources = [path.read_text() for path in folder.glob("*.py")]
    assert not [
        line
        for text in sources
        for line in text.splitlines()
        if line.startswith(("from rules", "from bot", "import rules", "import bot"))
    ]
