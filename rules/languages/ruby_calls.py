"""Ruby calls: which of them are reads of a field, what they are given, and when their block runs."""

from tree_sitter import Node

from rules.facts import (
    Argument,
    Assign,
    Binary,
    Call,
    Class,
    Compare,
    Entry,
    Expression,
    Function,
    Kind,
    Lambda,
    Literal,
    Loop,
    Member,
    Name,
    Object,
    Raise,
    Return,
    Scope,
    Sequence,
    Span,
    Spread,
    Start,
    Template,
    Unary,
    Unknown,
    Use,
    With,
    chain,
    dotted,
)
from rules.languages.lowering import (
    ARGUMENT,
    CHAINED,
    DISCARDED,
    PLAIN,
    How,
    Lowering,
    children,
    first_string,
    span,
)
from rules.languages.ruby_definitions import parameters
from rules.languages.ruby_syntax import TAIL, Express, declare, expression, is_variable, pattern, statements
from rules.languages.ruby_words import (
    CLOCKED,
    CONSTRUCTORS,
    CONVERSIONS,
    DURATIONS,
    ITERATORS,
    LEAVES,
    MAPPERS,
    OF_ROWS,
    ONCE,
    REOPENS,
    SELECTORS,
    is_called,
)

COUNTERS = frozenset("times upto downto step cycle".split())
SLICES = frozenset("each_slice each_cons in_groups_of find_in_batches in_batches".split())
ZEROS = {"zero?": "==", "positive?": ">", "negative?": "<"}
MEMBERS = ("include?", "member?", "cover?")
DETACHED = ("Thread.new", "Thread.start", "Thread.fork", "Async", "Concurrent.Future.execute", "Concurrent.Promise.execute")
KEEPS = frozenset("freeze squish strip strip_heredoc chomp html_safe dup".split())
"""What leaves a literal what it is, but for spaces."""
LEADING = frozenset("raise private public protected private_class_method module_function public_class_method".split())


def call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    method = node.child_by_field_name("method")
    name = low.text(method) if method is not None else "call"
    receiver, listed = node.child_by_field_name("receiver"), node.child_by_field_name("arguments")
    block = node.child_by_field_name("block")
    bare = listed is None and block is None
    if receiver is None and name in LEADING:
        return leading(low, node, name, listed, scope)
    if receiver is not None and bare:
        return read(low, node, receiver, name, scope, how)
    callee = called(low, node, receiver, name, scope)
    if isinstance(callee, Name) and callee.text in REOPENS and block is not None:
        return statements(low, body_of(block), scope, DISCARDED)
    given = arguments(low, listed, callee, scope)
    if isinstance(callee, Member) and len(given) == 1 and block is None:
        if name in MEMBERS:
            return Compare(span(node), "in", given[0].value, callee.object)
        if name == "in?":
            return Compare(span(node), "in", callee.object, given[0].value)
        if name in ("eql?", "equal?"):
            return Compare(span(node), "==", callee.object, given[0].value)
    if isinstance(callee, Member) and given and block is None and name in CONVERSIONS and name not in ("max", "min"):
        return converted(low, node, callee, given, scope, how)
    if block is not None:
        return with_block(low, node, block, callee, given, scope, how)
    made = low.call(node, callee, given, scope, how, name in CONSTRUCTORS)
    noted(low, made, scope)
    return made


def noted(low: Lowering, made: Call, scope: Scope) -> None:
    """What a call says beyond itself: a package that is loaded, the end of the function."""
    if made.name in ("require", "gem", "require_relative") and (text := first_string(made.arguments)):
        low.packages.add(text)
    elif made.name in LEAVES:
        low.returns.append(Return(made.span, made, scope))


def called(low: Lowering, node: Node, receiver: Node | None, name: str, scope: Scope) -> Expression:
    method = node.child_by_field_name("method")
    if receiver is None:
        return unsaid(node if method is None else method, name)
    # What is converted is given to the conversion, as in `int(x)`.
    inner = expression(low, receiver, scope, ARGUMENT if name in CONVERSIONS else CHAINED)
    end = method if method is not None else receiver
    return Member(Span(inner.span.line, end.end_point.row + 1, inner.span.start, end.end_byte), inner, name)


