"""A reached limit is answered as a server error, as a success, or not at all.

Clients retry a 500, take a 200 for work that was done, and wait for an answer that never comes; none of them tells its user
to upgrade. Answer 402 when credit or plan is used up, and 429 with `Retry-After` when waiting helps.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Raise,
    Return,
    Scope,
    Sequence,
    Span,
    dotted,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.limits.limits import Limit, leaves
from rules.meaning.outcomes import logs
from rules.meaning.values import root_of
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step

ABOUT = About(
    id="MTR-407",
    title="Reached limit is answered with 500, 200 or nothing",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("L6",),
    cwe=("CWE-393",),
    iso_25010="Interaction capability / user error protection; Compatibility",
)
STATUS_NAMES = frozenset("status statuscode code".split())
STATUS_CALLS = frozenset(
    "statuscode status sendstatus writeheader json abort abortwithstatus abortwithstatusjson string code respond".split()
)
NAMED = {"statusinternalservererror": 500, "statusok": 200, "internalservererror": 500, "http500internalservererror": 500}
NAMED |= {"http200ok": 200, "status200ok": 200, "status500internalservererror": 500}
FAILURE = ("INTERNAL_SERVER_ERROR", "InternalServerError")
REFUSALS = {402: ("PAYMENT_REQUIRED", "PaymentRequired"), 429: ("TOO_MANY_REQUESTS", "TooManyRequests")}
OKS = frozenset({"ok", "this.ok", "results.ok", "typedresults.ok"})
"""What ASP.NET calls an answer of 200."""
ANSWERED = frozenset("c ctx w rw res reply response writer context gc ginctx".split())
REFUSED = re.compile(r"limit|quota|credit|exceed|insufficient|balance|upgrade|not enough|error", re.I)


def check(code: Code) -> Iterator[Finding]:
    if "graphql" in code.facts.source.decode(errors="replace").lower():
        return
    for limit in code.limits:
        then = limit.test.then
        if not limit.refuses or then is None or code.context(limit.scope) is not Context.REQUEST:
            continue
        if not leaves(code.facts, then) or asks_form(limit) or "text/event-stream" in code.facts.text(then.span):
            continue
        given = list(statuses(code, then))
        if given:
            told = [one for one in given[:1] if one[0] >= 500 or (one[0] == 200 and not has_envelope(code, then))]
            yield from (wrong(code, limit, *one) for one in told)
        elif (answer := plain_answer(code, then)) is not None and not has_envelope(code, then):
            yield unmarked(limit, answer)
        elif says_nothing(code, then):
            yield silent(code, limit)


def asks_form(limit: Limit) -> bool:
    """`form.quota <= 0 || form.quota > 99999`: what was asked for is tested, and nothing that was used."""
    root = root_of(limit.used)
    return isinstance(root, Name) and bool({"form", "body", "input", "payload", "dto", "params"} & set(words(root.text)))


def statuses(code: Code, then: Scope) -> Iterator[tuple[int, Span]]:
    """The HTTP status codes that are written down in a branch."""
    for pair in paired(code, then):
        if (found := status(pair)) is not None:
            yield found, pair.span
    for call in code.facts.calls:
        if within(call.scope, then):
            for value in stated(call):
                if (found := status(value)) is not None:
                    yield found, value.span


def paired(code: Code, then: Scope) -> Iterator[Expression]:
    """Rust: `Err((StatusCode::…, "…"))`."""
    exits: tuple[Raise | Return, ...] = (*code.facts.raises, *code.facts.returns)
    for one in exits:
        if within(one.scope, then) and isinstance(one.value, Sequence) and one.value.items:
            first = one.value.items[0]
            if isinstance(first, Member) and dotted(first.object).endswith("StatusCode"):
                yield first


def stated(call: Call) -> Iterator[Expression]:
    """The arguments of a call that hold a status: `status_code=`, `{ status: … }`, `res.status(…)`, `http.Error(w, …, …)`."""
    for argument in call.arguments:
        first = argument is call.arguments[0] and fold(call.method) in STATUS_CALLS
        second = len(call.arguments) == 2 and call.folded.endswith((".json", "http.error"))
        last = argument is call.arguments[-1] and (second or call.folded.endswith("http.error"))
        if first or last or (argument.name is not None and fold(argument.name) in STATUS_NAMES):
            yield argument.value
        for part in walk(argument.value):
            if isinstance(part, Object):
                yield from (entry.value for entry in part.entries if fold(entry.name or "") in ("status", "statuscode"))


def status(value: Expression) -> int | None:
    if isinstance(value, Literal) and isinstance(value.value, int) and not isinstance(value.value, bool):
        return value.value if 100 <= value.value < 600 else None
    if isinstance(value, Member):
        if dotted(value) in ("HttpStatusCode.OK", "HttpStatus.OK"):
            return 200
        return NAMED.get(fold(value.name), 1 if fold(value.name).startswith(("status", "http4")) else None)
    return None


def plain_answer(code: Code, then: Scope) -> Call | None:
    """`res.json({ error })`, `NextResponse.json({ error })` without a status: that is a 200."""
    for call in code.facts.calls:
        if not within(call.scope, then) or fold(call.method) not in ("json", "send", "ok") or len(call.arguments) != 1:
            continue
        if call.folded.split(".")[0].rstrip("()") not in ("res", "response", "nextresponse") and call.folded not in OKS:
            continue
        first = call.arguments[0].value
        names = {fold(entry.name or "") for entry in getattr(first, "entries", ())}
        if not isinstance(first, Object) or not first.complete or not names & {"error", "errors", "message"}:
            continue
        if "status" not in call.folded and REFUSED.search(code.facts.text(first.span)) and not sets_status(code, call.scope):
            return call
    return None


def sets_status(code: Code, scope: Scope) -> bool:
    """`res.statusCode = 402`, `res.status(402)` on a line of its own."""
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and bool(re.search(r"statusCode\s*=|\.status\(", code.facts.text(scope.span)))


def has_envelope(code: Code, then: Scope) -> bool:
    """`{ success: false, … }` with 200 throughout is a project's own convention, which its clients know."""
    return bool(re.search(r"success|\bok\b|\bcode\b|allowed|\b(can|has)[A-Z_]\w*[\"']?\s*:", code.facts.text(then.span)))


