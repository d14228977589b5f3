"""The program as its users start it, and a repository to start it in."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cli.local_repositories import PLAIN, commit, create

PROGRAM = Path(sys.executable).with_name("meteraudit")


@dataclass(frozen=True)
class Ran:
    code: int
    out: str
    err: str

    @property
    def report(self) -> dict[str, Any]:
        return json.loads(self.out)

    @property
    def places(self) -> list[tuple[str, str, int, str]]:
        """Rule, path, line and state of each finding."""
        return [(one["rule"], one["path"], one["line"], one["state"]) for one in self.report["findings"]]

    @property
    def left_out(self) -> dict[str, str]:
        return {one["path"]: one["reason"] for one in self.report["not_analyzed"]}


Meteraudit = Callable[..., Ran]


@pytest.fixture
def meteraudit(tmp_path: Path) -> Meteraudit:
    def run(*words: object, given: bytes = b"", folder: Path | None = None, environ: dict[str, str] | None = None) -> Ran:
        done = subprocess.run(
            [str(PROGRAM), *map(str, words)],
            input=given,
            capture_output=True,
            cwd=folder or tmp_path,
            env={**{name: text for name, text in os.environ.items() if not name.startswith("GITHUB_")}, **(environ or {})},
            check=False,
        )
        return Ran(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """With one commit on main that holds nothing wrong."""
    made = create(tmp_path / "repo")
    commit(made, {"usage.py": PLAIN, "notes.md": "notes\n"})
    return made
