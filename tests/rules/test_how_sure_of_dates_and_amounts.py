"""How sure rules are of dates, cut fractions and early marks: only where money surely hangs on them."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

DAY = 'data.date.toISOString().split("T")[0]'


def sure(rule: str, path: str, text: str) -> set[str]:
    file = ChangedFile(path, None, text, (), None)
    return {one.confidence for one in examine(Change("audit", (file,)), Options(), "0").findings if one.rule == rule}


def test_thirty_days_are_only_possibly_a_month() -> None:
    text = """
def is_due(subscription, now):
    return subscription.period_end <= now

def renew(subscription):
    subscription.period_end = subscription.period_start + timedelta(days=30)
"""

    assert {"possible"} == sure("MTR-309", "billing/renew.py", text)


@pytest.mark.parametrize(("field", "expected"), [("renewsAt", {"certain", "likely"}), ("trialEndsAt", {"possible"})])
def test_a_month_is_said_of_what_is_paid_for(field: str, expected: set[str]) -> None:
    text = f"""
export async function startPlan(db: Db, subscription: Subscription) {{
  const at = new Date();
  at.setMonth(at.getMonth() + 1);
  await db.subscriptions.update({{ where: {{ id: subscription.id }}, data: {{ {field}: at }} }});
}}
"""

    found = sure("MTR-309", "src/billing/plans.ts", text)

    assert found
    assert found <= expected


@pytest.mark.parametrize(
    ("use", "expected"),
    [("wallet.Debit(account, cents)", {"likely"}), ('cache.Incr("billing-today", cents)', {"possible"})],
)
def test_a_cut_fraction_is_said_of_a_charge_and_not_of_a_statistic(use: str, expected: set[str]) -> None:
    text = f"package billing\n\nfunc settle(account string, amount float64) {{\n\tcents := int64(amount * 100)\n\t{use}\n}}\n"

    assert expected == sure("MTR-304", "billing/settle.go", text)


def test_an_example_of_a_cut_fraction_is_true_for_floats_of_32_bits() -> None:
    text = "package billing\n\nfunc settle(a string, amount float32) {\n\twallet.Debit(a, int64(amount * 100))\n}\n"
    file = ChangedFile("billing/settle.go", None, text, (), None)

    found = [one for one in examine(Change("audit", (file,)), Options(), "0").findings if one.rule == "MTR-304"]

    assert ["4.99 becomes 498"] == [part for one in found for part in ("4.99 becomes 498", "19.99") if part in one.description]


@pytest.mark.parametrize(("path", "expected"), [("api/stripe-webhook.ts", {"likely"}), ("src/orders.ts", {"possible"})])
def test_an_early_mark_is_said_where_a_sender_delivers_again(path: str, expected: set[str]) -> None:
    text = """
export async function settle(db: Db, id: string) {
  const order = await db.order.findUnique({ where: { id } });
  if (order.status === "completed") return;
  await db.order.update({ where: { id }, data: { status: "completed" } });
  await db.wallet.update({ where: { user: order.user }, data: { balance: { increment: order.credits } } });
}
"""

    assert expected == sure("MTR-209", path, text)


@pytest.mark.parametrize(("use", "expected"), [("amount=", {"likely"}), ("pricing=PlanPricing(monthly_usd=", {"possible"})])
def test_a_cut_fraction_in_an_answer_charges_nobody(use: str, expected: set[str]) -> None:
    method = "post" if use == "amount=" else "get"
    call = "stripe.PaymentIntent.create" if use == "amount=" else "PlanResponse"
    text = f"""
