"""Usage counters are set to zero in place when a period ends.

What is used between the last reading and the reset is lost, the figures of the closed period are gone before the invoice is
final, and a second run, or a run that is late, wipes usage of the new period. Key counters by period (`usage:{customer}:
{period}`, a row per period) so that nothing has to be reset; else archive the value and reset in one statement, guarded by
the period that it was computed for (`… SET used = 0, resets_at = next WHERE resets_at = expected`).
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Function, Kind, Literal, Member, Name, Sequence, Span, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import runs_alone
from rules.meaning.subjects import bills, name_around
from rules.meaning.usage.counters import Change, Counter, sql_of, statement_text, written_fields
from rules.meaning.values import root_of
from rules.meaning.vocabulary import names_counter, names_left, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity
from rules.tracing.alone import called_alone
from rules.tracing.purposes import FEW, at_stake, is_weighed
from rules.tracing.served import is_served
from rules.tracing.sights import Kind as Sighted
from rules.tracing.standing import standing, started_in
from rules.tracing.stores import table_of_counter

ABOUT = About(
    id="MTR-311",
    title="Counters set to zero at rollover instead of being keyed by period",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A9",),
    cwe=("CWE-362", "CWE-696"),
    iso_25010="Reliability / recoverability",
)
RESETS = frozenset(
    "reset resets resetting rollover roll renew renewal renewals cycle period expire rotate clear monthly daily".split()
)
NOT_ROLLOVER = frozenset(
    "create created register signup seed init initialize initial default new delete deleted cancel test migrate import rate "
    "window throttle admin mock setup".split()
)
ARCHIVES = re.compile(r"archive|history|snapshot|ledger|closed_?period|returning|previous_?usage|last_?period", re.I)
GUARDS = frozenset("reset resets renews ends period cycle renew anchor version month updated".split())
HELD = frozenset("balance used usage credits remaining".split())
BY_ITSELF = frozenset({Context.SCHEDULE, Context.WEBHOOK, Context.WORKER})
HOPS = 4
SAVES = frozenset("save update flush commit persist store write upsert put set execute exec".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    said: dict[object, Finding] = {}
    for counter in code.counters:
        if counter.change is not Change.RESET or not counts_use(counter.name):
            continue
        place = counter.call or enclosing(counter.scope, Kind.FUNCTION)
        # Of several that are reset together, the first that somebody is surely charged or limited by is named.
        if (
            (place in said and said[place].confidence is not Confidence.POSSIBLE)
            or not rollover(code, counter)
            or creates(counter)
            or archived(code, counter)
            or guarded(code, counter)
            or mirrors(code, counter)
            or of_itself(code, counter)
            or called_alone(code, counter.scope)
            or not limits(code, counter)
        ):
            continue
        made = finding(code, counter)
        if place not in said or made.confidence is not Confidence.POSSIBLE:
            said[place] = made
    yield from said.values()
    for found in {one.span: one for one in moved_by_id(code)}.values():
        if not any(
            found.cause is not None and one.span.start == found.cause.start
            for one in code.counters
            if (one.call or one.function) in said
        ):
            yield found


def limits(code: Code, counter: Counter) -> bool:
    """Whether anything hangs on the counter. One that is reset together with a balance is a figure beside it, unless it is
    seen to be compared: what is left then says who may go on."""
    holder = table_of_counter(code, counter)
    if is_weighed(code, counter.name, holder):
        return True
    beside = written_fields(code.values, counter.call) if counter.call is not None else ()
    return at_stake(code, counter.name, holder, counter.scope) is not False and not any(names_left(name) for name, _ in beside)


def moved_by_id(code: Code) -> Iterator[Finding]:
    """`SET balance = …, next_reset_at = … WHERE id = …`: a new period is begun whichever one it is by now."""
    for call in code.facts.calls:
        text = statement_of(call)
        head, where, condition = text.lower().partition("where")
        if not where or code.context(call.scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER, Context.WEBHOOK):
            continue
        columns = re.findall(r"(\w+)[\"`]?\s*=(?!=)", text[: len(head)])
        moved = next((column for column in columns if is_reset_time(column)), None)
        held = next((column for column in columns if HELD & set(words(column))), "")
        if (
            moved is None
            or not held
            or taken_from_one(code, call, text, (held, moved))
            or any(GUARDS & set(words(name)) for name in re.findall(r"\w+(?!\w|\s*\.)", condition))
        ):
            continue
        if not runs_alone(code, call.scope, transactions=False):
            yield Finding(
                span=condition_of(code, call),
                cause=call.span,
                description=f"`{held}` and `{moved}` are set by id alone: a second delivery, or another run, resets again "
                "and wipes what was used since.",
                remediation=f"Pass the `{moved}` that the new values were computed from, and compare it in WHERE.",
                confidence=Confidence.LIKELY,
            )


def taken_from_one(code: Code, call: Call, text: str, columns: tuple[str, str]) -> bool:
    """Whether a balance and the time of its reset are both fields of what the function was given: what somebody else counts is
    written down as it was told, and a second time tells the same."""
    roots = [root_of(one) for column in columns for one in [filled_in(call, text, column)] if one is not None]
    given = {one.text for one in roots if isinstance(one, Name)}
    function = enclosing(call.scope, Kind.FUNCTION)
    parameters = function.head.parameters if function is not None and isinstance(function.head, Function) else ()
    return len(roots) == len(columns) and len(given) == 1 and given <= {one.name for one in parameters}


def filled_in(call: Call, text: str, column: str) -> Expression | None:
    """The field that an argument fills in for `column = ?` or `column = $2`, converted or not."""
    place = re.search(rf"\b{column}\b[\"`]?\s*=\s*(?:\?|\$(\d+))", text, re.I)
    after = [at for at, one in enumerate(call.arguments) if statement_text(one.value) == text]
    if place is None or not after:
        return None
    number = int(place[1]) - 1 if place[1] else text[: place.start()].count("?")
    values = [one.value for one in call.arguments[after[0] + 1 :]]
    if len(values) == 1 and isinstance(values[0], Sequence):
        values = list(values[0].items)
    given = values[number] if number < len(values) else None
    return next((part for part in walk(given) if isinstance(part, Member)), None)


def condition_of(code: Code, call: Call) -> Span:
    """The line with the statement's WHERE, where what is missing has to stand."""
    text = code.facts.text(call.span)
    place = re.search(r"\bwhere\b", text, re.I)
    if place is None:
        return call.span
    line = call.span.line + text[: place.start()].count("\n")
    start = call.span.start + len(text[: place.start()].encode())
    return Span(line, line, start, start + len(text[place.start() :].split("\n", 1)[0].encode()))


