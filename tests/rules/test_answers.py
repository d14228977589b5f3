"""The answers of sections 3 to 8, the summary and the check, on whole small programs."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rules import catalog
from rules.answers import accuracy
from rules.answers.questions import QUESTIONS
from rules.answers.seen import Seen
from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.report import Report
from rules.sections import ANSWERS

CHAT = """
import Stripe from "stripe";
const stripe = new Stripe(process.env.KEY!);

app.post("/v1/chat", async (req, res) => {
  const answer = await openai.chat.completions.create(req.body);
  await stripe.billing.meterEvents.create({
    event_name: "ai_tokens",
    identifier: answer.id,
    payload: { stripe_customer_id: req.user.customer, value: String(answer.usage.total_tokens) },
  });
  res.json(answer);
});
"""
STREAM = """
app.post("/v1/stream", async (req, res) => {
  const answer = await openai.chat.completions.create({ ...req.body, stream: true });
  pipe(answer, res, customer, credits);
});
"""
DROPPING = CHAT.replace("  await stripe", "  try { await stripe").replace(
    "  });\n  res.json", '  }); } catch (error) { console.error("lost", error); }\n  res.json'
)
UNKEYED = CHAT.replace("    identifier: answer.id,\n", "")
RANDOM = CHAT.replace("answer.id,", "crypto.randomUUID(),")
QUOTA = """
export async function POST(request: NextRequest) {
  const account = await prisma.account.findUnique({ where: { id: session.accountId } });
  if (account.creditsUsed >= account.creditLimit) {
    return NextResponse.json({ error: "no credits left" }, { status: 402 });
  }
  if (account.creditsUsed >= 0.8 * account.creditLimit) {
    await notifyUsageThreshold(account);
  }
  return NextResponse.json({ ok: true });
}
"""
SUMS = """
from datetime import UTC, datetime
from dateutil.relativedelta import relativedelta

def month(cursor, customer):
    first = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    end = first + relativedelta(months=1)
    cursor.execute(
        "SELECT SUM(tokens) FROM usage_events WHERE customer_id = %s AND occurred_at >= %s AND occurred_at < %s",
        (customer, first, end),
    )
"""
USAGE_PAGE = """
export async function GET(request: NextRequest) {
  const rows = await prisma.usageEvent.groupBy({ by: ["model"], where: { userId: session.userId }, _sum: { tokens: true } });
  if (request.nextUrl.searchParams.get("format") === "csv") {
    return new Response(toCsv(rows), { headers: { "content-type": "text/csv" } });
  }
  return NextResponse.json({ usage: rows, billing: "credits" });
}
"""
RECONCILE = """
from celery import shared_task

@shared_task
def reconcile_usage(ledger, stripe):
    for meter in ledger.meters():
        if ledger.total(meter) != stripe.total(meter):
            raise Mismatch(meter)

def detect_usage_anomalies(usage, billing):
    return [one for one in usage if one.total > 3 * one.mean]
