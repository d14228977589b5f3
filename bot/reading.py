"""The change of a pull request, read from GitHub: files, texts before and after, hunks."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from bot.choosing import FOR_CONTEXT, FOR_USERS, TOO_MANY, TOO_MUCH, is_wanted, within_bytes, within_requests
from bot.context import context_paths, needs_context
from bot.github.errors import NotFound, TooLarge
from bot.github.payloads import FileEntry, PullRequest
from bot.github.repository import Files, RepositoryClient
from bot.patch import PatchError, added_lines, hunks_between, parse_patch
from bot.text_before import text_before
from bot.touched import touched_names
from bot.users import likely_users, mention
from config.paths import generated_by_attributes
from rules.change import Change, ChangedFile, NotAnalyzed
from rules.report import Report

FILE_BYTES = 512 * 1024
MOST_COMPARED = 300
"""Files of a comparison; GitHub does not say whether there are more."""
SCARCE = "GitHub's hourly limit of requests is nearly used up"
TOGETHER = 5
"""Reads at once for one installation, as GitHub asks for restraint."""


class HeadMovedError(Exception):
    """The pull request got a new head or base while it was read or judged."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A change with what a review must know to anchor comments."""

    change: Change
    unanchored: frozenset[str]
    """Paths whose hunks GitHub did not tell: a comment on a line there may be refused."""
    listed: int
    total: int
    """Files of the pull request, those left out included."""
    cut: bool
    """GitHub has more files than it lists."""
    left_out: int
    """Files that were not read because the change is too large."""
    names: frozenset[str] = frozenset()
    """Every file that GitHub lists, by its name at the head and at the base."""

    def missing(self, report: Report) -> int:
        """How many files were not looked at, those included that GitHub did not list."""
        unlisted = max(0, self.total - self.listed) if self.cut else 0
        return len(report.not_analyzed) + unlisted

    def fate(self, path: str, report: Report) -> Literal["changed", "gone"] | None:
        """Where a file that had a finding stands now; None where it was not looked at, which says nothing."""
        read = next((file for file in self.change.files if path in (file.path, file.base_path)), None)
        if any(one.path in (path, read.path if read else path) for one in report.not_analyzed):
            return None
        if read is not None:
            return "changed" if read.head is not None else "gone"
        return None if self.cut or path in self.names else "gone"


Excluded = Callable[[str], str | None]


async def read_change(
    repository: RepositoryClient, pull: PullRequest, excluded: Excluded, is_scarce: Callable[[], bool] = lambda: False
) -> Reading:
    """`is_scarce` says whether the rate limit is nearly used up: what is not read by then stays unread, and is named.

    Raises HeadMovedError if the head moves meanwhile, told by the head before and after and by the texts themselves.
    """
    files = await repository.files(pull.number, pull.changed_files)
    base = await repository.merge_base(pull.base.sha, pull.head.sha)
    reading = await read_entries(repository, files, base, pull.head.sha, excluded, is_scarce)
    after = await repository.pull_request(pull.number)
    if after.head.sha != pull.head.sha:
        raise HeadMovedError
    change = replace(reading.change, pull_request=pull.number)
    return replace(reading, change=change, total=pull.changed_files or reading.listed)


async def read_between(repository: RepositoryClient, base: str, head: str, excluded: Excluded) -> Reading:
    """The change from one revision to another, as a merge queue asks for it; GitHub tells at most 300 files of it."""
    compared = await repository.comparison(base, head)
    files = Files(compared.files, cut=len(compared.files) >= MOST_COMPARED)
    return await read_entries(repository, files, compared.merge_base_commit.sha, head, excluded)


async def read_entries(
    repository: RepositoryClient,
    files: Files,
    base: str,
    head: str,
    excluded: Excluded,
    is_scarce: Callable[[], bool] = lambda: False,
) -> Reading:
    """Both texts of every file that counts, and the context that they need."""
    generated = generated_by_attributes(await attributes(repository, base))
    wanted = [entry for entry in files.entries if is_wanted(entry, excluded) and not generated(entry.filename)]
    kept, left_out = within_requests(wanted)
    gate = asyncio.Semaphore(TOGETHER)
    read = await asyncio.gather(*(read_file(repository, entry, base, gate, is_scarce) for entry in kept))
    texts, too_much = within_bytes([one for one in read if isinstance(one, ChangedFile)])
    unread = [one for one in read if isinstance(one, NotAnalyzed)]
    too_many = [NotAnalyzed(entry.filename, TOO_MANY) for entry in left_out]
    too_many += [NotAnalyzed(file.path, TOO_MUCH) for file in too_much]
    change = Change(
        mode="review",
        files=tuple(texts),
        repository=await repository.name(),
        base=base,
        head=head,
        context=await read_context(repository, head, texts, excluded, gate, is_scarce),
        not_analyzed=(*unread, *too_many),
    )
    return Reading(
        change,
        unanchored=frozenset(entry.filename for entry in kept if entry.patch is None and entry.changes),
        listed=len(files.entries),
        total=len(files.entries),
        cut=files.cut,
        left_out=len(too_many) + sum(one.reason == SCARCE for one in unread),
        names=frozenset(name for entry in files.entries for name in (entry.filename, entry.previous_filename) if name),
    )


