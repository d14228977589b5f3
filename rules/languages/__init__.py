"""The front ends: one module a language, each with SUFFIXES, TRAITS and `lower(path, source) -> Facts`."""

import pkgutil
from collections.abc import Callable
from functools import cache
from importlib import import_module
from pathlib import PurePosixPath

from rules.facts import Facts
from rules.traits import Traits

Lower = Callable[[str, bytes], Facts]

UNREAD = {
    ".scala": "Scala",
    ".swift": "Swift",
    ".ex": "Elixir",
    ".exs": "Elixir",
    ".prisma": "Prisma",
    ".vue": "Vue",
    ".svelte": "Svelte",
}
"""Code that no front end reads yet: a report names such files, since silence must mean clean."""


ENDINGS = {
    "python": "py",
    "typescript": "ts",
    "tsx": "tsx",
    "javascript": "js",
    "jsx": "jsx",
    "go": "go",
    "sql": "sql",
    "ruby": "rb",
    "php": "php",
    "java": "java",
    "csharp": "cs",
    "kotlin": "kt",
    "rust": "rs",
}
"""The usual file ending of a language, named as in a Markdown fence."""


@cache
def _by_suffix() -> dict[str, Lower]:
    modules = [import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return {suffix: module.lower for module in modules for suffix in getattr(module, "SUFFIXES", ())}


@cache
def _traits() -> dict[str, Traits]:
    modules = [import_module(f"{__name__}.{one.name}") for one in pkgutil.iter_modules(__path__)]
    return {suffix: module.TRAITS for module in modules for suffix in getattr(module, "SUFFIXES", ())}


def traits_of(path: str) -> Traits:
    """What sets the language of a file apart, for those who have only its path."""
    return _traits().get(PurePosixPath(path).suffix.lower(), Traits())


def front_end(path: str) -> Lower | None:
    """The front end for a file, by its ending."""
    return _by_suffix().get(PurePosixPath(path).suffix.lower())


def path_for(language: str) -> str:
    """A path of that language, for code that has none: an example, a pasted snippet."""
    return f"example.{ENDINGS[language]}"
