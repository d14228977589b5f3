"""The times of usage events as records hold them: which lose precision or their zone on the way."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Binary, Call, Expression, Name, fold, parts
from rules.meaning.contexts import Context
from rules.meaning.floats import declared
from rules.meaning.origins import is_clock
from rules.meaning.usage.fields import Field, fields
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words

LAST = frozenset("timestamp time ts".split())
HAPPENED = frozenset("occurred happened used recorded event started effective consumed metered measured".split())
NOT_OF_EVENT = frozenset("created updated deleted expires expiry processing response elapsed run".split())
FLOATS = frozenset("float float64 parsefloat todouble parsedouble double.parse convert.todouble floatval".split())
"""What makes a binary float of a text, by method or by the last two parts of a name."""
MOMENTS = frozenset(
    "at date fromtimestamp createfromtimestamp ofepochmilli fromunixtimemilliseconds addseconds addmilliseconds unix "
    "unixmilli".split()
)
"""What makes a point in time of a number."""
ROUNDS = frozenset("round rint".split())


def times_of_events(code: Code) -> Iterator[Field]:
    """The fields that say when usage happened."""
    for field in fields(code):
        if field.of_usage and is_event_time(field.name) and code.context(field.scope) not in (Context.TEST, Context.BROWSER):
            yield field


def is_event_time(name: str) -> bool:
    said = words(name)
    if not said or NOT_OF_EVENT & set(said):
        return False
    return said[-1] in LAST or (said[-1] == "at" and bool(HAPPENED & set(said)))


def through_floats(code: Code) -> Iterator[tuple[Field, Call]]:
    """`Time.at(Float(text))`: each time of an event with the conversion by which it is no longer exact."""
    if code.facts.traits.rounded_moments:
        return
    for field in times_of_events(code):
        whole = resolved(code.values, field.value, field.scope, field.value.span.start)
        for made in moments(whole):
            found = next((one for given in made.arguments for one in inexact(given.value)), None)
            if found is not None:
                yield field, found
                break


def moments(value: Expression) -> Iterator[Call]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Call) and fold(one.method) in MOMENTS and one.arguments:
            yield one
        waiting.extend(parts(one))


def inexact(value: Expression) -> Iterator[Call]:
    """Conversions of a text to a float inside a value that nothing rounds."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, Call):
            if fold(one.method) in ROUNDS:
                continue
            read = any(is_clock(given.value) for given in one.arguments if isinstance(given.value, Call))
            if not read and (fold(one.method) in FLOATS or ".".join(one.folded.split(".")[-2:]) in FLOATS):
                yield one
        if isinstance(one, Binary) and one.operator not in ("*", "/", "+", "-"):
            continue
        waiting.extend(parts(one))


def cultural_texts(code: Code) -> Iterator[tuple[Field, Call]]:
    """`EventTime = start.ToString()` of a `DateTime`: each time of an event that leaves as the machine's own text."""
    kinds = code.facts.traits.local_moments
    if not kinds:
        return
    for field in times_of_events(code):
        call = field.value
        if not isinstance(call, Call) or fold(call.method) != "tostring" or call.arguments:
            continue
        moment = call.receiver
        now = isinstance(moment, Call) and fold(moment.name) in ("datetime.utcnow", "datetime.now", "datetimeoffset.utcnow")
        typed = isinstance(moment, Name) and declared(code, moment, call.scope, call.span.start).rstrip("?") in kinds
        if now or typed:
            yield field, call
