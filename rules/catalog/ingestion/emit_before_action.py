"""Usage is recorded before the work it pays for, and nothing takes it back when the work fails.

A failed generation, a refused request or a time-out is then billed like a success, and customers find out by themselves.
Record the usage after the work, or take it as a reservation that every failure gives back and every success settles.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Function, Kind, Member, Name, Scope, Start, Use, chain, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes
from rules.meaning.limits.limits import leaves
from rules.meaning.usage.emissions import Emission, shown
from rules.meaning.usage.losses import gives_back
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.vocabulary import words
from rules.meaning.wording import capital
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step

ABOUT = About(
    id="MTR-106",
    title="Usage is recorded before the metered action and never reversed on failure",
    severity=Severity.MEDIUM,
    classification=Classification.DEFICIENCY,
    classes=("E6",),
    cwe=("CWE-696",),
    iso_25010="Functional suitability / functional correctness",
)
MODELS = frozenset(
    "openai anthropic gemini replicate mistral groq cohere bedrock llm fal stability elevenlabs claude gpt vertex together "
    "huggingface deepseek completions".split()
)
WORKS = frozenset("create generate complete invoke run predict stream send subscribe infer parse transcribe synthesize".split())
MAKES = frozenset("generate render transcribe synthesize inference infer".split())
MADE = frozenset(
    "image images text video audio content answer completion story logo speech summary response object caption".split()
)
REVERSALS = (
    "refund",
    "release",
    "rollback",
    "restore",
    "revert",
    "reserv",
    "compensat",
    "hold",
    "settle",
    "credit_back",
    "undo",
)


def check(code: Code) -> Iterator[Finding]:
    reported: set[Scope] = set()
    for write in failing_writes(code):
        function = write.function
        if write.call is None or function is None or function in reported or gives_back(write.call):
            continue
        quiet = code.context(write.scope) in (Context.TEST, Context.BROWSER)
        if quiet or known_by_then(write.call) or reverses(code, function):
            continue
        actions = [call for call in code.calls_in(function) if is_action(code, write, call)]
        action = next((call for call in actions if after(code, write, call)), None)
        # What follows another such work is the record of that one.
        if action is not None and not any(one.span.end <= write.span.start for one in actions):
            reported.add(function)
            yield too_early(write, action)


def reverses(code: Code, function: Scope) -> bool:
    """Whether anything in the function speaks of giving back, or the numbers are absolute."""
    text = code.facts.text(function.span).lower()
    return any(word in text for word in REVERSALS)


def after(code: Code, write: UsageWrite, call: Call) -> bool:
    """Whether the action comes after the write on one path: no block around the write alone ends the function."""
    around = (scope for scope in chain(write.scope) if scope.kind in (Kind.BRANCH, Kind.HANDLER, Kind.TRY))
    if any(not within(call.scope, scope) and leaves(code.facts, scope) for scope in around):
        return False
    return precedes(code, write.span, write.scope, call.span, call.scope)


def known_by_then(call: Call) -> bool:
    """Output and tokens are known only after the work: a record of them follows it."""
    said = {
        word
        for argument in call.arguments
        for part in walk(argument.value)
        if isinstance(part, Name | Member)
        for word in words(part.text if isinstance(part, Name) else part.name)
    }
    return bool(said & {"tokens", "output", "completion", "usage", "duration", "cost", "delta"})


def is_action(code: Code, write: UsageWrite, call: Call) -> bool:
    """The metered work: the function that a decorator or middleware wraps, or a call of a model that is waited for."""
    if wraps(code, write, call):
        return emission_of(code, write) is not None and not admits(code, write)
    said = {word for segment in call.name.split(".")[:-1] for word in words(segment)}
    method = words(call.method)
    if not method or call.constructs or call.use is Use.CHAINED:
        return False
    waited = call.start is Start.AWAITED or not code.facts.traits.promises
    model = (bool(said & MODELS) and method[0] in WORKS) or (method[0] == "create" and method[-1:] == ("completion",))
    named = method[0] in MAKES and len(method) > 1 and set(method[1:]) <= MADE
    return waited and (model or named)


def admits(code: Code, write: UsageWrite) -> bool:
    """Whether the answer of the write decides if the request goes on: a gate that takes one on admission, as quotas do."""
    end = write.sent or write.call
    names = (
        {part.text for target in end.targets for part in walk(target) if isinstance(part, Name)} if end is not None else set()
    )
    tested = [
        part for test in code.facts.tests if within(test.scope, write.function or test.scope) for part in walk(test.value)
    ]
    return any(part is end or (isinstance(part, Name) and part.text in names) for part in tested)


def emission_of(code: Code, write: UsageWrite) -> Emission | None:
    return next((one for one in code.emissions if one.call is write.call), None)


def wraps(code: Code, write: UsageWrite, call: Call) -> bool:
    """`return view_func(request)` inside a decorator, `await next()` in a middleware, `yield` to a block."""
    if not isinstance(call.callee, Name):
        return False
    if call.callee.text == "yield":
        return True
    if call.callee.text == "next":
        return call.start is Start.AWAITED
    inner = write.function
    for scope in chain(inner.parent if inner is not None else None):
        if isinstance(scope.head, Function) and any(one.name == call.callee.text for one in scope.head.parameters):
            waited = call.start is Start.AWAITED or not code.facts.traits.promises
            return call.use is Use.RETURNED or (call.use is Use.ASSIGNED and waited)
    return False


def too_early(write: UsageWrite, action: Call) -> Finding:
    return Finding(
        span=write.span,
        cause=write.span,
        description=f"{capital(write.title)} comes before `{shown(action)}`: when that fails, it is billed anyway.",
        remediation=f"Record the usage after `{shown(action)}` has succeeded, or give it back where its failure is handled.",
        confidence=Confidence.LIKELY,
        trace=(Step(action.span, "the work that may fail"),),
    )


EXAMPLES = (
    Example(
        "python",
        """
