"""What the App needs of its registration on GitHub, and how the live one differs: it does not follow when this changes."""

from collections.abc import Mapping

from bot.github.payloads import App

PERMISSIONS: Mapping[str, str] = {
    "checks": "write",
    "contents": "read",
    "issues": "read",
    "merge_queues": "read",
    "metadata": "read",
    "pull_requests": "write",
}
EVENTS = (
    "issue_comment",
    "merge_group",
    "pull_request",
    "pull_request_review_comment",
    "pull_request_review_thread",
    "push",
    "repository",
)
"""Besides those that every App gets; without Merge queues: read, `merge_group` is subscribed and never delivered."""
_LEVELS = ("none", "read", "write", "admin")


def drift(app: App) -> tuple[str, ...]:
    """What is missing from the live registration, one sentence each; empty if nothing is."""
    problems = [
        f"permission {name} is {app.permissions.get(name, 'none')}, must be {level}"
        for name, level in PERMISSIONS.items()
        if _LEVELS.index(level) > _level(app.permissions.get(name, "none"))
    ]
    return (*problems, *(f"event {name} is not subscribed" for name in EVENTS if name not in app.events))


def _level(name: str) -> int:
    return _LEVELS.index(name) if name in _LEVELS else 0
