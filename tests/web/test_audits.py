"""The door of the page: what it takes, what it refuses, and what it tells while it judges."""

import asyncio
import io
import json
import logging
import re
import time
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import aiohttp
import pytest

from bot.bundle import write_bundle
from bot.logs import configure_logs
from bot.report import FORMATS
from bot.report.document import as_json
from bot.sandbox import CRASHED, RunError, Sandbox
from bot.web.auditor import Auditor
from bot.web.clients import Buckets
from bot.web.drawing import read_report
from config.page import PageSettings
from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from tests.web.web_stand import UNKEYED, Site, events_in, site

HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'&\u202ex"


def report_json(path: str = "usage.py", text: str = UNKEYED) -> str:
    return as_json(examine(Change("audit", (ChangedFile(path, None, text),)), Options(), "1")).decode()


async def test_a_bundle_is_answered_file_by_file_and_then_with_its_report(pages: Site) -> None:
    told = await pages.audit(text=write_bundle({"a.py": "x = 1", "b/usage.py": UNKEYED}))

    assert ["accepted", "begun", "file", "file", "report"] == [name for name, _ in told]
    assert [("a.py", 1, 2, 0), ("b/usage.py", 2, 2, 1)] == [
        (one["path"], one["number"], one["of"], one["findings"]) for name, one in told if name == "file"
    ]
    report = json.loads(told[-1][1]["document"])
    fingerprint = report["findings"][0]["fingerprint"]
    assert f'id="finding-{fingerprint}"' in told[3][1]["html"]
    assert f'id="finding-{fingerprint}"' in told[4][1]["parts"]["findings"]
    assert {"side", "summary", "findings", "rest"} == set(told[4][1]["parts"])


async def test_a_file_is_told_of_while_the_audit_goes_on(pages: Site) -> None:
    sent = json.dumps({"text": write_bundle({"usage.py": UNKEYED, "z.py": "wait 2"})})
    start, heard = time.monotonic(), dict[str, float]()
    async with pages.session.post(f"{pages.url}/audit", data=sent, headers={"Content-Type": "application/json"}) as answer:
        async for line in answer.content:
            if line.startswith(b"event: "):
                heard[line.decode().split()[1]] = time.monotonic() - start

    assert heard["report"] - heard["file"] > 1


async def test_the_report_of_the_page_is_that_of_the_engine(pages: Site) -> None:
    told = await pages.audit(text=UNKEYED, name="usage.py")
    mine = json.loads(report_json())

    assert {**mine, "tool": None} == {**json.loads(told[-1][1]["document"]), "tool": None}


async def test_a_file_of_windows_is_the_same_file(pages: Site) -> None:
    told = await pages.audit(text=write_bundle({"usage.py": UNKEYED}).replace("\n", "\r\n"))

    assert [4] == [one["line"] for one in json.loads(told[-1][1]["document"])["findings"]]


@pytest.mark.parametrize(
    ("sent", "what"),
    [
        ({"text": UNKEYED}, "Neither the language of this code nor its file name is known."),
        ({"text": " \n"}, "There is no code to audit."),
        ({"text": "--- a.py ---\n--- a.py ---\n"}, "a second time"),
        ({"files": [{"path": "notes.txt", "text": "usage"}]}, "No file of a language that rules know"),
        ({"files": [{"path": "tests/test_usage.py", "text": UNKEYED}]}, "Every file is left alone as configured."),
    ],
)
async def test_what_cannot_be_audited_is_refused_with_the_reason_and_what_to_do(
    pages: Site, sent: dict[str, Any], what: str
) -> None:
    answer, text = await pages.post("/audit", sent)

    assert answer.status == 422
    assert what in json.loads(text)["what"]
    assert json.loads(text)["do"]


@pytest.mark.parametrize("body", ["", "[]", "{", '{"text": 1}', '{"code": "x"}', b'{"text": "\xff"}'])
async def test_a_request_that_no_page_of_ours_sends_is_refused(pages: Site, body: str | bytes) -> None:
    answer, text = await pages.post("/audit", body)

    assert (400, "The request is not what this page sends.") == (answer.status, json.loads(text)["what"])


