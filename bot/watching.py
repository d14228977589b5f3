"""Waits for changes of the files that an audit reads."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from watchfiles import Change, watch

from bot.audit import NEVER_ENTERED
from bot.local_configuration import ATTRIBUTES, FILE
from bot.local_files import is_code

QUIET = 300
"""Milliseconds. An editor writes a file in several steps: it is read when nothing has moved for this long."""
LOOK = 500
"""Milliseconds after which the wait gives an interrupt a chance."""


def changes(paths: Sequence[Path], root: Path) -> Iterator[int]:
    """How many files changed, each time some did; first a 0 as soon as no change can be missed. An interrupt ends it."""
    there = [path for path in dict.fromkeys((*paths, root / FILE, root / ATTRIBUTES)) if path.exists()]
    started = False
    for found in watch(
        *there,
        watch_filter=matters,
        debounce=4 * QUIET,
        step=QUIET,
        rust_timeout=LOOK,
        yield_on_timeout=True,
        raise_interrupt=False,
    ):
        if found or not started:
            started = True
            yield len({path for _, path in found})


def matters(change: Change, path: str) -> bool:
    """Code and configuration, not what lies in folders that an audit never enters, nor a report that is written beside them."""
    where = Path(path)
    return not NEVER_ENTERED & set(where.parts) and (is_code(path) or where.name in (FILE, ATTRIBUTES))
