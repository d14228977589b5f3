"""A function records usage and also calls a function that records the same usage: one action is counted twice.

The record was moved into the function that does the work, or that function was always a recorder, and the handler kept its own
call: every action on this path is billed twice, while other paths are right, so that no total looks wrong. Record in one of the
two, and give the record a key made of the action, so that a second one is recognised.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Expression, Kind, Literal, Member, Name, Scope, Span, enclosing, walk
from rules.meaning.contexts import Context
from rules.meaning.flow import precedes
from rules.meaning.novelty import is_added
from rules.meaning.usage.work import is_work
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import consumes, emits, releases, words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.graph import Graph, Node, downwards, upwards

ABOUT = About(
    id="MTR-216",
    title="The same usage is recorded by a function and by one that it calls",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("D8", "D4"),
    cwe=("CWE-837",),
    iso_25010="Reliability / faultlessness",
)
HOPS = 3
PARTIAL = frozenset("pre post reserve settle adjust delta partial chunk input output prompt completion cached final".split())
"""Words of records that are made in parts: an estimate first, the difference afterwards."""


@dataclass(frozen=True, slots=True)
class Twice:
    """One usage with two records: `record` in a function, and another below a call of the same function."""

    record: Call
    other: Call
    inner: Node
    line: int
    """Of the record in `inner`."""


def check(code: Code) -> Iterator[Finding]:
    trace = code.elsewhere.trace
    if trace is None or not is_served(code):
        return
    for call in code.facts.calls:
        if not is_record(call):
            continue
        if (twice := second(code, trace.graph, call)) is not None:
            yield finding(code, twice, trace.graph)
        elif (above := first(code, trace.graph, call)) is not None:
            yield found_below(code, call, *above)


def is_served(code: Code) -> bool:
    return code.billing and code.context(code.facts.root) is not Context.TEST


def first(code: Code, graph: Graph, record: Call) -> tuple[Twice, str] | None:
    """The record that a caller makes already, in a file that is at hand and not judged: what it says there nobody hears."""
    here = graph.at(code.facts.path, record.span.line)
    for above in upwards(graph, here, HOPS) if here is not None else ():
        path = graph.path(above.node)
        outer = code.elsewhere.code_of(path) if above.hops and above.sure == "certain" else None
        if outer is None or code.elsewhere.code_at(path) is not None or not is_served(outer):
            continue
        for call in outer.facts.calls:
            if is_record(call) and graph.at(path, call.span.line) == above.node:
                twice = second(outer, graph, call)
                if twice is not None and (twice.inner, twice.line) == (here, record.span.line):
                    return twice, path
    return None


def is_record(call: Call) -> bool:
    name = call.method
    return (emits(name) or consumes(name)) and not releases(name) and not PARTIAL & {*words(name)}


def second(code: Code, graph: Graph, record: Call) -> Twice | None:
    """Another call before or after this one, on the same way, that leads to the very recorder."""
    here = graph.at(code.facts.path, record.span.line)
    recorder = certain_target(graph, here, record)
    if here is None or recorder is None or here == recorder:
        return None
    for link in graph.callees.get(here, ()):
        routine = graph.routine(link.callee)
        if (
            link.sure != "certain"
            or link.over is not None
            or routine is None
            or link.callee == recorder
            or is_part(routine.name)
        ):
            continue
        deep = next(
            (one for one in downwards(graph, link.callee, HOPS) if one.node == recorder and one.sure == "certain"), None
        )
        other = next((call for call in code.facts.calls if call.span.line == link.line and call.method == routine.name), None)
        if deep is None or other is None or not deep.links or not on_one_way(code, record, other):
            continue
        inner = deep.links[-1]
        there = called_at(code, graph.path(inner.caller), inner.line, record.method)
        if always(graph, inner.caller, inner.line) and same_usage(code, record, other, there):
            return Twice(record, other, inner.caller, inner.line)
    return None


def certain_target(graph: Graph, here: Node | None, record: Call) -> Node | None:
    routine = graph.routine(here) if here is not None else None
    if here is None or routine is None:
        return None
    for call in routine.calls:
        if call.method == record.method and call.line == record.span.line:
            found = list(graph.targets(here[0], routine, call))
            return found[0][0] if len(found) == 1 and found[0][1] == "certain" else None
    return None


def called_at(code: Code, path: str, line: int, method: str) -> Call | None:
    """The inner record, where its file is at hand."""
    file = code if path == code.facts.path else code.elsewhere.code_of(path)
    calls = file.facts.calls if file is not None else ()
    return next((call for call in calls if call.span.line == line and call.method == method), None)


def same_usage(code: Code, record: Call, other: Call, inner: Call | None) -> bool:
    """Whether both records are of one piece of work: this one takes its figures from what the other call gave back, or both
    are given the same answer. Two features, models or units are two pieces of work."""
    mine, theirs = said_of(record), said_of(inner) if inner is not None else frozenset()
    if mine and theirs and mine != theirs:
        return False
    used = names_behind(code, record)
    given = {name for one in other.arguments for name in handed_whole(one.value)}
    back = {part.text for target in other.targets for part in walk(target) if isinstance(part, Name)}
    return bool(used & back) or any(answers_work(code, name, record) for name in used & given)


def handed_whole(value: Expression) -> Iterator[str]:
    """`answer`, `answer.usage`: what can be recorded once more; of `answer.text` nothing can."""
    whole = value.object if isinstance(value, Member) and {"usage", "tokens"} & set(words(value.name)) else value
    if isinstance(whole, Name):
        yield whole.text


def said_of(record: Call) -> frozenset[str]:
    """The texts that a record is given: feature, model, unit."""
    return frozenset(
        part.value
        for argument in record.arguments
        for part in walk(argument.value)
        if isinstance(part, Literal) and isinstance(part.value, str) and part.value
    )


def names_behind(code: Code, record: Call, hops: int = 2) -> frozenset[str]:
    """The variables that a record is given, and those that they were made of."""
    found = {part.text for one in record.arguments for part in walk(one.value) if isinstance(part, Name)}
    for _ in range(hops):
        values = [one.value for name in found for one in definitions_at(code.values, name, record.scope, record.span.start)]
        found |= {part.text for value in values for part in walk(value) if isinstance(part, Name)}
    return frozenset(found)


def answers_work(code: Code, name: str, record: Call) -> bool:
    """Whether a variable holds what a model or another piece of billed work answered."""
    return any(
        isinstance(part, Call) and is_work(part)
        for one in definitions_at(code.values, name, record.scope, record.span.start)
        for part in walk(one.value)
    )


def is_part(name: str) -> bool:
    return emits(name) or consumes(name) or bool(PARTIAL & {*words(name)})


def always(graph: Graph, node: Node, line: int) -> bool:
    """Whether the inner record is not one of several: two of them mean that a condition chooses."""
    routine = graph.routine(node)
    return routine is not None and sum(emits(call.method) or consumes(call.method) for call in routine.calls) == 1


def on_one_way(code: Code, one: Call, other: Call) -> bool:
    """Both run, one after the other: neither stands in a branch that the other is not in."""
    first, then = sorted((one, other), key=lambda call: call.span.start)
    return precedes(code, first.span, first.scope, then.span, then.scope) and branch(one.scope) is branch(other.scope)


def branch(scope: Scope) -> Scope | None:
    return enclosing(scope, Kind.BRANCH, Kind.HANDLER, Kind.LOOP, Kind.FUNCTION)


def how_sure(code: Code, record: Call) -> Confidence:
    """Two pieces of work on one way are often each recorded, by the same recorder, and names do not tell them from one. But
    whoever adds a record to a way that has one should look."""
    return Confidence.LIKELY if is_added(code, record.span) else Confidence.POSSIBLE


def finding(code: Code, twice: Twice, graph: Graph) -> Finding:
    record, other = twice.record, twice.other
    return Finding(
        span=record.span,
        description=(
            f"`{other.method}`, called here as well, records this usage by `{record.method}` itself: each action on this path "
            "is counted twice."
        ),
        remediation=f"Record it in one place: drop this call, or the one inside `{other.method}`.",
        confidence=how_sure(code, record),
        trace=(
            Step(other.span, "this call leads to the same record"),
            Step(Span(twice.line, twice.line, 0, 0), "and records it here", graph.path(twice.inner)),
        ),
    )


def found_below(code: Code, record: Call, twice: Twice, path: str) -> Finding:
    return Finding(
        span=record.span,
        description=(
            f"A caller records this usage by `{record.method}` itself, besides calling `{twice.other.method}`, which leads "
            "here: each action on that path is counted twice."
        ),
        remediation="Record it in one place: drop this call, or that of the caller.",
        confidence=how_sure(code, record),
        trace=(
            Step(twice.other.span, "this call leads here", path),
            Step(twice.record.span, "and the same usage is recorded here", path),
        ),
    )


USAGE = """
export async function recordUsage(team: string, tokens: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: "ai_tokens",
    identifier: id,
    payload: { stripe_customer_id: team, value: String(tokens) },
  });
}
"""
ANSWERS = """
import { recordUsage } from "./usage";

