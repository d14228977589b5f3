"""The project's schema, read from migrations and model definitions as text: it need not parse to be of use."""

import re
from collections.abc import Iterator, Mapping

from rules.schema import entity_framework, jvm_models, models, rust_tables, sql
from rules.schema.tables import Schema, Table, joined

__all__ = ["Schema", "Table", "looks_like_schema", "schema_of"]

READERS = (
    ((".prisma",), ("model ",), models.prisma),
    (
        (".sql", ".py", ".ts", ".js", ".go", ".rb", ".php", ".cs"),
        ("create table", "alter table", "unique index", "add constraint"),
        sql.tables,
    ),
    ((".ts", ".js"), ("Table(",), models.drizzle),
    ((".py",), ("Column(", "Field(", "mapped_column("), models.python_models),
    ((".py",), ("op.create_", "op.add_column", "op.alter_column"), models.alembic),
    ((".go",), ("gorm:", "Indexes()", "bun:"), models.go_models),
    ((".rb",), ("create_table", "add_index", "add_column", "rename_column"), models.rails),
    ((".rb",), ("Schema Information",), models.annotated),
    ((".php",), ("Schema::",), models.laravel),
    ((".php",), ("ORM\\", "#[Entity"), models.doctrine),
    ((".java", ".kt"), ("create table", "alter table", "unique index", "add constraint"), sql.tables),
    ((".java", ".kt"), ("@Entity", "@Document", "@Table", "@MappedEntity"), jvm_models.jpa),
    ((".kt",), ("Table(",), jvm_models.exposed),
    ((".xml",), ("<createTable", "<addUniqueConstraint", "<createIndex"), jvm_models.liquibase),
    ((".rs",), ("table!", "sea_orm(", "Index::create"), rust_tables.rust_tables),
    ((".cs",), ("Entity", "migrationBuilder", "{ get;", "[Index("), entity_framework.entity_framework),
)
"""Endings, words of which one must occur, and what reads it."""
SIZE = 1024 * 1024
JVM_NAMES = re.compile(r"(Entity|Document|Tables?|Schema)\.(?:java|kt)$")


def schema_of(texts: Mapping[str, str]) -> Schema:
    """All tables that these files describe."""
    return joined(table for path, text in sorted(texts.items()) for table in tables_in(path, text))


def tables_in(path: str, text: str) -> Iterator[Table]:
    lowered = ""
    for endings, words, read in READERS:
        if not path.endswith(endings) or len(text) > SIZE:
            continue
        lowered = lowered or text.lower()
        if any(word.lower() in lowered for word in words):
            yield from read(text)


def looks_like_schema(path: str) -> bool:
    """Whether a path is worth reading for its tables, by its name alone."""
    said = path.lower()
    if re.search(r"(^|/)(spec|tests?|features)/", said):
        return False
    if said.endswith((".prisma", "schema.rb", "structure.sql", "schema.sql", "ddl.sql", "schema.ts")):
        return True
    if said.endswith((".java", ".kt")):
        return any(one in said for one in ("/entity/", "/entities/", "/model/", "/models/", "/domain/", "/tables/")) or bool(
            JVM_NAMES.search(path)
        )
    if said.endswith(".xml"):
        return "changelog" in said or "liquibase" in said
    folders = ("migration", "alembic/versions", "/schema/", "ent/schema", "db/migrate", "/models/", "drizzle/", "/entities/")
    named = said.rsplit("/", 1)[-1]
    return said.endswith((".sql", ".py", ".ts", ".go", ".rb", ".php", ".cs", ".rs")) and (
        any(folder in said for folder in folders)
        or named.endswith(("dbcontext.cs", "entityconfiguration.cs"))
        or named in ("models.py", "model.go", "models.go", "schema.go", "tables.py", "schema.rs")
    )
