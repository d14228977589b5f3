"""Takes what looks like a secret out of everything that is shown: a review is read by more people than the code."""

import math
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from rules.report import Report, Reported, Suggestion

MASK = "[masked]"

_PEM = re.compile(r"(-----BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----).*?(?:-----END [A-Z0-9 ]{0,60}-----|\Z)", re.DOTALL)
_KNOWN = re.compile(
    r"(?<![A-Za-z0-9])(?:gh[opsur]_[A-Za-z0-9_.\-]{10,}|github_pat_[A-Za-z0-9_]{20,}|glpat-[A-Za-z0-9_\-]{16,}"
    r"|(?:sk|rk|pk)_(?:live|test)_[A-Za-z0-9]{8,}|whsec_[A-Za-z0-9+/=]{16,}|sk-(?:ant-|proj-)?[A-Za-z0-9_\-]{20,}"
    r"|(?:AKIA|ASIA)[0-9A-Z]{16}\b|AIza[0-9A-Za-z_\-]{35}|xox[a-z](?:-[A-Za-z0-9]{2,}){2,}|npm_[A-Za-z0-9]{30,}"
    r"|SG\.[A-Za-z0-9_\-]{16,}\.[A-Za-z0-9_\-]{16,}|eyJ[A-Za-z0-9_\-]{8,}\.eyJ[A-Za-z0-9_\-]{8,}(?:\.[A-Za-z0-9_\-]+)?)"
)
_PREFIX = re.compile(r"gh[opsur]_|github_pat_|glpat-|[srp]k_(?:live|test)_|whsec_|sk-|AKIA|ASIA|AIza|xox[a-z]-|npm_|SG\.|eyJ")
_LOGIN = re.compile(r"(://)([^\s/:@'\"`]{0,256}:)([^\s/:@'\"`]{1,256})(?=@)")
_BEARER = re.compile(r"\b((?:Bearer|Basic)\s{1,4})([A-Za-z0-9._~+/=\-]{16,})")
_NAMED = re.compile(
    r"(?<!idempotency)(?<!idempotency[_-])(?P<name>secret|passw(?:or)?d|passphrase|pwd|token|credentials?|auth|key)[\w\-]{0,40}[\"'`]?\]?"
    r"\s{0,20}(?::\s{0,4}[A-Za-z\[\]| ]{1,30}=|:=|=>|==?|[:,(])\s{0,20}(?P<quote>[\"'`])(?P<value>[^\"'`\s]{8,512})(?P=quote)",
    re.IGNORECASE,
)
_SURE_NAMES = frozenset({"secret", "password", "passwd", "passphrase", "pwd"})
_EXACT = frozenset({"path", "fingerprint", "help", "repository", "base", "head", "schema"})
"""Fields that say where something is: shown as they are, or they would point nowhere."""


def mask(text: str) -> str:
    """The text with every value that looks like a credential replaced; of known kinds the prefix stays, to be found again.

    A doubt is resolved towards masking: a masked constant costs a look at the file, a published one costs the key.
    """
    text = _PEM.sub(rf"\1{MASK}", text)
    text = _KNOWN.sub(_known, text)
    text = _LOGIN.sub(rf"\1\2{MASK}", text)
    text = _BEARER.sub(rf"\1{MASK}", text)
    # Most text has no string literal in it, and this is the only slow pattern.
    return _NAMED.sub(_named, text) if any(quote in text for quote in "\"'`") else text


def _known(found: re.Match[str]) -> str:
    prefix = _PREFIX.match(found[0])
    return (prefix[0] if prefix else "") + MASK


def _named(found: re.Match[str]) -> str:
    value = found["value"]
    if MASK in value or not (found["name"].lower() in _SURE_NAMES or _is_random(value)):
        return found[0]
    start = found.start("value") - found.start()
    return found[0][:start] + MASK + found[0][start + len(value) :]


def _is_random(value: str) -> bool:
    """Long, mixed and without a pattern. `usage-${id}` and `input_tokens_per_month` are code, not keys."""
    if len(value) < 20 or "${" in value or "{" in value or not (re.search(r"\d", value) and re.search("[A-Za-z]", value)):
        return False
    counts = Counter(value)
    return -sum(n / len(value) * math.log2(n / len(value)) for n in counts.values()) >= 3.5


def masked(report: Report) -> Report:
    """The report as it may be shown. A fix that holds a secret is left out: masked code must not be applied."""
    clean: Report = _clean(report)
    return clean


def masked_finding(finding: Reported) -> Reported:
    """One finding as it may be shown."""
    clean: Reported = _clean(finding)
    return clean


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        return mask(value)
    if isinstance(value, Suggestion):
        text = "\n".join(edit.text for edit in value.edits)
        return replace(value, title=mask(value.title)) if mask(text) == text else None
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{f.name: _clean(getattr(value, f.name)) for f in fields(value) if f.name not in _EXACT})
    if isinstance(value, tuple):
        return tuple(map(_clean, value))
    return dict(value) if isinstance(value, Mapping) else value