export async function answerQuestion(team: string, question: string) {
  const answer = await openai.chat.completions.create({ model: "m", messages: [{ role: "user", content: question }] });
  await recordUsage(team, answer.usage.total_tokens, answer.id);
  return answer;
}
"""
PYTHON_USAGE = """
import stripe

def record_usage(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""
PYTHON_MODEL = """
from app.usage import record_usage

def ask_model(customer, question):
    answer = client.chat.completions.create(model="m", messages=[question])
    record_usage(customer, answer.usage.total_tokens, answer.id)
    return answer
"""

EXAMPLES = (
    Example(
        "typescript",
        """
import { answerQuestion } from "../lib/answers";
import { recordUsage } from "../lib/usage";

app.post("/v1/ask", async (req, res) => {
  const answer = await answerQuestion(req.user.team, questionOf(req));
  await recordUsage(req.user.team, answer.usage.total_tokens, answer.id);  // <- finding
  res.json(answer);
});
""",
        path="src/routes/ask.ts",
        context={"src/lib/usage.ts": USAGE, "src/lib/answers.ts": ANSWERS},
    ),
    Example(
        "typescript",
        """
import { answerQuestion } from "../lib/answers";
import { recordUsage } from "../lib/usage";

app.post("/v1/ask", async (req, res) => {
  const cached = await answers.get(questionOf(req));
  if (cached) {
    await recordUsage(req.user.team, 1, cached.id);
    return res.json(cached);
  }
  res.json(await answerQuestion(req.user.team, questionOf(req)));
});
""",
        path="src/routes/ask.ts",
        context={"src/lib/usage.ts": USAGE, "src/lib/answers.ts": ANSWERS},
    ),
    Example(
        "python",
        """
from app.model import ask_model
from app.usage import record_usage

@router.post("/ask")
def ask(request: Request, user: User):
    answer = ask_model(user.customer, question_of(request))
    record_usage(user.customer, answer.usage.total_tokens, answer.id)  # <- finding
    return answer
""",
        path="app/routes.py",
        context={"app/usage.py": PYTHON_USAGE, "app/model.py": PYTHON_MODEL},
    ),
    Example(
        "python",
        """
from app.model import ask_model

@router.post("/ask")
def ask(request: Request, user: User):
    return ask_model(user.customer, question_of(request))
""",
        path="app/routes.py",
        context={"app/usage.py": PYTHON_USAGE, "app/model.py": PYTHON_MODEL},
    ),
    Example(
        "typescript",
        """
import { checkFacts } from "../lib/facts";
import { recordUsage } from "../lib/usage";

app.post("/v1/articles", async (req, res) => {
  const draft = await openai.chat.completions.create(articleOf(req.body));
  await recordUsage({ user: req.user.id, feature: "article", tokens: draft.usage.total_tokens });
  const checked = await checkFacts(req.user.id, draft.choices[0].message.content);
  res.json(checked);
});
""",
        path="src/routes/articles.ts",
        context={
            "src/lib/usage.ts": USAGE.replace("team: string, tokens: number, id: string", "one: Usage"),
            "src/lib/facts.ts": ANSWERS.replace("answerQuestion", "checkFacts").replace(
                "recordUsage(team, answer.usage.total_tokens, answer.id)",
                'recordUsage({ user: team, feature: "fact_check", tokens: answer.usage.total_tokens })',
            ),
        },
    ),
)