@pytest.mark.parametrize("path", ["/audit", "/audit/show", "/audit/export/json"])
async def test_what_another_sites_form_can_send_is_refused(pages: Site, path: str) -> None:
    answer, _ = await pages.post(path, "{}", headers={"Content-Type": "text/plain"})

    assert answer.status == 415


async def test_the_configuration_of_a_folder_counts(pages: Site) -> None:
    files = {
        ".meteraudit.yml": "version: 1\nrules:\n  missing-idempotency-key: off\npaths:\n  exclude: [old/**]\n",
        "usage.py": UNKEYED,
        "old/usage.py": UNKEYED,
        "tests/test_usage.py": UNKEYED,
    }
    told = await pages.audit(files=[{"path": path, "text": text} for path, text in files.items()])

    assert {"files": 1, "excluded": {"excluded by paths.exclude": 1, "test": 1}, "waiting": False} == told[0][1]
    assert [] == json.loads(told[-1][1]["document"])["findings"]


async def test_a_broken_configuration_is_told_in_the_verdict(pages: Site) -> None:
    files = {".meteraudit.yml": "version: 1\nmode: strict\n", "usage.py": UNKEYED}
    told = await pages.audit(files=[{"path": path, "text": text} for path, text in files.items()])
    gate = json.loads(told[-1][1]["document"])["gate"]

    assert gate["conclusion"] == "action_required"
    assert gate["because"].startswith(".meteraudit.yml:2:")


async def test_what_the_browser_left_out_is_named_in_the_report(pages: Site) -> None:
    told = await pages.audit(
        files=[{"path": "usage.py", "text": UNKEYED}], left_out=[{"path": "big.py", "reason": "larger than 512 kB"}]
    )

    assert [{"path": "big.py", "reason": "larger than 512 kB"}] == json.loads(told[-1][1]["document"])["not_analyzed"]


class TestLimits:
    @pytest.fixture
    def page_settings(self) -> PageSettings:
        return PageSettings(megabytes=1, files=2, seconds=5, hourly=4, at_once=1)

    async def test_too_much_code_is_refused_with_the_limit(self, pages: Site) -> None:
        answer, text = await pages.post("/audit", {"text": "x" * 1024**2 + "y", "name": "a.py"})

        assert answer.status == 413
        assert "more than the 1 MB of code" in json.loads(text)["what"]

    async def test_a_body_that_is_too_long_is_refused_before_it_is_read(self, pages: Site) -> None:
        with_length, text = await pages.post("/audit", b" " * (3 * 1024**2 + 1))

        async def endless() -> Any:
            while True:
                yield b" " * 65536

        headers = {"Content-Type": "application/json"}
        try:
            async with pages.session.post(f"{pages.url}/audit", data=endless(), headers=headers) as answer:
                without_length = answer.status
        except aiohttp.ClientError:
            # The server answers and closes while this side still sends.
            without_length = 413

        assert (413, 413) == (with_length.status, without_length)
        assert "1 MB" in json.loads(text)["what"]

    async def test_too_many_files_are_refused_with_the_limit(self, pages: Site) -> None:
        answer, text = await pages.post("/audit", {"text": write_bundle(dict.fromkeys(("a.py", "b.py", "c.py"), "x"))})

        assert answer.status == 413
        assert "These are 3 files, and this page takes at most 2" in json.loads(text)["what"]

    async def test_an_audit_that_takes_too_long_is_ended_and_says_so(self, pages: Site) -> None:
        start = time.monotonic()
        told = await pages.audit(text="wait 20", name="a.py")

        assert ("refused", "This audit took longer than the 5 seconds that this page gives to one.") == (
            told[-1][0],
            told[-1][1]["what"],
        )
        assert time.monotonic() - start < 15
        assert "report" == (await pages.audit(text=UNKEYED, name="a.py"))[-1][0]

    async def test_who_asks_too_often_is_told_when_to_come_back(self, pages: Site) -> None:
        for _ in range(2):
            await pages.audit(text="x = 1", name="a.py")
        answer, text = await pages.post("/audit", {"text": "x = 1", "name": "a.py"})

        assert answer.status == 429
        assert 800 < int(answer.headers["Retry-After"]) <= 901
        assert "4 audits an hour" in json.loads(text)["what"]
        assert re.search(r"Try again in 1[45] minutes", json.loads(text)["do"])


