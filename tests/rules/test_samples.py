"""What only shows how a product is used is never a comment."""

import pytest

from rules.catalog import rules
from rules.code import OwnNames
from rules.judge import judge
from rules.meaning.samples import is_library

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
        "api/routes/dev/report.py",
        "api/debug/report.py",
        "diagnose_usage.py",
        "app/actions/test-usage.py",
    ],
)
def test_a_sample_is_at_most_possible(path: str) -> None:
    assert confidences(path) <= {"possible"}


@pytest.mark.parametrize(
    "path",
    [
        "billing/report.py",
        "apps/sampler/report.py",
        "billing/seedlings.py",
        "apps/backup/report.py",
        "app/household/report.py",
        "dev/billing/report.py",
        "app/devices/report.py",
        "app/testimonials.py",
    ],
)
def test_a_product_is_judged_in_full(path: str) -> None:
    assert "certain" in confidences(path)


def test_a_test_key_in_the_code_marks_a_sample() -> None:
    assert {"possible"} == confidences("report.py", SWALLOWED + TEST_KEY)


WRAPPED = '!function () {\n  var chart = { version: "2.4.1" };\n  chart.next = 1;\n}();\n'
BANNER = "/*!\n * Calendar v3.1.0\n */\nvar a = 1;\n"


@pytest.mark.parametrize("text", [WRAPPED, BANNER, BANNER.replace("v3.1.0", "3.1.0 (c) its authors")])
def test_a_library_that_a_page_brings_along_is_left_alone(text: str) -> None:
    assert is_library("web/static/chart.js", text)
    assert not is_library("src/billing/chart.js", text)


LICENSED = [
    "/**\n * Copyright (c) 2017-present, Somebody, Inc.\n */\nfbq.version = 1;\n",
    "// @license magnet\n(function () {})();\n",
    "/*!\n * Widget\n * Released under the MIT license\n */\nvar a = 1;\n",
]


@pytest.mark.parametrize("text", LICENSED)
def test_a_script_under_somebody_s_licence_is_left_alone(text: str) -> None:
    assert is_library("apps/site/public/f.js", text)
    assert not is_library("apps/site/src/f.js", text)
    assert not is_library("public/index.php", text)


@pytest.mark.parametrize(("name", "expected"), [("a", True), ("usageOfMonth", False)])
def test_one_long_function_with_names_of_a_bundler_is_a_library(name: str, expected: bool) -> None:
    lines = "".join(f"  var {name} = function ({name}, {name}) {{ return {name}; }};\n" for _ in range(400))

    assert is_library("public/js/w.js", f"(function () {{\n{lines}}})();\n") is expected


@pytest.mark.parametrize("text", ["/* shows usage */\nvar a = 1;\n", "var version = '2.4.1';\nshow(version);\n"])
def test_a_script_of_its_own_is_not(text: str) -> None:
    assert not is_library("web/static/usage.js", text)
