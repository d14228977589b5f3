"""Tables from Entity Framework Core: entity classes, attributes, the fluent model and migrations."""

import re
from collections.abc import Iterator

from rules.facts import fold
from rules.schema.sql import inside
from rules.schema.tables import Table, columns

CLASS = re.compile(
    r"((?:^[ \t]*\[[^\n]*\]\s*\n)*)^[ \t]*(?:public|internal)[\w\s]{0,60}\b(?:class|record)\s+(\w+)[^{;]{0,400}\{", re.M
)
PROPERTY = re.compile(
    r"((?:^[ \t]*\[[^\n]*\]\s*\n)*)^[ \t]*(?:\[[^\n]*\]\s*)?public\s+(?:required\s+|virtual\s+)?([\w<>?.]+)\s+(\w+)\s*"
    r"\{\s*get;",
    re.M,
)
INDEX = re.compile(r"\[Index\(([^\]]*)\)\]")
KEYS = re.compile(
    r"\.(HasIndex|HasKey|HasAlternateKey)\(\s*(?:\w+\s*=>\s*)?((?:new\s*\{[^}]*\})|[^)]*)\)((?:\s*\.\w+\([^)]*\))*)"
)


def entity_framework(text: str) -> Iterator[Table]:
    yield from migrations(text)
    yield from fluent(text)
    for match in CLASS.finditer(text):
        yield from entity(match[2], match[1], braces(text, match.end()))


def entity(name: str, marks: str, body: str) -> Iterator[Table]:
    """A class with properties that can be set. `[Index(nameof(A), nameof(B), IsUnique = true)]` is a key, so is `[Key]`."""
    found: dict[str, str] = {}
    unique: set[frozenset[str]] = set()
    for above, kind, column in PROPERTY.findall(body):
        found[fold(column)] = kind.lower()
        if re.search(r"\[Key\]|\bKey\b\s*[,\]]", above):
            unique.add(frozenset({fold(column)}))
    for given in INDEX.findall(marks):
        if re.search(r"IsUnique\s*=\s*true", given):
            names = re.findall(r"nameof\((?:\w+\.)?(\w+)\)", given.partition("IsUnique")[0]) or re.findall(
                r"\"(\w+)\"", given.partition("IsUnique")[0]
            )
            unique.add(frozenset(map(fold, names)))
    table = re.search(r"\[Table\(\"(\w+)\"", marks)
    if not found:
        return
    yield Table(name, found, frozenset(unique))
    if table:
        yield Table(table[1], found, frozenset(unique))


def fluent(text: str) -> Iterator[Table]:
    """`modelBuilder.Entity<T>(e => { e.HasIndex(x => x.Key).IsUnique(); })` and `IEntityTypeConfiguration<T>`."""
    for match in re.finditer(r"\.Entity<(\w+)>\(", text):
        within, end = inside(text, match.end())
        after = text[end : end + 400].partition(";")[0]
        yield keyed(match[1], within + after)
    for match in re.finditer(r"\bConfigure\(\s*EntityTypeBuilder<(\w+)>\s+\w+\s*\)\s*(?:=>|\{)", text):
        yield keyed(
            match[1], braces(text, match.end()) if text[match.end() - 1] == "{" else text[match.end() :].partition(";")[0]
        )


def keyed(name: str, text: str) -> Table:
    unique = {
        frozenset(map(fold, re.findall(r"(?:\w+\.|\")(\w+)", given)))
        for kind, given, after in KEYS.findall(text)
        if kind != "HasIndex" or ("IsUnique(" in after and "IsUnique(false" not in after)
    }
    return Table(name, unique=frozenset(one for one in unique if one))


def migrations(text: str) -> Iterator[Table]:
    for match in re.finditer(r"\.CreateIndex\(", text):
        given, _ = inside(text, match.end())
        table = re.search(r"table:\s*\"(\w+)\"", given)
        names = re.search(r"columns?:\s*(?:new\[\]\s*)?(\{[^}]*\}|\[[^\]]*\]|\"\w+\")", given)
        if table and names and re.search(r"unique:\s*true", given):
            yield Table(table[1], unique=frozenset({columns(names[1].strip("{}[]"))}))
    for match in re.finditer(r"\.CreateTable\(", text):
        given, _ = inside(text, match.end())
        name = re.search(r"name:\s*\"(\w+)\"", given)
        if name:
            yield created(name[1], given)
    for match in re.finditer(r"\.(?:AddColumn<[^>]*>|RenameColumn)\(", text):
        given, _ = inside(text, match.end())
        table, name = re.search(r"table:\s*\"(\w+)\"", given), re.search(r"(?:newName|name):\s*\"(\w+)\"", given)
        if table and name:
            yield Table(table[1], {fold(name[1]): ""})


def created(name: str, given: str) -> Table:
    found = {fold(column): kind.lower() for column, kind in re.findall(r"(\w+)\s*=\s*table\.Column<([^>]*)>", given)}
    keys = re.findall(r"table\.(?:PrimaryKey|UniqueConstraint)\([^,]*,\s*\w+\s*=>\s*(new\s*\{[^}]*\}|[\w.]+)", given)
    return Table(name, found, frozenset(frozenset(map(fold, re.findall(r"\w+\.(\w+)", one))) for one in keys))


def braces(text: str, start: int) -> str:
    """What stands between an opening brace, already passed, and its partner."""
    depth = 1
    for at in range(start, min(len(text), start + 40_000)):
        depth += (text[at] == "{") - (text[at] == "}")
        if depth == 0:
            return text[start:at]
    return text[start : start + 40_000]
