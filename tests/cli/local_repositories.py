"""Git repositories in a folder of the test's own, and the code that is put there."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path

PLAIN = "import stripe\n\ndef report(customer, tokens, request_id):\n    return None\n"
UNKEYED = """import stripe

def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""
"""The call begins in line 4; MTR-201 finds it."""
ALONE = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}


def git(repo: Path, *arguments: str) -> str:
    done = subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, env={**os.environ, **ALONE}, check=True)
    return done.stdout.decode().strip()


def create(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    git(folder, "init", "--quiet", "--initial-branch=main")
    return folder


def put(repo: Path, files: Mapping[str, str | bytes | None]) -> None:
    """Writes files into the working tree; None deletes one."""
    for name, content in files.items():
        path = repo / name
        if content is None:
            path.unlink()
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def commit(repo: Path, files: Mapping[str, str | bytes | None]) -> str:
    """Commits files on top of what is there, and answers the commit."""
    put(repo, files)
    git(repo, "add", "--all")
    git(repo, "commit", "--quiet", "--allow-empty", "--message", "change")
    return git(repo, "rev-parse", "HEAD")


def bare_clone(repo: Path) -> Path:
    target = repo.with_name(f"{repo.name}.git")
    git(repo, "clone", "--quiet", "--bare", str(repo), str(target))
    return target
