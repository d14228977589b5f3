"""The page at / in a real browser."""

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import CDPSession, FilePayload, Page, expect

from tests.browser.audited import BUNDLE, GO, PYTHON, audit, paste, press_audit, reported, rules_shown
from tests.browser.conftest import Open

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>"


def many_files() -> list[FilePayload]:
    """Enough code that its audit can be watched."""
    function = PYTHON.partition("\n\n")[2]
    body = "".join(function.replace("report(", f"report_{number}(") for number in range(20))
    text = f"import stripe\n\n{body}".encode()
    return [{"name": f"usage_{number:03}.py", "mimeType": "text/plain", "buffer": text} for number in range(60)]


def test_pasted_code_gets_findings_a_score_and_answers(page: Page) -> None:
    audit(page)

    assert ["MTR-109", "MTR-201"] == sorted({*rules_shown(page)} & {"MTR-109", "MTR-201"})
    expect(page.get_by_role("img", name=re.compile(r"Score \d+ of 10")).first).to_be_visible()
    expect(page.get_by_text("Sent synchronously or queued?")).to_be_visible()
    expect(page.get_by_role("heading", name="Prioritized Action List")).to_be_visible()
    expect(page.locator("#status")).to_contain_text("the check fails")


def test_a_finding_shows_its_line_among_those_around_it_what_to_do_and_a_fix_to_copy(page: Page) -> None:
    audit(page, PYTHON, "usage.py")
    card = page.locator('article.finding[data-rule="MTR-201"]')

    assert ["2", "3", "4", "5", "6", "7"] == card.locator(".code").first.locator("td.number").all_text_contents()
    expect(card.locator("mark").first).to_have_text("stripe.billing.MeterEvent.create(")
    expect(card.locator("tr.context").nth(1)).to_contain_text("def report(customer_id, tokens, request_id):")
    expect(card).to_contain_text("What to do:")
    card.get_by_role("button", name="Copy the new lines").click()
    assert "identifier=request_id" in page.evaluate("navigator.clipboard.readText()")


def test_the_name_of_a_rule_leads_to_its_page(page: Page) -> None:
    audit(page, PYTHON, "usage.py")
    page.get_by_role("link", name="MTR-201").first.click()

    expect(page.get_by_role("heading", level=1)).to_have_text("MTR-201 Meter event without an identifier")


def test_a_language_is_enough_for_a_single_file(page: Page) -> None:
    paste(page, GO)
    page.get_by_label("Language").select_option("Go")
    press_audit(page)
    reported(page)

    assert "MTR-109" in rules_shown(page)
    expect(page.get_by_role("heading", level=1, name="pasted.go")).to_be_visible()


def test_code_without_a_name_is_refused_with_what_to_do(open_page: Open) -> None:
    page = open_page("/", refusals=1)
    paste(page, PYTHON)
    press_audit(page)

    alert = page.get_by_role("alert")
    expect(alert).to_contain_text("Neither the language of this code nor its file name is known.")
    expect(alert).to_contain_text("Choose the language or name the file")
    expect(page.get_by_label("Code to audit")).to_have_value(PYTHON)
    paste(page, PYTHON, "usage.py")
    press_audit(page)
    reported(page)
    expect(alert).to_be_hidden()


def test_findings_stream_in_while_files_are_judged_and_the_audit_can_be_cancelled(page: Page) -> None:
    page.locator("#files").set_input_files(many_files())
    expect(page.locator("#chosen-what")).to_have_text(re.compile("60 files, "))
    press_audit(page)
    expect(page.locator("#list article.finding").first).to_be_visible(timeout=30_000)
    expect(page.locator("#status")).to_have_text(re.compile(r"\d+ of 60: usage_\d+\.py"))

    assert page.get_by_role("button", name="Cancel").is_visible()
    page.keyboard.press("Escape")

    expect(page.locator("#status")).to_have_text("Cancelled: what was found until then is shown.")
    assert 0 < len(rules_shown(page)) < 60 * 20
    assert page.get_by_role("group", name="Export the report").is_hidden()
    page.get_by_role("button", name="New audit").click()
    page.get_by_role("button", name="Take away").click()
    audit(page)


