"""Names on which one part of a program hands work to another: queues, topics, jobs, streams."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Function, Member, Name, Object, dotted, fold, walk
from rules.meaning.arguments import given
from rules.meaning.contexts import TASKS, decorator_names, decorator_strings
from rules.meaning.naming import template
from rules.meaning.usage.emissions import shown
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words
from rules.tracing.sights import Kind, Make, Sight

SENDS = frozenset(
    "add addbulk send sendmessage sendbatch publish produce enqueue trigger batchtrigger dispatch emit sendtoqueue "
    "xadd lpush rpush publishasync publishmessage sendevent schedule perform push insertjob produceasync "
    "sendmessages".split()
)
HOLDERS = frozenset(
    "queue queues producer kafka topic stream bus broker publisher sqs sns inngest pubsub amqp channel nats jobs "
    "job tasks boss eventbus redis river asynq worker jetstream writer outbox dispatcher".split()
)
TAKES = frozenset(
    "xreadgroup xread brpop blpop lpop rpop lrange subscribe basicconsume receivemessage consume psubscribe".split()
)
LATER = frozenset("delay applyasync performasync performlater performin dispatch dispatchsync kiq".split())
TOPIC = (
    "topic",
    "queue",
    "queuename",
    "queueurl",
    "stream",
    "channel",
    "routingkey",
    "name",
    "jobname",
    "subject",
    "event",
    "task",
)


def queues_of(code: Code, sight: Make) -> Iterator[Sight]:
    for call in code.facts.calls:
        last = fold(call.method)
        if last in LATER and "." in call.name:
            job = call.name.split(".")[-2].replace("()", "")
            yield sight(Kind.PRODUCE, job, "job", call.span, call.scope, f"`{shown(call)}`")
        elif last in ("queue", "flowproducer") and call.constructs:
            continue
        elif last in ("worker",) and call.constructs and (name := first_name(code, call)):
            yield sight(Kind.CONSUME, name, "queue", call.span, call.scope, f"`{shown(call)}`", via=handlers(call))
        elif last in SENDS and HOLDERS & said(call):
            for name in sent_names(code, call):
                yield sight(Kind.PRODUCE, name, "queue", call.span, call.scope, f"`{shown(call)}`")
        elif (last in TAKES and HOLDERS & (said(call) | {"consumer" if "consumer" in said(call) else ""})) or (
            last in ("subscribe", "subscribetopics", "run") and "consumer" in said(call)
        ):
            for name in sent_names(code, call):
                yield sight(Kind.CONSUME, name, "queue", call.span, call.scope, f"`{shown(call)}`")
    yield from marked(code, sight)


def said(call: Call) -> frozenset[str]:
    return frozenset(words(call.name.rpartition(".")[0])) | (
        frozenset(words(call.method)) if "." not in call.name else frozenset()
    )


def handlers(call: Call) -> tuple[str, ...]:
    return tuple(dotted(one.value).rsplit(".", 1)[-1] for one in call.arguments if isinstance(one.value, Name | Member))


def first_name(code: Code, call: Call) -> str:
    return text(code, call.arguments[0].value, call) if call.arguments else ""


def text(code: Code, value: Expression, call: Call) -> str:
    """The name as a text, or `$NAME` for a constant."""
    found = template(code.values, value, call.scope, call.span.start)
    if found and found != "*":
        return found
    if isinstance(value, Name | Member):
        name = dotted(value)
        last = name.rsplit(".", 1)[-1]
        if last.isupper() or name[:1].isupper() or {"topic", "queue", "stream"} & set(words(last)):
            first, _, rest = name.partition(".")
            return "$" + ".".join(filter(None, (code.facts.imports.get(first, first), rest)))
    return ""


def sent_names(code: Code, call: Call) -> Iterator[str]:
    """The queue or topic: what stands before the call where that names one, an argument called so, a first string."""
    if name := queue_of(code, call):
        yield name
        return
    arguments = given(code.values, call)
    for wanted in TOPIC:
        value = arguments.named.get(wanted)
        if value is not None and (name := text(code, value, call)):
            yield name
            return
    holder = call.name.split(".")[-2].replace("()", "") if "." in call.name else ""
    if len(words(holder)) > 1 and {"queue", "topic", "job", "stream"} & set(words(holder)):
        yield f"${holder}"
        return
    for argument in call.arguments[:2]:
        if not isinstance(argument.value, Object) and (name := text(code, argument.value, call)):
            yield name
            return


def queue_of(code: Code, call: Call) -> str:
    """The name that the queue was made with: `const jobs = new Queue("usage")`, then `jobs.add(…)`."""
    if not isinstance(call.receiver, Name):
        return ""
    for found in definitions_at(code.values, call.receiver.text, call.scope, call.span.start)[:2]:
        for part in walk(found.value):
            if isinstance(part, Call) and part.constructs and fold(part.method).endswith("queue") and part.arguments:
                return text(code, part.arguments[0].value, part)
    return ""


def marked(code: Code, sight: Make) -> Iterator[Sight]:
    """Functions that are jobs: decorated ones by their own name, those given to a queue's registration by its name."""
    for scope in code.facts.scopes:
        head = scope.head
        if not isinstance(head, Function):
            continue
        marks = {fold(mark).rsplit(".", 1)[-1] for mark in decorator_names(head)}
        if head.name and marks & {fold(one) for one in TASKS}:
            yield sight(Kind.CONSUME, head.name, "job", scope.span, scope, f"job `{head.name}`")
        for name in (*strings(head), head.registered_as):
            if name and not name.startswith("/") and (marks & {fold(one) for one in TASKS} or takes(head)):
                yield sight(Kind.CONSUME, name, "queue", scope.span, scope, f"consumer of `{name}`")


def takes(head: Function) -> bool:
    *_, last = fold(head.passed_to).split(".")
    return last in (
        "process",
        "consume",
        "subscribe",
        "worker",
        "createfunction",
        "work",
        "define",
        "addworker",
        "on",
        "handlefunc",
    )


def strings(head: Function) -> Iterator[str]:
    for one in decorator_strings(head):
        if one and not one.startswith("/") and " " not in one:
            yield one
