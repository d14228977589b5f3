"""A key, an entitlement or a balance is verified, and the answer is not looked at.

These calls answer a refusal as a normal result: HTTP 200 with `valid: false`, `allowed: false`, `success: false`. Code that
only waits for the call lets everyone through, with revoked keys and with used-up plans. Test the field that holds the
verdict, and refuse before any work is done.
"""

import re
from collections.abc import Iterator

from rules import providers
from rules.code import Code
from rules.facts import Call, Kind, Member, Scope, Span, Start, Use, dotted, enclosing, fold, walk
from rules.meaning import wording
from rules.meaning.answers import answer_of
from rules.meaning.contexts import Context
from rules.meaning.limits import gates
from rules.meaning.usage.takings import outer_of
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity

ABOUT = About(
    id="MTR-412",
    title="Answer of a key, entitlement or balance check is not tested",
    severity=Severity.CRITICAL,
    classification=Classification.VULNERABILITY,
    classes=("L3", "L6"),
    cwe=("CWE-253", "CWE-863"),
    iso_25010="Security / integrity",
)
VERDICTS = frozenset("valid allowed success code hasaccess permitted entitled checkerrors".split())
ASKS = frozenset("has is can".split())
TAKES_ALONG = frozenset("sendevent sendusage".split())
"""A check that also records: some use it for the record alone."""


def check(code: Code) -> Iterator[Finding]:
    for call in code.facts.calls:
        if code.context(call.scope) in (Context.TEST, Context.BROWSER) or call.start is Start.DEFERRED:
            continue
        matched = providers.match(call.folded, code.facts.packages, code.facts.language)
        if matched is not None and sends(code, call):
            continue
        if matched is not None and matched[1].role == "check" and matched[1].verdict:
            yield from unread(code, call, matched[1])
        elif matched is None and is_question(code, call):
            yield of_own(code, call)


def sends(code: Code, call: Call) -> bool:
    """`services.check(…).execute()` is one check: the call that it ends was looked at already."""
    inner = call.receiver
    return isinstance(inner, Call) and providers.match(inner.folded, code.facts.packages, code.facts.language) is not None


def unread(code: Code, call: Call, record: providers.Call) -> Iterator[Finding]:
    """A provider's check whose verdict is not named after it."""
    if any(word in fold(code.facts.text(call.span)) for word in TAKES_ALONG):
        return
    end = end_of(code, call)
    answer = answer_of(code, end)
    if not answer.dropped and (end.use is not Use.ASSIGNED or answer.passed_on or "*" in record.verdict):
        return
    if hands_on(code, end, answer.names):
        return
    verdicts = VERDICTS | {fold(one).rpartition(".")[2] for one in record.verdict}
    if not names_any(code, end.scope, call.span.end, verdicts):
        yield finding(call.span, record, Confidence.CERTAIN if answer.dropped else Confidence.LIKELY)


def hands_on(code: Code, end: Call, names: frozenset[str]) -> bool:
    """Whether a part of the answer is returned or printed for someone else to judge."""
    given = [argument.value for call in code.facts.calls if call.span.start > end.span.end for argument in call.arguments]
    given += [one.value for one in code.facts.returns if one.value is not None and one.span.start > end.span.end]
    return any(isinstance(part, Member) and dotted(part).split(".")[0] in names for value in given for part in walk(value))


def end_of(code: Code, call: Call) -> Call:
    """The end of `.then(…)`, `.Context(ctx).Do()` and their kind."""
    outer = outer_of(code.facts)
    while id(call) in outer and outer[id(call)].receiver is call:
        call = outer[id(call)]
    return call


def names_any(code: Code, scope: Scope, start: int, fields: frozenset[str]) -> bool:
    """Whether a field is named from the call to the end of its function, or in the pattern that it is assigned to."""
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE)
    if function is None:
        return True
    end = code.facts.source.rfind(b"\n", 0, start) + 1
    before = code.facts.source[end:start].partition(b"=")[0]
    text = (before + b" " + code.facts.source[start : function.span.end]).decode(errors="replace")
    return any(fold(word).removeprefix("get") in fields for word in re.findall(r"\w+", text))


