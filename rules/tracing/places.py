"""What stands before the dot of a call, against the file, package or class that it may name."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import PurePosixPath

from rules.facts import fold
from rules.languages import traits_of

INDEX = frozenset({"index", "__init__", "mod"})
"""Files that are named by their folder."""


@dataclass(frozen=True, slots=True)
class Place:
    """A file's path as calls name it, folded."""

    folder: str
    stem: str
    """The file's name, or its folder's for an `index.ts` and an `__init__.py`."""
    whole: str
    open: bool
    """What lies beside the file calls it without importing it."""
    parent: str


def place_of(path: str) -> Place:
    where = PurePosixPath(path)
    index = where.stem in INDEX
    whole = where.parent if index else where.with_suffix("")
    stem = where.parent.name if index else where.stem
    return Place(
        fold(where.parent.name), fold(stem), "/" + fold(str(whole)), traits_of(path).packages_are_folders, str(where.parent)
    )


@lru_cache(maxsize=100_000)
def alike(one: str, other: str) -> bool:
    """`usageservice` and `usageserviceimpl`, `ledger` and `ledgerservice`, `usagerepo` and `usagerepository`."""
    if one == other:
        return True
    ends = ("service", "impl", "repository", "repo", "manager", "client", "adapter", "store", "svc", "s")
    return plain(one, ends) == plain(other, ends) and len(plain(one, ends)) > 3


def plain(name: str, ends: tuple[str, ...]) -> str:
    for end in ends:
        if name.endswith(end) and len(name) > len(end) + 2:
            return plain(name.removesuffix(end), ends)
    return name
