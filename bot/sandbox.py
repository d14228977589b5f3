"""Judges code that nobody vouches for: in a worker process without secrets, with limits of memory, processor and time."""

import asyncio
import multiprocessing
import os
import resource
import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError
from concurrent.futures import TimeoutError as TookTooLongError
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from multiprocessing import forkserver
from types import TracebackType
from typing import Any, Literal, Self, TypeVar

from pebble import ProcessFuture, ProcessPool

from bot.line import open_line, telling
from rules import catalog
from rules.change import Change, ChangedFile, NotAnalyzed
from rules.engine import OnFile
from rules.engine import examine as usual
from rules.languages import front_end
from rules.options import Options
from rules.report import Report

T = TypeVar("T")
Examine = Callable[[Change, Options, str, OnFile | None], Report]

HARMLESS = ("PATH", "LANG", "LC_ALL", "TZ", "HOME", "TMPDIR", "VIRTUAL_ENV")
"""What a worker keeps of the environment."""

TOO_SLOW = "made the analysis run out of time"
TOO_BIG = "made the analysis run out of memory"
CRASHED = "made the analysis crash"
NOT_REACHED = "not judged: another file of this change made the analysis fail, and no time is left to judge this one"
TOO_MUCH = "not judged: all files of this change together take too long, and this is one of the slowest"

FAILINGS = frozenset({TOO_SLOW, TOO_BIG, CRASHED, NOT_REACHED, TOO_MUCH})


class SandboxError(Exception):
    """The change could not be judged even without the files at fault; the text says so in one sentence."""


class RunError(Exception):
    """One run gave no report; the text is the reason, said of a file that was judged alone."""


class StoppedError(Exception):
    """Whoever asked for the report wants it no more."""


class Watch:
    """One change while it is judged: `on_file` is told of each file in the thread that waits for the report."""

    def __init__(self, on_file: OnFile) -> None:
        self.on_file = on_file
        self._lock = threading.Lock()
        self._stopped = False
        self._task: ProcessFuture[Report] | None = None

    def stop(self) -> None:
        """Ends the worker at once, from any thread; whoever waits for the report gets StoppedError."""
        with self._lock:
            self._stopped = True
            if self._task is not None:
                self._task.cancel()  # type: ignore[no-untyped-call]

    def follow(self, task: "ProcessFuture[Report]") -> None:
        with self._lock:
            self._task = task
            if self._stopped:
                task.cancel()  # type: ignore[no-untyped-call]


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds are of the wall clock and, separately, of the processor."""

    change_seconds: float = 120
    file_seconds: float = 20
    """For one file alone, when the culprit is looked for."""
    search_seconds: float = 120
    """For the whole search: a change may have a thousand hostile files."""
    memory_bytes: int = 2 * 1024**3


class Sandbox:
    """Warm worker processes, held open. Thread-safe; it judges as many changes at once as it has workers, others wait.

    `start` is `forkserver` for a server, which has threads and secrets: workers are forked from a process that never had
    either. `fork` is for a command that does one thing: it is 250 ms faster, and a worker then has what the command had.
    """

    def __init__(
        self,
        examine: Examine = usual,
        *,
        workers: int = 1,
        limits: Limits | None = None,
        start: Literal["forkserver", "fork"] = "forkserver",
    ) -> None:
        self._examine = examine
        self._limits = limits or Limits()
        if start == "forkserver":
            with only_harmless_environment():
                forkserver.set_forkserver_preload(["bot.sandbox", "bot.warm"])
                forkserver.ensure_running()
        self._pool = ProcessPool(
            max_workers=workers,
            max_tasks=200,
            initializer=restrict,
            initargs=(self._limits.memory_bytes,),
            context=multiprocessing.get_context(start),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Ends the workers, also those at work."""
        self._pool.stop()  # type: ignore[no-untyped-call]
        self._pool.join()

    def call(self, function: Callable[..., T], *values: object, seconds: float) -> T:
        """What a function of ours makes of values that nobody vouches for. Raises RunError if it fails or takes too long."""
        task = self._pool.schedule(called, args=(function, values, seconds), timeout=seconds)
        result: T = outcome(task)
        return result

    def warm(self, function: Callable[..., object], *values: object) -> None:
        """Starts a worker and what it imports for this, without waiting for it."""
        self._pool.schedule(called, args=(function, values, self._limits.file_seconds))

    async def examine_soon(self, change: Change, options: Options, version: str, watch: Watch | None = None) -> Report:
        """`examine_safely` for a caller that has other things to do meanwhile."""
        return await asyncio.to_thread(self.examine_safely, change, options, version, watch)

    def examine_safely(self, change: Change, options: Options, version: str, watch: Watch | None = None) -> Report:
        """The report of a change. Files that stop the analysis are left out and named in `not_analyzed`.

        The change is judged whole; only if that fails, each file alone to find the culprit, and then all the others
        together again. `watch` is told of the files of each of the two whole runs. Raises SandboxError if even the second
        fails, and StoppedError.
        """
        try:
            return self._run(change, options, version, self._limits.change_seconds, watch)
        except RunError:
            good, bad = self._sift(change, options, version, watch)
        rest = replace(change, files=good, not_analyzed=(*change.not_analyzed, *bad))
        try:
            return self._run(rest, options, version, self._limits.change_seconds, watch)
        except RunError as error:
            # The kind of exception tells whoever runs this where to look; its text may hold code.
            kind = type(error.__cause__).__name__
            raise SandboxError(f"The change as a whole {error} ({kind}), and no single file of it is to blame.") from error

    def _run(
        self, change: Change, options: Options, version: str, seconds: float, watch: Watch | None, *, quietly: bool = False
    ) -> Report:
        what = (self._examine, change, options, version, seconds)
        if watch is None or quietly:
            task = self._pool.schedule(limited, args=what, timeout=seconds)
            if watch is not None:
                watch.follow(task)
        else:
            with open_line() as line:
                task = self._pool.schedule(limited, args=(*what, line.path), timeout=seconds)
                task.add_done_callback(lambda _: line.end())
                watch.follow(task)
                try:
                    for done in line.messages():
                        watch.on_file(done)
                except BaseException:
                    task.cancel()  # type: ignore[no-untyped-call]
                    raise
        report: Report = outcome(task)
        return report

    def _sift(
        self, change: Change, options: Options, version: str, watch: Watch | None
    ) -> tuple[tuple[ChangedFile, ...], list[NotAnalyzed]]:
        """The files that can be judged alone, and the others with the reason."""
        until = time.monotonic() + self._limits.search_seconds
        seconds: dict[str, float] = {}
        bad: dict[str, str] = {}
        for file in change.files:
            start = time.monotonic()
            if start >= until:
                bad[file.path] = NOT_REACHED
                continue
            alone, seconds_left = replace(change, files=(file,)), min(self._limits.file_seconds, until - start)
            try:
                self._run(alone, options, version, seconds_left, watch, quietly=True)
            except RunError as error:
                bad[file.path] = str(error)
            seconds[file.path] = time.monotonic() - start
        if not bad:
            bad = dict.fromkeys(slowest(seconds, self._limits.change_seconds / 2), TOO_MUCH)
        good = tuple(file for file in change.files if file.path not in bad)
        return good, [NotAnalyzed(path, reason) for path, reason in bad.items()]


