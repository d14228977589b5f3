"""Where a value comes from, inside one file: literal, parameter, request, stored field, clock, random or another call."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from rules.facts import (
    Assign,
    Binary,
    Call,
    Conditional,
    Entry,
    Expression,
    Facts,
    Function,
    Index,
    Kind,
    Lambda,
    Literal,
    Logical,
    Loop,
    Member,
    Name,
    Object,
    Return,
    Scope,
    Sequence,
    Spread,
    Template,
    Unary,
    Unknown,
    chain,
    dotted,
    enclosing,
    fold,
    within,
)

HOPS = 8
"""How many names and local functions a value is followed through. Beyond that it is unknown, and unsure is quiet."""


class Kinds(StrEnum):
    """What a value is in the end."""

    LITERAL = "literal"
    PARAMETER = "parameter"
    REQUEST = "request"
    """What the caller of an endpoint sent."""
    STORED = "stored"
    """A field of something that existed before: a row, a message, an element of a collection, `self`."""
    CLOCK = "clock"
    RANDOM = "random"
    CALL = "call"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Origin:
    """One source of a value and the expression that shows it."""

    kind: Kinds
    expression: Expression
    scope: Scope


@dataclass(frozen=True, slots=True, eq=False)
class Definition:
    """One place that gives a name its value."""

    name: str
    value: Expression | None
    """None for a parameter without a default and where only the place is known."""
    scope: Scope
    end: int
    """Byte offset after which the definition holds."""
    how: str
    """assign, change (`+=`), part (of a destructured value), parameter, loop."""
    part: str | None = None
    """The property that was taken, for a destructured object."""


@dataclass(frozen=True, slots=True, eq=False)
class Values:
    """All definitions of one file by name, and its functions by name."""

    facts: Facts
    definitions: Mapping[str, tuple[Definition, ...]]
    functions: Mapping[str, tuple[Scope, ...]]
    changes: Mapping[str, tuple[Assign, ...]]
    """Assignments to a member or an item of a name: `params.identifier = x`."""


def values_of(facts: Facts) -> Values:
    definitions: dict[str, list[Definition]] = {}
    functions: dict[str, list[Scope]] = {}
    changes: dict[str, list[Assign]] = {}
    for assign in facts.assigns:
        for target in assign.targets:
            for made in targeted(assign, target):
                definitions.setdefault(made.name, []).append(made)
            if isinstance(target, Member | Index) and (root := dotted(target.object)):
                changes.setdefault(root, []).append(assign)
    for scope in facts.scopes:
        if isinstance(scope.head, Function):
            if scope.head.name:
                functions.setdefault(scope.head.name, []).append(scope)
            for made in parameters(scope, scope.head):
                definitions.setdefault(made.name, []).append(made)
        elif isinstance(scope.head, Loop):
            for target in scope.head.targets:
                for name in bindings(target):
                    made = Definition(name[0], scope.head.iterates, scope, scope.span.start, "loop", name[1])
                    definitions.setdefault(made.name, []).append(made)
    ordered = {name: tuple(sorted(them, key=lambda one: one.end)) for name, them in definitions.items()}
    return Values(
        facts,
        ordered,
        {name: tuple(them) for name, them in functions.items()},
        {name: tuple(them) for name, them in changes.items()},
    )


def targeted(assign: Assign, target: Expression) -> Iterator[Definition]:
    if isinstance(target, Name):
        how = "assign" if assign.operator in ("=", ":=", "??=", "||=") else "change"
        yield Definition(target.text, assign.value, assign.scope, assign.span.end, how)
    elif isinstance(target, Sequence) and isinstance(assign.value, Sequence) and len(target.items) == len(assign.value.items):
        for item, value in zip(target.items, assign.value.items, strict=True):
            if isinstance(item, Name):
                yield Definition(item.text, value, assign.scope, assign.span.end, "assign")
    elif isinstance(target, Object | Sequence):
        for name, part in bindings(target):
            yield Definition(name, assign.value, assign.scope, assign.span.end, "part", part)


def bindings(pattern: Expression, part: str | None = None) -> Iterator[tuple[str, str | None]]:
    """The names that a target or pattern binds, each with the property it takes."""
    match pattern:
        case Name(text=text):
            yield text, part
        case Object(entries=entries):
            for entry in entries:
                yield from bindings(entry.value, entry.name)
        case Sequence(items=items):
            for item in items:
                yield from bindings(item, part)
        case Spread(value=value) | Member(object=value):
            yield from bindings(value) if isinstance(pattern, Spread) else ()
        case _:
            return


def parameters(scope: Scope, head: Function) -> Iterator[Definition]:
    for parameter in head.parameters:
        if parameter.pattern is None:
            yield Definition(parameter.name, parameter.default, scope, scope.span.start, "parameter")
        else:
            for name, part in bindings(parameter.pattern):
                yield Definition(name, None, scope, scope.span.start, "parameter", part)


def definitions_at(values: Values, name: str, scope: Scope, at: int) -> tuple[Definition, ...]:
    """The definitions that may reach a use of `name`, latest first.

    In the use's own function: those before it, back to one that always runs. Else those of the nearest enclosing
    function or module that has any, in whatever order, since a closure may run at any time.
    """
    known = values.definitions.get(name, ())
    if not known:
        return ()
    for outer in chain(scope):
        if outer.kind not in (Kind.FUNCTION, Kind.MODULE):
            continue
        here = [one for one in known if home(one) is outer]
        if not here:
            continue
        if outer is not enclosing(scope, Kind.FUNCTION, Kind.MODULE):
            return tuple(reversed(here))
        reaching: list[Definition] = []
        for one in reversed([one for one in here if one.end <= at]):
            reaching.append(one)
            if within(scope, one.scope) and one.how != "change":
                break
        return tuple(reaching)
    return ()


def home(definition: Definition) -> Scope | None:
    return enclosing(definition.scope, Kind.FUNCTION, Kind.MODULE)


def resolved(values: Values, expression: Expression, scope: Scope, at: int) -> Expression:
    """The expression that a name stands for, where there is just one; anything else stays as it is."""
    for _ in range(HOPS):
        if not isinstance(expression, Name):
            return expression
        found = definitions_at(values, expression.text, scope, at)
        if not found and (method := named_method(values, expression)) is not None:
            answer = answer_of(values, method)
            if answer is None or answer.value is None or is_field(answer.value):
                return expression
            expression, scope, at = answer.value, answer.scope, answer.span.end
            continue
        if len(found) != 1 or found[0].how != "assign" or found[0].value is None:
            return expression
        expression, scope, at = found[0].value, found[0].scope, found[0].end
    return expression


def is_field(value: Expression) -> bool:
    """What tells no more than the name that stands for it."""
    return isinstance(value, Literal | Member)


CLOCK_CALLS = frozenset(
    "time.time time.timens time.monotonic datetime.now datetime.utcnow datetime.today date.today timezone.now date.now "
    "performance.now time.now instant.now localdate.now zoneddatetime.now moment moment.utc dayjs dayjs.utc "
    "pendulum.now arrow.utcnow arrow.now datetime.datetime.now datetime.datetime.utcnow timezone.localtime "
    "getcurrenttime currenttimestamp time.perfcounter process.hrtime gettimestamp utcnow clock.now "
    "system.currenttimemillis system.nanotime localdatetime.now offsetdatetime.now localtime.now yearmonth.now "
    "clock.millis clock.instant calendar.getinstance clock.getutcnow clock.getutctoday system.now time.current "
    "date.current datetime.current zone.now zone.today process.clockgettime datetime.today utc.now local.now "
    "systemtime.now offsetdatetime.nowutc datetimeoffset.utcnow datetimeoffset.now getutcnow getlocalnow "
    "timeprovider.getutcnow timeprovider.getlocalnow carbon.now carbon.today carbonimmutable.now now today time "
    "microtime hrtime".split()
)
RANDOM_CALLS = frozenset(
    "uuid4 uuid1 uuid7 uuidv4 uuidv1 uuidv7 randomuuid nanoid ulid cuid cuid2 createid customalphabet tokenhex tokenurlsafe "
    "tokenbytes urandom getrandombits randombytes newstring newuuid newulid newrandom mustnewv4 newv4 newv7 ksuid "
    "xid randomhex randomstring genid shortuuid getuuid generateuuid guid newguid getrandomstring randomalphanumeric "
    "randomalphabetic randomnumeric getulid randomnanoid gettimeordered timebasedepoch uniqid createversion7 nowv7 "
    "newulid randombytes mtrand randomint".split()
)
RANDOM_MODULES = frozenset("random secrets rand crypto/rand math/rand securerandom threadlocalrandom".split())
SEEN_THROUGH = frozenset(
    "str string int int64 int32 float float64 number bigint round floor ceil trunc abs tostring toisostring isoformat "
    "timestamp gettime unix unixmilli unixnano format strftime hex hexdigest digest update sha256 sha1 md5 sha512 "
    "createhash createhmac encode decode encodetostring join concat replace slice substring substr lower upper tolowercase "
    "touppercase strip trim sprintf sprint valueof bytes sum256 uuid5 uuidv5 v5 newsha1 newsha256 tojson stringify dumps "
    "utc local add sub addseconds fromtimestamp parse tofixed max min itoa formatint epoch value to ptr pointer topt of "
    "astimezone replaceall padstart toepochmilli toinstant epochsecond getepochsecond b64encode hash new long double "
    "short intvalue longvalue doublevalue parselong parsedouble formatted toepochsecond ofepochmilli ofepochsecond "
    "atzone truncatedto getmillis sha256hex nameuuidfrombytes getbytes hashstring tolong toint todouble tobigdecimal "
    "tolocaldate todate getlong requirenonnull tos toi tof tod tosym iso8601 rfc3339 xmlschema squish intimezone "
    "tojson dup presence beginningofmonth beginningofday beginningofhour base64digest change totime todatetime "
    "urlsafeencode64 strictencode64 adddays addhours addminutes addmonths addmilliseconds tounixtimeseconds "
    "tounixtimemilliseconds touniversaltime tounixtime timestampmillis "
    "torfc3339 timestampnanos durationsince assecs asmillis tryparse tolocaltime todatetimeoffset tolowerinvariant "
    "toupperinvariant tohexstring hashdata computehash".split()
)


def is_clock(call: Call) -> bool:
    """Whether a call reads the clock: `Date.now()`, `new Date()` without arguments, `time.Now()`."""
    folded = call.folded
    if folded in ("date", "datetime", "datetimeimmutable", "localdate", "localdatetime") and call.constructs:
        return not call.arguments or getattr(call.arguments[0].value, "value", None) == "now"
    if folded == "date":
        # PHP's `date('Y-m')`.
        return call.method == "date" and len(call.arguments) == 1
    tail = ".".join(folded.split(".")[-2:])
    return (folded in CLOCK_CALLS or tail in CLOCK_CALLS or tail.endswith((".utcnow", ".getutcnow"))) and not any(
        isinstance(argument.value, Call | Literal) and folded.startswith(("moment", "dayjs")) for argument in call.arguments
    )


def is_random(call: Call) -> bool:
    """Whether a call makes a fresh identifier each time it runs."""
    segments = call.folded.split(".")
    last = segments[-1]
    if last in RANDOM_CALLS:
        return True
    if len(segments) > 1 and segments[-2] == "str" and last in ("uuid", "ulid", "random", "ordereduuid"):
        return True
    if last in ("v1", "v4", "v6", "v7") and "uuid" in call.folded:
        return True
    if last in ("new", "make", "generate") and len(segments) > 1 and segments[-2] in ("uuid", "xid", "ksuid", "ulid"):
        return True
    return any(part in RANDOM_MODULES for part in segments[:-1]) or call.folded == "math.random"


def origins(values: Values, expression: Expression, scope: Scope, at: int | None = None) -> tuple[Origin, ...]:
    """Every source that flows into the expression, followed through names and the file's own functions."""
    found: list[Origin] = []
    start = expression.span.start if at is None else at
    trace(values, expression, scope, start, HOPS, found, set())
    return tuple(found)


