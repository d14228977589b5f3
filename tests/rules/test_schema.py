"""Unique keys and types are read from every common way of writing a schema."""

import pytest

from rules.schema import schema_of

SOURCES = {
    "m/1.sql": """
CREATE TABLE usage_events (
  id uuid PRIMARY KEY, tenant_id text, key text, amount DOUBLE PRECISION,
  UNIQUE (tenant_id, key)
);
""",
    "m/2.sql": """
create table usage_events (tenant_id text, key text);
create unique index concurrently x on public.usage_events (tenant_id, key);
""",
    "schema.prisma": """
model UsageEvent {
  id       String @id
  tenantId String
  key      String
  amount   Float
  @@unique([tenantId, key])
}
""",
    "schema.ts": """
export const usageEvents = pgTable("usage_events", {
  id: uuid("id").primaryKey(),
  tenantId: text("tenant_id"),
  key: text("key"),
}, (t) => [uniqueIndex("x").on(t.tenantId, t.key)]);
""",
    "models.py": """
class UsageEvent(Base):
    __tablename__ = "usage_events"
    tenant_id = Column(String)
    key = Column(String)
    __table_args__ = (UniqueConstraint("tenant_id", "key"),)
""",
    "app/models.py": """
class UsageEvent(models.Model):
    tenant_id = models.CharField()
    key = models.CharField()

    class Meta:
        unique_together = [("tenant_id", "key")]
""",
    "alembic/versions/a.py": "op.create_unique_constraint('x', 'usage_events', ['tenant_id', 'key'])\n",
    "alembic/versions/b.py": "op.create_index('x', 'usage_events', ['tenant_id', 'key'], unique=True)\n",
    "model.go": """
type UsageEvent struct {
	TenantID string `gorm:"uniqueIndex:idx_key"`
	Key      string `gorm:"uniqueIndex:idx_key"`
}
""",
    "ent/schema/usage.go": """
func (UsageEvent) Indexes() []ent.Index {
	return []ent.Index{index.Fields("tenant_id", "key").Unique()}
}
""",
    "db/schema.rb": """
create_table "usage_events" do |t|
  t.string "tenant_id"
  t.index ["tenant_id", "key"], name: "x", unique: true
end
""",
    "app/models/usage_event.rb": """
class UsageEvent < ApplicationRecord
end

# == Schema Information
#
# Table name: usage_events
#
#  id           :bigint           not null, primary key
#  key          :string           not null
#  lock_version :integer          default(0)
#  tenant_id    :uuid             not null
#
# Indexes
#
#  index_usage_events_on_tenant_id          (tenant_id)
#  index_usage_events_on_tenant_id_and_key  (tenant_id,key) UNIQUE
#
""",
    "src/Entity/UsageEvent.php": """
<?php

#[ORM\\Entity]
#[ORM\\Table(name: 'usage_events')]
#[ORM\\UniqueConstraint(name: 'once', columns: ['tenant_id', 'key'])]
class UsageEvent
{
    #[ORM\\Column(type: 'integer')]
    private int $amount;

    #[ORM\\Column]
    private string $key;
}
""",
    "2024_create.php": """
Schema::create('usage_events', function ($table) {
  $table->string('key');
  $table->unique(['tenant_id', 'key']);
});
""",
    "UsageEvent.java": """
@Entity
@Table(name = "usage_events", uniqueConstraints = @UniqueConstraint(columnNames = {"tenant_id", "key"}))
public class UsageEvent {
    @Id private UUID id;
    @Column(name = "tenant_id", nullable = false)
    private String tenantId;
    private String key;

    public UUID getId() {
        return id;
    }
}
""",
    "UsageEvents.kt": """
object UsageEvents : Table("usage_events") {
    val tenant = text("tenant_id")
    val key = varchar("key", 64)
    init {
        uniqueIndex(tenant, key)
    }
}
""",
    "Data/AppDbContext.cs": """
public class AppDbContext : DbContext
{
    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<UsageEvent>(entity =>
        {
            entity.ToTable("usage_events");
            entity.HasIndex(one => new { one.TenantId, one.Key }).IsUnique();
            entity.HasIndex(one => one.Key);
        });
    }
}
""",
    "Migrations/1_Create.cs": """
migrationBuilder.CreateTable(
    name: "UsageEvents",
    columns: table => new { TenantId = table.Column<string>(type: "text"), Key = table.Column<string>(type: "text") },
    constraints: table => { table.UniqueConstraint("AK", x => new { x.TenantId, x.Key }); });
""",
    "Migrations/2_Index.cs": """
migrationBuilder.CreateIndex(name: "IX", table: "UsageEvents", columns: new[] { "TenantId", "Key" }, unique: true);
""",
    "Entities/UsageEvent.cs": """
[Index(nameof(TenantId), nameof(Key), IsUnique = true)]
public class UsageEvent
{
    public string TenantId { get; set; }
    public string Key { get; set; }
}
""",
    "src/schema.rs": """
diesel::table! {
    usage_events (tenant_id, key) {
        tenant_id -> Text,
        key -> Text,
    }
}
""",
    "migration/src/m1.rs": """
manager.create_index(Index::create().unique().name("x").table(UsageEvents::Table)
    .col(UsageEvents::TenantId).col(UsageEvents::Key).to_owned()).await?;
""",
    "db/changelog/1.xml": """
<createTable tableName="usage_events">
  <column name="tenant_id" type="text"/><column name="key" type="text"><constraints nullable="false"/></column>
</createTable>
<addUniqueConstraint tableName="usage_events" columnNames="tenant_id, key"/>
""",
}


