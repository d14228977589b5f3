"""What is billed is selected without a test for cancelled, deleted or inactive, although such rows exist.

A soft-deleted project, a cancelled subscription or an archived price stays in its table, and the run that bills takes it along:
customers pay for what they no longer have. Test for it in the query that selects what is billed, as other queries on the table
do; raw SQL goes past the filter that a model adds by itself. A last invoice after a cancellation is a query of its own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Entry, Function, Kind, Name, Object, Scope, Span, chain, enclosing, fold, walk, within
from rules.meaning import wording
from rules.meaning.contexts import Context
from rules.meaning.subjects import name_around
from rules.meaning.usage.writes import usage_writes
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity
from rules.schema import Table

ABOUT = About(
    id="MTR-318",
    title="Cancelled, deleted or soft-deleted entities are still selected for billing",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("X",),
    cwe=("CWE-672",),
    iso_25010="Functional suitability / functional correctness",
)
GONE = ("deletedat", "isdeleted", "archivedat", "isarchived", "cancelledat", "canceledat", "deactivatedat")
"""Columns by which a row that is still there is no longer alive, as they are folded."""
SAYS = re.compile(
    r"delet|archiv|cancel|inactive|is_?active|\bactive\b|enabled|disabled|status|ended|expire|trial|paranoid|soft|final", re.I
)
SAID_AFTER = re.compile(r"deleted|archived|cancell?ed|is_?active|inactive|paranoid|soft_?delet", re.I)
LISTS = frozenset("findmany find all filter select query aggregate groupby scalars execute".split())
BILLS = frozenset("bill bills billing charge charges invoice invoices meter metering renew renewal usage overage".split())
BOOKED = frozenset("invoice invoices payment payments charge charges receipt receipts ledger transaction transactions".split())
"""Debts that are on the books: whoever is gone by now still owes them, and what is loaded along only says who that was."""
SHOWS = frozenset("get list show display dashboard stats admin export search test".split())


@dataclass(frozen=True, slots=True, eq=False)
class Selection:
    """One query for many rows of a table."""

    table: str
    span: Span
    scope: Scope
    text: str
    along: bool = False
    """Loaded along with the rows that are asked for, whose own condition may leave it out."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    found = list(selections(code))
    for one in found:
        function = enclosing(one.scope, Kind.FUNCTION)
        if BOOKED & set(words(one.table)) or function is None or not for_billing(code, function, one.scope):
            continue
        if SAYS.search(one.text) or SAID_AFTER.search(code.facts.text(function.span)):
            continue
        table = code.elsewhere.schema.table(one.table)
        column = gone_column(table)
        sibling = next((other for other in found if other is not one and same(other, one) and tested(other)), None)
        if sibling is not None or column:
            # Whoever is gone may still owe for what was used: that it is left out is known where another query does so.
            sure = Confidence.POSSIBLE
            yield finding(one, wording.column(code.facts.idioms, column) or tested(sibling), sure)


