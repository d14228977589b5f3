"""What a rule finds and does not say aloud: something that is not seen may make it harmless."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options


def told(rule: str, **files: str) -> list[str]:
    texts = {name.replace("__", "/").replace("_dot_", "."): text for name, text in files.items()}
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in texts.items()))
    return [one.confidence for one in examine(change, Options(), "test").findings if one.rule == rule]


@pytest.mark.parametrize(("key", "confidence"), [(":property", "likely"), ("'segments'", "possible")])
def test_a_property_that_the_program_names_may_be_whole_by_its_nature(key: str, confidence: str) -> None:
    text = f"""
def usage_total(db, name):
    return db.execute("SELECT SUM((properties->>{key})::int) FROM usage_events WHERE name = :property", name)
"""
    assert told("MTR-121", billing__usage_dot_py=text) == [confidence]


def test_a_recorder_of_the_project_in_a_last_block_may_know_how_the_work_ended() -> None:
    text = """
import stripe

def run(job, customer):
    try:
        return work(job)
    finally:
        {}
"""
    own = text.format("record_usage(customer, 1)")
    direct = text.format(
        'stripe.billing.MeterEvent.create(event_name="runs", identifier=job.id, '
        'payload={"stripe_customer_id": customer, "value": 1})'
    )

    assert told("MTR-105", billing__run_dot_py=own) == ["possible"]
    assert told("MTR-105", billing__run_dot_py=direct) == ["likely"]


def test_a_route_may_have_its_caller_checked_before_it_is_called() -> None:
    route = """
export async function GET(request: NextRequest) {
  const { customerId } = await request.json();
  const rows = await prisma.usageEvent.findMany({ where: { customerId } });
  return Response.json(rows);
}
"""
    checks = "export function middleware(request) { return usageRules(request); }\n"

    assert told("MTR-501", app__api__usage__route_dot_ts=route) == ["likely"]
    assert told("MTR-501", app__api__usage__route_dot_ts=route, src__proxy_dot_ts=checks) == ["possible"]


@pytest.mark.parametrize(
    ("option", "words"),
    [('apiVersion: "2023-10-16"', "stays on version 2023-10-16"), ('appInfo: { since: "2023-10-16" }', "after an upgrade")],
)
def test_a_client_that_is_pinned_works_as_long_as_it_stays(option: str, words: str) -> None:
    text = f"""
const stripe = new Stripe(key, {{ {option} }});
export const book = (item: string, key: string) =>
  stripe.subscriptionItems.createUsageRecord(item, {{ quantity: 1, action: "increment" }}, {{ idempotencyKey: key }});
"""
    change = Change("audit", (ChangedFile("billing/usage.ts", None, text),))
    (found,) = (one for one in examine(change, Options(), "test").findings if one.rule == "MTR-117")

    assert words in found.description


@pytest.mark.parametrize(("item", "confidences"), [('""', {"possible"}), ("row.item", {"certain", "likely"})])
def test_a_program_whose_ids_are_still_to_be_filled_in_reports_nobody(item: str, confidences: set[str]) -> None:
    text = f"""
const item = {item};
const key = uuid();

export async function reportUsage() {{
  try {{
    await stripe.subscriptionItems.createUsageRecord(item, {{ quantity: 100, action: "increment" }}, {{ idempotencyKey: key }});
  }} catch (error) {{
    console.error(`failed with key ${{key}}`, error);
  }}
}}
"""
    assert {*told("MTR-102", billing__report_dot_ts=text), *told("MTR-202", billing__report_dot_ts=text)} <= confidences
    assert told("MTR-102", billing__report_dot_ts=text)


@pytest.mark.parametrize(
    ("schema", "confidence"), [("CREATE TABLE tags (id INT, usage_event_id INT);", "likely"), ("", "possible")]
)
def test_a_table_that_no_schema_tells_of_may_have_one_row_for_each(schema: str, confidence: str) -> None:
    text = """
