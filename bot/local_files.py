"""Files of this machine as text: what is read, and the reason where it is not."""

import os
import stat
from pathlib import Path, PurePosixPath
from typing import Literal

FILE_BYTES = 512 * 1024
TOO_LARGE = f"larger than {FILE_BYTES // 1024} kB"
SNIFFED = 8000
"""Git's own test for a binary file: a zero byte among the first 8,000."""
POINTER = b"version https://git-lfs.github.com/spec/v1\n"


class UnreadableError(Exception):
    """A file cannot be judged; the text is the reason, as the report gives it."""


def read_file(path: Path, *, follow: bool = False, most: int = FILE_BYTES) -> bytes:
    """The bytes of a regular file of at most `most`; a symbolic link only where `follow` is set. Raises UnreadableError."""
    try:
        about = path.stat() if follow else path.lstat()
        if stat.S_ISLNK(about.st_mode):
            raise UnreadableError("a symbolic link")
        if not stat.S_ISREG(about.st_mode):
            raise UnreadableError("not a regular file")
        if about.st_size > most:
            raise UnreadableError(TOO_LARGE)
        # The file may have become something else since it was looked at: a pipe would block, a link lead elsewhere.
        handle = os.open(path, os.O_RDONLY | os.O_NONBLOCK | (0 if follow else os.O_NOFOLLOW))
        with os.fdopen(handle, "rb") as file:
            data = file.read(most + 1)
    except OSError as error:
        raise UnreadableError(f"cannot be read: {error.strerror}") from error
    if len(data) > most:
        raise UnreadableError(TOO_LARGE)
    return data


def text_of(data: bytes, errors: Literal["strict", "replace"] = "strict") -> str:
    """The text of a file. Raises UnreadableError for what is no text, and where `errors` is strict, for what is not UTF-8."""
    if data.startswith(POINTER):
        raise UnreadableError("a Git LFS pointer: the file itself is not in the repository")
    if b"\0" in data[:SNIFFED]:
        raise UnreadableError("binary")
    try:
        return data.decode("utf-8", errors)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise UnreadableError(f"not UTF-8 text at line {line}") from error


def is_code(path: str) -> bool:
    """Whether a rule could have something to say about it: a front end reads it, or one is missing for its language."""
    from rules.languages import UNREAD, front_end

    return front_end(path) is not None or PurePosixPath(path).suffix.lower() in UNREAD


def shown_path(path: str) -> str:
    """A path that any report can hold; bytes of a name that are not UTF-8 become U+FFFD."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