def test_a_chosen_folder_is_audited_without_what_cannot_be(page: Page, tmp_path: Path) -> None:
    project(tmp_path)
    page.locator("#folder").set_input_files(tmp_path / "project")

    expect(page.locator("#chosen-what")).to_have_text(re.compile(r"project: 3 files, \d+ kB"))
    expect(page.locator("#chosen-left")).to_have_text("Left out: src/latin.py (not UTF-8 text)")
    press_audit(page)
    reported(page)
    expect(page.locator("#left-out")).to_contain_text("src/latin.py: not UTF-8 text")
    assert ["MTR-201"] == rules_shown(page)


def test_a_dropped_folder_is_audited(page: Page, tmp_path: Path) -> None:
    project(tmp_path)
    drop(page.context.new_cdp_session(page), tmp_path / "project")

    expect(page.locator("#chosen-list li")).to_have_text(["src/usage.py", "tests/test_usage.py", "vendor/usage.py"])
    press_audit(page)
    reported(page)
    assert ["MTR-201"] == rules_shown(page)


def test_dropped_files_are_audited_and_can_be_taken_away_again(page: Page, tmp_path: Path) -> None:
    (tmp_path / "usage.py").write_text(PYTHON)
    (tmp_path / "notes.txt").write_text("usage")
    drop(page.context.new_cdp_session(page), tmp_path / "usage.py", tmp_path / "notes.txt")

    expect(page.locator("#chosen-list li")).to_have_text(["usage.py"])
    page.get_by_role("button", name="Take away").click()
    expect(page.get_by_label("Code to audit")).to_be_focused()
    audit(page, GO, "consumer.go")
    assert "MTR-201" not in rules_shown(page)


def project(folder: Path) -> None:
    files = {"src/usage.py": PYTHON, "tests/test_usage.py": PYTHON, "vendor/usage.py": PYTHON, "README.md": "usage"}
    for name, text in {**files, "node_modules/stripe/usage.py": PYTHON}.items():
        path = folder / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (folder / "project" / "src" / "latin.py").write_bytes(b"usage = '\xe9'")


def drop(session: CDPSession, *paths: Path) -> None:
    """As the mouse does it: a script cannot drop a folder."""
    data = {"items": [], "files": [str(path) for path in paths], "dragOperationsMask": 1}
    for kind in ("dragEnter", "dragOver", "drop"):
        session.send("Input.dispatchDragEvent", {"type": kind, "x": 300, "y": 300, "data": data})


def test_findings_are_filtered_by_severity_confidence_section_rule_file_and_words(page: Page) -> None:
    page.get_by_role("button", name="Example").click()
    expect(page.get_by_label("Code to audit")).not_to_have_value("")
    press_audit(page)
    reported(page)
    whole = rules_shown(page)
    filters = page.get_by_role("form", name="Filter findings")

    def cards(**data: str) -> int:
        return page.locator("article.finding" + "".join(f'[data-{name}="{value}"]' for name, value in data.items())).count()

    filters.get_by_label("high").uncheck()
    assert len(rules_shown(page)) == len(whole) - cards(severity="high") < len(whole)
    expect(filters.locator("#shown")).to_have_text(f"{len(rules_shown(page))} of {len(whole)} shown")
    filters.get_by_role("button", name="Show all").click()
    filters.get_by_label("likely").uncheck()
    assert len(rules_shown(page)) == len(whole) - cards(confidence="likely") < len(whole)
    filters.get_by_role("button", name="Show all").click()
    filters.get_by_label("Section").select_option("Deduplication & Idempotency")
    assert len(rules_shown(page)) == cards(section="deduplication") < len(whole)
    filters.get_by_role("button", name="Show all").click()
    filters.get_by_label("Rule").select_option("MTR-109")
    assert {"MTR-109"} == {*rules_shown(page)}
    filters.get_by_role("button", name="Show all").click()
    filters.get_by_label("File").select_option("archive/consumer.go")
    assert len(rules_shown(page)) == cards(path="archive/consumer.go") < len(whole)
    filters.get_by_role("button", name="Show all").click()
    filters.get_by_label("Words").fill("uuid4 stable")
    # What is typed takes effect a moment later.
    expect(page.locator("article.finding:visible")).not_to_have_count(len(whole))
    assert 0 < len(rules_shown(page)) < len(whole)
    filters.get_by_label("Words").fill("no such word")
    expect(page.get_by_text("No finding fits the filter.")).to_be_visible()
    filters.get_by_role("button", name="Show all").click()
    expect(page.locator("article.finding:visible")).to_have_count(len(whole))
    assert whole == rules_shown(page)


