"""Where a value comes from, inside one file: literal, parameter, request, stored field, clock, random or another call."""

from dataclasses import dataclass
from enum import StrEnum

from rules.facts import (
    Binary,
    Call,
    Conditional,
    Entry,
    Expression,
    Index,
    Kind,
    Lambda,
    Literal,
    Logical,
    Member,
    Name,
    Object,
    Scope,
    Sequence,
    Spread,
    Template,
    Unary,
    Unknown,
    enclosing,
    fold,
)
from rules.meaning.requested import from_request, is_request
from rules.meaning.values import HOPS, Definition, Values, definitions_at, named_method, resolved, root_of


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


def named_entry(whole: Object, name: str | None) -> Entry | None:
    return next((entry for entry in whole.entries if name is not None and entry.name == name), None)
