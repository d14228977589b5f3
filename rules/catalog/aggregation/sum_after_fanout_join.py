"""Usage is added up after a join that repeats each row once for every row it is joined with.

A customer with three tags or four invoice lines is billed three or four times as much, and only for those who have several.
Aggregate before the join, in a subquery or CTE, or join only on what has one row for each usage row.
"""

from collections.abc import Iterator
from typing import Any

from rules.code import Code
from rules.meaning.contexts import Context
from rules.meaning.sql import Aggregate, Statement, grammar, plain
from rules.meaning.subjects import bills, only_shows
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant
from rules.schema.tables import key

ABOUT = About(
    id="MTR-306",
    title="SUM/COUNT over a one-to-many join",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("A5",),
    cwe=("CWE-682",),
    iso_25010="Functional suitability / functional correctness",
    variants={
        "count-instead-of-distinct": Variant(
            "COUNT(*) billed where the metric is distinct users/devices", Severity.MEDIUM, ("A5",)
        )
    },
)
THINGS = frozenset("users user devices device customers members seats visitors subjects hosts".split())
DISTINCT_WORDS = frozenset("active unique distinct uniq monthly mau dau".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for one in code.statements:
        if one.kind != "select" or code.context(one.scope) is Context.TEST:
            continue
        shown = only_shows(code.facts, one.scope) or not bills(code.facts, one.scope)
        found = multiplied(code, one)
        if found is not None:
            # Of a table that no schema tells of, it is not known whether it has more than one row for each.
            known = code.elsewhere.schema.table(found[2]) is not None
            yield fanned_out(*found, Confidence.LIKELY if known and not shown else Confidence.POSSIBLE)
        for aggregate in one.aggregates:
            if counts_rows(aggregate) and not of_their_own(one, aggregate):
                yield undistinct(aggregate)


def multiplied(code: Code, one: Statement) -> tuple[Aggregate, str, str] | None:
    """The aggregate, its table and the table that repeats it: joined on `other.parent_id = parent.id`."""
    g = grammar()
    select = one.tree.find(g.Select)
    joins = (select.args.get("joins") or []) if select is not None else []
    for join in joins:
        other = join.this
        on = join.args.get("on")
        if not isinstance(other, g.Table) or on is None:
            continue
        for equal in on.find_all(g.EQ):
            parent = parent_of(equal, other.alias_or_name)
            if parent is None or grouped_by(select, parent) or one_each(code, other.name, equal):
                continue
            for aggregate in one.aggregates:
                if aggregate.function == "sum" and not aggregate.distinct and qualifier(aggregate.argument) == parent:
                    return aggregate, parent, plain(other.name)
    return None


def one_each(code: Code, child: str, equal: Any) -> bool:
    """Whether the schema allows one row of the joined table for each parent: then nothing is repeated."""
    names = [side.name for side in (equal.this, equal.expression) if side.name.lower() != "id"]
    return bool(names) and code.elsewhere.schema.is_unique(child, names) is True


def parent_of(equal: Any, child: str) -> str | None:
    """For `child.parent_id = parent.id` the parent's name in this query."""
    g = grammar()
    sides = (equal.this, equal.expression)
    if not all(isinstance(side, g.Column) for side in sides):
        return None
    for foreign, own in (sides, sides[::-1]):
        owns = foreign.table == child and foreign.name.lower().endswith(("_id", "id")) and foreign.name.lower() != "id"
        if owns and own.name.lower() == "id" and own.table and own.table != child:
            return str(own.table)
    return None


def grouped_by(select: Any, parent: str) -> bool:
    """GROUP BY parent.id does not help the sum, but a grouping by the child's own key means one row each."""
    g = grammar()
    group = select.args.get("group")
    return group is not None and any(
        column.table != parent and column.name.lower() == "id" for column in group.find_all(g.Column)
    )


def qualifier(argument: str) -> str:
    return (
        argument.partition(".")[0] if argument.count(".") == 1 and argument.replace(".", "").replace("_", "").isalnum() else ""
    )


def fanned_out(aggregate: Aggregate, parent: str, other: str, sure: Confidence) -> Finding:
    return Finding(
        span=aggregate.span,
        description=(
            f"`SUM({aggregate.argument})` runs after the join with `{other}`, which repeats each row of "
            f"`{parent}` once for each of "
            "its rows: usage is counted several times."
        ),
        remediation=f"Sum `{parent}` in a subquery first, then join the totals with `{other}`.",
        confidence=sure,
    )


def counts_rows(aggregate: Aggregate) -> bool:
    said = set(words(aggregate.alias))
    return aggregate.function == "count" and not aggregate.distinct and bool(said & THINGS) and bool(said & DISTINCT_WORDS)


def of_their_own(one: Statement, aggregate: Aggregate) -> bool:
    """Whether the rows are the things themselves, each there once: `SELECT COUNT(*) AS active_customers FROM customers`."""
    things = {key(word) for word in words(aggregate.alias)} & set(map(key, THINGS))
    return any({key(word) for word in words(table)[-1:]} & things for table in one.tables)


def undistinct(aggregate: Aggregate) -> Finding:
    return Finding(
        span=aggregate.span,
        description=(
            f"`{aggregate.alias}` counts rows, not {aggregate.alias.replace('_', ' ')}: whoever appears twice is billed twice."
        ),
        remediation="Count the distinct ids: `COUNT(DISTINCT user_id)`.",
        # The rows may be one for each already, which only the table can tell.
        confidence=Confidence.POSSIBLE,
        variant="count-instead-of-distinct",
    )


EXAMPLES = (
    Example(
        "python",
        '''
def billable(cursor, period):
    cursor.execute(
        """
        SELECT u.customer_id, SUM(u.quantity) AS total  -- <- finding
        FROM usage_events u
        JOIN usage_tags t ON t.usage_event_id = u.id
        WHERE u.period = %s
        GROUP BY u.customer_id
        """,
        (period,),
    )
''',
    ),
    Example(
        "python",
        '''
def billable(cursor, period):
    cursor.execute(
        """
        SELECT u.customer_id, SUM(u.quantity) AS total, COUNT(DISTINCT u.user_id) AS active_users
        FROM usage_events u
        JOIN plans p ON p.id = u.plan_id
        WHERE u.period = %s
        GROUP BY u.customer_id
        """,
        (period,),
    )
''',
    ),
    Example(
        "typescript",
        """
export const billableQuery = "SELECT SUM(i.amount) FROM invoices i JOIN lines l ON l.invoice_id = i.id";  // <- finding
export const seatsQuery = "SELECT COUNT(*) AS active_users FROM usage_events WHERE customer_id = $1";  // <- finding
""",
    ),
    Example(
        "typescript",
        """
export const billableQuery = "SELECT SUM(l.amount) FROM invoices i JOIN lines l ON l.invoice_id = i.id";
export const seatsQuery = "SELECT COUNT(DISTINCT user_id) AS active_users FROM usage_events WHERE customer_id = $1";
""",
    ),
    Example(
        "go",
        """
package billing

const usageTotal = "SELECT SUM(u.quantity) FROM usage u LEFT JOIN labels l ON l.usage_id = u.id"  // <- finding
""",
    ),
    Example(
        "go",
        """
package billing

const usageTotal = "SELECT SUM(u.quantity) FROM usage_events u JOIN customers c ON c.id = u.customer_id"
""",
    ),
    Example(
        "sql",
        """
-- Customers of a billing period, each a row of its own.
SELECT COUNT(*) AS active_customers FROM customers WHERE plan <> 'free' AND usage_limit > 0;
""",
    ),
    Example(
        "python",
        """
def billed_usage(cursor, customer):
    cursor.execute(
        "SELECT SUM(e.quantity) FROM usage_events e JOIN usage_receipts r ON r.event_id = e.id WHERE e.customer_id = %s",
        (customer,),
    )
    return cursor.fetchone()[0]
""",
        path="billing/usage.py",
        context={
            "schema.sql": "CREATE TABLE usage_receipts (id bigint primary key, event_id bigint unique, sent_at timestamptz);"
        },
    ),
)