def is_reset_time(column: str) -> bool:
    said = set(words(column))
    return bool(said & {"reset", "resets", "renews", "renewal", "rollover"}) and bool(
        said & {"at", "next", "last", "date", "on"}
    )


def statement_of(call: Call) -> str:
    """The text of an UPDATE that a call runs or that a tagged template is."""
    found = sql_of(call)
    return found if found.lstrip().lower().startswith("update") else ""


def counts_use(name: str) -> bool:
    """What counts up; setting a balance or what remains to zero is another matter, and so is an error count."""
    said = set(words(name))
    return bool(
        said & {"used", "usage", "consumed", "spend", "spent", "count", "counter", "calls", "requests"}
    ) and names_counter(name)


def rollover(code: Code, counter: Counter) -> bool:
    """Code that closes a period: a schedule, or a function or file that is named for it."""
    context = code.context(counter.scope)
    if context in (Context.TEST, Context.SCRIPT, Context.BROWSER) or not bills(code.facts, counter.scope):
        return False
    named = set(words(name_around(counter.scope))) | set(words(code.facts.path.rsplit("/", 2)[-1]))
    near = set(words("/".join(code.facts.path.split("/")[-2:])))
    if (named | near) & NOT_ROLLOVER:
        return False
    return bool((named | near) & {"reset", "rollover", "renewal", "renew"}) or (
        context is Context.SCHEDULE or bool(named & RESETS and writes_period(counter))
    )


