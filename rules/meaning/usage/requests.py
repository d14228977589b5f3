"""What the caller of an endpoint decides: which values were read from the request, and who vouches for them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from rules.code import Code
from rules.facts import (
    Call,
    Class,
    Compare,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Span,
    Spread,
    Template,
    Unary,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context, own_request
from rules.meaning.origins import Kinds, Origin
from rules.meaning.requested import is_request
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import words

HOPS = 4
DECODERS = frozenset("decode unmarshal shouldbindjson bindjson shouldbind bind bodyparser shouldbindquery readjson".split())
CARRIERS = frozenset(
    "stringify dumps marshal serialize serializeobject jsonencode string str urlencode newreader newbuffer newbufferstring "
    "number parseint int".split()
)
PARSERS = frozenset("parse safeparse parseasync safeparseasync validate validatesync validateasync cast modelvalidate".split())
NO_SCHEMA = frozenset("json date number qs url math querystring urllib".split())
TRUSTED = re.compile(
    r"x-api-key|(verify|validate|check|require|authenticate|lookup|find|get|hash|by)_?\w{0,12}api_?key|api_?key\w*\s*[!=]==?|"
    r"internal[_-]?(secret|token|key)|service[_-]?(token|account)|hmac|cron_secret|timingsafe|verify_?signature|constructevent|"
    r"is_?admin|admin_?(only|required|auth|user)|require_?admin|role.{0,12}admin",
    re.I,
)
"""Whoever calls with one of these is the seller's own code, not the customer who is billed."""


@dataclass(frozen=True, slots=True, eq=False)
class Read:
    """A value that the caller of the endpoint sent."""

    field: str
    """Its name in the request."""
    span: Span
    """Where it is read: the destructuring, or the expression itself."""
    text: str


def reads(code: Code, value: Expression, scope: Scope, at: int, bound: bool = True) -> Iterator[Read]:
    """The parts of a value that come straight from the request. Lengths and lookups made from it are the server's.

    With `bound`, those that a schema or a comparison vouches for are left out.
    """
    for origin in code.origins(value, scope, at):
        field = field_of(code, origin)
        if field and field != "length" and not (bound and is_vouched(code, origin, field, scope)):
            yield Read(field, read_at(code, origin).span, code.facts.text(origin.expression.span))


def field_of(code: Code, origin: Origin) -> str:
    """The request's field that an origin reads, if it does."""
    one = origin.expression
    name = last_name(one)
    if origin.kind is Kinds.REQUEST or is_body(code, one, origin.scope):
        if isinstance(one, Name):
            found = definitions_at(code.values, one.text, origin.scope, one.span.start)
            return next((made.part for made in found if made.part), None) or one.text
        return name
    return ""


def last_name(one: Expression) -> str:
    match one:
        case Member(name=name):
            return name
        case Index(key=Literal(value=str(key))):
            return key
        case Call(arguments=arguments) if arguments and isinstance(arguments[0].value, Literal):
            return str(arguments[0].value.value)
        case Name(text=text):
            return text
        case _:
            return ""


def is_body(code: Code, one: Expression, scope: Scope) -> bool:
    """A field of a typed body parameter, or of a variable that the request was decoded into."""
    root = root_of(one)
    if not isinstance(root, Name) or root is one:
        return False
    for found in definitions_at(code.values, root.text, scope, one.span.start):
        if found.how == "parameter" and isinstance(found.scope.head, Function):
            return is_body_parameter(code, found.scope, found.scope.head, root.text)
    return code.facts.traits.out_parameters and decoded(code, root.text, scope)


def is_body_parameter(code: Code, scope: Scope, head: Function, name: str, hops: int = HOPS) -> bool:
    """A parameter of an endpoint whose type is a model, which frameworks fill from the body, or of what is handed it there."""
    traits = code.facts.traits
    found = next((parameter for parameter in head.parameters if parameter.name == name), None)
    if found is None or not traits.typed_bodies or not own_request(code.facts, scope):
        return False
    # Where a body's type does not tell it, a parameter with a default is something else.
    called_for = re.search(traits.body_types, found.type) is not None if traits.body_types else found.default is None
    if not called_for or (traits.injected_types and re.search(traits.injected_types, found.type)):
        return False
    return not names_dependency(code, found.type) and (is_endpoint(head) or is_handed_body(code, head, name, hops))


