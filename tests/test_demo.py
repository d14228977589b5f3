"""The main job end to end: the shipped demo, with the real server as its own process."""

import io

import pytest
from rich.console import Console

from bot.demo.run import run_demo


@pytest.fixture(scope="module")
def shown() -> str:
    output = io.StringIO()
    run_demo(Console(file=output, width=160))
    return output.getvalue()


@pytest.mark.parametrize("path", ["api/billing.py:", "web/app/api/export/route.ts:", "archive/consumer.go:"])
def test_the_demo_comments_on_each_language(shown: str, path: str) -> None:
    assert path in shown


def test_the_demo_shows_the_failing_check_with_its_score(shown: str) -> None:
    assert "MeterAudit: failure" in shown
    assert "Blocked: " in shown
    assert "/10" in shown
