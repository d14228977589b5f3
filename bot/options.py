"""Translates a repository's configuration into what the engine is told."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from rules.options import Names, Options
from rules.rule import Confidence, Severity

if TYPE_CHECKING:
    from config.configuration import Configuration


def options_from(
    configuration: "Configuration",
    lines: Mapping[str, int],
    source: str,
    known_rules: Mapping[str, str],
    help_url: str | None = None,
) -> Options:
    """The options of one review.

    `lines` gives the line of each dotted key that `source` (`.meteraudit.yml`) sets; `known_rules` maps ids to names.
    A rule that is not known there is passed over: it was an error of the configuration, told where that was read.
    """
    ids = {name: rule for rule, name in known_rules.items()} | {rule: rule for rule in known_rules}
    names, given = configuration.names, configuration.rules.items()
    return Options(
        rules={ids[rule]: "off" if level == "off" else Severity(level) for rule, level in given if rule in ids},
        names=Names(names.emit, names.aggregate, names.limit),
        blocking=configuration.mode == "blocking",
        fail_on=Severity(configuration.fail_on),
        min_score=configuration.min_score,
        min_confidence=Confidence(configuration.min_confidence),
        min_severity=Severity(configuration.min_severity),
        max_comments=configuration.max_comments,
        reasons={key: f"{source}:{line}" for key, line in lines.items()},
        help_url=help_url,
    )