def is_question(code: Code, call: Call) -> bool:
    """`await hasEnoughCredits(user)` as a statement: a question whose answer nobody hears. Others may refuse by raising."""
    said = words(call.method)
    return bool(said) and said[0] in ASKS and call.use is Use.DISCARDED and gates.is_gate(code, call)


def finding(span: Span, record: providers.Call, confidence: Confidence) -> Finding:
    field = wording.cased(record.verdict[0], record.help) if record.verdict[0] != "*" else "the value"
    return Finding(
        span=span,
        description=(
            f"{record.title} answers a refusal like a success, and `{field}` is not looked at: revoked keys and used-up plans "
            "get through."
        ),
        remediation=f"Test `{field}` and refuse (401, 402 or 403) before the work. {record.help}".strip(),
        confidence=confidence,
        cause=span,
    )


def of_own(code: Code, call: Call) -> Finding:
    fail = code.facts.idioms.fail
    return Finding(
        span=call.span,
        description=f"`{call.name}` is asked and its answer is dropped: whoever has nothing left gets through.",
        remediation=f"Refuse when `{call.method}` says no: test it, or let it {fail} and name it `assert…`.",
        confidence=Confidence.LIKELY,
        cause=call.span,
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import { Unkey } from "@unkey/api";

const unkey = new Unkey({ rootKey: process.env.UNKEY_ROOT_KEY! });

export async function POST(request: Request) {
  const key = request.headers.get("authorization")!;
  await unkey.keys.verifyKey({ key });  // <- finding
  return Response.json(await generate(await request.json()));
}

export async function PUT(request: Request) {
  const answer = await unkey.keys.verifyKey({ key: request.headers.get("authorization")! });  // <- finding
  if (!answer) return new Response("unauthorized", { status: 401 });
  return Response.json(await generate(await request.json()));
}

export async function PATCH(request: Request) {
  await hasEnoughCredits(request.headers.get("x-user"));  // <- finding
  return Response.json(await generate(await request.json()));
}
""",
    ),
    Example(
        "typescript",
        """
import { Unkey } from "@unkey/api";

const unkey = new Unkey({ rootKey: process.env.UNKEY_ROOT_KEY! });

export async function POST(request: Request) {
  const { data } = await unkey.keys.verifyKey({ key: request.headers.get("authorization")! });
  if (!data.valid) return new Response(data.code, { status: 401 });
  return Response.json(await generate(await request.json()));
}

export async function verify(key: string) {
  return unkey.keys.verifyKey({ key });
}
""",
    ),
    Example(
        "python",
        """
from autumn_sdk import Autumn

autumn = Autumn(token=TOKEN)


def generate(customer_id, prompt):
    autumn.check(customer_id=customer_id, feature_id="images")  # <- finding
    return render(prompt)
""",
    ),
    Example(
        "python",
        """
from autumn_sdk import Autumn

autumn = Autumn(token=TOKEN)


def generate(customer_id, prompt):
    answer = autumn.check(customer_id=customer_id, feature_id="images")
    if not answer.allowed:
        raise PaymentRequired()
    return render(prompt)
""",
    ),
    Example(
        "go",
        """
package api

import "google.golang.org/api/servicecontrol/v1"

func admit(ctx context.Context, service *servicecontrol.Service, request *servicecontrol.CheckRequest) error {
	_, err := service.Services.Check("images.example.com", request).Context(ctx).Do()  // <- finding
	return err
}
""",
    ),
    Example(
        "go",
        """
package api

import "google.golang.org/api/servicecontrol/v1"

func admit(ctx context.Context, service *servicecontrol.Service, request *servicecontrol.CheckRequest) error {
	answer, err := service.Services.Check("images.example.com", request).Context(ctx).Do()
	if err != nil {
		return err
	}
	if len(answer.CheckErrors) > 0 {
		return ErrNotEntitled
	}
	return nil
}
""",
    ),
)
