"""A one-way line out of a worker process: what it tells arrives while it is at work, and ends when the worker does.

Messages are typed data and not pickled objects: whoever reads them does not trust the worker.
"""

import os
import select
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from rules.report import FileDone

LENGTH, CHUNK = 4, 64 * 1024
LONGEST_MESSAGE = 64 * 1024 * 1024
"""Bytes. A file has findings in proportion to its size, which is bounded; more than this is no message of ours."""


@dataclass(frozen=True, slots=True)
class Line:
    """The reader's end."""

    path: str
    """What the worker opens."""
    end: Callable[[], None]
    """Ends the messages once those that are on the way are read. From any thread, also when the line is closed already."""
    _heard: int
    _ended: int

    def messages(self) -> Iterator[FileDone]:
        """Each one as it comes. Nonsense is the last: the result of the run does not depend on them."""
        decoder, waiting, over = msgspec.msgpack.Decoder(FileDone), bytearray(), False
        poll = select.poll()
        for descriptor in (self._heard, self._ended):
            poll.register(descriptor, select.POLLIN)
        while not over:
            over = self._ended in dict(poll.poll())
            waiting += everything(self._heard)
            try:
                yield from map(decoder.decode, whole(waiting))
            except msgspec.MsgspecError:
                return


def everything(descriptor: int) -> bytes:
    """All that can be read without waiting."""
    parts = []
    with suppress(BlockingIOError):
        while part := os.read(descriptor, CHUNK):
            parts.append(part)
    return b"".join(parts)


def whole(waiting: bytearray) -> Iterator[bytes]:
    """Takes the messages that have arrived to their end. Raises msgspec.DecodeError for one that is none of ours."""
    while len(waiting) >= LENGTH:
        end = LENGTH + int.from_bytes(waiting[:LENGTH], "big")
        if end > LONGEST_MESSAGE:
            raise msgspec.DecodeError
        if len(waiting) < end:
            return
        yield bytes(waiting[LENGTH:end])
        del waiting[:end]


@contextmanager
def open_line() -> Iterator[Line]:
    """A named pipe, which the worker finds by its path however it was started. Only this user can open it."""
    with ExitStack() as stack:
        path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="meteraudit-"))) / "line"
        os.mkfifo(path, 0o600)
        # Open for writing, too: nobody waits for a writer, and there is no end of file. The end is told by a pipe of its
        # own and not by closing one: a worker that was forked meanwhile would keep it open.
        heard = os.open(path, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        stack.callback(os.close, heard)
        ended, end = os.pipe()
        stack.callback(os.close, ended)
        bell = stack.enter_context(os.fdopen(end, "wb", buffering=0))

        def ring() -> None:
            # ValueError: closed already.
            with suppress(ValueError, BrokenPipeError):
                bell.write(b"!")

        yield Line(str(path), ring, heard, ended)


@contextmanager
def telling(path: str) -> Iterator[Callable[[FileDone], None]]:
    """The worker's end."""
    with Path(path).open("wb", buffering=0) as line:

        def tell(done: FileDone) -> None:
            body = msgspec.msgpack.encode(done)
            rest = memoryview(len(body).to_bytes(LENGTH, "big") + body)
            # Whoever listened may be gone; the report is still wanted.
            with suppress(BrokenPipeError):
                while rest:
                    rest = rest[line.write(rest) :]

        yield tell
