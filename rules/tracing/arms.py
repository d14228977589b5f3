"""Arms that never match: in PHP an enum equals no string, so `match ($plan->interval) { 'monthly' => … }` on an attribute that
the model casts to an enum always falls to its default."""

import re

from rules.code import Code
from rules.facts import Branch, Compare, Expression, Function, Kind, Literal, Logical, Member, Name, Scope, chain, enclosing

CASTS = (
    r"\bclass\s+{model}\b(?:(?!\bclass\s+\w)[\s\S]){{0,20000}}?"
    r"\bcasts\b[^;]*?[\"']{attribute}[\"']\s*=>\s*\\?(?:\w+\\)*(\w+)::class\s*[,\])]"
)
ENUM = r"\benum\s+({0})\b|\buse\s+[\w\\]*\\Enums\\({0})\s*;"


def never_matches(code: Code, scope: Scope) -> bool:
    """Whether a branch around asks such an attribute for a string."""
    if not code.facts.traits.enums_by_cast:
        return False
    tests = [one.head.test for one in chain(scope) if isinstance(one.head, Branch) and one.head.arm in ("case", "then")]
    return any(test is not None and always_false(code, test, scope) for test in tests)


def always_false(code: Code, test: Expression, scope: Scope) -> bool:
    if isinstance(test, Logical):
        sides = (always_false(code, test.left, scope), always_false(code, test.right, scope))
        return all(sides) if test.operator == "or" else any(sides)
    if not isinstance(test, Compare) or test.operator not in ("==", "==="):
        return False
    pairs = ((test.left, test.right), (test.right, test.left))
    return any(isinstance(asked, Member) and is_text(answer) and holds_enum(code, asked, scope) for asked, answer in pairs)


def is_text(value: Expression) -> bool:
    return isinstance(value, Literal) and isinstance(value.value, str)


def holds_enum(code: Code, asked: Member, scope: Scope) -> bool:
    """Whether the model of what stands before the arrow casts the attribute to a class that is an enum."""
    model = model_of(asked, scope)
    if not model:
        return False
    cast = code.elsewhere.found(re.compile(CASTS.format(model=re.escape(model), attribute=re.escape(asked.name))))
    return any(code.elsewhere.found(re.compile(f"({ENUM.format(re.escape(one))})")) for one in cast)


def model_of(asked: Member, scope: Scope) -> str:
    """The class that the parameter is declared to have, if it says one."""
    if not isinstance(asked.object, Name):
        return ""
    held = asked.object.text.lstrip("$")
    function = enclosing(scope, Kind.FUNCTION)
    parameters = function.head.parameters if function is not None and isinstance(function.head, Function) else ()
    typed = next((one.type for one in parameters if one.name.lstrip("$") == held), "")
    return typed.lstrip("?").rpartition("\\")[2]
