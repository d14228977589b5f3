"""The answers of sections 3 to 8, the summary and the check that sums it up."""

from collections import Counter
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Start, fold
from rules.meaning.contexts import REDELIVERED, Context
from rules.meaning.usage.emissions import Emission
from rules.report import Answer, CheckResult, Evidence, Meter, Reported, Section, Summary
from rules.rule import Severity
from rules.scope import signals

TITLES = {
    "ingestion": "Event Ingestion Reliability",
    "deduplication": "Deduplication & Idempotency",
    "aggregation": "Aggregation Logic",
    "limits": "Limits & Overage Handling",
    "transparency": "Customer Transparency",
    "observability": "Observability & Alerting",
}
QUESTIONS = {
    "ingestion": {
        "delivery": "Sent synchronously or queued?",
        "retry": "Is failed delivery retried?",
        "guarantee": "Delivery guarantee (at most, at least, exactly once)?",
        "persisted": "Persisted before it is sent?",
        "at_the_moment": "Recorded server-side at the moment of the action?",
        "before_cutoff": "Captured before the billing cut-off?",
        "unmetered_actions": "Which metered actions record nothing?",
        "client_control": "Can a client set or skip the count?",
    },
    "deduplication": {
        "stable_key": "A stable idempotency key?",
        "key_parts": "What is the key made of?",
        "retry_charges_twice": "Can a retry charge twice?",
    },
    "aggregation": {
        "function": "Aggregation function of each meter?",
        "boundaries": "Period boundaries in UTC and half-open?",
        "proration": "Partial periods prorated correctly?",
    },
    "limits": {
        "enforced": "Enforced in real time or at invoicing?",
        "warning": "A soft warning before the hard limit?",
        "at_limit": "What happens at the hard limit?",
    },
    "transparency": {
        "visible": "Can customers see usage now?",
        "granular": "Fine-grained enough to understand the bill?",
        "downloadable": "Downloadable?",
    },
    "observability": {
        "alerts": "Are pipeline errors alerted on?",
        "anomalies": "Are anomalies detected?",
        "reconciled": "Is the close reconciled against the ledger?",
    },
}
UNSEEN = "not visible in this code"


def sections(codes: tuple[Code, ...], findings: tuple[Reported, ...], touched: frozenset[str]) -> tuple[Section, ...]:
    """Sections 3 to 8, always all."""
    answered = {answer.id: answer for answer in answers(codes, findings)}
    return tuple(
        Section(
            section,
            TITLES[section],
            section in touched or any(finding.section == section for finding in findings),
            tuple(answered.get(one, Answer(one, question, UNSEEN, None, ())) for one, question in questions.items()),
        )
        for section, questions in QUESTIONS.items()
    )


def answers(codes: tuple[Code, ...], findings: tuple[Reported, ...]) -> Iterator[Answer]:
    """What the analysed code shows. A question without an answer here is not visible in it."""
    sent = [(code, emission) for code in codes for emission in code.emissions if emission.certain]
    if sent:
        yield delivery(sent)
        yield key_made(sent)
    compared = [(code, limit) for code in codes for limit in code.limits]
    if compared:
        evidence = tuple(Evidence(code.facts.path, limit.span.line) for code, limit in compared[:3])
        yield answer("limits", "enforced", "in real time, in the code path that uses it", "likely", evidence)
    for section, question, rules in (
        ("ingestion", "client_control", {"client-supplied-quantity", "client-supplied-customer", "client-side-metering"}),
    ):
        hits = [finding for finding in findings if finding.name in rules and finding.confidence != "possible"]
        if hits:
            places = tuple(Evidence(finding.path, finding.line) for finding in hits[:3])
            yield answer(section, question, "yes", hits[0].confidence, places)


def delivery(sent: list[tuple[Code, Emission]]) -> Answer:
    in_request = [one for one in sent if one[0].context(one[1].scope) in (Context.REQUEST, Context.BROWSER)]
    queued = [one for one in sent if one[0].context(one[1].scope) in REDELIVERED]
    detached = [one for one in sent if one[1].sent.start is Start.DETACHED]
    text = (
        "in the background of the request" if detached
        else "from a queue or schedule" if queued and not in_request
        else "synchronously, in the request" if in_request and not queued
        else "partly in the request, partly from a queue" if queued
        else "synchronously, where it is called"
    )  # fmt: skip
    return answer("ingestion", "delivery", text, "likely", places(sent))


