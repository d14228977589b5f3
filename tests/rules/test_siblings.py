"""Siblings that do it right as evidence."""

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.report import Reported

USAGE = """
export async function recordUsage(customer: string, tokens: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: "ai_tokens",
    identifier: id,
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
"""


def route(name: str, start: str) -> str:
    return f"""
import {{ recordUsage }} from "../lib/usage";

app.post("/v1/{name}", async (req, res) => {{
  const answer = await ask(req.user.customer);
  {start}recordUsage(req.user.customer, answer.tokens, answer.id);
  res.json(answer);
}});
"""


def audited(**routes: str) -> list[Reported]:
    files = {"src/lib/usage.ts": USAGE, **{f"src/routes/{name}.ts": route(name, start) for name, start in routes.items()}}
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in files.items()))
    return [one for one in examine(change, Options(), "test").findings if one.name == "emit-not-awaited"]


def test_a_finding_names_the_sibling_that_does_it_right_and_is_surer() -> None:
    (alone,) = audited(chat="")
    (beside,) = audited(chat="", summary="await ", title="await ")

    assert beside.trace[-1].path == "src/routes/summary.ts"
    assert beside.trace[-1].note == "the same call in `POST /v1/summary` does it right, as does 1 more"
    assert (alone.confidence, beside.confidence) == ("likely", "certain")


def test_a_habit_of_the_project_makes_nothing_surer() -> None:
    assert {"likely"} == {one.confidence for one in audited(chat="", summary="", title="", topic="await ", mail="await ")}


def test_a_sibling_whose_failure_nobody_hears_of_does_nothing_right() -> None:
    files = {"src/lib/usage.ts": USAGE, "src/routes/chat.ts": route("chat", "")}
    for name in ("summary", "title"):
        files[f"src/routes/{name}.ts"] = route(name, "await ").replace("answer.id);", "answer.id)\n    .catch(() => {});")
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in files.items()))
    (found,) = [one for one in examine(change, Options(), "test").findings if one.name == "emit-not-awaited"]

    assert found.confidence == "likely"
    assert not any("does it right" in point.note for point in found.trace)
