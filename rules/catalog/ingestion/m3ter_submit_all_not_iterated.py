"""m3ter's `usage.submit_all` is called and its generator is never run through.

The helper sends one chunk of measurements for each step of a loop over it. Called as a statement, awaited, or kept in a
variable that nobody iterates, it sends nothing at all and raises no error: not one measurement is billed. Wrap the call in
`list(…)` or loop over it and look at each answer.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Expression, Kind, Loop, Name, Use, enclosing, walk
from rules.meaning.contexts import Context
from rules.meaning.usage.emissions import Emission
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity

ABOUT = About(
    id="MTR-123",
    title="m3ter usage.submit_all called without iterating the generator",
    severity=Severity.CRITICAL,
    classification=Classification.DEFICIENCY,
    classes=("E2",),
    cwe=("CWE-252",),
    iso_25010="Functional suitability / functional correctness",
)


def check(code: Code) -> Iterator[Finding]:
    for emission in code.emissions:
        if emission.record is None or emission.record.returns != "generator" or code.context(emission.scope) is Context.TEST:
            continue
        dropped = emission.call.use is Use.DISCARDED
        if dropped or (emission.call.use is Use.ASSIGNED and never_used(code, emission)):
            yield unsent(emission, dropped)


def never_used(code: Code, emission: Emission) -> bool:
    """Whether the variable that holds the generator is read nowhere in its function."""
    target = emission.call.targets[0] if emission.call.targets else None
    if not isinstance(target, Name):
        return False
    function = enclosing(emission.scope, Kind.FUNCTION, Kind.MODULE)
    used = (part for value in read(code) for part in walk(value))
    return function is not None and not any(
        isinstance(part, Name)
        and part.text == target.text
        and part.span.start > emission.call.span.end
        and function.span.holds(part.span)
        for part in used
    )


def read(code: Code) -> Iterator[Expression | None]:
    for call in code.facts.calls:
        yield from (argument.value for argument in call.arguments)
        yield call.callee
    yield from (one.value for one in code.facts.returns)
    yield from (one.value for one in code.facts.assigns)
    yield from (one.value for one in code.facts.tests)
    for scope in code.facts.scopes:
        if isinstance(scope.head, Loop):
            yield scope.head.iterates


def unsent(emission: Emission, dropped: bool) -> Finding:
    span = emission.call.span
    iterated = Fix("Run through the generator", (Edit(span.start, span.start, "list("), Edit(span.end, span.end, ")")))
    return Finding(
        span=span,
        cause=span,
        description=f"`{emission.call.name}` is a generator that nothing iterates: not one measurement is sent.",
        remediation="Wrap it in `list(…)`, or loop over it and look at each answer.",
        confidence=Confidence.CERTAIN,
        fix=iterated if dropped else None,
    )


EXAMPLES = (
    Example(
        "python",
        """
from m3ter import M3ter

client = M3ter()

def report(measurements):
    client.usage.submit_all(measurements=measurements)  # <- finding

def report_later(measurements):
    answers = client.usage.submit_all(measurements=measurements)  # <- finding
""",
    ),
    Example(
        "python",
        """
from m3ter import M3ter

client = M3ter()

def report(measurements):
    list(client.usage.submit_all(measurements=measurements))

def report_each(measurements):
    for answer in client.usage.submit_all(measurements=measurements):
        print(answer)

def report_later(measurements):
    answers = client.usage.submit_all(measurements=measurements)
    return [answer.result for answer in answers]
""",
    ),
)
