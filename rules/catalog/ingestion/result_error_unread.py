"""A usage report tells its failure in the value it returns, and that value is not looked at.

`fetch` and most HTTP clients answer a refusal with a status, not an exception, and some SDKs return `{ data, error }`. Code
that only waits for such a call takes a refused report for a delivered one, and that usage is never billed. Test the status or
the error and raise, so that a retry can see the failure.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Assign, Branch, Call, Function, Kind, Name, Return, Scope, Start, Use, enclosing, fold, walk, within
from rules.meaning.answers import Answer, answer_of
from rules.meaning.contexts import Context
from rules.meaning.handlers import handlers_of
from rules.meaning.limits.limits import leaves
from rules.meaning.outcomes import logs, stores
from rules.meaning.usage.emissions import Emission, is_http
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.vocabulary import words
from rules.meaning.wording import capital
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Variant
from rules.tracing.purposes import at_stake
from rules.tracing.served import is_served
from rules.tracing.spared import only_noted, only_states
from rules.tracing.stakes import Stake, matters, stake
from rules.tracing.stored_counts import kept_in_store
from rules.tracing.stores import table_of_counter

ABOUT = About(
    id="MTR-103",
    title="SDK reports failure in its return value and the value is discarded",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E1", "E3"),
    cwe=("CWE-252", "CWE-253"),
    iso_25010="Reliability / fault tolerance",
    variants={
        "go-typed-nil-lago": Variant(
            "Go: *lago.Error stored in an error variable is never nil", Severity.MEDIUM, ("E3",), cwe=("CWE-253",)
        )
    },
    gives_way_to=("emit-not-awaited", "emit-error-swallowed"),
    unprompted=True,
)
QUIET = frozenset({Context.TEST, Context.BROWSER})
STATUS = frozenset(
    "ok status statuscode raiseforstatus issuccess iserror isok error code statustext success errors reason "
    "ensuresuccessstatuscode issuccessstatuscode errorforstatus".split()
)
NEVER_THROWS = frozenset("supabase supabaseadmin supabaseclient supabaseserver".split())
"""Clients whose calls resolve to `{ data, error }` and never reject, unless `throwOnError` is chained."""
RAISING = frozenset("axios got ky ofetch superagent postforentity postforobject".split())
"""HTTP clients that do raise on a status of 400 and more."""


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        if code.context(emission.scope) in QUIET:
            continue
        yield from by_typed_nil(code, emission)
        fields = reported_in(code, emission)
        if fields and emission.sent.start is not Start.DETACHED:
            yield from unread(code, emission, fields)
    yield from resolved_errors(code)


def reported_in(code: Code, emission: Emission) -> frozenset[str]:
    """The fields of the answer that tell a failure; none where failures are raised."""
    if emission.record is None:
        return frozenset()
    if emission.record.result_reports_errors and not is_http(emission.call):
        return frozenset(emission.record.result_reports_errors)
    raised = bool(RAISING & set(emission.call.folded.replace("()", "").split(".")))
    raised = raised or b"expectSuccess" in code.facts.source
    return STATUS if by_http(emission) and not raised else frozenset()


def by_http(emission: Emission) -> bool:
    """Whether the report is an HTTP request of the code's own, and not a method of an SDK that happens to be called so."""
    if not is_http(emission.call) or "raw" in emission.call.folded or not (emission.record and emission.record.urls):
        return False
    # `self._request(…)` is what an SDK calls on itself: it raises, or tells its callers in its own way.
    return emission.call.name.rpartition(".")[0] not in ("self", "this", "cls", "super()", "super")


def unread(code: Code, emission: Emission, fields: frozenset[str]) -> Iterator[Finding]:
    answer = answer_of(code, emission.sent)
    if fields & answer.fields:
        yield from only_logged(code, emission, answer, fields)
        return
    if answer.passed_on or (
        emission.sent.use is Use.DISCARDED and emission.sent.start is Start.PLAIN and code.facts.traits.promises
    ):
        return
    if fields is STATUS and checked_by_method(code, answer):
        return
    what = "status" if fields is STATUS else "`" + "`, `".join(sorted(fields)) + "`"
    certain = fields is not STATUS
    yield Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"{emission.title} tells a refusal in its {what}, which nothing reads: refused usage counts as delivered.",
        remediation=f"Test it and {code.facts.idioms.fail}, so that a retry hears of it: {advice(code, fields)}.",
        confidence=Confidence.CERTAIN if certain else Confidence.LIKELY,
        fix=raise_for_status(code, emission) if fields is STATUS else None,
    )


def advice(code: Code, fields: frozenset[str]) -> str:
    if fields is not STATUS:
        return code.facts.idioms.returned_error
    return code.facts.idioms.refusal


def checked_by_method(code: Code, answer: Answer) -> bool:
    """`assertOk(response)` and its kind are arguments, which `passed_on` covers; here only a test on the variable itself."""
    return any(isinstance(part, Name) and part.text in answer.names for test in code.facts.tests for part in walk(test.value))


