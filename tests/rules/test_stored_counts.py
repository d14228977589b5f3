"""A count that the database keeps by itself is not lost with a write of the program."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

METER = """
export class StorageMeter {
  async addUpload(tenantId: string, bytes: number) {
    const { error } = await this.supabase.rpc("add_stored_bytes", { tenant: tenantId, bytes });
    if (error) {
      const row = await this.read(tenantId);
      await this.supabase.from("storage_usage").update({ used_bytes: row.used_bytes + bytes }).eq("tenant_id", tenantId);
    }
  }

  async assertRoom(tenantId: string) {
    const row = await this.read(tenantId);
    if (row.used_bytes >= row.limit_bytes) throw new QuotaExceeded(tenantId);
  }
}
"""
UPLOAD = """
export async function POST(request: Request) {
  const upload = await request.json();
  await meter.assertRoom(upload.tenantId);
  await supabase.from("uploads").insert({ tenant_id: upload.tenantId, bytes: upload.bytes }).throwOnError();
  await meter.addUpload(upload.tenantId, upload.bytes);
  return Response.json({ stored: true });
}
"""
PROCEDURE = """
CREATE FUNCTION add_stored_bytes(tenant UUID, bytes BIGINT) RETURNS VOID AS $$
BEGIN
  UPDATE storage_usage SET used_bytes = used_bytes + bytes WHERE tenant_id = tenant;
END;
$$ LANGUAGE plpgsql;
"""
TRIGGER = """
CREATE FUNCTION count_upload() RETURNS TRIGGER AS $$
BEGIN
  UPDATE storage_usage SET used_bytes = used_bytes + NEW.bytes WHERE tenant_id = NEW.tenant_id;
  RETURN NEW;
END;
$$ LANGUAGE plpgsql;

CREATE TRIGGER uploads_counted AFTER {event} ON public.{table} FOR EACH ROW EXECUTE FUNCTION count_upload();
"""


@pytest.mark.parametrize(
    ("sql", "confidence"),
    [
        ("", "likely"),
        (PROCEDURE, "possible"),
        (PROCEDURE.replace("used_bytes + bytes", "bytes"), "likely"),
        (TRIGGER.format(event="INSERT", table="uploads"), "possible"),
        (TRIGGER.format(event="DELETE", table="uploads"), "likely"),
        (TRIGGER.format(event="INSERT", table="invites"), "likely"),
    ],
)
def test_a_lost_write_loses_no_count_that_the_database_keeps(sql: str, confidence: str) -> None:
    texts = {"src/meter.ts": METER, "src/app/api/upload/route.ts": UPLOAD, "migrations/001_usage.sql": sql}
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in texts.items()))

    found = examine(change, Options(), "test").findings

    assert [confidence] == [one.confidence for one in found if one.rule == "MTR-103"]
