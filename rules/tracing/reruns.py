"""Reports that a clock starts over and over: whether the next run sends anew what this one failed to send."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Literal, Member, Name, Object
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.values import resolved
from rules.meaning.vocabulary import words
from rules.tracing.graph import upwards
from rules.tracing.standing import source_of, standing

HOPS = 4
CLOCKS = re.compile(r"\btime\.Tick\(|\bNewTicker\(|\bsetInterval\(|@Scheduled\b|\bcron\b", re.I)
WHOLE_PERIOD = re.compile(
    r"billing_?period|period_?start|current_?period|month_?start|start_?of_?(?:the_?)?month|month_?to_?date|overages?\b", re.I
)
"""In a function that works out what was used since a period began, and not since its last run."""
MARKS = re.compile(
    r"last_?(?:reported|synced|billed|sent)|is_?reported|unreported|reported_?at|mark_?\w*(?:reported|sent|billed)", re.I
)
"""What was sent is marked, and not sent again."""
OFTEN = re.compile(r"[\"'][\d*]+ \*(?:/\d+)? \* \* \*[\"']")
"""A clock that strikes more than once a day."""
DAYS = re.compile(r"yesterday|daily", re.I)
TELLS = frozenset("publish emit send dispatch notify fire raise broadcast".split())
IDENTIFIES = frozenset("id ids uuid guid ctx context exchange topic channel queue".split())
QUANTITIES = frozenset("usage used consumed consumption metered meter tokens credits quota units quantity amount".split())


def sent_anew(code: Code, call: Call) -> bool:
    """Whether a clock leads to a report of all that was used in a period, worked out from what is stored, and nothing is
    marked as sent: the next run puts right what this one failed to say."""
    found = standing(code, call.span.line)
    if found is None or not code.elsewhere.whole:
        return False
    graph, here = found
    leading = [here, *(one.node for one in upwards(graph, here, HOPS) if one.sure != "possible")]
    routines = (one for node in leading if (one := graph.routine(node)) is not None)
    texts = [text for one in routines if (text := source_of(code.elsewhere, one))]
    if any(map(MARKS.search, texts)):
        return False
    timed = any(graph.context(node) == Context.SCHEDULE.value for node in leading) or any(map(CLOCKS.search, texts))
    if timed and any(map(WHOLE_PERIOD.search, texts)):
        return True
    own = code.facts.source.decode(errors="replace")
    often = code.context(call.scope) in REDELIVERED and OFTEN.search(own) is not None
    return often and any(map(DAYS.search, texts))


def tells_of_event(code: Code, call: Call) -> bool:
    """`publishBillingEvent("invoice.paid", customerId, invoiceId)`: what carries no quantity tells that something happened."""
    if not TELLS & set(words(call.method)[:1]) or not call.arguments:
        return False
    given = [resolved(code.values, one.value, call.scope, call.span.start) for one in call.arguments]
    parts = [part for one in given for part in parts_of(one)]
    said = [one.value for one in parts if isinstance(one, Literal) and isinstance(one.value, str)]
    if not said or any(QUANTITIES & set(words(one)) for one in said):
        return False
    return all(identifies(one) for one in parts)


def parts_of(value: Expression | None) -> Iterator[Expression | None]:
    if isinstance(value, Object):
        for entry in value.entries:
            yield entry.value
    else:
        yield value


def identifies(value: Expression | None) -> bool:
    match value:
        case Literal(value=said):
            return said is None or isinstance(said, str)
        case Name(text=text):
            return words(text)[-1:] != () and words(text)[-1] in IDENTIFIES
        case Member(name=name):
            return words(name)[-1:] != () and words(name)[-1] in IDENTIFIES
        case Call():
            last = words(value.method)[-1:]
            return bool(set(last) & IDENTIFIES) or (last == ("string",) and identifies(value.receiver))
        case _:
            return False
