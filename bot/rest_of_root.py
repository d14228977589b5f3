"""Where only some files of a project are audited: the other files under the root that name what those define."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bot.local_files import FILE_BYTES, UnreadableError, is_code, read_file, text_of
from bot.touched import defined_by, is_telling
from bot.users import Excluded, complete, is_read, matters, rare
from rules.judge import may_concern_billing

SEARCHED = 20_000
"""Files under the root: in a larger one nothing is searched, and whatever is defined is taken to be called."""
SEARCHED_BYTES = 128_000_000
"""Of all of them together, likewise: a few seconds of searching."""
NAMES = 2_000
CLASS = re.compile(r"^\s*(?:[\w@]+\s+)*?(?:class|struct|trait|interface)\s+([A-Za-z_]\w*)")
WORDS = re.compile(r"\w+")
BINARY = frozenset(
    ".png .jpg .jpeg .gif .webp .avif .ico .bmp .tif .tiff .psd .pdf .zip .gz .tgz .bz2 .xz .zst .7z .rar .tar .jar .war .whl "
    ".woff .woff2 .ttf .otf .eot .mp3 .mp4 .mov .avi .webm .wav .ogg .flac .so .dll .dylib .exe .bin .wasm .pyc .class .o .a "
    ".sqlite .sqlite3 .db .parquet .onnx .pt .pkl .npy .npz .keystore .p12".split()
)
"""No program names a function in such a file."""


@dataclass(frozen=True, slots=True)
class Found:
    """Texts that have one of the names, and the names of which every file that has them is read."""

    texts: Mapping[str, str] = field(default_factory=dict)
    sought: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Names:
    """What is searched for, each with the words that a text must have to have it: `usage-service` is two."""

    all: Mapping[str, frozenset[str]]
    plain: frozenset[str]

    @classmethod
    def of(cls, names: Iterable[str]) -> "Names":
        # In which bytes a file has other letters, its encoding tells, which is not known.
        parts = {name: frozenset(WORDS.findall(name)) for name in names if name.isascii()}
        return cls(parts, frozenset(name for name, words in parts.items() if name in words))

    def said_in(self, text: str) -> frozenset[str]:
        words = frozenset(WORDS.findall(text))
        joined = (name for name in self.all.keys() - self.plain if self.all[name] <= words and name in text)
        return (self.plain & words).union(joined)


def naming_below(top: Path, there: Mapping[str, Path], heads: Mapping[str, str], excluded: Excluded) -> Found:
    """`there` are all files under the root by path, `heads` the texts of those that are audited."""
    names = Names.of(defined_in(heads))
    if not names.all or len(names.all) > NAMES or len(there) > SEARCHED or is_inside_repository(top):
        return Found()
    try:
        return searched(names, ((path, file) for path, file in there.items() if is_searched(path, excluded)), heads, excluded)
    except UnreadableError:
        # The one that cannot be read may have any of the names.
        return Found()


def is_searched(path: str, excluded: Excluded) -> bool:
    return PurePosixPath(path).suffix.lower() not in BINARY and matters(path, excluded)


def searched(names: Names, there: Iterable[tuple[str, Path]], heads: Mapping[str, str], excluded: Excluded) -> Found:
    having: dict[str, set[str]] = {}
    texts: dict[str, str] = {}
    room = SEARCHED_BYTES
    for path, file in there:
        data = heads[path].encode() if path in heads else read_file(file, most=room)
        room -= len(data)
        text = searchable(path, data)
        said = names.said_in(text)
        for name in said:
            having.setdefault(name, set()).add(path)
        if said and is_read(path) and len(data) <= FILE_BYTES:
            texts[path] = text
    few = rare({name: frozenset(paths) for name, paths in having.items()}, excluded)
    wanted = frozenset().union(*few.values())
    return Found(
        {path: text for path, text in texts.items() if path in wanted and path not in heads}, complete(few, {*texts, *heads})
    )


def searchable(path: str, data: bytes) -> str:
    """The text in which names are looked for: whatever its encoding, ASCII is the same. Raises UnreadableError for code that
    is no text here."""
    try:
        return text_of(data, "replace")
    except UnreadableError:
        if is_code(path):
            raise
        return ""


def defined_in(heads: Mapping[str, str]) -> Iterator[str]:
    """The functions and classes of the files that may concern billing, and how others call those files."""
    for path, text in heads.items():
        if not is_read(path) or not may_concern_billing(f"{path}\n{text}"):
            continue
        yield PurePosixPath(path).stem
        lines = text.split("\n")
        for line, after in zip(lines, (*lines[1:], ""), strict=True):
            # A brace alone belongs to the line before, as most write it in C# and PHP.
            name = defined_by(line[:300].rstrip() + (" {" if after.strip() == "{" else ""))
            if name is not None and is_telling(name):
                yield name
            if (named := CLASS.match(line[:300])) is not None:
                yield named[1]


def is_inside_repository(top: Path) -> bool:
    """Whether the root is a folder of a larger repository, the rest of which may call what is in it."""
    return any((parent / ".git").exists() for parent in top.parents) and not (top / ".git").exists()