@router.{method}("/plans")
def plans(price: float):
    return {call}({use}int(price * 100){")" * (use.count("(") + 1)}
"""

    assert expected == sure("MTR-304", "billing/plans.py", text)


@pytest.mark.parametrize(("line", "expected"), [("const day", {"likely"}), ("logger.info", {"possible"})])
def test_a_day_that_is_only_logged_disagrees_with_nothing(line: str, expected: set[str]) -> None:
    day = f'logger.info("usage", {{ day: {DAY} }});' if line == "logger.info" else f"const day = {DAY};"
    text = f"""
export async function recordUsage(db: Db, data: UsageData) {{
  {day}
  const periodStart = new Date(data.date);
  periodStart.setHours(0, 0, 0, 0);
  return db.usageTracking.upsert({{ where: {{ userId: data.userId, periodStart, {"day" if "const" in day else ""} }} }});
}}
"""

    assert expected == sure("MTR-302", "src/billing/usage.ts", text)


@pytest.mark.parametrize(("more", "expected"), [("", {"possible"}), ("usage >= key.dailyLimit", {"certain"})])
def test_a_day_that_is_off_matters_where_something_goes_by_days(more: str, expected: set[str]) -> None:
    text = f"""
function dayOf(at) {{
  const hours = config.timezoneOffset || 8;
  return new Date(at.getTime() + hours * 3600000).toISOString();
}}
async function recordUsage(redis, key, tokens) {{
  const usage = await redis.hincrby(`usage:${{key.id}}:${{dayOf(new Date())}}`, "tokens", tokens);
  return {more or "usage"};
}}
"""

    assert expected == sure("MTR-302", "src/usage.js", text)


MONTH = """package billing

func join(ctx context.Context, store Store, workspace Workspace) error {
	billingPeriodEnd := time.Now().AddDate(0, 1, 0)
	return store.UpdateBilling(ctx, workspace.ID, billingPeriodEnd)
}
"""
ONWARDS = """
func renew(ctx context.Context, store Store, workspace Workspace) error {
	return store.UpdateBilling(ctx, workspace.ID, workspace.BillingPeriodEnd.AddDate(0, 1, 0))
}
"""


@pytest.mark.parametrize(("more", "expected"), [("", {"possible"}), (ONWARDS, {"likely", "certain"})])
def test_one_month_from_now_is_as_long_as_another(more: str, expected: set[str]) -> None:
    found = sure("MTR-309", "billing/join.go", MONTH + more)

    assert found
    assert found <= expected


@pytest.mark.parametrize(("handed", "expected"), [("now", {"possible"}), ("order.PeriodEnd", {"likely"})])
def test_one_month_from_the_present_drifts_nowhere(handed: str, expected: set[str]) -> None:
    text = f"""package billing

import "time"

func (s *Service) Buy(order Order, now time.Time) error {{
	return s.store.Grant(order.UserID, periodEnd({handed}, order.BillingMonths))
}}

func periodEnd(now time.Time, months int) time.Time {{
	return now.AddDate(0, months, 0)
}}

func usageByMonth(first, last time.Time) (rows []time.Time) {{
	for month := first; month.Before(last); month = month.AddDate(0, 1, 0) {{
		rows = append(rows, month)
	}}
	return rows
}}
"""

    assert expected == sure("MTR-309", "billing/orders.go", text)


@pytest.mark.parametrize(("of", "expected"), [("usage_events", "certain"), ("page_views", "possible")])
def test_a_week_is_said_of_what_is_billed(of: str, expected: str) -> None:
    text = f"""
export async function weekly(pool: Pool, customer: string) {{
  return pool.query("SELECT to_char(at, $2) AS week, sum(n) FROM {of} WHERE customer = $1 GROUP BY 1", [customer, "YYYY-IW"]);
}}
"""

    assert {expected} == sure("MTR-309", "src/stores/apps.ts", text + "\nexport const quotaOf = (plan: Plan) => plan.quota;\n")


@pytest.mark.parametrize(
    ("use", "expected"),
    [
        ("return res.send({ monthlyLimit, over: used > monthlyLimit })", {"possible"}),
        ("return used < monthlyLimit", {"likely"}),
    ],
)
def test_a_default_limit_is_said_where_it_holds_back(use: str, expected: set[str]) -> None:
    text = f"""
const FREE = {{ monthlyLimit: 0 }};

export function plan(res: Response, plan: Plan, used: number) {{
  const monthlyLimit = plan.monthlyLimit || 1000;
  {use};
}}
"""

    assert expected == sure("MTR-405", "src/billing/limits.ts", text)


def audited(rule: str, **texts: str) -> set[str]:
    files = (ChangedFile(path.replace("__", "/").replace("_dot_", "."), None, text, (), None) for path, text in texts.items())
    findings = examine(Change("audit", tuple(files)), Options(), "0").findings
    return {one.confidence for one in findings if one.rule == rule}


COMBINED = """
def usage_since(account, day, zone):
    midnight = datetime.combine(day, time.min).astimezone({zone})
    return UsageEvent.objects.filter(account=account, at__gte=midnight)
"""


@pytest.mark.parametrize(
    ("zone", "setting", "expected"),
    [("timezone.utc", '"UTC"', set()), ("timezone.utc", '"Europe/Rome"', {"certain"}), ("zone", '"UTC"', {"certain"})],
)
def test_django_sets_the_zone_of_the_process(zone: str, setting: str, expected: set[str]) -> None:
    settings = f'INSTALLED_APPS = ["billing"]\nTIME_ZONE = {setting}\n'

    found = audited("MTR-302", billing__usage_dot_py=COMBINED.format(zone=zone), app__settings_dot_py=settings)

    assert expected == found


MONTHLY = """
export async function monthlyUsage(db: Db, userId: string) {
  const start = new Date();
  start.setDate(1);
  start.setHours(0, 0, 0, 0);
  const { data } = await db.from("usage").select("tokens").eq("user_id", userId).gte("day", start.toISOString().split("T")[0]);
  return data.reduce((sum, row) => sum + row.tokens, 0);
}
"""
ROUTE = """
import {{ monthlyUsage }} from "../usage";

export async function GET(request: NextRequest) {{
  const usage = await monthlyUsage(db, request.userId);
  {use}
}}
"""


@pytest.mark.parametrize(
    ("path", "use", "expected"),
    [
        ("src__usage_dot_ts", "return NextResponse.json({ usage });", {"possible"}),
        ("src__usage_dot_ts", 'if (usage >= plan.monthlyLimit) throw new Error("quota");', {"likely"}),
        ("supabase__functions__usage_dot_ts", 'if (usage >= plan.monthlyLimit) throw new Error("quota");', set()),
    ],
)
def test_a_local_month_is_said_where_somebody_goes_by_it(path: str, use: str, expected: set[str]) -> None:
    found = audited("MTR-302", **{path: MONTHLY, "src__app__api__account__route_dot_ts": ROUTE.format(use=use)})

    assert expected == found


UPCOMING = """
export class InvoiceForecaster {
  async upcoming(accountId: string) {
    const account = await this.accounts.findById(accountId);
    const periodEnd = new Date();
    periodEnd.setMonth(periodEnd.getMonth() + 1);
    return { accountId, total: account.seats * account.seatPrice, periodEnd };
  }
}
"""
ANSWERS = """
@Controller("billing")
export class BillingController {
  @Get("upcoming")
  async show(@Query("account") account: string) {
    const next = await this.forecaster.upcoming(account);
    %sreturn { next: next ? next : null };
  }
}
"""


@pytest.mark.parametrize(
    ("use", "expected"), [("", {"possible"}), ("await this.accounts.update(account, next);\n    ", {"likely"})]
)
def test_a_month_is_not_said_of_what_is_only_shown(use: str, expected: set[str]) -> None:
    files = {"src/billing/forecaster.ts": UPCOMING, "src/billing/billing.controller.ts": ANSWERS % use}
    change = Change("audit", tuple(ChangedFile(path, None, text, (), None) for path, text in files.items()))

    assert expected == {one.confidence for one in examine(change, Options(), "0").findings if one.rule == "MTR-309"}


def test_a_month_is_not_said_of_the_default_of_a_model() -> None:
    text = """
export const SubscriptionSchema = new Schema({
  renewsAt: {
    type: Date,
    default: function () {
      const at = new Date();
      at.setMonth(at.getMonth() + 1);
      return at;
    },
  },
});
"""

    assert {"possible"} == sure("MTR-309", "src/billing/subscription.schema.ts", text)


@pytest.mark.parametrize(("asked", "expected"), [("next_billing_time", {"possible"}), ("cancelled_at", {"likely"})])
def test_a_month_is_not_said_after_the_date_of_the_provider(asked: str, expected: set[str]) -> None:
    text = f"""
export function paidThrough(remote: Remote): Date {{
  if (remote.billing?.{asked}) {{
    return new Date(remote.billing.{asked});
  }}
  const periodEnd = new Date();
  periodEnd.setMonth(periodEnd.getMonth() + 1);
  return periodEnd;
}}
"""

    assert expected == sure("MTR-309", "src/billing/paid.ts", text)


@pytest.mark.parametrize(
    ("start", "expected"), [("now()->startOfMonth()", {"possible"}), ("$subscription->started_at", {"likely", "certain"})]
)
def test_a_month_from_the_first_is_as_long_as_meant(start: str, expected: set[str]) -> None:
    text = f"""<?php
class Renewals
{{
    public function renew(Subscription $subscription): void
    {{
        $start = {start};
        $subscription->update(['current_period_end' => $this->nextPeriodEnd($start)]);
    }}

    private function nextPeriodEnd(Carbon $start): Carbon
    {{
        return $start->copy()->addMonth();
    }}
}}
"""

    found = sure("MTR-309", "app/Billing/Renewals.php", text)

    assert found
    assert found <= expected
