"""The configuration in force for a run on this machine: `.meteraudit.yml` from git or from disk."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from bot import git
from bot.git import LocalError, Repository
from config.paths import generated_by_attributes, matcher
from rules.options import Options
from rules.report import Gate, Report

if TYPE_CHECKING:
    from config.repository import ConfigurationError

FILE = ".meteraudit.yml"
ATTRIBUTES = ".gitattributes"


@dataclass(frozen=True, slots=True)
class InForce:
    """What a run goes by. With errors, it goes by the defaults and its verdict says so."""

    options: Options
    excluded: Callable[[str], str | None]
    """Why a path is left alone, or None."""
    errors: tuple["ConfigurationError", ...] = ()
    on_partial: Literal["action_required", "neutral"] = "action_required"
    on_config_error: Literal["action_required", "neutral"] = "action_required"


def at_commit(repo: Repository, commit: str | None) -> InForce:
    """As the repository says at a commit; as the files of the working tree say where there is no commit yet."""
    if commit is None:
        return InForce(Options(), matcher((), ())) if repo.bare else on_disk(repo.top)
    return in_force(git.file_at(repo, commit, FILE), git.file_at(repo, commit, ATTRIBUTES))


def on_disk(root: Path) -> InForce:
    """As the files in a folder say. Raises LocalError where they are there and cannot be read."""
    return in_force(read(root / FILE), read(root / ATTRIBUTES))


def read(path: Path) -> bytes | None:
    try:
        return path.read_bytes() if path.is_file() else None
    except OSError as error:
        raise LocalError(f"{path} cannot be read ({error.strerror}): allow it to be read.") from error


def in_force(text: bytes | None, attributes: bytes | None) -> InForce:
    if text is None:
        # The usual case does without pydantic, whose import takes longer than a small review.
        return InForce(Options(), excluder((), (), attributes))
    from bot.options import options_from
    from config.repository import Configuration, read_configuration

    known = known_rules()
    found = read_configuration(text, FILE, known)
    configuration = found.configuration or Configuration()
    lines = found.lines if found.configuration is not None else {}
    paths = configuration.paths
    options = options_from(configuration, lines, FILE, known)
    return InForce(
        options,
        excluder(paths.include, paths.exclude, attributes),
        found.errors,
        configuration.on_partial,
        configuration.on_config_error,
    )


def known_rules() -> Mapping[str, str]:
    """Ids of all rules with their names."""
    from rules import catalog

    return {rule.about.id: rule.name for rule in catalog.rules()}


def excluder(include: tuple[str, ...], exclude: tuple[str, ...], attributes: bytes | None) -> Callable[[str], str | None]:
    by_path = matcher(include, exclude)
    generated = generated_by_attributes(attributes.decode("utf-8", "replace")) if attributes else lambda path: False
    return lambda path: by_path(path) or ("generated" if generated(path) else None)


def concluded(report: Report, settled: InForce, partial: bool) -> Report:
    """The report with its verdict where more than the findings decides: a broken configuration, files left out."""
    if settled.errors:
        more = f" and {len(settled.errors) - 1} more" if len(settled.errors) > 1 else ""
        because = f"{settled.errors[0]}{more}; the defaults were used"
        return replace(report, gate=Gate(settled.on_config_error, because))
    if partial and report.gate.conclusion == "success":
        because = (
            f"not all of it could be analysed, see the files left out; split the change, or set on_partial: neutral in {FILE}"
        )
        return replace(report, gate=Gate(settled.on_partial, because))
    return report
