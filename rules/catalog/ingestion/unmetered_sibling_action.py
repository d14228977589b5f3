"""One handler or job does the billed work and records nothing, while the others that do this work record it.

The same model, renderer or service is used by several endpoints; all but one leave a record of the usage, somewhere on their
way. Whoever uses the one that does not works for free, and no total shows it. Record the usage there as well, best inside the
function that all of them call for the work, where no new endpoint can miss it.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import Call, Span
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.actions import HOPS
from rules.tracing.graph import Graph, downwards
from rules.tracing.sights import Kind, MeteredAction
from rules.tracing.whole import Trace

ABOUT = About(
    id="MTR-130",
    title="A sibling of metered actions does the same work and records nothing",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E12",),
    cwe=("CWE-424",),
    iso_25010="Functional suitability / functional completeness",
    gives_way_to=("unmetered-early-return", "stream-usage-not-captured"),
)
SIBLINGS = 2
"""So many others must record before the one that does not stands out."""
MANY = 4
"""So many others must record before it is said: of two, one may be the exception."""
NEAR = 3
"""Further down, the work is one of many things on the way, and what is paid for may be any of them."""
USED = frozenset(
    "usage usages credit credits token tokens quota quotas metering consumption generation generations spend".split()
)
SEARCHES = frozenset("search query find lookup list suggest similar".split())
UNBILLED = frozenset(
    "dry simulate simulation sandbox playground preview approve approval resume retry replay demo sample".split()
)
"""Runs that are free by intent, or that were paid for when they were begun."""


def check(code: Code) -> Iterator[Finding]:
    trace = code.elsewhere.trace
    if trace is None:
        return
    found = [
        (one, call, confidence(trace, one))
        for one in trace.actions
        if one.path == code.facts.path and not one.recorded and one.sure != "possible" and len(one.siblings) >= SIBLINGS
        if not is_unbilled(trace, one) and seen_to_its_end(code, one) and (call := work_of(code, one)) is not None
    ]
    if found:
        # One finding for a file: whoever looks at one of its handlers looks at the others.
        first, *others = sorted(found, key=lambda each: (each[2].rank, each[1].span.start))
        yield finding(trace.graph, *first, [(one, call) for one, call, sure in others if sure is first[2]])


def is_unbilled(trace: Trace, action: MeteredAction) -> bool:
    node = trace.graph.at(action.path, action.line)
    routine = trace.graph.routine(node) if node is not None else None
    return bool(UNBILLED & {*words(action.title), *(words(routine.name) if routine is not None else ())})


def confidence(trace: Trace, action: MeteredAction) -> Confidence:
    """Likely where a priced call is made close by, and most who make it take its amount down."""
    graph = trace.graph
    if not is_near(graph, (action.path, action.line), action.work) or only_reads(action):
        return Confidence.POSSIBLE
    places = set(action.siblings)
    recording = [one for one in trace.actions if (one.path, one.line) in places and takes_amount(graph, one)]
    silent = [one for one in trace.actions if not one.recorded and one.work == action.work]
    known = len(recording) >= MANY and len(recording) >= len(silent)
    return Confidence.LIKELY if known else Confidence.POSSIBLE


def only_reads(action: MeteredAction) -> bool:
    """`GET /documents/search`: what its siblings record may be the thing that they make, and this one makes none."""
    return action.title.upper().startswith("GET ") and bool(SEARCHES & set(words(action.title)))


def is_near(graph: Graph, place: tuple[str, int], work: str) -> bool:
    """Whether the handler or job at this place calls the model, or something that it calls for it does.

    A renderer of pages or a helper of the project's own costs nothing that a sibling could have recorded.
    """
    start = graph.at(*place)
    return start is not None and any(
        sight.kind is Kind.WORK and sight.sure == "certain" and (sight.name, sight.routine) == (work, one.node[1])
        for one in downwards(graph, start, NEAR)
        for sight in graph.digests[one.node[0]].sights
    )


def takes_amount(graph: Graph, action: MeteredAction) -> bool:
    """Whether what a sibling writes is an amount of use, and not an invoice, a payment or a note of what happened."""
    position = graph.positions.get(action.record[0]) if action.record is not None else None
    if position is None or action.record is None:
        return False
    there = (sight for sight in graph.digests[position].sights if sight.line == action.record[1])
    return any(
        sight.kind in (Kind.EMIT, Kind.COUNT) or (sight.kind is Kind.INSERT and bool(USED & set(words(sight.owner))))
        for sight in there
    )


def seen_to_its_end(code: Code, action: MeteredAction) -> bool:
    """Whether no part of the project on its way is out of view, where usage could be recorded under any name."""
    trace = code.elsewhere.trace
    start = trace.graph.at(action.path, action.line) if trace is not None else None
    if code.elsewhere.whole or trace is None or start is None:
        return True
    paths = [PurePosixPath(path) for path in trace.graph.positions]
    tops = {path.parts[0] for path in paths if len(path.parts) > 1}
    at_hand = {name for path in paths for name in (path.stem, path.parent.name)}
    for one in downwards(trace.graph, start, HOPS):
        routine = trace.graph.routine(one.node)
        there = code.elsewhere.code_of(trace.graph.path(one.node))
        if routine is None or there is None:
            continue
        unseen = {dotted(package) for package in there.facts.packages if is_own(package, tops) and last(package) not in at_hand}
        calls = (call for call in there.facts.calls if routine.line <= call.span.line <= routine.end_line)
        if unseen and any(call.name.startswith(tuple(f"{package}." for package in unseen)) for call in calls):
            return False
    return True


def is_own(package: str, tops: set[str]) -> bool:
    """Whether the project itself has it: `./finish`, `@/lib/finish`, `..finish`, `app.finish` beside other files of `app`."""
    return package.startswith((".", "@/", "~/", "#/")) or re.split(r"[./]", package)[0] in tops


def last(package: str) -> str:
    return dotted(package).rsplit(".", 1)[-1]


def dotted(package: str) -> str:
    """As the calls of what is imported from it begin."""
    return re.sub(r"\.[cm]?[jt]sx?$", "", package).lstrip("./@~#").replace("/", ".")


def work_of(code: Code, action: MeteredAction) -> Call | None:
    """The call in the handler that does the work, or leads to it."""
    if action.where is None:
        return None
    here = [call for call in code.facts.calls if call.span.line == action.where[1]]
    return next((call for call in here if call.name == action.work), here[-1] if here else None)


def finding(
    graph: Graph, action: MeteredAction, call: Call, sure: Confidence, others: list[tuple[MeteredAction, Call]]
) -> Finding:
    path, line = min(action.siblings, key=lambda place: (not is_near(graph, place, action.work), place))
    work = action.work.rsplit("/", 1)[-1]
    also = (Step(one.span, f"`{titled(each)}` uses it and records nothing, too") for each, one in others)
    return Finding(
        span=call.span,
        description=(
            f"`{titled(action)}` uses `{work}` and nothing on its way records usage, while {len(action.siblings)} others that "
            "use it do: what is done here is free."
        ),
        remediation="Record the usage here as well, or inside the function that all of them call.",
        confidence=sure,
        trace=(Step(Span(line, line, 0, 0), "a sibling does the same work and records it", path), *also),
    )


def titled(action: MeteredAction) -> str:
    return action.title if action.title != "function" else action.path


RECORDER = """
import { stripe } from "./stripe";

