"""One path reaches the metered work without the limit check that its siblings make.

Several entry points do the same costly work; all but one ask for room first. The one that does not, a bulk, import or streaming
variant, is the way around every limit. Ask there as well, or move the check into the function that all of them call.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Scope, Span, enclosing
from rules.meaning.contexts import Context
from rules.meaning.limits import gates
from rules.meaning.usage.work import is_work
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-414",
    title="A sibling path reaches the metered work without the limit check of the others",
    severity=Severity.HIGH,
    classification=Classification.VULNERABILITY,
    classes=("L2", "E12"),
    cwe=("CWE-424",),
    iso_25010="Security / integrity",
)
EXCUSED = frozenset("admin internal test debug preview system seed refund cancel delete get list webhook health mock".split())
SIBLINGS = 2
"""So many others must check before the one that does not stands out."""


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    guarded = checked_functions(code)
    for places in costly(code).values():
        functions = {function for function, _ in places}
        siblings = {function for function in functions if function in guarded}
        if len(siblings) < SIBLINGS or len(functions) - len(siblings) != 1:
            continue
        for function, call in places:
            if function not in guarded and is_open(code, function):
                first = min(siblings, key=lambda scope: scope.span.start)
                yield finding(code, function, call, guarded[first])
                break


def checked_functions(code: Code) -> dict[Scope, tuple[str, Span]]:
    """The functions that ask for room, each with what they ask."""
    found: dict[Scope, tuple[str, Span]] = {}
    for gate in gates.gates(code):
        function = named(gate.call.scope)
        if function is not None:
            found.setdefault(function, (f"`{gate.call.method}`", gate.call.span))
    for limit in code.limits:
        function = named(limit.scope)
        if function is not None:
            found.setdefault(function, (f"`{code.facts.text(limit.span)}`", limit.span))
    return found


def named(scope: Scope) -> Scope | None:
    """The outermost function around a scope: a handler with its closures."""
    found = None
    function = enclosing(scope, Kind.FUNCTION)
    while function is not None:
        found = function
        function = enclosing(function.parent, Kind.FUNCTION)
    return found


def costly(code: Code) -> dict[str, list[tuple[Scope, Call]]]:
    """The metered work, by the name of what is called. Taking from a balance may come after, to settle what was allowed."""
    found: dict[str, list[tuple[Scope, Call]]] = {}
    for call in code.facts.calls:
        function = named(call.scope)
        if function is not None and is_work(call):
            found.setdefault(call.name, []).append((function, call))
    return found


def is_open(code: Code, function: Scope) -> bool:
    """A path that customers reach, and that none of its own names excuses."""
    head = function.head
    said = {*words(head.name), *words(head.registered_as)} if isinstance(head, Function) else set()
    return code.context(function) is Context.REQUEST and not said & EXCUSED


def finding(code: Code, function: Scope, call: Call, sibling: tuple[str, Span]) -> Finding:
    name = code.function_name(call.scope)
    head = function.head
    route = head.registered_as if isinstance(head, Function) else ""
    where = f"`{route or name}`" if route or name else "This path"
    return Finding(
        span=call.span,
        description=(
            f"{where} reaches `{call.name}` without {sibling[0]}, which its siblings in this file ask first: it is the way "
            "around the limit."
        ),
        remediation=f"Ask {sibling[0]} here as well, or inside `{call.method}`, where no path can miss it.",
        confidence=Confidence.LIKELY,
        trace=(Step(sibling[1], "a sibling asks here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
@router.post("/images")
async def create_image(request: Request, user: User):
    await assert_credits(user.id)
    image = await render_image(await request.json())
    return image


@router.post("/images/variations")
async def create_variation(request: Request, user: User):
    await assert_credits(user.id)
    image = await render_image(await request.json())
    return image


@router.post("/images/upscale")
async def create_upscaled(request: Request, user: User):
    image = await render_image(await request.json())  # <- finding
    return image
""",
    ),
    Example(
        "python",
        """
@router.post("/images")
async def create_image(request: Request, user: User):
    await assert_credits(user.id)
    return await render_image(await request.json())


@router.post("/images/variations")
async def create_variation(request: Request, user: User):
    await assert_credits(user.id)
    return await render_image(await request.json())


@router.post("/admin/images")
async def create_admin_image(request: Request, user: User):
    return await render_image(await request.json())
""",
    ),
    Example(
        "typescript",
        """
app.post("/chat", async (req, res) => {
  if (!(await hasCredits(req.user.id))) return res.status(402).end();
  res.json(await openai.chat.completions.create(req.body));
});

app.post("/summary", async (req, res) => {
  if (!(await hasCredits(req.user.id))) return res.status(402).end();
  res.json(await openai.chat.completions.create(summaryOf(req.body)));
});

app.post("/chat/stream", async (req, res) => {
  const stream = await openai.chat.completions.create({ ...req.body, stream: true });  // <- finding
  pipe(stream, res);
});
""",
    ),
    Example(
        "typescript",
        """
app.post("/chat", async (req, res) => {
  if (!(await hasCredits(req.user.id))) return res.status(402).end();
  res.json(await openai.chat.completions.create(req.body));
});

app.post("/chat/stream", async (req, res) => {
  const stream = await openai.chat.completions.create({ ...req.body, stream: true });
  pipe(stream, res);
});
""",
    ),
    Example(
        "go",
        """
package api

func (s *Server) chat(w http.ResponseWriter, r *http.Request) {
	if err := s.CheckQuota(r.Context(), user(r)); err != nil {
		http.Error(w, "quota exceeded", http.StatusTooManyRequests)
		return
	}
	write(w, s.openai.CreateChatCompletion(r.Context(), body(r)))
}

func (s *Server) summary(w http.ResponseWriter, r *http.Request) {
	if err := s.CheckQuota(r.Context(), user(r)); err != nil {
		http.Error(w, "quota exceeded", http.StatusTooManyRequests)
		return
	}
	write(w, s.openai.CreateChatCompletion(r.Context(), summaryOf(r)))
}

func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	pipe(w, s.openai.CreateChatCompletion(r.Context(), streamOf(r)))  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package api

func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	if err := s.CheckQuota(r.Context(), user(r)); err != nil {
		http.Error(w, "quota exceeded", http.StatusTooManyRequests)
		return
	}
	pipe(w, s.openai.CreateChatCompletion(r.Context(), streamOf(r)))
}
""",
    ),
)
