"""One way out of a metered function does the work, or takes its result, without booking the usage that the other ways book.

A streaming branch that returns before the report, or a recorder that gives up when the provider sent no usage, makes that
part of the product free, and nobody sees it in a total. Book on every way out on which the work was done; where the amount is
missing, book an estimate and mark it, or raise an alert, and never treat "unknown" as zero.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Compare,
    Expression,
    Function,
    Kind,
    Literal,
    Logical,
    Loop,
    Member,
    Name,
    Object,
    Return,
    Scope,
    Sequence,
    Span,
    Unary,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.outcomes import LOG_WORDS
from rules.meaning.usage.writes import usage_writes
from rules.meaning.values import definitions_at, root_of
from rules.meaning.vocabulary import STRONG_EMIT_VERBS, consumes, emits, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.served import is_served

ABOUT = About(
    id="MTR-115",
    title="A way out books no usage",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E12",),
    cwe=("CWE-424", "CWE-670"),
    iso_25010="Functional suitability / functional completeness",
)
STREAMS = frozenset("stream streaming streamed".split())
EVENTS = frozenset("event events message messages record records payload payloads".split())
RECORDERS = frozenset("usage quota billing meter metering credits ingest".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    booked = [(write.span, write.scope) for write in usage_writes(code) if write.call is not None] + [
        (call.span, call.scope) for call in code.facts.calls if books(call.method)
    ]
    for scope in code.facts.scopes:
        head = scope.head
        if not isinstance(head, Branch) or head.arm != "then" or head.test is None or code.context(scope) is Context.TEST:
            continue
        way_out = returned(code, scope)
        function = enclosing(scope, Kind.FUNCTION)
        if way_out is None or function is None or any(scope.span.holds(span) for span, _ in booked):
            continue
        later = next((span for span, at in booked if follows(function, scope, span, at)), None)
        nested = any(function.span.holds(span) and enclosing(at, Kind.FUNCTION) is not function for span, at in booked)
        if (
            later is not None
            and not nested
            and is_stream(head.test)
            and gives_result(way_out)
            and not books_at_end(code, scope)
        ):
            yield streamed(scope, way_out, later, Confidence.LIKELY if is_at_hand(code, way_out) else Confidence.POSSIBLE)
        elif (
            lacks_usage(head.test)
            and not is_service(code, head.test)
            and not are_rows(code, head.test, function)
            and not guards_record(code, scope, head.test, function)
            and is_recorder(code, function)
            and only_logs(code, scope)
            and (later or makes_events(function))
            and gives_nothing(way_out)
        ):
            sure = Confidence.LIKELY if is_told(code, scope, head.test, function) else Confidence.POSSIBLE
            yield unknown(code, way_out, head.test, later, sure)


def books_at_end(code: Code, branch: Scope) -> bool:
    """A callback in the branch that takes up tokens or cost: it is handed to the stream and runs when that ends."""
    return any(
        scope.kind is Kind.FUNCTION
        and within(scope, branch)
        and {"usage", "tokens", "cost", "credits", "quota"} & set(words(code.facts.text(scope.span)))
        for scope in code.facts.scopes
    )


def books(name: str) -> bool:
    return emits(name) or consumes(name)


def returned(code: Code, scope: Scope) -> Return | None:
    """The return that ends a branch. One that raises or answers an error is another matter."""
    if any(within(one.scope, scope) for one in code.facts.raises):
        return None
    function = enclosing(scope, Kind.FUNCTION)
    found = [one for one in code.facts.returns if one.scope is scope and enclosing(one.scope, Kind.FUNCTION) is function]
    return found[-1] if found else None


def follows(function: Scope, scope: Scope, span: Span, at: Scope) -> bool:
    return span.start > scope.span.end and function.span.holds(span) and enclosing(at, Kind.FUNCTION) is function


def is_stream(test: Expression) -> bool:
    """`if (stream)`, `if body.stream`, `if req.Stream`; not a negated one."""
    if isinstance(test, Logical):
        return is_stream(test.left) or is_stream(test.right)
    if isinstance(test, Compare):
        return test.operator == "==" and is_stream(test.left) and isinstance(test.right, Literal) and test.right.value is True
    name = test.text if isinstance(test, Name) else test.name if isinstance(test, Member) else ""
    return bool(STREAMS & set(words(name)))


def gives_result(way_out: Return) -> bool:
    """The stream itself. A plain function that it is handed to may book, as may one that runs when it ends."""
    value = way_out.value
    return isinstance(value, Name | Member) or (
        isinstance(value, Call) and (value.constructs or isinstance(value.callee, Member))
    )


def is_at_hand(code: Code, way_out: Return) -> bool:
    """Whether it is a value of this function: another function that makes the stream may book at its end."""
    value = way_out.value
    if not isinstance(value, Call) or value.constructs:
        return True
    root = root_of(value.callee)
    known = definitions_at(code.values, root.text, way_out.scope, way_out.span.start) if isinstance(root, Name) else ()
    return any(one.how in ("assign", "part") for one in known)


def is_told(code: Code, branch: Scope, test: Expression, function: Scope) -> bool:
    """Whether an answer is seen to lack its usage: a log line says so, or it is read from the answer here.

    A parameter may be empty because its caller has nothing to book, and a list is empty when nothing was used.
    """
    if not is_served(code, branch):
        return False
    if any(code.calls_in(branch)):
        return True
    if any(is_list(part) for part in walk(test)):
        return False
    given = {one.name for one in function.head.parameters} if isinstance(function.head, Function) else set()
    return not any(isinstance(part, Name) and part.text in given and names_usage(part) for part in walk(test))


def is_list(part: Expression) -> bool:
    """`users_usage`: the usage of several, which is empty when none of them used anything."""
    name = part.text if isinstance(part, Name) else part.name if isinstance(part, Member) else ""
    return any(word.endswith("s") and word not in ("usages", "tokens", "ms", "this") for word in words(name)[:-1])


def gives_nothing(way_out: Return) -> bool:
    """`return`, `return nil`, `return []`; an error that is returned tells the caller."""
    return way_out.value is None or isinstance(way_out.value, Literal | Sequence | Object)


def lacks_usage(test: Expression) -> bool:
    """`if (!usage)`, `usage == nil`, `not response.usage`: what the provider said of the usage is missing."""
    match test:
        case Unary(operator="not", value=value):
            return names_usage(value)
        case Compare(operator="==" | "is", left=left, right=right):
            return names_usage(left) and isinstance(right, Literal) and right.value is None
        case _:
            return False


def is_service(code: Code, test: Expression) -> bool:
    """`if (!pulledUsage) return`, where `pulledUsage.dispatch(…)` is what records: an optional client, not an amount."""
    tested = test.value if isinstance(test, Unary) else test.left if isinstance(test, Compare) else None
    if not isinstance(tested, Name):
        return False
    recording = STRONG_EMIT_VERBS | {"dispatch"}
    return any(
        call.name == tested.text or (call.name.startswith(tested.text + ".") and (words(call.method) or ("",))[0] in recording)
        for call in code.facts.calls
    )


def are_rows(code: Code, test: Expression, function: Scope) -> bool:
    """`if not usages: return`, where they are gone through or were gathered: nobody used anything, so nothing is left out."""
    tested = test.value if isinstance(test, Unary) else test.left if isinstance(test, Compare) else None
    if not isinstance(tested, Name):
        return False
    known = definitions_at(code.values, tested.text, function, test.span.start)
    if any(one.how in ("assign", "part") and one.value is not None and is_gathered(one.value) for one in known):
        return True
    return any(
        isinstance(scope.head, Loop)
        and within(scope, function)
        and any(isinstance(part, Name) and part.text == tested.text for part in walk(scope.head.iterates))
        for scope in code.facts.scopes
    )


def guards_record(code: Code, branch: Scope, test: Expression, function: Scope) -> bool:
    """`if usage == nil { return nil }` as the first thing a recorder does: a caller that has no record has nothing to book.

    Where it says something about it, it was to be booked.
    """
    tested = test.value if isinstance(test, Unary) else test.left if isinstance(test, Compare) else None
    if not isinstance(tested, Name) or not isinstance(function.head, Function) or any(code.calls_in(branch)):
        return False
    typed = next((one.type for one in function.head.parameters if one.name == tested.text), "")
    begun = [one.span for one in code.facts.assigns] + [one.span for one in code.facts.calls]
    first = not any(span.start < branch.span.start and function.span.holds(span) for span in begun)
    return first and bool(RECORDS & set(words(typed)))


RECORDS = frozenset("record row entry ledger event booking item line".split())
"""How the type of a parameter ends that is to be written down as it stands, and is no provider's answer."""
GATHERS = frozenset(
    "list dict set map filter reduce groupby defaultdict counter array collect tolist values entries items".split()
)


