"""A filter on the customer is added only when it has a value, so without one the query returns everybody's usage.

An empty list of customers means "none of them", but a query that leaves the condition out means "all of them": the first user
without a team or subscription sees, or is billed for, the usage of every tenant. Return nothing where there is nobody to ask
for.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Assign,
    Branch,
    Call,
    Compare,
    Expression,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Unary,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-504",
    title="Empty filter returns every customer's usage",
    severity=Severity.CRITICAL,
    classification=Classification.VULNERABILITY,
    classes=("T5",),
    cwe=("CWE-636",),
    iso_25010="Security / confidentiality",
)
PARTIES = frozenset(
    "customer customers tenant tenants org orgs organization organizations workspace workspaces team teams account accounts "
    "user users project projects subscription subscriptions".split()
)
FILTERS = frozenset("filter where in filterby andwhere wherein eq whereraw".split())
EMPTY = frozenset("isempty empty isnullorempty isblank".split())
PLAIN = frozenset(
    "select query selectfrom selectall from model table all createquerybuilder sum count func distinct knex "
    "asqueryable asnotracking intoboxed".split()
)
USAGE = frozenset("usage usages meter meters metering billing invoice invoices credits consumption billable".split())
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.SCRIPT})


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    for assign in code.facts.assigns:
        branch = enclosing(assign.scope, Kind.BRANCH, Kind.FUNCTION)
        if branch is None or not isinstance(branch.head, Branch) or branch.head.arm != "then" or branch.head.test is None:
            continue
        ids = is_list_of_parties(branch.head.test)
        if ids is None or not narrows(assign) or code.context(assign.scope) in QUIET:
            continue
        if starts_plain(code, assign) and is_about_usage(code, assign) and not otherwise(code, branch) and uses(assign, ids):
            yield finding(assign, ids)


def is_list_of_parties(test: Expression) -> str | None:
    """`if customer_ids:`, `if (teamIds.length > 0)`, `if len(ids) > 0`: a list of tenants is not empty."""
    for part in walk(test):
        name = part.text if isinstance(part, Name) else part.name if isinstance(part, Member) else ""
        said = words(name)
        if fold(name).endswith("ids") and PARTIES & set(said):
            asked, turned = (test.value, True) if isinstance(test, Unary) and test.operator == "not" else (test, False)
            says_empty = isinstance(asked, Call) and fold(asked.method) in EMPTY
            negated = not isinstance(asked, Name | Member | Call | Compare) or turned is not says_empty
            empty = isinstance(test, Compare) and (test.operator in ("==", "<", "is") or is_none(test.right))
            return None if negated or empty else name
    return None


def is_none(value: Expression) -> bool:
    return isinstance(value, Literal) and value.value is None


def narrows(assign: Assign) -> bool:
    """`query = query.filter(…)`."""
    value = assign.value
    if not isinstance(value, Call) or fold(value.method) not in FILTERS or len(assign.targets) != 1:
        return False
    target, root = assign.targets[0], value.receiver
    return isinstance(target, Name) and isinstance(root, Name) and root.text == target.text


def starts_plain(code: Code, assign: Assign) -> bool:
    """Whether the query starts as a whole table. One that a function made may be narrowed to the caller's own rows already."""
    target = assign.targets[0]
    if not isinstance(target, Name):
        return False
    first = code.values.definitions.get(target.text, ())[:1]
    made = first[0].value if first else None
    names = [fold(part.method) for part in walk(made) if isinstance(part, Call)]
    return bool(names) and all(name in PLAIN for name in names)


def uses(assign: Assign, ids: str) -> bool:
    return any(ids in (getattr(part, "text", None), getattr(part, "name", None)) for part in walk(assign.value))


def is_about_usage(code: Code, assign: Assign) -> bool:
    """The function's or class's name, or a table of the query, speaks of usage or invoices."""
    said = {word for outer in chain(assign.scope) for word in words(getattr(outer.head, "name", "") or "")}
    function = enclosing(assign.scope, Kind.FUNCTION)
    inside = {
        word
        for call in code.calls_in(function)
        for argument in call.arguments
        for part in walk(argument.value)
        for word in words(getattr(part, "text", "") or getattr(part, "name", "") or getattr(part, "type", "") or "")
    }
    return bool(USAGE & (said | inside))


def otherwise(code: Code, branch: Scope) -> bool:
    """Whether the empty case is handled: an `else`, or a return on empty anywhere in the function."""
    test = branch.head.test if isinstance(branch.head, Branch) else None
    twin = any(isinstance(one.head, Branch) and one.head.arm == "else" and one.head.test is test for one in code.facts.scopes)
    function = enclosing(branch, Kind.FUNCTION)
    narrowed = any(fold(call.method) in FILTERS and not within(call.scope, branch) for call in code.calls_in(function))
    return twin or narrowed


def finding(assign: Assign, ids: str) -> Finding:
    return Finding(
        span=assign.span,
        description=f"Where `{ids}` is empty this condition is left out, and the query returns the usage of every customer.",
        remediation=f"Return nothing where `{ids}` is empty, and add the condition always.",
        confidence=Confidence.LIKELY,
    )


EXAMPLES = (
    Example(
        "python",
        """
def usage_of(session, customer_ids):
    query = session.query(UsageEvent)
    if customer_ids:
        query = query.filter(UsageEvent.customer_id.in_(customer_ids))  # <- finding
    return query.all()
""",
    ),
    Example(
        "typescript",
        """
export async function listInvoices(db: Database, teamIds: string[]) {
  let query = db.selectFrom("invoices").selectAll();
  if (teamIds.length > 0) {
    query = query.where("team_id", "in", teamIds);  // <- finding
  }
  return query.execute();
}
""",
    ),
    Example(
        "go",
        """
package usage

func list(db *gorm.DB, customerIDs []string) ([]UsageEvent, error) {
	var events []UsageEvent
	query := db.Model(&UsageEvent{})
	if len(customerIDs) > 0 {
		query = query.Where("customer_id IN ?", customerIDs)  // <- finding
	}
	return events, query.Find(&events).Error
}
""",
    ),
    Example(
        "python",
        """
def usage_of(session, customer_ids, meter_ids):
    if not customer_ids:
        return []
    query = session.query(UsageEvent).filter(UsageEvent.customer_id.in_(customer_ids))
    if meter_ids:
        query = query.filter(UsageEvent.meter_id.in_(meter_ids))
    return query.all()
""",
    ),
    Example(
        "go",
        """
package usage

func list(db *gorm.DB, customerIDs []string) ([]UsageEvent, error) {
	var events []UsageEvent
	if len(customerIDs) == 0 {
		return events, nil
	}
	return events, db.Where("customer_id IN ?", customerIDs).Find(&events).Error
}
""",
    ),
)