def is_endpoint(head: Function) -> bool:
    return bool(head.decorators or head.passed_to or head.registered_as)


def names_dependency(code: Code, typed: str) -> bool:
    """`Caller = Annotated[Account, Depends(signed_in)]`: the framework fills it from what it has checked itself."""
    if code.facts.traits.body_types or not typed.isidentifier():
        return False
    made = re.compile(rf"^{re.escape(typed)}\s*(?::[^=\n]*)?=\s*(?:\w+\.)?Annotated\[(?!.*\bBody\()", re.M)
    own = made.search(code.facts.source.decode(errors="replace")) is not None
    return own or any(made.search(one.text) for one in code.elsewhere.mentions(typed))


def is_handed_body(code: Code, head: Function, name: str, hops: int) -> bool:
    """Whether one of the calls of a function that no framework calls hands it the body of a request there.

    Where a framework may find it by its place alone, and nothing in the file calls it, it is taken for an endpoint.
    """
    calls = [one for one in code.facts.calls if head.name and one.method == head.name]
    if not calls or not hops:
        return bool(code.facts.traits.body_types) or not code.elsewhere.whole
    return any(
        hands_body(code, call, argument, hops) for call in calls if (argument := argument_for(head, call, name)) is not None
    )


def argument_for(head: Function, call: Call, name: str) -> Expression | None:
    named = next((one.value for one in call.arguments if one.name == name), None)
    taken = [one.name for one in head.parameters if one.name not in ("self", "cls")]
    placed = [one.value for one in call.arguments if one.name is None]
    at = taken.index(name) if name in taken else len(placed)
    return named if named is not None or at >= len(placed) else placed[at]


def hands_body(code: Code, call: Call, value: Expression, hops: int) -> bool:
    root = root_of(value)
    if is_request(code.values, value, call.scope, call.span.start):
        return True
    if not isinstance(root, Name):
        return False
    return any(
        found.how == "parameter"
        and isinstance(found.scope.head, Function)
        and is_body_parameter(code, found.scope, found.scope.head, root.text, hops - 1)
        for found in definitions_at(code.values, root.text, call.scope, call.span.start)
    )


def decoded(code: Code, name: str, scope: Scope) -> bool:
    """`json.NewDecoder(r.Body).Decode(&req)`, `c.ShouldBindJSON(&req)`."""
    function = enclosing(scope, Kind.FUNCTION)
    if function is None or code.context(scope) is not Context.REQUEST:
        return False
    return any(
        fold(call.method) in DECODERS
        and any(isinstance(argument.value, Name) and argument.value.text == name for argument in call.arguments)
        and decodes_request(code, call)
        for call in code.calls_in(function)
    )


def decodes_request(code: Code, call: Call) -> bool:
    """Not `json.Unmarshal(answer, &reply)`: what is decoded must be the request's body."""
    if fold(call.method) not in ("decode", "unmarshal"):
        return isinstance(call.receiver, Name) and call.receiver.text in ("c", "ctx", "context")
    inside = [argument.value for argument in call.arguments[:1]] + ([call.receiver] if call.receiver is not None else [])
    return any(
        is_request(code.values, part, call.scope, call.span.start)
        or (
            isinstance(part, Name)
            and any(
                one.value is not None and "r.body" in code.facts.text(one.value.span).lower()
                for one in definitions_at(code.values, part.text, call.scope, call.span.start)
            )
        )
        for value in inside
        for part in walk(value)
    )


def read_at(code: Code, origin: Origin) -> Expression:
    """The destructured value for a name, the expression itself otherwise."""
    one = origin.expression
    if isinstance(one, Name):
        for found in definitions_at(code.values, one.text, origin.scope, one.span.start):
            if found.value is not None:
                return found.value
    return one


def is_vouched(code: Code, origin: Origin, field: str, scope: Scope) -> bool:
    """Whether a schema, a bound or a comparison with a number stands between the request and its use."""
    if any(isinstance(part, Call) and is_schema(part) for source in sources(code, origin) for part in walk(source)):
        return True
    return (
        bounded_type(code, origin, field)
        or any(bounds(code, call, field, scope) for call in code.facts.calls)
        or compared(code, field, scope)
        or ruled(code.facts.source.decode(errors="replace"), field)
    )


