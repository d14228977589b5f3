"""The environment -> Settings: the only file that reads it, and it refuses to start half-configured."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.addresses import address_problem
from config.page import PageSettings, read_page
from config.stored_app import FILE, StoredApp, StoredAppError, is_stored, prove_writable, read_stored

APP_ID = "METERAUDIT_GITHUB_APP_ID"
PRIVATE_KEY = "METERAUDIT_GITHUB_PRIVATE_KEY"
PRIVATE_KEY_FILE = "METERAUDIT_GITHUB_PRIVATE_KEY_FILE"
WEBHOOK_SECRET = "METERAUDIT_WEBHOOK_SECRET"  # noqa: S105 - the name of a variable, not a secret
API_URL = "METERAUDIT_GITHUB_API_URL"
DATABASE_URL = "METERAUDIT_DATABASE_URL"
STATE_DIR = "METERAUDIT_STATE_DIR"
HOST = "METERAUDIT_HOST"
PORT = "METERAUDIT_PORT"
PUBLIC_URL = "METERAUDIT_PUBLIC_URL"
STATUS_TOKEN = "METERAUDIT_STATUS_TOKEN"  # noqa: S105 - the name of a variable, not a secret

GITHUB_COM = "https://api.github.com"
IDENTITY = (APP_ID, PRIVATE_KEY, PRIVATE_KEY_FILE, WEBHOOK_SECRET)
"""Where none of these is set and no App is stored, the server is set up in the browser."""
SHORTEST_SECRET = 16
"""Bytes. A shorter webhook secret can be guessed from one captured delivery."""
_PEM = re.compile(r"-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server is told from outside. Secrets are left out of `repr`."""

    github_app_id: int
    """0 while no App is set up."""
    github_private_keys: tuple[str, ...] = field(repr=False)
    """PEM, the newest first: the one before it still works while it is replaced."""
    webhook_secrets: tuple[bytes, ...] = field(repr=False)
    github_api_url: str
    database_url: str | None = field(repr=False)
    """None: an embedded PostgreSQL under `state_dir`. Not in `repr`: it may hold a password."""
    state_dir: Path
    host: str
    port: int
    public_url: str | None
    status_token: bytes | None = field(default=None, repr=False)
    """None: there is no status page."""
    page: PageSettings = PageSettings()