def trace(
    values: Values,
    expression: Expression,
    scope: Scope,
    at: int,
    hops: int,
    found: list[Origin],
    seen: set[int],
) -> None:
    if id(expression) in seen:
        return
    seen.add(id(expression))
    if hops == 0:
        found.append(Origin(Kinds.UNKNOWN, expression, scope))
        return

    def follow(part: Expression, hops: int = hops) -> None:
        trace(values, part, scope, at, hops, found, seen)

    match expression:
        case Literal():
            found.append(Origin(Kinds.LITERAL, expression, scope))
        case Name():
            trace_name(values, expression, scope, at, hops, found, seen)
        case Member() | Index():
            trace_member(values, expression, scope, at, hops, found, seen)
        case Call():
            trace_call(values, expression, scope, at, hops, found, seen)
        case Template(parts=inside) | Unknown(parts=inside) | Sequence(items=inside):
            for part in inside:
                follow(part)
        case Object(entries=entries):
            for entry in entries:
                follow(entry.value)
        case Conditional(then=then, otherwise=otherwise):
            follow(then)
            follow(otherwise)
        case Binary(left=left, right=right) | Logical(left=left, right=right):
            follow(left)
            follow(right)
        case Unary(value=value) | Spread(value=value):
            follow(value)
        case Lambda():
            found.append(Origin(Kinds.CALL, expression, scope))
        case _:
            found.append(Origin(Kinds.UNKNOWN, expression, scope))


