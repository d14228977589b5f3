"""The executive summary: how the code meters, with whom, and what was looked for where it does not."""

from collections import Counter
from collections.abc import Callable, Iterator

from rules import providers
from rules.answers.limits import asked_of_providers, of_customers, tested
from rules.answers.seen import Seen, shares
from rules.code import Code, is_one_of
from rules.meaning.contexts import Context
from rules.meaning.usage.counters import Change
from rules.meaning.vocabulary import names_counter
from rules.report import Reported, Summary
from rules.rule import Severity
from rules.scope import signals

USED = frozenset({"emit", "emit_batch", "event", "flush", "check", "query", "define", "adjust", "seats"})
STORES = {
    **dict.fromkeys(("prisma", "@prisma/client"), "Prisma"),
    **dict.fromkeys(("mongoose", "pymongo", "motor", "mongodb", "go.mongodb.org/mongo-driver"), "MongoDB"),
    **dict.fromkeys(("github.com/jackc/pgx", "psycopg", "psycopg2", "asyncpg", "pg", "postgres"), "PostgreSQL"),
    **dict.fromkeys(("@supabase/supabase-js", "@supabase/ssr", "supabase"), "Supabase"),
    **dict.fromkeys(("redis", "ioredis", "@upstash/redis", "github.com/redis/go-redis", "github.com/go-redis/redis"), "Redis"),
    **dict.fromkeys(("clickhouse", "@clickhouse/client", "github.com/ClickHouse/clickhouse-go"), "ClickHouse"),
    **dict.fromkeys(("firebase-admin", "firebase_admin", "google.cloud.firestore"), "Firestore"),
    **dict.fromkeys(("sqlite3", "better-sqlite3"), "SQLite"),
    "drizzle-orm": "Drizzle",
    "sqlalchemy": "SQLAlchemy",
    "sqlmodel": "SQLModel",
    "django": "Django's ORM",
    "gorm.io/gorm": "GORM",
    "entgo.io/ent": "Ent",
    "typeorm": "TypeORM",
    "sequelize": "Sequelize",
    "knex": "Knex",
    "kysely": "Kysely",
    "peewee": "Peewee",
}
"""Packages by which a store is known, also with a longer path behind them."""
MOST_NAMED = 3
MOST_SIGNALS = 10
NOTHING = "no metering in the analysed code"


def looked_for() -> tuple[str, ...]:
    """What would have been a sign of usage-based billing."""
    count = sum(any(call.role in USED for call in one.calls) for one in providers.catalogue())
    return (
        f"calls of {count} metering and billing providers",
        "functions that record usage by their name",
        "counters, credits and balances that are written",
        "rows of usage that are stored",
        "usage that is compared with a limit",
    )


def summary(seen: Seen, new: tuple[Reported, ...]) -> Summary:
    """`new` are the findings that count for the verdict: in a review, those of the change."""
    counts = Counter(finding.severity for finding in new)
    grave = [finding for finding in new if finding.confidence != "possible"]
    plain = [sign for told in (reports_in, counters_in, limits_in) for sign in first_of(seen.codes, told)]
    found = plain or first_of(seen.codes, signals) or first_of(seen.codes, named) or list(of_context(seen))
    applies = bool(found or new)
    return Summary(
        architecture=architecture(seen),
        providers=tuple(provider_names(seen)),
        posture=posture(grave, applies),
        counts={severity.value: counts[severity.value] for severity in Severity},
        highest_risk=grave[0].fingerprint if grave else None,
        applies=applies,
        signals=tuple(found[:MOST_SIGNALS]) if applies else looked_for(),
    )


def first_of(codes: tuple[Code, ...], told: Callable[[Code], Iterator[str]]) -> list[str]:
    return [sign for code in codes for sign in told(code)]


def named(code: Code) -> Iterator[str]:
    """Calls that are signs by their name only, or because the configuration says so."""
    for emission in code.emissions:
        yield f"{emission.call.name} in {code.facts.path}:{emission.call.span.line}"
    for call in code.facts.calls:
        if is_one_of(call.name, code.names.aggregate | code.names.limit):
            yield f"{call.name} in {code.facts.path}:{call.span.line}"


def reports_in(code: Code) -> Iterator[str]:
    for emission in code.emissions:
        if emission.certain:
            yield f"{emission.call.name} in {code.facts.path}:{emission.call.span.line}"


