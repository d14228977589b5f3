"""An endpoint that shows usage or invoices takes the customer's id from the request and does not check whose it is.

Anyone who is signed in, or anyone at all, can put another customer's id there and read what that one uses and pays. Take the
id from the session, or compare it with the session before the query.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Compare, Kind, Scope, Span, enclosing, fold, walk
from rules.meaning.contexts import Context
from rules.meaning.usage.requests import carried, outermost, reads, trusted
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-501",
    title="Usage endpoint is not scoped to its caller",
    severity=Severity.CRITICAL,
    classification=Classification.VULNERABILITY,
    classes=("T5",),
    cwe=("CWE-639", "CWE-862"),
    iso_25010="Security / confidentiality",
)
SHOWN = frozenset("usage usages invoice invoices billing credits meter meters metering".split())
CATALOGUE = frozenset(
    "plan plans product products price prices pricing bundle bundles package packages catalog catalogue tier tiers tariff "
    "offer offers config configuration settings feature features".split()
)
"""What is sold, and on what terms: every buyer may read it."""
PARTIES = frozenset(
    "user customer account tenant org organization organisation workspace team member client company owner subscription "
    "subscriber project invoice email".split()
)
"""Whose usage it is, or what belongs to one of them."""
READS = frozenset(
    "find findmany findfirst findunique findone aggregate count select query filter filterby "
    "where singleordefault firstordefault tolist get all "
    "first fetch sum groupby".split()
)
FINDS = re.compile(r"(?:[fF]ind|[gG]et|[rR]ead|[qQ]uery|[sS]earch|[cC]ount|[sS]um)\w*?By[A-Z]|(?:find|get)_\w*?by_")
"""Finders that are named for what they ask by: `findByCustomerId`."""
KNOWN = re.compile(
    r"session|current_?user|auth|jwt|verify|token|principal|getuser|req\.user|request\.user|identity|permission|authorize|owner|member|"
    r"login_required|depends\(|guard|protect|admin",
    re.I,
)
ROUTE_FILE = re.compile(r"((^|/)(app/(.*/)?route|pages/api/.+|functions/[^/]+/index|\+server)|^api/.+)\.[cm]?[jt]sx?$")


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    reported: set[Scope] = set()
    for call in code.facts.calls:
        function = outermost(call.scope)
        if (
            (fold(call.method) not in READS and not FINDS.match(call.method))
            or function is None
            or function in reported
            or not is_shown(code, call)
        ):
            continue
        if code.context(call.scope) is not Context.REQUEST or trusted(code, call.scope) or knows_caller(code, function):
            continue
        field = asked_for(code, call)
        if field is not None:
            reported.add(function)
            yield finding(
                call.span, *field, Confidence.LIKELY if stands_alone(code) and not guarded(code) else Confidence.POSSIBLE
            )


def stands_alone(code: Code) -> bool:
    """Whether the file is the endpoint: a route of a framework that makes routes of files.

    What is registered with a router, or annotated in a class, mostly has its caller checked before it is called.
    """
    return ROUTE_FILE.search(code.facts.path) is not None


def guarded(code: Code) -> bool:
    """Whether something may look at each request before it comes to a route: a file elsewhere speaks of middleware."""
    return code.elsewhere.speaks_of("middleware", frozenset({code.facts.path}))


def is_shown(code: Code, call: Call) -> bool:
    """A query of a table of usage or invoices: `prisma.usageEvent.findMany`, `db.query(Invoice)`."""
    said = set(words(call.name))
    for argument in call.arguments[:1]:
        said |= set(words(getattr(argument.value, "text", "")))
    return bool(SHOWN & said) and not CATALOGUE & said


def knows_caller(code: Code, function: Scope) -> bool:
    """Anything that speaks of who is calling, in the handler, its decorators or what it is registered with: unsure is quiet."""
    source = code.facts.source.decode(errors="replace")
    return KNOWN.search(source) is not None


def asked_for(code: Code, call: Call) -> tuple[str, Span] | None:
    for argument in call.arguments:
        values = [argument.value, *(value for _, value in carried(code, argument.value, call.scope, call.span.start))]
        values += [part.right for part in walk(argument.value) if isinstance(part, Compare) and part.operator == "=="]
        for value in values:
            for read in reads(code, value, call.scope, call.span.start, bound=False):
                if names_party(words(read.field)) and enclosing(call.scope, Kind.FUNCTION) is not None:
                    return read.field, read.span
    return None


def names_party(said: tuple[str, ...]) -> bool:
    """`customerId`, `invoice_id`, `id`, `email`; not `billingConfigId`."""
    if said[-1:] == ("email",) or said == ("id",):
        return True
    return said[-1:] == ("id",) and bool(PARTIES & set(said)) and not CATALOGUE & set(said)


def finding(at: Span, field: str, where: Span, sure: Confidence) -> Finding:
    return Finding(
        span=at,
        description=f"`{field}` comes from the request and nothing here checks whose it is: any caller reads anybody's usage.",
        remediation=f"Query by the id of the session instead, or refuse where `{field}` is not the caller's.",
        confidence=sure,
        trace=(Step(where, "taken from the request here"),) if where.line != at.line else (),
    )


EXAMPLES = (
    Example(
        "typescript",
        """
export async function GET(request: NextRequest) {
  const { customerId } = await request.json();
  const usage = await prisma.usageEvent.findMany({ where: { customerId } });  // <- finding
  return NextResponse.json(usage);
}
""",
        path="app/api/usage/route.ts",
    ),
    Example(
        "python",
        """
@app.route("/invoices")
def invoices():
    return jsonify(Invoice.query.filter_by(customer_id=request.args["customer_id"]).all())  # <- finding
""",
    ),
    Example(
        "typescript",
        """
export async function GET(request: NextRequest) {
  const session = await getServerSession();
  const usage = await prisma.usageEvent.findMany({ where: { customerId: session.user.customerId } });
  return NextResponse.json(usage);
}
""",
        path="app/api/usage/route.ts",
    ),
    Example(
        "typescript",
        """
export async function GET(request: NextRequest) {
  const { billingTierId } = await request.json();
  const bundles = await prisma.creditBundle.findMany({ where: { billingTierId } });
  return NextResponse.json(bundles);
}
""",
        path="app/api/bundles/route.ts",
    ),
    Example(
        "python",
        """
@app.route("/invoices")
@login_required
def invoices():
    return jsonify(Invoice.query.filter_by(customer_id=current_user.customer_id).all())
""",
    ),
)