def billable(db, period):
    return db.execute(
        "SELECT u.customer_id, SUM(u.quantity) AS total FROM usage_events u JOIN tags t ON t.usage_event_id = u.id "
        "WHERE u.period = %s GROUP BY u.customer_id", period)
"""
    assert told("MTR-306", billing__usage_dot_py=text, **({"db__schema_dot_sql": schema} if schema else {})) == [confidence]


@pytest.mark.parametrize(("capped", "confidence"), [("fee = plan.fee_cap", "possible"), ("refuse(fee)", "likely")])
def test_an_amount_that_only_caps_another_may_be_off_by_a_hair(capped: str, confidence: str) -> None:
    model = """<?php
class Plan extends Model {
    protected $table = 'plans';
    protected $casts = ['fee_cap' => 'float'];
    public function charge($invoice, $plan) {
        $fee = $invoice->amount;
        if ($fee > $plan->fee_cap) {
            BODY;
        }
        return $this->stripe->charge($fee);
    }
}
"""
    body = "$fee = $plan->fee_cap" if "=" in capped else "throw new PaymentRefused($fee)"
    assert told("MTR-304", app__Models__Plan_dot_php=model.replace("BODY", body)) == [confidence]


@pytest.mark.parametrize(("test", "confidence"), [("account.balance < cost", ["certain"]), ("!account.balance", ["possible"])])
def test_a_bare_balance_may_only_ask_whether_the_row_was_found(test: str, confidence: list[str]) -> None:
    text = f"""
export async function generate(prisma: PrismaClient, userId: string, cost: number) {{
  const account = await prisma.account.findUnique({{ where: {{ userId }} }});
  if ({test}) throw new PaymentRequiredError();
  await render();
  await prisma.account.update({{ where: {{ userId }}, data: {{ balance: {{ decrement: cost }} }} }});
}}
"""
    assert told("MTR-401", src__billing__generate_dot_ts=text) == confidence


@pytest.mark.parametrize(("helper", "confidence"), [("checkCredits", ["likely"]), ("checkProjectLimit", ["possible"])])
def test_a_helper_that_counts_another_thing_by_its_name_is_not_passed(helper: str, confidence: list[str]) -> None:
    text = f"""
export async function answer(db: Db, accountId: string, question: string) {{
  const room = await {helper}(db, accountId);
  if (!room.allowed) return {{ error: "no room" }};
  const text = await model.complete(question);
  await deductCredits(db, accountId, 1);
  return {{ text }};
}}

async function checkCredits(db: Db, id: string) {{
  const account = await db.account.findUnique({{ where: {{ id }} }});
  return {{ allowed: account.credits > 0 }};
}}

async function checkProjectLimit(db: Db, id: string) {{
  const account = await db.account.findUnique({{ where: {{ id }} }});
  return {{ allowed: account.projectCount < account.maxProjects }};
}}

async function deductCredits(db: Db, id: string, cost: number) {{
  await db.account.update({{ where: {{ id }}, data: {{ credits: {{ decrement: cost }} }} }});
}}
"""
    assert told("MTR-401", src__billing__answer_dot_ts=text) == confidence


@pytest.mark.parametrize(("written", "count"), [("row.usedTokens + spent", 1), ("asked + answered", 0)])
def test_the_sum_of_two_results_is_no_old_value(written: str, count: int) -> None:
    text = f"""
export async function note(prisma: PrismaClient, id: string, text: string, spent: number) {{
  const row = await prisma.account.findUnique({{ where: {{ id }} }});
  const asked = await getTokenCount(text);
  const answered = await getTokenCount(row.answer);
  await prisma.account.update({{ where: {{ id }}, data: {{ usedTokens: {written} }} }});
}}

export function mayUse(account: Account) {{
  return account.usedTokens < account.tokenLimit;
}}
"""
    assert len(told("MTR-308", src__billing__note_dot_ts=text)) == count


@pytest.mark.parametrize(("row", "count"), [("draft", 1), ("made", 0)])
def test_a_row_that_was_made_in_the_same_call_is_nobody_elses(row: str, count: int) -> None:
    text = f"""
