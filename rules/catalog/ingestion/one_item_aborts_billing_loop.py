"""One customer, meter or record that fails ends the whole run over all of them.

A deleted customer or a malformed record fails on every run, so all that come after it in the list are never billed, and which
ones those are depends on the order. Handle the failure of each item by itself, go on with the next one, and report at the end
which items failed so that they are tried again.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Branch, Call, Handler, Kind, Loop, Name, Raise, Return, Scope, chain, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.repeats.item_checks import batch_checks
from rules.meaning.subjects import bills
from rules.meaning.usage.losses import gives_back
from rules.meaning.usage.unique_maps import failing_maps
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

ABOUT = About(
    id="MTR-127",
    title="One failing customer, meter or record ends or hides the rest of a billing loop",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E9",),
    cwe=("CWE-755",),
    iso_25010="Reliability / fault tolerance",
    gives_way_to=("emit-error-swallowed",),
)
SUBJECTS = frozenset(
    "customer customers account accounts org orgs organization organizations organisation organisations subscription "
    "subscriptions tenant tenants user users workspace workspaces team teams project projects meter meters member members "
    "client clients license licenses".split()
)
"""Whom or what a billing run goes through. Items of one invoice or events of one request belong together."""

EVERY_FAILURE = frozenset("exception baseexception throwable error standarderror runtimeexception".split())
USAGE = frozenset("usage event events meter metering metered billing ledger consumption ingest ingestion".split())


def check(code: Code) -> Iterator[Finding]:
    seen: set[Scope] = set()
    for write in failing_writes(code):
        loop = run_over_subjects(write)
        if loop is None or loop in seen or write.call is None or gives_back(write.call):
            continue
        context = code.context(write.scope)
        if context in (Context.TEST, Context.BROWSER, Context.REQUEST, Context.SCRIPT):
            continue
        if (found := left_early(code, write, loop) or failing(code, write, loop, context)) is not None:
            seen.add(loop)
            yield found
    yield from hidden(code)
    yield from strict_maps(code)


def strict_maps(code: Code) -> Iterator[Finding]:
    """The rows of several subscriptions or plans put into a map that takes no key twice."""
    if not code.billing:
        return
    for call in failing_maps(code):
        if code.context(call.scope) not in (Context.TEST, Context.BROWSER) and bills(code.facts, call.scope):
            made = call.arguments[0].value if fold(call.method) == "collect" else call
            place = made.span
            yield Finding(
                span=place,
                cause=call.span,
                description="This map takes no key twice, and its rows come from several parents: a key that repeats ends "
                "it, and nothing of this run is billed.",
                remediation="Say what happens to a repeated key: a merge function, `groupingBy`, or `distinct` rows before.",
                confidence=Confidence.LIKELY,
            )


def hidden(code: Code) -> Iterator[Finding]:
    """Whether an event is left out is decided by a question about all of them: one repeat hides the rest."""
    if not code.billing:
        return
    for test, asked in batch_checks(code):
        if code.context(test.scope) not in (Context.TEST, Context.BROWSER) and of_usage(code, test.scope, asked):
            yield Finding(
                span=test.value.span,
                cause=asked.span,
                description=(
                    f"`{asked.method}` asks about the whole batch and not about this item: one event that is known already "
                    "makes all of them look like repeats, and their usage is dropped."
                ),
                remediation="Ask for the ids that are known, once, and compare each item's own id with them.",
                confidence=Confidence.LIKELY,
            )


def of_usage(code: Code, scope: Scope, asked: Call) -> bool:
    """Whether what is left out is usage: the query, the file or the function says so, or the function writes some."""
    function = enclosing(scope, Kind.FUNCTION)
    said = {*words(code.facts.text(asked.span)), *words(code.facts.path), *words(code.function_name(scope))}
    return bool(said & USAGE) or any(one.function is function for one in failing_writes(code))


def run_over_subjects(write: UsageWrite) -> Scope | None:
    """The loop over customers or meters around a write, in the same function."""
    for scope in chain(write.scope):
        if scope.kind is Kind.FUNCTION:
            return None
        if isinstance(scope.head, Loop) and scope.head.iterates is not None:
            said = {
                word
                for part in (*walk(scope.head.iterates), *scope.head.targets)
                if isinstance(part, Name)
                for word in words(part.text)
            }
            return scope if said & SUBJECTS else None
    return None


def left_early(code: Code, write: UsageWrite, loop: Scope) -> Finding | None:
    """`if (!customer.meterId) return;` in the loop: one item without it, and the rest is never looked at."""
    for one in code.facts.returns:
        branch = one.scope
        if one.value is not None or not isinstance(branch.head, Branch) or not within(branch, loop):
            continue
        if enclosing(branch, Kind.FUNCTION) is not write.function or enclosing(branch, Kind.LOOP) is not loop:
            continue
        if one.span.end <= write.span.start and about_item(branch.head, loop):
            return skipped(code, one, write)
    return None


def about_item(head: Branch, loop: Scope) -> bool:
    """Whether the test asks something of the item."""
    assert isinstance(loop.head, Loop)
    items = {part.text for target in loop.head.targets for part in walk(target) if isinstance(part, Name)}
    return any(isinstance(part, Name) and part.text in items for part in walk(head.test))


def skipped(code: Code, one: Return, write: UsageWrite) -> Finding:
    written = code.facts.text(one.span)
    fix, word = None, code.facts.idioms.next_item
    if written.strip(" ;\n") == "return":
        fix = Fix("Go on with the next item", (Edit(one.span.start, one.span.start + len("return"), word),), safe=False)
    return Finding(
        span=one.span,
        cause=write.span,
        description=f"`return` ends the whole run at the first such item: {write.title} is skipped for all after it.",
        remediation=f"Use `{word}`, so that only this item is left out.",
        confidence=Confidence.CERTAIN,
        trace=(Step(write.span, "this is not reached for the items after it"),),
        fix=fix,
    )


def failing(code: Code, write: UsageWrite, loop: Scope, context: Context) -> Finding | None:
    """Nothing in the loop takes the failure of one item, or what takes it ends the loop."""
    assert write.call is not None
    if not certain_write(code, write):
        return None
    taken = [one for one in handlers_of(code, write.call, write.sent or write.call) if within(one, loop)]
    left = (one for handler in taken for one in leaving(code, handler, write.function))
    exits = next((one for one in left if not taken_further_out(code, one, loop)), None)
    if taken and exits is None:
        return None
    if exits is None and context is not Context.SCHEDULE:
        return None
    span = exits.span if exits is not None else write.span
    return Finding(
        span=span,
        cause=write.span,
        description=f"When {write.title} fails for one item, the run ends: all after it in the list are not billed.",
        remediation="Handle the failure of each item, go on, and report the failed ones at the end for another attempt.",
        confidence=Confidence.LIKELY,
    )


def certain_write(code: Code, write: UsageWrite) -> bool:
    return any(one.call is write.call for one in code.emissions)


def leaving(code: Code, handler: Scope, function: Scope | None) -> Iterator[Return | Raise]:
    assert isinstance(handler.head, Handler)
    exits: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    for one in exits:
        if one.scope is handler and enclosing(one.scope, Kind.FUNCTION) is function:
            yield one


def taken_further_out(code: Code, one: Return | Raise, loop: Scope) -> bool:
    """Whether what is raised again meets another try around it in the same round, whose handler goes on to the next item."""
    if not isinstance(one, Raise):
        return False
    around = (scope for scope in chain(one.scope) if scope.kind is Kind.TRY and within(scope, loop))
    return any(goes_on(code, handler) for tried in around for handler in handlers_for(code, tried))


def handlers_for(code: Code, tried: Scope) -> Iterator[Scope]:
    """Those of a try that take every failure."""
    for scope in code.facts.scopes:
        if isinstance(scope.head, Handler) and scope.head.guards is tried:
            kinds = {fold(kind).rsplit(".", 1)[-1] for kind in scope.head.catches}
            if not kinds or kinds & EVERY_FAILURE:
                yield scope


def goes_on(code: Code, handler: Scope) -> bool:
    exits: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    breaks = any(one.word == "break" and within(one.scope, handler) for one in code.facts.jumps)
    return not breaks and not any(within(one.scope, handler) for one in exits)


EXAMPLES = (
    Example(
        "python",
        """
