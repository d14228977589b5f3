"""What a review still does when little is left of GitHub's hourly limit, which a whole installation shares."""

from dataclasses import dataclass

from bot.github.client import GitHub
from bot.github.errors import Postponed

TIDYING = 0.20
"""Share of the limit below which comments on what is fixed stay as they are until the next hour."""
READING = 0.10
"""Below which no more files are read: what is left is for saying what was found."""
BEGINNING = 0.05
"""Below which no review begins: what is left is for those that have."""


@dataclass(frozen=True, slots=True)
class Thrift:
    """Asks the client about one installation; GitHub Enterprise Server may have no limit, and then nothing is scarce."""

    github: GitHub
    installation_id: int

    def below(self, share: float) -> bool:
        limit = self.github.rate_limit(self.installation_id)
        if limit is None or limit.reset_datetime.timestamp() <= self.github.now():
            return False
        return limit.remaining < limit.limit * share

    def scarce(self) -> bool:
        """For reading files."""
        return self.below(READING)

    def postponed(self, operation: str) -> Postponed:
        """To be raised: the job comes back when GitHub's hour is over; others of the installation are not held up."""
        limit = self.github.rate_limit(self.installation_id)
        return Postponed(operation, limit.reset_datetime.timestamp() if limit is not None else self.github.now())