@pytest.mark.parametrize("path", SOURCES)
def test_a_unique_key_is_read(path: str) -> None:
    schema = schema_of({path: SOURCES[path]})

    assert schema.is_unique("UsageEvent", ["tenantId", "key", "amount"])
    assert schema.is_unique("usage_events", ["tenant_id", "key"])
    assert not schema.is_unique("usage_events", ["key"])


def test_a_table_that_nothing_describes_is_unknown() -> None:
    assert schema_of({}).is_unique("usage_events", ["key"]) is None


def test_types_are_kept() -> None:
    table = schema_of({"m/1.sql": SOURCES["m/1.sql"]}).table("usage_events")

    assert table is not None
    assert "double" == table.columns["amount"].split()[0]


def test_an_engine_and_its_key_are_kept() -> None:
    ddl = "CREATE TABLE events (id String, ts DateTime) ENGINE = ReplacingMergeTree(ts) ORDER BY (id, ts);"
    table = schema_of({"a.sql": ddl}).table("events")

    assert table is not None
    assert ("replacingmergetree", ("id", "ts")) == (table.engine, table.order_by)


def test_a_unique_column_is_a_key_of_its_own() -> None:
    assert schema_of({"schema.prisma": "model Event {\n  id Int @id\n  key String @unique\n}\n"}).is_unique("events", ["key"])
    assert schema_of({"a.sql": "create table events (key text unique, n int)"}).is_unique("Event", ["key"])


def test_a_unique_column_of_an_entity_is_a_key_of_its_own() -> None:
    entity = "@Entity\npublic class Receipt {\n  @Id private Long id;\n  @Column(unique = true) private String eventId;\n}\n"
    schema = schema_of({"Receipt.java": entity})

    assert schema.is_unique("receipts", ["event_id"])
    assert not schema.is_unique("receipts", ["n"])


def test_a_model_with_many_annotations_and_no_method_is_read_to_its_end() -> None:
    """Each annotation more made an earlier reader ten times slower."""
    marks = "".join(f"    @Annotation{number}(value = true)\n" for number in range(20))
    fields = "".join(f"{marks}    val amount{number}: Long,\n" for number in range(20))
    table = schema_of({"Charge.kt": f"@Entity\ndata class Charge(\n{fields}    val receipt: String\n)\n"}).table("charge")

    assert table is not None
    assert {"amount0": "long", "amount19": "long", "receipt": "string"}.items() <= table.columns.items()


def test_the_columns_of_an_annotated_model_and_of_an_entity_are_read() -> None:
    model = schema_of({"a.rb": SOURCES["app/models/usage_event.rb"]}).table("usage_event")
    entity = schema_of({"a.php": SOURCES["src/Entity/UsageEvent.php"]}).table("usage_events")

    assert model is not None
    assert "lockversion" in model.columns
    assert entity is not None
    assert {"amount": "integer", "key": "string"} == dict(entity.columns)


def test_a_later_migration_changes_the_type_of_a_column() -> None:
    made = "CREATE TABLE charges (id BIGINT, amount REAL, fee REAL);"
    changed = 'ALTER TABLE "charges" ALTER COLUMN "amount" SET DATA TYPE numeric(20, 6), ALTER COLUMN fee TYPE bigint;'

    table = schema_of({"m/1.sql": made, "m/2.sql": changed}).table("charges")

    assert table is not None
    assert {"id": "bigint", "amount": "numeric(20, 6)", "fee": "bigint"} == dict(table.columns)
