"""What looks like a secret is not shown, in any form of the report."""

import time

import pytest

from bot.report import FORMATS
from bot.report.check_run import annotations, check_summary
from bot.report.comments import comment_body
from bot.report.masking import MASK, mask, masked_finding
from rules.report import LineEdit, Suggestion
from tests.report.samples import HEAD, REPOSITORY, finding, report

SECRETS = {
    "github token": "ghp_" + "a1B2" * 9,
    "github installation token with a jwt": "ghs_12_" + "eyJ.a-b_c" * 4,
    "stripe live key": "sk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "stripe restricted key": "rk_live_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "webhook secret": "whsec_" + "4eC39HqLyjWDarjtT1zdp7dc",
    "aws key id": "AKIA" + "ABCDEFGHIJKLMNOP",
    "slack token": "xox" + "b-123456789012-abcdefABCDEF",
    "jwt": "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.abc_def-123",
}


@pytest.mark.parametrize("secret", SECRETS.values(), ids=SECRETS.keys())
def test_a_known_kind_of_secret_is_masked_but_for_its_prefix(secret: str) -> None:
    shown = mask(f'client = Client("{secret}")')
    assert secret[8:] not in shown
    assert MASK in shown


def test_a_private_key_is_masked_to_its_end_even_if_the_end_is_missing() -> None:
    whole = "-----BEGIN RSA PRIVATE KEY-----\nMIIEabc\nxyz\n-----END RSA PRIVATE KEY-----\nafter"
    assert mask(whole) == f"-----BEGIN RSA PRIVATE KEY-----{MASK}\nafter"
    assert "MIIE" not in mask("-----BEGIN PRIVATE KEY-----\nMIIEabc\nxyz")


@pytest.mark.parametrize(
    "code",
    [
        'apiKey: "q7Zp3kX9vB2mN8tR5wY1cD4f"',
        "const BILLING_TOKEN = 'q7Zp3kX9vB2mN8tR5wY1cD4f'",
        'password = "correct-horse"',
        'api_key: str = "q7Zp3kX9vB2mN8tR5wY1cD4f"',
        'headers["X-Api-Key"] = "q7Zp3kX9vB2mN8tR5wY1cD4f"',
        "postgres://meter:q7Zp3kX9vB@db/usage",
        "Authorization: Bearer q7Zp3kX9vB2mN8tR5wY1cD4f",
    ],
)
def test_a_value_that_the_code_calls_a_secret_is_masked(code: str) -> None:
    assert "q7Zp3kX9vB" not in mask(code)
    assert "correct-horse" not in mask(code)


@pytest.mark.parametrize(
    "code",
    [
        'idempotency_key="usage-2024-11-import-0000000001-ab"',
        "identifier: `usage-${customer.id}-${period.start}`",
        'event_name="input_tokens_per_month"',
        "token = response.usage.total_tokens",
        'key = "customers/by-plan/and-region"',
        "await meter(customer, tokens)",
    ],
)
def test_ordinary_metering_code_is_shown_as_it_is(code: str) -> None:
    assert mask(code) == code


def test_masking_a_long_line_takes_no_time() -> None:
    started = time.process_time()
    for unit in ("key_", "eyJ", "://a:", "sk-", "xoxb-", "-----BEGIN ", "token: ", "secret = '"):
        mask(unit * (65_536 // len(unit)))
    assert time.process_time() - started < 5


def test_a_fix_that_holds_a_secret_is_left_out() -> None:
    fix = Suggestion("Add it", True, (LineEdit("src/usage.ts", 14, 14, f'key = "{SECRETS["stripe live key"]}"\n'),))
    assert masked_finding(finding(fix=fix)).fix is None


@pytest.mark.parametrize("name", FORMATS)
def test_no_format_shows_a_secret(name: str) -> None:
    secret = SECRETS["stripe live key"]
    fix = Suggestion(secret, True, (LineEdit("src/usage.ts", 14, 14, secret),))
    leaky = finding(title=secret, evidence=secret, description=secret, remediation=f"`{secret}`", fix=fix)
    assert secret not in FORMATS[name](report(leaky, because=secret))


def test_neither_comment_nor_check_shows_a_secret() -> None:
    secret = SECRETS["github token"]
    leaky = finding(title=secret, evidence=secret, description=secret, remediation=secret, shown="annotation")
    shown = comment_body(leaky, None) + check_summary(report(leaky), REPOSITORY, HEAD, "") + repr(annotations(report(leaky)))
    assert secret not in shown
