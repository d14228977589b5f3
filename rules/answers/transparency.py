"""Section 7: what customers can see of their usage."""

import re
from collections.abc import Callable, Iterator, Mapping

from rules.answers.seen import Said, Seen, at, functions
from rules.code import Code
from rules.facts import Function, Scope, fold
from rules.meaning.contexts import Context
from rules.meaning.vocabulary import consumes, emits, words
from rules.report import Evidence
from rules.rule import Confidence

SHOWN = frozenset("usage usages credits quota balance consumption metering".split())
READS = frozenset("get list show read fetch view query my current".split())
ALONE = frozenset("handler handle user my current summary stats statistics history and report overview page".split())
NOT_SHOWN = frozenset("webhook webhooks admin cron internal login health metrics memory disk cpu".split())
PORTAL = ("billingportal.sessions.create", "billingportal.session.create", "customerportal", "createcustomerportalsession")
GRAIN = re.compile(
    r"\b(usage_?)?(breakdown|by_?(model|day|date|feature|key|project|user|member|endpoint|api_?key|meter|service)|group_?by|"
    r"daily_?usage|per_?(day|model|key|project|user))\b|\bGROUP BY\b",
    re.I,
)
EXPORT = re.compile(r"text/csv|content-disposition|\bcsv\b|\bxlsx\b|to_csv|csv\.writer|json2csv|papaparse", re.I)


def endpoints(seen: Seen) -> Iterator[tuple[Code, Scope, Function]]:
    """Handlers that answer with usage: by their route or name, reading and not writing."""
    for code in seen.codes:
        if NOT_SHOWN & set(words(code.facts.path)):
            continue
        for scope, head in functions(code):
            if code.context(scope) is Context.REQUEST and shows(code, head):
                yield code, scope, head


def shows(code: Code, head: Function) -> bool:
    marks = decorated(code, head)
    said = frozenset(words(" ".join((head.registered_as, *marks, head.name, code.facts.path if head.name == "GET" else ""))))
    if not said & SHOWN or said & NOT_SHOWN or emits(head.name) or consumes(head.name):
        return False
    by_method = (
        head.name == "GET" or fold(head.passed_to).endswith((".get", ".query")) or any(".get(" in mark for mark in marks)
    )
    name = words(head.name)
    return by_method or bool(READS & frozenset(name[:2])) or (bool(name) and frozenset(name) <= SHOWN | ALONE)


def decorated(code: Code, head: Function) -> list[str]:
    return [code.facts.text(mark.span) for mark in head.decorators]


def visible(seen: Seen) -> Said | None:
    found = [at(code, scope.span) for code, scope, _ in endpoints(seen)]
    if found:
        return Said("yes: an endpoint answers with the current usage", Confidence.LIKELY, tuple(found[:5]))
    portals = [at(code, call.span) for code in seen.codes for call in code.facts.calls if call.folded.endswith(PORTAL)]
    return Said("in the provider's customer portal", Confidence.LIKELY, tuple(portals[:5])) if portals else None


def granular(seen: Seen) -> Said | None:
    for code, scope, _ in endpoints(seen):
        text = code.facts.text(scope.span)
        if (found := GRAIN.search(text)) is not None:
            line = scope.span.line + text.count("\n", 0, found.start())
            return Said(f"yes: it is told in parts (`{found[0]}`)", Confidence.LIKELY, (Evidence(code.facts.path, line),))
    return None


def downloadable(seen: Seen) -> Said | None:
    for code in seen.billing:
        for scope, head in functions(code):
            about = {*words(head.name), *words(head.registered_as), *words(code.facts.path)}
            if code.context(scope) is not Context.REQUEST or not about & (SHOWN | {"invoice", "invoices", "billing"}):
                continue
            text = code.facts.text(scope.span)
            if (found := EXPORT.search(text)) is not None:
                line = scope.span.line + text.count("\n", 0, found.start())
                return Said("yes: usage or invoices can be exported", Confidence.LIKELY, (Evidence(code.facts.path, line),))
    return None


ANSWERS: Mapping[str, Callable[[Seen], Said | None]] = {"visible": visible, "granular": granular, "downloadable": downloadable}
