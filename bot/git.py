"""Asks a local git repository by running git: reads only; no hook, pager, file monitor, external diff or network."""

import os
import re
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

COMMAND = (
    "git",
    "--no-optional-locks",
    "--no-pager",
    "--literal-pathspecs",
    "-c",
    "core.quotepath=off",
    "-c",
    "core.fsmonitor=false",
    "-c",
    f"core.hooksPath={os.devnull}",
)
# GIT_NO_LAZY_FETCH since git 2.39.4; GIT_ALLOW_PROTOCOL keeps an older one from the network where blobs are missing.
ALONE = {
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}
DIFF = ("-r", "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--ignore-submodules=dirty", "--submodule=short")
PARENT = re.compile(r"(.+?)(?:\^1?|~1?)")
REGULAR = ("100644", "100755", "100664")
SYMLINK = "120000"
SUBMODULE = "160000"


class LocalError(Exception):
    """A command cannot run; the text is one sentence that names what is wrong and what to do."""


class GitError(LocalError):
    """Git refused; the text holds what it said."""


@dataclass(frozen=True, slots=True)
class Repository:
    """A local repository. `top` is where git runs: the root of the work tree, or the bare repository."""

    top: Path
    bare: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One changed file as `git diff --raw` tells it. An id of zeros is a file that only the work tree has."""

    status: str
    """One letter: A, D, M, R, T."""
    base_mode: str
    head_mode: str
    base_blob: str
    head_blob: str
    base_path: str
    path: str


def run(repo: Path, *arguments: str, given: bytes = b"") -> bytes:
    """Standard output of one git command. Raises GitError."""
    done = ended(repo, *arguments, given=given)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip().removeprefix("fatal: ")
        raise GitError(f"git {arguments[0]} failed in {repo}: {said or f'exit {done.returncode}'}")
    return done.stdout


def ended(repo: Path, *arguments: str, given: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    """One git command, however it ended."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | ALONE
    command = [COMMAND[0], "-C", str(repo), *COMMAND[1:], *arguments]
    try:
        return subprocess.run(command, input=given, capture_output=True, env=environment, check=False)
    except FileNotFoundError as error:
        raise LocalError("git is not installed or not on PATH: install it, or audit files with `meteraudit audit`.") from error


def said(repo: Path, *arguments: str) -> str | None:
    """Standard output on one line, None where git refuses: for questions to which "no" is an answer."""
    try:
        return run(repo, *arguments).decode("utf-8", "surrogateescape").strip()
    except GitError:
        return None


def open_repository(where: Path) -> Repository:
    """The repository that holds a folder. Raises LocalError."""
    if not where.is_dir():
        raise LocalError(f"{where} is not a folder: name the folder of a git repository with --repo.")
    try:
        bare = run(where, "rev-parse", "--is-bare-repository").strip() == b"true"
    except GitError as error:
        if "not a git repository" in str(error):
            raise LocalError(
                f"{where} is not in a git repository: name one with --repo, or audit files with `meteraudit audit`."
            ) from error
        raise
    top = where if bare else Path(os.fsdecode(run(where, "rev-parse", "--show-toplevel").removesuffix(b"\n")))
    return Repository(top, bare)


def commit_of(repo: Repository, revision: str) -> str | None:
    """The id of the commit that a revision names, or None."""
    if not revision or revision.startswith("-"):
        return None
    return said(repo.top, "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")


def tree_of(repo: Repository, revision: str) -> str | None:
    """What a diff can start from: a commit or a tree, and for the parent of a root commit the empty tree; or None."""
    found = commit_of(repo, revision)
    if found is not None or not revision or revision.startswith("-"):
        return found
    tree = said(repo.top, "rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}")
    if tree is not None:
        return tree
    parent = PARENT.fullmatch(revision)
    child = commit_of(repo, parent[1]) if parent else None
    # In a shallow clone every cut-off commit looks like a root, and its whole tree like one addition.
    if child is None or said(repo.top, "rev-parse", "--is-shallow-repository") == "true":
        return None
    parents = run(repo.top, "rev-list", "--parents", "--max-count=1", child).split()
    return empty_tree(repo) if len(parents) == 1 else None


def empty_tree(repo: Repository) -> str:
    """Its id depends on the repository's hash; git knows it without an object."""
    return run(repo.top, "hash-object", "-t", "tree", "--stdin").decode().strip()


def default_branch(repo: Repository) -> str | None:
    """The commit of the default branch; of HEAD where no branch says that it is; None without any commit."""
    configured = said(repo.top, "config", "--get", "init.defaultBranch")
    names = ("refs/remotes/origin/HEAD", *(f"refs/heads/{name}" for name in (configured, "main", "master") if name), "HEAD")
    return next((commit for name in names if (commit := commit_of(repo, name)) is not None), None)


