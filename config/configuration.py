"""The keys of `.meteraudit.yml` with their types, limits, defaults and meaning; the JSON Schema comes from here."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints

from config.paths import MAX_PATTERN, pattern_problem

Severity: TypeAlias = Literal["critical", "high", "medium", "low"]
RuleLevel: TypeAlias = Literal["off", "critical", "high", "medium", "low"]
LockableKey: TypeAlias = Literal[
    "paths",
    "paths.include",
    "paths.exclude",
    "rules",
    "names",
    "names.emit",
    "names.aggregate",
    "names.limit",
    "mode",
    "fail_on",
    "min_score",
    "min_confidence",
    "min_severity",
    "max_comments",
    "drafts",
    "skip",
    "skip.labels",
    "skip.authors",
    "on_config_error",
    "on_partial",
    "fail_closed",
    "merge_group",
    "resolved_threads",
    "summary_comment",
    "badge",
]

# At most three stars between two slashes, as pattern_problem demands.
_GLOB_SHAPE = r"^[^/*]*(\*[^/*]*){0,3}(/[^/*]*(\*[^/*]*){0,3})*$"


def _glob(pattern: str) -> str:
    problem = pattern_problem(pattern)
    if problem:
        raise ValueError(problem)
    return pattern


def _whole(version: object) -> object:
    # true and 1.0 equal 1, and a Literal compares by equality.
    if type(version) is not int:
        raise ValueError("is no whole number")
    return version


Glob: TypeAlias = Annotated[
    str,
    AfterValidator(_glob),
    Field(json_schema_extra={"minLength": 1, "maxLength": MAX_PATTERN, "pattern": _GLOB_SHAPE}),
]
Globs: TypeAlias = Annotated[tuple[Glob, ...], Field(max_length=200)]
DottedName: TypeAlias = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z_$][A-Za-z0-9_$]*(\.[A-Za-z_$][A-Za-z0-9_$]*)*$", max_length=100)
]
DottedNames: TypeAlias = Annotated[tuple[DottedName, ...], Field(max_length=200)]
Words: TypeAlias = Annotated[tuple[Annotated[str, StringConstraints(min_length=1, max_length=100)], ...], Field(max_length=200)]

_STRICT = ConfigDict(frozen=True, extra="forbid", strict=True)


class Paths(BaseModel):
    """Which files are reviewed; globs as in `.gitignore`."""

    model_config = _STRICT

    include: Globs = Field(default=(), description="Only these are reviewed. Empty means everything.")
    exclude: Globs = Field(
        default=(),
        description="Left alone, besides tests, vendored, generated and minified files and lock files.",
    )


class Names(BaseModel):
    """The project's own functions, as dotted names such as billing.record_usage."""

    model_config = _STRICT

    emit: DottedNames = Field(default=(), description="Functions that send or record usage.")
    aggregate: DottedNames = Field(default=(), description="Functions that sum or count usage.")
    limit: DottedNames = Field(default=(), description="Functions that enforce a quota, credit or limit.")


class Skip(BaseModel):
    """Pull requests that are left alone."""

    model_config = _STRICT

    labels: Words = Field(default=(), description="Pull requests with one of these labels.")
    authors: Words = Field(default=(), description="Pull requests by one of these accounts, without @.")


class Configuration(BaseModel):
    """The configuration of a repository or an organisation; `Configuration()` is that of one without a file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        title="MeterAudit configuration",
        json_schema_extra={"required": ["version"]},
    )

    version: Annotated[Literal[1], BeforeValidator(_whole)] = Field(default=1, description="Version of this format.")
    paths: Paths = Field(default=Paths(), description="Which files are reviewed.")
    rules: Mapping[str, RuleLevel] = Field(
        default_factory=dict, description="Rule id or name: off, or the severity that it has here."
    )
    names: Names = Field(default=Names(), description="The project's own functions.")
    mode: Literal["blocking", "advisory"] = Field(
        default="blocking", description="Whether a hit threshold fails the check or is only shown."
    )
    fail_on: Severity = Field(default="high", description="The lowest severity that hits the threshold.")
    min_score: Annotated[int, Field(ge=1, le=10)] | None = Field(
        default=None, description="A lower composite score hits the threshold."
    )
    min_confidence: Literal["certain", "likely"] = Field(
        default="likely", description="The lowest confidence of a comment; possible findings are never comments."
    )
    min_severity: Severity = Field(default="medium", description="The lowest severity of a comment.")
    max_comments: int = Field(default=10, ge=0, le=40, description="The most comments of one review.")
    drafts: Literal["skip", "review"] = Field(default="skip", description="What happens to draft pull requests.")
    skip: Skip = Field(default=Skip(), description="Which pull requests are left alone.")
    on_config_error: Literal["action_required", "neutral"] = Field(
        default="action_required", description="The check's conclusion where this file has an error."
    )
    on_partial: Literal["action_required", "neutral"] = Field(
        default="action_required", description="The check's conclusion where a part could not be analysed."
    )
    fail_closed: bool = Field(default=False, description="Whether a failure of MeterAudit itself blocks.")
    merge_group: Literal["inherit", "scan"] = Field(
        default="inherit", description="Whether a merge queue takes over the pull request's result or is reviewed again."
    )
    resolved_threads: Literal["count", "ignore"] = Field(
        default="count", description="Whether findings whose thread was resolved count for the threshold."
    )
    summary_comment: Literal["off", "on_findings"] = Field(
        default="off", description="Whether one comment sums up the review besides the check."
    )
    badge: bool = Field(default=False, description="Whether the score is public as a badge.")
    extends: Literal["org"] | None = Field(
        default=None, description="org: keys that are not given here come from the organisation's file."
    )
    locked: tuple[LockableKey, ...] = Field(
        default=(), description="Organisation only: keys that its repositories cannot loosen."
    )
    suppressions: Literal["allow", "require_approval"] = Field(
        default="allow", description="Organisation only: whether ignoring a finding in a comment needs approval."
    )


def schema() -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of `.meteraudit.yml`; it does not know the ids of the rules."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Configuration.model_json_schema()}