def key_made(sent: list[tuple[Code, Emission]]) -> Answer:
    keyed = [
        (code, emission)
        for code, emission in sent
        if emission.record and emission.record.key and any(event.first(emission.record.key.names) for event in emission.events)
    ]
    if not keyed:
        return answer("deduplication", "key_parts", "no key is visible", "likely", places(sent))
    code, emission = keyed[0]
    assert emission.record is not None
    assert emission.record.key is not None
    value = next(found for event in emission.events if (found := event.first(emission.record.key.names)) is not None)
    return answer("deduplication", "key_parts", f"`{code.facts.text(value.span)}`", "certain", places(keyed))


def places(sent: list[tuple[Code, Emission]]) -> tuple[Evidence, ...]:
    return tuple(Evidence(code.facts.path, emission.call.span.line) for code, emission in sent[:3])


def answer(section: str, one: str, text: str, confidence: str, evidence: tuple[Evidence, ...]) -> Answer:
    return Answer(one, QUESTIONS[section][one], text, confidence, evidence)


def summary(codes: tuple[Code, ...], findings: tuple[Reported, ...], touched: frozenset[str]) -> Summary:
    counts = Counter(finding.severity for finding in findings)
    grave = [finding for finding in findings if finding.confidence != "possible"]
    found = [signal for code in codes for signal in signals(code)]
    names = tuple(sorted({emission.provider.name for code in codes for emission in code.emissions if emission.provider}))
    own = any(code.counters for code in codes)
    architecture = ", ".join([*names, *(["own usage counters"] if own else [])]) or "no metering in the analysed code"
    return Summary(
        architecture=architecture,
        providers=names,
        posture=posture(grave, bool(found)),
        counts={severity.value: counts[severity.value] for severity in Severity},
        highest_risk=grave[0].fingerprint if grave else None,
        applies=bool(found),
        signals=tuple(found[:10]),
    )


def posture(grave: list[Reported], applies: bool) -> str:
    if not applies:
        return "Nothing here meters usage."
    if not grave:
        return "Nothing found that would lose or double usage."
    worst = grave[0]
    return f"{len(grave)} finding{'s' if len(grave) > 1 else ''}; the gravest: {worst.title} ({worst.path}:{worst.line})."


def meters(codes: tuple[Code, ...]) -> tuple[Meter, ...]:
    """Meters by event name, with where each is emitted."""
    found: dict[str, list[Evidence]] = {}
    for code in codes:
        for emission in code.emissions:
            for name in event_names(emission):
                found.setdefault(name, []).append(Evidence(code.facts.path, emission.call.span.line))
    return tuple(Meter(name, tuple(where), (), (), ()) for name, where in sorted(found.items()))


def event_names(emission: Emission) -> Iterator[str]:
    if emission.record is None:
        return
    for event in emission.events:
        value = event.first(tuple(map(fold, emission.record.event_name)))
        text = getattr(value, "value", None)
        if isinstance(text, str):
            yield text


def checks(codes: tuple[Code, ...], findings: tuple[Reported, ...]) -> tuple[CheckResult, ...]:
    """`usage-billing-accurate`: skip without usage-based billing, fail with a finding that breaks it."""
    emissions = [emission for code in codes for emission in code.emissions if emission.certain]
    if not emissions and not any(code.counters for code in codes):
        return (CheckResult("usage-billing-accurate", "skip", "No usage-based billing in the analysed code.", None, None),)
    breaking = [finding for finding in findings if breaks(finding)]
    if breaking:
        worst = breaking[0]
        detail = f"{worst.title} in {worst.path}:{worst.line}."
        return (CheckResult("usage-billing-accurate", "fail", detail, None, None),)
    return (CheckResult("usage-billing-accurate", "pass", "Usage is recorded on the server where it happens.", None, None),)


def breaks(finding: Reported) -> bool:
    """Usage kept by the client, set by the client, skipped on a path, or sent too late."""
    return finding.confidence != "possible" and bool({"E10", "E11", "E12", "E13"} & set(finding.classes[:1]))