def is_gathered(value: Expression) -> bool:
    return isinstance(value, Sequence | Object) or (isinstance(value, Call) and fold(value.method) in GATHERS)


def names_usage(value: Expression) -> bool:
    if isinstance(value, Call) and value.arguments:
        return any(isinstance(part, Literal) and part.value == "usage" for one in value.arguments for part in walk(one.value))
    name = value.text if isinstance(value, Name) else value.name if isinstance(value, Member) else ""
    # `current_usage` is the row of what was counted so far, and not what an answer said.
    stored = {"current", "existing", "stored", "monthly", "daily", "period"} & set(words(name))
    return words(name)[-1:] in (("usage",), ("usages",)) and len(words(name)) < 3 and not stored


def is_recorder(code: Code, function: Scope) -> bool:
    """A function whose name says that it books usage, so that leaving it early is leaving usage out."""
    head = function.head
    if not isinstance(head, Function) or any({"span", "tracer"} & set(words(one.type)) for one in head.parameters):
        return False
    said = words(head.name)
    bare = said[1:] if said[:1] in (("post",), ("pre",), ("extract",)) else said
    return (
        books(head.name)
        or books("_".join(bare))
        or (said[:1] == ("extract",) and bool(RECORDERS & set(said)) and said[-1] not in ("usage", "usd", "cost", "price"))
    )