async def test_the_word_of_a_proxy_on_the_client_counts_only_where_it_is_trusted(sandboxes: tuple[Sandbox, Sandbox]) -> None:
    import ipaddress

    once = PageSettings(hourly=2)
    trusting = replace(once, trusted_proxies=(ipaddress.ip_network("127.0.0.0/8"),))
    answers = {}
    for name, settings in (("strangers", once), ("proxy", trusting)):
        async with site(Auditor(settings, *sandboxes)) as pages:
            for client in ("192.0.2.1", "192.0.2.2"):
                sent = {"text": "x = 1", "name": "a.py"}
                answer, _ = await pages.post("/audit", sent, headers={"X-Forwarded-For": f"203.0.113.9, {client}"})
                answers[name, client] = answer.status

    assert {"192.0.2.1": 200, "192.0.2.2": 429} == {
        client: answers["strangers", client] for client in ("192.0.2.1", "192.0.2.2")
    }
    assert {"192.0.2.1": 200, "192.0.2.2": 200} == {client: answers["proxy", client] for client in ("192.0.2.1", "192.0.2.2")}


async def test_an_audit_waits_for_its_place_and_one_too_many_is_told_to_come_back(pages: Site, auditor: Auditor) -> None:
    slow = {"text": "wait 2", "name": "a.py"}
    running = [asyncio.create_task(pages.audit(**slow))]
    while not auditor.busy:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
    running += [asyncio.create_task(pages.audit(text="x = 1", name="a.py")) for _ in range(4)]
    while auditor._waiting < 4:  # noqa: ASYNC110
        await asyncio.sleep(0.01)

    refused = await pages.audit(text="x = 1", name="a.py")
    told = await asyncio.gather(*running)

    assert [("accepted", True), ("refused", None)] == [(name, one.get("waiting")) for name, one in refused]
    assert "4 are waiting already" in refused[-1][1]["what"]
    assert ["report"] * 5 == [one[-1][0] for one in told]
    assert [False, True, True, True, True] == [one[0][1]["waiting"] for one in told]


async def test_who_closes_the_page_ends_the_audit(pages: Site) -> None:
    headers = {"Content-Type": "application/json"}
    sent = json.dumps({"text": write_bundle({"usage.py": UNKEYED, "z.py": "wait 25"})})
    async with pages.session.post(f"{pages.url}/audit", data=sent, headers=headers) as answer:
        async for line in answer.content:
            if line.startswith(b"event: file"):
                break
        answer.close()
    start = time.monotonic()
    told = await pages.audit(text="x = 1", name="a.py")

    assert told[-1][0] == "report"
    assert time.monotonic() - start < 15


async def test_a_kept_report_is_drawn_as_it_was(pages: Site) -> None:
    told = await pages.audit(text=UNKEYED, name="usage.py")
    answer, text = await pages.post("/audit/show", told[-1][1]["document"])

    assert answer.status == 200
    assert told[-1][1] == json.loads(text)
    assert answer.headers["Cache-Control"] == "no-store"


async def test_a_report_of_very_many_findings_is_drawn_in_part_and_says_so(pages: Site) -> None:
    report = json.loads(report_json())
    report["findings"] = [{**report["findings"][0], "fingerprint": f"{number:032x}"} for number in range(1003)]
    _, text = await pages.post("/audit/show", report)
    findings = json.loads(text)["parts"]["findings"]

    assert 1000 == findings.count("<article")
    assert "3 more findings are not drawn here" in findings
    assert 1003 == len(json.loads(json.loads(text)["document"])["findings"])


