"""Every rule, one module each, in the folder of its section. Adding a rule is adding one file."""

import pkgutil
from functools import cache
from importlib import import_module
from types import ModuleType

from rules.rule import Rule

SECTIONS = ("ingestion", "deduplication", "aggregation", "limits", "transparency", "observability")


@cache
def rules() -> tuple[Rule, ...]:
    """All rules by id."""
    found = [rule_of(section, module) for section in SECTIONS for module in modules(section)]
    return tuple(sorted(found, key=lambda rule: rule.about.id))


def modules(section: str) -> list[ModuleType]:
    package = import_module(f"{__name__}.{section}")
    return [import_module(f"{package.__name__}.{one.name}") for one in pkgutil.iter_modules(package.__path__)]


def rule_of(section: str, module: ModuleType) -> Rule:
    """The rule's name is its file's, its section its folder's."""
    name = module.__name__.rpartition(".")[2].replace("_", "-")
    return Rule(module.ABOUT, name, section, (module.__doc__ or "").strip(), module.check, module.EXAMPLES)


def rule(wanted: str) -> Rule | None:
    """By id or by name."""
    return next((one for one in rules() if wanted in (one.about.id, one.name)), None)
