"""Whose usage is booked is read from the request, so any caller can book usage to somebody else.

A customer, user or subscription id in a body or query is a claim. Unless it is compared with who is signed in, one user can
spend another's credits, fill another's bill, or put their own usage on an id that nobody pays for. Take the id from the
session or token that the server has checked.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Compare, Expression, Kind, Name, Scope, Span, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.usage.counters import Change
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.requests import Read, carried, names, outermost, reads, trusted
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.signed import is_signed
from rules.tracing.spared import only_logs, only_noted
from rules.tracing.stakes import only_shown_beside

ABOUT = About(
    id="MTR-114",
    title="Customer of a usage report comes from the client",
    severity=Severity.CRITICAL,
    classification=Classification.VULNERABILITY,
    classes=("E11", "T5"),
    cwe=("CWE-639", "CWE-345"),
    iso_25010="Security / authenticity",
    gives_way_to=("client-supplied-quantity",),
    unprompted=True,
)
PARTIES = frozenset(
    "user customer account tenant org organization organisation workspace team subject subscription member".split()
)
SIGNED_IN = (
    "getserversession getsession currentuser getcurrentuser getuser auth requireauth verifytoken getauth withauth "
    "loginrequired isauthenticated requirelogin verifyjwt getuserfromrequest"
).split()
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.WEBHOOK, Context.WORKER, Context.SCHEDULE, Context.SCRIPT})


BACK = frozenset("internal backend admin".split())
"""What a file is called whose endpoints other services call, and no customer."""


def check(code: Code) -> Iterator[Finding]:
    reported: set[Span] = set()
    for what, call, scope, values in bookings(code):
        if (
            code.context(scope) in QUIET
            or trusted(code, scope)
            or is_signed(code, scope)
            or BACK & set(words(code.facts.path.rsplit("/", 1)[-1]))
        ):
            continue
        for value in values:
            read = next((one for one in reads(code, value, scope, call.span.start, bound=False) if is_party(one.field)), None)
            if read is not None and read.span not in reported and not owned(code, read, scope):
                reported.add(read.span)
                yield finding(code, read, what, call, scope)
                break


def bookings(code: Code) -> Iterator[tuple[str, Call, Scope, list[Expression]]]:
    """Every report and every charge of a counter, with the values that may name its customer."""
    for emission in code.emissions:
        if emission.direct or not only_logs(code, emission.call):
            yield emission.title, emission.call, emission.scope, list(given(code, emission.call, emission))
    for counter in code.counters:
        moved = counter.change in (Change.ADD, Change.SUBTRACT) and not only_noted([counter.name])
        if counter.call is not None and moved:
            yield f"the change of `{counter.name}`", counter.call, counter.scope, list(given(code, counter.call, None))


def given(code: Code, call: Call, emission: Emission | None) -> Iterator[Expression]:
    known = emission.record.customer if emission is not None and emission.record is not None else ()
    for argument in call.arguments:
        if argument.name is not None:
            yield argument.value
        for name, value in carried(code, argument.value, call.scope, call.span.start):
            if fold(name) in known or is_party(name) or name == "id":
                yield value
        if argument.name is None and (emission is None or emission.record is None or isinstance(argument.value, Name)):
            yield argument.value


def is_party(name: str) -> bool:
    """`userId`, `customer_id`, `stripeCustomerId`, `subscription_item_id`, `email`."""
    said = words(name)
    return bool(said) and (
        (said[-1] == "id" and bool(PARTIES & set(said[:-1]))) or said == ("customer",) or said[-1] == "email"
    )


def owned(code: Code, read: Read, scope: Scope) -> bool:
    """Whether the id is compared with something else than nothing: `if (userId !== session.user.id) …`."""
    function = outermost(scope)
    for test in code.facts.tests:
        if function is None or not within(test.scope, function):
            continue
        for part in walk(test.value):
            if not isinstance(part, Compare):
                continue
            for side, other in ((part.left, part.right), (part.right, part.left)):
                if any(names(inner, read.field) for inner in walk(side)) and any(is_known(inner) for inner in walk(other)):
                    return True
    return False


def is_known(part: Expression) -> bool:
    return isinstance(part, Name) and part.text not in ("undefined", "nil", "null", "None")


def signed_in(code: Code, scope: Scope) -> bool:
    """Whether the endpoint knows who calls it."""
    function = enclosing(scope, Kind.FUNCTION)
    return any(call.folded.rsplit(".", 1)[-1] in SIGNED_IN for call in code.calls_in(function))


def finding(code: Code, read: Read, what: str, call: Call, scope: Scope) -> Finding:
    at, known = call.span, signed_in(code, scope)
    sure = Confidence.CERTAIN if known else Confidence.LIKELY
    instead = "the signed-in user, which is known here" if known else "a session or token that the server has checked"
    return Finding(
        span=read.span,
        cause=at,
        description=f"`{read.field}` comes from the request and decides whom {what} charges: any caller can name another.",
        remediation=f"Take the customer from {instead}, or refuse where `{read.field}` is not theirs.",
        confidence=Confidence.POSSIBLE if only_shown_beside(code, call) else sure,
        trace=(Step(at, "booked here"),) if at.line != read.span.line else (),
    )


EXAMPLES = (
    Example(
        "javascript",
        """
