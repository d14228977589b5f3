"""What the parts of the C# front end share: the dispatch tables, how names and types read, and how a call is made."""

import re
from collections.abc import Callable

from tree_sitter import Node

from rules.facts import Argument, Call, Expression, Kind, Loop, Member, Name, Scope, Sequence, Span, Unknown, dotted, fold
from rules.languages.lowering import ARGUMENT, PLAIN, How, Lowering, children, first_string, span

State = Callable[[Lowering, Node, Scope], None]
Express = Callable[[Lowering, Node, Scope, How], Expression]
STATEMENTS: dict[str, State] = {}
"""By node type; filled in `csharp.py`, where all that lowers a statement comes together."""
EXPRESSIONS: dict[str, Express] = {}
"""By node type; filled in `csharp.py` as well."""

ASYNC = re.compile(r"(?<=[a-z0-9])Async(?=$|[.(])")
"""The ending says that a task comes back, which `Start` tells; `SaveAsync` and `Save` are one name to every rule."""
AGENT = re.compile(r"I?([A-Z]\w*Service)$|I?([A-Z]\w*(?:Client|Api))$")
"""Types that say more than the variables they are held in: `MeterEventService service`, `StripeClient client`."""
FUNCTIONS = frozenset({"lambda_expression", "anonymous_method_expression"})
QUERIES = frozenset(
    "where any all count longcount first firstordefault single singleordefault last lastordefault find findall exists "
    "removeall sum max min average select selectmany orderby orderbydescending thenby thenbydescending groupby "
    "include theninclude takewhile skipwhile distinctby maxby minby todictionary executeupdate setproperty updateone updatemany"
    " deleteone deletemany replaceone findoneandupdate countdocuments eq ne gt gte lt lte inc set".split()
)
"""LINQ and its kind: what they are handed is a condition on a row, a column of it, or what is made of it."""
TYPE_NAME = re.compile(r"[\w.]+")
MISSING = Unknown(Span(1, 1, 0, 0), ())
"""Stands where a broken file lacks what the grammar promises."""


def statement(low: Lowering, node: Node, scope: Scope) -> None:
    low.deeper()
    found = STATEMENTS.get(node.type)
    if found is not None:
        found(low, node, scope)
    else:
        expression(low, node, scope)
    low.depth -= 1


def block(low: Lowering, node: Node | None, scope: Scope) -> None:
    """The statements of a block, or the one statement that stands where a block may."""
    if node is None:
        return
    if node.type not in ("block", "declaration_list", "compilation_unit"):
        statement(low, node, scope)
        return
    for child in children(node):
        statement(low, child, scope)


def expression(low: Lowering, node: Node | None, scope: Scope, how: How = PLAIN) -> Expression:
    if node is None:
        return MISSING
    low.deeper()
    made = EXPRESSIONS.get(node.type, unknown)(low, node, scope, how)
    low.depth -= 1
    return made


def part(low: Lowering, node: Node, name: str, scope: Scope, how: How = PLAIN) -> Expression:
    return expression(low, node.child_by_field_name(name), scope, how)


