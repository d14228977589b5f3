"""What the App needs of its registration on GitHub, and how the live one differs: it does not follow when this changes.

deploy/app-manifest.json is the one source; what the program asks for besides a person's choices stands there.
"""

import json
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import Any
from urllib.parse import urlsplit

from bot.github.payloads import App, Installation

MANIFEST: Mapping[str, Any] = json.loads((files("bot") / "app-manifest.json").read_text(encoding="utf-8"))
PERMISSIONS: Mapping[str, str] = MANIFEST["default_permissions"]
EVENTS: tuple[str, ...] = tuple(MANIFEST["default_events"])
"""Besides those that every App gets; without Merge queues: read, `merge_group` is subscribed and never delivered."""
SERVER = "/api/v3"
"""The path of the interface of a GitHub Enterprise Server."""
NOT_ON_A_SERVER = frozenset({"merge_queues", "merge_group"})
"""GitHub's description of GitHub Enterprise Server 3.19 has neither; asking for them may be refused."""
LONGEST_NAME = 34
_LEVELS = ("none", "read", "write", "admin")


def site_of(api_url: str) -> str:
    """The address of GitHub's pages for people, by that of its interface."""
    parts = urlsplit(api_url)
    if parts.path == SERVER:
        return f"{parts.scheme}://{parts.netloc}"
    # api.github.com, and api.NAME.ghe.com of Enterprise Cloud with data residency.
    return f"{parts.scheme}://{parts.netloc.removeprefix('api.')}"


def permissions_for(api_url: str) -> dict[str, str]:
    return {name: level for name, level in PERMISSIONS.items() if _exists(name, api_url)}


def events_for(api_url: str) -> tuple[str, ...]:
    return tuple(name for name in EVENTS if _exists(name, api_url))


def _exists(name: str, api_url: str) -> bool:
    return urlsplit(api_url).path != SERVER or name not in NOT_ON_A_SERVER


def manifest_for(api_url: str, name: str, public_url: str, back_url: str) -> dict[str, Any]:
    """The manifest to be posted to GitHub: `public_url` is where it finds us, `back_url` where the person's browser does."""
    return {
        **MANIFEST,
        "name": name,
        "url": public_url,
        "hook_attributes": {**MANIFEST["hook_attributes"], "url": f"{public_url}/webhook"},
        "redirect_url": back_url,
        "default_permissions": permissions_for(api_url),
        "default_events": list(events_for(api_url)),
    }


def drift(app: App, api_url: str) -> tuple[str, ...]:
    """What is missing from the live registration, one sentence each; empty if nothing is."""
    events = (f"event {name} is not subscribed" for name in events_for(api_url) if name not in app.events)
    return (*_lacking(app.permissions, api_url), *events)


def unaccepted(installation: Installation, api_url: str) -> tuple[str, ...]:
    """What the owner of an installation has not granted, one sentence each."""
    return tuple(_lacking(installation.permissions, api_url))


def _lacking(granted: Mapping[str, str], api_url: str) -> Iterator[str]:
    for name, level in permissions_for(api_url).items():
        if _LEVELS.index(level) > _level(granted.get(name, "none")):
            yield f"permission {name} is {granted.get(name, 'none')}, must be {level}"


def _level(name: str) -> int:
    return _LEVELS.index(name) if name in _LEVELS else 0
