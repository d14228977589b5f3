"""Reports of usage that Python starts beside the caller: tasks, threads, executors, and futures that nobody asks."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Kind, Member, Use, enclosing, fold
from rules.meaning.handlers import awaited
from rules.meaning.promises import started_beside
from rules.meaning.usage.emissions import Emission
from rules.meaning.vocabulary import consumes, emits, words


def beside(code: Code) -> Iterator[tuple[Call, str, str]]:
    """Dropped calls that start a report: `create_task(record_usage(…))`, `producer.send(…)`.

    With each the recorder's name, if it is the project's own, and what a message says.
    """
    reported = {id(one.call): one for one in code.emissions}
    for call in code.facts.calls:
        for started in started_beside(call):
            dropped = call.use in (Use.DISCARDED, Use.CHAINED) or fold(call.method) == "thread"
            if dropped and awaited(call, code.outer) is None and is_report(started, reported) and not joined(code, call):
                name = started.name if isinstance(started, Call | Member) else getattr(started, "text", "")
                yield call, name.rpartition(".")[2], f"`{name}` is started beside the request and nobody reads its result"
        if (title := kafka(code, call) or produced(code, call)) is not None:
            yield call, "", title


def is_report(started: object, reported: dict[int, Emission]) -> bool:
    if isinstance(started, Call):
        return id(started) in reported
    name = started.name if isinstance(started, Member) else getattr(started, "text", "")
    return emits(name) or consumes(name)


def joined(code: Code, call: Call) -> bool:
    function = enclosing(call.scope, Kind.FUNCTION)
    return fold(call.method) == "thread" and any(
        fold(one.method) == "join" and not one.arguments for one in code.calls_in(function)
    )


def kafka(code: Code, call: Call) -> str | None:
    """kafka-python returns a future from `send`; dropped, a refused or unsent message is never noticed."""
    if fold(call.method) != "send" or call.use is not Use.DISCARDED or not code.billing:
        return None
    made = any(fold(one.method) == "kafkaproducer" for one in code.facts.calls)
    settled = any(fold(one.method) == "flush" for one in code.calls_in(enclosing(call.scope, Kind.FUNCTION)))
    sends_value = any(argument.name in ("value", "topic") for argument in call.arguments)
    speaks = any(word in code.facts.text(call.span).lower() for word in ("usage", "event", "meter"))
    if not made or settled or not sends_value or not speaks:
        return None
    return f"`{call.method}` of the Kafka producer only queues the message, and its future is dropped"


def produced(code: Code, call: Call) -> str | None:
    """WaterDrop's `produce_async` and `produce_many_async` answer with a handle before anything was sent."""
    if fold(call.method) not in ("produceasync", "producemanyasync") or call.use is not Use.DISCARDED or not code.billing:
        return None
    speaks = {"usage", "event", "events", "meter", "metering", "billing"} & set(words(code.facts.path) + words(call.name))
    return f"`{call.method}` of the Kafka producer only queues the messages, and its handle is dropped" if speaks else None
