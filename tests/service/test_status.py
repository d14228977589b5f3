"""The operator's page and the badge: who sees what, and that the numbers are those of the tables."""

import re
import xml.etree.ElementTree as ElementTree
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import aiohttp
import pytest

from bot.jobs.database import Database
from bot.memory import Memory, Verdict
from bot.web.status import COOKIE, SESSION_SECONDS, duration, is_session, session
from tests.service.stand import Query, Receiver, pull_request, receiving

TOKEN = b"a token of at least sixteen bytes"
AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


@dataclass
class Operator:
    """A browser of whoever has the token, or has not."""

    url: str
    session: aiohttp.ClientSession
    cookies: dict[str, str] = field(default_factory=dict)

    async def open(self, path: str, given: dict[str, str] | None = None, **headers: str) -> tuple[aiohttp.ClientResponse, str]:
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        method = "GET" if given is None else "POST"
        url = f"{self.url}{path}"
        async with self.session.request(method, url, data=given, headers=headers, allow_redirects=False) as answer:
            self.cookies.update({name: one.value for name, one in answer.cookies.items()})
            return answer, await answer.text()

    async def status(self) -> str:
        answer, text = await self.open("/status", Authorization=f"Bearer {TOKEN.decode()}")
        assert answer.status == 200
        return said(text)


def said(page: str) -> str:
    return unescape(" ".join(re.sub(r"<[^>]+>", " ", page).split()))


@pytest.fixture
async def guarded(address: str) -> AsyncIterator[Receiver]:
    async with receiving(address, status_token=TOKEN) as opened:
        yield opened


@pytest.fixture
def operator(guarded: Receiver) -> Operator:
    return Operator(guarded.url, guarded.session)


@pytest.fixture
def memory(database: Database) -> Memory:
    return Memory(database.pool)


async def test_without_a_token_in_the_settings_there_is_no_such_page(address: str) -> None:
    async with receiving(address) as receiver:
        operator = Operator(receiver.url, receiver.session)

        for path, given in (("/status", None), ("/status", {"token": ""}), ("/status/leave", {})):
            answer, text = await operator.open(path, given, Authorization="Bearer ")
            assert (404, "404\n") == (answer.status, text)


@pytest.mark.parametrize("header", ["", "Bearer ", "Bearer wrong", f"Basic {TOKEN.decode()}", f"Bearer {TOKEN.decode()}x", "ü"])
async def test_whoever_does_not_have_the_token_is_asked_for_it(operator: Operator, header: str) -> None:
    answer, text = await operator.open("/status", Authorization=header)

    assert 401 == answer.status
    assert "Review times" not in text


async def test_the_token_is_given_once_and_a_cookie_opens_the_page_from_then_on(operator: Operator) -> None:
    answer, _ = await operator.open("/status", {"token": TOKEN.decode()}, Origin="https://meter.acme.test")
    cookie = answer.headers["set-cookie"]
    shown, text = await operator.open("/status")

    assert (303, "/status") == (answer.status, answer.headers["location"])
    assert {"HttpOnly", "SameSite=strict", "Secure"} <= {part.strip() for part in cookie.split(";")}
    assert TOKEN.decode() not in cookie
    assert (200, "no-store") == (shown.status, shown.headers["cache-control"])
    assert "Review times" in text
    assert TOKEN.decode() not in text


async def test_a_wrong_token_gives_no_cookie_and_is_not_shown_again(operator: Operator) -> None:
    answer, text = await operator.open("/status", {"token": "schlüssel-of-somebody"})

    assert 401 == answer.status
    assert {} == operator.cookies
    assert "schlüssel" not in text


async def test_who_leaves_is_asked_again(operator: Operator) -> None:
    await operator.open("/status", {"token": TOKEN.decode()})
    await operator.open("/status/leave", {})

    assert 401 == (await operator.open("/status"))[0].status


