"""The configuration in force for one pull request: `.meteraudit.yml` at the tip of its base branch, and nowhere else."""

from collections.abc import Callable
from dataclasses import dataclass

from bot.github.errors import TooLarge
from bot.github.payloads import PullRequest
from bot.github.repository import RepositoryClient
from bot.options import options_from
from config.configuration import Configuration
from config.paths import matcher
from config.repository import ConfigurationError, read_configuration
from config.yaml_source import MAX_BYTES
from rules import catalog
from rules.options import Options

FILE = ".meteraudit.yml"


@dataclass(frozen=True, slots=True)
class InForce:
    """What decides about one review, and where that is written."""

    configuration: Configuration
    options: Options
    errors: tuple[ConfigurationError, ...]
    """Of the base branch's file; the review then runs with the defaults, and the check says so."""
    source: str
    """One sentence for the check run."""
    paths: Callable[[str], str | None]

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


async def configuration_at(repository: RepositoryClient, pull: PullRequest, public_url: str | None) -> InForce:
    """Reads the file at the base branch's tip: what the pull request itself says has no effect on its own review."""
    tip = await repository.branch_tip(pull.base.ref) or pull.base.sha
    try:
        text = await repository.file_at(FILE, tip, MAX_BYTES)
    except TooLarge:
        text = b" " * (MAX_BYTES + 1)
    return in_force(text, f"{pull.base.ref} ({tip[:7]})", public_url)


def in_force(text: bytes | None, where: str, public_url: str | None) -> InForce:
    known = {rule.about.id: rule.name for rule in catalog.rules()}
    help_url = f"{public_url.rstrip('/')}/rules" if public_url else None
    if text is None:
        defaults = Configuration()
        options = options_from(defaults, {}, FILE, known, help_url)
        return InForce(defaults, options, (), f"No {FILE} on {where}: the defaults are in force.", matcher((), ()))
    reading = read_configuration(text, FILE, known)
    configuration = reading.configuration or Configuration()
    source = (
        f"{FILE} on {where} is in force."
        if reading.configuration is not None
        else f"{FILE} on {where} has errors: the defaults are in force."
    )
    return InForce(
        configuration,
        options_from(configuration, reading.lines if reading.configuration else {}, FILE, known, help_url),
        reading.errors,
        source,
        matcher(configuration.paths.include, configuration.paths.exclude),
    )
