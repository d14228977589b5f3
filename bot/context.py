"""Which unchanged files a review reads besides the changed ones: schema, imports, neighbours; bounded and chosen, never all."""

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from posixpath import dirname, join, normpath

from rules.judge import may_concern_billing
from rules.schema import looks_like_schema

SCHEMA_FILES = 60
IMPORTED_FILES = 40
NEIGHBOURS = 12
"""Files of one Go package beside the changed one, which share its names without an import."""

WHOLE_SCHEMA = ("db/schema.rb", "structure.sql", "schema.prisma", "schema.sql", "ddl.sql")
"""What a migration tool or a person keeps as the sum of all migrations: models of Rails, which say less, would crowd it out."""

JS_IMPORT = re.compile(r"""(?:from|import|require\()\s*\(?["']([./@~#][^"']+)["']""")
PY_IMPORT = re.compile(r"^\s*(?:from\s+([.\w]+)\s+import\s+([\w ,()]*)|import\s+([.\w]+))", re.M)
PHP_USE = re.compile(r"^use\s+([\\\w]+)", re.M)
PHP_NAMESPACE = re.compile(r"^namespace\s+([\\\w]+)", re.M)
PHP_CLASS = re.compile(r"\b([A-Z]\w+)(?:::|\s+\$)")
RB_CONSTANT = re.compile(r"\b[A-Z]\w+(?:::[A-Z]\w+)*")
RB_ROW = re.compile(r"\b([a-z_]+)\.(?:update|save|increment|decrement|with_lock|lock|create)\w*!?\b")
"""A variable whose row is written: its model says which columns the table has."""
RB_ROOT = re.compile(r"^(?:.*/)?(?:app/[^/]+|lib)/")
SNAKE = re.compile(r"([a-z0-9])([A-Z])")
JS_ENDINGS = (".ts", ".tsx", ".js", ".jsx", ".mjs", "/index.ts", "/index.tsx", "/index.js")
INDEXES = ("__init__", "index")
"""Files that bring in what others are to find there: of their many imports, the change uses few or none."""
ALIASES = ("@/", "~/", "#/")
ROOTS = ("", "src/", "app/", "apps/web/", "server/src/", "lib/")


def context_paths(paths: Iterable[str], changed: Mapping[str, str]) -> list[str]:
    """The paths to read, most useful first. `paths` are all files of the revision; `changed` are changed files and texts."""
    there = frozenset(paths)
    chosen: dict[str, None] = {}
    for path in list(imported(there, changed))[:IMPORTED_FILES]:
        chosen.setdefault(path)
    for path in schema_files(there, changed):
        chosen.setdefault(path)
    return [path for path in chosen if path not in changed]


def needs_context(changed: Mapping[str, str]) -> bool:
    """Whether any changed file can concern billing: for all others nothing else is read."""
    return any(may_concern_billing(text) for text in changed.values())


def schema_files(there: frozenset[str], changed: Mapping[str, str]) -> list[str]:
    """A file with the whole schema first, then what is near, the newest migrations last in the alphabet before the older
    ones: a later one changes what an earlier one said."""
    near = {PurePosixPath(path).parts[:2] for path in changed}
    found = [path for path in there if looks_like_schema(path)]
    found.sort(
        key=lambda path: (
            path.endswith(WHOLE_SCHEMA), PurePosixPath(path).parts[:2] in near, not is_migration(path), path
        ),
        reverse=True,
    )  # fmt: skip
    return found[:SCHEMA_FILES]


def is_migration(path: str) -> bool:
    return "migration" in path or "versions/" in path or "db/migrate" in path


def imported(there: frozenset[str], changed: Mapping[str, str]) -> Iterator[str]:
    for path, text in sorted(changed.items(), key=lambda one: PurePosixPath(one[0]).stem in INDEXES):
        if path.endswith((".ts", ".tsx", ".js", ".jsx", ".mjs", ".cjs")):
            yield from javascript(there, path, text)
        elif path.endswith(".py"):
            yield from python(there, path, text)
        elif path.endswith(".go"):
            yield from neighbours(there, path)
        elif path.endswith(".rb"):
            yield from autoloaded(there, path, text)
        elif path.endswith(".php"):
            yield from namespaced(there, path, text)


