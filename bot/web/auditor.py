"""Judges what the page is sent, for many clients at once and within its limits; keeps nothing of it."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import TypeVar

from bot.local_configuration import concluded
from bot.sandbox import Limits, RunError, Sandbox, SandboxError, StoppedError, Watch, incomplete
from bot.web.asked import Asked, RefusedError, elsewhere
from bot.web.clients import Buckets
from bot.web.drawing import MOST_CARDS, Drawn, NoReportError, cards, drawn, drawn_again, exported
from config.page import PageSettings
from rules.report import FileDone, Report

DRAWING_SECONDS = 20
DRAWN_FOR_EACH_AUDIT = 10
"""How many times a client may have a report drawn or exported for each audit that it may start."""
WAITING_FOR_EACH = 4
"""How many audits wait for each that runs; the next client is told to come back."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Progress:
    """One file is judged; `html` are its findings."""

    path: str
    number: int
    of: int
    findings: int
    html: str


class Auditor:
    """Two sandboxes: one judges, the other draws, so that nobody waits for a picture behind somebody's audit."""

    def __init__(self, page: PageSettings, judging: Sandbox, drawing: Sandbox) -> None:
        self.page = page
        self.starts = Buckets(page.hourly, max(1, page.hourly // 2))
        self.drawings = Buckets(page.hourly * DRAWN_FOR_EACH_AUDIT, max(20, page.hourly))
        self._judging, self._drawing = judging, drawing
        self._places = asyncio.Semaphore(page.at_once)
        self._waiting = 0
        # Of its own: audits would fill the loop's few threads, and then nothing could be drawn while they run.
        self._threads = ThreadPoolExecutor(page.at_once + 2, thread_name_prefix="auditor")

    @asynccontextmanager
    async def place(self) -> AsyncIterator[None]:
        """Waits for one of the places at which audits run. Raises RefusedError where too many wait already."""
        if self._waiting >= self.page.at_once * WAITING_FOR_EACH:
            what = f"This server judges {self.page.at_once} audits at a time, and {self._waiting} are waiting already."
            raise RefusedError(503, what, f"Try again in a minute. {elsewhere()}", wait=60)
        self._waiting += 1
        try:
            await self._places.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._places.release()

    @property
    def busy(self) -> bool:
        return self._places.locked()

    async def run(self, asked: Asked, base: str) -> AsyncIterator[Progress | Drawn]:
        """Each file as it is judged, then the report. Whoever stops listening ends it. Raises RefusedError."""
        loop, heard = asyncio.get_running_loop(), asyncio.Queue[FileDone | None]()

        def hear(done: FileDone) -> None:
            loop.call_soon_threadsafe(heard.put_nowait, done)

        watch = Watch(hear)
        judge = partial(self._judging.examine_safely, asked.change, asked.settled.options, version("meteraudit"), watch)
        judging = loop.run_in_executor(self._threads, judge)
        judging.add_done_callback(lambda _: heard.put_nowait(None))
        alarm = loop.call_later(self.page.seconds, watch.stop)
        try:
            told = 0
            while (done := await heard.get()) is not None:
                room = max(0, MOST_CARDS - told) if done.number > 1 else MOST_CARDS
                told = MOST_CARDS - room + len(done.findings)
                html = await self._draw(cards, done.findings[:room], base) if done.findings and room else ""
                yield Progress(done.path, done.number, done.of, len(done.findings), html)
            report = await self._outcome(judging, asked)
            yield await self._draw(drawn, report, base)
        finally:
            alarm.cancel()
            watch.stop()
            judging.add_done_callback(unread)

    async def _outcome(self, judging: "asyncio.Future[Report]", asked: Asked) -> Report:
        try:
            report = await judging
        except StoppedError as error:
            what = f"This audit took longer than the {self.page.seconds} seconds that this page gives to one."
            raise RefusedError(504, what, f"Audit fewer files. {elsewhere()}") from error
        except SandboxError as error:
            raise RefusedError(500, str(error), f"Audit single files to see which of them it is. {elsewhere()}") from error
        return concluded(report, asked.settled, incomplete(report))

    async def draw_again(self, document: bytes, base: str) -> Drawn:
        """A report that a browser has kept. Raises RefusedError."""
        return await self._draw_sent(drawn_again, document, base)

    async def export(self, document: bytes, form: str) -> str:
        """Raises RefusedError."""
        return await self._draw_sent(exported, document, form)

    async def _draw(self, function: Callable[..., T], *values: object) -> T:
        """Raises RunError."""
        call = partial(self._drawing.call, function, *values, seconds=DRAWING_SECONDS)
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    async def _draw_sent(self, function: Callable[..., T], *values: object) -> T:
        try:
            return await self._draw(function, *values)
        except RunError as error:
            if isinstance(error.__cause__, NoReportError):
                raise RefusedError(422, "This is no report that can be shown.", "Audit the code again.") from error
            raise


def unread(judging: "asyncio.Future[Report]") -> None:
    """Takes note of an error that nobody waits for any more."""
    if not judging.cancelled():
        judging.exception()


@contextmanager
def open_auditor(page: PageSettings) -> Iterator[Auditor]:
    """For as long as the server runs. Before there are threads: it starts processes."""
    # Together with the search for a culprit and the second run, a hostile file ends before the page's own time is over.
    judged = Limits(
        change_seconds=page.seconds * 0.4, file_seconds=min(20, page.seconds * 0.1), search_seconds=page.seconds * 0.2
    )
    with ExitStack() as stack:
        judging = stack.enter_context(Sandbox(workers=page.at_once, limits=judged))
        drawing = stack.enter_context(Sandbox(workers=1, limits=replace(judged, change_seconds=DRAWING_SECONDS)))
        judging.warm(str)
        drawing.warm(cards, (), "")
        yield Auditor(page, judging, drawing)
