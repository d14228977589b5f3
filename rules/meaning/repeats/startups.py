"""Jobs that every start of a process adds to a shared queue or schedule, without a name that would make them one."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Kind, Loop, Scope, Span, chain, enclosing, fold, walk
from rules.meaning.vocabulary import words

ADDS = frozenset("add enqueue addjob send delay applyasync".split())
REPEATS = frozenset("repeat repeatevery cron every upsertjobscheduler addperiodictask register addcronjob".split())
SINGLE = frozenset("jobid id taskid unique uniquekey singletonkey dedupid deduplication deduplicationid jobkey".split())
SHARED_STORES = ("sqlalchemyjobstore", "redisjobstore", "mongodbjobstore", "djangojobstore", "jobstores")


def restarted(code: Code) -> Iterator[tuple[Call, Call]]:
    """Each plain enqueue beside the repeating registration of the same job, and that registration."""
    registered = [call for call in code.facts.calls if repeats(call)]
    for call in code.facts.calls:
        if not adds(call) or repeats(call) or single(call) or looped(call.scope):
            continue
        function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE)
        for other in registered:
            same = enclosing(other.scope, Kind.FUNCTION, Kind.MODULE) is function
            if same and other is not call and not call.span.holds(other.span) and job_of(code, call) & job_of(code, other):
                yield call, other
                break


def unnamed_schedules(code: Code) -> Iterator[Call]:
    """APScheduler with a job store that outlives the process: without an id, `add_job` adds one more at each start."""
    stored = any(call.folded.endswith(SHARED_STORES) for call in code.facts.calls) or any(
        fold(argument.name or "") == "jobstores" for call in code.facts.calls for argument in call.arguments
    )
    if not stored:
        return
    for call in code.facts.calls:
        if fold(call.method) == "addjob" and not single(call) and not looped(call.scope):
            yield call


def adds(call: Call) -> bool:
    return fold(call.method) in ADDS and "." in call.name and bool(call.arguments)


def repeats(call: Call) -> bool:
    """`queue.add(name, data, { repeat })`, `queue.upsertJobScheduler(…)`, `scheduler.Register("@every 1h", task)`."""
    last = fold(call.method)
    if last in ("upsertjobscheduler", "addperiodictask") or (last == "register" and "schedul" in fold(call.name)):
        return True
    return last in ADDS and any(name in REPEATS for name in option_names(call))


def single(call: Call) -> bool:
    return any(name in SINGLE for name in option_names(call)) or any(
        fold(part.method) in SINGLE for argument in call.arguments for part in walk(argument.value) if isinstance(part, Call)
    )


def option_names(call: Call) -> Iterator[str]:
    for argument in call.arguments:
        if argument.name is not None:
            yield fold(argument.name)
        for part in walk(argument.value):
            for entry in getattr(part, "entries", ()):
                yield fold(entry.name or "")


def looped(scope: Scope) -> bool:
    return any(isinstance(outer.head, Loop) for outer in chain(scope))


def job_of(code: Code, call: Call) -> frozenset[str]:
    """What may name the job: its first arguments and the task whose method is called."""
    spans: list[Span] = [argument.span for argument in call.arguments[:3] if not getattr(argument.value, "entries", None)]
    said = {code.facts.text(span).strip() for span in spans if span.end - span.start > 3}
    said |= {fold(part) for part in (call.name.rpartition(".")[0],) if fold(call.method) in ("delay", "applyasync")}
    return frozenset(
        text.removesuffix(".s()").lower() for text in said if words(text) and text.lower() not in ("ctx", "context")
    )
