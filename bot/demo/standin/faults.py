"""Faults to order: what goes wrong with which request, how often and when."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request as a fault sees it; `path` has the query, `body` is the raw one."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class Fault:
    """One rule. `path` and `method` are regular expressions, the former searched, the latter matched whole.

    The first `skip` matching requests pass, the next `times` (None: all) are hit. In this order: `run` is called in a
    thread of its own, `delay` seconds pass, then the connection is dropped `before` the request is applied, or a given
    `status` is answered in its place, or it is applied and the connection dropped `after`; with none of them the
    request goes its way. `body` is bytes, or a value to be written as JSON. `hits` counts.
    """

    path: str
    method: str = ".*"
    times: int | None = 1
    skip: int = 0
    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    delay: float = 0.0
    drop: Literal["before", "after"] | None = None
    run: Callable[[], object] | None = None
    hits: int = 0

    def claims(self, incoming: Incoming) -> bool:
        """Whether this request is hit; counts it."""
        if self.times is not None and self.hits >= self.times:
            return False
        if not re.fullmatch(self.method, incoming.method) or not re.search(self.path, incoming.path):
            return False
        if self.skip > 0:
            self.skip -= 1
            return False
        self.hits += 1
        return True

    def content(self) -> bytes:
        """The body as it goes out."""
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body if self.body is not None else {}).encode()


Rule = Fault | Callable[[Incoming], Fault | None]


def claimed(rules: list[Rule], incoming: Incoming) -> Fault | None:
    """The first rule that hits the request; a callable answers the fault or None."""
    for rule in rules:
        if isinstance(rule, Fault):
            if rule.claims(incoming):
                return rule
        else:
            found = rule(incoming)
            if found is not None:
                found.hits += 1
                return found
    return None


def secondary_limit(path: str, method: str = ".*", retry_after: int = 1, times: int | None = 1, status: int = 403) -> Fault:
    """GitHub's secondary rate limit on matching requests."""
    words = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again."
    body = {"message": words, "documentation_url": "https://docs.github.com/rest/using-the-rest-api/rate-limits"}
    return Fault(path, method, times, status=status, headers={"retry-after": str(retry_after)}, body=body)
