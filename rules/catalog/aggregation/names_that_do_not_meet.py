"""What is written under one name is read under another, so that the reader finds nothing.

A key of a store is built in two places and one of them changed; a column is spelled as it once was; a provider moved a field
and the struct that reads it stayed. Nothing fails: the sum is zero, the limit is never reached, the webhook is answered and
ignored. Build a key in one function that writer and reader share, take column names from the schema, and read a provider's
objects by the types of its SDK.
"""

import re
from collections.abc import Iterator

from rules.code import Code, Nothing
from rules.facts import Binary, Call, Literal, Name, Object, Scope, Span, fold, name_of, walk
from rules.meaning.contexts import Context
from rules.meaning.moved_fields import OldField, old_fields
from rules.meaning.naming import HOLE, Use, Way, alike, near
from rules.meaning.usage.counters import texts
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.schema import Table
from rules.schema.tables import key

ABOUT = About(
    id="MTR-319",
    title="A usage key, column or property is written under one name and read under another",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A12",),
    cwe=("CWE-573",),
    iso_25010="Compatibility / interoperability",
)
PAIRS = ((Way.READ, Way.WRITTEN), (Way.CONSUMED, Way.PRODUCED))
MIGRATES = re.compile(r"migrat|upgrade|schema|(^|/)db/", re.I)
ROWS = frozenset("insert update upsert".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    yield from keys_apart(code)
    yield from columns_apart(code)
    for field in old_fields(code):
        yield moved(code, field)


def keys_apart(code: Code) -> Iterator[Finding]:
    """A name that is read and nowhere written, beside one that is written and nowhere read."""
    if not code.uses:
        return
    known = {(use.path, use.span.start, use.name): use for use in (*code.elsewhere.uses, *code.uses)}
    for reading, writing in PAIRS:
        read = {use.name for use in known.values() if use.way is reading}
        written = {use.name for use in known.values() if use.way is writing}
        for use in code.uses:
            if use.way not in (reading, writing) or use.name in (read & written) or matched(use.name, read & written):
                continue
            others = [
                one
                for one in known.values()
                if one.way is (writing if use.way is reading else reading)
                and one.name not in (read if use.way is reading else written)
            ]
            twin = next((one for one in others if meant(code, use, one)), None)
            if twin is not None and (use.way is reading or twin.path != use.path):
                yield apart(code, use, twin)


def matched(name: str, both: set[str]) -> bool:
    """A pattern such as `usage:*` takes in what is written under longer keys."""
    return any(name.rstrip(HOLE) and other.startswith(name.rstrip(HOLE)) for other in both)


def meant(code: Code, use: Use, other: Use) -> bool:
    """A slip of the pen; with other files in view also one word that differs, though the other side may be out of view."""
    if near(use.name, other.name):
        return True
    if isinstance(code.elsewhere, Nothing):
        return False
    mine, theirs = use.name.split(":"), other.name.split(":")
    if len(mine) != len(theirs):
        return False
    same = [a for a, b in zip(mine, theirs, strict=True) if a == b and HOLE not in a]
    different = [(a, b) for a, b in zip(mine, theirs, strict=True) if a != b]
    return len(different) == 1 and len(same) > 1 and not PERIODS & {*different[0]} and HOLE not in "".join(different[0])


PERIODS = frozenset("hour hourly day daily week weekly month monthly year yearly total minute input output cost tokens".split())


def apart(code: Code, use: Use, other: Use) -> Finding:
    verb = {Way.READ: "read", Way.WRITTEN: "written", Way.PRODUCED: "filled", Way.CONSUMED: "worked off"}
    where = "" if other.path == use.path else f" in {other.path}"
    return Finding(
        span=use.span,
        cause=use.span,
        description=(
            f"`{use.name}` is {verb[use.way]} here and never {verb[other.way]}, while `{other.name}` is {verb[other.way]}"
            f"{where} and never {verb[use.way]}: the two do not meet, and the count is always empty."
        ),
        remediation="Build the name in one place that both use.",
        # A store has other writers and readers than one repository's: what is not seen here may be there.
        confidence=Confidence.POSSIBLE,
        trace=(Step(other.span, f"`{other.name}` is {verb[other.way]} here", None if other.path == use.path else other.path),),
        fix=one_literal(code, use, other) if HOLE not in use.name + other.name else None,
    )


def one_literal(code: Code, use: Use, other: Use) -> Fix | None:
    """Where the name is a plain string in this very call."""
    for call in code.facts.calls:
        if call.span == use.span and call.arguments and isinstance(call.arguments[0].value, Literal):
            literal = call.arguments[0].value
            return Fix(f"Use `{other.name}`", (Edit(literal.span.start + 1, literal.span.end - 1, other.name),), safe=False)
    return None


def columns_apart(code: Code) -> Iterator[Finding]:
    """A column in a statement or an untyped row that the known table has under nearly the same name only."""
    schema = code.elsewhere.schema
    if not schema.tables:
        return
    for one in code.statements:
        table = schema.table(one.tables[0]) if len(set(one.tables)) == 1 else None
        if table is None or not one.call or code.facts.traits.statements_only or not lives(code, one.scope):
            continue
        used = [(part.column, part.span) for part in one.comparisons] + [(name, one.span) for name in one.written]
        yield from unknown(code, table, used)
    for call in code.facts.calls:
        if (
            fold(call.method) in ROWS
            and lives(code, call.scope)
            and (name := named_table(call))
            and (table := schema.table(name)) is not None
        ):
            whole = resolved(code.values, call.arguments[0].value, call.scope, call.span.start) if call.arguments else None
            entries = [part for part in walk(whole) if isinstance(part, Object)][:1]
            yield from unknown(code, table, [(one.name, one.span) for part in entries for one in part.entries if one.name])


def named_table(call: Call) -> str:
    """`supabase.from("usage").insert({…})`."""
    inner = call.receiver
    if isinstance(inner, Call) and fold(inner.method) == "from" and inner.arguments:
        return next(texts(inner.arguments[0].value), "") if isinstance(inner.arguments[0].value, Literal) else ""
    return ""


def lives(code: Code, scope: Scope) -> bool:
    """Whether a statement runs on the tables as they are now: one in a migration ran on what they were then."""
    return code.context(scope) not in (Context.TEST, Context.SCRIPT) and not MIGRATES.search(code.facts.path)


def described(code: Code, table: Table) -> bool:
    """Whether some file describes the table as a whole, as `CREATE TABLE` and a model do: of one that is only altered the
    other columns are not known."""
    return any(
        len(one.columns) > 2 and (one.unique or any(column.endswith(("id", "key")) for column in one.columns))
        for _, one in code.elsewhere.tables if key(one.name) == key(table.name)
    )  # fmt: skip


def unknown(code: Code, table: Table, used: list[tuple[str, Span]]) -> Iterator[Finding]:
    if len(table.columns) < 3:
        return
    for name, span in {fold(name): (name, span) for name, span in reversed(used)}.values():
        if fold(name) in table.columns or fold(name) in table.dropped:
            continue
        wanted = next(
            (meant for column in table.columns if column not in table.dropped and (meant := misspelt(name, column))), None
        )
        if wanted is not None:
            yield Finding(
                span=span,
                cause=span,
                description=f"`{table.name}` has no column `{name}`, only `{wanted}`: this fails, or reads and writes nothing.",
                remediation=f"Use the column's name as the schema has it, `{wanted}`.",
                confidence=Confidence.POSSIBLE,
            )


def misspelt(name: str, column: str) -> str:
    """What a name was meant to be, if it is a column's but for one word that is a slip of the pen: `tokens_useds`. Two columns
    such as `price_low` and `price_now` are only alike as a whole."""
    said = words(name)
    for at, word in enumerate(said):
        before, after = "".join(said[:at]), "".join(said[at + 1 :])
        middle = column.removeprefix(before).removesuffix(after)
        if before + middle + after == column and alike(word, middle) and not extended(fold(name), column):
            pieces = (*said[:at], middle, *said[at + 1 :])
            return "_".join(pieces) if "_" in name or len(pieces) == 1 else pieces[0] + "".join(map(str.title, pieces[1:]))
    return ""


def extended(name: str, column: str) -> bool:
    """`synced` and `synced_at` are two columns, not one misspelt; and who writes `rate` has not slipped from `rate_n`."""
    short, long = sorted((name, column), key=len)
    said = long.startswith(short) and long[len(short) :] in ("at", "id", "by", "on", "ms", "no", "ed", "d")
    return said or column.startswith(name)


def moved(code: Code, field: OldField) -> Finding:
    return Finding(
        span=field.span,
        cause=field.span,
        description=(
            f"`{field.name}` is no longer there: since API version 2025-03-31 Stripe has it as `{field.now}`. It reads as "
            f"nothing, and {consequence(code, field)}."
        ),
        remediation=f"Read `{field.now}`, and the old place for events of older versions.",
        confidence=Confidence.LIKELY,
    )


def consequence(code: Code, field: OldField) -> str:
    """What becomes of nothing: in arithmetic no number, in a test the branch that is not taken."""
    held = {
        name_of(target) for one in code.facts.assigns if one.value is not None and one.value.span == field.span
        for target in one.targets
    }  # fmt: skip
    for whole, _ in code.expressions:
        for part in walk(whole):
            sides = (part.left, part.right) if isinstance(part, Binary) else ()
            if any(side.span == field.span or (isinstance(side, Name) and side.text in held) for side in sides):
                return "what is computed from it is no number and no date"
    return "what depends on it is skipped in silence"


EXAMPLES = (
    Example(
        "python",
        """
def add_usage(redis, customer, month, tokens):
    redis.incrby(f"usage:monthly:{customer}:{month}", tokens)

def usage_of(redis, customer, month):
    return int(redis.get(f"usage:month:{customer}:{month}") or 0)  # <- finding
""",
    ),
    Example(
        "python",
        """
def usage_key(customer, month):
    return f"usage:monthly:{customer}:{month}"

def add_usage(redis, customer, month, tokens):
    redis.incrby(usage_key(customer, month), tokens)
    redis.incrby(f"usage:daily:{customer}", tokens)

def usage_of(redis, customer, month):
    return int(redis.get(usage_key(customer, month)) or 0) + int(redis.get(f"usage:weekly:{customer}") or 0)
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

const stripe = new Stripe(process.env.STRIPE_KEY!, { apiVersion: "2025-03-31.basil" });

export async function renew(id: string) {
  const subscription: any = await stripe.subscriptions.retrieve(id);
  const end = new Date(subscription.current_period_end * 1000);  // <- finding
  await prisma.account.update({ where: { subscriptionId: id }, data: { usage: 0, usageResetsAt: end } });
}

export async function addUsage(db: Pool, customer: string, tokens: number) {
  await db.query("UPDATE accounts SET tokens_useds = tokens_useds + $1 WHERE id = $2", [tokens, customer]);  // <- finding
}
""",
        path="src/usage.ts",
        context={"schema.sql": "CREATE TABLE accounts (id text primary key, tokens_used bigint, plan text);"},
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";

const stripe = new Stripe(process.env.STRIPE_KEY!, { apiVersion: "2025-03-31.basil" });

export async function renew(id: string) {
  const subscription = await stripe.subscriptions.retrieve(id);
  const end = new Date(subscription.items.data[0].current_period_end * 1000);
  await prisma.account.update({ where: { subscriptionId: id }, data: { usageResetsAt: end } });
}

export async function addUsage(db: Pool, customer: string, tokens: number) {
  await db.query("UPDATE accounts SET tokens_used = tokens_used + $1 WHERE id = $2", [tokens, customer]);
}
""",
        path="src/usage.ts",
        context={"schema.sql": "CREATE TABLE accounts (id text primary key, tokens_used bigint, plan text);"},
    ),
    Example(
        "typescript",
        """
export async function usageOf(redis: Redis, customer: string) {
  return Number(await redis.get(`usage:claude:credits:${customer}`));  // <- finding
}
""",
        path="src/read.ts",
        context={
            "src/write.ts": (
                "export async function add(redis: Redis, customer: string, n: number) {\n"
                "  await redis.incrby(`usage:opus:credits:${customer}`, n);\n}\n"
            )
        },
    ),
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v82"

type invoicePayload struct {
	ID            string `json:"id"`
	BillingReason string `json:"billing_reason"`
	Subscription  string `json:"subscription"`  // <- finding
}

func AddUsage(ctx context.Context, rdb *redis.Client, customer string, tokens int64) error {
	return rdb.IncrBy(ctx, fmt.Sprintf("usage:credits:%s", customer), tokens).Err()
}

func UsageOf(ctx context.Context, rdb *redis.Client, customer string) (int64, error) {
	return rdb.Get(ctx, fmt.Sprintf("usage:credit:%s", customer)).Int64()  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package billing

import "github.com/stripe/stripe-go/v82"

type invoicePayload struct {
	ID            string `json:"id"`
	BillingReason string `json:"billing_reason"`
	Parent        parent `json:"parent"`
}

func AddUsage(ctx context.Context, rdb *redis.Client, customer string, tokens int64) error {
	return rdb.IncrBy(ctx, fmt.Sprintf("usage:credits:%s", customer), tokens).Err()
}

func UsageOf(ctx context.Context, rdb *redis.Client, customer string) (int64, error) {
	return rdb.Get(ctx, fmt.Sprintf("usage:credits:%s", customer)).Int64()
}
""",
    ),
    Example(
        "typescript",
        """
export async function keepPrices(supabase: Client, usage: Price) {
  const { error } = await supabase.from("meter_prices").insert({ price_now_cents: usage.now, price_low_cents: usage.low });
  if (error) throw error;
}
""",
        path="src/prices.ts",
        context={
            "migrations/1.sql": "CREATE TABLE meter_prices (id text primary key, price_now_cents integer, plan text);",
            "migrations/2.sql": "ALTER TABLE meter_prices\n  ADD COLUMN IF NOT EXISTS plan_note text, -- why\n"
            "  ADD COLUMN IF NOT EXISTS tier text;",
        },
    ),
    Example(
        "typescript",
        """
export async function pauseUsage(db: Pool, account: string) {
  await db.query("UPDATE accounts SET period = $1 WHERE id = $2", ["paused", account]);
}
""",
        path="src/usage.ts",
        context={
            "sql/2.sql": "ALTER TABLE accounts ADD COLUMN tier text;\nALTER TABLE accounts ADD COLUMN quota bigint;\n"
            "ALTER TABLE accounts ADD COLUMN pperiod text;\nALTER TABLE accounts DROP COLUMN pperiod;",
        },
    ),
    Example(
        "typescript",
        """
export async function setRate(db: Pool, tariff: string, rate: number) {
  await db.query("UPDATE tariffs SET uprate = $1 WHERE id = $2", [rate, tariff]);
}
""",
        path="src/usage.ts",
        context={"schema.sql": "CREATE TABLE tariffs (id text primary key, uprate_n bigint, usage_plan text);"},
    ),
)
