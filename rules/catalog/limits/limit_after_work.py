"""The limit is looked at only after the work that it should hold back has run.

The model, renderer or transcriber has already been paid for when the request is refused: a customer who is out of credit can
have that work done again and again at your cost. Test first, or reserve an estimate before the work and settle the
difference after.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Kind, Scope, Span, enclosing, fold
from rules.meaning.contexts import Context
from rules.meaning.flow import follows, same_function
from rules.meaning.limits import gates
from rules.meaning.limits.limits import Limit, leaves, of_loop, said_by
from rules.meaning.usage.takings import takings
from rules.meaning.usage.work import is_model_call, is_work
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-406",
    title="Quota is tested after the expensive work ran",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("L7",),
    cwe=("CWE-696",),
    iso_25010="Security / integrity; Performance efficiency",
)
HOLDS = frozenset("reserve hold precharge preconsume lock acquire estimate".split())
CHECKS = (("check",), ("assert",), ("ensure",), ("require",), ("verify",), ("enforce",), ("validate",))
SUBJECTS = frozenset("limit limits quota credits credit usage balance access subscription plan entitlement".split())
ANSWER = frozenset("response output result completion answer text content max_tokens".split())


def check(code: Code) -> Iterator[Finding]:
    work = [call for call in code.facts.calls if is_work(call)]
    if not work:
        return
    told: set[Scope | None] = set()
    for span, scope, name in refusals(code):
        function = enclosing(scope, Kind.FUNCTION)
        if function in told or code.context(scope) in (Context.TEST, Context.BROWSER, Context.SCRIPT):
            continue
        before = next((call for call in work if comes_first(code, call, span, scope)), None)
        if before is not None and not held_before(code, before):
            told.add(function)
            yield finding(code, span, name, before)


def refusals(code: Code) -> Iterator[tuple[Span, Scope, str]]:
    """Tests of a limit whose branch leaves, and helpers that refuse."""
    for limit in code.limits:
        if limit.refuses and leaves(code.facts, limit.test.then) and not of_answer(limit) and not of_loop(code.facts, limit):
            yield limit.span, limit.scope, code.facts.text(limit.span)
    for gate in gates.gates(code):
        if gate.test is None or leaves(code.facts, gate.test.then):
            yield gate.call.span, gate.call.scope, gate.call.method


def of_answer(limit: Limit) -> bool:
    """A bound on the size of what came out is no quota."""
    return bool(ANSWER & {*words(said_by(limit.used)), *words(said_by(limit.limit))})


def comes_first(code: Code, call: Call, span: Span, scope: Scope) -> bool:
    return same_function(call.scope, scope) and follows(code, call.span, call.scope, span, scope)


def held_before(code: Code, work: Call) -> bool:
    """Whether anything was tested, taken or reserved before the work."""
    tested = [(limit.span, limit.scope) for limit in code.limits]
    tested += [(gate.call.span, gate.call.scope) for gate in gates.gates(code)]
    tested += [(taking.span, taking.scope) for taking in takings(code)]
    tested += [(call.span, call.scope) for call in code.facts.calls if holds(call)]
    return any(span.end <= work.span.start and same_function(scope, work.scope) for span, scope in tested)


def holds(call: Call) -> bool:
    said = words(call.method)
    checks = said[:1] in CHECKS and bool(frozenset(said) & SUBJECTS)
    return checks or bool(frozenset(said) & HOLDS) or "ratelimit" in fold(call.name)


def finding(code: Code, span: Span, name: str, work: Call) -> Finding:
    return Finding(
        span=span,
        description=(
            f"`{work.name}` has already run when `{name}` refuses: a customer without credit gets the work done, at your "
            "cost, with every attempt."
        ),
        remediation=f"Test before `{work.method}`; where the cost is not known yet, reserve an estimate and settle after.",
        confidence=Confidence.CERTAIN if is_model_call(work) else Confidence.LIKELY,
        trace=(Step(work.span, "the work runs here"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
async def generate(request: Request, user: User):
    body = await request.json()
    completion = await openai.chat.completions.create(model="gpt-4o", messages=body["messages"])
    if user.credits <= 0:  # <- finding
        raise HTTPException(status_code=402, detail="out of credits")
    return completion.choices[0].message
""",
    ),
    Example(
        "python",
        """
async def generate(request: Request, user: User):
    body = await request.json()
    if user.credits <= 0:
        raise HTTPException(status_code=402, detail="out of credits")
    completion = await openai.chat.completions.create(model="gpt-4o", messages=body["messages"])
    return completion.choices[0].message


async def settle(request: Request, user: User):
    reservation = await reserve_credits(user.id, 10)
    completion = await openai.chat.completions.create(model="gpt-4o", messages=[])
    if completion.usage.total_tokens > reservation.token_limit:
        raise HTTPException(status_code=402, detail="more than was reserved")
    return completion
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const { prompt } = await request.json();
  const user = await currentUser();
  const { text } = await generateText({ model, prompt });
  const allowed = await checkCredits(user.id);  // <- finding
  if (!allowed) return new Response("out of credits", { status: 402 });
  return Response.json({ text });
}
""",
    ),
    Example(
        "typescript",
        """
export async function POST(request: Request) {
  const { prompt } = await request.json();
  const user = await currentUser();
  const allowed = await checkCredits(user.id);
  if (!allowed) return new Response("out of credits", { status: 402 });
  const { text } = await generateText({ model, prompt });
  return Response.json({ text });
}
""",
    ),
    Example(
        "go",
        """
package api

func (s *Server) Generate(ctx context.Context, user *User, prompt string) (string, error) {
	answer, err := s.openai.CreateChatCompletion(ctx, request(prompt))
	if err != nil {
		return "", err
	}
	if user.UsedTokens >= user.TokenQuota {  // <- finding
		return "", ErrQuotaExceeded
	}
	return answer.Text, nil
}
""",
    ),
    Example(
        "go",
        """
package api

func (s *Server) Generate(ctx context.Context, user *User, prompt string) (string, error) {
	if user.UsedTokens >= user.TokenQuota {
		return "", ErrQuotaExceeded
	}
	answer, err := s.openai.CreateChatCompletion(ctx, request(prompt))
	if err != nil {
		return "", err
	}
	return answer.Text, nil
}
""",
    ),
    Example(
        "python",
        """
async def answer(client, messages, max_calls):
    calls_made = 0
    while True:
        reply = await client.chat.completions.create(model="gpt-4o", messages=messages)
        calls_made += 1
        if calls_made > max_calls:
            return reply
""",
    ),
)