def trace_name(values: Values, name: Name, scope: Scope, at: int, hops: int, found: list[Origin], seen: set[int]) -> None:
    reaching = definitions_at(values, name.text, scope, at)
    if not reaching and (method := named_method(values, name)) is not None:
        trace_answers(values, name, method, hops, found, seen)
        return
    if not reaching:
        found.append(Origin(Kinds.UNKNOWN, name, scope))
    for one in reaching:
        if one.how == "parameter":
            kind = Kinds.REQUEST if from_request(values, one, name) else Kinds.PARAMETER
            found.append(Origin(kind, name, scope))
        elif one.how == "loop":
            found.append(Origin(Kinds.STORED, name, scope))
        elif one.value is None:
            found.append(Origin(Kinds.UNKNOWN, name, scope))
        elif one.how == "part":
            trace_part(values, one, name, hops, found, seen)
        else:
            trace(values, one.value, one.scope, one.end, hops - 1, found, seen)


def trace_part(values: Values, one: Definition, name: Name, hops: int, found: list[Origin], seen: set[int]) -> None:
    """A destructured name: of a request, of a literal that is in view, else a stored field."""
    source = one.value
    assert source is not None
    whole = resolved(values, source, one.scope, one.end)
    if is_request(values, whole, one.scope, one.end):
        found.append(Origin(Kinds.REQUEST, name, one.scope))
    elif isinstance(whole, Object) and (entry := named_entry(whole, one.part)):
        trace(values, entry.value, one.scope, one.end, hops - 1, found, seen)
    elif isinstance(whole, Call) and (is_clock(whole) or is_random(whole)):
        trace(values, whole, one.scope, one.end, hops - 1, found, seen)
    else:
        found.append(Origin(Kinds.STORED, name, one.scope))


