"""Counts in the browser are said where a page leads to them, claimed customers where their own balance is taken from."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

TRIAL = """
const KEY = "trial_usage";
const FREE_LIMIT = 3;

export function countTrialUse(): void {
  const usage = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  usage.count = (usage.count || 0) + 1;
  localStorage.setItem(KEY, JSON.stringify(usage));
}

export function trialIsOver(): boolean {
  const usage = JSON.parse(localStorage.getItem(KEY) ?? "{}");
  return usage.count >= FREE_LIMIT;
}
"""
HOOK = """
import { countTrialUse, trialIsOver } from "../lib/trial";

export function useTrialUsage() {
  return { over: trialIsOver(), count: countTrialUse };
}
"""
WALL = """
import { useTrialUsage } from "../hooks/useTrialUsage";

export function TrialWall({ children }) {
  const usage = useTrialUsage();
  return usage.over ? <p>Upgrade your plan</p> : <button onClick={usage.count}>{children}</button>;
}
"""
PAGE = """
import { TrialWall } from "../components/trial-wall";

export default function Page() {
  return <TrialWall>Generate</TrialWall>;
}
"""
GENERATE = """
export async function POST(request: Request) {
  const user = await userOf(request);
  const account = await prisma.account.findUnique({ where: { id: user.id } });
  if (account.credits < 1) return new Response(null, { status: 402 });
  await prisma.account.update({ where: { id: user.id }, data: { credits: { decrement: 1 } } });
  return Response.json(await draw(request));
}
"""


@pytest.mark.parametrize(("page", "expected"), [(PAGE, {8, 13}), ("export default function Page() { return null; }", set())])
def test_a_count_in_the_browser_is_said_where_a_page_leads_to_it(page: str, expected: set[int]) -> None:
    texts = {
        "src/lib/trial.ts": TRIAL,
        "src/hooks/useTrialUsage.ts": HOOK,
        "src/components/trial-wall.tsx": WALL,
        "src/app/page.tsx": page,
        "src/app/api/generate/route.ts": GENERATE,
        "src/app/api/usage/route.ts": GENERATE.replace("POST", "PUT"),
    }

    assert expected == lines("MTR-112", texts, "src/lib/trial.ts")


def lines(rule: str, texts: dict[str, str], path: str) -> set[int]:
    files = tuple(ChangedFile(one, None, text, (), None) for one, text in texts.items())
    report = examine(Change("audit", files), Options(), "0")
    return {one.line for one in report.findings if one.rule == rule and one.path == path and one.confidence != "possible"}


BOOKS = """
import {{ accountStats }} from "@/lib/stats";

export async function POST(request: Request) {{
  const {{ userId }} = await request.json();
  return Response.json(await {called}(userId));
}}
"""


@pytest.mark.parametrize(("called", "expected"), [("accountStats.incrementUsage", set()), ("accountStats.deductCredits", {5})])
def test_a_claimed_customer_is_said_where_a_balance_is_paid_from_and_not_a_figure_beside_it(
    called: str, expected: set[int]
) -> None:
    place = "src/app/api/usage/increment/route.ts"
    more = {f"src/app/api/{name}/route.ts": GENERATE for name in ("image", "video", "sound", "text", "code")}
    texts = {place: BOOKS.format(called=called), **more}

    assert expected == lines("MTR-114", texts, place)