def says_nothing(code: Code, then: Scope) -> bool:
    """A bare `return` in a handler that answers through its response object: the client waits, or takes it for done."""
    exits = [one for one in code.facts.returns if within(one.scope, then)]
    calls = [call for call in code.facts.calls if within(call.scope, then) and (answers(call) or not logs(call))]
    raised = any(within(one.scope, then) for one in code.facts.raises)
    jumps = any(within(one.scope, then) for one in code.facts.jumps)
    return (
        bool(exits)
        and all(one.value is None for one in exits)
        and not calls
        and not raised
        and not jumps
        and responds(code, then)
    )


def answers(call: Call) -> bool:
    """`abortWithError(c, 403, …)`: a helper that is handed the request answers it."""
    return any(isinstance(one.value, Name) and one.value.text in ANSWERED for one in call.arguments)


def responds(code: Code, then: Scope) -> bool:
    function = enclosing(then, Kind.FUNCTION)
    names = ("res.", "w.", "reply.", "c.")
    return function is not None and any(
        call.folded.startswith(names) and call.span.start > then.span.end for call in code.calls_in(function)
    )


def better(limit: Limit) -> int:
    return 402 if limit.left else 429


def renamed(written: str, status: int) -> str:
    """The status in the spelling of the one that it replaces: a typed `HttpStatus.INTERNAL_SERVER_ERROR` takes no number."""
    named = written.replace("500", str(status))
    for failure, refusal in zip(FAILURE, REFUSALS[status], strict=True):
        named = named.replace(failure, refusal)
    return named if named != written else str(status)


