"""The environment -> Settings: the only file that reads it, and it refuses to start half-configured."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from config.page import PageSettings, read_page

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

SHORTEST_SECRET = 16
"""Bytes. A shorter webhook secret can be guessed from one captured delivery."""


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything the server is told from outside. Secrets are left out of `repr`."""

    github_app_id: int
    github_private_key: str = field(repr=False)
    webhook_secrets: tuple[bytes, ...] = field(repr=False)
    github_api_url: str
    database_url: str | None = field(repr=False)
    """None: an embedded PostgreSQL under `state_dir`. Not in `repr`: it may hold a password."""
    state_dir: Path
    host: str
    port: int
    public_url: str | None
    page: PageSettings = PageSettings()


class SettingsError(Exception):
    """The environment is not usable; `problems` has one line a variable and never a secret."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        listed = "".join(f"\n  {problem}" for problem in problems)
        super().__init__(f"MeterAudit cannot start, its environment is incomplete:{listed}")


def read_settings(environ: Mapping[str, str]) -> Settings:
    """Read `environ` (usually `os.environ`); an empty variable counts as not set.

    Raises SettingsError with every problem at once, so that one look is enough to repair them all.
    """
    problems: list[str] = []
    settings = Settings(
        github_app_id=_app_id(environ, problems),
        github_private_key=_private_key(environ, problems),
        webhook_secrets=_webhook_secrets(environ, problems),
        github_api_url=_web_address(environ, API_URL, problems) or "https://api.github.com",
        database_url=_database_url(environ, problems),
        state_dir=Path(_value(environ, STATE_DIR) or ".meteraudit").absolute(),
        host=_value(environ, HOST) or "127.0.0.1",
        port=_port(environ, problems),
        public_url=_web_address(environ, PUBLIC_URL, problems),
        page=read_page(environ, problems),
    )
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def read_page_settings(environ: Mapping[str, str]) -> Settings:
    """The settings of a server that shows the pages only: there is no App, and whatever is said of one is not read.

    Raises SettingsError.
    """
    problems: list[str] = []
    settings = Settings(
        github_app_id=0,
        github_private_key="",
        webhook_secrets=(),
        github_api_url="",
        database_url=None,
        state_dir=Path(),
        host=_value(environ, HOST) or "127.0.0.1",
        port=_port(environ, problems),
        public_url=_web_address(environ, PUBLIC_URL, problems),
        page=read_page(environ, problems),
    )
    if problems:
        raise SettingsError(tuple(problems))
    return settings


def _value(environ: Mapping[str, str], name: str) -> str:
    return environ.get(name, "").strip()


def _app_id(environ: Mapping[str, str], problems: list[str]) -> int:
    text = _value(environ, APP_ID)
    if re.fullmatch(r"[1-9][0-9]{0,17}", text):
        return int(text)
    what = "is not set" if not text else "is not a number"
    problems.append(f"{APP_ID} {what}: copy the App ID from the App's settings page on GitHub.")
    return 0


def _private_key(environ: Mapping[str, str], problems: list[str]) -> str:
    name, pem = _private_key_text(environ, problems)
    if not pem:
        return ""
    try:
        key = load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        # The library's message is dropped: it may quote the key.
        problems.append(f"{name} is no readable private key: give the whole .pem file from GitHub, unencrypted.")
        return ""
    if not isinstance(key, RSAPrivateKey):
        problems.append(f"{name} is not an RSA key: GitHub signs App tokens with RSA only; generate a key on its page.")
        return ""
    return pem


def _private_key_text(environ: Mapping[str, str], problems: list[str]) -> tuple[str, str]:
    text, file = _value(environ, PRIVATE_KEY), _value(environ, PRIVATE_KEY_FILE)
    if text and file:
        problems.append(f"{PRIVATE_KEY} and {PRIVATE_KEY_FILE} are both set: keep one, to be clear which counts.")
        return PRIVATE_KEY, ""
    if text:
        # Env files often cannot hold line breaks and carry the two characters \n instead.
        return PRIVATE_KEY, text.replace("\\n", "\n")
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


def _webhook_secrets(environ: Mapping[str, str], problems: list[str]) -> tuple[bytes, ...]:
    secrets = tuple(part.strip().encode() for part in _value(environ, WEBHOOK_SECRET).split(",") if part.strip())
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


def _web_address(environ: Mapping[str, str], name: str, problems: list[str]) -> str | None:
    text = _value(environ, name).rstrip("/")
    if not text:
        return None
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment:
        problems.append(f"{name} is no web address: write it as https://host or https://host/path.")
    elif parts.username or parts.password:
        problems.append(f"{name} holds a user name or password: leave it out, it would show up in logs.")
    elif parts.scheme == "http" and not _is_loopback(host):
        problems.append(f"{name} is plain http, which shows tokens to the network: use https (http only locally).")
    return text


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


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
