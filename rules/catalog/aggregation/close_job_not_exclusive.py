"""A scheduled job creates invoices or charges, and nothing keeps it from running twice for the same period.

Schedulers fire twice: on a redeploy, after a timeout, with two instances, on a manual retry. Each run then selects the same
customers and charges them again. Give every charge an idempotency key made of customer and period, claim each row with a
conditional update before it is billed, or hold a lock while the job runs.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Class, Function, Kind, Loop, Scope, chain, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import runs_alone
from rules.meaning.repeats.startups import restarted, unnamed_schedules
from rules.meaning.subjects import BILLED
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.due_jobs import asks_first

ABOUT = About(
    id="MTR-312",
    title="Period-close or invoice job can run twice",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A13",),
    cwe=("CWE-837", "CWE-667"),
    iso_25010="Reliability / faultlessness",
)
DIRECT = (
    "invoices.create", "invoiceitems.create", "paymentintents.create", "charges.create", "invoice.create",
    "invoiceitem.create", "paymentintent.create", "charge.create", "invoice.new",
    "invoiceservice.create", "invoiceitemservice.create", "paymentintentservice.create", "chargeservice.create",
    "invoiceitem.new", "invoice.objects.create", "charge.objects.create",
)  # fmt: skip
MAKES = frozenset("create generate issue charge bill".split())
BILLS = frozenset("invoice invoices charge charges payment".split())
EXCUSES = re.compile(
    r"idempoten|get_or_create|getorcreate|on_?conflict|upsert|unique|already|exist|lock|for_?update|claim|skip_duplicates|"
    r"skipduplicates|updatemany|rowsaffected|rowcount|p2002|integrityerror|single_?flight|solo|jobid|job_id",
    re.I,
)


KEYED = re.compile(r"lock_key_arguments|lock_args|unique_args|lock_key\b|runtime_lock")
"""Ways to say which of its arguments a job is unique by."""
LOCKED = re.compile(r"LockService|FailedTo(Acquire|Obtain)Lock|advisory_lock|with_lock|redlock", re.I)
"""The work itself is done under a lock, whatever makes the job unique."""
ENQUEUED = frozenset("timestamp now currenttime enqueuedat time runat requestedat".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: set[Scope] = set()
    for call in code.facts.calls:
        job = scheduled(code, call)
        if job is None or job in said or not charges(call) or not in_loop(call):
            continue
        if runs_alone(code, call.scope, transactions=False) or EXCUSES.search(code.facts.text(job.span)) or excused_head(job):
            continue
        said.add(job)
        yield finding(code, call)
    yield from extra_starts(code)
    yield from unique_by_time(code)


def unique_by_time(code: Code) -> Iterator[Finding]:
    """A job that is unique by its arguments, one of which is the time at which it was put into the queue."""
    source = code.facts.source.decode(errors="replace")
    if KEYED.search(source) or LOCKED.search(source):
        return
    for scope in code.facts.scopes:
        head = scope.head
        around = enclosing(scope, Kind.CLASS)
        if not isinstance(head, Function) or head.name != "perform" or around is None or not isinstance(around.head, Class):
            continue
        mark = next((one for one in around.head.decorators if isinstance(one, Call) and is_unique(one)), None)
        time = next((one.name for one in head.parameters if fold(one.name) in ENQUEUED), None)
        if mark is not None and time is not None and not only_enqueues(code, scope):
            yield Finding(
                span=mark.span,
                cause=mark.span,
                description=f"This job is unique by its arguments, and `{time}` is another one each time it is put into the "
                "queue: two runs for the same customer and period do not exclude each other, and bill twice.",
                remediation=f"Leave `{time}` out of the key (`lock_key_arguments`), or round it to the period.",
                confidence=Confidence.LIKELY,
            )


def only_enqueues(code: Code, perform: Scope) -> bool:
    """Whether the job does nothing but put other jobs into the queue, which are unique or not by themselves."""
    done = {fold(call.method) for call in code.calls_in(perform)}
    return bool(done & {"performlater", "performasync", "performall"}) and not done & {"call", "performnow", "create", "save"}


def is_unique(mark: Call) -> bool:
    """`unique :until_executed`, `sidekiq_options lock: :until_executed`."""
    return mark.name in ("unique", "unique_job") or any(one.name == "lock" for one in mark.arguments)


def extra_starts(code: Code) -> Iterator[Finding]:
    """A job that is on a schedule already, and that each start of a process enqueues or schedules once more."""
    for call, registered in restarted(code):
        if (
            code.context(call.scope) is not Context.TEST
            and concerns_usage(code, call)
            and not asks_first(code, call, registered)
        ):
            yield Finding(
                span=call.span,
                description="This job already repeats on a schedule, and every start of a process adds one more run without a "
                "job id: after a deployment several runs bill or reset at the same time.",
                remediation="Leave it to the schedule, or give it a fixed job id.",
                confidence=Confidence.LIKELY,
                trace=(Step(registered.span, "scheduled here"),),
            )
    for call in unnamed_schedules(code):
        if code.context(call.scope) is not Context.TEST and concerns_usage(code, call):
            yield Finding(
                span=call.span,
                description="The job store outlives the process, and without an `id` every start adds this job once more: "
                "it then runs as many times as there were starts, and customers are billed as often.",
                remediation="Pass a fixed `id` and `replace_existing=True`.",
                confidence=Confidence.LIKELY,
            )


def concerns_usage(code: Code, call: Call) -> bool:
    said = set(words(code.facts.text(call.span))) | set(words(code.facts.path.rsplit("/", 1)[-1]))
    return bool(said & (BILLED | BILLS | {"period", "close", "reset", "balance"}))


def scheduled(code: Code, call: Call) -> Scope | None:
    """The outermost function around a call, if it runs on a schedule."""
    function = enclosing(call.scope, Kind.FUNCTION)
    if function is None or code.context(call.scope) is not Context.SCHEDULE:
        return None
    return [one for one in chain(call.scope) if one.kind is Kind.FUNCTION][-1]


def charges(call: Call) -> bool:
    if call.folded.endswith(DIRECT):
        return True
    said = words(call.method)
    return bool(said) and said[0] in MAKES and bool(set(said[1:]) & BILLS)


def in_loop(call: Call) -> bool:
    """One charge for each of many; a job for one fixed customer is rare."""
    for outer in chain(call.scope):
        if outer.kind is Kind.LOOP and isinstance(outer.head, Loop):
            return True
        if isinstance(outer.head, Function) and fold(outer.head.passed_to).rsplit(".", 1)[-1] in ("map", "foreach"):
            return True
    return False


def excused_head(job: Scope) -> bool:
    """A decorator or an option of the schedule that keeps it single: `@once`, `singleton: true`."""
    head = job.head
    marks = head.decorators if isinstance(head, Function) else ()
    names = {
        word for mark in marks for part in walk(mark) for word in words(getattr(part, "name", "") or getattr(part, "text", ""))
    }
    return bool(names & {"once", "singleton", "single", "unique", "lock", "exclusive", "idempotent", "concurrent"})


def finding(code: Code, call: Call) -> Finding:
    direct = call.folded.endswith(DIRECT)
    return Finding(
        span=call.span,
        description=(
            f"`{call.name}` runs on a schedule for every customer, and nothing here tells a second run of the "
            "same period from the "
            "first: a customer is invoiced or charged twice."
        ),
        remediation="Pass an idempotency key of customer and period, or claim each row with a conditional update first.",
        confidence=Confidence.LIKELY if direct else Confidence.POSSIBLE,
    )


EXAMPLES = (
    Example(
        "python",
        """
