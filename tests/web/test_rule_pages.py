"""The pages of rules, asked for over HTTP as a browser and a link in a comment do."""

import re

import aiohttp
import pytest

from bot.configuration import options_of
from bot.rulebook import rule_page
from config.configuration import Configuration
from rules import catalog
from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.rule import Rule
from tests.web.web_stand import UNKEYED, Site, site


def without_markup(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", "", page).split())


async def test_the_index_names_every_rule_and_links_to_its_page(pages: Site) -> None:
    _, text = await pages.get("/rules")

    assert [rule.about.id for rule in catalog.rules()] == re.findall(r'class="id"><a href="/rules/(MTR-\d+)"', text)


async def test_every_rule_has_a_page(pages: Site) -> None:
    for rule in catalog.rules():
        answer, text = await pages.get(f"/rules/{rule.about.id}")

        assert (rule.about.id, answer.status) == (rule.about.id, 200)
        assert f"<title>{rule.about.id} " in text


async def test_a_page_shows_why_bad_and_good_code_what_is_said_of_it_the_fix_and_the_references(pages: Site) -> None:
    _, page = await pages.get("/rules/MTR-201")
    text = without_markup(page)

    assert "the provider adds it again: the customer pays twice" in text
    assert re.search(r'<tr class="at-fault"><td class="number">4</td><td class="line"><code dir="ltr"> +stripe.billing', page)
    assert "This Stripe meter event carries no identifier" in text
    assert "certain line 4" in text
    assert 'identifier=request_id, </span><span class="new">' in page or 'class="new">+' in page
    assert '<span class="h-k">import</span>' in page
    assert 'href="https://cwe.mitre.org/data/definitions/837.html"' in page
    assert "Reliability / fault tolerance" in text
    assert 'href="https://docs.stripe.com/billing/subscriptions/usage-based/recording-usage-api"' in page
    assert 'rel="prev" href="/rules/MTR-1' in page
    assert 'rel="next" href="/rules/MTR-202"' in page
    assert "&lt;- finding" not in page


@pytest.mark.parametrize("rule", catalog.rules(), ids=lambda rule: rule.name)
def test_what_a_page_marks_is_what_the_rule_says(rule: Rule) -> None:
    page = rule_page(rule.about.id)
    assert page is not None
    bad = [one for spoken in page.languages for one in spoken.bad]
    good = [one for spoken in page.languages for one in spoken.good]

    assert bad
    assert good
    assert {finding.rule for one in bad for finding in one.findings} == {rule.about.id}
    assert () == tuple(finding for one in good for finding in one.findings)
    for one in bad:
        assert {finding.line for finding in one.findings} <= one.marked | one.gone


@pytest.mark.parametrize("wanted", ["missing-idempotency-key", "mtr-201", "Missing-Idempotency-Key"])
async def test_a_rule_asked_for_by_name_leads_to_the_page_of_its_id(pages: Site, wanted: str) -> None:
    answer, _ = await pages.get(f"/rules/{wanted}", allow_redirects=False)

    assert (308, "/rules/MTR-201") == (answer.status, answer.headers["Location"])


async def test_a_rule_that_is_not_there_is_answered_with_words_and_its_name_stays_text(pages: Site) -> None:
    answer, text = await pages.get("/rules/%3Cimg%20src=x%3E")

    assert answer.status == 404
    assert "<img" not in text
    assert "&lt;img src=x&gt;" in text


@pytest.mark.parametrize("public_url", ["https://audit.example.org", "https://example.org/tools/meteraudit"])
async def test_the_link_of_a_finding_is_the_address_of_the_page_of_its_rule(public_url: str) -> None:
    options = options_of(Configuration(version=1), {}, public_url)
    (finding,) = examine(Change("audit", (ChangedFile("usage.py", None, UNKEYED),)), options, "1").findings
    async with site(public_url=public_url) as pages:
        # The proxy in front takes its own path away and hands over the rest.
        path = str(finding.help).removeprefix(public_url)
        answer, text = await pages.get(path)
        named, _ = await pages.get(f"/rules/{finding.name}", allow_redirects=False)

    assert answer.status == 200
    assert f"<title>{finding.rule} " in text
    assert str(finding.help).endswith(named.headers["Location"])
    base = re.findall(r'data-base="([^"]*)"', text)
    assert public_url.endswith(base[0])
    assert all(link.startswith(f"{base[0]}/") for link in re.findall(r'(?:href|src)="(/[^"]*)"', text))


@pytest.mark.parametrize("path", ["/rules", "/rules/MTR-201", "/rules/none", "/static/page.css", "/healthz", "/nowhere"])
async def test_every_answer_forbids_what_the_pages_do_not_need(pages: Site, path: str) -> None:
    answer, _ = await pages.get(path)
    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["Content-Security-Policy"].split(";"))

    assert {"default-src": "'none'", "script-src": "'self'", "style-src": "'self'"}.items() <= policy.items()
    assert {
        "connect-src": "'self'",
        "form-action": "'self'",
        "frame-ancestors": "'none'",
        "base-uri": "'none'",
    }.items() <= policy.items()
    assert "unsafe" not in str(policy)
    assert ("nosniff", "no-referrer") == (answer.headers["X-Content-Type-Options"], answer.headers["Referrer-Policy"])


async def test_what_a_page_loads_is_ours_and_is_there(pages: Site) -> None:
    for path in ("/rules", "/rules/MTR-201"):
        _, text = await pages.get(path)
        loaded = re.findall(r'<(?:link|script|img)[^>]+(?:href|src)="([^"]+)"', text)

        assert loaded
        for one in loaded:
            answer, _ = await pages.get(one)
            assert (one, answer.status) == (one, 200)
        assert " style=" not in text
        assert not re.search(r"\son\w+=", text)


async def test_an_unchanged_file_is_not_sent_again(pages: Site) -> None:
    first, _ = await pages.get("/static/page.css")
    again, _ = await pages.get("/static/page.css", headers={"If-None-Match": first.headers["ETag"]})

    assert (200, 304) == (first.status, again.status)
    assert first.headers["Cache-Control"] == "no-cache"


async def test_a_rule_page_is_only_read(pages: Site) -> None:
    async with aiohttp.ClientSession() as session, session.post(f"{pages.url}/rules/MTR-201") as answer:
        assert answer.status == 405


async def test_the_list_shows_only_the_rules_of_one_check_where_it_is_asked_to(pages: Site) -> None:
    _, text = await pages.get("/rules?only=mtr-201,MTR-109,%3Cb%3E")

    assert {"MTR-201", "MTR-109"} == set(re.findall(r'class="id"><a href="/rules/(MTR-\d+)"', text))
    assert "<b>" not in text.lower().split("</header>")[1]
