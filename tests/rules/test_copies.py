"""What stands in a copy of a file, too, is said once and names the copy."""

from rules.change import Change, ChangedFile, Hunk
from rules.engine import examine
from rules.options import Options
from rules.report import Report, Reported

CREDITS = """
export async function deductCredits(team: string, amount: number) {
  const row = await prisma.team.findUnique({ where: { id: team } });
  await prisma.team.update({ where: { id: team }, data: { credits: Math.max(0, row.credits - amount) } });
}
"""
LAID_OUT = CREDITS.replace(
    "{ credits: Math.max(0, row.credits - amount) }", "{\n    credits: Math.max(0, (row.credits) - amount),\n  },\n "
)
MAIN, COPY = "src/billing/credits.ts", "old state (2)/app/src/billing/credits.ts"


def said(files: dict[str, str], partial: bool = False) -> Report:
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in sorted(files.items())), partial=partial)
    return examine(change, Options(), "0")


def cut(report: Report) -> list[Reported]:
    """What the cap costs, which nothing mends by itself."""
    return [one for one in report.findings if one.rule == "MTR-410"]


def places(report: Report) -> list[str]:
    return [one.path for one in cut(report)]


def test_it_is_said_in_the_main_place_and_names_the_copy_however_that_is_laid_out() -> None:
    report = said({MAIN: CREDITS, COPY: LAID_OUT})

    assert places(report) == [MAIN]
    assert cut(report)[0].description.endswith(f"The same stands in the copy `{COPY}`.")
    assert (COPY, 4) in [(step.path, step.line) for step in cut(report)[0].trace]


def test_several_copies_are_counted() -> None:
    report = said({MAIN: CREDITS, COPY: LAID_OUT, "third/billing/credits.ts": CREDITS})

    assert cut(report)[0].description.endswith("The same stands in 2 copies of this file.")


def test_a_copy_that_was_changed_since_is_no_copy() -> None:
    changed = CREDITS.replace("where: { id: team } });", "where: { id: team, open: true } });", 1)

    assert places(said({MAIN: CREDITS, COPY: changed})) == [COPY, MAIN]


def test_the_same_code_in_a_file_that_lies_elsewhere_is_said_there() -> None:
    assert places(said({MAIN: CREDITS, "app/teams/credits.ts": CREDITS})) == ["app/teams/credits.ts", MAIN]


def test_a_file_at_the_top_is_nobodys_copy() -> None:
    assert places(said({"credits.ts": CREDITS, "services/teams/credits.ts": CREDITS})) == [
        "credits.ts",
        "services/teams/credits.ts",
    ]


def test_one_with_a_safe_fix_is_said_in_both_so_that_both_can_be_mended() -> None:
    report = said({MAIN: CREDITS, COPY: CREDITS})

    assert [COPY, MAIN] == [one.path for one in report.findings if one.fix is not None and one.fix.safe]


def test_where_only_some_files_are_audited_each_is_told() -> None:
    assert places(said({MAIN: CREDITS, COPY: CREDITS}, partial=True)) == [COPY, MAIN]


def test_a_review_tells_each_changed_line() -> None:
    lines = CREDITS.count("\n")
    hunk = Hunk(0, 0, 1, lines, frozenset(range(1, lines + 1)), frozenset())
    files = tuple(ChangedFile(path, None, CREDITS, (hunk,)) for path in (COPY, MAIN))

    assert places(examine(Change("review", files), Options(), "0")) == [COPY, MAIN]