def mirrors(code: Code, counter: Counter) -> bool:
    """`repo.ResetUsage(id); sub.Used = 0`: the field in memory only follows what the call before has written."""
    return counter.call is None and any(
        call.span.end <= counter.span.start
        and words(call.method)[:1] in (("reset",), ("clear",))
        and within(counter.scope, enclosing(call.scope, Kind.BRANCH, Kind.FUNCTION, Kind.MODULE) or call.scope)
        for call in code.calls_in(enclosing(counter.scope, Kind.FUNCTION))
    )


def writes_period(counter: Counter) -> bool:
    """The same write moves the period on: `usedCredits: 0, periodStart: now`."""
    return any(
        entry.name is not None and GUARDS & set(words(entry.name))
        for argument in (counter.call.arguments if counter.call else ())
        for part in walk(argument.value)
        for entry in getattr(part, "entries", ())
    )


def creates(counter: Counter) -> bool:
    return counter.call is not None and fold(counter.call.method) in ("create", "insert", "values", "createmany", "insertone")


def archived(code: Code, counter: Counter) -> bool:
    """Whether the old value is kept: the function speaks of an archive, or inserts a row with the counter's value."""
    function = enclosing(counter.scope, Kind.FUNCTION)
    text = code.facts.text(function.span if function is not None else counter.span)
    if ARCHIVES.search(text):
        return True
    for call in code.calls_in(function) if function is not None else ():
        kept = (part for one in call.arguments for part in walk(one.value) if isinstance(part, Member))
        inserts = fold(call.method) in ("create", "insert", "insertone", "add", "push") and call is not counter.call
        if inserts and any(part.name == counter.name for part in kept):
            return True
    return False


def guarded(code: Code, counter: Counter) -> bool:
    """Whether the reset applies only where the period is still the one that was read, or under a lock."""
    if runs_alone(code, counter.scope, transactions=False):
        return True
    for call in code.facts.calls:
        if counter.call is not None and not (call.span.holds(counter.call.span) or call is counter.call):
            continue
        if compares_period(counter, call):
            return True
    return False


def compares_period(counter: Counter, call: Call) -> bool:
    """`.eq("period_start", expected)`, `where: { resetAt: row.resetAt }`, `WHERE next_reset_at = $1`; not `<= now`, which a
    second run passes as well unless the write moves it on."""
    for argument in call.arguments:
        for part in walk(argument.value):
            if isinstance(part, Literal) and isinstance(part.value, str):
                where = part.value.lower().partition("where")[2]
                if any(GUARDS & set(words(name)) for name in re.findall(r"(\w+)\s*(?:=|<=?|is)\s", where)):
                    return True
            for entry in getattr(part, "entries", ()):
                if entry.name is None or not GUARDS & set(words(entry.name)):
                    continue
                if in_condition(argument.value, entry.name) and fold(entry.name) not in ("updatedat",):
                    return True
    last = fold(call.method)
    chain: Expression | None = call
    while isinstance(chain, Call):
        if fold(chain.method) in ("eq", "lte", "lt", "where", "filter", "filterby") and chain.arguments:
            said = {word for argument in chain.arguments for part in walk(argument.value) for word in spoken(part)}
            said |= {word for argument in chain.arguments for word in words(argument.name or "")}
            if said & (GUARDS - {"month", "updated"}):
                return True
        chain = chain.receiver
    return last == "never"


def spoken(part: Expression) -> tuple[str, ...]:
    if isinstance(part, Literal) and isinstance(part.value, str):
        return words(part.value)
    return words(part.name) if isinstance(part, Member) else ()