def bill_all(customers, client):
    for customer in customers:
        if customer.meter_id is None:
            return  # <- finding
        client.report_usage(customer.meter_id, customer.tokens)
""",
    ),
    Example(
        "python",
        """
def bill_all(customers, client):
    failed = []
    for customer in customers:
        if customer.meter_id is None:
            continue
        try:
            client.report_usage(customer.meter_id, customer.tokens)
        except ProviderError as error:
            failed.append((customer, error))
    if failed:
        raise BillingIncomplete(failed)
""",
    ),
    Example(
        "typescript",
        """
export async function billAll(customers: Customer[], usage: UsageClient) {
  for (const customer of customers) {
    if (!customer.meterId) return;  // <- finding
    await usage.reportUsage(customer.meterId, customer.tokens);
  }
}

cron.schedule("0 * * * *", async () => {
  const accounts = await loadAccounts();
  for (const account of accounts) {
    await usageClient.reportUsage(account.id, account.tokens);  // <- finding
  }
});
""",
    ),
    Example(
        "typescript",
        """
export async function billAll(customers: Customer[], usage: UsageClient) {
  const failed: Failure[] = [];
  for (const customer of customers) {
    if (!customer.meterId) continue;
    try {
      await usage.reportUsage(customer.meterId, customer.tokens);
    } catch (error) {
      failed.push({ customer, error });
    }
  }
  if (failed.length > 0) throw new BillingIncomplete(failed);
}
""",
    ),
    Example(
        "python",
        """
