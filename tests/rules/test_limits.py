"""What is read as a comparison of usage with a limit, and what only looks like one."""

import pytest

from rules.catalog import rule
from rules.code import Code
from rules.meaning.limits.limits import Limit
from tests.rules.examples import code_of, found_by

BILLING = "// subscription, invoice\n"


def limits(condition: str) -> tuple[Limit, ...]:
    return code_of("code.ts", f"{BILLING}function f(x) {{ if ({condition}) {{ return; }} }}\n").limits


def go(source: str) -> Code:
    return code_of("code.go", "package quota\n\n// invoice, subscription\n" + source)


@pytest.mark.parametrize(
    "condition",
    ["user.used >= plan.limit", "usage.count + n > usage.limit", "dailyCost >= dailyCostLimit", "usedTokens > 1000",
     "user.apiCalls >= plan.maxApiCalls"],
)  # fmt: skip
def test_usage_against_what_is_allowed_is_a_limit(condition: str) -> None:
    (limit,) = limits(condition)

    assert not limit.left
    assert limit.refuses


@pytest.mark.parametrize(
    "condition",
    [
        "user.credits < 1",
        "user.credits <= 0",
        "balance < cost",
        "userQuota - cost < 0",
        "!user.credits",
        "user.credits < credits",
    ],
)
def test_what_is_left_against_what_is_needed_is_a_limit(condition: str) -> None:
    (limit,) = limits(condition)

    assert limit.left
    assert limit.refuses


def test_a_limit_that_stands_left_is_turned_round() -> None:
    (limit,) = limits("plan.limit <= user.used")

    assert ">=" == limit.operator


def test_a_negated_comparison_reads_as_its_opposite() -> None:
    (limit,) = limits("!(user.used < plan.limit)")

    assert ">=" == limit.operator


@pytest.mark.parametrize(
    "condition",
    ["rows.length >= pageLimit", "retries >= maxRetries", "promptTokens > maxTokens", "quota < 0", "total > limit",
     "kind === METRIC.MAX", "credits !== 0", "requests >= rateLimit"],
)  # fmt: skip
def test_paging_retrying_and_the_form_of_an_amount_are_no_limits(condition: str) -> None:
    assert () == limits(condition)


def test_a_returned_comparison_is_a_limit_too() -> None:
    code = code_of("code.ts", f"{BILLING}function f(user, plan) {{ return user.used < plan.limit; }}\n")

    assert ["<"] == [limit.operator for limit in code.limits]


def test_an_amount_parameter_above_zero_is_no_balance() -> None:
    assert () == go("func f(quota int) {\n\tif quota > 0 {\n\t\treturn\n\t}\n}\n").limits


@pytest.mark.xfail(strict=True, reason="the charge lies in another file, and nothing here says that it happens")
def test_a_middleware_that_only_tests_is_found() -> None:
    check_then_act = rule("check-then-act-limit")
    assert check_then_act is not None
    source = BILLING + (
        "module.exports = (req, res, next) => {\n"
        "  if (req.key.dailyCost >= req.key.dailyCostLimit) return res.status(402).end();\n"
        "  next();\n"
        "};\n"
    )

    assert found_by(check_then_act, code_of("auth.js", source))


@pytest.mark.parametrize(
    ("rows", "expected"), [("store.exports(user).await?", ["rows.len() >= plan.export_limit"]), ("name.trim()", [])]
)
def test_the_length_of_what_was_asked_for_is_usage_in_rust_and_that_of_a_text_is_not(rows: str, expected: list[str]) -> None:
    code = code_of(
        "export.rs",
        f"// subscription, invoice\nasync fn f() -> Answer {{ let rows = {rows}; "
        "if rows.len() >= plan.export_limit { return Err(TooMany); } Ok(()) }\n",
    )

    assert expected == [code.facts.text(limit.span) for limit in code.limits]
