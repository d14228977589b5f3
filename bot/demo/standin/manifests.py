"""Registering an App by a manifest: what GitHub refuses in one, and the one-time code that is exchanged for the secrets."""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from bot.demo.standin import shapes
from bot.demo.standin.answer import Answer, Call, not_found
from bot.demo.standin.state import LEVELS, App, World
from bot.demo.standin.tokens import KNOWN, NOT_ON_A_SERVER

LIFE = timedelta(hours=1)
LONGEST_NAME = 34
KEYS = frozenset(
    "name url hook_attributes redirect_url callback_urls setup_url description public default_events default_permissions"
    " request_oauth_on_install setup_on_update".split()
)
NEEDS = {
    "check_run": "checks",
    "check_suite": "checks",
    "issue_comment": "issues pull_requests",
    "issues": "issues",
    "merge_group": "merge_queues",
    "pull_request": "pull_requests",
    "pull_request_review": "pull_requests",
    "pull_request_review_comment": "pull_requests",
    "pull_request_review_thread": "pull_requests",
    "push": "contents",
    "repository": "metadata",
}
"""Which permission an event needs, one of several words; events that are not here are unknown to the stand-in."""


@dataclass(slots=True)
class Made:
    """An App that waits for its code to be exchanged."""

    app: App
    pem: str = field(repr=False)
    client_secret: str = field(repr=False)
    expires_at: datetime


def problems(world: World, manifest: Any) -> Iterator[str]:
    """What GitHub refuses, in words; nothing if the manifest is good."""
    if not isinstance(manifest, dict):
        yield "The manifest is not a JSON object"
        return
    yield from (f"Unknown key {key}" for key in sorted(manifest.keys() - KEYS))
    if not _is_address(manifest.get("url")):
        yield "Url wasn't supplied"
    if len(str(manifest.get("name", ""))) > LONGEST_NAME:
        yield f"Name is too long (maximum is {LONGEST_NAME} characters)"
    hook = manifest.get("hook_attributes", {})
    if not isinstance(hook, dict) or not _is_address(hook.get("url")):
        yield "Hook url wasn't supplied"
    elif is_local(hook["url"]):
        yield "Hook url is not supported because it isn't reachable over the public Internet"
    for key in ("redirect_url", "setup_url"):
        if key in manifest and not _is_address(manifest[key]):
            yield f"{key} must be an address"
    yield from _about_rights(world, manifest.get("default_permissions", {}), manifest.get("default_events", []))


def _about_rights(world: World, permissions: Any, events: Any) -> Iterator[str]:
    if not isinstance(permissions, dict) or not isinstance(events, list):
        yield "Default permissions and default events must be an object and a list"
        return
    known = KNOWN - NOT_ON_A_SERVER if world.enterprise else KNOWN
    for name, level in permissions.items():
        if name not in known or level not in LEVELS:
            yield f"Default permission {name}: {level} is not known"
    for event in events:
        if event not in NEEDS or (world.enterprise and NEEDS[event] in NOT_ON_A_SERVER):
            yield f"Default events unsupported: {event}"
        elif not any(permission in permissions for permission in NEEDS[event].split()):
            yield f"Default events are not supported by permissions: {event}"


def _is_address(value: Any) -> bool:
    return isinstance(value, str) and urlsplit(value).scheme in ("http", "https") and bool(urlsplit(value).hostname)


def is_local(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    return host == "localhost" or host == "::1" or host.startswith("127.") or host.endswith(".local")


def register(world: World, manifest: dict[str, Any], name: str, owner: str) -> str:
    """Makes the App and answers the code for its secrets. Raises ValueError if the name is taken or empty."""
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    if not slug or len(name) > LONGEST_NAME:
        raise ValueError("Name is missing or too long")
    if any(one.slug == slug for one in world.apps.values()):
        raise ValueError("Name is already taken")
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    folder = "github-apps" if world.enterprise else "apps"
    app = App(
        id=next(world.ids),
        client_id=f"Iv23{secrets.token_hex(8)}",
        slug=slug,
        public_key=_public(key),
        webhook_secret=secrets.token_hex(20),
        permissions={"metadata": "read", **manifest.get("default_permissions", {})},
        events=list(manifest.get("default_events", [])),
        owner=world.person(owner),
        bot=world.person(f"{slug}[bot]", "Bot"),
        created_at=world.clock(),
        hook_id=next(world.ids),
        name=name,
        hook_url=manifest["hook_attributes"]["url"],
        html_url=f"{world.site}/{folder}/{slug}",
        host=urlsplit(world.site).hostname if world.enterprise else None,
    )
    world.apps[app.id] = app
    code = secrets.token_hex(20)
    world.made[code] = Made(app, _private(key), secrets.token_hex(20), world.clock() + LIFE)
    return code


def convert(call: Call) -> Answer:
    """POST /app-manifests/{code}/conversions: once for each code, within an hour."""
    made = call.world.made.pop(call.parts["code"], None)
    if made is None or made.expires_at <= call.world.clock():
        raise not_found()
    app = made.app
    body = {
        **shapes.app(call.world, app),
        "client_id": app.client_id,
        "client_secret": made.client_secret,
        "webhook_secret": app.webhook_secret,
        "pem": made.pem,
    }
    return Answer(201, body)


def _public(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def _private(key: rsa.RSAPrivateKey) -> str:
    form = serialization.PrivateFormat.TraditionalOpenSSL
    return key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
