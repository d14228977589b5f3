"""A review as a step of GitHub Actions: the event names the change, and the whole report goes into the step's summary."""

import os

from bot.git import LocalError
from bot.report import FORMATS
from config.actions import Event, EventError, read_event, summary_file
from rules.report import Report

LONGEST_SUMMARY = 900 * 1024
"""Bytes; GitHub takes 1 MiB for each step, and drops a longer one whole."""


def event() -> Event | None:
    """The change that the workflow is about; None where there is none. Raises LocalError."""
    try:
        return read_event(os.environ)
    except EventError as error:
        raise LocalError(str(error)) from error


def add_summary(report: Report) -> None:
    """Adds the report to the step's summary, if there is a step. Raises LocalError."""
    path = summary_file(os.environ)
    if path is None:
        return
    text = FORMATS["markdown"](report).encode()
    if len(text) > LONGEST_SUMMARY:
        text = text[:LONGEST_SUMMARY].rpartition(b"\n")[0] + b"\n\nThe rest is too long for a summary.\n"
    try:
        with path.open("ab") as file:
            file.write(text)
    except OSError as error:
        raise LocalError(f"GITHUB_STEP_SUMMARY cannot be written ({path}: {error.strerror}).") from error
