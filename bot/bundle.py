"""Reads and writes a bundle: several files in one text, each headed by a line `--- path/to/file.ext ---`."""

import re
from collections.abc import Mapping

HEADER = re.compile(r"(-{3,}) (.+) ---(\r?)")
"""A heading has exactly three dashes in front; a source line that looks like one has one more than it had."""


class BundleError(ValueError):
    """The text is no bundle; the message says why and what to do."""


def read_bundle(text: str) -> dict[str, str]:
    """The files of a bundle by path, in its order. What stands before the first heading is no file and is passed over.

    So is what stands under a heading whose path ends in a slash: a folder is no file. The line end before a heading, and the
    last one of all, belong to the bundle and not to the file.
    Raises BundleError for a text without a heading and for a path that comes twice.
    """
    found: dict[str, list[str]] = {}
    current: list[str] | None = None
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        heading = HEADER.fullmatch(line)
        if heading is not None and heading[1] == "---":
            if heading[2].endswith("/"):
                current = None
                continue
            if heading[2] in found:
                raise BundleError(f"line {number} of the bundle heads {heading[2]!r} a second time: give each file once")
            current = found[heading[2]] = []
        elif current is not None:
            current.append(line[1:] if heading is not None else line)
    if not found:
        raise BundleError("the bundle has no heading: put a line like `--- src/usage.py ---` above each file")
    return {path: "\n".join(lines) for path, lines in found.items()}


def write_bundle(files: Mapping[str, str]) -> str:
    """The bundle of these files, from which `read_bundle` makes the same ones again, byte for byte.

    Raises BundleError for a path that does not fit on one line.
    """
    parts = []
    for path, text in files.items():
        if not path or "\n" in path or path.endswith(("\r", "/")):
            raise BundleError(f"the path {path!r} does not fit into a heading: rename the file")
        lines = [f"-{line}" if HEADER.fullmatch(line) else line for line in text.split("\n")]
        parts.append("\n".join([f"--- {path} ---", *lines, ""]))
    return "".join(parts)
