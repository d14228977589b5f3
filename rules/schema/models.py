"""Tables from model definitions: Prisma, Drizzle, SQLAlchemy, Alembic, Django, gorm, ent, Rails, Laravel."""

import re
from collections.abc import Iterator

from rules.facts import fold
from rules.schema.sql import inside
from rules.schema.tables import Table, columns

LIST = r"[\[(]([^\])]*)[\])]"


def prisma(text: str) -> Iterator[Table]:
    for match in re.finditer(r"^\s*model\s+(\w+)\s*\{(.*?)^\s*\}", text, re.M | re.S):
        body = match[2]
        found = {fold(name): kind.lower() for name, kind in re.findall(r"^\s*(\w+)\s+(\w+)", body, re.M)}
        unique = {columns(one) for one in re.findall(r"@@(?:unique|id)\(\s*(?:fields:\s*)?\[([^\]]*)\]", body)}
        unique |= {frozenset({fold(one)}) for one in re.findall(r"^\s*(\w+)[^\n@]*[^\n]*?\s@(?:unique|id)\b", body, re.M)}
        mapped = re.search(r'@@map\("(\w+)"\)', body)
        yield Table(match[1], found, frozenset(unique))
        if mapped:
            yield Table(mapped[1], found, frozenset(unique))


def drizzle(text: str) -> Iterator[Table]:
    for match in re.finditer(r"(?:(\w+)\s*=\s*)?(?:pg|mysql|sqlite|\w*[tT])Table\(\s*[\"'](\w+)[\"']\s*,", text):
        body, _ = inside(text, match.end())
        found = {fold(name): kind.lower() for name, kind in re.findall(r"^\s*(\w+):\s*(\w+)\(", body, re.M)}
        unique = {columns(one) for one in re.findall(r"(?:uniqueIndex|unique)\([^)]*\)\s*\.on\(([^)]*)\)", body, re.S)}
        unique |= {
            columns(one) for one in re.findall(r"primaryKey\(\{?\s*(?:name:[^,]*,\s*)?(?:columns:\s*)?\[([^\]]*)\]", body)
        }
        for line in re.findall(r"^\s*(\w+):[^\n]*(?:\n\s*\.[^\n]*)*", body, re.M):
            whole = re.search(rf"^\s*{line}:[^\n]*(?:\n\s*\.[^\n]*)*", body, re.M)
            if whole and re.search(r"\.(?:unique|primaryKey)\(", whole[0]):
                unique.add(frozenset({fold(line)}))
        for name in filter(None, (match[1], match[2])):
            yield Table(name, found, frozenset(unique))


def python_models(text: str) -> Iterator[Table]:
    """SQLAlchemy and Django classes."""
    for match in re.finditer(r"^class\s+(\w+)\([^)]*\):\n((?:[ \t]+[^\n]*\n|\s*\n)*)", text, re.M):
        body = match[2]
        field = re.compile(r"^\s+(\w+)(?::[^=\n]+)?\s*=\s*(?:\w+\.)*(\w+Field|Column|mapped_column)\(", re.M)
        found: dict[str, str] = {}
        unique: set[frozenset[str]] = set()
        for one in field.finditer(body):
            given, _ = inside(body, one.end())
            found[fold(one[1])] = (one[2] + "(" + given).lower()[:80]
            if re.search(r"\b(?:unique|primary_key)\s*=\s*True", given):
                unique.add(frozenset({fold(one[1])}))
        unique |= {columns(one) for one in re.findall(r"UniqueConstraint\(\s*((?:[\"'][\w]+[\"']\s*,?\s*)+)", body)}
        unique |= {columns(one) for one in re.findall(rf"UniqueConstraint\([^)]*?fields\s*=\s*{LIST}", body, re.S)}
        unique |= {columns(one) for one in re.findall(r"unique_together\s*=\s*[\[(]+([^\])]*)[\])]", body)}
        unique |= {
            columns(re.sub(r"^\s*[\"']\w+[\"']\s*,", "", one))
            for one in re.findall(r"Index\(((?:[^()]|\([^()]*\))*?),\s*unique\s*=\s*True", body, re.S)
        }
        named = re.search(r"(?:__tablename__|db_table)\s*=\s*[\"'](\w+)[\"']", body)
        if not found and not unique:
            continue
        yield Table(match[1], found, frozenset(unique))
        if named:
            yield Table(named[1], found, frozenset(unique))


def alembic(text: str) -> Iterator[Table]:
    for table, inner in re.findall(rf"create_unique_constraint\(\s*[^,]*,\s*[\"'](\w+)[\"']\s*,\s*{LIST}", text):
        yield Table(table, unique=frozenset({columns(inner)}))
    for table, inner, rest in re.findall(rf"create_index\(\s*[^,]*,\s*[\"'](\w+)[\"']\s*,\s*{LIST}([^)]*)", text):
        if re.search(r"unique\s*=\s*True", rest):
            yield Table(table, unique=frozenset({columns(inner)}))
    for table, name in re.findall(r"add_column\(\s*[\"'](\w+)[\"']\s*,\s*(?:\w+\.)*Column\(\s*[\"'](\w+)[\"']", text):
        yield Table(table, {fold(name): ""})
    for table, name in re.findall(r"alter_column\(\s*[\"'](\w+)[\"'][^)]*?new_column_name\s*=\s*[\"'](\w+)[\"']", text):
        yield Table(table, {fold(name): ""})
    for match in re.finditer(r"op\.create_table\(\s*[\"'](\w+)[\"']\s*,", text):
        body, _ = inside(text, match.end())
        found = {
            fold(name): kind.lower() for name, kind in re.findall(r"Column\(\s*[\"'](\w+)[\"']\s*,\s*(?:\w+\.)*(\w+)", body)
        }
        keys = re.findall(r"(?:Unique|PrimaryKey)Constraint\(\s*((?:[\"']\w+[\"']\s*,?\s*)+)", body)
        yield Table(match[1], found, frozenset(columns(one) for one in keys))


