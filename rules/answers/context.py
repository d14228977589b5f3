"""What a reader must know before the code: provider, usage metric, billing period and stack, as far as the code shows them."""

import re
from collections import Counter
from collections.abc import Iterator

from rules.answers.aggregation import boundaries
from rules.answers.architecture import provider_names, stores_of
from rules.answers.questions import UNSEEN
from rules.answers.seen import Seen
from rules.code import Code
from rules.tracing.sights import Kind

FRAMEWORKS = {
    "next": "Next.js",
    "express": "Express",
    "fastify": "Fastify",
    "hono": "Hono",
    "@nestjs": "NestJS",
    "@trpc": "tRPC",
    "react": "React",
    "bullmq": "BullMQ",
    "inngest": "Inngest",
    "fastapi": "FastAPI",
    "flask": "Flask",
    "rest_framework": "Django REST framework",
    "celery": "Celery",
    "github.com/gin-gonic/gin": "Gin",
    "github.com/labstack/echo": "Echo",
    "github.com/gofiber/fiber": "Fiber",
    "rails": "Rails",
    "springframework": "Spring",
}
PERIODS = (
    (r"current_?period_?(start|end)", "the subscription's own period"),
    (r"month|day=1\b|setUTC?Date\(1\)|SetDate\(1\)", "calendar month"),
    (r"week", "week"),
    (r"year", "year"),
    (r"today|day|hour=0|setHours\(0", "day"),
)
MOST = 5


def context_of(seen: Seen) -> dict[str, str]:
    """One line for each, or that it is not visible."""
    return {
        "Provider": ", ".join(provider_names(seen)) or UNSEEN,
        "Usage metric": ", ".join(list(metrics(seen))[:MOST]) or UNSEEN,
        "Billing period": period(seen) or UNSEEN,
        "Stack": ", ".join(stack(seen)) or UNSEEN,
    }


def metrics(seen: Seen) -> Iterator[str]:
    """Events that are reported, then counters that are kept, the most frequent first."""
    here = {code.facts.path for code in seen.codes}
    sights = [one for one in seen.sights if one.path in here and one.kind in (Kind.EMIT, Kind.DEFINE)]
    sights += [one for one in seen.records if one.kind is Kind.COUNT]
    names = Counter(one.name for one in sights if one.name and not one.name.startswith("$") and " " not in one.name)
    yield from (name for name, _ in names.most_common())


def period(seen: Seen) -> str:
    """Which stretch of time boundaries and queries name, and whether it is cut in UTC."""
    texts = [code.facts.text(one.span) for code in seen.billing for one in code.boundaries]
    if any(re.search(PERIODS[0][0], code.facts.source.decode(errors="replace"), re.I) for code in seen.billing):
        texts.append("current_period_start")
    found = Counter(name for text in texts for pattern, name in PERIODS if re.search(pattern, text, re.I))
    names = [name for name, _ in found.most_common(2)]
    zones = boundaries(seen)
    return ", ".join([*names, *([zones.text] if zones is not None else [])])


def stack(seen: Seen) -> Iterator[str]:
    languages = Counter(code.facts.idioms.title for code in seen.codes)
    yield from (name for name, _ in languages.most_common(3))
    used = Counter(name for code in seen.codes for name in {*frameworks(code), *stores_of(code)})
    yield from (name for name, _ in sorted(used.items(), key=lambda one: (-one[1], one[0]))[:MOST])


def frameworks(code: Code) -> Iterator[str]:
    for package in code.facts.packages:
        for known, name in FRAMEWORKS.items():
            if package == known or package.startswith((f"{known}/", f"{known}.")):
                yield name