def makes_events(function: Scope) -> bool:
    """`extract_usage_events`; what only reads the usage out of an answer books nothing, and its caller sees what is missing."""
    head = function.head
    return isinstance(head, Function) and words(head.name)[:1] == ("extract",) and bool(EVENTS & set(words(head.name)))


def only_logs(code: Code, scope: Scope) -> bool:
    return all(LOG_WORDS & set(words(call.name)) for call in code.calls_in(scope))


def streamed(scope: Scope, way_out: Return, later: Span, sure: Confidence) -> Finding:
    return Finding(
        span=way_out.span,
        cause=scope.span,
        description="The streaming branch returns here before the usage is booked: streamed answers are free.",
        remediation="Book the usage when the stream ends or is cut off, from what the provider says at its end.",
        confidence=sure,
        trace=(Step(later, "the other way books here"),),
    )


def unknown(code: Code, way_out: Return, test: Expression, later: Span | None, sure: Confidence) -> Finding:
    said = " ".join(code.facts.text(test.span).split())[:80]
    # Ruby's `unless usage` has its `not` outside of the test.
    holds = "does not hold" if isinstance(test, Unary) and not said.startswith(("!", "not")) else "holds"
    return Finding(
        span=way_out.span,
        cause=way_out.span,
        description=f"Where `{said}` {holds}, the work was done but nothing is booked: unknown counts as free.",
        remediation=f"Book an estimate and mark it as one, or {code.facts.idioms.fail} that someone looks at.",
        confidence=sure,
        trace=(Step(later, "otherwise booked here"),) if later else (),
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import { recordUsage } from "@/lib/usage";

export async function POST(request: Request) {
  const { prompt, stream } = await request.json();
  const answer = await complete(prompt, { stream });
  if (stream) {
    return answer.toResponse();  // <- finding
  }
  await recordUsage({ customer: await customerOf(request), tokens: answer.usage.total_tokens });
  return Response.json(answer);
}
""",
        path="app/api/chat/route.ts",
    ),
    Example(
        "go",
        """
package billing

func postConsumeQuota(ctx context.Context, usage *Usage, meta *Meta) {
	if usage == nil {
		logger.Error(ctx, "usage is nil")
		return  // <- finding
	}
	quota := usage.PromptTokens + usage.CompletionTokens
	store.ConsumeQuota(meta.UserID, quota)
}
""",
    ),
    Example(
        "python",
        """
def record_usage_of(response, customer):
    usage = response.usage
    if usage is None:
        raise UsageMissing(response.id)
    emit_usage(customer, usage.total_tokens, idempotency_key=response.id)

def report_usage(response, customer):
    if not response.usage:
        logger.debug("no usage in the answer")
        return  # <- finding
    emit_usage(customer, response.usage.total_tokens, idempotency_key=response.id)
""",
    ),
    Example(
        "python",
        """
def record_node_usages(db, nodes):
    node_usage = defaultdict(int)
    for node in nodes:
        for sample in node.samples():
            node_usage[sample.account] += sample.bytes
    node_usage = list(node_usage.items())
    if not node_usage:
        return
    record_usage(db, node_usage)
""",
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "@/lib/usage";

export async function POST(request: Request) {
  const { prompt, stream } = await request.json();
  const customer = await customerOf(request);
  const cached = await cache.get(prompt);
  if (cached) return Response.json(cached);
  const answer = await complete(prompt, { stream });
  if (stream) {
    answer.onEnd((usage) => recordUsage({ customer, tokens: usage.total_tokens }));
    return answer.toResponse();
  }
  await recordUsage({ customer, tokens: answer.usage.total_tokens });
  return Response.json(answer);
}
""",
        path="app/api/chat/route.ts",
    ),
    Example(
        "go",
        """
package billing

func postConsumeQuota(ctx context.Context, usage *Usage, meta *Meta) error {
	if usage == nil {
		return ErrUsageMissing
	}
	return store.ConsumeQuota(meta.UserID, usage.PromptTokens+usage.CompletionTokens)
}
""",
    ),
    Example(
        "python",
        """
def report_usage(response, customer):
    if response.error:
        return
    emit_usage(customer, response.usage.total_tokens, idempotency_key=response.id)
""",
    ),
    Example(
        "go",
        """
package billing

func ExtractUsageOnly(body []byte) (*Usage, bool) {
	var answer struct{ Usage *Usage }
	if err := json.Unmarshal(body, &answer); err != nil {
		return nil, false
	}
	if answer.Usage == nil {
		return nil, true
	}
	return answer.Usage, true
}
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) RecordUsage(ctx context.Context, usage *UsageRow, hold *Hold) error {
	if usage == nil {
		return nil
	}
	return s.ledger.ConsumeQuota(ctx, hold.Account, usage.Tokens)
}
""",
    ),
)