def trace_member(
    values: Values, member: Member | Index, scope: Scope, at: int, hops: int, found: list[Origin], seen: set[int]
) -> None:
    if is_request(values, member, scope, at):
        found.append(Origin(Kinds.REQUEST, member, scope))
        return
    root = root_of(member)
    whole = resolved(values, root, scope, at) if isinstance(root, Name) else root
    if isinstance(member, Member) and isinstance(whole, Object) and (entry := named_entry(whole, member.name)):
        trace(values, entry.value, scope, at, hops - 1, found, seen)
        return
    if isinstance(whole, Call) and (is_clock(whole) or is_random(whole) or isinstance(root, Call)):
        before = len(found)
        trace(values, whole, scope, at, hops - 1, found, seen)
        if any(origin.kind in (Kinds.CLOCK, Kinds.RANDOM) for origin in found[before:]) or isinstance(root, Call):
            return
    found.append(Origin(Kinds.STORED, member, scope))


def trace_call(values: Values, call: Call, scope: Scope, at: int, hops: int, found: list[Origin], seen: set[int]) -> None:
    if is_clock(call):
        found.append(Origin(Kinds.CLOCK, call, scope))
        return
    if is_random(call):
        found.append(Origin(Kinds.RANDOM, call, scope))
        return
    if is_request(values, call, scope, at):
        found.append(Origin(Kinds.REQUEST, call, scope))
        return
    last = fold(call.method)
    if last in SEEN_THROUGH or (call.constructs and call.folded in ("date", "decimal", "bigint")):
        inside = [argument.value for argument in call.arguments]
        if call.receiver is not None and not is_plain_module(call.receiver, values):
            inside.append(call.receiver)
        for part in inside:
            trace(values, part, scope, at, hops, found, seen)
        return
    local = values.functions.get(call.method, ()) if "." not in call.name or call.name.startswith(("self.", "this.")) else ()
    if len(local) == 1:
        trace_returns(values, call, local[0], hops, found, seen)
        return
    found.append(Origin(Kinds.CALL, call, scope))


