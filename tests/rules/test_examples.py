"""A rule's examples are its tests."""

import re
from importlib.resources import files

import pytest

from bot.patch import hunks_between
from rules.catalog import rules
from rules.change import Change, ChangedFile
from rules.code import OwnNames
from rules.engine import examine
from rules.examples import examples_of, languages, parsed
from rules.judge import Around, judge
from rules.languages import path_for
from rules.options import Options
from rules.rule import Example, Rule
from tests.rules.examples import applied, code_of, found_by, marked


def cases(bad: bool) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.name}-{example.language}-{number}")
        for rule in rules()
        for number, example in enumerate(examples_of(rule))
        if bool(marked(example).lines) is bad
    ]


@pytest.mark.parametrize(("rule", "example"), cases(bad=True))
def test_bad_code_is_found_on_exactly_the_marked_lines(rule: Rule, example: Example) -> None:
    written = marked(example)

    found = found_by(rule, code_of(written.path, written.text, written.before, written.context))

    assert written.lines == sorted(finding.span.line for finding in found)


@pytest.mark.parametrize(("rule", "example"), cases(bad=False))
def test_good_code_is_quiet(rule: Rule, example: Example) -> None:
    written = marked(example)

    assert [] == found_by(rule, code_of(written.path, written.text, written.before, written.context))


@pytest.mark.parametrize(("rule", "example"), [*cases(bad=True), *cases(bad=False)])
def test_an_example_parses(rule: Rule, example: Example) -> None:
    written = marked(example)

    assert () == code_of(written.path, written.text, written.before, written.context).facts.broken


@pytest.mark.parametrize(("rule", "example"), cases(bad=True))
def test_a_fix_turns_bad_code_into_code_that_parses_and_is_quiet(rule: Rule, example: Example) -> None:
    written = marked(example)
    for finding in found_by(rule, code_of(written.path, written.text, written.before, written.context)):
        if finding.fix is None:
            continue

        fixed = code_of(written.path, applied(written.text, finding.fix.edits), context=written.context)

        assert () == fixed.facts.broken
        assert len(written.lines) - 1 == len(found_by(rule, fixed))


@pytest.mark.parametrize(("rule", "example"), cases(bad=False))
def test_good_code_is_good_for_every_rule(rule: Rule, example: Example) -> None:
    written = marked(example)

    around = Around(elsewhere=code_of(written.path, written.text, context=written.context).elsewhere)

    said = judge(written.path, written.text, rules(), OwnNames(), written.path, around).said

    assert [] == [(one.rule.name, one.finding.span.line) for one in said if one.finding.confidence != "possible"]


@pytest.mark.parametrize(("rule", "example"), cases(bad=True))
def test_bad_code_is_heard_through_the_whole_engine(rule: Rule, example: Example) -> None:
    """By its own rule, or by one that says the same cause better."""
    written = marked(example)
    hunks = hunks_between(written.before, written.text) if written.before else ()
    file = ChangedFile(written.path, written.before or None, written.text, hunks, written.path if written.before else None)

    report = examine(Change("review" if written.before else "audit", (file,), context=dict(written.context)), Options(), "0")

    assert report.findings


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule.name)
def test_a_rule_has_a_page_an_id_and_both_kinds_of_examples(rule: Rule) -> None:
    assert re.fullmatch(r"MTR-[1-6]\d\d", rule.about.id)
    assert rule.page
    assert any(marked(example).lines for example in rule.examples)
    assert any(not marked(example).lines for example in rule.examples)


def test_every_file_of_examples_belongs_to_a_rule_and_is_in_its_language() -> None:
    names = {rule.name for rule in rules()}
    for language in languages():
        for file in (files("rules.examples") / language).iterdir():
            assert file.name.removesuffix(".txt") in names
            assert {path_for(language).rpartition(".")[2]} == {
                one.path.rpartition(".")[2] for one in parsed(language, file.read_text())
            }


def test_an_example_in_a_file_carries_what_was_before_and_what_lies_beside_it() -> None:
    found = parsed("ruby", "--- a.rb (before) ---\nx\n--- b.rb (context) ---\ny\n--- a.rb ---\nz\n--- c.rb ---\nw\n")

    assert [Example("ruby", "z\n", "a.rb", "x\n", {"b.rb": "y\n"}), Example("ruby", "w\n", "c.rb")] == found


def test_no_two_rules_share_an_id() -> None:
    ids = [rule.about.id for rule in rules()]

    assert sorted(set(ids)) == ids
