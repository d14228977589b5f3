"""What one function does wrong several times in the same way is one finding."""

from rules.change import Change, ChangedFile, Hunk
from rules.engine import examine
from rules.options import Options
from rules.report import Report

TWICE = """
export async function answer(service: UsageService, key: string, first: Reply, second: Reply) {
  try {
    await service.recordUsage(key, first.tokens);
  } catch (error) {
    console.error("usage not recorded", error);
  }
  try {
    await service.recordUsage(key, second.tokens);
  } catch (error) {
    console.error("usage not recorded", error);
  }
}
"""
SECOND_BLOCK = Hunk(8, 1, 8, 5, frozenset(range(8, 13)), frozenset())


def audited(text: str) -> Report:
    return examine(Change("audit", (ChangedFile("usage.ts", None, text),)), Options(), "0")


def test_two_that_say_the_same_in_one_function_are_one_finding_that_names_the_other() -> None:
    findings = audited(TWICE).findings

    assert [5] == [one.line for one in findings]
    assert findings[0].description.endswith("The same stands once more in `answer`.")
    assert 10 in [step.line for step in findings[0].trace]


def test_the_finding_keeps_the_fingerprint_that_it_has_alone() -> None:
    alone = TWICE[: TWICE.rindex("  try {")] + "}\n"

    assert audited(alone).findings[0].fingerprint == audited(TWICE).findings[0].fingerprint


def test_the_same_in_two_functions_stays_two_findings() -> None:
    first, second = TWICE[: TWICE.rindex("  try {")] + "}\n", TWICE[: TWICE.rindex("  try {")] + "}\n"

    assert 2 == len(audited(first + second.replace("answer", "reply")).findings)


def test_in_a_review_what_stood_there_before_is_not_mixed_with_what_is_new() -> None:
    file = ChangedFile("usage.ts", TWICE[: TWICE.rindex("  try {")] + "}\n", TWICE, (SECOND_BLOCK,), "usage.ts")

    findings = examine(Change("review", (file,)), Options(), "0").findings

    assert [("new", 10), ("existing", 5)] == sorted(((one.state, one.line) for one in findings), reverse=True)


SPENDS = """
export async function paint(db: Database, req: Request) {
  const account = await db.accounts.findById(req.accountId);
  if (account.credits < COST) {
    throw new OutOfCredits();
  }
  const first = await model.paint(req.prompt);
  const second = await model.paint(req.prompt);
  const third = await model.paint(req.prompt);
  await gallery.keep(first, second, third);
  await db.accounts.update({ id: account.id, credits: account.credits - COST });
  return third;
}
"""
TEST_LINE, WRITE_LINE = 4, 11


def test_a_limit_that_is_tested_early_and_its_counter_written_back_late_are_one_defect() -> None:
    findings = [one for one in audited(SPENDS).findings if one.confidence != "possible"]

    assert [("MTR-401", TEST_LINE)] == [(one.rule, one.line) for one in findings]
    assert WRITE_LINE in [step.line for step in findings[0].trace]


def test_a_write_with_a_safe_fix_is_told_beside_the_test() -> None:
    prisma = SPENDS.replace(
        "db.accounts.update({ id: account.id, credits: account.credits - COST })",
        "prisma.account.update({ where: { id: account.id }, data: { credits: account.credits - COST } })",
    )

    findings = [one for one in audited(prisma).findings if one.confidence != "possible"]

    assert [("MTR-401", TEST_LINE), ("MTR-308", WRITE_LINE)] == [(one.rule, one.line) for one in findings]


def test_where_a_change_touches_only_the_write_it_is_told_there() -> None:
    hunk = Hunk(WRITE_LINE, 1, WRITE_LINE, 1, frozenset({WRITE_LINE}), frozenset())
    before = "\n".join(line for line in SPENDS.split("\n") if "update" not in line)
    file = ChangedFile("usage.ts", before, SPENDS, (hunk,), "usage.ts")

    findings = examine(Change("review", (file,)), Options(), "0").findings

    told = next(one for one in findings if one.rule in ("MTR-308", "MTR-401"))
    assert ("MTR-308", "new", WRITE_LINE) == (told.rule, told.state, told.line)
    assert TEST_LINE in [step.line for step in told.trace]
    assert "MTR-401" not in [one.rule for one in findings]
