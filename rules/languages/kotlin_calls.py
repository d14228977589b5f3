"""Calls and lambdas of Kotlin: trailing lambdas, what runs them, results as values, tables of Exposed."""

import re

from tree_sitter import Node

from rules.facts import (
    Argument,
    Call,
    Entry,
    Expression,
    Function,
    Handler,
    Index,
    Kind,
    Lambda,
    Member,
    Name,
    Object,
    Parameter,
    Return,
    Scope,
    Spread,
    Start,
    Unknown,
    Use,
    dotted,
)
from rules.languages.jvm_builders import STARTS, Link, built
from rules.languages.jvm_calls import FAILS, collection, detaches, idiom, receiver_how
from rules.languages.jvm_names import declare
from rules.languages.kotlin_declared import argument, given, variables
from rules.languages.kotlin_syntax import expression, inside, is_statement, statement, type_text
from rules.languages.lowering import ARGUMENT, CHAINED, DISCARDED, PLAIN, RETURNED, How, Lowering, first_string, span

UNIT = frozenset(
    "launch forEach forEachIndexed onEach also apply thread onFailure onSuccess post get put patch delete route "
    "routing authenticate install repeat schedule scheduleAtFixedRate fixedRateTimer finally collect subscribe "
    "invokeOnCompletion".split()
)
"""Takers of a lambda that do not look at what it gives."""
VALUED = frozenset(
    "map mapNotNull flatMap let run with withContext transaction newSuspendedTransaction suspendTransaction "
    "dbQuery async use runCatching coroutineScope supervisorScope withLock fold reduce sumOf filter associate "
    "associateBy associateWith groupBy sortedBy maxByOrNull minByOrNull any all none find firstOrNull takeIf "
    "takeUnless synchronized withTimeout retry lazy runBlocking inTransaction".split()
)
"""Takers of a lambda whose value is that of its last line."""
WRITES_ROW = frozenset(
    "insert insertIgnore insertAndGetId update upsert replace batchInsert insertReturning updateReturning".split()
)
TRIES = "runCatching"
SWALLOWS = frozenset("getOrNull getOrDefault getOrElse isSuccess isFailure".split())
IT = re.compile(rb"\bit\b")


