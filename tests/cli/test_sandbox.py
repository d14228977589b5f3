"""The sandbox, with workers that really die."""

import asyncio
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import pytest

from bot.line import open_line
from bot.sandbox import NOT_REACHED, TOO_MUCH, Limits, Sandbox, SandboxError, StoppedError, Watch, incomplete, slowest
from rules.change import Change, NotAnalyzed
from rules.engine import examine
from rules.options import Options
from rules.report import FileDone, Report
from tests.cli import hostile_examine
from tests.cli.hostile_examine import CRASH, EAT, RAISE, SLEEP, SLOW, SPIN, TOLD, file
from tests.cli.local_repositories import UNKEYED

BILLING = file("usage.py", UNKEYED)
HANGS = 60
"""Seconds: far more than a busy machine needs, and a tenth of what the worker would sleep if nobody ended it."""
LIMITS = Limits(change_seconds=3, file_seconds=0.5, search_seconds=10, memory_bytes=512 * 1024**2)


@pytest.fixture
def sandbox(monkeypatch: pytest.MonkeyPatch) -> Iterator[Sandbox]:
    monkeypatch.setenv("METERAUDIT_WEBHOOK_SECRET", "hush")
    with Sandbox(hostile_examine.examine, limits=LIMITS) as opened:
        yield opened


def judged(sandbox: Sandbox, *files: object) -> Report:
    return sandbox.examine_safely(Change("audit", files), Options(), "1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (CRASH, "made the analysis crash"),
        (RAISE, "made the analysis crash"),
        (SLEEP, "made the analysis run out of time"),
        (SPIN, "made the analysis run out of time"),
        (EAT, "made the analysis run out of memory"),
    ],
)
def test_a_hostile_file_is_named_and_costs_no_other(sandbox: Sandbox, text: str, reason: str) -> None:
    report = judged(sandbox, file("good.py", "x = 1"), file("bad.py", text), BILLING)

    assert [(one.path, one.line) for one in report.findings] == [("usage.py", 4)]
    assert (NotAnalyzed("bad.py", reason),) == report.not_analyzed
    assert incomplete(report)


def test_what_was_already_left_out_stays_named(sandbox: Sandbox) -> None:
    before = NotAnalyzed("image.png", "binary")

    report = sandbox.examine_safely(Change("audit", (file("bad.py", CRASH),), not_analyzed=(before,)), Options(), "1")

    assert (before, NotAnalyzed("bad.py", "made the analysis crash")) == report.not_analyzed


def test_a_harmless_change_gets_the_report_that_it_gets_without_a_sandbox() -> None:
    change = Change("audit", (BILLING,))
    with Sandbox() as sandbox:
        report = sandbox.examine_safely(change, Options(), "1")

    assert examine(change, Options(), "1") == report
    assert not incomplete(report)


def test_the_next_change_is_judged_after_a_crash(sandbox: Sandbox) -> None:
    judged(sandbox, file("bad.py", CRASH))

    assert len(judged(sandbox, BILLING).findings) == 1


def test_a_worker_has_no_secret_of_the_environment(sandbox: Sandbox) -> None:
    report = judged(sandbox, file("a.py", TOLD))

    assert report.not_analyzed[0].path == "heard"
    assert "METERAUDIT" not in report.not_analyzed[0].reason
    assert "hush" not in report.not_analyzed[0].reason


def test_a_forked_worker_has_no_secret_among_its_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("METERAUDIT_WEBHOOK_SECRET", "hush")
    with Sandbox(hostile_examine.examine, limits=LIMITS, start="fork") as sandbox:
        report = judged(sandbox, file("a.py", TOLD))

    assert "METERAUDIT" not in report.not_analyzed[0].reason


def test_hostile_files_together_cannot_take_longer_than_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    limits = Limits(change_seconds=1, file_seconds=0.5, search_seconds=1.2, memory_bytes=LIMITS.memory_bytes)
    with Sandbox(hostile_examine.examine, limits=limits) as sandbox:
        report = judged(sandbox, *(file(f"{number:02}.py", SLEEP) for number in range(20)))

    assert len(report.not_analyzed) == 20
    # Three files that take half a second each are more than the search may take; a busy machine tries fewer.
    assert [one.path for one in report.not_analyzed if one.reason != NOT_REACHED] == [f"{n:02}.py" for n in range(20)][
        : tried(report)
    ]
    assert tried(report) <= 3


def tried(report: Report) -> int:
    return sum(one.reason != NOT_REACHED for one in report.not_analyzed)