def merge_base(repo: Repository, one: str, other: str) -> str | None:
    """The best common ancestor of two commits, or None."""
    found = said(repo.top, "merge-base", one, other)
    return found.split()[0] if found else None


def changed(repo: Repository, base: str, head: str | None) -> list[Entry]:
    """The changed files between two trees, or a tree and the work tree without its untracked files."""
    what = ("diff-index", base) if head is None else ("diff-tree", base, head)
    wanted = (what[0], *DIFF, "--raw", "-z", "--no-abbrev", "-l1000")
    try:
        raw = run(repo.top, *wanted, "-M", *what[1:], "--")
    except GitError:
        # Similar files cannot be compared where a blob is missing; equal ones still can, by their ids.
        raw = run(repo.top, *wanted, "-M100%", *what[1:], "--")
    return list(_entries(raw.decode("utf-8", "surrogateescape").split("\0")))


def _entries(fields: list[str]) -> Iterator[Entry]:
    at = 0
    while at < len(fields) and fields[at].startswith(":"):
        base_mode, head_mode, base_blob, head_blob, status = fields[at][1:].split(" ")
        paths = 2 if status[0] in "RC" else 1
        yield Entry(status[0], base_mode, head_mode, base_blob, head_blob, fields[at + 1], fields[at + paths])
        at += 1 + paths


def patch(repo: Repository, base: str, head: str | None, paths: Iterable[str]) -> str | None:
    """The unified diff of these paths (of all where there are none), or None where a blob is missing."""
    what = ("diff-index", base) if head is None else ("diff-tree", base, head)
    options = (*DIFF, "-p", "-M", "-l1000", "--src-prefix=a/", "--dst-prefix=b/", "--full-index")
    try:
        found = run(repo.top, what[0], *options, *what[1:], "--", *paths)
    except GitError:
        return None
    return found.decode("utf-8", "surrogateescape")


def untracked(repo: Repository) -> list[str]:
    """Files of the work tree that are neither tracked nor ignored; a repository inside it ends in `/`."""
    found = run(repo.top, "ls-files", "--others", "--exclude-standard", "-z")
    return sorted(path for path in found.decode("utf-8", "surrogateescape").split("\0") if path)


def sizes(repo: Repository, blobs: Iterable[str]) -> dict[str, int]:
    """The size in bytes of each blob that is there."""
    given = "".join(f"{blob}\n" for blob in blobs).encode()
    lines = run(repo.top, "cat-file", "--batch-check", given=given).decode().splitlines()
    return {name: int(size) for name, kind, size in (line.split() for line in lines if line.count(" ") == 2) if kind == "blob"}


def contents(repo: Repository, blobs: Iterable[str]) -> dict[str, bytes]:
    """The bytes of blobs that are there: the caller has asked for their sizes."""
    output = run(repo.top, "cat-file", "--batch", given="".join(f"{blob}\n" for blob in blobs).encode())
    found = {}
    at = 0
    while at < len(output):
        end = output.index(b"\n", at)
        name, _, size = output[at:end].decode().split()
        found[name] = output[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
    return found


def tree(repo: Repository, revision: str) -> dict[str, str]:
    """Every regular file of a commit or tree: path to blob."""
    found = {}
    for line in run(repo.top, "ls-tree", "-r", "-z", "--full-tree", revision).decode("utf-8", "surrogateescape").split("\0"):
        mode, _, rest = line.partition(" ")
        if mode in REGULAR:
            _, _, named = rest.partition(" ")
            blob, _, path = named.partition("\t")
            found[path] = blob
    return found


def having(repo: Repository, commit: str, texts: Iterable[str]) -> dict[str, set[str]] | None:
    """Which files of a commit have which of these texts, lower-cased in the answer; None where not all could be searched."""
    wanted = [option for text in texts for option in ("-e", text)]
    if not wanted:
        return {}
    options = ("--fixed-strings", "-I", "--ignore-case", "--only-matching", "-z", "--no-color", "--no-line-number")
    done = ended(repo.top, "grep", *options, "--no-textconv", *wanted, commit)
    # It answers 1 where nothing has any; of a blob that is not there it only says so.
    if done.returncode not in (0, 1) or done.stderr:
        return None
    found: dict[str, set[str]] = {}
    for line in done.stdout.decode("utf-8", "surrogateescape").split("\n"):
        name, separator, text = line.partition("\0")
        if separator:
            found.setdefault(text.lower(), set()).add(name.removeprefix(f"{commit}:"))
    return found


def file_at(repo: Repository, tree: str, path: str) -> bytes | None:
    """The bytes of one regular file of a commit, or None."""
    listed = run(repo.top, "ls-tree", "-z", "--full-tree", tree, "--", path).decode("utf-8", "surrogateescape")
    mode, _, rest = listed.partition(" ")
    if mode not in REGULAR:
        return None
    blob = rest.split()[1]
    return contents(repo, [blob]).get(blob) if blob in sizes(repo, [blob]) else None