class SettingsError(Exception):
    """The environment is not usable; `problems` has one line a variable and never a secret."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"MeterAudit cannot start, its environment is incomplete:{listed}")


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read `environ` (usually `os.environ`); an empty variable counts as not set.

    An App that was registered in the browser fills in what the environment does not say. Raises SettingsError with every
    problem at once, so that one look is enough to repair them all.
    """
    problems: list[str] = []
    stored = _stored(environ, problems)
    settings = replace(
        _without_app(environ, stored, problems),
        github_app_id=stored.app_id if stored else _app_id(environ, problems),
        github_private_keys=_private_keys(environ, stored, problems),
        webhook_secrets=_webhook_secrets(environ, stored, problems),
    )
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def read_page_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of a server that shows the pages only: nothing of an App is read. Raises SettingsError."""
    problems: list[str] = []
    settings = _without_app(environ, None, problems)
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def read_setup_settings(environ: Mapping[str, str]) -> Settings | None:
    """The settings of a server that is still to be set up: no App; None if anything says which App it is.

    Raises SettingsError.
    """
    if any(_value(environ, name) for name in IDENTITY) or is_stored(_state_dir(environ)):
        return None
    problems: list[str] = []
    settings = _without_app(environ, None, problems)
    try:
        prove_writable(settings.state_dir)
    except StoredAppError as error:
        problems.append(str(error))
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _without_app(environ: Mapping[str, str], stored: StoredApp | None, problems: list[str]) -> Settings:
    return Settings(
        github_app_id=0,
        github_private_keys=(),
        webhook_secrets=(),
        github_api_url=_web_address(environ, API_URL, problems) or (stored.api_url if stored else GITHUB_COM),
        database_url=_database_url(environ, problems),
        state_dir=_state_dir(environ),
        host=_value(environ, HOST) or "127.0.0.1",
        port=_port(environ, problems),
        public_url=_web_address(environ, PUBLIC_URL, problems) or (stored.public_url if stored else None),
        status_token=_status_token(environ, problems),
        page=read_page(environ, problems),
    )


def _stored(environ: Mapping[str, str], problems: list[str]) -> StoredApp | None:
    """The App of the state folder, unless the environment speaks of another one."""
    try:
        stored = read_stored(_state_dir(environ))
    except StoredAppError as error:
        problems.append(str(error))
        return None
    named = _value(environ, APP_ID)
    if stored is None or (named and named != str(stored.app_id)):
        return None
    host = _value(environ, API_URL).rstrip("/")
    if host and host != stored.api_url:
        problems.append(f"{API_URL} is {host}, but the App of the state folder was registered at {stored.api_url}.")
    return stored


def _state_dir(environ: Mapping[str, str]) -> Path:
    return Path(_value(environ, STATE_DIR) or ".meteraudit").absolute()


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _app_id(environ: Mapping[str, str], problems: list[str]) -> int:
    text = _value(environ, APP_ID)
    if re.fullmatch(r"[1-9][0-9]{0,17}", text):
        return int(text)
    what = "is not set" if not text else "is not a number"
    problems.append(f"{APP_ID} {what}: copy the App ID from the App's settings page on GitHub.")
    return 0


def _private_keys(environ: Mapping[str, str], stored: StoredApp | None, problems: list[str]) -> tuple[str, ...]:
    """One key after another, in one text; between two stands nothing, or words that are no key."""
    name, text = _private_key_text(environ, stored, problems)
    if not text:
        return ()
    pems = tuple(_PEM.findall(text)) or (text,)
    for position, pem in enumerate(pems, start=1):
        what = name if len(pems) == 1 else f"{name} (key {position} of {len(pems)})"
        try:
            key = load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # The library's message is dropped: it may quote the key.
            problems.append(f"{what} is no readable private key: give the whole .pem file from GitHub, unencrypted.")
            return ()
        if not isinstance(key, RSAPrivateKey):
            problems.append(f"{what} is not an RSA key: GitHub signs App tokens with RSA only; generate a key on its page.")
            return ()
    return pems


def _private_key_text(environ: Mapping[str, str], stored: StoredApp | None, problems: list[str]) -> tuple[str, str]:
    text, file = _value(environ, PRIVATE_KEY), _value(environ, PRIVATE_KEY_FILE)
    if text and file:
        problems.append(f"{PRIVATE_KEY} and {PRIVATE_KEY_FILE} are both set: keep one, to be clear which counts.")
        return PRIVATE_KEY, ""
    if text:
        # Env files often cannot hold line breaks and carry the two characters \n instead.
        return PRIVATE_KEY, text.replace("\\n", "\n")
    if not file and stored is not None:
        return FILE, stored.private_key
    if not file:
        problems.append(
            f"{PRIVATE_KEY} is not set: set it to the text of the App's private key, or {PRIVATE_KEY_FILE} to its path."
        )
        return PRIVATE_KEY, ""
    try:
        return PRIVATE_KEY_FILE, Path(file).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        problems.append(f"{PRIVATE_KEY_FILE} cannot be read ({file}: {reason}): give the path of the .pem file.")
        return PRIVATE_KEY_FILE, ""


def _webhook_secrets(environ: Mapping[str, str], stored: StoredApp | None, problems: list[str]) -> tuple[bytes, ...]:
    secrets = tuple(part.strip().encode() for part in _value(environ, WEBHOOK_SECRET).split(",") if part.strip())
    if not secrets and stored is not None:
        secrets = (stored.webhook_secret.encode(),)
    if not secrets:
        problems.append(
            f"{WEBHOOK_SECRET} is not set: without it anybody could send deliveries; set the secret of the App's"
            " webhook (several, separated by commas, while one replaces another)."
        )
    short = [index for index, secret in enumerate(secrets, start=1) if len(secret) < SHORTEST_SECRET]
    if short:
        places = ", ".join(map(str, short))
        problems.append(
            f"{WEBHOOK_SECRET} is too short (secret {places} of {len(secrets)}): use at least {SHORTEST_SECRET} bytes,"
            " for example from `openssl rand -hex 32`."
        )
    return secrets


def _status_token(environ: Mapping[str, str], problems: list[str]) -> bytes | None:
    token = _value(environ, STATUS_TOKEN).encode()
    if token and len(token) < SHORTEST_SECRET:
        problems.append(
            f"{STATUS_TOKEN} is too short: use at least {SHORTEST_SECRET} bytes, for example from `openssl rand -hex 32`."
        )
    return token or None


def _web_address(environ: Mapping[str, str], name: str, problems: list[str]) -> str | None:
    text = _value(environ, name).rstrip("/")
    problem = address_problem(text) if text else None
    if problem is not None:
        problems.append(f"{name} {problem}")
    return text or None


def _database_url(environ: Mapping[str, str], problems: list[str]) -> str | None:
    text = _value(environ, DATABASE_URL)
    if text and not text.startswith(("postgresql://", "postgres://")):
        problems.append(
            f"{DATABASE_URL} is no PostgreSQL address: write it as postgresql://user:password@host/database, or leave"
            " it out for the embedded database."
        )
    return text or None


def _port(environ: Mapping[str, str], problems: list[str]) -> int:
    text = _value(environ, PORT)
    if not text:
        return 8000
    if re.fullmatch(r"[0-9]{1,5}", text) and 1 <= int(text) <= 65535:
        return int(text)
    problems.append(f"{PORT} is no port: use a number from 1 to 65535.")
    return 0