def in_condition(value: Expression, name: str) -> bool:
    """Whether an entry stands under `where` or in a filter."""
    for part in walk(value):
        for entry in getattr(part, "entries", ()):
            if entry.name is not None and fold(entry.name) in ("where", "filter") and any(
                inner.name == name for one in walk(entry.value) for inner in getattr(one, "entries", ())
            ):  # fmt: skip
                return True
    return False


def closes_periods(code: Code, counter: Counter) -> bool:
    """Whether time or a provider sets it off, and not somebody who asks for it: then nobody sees to it that all is still."""
    if code.context(counter.scope) in BY_ITSELF or (counter.call is not None and touches_all(code, counter.call)):
        return True
    found = standing(code, counter.span.line)
    if found is None or len(found[0].digests) < FEW or not code.elsewhere.whole:
        return True
    return started_in(*found, BY_ITSELF, HOPS)


def touches_all(code: Code, call: Call) -> bool:
    """`update(used=0)` of many rows: `updateMany`, `update_all`, an UPDATE that names no id."""
    text = sql_of(call).lower()
    if text:
        return re.search(r"\bid\b\s*=", text.partition("where")[2]) is None
    return fold(call.method) in ("updatemany", "updateall", "bulkupdate")


def kept_by_row(code: Code, name: str) -> bool:
    """Whether every function that adds to the counter stores a row of usage as well: a period's figure can be read there."""
    trace = code.elsewhere.trace
    if trace is None:
        return False
    adding = {node for sight, node in trace.seen.of(Sighted.COUNT) if fold(sight.name) == fold(name) and node[1] >= 0}
    storing = {node for _, node in trace.seen.of(Sighted.INSERT)}
    return bool(adding) and adding <= storing


def weighed_beside(code: Code, counter: Counter) -> tuple[str, Span]:
    """Of the fields that a write sets to 0 the one by which somebody is refused or charged: that is the loss."""
    holder = table_of_counter(code, counter)
    plain = counter.name, place_of(counter)
    if counter.call is None or is_weighed(code, counter.name, holder):
        return plain
    zeros = (
        (name, value.span)
        for name, value in written_fields(code.values, counter.call)
        if isinstance(value, Literal) and value.value == 0 and not isinstance(value.value, bool)
    )
    return next((one for one in zeros if is_weighed(code, one[0], holder)), plain)


def finding(code: Code, counter: Counter) -> Finding:
    name, place = weighed_beside(code, counter)
    stake = at_stake(code, name, table_of_counter(code, counter), counter.scope)
    shaky = not stake or not is_served(code, counter.scope) or not closes_periods(code, counter) or kept_by_row(code, name)
    every = counter.call is not None and fold(counter.call.method) in ("updatemany", "update", "execute", "exec", "query")
    sure = Confidence.CERTAIN if every and code.context(counter.scope) is Context.SCHEDULE else Confidence.LIKELY
    return Finding(
        span=counter.call.span if counter.call is not None and counter.value is None else place,
        description=(
            f"`{name}` is set to 0 in place: what is used while this runs is lost, the closed period's "
            "figure is not kept, "
            "and a second run wipes usage of the new period."
        ),
        remediation=(
            "Keep one counter per period, or archive and reset in one statement that names the period it closes in WHERE."
        ),
        confidence=Confidence.POSSIBLE if shaky else sure,
    )


def of_itself(code: Code, counter: Counter) -> bool:
    """`self.daily_used = 0` in a method that saves nothing: whether anything is stored is up to whoever calls it."""
    written = [one for one in code.facts.assigns if one.span == counter.span] if counter.call is None else []
    roots = [root_of(target) for one in written for target in one.targets]
    if not any(isinstance(root, Name) and root.text in ("self", "this") for root in roots):
        return False
    return not any(SAVES & set(words(call.method)) for call in code.calls_in(enclosing(counter.scope, Kind.FUNCTION)))


def place_of(counter: Counter) -> Span:
    return counter.value.span if counter.call is not None and counter.value is not None else counter.span


