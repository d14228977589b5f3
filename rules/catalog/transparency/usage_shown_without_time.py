"""Usage is shown without saying of when it is, although it comes from a cache or an aggregate that lags behind.

Customers compare the figure with what they just did, find it too low, and decide by it: they go on and get an invoice that they
did not expect. Give the time of the last update along with the figure, from where the figure comes and not from the clock. A
single total says little more: break it down by day and feature, or offer an export, so that customers can check what they pay.
"""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Object, Return, Scope, enclosing, fold, outermost_function, walk, within
from rules.meaning.contexts import Context, own_request
from rules.meaning.vocabulary import names_counter, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Variant

ABOUT = About(
    id="MTR-503",
    title="Usage response without as-of time although the source is delayed",
    severity=Severity.LOW,
    classification=Classification.SUGGESTION,
    classes=("T2",),
    iso_25010="Interaction capability / appropriateness recognisability",
    variants={
        "usage-total-without-breakdown": Variant("Only a total is shown, no breakdown or export", Severity.LOW, ("T1", "T3")),
    },
)
DELAYED = re.compile(r"cache|materiali[sz]ed|aggregat|rollup|snapshot|summary_table|daily_usage|hourly", re.I)
TIMED = re.compile(
    r"as_?of|updated_?at|last_?sync|generated_?at|timestamp|computed_?at|fetched_?at|refreshed|stale|fresh|\bage\b", re.I
)
SPLIT = re.compile(
    r"break_?down|by_?day|by_?feature|by_?model|daily|items|group_?by|csv|export|history|events|details|series", re.I
)
ANSWERS = frozenset("json send jsonify response jsonresponse status respond".split())


def check(code: Code) -> Iterator[Finding]:
    """At most one finding of each kind for a file: a response is weak evidence of what a product shows."""
    if not code.billing:
        return
    shown = [one for one in answers(code) if about_usage(code, *one)]
    for held, scope in shown:
        function = outermost_function(scope)
        if function is not None and DELAYED.search(text := code.facts.text(function.span)) and not TIMED.search(text):
            yield finding(
                held, "of when it is, although its source lags behind", "Add the time at which the source was updated."
            )
            break
    for held, scope in shown:
        function = outermost_function(scope)
        if function is not None and len(held.entries) == 1 and not SPLIT.search(code.facts.text(function.span)):
            yield finding(
                held, "what makes it up", "Add a breakdown by day or feature, or an export.", "usage-total-without-breakdown"
            )
            break


def answers(code: Code) -> Iterator[tuple[Object, Scope]]:
    """The objects that endpoints answer with."""
    for call in code.facts.calls:
        if (fold(call.method) in ANSWERS or renders_json(call)) and code.context(call.scope) is Context.REQUEST:
            yield from ((part, call.scope) for part in given(call))
    for one in code.facts.returns:
        if isinstance(one.value, Object) and code.context(one.scope) is Context.REQUEST and of_handler(code, one):
            yield one.value, one.scope


def renders_json(call: Call) -> bool:
    """Rails: `render json: {…}`."""
    return call.folded == "render" and any(one.name == "json" for one in call.arguments)


def given(call: Call) -> Iterator[Object]:
    yield from (one.value for one in call.arguments if isinstance(one.value, Object) and one.value.complete)


def of_handler(code: Code, one: Return) -> bool:
    """A decorated handler, or a Rust function that takes what a request gives it."""
    function = enclosing(one.scope, Kind.FUNCTION)
    if function is None or not isinstance(function.head, Function):
        return False
    return bool(function.head.decorators) or (code.facts.traits.extractors and own_request(code.facts, function))


def about_usage(code: Code, held: Object, scope: Scope) -> bool:
    """A figure of usage, answered to a question for it."""
    names = [entry.name for entry in held.entries if entry.name]
    function = outermost_function(scope)
    said = code.facts.path + " " + code.function_name(scope)
    if function is not None and isinstance(function.head, Function):
        said += " " + function.head.registered_as
    writes = any(within(one.scope, scope) for one in code.counters)
    asked = bool({"usage", "billing", "consumption"} & set(words(said)))
    errors = any({"error", "message", "success", "ok"} & set(words(name)) for name in names)
    return asked and not writes and not errors and any(names_counter(name) for name in names) and bool(list(walk(held)))


def finding(held: Object, lacks: str, remediation: str, variant: str | None = None) -> Finding:
    return Finding(
        span=held.span,
        description=f"This answers a figure of usage and does not say {lacks}: customers cannot check it.",
        remediation=remediation,
        confidence=Confidence.POSSIBLE,
        variant=variant,
    )


EXAMPLES = (
    Example(
        "python",
        """
@app.get("/usage")
def usage(request, cache):
    used = cache.get(f"usage:{request.state.account}:daily")
    return {"used": used, "limit": 1000}  # <- finding
""",
    ),
    Example(
        "python",
        """
@app.get("/usage")
def usage(request, cache):
    row = cache.get(f"usage:{request.state.account}:daily")
    return {"used": row.used, "limit": 1000, "as_of": row.updated_at}

@app.post("/generate")
def generate(request):
    return {"answer": answer(request), "ok": True}
""",
    ),
    Example(
        "typescript",
        """
app.get("/billing/usage", async (req, res) => {
  const tokensUsed = await sumTokens(req.session.accountId);
  res.json({ tokensUsed });  // <- finding
});
""",
    ),
    Example(
        "typescript",
        """
app.get("/billing/usage", async (req, res) => {
  const { total, daily } = await sumTokens(req.session.accountId);
  res.json({ tokensUsed: total, daily });
});
""",
    ),
    Example(
        "go",
        """
package usage

func (s *Server) GetUsage(c *gin.Context) {
	used := s.cache.Get(c.GetString("account"))
	c.JSON(200, gin.H{"used": used, "limit": 1000})  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package usage

func (s *Server) GetUsage(c *gin.Context) {
	entry := s.cache.Get(c.GetString("account"))
	c.JSON(200, gin.H{"used": entry.Used, "limit": 1000, "updated_at": entry.UpdatedAt})
}
""",
    ),
)