export async function start(db: Db, draftId: string, userId: string) {{
  const draft = await db.drafts.getById(draftId);
  if (draft.status !== "open") return;
  const made = await db.renders.create({{ userId }});
  await db.renders.updateStatus({row}.id, "processing");
  await addCredits(userId, 1);
}}
"""
    assert len(told("MTR-213", src__billing__start_dot_ts=text)) == count


@pytest.mark.parametrize(
    ("then", "confidence"),
    [("if (account.usedCredits >= limit) throw new QuotaExceeded();", "likely"), ("return { limit };", "possible")],
)
def test_a_default_limit_that_is_only_shown_refuses_nobody(then: str, confidence: str) -> None:
    text = f"""
const PLANS = {{ none: {{ monthlyCreditLimit: 0 }}, small: {{ monthlyCreditLimit: 50 }} }};

export function room(account: Account, subscription: Subscription) {{
  const limit = subscription.monthlyCreditLimit || 3000;
  {then}
}}
"""
    assert told("MTR-405", src__billing__room_dot_ts=text) == [confidence]


def test_a_float_column_that_is_added_up_and_a_cost_that_is_tracked_may_be_only_looked_at() -> None:
    text = """
class TaxReport(Base):
    __tablename__ = "tax_reports"
    tax_amount = Column(Float)

def total_tax(session, reports):
    for report in reports:
        report.tax_amount += report.correction
    session.commit()

def tracked_cents(call):
    return int(call.provider_cost * 100)
"""
    assert told("MTR-304", billing__tax_dot_py=text) == ["possible", "possible"]


@pytest.mark.parametrize(
    ("key", "confidence"),
    [
        ("", "likely"),
        (", refund_key=str(uuid.uuid4())", "likely"),
        (', refund_key=f"refund:{job.id}"', "possible"),
    ],
)
def test_a_second_refund_may_be_known_by_a_key_that_it_shares_with_the_first(key: str, confidence: str) -> None:
    text = f"""
import uuid

@app.post("/jobs/<job_id>/cancel")
def cancel(job_id):
    job = session.get(Job, job_id)
    if job.status != "waiting":
        return "too late"
    job.status = "cancelled"
    session.commit()
    grant_credits(job.user_id, job.credits{key})
"""
    assert told("MTR-213", billing__jobs_dot_py=text) == [confidence]


@pytest.mark.parametrize(("unique", "confidence"), [("", "likely"), (", unique=True", "possible")])
def test_a_second_run_may_be_refused_by_the_row_that_it_stores(unique: str, confidence: str) -> None:
    models = f"""
from sqlalchemy import Column, Integer

class Result(Base):
    __tablename__ = "results"
    id = Column(Integer, primary_key=True)
    job_id = Column(Integer{unique})
"""
    text = """
@app.post("/jobs/<job_id>/finish")
def finish(job_id):
    job = session.get(Job, job_id)
    if job.status != "waiting":
        return "too late"
    job.status = "finished"
    grant_credits(job.user_id, job.credits)
    session.add(Result(job_id=job.id))
    session.commit()
"""
    assert told("MTR-213", billing__jobs_dot_py=text, models_dot_py=models) == [confidence]


@pytest.mark.parametrize(("opening", "confidence"), [("if True:", "likely"), ("with redis.lock(name):", "possible")])
def test_who_calls_may_hold_the_lock(opening: str, confidence: str) -> None:
    text = f"""
@app.post("/jobs/<job_id>/finish")
def answer(job_id, name):
    {opening}
        finish(job_id)

def finish(job_id):
    job = session.get(Job, job_id)
    if job.status != "waiting":
        return "too late"
    job.status = "finished"
    session.commit()
    grant_credits(job.user_id, job.credits)