export async function recordUsage(customer: string, tokens: number, id: string) {
  await stripe.billing.meterEvents.create({
    event_name: "ai_tokens",
    identifier: id,
    payload: { stripe_customer_id: customer, value: String(tokens) },
  });
}
"""
SIBLING = """
import { recordUsage } from "../lib/usage";

app.post("/v1/chat", async (req, res) => {
  const answer = await openai.chat.completions.create(chat(req.body));
  await recordUsage(req.user.customer, answer.usage.total_tokens, answer.id);
  res.json(answer);
});

app.post("/v1/summary", async (req, res) => {
  const answer = await openai.chat.completions.create(summary(req.body));
  await recordUsage(req.user.customer, answer.usage.total_tokens, answer.id);
  res.json(answer);
});
"""
LEDGER = """
def record_usage(db, user, tokens):
    db.execute("INSERT INTO usage_events (user_id, tokens) VALUES (%s, %s)", (user.id, tokens))
"""
ROUTES = """
from app.ledger import record_usage


@router.post("/answers")
async def create_answer(request: Request, user: User, db: Session):
    answer = await client.chat.completions.create(model="m", messages=await request.json())
    record_usage(db, user, answer.usage.total_tokens)
    return answer


@router.post("/titles")
async def create_title(request: Request, user: User, db: Session):
    answer = await client.chat.completions.create(model="m", messages=await request.json())
    record_usage(db, user, answer.usage.total_tokens)
    return answer
"""

EXAMPLES = (
    Example(
        "typescript",
        """
app.post("/v1/translate", async (req, res) => {
  const answer = await openai.chat.completions.create(translation(req.body));  // <- finding
  await audit.write(req.user.customer, "translated", answer.id);
  res.json(answer);
});
""",
        path="src/routes/translate.ts",
        context={"src/lib/usage.ts": RECORDER, "src/routes/chat.ts": SIBLING},
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "../lib/usage";

app.post("/v1/translate", async (req, res) => {
  const answer = await openai.chat.completions.create(translation(req.body));
  await recordUsage(req.user.customer, answer.usage.total_tokens, answer.id);
  res.json(answer);
});
""",
        path="src/routes/translate.ts",
        context={"src/lib/usage.ts": RECORDER, "src/routes/chat.ts": SIBLING},
    ),
    Example(
        "python",
        """
@router.post("/images/captions")
async def create_caption(request: Request, user: User):
    answer = await client.chat.completions.create(model="m", messages=await request.json())  # <- finding
    log.info("caption for customer %s", user.id)
    return answer
""",
        path="app/captions.py",
        context={"app/ledger.py": LEDGER, "app/answers.py": ROUTES},
    ),
    Example(
        "python",
        """
@router.post("/admin/captions")
async def admin_caption(request: Request, user: User):
    answer = await client.chat.completions.create(model="m", messages=await request.json())
    log.info("caption for customer %s", user.id)
    return answer
""",
        path="app/captions.py",
        context={"app/ledger.py": LEDGER, "app/answers.py": ROUTES},
    ),
    Example(
        "typescript",
        """
app.post("/v1/translate/dry-run", async (req, res) => {
  const answer = await openai.chat.completions.create(translation(req.body));
  res.json(answer);
});
""",
        path="src/routes/translate.ts",
        context={"src/lib/usage.ts": RECORDER, "src/routes/chat.ts": SIBLING},
    ),
)