async def read_context(
    repository: RepositoryClient,
    head: str,
    files: list[ChangedFile],
    excluded: Excluded,
    gate: asyncio.Semaphore,
    is_scarce: Callable[[], bool],
) -> dict[str, str]:
    """Unchanged files that the rules need: what the changed ones import, the schema, and likely users of the names that
    they touch. None where nothing is metered."""
    heads = {file.path: file.head for file in files if file.head is not None}
    if not needs_context(heads):
        return {}
    blobs = {entry.path: entry.sha for entry in (await repository.tree(head)).tree if entry.type == "blob"}
    texts = await context_texts(repository, blobs, context_paths(blobs, heads)[:FOR_CONTEXT], gate)
    if is_scarce():
        return texts
    # In a thread: a large change must not hold up the deliveries of others.
    names = await asyncio.to_thread(touched_names, files)
    changed = {path for file in files for path in (file.path, file.base_path) if path is not None}
    others = [path for path in blobs if path not in texts and path not in changed]
    wanted = await asyncio.to_thread(likely_users, others, names, changed, excluded)
    likely = await context_texts(repository, blobs, wanted[:FOR_USERS], gate)
    return texts | {path: text for path, text in likely.items() if mention(text, names)}


async def context_texts(
    repository: RepositoryClient, blobs: Mapping[str, str], wanted: list[str], gate: asyncio.Semaphore
) -> dict[str, str]:
    """The texts of these files by path, without those that cannot be had."""
    texts = await asyncio.gather(*(context_text(repository, blobs[path], gate) for path in wanted))
    return {path: text for path, text in zip(wanted, texts, strict=True) if text is not None}


async def context_text(repository: RepositoryClient, sha: str, gate: asyncio.Semaphore) -> str | None:
    """None where it cannot be had: context is a help, not the subject."""
    try:
        async with gate:
            return (await repository.blob(sha, FILE_BYTES)).decode(errors="replace")
    except (TooLarge, NotFound):
        return None


async def attributes(repository: RepositoryClient, base: str) -> str:
    """`.gitattributes` at the base, from where alone it may take files out of the review."""
    found = await repository.file_at(".gitattributes", base)
    return found.decode(errors="replace") if found is not None else ""


async def read_file(
    repository: RepositoryClient, entry: FileEntry, base: str, gate: asyncio.Semaphore, is_scarce: Callable[[], bool]
) -> ChangedFile | NotAnalyzed:
    """One file with both texts. What cannot be read is named, never dropped."""
    before = None if entry.status == "added" else entry.previous_filename or entry.filename
    try:
        async with gate:
            if is_scarce():
                return NotAnalyzed(entry.filename, SCARCE)
            head = None if entry.status == "removed" or entry.sha is None else await repository.blob(entry.sha, FILE_BYTES)
            head_text = head.decode() if head is not None else None
            base_text = undone(entry, head_text) if before is not None else None
            if before is not None and base_text is None:
                old = await repository.file_at(before, base)
                base_text = old.decode() if old is not None else None
    except TooLarge:
        return NotAnalyzed(entry.filename, f"larger than {FILE_BYTES // 1024} kB")
    except NotFound:
        return NotAnalyzed(entry.filename, "no regular file: a submodule, or gone from the repository")
    except UnicodeDecodeError:
        return NotAnalyzed(entry.filename, "not UTF-8 text")
    if entry.patch is not None and head_text is not None:
        verify(entry.patch, head_text)
    hunks = parse_patch(entry.patch) if entry.patch is not None else hunks_between(base_text or "", head_text or "")
    return ChangedFile(entry.filename, base_text, head_text, hunks, before if base_text is not None else None)


def undone(entry: FileEntry, head: str | None) -> str | None:
    """The text before, as the patch tells it, which saves a request; None where it must be asked for."""
    if entry.patch is None or head is None:
        return None
    try:
        return text_before(entry.patch, head)
    except PatchError:
        return None


def verify(patch: str, head: str) -> None:
    """The patch names no revision: a line of it that is not in the blob means that the head moved in between."""
    lines = head.split("\n")
    for number, text in added_lines(patch).items():
        if number > len(lines) or lines[number - 1] != text:
            raise HeadMovedError