def unsaid(node: Node, name: str) -> Expression:
    """A method without a receiver is the object's own. Of a row's, which are nobody else's, that is written out."""
    return Member(span(node), Name(span(node), "self"), name) if name in OF_ROWS else Name(span(node), name)


def leading(low: Lowering, node: Node, name: str, listed: Node | None, scope: Scope) -> Expression:
    """`raise Error, "…"`, and `private def …`."""
    given = arguments(low, listed, Name(span(node), name), scope)
    values = tuple(one.value for one in given)
    if name == "raise":
        low.raises.append(Raise(span(node), values[0] if len(values) == 1 else Unknown(span(node), values), scope))
    return Unknown(span(node), values)


def read(low: Lowering, node: Node, receiver: Node, name: str, scope: Scope, how: How) -> Expression:
    """`receiver.name`: a field, a question, or a call without arguments."""
    if name in DURATIONS and receiver.type in ("integer", "float", "constant", "scope_resolution", "parenthesized_statements"):
        unit = Member(span(node), Name(span(node), "duration"), name)
        return Binary(span(node), "*", expression(low, receiver, scope), unit)
    callee = called(low, node, receiver, name, scope)
    assert isinstance(callee, Member)
    if (asked := question(callee, name, node)) is not None:
        return asked
    if name in KEEPS and isinstance(callee.object, Literal | Template | Object | Sequence):
        return callee.object
    if name in ("ago", "from_now") and isinstance(callee.object, Binary):
        now = low.call(node, Member(span(node), Name(span(node), "Time"), "current"), (), scope, PLAIN)
        return Binary(span(node), "-" if name == "ago" else "+", now, callee.object)
    if converts(callee, name):
        return converted(low, node, callee, (), scope, how)
    on_constant = receiver.type in ("constant", "scope_resolution")
    written = name[-1:] in ("!", "?") or how.use is Use.DISCARDED
    if written or is_called(name, on_constant and low.text(receiver) in CLOCKED):
        return low.call(node, callee, (), scope, how, name in CONSTRUCTORS)
    return callee


def converts(callee: Member, name: str) -> bool:
    """`value.to_i`, `amount.round`, `[0, left].max`; the largest of a query's rows is another matter."""
    return name in CONVERSIONS and (name not in ("max", "min") or isinstance(callee.object, Sequence))


def converted(low: Lowering, node: Node, callee: Member, given: tuple[Argument, ...], scope: Scope, how: How) -> Expression:
    """`x.to_i` reads `int(x)`, `x.round(2)` reads `round(x, 2)`, `[a, b].max` reads `max(a, b)`."""
    function = Name(span(node), CONVERSIONS[callee.name])
    taken = callee.object.items if isinstance(callee.object, Sequence) else (callee.object,)
    first = tuple(Argument(one.span, None, one) for one in taken)
    return low.call(node, function, (*first, *given), scope, how)


def question(callee: Member, name: str, node: Node) -> Expression | None:
    """`x.nil?`, `x.zero?`, `x.present?`, `x.blank?` are tests that other languages write with operators."""
    if name == "nil?":
        return Compare(span(node), "==", callee.object, Literal(span(node), None))
    if name in ZEROS:
        return Compare(span(node), ZEROS[name], callee.object, Literal(span(node), 0))
    if name == "blank?":
        return Unary(span(node), "not", callee.object)
    return callee.object if name == "present?" else None


def arguments(low: Lowering, listed: Node | None, callee: Expression, scope: Scope) -> tuple[Argument, ...]:
    """Pairs are keywords, whether their key is written as a symbol or as a string."""
    made: list[Argument] = []
    for one in children(listed) if listed is not None else ():
        if one.type in ("comment", "heredoc_body"):
            continue
        inner = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(tuple(made)))
        if one.type == "pair":
            entry = pair(low, one, scope, inner)
            if entry.name is not None:
                made.append(Argument(entry.span, entry.name, entry.value))
            else:
                made.append(Argument(entry.span, None, Object(entry.span, (entry,), complete=False)))
        else:
            made.append(Argument(span(one), None, expression(low, one, scope, inner)))
    return tuple(made)


