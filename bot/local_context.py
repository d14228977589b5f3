"""The unchanged files that the review of a local change reads besides the changed ones, found by git."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from bot import git
from bot.context import context_paths, needs_context
from bot.git import Repository
from bot.local_files import FILE_BYTES
from bot.touched import touched_names
from bot.users import Excluded, complete, likely_users, mention, rare, spellings, users_of
from rules.change import ChangedFile

SEARCHED = 20_000
"""Files of a repository: in a larger one nothing is searched, and who uses a name is guessed by the paths."""


@dataclass(frozen=True, slots=True)
class Around:
    """Unchanged files by path, and the names of which every file that has them is there or changed."""

    texts: Mapping[str, str] = field(default_factory=dict)
    complete: frozenset[str] = frozenset()


def around(repo: Repository, revision: str, files: tuple[ChangedFile, ...], excluded: Excluded) -> Around:
    """Unchanged files that the rules need: imports of the changed ones, schema and migrations, and who uses what they
    touch. Nothing without a commit."""
    heads = {file.path: file.head for file in files if file.head is not None}
    commit = git.commit_of(repo, revision) if needs_context(heads) else None
    if commit is None:
        return Around()
    there = git.tree(repo, commit)
    texts = texts_at(repo, {path: there[path] for path in context_paths(there, heads)})
    names = touched_names(files)
    changed = {path for file in files for path in (file.path, file.base_path) if path is not None}
    found = git.having(repo, commit, {one for name in names for one in spellings(name)}) if len(there) <= SEARCHED else None
    if found is None:
        return Around(texts | guessed(repo, there, names, {*texts, *changed}, changed, excluded))
    having = rare({name: frozenset().union(*(found.get(one, ()) for one in spellings(name))) for name in names}, excluded)
    texts |= texts_at(repo, {path: there[path] for path in users_of(having, {*texts, *changed}, changed, excluded)})
    return Around(texts, complete(having, {*texts, *changed}))


def guessed(
    repo: Repository,
    there: Mapping[str, str],
    names: tuple[str, ...],
    at_hand: Collection[str],
    changed: Collection[str],
    excluded: Excluded,
) -> dict[str, str]:
    """Likely users, of which those are kept that have a name; as the App finds them."""
    likely = likely_users((path for path in there if path not in at_hand), names, changed, excluded)
    texts = texts_at(repo, {path: there[path] for path in likely})
    return {path: text for path, text in texts.items() if mention(text, names)}


def texts_at(repo: Repository, wanted: Mapping[str, str]) -> dict[str, str]:
    """The texts of these files by their blobs, without those that are missing or too large."""
    known = git.sizes(repo, set(wanted.values()))
    small = {blob for blob in wanted.values() if known.get(blob, FILE_BYTES + 1) <= FILE_BYTES}
    content = git.contents(repo, small)
    return {path: content[blob].decode(errors="replace") for path, blob in wanted.items() if blob in content}