def javascript(there: frozenset[str], path: str, text: str) -> Iterator[str]:
    for name in JS_IMPORT.findall(text):
        if name.startswith("."):
            starts = [normpath(join(dirname(path), name))]
        else:
            alias = next((one for one in ALIASES if name.startswith(one)), None)
            if alias is None:
                continue
            # Where an alias points is in a configuration that is not read: the file's own folders are tried.
            tops = [*parents(path), *ROOTS]
            starts = [normpath(join(top, name.removeprefix(alias))) for top in tops]
        found = next((one for start in starts for one in candidates(start) if one in there), None)
        if found is not None:
            yield found


def parents(path: str) -> Iterator[str]:
    for parent in PurePosixPath(path).parents:
        yield "" if str(parent) == "." else f"{parent}/"
        yield "src/" if str(parent) == "." else f"{parent}/src/"


def candidates(start: str) -> Iterator[str]:
    yield start
    bare = re.sub(r"\.(js|mjs|jsx)$", "", start)
    for ending in JS_ENDINGS:
        yield bare + ending


def python(there: frozenset[str], path: str, text: str) -> Iterator[str]:
    for module, names, plain in PY_IMPORT.findall(text):
        name = module or plain
        if name.startswith("."):
            ups = len(name) - len(name.lstrip("."))
            start = dirname(path)
            for _ in range(ups - 1):
                start = dirname(start)
            tops = [start]
            name = name.lstrip(".")
        else:
            tops = [str(parent) if str(parent) != "." else "" for parent in PurePosixPath(path).parents]
        inner = [one.strip(" ()") for one in names.split(",")] if names else []
        for top in tops:
            base = normpath(join(top, name.replace(".", "/"))) if name else top
            for one in (f"{base}.py", *(f"{base}/{member}.py" for member in inner if member), f"{base}/__init__.py"):
                if one in there:
                    yield one


def autoloaded(there: frozenset[str], path: str, text: str) -> Iterator[str]:
    """Rails finds `Wallets::IncreaseService` in `app/*/wallets/increase_service.rb`, also from inside that module."""
    by_name = {RB_ROOT.sub("", one.removesuffix(".rb")): one for one in there if one.endswith(".rb")}
    around = RB_ROOT.sub("", path.removesuffix(".rb")).split("/")[:-1]
    for row in dict.fromkeys(RB_ROW.findall(text)):
        if found := by_name.get(row):
            yield found
    for name in dict.fromkeys(RB_CONSTANT.findall(text)):
        tail = SNAKE.sub(r"\1_\2", name).replace("::", "/").lower()
        for depth in range(len(around), -1, -1):
            if found := by_name.get("/".join([*around[:depth], tail])):
                yield found
                break


def namespaced(there: frozenset[str], path: str, text: str) -> Iterator[str]:
    """Where Composer finds `App\\Services\\Usage` is in its configuration: the folder of a name's first part is tried
    as any folder of the file's own path, and the classes beside the file without a `use`."""
    own = PHP_NAMESPACE.search(text)
    names = [one.strip("\\").split("\\") for one in PHP_USE.findall(text)]
    names += [[*own[1].split("\\"), name] for name in PHP_CLASS.findall(text)] if own is not None else []
    tops = ["" if str(parent) == "." else f"{parent}/" for parent in PurePosixPath(path).parents]
    for parts in names:
        tails = ["/".join([parts[0].lower(), *parts[1:]]), "/".join(parts[1:]), "/".join(parts)]
        found = next((one for top in tops for tail in tails if tail and (one := f"{top}{tail}.php") in there), None)
        if found is not None:
            yield found


def neighbours(there: frozenset[str], path: str) -> Iterator[str]:
    here = dirname(path)
    beside = sorted(one for one in there if dirname(one) == here and one.endswith(".go") and not one.endswith("_test.go"))
    yield from beside[:NEIGHBOURS]
