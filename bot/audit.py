"""The change that an audit judges: whole files and folders of this machine, or the files of a bundle."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

from bot.context import context_paths, needs_context
from bot.git import LocalError
from bot.local import Excluded, LocalChange
from bot.local_files import UnreadableError, is_code, read_file, shown_path, text_of
from bot.rest_of_root import Found, naming_below
from rules.change import Change, ChangedFile, NotAnalyzed

NEVER_ENTERED = frozenset({".git", ".hg", ".svn", "node_modules", ".venv", "__pycache__"})
Tick = Callable[[str], None]


def audit_change(paths: Iterable[Path], root: Path, excluded: Excluded, tick: Tick = lambda path: None) -> LocalChange:
    """Files and folders in full, with paths relative to `root` where they are below it.

    A file that is named itself is read even where `excluded` would leave it alone; in a folder, only code is read.
    `tick` is told each path. Raises LocalError for a path that is not there or a folder that cannot be read.
    """
    named, top = tuple(paths), root.resolve()
    found, reasons = picked(named, top, excluded)
    files, not_analyzed = read_in_full(found, tick)
    heads = {file.path: file.head for file in files if file.head is not None}
    partial = not any(top.is_relative_to(path.resolve()) for path in named)
    asks = needs_context(heads)
    there = dict(below(top, files_below(top) if partial else code_below(top))) if asks else {}
    rest = naming_below(top, there, heads, excluded) if partial and asks else Found()
    change = Change(
        mode="audit",
        files=files,
        context=context_of({path: file for path, file in there.items() if is_code(path)}, heads) if asks else {},
        partial=partial,
        rest=rest.texts,
        sought=rest.sought,
        not_analyzed=not_analyzed,
    )
    return LocalChange(change, reasons)


def picked(paths: Iterable[Path], top: Path, excluded: Excluded) -> tuple[dict[str, Path], Counter[str]]:
    """The files to audit as the report calls them, and how many are left alone for which reason."""
    found: dict[str, Path] = {}
    reasons: Counter[str] = Counter()
    for path in paths:
        if path.is_dir():
            for file in code_below(path):
                reason = excluded(name(file, top))
                if reason is None:
                    found.setdefault(name(file, top), file)
                else:
                    reasons[reason] += 1
        elif path.exists():
            found.setdefault(name(path, top), path)
        else:
            raise LocalError(f"{path} is not there: name files or folders of this machine, or - for a bundle.")
    return found, reasons


def read_in_full(found: Mapping[str, Path], tick: Tick) -> tuple[tuple[ChangedFile, ...], tuple[NotAnalyzed, ...]]:
    files, not_analyzed = [], []
    for shown, file in sorted(found.items()):
        tick(shown)
        try:
            files.append(ChangedFile(shown, None, text_of(read_file(file, follow=True))))
        except UnreadableError as error:
            not_analyzed.append(NotAnalyzed(shown, str(error)))
    return tuple(files), tuple(not_analyzed)


def context_of(there: Mapping[str, Path], heads: Mapping[str, str]) -> dict[str, str]:
    """Files under the root that the audited ones import, and the schema."""
    found: dict[str, str] = {}
    for path in context_paths(there, heads):
        try:
            found[path] = text_of(read_file(there[path], follow=False))
        except UnreadableError:
            # Context is a help, not the subject: what cannot be read is simply not known.
            continue
    return found


def code_below(folder: Path) -> Iterator[Path]:
    """The code files of a folder, links not followed. A folder inside that cannot be read raises LocalError, too."""
    return (path for path in files_below(folder) if is_code(path.name))


def files_below(folder: Path) -> Iterator[Path]:
    for here, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = sorted(one for one in folders if one not in NEVER_ENTERED)
        for file in sorted(files):
            path = Path(here) / file
            if not path.is_symlink():
                yield path


def refuse(error: OSError) -> None:
    # Raised, because silence must mean clean: what could not be listed cannot be named file by file.
    raise LocalError(f"The folder {error.filename} cannot be read ({error.strerror}): allow it, or name the files to audit.")


def name(file: Path, top: Path) -> str:
    """As the report calls it. Links above the file are resolved, so that one file has one name."""
    whole = file.parent.resolve() / file.name
    return shown_path((whole.relative_to(top) if whole.is_relative_to(top) else whole).as_posix())


def below(top: Path, files: Iterable[Path]) -> Iterator[tuple[str, Path]]:
    """Files under a root that is resolved, by name. No link was followed to them, so that theirs need not be resolved."""
    return ((shown_path(file.relative_to(top).as_posix()), file) for file in files)


def bundle_change(files: Mapping[str, str]) -> LocalChange:
    """The files of a bundle in full, by path as those of a folder. Whoever wrote it chose them: none is left alone."""
    changed = tuple(ChangedFile(path, None, text) for path, text in sorted(files.items()))
    return LocalChange(Change("audit", changed, partial=True), {})
