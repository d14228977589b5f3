"""What one pull request's review works with: the repository on GitHub, our memory of it, and who we are."""

from dataclasses import dataclass
from typing import Protocol

from bot.github.payloads import Account, App, PullRequest
from bot.github.repository import RepositoryClient
from bot.memory import Memory


class Written(Protocol):
    """A comment of either kind."""

    @property
    def user(self) -> Account | None: ...
    @property
    def performed_via_github_app(self) -> App | None: ...


@dataclass(frozen=True, slots=True)
class Desk:
    """One pull request at one head."""

    repository: RepositoryClient
    memory: Memory
    app: App
    installation_id: int
    repository_id: int
    pull: PullRequest
    rules_url: str | None = None
    """Our page of all rules, where a check leads to before it has findings; None without a public address."""

    def ours(self, one: Written) -> bool:
        """Markers count only where our App wrote them: anyone can write one. Nobody else can be its bot account."""
        written = one.performed_via_github_app
        if written is not None:
            return written.id == self.app.id
        return one.user is not None and one.user.login == f"{self.app.slug}[bot]"