def bill_all(customers, client):
    failed = []
    for customer in customers:
        try:
            try:
                client.report_usage(customer.meter_id, customer.tokens)
            except ProviderError as error:
                if error.known_already:
                    continue
                raise
        except Exception as error:
            failed.append((customer, error))
    if failed:
        raise BillingIncomplete(failed)
""",
    ),
    Example(
        "go",
        """
package billing

func reportAll(ctx context.Context, meters []Meter, store *Store) error {
	for _, meter := range meters {
		if err := store.ReportUsage(ctx, meter.ID, meter.Total); err != nil {
			return fmt.Errorf("meter %s: %w", meter.ID, err)  // <- finding
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

func reportAll(ctx context.Context, meters []Meter, store *Store) error {
	var errs []error
	for _, meter := range meters {
		if err := store.ReportUsage(ctx, meter.ID, meter.Total); err != nil {
			errs = append(errs, fmt.Errorf("meter %s: %w", meter.ID, err))
		}
	}
	return errors.Join(errs...)
}
""",
    ),
    Example(
        "python",
        """
def write_usage(store, events):
    ids = [event.idempotency_id for event in events]
    fresh = []
    for event in events:
        known = UsageEvent.objects.filter(idempotency_id__in=ids).exists()
        if not known:  # <- finding
            fresh.append(event)
    UsageEvent.objects.bulk_create(fresh, ignore_conflicts=True)
""",
    ),
    Example(
        "python",
        """
def write_usage(store, events):
    ids = [event.idempotency_id for event in events]
    known = set(UsageEvent.objects.filter(idempotency_id__in=ids).values_list("idempotency_id", flat=True))
    fresh = []
    for event in events:
        if event.idempotency_id in known:
            continue
        fresh.append(event)
    UsageEvent.objects.bulk_create(fresh, ignore_conflicts=True)
""",
    ),
    Example(
        "typescript",
        """
export async function storeUsage(db: Database, events: UsageEvent[]) {
  const existing = await db.usageEvent.findMany({ where: { id: { in: events.map((event) => event.id) } } });
  const fresh: UsageEvent[] = [];
  for (const event of events) {
    if (existing.length > 0) continue;  // <- finding
    fresh.push(event);
  }
  await db.usageEvent.createMany({ data: fresh, skipDuplicates: true });
}
""",
        path="src/billing/store.ts",
    ),
    Example(
        "typescript",
        """
export async function storeUsage(db: Database, events: UsageEvent[]) {
  const existing = await db.usageEvent.findMany({ where: { id: { in: events.map((event) => event.id) } } });
  const known = new Set(existing.map((event) => event.id));
  const fresh: UsageEvent[] = [];
  for (const event of events) {
    if (known.has(event.id)) continue;
    const repeated = existing.find((one) => one.id === event.id);
    if (repeated) continue;
    fresh.push(event);
  }
  await db.usageEvent.createMany({ data: fresh, skipDuplicates: true });
}
""",
        path="src/billing/store.ts",
    ),
    Example(
        "go",
        """
package metering

func (s *UsageStore) fresh(ctx context.Context, events []UsageEvent, ids []string) ([]UsageEvent, error) {
	var kept []UsageEvent
	for _, event := range events {
		existing, err := s.db.Count(ctx, "usage_events", ids)
		if err != nil {
			return nil, err
		}
		if existing > 0 {  // <- finding
			continue
		}
		kept = append(kept, event)
	}
	return kept, nil
}

func (s *UsageStore) freshOnes(ctx context.Context, events []UsageEvent) ([]UsageEvent, error) {
	var kept []UsageEvent
	for _, event := range events {
		existing, err := s.db.Count(ctx, "usage_events", event.ID)
		if err != nil {
			return nil, err
		}
		if existing > 0 {
			continue
		}
		kept = append(kept, event)
	}
	return kept, nil
}
""",
    ),
)