@pytest.mark.parametrize(
    "document",
    [
        "",
        "{}",
        "null",
        report_json().replace("report/1", "report/2"),
        report_json().replace('"severity": "high"', '"severity": "<b>"'),
        report_json().replace('"line": 4', '"line": "four"'),
    ],
)
@pytest.mark.parametrize("path", ["/audit/show", "/audit/export/html"])
async def test_a_text_that_is_no_report_of_ours_is_refused(pages: Site, document: str, path: str) -> None:
    answer, text = await pages.post(path, document)

    assert (422, "This is no report that can be shown.") == (answer.status, json.loads(text)["what"])


@pytest.mark.parametrize("path", ["/audit/show", "/audit/export/html"])
async def test_a_drawing_that_fails_is_said_to_be_our_defect(pages: Site, auditor: Auditor, path: str) -> None:
    class Broken:
        def call(self, *args: object, seconds: float) -> None:
            raise RunError(CRASHED)

    auditor._drawing = Broken()  # type: ignore[assignment]
    answer, text = await pages.post(path, report_json())

    assert (500, "This failed by a defect of the program.") == (answer.status, json.loads(text)["what"])


async def test_a_report_that_is_too_long_is_refused(pages: Site) -> None:
    answer, _ = await pages.post("/audit/show", b" " * (8 * 1024**2 + 1))

    assert answer.status == 413


@pytest.mark.parametrize("form", ["markdown", "json", "sarif", "html"])
async def test_a_report_is_exported_as_on_the_command_line(pages: Site, form: str) -> None:
    document = report_json()
    answer, text = await pages.post(f"/audit/export/{form}", document)

    assert FORMATS[form](read_report(document.encode())) == text
    assert answer.headers["Content-Disposition"].startswith("attachment; ")


async def test_a_form_that_is_none_is_refused(pages: Site) -> None:
    answer, _ = await pages.post("/audit/export/pdf", report_json())

    assert answer.status == 404


class Elements(HTMLParser):
    """The elements and attributes of a page that could do something."""

    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.links: set[str] = set()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.links |= {value or "" for name, value in attrs if name in ("href", "src", "action")}


def hostile_report() -> str:
    """A report with markup wherever the contract has a text that is not one of a list."""
    fixed = {"schema", "severity", "confidence", "classification", "state", "place", "shown", "side", "fingerprint", "mode"}
    fixed |= {"section", "id", "result", "conclusion", "highest_risk", "rule", "kind"}

    def spoilt(value: Any, key: str = "") -> Any:
        if isinstance(value, dict):
            return {name: spoilt(one, name) for name, one in value.items()}
        if isinstance(value, list):
            return [spoilt(one, key) for one in value]
        return HOSTILE if isinstance(value, str) and key not in fixed else value

    report = spoilt(json.loads(report_json()))
    report["findings"][0]["fix"] = {
        "title": HOSTILE, "safe": True, "edits": [{"path": HOSTILE, "start_line": 4, "end_line": 4, "text": HOSTILE}]
    }  # fmt: skip
    report["findings"][0] |= {"trace": [{"path": HOSTILE, "line": 1, "note": HOSTILE}], "help": "javascript:alert(1)"}
    report["meters"] = [{**report["meters"][0], "name": HOSTILE}] if report["meters"] else []
    report["suppressed"] = [{"fingerprint": None, "reason": HOSTILE, "path": HOSTILE, "line": 1}]
    report["not_analyzed"] = [{"path": HOSTILE, "reason": HOSTILE}]
    return json.dumps(report)


async def test_markup_in_any_field_of_a_report_stays_text(pages: Site) -> None:
    answer, text = await pages.post("/audit/show", hostile_report())
    assert answer.status == 200, text
    html = "".join(json.loads(text)["parts"].values())
    found = Elements()
    found.feed(html)

    assert html.count("&lt;script&gt;") > 10
    assert "\u202e" not in html
    assert found.names.isdisjoint({"script", "img", "iframe", "object", "style", "link", "form"})
    assert [] == [name for name in found.attributes if name.startswith("on") or name == "style"]
    assert all(link.startswith(("/rules/MTR-", "#")) for link in found.links)


