"""Tables from what Java and Kotlin projects declare: JPA and Spring Data annotations, Exposed, Liquibase."""

import re
from collections.abc import Iterator

from rules.facts import fold
from rules.schema.tables import Table, columns

CLASS = re.compile(r"\b(?:class|record)\s+(\w+)")
FIELD = re.compile(
    r"((?:@[\w:.]+(?:\([^()]*(?:\([^()]*\)[^()]*)*\))?\s+)*)"
    r"(?:(?:private|protected|public|final|lateinit|override|internal|transient)\s+)*"
    r"(?:(?:va[lr])\s+(?P<kotlin>\w+)\s*:\s*(?P<kind>[\w.<>?]+)|(?P<type>[\w.<>,\[\]]+)\s+(?P<java>\w+)\s*[;=])"
)
# No part gives back what it took: with four annotations in a row, that was a matter of minutes.
METHOD = re.compile(r"\n\s*+(?:@\w[^\n]*+\n\s*+)*+[\w<>\[\]][\w<>\[\], ]*+\(([^;{]{0,4000}+)\{")
PARAMETERS_END = re.compile(r"\)\s*(?:throws [\w, ]+)?\Z")
KEYS = re.compile(r"@(?:field:|get:|property:)?(?:Id|EmbeddedId|MongoId)\b|unique\s*=\s*true")
GROUPS = re.compile(r"@?UniqueConstraint\s*\([^()]*?columnNames\s*=\s*[{\[]?([^}\])]*)")
INDEXES = re.compile(r"@?Index\s*\(([^()]*)\)")
COMPOUND = re.compile(r"@CompoundIndex\s*\(([^()]*)\)")


def jpa(text: str) -> Iterator[Table]:
    """Entities and documents. A table goes by its class's name and by its own."""
    for match in re.finditer(r"@(?:Entity|Document|Table|MappedEntity)\b", text):
        holder = CLASS.search(text, match.end())
        if holder is None or re.search(
            r"[;}]", re.sub(r"\{[^{}]*\}|\([^()]*\)|\"[^\"]*\"", "", text[match.end() : holder.start()])
        ):
            continue
        marks = text[match.start() : holder.start()]
        body, unique = fields(text[holder.end() : holder.end() + 40_000])
        unique |= {columns(one) for one in GROUPS.findall(marks)}
        for index in (*INDEXES.findall(marks), *COMPOUND.findall(marks)):
            named = re.search(r"columnList\s*=\s*\"([^\"]*)\"", index)
            keyed = re.search(r"def\s*=\s*\"\{([^}]*)\}\"", index)
            if re.search(r"unique\s*=\s*true", index) and (named or keyed):
                unique.add(columns(named[1]) if named else frozenset(fold(one) for one in re.findall(r"'(\w+)'", keyed[1])))  # type: ignore[index]
        written = re.search(r"@(?:Table|MappedEntity|Document)\s*\(\s*(?:(?:name|collection|value)\s*=\s*)?\"(\w+)\"", marks)
        for name in filter(None, (holder[1], written[1] if written else None)):
            yield Table(name, body, frozenset(unique))


def fields(text: str) -> tuple[dict[str, str], set[frozenset[str]]]:
    """Folded columns with their types, and the ones that are unique alone."""
    found: dict[str, str] = {}
    unique: set[frozenset[str]] = set()
    for one in FIELD.finditer(text[: first_method(text)]):
        name, kind = one["kotlin"] or one["java"], one["kind"] or one["type"]
        if kind in ("return", "package", "import", "class", "throw", "new", "static") or "static" in one[0]:
            continue
        written = re.search(r"@(?:field:|get:)?(?:Column|JoinColumn|Field)\s*\(\s*(?:[^()]*?\bname\s*=\s*)?\"(\w+)\"", one[1])
        column = fold(written[1] if written else name)
        found[column] = kind.lower()
        if KEYS.search(one[1]):
            unique.add(frozenset({column}))
    return found, unique


def first_method(text: str) -> int | None:
    """Where the annotations of the first method with a body begin: there the columns end."""
    opened = (one for one in METHOD.finditer(text) if PARAMETERS_END.search(one[1]))
    return next((one.start() for one in opened), None)


def exposed(text: str) -> Iterator[Table]:
    """`object UsageEvents : Table("usage_events") { val key = varchar("key", 64).uniqueIndex() }`."""
    for match in re.finditer(
        r"object\s+(\w+)\s*:\s*\w*Table\w*(?:<[^>]*>)?\s*\(\s*(?:\"(\w+)\")?[^)]*\)\s*\{(.*?)^\}", text, re.M | re.S
    ):
        found: dict[str, str] = {}
        names: dict[str, str] = {}
        unique: set[frozenset[str]] = set()
        for name, kind, column, rest in re.findall(r"val\s+(\w+)[^=\n]*=\s*(\w+)(?:<[^>]*>)?\(\s*\"(\w+)\"([^\n]*)", match[3]):
            names[name] = fold(column)
            found[fold(column)] = kind.lower()
            if ".uniqueIndex(" in rest:
                unique.add(frozenset({fold(column)}))
        for listed in re.findall(r"(?:\buniqueIndex|PrimaryKey|index\(\s*(?:isUnique\s*=\s*)?true,)\s*\(?([^)]*)\)", match[3]):
            keys = [one.strip() for one in listed.split(",") if one.strip() in names]
            unique |= {frozenset(names[one] for one in keys)} if keys else set()
        if re.search(rf"object\s+{match[1]}\s*:\s*\w*IdTable", text):
            unique.add(frozenset({"id"}))
        for table in filter(None, (match[1], match[2])):
            yield Table(table, found, frozenset(unique))


def liquibase(text: str) -> Iterator[Table]:
    """Change logs in XML."""
    for match in re.finditer(r"<(createTable|addColumn)\b([^>]*)>(.*?)</\1>", text, re.S):
        table = re.search(r"tableName=\"(\w+)\"", match[2])
        found: dict[str, str] = {}
        unique: set[frozenset[str]] = set()
        for marks, body in re.findall(r"<column\b([^>]*?)(?:/>|>(.*?)</column>)", match[3], re.S):
            name = re.search(r"\bname=\"(\w+)\"", marks)
            kind = re.search(r"\btype=\"([^\"]*)\"", marks)
            if name:
                found[fold(name[1])] = kind[1].lower() if kind else ""
                if re.search(r"(?:unique|primaryKey)=\"true\"", body):
                    unique.add(frozenset({fold(name[1])}))
        if table:
            yield Table(table[1], found, frozenset(unique))
    for marks in re.findall(r"<(?:addUniqueConstraint|addPrimaryKey)\b([^>]*)>", text):
        table, listed = re.search(r"tableName=\"(\w+)\"", marks), re.search(r"columnNames=\"([^\"]*)\"", marks)
        if table and listed:
            yield Table(table[1], unique=frozenset({columns(listed[1])}))
    for marks, body in re.findall(r"<createIndex\b([^>]*unique=\"true\"[^>]*)>(.*?)</createIndex>", text, re.S):
        table = re.search(r"tableName=\"(\w+)\"", marks)
        keys = frozenset(fold(one) for one in re.findall(r"<column\b[^>]*name=\"(\w+)\"", body))
        if table and keys:
            yield Table(table[1], unique=frozenset({keys}))