def raise_for_status(code: Code, emission: Emission) -> Fix | None:
    """`requests.post(…)` as a statement: its answer can raise in place."""
    end = emission.sent
    if not code.facts.idioms.refuse_here or end.use is not Use.DISCARDED or end.start is not Start.PLAIN:
        return None
    return Fix("Raise on a refusal", (Edit(end.span.end, end.span.end, code.facts.idioms.refuse_here),))


def only_logged(code: Code, emission: Emission, answer: Answer, fields: frozenset[str]) -> Iterator[Finding]:
    """The status is tested, and the branch for a refusal just logs: `if (!res.ok) console.error(…)`."""
    for test in code.facts.tests:
        if test.then is None or test.span.start < emission.call.span.end or not isinstance(test.then.head, Branch):
            continue
        if enclosing(test.scope, Kind.FUNCTION) is not emission.function or not asks(code, test.value, answer, fields):
            continue
        inside = [call for call in code.facts.calls if within(call.scope, test.then)]
        silent = bool(inside) and all(logs(call) or call.use is not Use.DISCARDED for call in inside)
        failing = any(word in code.facts.text(test.then.span).lower() for word in ("error", "fail", "warn"))
        fail = code.facts.idioms.fail
        if (
            silent
            and failing
            and not leaves(code.facts, test.then)
            and not any(map(stores, inside))
            and not sets(code, test.then)
        ):
            yield Finding(
                span=test.span,
                cause=emission.call.span,
                description=f"When {emission.title} is refused, only a log line is written: that usage is lost.",
                remediation=f"{fail.capitalize()} here, or store the event and send it again later.",
                confidence=Confidence.LIKELY,
            )
            return


def asks(code: Code, value: object, answer: Answer, fields: frozenset[str]) -> bool:
    text = code.facts.text(value.span) if hasattr(value, "span") else ""
    return any(name in text for name in answer.names) and bool(fields & {fold(word) for word in names_in(text)})


def names_in(text: str) -> list[str]:
    return "".join(letter if letter.isalnum() or letter == "_" else " " for letter in text).split()


def sets(code: Code, branch: Scope) -> bool:
    """A branch that notes the failure somewhere leaves it to whoever reads that."""
    return any(within(assign.scope, branch) for assign in code.facts.assigns)


def resolved_errors(code: Code) -> Iterator[Finding]:
    """A usage row or counter written by a client that never raises, whose `error` nobody takes."""
    # The Python client of Supabase raises; that of JavaScript answers.
    for write in failing_writes(code) if code.facts.traits.promises else ():
        call, end = write.call, write.sent or write.call
        if call is None or end is None or code.context(write.scope) in QUIET or not never_throws(call):
            continue
        if not ignored(code, call, end):
            continue
        if "throwonerror" in code.facts.text(end.span).lower():
            continue
        yield Finding(
            span=call.span,
            cause=call.span,
            description=f"{capital(write.title)} never throws; it returns `error`, which nothing reads here.",
            remediation="Take `{ error }` from the answer and throw it, so that a failed write is noticed.",
            confidence=Confidence.LIKELY if matters_to_someone(code, write, call) else Confidence.POSSIBLE,
        )


def matters_to_someone(code: Code, write: UsageWrite, call: Call) -> bool:
    """Whether it runs, somebody is refused or charged by what is written, and it is not only looked at."""
    if not is_served(code, write.scope):
        return False
    counted = [one for one in code.counters if one.call is call]
    if not counted:
        if not code.elsewhere.whole:
            return matters(code, call)
        return stake(code.elsewhere.trace, code.facts.path, call) in (Stake.BILL, Stake.LIMIT)
    if kept_in_store(code, counted):
        return False
    names = [one.name for one in counted]
    return not (only_states(names) or only_noted(names)) and any(
        at_stake(code, one.name, table_of_counter(code, one), one.scope) for one in counted
    )


def ignored(code: Code, call: Call, end: Call) -> bool:
    """Nobody looks at `error`. A try around it does not help: nothing is raised into it."""
    answer = answer_of(code, end)
    if answer.passed_on or "error" in answer.fields or end.start is not Start.AWAITED:
        return False
    return all(isinstance(getattr(one.head, "guards", None), Scope) for one in handlers_of(code, call, end))


def never_throws(call: Call) -> bool:
    root = call.name.split(".")[0].removesuffix("()")
    return fold(root) in NEVER_THROWS or any("supabase" in words(segment) for segment in call.name.split(".")[:2])


def by_typed_nil(code: Code, emission: Emission) -> Iterator[Finding]:
    """Go: `Create` of the Lago SDK returns `*lago.Error`; held in a variable of type `error`, its nil is no nil."""
    if not code.facts.traits.errors_returned or emission.provider is None or emission.provider.id != "lago":
        return
    if emission.sent.use is Use.RETURNED and returns_error(emission.function):
        yield typed_nil(emission, "is returned as `error`")
        return
    error = emission.sent.targets[-1] if emission.sent.targets else None
    if not isinstance(error, Name) or error.text == "_":
        return
    if held_before(code, emission, error.text):
        yield typed_nil(emission, f"is put into `{error.text}`, which is an `error`")
    elif returns_error(emission.function) and returned_bare(code, emission, error.text):
        yield typed_nil(emission, f"is returned in `{error.text}` as `error`")