def sources(code: Code, origin: Origin, hops: int = HOPS) -> Iterator[Expression]:
    """The expression and what the variables it starts at were made from."""
    one: Expression = origin.expression
    at, scope = one.span.start, origin.scope
    for _ in range(hops):
        yield one
        root = next((part for part in walk(one) if isinstance(part, Name)), None)
        found = definitions_at(code.values, root.text, scope, at) if root else ()
        if not found or found[0].value is None:
            return
        one, scope, at = found[0].value, found[0].scope, found[0].end


def is_schema(call: Call) -> bool:
    *before, last = call.folded.split(".")
    return last in PARSERS and bool(before) and before[-1] not in NO_SCHEMA


def bounded_type(code: Code, origin: Origin, field: str) -> bool:
    """A declared bound of the body's field in this file; a body whose type lies elsewhere may have one."""
    root = root_of(origin.expression)
    if isinstance(root, Call) and root.receiver is not None:
        root = root_of(root.receiver)
    if not isinstance(root, Name) or root is origin.expression:
        return False
    for found in definitions_at(code.values, root.text, origin.scope, origin.expression.span.start):
        if found.how == "parameter" and isinstance(found.scope.head, Function):
            typed = next((one.type for one in found.scope.head.parameters if one.name == root.text), "")
            if not is_plain_request(typed) and (code.facts.traits.bounds_on_types or is_checked(code, typed)):
                return bounded_model(code, typed, field)
    return code.facts.traits.out_parameters and declared_bound(code.facts.source.decode(errors="replace"), field)


def bounded_model(code: Code, typed: str, field: str) -> bool:
    """`Json<Order>`, `[FromBody] Order?`: the bounds are declared with the model, and one that lies elsewhere may have them."""
    named = re.sub(r"\[[^\]]*\]\s*|^.*?<|>.*$", "", typed).rstrip("?").rsplit("\\", 1)[-1].rsplit(" ", 1)[-1]
    text = class_text(code, named)
    if text is None and not code.facts.traits.bounds_on_types:
        others = (code.elsewhere.code_of(path) for path in sorted(code.elsewhere.naming(named)))
        text = next((found for other in others if other is not None and (found := class_text(other, named)) is not None), None)
    if text is None:
        return True
    return "validate(range" in text or annotated(text, field) or declared_bound(text, field) or ruled(text, field)


def class_text(code: Code, named: str) -> str | None:
    model = next((one for one in code.facts.scopes if isinstance(one.head, Class) and one.head.name == named), None)
    return code.facts.text(model.span) if model is not None else None


def is_checked(code: Code, typed: str) -> bool:
    """`@Valid UsageBody body`; a class of the project's own in place of the request is made for its rules."""
    if code.facts.traits.typed_bodies:
        return re.search(r"@Valid(ated)?\b", typed) is not None
    named = re.split(r"[\\\s]", typed)[-1]
    return bool(named) and any(
        re.search(rf"(^|/)Requests?/(.*/)?{re.escape(named)}\.\w+$", path) for path in code.elsewhere.naming(named)
    )


def ruled(text: str, field: str) -> bool:
    """`'amount' => 'required|integer|min:1'`, `amount: { type: "integer", minimum: 1 }`: a rule that keeps it above zero."""
    return re.search(rf"[\"']?\b{re.escape(field)}\b[\"']?\)?\s*(?:=>|:|\.)[^;\n]{{0,160}}(?:{ABOVE})", text) is not None


ABOVE = (
    r"min:[1-9]|gt:\d|between:[1-9]|minimum[\"']?\s*:\s*[1-9]|exclusiveMinimum|"
    r"\.positive\(|\.min\([1-9]|isInt\(\{\s*min:\s*[1-9]"
)


def is_plain_request(typed: str) -> bool:
    last = re.split(r"[.\\]", typed)[-1]
    return last in ("", "Request") or "HttpRequest" in typed or "ServerRequest" in typed


def declared_bound(text: str, field: str) -> bool:
    """`n: int = Field(gt=0)`, `n: PositiveInt`, `N int `binding:"min=1"``."""
    return (
        re.search(rf"^\s*{re.escape(field)}\b.*(g[te]=|min=|Positive|NonNegative|conint|condecimal|confloat)", text, re.M)
        is not None
    )


def annotated(text: str, field: str) -> bool:
    """`[Range(1, 1000)] public int Quantity`, also on the line above or on a record's parameter; a validator may add more."""
    marks = r"\[[^\]]*\b(?:Range|Positive)\b[^\]]*\]|@(?:field:)?(?:Positive|Min|DecimalMin|Range|IsPositive)\b"
    return re.search(rf"(?:{marks})[^;{{}}]{{0,120}}\b{re.escape(field)}\b", text) is not None


