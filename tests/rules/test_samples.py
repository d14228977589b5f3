"""What only shows how a product is used is never a comment."""

import pytest

from rules.catalog import rules
from rules.code import OwnNames
from rules.judge import judge

SWALLOWED = """
import stripe

def report(customer, tokens, request_id):
    try:
        stripe.billing.MeterEvent.create(
            event_name="tokens", identifier=request_id, payload={"stripe_customer_id": customer, "value": tokens}
        )
    except stripe.StripeError:
        pass
"""


TEST_KEY = '\nstripe.api_key = "sk_test_' + "x" * 24 + '"\n'


def confidences(path: str, text: str = SWALLOWED) -> set[str]:
    return {said.finding.confidence.value for said in judge(path, text, rules(), OwnNames(), path).said}


@pytest.mark.parametrize(
    "path",
    [
        "samples/report.py",
        "docs/usage.py",
        "billing/seed.py",
        "scripts/backfill.py",
        "app/report_example.py",
        "before-backup/app/report.py",
        "app/handlers_old/report.py",
        "app/report.bak.py",
    ],
)
def test_a_sample_is_at_most_possible(path: str) -> None:
    assert confidences(path) <= {"possible"}


@pytest.mark.parametrize(
    "path",
    ["billing/report.py", "apps/sampler/report.py", "billing/seedlings.py", "apps/backup/report.py", "app/household/report.py"],
)
def test_a_product_is_judged_in_full(path: str) -> None:
    assert "certain" in confidences(path)


def test_a_test_key_in_the_code_marks_a_sample() -> None:
    assert {"possible"} == confidences("report.py", SWALLOWED + TEST_KEY)
