"""Every main state of the pages, in both themes and on a phone, by the rules of axe-core; and nothing scrolls sideways."""

from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Page, expect

from tests.browser.audited import audit, reported
from tests.browser.conftest import Open

AXE = (Path(axe_playwright_python.__file__).parent / "axe.min.js").read_text(encoding="utf-8")
WIDTHS = {"desk": 1280, "phone": 390}


def violations(page: Page) -> list[tuple[str, str]]:
    # Evaluated and not added as a script: the page's own policy forbids any script but its own, also to us.
    page.evaluate(AXE)
    found = page.evaluate(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
    return [(one["id"], node["html"][:160]) for one in found["violations"] for node in one["nodes"]]


@pytest.mark.parametrize("device", WIDTHS)
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_the_pages_are_accessible_and_fit(open_page: Open, theme: str, device: str) -> None:
    page = open_page("/", theme=theme, width=WIDTHS[device])
    found = {"start": violations(page)}
    page.get_by_role("button", name="Example").click()
    expect(page.get_by_label("Code to audit")).not_to_have_value("")
    found["filled"] = violations(page)
    page.locator("#audit").click()
    reported(page)
    found["report"] = violations(page)
    wide = {"report": page.evaluate("document.documentElement.scrollWidth - innerWidth")}
    page.get_by_role("button", name="New audit").click()
    found["kept"] = violations(page)
    for path in ("/rules", "/rules/MTR-201", "/rules/none"):
        page = open_page(path, theme=theme, width=WIDTHS[device], refusals=int(path == "/rules/none"))
        found[path] = violations(page)
        wide[path] = page.evaluate("document.documentElement.scrollWidth - innerWidth")

    assert {state: [] for state in found} == found
    assert {} == {state: width for state, width in wide.items() if width > 0}


def test_the_check_finds_what_is_wrong(page: Page) -> None:
    audit(page)
    page.evaluate("document.querySelector('textarea').remove(); document.querySelector('#side').append(new Image())")

    assert "image-alt" in {rule for rule, _ in violations(page)}
