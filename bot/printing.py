"""Writes to the person or program that called: results to standard output or a file, everything else to standard error."""

import sys
from pathlib import Path

from bot.git import LocalError


def write(text: str, output: Path | None = None) -> None:
    """UTF-8 whatever the locale says, so that the same input gives the same bytes. Raises LocalError."""
    data = text.encode("utf-8", "replace")
    if output is None:
        sys.stdout.flush()
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        output.write_bytes(data)
    except OSError as error:
        raise LocalError(f"{output} cannot be written ({error.strerror}): name another file with --output.") from error


def note(text: str) -> None:
    """One line beside the result: a program that reads the result is not disturbed."""
    sys.stderr.write(f"{text}\n")
