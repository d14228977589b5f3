"""Joins an organisation's configuration with a repository's: defaults, then organisation, then repository."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, get_args

from pydantic import BaseModel

from config.configuration import Configuration, LockableKey

Values: TypeAlias = dict[str, Any]
AtLeastAsStrict: TypeAlias = Callable[[Any, Any], bool]

_LEVELS = ("off", "low", "medium", "high", "critical")


def merged(organisation: Configuration | None, repository: Configuration | None) -> Configuration:
    """The configuration in force.

    With `extends: org`, keys that the repository does not give come from the organisation, rule by rule for `rules`.
    A key that the organisation locks holds for every repository, `extends` or not, or the lock would be left by not
    extending: the repository's value counts there only if it is at least as strict. `locked` and `suppressions` are
    always the organisation's.
    """
    if organisation is None or repository is None:
        return repository or organisation or Configuration()
    values, _ = _joined(organisation, repository)
    return _built(values)


def loosened(organisation: Configuration, repository: Configuration) -> tuple[str, ...]:
    """The dotted keys, sorted, that the repository gives and the organisation's lock overrules."""
    return _joined(organisation, repository)[1]


def _joined(organisation: Configuration, repository: Configuration) -> tuple[Values, tuple[str, ...]]:
    upper, upper_given = _flat(organisation)
    own, own_given = _flat(repository)
    extends = repository.extends == "org"
    values: Values = dict(own)
    if extends:
        values |= {key: value for key, value in upper.items() if key not in own_given and key in upper_given}
        values["rules"] = {**upper["rules"], **own["rules"]}
    refused = []
    for key in sorted(_locked_keys(organisation)):
        if key not in own_given:
            values[key] = upper[key]
        elif key == "rules":
            values[key], overruled = _locked_rules(upper[key], own[key])
            refused += overruled
        elif not _STRICTNESS.get(key, _equal)(own[key], upper[key]):
            values[key] = upper[key]
            refused.append(key)
    values |= {"extends": own["extends"], "locked": upper["locked"], "suppressions": upper["suppressions"]}
    return values, tuple(refused)


def _flat(configuration: Configuration) -> tuple[Values, frozenset[str]]:
    values: Values = {}
    given = set()
    for key in Configuration.model_fields:
        value = getattr(configuration, key)
        if not isinstance(value, BaseModel):
            values[key] = value
            given |= {key} & configuration.model_fields_set
            continue
        for inner in type(value).model_fields:
            values[f"{key}.{inner}"] = getattr(value, inner)
            given |= {f"{key}.{inner}"} if inner in value.model_fields_set else set()
    return values, frozenset(given)


def _built(values: Values) -> Configuration:
    data: Values = {}
    for key, value in values.items():
        group, _, inner = key.partition(".")
        if inner:
            data.setdefault(group, {})[inner] = value
        else:
            data[key] = value
    return Configuration.model_validate(data)


def _locked_keys(organisation: Configuration) -> set[str]:
    leaves = [key for key in get_args(LockableKey) if not any(other.startswith(f"{key}.") for other in get_args(LockableKey))]
    return {leaf for leaf in leaves for key in organisation.locked if leaf == key or leaf.startswith(f"{key}.")}


def _locked_rules(upper: Mapping[str, str], own: Mapping[str, str]) -> tuple[Values, list[str]]:
    # A rule's own severity is not known here, so for a rule that the organisation leaves alone only critical is surely
    # not looser.
    allowed = {rule: level for rule, level in own.items() if _LEVELS.index(level) >= _LEVELS.index(upper.get(rule, "critical"))}
    return {**upper, **allowed}, sorted(f"rules.{rule}" for rule in own if rule not in allowed)


def _equal(own: object, upper: object) -> bool:
    return bool(own == upper)


def _ranked(*values: object) -> AtLeastAsStrict:
    """Strictness of a choice whose values are given from loose to strict."""
    return lambda own, upper: values.index(own) >= values.index(upper)


def _no_more(own: tuple[str, ...], upper: tuple[str, ...]) -> bool:
    return set(own) <= set(upper)


def _excludes_no_more(own: tuple[str, ...], upper: tuple[str, ...]) -> bool:
    # With a pattern that takes others back, fewer patterns may exclude more.
    return own == upper or (set(own) <= set(upper) and not any(pattern.startswith("!") for pattern in upper))


# Keys that are not here have no order of strictness: the organisation's value stands. More names, for one, can find
# more or, by naming a limit check, silence what was found.
_STRICTNESS: Mapping[str, AtLeastAsStrict] = {
    "paths.exclude": _excludes_no_more,
    "mode": _ranked("advisory", "blocking"),
    "fail_on": _ranked("critical", "high", "medium", "low"),
    "min_score": lambda own, upper: (own or 0) >= (upper or 0),
    "min_confidence": _ranked("certain", "likely"),
    "min_severity": _ranked("critical", "high", "medium", "low"),
    "max_comments": lambda own, upper: own >= upper,
    "drafts": _ranked("skip", "review"),
    "skip.labels": _no_more,
    "skip.authors": _no_more,
    "on_config_error": _ranked("neutral", "action_required"),
    "on_partial": _ranked("neutral", "action_required"),
    "fail_closed": _ranked(False, True),
    "merge_group": _ranked("inherit", "scan"),
    "resolved_threads": _ranked("ignore", "count"),
    "summary_comment": _ranked("off", "on_findings"),
    # A public score is the looser one.
    "badge": _ranked(True, False),
}
