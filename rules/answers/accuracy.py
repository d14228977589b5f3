"""The check `usage-billing-accurate`, which sums the report up: pass, fail or skip with one sentence."""

from rules.answers.seen import Seen, Way, called
from rules.report import CheckResult, Reported

NAME = "usage-billing-accurate"
CLIENT, SKIPPED, LATE = ("E10", "E11"), ("E12",), ("E13",)
"""Classes of defects that break it: usage that a client keeps or sets, an action without a record, a report too late."""


def accurate(seen: Seen) -> CheckResult:
    """Counts every metered action of the analysed code. Skip where nothing there records usage."""
    missing = [one for one in seen.actions if not one.recorded]
    counts = (len(seen.actions), len(seen.actions) - len(missing)) if seen.actions else (None, None)
    if broken := fault(seen):
        return CheckResult(NAME, "fail", broken, *counts)
    if not seen.recorded and not seen.actions:
        # A limit alone is a sign of billing, and bills nothing.
        some = any(code.limits for code in seen.billing)
        why = "Nothing in the analysed code records usage." if some else "No usage-based billing in the analysed code."
        return CheckResult(NAME, "skip", why, *counts)
    if seen.actions:
        number = len(seen.actions)
        what = f"All {number} metered actions record their" if number > 1 else f"`{called(seen.actions[0])}` records its"
        return CheckResult(NAME, "pass", f"{what} usage on the server.", *counts)
    return CheckResult(NAME, "pass", "Usage is recorded on the server; nothing here skips it or lets a client set it.", *counts)


def fault(seen: Seen) -> str:
    """One sentence that names the place; empty if nothing breaks it."""
    if found := first(seen, CLIENT):
        return told(found)
    browser = next((one for one in seen.reports if seen.way(one) is Way.BROWSER), None)
    if browser is not None:
        return f"The browser reports usage itself in {browser.code.facts.path}:{browser.span.line}."
    missing = next((one for one in seen.actions if not one.recorded), None)
    if missing is not None:
        return f"{called(missing)} in {missing.path}:{missing.line} records no usage."
    found = first(seen, SKIPPED) or first(seen, LATE)
    return told(found) if found else ""


def first(seen: Seen, classes: tuple[str, ...]) -> Reported | None:
    """The gravest finding whose first class is one of these."""
    return next((one for one in seen.findings if one.classes[:1] and one.classes[0] in classes), None)


def told(finding: Reported) -> str:
    return f"{finding.title} in {finding.path}:{finding.line}."
