"""The embedded PostgreSQL: also as root, several processes, nothing left behind."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest

from bot.jobs.embedded import EmbeddedDatabaseError, embedded_postgres

HOLD = """
import sys
from pathlib import Path
from bot.jobs.embedded import embedded_postgres
with embedded_postgres(Path(sys.argv[1]), options=("fsync=off",)) as address:
    print(address, flush=True)
    sys.stdin.readline()
"""


def is_running(state_dir: Path) -> bool:
    return (state_dir / "postgres" / "postmaster.pid").exists()


def hold(state_dir: Path) -> subprocess.Popen[str]:
    """A process that uses the database until a line is written to it."""
    command = [sys.executable, "-c", HOLD, str(state_dir)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_what_was_stored_is_still_there_after_a_restart(state_dir: Path) -> None:
    with embedded_postgres(state_dir) as address, psycopg.connect(address) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 1 AS one")
    assert not is_running(state_dir)

    with embedded_postgres(state_dir) as address, psycopg.connect(address) as connection:
        assert connection.execute("SELECT one FROM kept").fetchone() == (1,)


def test_processes_that_start_together_share_one_server_and_the_last_one_stops_it(state_dir: Path) -> None:
    first, second = hold(state_dir), hold(state_dir)
    with first, second:
        assert first.stdout is not None
        assert second.stdout is not None
        assert first.stdout.readline() == second.stdout.readline() != ""
        first.communicate("\n")
        assert is_running(state_dir)
        second.communicate("\n")
    assert not is_running(state_dir)


def test_a_killed_user_does_not_keep_the_server_running_for_ever(state_dir: Path) -> None:
    with hold(state_dir) as killed:
        assert killed.stdout is not None
        killed.stdout.readline()
        killed.send_signal(signal.SIGKILL)
    assert is_running(state_dir)

    with embedded_postgres(state_dir) as address, psycopg.connect(address):
        pass
    assert not is_running(state_dir)


def test_a_start_that_was_cut_short_is_begun_again(state_dir: Path) -> None:
    (state_dir / "postgres.new").mkdir()
    (state_dir / "postgres.new" / "PG_VERSION").write_text("18\n")

    with embedded_postgres(state_dir) as address, psycopg.connect(address):
        pass


def test_the_server_listens_on_no_network_address_and_its_folder_is_private(state_dir: Path) -> None:
    with embedded_postgres(state_dir) as address, psycopg.connect(address) as connection:
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert (state_dir / "postgres").stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has to hand the server to another account")
def test_root_hands_the_server_to_another_account_and_opens_no_folder(state_dir: Path) -> None:
    accounts = Path("/etc/passwd").read_bytes()
    private = state_dir / "private"
    private.mkdir(mode=0o700)

    with pytest.raises(EmbeddedDatabaseError, match="may not enter"), embedded_postgres(private / "state"):
        pass
    with embedded_postgres(state_dir):
        assert (state_dir / "postgres").stat().st_uid != 0

    assert private.stat().st_mode & 0o777 == 0o700
    assert Path("/etc/passwd").read_bytes() == accounts


def test_a_path_too_long_for_a_socket_is_refused_with_the_remedy(state_dir: Path) -> None:
    with pytest.raises(EmbeddedDatabaseError, match="METERAUDIT_STATE_DIR"), embedded_postgres(state_dir / ("x" * 90)):
        pass