import { prisma } from "@/lib/prisma";

export async function POST(req) {
  const { userId } = await req.json();  // <- finding
  const taken = await prisma.user.updateMany({
    where: { id: userId, credits: { gte: 1 } },
    data: { credits: { decrement: 1 } },
  });
  return Response.json({ ok: taken.count === 1 });
}
""",
        path="app/api/deduct-credit/route.js",
    ),
    Example(
        "python",
        """
@app.route("/generate", methods=["POST"])
def generate():
    image = render(request.json["prompt"])
    record_usage(request.json["customer_id"], 1, idempotency_key=image.id)  # <- finding
    return image.url
""",
    ),
    Example(
        "go",
        """
package api

func generate(w http.ResponseWriter, r *http.Request) {
	var body struct {
		CustomerID string `json:"customerId"`
		Prompt     string `json:"prompt"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	image := render(body.Prompt)
	if err := meter.RecordUsage(r.Context(), body.CustomerID, image.ID); err != nil {  // <- finding
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
""",
    ),
    Example(
        "typescript",
        """
import { prisma } from "@/lib/prisma";

export async function POST(request: Request) {
  const session = await getServerSession();
  await prisma.user.update({ where: { id: session.user.id }, data: { credits: { decrement: 1 } } });
  return Response.json({ ok: true });
}

export async function PUT(request: Request) {
  const session = await getServerSession();
  const { workspaceId } = await request.json();
  if (workspaceId !== session.user.workspaceId) return new Response(null, { status: 403 });
  await prisma.workspace.update({ where: { id: workspaceId }, data: { usedCredits: { increment: 1 } } });
  return Response.json({ ok: true });
}
""",
        path="app/api/generate/route.ts",
    ),
    Example(
        "python",
        """
@app.route("/generate", methods=["POST"])
@login_required
def generate():
    image = render(request.json["prompt"])
    record_usage(current_user.customer_id, 1, idempotency_key=image.id)
    return image.url
""",
    ),
    Example(
        "go",
        """
package api

func generate(w http.ResponseWriter, r *http.Request) {
	user := userOf(r)
	image := render(r.FormValue("prompt"))
	if err := meter.RecordUsage(r.Context(), user.CustomerID, image.ID); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
""",
    ),
    Example(
        "typescript",
        """
function logUsage(tenantId: string, tokens: number) {
  console.log("usage", JSON.stringify({ tenantId, tokens }));
}

export async function POST(request: Request) {
  const { tenantId, prompt } = await request.json();
  const answer = await complete(prompt);
  logUsage(tenantId, answer.usage.total_tokens);
  return Response.json(answer);
}
""",
        path="app/api/completion/route.ts",
    ),
)
