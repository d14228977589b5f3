"""Which files of a large change are read: the riskiest, as far as the requests of one review go. Pure."""

from collections.abc import Callable, Iterable
from typing import TypeVar

from bot.github.payloads import FileEntry
from bot.local_files import is_code
from bot.users import USERS
from rules.change import ChangedFile
from rules.meaning.vocabulary import evidence

REQUESTS = 300
"""What one review may ask of GitHub, whose hourly limit all pull requests of an installation share."""
FOR_CONTEXT = 50
FOR_USERS = USERS
"""They are guessed by their paths: code search knows no branch but the default one, and answers ten times a minute."""
FOR_THE_TALK = 30
"""For the pull request, its comments, the check run and the configuration."""
FOR_FILES = REQUESTS - FOR_CONTEXT - FOR_USERS - FOR_THE_TALK
TOTAL_BYTES = 20 * 1024 * 1024

TOO_MANY = f"reading it would take more than {REQUESTS} requests to GitHub"
TOO_MUCH = f"the change is larger than {TOTAL_BYTES // 1024**2} MB"

Item = TypeVar("Item")


def is_wanted(entry: FileEntry, excluded: Callable[[str], str | None]) -> bool:
    """Whether a file can have findings at all: changed code that the configuration does not leave out."""
    return entry.status != "unchanged" and entry.changes > 0 and is_code(entry.filename) and excluded(entry.filename) is None


def within_requests(entries: list[FileEntry]) -> tuple[list[FileEntry], list[FileEntry]]:
    """What is read, in the order given, and what is left out."""
    return parted(entries, requests_for, FOR_FILES, lambda entry: evidence(f"{entry.filename}\n{entry.patch or ''}"))


def within_bytes(files: list[ChangedFile]) -> tuple[list[ChangedFile], list[ChangedFile]]:
    """The same by size. Among equals the smaller ones first, so that one huge file does not push out the rest."""
    return parted(files, size, TOTAL_BYTES, lambda file: (*evidence(file.path), -size(file)))


def parted(
    items: list[Item], cost: Callable[[Item], int], most: int, worth: Callable[[Item], tuple[int, ...]]
) -> tuple[list[Item], list[Item]]:
    """The items that fit, the worthiest having the first choice, and the others; both in the order given."""
    if sum(map(cost, items)) <= most:
        return items, []
    kept: set[int] = set()
    for number in sorted(range(len(items)), key=lambda number: worth(items[number]), reverse=True):
        if cost(items[number]) <= most:
            most -= cost(items[number])
            kept.add(number)
    return pick(items, kept), pick(items, set(range(len(items))) - kept)


def pick(items: list[Item], numbers: Iterable[int]) -> list[Item]:
    return [items[number] for number in sorted(numbers)]


def requests_for(entry: FileEntry) -> int:
    """One for a text; the text before follows from the patch, where GitHub gives one."""
    return 2 if entry.patch is None and entry.status not in ("added", "removed") else 1


def size(file: ChangedFile) -> int:
    return len(file.head or "") + len(file.base or "")
