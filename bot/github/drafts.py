"""What we send to GitHub: comments of a review, annotations, check runs. Fields left out stay as they are.

Source of names and limits: GitHub's OpenAPI description of api.github.com, 2022-11-28.
"""

from typing import Literal

from msgspec import UNSET, Struct, UnsetType


class CommentDraft(Struct, frozen=True, omit_defaults=True):
    """A line comment of a new review. A range needs `start_line` below `line`, in the same hunk."""

    path: str
    body: str
    line: int
    side: Literal["RIGHT", "LEFT"] | UnsetType = UNSET
    start_line: int | UnsetType = UNSET
    start_side: Literal["RIGHT", "LEFT"] | UnsetType = UNSET


class Annotation(Struct, frozen=True, omit_defaults=True):
    """An annotation of a check run; columns are allowed only where it is on one line."""

    path: str
    start_line: int
    end_line: int
    annotation_level: Literal["notice", "warning", "failure"]
    message: str
    title: str | UnsetType = UNSET
    raw_details: str | UnsetType = UNSET
    start_column: int | UnsetType = UNSET
    end_column: int | UnsetType = UNSET


class CheckAction(Struct, frozen=True):
    """A button of a check run: at most 20, 40 and 20 characters."""

    label: str
    description: str
    identifier: str


class CheckOutput(Struct, frozen=True, omit_defaults=True):
    """What a check run shows; any number of annotations, sent fifty at a time."""

    title: str
    summary: str
    text: str | UnsetType = UNSET
    annotations: tuple[Annotation, ...] = ()


class CheckRunDraft(Struct, frozen=True, omit_defaults=True):
    """The fields of a check run to create or update; what is left out stays as it is. Times are ISO 8601, UTC."""

    name: str | UnsetType = UNSET
    head_sha: str | UnsetType = UNSET
    status: Literal["queued", "in_progress", "completed"] | UnsetType = UNSET
    conclusion: Literal["action_required", "cancelled", "failure", "neutral", "success", "skipped", "timed_out"] | UnsetType = (
        UNSET
    )
    external_id: str | UnsetType = UNSET
    details_url: str | UnsetType = UNSET
    started_at: str | UnsetType = UNSET
    completed_at: str | UnsetType = UNSET
    output: CheckOutput | UnsetType = UNSET
    actions: tuple[CheckAction, ...] | UnsetType = UNSET