@pytest.mark.parametrize(("name", "ending"), [("Markdown", "md"), ("JSON", "json"), ("SARIF", "sarif"), ("HTML", "html")])
def test_a_report_is_exported(page: Page, tmp_path: Path, name: str, ending: str) -> None:
    audit(page)
    with page.expect_download() as download:
        page.get_by_role("button", name=name, exact=True).click()
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    text = file.read_text(encoding="utf-8")

    assert f"meteraudit.{ending}" == file.name
    assert "MTR-201" in text
    if ending in ("json", "sarif"):
        assert json.loads(text)
    if ending == "html":
        page.goto(file.as_uri())
        expect(page.get_by_role("heading", name="MeterAudit report")).to_be_visible()
        assert page.locator("article.finding").count() == 2 or page.locator("article.finding").count() > 2


def test_an_audit_is_kept_in_the_browser_opened_again_and_deleted(page: Page) -> None:
    audit(page)
    before = rules_shown(page)
    page.reload()
    kept = page.locator("#kept li")
    expect(kept).to_have_count(1)
    expect(kept).to_contain_text("api/billing.py and 1 more")
    assert "MeterEvent" in page.evaluate("localStorage.getItem('meteraudit.history')")
    expect(page.get_by_text("not encrypted")).to_be_visible()

    kept.get_by_role("button", name="api/billing.py and 1 more").first.click()
    reported(page)
    assert before == rules_shown(page)
    page.get_by_role("button", name="New audit").click()
    page.get_by_role("button", name="Delete all of them").click()
    expect(page.get_by_text("No audit is kept.")).to_be_visible()
    assert "MeterEvent" not in page.evaluate("JSON.stringify(localStorage)")


def test_one_of_several_kept_audits_is_deleted(page: Page) -> None:
    for name in ("one.py", "two.py"):
        audit(page, PYTHON, name)
        page.get_by_role("button", name="New audit").click()
    page.get_by_role("button", name=re.compile("Delete the audit of one.py")).click()

    expect(page.locator("#kept li strong")).to_have_text(["two.py"])


def test_nothing_is_kept_when_that_is_switched_off(page: Page) -> None:
    page.get_by_label("Keep audits here").uncheck()
    audit(page)
    page.reload()

    expect(page.get_by_label("Keep audits here")).not_to_be_checked()
    expect(page.get_by_text("No audit is kept.")).to_be_visible()
    assert "MeterEvent" not in page.evaluate("JSON.stringify(localStorage)")


@pytest.mark.parametrize("stored", ["{", "null", '[{"document": 1}, 7]', '[{"document": "{}", "at": 0, "id": "x"}]'])
def test_the_page_starts_whatever_is_in_the_storage(page: Page, stored: str) -> None:
    page.evaluate("stored => localStorage.setItem('meteraudit.history', stored)", stored)
    page.reload()

    audit(page)


def test_the_oldest_audits_make_room_for_the_newest(page: Page) -> None:
    fill = "const one = {id: 'old', at: 0, name: 'old', counts: {}, score: 1, document: 'x'.repeat(2_400_000)};"
    page.evaluate(f"() => {{ {fill} localStorage.setItem('meteraudit.history', JSON.stringify([one, one])); }}")
    page.reload()
    expect(page.locator("#kept li")).to_have_count(2)
    audit(page, PYTHON, "usage.py")

    expect(page.locator("#kept li").first).to_contain_text("usage.py")


