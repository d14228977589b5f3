"""What nothing calls is not said aloud, where all of an application is at hand."""

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

ROUTE = """
import { deductCredits } from "../billing/credits";

export async function POST(request: Request) {
  const { team } = await request.json();
  await deductCredits(team, 1);
  return Response.json({ ok: true });
}
"""
CREDITS = """
export async function deductCredits(team: string, amount: number) {
  const row = await prisma.team.findUnique({ where: { id: team } });
  await prisma.team.update({ where: { id: team }, data: { credits: row.credits - amount } });
}
"""
ALLOWED = """
export async function mayRun(team: Team): Promise<boolean> {
  return team.credits >= 1;
}
"""
OTHERS = {f"src/lib/plan{number}.ts": f"export const usageLimit{number} = {number};\n" for number in range(5)} | {
    "src/lib/allowed.ts": ALLOWED
}


def said(files: dict[str, str], partial: bool = False) -> list[tuple[str, str]]:
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in sorted(files.items())), partial=partial)
    return [(one.path, one.confidence) for one in examine(change, Options(), "0").findings if one.rule == "MTR-308"]


def test_what_a_route_calls_is_said() -> None:
    assert said({**OTHERS, "src/billing/credits.ts": CREDITS, "src/app/api/run/route.ts": ROUTE}) == [
        ("src/billing/credits.ts", "certain")
    ]


def test_what_nothing_calls_is_only_possible() -> None:
    idle = ROUTE.replace("deductCredits", "takeCredits")

    assert said({**OTHERS, "src/billing/credits.ts": CREDITS, "src/app/api/run/route.ts": idle}) == [
        ("src/billing/credits.ts", "possible")
    ]


def test_a_test_is_no_caller() -> None:
    idle = ROUTE.replace("deductCredits", "takeCredits")
    files = {"src/billing/credits.ts": CREDITS, "src/billing/credits.test.ts": ROUTE, "src/app/api/run/route.ts": idle}

    assert said({**OTHERS, **files}) == [("src/billing/credits.ts", "possible")]


def test_a_library_is_called_by_others() -> None:
    assert said({**OTHERS, "src/billing/credits.ts": CREDITS}) == [("src/billing/credits.ts", "certain")]


def test_of_some_files_nobody_can_say_what_calls_them() -> None:
    idle = ROUTE.replace("deductCredits", "takeCredits")
    files = {**OTHERS, "src/billing/credits.ts": CREDITS, "src/app/api/run/route.ts": idle}

    assert said(files, partial=True) == [("src/billing/credits.ts", "certain")]


IDLE = (
    CREDITS
    + """
export async function grantCredits(team: string, amount: number) {
  await prisma.team.update({ where: { id: team }, data: { credits: { increment: amount } } });
}
"""
)
GRANTS = ROUTE.replace("deductCredits", "grantCredits")


def said_with_rest(rest: dict[str, str], sought: set[str], audited: str = IDLE) -> list[str]:
    """How sure a finding is where one file is audited, and others are looked through for the names that it defines."""
    file = ChangedFile("src/billing/credits.ts", None, audited)
    change = Change("audit", (file,), partial=True, rest=rest, sought=frozenset(sought))
    return [one.confidence for one in examine(change, Options(), "0").findings if one.rule == "MTR-308"]


NAMES = {"deductCredits", "grantCredits", "credits"}


def test_where_the_rest_is_looked_through_what_nothing_calls_is_only_possible() -> None:
    assert said_with_rest({"src/app/api/run/route.ts": GRANTS}, NAMES) == ["possible"]


def test_a_caller_in_the_rest_is_one() -> None:
    callers = {"src/app/api/run/route.ts": GRANTS, "src/app/api/use/route.ts": ROUTE}

    assert said_with_rest(callers, NAMES) == ["certain"]


def test_a_name_that_other_files_may_have_is_called() -> None:
    assert said_with_rest({"src/app/api/run/route.ts": GRANTS}, NAMES - {"deductCredits"}) == ["certain"]


def test_a_file_that_nobody_uses_at_all_may_be_loaded_by_its_place() -> None:
    other = ROUTE.replace("deductCredits", "spendCredits")

    assert said_with_rest({"src/app/api/run/route.ts": other}, NAMES) == ["certain"]


def test_what_the_index_of_a_package_hands_out_may_be_called_by_its_users() -> None:
    index = 'export { deductCredits, grantCredits } from "./billing/credits";\n'

    assert said_with_rest({"src/app/api/run/route.ts": GRANTS, "src/index.ts": index}, NAMES) == ["certain"]


def test_a_library_without_a_program_is_called_by_others_though_its_parts_call_each_other() -> None:
    inner = "import { grantCredits } from './credits';\nexport const give = (team: string) => grantCredits(team, 1);\n"

    assert said_with_rest({"src/billing/give.ts": inner}, NAMES) == ["certain"]


def test_a_program_is_found_among_many_files_that_serve_nothing() -> None:
    idle = {f"app/reviews/mapping{number}.ts": "export const one = 1;\n" for number in range(20)}
    samples = {f"examples/api/route{number}.ts": ROUTE.replace("deductCredits", "takeCredits") for number in range(20)}

    assert said_with_rest({**idle, **samples, "src/routes/run.ts": GRANTS}, NAMES) == ["possible"]


def test_other_repositories_that_are_kept_beside_are_not_the_program() -> None:
    files = {**OTHERS, "src/billing/credits.ts": CREDITS, "src/app/api/run/route.ts": ROUTE}
    beside = {f"repos/kit/{path}": text for path, text in files.items()}

    assert ("repos/kit/src/billing/credits.ts", "possible") in said({**files, **beside})
    assert ("repos/kit/src/billing/credits.ts", "certain") in said(beside)


def test_what_stands_behind_the_end_of_a_handler_is_only_possible() -> None:
    closed = CREDITS.replace("  const row", "  return null;\n  const row")

    assert said({"src/billing/credits.ts": closed}, partial=True) == [("src/billing/credits.ts", "possible")]
