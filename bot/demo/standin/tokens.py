"""Who asks: App tokens (JWT) are verified, installation tokens minted, narrowed and looked up."""

from __future__ import annotations

import base64
import secrets
from datetime import timedelta
from typing import Any

import jwt
from jwt.types import Options

from bot.demo.standin.answer import Answer, Call, RefusalError, not_found
from bot.demo.standin.shapes import repository as repository_shape
from bot.demo.standin.state import LEVELS, App, Grant, Installation, Repository, World, stamp

# The names of the permissions of repositories; the organisation's are known to GitHub but never granted here.
KNOWN = frozenset(
    "actions administration attestations checks code_quality codespaces contents dependabot_secrets deployments"
    " discussions environments issues merge_queues metadata packages pages pull_requests repository_custom_properties"
    " repository_hooks repository_projects secret_scanning_alerts secrets security_events single_file statuses"
    " vulnerability_alerts workflows members organization_administration organization_hooks".split()
)
NOT_ON_A_SERVER = frozenset({"merge_queues"})
"""GitHub Enterprise Server has no permission of that name, and no event `merge_group`."""
LIFE = timedelta(hours=1)
# Times are checked here, by the clock of the stand-in and with the words of GitHub.
UNTIMED: Options = {"verify_exp": False, "verify_iat": False, "verify_nbf": False}
UNREADABLE = "A JSON web token could not be decoded"


def app_of(world: World, scheme: str, token: str) -> App:
    """The App that signed a JWT; refuses as GitHub does (documentation: generating a JSON Web Token for an App)."""
    if scheme.lower() != "bearer" or token.count(".") != 2:
        raise RefusalError(401, UNREADABLE)
    try:
        issuer = jwt.decode(token, options={"verify_signature": False}).get("iss")
    except jwt.InvalidTokenError:
        raise RefusalError(401, UNREADABLE) from None
    app = next((one for one in world.apps.values() if issuer in (str(one.id), one.client_id)), None)
    if app is None:
        raise RefusalError(401, UNREADABLE)
    claims = next((claims for key in (app.public_key, *app.more_keys) if (claims := _signed(token, key)) is not None), None)
    if claims is None:
        raise RefusalError(401, UNREADABLE)
    _check_times(world, claims)
    return app


def _signed(token: str, public_key: str) -> dict[str, Any] | None:
    try:
        return jwt.decode(token, public_key, algorithms=["RS256"], options=UNTIMED)
    except jwt.InvalidTokenError:
        return None


def _check_times(world: World, claims: dict[str, Any]) -> None:
    now = world.clock().timestamp()
    expires, issued = claims.get("exp"), claims.get("iat")
    if not isinstance(expires, int):
        raise RefusalError(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time"
            " at which the assertion expires",
        )
    if expires <= now:
        raise RefusalError(
            401,
            "'Expiration time' claim ('exp') must be a numeric value representing the future time"
            " at which the assertion expires",
        )
    if expires > now + 600:
        raise RefusalError(401, "'Expiration time' claim ('exp') is too far in the future")
    if not isinstance(issued, int) or issued > now:
        raise RefusalError(
            401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued"
        )


def grant_of(world: World, token: str) -> Grant:
    """What an installation token may do; 401 for unknown, expired, revoked and App tokens, 403 when suspended."""
    grant = world.grants.get(token)
    if grant is None or grant.expires_at <= world.clock():
        raise RefusalError(401, "Bad credentials")
    if grant.installation.id not in world.installations:
        raise RefusalError(401, "Bad credentials")
    if grant.installation.suspended_at is not None:
        raise RefusalError(403, "This installation has been suspended")
    return grant


def require(grant: Grant, permission: str, level: str) -> None:
    """403 unless the token carries one of the permissions (words) at that level or above."""
    if not allows(grant, permission, level):
        raise RefusalError(403, "Resource not accessible by integration")


def allows(grant: Grant, permission: str, level: str) -> bool:
    """Whether the token carries one of the permissions at that level."""
    return any(LEVELS.get(grant.permissions.get(one, ""), 0) >= LEVELS[level] for one in permission.split())


def mint(call: Call) -> Answer:
    """POST /app/installations/{id}/access_tokens."""
    installation = call.world.installations.get(call.number("installation_id"))
    if installation is None or installation.app is not call.app:
        raise not_found()
    if installation.suspended_at is not None:
        raise RefusalError(403, "This installation has been suspended")
    chosen, narrowed = _chosen(call, installation)
    grant = Grant(
        token=_new_token(installation),
        installation=installation,
        repositories={repo.id for repo in chosen},
        narrowed=narrowed,
        permissions=_permissions(call, installation),
        expires_at=call.world.clock() + LIFE,
    )
    call.world.grants[grant.token] = grant
    body: dict[str, Any] = {
        "token": grant.token,
        "expires_at": stamp(grant.expires_at),
        "permissions": grant.permissions,
        "repository_selection": "selected",
    }
    if narrowed:
        body["repositories"] = [repository_shape(call.world, repo) for repo in chosen]
    return Answer(201, body)


def _chosen(call: Call, installation: Installation) -> tuple[list[Repository], bool]:
    """The repositories that the body narrows to, and whether it does."""
    granted = [call.world.repositories[number] for number in sorted(installation.repositories)]
    ids, names = call.given.get("repository_ids"), call.given.get("repositories")
    if ids is None and names is None:
        return granted, False
    if not all(isinstance(one, list) for one in (ids or [], names or [])):
        raise RefusalError(422, "Invalid request.\n\nrepositories and repository_ids are lists.")
    if len(ids or []) + len(names or []) > 500:
        raise RefusalError(422, "You can only specify up to 500 repositories.")
    chosen = [repo for repo in granted if repo.id in (ids or []) or repo.name in (names or [])]
    if len(chosen) != len({*(ids or []), *(names or [])}) or not chosen:
        raise RefusalError(
            422, "There is at least one repository that does not exist or is not accessible to the parent installation."
        )
    return chosen, True


def _permissions(call: Call, installation: Installation) -> dict[str, str]:
    """The granted permissions, or the narrower ones of the body."""
    asked = call.given.get("permissions")
    if asked is None:
        return dict(installation.permissions)
    known = KNOWN - NOT_ON_A_SERVER if call.world.enterprise else KNOWN
    if not isinstance(asked, dict) or any(name not in known for name in asked):
        raise RefusalError(422, "Invalid request.\n\nThe permissions requested are not known.")
    for name, level in asked.items():
        if level not in LEVELS:
            raise RefusalError(422, f"Invalid request.\n\n{level!r} is not a level of the permission {name}.")
        if LEVELS[level] > LEVELS.get(installation.permissions.get(name, ""), 0):
            raise RefusalError(422, "The permissions requested are not granted to this installation.")
    # Metadata comes with every token that may touch a repository.
    return {"metadata": "read", **asked}


def _new_token(installation: Installation) -> str:
    """The stateless format of 2026: much longer than forty characters, with dots, dashes and underscores inside."""
    parts = (base64.urlsafe_b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (27, 90, 64))
    return f"ghs_{installation.app.id}_{'.'.join(parts)}"