def outcome(task: "ProcessFuture[Any]") -> Any:
    """Waits for the end of a run. Raises RunError, StoppedError."""
    # Asked for, not caught: whatever the engine raises on hostile code costs the file and not the review.
    try:
        error = task.exception()
    except CancelledError as stopped:
        raise StoppedError from stopped
    if error is None:
        return task.result()
    slow = isinstance(error, TookTooLongError) or getattr(error, "exitcode", None) == -signal.SIGXCPU
    if slow:
        raise RunError(TOO_SLOW) from error
    raise RunError(TOO_BIG if isinstance(error, MemoryError) else CRASHED) from error


def incomplete(report: Report) -> bool:
    """Whether a file was left out because of what it did to the analysis: whoever wrote it must not pass by that."""
    return any(one.reason in FAILINGS for one in report.not_analyzed)


def slowest(seconds: dict[str, float], allowed: float) -> Iterator[str]:
    """The files beyond those that, the quickest first, take the allowed time together."""
    spent = 0.0
    for path in sorted(seconds, key=lambda path: (seconds[path], path)):
        spent += seconds[path]
        if spent > allowed:
            yield path


@contextmanager
def only_harmless_environment() -> Iterator[None]:
    """Hides the rest of the environment from a process that starts meanwhile: what it starts with stays readable in it.

    For the start of the program, before there are threads that read the environment.
    """
    whole = dict(os.environ)
    drop_secrets()
    try:
        yield
    finally:
        os.environ.update(whole)


def drop_secrets() -> None:
    for name in set(os.environ).difference(HARMLESS):
        del os.environ[name]


def restrict(memory_bytes: int) -> None:
    """What every worker does first."""
    drop_secrets()
    lower(resource.RLIMIT_AS, memory_bytes)
    # A crash would otherwise leave the reviewed code on the disk.
    lower(resource.RLIMIT_CORE, 0)
    # Loaded now, so that no change pays for it with its own time.
    catalog.rules()
    front_end("")


def lower(kind: int, wanted: int) -> None:
    """Sets the soft limit, or the hard one where that is lower still."""
    hard = resource.getrlimit(kind)[1]
    resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))


def limited(
    examine: Examine, change: Change, options: Options, version: str, seconds: float, told: str | None = None
) -> Report:
    """One run, inside the worker."""
    allow(seconds)
    try:
        with telling(told) if told is not None else nullcontext() as tell:
            return examine(change, options, version, tell)
    except MemoryError:
        pass
    # Raised anew, without the frames that hold the memory: telling what happened takes some, too.
    raise MemoryError


def called(function: Callable[..., T], values: tuple[object, ...], seconds: float) -> T:
    allow(seconds)
    return function(*values)


def allow(seconds: float) -> None:
    """The processor's limit counts from the worker's start and so moves with each run."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    lower(resource.RLIMIT_CPU, int(used.ru_utime + used.ru_stime + seconds) + 2)
