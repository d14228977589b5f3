"""Reads `.meteraudit.yml`: its text becomes a configuration, or errors with file, line and column."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, ValidationError

from config.configuration import Configuration, Names, Paths, Skip, schema
from config.inheritance import loosened, merged
from config.yaml_source import Document, Location, Position, Problem, read_yaml, shown

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

__all__ = ["Configuration", "ConfigurationError", "Reading", "loosened", "merged", "read_configuration", "schema"]

MAX_ERRORS = 100

_NO_CATALOGUE: Mapping[str, str] = MappingProxyType({})
_MODELS: Mapping[Location, type[BaseModel]] = {(): Configuration, ("paths",): Paths, ("names",): Names, ("skip",): Skip}
_NUMBERS = {"min_score": "a whole number from 1 to 10", "max_comments": "a whole number from 0 to 40"}
_WRONG_TYPE = {
    "bool_type": "true or false",
    "string_type": "text; a number or true and false are text in quotes",
    "tuple_type": "a list",
    "mapping_type": "a mapping of keys to values",
    "dict_type": "a mapping of keys to values",
    "model_type": "a mapping of keys to values",
    "model_attributes_type": "a mapping of keys to values",
}


@dataclass(frozen=True, slots=True)
class ConfigurationError:
    """One error; line and column are 1-based, the column in Unicode code points."""

    path: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.message}"


@dataclass(frozen=True, slots=True)
class Reading:
    """What a text says: `configuration` is None where there are errors; `lines` gives the line of each dotted key."""

    configuration: Configuration | None
    errors: tuple[ConfigurationError, ...]
    lines: Mapping[str, int]


def read_configuration(
    text: str | bytes, path: str = ".meteraudit.yml", known_rules: Mapping[str, str] = _NO_CATALOGUE
) -> Reading:
    """Reads the text of a `.meteraudit.yml`; never raises, whatever it holds.

    `known_rules` maps the ids of the rules to their names; keys of `rules` become ids. Where it is empty, they are not
    checked and stay as written. Errors are in the order of the file, at most 100 and a line that counts the rest.
    """
    document = read_yaml(text)
    problems = list(document.problems)
    configuration = None
    if document.readable:
        configuration, found = _validated(document)
        problems += found
        problems += _rule_problems(document, known_rules)
    lines = {".".join(map(str, key)): position.line for key, position in document.keys.items()}
    if problems or configuration is None:
        return Reading(None, _in_order(problems, path), lines)
    names = {name: rule for rule, name in known_rules.items()}
    rules = {names.get(key, key): level for key, level in configuration.rules.items()}
    lines |= {f"rules.{names.get(key, key)}": lines[f"rules.{key}"] for key in configuration.rules}
    update = {"rules": rules} if rules != configuration.rules else {}
    return Reading(configuration.model_copy(update=update), (), lines)


def _in_order(problems: list[Problem], path: str) -> tuple[ConfigurationError, ...]:
    ordered = sorted(problems, key=lambda problem: problem.position)
    errors = [ConfigurationError(path, at.position.line, at.position.column, at.message) for at in ordered[:MAX_ERRORS]]
    if len(ordered) > MAX_ERRORS:
        at = ordered[MAX_ERRORS]
        more = f"and {len(ordered) - MAX_ERRORS} more errors from here on"
        errors.append(ConfigurationError(path, at.position.line, at.position.column, more))
    return tuple(errors)


def _validated(document: Document) -> tuple[Configuration | None, list[Problem]]:
    data = {} if document.data is None and not document.unreadable else document.data
    if not isinstance(data, dict):
        if document.problems:
            return None, []
        return None, [Problem(Position(1, 1), f"the file holds {shown(data)}; it must hold keys, first version: 1")]
    problems = []
    if "version" not in data:
        problems.append(Problem(Position(1, 1), "version is required: add version: 1"))
    try:
        return Configuration.model_validate(data), problems
    except ValidationError as error:
        return None, problems + list(_translated(document, error))


def _translated(document: Document, error: ValidationError) -> Iterator[Problem]:
    # Every message beyond those that are shown is only counted, and so is cheap.
    details = [detail for detail in error.errors(include_url=False) if not _refused(document, detail["loc"])]
    details.sort(key=lambda detail: _place(document, detail))
    for number, detail in enumerate(details):
        yield Problem(_place(document, detail), _message(detail) if number <= MAX_ERRORS else "")


def _refused(document: Document, location: Location) -> bool:
    return any(location[:length] in document.unreadable for length in range(len(location) + 1))


def _place(document: Document, detail: "ErrorDetails") -> Position:
    location = detail["loc"]
    if detail["type"] == "extra_forbidden" or detail["input"] is None:
        known = document.keys.get(location)
        if known:
            return known
    for length in range(len(location), -1, -1):
        found = document.values.get(location[:length])
        if found:
            return found
    return Position(1, 1)


def _message(detail: "ErrorDetails") -> str:
    location = detail["loc"]
    value = detail["input"]
    if detail["type"] == "extra_forbidden":
        return _unknown_key(location)
    key = _dotted(location)
    if location == ("version",):
        return _version_message(value)
    expected, choices = _expectation(detail)
    if value is None:
        return f"{key} is empty: it must be {expected}; remove the key for its default"
    if detail["type"] in {"value_error", "too_long", "string_too_long", "string_too_short"}:
        return f"{key} {expected}" if isinstance(value, tuple) else f"{key}: {shown(value)} {expected}"
    if location == ("min_confidence",) and value == "possible":
        return "min_confidence must be certain or likely: possible findings are never comments"
    return f"{key} must be {expected}, not {shown(value)}{_suggestion(value, choices)}"


def _version_message(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool) and value > 1:
        return f"version {value} is newer than this MeterAudit, which reads version 1: update it, or write version: 1"
    return f"version must be the number 1, not {shown(value)}"


def _expectation(detail: "ErrorDetails") -> tuple[str, list[str]]:
    kind = detail["type"]
    context: dict[str, Any] = detail.get("ctx", {})
    last = str(detail["loc"][-1]) if detail["loc"] else ""
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", context["expected"])
        return ", ".join(choices[:-1]) + " or " * (len(choices) > 1) + choices[-1], choices
    if kind in {"int_type", "int_from_float", "greater_than_equal", "less_than_equal"} and last in _NUMBERS:
        return _NUMBERS[last], []
    if kind == "value_error":
        return str(context["error"]), []
    if kind == "too_long":
        return f"has more than {context['max_length']} entries; at most {context['max_length']} are allowed", []
    if kind == "string_too_long":
        return f"is longer than {context['max_length']} characters", []
    if kind == "string_too_short":
        return "is empty", []
    if kind == "string_pattern_mismatch":
        return "a dotted name such as billing.record_usage", []
    return _WRONG_TYPE.get(kind, detail["msg"]), []


def _unknown_key(location: Location) -> str:
    model = _MODELS.get(location[:-1])
    accepted = list(model.model_fields) if model else []
    key = location[-1]
    suggestion = _suggestion(key, accepted) or (f"; known are {', '.join(accepted)}" if location[:-1] else "")
    return f"unknown key {shown(key)}{' in ' + _dotted(location[:-1]) if location[:-1] else ''}{suggestion}"


def _rule_problems(document: Document, known_rules: Mapping[str, str]) -> Iterator[Problem]:
    rules = document.data.get("rules") if isinstance(document.data, dict) else None
    if not isinstance(rules, dict) or not known_rules:
        return
    ids = {name: rule for rule, name in known_rules.items()} | {rule: rule for rule in known_rules}
    seen: dict[str, str] = {}
    suggestions = 0
    for key in rules:
        place = document.keys[("rules", key)]
        rule = ids.get(key)
        if rule is None:
            suggestions += 1
            hint = _suggestion(key, list(ids)) if suggestions <= MAX_ERRORS else ""
            yield Problem(place, f"unknown rule {shown(key)}{hint}")
        elif seen.setdefault(rule, key) != key:
            yield Problem(place, f"{key} is the same rule as {seen[rule]}, given at line {_line(document, seen[rule])}")


def _line(document: Document, rule: str) -> int:
    return document.keys[("rules", rule)].line


def _suggestion(value: object, choices: list[str]) -> str:
    # Comparing takes quadratic time, and nothing that long resembles a key.
    if not isinstance(value, str) or len(value) > 60:
        return ""
    folded = {choice.casefold().replace("-", "_"): choice for choice in choices}
    close = get_close_matches(value.casefold().replace("-", "_"), list(folded), n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""


def _dotted(location: Location) -> str:
    text = ""
    for part in location:
        text += f"[{part + 1}]" if isinstance(part, int) else f"{'.' if text else ''}{_plain(part)}"
    return text or "the file"


def _plain(key: str) -> str:
    return key if key.isprintable() and len(key) <= 40 else shown(key)