@scheduler.scheduled_job("cron", day=1)
def close_month(session):
    for customer in session.query(Customer).all():
        stripe.Invoice.create(customer=customer.stripe_id, auto_advance=True)  # <- finding
""",
    ),
    Example(
        "python",
        """
@scheduler.scheduled_job("cron", day=1)
def close_month(session, period):
    for customer in session.query(Customer).all():
        stripe.Invoice.create(customer=customer.stripe_id, idempotency_key=f"close:{customer.id}:{period}")
""",
    ),
    Example(
        "typescript",
        """
cron.schedule("0 0 1 * *", async () => {
  for (const customer of await dueCustomers()) {
    await stripe.invoices.create({ customer: customer.stripeId });  // <- finding
  }
});
""",
    ),
    Example(
        "typescript",
        """
cron.schedule("0 0 1 * *", async () => {
  for (const customer of await dueCustomers()) {
    const period = customer.periodStart.toISOString();
    await stripe.invoices.create({ customer: customer.stripeId }, { idempotencyKey: `close:${customer.id}:${period}` });
  }
});
""",
    ),
    Example(
        "go",
        """
package billing

func register(c *cron.Cron, customers []Customer) {
	c.AddFunc("@monthly", func() {
		for _, customer := range customers {
			params := &stripe.InvoiceParams{Customer: stripe.String(customer.StripeID)}
			if _, err := invoice.New(params); err != nil {  // <- finding
				log.Fatal(err)
			}
		}
	})
}
""",
    ),
    Example(
        "go",
        """
package billing

func register(c *cron.Cron, customers []Customer, period string) {
	c.AddFunc("@monthly", func() {
		for _, customer := range customers {
			params := &stripe.InvoiceParams{Customer: stripe.String(customer.StripeID)}
			params.SetIdempotencyKey("close:" + customer.ID + ":" + period)
			if _, err := invoice.New(params); err != nil {
				log.Fatal(err)
			}
		}
	})
}
""",
    ),
    Example(
        "typescript",
        """