def go_models(text: str) -> Iterator[Table]:
    """gorm tags and ent indexes."""
    for match in re.finditer(r"^type\s+(\w+)\s+struct\s*\{(.*?)^\}", text, re.M | re.S):
        found: dict[str, str] = {}
        groups: dict[str, set[str]] = {}
        for name, kind, tag in re.findall(r"^\s*(\w+)\s+([\w.*\[\]]+)[^\n`]*`([^`]*)`", match[2], re.M):
            found[fold(name)] = kind.lower()
            for index in re.findall(r"unique(?:Index|_index)?(?::(\w+))?|primaryKey|primary_key", tag, re.I):
                groups.setdefault(index or name, set()).add(fold(name))
        if "gorm:" in match[2] or "db:" in match[2] or "bun:" in match[2]:
            yield Table(match[1], found, frozenset(frozenset(one) for one in groups.values()))
    owner = re.search(r"func\s+\((?:\w+\s+)?\*?(\w+)\)\s+Indexes\(\)", text)
    if owner:
        keys = re.findall(r"index\.Fields\(([^)]*)\)(?:\.Edges\([^)]*\))?\s*\.\s*Unique\(\)", text)
        yield Table(owner[1], unique=frozenset(columns(one) for one in keys))


def rails(text: str) -> Iterator[Table]:
    for table, inner, rest in re.findall(
        r"add_index\s*\(?\s*[:\"'](\w+)[\"']?\s*,\s*([:\"']\w+[\"']?|\[[^\]]*\])([^\n]*)", text
    ):
        if re.search(r"unique:\s*true", rest):
            yield Table(table, unique=frozenset({columns(inner)}))
    renamed = r"rename_column\s*\(?\s*[:\"'](\w+)[\"']?\s*,\s*[:\"']\w+[\"']?\s*,\s*[:\"'](\w+)"
    added = r"add_column\s*\(?\s*[:\"'](\w+)[\"']?\s*,\s*[:\"'](\w+)"
    for table, name in (*re.findall(added, text), *re.findall(renamed, text)):
        yield Table(table, {fold(name): ""})
    for match in re.finditer(r"create_table\s+[:\"'](\w+)[\"']?(.*?)^\s*end\b", text, re.M | re.S):
        found = {fold(name): kind for kind, name in re.findall(r"^\s*t\.(\w+)\s+[:\"'](\w+)", match[2], re.M)}
        keys = re.findall(r"t\.index\s+([:\"']\w+[\"']?|\[[^\]]*\])[^\n]*unique:\s*true", match[2])
        yield Table(match[1], found, frozenset(columns(one) for one in keys))


def annotated(text: str) -> Iterator[Table]:
    """The comment that annotate writes into a model of ActiveRecord: `#  lock_version :integer  default(0)`."""
    for match in re.finditer(r"^# Table name: (\w+)\n((?:#.*\n?)*)", text, re.M):
        found = {fold(name): kind for name, kind in re.findall(r"^#  (\w+)\s+:(\w+)", match[2], re.M)}
        keys = re.findall(r"^#  \w+\s+\(([^)]*)\)\s+UNIQUE\s*$", match[2], re.M)
        yield Table(match[1], found, frozenset(columns(one) for one in keys))


def laravel(text: str) -> Iterator[Table]:
    for match in re.finditer(r"Schema::(?:create|table)\(\s*['\"](\w+)['\"](.*?)\n\s*\}\);", text, re.S):
        keys = {columns(one) for one in re.findall(r"->unique\(\s*\[([^\]]*)\]", match[2])}
        keys |= {
            frozenset({fold(one)}) for one in re.findall(r"->\w+\(\s*['\"](\w+)['\"][^;\n]*\)->[^;\n]*unique\(\)", match[2])
        }
        found = {
            fold(name): kind.lower() + (f"({total or 8},{places or 2})" if "ecimal" in kind else "")
            for kind, name, total, places in re.findall(
                r"\$table->(\w+)\(\s*['\"](\w+)['\"](?:,\s*(\d+)(?:,\s*(\d+))?)?", match[2]
            )
        }
        yield Table(match[1], found, frozenset(keys))


def doctrine(text: str) -> Iterator[Table]:
    """Entities of Doctrine: their columns, and the unique constraints of class and column."""
    for match in re.finditer(r"^(?:(?:abstract|final|readonly)\s+)*class\s+(\w+)", text, re.M):
        head = text[max(0, text.rfind("\n\n", 0, match.start())) : match.start()]
        body = text[match.end() :]
        found: dict[str, str] = {}
        for given, written, name in re.findall(r"#\[(?:ORM\\)?Column(?:\(([^\]]*)\))?\][^;$]*?(\w*)\s+\$(\w+)", body):
            kind = re.search(r"type:\s*(?:Types::|['\"])(\w+)", given)
            found[fold(name)] = (kind[1] if kind else written).lower()
        keys = {columns(one) for one in re.findall(r"UniqueConstraint\([^\]]*?(?:columns|fields):\s*\[([^\]]*)\]", head)}
        keys |= {frozenset({fold(one)}) for one in re.findall(r"Column\([^\]]*unique:\s*true[^\]]*\)\][^;$]*\$(\w+)", body)}
        named = re.search(r"Table\(\s*(?:name:\s*)?['\"]\W?(\w+)", head)
        for name in filter(None, (match[1], named[1] if named else "")):
            yield Table(name, found, frozenset(keys))
