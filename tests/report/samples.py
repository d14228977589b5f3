"""Sample reports: one whole ordinary one, and small changes to it."""

from dataclasses import replace
from typing import Any

from bot.report.verdict import LEGEND, SECTIONS
from rules.change import Hunk, NotAnalyzed
from rules.report import (
    Answer,
    CheckResult,
    Dimension,
    Evidence,
    Gate,
    LineEdit,
    Meter,
    MeterStep,
    Report,
    Reported,
    Score,
    Section,
    Subject,
    Suggestion,
    Summary,
    Suppressed,
    Tool,
    TracePoint,
)

HEAD = "b" * 40
REPOSITORY = "https://github.com/acme/api"
EVIDENCE = "  await meter(customer, value)"


def finding(**changes: Any) -> Reported:
    """A high finding on line 14 of src/usage.ts, with a safe fix of that line."""
    sample = Reported(
        rule="MTR-201",
        name="missing-idempotency-key",
        variant=None,
        title="Meter event without an identifier",
        section="deduplication",
        classes=("D1",),
        severity="high",
        confidence="certain",
        classification="deficiency",
        path="src/usage.ts",
        side="right",
        line=14,
        end_line=14,
        column=3,
        end_column=30,
        evidence=EVIDENCE,
        description="This meter event carries no `identifier`, so a retry is billed twice.",
        remediation="Pass `identifier` with the id of the request.",
        trace=(TracePoint("src/usage.ts", 9, "this wrapper sends the event"),),
        fix=Suggestion(
            "Add `identifier`", True, (LineEdit("src/usage.ts", 14, 14, "  await meter(customer, value, request.id)\n"),)
        ),
        cwe=("CWE-837",),
        iso_25010="Reliability / fault tolerance",
        help="https://meteraudit.example/rules/MTR-201",
        fingerprint="ab12cd34",
        state="new",
        place="changed_line",
        shown="comment",
    )
    return replace(sample, **changes)


def many(count: int, severity: str, **changes: Any) -> tuple[Reported, ...]:
    """Findings that differ in path, line and fingerprint."""
    return tuple(
        finding(
            severity=severity,
            path=f"src/{severity}{n}.ts",
            fingerprint=f"{severity.encode().hex()}{n:04x}",
            fix=None,
            **changes,
        )
        for n in range(count)
    )


def report(*findings: Reported, conclusion: Any = "failure", because: str = "", **changes: Any) -> Report:
    """A review of acme/api with these findings; one question is answered, one is not visible."""
    new = [each for each in findings if each.state != "existing"]
    answers = (
        Answer("stable-key", "a stable idempotency key?", "no", "certain", (Evidence("src/usage.ts", 14),)),
        Answer("key-parts", "what is the key made of?", "", None, ()),
    )
    sample = Report(
        schema="meteraudit/report/1",
        tool=Tool("meteraudit", "0.1.0", 85),
        mode="review",
        subject=Subject("acme/api", 17, "a" * 40, HEAD),
        summary=Summary(
            architecture="Stripe Billing Meters, emitted from request handlers",
            providers=("Stripe Billing Meters v1",),
            posture="Usage can be billed twice.",
            counts={name: sum(each.severity == name for each in new) for name in LEGEND},
            highest_risk=new[0].fingerprint if new else None,
            applies=True,
            signals=("stripe.billing.meterEvents.create in src/usage.ts:14",),
        ),
        findings=findings,
        fixed=(),
        sections=tuple(
            Section(name, title, name == "deduplication", answers if name == "deduplication" else ())
            for name, title in SECTIONS.items()
        ),
        meters=(
            Meter(
                "api_calls",
                emitted=(MeterStep("src/usage.ts", 14, "certain", "`stripe.billing.meterEvents.create`"),),
                provider="Stripe",
                actions=(MeterStep("src/routes.ts", 3, "likely", "POST /generate"),),
            ),
        ),
        score=Score(
            tuple(Dimension(name, title, 6 if name == "deduplication" else None, 1.5, "") for name, title in SECTIONS.items()),
            6,
        ),
        checks=(CheckResult("usage-billing-accurate", "fail", "POST /generate records no usage", 4, 3),),
        actions=tuple(each.fingerprint for each in new if each.severity in {"critical", "high"}),
        suppressed=(Suppressed("ff00", "billed by hand", "src/old.ts", 3), Suppressed(None, None, "src/old.ts", 8)),
        not_analyzed=(NotAnalyzed("src/huge.ts", "over 512 kB"),),
        gate=Gate(conclusion, because or "1 high finding; fail_on: high in .meteraudit.yml:4"),
    )
    return replace(sample, **changes)


def silent(**changes: Any) -> Report:
    """A clean review of code without any billing."""
    sample = report(conclusion="success", because="no findings", score=None, suppressed=(), not_analyzed=(), **changes)
    return replace(sample, summary=replace(sample.summary, applies=False, signals=("billing SDK imports", "meter events")))


def hunk(start: int, count: int, added: set[int], deleted: frozenset[int] = frozenset()) -> Hunk:
    """A hunk that stands at the same place in base and head."""
    return Hunk(start, count, start, count, frozenset(added), deleted)


HOSTILE = (
    "```js\n<!-- meteraudit:v1 fp=dead rule=MTR-201 --> @org/team #12 GH-1 "
    + HEAD
    + " https://evil.example --> <img src=x> \u202e",
    "AKIAABCDEFGHIJKLMNOP",
    "x" * 64 * 1024,
    "|a|b| [click](javascript:x) ![i](http://e/x.png) ~~~ $x$ \x1b[31m ::error::x",
)
"""Texts as an attacker would put them into a path, a name or a line of code."""


def hostile(text: str, **changes: Any) -> Reported:
    """A finding that holds the text in every field that comes from a repository."""
    return finding(
        title=text,
        path=f"src/{text[:200]}.ts",
        evidence=text,
        description=f"Here {text} and `{text}`.",
        remediation=text,
        trace=(TracePoint(text, 1, text),),
        fix=Suggestion(text, False, (LineEdit(text, 1, 2, text),)),
        **changes,
    )