def named_method(values: Values, name: Name) -> Scope | None:
    """The file's own method that a bare name calls, as Ruby lets it: one that needs no arguments."""
    found = values.functions.get(name.text, ())
    head = found[0].head if len(found) == 1 else None
    plain = isinstance(head, Function) and head.method and not head.parameters
    return found[0] if plain and values.facts.traits.bare_members else None


def answer_of(values: Values, method: Scope) -> Return | None:
    """The one value that a method has, if it has just one."""
    given = [one for one in values.facts.returns if enclosing(one.scope, Kind.FUNCTION) is method]
    return given[0] if len(given) == 1 and given[0].value is not None else None


def trace_answers(values: Values, name: Name, method: Scope, hops: int, found: list[Origin], seen: set[int]) -> None:
    before = len(found)
    for one in values.facts.returns:
        if one.value is not None and enclosing(one.scope, Kind.FUNCTION) is method:
            trace(values, one.value, one.scope, one.span.end, hops - 1, found, seen)
    if len(found) == before:
        found.append(Origin(Kinds.UNKNOWN, name, method))


def trace_returns(values: Values, call: Call, function: Scope, hops: int, found: list[Origin], seen: set[int]) -> None:
    """What the file's own function returns; its parameters stand for this call's arguments."""
    inner: list[Origin] = []
    for one in values.facts.returns:
        if one.value is not None and enclosing(one.scope, Kind.FUNCTION) is function:
            trace(values, one.value, one.scope, one.span.end, hops - 1, inner, seen)
    found.extend(origin for origin in inner if origin.kind is not Kinds.PARAMETER)
    if not inner:
        found.append(Origin(Kinds.CALL, call, call.scope))
    if any(origin.kind is Kinds.PARAMETER for origin in inner):
        for argument in call.arguments:
            trace(values, argument.value, call.scope, call.span.start, hops - 1, found, seen)


def is_plain_module(receiver: Expression, values: Values) -> bool:
    """`Math`, `hashlib`, `fmt`: the receiver is no value."""
    return isinstance(receiver, Name) and receiver.text not in values.definitions


def root_of(expression: Expression) -> Expression:
    while isinstance(expression, Member | Index):
        expression = expression.object
    return expression


def named_entry(whole: Object, name: str | None) -> Entry | None:
    return next((entry for entry in whole.entries if name is not None and entry.name == name), None)


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
