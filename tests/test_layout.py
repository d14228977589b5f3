"""The shape of the program: which way imports point, and who may name a rule."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from rules.catalog import rules
from rules.languages import ENDINGS

ROOT = Path(__file__).parent.parent
SOURCES = [path for folder in ("bot", "rules", "config") for path in sorted((ROOT / folder).rglob("*.py"))]
ALLOWED = {"bot": {"bot", "rules", "config"}, "rules": {"rules"}, "config": {"config"}}
TOP = {"bot", "rules", "config", "tests", "deploy", "pyproject.toml", "README.md", "Makefile", "LICENSE", "CHANGELOG.md"}


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_from_bot_to_rules_and_config_only(path: Path) -> None:
    package = path.relative_to(ROOT).parts[0]

    ours = imported(path) & {"bot", "rules", "config", "tests"}

    assert set() == ours - ALLOWED[package]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_nothing_outside_the_catalogue_names_a_rule(path: Path) -> None:
    if "catalog" in path.parts:
        return
    # The rules of the game may be shown in a docstring or a help text with one well-known id.
    text = path.read_text().replace("MTR-201", "")

    assert [] == re.findall(r"MTR-\d{3}", text)


def test_no_module_has_a_name_that_says_nothing() -> None:
    empty = {"utils", "util", "helpers", "helper", "common", "manager", "base", "misc", "service"}

    assert [] == [str(path.relative_to(ROOT)) for path in SOURCES if path.stem in empty]


def test_only_settings_read_the_environment() -> None:
    readers = [path for path in SOURCES if re.search(r"os\.environ\b|os\.getenv\b", path.read_text())]

    # The command line hands the environment over, the sandbox empties it, the demo and git give one to a child.
    allowed = {"settings.py", "start_serve.py", "sandbox.py", "run.py", "git.py", "embedded.py", "actions.py"}
    assert set() == {path.name for path in readers} - allowed


def test_there_is_nothing_else_at_the_top() -> None:
    visible = {path.name for path in ROOT.iterdir() if not path.name.startswith(".") and not path.name.endswith(".egg-info")}

    assert set() == visible - TOP


def test_every_rule_has_its_name_from_its_file() -> None:
    for rule in rules():
        assert (ROOT / "rules" / "catalog" / rule.section / f"{rule.name.replace('-', '_')}.py").is_file()


LANGUAGES = {*ENDINGS, *(f".{ending}" for ending in ENDINGS.values()), "c#", "golang"} - {"sql", ".sql"}
"""SQL is no language of a file alone: programs in all the others speak it."""
SPEAKERS = {"languages", "schema", "providers", "examples"}
"""Front ends, the formats of schemas, what providers publish for which language, and code that is shown."""
NEUTRAL = [path for path in SOURCES if path.is_relative_to(ROOT / "rules") and path.relative_to(ROOT).parts[1] not in SPEAKERS]
HANDED_ON = {"match", "imports", "written", "option_written"}
"""Calls of a provider's data, which has an entry for each language that it has an SDK in."""


def outside_examples(tree: ast.AST) -> Iterator[ast.AST]:
    if isinstance(tree, ast.Call) and isinstance(tree.func, ast.Name) and tree.func.id == "Example":
        return
    yield tree
    for child in ast.iter_child_nodes(tree):
        yield from outside_examples(child)


def is_name_of_language(text: str) -> bool:
    """`python`, `.py`, `java kotlin`; not a text that has other words too."""
    said = text.lower().split()
    return bool(said) and all(word in LANGUAGES for word in said)


@pytest.mark.parametrize("path", NEUTRAL, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_rule_asks_for_a_language(path: Path) -> None:
    nodes = list(outside_examples(ast.parse(path.read_text())))
    names = [one.value for one in nodes if isinstance(one, ast.Constant) and isinstance(one.value, str)]
    handed = {
        id(given)
        for one in nodes
        if isinstance(one, ast.Call) and getattr(one.func, "attr", getattr(one.func, "id", "")) in HANDED_ON
        for given in one.args
    }
    asked = [one.lineno for one in nodes if isinstance(one, ast.Attribute) and one.attr == "language" and id(one) not in handed]

    # What differs between languages is a trait or an idiom, which their front ends say.
    assert [] == [name for name in names if is_name_of_language(name)]
    assert [] == asked