def test_a_session_ends_with_its_time_and_with_its_token(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_800_000_000
    monkeypatch.setattr("time.time", lambda: now)
    cookie = session(TOKEN, now + SESSION_SECONDS)

    assert is_session(TOKEN, cookie)
    assert not is_session(b"another token of enough bytes", cookie)
    assert not is_session(TOKEN, cookie.replace(str(now + SESSION_SECONDS), str(now + 2 * SESSION_SECONDS)))
    now += SESSION_SECONDS + 1
    assert not is_session(TOKEN, cookie)


@pytest.mark.parametrize("cookie", ["", ".", "x.y", "99999999999.", "٣.a", "9" * 400 + ".a", "1.ü"])
async def test_a_cookie_that_is_none_of_ours_opens_nothing(operator: Operator, cookie: str) -> None:
    assert not is_session(TOKEN, cookie)


async def test_an_empty_server_says_that_there_is_nothing(operator: Operator) -> None:
    text = await operator.status()

    for words in ("No worker.", "None has arrived.", "No installation has been heard of.", "No score yet"):
        assert words in text


async def test_the_queue_and_the_last_deliveries_are_shown_by_their_ids(
    guarded: Receiver, operator: Operator, query: Query
) -> None:
    await guarded.deliver(pull_request("opened", number=7), guid="guid-seven")
    await guarded.deliver(pull_request("opened", number=8), guid="guid-eight")
    await query("UPDATE meteraudit_delivery SET state = 'failed' WHERE guid = 'guid-eight'")
    await query("UPDATE procrastinate_jobs SET status = 'doing' WHERE (args->>'number')::int = 8")

    text = await operator.status()

    assert re.search(r"reviews 1 1 0 \d+\.\d s errands 0 0 0", text)
    assert re.search(
        r"guid-eight pull_request\.opened 900 40 8 failed .*guid-seven pull_request\.opened 900 40 7 waiting", text
    )
    assert "Charge for tokens" not in text
    assert "acme/billing" not in text


async def test_the_median_and_the_95th_percentile_of_review_times_are_shown(operator: Operator, query: Query) -> None:
    for second in range(1, 101):
        await query("INSERT INTO meteraudit_review VALUES (40, 7, clock_timestamp(), %s, %s, false)", second, second / 10)
    await query("INSERT INTO meteraudit_review VALUES (40, 7, clock_timestamp() - interval '3 days', 1, 1, true)")

    text = await operator.status()

    assert "day 100 0 50 s 95 s 5.0 s 9.5 s" in text
    assert "week 101 1" in text


async def test_rate_limits_and_pauses_are_shown_for_each_installation(operator: Operator, memory: Memory) -> None:
    await memory.keep_limit(900, 5000, 4321, AT)
    await memory.pause(900, datetime.now(UTC) + timedelta(hours=1))
    await memory.activate(901, False)

    text = await operator.status()

    assert re.search(r"900 active, GitHub wants silence until .* 4321 5000 2026-11-20 12:00:00", text)
    assert "901 suspended \N{EN DASH} \N{EN DASH}" in text


async def test_what_the_registration_lacks_is_an_alert(operator: Operator, memory: Memory) -> None:
    await memory.keep_drift("registration", ("permission checks is none, must be write", "event <b>push</b> is not subscribed"))
    await memory.keep_drift("900", ())

    answer, text = await operator.open("/status", Authorization=f"Bearer {TOKEN.decode()}")

    assert 200 == answer.status
    assert "permission checks is none, must be write" in said(text)
    assert "<b>push" not in text
    assert "Installation 900" not in text


async def test_scores_are_drawn_and_listed_for_each_repository(operator: Operator, memory: Memory, query: Query) -> None:
    for number, score in ((1, 4), (2, 10), (3, None)):
        await memory.keep_verdict(40, f"{number}" * 40, Verdict(number, "success", "title of a change", score))
        await query("UPDATE meteraudit_verdict SET at = %s WHERE pull_request = %s", AT + timedelta(days=number), number)
    await memory.close(40, 1, merged=True)

    _, page = await operator.open("/status", Authorization=f"Bearer {TOKEN.decode()}")
    [drawn] = re.findall(r'<svg viewBox="0 0 640 150".*?</svg>', page, re.DOTALL)
    circles = [one.attrib for one in ElementTree.fromstring(drawn).iter("circle")]

    assert [("merged", "28.0", "88.7"), ("open", "628.0", "10.0")] == [(one["class"], one["cx"], one["cy"]) for one in circles]
    assert "2 10 open 2026-11-22 12:00:00 1 4 merged 2026-11-21 12:00:00" in said(page)
    assert "title of a change" not in page
    assert "repository 40" in page


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.94, "9.9 s"), (59, "59 s"), (150, "2 min"), (7200, "2 h"), (200000, "2 d")]
)
def test_durations_are_said_as_people_say_them(seconds: float, text: str) -> None:
    assert text == duration(seconds)


