"""Each rule has examples in each language in which its defect can occur, and a reason for each in which it cannot."""

from collections.abc import Iterator

import pytest

from rules.catalog import rules
from rules.examples import examples_of
from rules.rule import Example, Rule
from tests.rules.examples import marked

LANGUAGES = ("python", "typescript", "go", "ruby", "php", "java", "csharp", "kotlin", "rust")
DIALECTS = {"tsx": "typescript", "jsx": "typescript", "javascript": "typescript"}
ONLY_PYTHON = (
    "of m3ter's SDKs only the one for Python has `submit_all`, a generator; elsewhere a batch is sent by one plain call"
)
NO_SDK = (
    "Autumn has SDKs for JavaScript and Python only; whoever calls its API otherwise is told of a failure by the HTTP client"
)
CANNOT_OCCUR = {
    **dict.fromkeys((("m3ter-submit-all-not-iterated", one) for one in LANGUAGES if one != "python"), ONLY_PYTHON),
    **dict.fromkeys((("autumn-fail-open-usage", one) for one in LANGUAGES if one not in ("python", "typescript")), NO_SDK),
}


def pairs() -> Iterator[object]:
    for rule in rules():
        for language in LANGUAGES:
            yield pytest.param(rule, language, id=f"{rule.name}-{language}")


def in_language(rule: Rule, language: str) -> list[Example]:
    return [one for one in examples_of(rule) if DIALECTS.get(one.language, one.language) == language]


@pytest.mark.parametrize(("rule", "language"), list(pairs()))
def test_a_rule_shows_bad_and_good_code_in_each_language_in_which_its_defect_can_occur(rule: Rule, language: str) -> None:
    kinds = {bool(marked(example).lines) for example in in_language(rule, language)}

    assert kinds == (set() if (rule.name, language) in CANNOT_OCCUR else {True, False})


def test_what_cannot_occur_is_said_of_rules_and_languages_that_there_are() -> None:
    names = {rule.name for rule in rules()}

    assert [] == [pair for pair in CANNOT_OCCUR if pair[0] not in names or pair[1] not in LANGUAGES]
