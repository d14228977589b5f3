"""PHP calls: functions, methods, constructions, and the closures that a collection runs for each element."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Binary,
    Branch,
    Call,
    Compare,
    Expression,
    Kind,
    Literal,
    Logical,
    Loop,
    Member,
    Name,
    Raise,
    Return,
    Scope,
    Sequence,
    Spread,
    Start,
    Test,
    Unary,
    Unknown,
    Use,
)
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    TESTED,
    How,
    Lowering,
    children,
    span,
)
from rules.languages.php_declared import argument, arguments, parameters
from rules.languages.php_syntax import Express, block, expression, field_name, inner, sub

CLOSURES = ("anonymous_function", "anonymous_function_creation_expression", "arrow_function")
ITERATORS = frozenset("each chunk chunkById eachById lazyById array_walk chunkMap eachSpread".split())
"""They run their closure once for each element or part, for its effect; `return` in it goes on to the next."""
CASTS = {"int": "int", "integer": "int", "float": "float", "double": "float", "real": "float", "string": "str", "bool": "bool"}
NUMBERS = {"intval": "int", "floatval": "float", "strval": "str"}
GUARDS = frozenset("abort_if abort_unless throw_if throw_unless".split())
PROMISES = frozenset("async requestAsync sendAsync postAsync putAsync patchAsync".split())
"""Methods that give a promise."""
INPUTS = frozenset("get integer float string boolean all validated only collect date enum safe str".split())
"""How Laravel's request is asked for what was sent."""
BAGS = frozenset(
    "query request headers attributes files cookies server session method path url ip user route input body json host "
    "cookie content".split()
)


def function_call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    function = node.child_by_field_name("function")
    name = low.text(function).lstrip("\\") if function is not None and function.type in ("name", "qualified_name") else ""
    listed = node.child_by_field_name("arguments")
    if name == "request":
        return requested(low, node, listed, scope, how)
    callee = sub(low, node, "function", scope, CHAINED)
    if name in GUARDS:
        return guard(low, node, name, listed, scope)
    given = arguments(low, listed, callee, scope)
    if (asked := question(name, given, node)) is not None:
        return asked
    if name in NUMBERS:
        callee = Name(callee.span, NUMBERS[name])
    if name == "intdiv" and len(given) == 2:
        return Binary(span(node), "//", given[0].value, given[1].value)
    made = low.call(node, callee, given, scope, how)
    if name == "abort":
        low.raises.append(Raise(made.span, made, scope))
    elif name in ("die", "dd"):
        low.returns.append(Return(made.span, None, scope))
    return made


def guard(low: Lowering, node: Node, name: str, listed: Node | None, scope: Scope) -> Expression:
    """`abort_if($used >= $limit, 402)` and `throw_unless($ok, Error::class)` are a test and what it raises."""
    parts = [one for one in (children(listed) if listed is not None else ()) if one.type == "argument"]
    if not parts:
        return Unknown(span(node), ())
    test = argument(low, parts[0], scope, TESTED).value
    test = Unary(test.span, "not", test) if name.endswith("unless") else test
    then = low.scope(Kind.BRANCH, node, scope, Branch(test, "then"))
    low.tests.append(Test(test.span, test, scope, then))
    given = tuple(argument(low, one, then, ARGUMENT) for one in parts[1:])
    made = low.call(node, Name(span(node), name.partition("_")[0]), given, then, DISCARDED)
    low.raises.append(Raise(span(node), made, then))
    return Unknown(span(node), ())


def requested(low: Lowering, node: Node, listed: Node | None, scope: Scope, how: How) -> Expression:
    """`request()` is the request, `request('tokens')` an input of it."""
    request = Name(span(node), "request")
    given = arguments(low, listed, request, scope)
    return low.call(node, Member(span(node), request, "input"), given, scope, how) if given else request


def question(name: str, given: tuple[Argument, ...], node: Node) -> Expression | None:
    """`is_null($x)`, `isset($x)`, `empty($x)` and `in_array($x, $all)` are what operators say elsewhere."""
    values = [one.value for one in given]
    nothing = Literal(span(node), None)
    if name == "is_null" and len(values) == 1:
        return Compare(span(node), "==", values[0], nothing)
    if name == "empty" and len(values) == 1:
        return Unary(span(node), "not", values[0])
    if name == "in_array" and len(values) >= 2:
        return Compare(span(node), "in", values[0], values[1])
    if name == "isset" and values:
        made: Expression = Compare(span(node), "!=", values[0], nothing)
        for one in values[1:]:
            made = Logical(span(node), "and", made, Compare(span(node), "!=", one, nothing))
        return made
    return None


def method_call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    name = field_name(low, node.child_by_field_name("name"))
    receiver = sub(low, node, "object", scope, CHAINED)
    if isinstance(receiver, Name) and receiver.text == "request" and name in INPUTS:
        receiver = Member(receiver.span, receiver, "input")
    return called(low, node, receiver, name, scope, how)


def static_call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return called(
        low, node, sub(low, node, "scope", scope, CHAINED), field_name(low, node.child_by_field_name("name")), scope, how
    )


