"""Usage is counted, charged or limited by code that runs in the user's browser or app, or in a cookie that is kept there.

Whoever uses the product owns that code and its storage: clearing it, editing a number or blocking one request makes the usage
free, and a limit that is tested there holds nobody back. Count and test on the server, in the endpoint that does the metered
work, and let the client only show the result. A copy that the client keeps for display is fine.
"""

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from rules.code import Code
from rules.facts import Call, Literal, Scope, fold
from rules.meaning.contexts import Context
from rules.meaning.usage.client_storage import counting_writes, decides_limit
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.emissions import Emission, is_http, leading_text
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.mounted import is_mounted
from rules.tracing.purposes import at_stake
from rules.tracing.stakes import only_shown_beside
from rules.tracing.standing import graph_of
from rules.tracing.stores import table_of_counter

ABOUT = About(
    id="MTR-112",
    title="Usage is metered in the client",
    severity=Severity.HIGH,
    classification=Classification.VULNERABILITY,
    classes=("E10", "L9"),
    cwe=("CWE-602", "CWE-642"),
    iso_25010="Security / integrity",
)
CHARGES = frozenset("deduct consume use spend decrement decrease charge debit subtract burn increment update".split())
REPORTS = frozenset("report record track increment".split())
BALANCES = frozenset("credit credits quota quotas balance".split())
SENDING = re.compile(r"\b(post|put|patch)\b", re.I)
STORES = ("supabase.", "updatedoc", "setdoc", "doc().update", "db.collection")
STAFF = frozenset("admin admins administration administrator backoffice staff dev debug devtools".split())
REFUSES = re.compile(
    rb"NODE_ENV\s*!==?\s*[\"']development|adminOnly:\s*true|\b(?:require|ensure|assert|verify|with)_?(?:Super)?Admin|"
    rb"\brole\s*!==?\s*[\"'](?:super)?_?admin",
    re.I,
)
"""In a handler that answers to nobody but administrators, or only on a developer's machine."""
PORTAL = ("portal", "embedded", "publishable")


def check(code: Code) -> Iterator[Finding]:
    """Nothing of a hook or component that no page leads to."""
    yield from stored(code)
    for scope, found in (*reported(code), *asked_for(code)):
        if is_mounted(code, scope):
            yield found


def reported(code: Code) -> Iterator[tuple[Scope, Finding]]:
    for emission in code.emissions:
        if emission.direct and code.context(emission.scope) is Context.BROWSER and not is_portal(emission):
            yield emission.scope, emitted(emission)
    for counter in code.counters:
        if code.context(counter.scope) is Context.BROWSER and writes_database(counter):
            gated = at_stake(code, counter.name, table_of_counter(code, counter), counter.scope) is not False
            yield counter.scope, written(counter, SAID[gated])


def asked_for(code: Code) -> Iterator[tuple[Scope, Finding]]:
    for call in code.facts.calls:
        if is_http(call) and code.context(call.scope) is Context.BROWSER and (address := charging_address(code, call)):
            yield call.scope, requested(call, address, SAID[not books_for_show(code, address)])


SAID = {True: Confidence.LIKELY, False: Confidence.POSSIBLE}


def stored(code: Code) -> Iterator[Finding]:
    """A count in the browser's storage, and the limit that is decided from it: once each per file.

    A count without a limit is left alone: games keep credits of their own, and rankings count what is used most.
    """
    writes = [
        one for one in counting_writes(code) if code.context(one.scope) is not Context.TEST and is_mounted(code, one.scope)
    ]
    limit = decides_limit(code) if writes else None
    if limit is None:
        return
    yield Finding(
        span=writes[0].span,
        description=f"{writes[0].title} counts usage in the user's own storage: clearing or editing it makes the usage free.",
        remediation="Count on the server, per account, in the endpoint that does the work; here only show its answer.",
        confidence=Confidence.LIKELY,
    )
    yield Finding(
        span=limit.span,
        description=f"`{code.facts.text(limit.span)}` decides a usage limit from what its user can change or clear.",
        remediation="Test the limit on the server before the metered work, and refuse there; here only show the outcome.",
        confidence=Confidence.LIKELY,
        trace=(Step(writes[0].span, "the count it relies on is kept here"),),
    )


def is_portal(emission: Emission) -> bool:
    """Tokens made for browsers, which may read or report for one customer only."""
    return any(word in emission.call.folded for word in PORTAL)


def writes_database(counter: Counter) -> bool:
    """A browser's own write to a hosted database; the setter of a state container is none."""
    if counter.call is None or counter.change not in (Change.ADD, Change.SUBTRACT):
        return False
    return any(word in counter.call.folded for word in STORES)


def charging_address(code: Code, call: Call) -> str | None:
    """The address of a request that says that it books usage: `/api/deduct-credits`, `/api/usage/increment`."""
    address = next((text for argument in call.arguments[:1] if (text := leading_text(argument.value))), "")
    said = frozenset(words(address.split("?")[0]))
    charges = said & CHARGES and (said & BALANCES)
    reports = said & REPORTS and said & {"usage"} and code.billing
    if not (charges or reports) or not sends(code, call) or for_staff(code, address):
        return None
    return address


def for_staff(code: Code, address: str) -> bool:
    """Whether no customer can have anything of the request: it lies among pages of administrators, or is refused to others."""
    places = {word for part in (*code.facts.path.split("/")[:-1], *address.split("?")[0].split("/")) for word in words(part)}
    if places & STAFF:
        return True
    answering = tuple(handlers_at(code, address))
    return bool(answering) and all(REFUSES.search(one.facts.source) for one in answering)


