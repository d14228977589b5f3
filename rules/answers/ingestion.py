"""Section 3: how usage is recorded and reported, and what can lose it on the way."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from rules.answers.seen import (
    AGAIN,
    Said,
    Seen,
    Sent,
    Way,
    called,
    of_findings,
    places,
    same_function,
    shares,
    surest,
)
from rules.code import Code
from rules.facts import Literal, walk
from rules.meaning.handlers import handlers_of
from rules.meaning.origins import Kinds
from rules.meaning.outcomes import LOST, Outcome, outcome
from rules.meaning.repeats.retries import retried
from rules.meaning.usage.quantities import given_quantities
from rules.meaning.usage.requests import reads
from rules.meaning.vocabulary import words
from rules.report import Evidence
from rules.rule import Confidence

CERTAIN, LIKELY = Confidence.CERTAIN, Confidence.LIKELY
DIRECT = frozenset({Way.WAITED, Way.WEBHOOK, Way.WORKER, Way.BESIDE, Way.BUFFERED})
DROPPED = LOST | {Outcome.NOTHING}
TOLD = frozenset({Outcome.RETHROWN, Outcome.ANSWERED, Outcome.TOLD, Outcome.STATUS, Outcome.COUNTED})
WAITING = frozenset("outbox pending unsent unreported unsynced unbilled spool wal".split())
CRON = re.compile(r"^\s*(@(hourly|daily|weekly|monthly)|([\d*/,-]+\s+){4,5}[\dA-Za-z*/,#?-]+)\s*$")


def delivery(seen: Seen) -> Said | None:
    ways = Counter(seen.way(one).value for one in seen.recorded)
    if not ways:
        return None
    known = Way.CALLED.value not in ways
    before = "" if seen.reports else "to the own store: "
    return Said(before + shares(ways), CERTAIN if known and len(ways) == 1 else LIKELY, places(seen.recorded))


def fate(seen: Seen, sent: Sent) -> str:
    """What becomes of a failure: retried, redelivered, kept, dropped, told, or nothing that can be seen."""
    if retried(sent.code, sent.scope) is not None:
        return "retried"
    if seen.says("emit-not-awaited", sent) or seen.says("emit-error-swallowed", sent) or seen.says("result-error-unread", sent):
        return "dropped"
    handlers = handlers_of(sent.code, sent.call, sent.sent or sent.call) if sent.call is not None else ()
    ends = [outcome(sent.code.facts, handler) for handler in handlers]
    if any(end is Outcome.DURABLE for end in ends):
        return "kept"
    if ends and ends[0] in DROPPED:
        return "dropped"
    if seen.way(sent) in AGAIN:
        return "redelivered"
    return "told" if ends and ends[0] in TOLD else "unknown"


SAYS = {
    "retried": "yes, in the code",
    "redelivered": "yes, by the queue or the sender of the webhook, which deliver again",
    "kept": "yes, later: what failed is stored for another attempt",
    "dropped": "no: a failed report is dropped",
    "told": "not here: the failure goes to the caller, and nothing here sends again",
}


def retry(seen: Seen) -> Said | None:
    fates = [(one, fate(seen, one)) for one in seen.recorded]
    known = [(one, SAYS[end]) for one, end in fates if end in SAYS]
    if not known:
        return None
    rest = len(fates) - len(known)
    unseen = f" (not visible for {rest} more)" if rest else ""
    return Said(shares(Counter(text for _, text in known)) + unseen, LIKELY, places(one for one, _ in known))


def guarantee(seen: Seen) -> Said | None:
    """The weakest of all reports decides; only what goes to a provider can be asked for a key."""
    if not seen.reports:
        return None
    fates = [(one, fate(seen, one)) for one in seen.reports]
    dropped = [one for one, end in fates if end == "dropped"]
    if dropped:
        return Said("at most once: a failed report is dropped", LIKELY, places(dropped))
    again = [one for one, end in fates if end in ("retried", "redelivered", "kept")]
    if len(again) < len(fates):
        told = [one for one, end in fates if end == "told"]
        if len(told) + len(again) < len(fates):
            return None
        return Said("at most once from here: nothing repeats a failed report", LIKELY, places(told))
    unkeyed = [one for one in again if not is_keyed(one) or seen.says("unstable-key-random", one)]
    if unkeyed:
        return Said("at least once: a repeat carries no stable key and counts again", LIKELY, places(unkeyed))
    return Said("effectively once: sent at least once, and a key lets the provider recognise a repeat", LIKELY, places(again))


def is_keyed(sent: Sent) -> bool:
    record = sent.emission.record if sent.emission else None
    if sent.emission is None or record is None or record.key is None:
        return False
    names = record.key.names + record.key.option_names
    return record.key.natural or any(given.first(names) is not None for given in (*sent.emission.events, sent.emission.given))


def persisted(seen: Seen) -> Said | None:
    if not seen.reports:
        if not seen.stored:
            return None
        return Said("yes: it is written to the own store", LIKELY, places(seen.stored))
    first = [one for one in seen.reports if is_stored_first(seen, one)]
    if len(first) == len(seen.reports):
        return Said("yes: it is stored or queued before it is sent", LIKELY, places(first))
    only = [*seen.named("usage-only-in-outgoing-call")]
    buffered = [one for one in seen.reports if seen.way(one) is Way.BUFFERED]
    if only:
        return Said("no: the usage exists only in the outgoing call", surest(only), of_findings(only))
    if buffered:
        return Said("no: events wait in the memory of the process", LIKELY, places(buffered))
    if first:
        return Said(f"for {len(first)} of {len(seen.reports)} reports", LIKELY, places(first))
    return None


def is_stored_first(seen: Seen, sent: Sent) -> bool:
    """A message of a queue, a row of an outbox, or a row that the same function writes before."""
    if seen.way(sent) is Way.WORKER:
        return True
    around = {*words(sent.code.function_name(sent.scope)), *words(sent.code.facts.path.rpartition("/")[2])}
    if around & WAITING:
        return True
    return any(
        one.code is sent.code and one.span.start < sent.span.start and same_function(one.scope, sent.scope)
        for one in seen.stored
    )


def at_the_moment(seen: Seen) -> Said | None:
    client = seen.named("client-side-metering")
    if client:
        return Said("no: usage is counted in the client", surest(client), of_findings(client))
    ways = [(one, seen.way(one)) for one in seen.recorded]
    if not ways:
        return None
    browser = [one for one, way in ways if way is Way.BROWSER]
    if browser:
        return Said("no: the browser reports it", CERTAIN, places(browser))
    if any(way not in DIRECT for _, way in ways):
        # What a schedule sends was mostly stored before, and who calls a library is not in view.
        return None
    beside = [one for one, way in ways if way in (Way.BESIDE, Way.BUFFERED)]
    if beside:
        return Said("on the server, but nothing waits until it is recorded", LIKELY, places(beside))
    queued = [one for one, way in ways if way is Way.WORKER]
    if queued and len(queued) == len(ways):
        return Said("on the server, when the worker gets to it", LIKELY, places(queued))
    return Said("yes, on the server where it happens", LIKELY, places(one for one, _ in ways))


def before_cutoff(seen: Seen) -> Said | None:
    late = [one for one in seen.findings if "E13" in one.classes[:1]]
    if late:
        return Said("no: it can come after the cut-off", surest(late), of_findings(late))
    ways = [(one, seen.way(one)) for one in seen.reports]
    scheduled = [one for one, way in ways if way in (Way.SCHEDULE, Way.SCRIPT)]
    if scheduled:
        crons = sorted({text for one in scheduled for text in cron_texts(one.code)})
        when = f" (`{'`, `'.join(crons[:3])}`)" if crons else ""
        return Said(
            f"not surely: it is sent on a schedule{when}, and nothing here ties that to the close", LIKELY, places(scheduled)
        )
    if ways and all(way in (Way.WAITED, Way.WEBHOOK) for _, way in ways):
        return Said("yes: it is sent as it happens", LIKELY, places(seen.reports))
    return None


def cron_texts(code: Code) -> Iterator[str]:
    for call in code.facts.calls:
        for argument in call.arguments:
            for part in walk(argument.value):
                if isinstance(part, Literal) and isinstance(part.value, str) and CRON.match(part.value):
                    yield part.value.strip()


def unmetered_actions(seen: Seen) -> Said | None:
    """By the trace, and by the ways out of a single action on which rules found nothing recorded."""
    partly = [one for one in seen.findings if "E12" in one.classes[:1]]
    missing = [one for one in seen.actions if not one.recorded]
    if missing:
        names = ", ".join(f"`{called(one)}`" for one in missing[:MOST_NAMED])
        rest = f" and {len(missing) - MOST_NAMED} more" if len(missing) > MOST_NAMED else ""
        text = f"{len(missing)} of {len(seen.actions)}: {names}{rest}"
        found = (*(Evidence(one.path, one.line) for one in missing[:MOST_NAMED]), *of_findings(partly))
        return Said(text, max((Confidence(one.sure) for one in missing), key=lambda one: one.rank), found)
    if partly:
        return Said("all record something, but not on every way out", surest(partly), of_findings(partly))
    if not seen.actions:
        return None
    where = tuple(Evidence(one.path, one.line) for one in seen.actions[:MOST_NAMED])
    return Said(f"none of the {len(seen.actions)} that are visible: all reach a record", LIKELY, where)


MOST_NAMED = 5


def client_control(seen: Seen) -> Said | None:
    set_by = seen.named("client-supplied-quantity", "client-supplied-customer", "client-side-metering")
    if set_by:
        what = {
            "client-supplied-quantity": "the amount",
            "client-supplied-customer": "who pays",
            "client-side-metering": "the count, which it keeps itself",
        }
        parts = " and ".join(dict.fromkeys(what[one.name] for one in set_by))
        return Said(f"yes: a client decides {parts}", surest(set_by), of_findings(set_by))
    asked = [one for one in seen.recorded if seen.way(one) is Way.WAITED and one.emission is not None]
    if asked and all(is_own(one) for one in asked):
        return Said("no: the amount is made on the server", LIKELY, places(asked))
    return None


def is_own(sent: Sent) -> bool:
    """Whether every amount of a report is a number, a stored field or the answer of a call, and none the request's."""
    assert sent.emission is not None
    amounts = list(given_quantities(sent.code, sent.emission))
    start = sent.span.start
    if not amounts or any(True for one in amounts for _ in reads(sent.code, one, sent.scope, start, bound=False)):
        return False
    kinds = {origin.kind for one in amounts for origin in sent.code.origins(one, sent.scope, start)}
    return kinds <= {Kinds.LITERAL, Kinds.STORED, Kinds.CALL, Kinds.CLOCK}


ANSWERS: Mapping[str, Callable[[Seen], Said | None]] = {
    "delivery": delivery,
    "retry": retry,
    "guarantee": guarantee,
    "persisted": persisted,
    "at_the_moment": at_the_moment,
    "before_cutoff": before_cutoff,
    "unmetered_actions": unmetered_actions,
    "client_control": client_control,
}
