"""Section 6: where a limit is tested, whether anybody is warned, and what happens when it is reached."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from rules import providers
from rules.answers.seen import Said, Seen, at, of_findings, shares, surest
from rules.code import Code
from rules.facts import Binary, Call, Literal, Member, Object, Return, Scope, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.limits.gates import asked
from rules.meaning.limits.limits import Limit, said_by
from rules.meaning.vocabulary import words
from rules.report import Evidence
from rules.rule import Confidence

OF_A_REQUEST = frozenset("input output prompt model models context".split())
BOUGHT = frozenset(
    "credit credits quota quotas balance usage used entitlement entitlements plan plans spend spent budget allowance overage "
    "tier subscription consumed remaining".split()
)
LIVE = frozenset({Context.REQUEST, Context.LIBRARY, Context.WORKER, Context.WEBHOOK})
ABOUT = frozenset("usage limit limits quota quotas credit credits balance budget overage allowance spend".split())
WARNS = frozenset("warn warning warnings alert alerts notify notification threshold thresholds approaching low".split())
STATUS_NAMES = frozenset("status statuscode code".split())
STATUS_CALLS = frozenset(
    "status sendstatus writeheader json abort abortwithstatus abortwithstatusjson error httpexception".split()
)
NAMED_STATUS = {"statuspaymentrequired": 402, "statustoomanyrequests": 429, "statusforbidden": 403, "statusunauthorized": 401}
NAMED_STATUS |= {"http402paymentrequired": 402, "http429toomanyrequests": 429, "http403forbidden": 403}
SAID = {
    402: "refused with 402",
    403: "refused with 403",
    429: "refused with 429",
}


def enforced(seen: Seen) -> Said | None:
    late = seen.named("limit-after-work")
    live = list(dict.fromkeys([*tested(seen), *asked_for(seen), *asked_of_providers(seen)]))
    client = [one for one in seen.findings if "L9" in one.classes[:1]]
    if client:
        return Said("only in the client", surest(client), of_findings(client))
    if late:
        return Said("in real time, but after the work has run", surest(late), of_findings(late))
    if live:
        return Said("in real time, where it is used", Confidence.LIKELY, tuple(live[:5]))
    return None


def tested(seen: Seen) -> Iterator[Evidence]:
    for code in seen.billing:
        for limit in of_customers(code):
            if code.context(limit.scope) in LIVE:
                yield at(code, limit.span)


def of_customers(code: Code) -> Iterator[Limit]:
    """Those that speak of what somebody bought; how long a prompt or a page may be is no plan's limit."""
    for limit in code.limits:
        if set(words(said_by(limit.limit))) & OF_A_REQUEST:
            continue
        if limit.left or BOUGHT & set(words(code.facts.text(limit.span))):
            yield limit


def asked_for(seen: Seen) -> Iterator[Evidence]:
    for code in seen.billing:
        for call in asked(code):
            if code.context(call.scope) in LIVE:
                yield at(code, call.span)


def asked_of_providers(seen: Seen) -> Iterator[Evidence]:
    for code in seen.codes:
        for call in code.facts.calls:
            matched = providers.match(call.folded, code.facts.packages, code.facts.language)
            if matched is not None and matched[1].role == "check":
                yield at(code, call.span)


def warning(seen: Seen) -> Said | None:
    """A part of the limit that is compared, or a call that says that it warns of usage."""
    found = [where for code in seen.billing for where in [*early(code), *warned(code)]]
    if found:
        return Said(
            "yes: a threshold before the limit or a warning is visible", Confidence.LIKELY, tuple(dict.fromkeys(found))[:5]
        )
    none = seen.named("hard-limit-without-warning", "uncapped-overage")
    return Said("none is visible beside the limit", surest(none), of_findings(none)) if none else None


def early(code: Code) -> Iterator[Evidence]:
    """`used >= 0.8 * limit`: a share of what is allowed."""
    for limit in code.limits:
        for side in (limit.used, limit.limit):
            for part in walk(side):
                if isinstance(part, Binary) and part.operator in ("*", "/") and any(map(is_share, (part.left, part.right))):
                    yield at(code, limit.span)


def is_share(part: object) -> bool:
    return isinstance(part, Literal) and isinstance(part.value, float) and 0.5 <= part.value < 1


def warned(code: Code) -> Iterator[Evidence]:
    for call in code.facts.calls:
        said = frozenset(words(call.method))
        if said & WARNS and said & ABOUT and not said & {"log", "logger"} and len(said) > 1:
            yield at(code, call.span)


def at_limit(seen: Seen) -> Said | None:
    """What the branch does that is taken when there is no room."""
    ends: list[tuple[str, Evidence]] = []
    for code in seen.billing:
        for limit in of_customers(code):
            then = limit.test.then
            if not limit.refuses or then is None or code.context(limit.scope) is Context.BROWSER:
                continue
            if (text := end_of(code, then)) is not None:
                ends.append((text, at(code, limit.span)))
    if not ends:
        return None
    return Said(
        shares(Counter(text for text, _ in ends)), Confidence.LIKELY, tuple(dict.fromkeys(where for _, where in ends))[:5]
    )


def end_of(code: Code, then: Scope) -> str | None:
    for call in code.facts.calls:
        if within(call.scope, then) and (number := next(statuses(call), None)) is not None:
            return SAID.get(number, f"answered with {number}")
    raised = next((one for one in code.facts.raises if within(one.scope, then)), None)
    if raised is not None:
        name = raised.value.method if isinstance(raised.value, Call) else ""
        return f"`{name}` is raised" if name and not name.islower() else "an error is raised"
    returned = next((one for one in code.facts.returns if within(one.scope, then)), None)
    return how_returned(code, returned) if returned is not None else None


def statuses(call: Call) -> Iterator[int]:
    """The status codes that a call is given: `status_code=402`, `{ status: 402 }`, `res.status(402)`."""
    for argument in call.arguments:
        first = argument is call.arguments[0] and fold(call.method) in STATUS_CALLS
        last = argument is call.arguments[-1] and call.folded.endswith("http.error")
        if first or last or fold(argument.name or "") in STATUS_NAMES:
            yield from status(argument.value)
        for part in walk(argument.value):
            for entry in part.entries if isinstance(part, Object) else ():
                if fold(entry.name or "") in STATUS_NAMES:
                    yield from status(entry.value)


def status(value: object) -> Iterator[int]:
    if isinstance(value, Literal) and type(value.value) is int and 200 <= value.value < 600:
        yield value.value
    if isinstance(value, Member) and fold(value.name) in NAMED_STATUS:
        yield NAMED_STATUS[fold(value.name)]


ERROR = re.compile(r"\b(err|error|errors|exceeded|Err[A-Z]\w*)\b|Err[A-Z]")


def how_returned(code: Code, returned: Return) -> str | None:
    """Only what says that it refuses: any other value may mean anything."""
    if returned.value is None:
        return None
    text = code.facts.text(returned.value.span)
    if ERROR.search(text):
        return "an error is returned"
    if re.search(r"\b(false|False)\b", text):
        return "refused with `false`, which the caller must look at"
    return None


ANSWERS: Mapping[str, Callable[[Seen], Said | None]] = {"enforced": enforced, "warning": warning, "at_limit": at_limit}
