"""A finding's identity across pushes: no line number and no revision in it, so that moved code stays the same finding."""

import hashlib
from collections import Counter
from collections.abc import Iterable

from rules.code import Code
from rules.facts import Scope, Span
from rules.rule import Finding


def fingerprints(code: Code, rule: str, path: str, findings: Iterable[Finding]) -> list[str]:
    """One for each finding of a rule in a file, in order.

    Made of rule, path (at the base if the file has one there), the flagged text with white space collapsed, the enclosing
    symbol, and the count of equal ones before it.
    """
    seen: Counter[tuple[str, str, str]] = Counter()
    made = []
    for finding in findings:
        place = code.base if finding.at_base and code.base is not None else code
        text = " ".join(place.facts.text(finding.span).split())
        symbol = place.function_name(innermost(place, finding.span))
        key = (finding.variant or "", text, symbol)
        whole = "\0".join((rule, path, *key, str(seen[key])))
        seen[key] += 1
        made.append(hashlib.sha256(whole.encode(errors="replace")).hexdigest()[:32])
    return made


def innermost(code: Code, span: Span) -> Scope:
    """The smallest scope around a span."""
    holding = [scope for scope in code.facts.scopes if scope.span.holds(span)]
    return min(holding, key=lambda scope: scope.span.end - scope.span.start, default=code.facts.root)