def counters_in(code: Code) -> Iterator[str]:
    """Counters that use moves, on the server."""
    if code.context(code.facts.root) in (Context.BROWSER, Context.SCRIPT):
        return
    for counter in code.counters:
        moved = counter.change in (Change.ADD, Change.SUBTRACT) and names_counter(counter.name)
        if moved and (counter.atomic or counter.read is not None):
            yield f"{counter.name} written in {code.facts.path}:{counter.span.line}"


def limits_in(code: Code) -> Iterator[str]:
    if code.context(code.facts.root) not in (Context.BROWSER, Context.SCRIPT):
        for limit in of_customers(code):
            yield f"limit tested in {code.facts.path}:{limit.span.line}"


def of_context(seen: Seen) -> Iterator[str]:
    """Signals of the files around the analysed ones."""
    here = {code.facts.path for code in seen.codes}
    for code in seen.project.codes if seen.project is not None else ():
        if code.facts.path not in here and code.context(code.facts.root) is not Context.TEST:
            yield from signals(code)


def posture(grave: list[Reported], applies: bool) -> str:
    if not applies:
        return "Nothing here meters usage."
    if not grave:
        return "Nothing found that would lose or double usage."
    worst = grave[0]
    return f"{len(grave)} finding{'s' if len(grave) > 1 else ''}; the gravest: {worst.title} ({worst.path}:{worst.line})."


def architecture(seen: Seen) -> str:
    """`Stripe meter event, sent synchronously, in the request; own usage in `usage_logs` (PostgreSQL); limits in 3 places`."""
    parts = [*reported(seen), *kept(seen), *limited(seen), *imported(seen)]
    return "; ".join(parts) or NOTHING


def reported(seen: Seen) -> Iterator[str]:
    by_title: dict[str, Counter[str]] = {}
    for one in seen.reports:
        by_title.setdefault(one.title, Counter())[seen.way(one).value] += 1
    for title, ways in sorted(by_title.items(), key=lambda one: (-one[1].total(), one[0]))[:MOST_NAMED]:
        yield f"{title}, sent {shares(ways)}"


def kept(seen: Seen) -> Iterator[str]:
    """The tables and keys in which the project counts for itself, and by what they are reached."""
    if not seen.records:
        return
    owners = Counter(one.owner for one in seen.records if one.owner)
    ordered = sorted(owners.items(), key=lambda one: (-one[1], one[0]))
    tables = [f"`{name}`" for name, _ in ordered if name != "redis" and seen.is_table(name)]
    shown = ", ".join(tables[:MOST_NAMED]) + (f" and {len(tables) - MOST_NAMED} more" if len(tables) > MOST_NAMED else "")
    paths = {one.path for one in seen.records}
    known = {name for code in seen.billing if code.facts.path in paths for name in stores_of(code)}
    stores = sorted(known | ({"Redis"} if owners["redis"] else set()))
    yield "own usage" + (f" in {shown}" if shown else "") + (f" ({', '.join(stores)})" if stores else "")


def stores_of(code: Code) -> Iterator[str]:
    for package in code.facts.packages:
        for known, name in STORES.items():
            if package == known or package.startswith((f"{known}/", f"{known}.")):
                yield name


def limited(seen: Seen) -> Iterator[str]:
    count = len(set(tested(seen)))
    asked = len(set(asked_of_providers(seen)))
    if count:
        yield f"limits tested in {count} place{'s' if count > 1 else ''}"
    if asked:
        yield f"limits asked of a provider in {asked} place{'s' if asked > 1 else ''}"


def imported(seen: Seen) -> Iterator[str]:
    """Providers whose SDK is there although no usage goes to them."""
    told = {one.emission.provider.name for one in seen.reports if one.emission and one.emission.provider}
    names = [name for name in provider_names(seen) if name not in told]
    if names:
        yield f"{', '.join(names)} without usage reports"


def provider_names(seen: Seen) -> list[str]:
    """Providers that are called or whose SDK is imported."""
    return sorted({name for code in seen.codes for name in of_file(code)})


def of_file(code: Code) -> Iterator[str]:
    for call in code.facts.calls:
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is not None and matched[1].role in USED:
            yield matched[0].name
    for emission in code.emissions:
        if emission.provider is not None and emission.record is not None and emission.record.role in USED:
            yield emission.provider.name
    for provider in providers.catalogue():
        # The SDK of a whole cloud says nothing of metering.
        if not provider.id.startswith(("aws", "google")) and providers.imports(
            provider, code.facts.packages, code.facts.language
        ):
            yield provider.name
