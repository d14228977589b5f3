"""The way of a metered event over several files."""

from rules.project import Project
from rules.report import Meter
from rules.trace import metered_actions, meters_of

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


CONSTANTS = """
export const METERS = { tokens: process.env.TOKENS_METER ?? "ai_tokens" };
"""
NAMED = """
import { METERS } from "./constants";

export async function recordUsage(customer: string, tokens: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: METERS.tokens,
    identifier: id,
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
"""
SCHEMA = """
model Team {
  id          String @id
  usedCredits Int    @default(0)
  creditLimit Int
}
"""
QUEUED = """
const jobs = new Queue("renders");

app.post("/v1/render", async (req, res) => {
  await jobs.add("render", { team: req.user.team });
  res.json({ queued: true });
});
"""
WORKER = """
import { chargeCredits } from "../lib/credits";

new Worker("renders", async (job) => {
  await chargeCredits(job.data.team, 1);
});
"""
CREDITS = """
export async function chargeCredits(team: string, credits: number) {
  await prisma.team.update({ where: { id: team }, data: { usedCredits: { increment: credits } } });
}

export async function assertCredits(team: Team) {
  if (team.usedCredits >= team.creditLimit) throw new QuotaError();
}

export async function closePeriod(team: Team) {
  await stripe.invoiceItems.create({ customer: team.customer, amount: team.usedCredits * 2 });
}
"""


def meters(whole: Project) -> tuple[Meter, ...]:
    return meters_of(whole.trace, frozenset(whole.texts))


def places(meter: Meter, stage: str) -> list[str]:
    return [f"{step.path}:{step.line}" for step in getattr(meter, stage)]


def test_an_event_is_named_through_the_constant_of_another_file_and_its_default() -> None:
    (meter,) = meters(project(src__constants=CONSTANTS, src__lib__usage=RECORDER, src__usage=NAMED))

    assert meter.name == "ai_tokens"
    assert places(meter, "emitted") == ["src/lib/usage.ts:3", "src/usage.ts:5"]


def test_a_counter_is_followed_from_the_request_over_the_queue_to_the_column_the_limit_and_the_invoice() -> None:
    texts = {
        "prisma/schema.prisma": SCHEMA,
        "src/routes/render.ts": QUEUED,
        "src/workers/render.ts": WORKER,
        "src/lib/credits.ts": CREDITS,
    }

    (meter,) = meters(Project(texts))

    assert (meter.name, meter.kind, meter.missing) == ("team.usedCredits", "counter", ())
    assert places(meter, "actions") == ["src/routes/render.ts:4"]
    assert places(meter, "transported") == ["src/routes/render.ts:5", "src/workers/render.ts:4"]
    assert places(meter, "emitted") == ["src/workers/render.ts:5"]
    assert places(meter, "stored") == ["src/lib/credits.ts:3"]
    assert places(meter, "limited") == ["src/lib/credits.ts:7"]
    assert places(meter, "charged") == ["src/lib/credits.ts:11"]


def test_a_counter_without_limit_and_charge_says_what_is_missing() -> None:
    texts = {
        "prisma/schema.prisma": SCHEMA,
        "src/routes/render.ts": QUEUED,
        "src/workers/render.ts": WORKER,
        "src/lib/credits.ts": CREDITS.split("export async function assertCredits", maxsplit=1)[0],
    }

    (meter,) = meters(Project(texts))

    assert meter.missing == ("limited", "charged")


def test_a_field_that_no_table_has_is_no_meter() -> None:
    assert () == meters(
        project(src__parse="export function add(usage: Usage, n: number) { usage.totalTokens += n; return quota; }")
    )


def test_a_call_is_joined_to_the_class_that_its_field_is_declared_as() -> None:
    texts = {
        "src/Meter.java": "class UsageRecorder { void save(long n) { } }",
        "src/Other.java": "class ReportArchive { void save(long n) { } }",
        "src/Api.java": "class Api { private final UsageRecorder ledger; void run() { ledger.save(1); } }",
    }

    trace = Project(texts).trace
    assert trace is not None
    graph = trace.graph
    (link,) = graph.links

    assert (graph.path(link.callee), link.sure) == ("src/Meter.java", "certain")