export async function startBillingJobs(queue: Queue) {
  await queue.add("report-usage", {}, { repeat: { pattern: "5 * * * *" } });
  await queue.add("report-usage", {}, { removeOnComplete: true });  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
export async function startBillingJobs(queue: Queue) {
  await queue.add("report-usage", {}, { repeat: { pattern: "5 * * * *" } });
  await queue.add("report-usage", {}, { jobId: "report-usage-at-start" });
  await queue.add("sync-plans", {});
}
""",
    ),
    Example(
        "typescript",
        """
import { reportUsage } from "./report";

export async function startBillingJobs(queue: Queue) {
  await queue.add("report-usage", {}, { repeat: { pattern: "5 * * * *" } });
  await queue.add("report-usage", {}, { removeOnComplete: true });
}

export const takeBillingJob = async (job: Job) => {
  if (job.name === "report-usage") await reportUsage(job);
};
""",
        path="src/billing/queue.ts",
        context={
            "src/billing/report.ts": """
export async function reportUsage(job: Job) {
  const schedule = await db.schedule.findUnique({ where: { name: "report-usage" } });
  if (schedule.nextRun.getTime() > Date.now()) return;
  await meters.report(await usageSince(schedule.nextRun));
  await db.schedule.update({ where: { name: "report-usage" }, data: { nextRun: anHourAfter(schedule.nextRun) } });
}
"""
        },
    ),
    Example(
        "typescript",
        """
import { reportUsage } from "./report";
import { sweepDrafts } from "./sweep";

export async function startBillingJobs(queue: Queue) {
  await queue.add("report-usage", {}, { repeat: { pattern: "5 * * * *" } });
  await queue.add("report-usage", {}, { removeOnComplete: true });  // <- finding
}

export const takeBillingJob = async (job: Job) => {
  if (job.name === "report-usage") {
    await sweepDrafts(job);
    await reportUsage(job);
  }
};
""",
        path="src/billing/queue.ts",
        context={
            "src/billing/report.ts": """
export async function reportUsage(job: Job) {
  const schedule = await db.schedule.findUnique({ where: { name: "report-usage" } });
  await meters.report(await usageSince(schedule.nextRun));
  await db.schedule.update({ where: { name: "report-usage" }, data: { nextRun: anHourAfter(schedule.nextRun) } });
}
""",
            "src/billing/sweep.ts": """
export async function sweepDrafts(job: Job) {
  const schedule = await db.schedule.findUnique({ where: { name: "sweep-drafts" } });
  if (schedule.nextRun.getTime() > Date.now()) return;
  await db.draft.deleteMany({ where: { stale: true } });
  await db.schedule.update({ where: { name: "sweep-drafts" }, data: { nextRun: anHourAfter(schedule.nextRun) } });
}
""",
        },
    ),
    Example(
        "typescript",
        """
import { reportUsage } from "./report";

export async function startBillingJobs(queue: Queue) {
  await queue.add("report-usage", {}, { repeat: { pattern: "5 * * * *" } });
  await queue.add("report-usage", {}, { removeOnComplete: true });  // <- finding
}

export const takeBillingJob = async (job: Job) => {
  if (job.name === "report-usage") {
    await reportUsage(job);
  }
};
""",
        path="src/billing/queue.ts",
        context={
            "src/billing/report.ts": """
export async function reportUsage(job: Job) {
  const schedule = await db.schedule.findUnique({ where: { name: "report-usage" } });
  if (schedule.nextRun.getTime() > Date.now()) return;
  await meters.report(await usageSince(schedule.nextRun));
  logger.info("usage is reported", { nextRun: anHourAfter(schedule.nextRun) });
}
""",
        },
    ),
    Example(
        "typescript",
        """
import { reportUsage } from "./report";

export async function startBillingJobs(queue: Queue) {
  await queue.add("report-usage", {}, { repeat: { pattern: "5 * * * *" } });
  await queue.add("report-usage", {}, { removeOnComplete: true });  // <- finding
}

export const takeBillingJob = async (job: Job) => {
  if (job.name === "report-usage") {
    await reportUsage(job);
  }
};
""",
        path="src/billing/queue.ts",
        context={
            "src/billing/report.ts": """
export async function reportUsage(job: Job) {
  const schedule = await db.schedule.findUnique({ where: { name: "report-usage" } });
  if (schedule.runUntil.getTime() < Date.now()) return;
  await meters.report(await usageSince(schedule.runUntil));
  await db.schedule.update({ where: { name: "report-usage" }, data: { runUntil: aDayAfter(schedule.runUntil) } });
}
""",
        },
    ),
    Example(
        "python",
        """
def start(engine):
    scheduler = BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(engine=engine)})
    scheduler.add_job(close_billing_period, "cron", hour=1)  # <- finding
    scheduler.start()
""",
    ),
    Example(
        "python",
        """
def start(engine):
    scheduler = BackgroundScheduler(jobstores={"default": SQLAlchemyJobStore(engine=engine)})
    scheduler.add_job(close_billing_period, "cron", hour=1, id="close-period", replace_existing=True)
    scheduler.start()
""",
    ),
    Example(
        "go",
        """
package billing

func start(scheduler *asynq.Scheduler, client *asynq.Client) {
	reportUsageTask := asynq.NewTask("usage:report", nil)
	scheduler.Register("@every 1h", reportUsageTask)
	client.Enqueue(reportUsageTask)  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

func start(scheduler *asynq.Scheduler, client *asynq.Client) {
	reportUsageTask := asynq.NewTask("usage:report", nil)
	scheduler.Register("@every 1h", reportUsageTask)
	client.Enqueue(reportUsageTask, asynq.TaskID("usage-report-at-start"))
}
""",
    ),
)