def test_files_that_are_only_together_too_slow_are_judged_as_far_as_time_allows() -> None:
    limits = Limits(change_seconds=2, file_seconds=2, search_seconds=20, memory_bytes=LIMITS.memory_bytes)
    with Sandbox(hostile_examine.examine, limits=limits) as sandbox:
        report = judged(sandbox, *(file(f"{number}.py", SLOW) for number in range(6)))

    assert {one.reason for one in report.not_analyzed} == {TOO_MUCH}
    assert 0 < len(report.not_analyzed) < 6


def test_the_quickest_files_are_kept_as_far_as_time_allows() -> None:
    assert list(slowest({"a": 1.0, "b": 5.0, "c": 2.0, "d": 0.9}, 4.0)) == ["b"]


def test_a_change_that_fails_with_no_file_to_blame_is_an_error() -> None:
    with (
        Sandbox(hostile_examine.only_together, limits=LIMITS) as sandbox,
        pytest.raises(SandboxError, match=r"as a whole made the analysis crash \(ProcessExpired\), and no single file"),
    ):
        judged(sandbox, BILLING, file("good.py", "x = 1"))


async def test_other_work_goes_on_while_a_change_is_judged(sandbox: Sandbox) -> None:
    waiting = asyncio.create_task(sandbox.examine_soon(Change("audit", (file("a.py", SLOW), BILLING)), Options(), "1"))
    await asyncio.sleep(0.1)

    assert not waiting.done()
    assert len((await waiting).findings) == 1


@pytest.mark.parametrize("start", ["fork", "forkserver"])
def test_each_file_is_told_of_with_the_findings_that_the_report_then_has(start: Literal["fork", "forkserver"]) -> None:
    heard: list[FileDone] = []
    change = Change("audit", (file("a.py", "x = 1"), BILLING, file("long.py", f"usage = 1\n# {'x' * 30_000}")))
    with Sandbox(start=start) as sandbox:
        report = sandbox.examine_safely(change, Options(), "1", Watch(heard.append))

    assert [("a.py", 1, 3), ("usage.py", 2, 3), ("long.py", 3, 3)] == [(one.path, one.number, one.of) for one in heard]
    assert [one.fingerprint for one in report.findings] == [one.fingerprint for done in heard for one in done.findings] != []
    assert report.not_analyzed == heard[2].not_analyzed != ()


def test_a_file_is_told_of_while_the_others_still_wait_and_a_stop_ends_the_worker_at_once() -> None:
    with Sandbox(hostile_examine.afterwards) as sandbox:
        watch = Watch(lambda done: watch.stop() if done.number == 2 else None)
        start = time.monotonic()
        with pytest.raises(StoppedError):
            sandbox.examine_safely(Change("audit", (file("a.py", SLEEP), BILLING)), Options(), "1", watch)
        took = time.monotonic() - start

        assert len(judged(sandbox, BILLING).findings) == 1
    assert took < HANGS


def test_a_run_that_is_stopped_before_it_begins_does_not_begin(sandbox: Sandbox) -> None:
    watch = Watch(lambda done: None)
    watch.stop()

    with pytest.raises(StoppedError):
        sandbox.examine_safely(Change("audit", (file("a.py", SLEEP),)), Options(), "1", watch)


def test_the_count_begins_again_where_the_analysis_is_repeated_without_the_culprit() -> None:
    heard: list[FileDone] = []
    with Sandbox(hostile_examine.afterwards, limits=LIMITS) as sandbox:
        report = sandbox.examine_safely(Change("audit", (file("a.py", CRASH), BILLING)), Options(), "1", Watch(heard.append))

    assert [("a.py", 1, 2), ("usage.py", 2, 2), ("usage.py", 1, 1)] == [(one.path, one.number, one.of) for one in heard]
    assert len(report.findings) == 1


def test_a_listener_that_fails_does_not_leave_the_worker_at_work() -> None:
    def fail(done: FileDone) -> None:
        raise ZeroDivisionError

    with Sandbox(hostile_examine.afterwards) as sandbox:
        with pytest.raises(ZeroDivisionError):
            sandbox.examine_safely(Change("audit", (file("a.py", SLEEP),)), Options(), "1", Watch(fail))
        start = time.monotonic()
        judged(sandbox, BILLING)

    assert time.monotonic() - start < HANGS


@pytest.mark.parametrize("nonsense", [b"\xff\xff\xff\xff", b"\0\0\0\1\xc1", b"\0\0\0\1\x01"])
def test_nonsense_from_a_worker_ends_the_line(nonsense: bytes) -> None:
    with open_line() as line:
        otherwise = threading.Timer(10, line.end)
        otherwise.start()
        Path(line.path).write_bytes(nonsense)

        assert [] == list(line.messages())
        assert otherwise.is_alive()
        otherwise.cancel()