"""


@cache
def report_of(*files: tuple[str, str]) -> Report:
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in files))
    return examine(change, Options(), "0")


def answer(question: str, *files: tuple[str, str]) -> Any:
    (found,) = [one for section in report_of(*files).sections for one in section.answers if one.id == question]
    return found


def chat(text: str = CHAT) -> tuple[str, str]:
    return "src/chat.ts", text


def test_every_question_of_the_contract_is_asked_in_its_order_whatever_the_code() -> None:
    for sample in (report_of(chat()), report_of(("a.py", "x = 1\n"))):
        assert [(one.id, [answer.id for answer in one.answers]) for one in sample.sections] == [
            (section, list(questions)) for section, questions in QUESTIONS.items()
        ]


def test_every_question_has_a_function_that_answers_it() -> None:
    assert {section: list(questions) for section, questions in QUESTIONS.items()} == {
        section: list(answers) for section, answers in ANSWERS.items()
    }


def test_every_rule_that_an_answer_asks_for_exists() -> None:
    names = {rule.name for rule in catalog.rules()} | {accuracy.NAME}
    folder = Path(accuracy.__file__).parent
    asked = {
        text
        for path in folder.glob("*.py")
        for text in re.findall(r'"([a-z]+(?:-[a-z0-9]+){2,})"', path.read_text(encoding="utf-8"))
    }

    assert len(asked) > 10
    assert asked <= names


def test_without_billing_every_answer_is_not_visible_and_the_report_says_what_was_looked_for() -> None:
    report = report_of(("src/app.ts", "export const add = (a: number, b: number) => a + b;\n"))

    assert {one.answer for section in report.sections for one in section.answers} == {"not visible in this code"}
    assert {one.confidence for section in report.sections for one in section.answers} == {None}
    assert (report.summary.applies, report.score) == (False, None)
    assert any("metering and billing providers" in signal for signal in report.summary.signals)
    assert [(check.result, check.detail) for check in report.checks] == [
        ("skip", "No usage-based billing in the analysed code.")
    ]


def test_an_answer_that_is_given_has_confidence_and_evidence() -> None:
    for files in ((chat(),), (("app/api/quota/route.ts", QUOTA),), (("usage/month.py", SUMS),)):
        given = [one for section in report_of(*files).sections for one in section.answers if one.confidence]

        assert given
        assert all(one.evidence and one.confidence in ("certain", "likely") for one in given)


@pytest.mark.parametrize(
    ("question", "text", "said"),
    [
        ("delivery", CHAT, "synchronously, in the request"),
        ("delivery", CHAT.replace("  await stripe", "  stripe"), "in the background, and nobody waits for it"),
        (
            "delivery",
            CHAT.replace('app.post("/v1/chat", async (req, res)', 'new Worker("chat", async (req, res)'),
            "from a queue worker",
        ),
        ("retry", DROPPING, "no: a failed report is dropped"),
        ("guarantee", DROPPING, "at most once: a failed report is dropped"),
        ("at_the_moment", CHAT, "yes, on the server where it happens"),
        ("before_cutoff", CHAT, "yes: it is sent as it happens"),
        ("unmetered_actions", CHAT, "none of the 1 that are visible: all reach a record"),
        ("stable_key", CHAT, "yes: it stays the same when the same use is reported again"),
        ("stable_key", UNKEYED, "no: no key is given"),
        ("stable_key", RANDOM, "no: the key changes with every attempt"),
        ("key_parts", CHAT, "`answer.id`"),
        ("key_parts", UNKEYED, "no key is given"),
        ("retry_charges_twice", CHAT, "no: the provider recognises the repeat by its key"),
        ("retry_charges_twice", UNKEYED, "yes: meter event without an identifier"),
    ],
)
def test_what_a_report_to_a_provider_shows(question: str, text: str, said: str) -> None:
    assert answer(question, chat(text)).answer == said


def test_a_key_that_cannot_be_seen_is_not_said_to_be_missing() -> None:
    hidden = CHAT.replace("    identifier: answer.id,\n", "    ...options,\n")

    assert answer("stable_key", chat(hidden)).confidence is None


def test_the_action_that_records_nothing_is_named_and_fails_the_check() -> None:
    found = answer("unmetered_actions", chat(), ("src/stream.ts", STREAM))
    (check,) = report_of(chat(), ("src/stream.ts", STREAM)).checks

    assert found.answer == "1 of 2: `POST /v1/stream`"
    assert [(one.path, one.line) for one in found.evidence] == [("src/stream.ts", 2)]
    assert (check.result, check.metered_actions, check.recorded) == ("fail", 2, 1)
    assert check.detail == "POST /v1/stream in src/stream.ts:2 records no usage."


def test_when_every_action_records_its_usage_the_check_passes_with_the_count() -> None:
    (check,) = report_of(chat()).checks

    assert (check.result, check.metered_actions, check.recorded) == ("pass", 1, 1)


def test_a_client_that_decides_the_amount_fails_the_check() -> None:
    trusting = CHAT.replace("String(answer.usage.total_tokens)", "String(req.body.tokens)")
    (check,) = report_of(chat(trusting)).checks

    assert check.result == "fail"
    assert "src/chat.ts:10" in check.detail
    assert answer("client_control", chat(trusting)).answer == "yes: a client decides the amount"


def test_a_limit_is_answered_with_its_status_and_its_warning() -> None:
    route = ("app/api/generate/route.ts", QUOTA)

    assert answer("enforced", route).answer == "in real time, where it is used"
    assert answer("at_limit", route).answer == "refused with 402"
    assert answer("warning", route).answer.startswith("yes")


def test_a_limit_of_one_request_is_no_limit_of_a_customer() -> None:
    route = ("app/api/generate/route.ts", QUOTA.replace("account.creditLimit", "maxInputCredits"))

    assert answer("at_limit", route).confidence is None


def test_sums_and_their_period_are_told() -> None:
    file = ("usage/month.py", SUMS)

    assert "`sum(tokens)` over `usage_events`" in answer("function", file).answer
    assert answer("boundaries", file).answer == "in UTC, half-open"


def test_a_period_that_includes_its_end_is_not_half_open() -> None:
    assert (
        "not half-open"
        in answer("boundaries", ("usage/month.py", SUMS.replace("occurred_at < %s", "occurred_at <= %s"))).answer
    )


def test_what_customers_see_is_told_from_the_endpoint() -> None:
    page = ("app/api/usage/route.ts", USAGE_PAGE)

    assert answer("visible", page).answer.startswith("yes")
    assert answer("granular", page).answer.startswith("yes")
    assert answer("downloadable", page).answer.startswith("yes")


def test_the_page_of_the_operator_shows_customers_nothing() -> None:
    assert answer("visible", ("app/api/admin/usage/route.ts", USAGE_PAGE)).confidence is None


def test_reconciliation_and_anomalies_are_seen_by_functions_and_not_by_comments() -> None:
    assert answer("reconciled", ("jobs/close.py", RECONCILE)).answer.startswith("yes")
    assert answer("anomalies", ("jobs/close.py", RECONCILE)).answer.startswith("yes")
    assert answer("reconciled", ("jobs/close.py", "# reconcile usage with billing credits\nusage = 1\n")).confidence is None


def test_tests_and_seeds_answer_nothing() -> None:
    for path in ("tests/usage.test.ts", "prisma/seedUsage.ts", "k6/load.ts"):
        assert answer("delivery", (path, CHAT)).confidence is None


def test_the_architecture_names_the_provider_how_it_is_reached_and_the_limits() -> None:
    summary = report_of(chat(), ("app/api/generate/route.ts", QUOTA)).summary

    assert summary.architecture.startswith("Stripe meter event, sent synchronously, in the request")
    assert "limits tested in 1 place" in summary.architecture
    assert summary.providers == ("Stripe",)
    assert summary.applies
    assert summary.signals[0] == "stripe.billing.meterEvents.create in src/chat.ts:7"


def test_context_files_make_a_report_apply() -> None:
    plain = ChangedFile("src/plan.ts", None, "export const plan = 'billing';\n")
    report = examine(Change("audit", (plain,), context={"src/chat.ts": CHAT}), Options(), "0")

    assert report.summary.applies
    assert any("src/chat.ts" in signal for signal in report.summary.signals)


def test_the_same_code_gives_the_same_answers_in_any_order_of_files() -> None:
    one, other = (chat(), ("src/stream.ts", STREAM)), (("src/stream.ts", STREAM), chat())

    assert {a.id: a.answer for s in report_of(*one).sections for a in s.answers} == {
        a.id: a.answer for s in report_of(*other).sections for a in s.answers
    }


def test_what_is_only_possible_decides_no_answer() -> None:
    assert all(one.confidence != "possible" for one in Seen((), (), None).findings)
