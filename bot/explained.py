"""What the App answers when somebody asks: the configuration in force, one rule. Markdown, pure."""

import json
from typing import Any

from bot.configuration import InForce
from bot.report.quoting import code_span, fenced, prose
from bot.rule_pages import facts
from rules import catalog

LONGEST_PAGE = 6_000


def configuration_text(found: InForce) -> str:
    """Every key that differs from the defaults, and where the rest comes from."""
    given = found.configuration.model_dump(mode="json", exclude_defaults=True)
    lines = [prose(found.source, 1_000)]
    lines += [f"- {code_span(str(error))}" for error in found.errors[:20]]
    if given:
        lines.append("Besides the defaults:\n\n" + fenced(_as_yaml(given), "yaml", most_lines=200))
    else:
        lines.append("All keys have their defaults.")
    return "\n\n".join(lines)


def _as_yaml(given: dict[str, Any]) -> str:
    """JSON values are YAML values, and quoting them so leaves no doubt what is text."""
    return "\n".join(f"{key}: {json.dumps(value, ensure_ascii=False)}" for key, value in given.items())


def rule_text(wanted: str) -> str:
    """What a rule is about, by id or name."""
    rule = catalog.rule(wanted.upper()) or catalog.rule(wanted.lower())
    if rule is None:
        return f"There is no rule {code_span(wanted)}."
    page = rule.page if len(rule.page) <= LONGEST_PAGE else rule.page[:LONGEST_PAGE] + "…"
    return f"**{rule.about.id} {rule.name}**: {prose(rule.about.title)}\n\n{page}\n\n{facts(rule)}"
