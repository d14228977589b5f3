"""The Autumn client is made without `failOpen: false`, and usage is tracked through it.

By default the SDK answers as if all were well when Autumn cannot be reached: `track` returns success, nothing is raised, and
that usage is lost without a trace. Turn it off on the client that tracks, so that the failure reaches a retry; where access
should stay open during an outage, use a second client for the checks.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Object, fold
from rules.meaning.arguments import given
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.providers import imports
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step
from rules.tracing.uncalled import uncalled

ABOUT = About(
    id="MTR-124",
    title="Autumn SDK left fail-open, so failed track() looks successful",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E3", "L3"),
    cwe=("CWE-636", "CWE-1188"),
    iso_25010="Security / integrity; Reliability",
)


def check(code: Code) -> Iterator[Finding]:
    tracked = next((one for one in code.emissions if fails_open(code, one) and not uncalled(code, one.scope)), None)
    if tracked is None or stated(code):
        return
    for call in code.facts.calls:
        if makes_client(call) and code.context(call.scope) is not Context.TEST:
            options = given(code.values, call)
            if options.complete and not {"failopen"} & set(options.named):
                yield left_open(code, call, tracked)


def fails_open(code: Code, emission: Emission) -> bool:
    return (
        emission.record is not None
        and emission.record.fails_open
        and emission.provider is not None
        and emission.provider.id == "autumn"
        and imports(emission.provider, code.facts.packages, code.facts.language)
    )


def makes_client(call: Call) -> bool:
    return fold(call.method) in ("autumn", "autumnclient", "asyncautumn")


def stated(code: Code) -> bool:
    """A comment that speaks of failing open is a decision."""
    return any("fail" in comment.text.lower() and "open" in comment.text.lower() for comment in code.facts.comments)


def left_open(code: Code, call: Call, tracked: Emission) -> Finding:
    return Finding(
        span=call.span,
        cause=call.span,
        description="This client fails open: when Autumn cannot be reached, `track` reports success and the usage is lost.",
        remediation=f"Pass `{option(code)}` to the client that tracks usage, and retry what then fails.",
        confidence=Confidence.LIKELY,
        trace=(Step(tracked.call.span, "usage is tracked here"),),
        fix=closed(code, call),
    )


def option(code: Code) -> str:
    """As a keyword argument, or as an entry of the options."""
    keyword, false = code.facts.idioms.keyword, code.facts.idioms.false
    return keyword.format("fail_open", false) if keyword else f"failOpen: {false}"


def closed(code: Code, call: Call) -> Fix | None:
    """One more option in the constructor. Not one-click: it changes what callers see during an outage."""
    last = call.arguments[-1] if call.arguments else None
    if code.facts.idioms.keyword:
        start = last.span.end if last else call.span.end - 1
        return Fix("Let failures be seen", (Edit(start, start, (", " if last else "") + option(code)),), safe=False)
    if last is not None and isinstance(last.value, Object) and last.value.entries:
        end = last.value.entries[-1].span.end
        return Fix("Let failures be seen", (Edit(end, end, ", " + option(code)),), safe=False)
    return None


EXAMPLES = (
    Example(
        "python",
        """
from autumn_sdk import Autumn

autumn = Autumn(secret_key=KEY)  # <- finding

def record(customer, tokens, key):
    autumn.track(customer_id=customer, feature_id="tokens", value=tokens, idempotency_key=key)
""",
    ),
    Example(
        "python",
        """
from autumn_sdk import Autumn

autumn = Autumn(secret_key=KEY, fail_open=False)

def record(customer, tokens, key):
    autumn.track(customer_id=customer, feature_id="tokens", value=tokens, idempotency_key=key)
""",
    ),
    Example(
        "typescript",
        """
import { Autumn } from "autumn-js";

const autumn = new Autumn({ secretKey: process.env.AUTUMN_KEY });  // <- finding

export async function record(customer: string, tokens: number, key: string) {
  await autumn.track({ customerId: customer, featureId: "tokens", value: tokens, idempotencyKey: key });
}
""",
    ),
    Example(
        "typescript",
        """
import { Autumn } from "autumn-js";

const autumn = new Autumn({ secretKey: process.env.AUTUMN_KEY, failOpen: false });

export async function record(customer: string, tokens: number, key: string) {
  await autumn.track({ customerId: customer, featureId: "tokens", value: tokens, idempotencyKey: key });
}
""",
    ),
)