from functools import wraps

from billing import usage_client

def counted(view_func):
    @wraps(view_func)
    def inner(request, *args, **kwargs):
        usage_client.record_usage(request.user.customer_id, 1)  # <- finding
        return view_func(request, *args, **kwargs)
    return inner
""",
    ),
    Example(
        "python",
        """
from functools import wraps

from billing import usage_client

def counted(view_func):
    @wraps(view_func)
    def inner(request, *args, **kwargs):
        response = view_func(request, *args, **kwargs)
        usage_client.record_usage(request.user.customer_id, 1)
        return response
    return inner

def summarize(request):
    usage_client.reserve_credits(request.user.customer_id, 1)
    try:
        return openai.chat.completions.create(prompt=request.prompt)
    except ProviderError:
        usage_client.refund(request.user.customer_id, 1)
        raise
""",
    ),
    Example(
        "typescript",
        """
export async function createLogo(userId: string, prompt: string) {
  await deductCredits(userId, 1);  // <- finding
  const answer = await openai.images.generate({ prompt });
  return answer.data;
}
""",
    ),
    Example(
        "typescript",
        """
export async function createLogo(userId: string, prompt: string) {
  const answer = await openai.images.generate({ prompt });
  await deductCredits(userId, 1);
  return answer.data;
}

export async function createStory(userId: string, prompt: string) {
  await deductCredits(userId, 1);
  try {
    return await generateText({ prompt });
  } catch (error) {
    await refundCredits(userId, 1);
    throw error;
  }
}
""",
    ),
    Example(
        "go",
        """
package story

func create(ctx context.Context, store *Store, client *Client, user int, prompt string) (string, error) {
	if err := store.DeductCredits(ctx, user, 1); err != nil {  // <- finding
		return "", err
	}
	return client.GenerateText(ctx, prompt)
}
""",
    ),
    Example(
        "go",
        """
package story

func create(ctx context.Context, store *Store, client *Client, user int, prompt string) (string, error) {
	text, err := client.GenerateText(ctx, prompt)
	if err != nil {
		return "", err
	}
	return text, store.DeductCredits(ctx, user, 1)
}
""",
    ),
    Example(
        "typescript",
        """
export async function illustrate(fal: FalClient, team: string, topic: string) {
  const cover = await fal.subscribe("picture", { topic });
  await recordUsage({ team, feature: "cover", images: 1 });
  const body = await fal.subscribe("picture", { topic, scene: "other" });
  await recordUsage({ team, feature: "body", images: 1 });
  return [cover, body];
}
""",
        path="src/billing/illustrate.ts",
    ),
    Example(
        "python",
        """
def authorized(view):
    def wrapper(request, *args):
        token = Token.of(request)
        token.record_usage(get_client_ip(request))
        return view(request, *args)

    return wrapper
""",
        path="billing/tokens.py",
    ),
    Example(
        "typescript",
        """
export function answering(team: string, watch: () => number) {
  return async (request: Request) => {
    await recordUsage(team, 1);
    const passed = watch();
    return Response.json({ passed });
  };
}
""",
        path="src/billing/answering.ts",
    ),
)
