"""The whole program in its own process, on the embedded database, stopped by a signal."""

import json
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.serve import ServeError, serve
from tests.service.stand import make_settings, pull_request, sign

SERVED = Path(__file__).with_name("served.py")


@contextmanager
def served(state_dir: Path, role: str, handled: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, str(SERVED), str(state_dir), role, str(handled)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            if process.poll() is None:
                process.terminate()
                process.communicate(timeout=30)


def deliver(url: str, guid: str, number: int) -> int:
    body = pull_request("opened", number=number)
    headers = {"X-Hub-Signature-256": sign(body), "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": guid}
    with urllib.request.urlopen(urllib.request.Request(f"{url}/webhook", body, headers), timeout=10) as response:
        return int(response.status)


def wait_for(file: Path, text: str) -> None:
    until = time.monotonic() + 20
    while not (file.exists() and file.read_text() == text):
        assert time.monotonic() < until, f"{text!r} never came"
        time.sleep(0.05)


def test_a_delivery_is_reviewed_and_the_program_stops_cleanly_on_sigterm(state_dir: Path, tmp_path: Path) -> None:
    handled = tmp_path / "handled"
    with served(state_dir, "both", handled) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        assert deliver(url, "a", 1) == 202
        wait_for(handled, "1\n")
        process.send_signal(signal.SIGTERM)
        _, logged = process.communicate(timeout=30)

    assert process.returncode == 0
    assert not (state_dir / "postgres" / "postmaster.pid").exists()
    lines = [json.loads(line) for line in logged.splitlines()]
    assert {"delivery": "a", "installation": 900, "repository": 40, "pull_request": 1}.items() <= next(
        line for line in lines if line["event"] == "delivery stored"
    ).items()
    assert "Charge for tokens" not in logged


def test_web_and_worker_as_two_processes_share_the_embedded_database(state_dir: Path, tmp_path: Path) -> None:
    handled = tmp_path / "handled"
    with served(state_dir, "web", handled) as web, served(state_dir, "worker", handled):
        assert web.stdout is not None
        url = web.stdout.readline().strip()
        assert deliver(url, "a", 2) == 202
        wait_for(handled, "2\n")

    assert not (state_dir / "postgres" / "postmaster.pid").exists()


async def test_a_port_in_use_is_refused_with_the_remedy(state_dir: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        settings = make_settings(port=taken.getsockname()[1], state_dir=state_dir)
        with pytest.raises(ServeError, match="METERAUDIT_PORT"):
            await serve(settings, "web", lambda settings, database: pytest.fail("no worker here"))
