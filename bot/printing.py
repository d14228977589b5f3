"""Writes to the person or program that called: results to standard output or a file, everything else to standard error."""

import os
import sys
from pathlib import Path

from bot.git import LocalError


class PipeClosedError(Exception):
    """Whoever read standard output has left. Not an OSError: the option parser would take that for exit 1, gate failed."""


def write(text: str, output: Path | None = None) -> None:
    """UTF-8 whatever the locale says, so that the same input gives the same bytes. Raises LocalError, PipeClosedError."""
    data = text.encode("utf-8", "replace")
    if output is None:
        try:
            sys.stdout.buffer.write(data)
            sys.stdout.buffer.flush()
        except BrokenPipeError as error:
            # Python would complain once more when it flushes at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise PipeClosedError from error
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise LocalError(f"{output} cannot be written ({error.strerror}): name another file with --output.") from error


def note(text: str) -> None:
    """One line beside the result: a program that reads the result is not disturbed."""
    sys.stderr.write(f"{text}\n")