def returns_error(function: Scope | None) -> bool:
    head = function.head if function is not None else None
    return isinstance(head, Function) and head.returns.rstrip(") ").endswith("error")


def held_before(code: Code, emission: Emission, name: str) -> bool:
    """The variable was made by another call or as `var err error` earlier in the same block."""
    return any(
        sets_name(assign, name)
        and assign.span.end <= emission.call.span.start
        and enclosing(assign.scope, Kind.FUNCTION) is emission.function
        and within(emission.scope, assign.scope)
        and "*lago.Error" not in code.facts.text(assign.span)
        and not any(one.sent is assign.value for one in code.emissions)
        for assign in code.facts.assigns
    )


def sets_name(assign: Assign, name: str) -> bool:
    return any(isinstance(part, Name) and part.text == name for target in assign.targets for part in walk(target))


def returned_bare(code: Code, emission: Emission, name: str) -> bool:
    """`return err` outside a test for nil, where a nil of the wrong type goes out as an error."""
    return any(
        ends_in(one, name)
        and one.span.start > emission.call.span.end
        and enclosing(one.scope, Kind.FUNCTION) is emission.function
        and one.scope.kind is Kind.FUNCTION
        for one in code.facts.returns
    )


def ends_in(one: Return, name: str) -> bool:
    items = getattr(one.value, "items", (one.value,))
    return bool(items) and isinstance(items[-1], Name) and items[-1].text == name


def typed_nil(emission: Emission, how: str) -> Finding:
    return Finding(
        span=emission.call.span,
        cause=emission.call.span,
        description=f"The `*lago.Error` of this call {how}: a nil pointer in it is not nil, so success looks like failure.",
        remediation="Take it into a variable of its own (`_, lagoErr := …`) and return it only when `lagoErr != nil`.",
        confidence=Confidence.LIKELY,
        variant="go-typed-nil-lago",
    )


EXAMPLES = (
    Example(
        "python",
        """
import requests

def report(customer, tokens, key):
    requests.post("https://api.getlago.com/api/v1/events", json={"event": {"transaction_id": key}})  # <- finding

def report_loudly(customer, tokens, key):
    response = requests.post("https://api.getlago.com/api/v1/events", json={"event": {"transaction_id": key}})
    if response.status_code >= 400:  # <- finding
        print("error: usage was refused", response.text)
""",
    ),
    Example(
        "python",
        """
import requests

def report(customer, tokens, key):
    response = requests.post("https://api.getlago.com/api/v1/events", json={"event": {"transaction_id": key}})
    response.raise_for_status()

def post(customer, tokens, key):
    return requests.post("https://api.getlago.com/api/v1/events", json={"event": {"transaction_id": key}})
""",
    ),
    Example(
        "typescript",
        """
import { createUsageRecord } from "@lemonsqueezy/lemonsqueezy.js";

export async function report(item: string, tokens: number) {
  await createUsageRecord({ subscriptionItemId: item, quantity: tokens, action: "increment" });  // <- finding
}

export async function send(event: LagoEvent) {
  await fetch("https://api.getlago.com/api/v1/events", {  // <- finding
    method: "POST", body: JSON.stringify({ event }),
  });
}

export async function save(supabase: SupabaseClient, row: UsageRow) {
  await supabase.from("usage_logs").insert(row);  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
import { createUsageRecord } from "@lemonsqueezy/lemonsqueezy.js";
import axios from "axios";

export async function report(item: string, tokens: number) {
  const { error } = await createUsageRecord({ subscriptionItemId: item, quantity: tokens, action: "increment" });
  if (error) throw error;
}

export async function send(event: LagoEvent) {
  const response = await fetch("https://api.getlago.com/api/v1/events", { method: "POST", body: JSON.stringify({ event }) });
  if (!response.ok) throw new Error(`usage refused: ${response.status}`);
  await axios.post("https://api.getlago.com/api/v1/events", { event });
}

export async function save(supabase: SupabaseClient, row: UsageRow) {
  await supabase.from("usage_logs").insert(row).throwOnError();
  const { error } = await supabase.from("usage_logs").insert(row);
  if (error) throw error;
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	lago "github.com/getlago/lago-go-client"
)

func report(ctx context.Context, client *lago.Client, input *lago.EventInput) error {
	_, err := client.Event().Create(ctx, input)  // <- finding
	return err
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"

	lago "github.com/getlago/lago-go-client"
)

func report(ctx context.Context, client *lago.Client, input *lago.EventInput) error {
	_, lagoErr := client.Event().Create(ctx, input)
	if lagoErr != nil {
		return lagoErr
	}
	return nil
}
""",
    ),
    Example(
        "python",
        """
class MeterEvents:
    def create(self, params, options):
        self._request("post", "https://api.stripe.com/v2/billing/meter_events", params=params, options=options)
""",
    ),
)
