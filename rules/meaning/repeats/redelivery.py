"""What comes again by itself: the webhooks and queues that a file serves, and the functions that they reach."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import Call, Kind, Scope, enclosing
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import own_functions

HOPS = 3
"""Through how many of the file's own functions a delivery is followed."""
AT_LEAST_ONCE = frozenset(
    "kafka kafkajs confluent sarama segmentio aiokafka sqs sns pubsub amqplib amqp091 pika aiopika rabbitmq nats jetstream "
    "servicebus eventhub kinesis eventbridge svix qstash inngest temporalio redpanda franz twmb".split()
)
"""Words of packages whose messages come again whenever an acknowledgement is lost."""
RECORDED_SOURCE = re.compile(rb"\bRecords\b|SQSEvent|SQSHandler|SqsEvent|ReceiveMessage|receive_message|EventSource")


@dataclass(frozen=True, slots=True, eq=False)
class Delivery:
    """A function that is called once for each delivery, and may be called for the same one again."""

    entry: Scope
    path: tuple[Scope, ...]
    """From the entry to the function that does the work."""
    calls: tuple[Call, ...]
    """The calls by which each of them reaches the next."""
    sure: bool
    """Its source is known to deliver more than once: a webhook, Kafka, SQS; a plain job queue may be set up otherwise."""
    webhook: bool


def deliveries(code: Code) -> Iterator[Delivery]:
    """Every function that a delivery reaches, with the way there."""
    reached: set[Scope] = set()
    for entry in entries(code):
        webhook = code.context(entry) is Context.WEBHOOK
        sure = webhook or redelivers(code)
        for path, calls in paths(code, entry):
            if path[-1] not in reached:
                reached.add(path[-1])
                yield Delivery(entry, path, calls, sure, webhook)


def entries(code: Code) -> Iterator[Scope]:
    """The outermost functions that are webhooks or consumers."""
    for scope in code.facts.scopes:
        if scope.kind is not Kind.FUNCTION or code.context(scope) not in (Context.WEBHOOK, Context.WORKER):
            continue
        outer = enclosing(scope.parent, Kind.FUNCTION)
        if outer is None or code.context(outer) not in (Context.WEBHOOK, Context.WORKER):
            yield scope


def redelivers(code: Code) -> bool:
    said = {part for package in code.facts.packages for part in re.split(r"[/@._-]", package.lower()) if part}
    said |= {"sqs"} if any("client-sqs" in package for package in code.facts.packages) else set()
    return bool(said & AT_LEAST_ONCE) or bool(RECORDED_SOURCE.search(code.facts.source))


def paths(code: Code, entry: Scope) -> Iterator[tuple[tuple[Scope, ...], tuple[Call, ...]]]:
    waiting: list[tuple[tuple[Scope, ...], tuple[Call, ...]]] = [((entry,), ())]
    seen = {entry}
    while waiting:
        path, calls = waiting.pop(0)
        yield path, calls
        if len(path) > HOPS:
            continue
        for call in code.calls_in(path[-1]):
            functions = own_functions(call, code.values)
            if len(functions) == 1 and functions[0] not in seen:
                seen.add(functions[0])
                waiting.append(((*path, functions[0]), (*calls, call)))
