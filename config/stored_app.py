"""The App that was registered in the browser: one file in the state folder, which only its owner may read."""

import os
import secrets
from pathlib import Path

import msgspec

FILE = "github-app.json"


class StoredApp(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What GitHub gave for a manifest, and where. Secrets are left out of `repr`."""

    app_id: int
    private_key: str
    webhook_secret: str
    api_url: str
    public_url: str
    html_url: str

    def __repr__(self) -> str:
        return f"StoredApp({self.app_id}, {self.html_url!r})"


class StoredAppError(Exception):
    """The file cannot be read or written; the text says which and why, and never a secret."""


def is_stored(state_dir: Path) -> bool:
    return (state_dir / FILE).exists()


def read_stored(state_dir: Path) -> StoredApp | None:
    """None if no App was registered from here. Raises StoredAppError."""
    file = state_dir / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=StoredApp)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise StoredAppError(f"{file} cannot be read ({error.strerror}): start as the account that wrote it.") from None
    except msgspec.DecodeError as error:
        # msgspec's text names the field and the expected type, never the value.
        raise StoredAppError(
            f"{file} is damaged ({error}): restore it, or remove it and set the variables, or set up again."
        ) from None


def keep(state_dir: Path, app: StoredApp) -> None:
    """Writes the file whole or not at all, and never over another. Raises StoredAppError."""
    _write_new(state_dir, FILE, msgspec.json.encode(app))


def prove_writable(state_dir: Path) -> None:
    """Before secrets come that GitHub gives only once. Raises StoredAppError."""
    name = f"{FILE}.{secrets.token_hex(4)}.probe"
    _write_new(state_dir, name, b"")
    (state_dir / name).unlink()


def _write_new(state_dir: Path, name: str, content: bytes) -> None:
    aside = state_dir / f"{name}.{secrets.token_hex(4)}"
    try:
        state_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
            # A link, not a renaming: it fails where there is a file already.
            os.link(aside, state_dir / name)
        finally:
            aside.unlink()
    except OSError as error:
        raise StoredAppError(
            f"{state_dir / name} cannot be written ({error.strerror}): set METERAUDIT_STATE_DIR to a folder that can."
        ) from None