def wrong(code: Code, limit: Limit, found: int, at: Span) -> Finding:
    instead = renamed(code.facts.text(at), better(limit))
    means = "a failure of yours, which clients retry" if found >= 500 else "success, so that clients take the work for done"
    return Finding(
        span=at,
        description=f"A reached limit is answered with {found}: {means}.",
        remediation=f"Answer {better(limit)} here"
        + ("." if limit.left else ", with `Retry-After` where the reset is known; 402 when only an upgrade helps."),
        confidence=Confidence.LIKELY,
        trace=(Step(limit.span, "the limit is tested here"),),
        fix=None if found == 200 else Fix(f"Answer {better(limit)}", (Edit(at.start, at.end, instead),), safe=False),
    )


def unmarked(limit: Limit, answer: Call) -> Finding:
    return Finding(
        span=answer.span,
        description="A reached limit is answered without a status, which is 200: clients take the refusal for a result.",
        remediation=f"Give the answer a status: {better(limit)}.",
        confidence=Confidence.LIKELY,
        trace=(Step(limit.span, "the limit is tested here"),),
    )


def silent(code: Code, limit: Limit) -> Finding:
    return Finding(
        span=limit.span,
        description=f"On `{code.facts.text(limit.span)}` the handler ends without an answer: the client waits in vain.",
        remediation=f"Answer {better(limit)} with what is used up and when it is back.",
        confidence=Confidence.LIKELY,
    )


EXAMPLES = (
    Example(
        "python",
        """
@app.post("/generate")
async def generate(request: Request, user: User):
    if user.credits < 1:
        raise HTTPException(status_code=500, detail="not enough credits")  # <- finding
    return await render(await request.json())
""",
    ),
    Example(
        "python",
        """
@app.post("/generate")
async def generate(request: Request, user: User):
    if user.credits < 1:
        raise HTTPException(status_code=402, detail="not enough credits")
    return await render(await request.json())
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const user = await currentUser();
  if (user.usedCredits >= user.creditLimit) {
    return NextResponse.json({ error: "credit limit reached" });  // <- finding
  }
  return NextResponse.json(await render(await request.json()));
}
""",
        path="app/api/generate/route.ts",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const user = await currentUser();
  if (user.usedCredits >= user.creditLimit) {
    return NextResponse.json({ error: "credit limit reached" }, { status: 429 });
  }
  return NextResponse.json(await render(await request.json()));
}
""",
        path="app/api/generate/route.ts",
    ),
    Example(
        "javascript",
        """
app.post("/generate", async (req, res) => {
  if (req.user.credits <= 0) {
    return res.status(500).json({ error: "out of credits" });  // <- finding
  }
  res.json(await render(req.body.prompt));
});

app.post("/render", async (req, res) => {
  if (req.user.credits <= 0) return;  // <- finding
  res.json(await render(req.body.prompt));
});
""",
    ),
    Example(
        "javascript",
        """
app.post("/generate", async (req, res) => {
  if (req.user.credits <= 0) {
    return res.status(402).json({ error: "out of credits" });
  }
  res.json(await render(req.body.prompt));
});
""",
    ),
    Example(
        "go",
        """
package api

func generate(w http.ResponseWriter, r *http.Request) {
	user := current(r)
	if user.UsedTokens >= user.TokenQuota {
		http.Error(w, "quota exceeded", http.StatusInternalServerError)  // <- finding
		return
	}
	render(w, r)
}
""",
    ),
    Example(
        "go",
        """
package api

func generate(w http.ResponseWriter, r *http.Request) {
	user := current(r)
	if user.UsedTokens >= user.TokenQuota {
		http.Error(w, "quota exceeded", http.StatusTooManyRequests)
		return
	}
	render(w, r)
}
""",
    ),
    Example(
        "go",
        """
func Generate(c *gin.Context) {
	user := c.MustGet("user").(*User)
	if user.Balance <= 0 {
		AbortWithError(c, 403, "INSUFFICIENT_BALANCE")
		return
	}
	c.JSON(200, work(user))
}
""",
    ),
)
