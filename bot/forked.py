"""Judges the files of an audit in several processes, which are forked once everything that the files share is worked out."""

import gc
import multiprocessing
import os
from collections.abc import Iterable, Iterator, Sequence

from rules.change import ChangedFile
from rules.engine import FileResult, Work, one_after_another, sent

WORTHWHILE = 200
"""With fewer files, starting processes costs more than it saves."""
CHUNK = 16
"""Files that are handed over at once: small enough that no process waits long for the last one."""

_WORK: list[tuple[Work, Sequence[ChangedFile]]] = []
"""What the forked processes find in their memory: code and facts never go through a pipe."""


def in_processes(work: Work, files: Sequence[ChangedFile]) -> Iterable[FileResult]:
    """The results in the order of the files. The code is the user's own: a process has all that the command has."""
    processes = min(len(os.sched_getaffinity(0)), 8)
    if len(files) < WORTHWHILE or processes < 2:
        return one_after_another(work, files)
    return _divided(work, files, processes)


def _divided(work: Work, files: Sequence[ChangedFile], processes: int) -> Iterator[FileResult]:
    from pebble import ProcessPool

    _WORK.append((work, files))
    # Collecting garbage would touch, and so copy, what the processes share.
    gc.collect()
    gc.freeze()
    pool = ProcessPool(max_workers=processes, context=multiprocessing.get_context("fork"))
    try:
        chunks = [range(start, min(start + CHUNK, len(files))) for start in range(0, len(files), CHUNK)]
        futures = [pool.schedule(_results, args=(chunk,)) for chunk in chunks]
        for chunk, future in zip(chunks, futures, strict=True):
            # A process that died took its chunk with it: here the file at fault fails as it would have without processes.
            yield from future.result() if future.exception() is None else [work(files[number]) for number in chunk]
    finally:
        pool.stop()  # type: ignore[no-untyped-call]
        pool.join()
        gc.unfreeze()
        _WORK.clear()


def _results(chunk: range) -> list[FileResult]:
    work, files = _WORK[-1]
    return [sent(work(files[number])) for number in chunk]