def call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`f(a) { … }` is one call, whose last argument is the lambda."""
    if (made := builder(low, node, scope)) is not None:
        return made
    if (made := caught(low, node, scope, how)) is not None:
        return made
    written, listings, trailing = taken_apart(node)
    if written is None:
        return Unknown(span(node), ())
    receiver, callee = called(low, written, listings, trailing, scope, how)
    arguments = arguments_of(low, listings, trailing, callee, scope)
    method = callee.name if isinstance(callee, Member) else dotted(callee)
    plain = all(one.name is None for one in arguments)
    constructs = isinstance(callee, Name) and callee.text[:1].isupper()
    if method == "copy" and receiver is not None and not plain:
        return copied(node, receiver, arguments)
    if plain and (made := idiom(low, node, receiver, method, arguments, scope, how)) is not None:
        return made
    if constructs and (made := collection(span(node), method, [one.value for one in arguments])) is not None:
        return made
    if method in ("trimIndent", "trimMargin") and receiver is not None:
        return receiver
    if method == "to" and receiver is None:
        return Unknown(span(node), tuple(one.value for one in arguments))
    return finished(low, node, callee, arguments, scope, how, constructs)


def finished(
    low: Lowering, node: Node, callee: Expression, arguments: tuple[Argument, ...], scope: Scope, how: How, constructs: bool
) -> Expression:
    name = low.name(callee)
    last = arguments[-1].value if arguments else None
    if isinstance(last, Lambda):
        unheard = how.use is Use.RETURNED and isinstance(scope.head, Function) and bool(scope.head.passed_to)
        if detaches(name, DISCARDED if unheard and name.endswith(".launch") else how) or (
            name == "thread" and how.start is not Start.DETACHED
        ):
            return low.call(node, last, arguments[:-1], scope, how._replace(start=Start.DETACHED))
        if name.rpartition(".")[2] in VALUED | UNIT and name.rpartition(".")[2] not in NOT_NOW:
            how = how._replace(start=Start.AWAITED)
        if name.rpartition(".")[2] in WRITES_ROW and (row := row_of(low, last)) is not None:
            arguments = (*arguments[:-1], Argument(row.span, None, row))
    return low.call(node, callee, arguments, scope, how, constructs)


NOT_NOW = frozenset(
    "launch async thread post get put patch delete route routing authenticate install schedule scheduleAtFixedRate lazy "
    "fixedRateTimer invokeOnCompletion subscribe".split()
)
"""Takers of a lambda that keep it for later, or run it beside."""


def taken_apart(node: Node) -> tuple[Node | None, list[Node], Node | None]:
    """What is called, the lists of arguments, and the lambda behind them."""
    listings: list[Node] = []
    trailing: Node | None = None
    at = node
    while at.type == "call_expression" and at.named_children:
        for child in at.named_children:
            if child.type == "value_arguments":
                listings.insert(0, child)
            elif child.type == "annotated_lambda":
                trailing = trailing or child
        inner = at.named_children[0]
        curried = inner.type == "call_expression" and not any(one.type == "value_arguments" for one in at.named_children)
        if not curried:
            return inner, listings, trailing
        at = inner
    return None, listings, trailing


def called(
    low: Lowering, written: Node, listings: list[Node], trailing: Node | None, scope: Scope, how: How
) -> tuple[Expression | None, Expression]:
    if written.type != "navigation_expression":
        callee = expression(low, written, scope, CHAINED)
        if isinstance(callee, Member) and written.type == "identifier":
            return None, Name(span(written), low.text(written))
        return None, callee
    listed = inside(low, written)
    method = low.text(listed[-1]) if listed else ""
    count = sum(len(given(low, one)) for one in listings) + (trailing is not None)
    first = listed[0] if listed else None
    calls = first is not None and first.type == "call_expression"
    receiver = expression(low, first, scope, receiver_how(method, count, calls, how))
    return receiver, Member(span(written), receiver, method)


def arguments_of(
    low: Lowering, listings: list[Node], trailing: Node | None, callee: Expression, scope: Scope
) -> tuple[Argument, ...]:
    made: list[Argument] = []
    passed = ARGUMENT._replace(passed_to=low.name(callee))
    for listing in listings:
        for child in given(low, listing):
            made.append(argument(low, child, scope, passed._replace(registered_as=first_string(tuple(made)))))
    if trailing is not None:
        into = rejection(low, callee, trailing, scope)
        value = expression(low, trailing, into, passed._replace(registered_as=first_string(tuple(made))))
        made.append(Argument(span(trailing), None, value))
    return tuple(made)


def rejection(low: Lowering, callee: Expression, function: Node, scope: Scope) -> Scope:
    """A handler for `.exceptionally { e -> … }`, `.catch { e -> … }` of a flow, and their kind."""
    if not isinstance(callee, Member) or callee.name not in FAILS | {"catch"}:
        return scope
    found: list[Call] = []
    receiver: Expression | None = callee.object
    while isinstance(receiver, Call):
        found.append(receiver)
        receiver = receiver.receiver
    return low.scope(Kind.HANDLER, function, scope, Handler((), "it", tuple(reversed(found)))) if found else scope


def builder(low: Lowering, node: Node, scope: Scope) -> Expression | None:
    """`Params.builder().setValue(1).build()` of a Java library is the object it builds."""
    links: list[tuple[str, list[Node]]] = []
    at: Node = node
    while at.type == "call_expression":
        written, listings, trailing = taken_apart(at)
        if (
            written is None
            or trailing is not None
            or written.type != "navigation_expression"
            or len(written.named_children) < 2
        ):
            return None
        links.append((low.text(written.named_children[-1]), listings))
        at = written.named_children[0]
    links.reverse()
    if (
        not links
        or links[0][0] not in STARTS
        or not low.text(at)[:1].isupper()
        or at.type not in ("identifier", "navigation_expression")
    ):
        return None
    made: list[Link] = []
    for method, listings in links[1:]:
        callee = Member(span(node), Name(span(at), low.text(at)), method)
        made.append((method, arguments_of(low, listings, None, callee, scope)))
    return built(span(node), low.text(at), made)


def caught(low: Lowering, node: Node, scope: Scope, how: How) -> Expression | None:
    """`runCatching { … }.onFailure { … }` is a try, whose failure arrives where the chain asks for it."""
    links: list[tuple[str, Node | None, Node]] = []
    at: Node = node
    while at.type == "call_expression":
        written, _, trailing = taken_apart(at)
        if written is None:
            return None
        if written.type == "identifier" and low.text(written) == TRIES and trailing is not None:
            return result_of(low, node, trailing, list(reversed(links)), scope, how)
        if written.type != "navigation_expression" or len(written.named_children) < 2:
            return None
        links.append((low.text(written.named_children[-1]), trailing, at))
        at = written.named_children[0]
    return None


def result_of(
    low: Lowering, node: Node, tried: Node, links: list[tuple[str, Node | None, Node]], scope: Scope, how: How
) -> Expression:
    body = next((child for child in tried.named_children if child.type == "lambda_literal"), tried)
    inner = low.scope(Kind.TRY, body, scope)
    value: Expression = Unknown(span(node), ())
    listed = inside(low, body)
    for child in listed:
        last = child is listed[-1] and not is_statement(child)
        if last:
            value = expression(low, child, inner, how if not links else PLAIN)
        else:
            statement(low, child, inner)
    for method, function, link in links:
        if function is not None and method in ("onFailure", "getOrElse", "recover", "onSuccess", "fold"):
            fails = method != "onSuccess"
            holder = low.scope(Kind.HANDLER, function, scope, Handler((), "it", inner)) if fails else scope
            taken = next((child for child in function.named_children if child.type == "lambda_literal"), None)
            if taken is not None:
                lambda_statements(low, taken, holder)
        elif method in SWALLOWS and not any(one[0] in ("onFailure", "recover") for one in links):
            forgotten(low, link.named_children[0].named_children[-1], scope, inner)
    if not links and how == DISCARDED:
        forgotten(low, node.named_children[0], scope, inner)
    return value


def forgotten(low: Lowering, place: Node, scope: Scope, tried: Scope) -> None:
    """The failure arrives here, and nothing is done with it."""
    low.scope(Kind.HANDLER, place, scope, Handler((), "", tried))


def lambda_statements(low: Lowering, node: Node, scope: Scope) -> None:
    """The body of a lambda that runs in place; its parameters are names of the scope around it."""
    for child in inside(low, node):
        if child.type == "lambda_parameters":
            for one in child.named_children:
                for name in variables(low, one):
                    declare(low, dotted(name), scope)
        else:
            statement(low, child, scope)


def lambda_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """A lambda. What stands last is its value, unless nobody looks at it."""
    listed = [child for child in inside(low, node) if child.type != "lambda_parameters"]
    parameters = lambda_parameters(low, node)
    head = Function(how.bound_to, parameters, passed_to=how.passed_to, registered_as=how.registered_as)
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for one in parameters:
        declare(low, one.name, inner, one.type)
    taker = how.passed_to.rpartition(".")[2]
    for child in listed:
        if child is not listed[-1] or is_statement(child) or not gives(taker, child, len(listed)):
            statement(low, child, inner)
        else:
            value = expression(low, child, inner, RETURNED)
            low.returns.append(Return(value.span, value, inner))
    return Lambda(span(node), inner)


def gives(taker: str, last: Node, length: int) -> bool:
    if taker in UNIT:
        return False
    return (
        length == 1
        or taker in VALUED
        or last.type not in ("call_expression", "if_expression", "when_expression", "try_expression")
    )


def lambda_parameters(low: Lowering, node: Node) -> tuple[Parameter, ...]:
    written = next((child for child in node.named_children if child.type == "lambda_parameters"), None)
    if written is None:
        used = IT.search(low.source, node.start_byte, node.end_byte) is not None
        return (Parameter(span(node), "it"),) if used else ()
    made: list[Parameter] = []
    for child in written.named_children:
        kind = type_text(low, child) if child.type == "variable_declaration" else ""
        made.extend(Parameter(name.span, dotted(name), kind) for name in variables(low, child))
    return tuple(made)


def annotated_lambda(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    inner = next((child for child in node.named_children if child.type == "lambda_literal"), None)
    return expression(low, inner, scope, how)


def copied(node: Node, receiver: Expression, arguments: tuple[Argument, ...]) -> Object:
    """`row.copy(used = n)` reads `{ …row, used: n }`."""
    entries = [Entry(one.span, one.name, one.value) for one in arguments]
    return Object(span(node), (Entry(receiver.span, None, Spread(receiver.span, receiver)), *entries), complete=False)


def row_of(low: Lowering, body: Lambda) -> Object | None:
    """`Usage.insert { it[tokens] = n }` of Exposed: the row whose columns the lambda sets."""
    entries: list[Entry] = []
    for assign in low.assigns:
        target = assign.targets[0] if assign.targets else None
        if assign.scope is not body.scope or assign.operator != "=" or assign.value is None:
            continue
        if isinstance(target, Index | Member) and isinstance(target.object, Name):
            key = target.name if isinstance(target, Member) else dotted(target.key).rpartition(".")[2]
            entries.append(Entry(assign.span, key or None, assign.value))
    return Object(body.span, tuple(entries)) if entries else None
