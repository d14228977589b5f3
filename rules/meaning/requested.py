"""What the caller of an endpoint sent: `req.body`, `c.Query(…)`, a parameter that the framework fills."""

import re

from rules.facts import (
    Call,
    Expression,
    Function,
    Index,
    Member,
    Name,
    Scope,
    fold,
)
from rules.meaning.values import Definition, Values, definitions_at

REQUEST_NAMES = frozenset("req request httprequest".split())
REQUEST_CONTEXTS = frozenset("c ctx context event httpcontext".split())
REQUEST_PARTS = frozenset(
    "params body json query form args headers get_json data post values payload querystringparameters input bind "
    "shouldbindjson formvalue formdata queryparams pathparams rawbody getjson files jsonbody readfromjson routevalues getbody "
    "getparsedbody getqueryparams getcontent".split()
)
SENT = re.compile(r"@(?:RequestBody|RequestParam|PathVariable|PathParam|QueryParam|FormParam|QueryValue|Body|MatrixParam)\b")
"""Annotations of a parameter that the framework fills with what the caller sent."""
RECEIVED = frozenset(
    "receive receivenullable receivetext receiveparameters receivemultipart parameters queryparameters".split()
)
"""How Ktor's `call` gives what the caller sent."""
WEB_CONTEXT = re.compile(r"\*?(?:gin\.Context|echo\.Context|fiber\.Ctx)$")
ASKED = frozenset("query defaultquery param params postform defaultpostform queryparam formvalue".split())
"""How the contexts of Go's web frameworks give what the caller sent."""


def web_context(found: Definition, name: str) -> bool:
    head = found.scope.head
    return isinstance(head, Function) and any(one.name == name and WEB_CONTEXT.match(one.type) for one in head.parameters)


def is_request(values: Values, expression: Expression, scope: Scope, at: int) -> bool:
    """Whether an expression reads what the caller of an endpoint sent: `req.body.n`, `await request.json()`."""
    root: Expression = expression
    decoded: Expression | None = None
    path: list[str] = []
    while True:
        if isinstance(root, Member):
            path.append(fold(root.name))
            root = root.object
        elif isinstance(root, Index):
            root = root.object
        elif isinstance(root, Call) and root.folded == "jsondecode" and root.arguments:
            return is_request(values, root.arguments[0].value, scope, at)
        elif isinstance(root, Call) and root.receiver is not None:
            if root.folded in ("json.parse", "json.loads", "jsondecode") and root.arguments:
                decoded = root.arguments[0].value
            path.append(fold(root.method))
            root = root.receiver
        else:
            break
    if isinstance(root, Call) and fold(root.method) in ("readbody", "getquery", "getjson"):
        return True
    if isinstance(root, Name) and decoded is not None:
        return is_request(values, decoded, scope, at)
    if not isinstance(root, Name):
        return False
    name = fold(root.text)
    given = definitions_at(values, root.text, scope, at)
    if path and given and given[0].how == "parameter" and sent_by_caller(given[0], root.text):
        return True
    if name == "call" and set(path) & RECEIVED:
        return True
    if name in REQUEST_NAMES or (name in REQUEST_CONTEXTS and path and ("req" in path or "request" in path)):
        return any(part in REQUEST_PARTS for part in path)
    if given and given[0].how == "parameter" and ASKED & set(path) and web_context(given[0], root.text):
        return True
    if name in values.facts.traits.request_names:
        return any(part in ("body", "formvalue", "url", "postformvalue") for part in path)
    found = definitions_at(values, root.text, scope, at)
    return (
        len(found) == 1
        and found[0].how in ("assign", "part")
        and found[0].value is not None
        and found[0].value is not expression
        and is_request(values, found[0].value, found[0].scope, found[0].end)
    )


def sent_by_caller(one: Definition, name: str) -> bool:
    """Whether a parameter is marked as one that the framework fills with what the caller sent."""
    head = one.scope.head
    return isinstance(head, Function) and any(each.name == name and SENT.match(each.type) for each in head.parameters)


def from_request(values: Values, one: Definition, name: Name) -> bool:
    """Whether a parameter of an endpoint is its body. Typed bodies carry a model's name; unsure is a plain parameter."""
    head = one.scope.head
    if not isinstance(head, Function):
        return False
    if sent_by_caller(one, name.text):
        return True
    return one.part is not None and any(
        fold(parameter.name or "") in REQUEST_NAMES for parameter in head.parameters if parameter.pattern is not None
    )