"""
    assert told("MTR-213", billing__jobs_dot_py=text) == [confidence]


@pytest.mark.parametrize(("call", "confidence"), [("reserve_balance", "possible"), ("deduct_balance", "likely")])
def test_a_reservation_before_new_work_takes_a_key_of_its_own(call: str, confidence: str) -> None:
    text = f"""
import uuid

async def complete(billing, provider, message_id, prompt):
    key = uuid.uuid4()
    await billing.{call}(tokens=len(prompt), idempotency_key=key)
    answer = await provider.complete(prompt)
    await billing.settle(key, answer.tokens)
"""
    assert told("MTR-202", billing__gateway_dot_py=text) == [confidence]


@pytest.mark.parametrize(
    ("entry", "sends", "confidence"),
    [("", "ingest", "likely"), ("", "addRaw", "possible"), ("batchId, ", "ingest", "possible")],
)
def test_a_measurement_of_each_run_may_be_told_from_another_run(entry: str, sends: str, confidence: str) -> None:
    text = f"""
cron.schedule("0 * * * *", async () => {{
  const batchId = randomUUID();
  const events = seats.map((one) => {{
    return {{ idempotencyKey: randomUUID(), {entry}metric: "usage.seats", value: one.count, customerId: one.customer }};
  }});
  await sink.{sends}(events);
}});
"""
    assert told("MTR-202", src__crons__usage_dot_ts=text) == [confidence]


@pytest.mark.parametrize(
    ("asks", "confidence"),
    [
        ("if (present.has(pack)) return;", "possible"),
        ("if (!present.has(pack)) rows.push(pack);", "possible"),
        ("if (!present.has(pack)) return;", "likely"),
        ("", "likely"),
    ],
)
@pytest.mark.parametrize("beside", [True, False])
def test_what_a_webhook_calls_may_add_only_what_is_missing(asks: str, confidence: str, beside: bool) -> None:
    route = """
export async function POST(request: Request) {
  const event = stripe.webhooks.constructEvent(await request.text(), signature, secret);
  await addTokenPacks(event.data.account, 100);
  return new Response("ok");
}
"""
    packs = f"""
export async function addTokenPacks(account: Account, pack: number) {{
  const current = await stripe.subscriptions.retrieve(account.plan);
  const present = new Set(current.items.map((one) => one.pack));
  const rows = [];
  {asks}
  await stripe.subscriptions.update(account.plan, {{ items: rows }});
}}
"""
    path = "app__api__webhooks__packs__route_dot_ts"
    brought = 'import { addTokenPacks } from "../../../../packs";\n'
    files = {path: route + packs} if beside else {path: brought + route, "packs_dot_ts": packs}
    assert told("MTR-208", **files) == [confidence]


@pytest.mark.parametrize(
    ("body", "confidence"), [("send_letter(order)", "possible"), ("grant_credits(order.user_id, order.credits)", "likely")]
)
def test_what_a_job_hands_its_item_to_may_book_nothing(body: str, confidence: str) -> None:
    text = f"""
@shared_task
def run(order_id):
    order = session.get(Order, order_id)
    if order.status != "waiting":
        return
    order.status = "finished"
    session.commit()
    process_order(order)

def process_order(order):
    {body}
"""
    assert told("MTR-213", billing__orders_dot_py=text) == [confidence]


QUOTA = """
export class AnswersService {
  async countAnswer(user: string): Promise<void> {
    try {
      const usedQuota = (await this.cacheService.get(KEY)) || 0;
      await this.cacheService.set(KEY, usedQuota + 1, 86400);
    } catch (error) {
      this.logger.warn("quota not counted", { error });
    }
  }
  async mayAnswer(user: string): Promise<boolean> {
    const usedQuota = await this.cacheService.get(KEY);
    return usedQuota < 100;
  }
}
"""


@pytest.mark.parametrize(("key", "said"), [("this.quotaKey", False), ("`quota:${user}`", True)])
def test_a_count_under_one_key_for_all_limits_no_customer(key: str, said: bool) -> None:
    text = QUOTA.replace("KEY", key).replace("{\n  async", "{\n  private readonly quotaKey = 'search:quota';\n  async", 1)

    assert ("likely" in told("MTR-102", src__answers__quota_dot_ts=text)) is said


@pytest.mark.parametrize(
    ("path", "confidence"), [("billing/invoices.py", "likely"), ("billing/patches/v1_0/reset.py", "possible")]
)
def test_what_moved_data_once_makes_no_bill_any_more(path: str, confidence: str) -> None:
    text = """
