"""`meteraudit audit --watch`: the real program over a folder that changes."""

import queue
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from watchfiles import Change

from bot.watching import matters
from tests.cli.conftest import PROGRAM, Meteraudit
from tests.cli.local_repositories import PLAIN, UNKEYED, put

PATIENCE = 60


@contextmanager
def watching(folder: Path, *words: str) -> Iterator[tuple[subprocess.Popen[str], Callable[[str], str]]]:
    """The program, and a function that waits for a line that holds a text."""
    lines: queue.Queue[str] = queue.Queue()
    command = [str(PROGRAM), "audit", "--watch", *words]
    with subprocess.Popen(
        command, cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as process:
        assert process.stdout is not None
        reader = threading.Thread(target=lambda: [lines.put(line) for line in process.stdout or ()], daemon=True)
        reader.start()

        def until(wanted: str) -> str:
            while wanted not in (line := lines.get(timeout=PATIENCE)):
                pass
            return line

        try:
            yield process, until
        finally:
            process.kill()
            process.wait()
            reader.join()


def test_a_change_is_audited_and_an_interrupt_ends_with_the_last_verdict(tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": PLAIN})

    with watching(tmp_path) as (process, until):
        until("Watching for changes; Ctrl-C ends.")
        put(tmp_path, {"usage.py": UNKEYED})
        until("1 file changed: auditing again.")
        until("MTR-201")
        until("Watching for changes")
        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE) == 1


def test_every_form_is_written_anew_to_its_file(tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED})
    report = tmp_path / "report.sarif"

    with watching(tmp_path, "--format", "sarif", "--output", "report.sarif") as (process, until):
        until("Watching for changes")
        assert "MTR-201" in report.read_text()
        put(tmp_path, {"usage.py": PLAIN})
        until("auditing again")
        until("Watching for changes")
        process.send_signal(signal.SIGINT)

        assert process.wait(PATIENCE) == 0
    assert "MTR-201" not in report.read_text()


def test_standard_input_cannot_be_watched(meteraudit: Meteraudit) -> None:
    ran = meteraudit("audit", "-", "--watch", given=b"--- a.py ---\n")

    assert (ran.code, "Standard input does not change" in ran.err) == (2, True)


@pytest.mark.parametrize("path", ["src/usage.py", "src/usage.go", ".meteraudit.yml", ".gitattributes"])
def test_code_and_configuration_matter(path: str) -> None:
    assert matters(Change.modified, f"/project/{path}")


@pytest.mark.parametrize("path", ["report.sarif", "node_modules/a/b.js", ".git/index", "README", "x/__pycache__/a.py"])
def test_reports_and_foreign_folders_do_not(path: str) -> None:
    assert not matters(Change.modified, f"/project/{path}")
