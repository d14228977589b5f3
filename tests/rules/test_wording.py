"""Messages speak the language of the code that they are about."""

import re

import pytest

from rules.catalog import rules
from rules.examples import examples_of
from rules.languages import path_for
from rules.rule import Example, Finding, Rule
from rules.wording import as_written, spelled
from tests.rules.examples import applied, code_of, found_by, marked

LANGUAGES = ("python", "javascript", "go", "ruby", "php", "java", "kotlin", "csharp", "rust")
SPOKEN_IN = {
    r"\b[Aa]wait\b": "python javascript csharp rust",
    r"\b[Pp]romise|Date\.UTC|date-fns|new Date\(": "javascript",
    r"[!=]==": "javascript php",
    r"\bundefined\b": "javascript",
    r"\?\?": "javascript php csharp",
    r"[!=]= null\b": "javascript php java kotlin csharp",
    r"\bis (not )?None\b|isocalendar|relativedelta|timezone\.utc|raise_for_status": "python",
    r"\bnil\b": "go ruby",
    r":=|\bdefer\b|goroutine|AddDate|RowsAffected": "go",
    r"\b[Rr]aise[sd]?\b": "python ruby sql",
    r"\b([Tt]hrow[sn]?|[Rr]ethrow)\b": "javascript java kotlin csharp php",
    r"`finally`": "python javascript java kotlin csharp php",
    r"`ensure`": "ruby",
    r"`continue`": "python javascript go java kotlin csharp php rust",
    r"`next`": "ruby",
    r"\bTrue\b|\bFalse\b": "python",
    r"\bBigDecimal\b": "java kotlin ruby",
    r"`Decimal\b": "python rust",
    r"`this\.": "javascript java kotlin csharp",
    r"`self\.": "python ruby rust",
    r"\$this": "php",
    r"->": "php",
    r"\w::\w": "ruby php rust java kotlin",
}
"""What gives a language away, and where it may stand. SQL and Redis commands may stand anywhere."""


def spoken(language: str) -> str:
    return "javascript" if language in ("typescript", "tsx") else language


def said(finding: Finding) -> str:
    notes = [step.note for step in finding.trace]
    return "\n".join([finding.description, finding.remediation, *notes, finding.fix.title if finding.fix else ""])


def foreign(language: str, text: str, source: str) -> list[str]:
    """The words of other languages in a text, unless they are quoted from the code itself."""
    quoted = re.sub(r"`([^`]*)`", lambda match: "" if match[1] in source else match[0], text)
    return [
        found[0]
        for pattern, languages in SPOKEN_IN.items()
        if language not in languages.split() and (found := re.search(pattern, quoted)) is not None
    ]


CASES = [
    pytest.param(rule, example, id=f"{rule.name}-{example.language}-{number}")
    for rule in rules()
    for number, example in enumerate(examples_of(rule))
    if marked(example).lines
]


@pytest.mark.parametrize(("rule", "example"), CASES)
def test_a_message_has_no_words_of_another_language(rule: Rule, example: Example) -> None:
    written = marked(example)
    code = code_of(written.path, written.text, written.before, written.context)

    texts = [said(as_written(code, finding)) for finding in found_by(rule, code)]

    source = " ".join((written.text + written.before).split())
    assert [] == [word for text in texts for word in foreign(spoken(example.language), text, source)]


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_advised_is_of_the_language(language: str) -> None:
    idioms = code_of(path_for(language), "").facts.idioms

    advice = [
        idioms.fail,
        idioms.wait_for,
        idioms.rethrow,
        idioms.last_block,
        f"`{idioms.next_item}`",
        idioms.null_test,
        idioms.refusal,
        idioms.returned_error,
        idioms.utc_month_start,
        idioms.months_added,
        idioms.week_year,
        idioms.exact_decimal,
        idioms.usage_of_stream,
    ]

    assert [] == [word for text in advice for word in foreign(language, text, "")]


def test_a_word_of_another_language_is_recognised() -> None:
    assert ["??"] == foreign("go", "Default with `??`.", "")
    assert [] == foreign("go", "`a ?? b` is read here.", "x = a ?? b")


@pytest.mark.parametrize(
    ("language", "source", "name", "expected"),
    [
        ("php", "$this->client->post($url);", "this.client.post", "$this->client->post"),
        ("php", "App\\Models\\UsageEvent::where('id', f(1))->exists()", "App.Models.UsageEvent.where().exists",
         "UsageEvent::where()->exists"),
        ("php", "f($requestId);", "requestId", "$requestId"),
        ("php", "f(['credits' => $credits]);", "credits", "credits"),
        ("ruby", "@pending << event", "self.pending", "@pending"),
        ("ruby", "Stripe::Invoice.create(customer: id)", "Stripe.Invoice.create", "Stripe::Invoice.create"),
        ("java", "ledger\n  .deductCredits(user)", "this.ledger.deductCredits", "ledger.deductCredits"),
        ("java", "this.ledger.deductCredits(user)", "this.ledger.deductCredits", "this.ledger.deductCredits"),
        ("kotlin", "account?.usage", "account.usage", "account?.usage"),
        ("csharp", "await _usage.RecordAsync(1);", "_usage.Record", "_usage.RecordAsync"),
        ("rust", "diesel::insert_into(usage)", "diesel.insert_into", "diesel::insert_into"),
        ("rust", "diesel::insert_into(usage)", "sqlx.query", "sqlx.query"),
    ],
)  # fmt: skip
def test_a_name_is_spelled_as_in_the_source(language: str, source: str, name: str, expected: str) -> None:
    assert expected == spelled(code_of(path_for(language), "").facts.idioms, source, name)


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("r.php", "<?php\nfunction report($usage) {\n  try {\n    $usage->recordUsage(1);\n  } catch (E $e) {\n  }\n}\n",
         "{ throw $e; }"),
        ("R.java", "class R {\n  void report() {\n    try {\n      usage.recordUsage(1);\n    } catch (E e) {\n    }\n  }\n}",
         "{ throw e; }"),
    ],
)  # fmt: skip
def test_an_error_that_is_swallowed_is_thrown_again_under_its_own_name(path: str, text: str, expected: str) -> None:
    rule = next(one for one in rules() if one.name == "emit-error-swallowed")
    fixes = [one.fix for one in found_by(rule, code_of(path, text)) if one.fix is not None]

    assert [True] == [expected in applied(text, fix.edits) for fix in fixes]
