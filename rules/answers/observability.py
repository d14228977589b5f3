"""Section 8: who hears of it when usage is lost, jumps, or does not add up."""

import re
from collections.abc import Callable, Iterator, Mapping

from rules.answers.seen import Said, Seen, at, functions, of_findings, places, surest
from rules.code import Code
from rules.facts import Call, Scope, fold
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import LOG_WORDS, LOST, outcome
from rules.meaning.vocabulary import words
from rules.report import Evidence
from rules.rule import Confidence

ALERTS = frozenset(
    "sentry rollbar bugsnag honeybadger pagerduty opsgenie alert alerts statsd datadog newrelic metric metrics".split()
)
COUNTS = frozenset("inc increment add observe labels".split())
COUNTERS = frozenset("counter counters failed failures errors total stats".split())
CAPTURED = frozenset("captureexception captureerror capturemessage noticeerror recordexception".split())
ANOMALY = re.compile(r"anomal|outlier|z_?score|std_?dev|(usage|cost|spend)_?spike|spike_?(detect|alert)", re.I)
RECONCILES = re.compile(r"reconcil", re.I)
USAGE = re.compile(r"usage|meter|ledger|consum", re.I)


def alerts(seen: Seen) -> Said | None:
    """What the handlers around reports of usage do besides logging."""
    ended = [
        (one, outcome(one.code.facts, handler), list(inside(one.code, handler)))
        for one in seen.recorded
        if one.call is not None
        for handler in handlers_of(one.code, one.call, one.sent or one.call)[:1]
    ]
    alerted = [one for one, _, calls in ended if any(is_alert(call) for call in calls)]
    if alerted:
        share = "" if len(alerted) == len(ended) else f" in {len(alerted)} of {len(ended)} places"
        return Said(f"yes: a failed report is counted or alerted on{share}", Confidence.LIKELY, places(alerted))
    logged = [one for one, end, calls in ended if end in LOST and all(LOG_WORDS & set(words(call.name)) for call in calls)]
    if logged and len(logged) == len(ended):
        return Said("no: a failed report is only logged", Confidence.LIKELY, places(logged))
    silent = seen.named("emit-error-swallowed", "emit-failure-unmeasured")
    return Said("no: nobody hears of a failed report", surest(silent), of_findings(silent)) if silent and not logged else None


def inside(code: Code, handler: Scope) -> Iterator[Call]:
    for call in code.facts.calls:
        if handler.span.holds(call.span):
            yield call


def is_alert(call: Call) -> bool:
    """`Sentry.captureException(e)`, `metrics.reportFailed()`, `usageFailures.inc()`; counting a retry in a row is none."""
    holder, method = set(words(call.name.rpartition(".")[0])), fold(call.method)
    if method in CAPTURED or ALERTS & {*holder, *words(call.method)}:
        return True
    return method in COUNTS and bool(holder & COUNTERS)


def anomalies(seen: Seen) -> Said | None:
    found = list(named(seen, ANOMALY))
    return Said("yes: a function looks for unusual usage", Confidence.LIKELY, tuple(found[:5])) if found else None


def reconciled(seen: Seen) -> Said | None:
    without = seen.named("close-without-reconciliation")
    if without:
        return Said("no: the close compares nothing", surest(without), of_findings(without))
    found = list(named(seen, RECONCILES))
    return Said("yes: a function compares usage with what was billed", Confidence.LIKELY, tuple(found[:5])) if found else None


def named(seen: Seen, pattern: re.Pattern[str]) -> Iterator[Evidence]:
    """Functions whose name says so and that speak of usage; a comment or a variable does not count."""
    for code in seen.billing:
        for scope, head in functions(code):
            if pattern.search(head.name) and USAGE.search(code.facts.text(scope.span)):
                yield at(code, scope.span)


ANSWERS: Mapping[str, Callable[[Seen], Said | None]] = {"alerts": alerts, "anomalies": anomalies, "reconciled": reconciled}
