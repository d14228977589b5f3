"""The way of a metered event over several files."""

from rules.project import Project
from rules.trace import metered_actions

RECORDER = """
export async function recordUsage(customer: string, tokens: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: "ai_tokens",
    identifier: id,
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
"""
CHAT = """
import { recordUsage } from "../lib/usage";

app.post("/v1/chat", async (req, res) => {
  const answer = await openai.chat.completions.create(req.body);
  await recordUsage(req.user.customer, answer.usage.total_tokens, answer.id);
  res.json(answer);
});
"""
STREAM = """
app.post("/v1/chat/stream", async (req, res) => {
  const answer = await openai.chat.completions.create({ ...req.body, stream: true });
  pipe(answer, res, customer, credits);
});
"""


def project(**files: str) -> Project:
    return Project({path.replace("__", "/") + ".ts": text for path, text in files.items()})


def test_a_handler_that_calls_the_recorder_of_another_file_is_a_recorded_action() -> None:
    (action,) = metered_actions((), project(src__lib__usage=RECORDER, src__routes__chat=CHAT))

    assert action.recorded
    assert (action.title, action.path, action.line) == ("POST /v1/chat", "src/routes/chat.ts", 4)
    assert action.record == ("src/lib/usage.ts", 3)


def test_a_handler_that_does_the_same_work_and_records_nothing_is_an_unrecorded_action() -> None:
    found = metered_actions((), project(src__lib__usage=RECORDER, src__routes__chat=CHAT, src__routes__stream=STREAM))

    assert [("POST /v1/chat", True), ("POST /v1/chat/stream", False)] == [(one.title, one.recorded) for one in found]


def test_work_that_nobody_records_is_no_metered_action() -> None:
    assert () == metered_actions((), project(src__routes__stream=STREAM))
