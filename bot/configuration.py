"""The configuration in force for one pull request: `.meteraudit.yml` at the tip of its base branch, and nowhere else.

The organisation's file, in its repository `.github`, counts where the repository has none or extends it, and where it locks
keys. A file with errors does not count: the last one without errors stays in force, and the check says so.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot.desk import Desk
from bot.github.client import GitHub
from bot.github.errors import Forbidden, GitHubError, RepositoryGone, TooLarge
from bot.github.payloads import PullRequest
from bot.github.repository import RepositoryClient
from bot.memory import Memory
from bot.options import options_from
from config.configuration import Configuration
from config.inheritance import loosened, merged
from config.paths import matcher
from config.repository import ConfigurationError, Reading, read_configuration
from config.yaml_source import MAX_BYTES
from rules import catalog
from rules.options import Options

FILE = ".meteraudit.yml"
ORGANISATION = ".github"
"""The organisation's repository for what holds everywhere."""


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides about one review, and where that is written."""

    configuration: Configuration
    options: Options
    errors: tuple[ConfigurationError, ...]
    """Of the base branch's file or the organisation's; the review then runs with what was valid last, and says so."""
    source: str
    """Sentences for the check run."""
    paths: Callable[[str], str | None]
    organisation: Configuration | None = None

    def leaves_alone(self, pull: PullRequest) -> str | None:
        """Why this pull request is not reviewed, if it is not."""
        if pull.draft and self.configuration.drafts == "skip":
            return "Draft: not reviewed"
        label = next((label.name for label in pull.labels if label.name in self.configuration.skip.labels), None)
        if label is not None:
            return f"Skipped: label {label} is in skip.labels"
        if pull.user is not None and pull.user.login in self.configuration.skip.authors:
            return f"Skipped: {pull.user.login} is in skip.authors"
        return None


@dataclass(frozen=True, slots=True)
class File:
    """One `.meteraudit.yml`, read; `configuration` is None where there is none in force."""

    configuration: Configuration | None
    errors: tuple[ConfigurationError, ...]
    lines: Mapping[str, int]
    where: str


async def configuration_at(github: GitHub, desk: Desk, public_url: str | None) -> InForce:
    """Reads the file at the base branch's tip: what the pull request itself says has no effect on its own review."""
    base = desk.pull.base
    tip = await desk.repository.branch_tip(base.ref) or base.sha
    own = await file_in(desk.repository, desk.memory, desk.repository_id, tip, f"{base.ref} ({tip[:7]})", FILE)
    upper = await organisation_file(github, desk)
    return in_force(own, upper, public_url)


async def blocks_on_failure(github: GitHub, desk: Desk) -> bool:
    """What the configuration says about failures of our own, if it can be had."""
    try:
        found = await configuration_at(github, desk, None)
    except GitHubError:
        return False
    return found.configuration.fail_closed


async def file_in(
    repository: RepositoryClient, memory: Memory, repository_id: int, revision: str, where: str, name: str
) -> File:
    """The file at a revision; one with errors is replaced by the last one without."""
    text = await text_at(repository, revision)
    if text is None:
        return File(None, (), {}, where)
    reading = read(text, name)
    if reading.configuration is not None:
        await memory.keep_configuration(repository_id, revision, text)
        return File(reading.configuration, (), reading.lines, where)
    kept = await memory.last_configuration(repository_id)
    last = read(kept[1], name) if kept else None
    if kept is None or last is None or last.configuration is None:
        return File(None, reading.errors, {}, where)
    return File(last.configuration, reading.errors, last.lines, f"{where}, as it was without errors in {kept[0][:7]}")


async def text_at(repository: RepositoryClient, revision: str) -> bytes | None:
    try:
        return await repository.file_at(FILE, revision, MAX_BYTES)
    except TooLarge:
        # Read as what it is: too long to be read.
        return b" " * (MAX_BYTES + 1)


async def organisation_file(github: GitHub, desk: Desk) -> File | None:
    """None where the organisation has no such repository, or the App is not installed on it."""
    owner, _, name = (await desk.repository.name()).partition("/")
    if name == ORGANISATION:
        return None
    try:
        found = await github.repository_id(desk.installation_id, f"{owner}/{ORGANISATION}")
        if found is None:
            return None
        repository = github.repository(desk.installation_id, found)
        branch = (await repository.about()).default_branch
        tip = await repository.branch_tip(branch)
        if tip is None:
            return None
        where = f"{owner}/{ORGANISATION} ({tip[:7]})"
        return await file_in(repository, desk.memory, found, tip, where, f"{ORGANISATION}/{FILE}")
    except (Forbidden, RepositoryGone):
        # A public repository is seen from outside, too; it speaks for the organisation only with the App on it.
        return None


def read(text: bytes, name: str = FILE) -> Reading:
    return read_configuration(text, name, known_rules())


def known_rules() -> Mapping[str, str]:
    """Ids of all rules with their names."""
    return {rule.about.id: rule.name for rule in catalog.rules()}


def in_force(own: File, upper: File | None, public_url: str | None) -> InForce:
    """Joins the two files; without either, the defaults."""
    organisation = upper.configuration if upper else None
    configuration = merged(organisation, own.configuration)
    return InForce(
        configuration,
        options_of(configuration, own.lines if own.configuration else {}, public_url),
        (*own.errors, *(upper.errors if upper else ())),
        source(own, upper),
        matcher(configuration.paths.include, configuration.paths.exclude),
        organisation,
    )


def options_of(configuration: Configuration, lines: Mapping[str, int], public_url: str | None) -> Options:
    help_url = f"{public_url.rstrip('/')}/rules" if public_url else None
    return options_from(configuration, lines, FILE, known_rules(), help_url)


def source(own: File, upper: File | None) -> str:
    """Which file decided, at which revision, and what it could not loosen."""
    if own.configuration is None and (upper is None or upper.configuration is None):
        broken = own.errors or (upper is not None and upper.errors)
        return f"{FILE} on {own.where} {'has errors' if broken else 'is not there'}: the defaults are in force."
    if own.configuration is None:
        return f"The organisation's {FILE} in {upper.where if upper else ''} is in force."
    said = [f"{FILE} on {own.where} is in force."]
    if upper is not None and upper.configuration is not None:
        if own.configuration.extends == "org":
            said.append(f"It extends the organisation's in {upper.where}.")
        refused = loosened(upper.configuration, own.configuration)
        if refused:
            listed = ", ".join(refused)
            said.append(f"The organisation has locked {listed}: its values in {upper.where} stand.")
    return " ".join(said)