import stripe

def execute(customer):
    stripe.Charge.create(customer=customer.id, amount=int(customer.balance * 100), currency="usd")
"""
    assert told("MTR-304", **{path.replace("/", "__").replace(".", "_dot_"): text}) == [confidence]


@pytest.mark.parametrize(
    ("amount", "confidence"),
    [
        ("order.price", ["likely"]),
        ("round(order.price, 2)", ["likely"]),
        ("int(order.price)", []),
        ("PACK_PRICE", []),
        ("PACKS[order.pack]['price']", []),
        ("db.get_single_value('Billing Settings', 'setup_price')", ["possible"]),
    ],
)
def test_of_a_whole_amount_nothing_is_cut(amount: str, confidence: list[str]) -> None:
    text = f"""
import stripe

PACKS = {{"small": {{"price": 49, "credits": 100}}, "large": {{"price": 99, "credits": 250}}}}

def charge(order):
    price = {amount}
    stripe.Charge.create(customer=order.customer, amount=int(price * 100), currency="usd")
"""
    prices = "PACK_PRICE = 49  # usd, billed once\n"
    assert told("MTR-304", billing__orders_dot_py=text, billing__prices_dot_py=prices) == confidence


@pytest.mark.parametrize(
    ("field", "confidence"), [("Credits", ["likely"]), ("UsageUnits", ["possible"]), ("CapacityUsagePct", [])]
)
def test_seven_digits_are_few_for_money_only(field: str, confidence: list[str]) -> None:
    text = f"""
package billing

func invoiceLine(row Row) Line {{
	return Line{{{field}: float32(row.Total)}}
}}
"""
    assert told("MTR-304", billing__invoice_dot_go=text) == confidence


@pytest.mark.parametrize(("results", "said"), [("error", ["certain"]), ("bool", [])])
def test_what_answers_no_error_has_none_that_could_be_lost(results: str, said: list[str]) -> None:
    text = """
package billing

func (s *Service) reconcile(ctx context.Context, pool *Pool) error {
	err := s.recordUsage(ctx, pool)
	err = s.checkBalance(ctx, pool)
	return err
}
"""
    recorder = f"""
package billing

func (s *Service) recordUsage(ctx context.Context, pool *Pool) {results} {{
	return s.store.InsertUsage(ctx, pool.ID, pool.Tokens)
}}
"""
    found = told("MTR-102", billing__reconcile_dot_go=text, billing__record_dot_go=recorder)
    assert bool(found) is bool(said)


@pytest.mark.parametrize(
    ("results", "taken", "said"),
    [
        ("error", "return s.store.DeductBalance(ctx, cost)", True),
        ("error", "s.spend(ctx, cost)\n\treturn nil", False),
        ("(err error)", "defer func() { err = s.spend(ctx, cost) }()\n\treturn nil", True),
    ],
)
def test_an_error_that_is_always_nil_is_no_lost_one(results: str, taken: str, said: bool) -> None:
    text = """
package billing

func (s *Service) answer(ctx context.Context, pool *Pool) string {
	if err := s.recordUsage(ctx, pool); err != nil {
		log.Printf("usage is not booked: %v", err)
	}
	return pool.Answer
}
"""
    recorder = f"""
package billing

func (s *Service) recordUsage(ctx context.Context, pool *Pool) {results} {{
	cost := priceOf(pool.Tokens)
	{taken}
}}