def pair(low: Lowering, node: Node, scope: Scope, how: How = ARGUMENT) -> Entry:
    """`a: 1`, `"a" => 1`, `:a => 1`, and `a:` for the variable of that name."""
    key, value = node.child_by_field_name("key"), node.child_by_field_name("value")
    name: str | None = None
    if key is not None and key.type == "hash_key_symbol":
        name = low.text(key)
    elif key is not None:
        read_key = expression(low, key, scope, ARGUMENT)
        name = read_key.value if isinstance(read_key, Literal) and isinstance(read_key.value, str) else None
    if value is not None:
        inner = how if value.type in ("lambda", "hash") else ARGUMENT
        return Entry(span(node), name, expression(low, value, scope, inner._replace(bound_to=name or "")))
    return Entry(span(node), name, bare_name(low, node, name or "", scope, ARGUMENT))


def bare_name(low: Lowering, node: Node, text: str, scope: Scope, how: How) -> Expression:
    """A variable, or a method that is called without saying so."""
    if is_variable(low, text, scope):
        return Name(span(node), text)
    if text == "raise":
        low.raises.append(Raise(span(node), None, scope))
        return Unknown(span(node), ())
    if text == "params" and answers_requests(low, scope):
        return Member(span(node), Name(span(node), "request"), "params")
    if text[-1:] in ("!", "?") or how.use is Use.DISCARDED or (text in low.exported and is_called(text, False)):
        made = low.call(node, unsaid(node, text), (), scope, how)
        noted(low, made, scope)
        return made
    return Name(span(node), text)


def answers_requests(low: Lowering, scope: Scope) -> bool:
    """Whether `params` here is what the caller of an endpoint sent: in a controller, or a block of a route."""
    for outer in chain(scope):
        if isinstance(outer.head, Class):
            said = " ".join((outer.head.name, *outer.head.bases))
            return "Controller" in said or "Sinatra" in said or "Grape" in said or "controllers/" in low.path
        if isinstance(outer.head, Function) and outer.head.passed_to in ("get", "post", "put", "patch", "delete"):
            return True
    return False


