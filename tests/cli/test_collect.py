"""`meteraudit collect`, and that `meteraudit audit -` reads what it wrote."""

import json
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bot.audit import audit_change, bundle_change
from bot.bundle import read_bundle
from bot.collect import BUDGET, SMALLEST, collect
from bot.git import LocalError
from bot.report.document import as_json
from rules.code import OwnNames
from rules.engine import examine
from rules.options import Options
from tests.cli.conftest import Meteraudit
from tests.cli.local_repositories import PLAIN, UNKEYED, put

EMIT = UNKEYED
SUMS = """
def month(cursor, start, end):
    return cursor.execute("SELECT SUM(tokens) FROM usage_events WHERE occurred_at >= %s AND occurred_at <= %s", (start, end))
"""
LIMIT = """
def allow(account, plan):
    if account.used_credits >= plan.credit_limit:
        raise QuotaExceededError(account.billing_plan)
"""
CLOSE = """
from datetime import datetime

def close_period(invoices, billing):
    start = datetime.now().replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    for invoice in invoices.since(start):
        billing.finalize_invoice(invoice)
"""
SHOW = """
@app.get("/usage")
def get_usage(request):
    return {"usage": load(request.user), "plan": request.user.subscription.plan}
"""
SILENT = "def add(a, b):\n    return a + b\n"
TABLE = "CREATE TABLE usage_events (id text PRIMARY KEY, tokens int, occurred_at timestamptz);\n"
POOL = [EMIT, PLAIN, SUMS, LIMIT, CLOSE, SHOW, SILENT, "--- x.py ---\n", "# credits\n---- y.py ---\nbilling = 1"]
PATHS = ["src/emit.py", "src/sums.py", "limits/allow.py", "jobs/close.py", "web/show.py", "lib/add.py", "api/more.py"]
FILES = st.dictionaries(st.sampled_from(PATHS), st.sampled_from(POOL), min_size=1)


def collected(folder: Path, budget: int = BUDGET) -> str:
    return collect(folder, budget, lambda path: None, OwnNames())


def audited(local: Any) -> dict[str, Any]:
    report: dict[str, Any] = json.loads(as_json(examine(local.change, Options(), "0")))
    return report


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(FILES, st.booleans())
def test_what_was_collected_in_full_audits_the_same(files: dict[str, str], with_schema: bool) -> None:
    schema = {"migrations/001_usage.sql": TABLE} if with_schema else {}
    with TemporaryDirectory() as name:
        folder = Path(name)
        put(folder, {**files, **schema, "always.py": EMIT})
        bundle = read_bundle(collected(folder, 1_000_000))
        whole, again = audited(audit_change([folder], folder, lambda path: None)), audited(bundle_change(bundle))

    assert whole.pop("subject") == again.pop("subject")
    for key in whole:
        assert whole[key] == again[key], key


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(PATHS), st.sampled_from(POOL), min_size=1),
    st.integers(SMALLEST, 12_000),
    st.integers(1, 400),
)
def test_a_bundle_keeps_to_its_budget_and_names_what_is_missing(files: dict[str, str], budget: int, repeats: int) -> None:
    with TemporaryDirectory() as name:
        folder = Path(name)
        put(folder, {**{path: text + "# more\n" * repeats for path, text in files.items()}, "always.py": EMIT})
        text = collected(folder, budget)
        kept = read_bundle(text)
        there = {path: (folder / path).read_text() for path in files}

    assert len(text) <= budget
    for path, whole in there.items():
        if path in kept:
            assert kept[path] == whole or (
                kept[path].startswith("\n".join(whole.split("\n")[:100])) and f"{path}: lines 101" in text
            )
        else:
            assert f"{path}: all of it" in text or "without a word of billing" in text


def test_files_come_by_their_part_and_the_context_comes_first(tmp_path: Path) -> None:
    put(tmp_path, {"a/show.py": SHOW, "b/close.py": CLOSE, "c/limit.py": LIMIT, "d/sums.py": SUMS, "e/emit.py": EMIT})
    put(tmp_path, {"f/migrations/1.sql": TABLE, "g/add.py": SILENT})
    text = collected(tmp_path)

    assert list(read_bundle(text)) == ["e/emit.py", "d/sums.py", "c/limit.py", "b/close.py", "a/show.py", "f/migrations/1.sql"]
    head = text.split("--- e/emit.py ---")[0]
    assert [line.partition(":")[0] for line in head.splitlines() if ":" in line] == [
        "Provider",
        "Usage metric",
        "Billing period",
        "Stack",
    ]
    assert "Provider: Stripe" in head
    assert "Python" in head
    assert text.endswith("--- left out/ ---\n1 file without a word of billing\n")


def test_over_the_budget_the_least_important_goes_first(tmp_path: Path) -> None:
    put(tmp_path, {"emit.py": EMIT + "# x\n" * 90, "limit.py": LIMIT + "# y\n" * 900, "show.py": SHOW + "# z " * 900})
    text = collected(tmp_path, 5_000)

    assert list(read_bundle(text)) == ["emit.py", "limit.py"]
    assert "limit.py: lines 101 to 9" in text
    assert "show.py: all of it (display)" in text
    assert "# cut here: 8" in read_bundle(text)["limit.py"]


def test_the_list_at_the_end_is_no_file(tmp_path: Path) -> None:
    assert read_bundle("--- a.py ---\nx = 1\n--- left out/ ---\nb.py: all of it\n") == {"a.py": "x = 1"}


def test_a_folder_without_billing_is_nothing_to_collect(tmp_path: Path) -> None:
    put(tmp_path, {"add.py": SILENT})

    with pytest.raises(LocalError, match=r"no file below .* speaks of billing"):
        collected(tmp_path)


def test_what_collect_writes_audit_reads(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"src/usage.py": UNKEYED, "tests/test_usage.py": UNKEYED})

    bundle = meteraudit("collect", tmp_path)
    ran = meteraudit("audit", "-", "--format", "json", given=bundle.out.encode())

    assert (bundle.code, bundle.err, ran.code) == (0, "", 1)
    assert [one[1] for one in ran.places] == ["src/usage.py"]


def test_a_bundle_can_be_written_to_a_file(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED})

    ran = meteraudit("collect", "--output", tmp_path / "bundle.txt")

    assert (ran.code, ran.out) == (0, "")
    assert "--- usage.py ---" in (tmp_path / "bundle.txt").read_text()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("gone",), "gone is not a folder: name the one to collect from."),
        (("--budget", "10"), "holds no code: give --budget at least"),
        ((), "Nothing to collect"),
    ],
)
def test_what_cannot_be_collected_is_said(meteraudit: Meteraudit, words: tuple[str, ...], said: str) -> None:
    ran = meteraudit("collect", *words)

    assert (ran.code, ran.out, said in ran.err) == (2, "", True)


def test_what_cannot_be_read_is_in_the_list(meteraudit: Meteraudit, tmp_path: Path) -> None:
    put(tmp_path, {"usage.py": UNKEYED, "latin.py": b"\xf6"})

    assert "latin.py: not UTF-8 text at line 1" in meteraudit("collect").out
