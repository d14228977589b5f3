"""The main job end to end on this machine: the real server, a stand-in for GitHub, one signed webhook, one review."""

import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from rich.console import Console

from bot.bundle import read_bundle
from bot.demo.shown import show
from bot.demo.standin import CheckRun, PullRequest, Repository, StandIn

PRODUCT = Path(__file__).parent / "product"
PATIENCE = 60.0
"""Seconds for the server to start, and again for the review: far more than either takes."""


class DemoError(Exception):
    """The demo could not do its job; the text says what stopped it."""


def run_demo(console: Console) -> None:
    """Raises DemoError with the server's own words if it does not start or does not review."""
    folder = Path(tempfile.mkdtemp(prefix="meteraudit-demo-"))
    # As root the embedded PostgreSQL runs as another account, which must be able to pass through.
    folder.chmod(0o711)
    try:
        with StandIn() as github:
            play(github, folder, console)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def play(github: StandIn, folder: Path, console: Console) -> None:
    secret = secrets.token_hex(20)
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    app = github.register_app(public_pem(private_key), webhook_secret=secret, app_id=4711)
    repository = github.add_repository("inkwell/inkwell", folder / "inkwell.git")
    github.push(repository, "main", files("base"))
    github.push(repository, "meter-exports", files("change"), start="main")
    github.install(app, [repository])
    pull = github.open_pull_request(repository, "meter-exports", author="ada")
    console.print(f"Pull request #{pull.number} of inkwell/inkwell on a stand-in for GitHub at {github.url}")
    with server(environment(github.url, secret, private_key, folder), folder, console) as url:
        delivery = github.deliver(f"{url}/webhook", "pull_request", "opened", pull=pull)
        console.print(f"Signed webhook sent; answered {delivery.status}\n")
        run = finished(github, repository, folder)
    show(console, run, github.reviews(repository, pull.number), github.comments(repository, pull.number))
    told(github, pull)


def files(name: str) -> dict[str, str | bytes | None]:
    return dict(read_bundle((PRODUCT / f"{name}.txt").read_text()))


def told(github: StandIn, pull: PullRequest) -> None:
    """GitHub refuses what we must not do, and the stand-in writes it down: a demo that breaks its rules has failed."""
    if github.violations:
        raise DemoError("The stand-in for GitHub was not used as GitHub asks: " + "; ".join(github.violations))


def environment(api: str, secret: str, key: rsa.RSAPrivateKey, folder: Path) -> dict[str, str]:
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    )
    return {
        **{name: value for name, value in os.environ.items() if not name.startswith("METERAUDIT_")},
        "METERAUDIT_GITHUB_APP_ID": "4711",
        "METERAUDIT_GITHUB_PRIVATE_KEY": pem.decode(),
        "METERAUDIT_WEBHOOK_SECRET": secret,
        "METERAUDIT_GITHUB_API_URL": api,
        "METERAUDIT_STATE_DIR": str(folder / "state"),
        "METERAUDIT_PORT": str(free_port()),
    }


def public_pem(key: rsa.RSAPrivateKey) -> str:
    made = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    return made.decode()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextmanager
def server(environ: dict[str, str], folder: Path, console: Console) -> Iterator[str]:
    """`meteraudit serve` as its own process, with an embedded database of its own; its log is kept for a failure."""
    log = folder / "serve.log"
    url = f"http://127.0.0.1:{environ['METERAUDIT_PORT']}"
    with log.open("wb") as output:
        process = subprocess.Popen([sys.executable, "-m", "bot", "serve"], env=environ, stdout=output, stderr=output)
        try:
            wait_until_ready(process, url, log)
            console.print(f"meteraudit serve runs at {url}, with an embedded PostgreSQL")
            yield url
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_ready(process: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in ticks(PATIENCE):
        if process.poll() is not None:
            raise DemoError(f"The server ended before it was ready:\n{log.read_text()[-2000:]}")
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=2):  # noqa: S310  our own address
                return
        except (urllib.error.URLError, OSError):
            continue
    raise DemoError(f"The server was not ready after {PATIENCE:.0f} s:\n{log.read_text()[-2000:]}")


def finished(github: StandIn, repository: Repository, folder: Path) -> CheckRun:
    for _ in ticks(PATIENCE):
        done = [run for run in github.check_runs(repository) if run.status == "completed"]
        if done:
            return done[-1]
    raise DemoError(f"No completed check run after {PATIENCE:.0f} s:\n{(folder / 'serve.log').read_text()[-2000:]}")


def ticks(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.1)