def identifier(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return bare_name(low, node, low.text(node), scope, how)


def with_block(
    low: Lowering, node: Node, block: Node, callee: Expression, given: tuple[Argument, ...], scope: Scope, how: How
) -> Expression:
    name = callee.name if isinstance(callee, Member) else dotted(callee)
    if name in ITERATORS | MAPPERS | SELECTORS and (isinstance(callee, Member) or name == "loop"):
        return iteration(low, node, block, callee, given, name, scope, how)
    if runs_once(name):
        return once(low, node, block, callee, given, scope, how)
    if name in ("lambda", "proc") and isinstance(callee, Name):
        return closure(low, block, block, scope, how)
    inner = ARGUMENT._replace(passed_to=low.name(callee), registered_as=first_string(given))
    function = closure(low, block, block, scope, inner)
    made = (*given, Argument(function.span, None, function))
    start = Start.DETACHED if low.name(callee) in DETACHED else how.start
    if start is Start.DETACHED and how.use is Use.DISCARDED:
        return low.call(node, function, given, scope, how._replace(start=start))
    return low.call(node, callee, made, scope, how, name in CONSTRUCTORS)


def runs_once(name: str) -> bool:
    return name in ONCE or name.startswith("with_") or name.rstrip("!").endswith(("_lock", "_transaction", "_once"))


def body_of(block: Node) -> list[Node]:
    body = block.child_by_field_name("body")
    return [body] if body is not None else []


def bound_by(low: Lowering, block: Node, scope: Scope) -> tuple[Expression, ...]:
    """What the block calls the values that it is given."""
    listed = block.child_by_field_name("parameters")
    return tuple(pattern(low, one, scope) for one in (children(listed) if listed is not None else ()) if one.type != "comment")


def iteration(
    low: Lowering,
    node: Node,
    block: Node,
    callee: Expression,
    given: tuple[Argument, ...],
    name: str,
    scope: Scope,
    how: How,
) -> Expression:
    """A block run for each element is a loop over the receiver; `return` in it leaves the method."""
    source = callee.object if isinstance(callee, Member) else None
    targets = bound_by(low, block, scope)
    listed = targets if len(targets) < 2 else (Sequence(span(block), targets),)
    iterates: Expression | None = source
    if name in COUNTERS | SLICES:
        iterates = low.call(node, callee, given, scope, ARGUMENT)
    loop = low.scope(Kind.LOOP, block, scope, Loop(listed, iterates))
    inner = DISCARDED if name in ITERATORS else ARGUMENT
    value = statements(low, body_of(block), loop, inner)
    if iterates is not source:
        return iterates or value
    each = Sequence(span(node), (value,), each=True)
    shown = given if name in ITERATORS else (*given, Argument(span(block), None, each))
    made = low.call(node, callee, shown, scope, how)
    return each if name in MAPPERS else made


def once(
    low: Lowering, node: Node, block: Node, callee: Expression, given: tuple[Argument, ...], scope: Scope, how: How
) -> Expression:
    """`transaction do … end` runs its block here, as a `with` statement does; so does a lock."""
    made = low.call(node, callee, given, scope, DISCARDED if how is TAIL else how)
    targets = bound_by(low, block, scope)
    for target in targets[:1]:
        low.assigns.append(Assign(target.span, (target,), made, "=", scope, declares=True))
    items: tuple[Expression, ...] = (made,)
    if isinstance(callee, Member) and callee.name == "with_lock":
        # It locks the row inside a transaction of its own.
        items = (made, Member(callee.span, callee.object, "transaction"))
    inner = low.scope(Kind.WITH, block, scope, With(items))
    value = statements(low, body_of(block), inner, how)
    return value if how.use in (Use.ASSIGNED, Use.RETURNED, Use.ARGUMENT) else made


def closure(low: Lowering, node: Node, block: Node, scope: Scope, how: How) -> Lambda:
    listed = node.child_by_field_name("parameters")
    made = parameters(low, listed, scope)
    head = Function(name=how.bound_to, parameters=made, passed_to=how.passed_to, registered_as=how.registered_as)
    inner = low.scope(Kind.FUNCTION, node, scope, head)
    for one in made:
        declare(low, one.name, inner)
    statements(low, body_of(block), inner, TAIL if returns_value(how) else DISCARDED)
    return Lambda(span(node), inner)


def returns_value(how: How) -> bool:
    """A block of `task`, `every`, `get` or a thread is run for its effect."""
    return how.passed_to.rpartition(".")[2] not in ("task", "every", "new", "subscribe", "Async", "start", "on", "configure")


def lambda_value(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    body = node.child_by_field_name("body")
    return closure(low, node, body if body is not None else node, scope, how)


def yielded(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    listed = node.named_children[0] if node.named_children else None
    callee = Name(span(node), "yield")
    return low.call(node, callee, arguments(low, listed, callee, scope), scope, how)


def parent_call(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    return low.call(node, Name(span(node), "super"), (), scope, how)


def block_argument(low: Lowering, node: Node, scope: Scope, how: How) -> Expression:
    """`&:amount` reads that field of each element."""
    inner = node.named_children[0] if node.named_children else None
    if inner is None:
        return Unknown(span(node), ())
    if inner.type == "simple_symbol":
        return Member(span(node), Name(span(node), "it"), low.text(inner).lstrip(":"))
    return Spread(span(node), expression(low, inner, scope, ARGUMENT))


CALLS: dict[str, Express] = {
    "call": call,
    "identifier": identifier,
    "lambda": lambda_value,
    "yield": yielded,
    "super": parent_call,
    "block_argument": block_argument,
}