async def test_markup_in_code_and_names_stays_text_in_the_stream(pages: Site) -> None:
    code = UNKEYED.replace("tokens", "<img src=x onerror=alert(1)>", 1).replace('"tokens"', '"<script>alert(1)</script>"')
    told = await pages.audit(text=code, name="<svg onload=alert(1)>.py")
    html = "".join(one.get("html", "") + "".join(one.get("parts", {}).values()) for _, one in told)
    found = Elements()
    found.feed(html)

    assert "&lt;svg onload=alert(1)&gt;" in html
    assert found.names.isdisjoint({"script", "img"})
    assert "onload" not in found.attributes


async def test_no_code_is_logged(pages: Site) -> None:
    lines = io.StringIO()
    before = logging.getLogger().handlers[:], logging.getLogger().level
    configure_logs(lines, logging.DEBUG)
    try:
        await pages.audit(text=UNKEYED.replace("tokens", "xyzzy_marker"), name="xyzzy_name.py")
        await pages.post("/audit/show", report_json(text=UNKEYED.replace("tokens", "xyzzy_marker")))
        await pages.post("/audit", {"text": "xyzzy_marker"})
    finally:
        logging.getLogger().handlers[:], level = before
        logging.getLogger().setLevel(level)

    assert "page audit" in lines.getvalue()
    assert "xyzzy" not in lines.getvalue()


async def test_a_failure_of_the_program_is_said_in_the_stream(pages: Site, auditor: Auditor) -> None:
    class Broken:
        def examine_safely(self, *args: object) -> None:
            raise ZeroDivisionError

    auditor._judging = Broken()  # type: ignore[assignment]
    told = await pages.audit(text=UNKEYED, name="a.py")

    assert ("refused", "This failed by a defect of the program.") == (told[-1][0], told[-1][1]["what"])


async def test_a_page_that_is_switched_off_leads_to_the_rules() -> None:
    async with site() as pages:
        answer, _ = await pages.get("/", allow_redirects=False)
        refused, _ = await pages.post("/audit", {"text": "x"})

    assert (307, "/rules", 404) == (answer.status, answer.headers["Location"], refused.status)


async def test_the_page_tells_its_limits_and_what_is_kept_where(pages: Site) -> None:
    _, text = await pages.get("/")

    assert "At most 2 MB in 500 files and 60 seconds" in text
    assert "not encrypted" in text
    assert "The server keeps nothing" in text


async def test_the_example_of_the_page_has_findings(pages: Site) -> None:
    _, example = await pages.get("/audit/example")
    told = await pages.audit(text=example)

    assert {"python", "typescript", "go"} <= {
        {"py": "python", "ts": "typescript", "go": "go"}[one["path"].rpartition(".")[2]]
        for one in json.loads(told[-1][1]["document"])["findings"]
    }


def test_a_bucket_fills_evenly_and_holds_no_more_than_its_size() -> None:
    now = [0.0]
    buckets = Buckets(60, 2, lambda: now[0])

    first = [buckets.take("a") for _ in range(3)]
    now[0] = 60
    second = [buckets.take("a"), buckets.take("a")]
    now[0] = 100_000
    third = [buckets.take("a") for _ in range(3)]

    assert first == [0, 0, pytest.approx(60)]
    assert second == [0, pytest.approx(60)]
    assert third == [0, 0, pytest.approx(60)]
    assert buckets.take("b") == 0


def test_the_buckets_forget_who_has_not_asked_for_longest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.web.clients.MOST_CLIENTS", 3)
    buckets = Buckets(60, 1, lambda: 0.0)
    for client in "abacd":
        buckets.take(client)

    assert ["a", "c", "d"] == list(buckets._of)


def test_events_are_read_with_pings_between_them() -> None:
    assert [("a", {})] == list(events_in(": ping\n\nevent: a\ndata: {}\n\n"))
