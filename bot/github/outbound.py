"""The one place that every text passes on its way to GitHub: no credential, no stack trace, nothing over GitHub's sizes.

Whoever writes a text has already masked and quoted what came out of a repository; this is the net under it.
"""

import re
from typing import Any

import msgspec

from bot.report.masking import MASK, mask

LONGEST = 65_000
"""Characters of a body; GitHub takes 65,536."""
_TEXTS = frozenset({"body", "title", "summary", "text", "message", "raw_details"})
_TRACE = re.compile(
    r"Traceback \(most recent call last\):(?:\n[ \t]+[^\n]*|\n(?=\n[ \t]))*(?:\n[\w.]+(?:Error|Exception|Exit)\b[^\n]*)?"
)
_TOKEN = re.compile(r"gh[opsu]_[A-Za-z0-9_.\-]+|-----BEGIN [A-Z0-9 ]+-----")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def clean(text: str) -> str:
    """The text as it may leave."""
    text = _TRACE.sub("[internal error]", mask(text))
    text = _TOKEN.sub(lambda found: found[0] if found[0].startswith("-") else found[0][:4] + MASK, text)
    text = _CONTROL.sub("", text)
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def cleaned(body: object) -> Any:
    """A request body as plain values, with every text in it that people read made clean."""
    return _walk(msgspec.to_builtins(body))


def _walk(value: Any) -> Any:
    if isinstance(value, list | tuple):
        return [_walk(one) for one in value]
    if not isinstance(value, dict):
        return value
    return {name: clean(one) if name in _TEXTS and isinstance(one, str) else _walk(one) for name, one in value.items()}