def selections(code: Code) -> Iterator[Selection]:
    for call in code.facts.calls:
        if code.context(call.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        if fold(call.method) in LISTS and (name := model(call)):
            yield Selection(name, call.span, call.scope, code.facts.text(call.span))
            if BOOKED & set(words(name)):
                continue
            yield from (
                Selection(one.name or "", one.span, call.scope, code.facts.text(one.span), along=True)
                for one in relations(code, call)
            )
    for statement in code.statements:
        if statement.kind == "select" and statement.tables and statement.call is not None:
            yield Selection(statement.tables[0], statement.span, statement.scope, statement.text)


def model(call: Call) -> str:
    """`prisma.subscription.findMany`, `Subscription.objects.filter`, `session.query(Subscription)`, `select(Subscription)`."""
    segments = [one for one in call.name.replace("()", "").split(".") if one]
    if fold(call.method) in ("findmany", "aggregate", "groupby", "find") and len(segments) > 2:
        return segments[-2]
    if "objects" in segments[1:]:
        return segments[segments.index("objects") - 1]
    first = call.arguments[0].value if call.arguments else None
    if fold(call.method) in ("query", "select") and isinstance(first, Name) and first.text[:1].isupper():
        return first.text
    return ""


def relations(code: Code, call: Call) -> Iterator[Entry]:
    """Relations that are loaded along, without a condition, of tables that the schema knows."""
    for argument in call.arguments:
        for part in walk(argument.value):
            for entry in part.entries if isinstance(part, Object) else ():
                if fold(entry.name or "") in ("include", "select") and isinstance(entry.value, Object):
                    for inner in entry.value.entries:
                        conditions = {one.name for one in getattr(inner.value, "entries", ())}
                        loaded = isinstance(inner.value, Object) or getattr(inner.value, "value", None) is True
                        if loaded and "where" not in conditions and code.elsewhere.schema.table(inner.name or "") is not None:
                            yield inner


def gone_column(table: Table | None) -> str:
    return next((column for column in table.columns if column in GONE[:4]), "") if table is not None else ""


def for_billing(code: Code, function: Scope, scope: Scope) -> bool:
    """Whether the rows are selected in order to bill: usage is reported or an invoice made further down."""
    name = name_around(scope)
    said = set(words(name))
    if said & SHOWS or code.context(scope) is Context.REQUEST:
        return False
    outer = [one for one in chain(scope) if isinstance(one.head, Function)][-1]
    if any(one.direct and within(one.scope, outer) for one in code.emissions):
        return True
    billed = said & BILLS and any(within(one.scope, outer) for one in usage_writes(code))
    makes = any({"invoice", "charge"} & set(words(call.method)) and makes_one(call) for call in code.calls_in(outer))
    return bool(billed) or (bool(said & BILLS) and makes)


def makes_one(call: Call) -> bool:
    return (words(call.method) or ("",))[0] in ("create", "charge", "generate", "finalize", "make", "issue", "bill", "send")


def same(one: Selection, other: Selection) -> bool:
    return fold(one.table) == fold(other.table)


def tested(one: Selection | None) -> str:
    """The column by which a query leaves out what is gone."""
    found = re.search(r"\b(\w*(?:deleted|archived|cancell?ed)_?(?:at)?)\b", one.text, re.I) if one is not None else None
    return found[1] if found else ""


def finding(one: Selection, column: str, sure: Confidence) -> Finding:
    return Finding(
        span=one.span,
        cause=one.span,
        description=(
            f"What is billed is selected from `{one.table}` without a test of `{column}`: rows that are deleted or cancelled "
            "are billed as well."
        ),
        remediation=f"Leave out what is gone: add `{column}` to the condition.",
        confidence=sure,
    )


EXAMPLES = (
    Example(
        "python",
        """
import stripe

def meter_projects(db):
    for project_id, tokens in db.execute("SELECT id, tokens FROM projects WHERE tokens > 0"):  # <- finding
        stripe.billing.MeterEvent.create(
            event_name="tokens",
            identifier=f"{project_id}:{hour}",
            payload={"stripe_customer_id": customers[project_id], "value": str(tokens)},
        )

def list_projects(db, owner):
    return db.execute("SELECT id, name FROM projects WHERE owner = %s AND deleted_at IS NULL", (owner,))
""",
    ),
    Example(
        "python",
        """
import stripe

def meter_projects(db):
    for project_id, tokens in db.execute("SELECT id, tokens FROM projects WHERE tokens > 0 AND deleted_at IS NULL"):
        stripe.billing.MeterEvent.create(
            event_name="tokens",
            identifier=f"{project_id}:{hour}",
            payload={"stripe_customer_id": customers[project_id], "value": str(tokens)},
        )

def list_projects(db, owner):
    return db.execute("SELECT id, name FROM projects WHERE owner = %s AND deleted_at IS NULL", (owner,))
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function meterOrganizations(hour: string) {
  const organizations = await prisma.organization.findMany({
    where: { stripeCustomerId: { not: null } },
    include: {
      projects: { select: { id: true, tokens: true } },  // <- finding
    },
  });
  for (const one of organizations) {
    await stripe.billing.meterEvents.create({
      event_name: "tokens",
      identifier: `${one.id}:${hour}`,
      payload: { stripe_customer_id: one.stripeCustomerId!, value: String(total(one.projects)) },
    });
  }
}
""",
        path="src/meter.ts",
        context={
            "prisma/schema.prisma": (
                "model Organization {\n  id String @id\n  stripeCustomerId String?\n  projects Project[]\n}\n"
                "model Project {\n  id String @id\n  tokens Int\n  deletedAt DateTime?\n}\n"
            )
        },
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function meterOrganizations(hour: string) {
  const organizations = await prisma.organization.findMany({
    where: { stripeCustomerId: { not: null } },
    include: { projects: { where: { deletedAt: null }, select: { id: true, tokens: true } } },
  });
  for (const one of organizations) {
    await stripe.billing.meterEvents.create({
      event_name: "tokens",
      identifier: `${one.id}:${hour}`,
      payload: { stripe_customer_id: one.stripeCustomerId!, value: String(total(one.projects)) },
    });
  }
}
""",
        path="src/meter.ts",
        context={
            "prisma/schema.prisma": "model Project {\n  id String @id\n  tokens Int\n  deletedAt DateTime?\n}\n",
        },
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

export async function billDrafts() {
  const drafts = await prisma.invoice.findMany({
    where: { state: "DRAFT" },
    include: { subscription: true },
  });
  for (const draft of drafts) {
    await stripe.billing.meterEvents.create({
      event_name: "tokens",
      identifier: draft.id,
      payload: { stripe_customer_id: draft.subscription.customerId, value: String(draft.quantity) },
    });
  }
}
""",
        path="src/drafts.ts",
        context={
            "prisma/schema.prisma": "model Subscription {\n  id String @id\n  customerId String\n  deletedAt DateTime?\n}\n",
        },
    ),
    Example(
        "go",
        """
package billing

func (s *Service) InvoiceAccounts(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "SELECT id, used FROM accounts WHERE used > 0")  // <- finding
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := s.CreateInvoice(ctx, scan(rows)); err != nil {
			return err
		}
	}
	return rows.Err()
}

func (s *Service) Accounts(ctx context.Context) (*sql.Rows, error) {
	return s.db.QueryContext(ctx, "SELECT id, plan FROM accounts WHERE deleted_at IS NULL")
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) InvoiceAccounts(ctx context.Context) error {
	rows, err := s.db.QueryContext(ctx, "SELECT id, used FROM accounts WHERE used > 0 AND deleted_at IS NULL")
	if err != nil {
		return err
	}
	defer rows.Close()
	return s.invoiceAll(ctx, rows)
}

func (s *Service) Accounts(ctx context.Context) (*sql.Rows, error) {
	return s.db.QueryContext(ctx, "SELECT id, plan FROM accounts WHERE deleted_at IS NULL")
}
""",
    ),
)
