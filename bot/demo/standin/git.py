"""Reads and writes bare git repositories by running git; the only file of the stand-in that does."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

EMPTY_TREE = "4b825dc642cb6eb9a060e54bf8d69288fbee4904"
IDENTITY = {
    "GIT_AUTHOR_NAME": "Ada",
    "GIT_AUTHOR_EMAIL": "ada@example.com",
    "GIT_COMMITTER_NAME": "Ada",
    "GIT_COMMITTER_EMAIL": "ada@example.com",
}
# The user's own configuration must not change what the stand-in answers: diff drivers, renames, hooks, quoting.
ALONE = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}


class GitError(Exception):
    """Git refused; the text is what it said."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One line of a tree: `size` is None for anything but a blob."""

    mode: str
    kind: str
    sha: str
    size: int | None
    path: str


@dataclass(frozen=True, slots=True)
class Commit:
    """One commit: times as ISO 8601 in UTC."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    name: str
    email: str
    date: str
    message: str


def run(repo: Path, *arguments: str, given: bytes = b"", extra: Mapping[str, str] | None = None) -> bytes:
    """Standard output of one git command in a bare repository; raises GitError."""
    command = ["git", "-c", "safe.directory=*", "-c", "core.quotepath=off", "--git-dir", str(repo), *arguments]
    environment = {**os.environ, **ALONE, **IDENTITY, **(extra or {})}
    done = subprocess.run(command, input=given, capture_output=True, env=environment, check=False)
    if done.returncode != 0:
        raise GitError(done.stderr.decode("utf-8", "replace").strip())
    return done.stdout


def create(repo: Path, default_branch: str = "main") -> Path:
    """Makes an empty bare repository."""
    repo.mkdir(parents=True, exist_ok=True)
    run(repo, "init", "--quiet", "--bare", f"--initial-branch={default_branch}", str(repo))
    return repo


def resolve(repo: Path, revision: str) -> str | None:
    """The commit that a branch, tag or (whole) hash names, or None."""
    if not revision or revision.startswith("-") or ".." in revision or "@{" in revision or "\0" in revision:
        return None
    for name in (f"refs/heads/{revision}", f"refs/tags/{revision}", revision):
        try:
            return run(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{commit}}").decode().strip()
        except GitError:
            continue
    return None


def blob(repo: Path, sha: str) -> bytes | None:
    """The bytes of a blob, or None where there is none of that name."""
    try:
        return run(repo, "cat-file", "blob", sha)
    except GitError:
        return None


def merge_base(repo: Path, one: str, other: str) -> str | None:
    """The best common ancestor, or None for unrelated histories."""
    try:
        return run(repo, "merge-base", one, other).decode().split()[0]
    except GitError:
        return None


def commits_between(repo: Path, base: str, head: str) -> tuple[str, ...]:
    """Commits reachable from head and not from base, oldest first."""
    return tuple(run(repo, "rev-list", "--reverse", "--topo-order", f"{base}..{head}").decode().split())


def tree(repo: Path, revision: str, recursive: bool = False) -> tuple[TreeEntry, ...]:
    """The entries of a tree, a commit's tree, or `revision:folder`; raises GitError where it is no tree."""
    options = ("-r", "-t") if recursive else ()
    found = []
    for line in run(repo, "ls-tree", "--full-tree", "-z", "--long", *options, revision).decode("utf-8", "replace").split("\0"):
        if line:
            about, path = line.split("\t", 1)
            mode, kind, sha, size = about.split()
            found.append(TreeEntry(mode, kind, sha, int(size) if size.isdigit() else None, path))
    return tuple(found)


def tree_sha(repo: Path, revision: str) -> str | None:
    """The tree that a tree hash, commit or branch names."""
    for name in (resolve(repo, revision), revision):
        try:
            return run(repo, "rev-parse", "--verify", "--quiet", f"{name}^{{tree}}").decode().strip()
        except GitError:
            continue
    return None


def commit(repo: Path, sha: str) -> Commit:
    """Who, when and what of one commit."""
    form = "%H%x00%T%x00%P%x00%an%x00%ae%x00%cd%x00%B"
    text = run(repo, "show", "-s", "--date=format-local:%Y-%m-%dT%H:%M:%SZ", f"--format={form}", sha, extra={"TZ": "UTC"})
    whole, root, parents, name, email, date, message = text.decode("utf-8", "replace").split("\0")
    return Commit(whole, root, tuple(parents.split()), name, email, date, message.rstrip("\n"))


def write(
    repo: Path,
    branch: str,
    files: Mapping[str, str | bytes | None],
    message: str,
    parent: str | None,
) -> str:
    """Commits files (None deletes one) on top of `parent` and moves the branch there, by force; answers the commit."""
    with tempfile.TemporaryDirectory() as folder:
        index = {"GIT_INDEX_FILE": str(Path(folder) / "index")}
        if parent is not None:
            run(repo, "read-tree", parent, extra=index)
        lines = []
        for path, content in files.items():
            if content is None:
                lines.append(f"0 {'0' * 40}\t{path}\0")
            else:
                data = content if isinstance(content, bytes) else content.encode()
                sha = run(repo, "hash-object", "-w", "--stdin", given=data).decode().strip()
                lines.append(f"100644 {sha}\t{path}\0")
        run(repo, "update-index", "-z", "--index-info", given="".join(lines).encode(), extra=index)
        root = run(repo, "write-tree", extra=index).decode().strip()
    parents = ("-p", parent) if parent is not None else ()
    made = run(repo, "commit-tree", root, *parents, "-m", message).decode().strip()
    run(repo, "update-ref", f"refs/heads/{branch}", made)
    return made