def test_the_keyboard_is_enough(page: Page) -> None:
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    for _ in range(20):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "code":
            break
    page.keyboard.insert_text(BUNDLE)
    page.keyboard.press("Control+Enter")
    reported(page)

    page.keyboard.press("j")
    first = page.evaluate("document.activeElement.id")
    page.keyboard.press("j")
    second = page.evaluate("document.activeElement.id")
    page.keyboard.press("k")
    assert {first[:8], second[:8]} == {"finding-"}
    assert first != second
    assert first == page.evaluate("document.activeElement.id")
    page.locator('article.finding[data-rule="MTR-201"]').focus()
    page.keyboard.press("c")
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    page.keyboard.press("/")
    page.keyboard.type("jkcn?")
    expect(page.get_by_label("Words")).to_have_value("jkcn?")
    page.keyboard.press("Tab")
    page.locator("#result-title").focus()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("n")
    expect(page.get_by_label("Code to audit")).to_be_focused()


def test_markup_in_names_and_code_stays_text(page: Page) -> None:
    path = f"src/{HOSTILE.replace('/', '_')}.py"
    code = PYTHON.replace("tokens", HOSTILE.replace('"', ""), 1).replace('"tokens"', f'"{HOSTILE}"')
    audit(page, f"--- {path} ---\n{code}")

    assert page.locator("article.finding").count() >= 1
    assert page.locator("img, iframe, #result script").count() == 0
    assert HOSTILE.replace("/", "_") in page.locator("#result").text_content()
    page.reload()
    expect(page.locator("#kept li strong")).to_contain_text("<script>")
    assert page.locator("img").count() == 0


def test_a_chosen_file_with_markup_in_its_name_stays_text(page: Page, tmp_path: Path) -> None:
    file = tmp_path / "<img src=x onerror=alert(1)>.py"
    file.write_text(PYTHON)
    page.locator("#files").set_input_files(file)

    expect(page.locator("#chosen-list li")).to_have_text([file.name])
    press_audit(page)
    reported(page)
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("width", [1280, 390])
def test_very_long_lines_and_names_do_not_widen_the_page(open_page: Open, width: int) -> None:
    page = open_page("/", width=width)
    code = PYTHON.replace("str(tokens)", f"str(tokens{'_long' * 2000})").replace('"tokens"', f'"{"x" * 3000}"')
    # Short lines, too: a file of long ones only is minified and not judged.
    audit(page, f"--- {'deep/' * 60}{'n' * 200}.py ---\n{code}" + "# short\n" * 60)

    assert page.locator("article.finding").count() >= 1
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_characters_that_turn_text_around_are_spelt_out(page: Page) -> None:
    code = PYTHON.replace("str(tokens)", "str(tokens)  # \u202e\u2066 }reversed")
    audit(page, code, "us\u202eyp.py")

    text = page.locator("#result").text_content() or ""
    assert "[U+202E]" in text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b]", text)


def test_the_theme_is_kept(page: Page) -> None:
    def background() -> str:
        return str(page.evaluate("getComputedStyle(document.body).backgroundColor"))

    light = background()
    page.get_by_role("button", name="Theme: auto").click()
    page.get_by_role("button", name="Theme: light").click()
    dark = background()
    page.reload()

    assert (dark, True) == (background(), light != dark)


def test_the_rules_are_filtered_and_the_filter_is_in_the_address(open_page: Open) -> None:
    page = open_page("/rules")
    page.get_by_label("Search").fill("kafka acknowledged")
    shown = page.locator("table.rules tbody tr:visible td.id")

    assert "MTR-109" in shown.all_text_contents()
    assert shown.count() < 10
    page.reload()
    expect(page.get_by_label("Search")).to_have_value("kafka acknowledged")
    page.get_by_label("Search").fill("no such word")
    expect(page.get_by_text("No rule fits.")).to_be_visible()


def test_the_page_of_a_rule_shows_one_language_at_a_time_and_remembers_it(open_page: Open) -> None:
    page = open_page("/rules/MTR-201")
    page.get_by_role("link", name="Go", exact=True).click()
    assert ["go"] == page.eval_on_selector_all(
        "section.spoken", "all => all.filter(one => one.checkVisibility()).map(one => one.dataset.language)"
    )
    page.get_by_role("navigation", name="Rules before and after").get_by_role("link").last.click()

    shown = page.locator("section.spoken:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_have_attribute("data-language", "go")