EXAMPLES = (
    Example(
        "python",
        """
@shared_task
def reset_monthly_usage():
    Account.objects.filter(plan="free").update(used_credits=0)  # <- finding

def reset_billing_period(session, account):
    session.execute("UPDATE accounts SET used_tokens = 0 WHERE id = :id", {"id": account.id})  # <- finding
""",
    ),
    Example(
        "python",
        """
def usage_key(customer_id, period):
    return f"usage:{customer_id}:{period}"

def reset_billing_period(session, account, expected):
    session.execute(
        "UPDATE accounts SET used_tokens = 0, resets_at = :next WHERE id = :id AND resets_at = :expected",
        {"id": account.id, "expected": expected},
    )

def close_period(session, account):
    session.add(UsageHistory(account_id=account.id, used=account.used_tokens))
    account.used_tokens = 0

def create_account(session):
    account = Account()
    account.used_tokens = 0
    session.add(account)
""",
    ),
    Example(
        "typescript",
        """
cron.schedule("0 0 1 * *", async () => {
  await prisma.account.updateMany({ where: { plan: "free" }, data: { usedCredits: 0 } });  // <- finding
});

export async function resetMonthlyLimits(supabase: SupabaseClient) {
  const { error } = await supabase.from("profiles").update({ usage_count: 0 }).eq("plan", "free");  // <- finding
  if (error) throw error;
}
""",
    ),
    Example(
        "typescript",
        """
cron.schedule("0 0 1 * *", async () => {
  for (const account of await dueAccounts()) {
    await prisma.account.updateMany({
      where: { id: account.id, nextResetAt: account.nextResetAt },
      data: { usedCredits: 0, nextResetAt: nextMonth(account) },
    });
  }
});

export async function createUser(prisma: PrismaClient, email: string) {
  return prisma.user.create({ data: { email, usedCredits: 0 } });
}
""",
    ),
    Example(
        "go",
        """
package billing

func ResetMonthlyUsage(db *gorm.DB) error {
	return db.Model(&Account{}).Where("plan = ?", "free").Update("used_quota", 0).Error  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

func ResetMonthlyUsage(db *gorm.DB, account Account) error {
	return db.Model(&Account{}).Where("id = ? AND reset_at = ?", account.ID, account.ResetAt).
		Updates(map[string]any{"used_quota": 0, "reset_at": account.NextReset()}).Error
}
""",
    ),
    Example(
        "python",
        """
def begin_next_period(session, allowance, grant, following):
    session.execute(
        "UPDATE allowances SET balance = :balance, next_reset_at = :following WHERE id = :id",  # <- finding
        {"balance": grant, "following": following, "id": allowance.id},
    )
""",
    ),
    Example(
        "python",
        """
def begin_next_period(session, allowance, grant, following):
    session.execute(
        "UPDATE allowances SET balance = :balance, next_reset_at = :following WHERE id = :id AND next_reset_at = :due",
        {"balance": grant, "following": following, "id": allowance.id, "due": allowance.next_reset_at},
    )
""",
    ),
    Example(
        "typescript",
        """
export async function resetMonthlyCredits(prisma: PrismaClient, userId: string) {
  await prisma.wallet.update({
    where: { userId },
    data: { credits: MONTHLY_CREDITS, creditsSpent: 0, lastReset: new Date() },
  });
}
""",
    ),
    Example(
        "python",
        """
class KeyState:
    def reset_daily_usage(self):
        self.daily_usage = 0


class Plan(models.Model):
    def reset_usage(self):
        self.usage_count = 0  # <- finding
        self.save()
""",
        path="app/billing/usage.py",
    ),
    Example(
        "go",
        """
package accounts

func (s *Store) SaveProviderQuota(ctx context.Context, id int64, quota ProviderQuota) error {
	_, err := s.db.ExecContext(ctx, "UPDATE accounts SET credits_balance = ?, credits_reset_at = ? WHERE id = ?",
		orNil(quota.Balance), quota.ResetAt, id)
	return err
}
""",
    ),
)