def called(low: Lowering, node: Node, receiver: Expression, name: str, scope: Scope, how: How) -> Expression:
    end = node.child_by_field_name("name") or node
    place = type(receiver.span)(receiver.span.line, end.end_point.row + 1, receiver.span.start, end.end_byte)
    callee = Member(place, receiver, name)
    listed = node.child_by_field_name("arguments")
    if name in ITERATORS and (closure := iterated(listed)) is not None:
        return iteration(low, node, callee, listed, closure, scope, how)
    if how.use is Use.DISCARDED and makes_promise(callee):
        how = how._replace(start=Start.DETACHED)
    return low.call(node, callee, arguments(low, listed, callee, scope), scope, how)


def makes_promise(callee: Member) -> bool:
    """`$client->postAsync(…)` of Guzzle and `Http::async()->post(…)`: nothing is sent for sure until somebody waits."""
    step: Expression = callee
    while isinstance(step, Member):
        if step.name == "wait":
            return False
        if step.name in PROMISES:
            return True
        step = step.object.callee if isinstance(step.object, Call) else step.object
    return False


def iterated(listed: Node | None) -> Node | None:
    """The closure among the arguments."""
    for one in children(listed) if listed is not None else ():
        value = one.named_children[-1] if one.type == "argument" and one.named_children else None
        if value is not None and value.type in CLOSURES:
            return value
    return None


def iteration(low: Lowering, node: Node, callee: Member, listed: Node | None, closure: Node, scope: Scope, how: How) -> Call:
    others = [one for one in (children(listed) if listed is not None else ()) if closure not in one.named_children]
    given = tuple(argument(low, one, scope, ARGUMENT) for one in others if one.type != "comment")
    made = low.call(node, callee, given, scope, how)
    targets = tuple(Name(one.span, one.name) for one in parameters(low, closure.child_by_field_name("parameters"), scope))
    listed_targets: tuple[Expression, ...] = targets if len(targets) < 2 else (Sequence(span(closure), targets),)
    loop = low.scope(Kind.LOOP, closure, scope, Loop(listed_targets, callee.object))
    low.locals.add((loop, "return"))
    body = closure.child_by_field_name("body")
    if body is not None and body.type == "compound_statement":
        block(low, body, loop)
    elif body is not None:
        expression(low, body, loop, ARGUMENT)
    return made


def construction(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    parts = [one for one in children(node) if one.type != "comment"]
    listed = next((one for one in parts if one.type == "arguments"), None)
    if not parts or parts[0].type == "arguments":
        return Unknown(span(node), ())
    if parts[0].type in ("anonymous_class", "declaration_list", "attribute_list"):
        return expression(low, parts[-1], scope, how)
    callee = expression(low, parts[0], scope, CHAINED)
    return low.call(node, callee, arguments(low, listed, callee, scope), scope, how, constructs=True)


def unpacked(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Spread(span(node), inner(low, node, scope, ARGUMENT))


def cast(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`(int) $x` reads `int(x)`; a cast to an array or an object keeps the value."""
    kind = node.child_by_field_name("type")
    name = CASTS.get(low.text(kind).strip().lower(), "") if kind is not None else ""
    value = sub(low, node, "value", scope, ARGUMENT if name else how)
    if not name:
        return value
    return low.call(node, Name(span(node), name), (Argument(value.span, None, value),), scope, how)


def member_access(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`$request->tokens` is an input of Laravel's request."""
    receiver = sub(low, node, "object", scope, CHAINED)
    name = field_name(low, node.child_by_field_name("name"))
    if isinstance(receiver, Name) and receiver.text == "request" and name not in BAGS:
        receiver = Member(receiver.span, receiver, "input")
    return Member(span(node), receiver, name)


def static_member(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`Plan::LIMIT`, `self::$pending`; `Usage::class` is the class."""
    outer = sub(low, node, "scope", scope, CHAINED) if node.child_by_field_name("scope") else None
    parts = children(node)
    if outer is None:
        outer = expression(low, parts[0], scope, CHAINED) if parts else Unknown(span(node), ())
    name = low.text(parts[-1]).lstrip("$") if parts else ""
    return outer if name == "class" else Member(span(node), outer, name)


def exit_call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    given = tuple(Argument(span(one), None, expression(low, one, scope, ARGUMENT)) for one in children(node))
    low.returns.append(Return(span(node), None, scope))
    return low.call(node, Name(span(node), "exit"), given, scope, how._replace(use=Use.DISCARDED))


def printed(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    given = tuple(Argument(span(one), None, expression(low, one, scope, ARGUMENT)) for one in children(node))
    return low.call(node, Name(span(node), "print"), given, scope, how)


CALLS: dict[str, Express] = {
    "function_call_expression": function_call,
    "member_call_expression": method_call,
    "nullsafe_member_call_expression": method_call,
    "scoped_call_expression": static_call,
    "object_creation_expression": construction,
    "variadic_unpacking": unpacked,
    "cast_expression": cast,
    "member_access_expression": member_access,
    "nullsafe_member_access_expression": member_access,
    "class_constant_access_expression": static_member,
    "scoped_property_access_expression": static_member,
    "exit_statement": exit_call,
    "print_intrinsic": printed,
    "echo_statement": printed,
}
