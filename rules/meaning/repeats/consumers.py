"""How a message queue is told that a message is done, where that is set once for a whole consumer or task."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Expression, Function, Literal, Scope, fold, within
from rules.meaning.arguments import given
from rules.meaning.vocabulary import words

COMMIT_FLAGS = ("enableautocommit", "enable.auto.commit", "enable.auto.offset.store", "enableautooffsetstore")
GROUPS = ("groupid", "group.id")
AT_ONCE = frozenset("createtask ensurefuture submit thread runinexecutor gather startsoon".split())
CELERY_MARKS = frozenset("task sharedtask periodictask".split())


@dataclass(frozen=True, slots=True, eq=False)
class AutoCommit:
    """A Kafka consumer that commits by itself. `early` where that can be before the message was worked on."""

    call: Call
    early: bool


def auto_commits(code: Code) -> Iterator[AutoCommit]:
    packages = {package.lower() for package in code.facts.packages}
    for call in code.facts.calls:
        last = call.folded.rsplit(".", 1)[-1]
        if last in ("kafkaconsumer", "aiokafkaconsumer") and any("kafka" in package for package in packages):
            arguments = given(code.values, call)
            if arguments.complete and commits(arguments.named, default_group=False):
                yield AutoCommit(call, last == "aiokafkaconsumer" or works_aside(code))
        elif is_confluent(call, packages):
            arguments = given(code.values, call)
            if arguments.complete and arguments.named and commits(arguments.named, default_group=True):
                yield AutoCommit(call, True)
        elif last == "readmessage" and "segmentio/kafka-go" in " ".join(packages) and in_group(code):
            yield AutoCommit(call, True)


def is_confluent(call: Call, packages: set[str]) -> bool:
    named = call.folded.endswith(("confluentkafka.consumer", "kafka.newconsumer", "deserializingconsumer"))
    return named and any("confluent" in package for package in packages)


def commits(named: dict[str, Expression] | object, default_group: bool) -> bool:
    """Whether nothing in the settings turns automatic commits off. Without a group there is nothing to commit."""
    assert isinstance(named, dict)
    if not default_group and not any(group in named for group in GROUPS):
        return False
    return not any(is_false(named[flag]) for flag in COMMIT_FLAGS if flag in named)


def is_false(value: Expression) -> bool:
    return not isinstance(value, Literal) or value.value is False or str(value.value).lower() == "false"


def works_aside(code: Code) -> bool:
    """Whether messages are handed to other threads or tasks, so that the next poll commits what is still in work."""
    return any(call.folded.rsplit(".", 1)[-1] in AT_ONCE for call in code.facts.calls)


def in_group(code: Code) -> bool:
    """A reader of a consumer group: only that one commits as it reads."""
    return b"GroupID" in code.facts.source


def early_task(code: Code, scope: Scope) -> tuple[Scope, Expression] | None:
    """The Celery task around a scope and its decorator, where nothing says that it acknowledges late."""
    if not any(package.split(".")[0] == "celery" for package in code.facts.packages):
        return None
    for outer in code.facts.scopes:
        if isinstance(outer.head, Function) and within(scope, outer):
            for mark in outer.head.decorators:
                name = mark.name if isinstance(mark, Call) else getattr(mark, "text", getattr(mark, "name", ""))
                if fold(name).rsplit(".", 1)[-1] in CELERY_MARKS:
                    options = mark.arguments if isinstance(mark, Call) else ()
                    if all(one.name is not None and fold(one.name) not in ("ackslate", "base") for one in options):
                        return outer, mark
    return None


def takes_out(call: Call) -> bool:
    """`usageCounter.popCounts(n)`, `queue.drainUsage()`: what it returns is gone from where it was kept."""
    said = words(call.method)
    usage = {"usage", "meter", "metering", "billing", "billable", "credits", "quota"}
    if fold(call.method) == "pop" and call.arguments:
        # `usage.pop("total")` takes an entry out of a dict, and `pop(0)` one out of a list.
        return False
    return bool(said) and said[0] in ("pop", "drain", "dequeue", "lpop") and bool(usage & set(words(call.name)))