func (s *Service) spend(ctx context.Context, cost float64) {{
	_ = s.store.DeductBalance(ctx, cost)
}}
"""
    assert bool(told("MTR-102", billing__answer_dot_go=text, billing__record_dot_go=recorder)) is said


CUTS = """
def pay_back(order, amount: float):
    return stripe.Refund.create(payment_intent=order.intent, amount=int(amount * 100))
"""
ROUTES = """
app = FastAPI()

@app.post("/refunds")
def refund_invoice(order_id: str, amount: float):
    return {}
"""


@pytest.mark.parametrize(
    ("answer", "confidence"), [("pay_back(load(order_id), amount)", ["likely"]), ("load(order_id)", ["possible"])]
)
def test_an_amount_is_cut_for_nobody_where_nothing_served_leads(answer: str, confidence: list[str]) -> None:
    beside = {f"app__plans_{one}_dot_py": f"usage_limit = {one}\n" for one in range(5)}
    routes = ROUTES.format(answer)
    assert told("MTR-304", app__gateway_dot_py=CUTS, app__main_dot_py=routes, **beside) == confidence


@pytest.mark.parametrize(("refused", "confidence"), [("throw new Error('no credits')", "possible"), ("return", "likely")])
def test_a_test_that_the_taking_makes_again_and_raises_is_told_there(refused: str, confidence: str) -> None:
    text = f"""
export async function GET(request: Request) {{
  const account = await db.account.findUnique({{ where: {{ id: request.headers.get("account") }} }});
  if (account.credits < 1) return new Response("no credits", {{ status: 402 }});
  await spendCredits(account.id, 1);
  return Response.json(ROWS);
}}

async function spendCredits(id: string, amount: number) {{
  const account = await db.account.findUnique({{ where: {{ id }} }});
  if (!account) throw new Error("no account");
  if (account.credits < amount) {refused};
  await db.account.update({{ where: {{ id }}, data: {{ credits: account.credits - amount }} }});
}}
"""
    assert told("MTR-401", src__app__api__rows__route_dot_ts=text) == ["certain", confidence]


@pytest.mark.parametrize(
    ("path", "field", "confidence"),
    [
        ("src__credits__balances_dot_ts", "remaining", ["certain"]),
        ("src__hr__leave_balances_dot_ts", "remaining", ["possible"]),
        ("src__staff__leave__balances_dot_ts", "remaining", ["possible"]),
        ("src__hr__billing__credits_dot_ts", "creditBalance", ["certain"]),
        ("src__indexers__deposits_dot_ts", "remaining", ["possible"]),
        ("src__accounts__links_dot_ts", "usedEmailRequests", []),
        ("src__accounts__links_dot_ts", "usedTokens", ["certain"]),
    ],
)
def test_days_off_links_that_are_sent_and_a_log_that_is_followed_are_on_nobodys_bill(
    path: str, field: str, confidence: list[str]
) -> None:
    text = f"""
import {{ invoice, subscription, usageLimit }} from "../billing/plan";

export async function POST(request: Request) {{
  const account = await db.account.findUnique({{ where: {{ id: request.headers.get("account") }} }});
  await db.account.update({{ where: {{ id: account.id }}, data: {{ {field}: account.{field} + 1 }} }});
  if (account.{field} > account.plan.limit) throw new LimitReached();
}}
"""
    assert told("MTR-308", **{path: text}) == confidence


@pytest.mark.parametrize(("changed", "count"), [("self._model", 0), ("accounts", 1)])
def test_what_the_statement_changes_is_no_earlier_reading(changed: str, count: int) -> None:
    text = f"""
class Accounts:
    async def book(self, account_id: str, credits: Decimal) -> None:
        statement = (
            update({changed})
            .where(self._model.id == account_id)
            .values(total_credits=self._model.total_credits + credits)
        )
        await self._session.execute(statement)
        await self._session.flush()
"""
    change = Change("audit", (ChangedFile("billing/accounts.py", None, text),), partial=True)
    assert len([one for one in examine(change, Options(), "test").findings if one.rule == "MTR-308"]) == count
