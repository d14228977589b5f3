"""An API key or personal data is logged where usage is metered, or sent along with the usage event.

Logs and billing providers are read by many and kept for long. A key in them works for whoever reads it, and names, addresses
and prompts are personal data that nobody needs for a bill. Log an id, and send only what the meter adds up or groups by.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Index, Kind, Literal, Member, Name, Template, enclosing, fold
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.requests import carried
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-604",
    title="Secret or personal data beside usage",
    severity=Severity.MEDIUM,
    classification=Classification.VULNERABILITY,
    classes=("X",),
    cwe=("CWE-532",),
    iso_25010="Security / confidentiality",
)
LOGS = frozenset("tracing console logger logging log slog".split())
LEVELS = frozenset(
    "loginformation logdebug logtrace logwarning logerror logcritical "
    "log info debug warn warning error exception print printf println infof debugf errorf warnf".split()
)
SECRETS = frozenset(
    "apikey secretkey accesstoken authtoken password bearertoken privatekey stripesecretkey clientsecret".split()
)
PERSONAL = frozenset("email prompt ipaddress clientip useremail phone phonenumber".split())
SAFE = frozenset("hash hashed masked id prefix last name redacted suffix fingerprint".split())


def check(code: Code) -> Iterator[Finding]:
    if not code.billing:
        return
    metered = {enclosing(one.scope, Kind.FUNCTION) for one in code.emissions} - {None}
    for call in code.facts.calls:
        if is_log(call) and enclosing(call.scope, Kind.FUNCTION) in metered and code.context(call.scope) is not Context.TEST:
            secret = next((part for one in call.arguments for part in plain_parts(one.value) if names(part, SECRETS)), None)
            if secret is not None:
                yield logged(code, call, secret)
    for emission in code.emissions:
        if emission.direct and code.context(emission.scope) is not Context.TEST:
            yield from sent(code, emission)


def is_log(call: Call) -> bool:
    *before, _ = call.folded.split(".")
    return (
        bool(before) and bool(LOGS & {before[0], before[-1].removesuffix("()")}) and fold(call.method) in LEVELS
    ) or call.folded == "print"


def plain_parts(value: Expression) -> Iterator[Expression]:
    """What is printed as it is: the value itself and the parts of a text, not what goes through a function first."""
    yield value
    if isinstance(value, Template):
        yield from value.parts


def names(part: Expression, what: frozenset[str]) -> bool:
    name = ""
    if isinstance(part, Name):
        name = part.text
    elif isinstance(part, Member):
        name = part.name
    elif isinstance(part, Index) and isinstance(part.key, Literal):
        name = str(part.key.value)
    return fold(name) in what and not SAFE & set(words(name))


def sent(code: Code, emission: Emission) -> Iterator[Finding]:
    inside = emission.record.quantity.inside if emission.record and emission.record.quantity else ()
    for argument in emission.call.arguments:
        for holder, value in carried(code, argument.value, emission.scope, emission.call.span.start):
            if fold(holder) not in inside:
                continue
            for name, held in carried(code, value, emission.scope, emission.call.span.start):
                if fold(name) in PERSONAL | SECRETS and isinstance(held, Name | Member):
                    yield Finding(
                        span=held.span,
                        description=f"`{name}` is sent to the provider with each event, where it is kept and shown.",
                        remediation=f"Leave `{name}` out; the customer's id is enough for a bill.",
                        confidence=Confidence.CERTAIN if fold(name) in SECRETS else Confidence.POSSIBLE,
                    )


def shown(code: Code, secret: Expression) -> str:
    """The value, and not the text around it: Rust and Kotlin name it within the string."""
    text = code.facts.text(secret.span)
    if isinstance(secret, Name) and not text.endswith(secret.text):
        return secret.text
    return text.removeprefix(code.facts.idioms.within_text)


def logged(code: Code, call: Call, secret: Expression) -> Finding:
    text = shown(code, secret)
    return Finding(
        span=call.span,
        description=f"`{text}` is written to the log as it is: whoever reads the log can use it.",
        remediation=f"Log an id or the last characters instead of `{text}`, and replace the key if it was logged before.",
        confidence=Confidence.CERTAIN,
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import { Polar } from "@polar-sh/sdk";
const polar = new Polar();

export async function report(customerId: string, apiKey: string, email: string, externalId: string) {
  console.log("reporting usage", apiKey);  // <- finding
  await polar.events.ingest({
    events: [{ name: "call", customerId, externalId, metadata: { calls: 1, email } }],  // <- finding
  });
}
""",
    ),
    Example(
        "python",
        """
def report(customer, api_key, tokens, key):
    logger.info(f"usage of {api_key}: {tokens}")  # <- finding
    record_usage(customer, tokens, idempotency_key=key)
""",
    ),
    Example(
        "typescript",
        """
import { Polar } from "@polar-sh/sdk";
const polar = new Polar();

export async function report(customerId: string, apiKey: Key, externalId: string) {
  console.log("reporting usage", apiKey.id, mask(apiKey));
  await polar.events.ingest({ events: [{ name: "call", customerId, externalId, metadata: { calls: 1 } }] });
}
""",
    ),
    Example(
        "python",
        """
def report(customer, api_key, tokens, key):
    logger.info("usage of %s: %s", api_key[-4:], tokens)
    record_usage(customer, tokens, idempotency_key=key)
""",
    ),
)
