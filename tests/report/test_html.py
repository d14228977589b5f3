"""The report as one HTML file, and the macros that it shares with the web page."""

import base64
import hashlib
import html
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest
from markupsafe import Markup

from bot.report.html import as_html, card, environment, marked_code, meters_drawn, score_drawn
from rules.report import LineEdit, Meter, MeterStep, Report, Suggestion
from tests.report.samples import HOSTILE, finding, hostile, many, report, silent

VOID = {"wbr", "meta", "br", "img", "link", "input", "hr"}


class Page(HTMLParser):
    """Tags with their attributes, and whether every one is closed where it was opened."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"style", "script"} & set(self.open[-1:]):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join("".join(self.text).split())


def whole(*findings: object, **changes: object) -> Page:
    return Page(as_html(report(*(findings or (finding(),)), **changes)))  # type: ignore[arg-type]


def test_all_ten_sections_are_there_in_order_found_or_not() -> None:
    for sample in (report(finding()), silent()):
        numbers = re.findall(r"<h2[^>]*>(\d+)\. ", as_html(sample))

        assert numbers == [str(number) for number in range(1, 11)]


def test_a_card_shows_severity_confidence_classification_code_trace_and_fix() -> None:
    words = Page(card(finding())).words

    for part in ("high", "certain", "deficiency", "Meter event without an identifier", "MTR-201 missing-idempotency-key"):
        assert part in words
    for part in (
        "src/usage.ts:14",
        "await meter(customer, value)",
        "src/usage.ts:9 this wrapper sends the event",
        "Add identifier",
    ):
        assert part in words


def plain(code: Markup) -> str:
    """Without the colours, and with white space as it is."""
    return html.unescape(re.sub(r"<[^>]+>", "", code))


def test_the_marked_code_is_what_the_columns_say() -> None:
    (line,) = marked_code(finding(evidence="  await meter(customer, value)", column=9, end_column=13, end_line=14))

    assert (line.label, *map(plain, (line.before, line.marked, line.after))) == ("14", "  await ", "meter", "(customer, value)")


def test_each_line_of_a_longer_statement_is_marked_from_its_first_character() -> None:
    lines = marked_code(finding(evidence="  a(\n    b,\n  )", line=3, end_line=5, column=3, end_column=3))

    assert [(line.label, plain(line.marked), plain(line.after)) for line in lines] == [
        ("3", "a(", ""),
        ("4", "b,", ""),
        ("5", ")", ""),
    ]


def test_evidence_that_was_cut_short_says_how_much_is_missing() -> None:
    assert marked_code(finding(evidence="a\nb", line=3, end_line=9))[-1].before == "… 5 more lines"


def test_the_lines_to_copy_are_those_of_the_fix_and_the_button_names_them() -> None:
    text = "  if x:\n    <b>\n"
    made = card(finding(fix=Suggestion("Change it", True, (LineEdit("src/usage.ts", 14, 14, text),))))
    (button,) = Page(made).all("button")

    assert f'id="{button["data-copy"]}"' in made
    # HTML drops the line end directly behind <pre>.
    assert re.findall(r"(?s)hidden>\n(.*?)</pre>", made) == ["  if x:\n    &lt;b&gt;"]


def test_a_fix_that_holds_a_secret_is_not_shown() -> None:
    edit = LineEdit("src/usage.ts", 14, 14, 'key = "sk_live_0123456789abcdefghij"\n')

    assert "0123456789" not in card(finding(fix=Suggestion("Change it", True, (edit,))))


@pytest.mark.parametrize("text", [*HOSTILE, "</script><script>alert(1)</script>", '" onclick="x', "{{ 7*7 }}", "&lt;b&gt;"])
def test_untrusted_text_in_every_field_stays_text(text: str) -> None:
    plain, spoilt = whole(finding(state="reappeared")), whole(hostile(text, state="reappeared"))
    names = {tag for tag, _ in plain.tags}

    assert {tag for tag, _ in spoilt.tags} <= names
    assert len(spoilt.all("script")) == 1
    assert not [name for _, attributes in spoilt.tags for name in attributes if name.startswith("on")]
    assert "\u202e" not in as_html(report(hostile(text)))


def test_the_page_loads_nothing_and_its_policy_allows_only_its_own_style_and_script() -> None:
    text = as_html(report(finding(), *many(3, "low")))
    page = Page(text)
    (policy,) = [one["content"] or "" for one in page.all("meta") if one.get("http-equiv") == "Content-Security-Policy"]

    assert policy.startswith("default-src 'none'; ")
    for tag in ("style", "script"):
        (content,) = re.findall(rf"(?s)<{tag}>(.*?)</{tag}>", text)
        assert f"{tag}-src 'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'" in policy
    assert not [attributes for _, attributes in page.tags if {"src", "style", "srcset", "action"} & set(attributes)]
    assert not page.all("link")
    assert "url(" not in text
    assert "@import" not in text


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x"])
def test_a_link_that_is_no_web_address_is_no_link(address: str) -> None:
    assert not Page(card(finding(help=address))).all("a")


def test_every_link_within_the_page_leads_to_one_element() -> None:
    page = whole(finding(), *many(3, "critical"))
    ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    targets = {(one["href"] or "")[1:] for one in page.all("a") if (one["href"] or "").startswith("#")}

    assert len(ids) == len(set(ids))
    assert targets
    assert targets <= set(ids)


def test_the_score_is_drawn_with_every_dimension_and_without_style_attributes() -> None:
    page = Page(score_drawn(report().score))
    bars = [float(one["width"] or 0) for one in page.all("rect") if "value" in (one["class"] or "").split()]

    assert "6/10" in page.words
    assert bars == [60.0]
    assert page.words.count("not touched") == 5


def test_without_a_score_the_page_says_why() -> None:
    assert "nothing metered was analysed" in Page(score_drawn(None)).words


def test_each_meter_is_a_row_of_steps_and_a_step_that_is_missing_says_so() -> None:
    meter = Meter(
        "api<calls>",
        emitted=(MeterStep("src/usage.ts", 14, "likely", "`send<b>`"),),
        provider="Stripe",
        missing=("stored",),
    )
    page = Page(meters_drawn((meter,)))
    stages = [one["class"] for one in page.all("li") if "stage" in (one.get("class") or "").split()]

    assert stages == ["stage", "stage missing", "stage"]
    for part in ("api<calls>", "src/usage.ts:14", "send<b>", "(likely)", "not visible in this code", "Stripe sums and charges"):
        assert part in page.words


def test_findings_from_before_a_change_are_counted_and_not_shown() -> None:
    page = whole(finding(), finding(state="existing", fingerprint="ee"))

    assert "1 finding from before this change." in page.words
    assert len(page.all("article")) == 1


def test_a_report_without_billing_names_the_signals_looked_for() -> None:
    assert "no usage-based billing. Signals looked for: billing SDK imports, meter events" in Page(as_html(silent())).words


def test_nothing_of_an_unknown_name_is_silently_empty() -> None:
    with pytest.raises(Exception, match="undefined"):
        environment().from_string("{{ nothing }}").render()


def test_the_same_report_gives_the_same_bytes() -> None:
    sample: Report = report(finding())

    assert as_html(sample) == as_html(replace(sample))