def books_for_show(code: Code, address: str) -> bool:
    """Whether all that the endpoint books is a figure that nobody is limited or charged by, beside the balance that is paid."""
    booked = [(one, emission) for one in handlers_at(code, address) for emission in one.emissions]
    return bool(booked) and all(not one.direct and only_shown_beside(other, one.call) for other, one in booked)


def handlers_at(code: Code, address: str) -> Iterator[Code]:
    """The files that answer an address where folders are addresses: `app/api/deduct-credits/route.ts`."""
    graph = graph_of(code)
    steps = [one for one in address.split("?")[0].strip("/").split("/") if one]
    if graph is None or not steps:
        return
    for digest in graph.digests:
        folders = PurePosixPath(digest.path).with_suffix("").parts
        place = folders[:-1] if folders[-1:] in (("route",), ("index",)) else folders
        if place[-2:] == tuple(steps[-2:]) and (other := code.elsewhere.code_of(digest.path)) is not None:
            yield other


def sends(code: Code, call: Call) -> bool:
    """Whether the request writes: `axios.post(…)`, `fetch(…, { method: "POST" })`."""
    if fold(call.method) in ("post", "put", "patch"):
        return True
    options = [entry for argument in call.arguments for entry in getattr(argument.value, "entries", ())]
    return any(
        fold(entry.name or "") == "method" and isinstance(entry.value, Literal) and bool(SENDING.match(str(entry.value.value)))
        for entry in options
    )


def emitted(emission: Emission) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"This {emission.title} is sent by the browser: the key is exposed, and the user decides what to send.",
        remediation="Send it from the server, in the endpoint that does the metered work.",
        confidence=Confidence.CERTAIN,
    )


def written(counter: Counter, confidence: Confidence) -> Finding:
    return Finding(
        span=counter.span,
        description=f"The browser itself writes `{counter.name}`: its user can leave that out or write another number.",
        remediation=f"Change `{counter.name}` on the server, where the work is done, and forbid clients to write it.",
        confidence=confidence,
    )


def requested(call: Call, address: str, confidence: Confidence) -> Finding:
    return Finding(
        span=call.span,
        description=f"The browser asks `{address}` to change what is counted or paid: its user can leave that out or alter it.",
        remediation="Book it on the server, in the endpoint that does the metered work or hears of the payment.",
        confidence=confidence,
    )


EXAMPLES = (
    Example(
        "typescript",
        """
const STORAGE_KEY = "studio_usage";
const DAILY_LIMIT = 5;

export function record(): void {
  const usage = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
  usage.count = (usage.count || 0) + 1;
  localStorage.setItem(STORAGE_KEY, JSON.stringify(usage));  // <- finding
}

export function allowed(): boolean {
  const usage = JSON.parse(localStorage.getItem(STORAGE_KEY) ?? "{}");
  return usage.count < DAILY_LIMIT;  // <- finding
}
""",
    ),
    Example(
        "tsx",
        """
"use client";
import { useState } from "react";

export function Generator({ supabase, user }: Props) {
  const [image, setImage] = useState<string>();

  async function generate() {
    setImage(await render());
    await fetch("/api/deduct-credits", {  // <- finding
      method: "POST",
      body: JSON.stringify({ userId: user.id }),
    });
  }

  async function upscale() {
    setImage(await enlarge());
    await supabase.from("profiles").update({ credits: user.credits - 1 }).eq("id", user.id);  // <- finding
  }

  return <button onClick={generate}>{image ?? "Generate"}</button>;
}
""",
    ),
    Example(
        "javascript",
        """
let used = Number(sessionStorage.getItem("free_generations")) || 0;
const MAX_FREE = 3;

export function canGenerate() {
  return used < MAX_FREE;  // <- finding
}

export function generated() {
  used += 1;
  sessionStorage.setItem("free_generations", String(used));  // <- finding
}
""",
    ),
    Example(
        "tsx",
        """
"use client";
import { useEffect, useState } from "react";

export function UsageBanner() {
  const [usage, setUsage] = useState<{ used: number; limit: number }>();
  const [hidden, setHidden] = useState(localStorage.getItem("usage-banner-dismissed") === "true");

  useEffect(() => {
    fetch("/api/usage").then((answer) => answer.json()).then((shown) => {
      localStorage.setItem("usage", JSON.stringify(shown));
      setUsage(shown);
    });
  }, []);

  function dismiss() {
    localStorage.setItem("usage-banner-dismissed", "true");
    setHidden(true);
  }

  if (hidden || !usage) return null;
  return <p onClick={dismiss}>{usage.used >= usage.limit ? "Limit reached, upgrade your plan" : usage.used}</p>;
}
""",
    ),
    Example(
        "typescript",
        """
let credits = Number(localStorage.getItem("credits"));

export function buy(cost: number): boolean {
  if (credits < cost) return false;
  credits -= cost;
  localStorage.setItem("credits", String(credits));
  return true;
}
""",
    ),
    Example(
        "tsx",
        """
"use client";

export function TestTools({ organization }: Props) {
  async function consume() {
    await fetch(`/admin/api/organizations/${organization}/consume-credits`, { method: "POST" });
  }

  return <button onClick={consume}>Consume</button>;
}
""",
        path="src/app/admin/components/test-tools.tsx",
    ),
)