def bounds(code: Code, call: Call, field: str, scope: Scope) -> bool:
    """`Math.max(0, n)`, `clamp(n)`, `abs(n)` in the same function."""
    function = enclosing(scope, Kind.FUNCTION)
    if (
        function is None
        or fold(call.method) not in ("max", "min", "clamp", "abs", "ispositive", "bound")
        or not within(call.scope, function)
    ):
        return False
    return any(names(part, field) for argument in call.arguments for part in walk(argument.value))


def compared(code: Code, field: str, scope: Scope) -> bool:
    """`if (n <= 0 || n > 100) return`: the value is compared with a number before use."""
    function = enclosing(scope, Kind.FUNCTION)
    for test in code.facts.tests:
        if function is None or not within(test.scope, function):
            continue
        for part in walk(test.value):
            if isinstance(part, Compare) and part.operator in ("<", "<=", ">", ">="):
                sides = (part.left, part.right)
                if any(names(inner, field) for side in sides for inner in walk(side)) and any(
                    is_number(side) for side in sides
                ):
                    return True
    return False


def names(part: Expression, field: str) -> bool:
    return fold(last_name(part)) == fold(field) if isinstance(part, Name | Member | Index) else False


def is_number(side: Expression) -> bool:
    return isinstance(side, Literal) and isinstance(side.value, int | float) and not isinstance(side.value, bool)


def trusted(code: Code, scope: Scope) -> bool:
    """Whether only the seller's own code can call this endpoint: an API key, a shared secret, an admin check, a signature."""
    path = code.facts.path
    if code.facts.traits.internal_folders:
        path = re.sub(r"(^|/)internal/", "/", path)
    where = set(words(path)) | set(words(code.function_name(scope)))
    if where & {"internal", "admin", "ingest", "ingestion", "webhook", "webhooks", "dev"}:
        return True
    function = outermost(scope)
    if function is None:
        return False
    known = VOUCHED.setdefault(code, {})
    if function not in known:
        known[function] = speaks_of_trust(code, function)
    return known[function]


VOUCHED: WeakKeyDictionary[Code, dict[Scope, bool]] = WeakKeyDictionary()
"""What was worked out for a file; gone with it."""


def speaks_of_trust(code: Code, function: Scope) -> bool:
    marks = " ".join(code.facts.text(mark.span) for mark in getattr(function.head, "decorators", ()))
    return bool(TRUSTED.search(code.facts.text(function.span)) or TRUSTED.search(marks))


def outermost(scope: Scope | None) -> Scope | None:
    """The function that the framework calls: the last one outwards."""
    found = None
    while scope is not None:
        if scope.kind is Kind.FUNCTION:
            found = scope
        scope = scope.parent
    return found


def carried(code: Code, value: Expression, scope: Scope, at: int, hops: int = HOPS) -> Iterator[tuple[str, Expression]]:
    """Every named field that a value carries, however it is wrapped: `{…}`, `&T{…}`, `JSON.stringify(x)`, a variable."""
    if hops == 0:
        return
    whole = unpacked(code, resolved(code.values, value, scope, at), scope, at)
    match whole:
        case Object(entries=entries):
            for entry in entries:
                if entry.name is not None:
                    yield entry.name, entry.value
                yield from carried(code, entry.value, scope, at, hops - 1)
        case Unary(value=inner) | Spread(value=inner):
            yield from carried(code, inner, scope, at, hops - 1)
        case Sequence(items=items) | Template(parts=items):
            for item in items:
                yield from carried(code, item, scope, at, hops - 1)
        case Call() if fold(whole.method) in CARRIERS or whole.constructs:
            for argument in whole.arguments:
                if argument.name is not None:
                    yield argument.name, argument.value
                yield from carried(code, argument.value, scope, at, hops - 1)
        case _:
            return


def unpacked(code: Code, value: Expression, scope: Scope, at: int) -> Expression:
    """The call behind the first of several results: `content, err := json.Marshal(params)`."""
    found = definitions_at(code.values, value.text, scope, at) if isinstance(value, Name) else ()
    made = found[0].value if len(found) == 1 and found[0].how == "part" else None
    return made if isinstance(made, Call) else value
