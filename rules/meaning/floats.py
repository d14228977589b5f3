"""Whether a value is a binary float, as far as annotations, declarations and conversions in its file tell."""

from rules.code import Code
from rules.facts import Call, Expression, Function, Kind, Literal, Name, Scope, enclosing, fold
from rules.meaning.values import definitions_at, resolved


def is_float(code: Code, value: Expression, scope: Scope, at: int) -> bool:
    whole = resolved(code.values, value, scope, at)
    if isinstance(whole, Literal):
        return isinstance(whole.value, float)
    if isinstance(whole, Call):
        if fold(whole.name) in ("float", "float64", "float32"):
            return True
        local = code.values.functions.get(whole.method, ())
        return (
            len(local) == 1
            and isinstance(local[0].head, Function)
            and local[0].head.returns.strip() in ("float", "double", "Task<double>")
        )
    if isinstance(whole, Name):
        return declared(code, whole, scope, at) in ("float", "float64", "float32", "double", "double?", "float?", "f64", "f32")
    return False


def declared(code: Code, name: Name, scope: Scope, at: int) -> str:
    """The type a name is declared with: a parameter's annotation, `var x float64`; of `x := 0.0` it is float64."""
    for one in definitions_at(code.values, name.text, scope, at):
        if one.how == "parameter" and isinstance(one.scope.head, Function):
            return next((each.type for each in one.scope.head.parameters if each.name == name.text), "")
        if isinstance(one.value, Literal) and isinstance(one.value.value, float):
            return "float64"
        if isinstance(one.value, Call) and fold(one.value.name) in ("float64", "float"):
            return "float64"
    declared_here = [
        assign.type for assign in code.facts.assigns
        if assign.type and any(isinstance(target, Name) and target.text == name.text for target in assign.targets)
        and enclosing(assign.scope, Kind.FUNCTION) is enclosing(scope, Kind.FUNCTION)
    ]  # fmt: skip
    return declared_here[0] if declared_here else ""
