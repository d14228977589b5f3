"""Where only some files of a project are audited: the other files under the root that name what those define."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from bot.local_files import UnreadableError, read_file, text_of
from bot.touched import defined_by, is_telling
from bot.users import Excluded, complete, is_read, matters, rare
from rules.judge import may_concern_billing

SEARCHED = 20_000
"""Files under the root: in a larger one nothing is searched, and whatever is defined is taken to be called."""
NAMES = 2_000
CLASS = re.compile(r"^\s*(?:[\w@]+\s+)*?(?:class|struct|trait|interface)\s+([A-Za-z_]\w*)")
WORDS = re.compile(r"[A-Za-z_]\w{2,}")


@dataclass(frozen=True, slots=True)
class Found:
    """Texts that have one of the names, and the names of which every file that has them is read."""

    texts: Mapping[str, str] = field(default_factory=dict)
    sought: frozenset[str] = frozenset()


def naming_below(top: Path, there: Mapping[str, Path], heads: Mapping[str, str], excluded: Excluded) -> Found:
    """`there` are all files under the root by path, `heads` the texts of those that are audited."""
    names = frozenset(defined_in(heads))
    if not names or len(names) > NAMES or len(there) > SEARCHED or is_inside_repository(top):
        return Found()
    having: dict[str, set[str]] = {name: set() for name in names}
    texts: dict[str, str] = {}
    for path, file in there.items():
        if not matters(path, excluded):
            continue
        text = heads.get(path) or text_at(file)
        said = names.intersection(WORDS.findall(text))
        for name in said:
            having[name].add(path)
        if said and is_read(path):
            texts[path] = text
    few = rare({name: frozenset(paths) for name, paths in having.items()}, excluded)
    wanted = frozenset().union(*few.values())
    return Found(
        {path: text for path, text in texts.items() if path in wanted and path not in heads}, complete(few, {*texts, *heads})
    )


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


def text_at(file: Path) -> str:
    try:
        return text_of(read_file(file))
    except UnreadableError:
        return ""
