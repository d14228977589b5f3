"""A billing period is closed, and nothing compares what was counted with what the provider has.

Usage is lost, sent twice or late in more ways than code can rule out. The last moment to find a difference without
a customer finding it is the close. Before the invoice is final, ask the provider for its sum, compare it with the own ledger,
and stop or alarm where they differ. To compare the running period only does not help: usage goes on arriving after its end.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Scope, chain, enclosing, within
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-603",
    title="Period close finalises without comparing ledger and provider",
    severity=Severity.MEDIUM,
    classification=Classification.SUGGESTION,
    classes=("O3",),
    iso_25010="Security / accountability",
)
CLOSES = frozenset("finalize finalise close lock seal".split())
CLOSED = frozenset("invoice invoices period cycle statement".split())
COMPARES = re.compile(
    r"reconcil|compare|event_?summar|list_?usage|get_?usage|query_?usage|mismatch|drift|discrepan|verify_?total|diff", re.I
)
CURRENT = frozenset("current running this".split())
PAST = re.compile(
    r"previous|last_?period|past|closed|prior|preceding|subtract|sub_?months|add_?months?\(-|- ?1\b|period_?end", re.I
)


def check(code: Code) -> Iterator[Finding]:
    """At most one finding for a function."""
    if not code.billing:
        return
    said: set[Scope] = set()
    for call in code.facts.calls:
        function = outermost(call)
        if function is None or function in said or code.context(call.scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        if finalises(call) and not COMPARES.search(code.facts.source.decode(errors="replace")) and many(code, call):
            said.add(function)
            yield closed(call)
        elif only_current(code, call, function):
            said.add(function)
            yield running(call)


def outermost(call: Call) -> Scope | None:
    return next((one for one in reversed(list(chain(call.scope))) if one.kind is Kind.FUNCTION), None)


def finalises(call: Call) -> bool:
    """`stripe.invoices.finalizeInvoice(…)`, `closePeriod(…)`."""
    said = set(words(call.method)) | set(words(call.name.rpartition(".")[0]))
    return bool(CLOSES & set(words(call.method))) and bool(CLOSED & said)


def many(code: Code, call: Call) -> bool:
    """A job that closes for all customers, not the endpoint of one invoice."""
    return enclosing(call.scope, Kind.LOOP) is not None or code.context(call.scope) in (Context.SCHEDULE, Context.WORKER)


def closed(call: Call) -> Finding:
    return Finding(
        span=call.span,
        description=f"`{call.name}` makes the period final, and nothing here compares the own sum with the provider's first.",
        remediation="Ask the provider for its sum of the period, compare, and stop or alarm where the two differ.",
        confidence=Confidence.POSSIBLE,
    )


def only_current(code: Code, call: Call, function: Scope) -> bool:
    """A reconciliation whose only period is the one that runs: `const { start } = getCurrentPeriod()`."""
    said = words(call.method)
    if "period" not in said or not CURRENT & set(said) or said[0] not in ("get", "current", "this", "calculate"):
        return False
    inner = enclosing(call.scope, Kind.FUNCTION)
    name = inner.head.name if inner is not None and isinstance(inner.head, Function) else ""
    reconciles = any(word.startswith("reconcil") for word in words(name))
    return reconciles and within(call.scope, function) and not PAST.search(code.facts.source.decode(errors="replace"))


def running(call: Call) -> Finding:
    return Finding(
        span=call.span,
        description=(
            f"This reconciliation looks at the running period only (`{call.name}`): what arrives, or is lost, around its end "
            "is never compared once it is closed."
        ),
        remediation="Compare the closed period too, until it is invoiced.",
        confidence=Confidence.LIKELY,
    )


EXAMPLES = (
    Example(
        "python",
        """
@shared_task
def close_periods(db):
    for invoice in db.open_invoices():
        stripe.Invoice.finalize_invoice(invoice.stripe_id)  # <- finding
""",
    ),
    Example(
        "python",
        """
@shared_task
def close_periods(db):
    for invoice in db.open_invoices():
        if provider_total(invoice) != ledger_total(db, invoice):
            report_mismatch(invoice)
            continue
        stripe.Invoice.finalize_invoice(invoice.stripe_id)
""",
    ),
    Example(
        "typescript",
        """
export async function reconcileUsage() {
  const { start } = getCurrentPeriod();  // <- finding
  for (const item of await subscriptionItems()) {
    await compareUsage(item, start);
  }
}
""",
    ),
    Example(
        "typescript",
        """
export async function reconcileUsage() {
  for (const { start } of [getPreviousPeriod(), getCurrentPeriod()]) {
    for (const item of await subscriptionItems()) {
      await compareUsage(item, start);
    }
  }
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) CloseInvoices(ctx context.Context) error {
	for _, invoice := range s.store.OpenInvoices(ctx) {
		if _, err := s.stripe.V1Invoices.FinalizeInvoice(ctx, invoice.StripeID, nil); err != nil {  // <- finding
			return err
		}
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) CloseInvoices(ctx context.Context) error {
	var failed []error
	for _, invoice := range s.store.OpenInvoices(ctx) {
		if err := s.reconcile(ctx, invoice); err != nil {
			failed = append(failed, err)
			continue
		}
		if _, err := s.stripe.V1Invoices.FinalizeInvoice(ctx, invoice.StripeID, nil); err != nil {
			failed = append(failed, err)
		}
	}
	return errors.Join(failed...)
}
""",
    ),
)
