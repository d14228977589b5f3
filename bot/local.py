"""The change between two revisions of a local git repository, bare or not, or up to its working tree."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bot import git
from bot.git import Entry, LocalError, Repository
from bot.local_context import around
from bot.local_files import FILE_BYTES, TOO_LARGE, UnreadableError, is_code, read_file, shown_path, text_of
from bot.patch import FileDiff, PatchError, hunks_between, hunks_from_git_diff
from rules.change import Change, ChangedFile, Hunk, NotAnalyzed

FILES = 1000
TOTAL_BYTES = 20 * 1024 * 1024
NAMED_PATHS = 300
"""With more wanted files than this, git is not given their names, which have to fit on a command line."""
NONE = "000000"
MISSING = "its text is not available here: this copy of the repository does not have it"

Excluded = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Ends:
    """The two ends of a change. `base` is a commit, or the empty tree where there is none before."""

    base: str
    head: str | None
    """None: the working tree."""
    configured_at: str | None
    """The commit whose configuration is in force; None where there is none."""


@dataclass(frozen=True, slots=True)
class LocalChange:
    """A change with what was left alone as configured: how many files for each reason."""

    change: Change
    excluded: Mapping[str, int]
    partial: bool = False
    """More code changed than one review looks at."""


def ends(repo: Repository, base: str | None, head: str | None) -> Ends:
    """Which trees are compared: `base` as given, else where `head` and the default branch parted.

    Raises LocalError for a revision that is not there.
    """
    if head is None and repo.bare:
        raise LocalError(f"{repo.top} is a bare repository and has no working tree: name the revision to review with --head.")
    at = git.commit_of(repo, head or "HEAD")
    if head is not None and at is None:
        raise LocalError(unknown(repo, head, "--head"))
    head_commit = at if head is not None else None
    if base is not None:
        tree = git.tree_of(repo, base)
        if tree is None:
            raise LocalError(unknown(repo, base, "--base"))
        return Ends(tree, head_commit, tree)
    main = git.default_branch(repo)
    if main is None or at is None:
        return Ends(git.empty_tree(repo), head_commit, None)
    parted = git.merge_base(repo, main, at)
    if parted is None:
        raise LocalError(
            f"{head or 'HEAD'} and the default branch have no common commit in {repo.top}: fetch the whole history, or name"
            " the revision to compare with by --base."
        )
    return Ends(parted, head_commit, main)


def ends_of_event(repo: Repository, base: str, head: str) -> Ends:
    """Two commits as an event of GitHub Actions names them: what `head` brings since it left `base`.

    Raises LocalError where the clone does not have them.
    """
    for commit in (base, head):
        if git.commit_of(repo, commit) is None:
            raise LocalError(
                f"The commit {commit} of the event is not in {repo.top}: let actions/checkout fetch it with `fetch-depth: 0`."
            )
    parted = git.merge_base(repo, base, head)
    if parted is None:
        raise LocalError(
            f"{base} and {head} have no common commit in {repo.top}: let actions/checkout fetch with `fetch-depth: 0`."
        )
    return Ends(parted, head, base)


def unknown(repo: Repository, revision: str, option: str) -> str:
    return f"{option} {revision} is no revision of {repo.top}: give a branch, a tag or a commit that was fetched."


def change_between(repo: Repository, between: Ends, excluded: Excluded) -> LocalChange:
    """Reads the change; `excluded` says why a path is left alone, or None. Nothing is checked out, nothing is run.

    What should have been judged and could not be read stands in the change's `not_analyzed`.
    """
    found = git.changed(repo, between.base, between.head)
    if between.head is None:
        found += [added(path) for path in git.untracked(repo)]
    entries = [entry for entry in found if not same(entry)]
    reasons = {entry.path: excluded(entry.path) for entry in entries}
    wanted = [entry for entry in entries if reasons[entry.path] is None]
    files, refused, left_out = texts(repo, wanted)
    not_analyzed = [NotAnalyzed(shown_path(path), reason) for path, reason in sorted((refused | left_out).items())]
    changed = tuple(sorted(with_hunks(repo, between, files), key=lambda file: file.path))
    context = around(repo, between.head or "HEAD", changed, excluded)
    change = Change(
        mode="review",
        files=changed,
        base=between.base,
        head=between.head,
        context=context.texts,
        complete=context.complete,
        not_analyzed=tuple(not_analyzed),
    )
    left_alone = Counter(reason for reason in reasons.values() if reason is not None)
    return LocalChange(change, left_alone, any(map(is_code, left_out)))


def added(path: str) -> Entry:
    """An untracked file; a folder that is a repository of its own ends in `/`."""
    mode = git.SUBMODULE if path.endswith("/") else git.REGULAR[0]
    return Entry("A", NONE, mode, "0" * 40, "0" * 40, path, path)


def same(entry: Entry) -> bool:
    """A pure rename or a changed mode: no line differs. An id of zeros says nothing."""
    return entry.base_blob == entry.head_blob and entry.head_blob.strip("0") != ""


def texts(repo: Repository, entries: list[Entry]) -> tuple[list[ChangedFile], dict[str, str], dict[str, str]]:
    """Both texts of every file, still without hunks; what cannot be read; and what is beyond the limits. Reasons by path."""
    refused = {entry.path: reason for entry in entries if (reason := oddity(entry))}
    usable = [entry for entry in entries if entry.path not in refused]
    known = git.sizes(repo, {blob for entry in usable for blob in blobs(entry)})
    kept, left_out = within_budget(usable, {entry.path: size(repo, entry, known) for entry in usable})
    small = {blob for entry in kept for blob in blobs(entry) if known.get(blob, FILE_BYTES + 1) <= FILE_BYTES}
    content = git.contents(repo, small)
    files = []
    for entry in kept:
        try:
            file = both_texts(repo, entry, content, known)
        except UnreadableError as error:
            refused[entry.path] = str(error)
            continue
        if file.base != file.head:
            files.append(file)
    return files, refused, left_out


def oddity(entry: Entry) -> str | None:
    """Why it is not a file with a name and lines of its own."""
    if entry.path != shown_path(entry.path):
        return "its name is not UTF-8"
    mode = entry.head_mode if entry.head_mode != NONE else entry.base_mode
    if mode == git.SYMLINK:
        return "a symbolic link"
    if mode == git.SUBMODULE:
        return "a submodule: review it in its own repository"
    return None


def has_base(entry: Entry) -> bool:
    return entry.base_mode in git.REGULAR


def in_work_tree(entry: Entry) -> bool:
    """Git has no id for what was changed in the working tree since."""
    return entry.head_mode != NONE and not entry.head_blob.strip("0")


def blobs(entry: Entry) -> list[str]:
    head = [entry.head_blob] if entry.head_mode != NONE and not in_work_tree(entry) else []
    return head + ([entry.base_blob] if has_base(entry) else [])


def size(repo: Repository, entry: Entry, known: Mapping[str, int]) -> int:
    """Bytes of both sides; what cannot be asked counts nothing here and is named when it is read."""
    on_disk = 0
    if in_work_tree(entry):
        try:
            on_disk = (repo.top / entry.path).lstat().st_size
        except OSError:
            on_disk = 0
    return on_disk + sum(known.get(blob, 0) for blob in blobs(entry))


def within_budget(entries: list[Entry], sizes: Mapping[str, int]) -> tuple[list[Entry], dict[str, str]]:
    """Keeps code before anything else and small files before large ones, so that one huge file does not push out the rest."""
    kept: list[Entry] = []
    left_out: dict[str, str] = {}
    spent = 0
    for entry in sorted(entries, key=lambda entry: (not is_code(entry.path), sizes[entry.path], entry.path)):
        if len(kept) == FILES:
            left_out[entry.path] = f"more than {FILES:,} files changed"
        elif spent + min(sizes[entry.path], 2 * FILE_BYTES) > TOTAL_BYTES:
            left_out[entry.path] = f"the change is larger than {TOTAL_BYTES // 1024**2} MB"
        else:
            kept.append(entry)
            spent += min(sizes[entry.path], 2 * FILE_BYTES)
    return kept, left_out


def both_texts(repo: Repository, entry: Entry, content: Mapping[str, bytes], known: Mapping[str, int]) -> ChangedFile:
    """One file with its text before and after. Raises UnreadableError."""
    base = text_of(stored(entry.base_blob, content, known)) if has_base(entry) else None
    if entry.head_mode == NONE:
        head = None
    elif in_work_tree(entry):
        head = text_of(read_file(repo.top / entry.path))
    else:
        head = text_of(stored(entry.head_blob, content, known))
    return ChangedFile(entry.path, base, head, base_path=entry.base_path if base is not None else None)


def stored(blob: str, content: Mapping[str, bytes], known: Mapping[str, int]) -> bytes:
    if blob not in known:
        raise UnreadableError(MISSING)
    if blob not in content:
        raise UnreadableError(TOO_LARGE)
    return content[blob]


def with_hunks(repo: Repository, between: Ends, files: list[ChangedFile]) -> list[ChangedFile]:
    """Git's own hunks; where git shows none (an attribute, a missing blob elsewhere, an untracked file), ours."""
    if not files:
        return []
    paths = {path for file in files for path in (file.path, file.base_path) if path is not None}
    text = git.patch(repo, between.base, between.head, sorted(paths) if len(paths) <= NAMED_PATHS else ())
    try:
        diffs = hunks_from_git_diff(text) if text is not None else {}
    except PatchError:
        diffs = {}
    return [ChangedFile(file.path, file.base, file.head, hunks(file, diffs.get(file.path)), file.base_path) for file in files]


def hunks(file: ChangedFile, diff: FileDiff | None) -> tuple[Hunk, ...]:
    if diff is not None and diff.hunks and diff.base_path == file.base_path:
        return diff.hunks
    return hunks_between(file.base or "", file.head or "")
