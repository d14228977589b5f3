"""What GitHub Actions tells a step: which change is to be reviewed, and where its summary goes.

https://docs.github.com/en/actions/reference/workflows-and-actions/variables
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHA = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)


class EventError(Exception):
    """The event that started the workflow cannot be read."""


@dataclass(frozen=True, slots=True)
class Event:
    """The two ends of a change: the tip of the base branch, and the head itself, not the merge that Actions checks out."""

    base: str
    head: str


def read_event(environ: Mapping[str, str]) -> Event | None:
    """The change of the event; None outside Actions, and for events that are about no change. Raises EventError."""
    path = environ.get("GITHUB_EVENT_PATH", "")
    if environ.get("GITHUB_ACTIONS") != "true" or not path:
        return None
    try:
        payload = json.loads(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        raise EventError(f"GITHUB_EVENT_PATH names a file that is no readable event ({path}).") from error
    return event_in(payload) if isinstance(payload, dict) else None


def event_in(payload: Mapping[str, Any]) -> Event | None:
    """By what the payload has: a pull request, a group of the merge queue, or a push to a branch that was there before."""
    pull, group = payload.get("pull_request"), payload.get("merge_group")
    if isinstance(pull, dict):
        ends = (sha_of(pull.get("base")), sha_of(pull.get("head")))
    elif isinstance(group, dict):
        ends = (group.get("base_sha"), group.get("head_sha"))
    else:
        ends = (payload.get("before"), payload.get("after"))
    base, head = (one if isinstance(one, str) and SHA.fullmatch(one) and one.strip("0") else None for one in ends)
    return Event(base, head) if base and head else None


def sha_of(branch: object) -> object:
    return branch.get("sha") if isinstance(branch, dict) else None


def summary_file(environ: Mapping[str, str]) -> Path | None:
    """Where the step's summary is to be written, as Markdown of at most 1 MiB."""
    path = environ.get("GITHUB_STEP_SUMMARY", "")
    return Path(path) if path else None
