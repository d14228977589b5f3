"""Which unchanged files use the names that a change touches: callers, readers, writers; chosen and bounded."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import accumulate, islice
from pathlib import PurePosixPath

from rules.languages import front_end
from rules.meaning.contexts import TEST_PATH
from rules.meaning.vocabulary import BILLING_EVIDENCE, USAGE_NOUNS, WEAK_EVIDENCE, words
from rules.schema import looks_like_schema

USERS = 20
"""Files that are read for the names, besides the imports and the schema."""
COMMON = 25
"""A name that more files have says nothing about any one of them."""
MANY = 8 * COMMON
"""With tests and prose."""
BILLING = BILLING_EVIDENCE | WEAK_EVIDENCE | USAGE_NOUNS | {"credits", "limit", "limits", "billing", "counter", "tokens"}
PROSE = frozenset(".md .mdx .rst .txt .adoc .snap .svg .csv .po .lock".split())
PASSED_OVER = frozenset({"test", "lock file", "minified", "vendored"})
"""Reasons of the configuration's defaults: what such a file does with a name is no part of the program."""

Excluded = Callable[[str], str | None]


Having = Mapping[str, frozenset[str]]
"""For each name the files that have it."""


def rare(having: Having, excluded: Excluded) -> dict[str, frozenset[str]]:
    """What a search has found, without the names that are too common to say anything."""
    few = {name: paths for name, paths in having.items() if len(paths) <= MANY}
    found = {name: frozenset(path for path in paths if matters(path, excluded)) for name, paths in few.items()}
    return {name: paths for name, paths in found.items() if len(paths) <= COMMON}


def users_of(having: Having, at_hand: Iterable[str], changed: Iterable[str], excluded: Excluded) -> list[str]:
    """What to read of the files that have one of the names."""
    found = frozenset().union(*having.values()) - frozenset(at_hand)
    return [*islice((path for path in nearest(found, having, changed) if is_user(path, excluded)), USERS)]


def complete(having: Having, at_hand: Iterable[str]) -> frozenset[str]:
    """The names of which every file that has them is at hand, and can be read."""
    read = frozenset(path for path in at_hand if is_read(path))
    return frozenset(name for name, paths in having.items() if paths <= read)


def likely_users(paths: Iterable[str], names: Iterable[str], changed: Iterable[str], excluded: Excluded) -> list[str]:
    """What to read where nothing can be searched: files whose paths speak of billing or of the names."""
    wanted = tuple(names)
    if not wanted:
        return []
    spoken = {word for name in wanted for word in words(name)} | BILLING
    # Patterns are slow, and a tree has up to 100,000 paths: only the best are asked for.
    ranked = nearest((path for path in paths if not spoken.isdisjoint(said(path))), wanted, changed)
    return [*islice((path for path in ranked if is_user(path, excluded)), USERS)]


def nearest(paths: Iterable[str], names: Iterable[str], changed: Iterable[str]) -> list[str]:
    """Those whose paths have most words of the names and of billing, and are nearest to what changed, first."""
    wanted = frozenset(word for name in names for word in words(name))
    folders = frozenset(folder for path in changed for folder in folders_of(path))

    def rank(path: str) -> tuple[int, int, str]:
        near = sum(folder in folders for folder in folders_of(path))
        return -2 * len(said(path) & wanted) - 2 * len(said(path) & BILLING) - near, path.count("/"), path

    return sorted(paths, key=rank)


def folders_of(path: str) -> Iterator[str]:
    return accumulate(f"{part}/" for part in path.split("/")[:-1])


def mention(text: str, names: Iterable[str]) -> bool:
    """Whether a text has one of the names, as a search for it would find it."""
    lowered = text.lower()
    return any(spelled in lowered for name in names for spelled in spellings(name))


def is_user(path: str, excluded: Excluded) -> bool:
    return is_read(path) and excluded(path) is None and TEST_PATH.search(path) is None


def is_read(path: str) -> bool:
    return front_end(path) is not None or looks_like_schema(path)


def matters(path: str, excluded: Excluded) -> bool:
    """Whether what a file does with a name counts. A file that is not read counts too: it may be the one that uses it."""
    if PurePosixPath(path).suffix.lower() in PROSE or TEST_PATH.search(path) is not None:
        return False
    return excluded(path) not in PASSED_OVER


@lru_cache(maxsize=100_000)
def said(path: str) -> frozenset[str]:
    return frozenset(words(path))


def spellings(name: str) -> tuple[str, ...]:
    """`tokensUsed` is `tokens_used` in the database and `TOKENS_USED` in a constant: the case is not looked at."""
    parts = words(name)
    plain = re.fullmatch(r"\w+", name) is not None
    return tuple(dict.fromkeys((name.lower(), "_".join(parts), "".join(parts)) if plain else (name.lower(),)))