def unknown(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """Also what the parser could not place: statements inside it are lowered as such."""
    inside: list[Expression] = []
    for child in children(node):
        if child.type in STATEMENTS:
            statement(low, child, scope)
        else:
            inside.append(expression(low, child, scope))
    return Unknown(span(node), tuple(inside))


def nothing(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return Unknown(span(node), ())


def said(low: Lowering, node: Node | None) -> list[Node]:
    """The children that are no comment."""
    return [child for child in children(node) if child.type != "comment"] if node is not None else []


def only(low: Lowering, node: Node) -> Node | None:
    return next(iter(said(low, node)), None)


def type_name(low: Lowering, node: Node | None) -> str:
    """A type without its type arguments, `?` and brackets: `List<Event>` is `List`. `var` says nothing."""
    if node is None or node.type == "implicit_type":
        return ""
    found = TYPE_NAME.match(low.text(node).removeprefix("global::"))
    return found[0] if found else ""


def type_text(low: Lowering, node: Node | None) -> str:
    return low.text(node) if node is not None and node.type != "implicit_type" else ""


def type_as_value(low: Lowering, node: Node) -> Expression:
    """`Stripe.Billing.MeterEventService` as the callee of its construction."""
    made: Expression | None = None
    for word in (type_name(low, node) or low.text(node)).split("."):
        made = Name(span(node), word) if made is None else Member(span(node), made, word)
    return made or MISSING


def holds(low: Lowering, name: str, kind: str) -> None:
    """Notes the type of a variable or field, where the type tells more than the name."""
    found = AGENT.match(kind.rpartition(".")[2])
    if found and (found[1] or fold(name) in ("client", "api")):
        low.types[name] = found[1] or found[2]
    else:
        low.types.pop(name, None)


def bare(name: str) -> str:
    """A name without the ending that says only that a task comes back."""
    return ASYNC.sub("", name)


def name_of(low: Lowering, callee: Expression) -> str:
    """The dotted name of what is called: aliases resolved, and variables of a service's type by that type."""
    name = dotted(callee)
    own = name.startswith("this.") and name.count(".") > 1
    first, dot, rest = name.removeprefix("this.").partition(".") if own else name.partition(".")
    if dot and first in low.types:
        first = low.types[first]
    elif first in low.imports:
        first = low.imports[first]
    elif own:
        first = "this." + first
    return bare(first + dot + rest)


def made_call(
    low: Lowering,
    node: Node,
    callee: Expression,
    arguments: tuple[Argument, ...],
    scope: Scope,
    how: How,
    constructs: bool = False,
) -> Call:
    name = name_of(low, callee)
    last = name.rpartition(".")[2]
    made = Call(span(node), name, fold(name), callee, arguments, scope, how.use, how.start, how.targets, constructs, last)
    low.calls.append(made)
    return made


def asks_rows(low: Lowering, node: Node, callee: Expression) -> Node | None:
    """The body of `row => row.At < end` where it is handed to a query, which reads it as an expression and not as code."""
    body = node.child_by_field_name("body")
    if node.type != "lambda_expression" or not isinstance(callee, Member) or fold(bare(callee.name)) not in QUERIES:
        return None
    runs = any(child.type == "modifier" for child in node.children) or body is None or body.type == "block"
    return None if runs else body


def of_rows(low: Lowering, node: Node, body: Node, callee: Expression, scope: Scope) -> Expression:
    """As a comprehension: the expression in a loop over the rows. What `Select` makes is a list of it."""
    assert isinstance(callee, Member)
    listing = node.child_by_field_name("parameters")
    names = [child for child in walk_down(listing) if child.type in ("identifier", "implicit_parameter")] if listing else []
    targets = tuple(Name(span(one), low.text(one)) for one in names)
    inner = low.scope(Kind.LOOP, node, scope, Loop(targets, callee.object))
    value = expression(low, body, inner, ARGUMENT)
    return Sequence(value.span, (value,), each=True) if fold(callee.name) in ("select", "selectmany") else value


def walk_down(node: Node) -> list[Node]:
    """The names of a parameter list without types, or the only parameter."""
    return [node] if not node.named_children else [child.child_by_field_name("name") or child for child in node.named_children]


def listed(low: Lowering, listing: Node | None, scope: Scope, callee: Expression) -> tuple[Argument, ...]:
    made: list[Argument] = []
    for child in said(low, listing):
        label = child.child_by_field_name("name") if child.type == "argument" else None
        inside = [one for one in said(low, child) if one != label] if child.type == "argument" else [child]
        given = inside[-1] if inside else None
        how = ARGUMENT
        if given is not None and (row := asks_rows(low, given, callee)) is not None:
            made.append(
                Argument(span(child), low.text(label) if label is not None else None, of_rows(low, given, row, callee, scope))
            )
            continue
        if given is not None and given.type in FUNCTIONS:
            how = ARGUMENT._replace(passed_to=name_of(low, callee), registered_as=first_string(tuple(made)))
        value = expression(low, given, scope, how)
        made.append(Argument(span(child), low.text(label) if label is not None else None, value))
    return tuple(made)