async def badge(operator: Operator, name: str) -> tuple[int, str, dict[str, Any]]:
    answer, text = await operator.open(f"/badge/{name}.svg")
    return answer.status, text, dict(answer.headers)


async def test_a_badge_shows_the_score_of_the_last_merged_pull_request(operator: Operator, memory: Memory) -> None:
    await memory.show_badge(40, "acme/api")
    before = await badge(operator, "acme/api")
    for number, score in ((1, 4), (2, 9), (3, 2)):
        await memory.keep_verdict(40, "a" * 40, Verdict(number, "success", "title", score))
    for number in (1, 2):
        await memory.close(40, number, merged=True)
    status, text, headers = await badge(operator, "Acme/API")

    assert (200, "image/svg+xml") == (status, headers["Content-Type"].partition(";")[0])
    assert ["MeterAudit score of acme/api: 9/10", "billing audit", "9/10"] == list(ElementTree.fromstring(text).itertext())
    assert "none yet" in before[1]
    assert ("public, max-age=300", "cross-origin") == (headers["Cache-Control"], headers["Cross-Origin-Resource-Policy"])


async def test_an_unknown_repository_and_one_whose_badge_is_off_are_the_same(operator: Operator, memory: Memory) -> None:
    await memory.show_badge(40, "acme/api")
    await memory.hide_badge(40)
    await memory.keep_verdict(41, "a" * 40, Verdict(1, "success", "title", 4))
    off, unknown = await badge(operator, "acme/api"), await badge(operator, "acme/none")

    assert (404, "404\n") == off[:2] == unknown[:2]
    assert {**off[2], "Date": ""} == {**unknown[2], "Date": ""}


async def test_a_badge_leaves_with_its_repository(operator: Operator, memory: Memory) -> None:
    await memory.show_badge(40, "acme/api")
    await memory.forget_repository(40)

    assert 404 == (await badge(operator, "acme/api"))[0]


async def test_a_name_in_a_badge_stays_text(operator: Operator, memory: Memory) -> None:
    await memory.show_badge(40, 'a"><script>/x&y')
    _, text, _ = await badge(operator, "a%22%3E%3Cscript%3E/x&y")

    assert "<script>" not in text
    assert 'MeterAudit score of a"><script>/x&y: none yet' in ElementTree.fromstring(text).attrib["aria-label"]


@pytest.mark.parametrize("name", ["a/%00", "a/b/c", "%2e%2e/b", "a/' OR ''='", "ü/ü"])
async def test_a_name_that_no_repository_has_is_not_found(operator: Operator, name: str) -> None:
    assert 404 == (await badge(operator, name))[0]


async def test_a_session_cookie_of_the_page_is_no_key_to_the_set_up(operator: Operator) -> None:
    operator.cookies = {COOKIE: session(TOKEN, 99_999_999_999)}

    assert 403 == (await operator.open("/setup"))[0].status
    assert 403 == (await operator.open("/setup/progress"))[0].status
