"""What can go wrong between us and GitHub: one exception for each situation a caller treats differently.

No message holds a token, a header, a body or a URL: only the operation and the status.
"""

# ruff: noqa: N818 - the names are situations, as GitHub words them, and read as such where they are caught


class GitHubError(Exception):
    """Any failure of a call to GitHub; `operation` names the call, `status` is the HTTP status or None without one."""

    def __init__(self, operation: str, status: int | None = None, detail: str = "") -> None:
        self.operation = operation
        self.status = status
        answered = "" if status is None else f": GitHub answered {status}"
        super().__init__(f"{operation}{answered}{': ' + detail if detail else ''}")


class NotFound(GitHubError):
    """404: the repository, pull request or comment is gone, was never there, or this installation may not see it."""


class Gone(NotFound):
    """410 or 451: removed for good, for instance a disabled feature or a legal takedown."""


class RevisionGone(GitHubError):
    """404 or 422 "No commit found": the revision is not in the repository, most often after a force-push."""


class RepositoryGone(GitHubError):
    """404 for the repository's id, or 422 for it while minting: deleted, or taken out of the installation.

    No NotFound on purpose: what is not there for this reason says nothing about a file or a comment being absent.
    """


class InstallationGone(GitHubError):
    """404 or 403 while minting a token, or 403 "suspended" later: uninstalled or suspended. No NotFound either."""


class Forbidden(GitHubError):
    """403 that is no rate limit: a locked conversation, an archived repository, a blocked account."""


class CapabilityMissing(Forbidden):
    """403 "Resource not accessible by integration": the installation has not accepted a permission we need."""


class BadCredentials(GitHubError):
    """401 with a fresh token, or no private key was accepted: revoked, suspended, or the keys are not this App's."""


class Rejected(GitHubError):
    """422 or 400: GitHub understood the request and refused its content; nothing was written.

    `messages` holds GitHub's own words, for deciding what to change. They can quote repository content: never log them.
    """

    def __init__(self, operation: str, status: int, messages: tuple[str, ...]) -> None:
        super().__init__(operation, status)
        self.messages = messages


class TooLarge(GitHubError):
    """406 or 413 for a diff that GitHub will not make, 403 "too_large", or an answer over our own limit in bytes."""


class RateLimited(GitHubError):
    """403 or 429 from the primary or a secondary limit, or our own pace, and the wait is too long for a running job.

    `until` is the epoch second from which this installation may call again. Nothing was written.
    """

    def __init__(self, operation: str, until: float) -> None:
        super().__init__(operation, None, "rate limited")
        self.until = until


class Postponed(RateLimited):
    """Little is left of the primary limit, and the job can wait for the next hour; nobody else is held up by it."""


class Unanswered(GitHubError):
    """Network error, timeout or 5xx: no answer that can be trusted.

    A read was tried several times. A write was tried once and may have landed: look before you write again.
    """


class Unexpected(GitHubError):
    """An answer outside the documented ones: a redirect elsewhere, a body that is no JSON, a blob with another hash."""
