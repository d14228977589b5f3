"""What Java's and Kotlin's methods say that other languages write as a property, an operator, an index or a literal."""

import re

from tree_sitter import Node

from rules.facts import (
    Argument,
    Binary,
    Call,
    Compare,
    Entry,
    Expression,
    Index,
    Lambda,
    Literal,
    Logical,
    Member,
    Object,
    Scope,
    Sequence,
    Span,
    Start,
    Unary,
    Use,
    dotted,
)
from rules.languages.jvm_names import LISTS, MAPS, does_work, last_word, type_of
from rules.languages.lowering import ARGUMENT, CHAINED, How, Lowering, span

GETTER = re.compile(r"get([A-Z]\w*)")
SETTER = re.compile(r"set([A-Z]\w*)")
FLAG = re.compile(r"(?:is|has)[A-Z]\w*")
ASKED = frozenset(
    "getClass getInstance getBytes getTime getTimeInMillis getEpochSecond getMonth getMonthValue getMonthOfYear getYear "
    "getDayOfMonth getDayOfWeek getHour getMinute getSecond getNano getNow getUTCNow getUTCToday getFirst getLast getMillis "
    "isEmpty isBlank isBefore isAfter isEqual isDone isTerminated isShutdown isOpen isInterrupted isAlive hasNext hasText "
    "hasLength hasMoreElements isNull hasRemaining isHeldByCurrentThread getAsInt getAsLong getAsDouble getResultList "
    "getSingleResult getCount getPlain getAcquire getConnection getTransaction getCurrentSession getContext".split()
)
"""Methods of the libraries that look like the reading of a property and are none."""
VERBS = frozenset(
    "find get set is has to as with of add remove save send flush poll take next close run start stop build create "
    "new from read write fetch load parse count sum size length empty clear commit rollback begin end open lock "
    "unlock try wait notify await block join peek pop push put offer drain reset init setup update delete insert "
    "select query list iterator stream values keys entries entry now today current call invoke apply accept execute "
    "submit check validate verify require assert compute calculate record report track emit publish consume "
    "increment decrement deduct reserve release refund charge bill retry handle process on do can should must make "
    "copy clone hash trim strip lower upper plus minus negate abs last first min max avg average any all none flat "
    "map filter collect distinct sorted limit skip reduce test supply exit die random generate rotate expire extend "
    "sync async parallel sequential boxed builder toggle enable disable use subscribe prepare compile bind unwrap "
    "lines chars bytes year month day hour minute second millis nanos instant toInstant ordinal name at int long "
    "double float big acquire obtain claim dequeue pull receive lookup search scan refresh reload resolve determine "
    "estimate aggregate show render draw ensure ask answer log print persist store give return settle finish "
    "complete cancel abort pause resume restart reconcile invoice renew before after".split()
)
"""How the names of methods begin that do something; any other name is what the method gives: `event.customerId()`."""
SAME = frozenset("stream parallelStream boxed sequential parallel orElseThrow asSequence".split())
"""Methods whose result stands for what they are called on."""
WAITS = frozenset("join block await awaitSingle awaitFirst awaitSingleOrNull blockingGet indefinitely".split())
"""What waits for a result that comes later."""
CONVERTS = frozenset("toLong toInt toDouble toBigDecimal longValue intValue doubleValue longValueExact intValueExact".split())
"""What gives the same number in another type: the receiver is read, as an argument of a conversion is elsewhere."""
SIGNS = {"plus": "+", "minus": "-", "add": "+", "subtract": "-", "multiply": "*", "divide": "/", "remainder": "%"}
DETACHES = frozenset("runAsync supplyAsync execute submit launch async start startVirtualThread".split())
POOL = frozenset("executor executors pool future completablefuture thread globalscope scope scheduler workers threads".split())
FAILS = frozenset("exceptionally onErrorResume onErrorReturn onErrorContinue doOnError onErrorMap recover".split())
EMPTY_LISTS = LISTS - {"List", "Collection", "Queue", "Deque", "Set", "MutableList", "MutableSet"}
EMPTY_MAPS = MAPS - {"Map", "MutableMap", "SortedMap", "ConcurrentMap"}
LISTED = frozenset({"List.of", "Arrays.asList", "Set.of", "Collections.singletonList", "Collections.singleton", "Stream.of",
    "List.copyOf", "ImmutableList.of", "ImmutableSet.of", "Collections.emptyList", "Lists.newArrayList",
    "listOf", "setOf", "mutableListOf", "arrayListOf", "mutableSetOf", "arrayOf", "emptyList", "listOfNotNull"})  # fmt: skip
MAPPED = frozenset({"Map.of", "ImmutableMap.of", "Collections.singletonMap", "Collections.emptyMap", "emptyMap"})


def receiver_how(method: str, arguments: int, receiver_calls: bool, how: How) -> How:
    """What happens to a receiver: with a method that only hands it on, the same as to the whole."""
    if method in SAME and (not arguments or method == "orElseThrow"):
        return how
    if method == "get" and receiver_calls and not arguments:
        return how._replace(start=Start.AWAITED)
    if method in WAITS and receiver_calls and arguments < 2:
        return how._replace(start=Start.AWAITED)
    if method == "toList" and not arguments and receiver_calls:
        return how
    return ARGUMENT if method in CONVERTS and not arguments else CHAINED


def idiom(
    low: Lowering, node: Node, receiver: Expression | None, method: str, given: tuple[Argument, ...], scope: Scope, how: How
) -> Expression | None:
    """What a call says in the words of the model; None for one that is a call there too."""
    values = [argument.value for argument in given]
    place = span(node)
    if receiver is None:
        return literal(place, method, values)
    if not given:
        return without_arguments(low, node, receiver, method, scope, how)
    if made := literal(place, f"{dotted(receiver)}.{method}", values):
        return made
    if len(given) == 1:
        return with_one(low, node, receiver, method, values[0], scope, how)
    if dotted(receiver) in ("Objects", "java.util.Objects") and method == "equals" and len(given) == 2:
        return Compare(place, "==", values[0], values[1])
    if dotted(receiver) in ("Objects", "java.util.Objects") and method == "requireNonNullElse" and len(given) == 2:
        return Logical(place, "??", values[0], values[1])
    return on_map(low, node, receiver, method, values, scope)


def without_arguments(
    low: Lowering, node: Node, receiver: Expression, method: str, scope: Scope, how: How
) -> Expression | None:
    place = span(node)
    if method in SAME or (method == "toList" and isinstance(receiver, Call)):
        return receiver
    if method == "start" and (body := run_by_thread(receiver)) is not None:
        return low.call(node, body, (), scope, how._replace(start=Start.DETACHED))
    if method in WAITS and isinstance(receiver, Call):
        return receiver
    if method == "get" and isinstance(receiver, Call) and receiver.start is Start.AWAITED:
        return receiver
    if method in ("build", "create") and isinstance(receiver, Object):
        return receiver
    if method == "isPresent" or (method == "isEmpty" and type_of(low, receiver, scope) == "Optional"):
        return Compare(place, "!=" if method == "isPresent" else "==", receiver, Literal(place, None))
    if method == "signum":
        return receiver
    if method == "negate":
        return Unary(place, "-", receiver)
    name = property_read(method)
    if name and how.use is not Use.DISCARDED and not does_work(low, receiver, scope):
        return Member(place, receiver, name)
    return None


def names_property(method: str) -> bool:
    """Whether a method is called for what it sets: `productCode`, `usageRecords`; never `map` or `plusDays`."""
    first = re.match(r"[a-z]+", method)
    return first is not None and first[0] not in VERBS and method not in SIGNS and method not in VERBS


def run_by_thread(receiver: Expression) -> Lambda | None:
    """The function in `new Thread(() -> …).start()`."""
    if not isinstance(receiver, Call) or not receiver.constructs or receiver.name != "Thread" or not receiver.arguments:
        return None
    first = receiver.arguments[0].value
    return first if isinstance(first, Lambda) else None


def property_read(method: str) -> str:
    """The property that a method without arguments reads: `getUsed`, `isUnlimited`, a record's `customerId`; else empty."""
    if method in ASKED:
        return ""
    if got := GETTER.fullmatch(method):
        return "" if got[1].startswith(("And", "Or")) else got[1] if got[1].isupper() else got[1][0].lower() + got[1][1:]
    if FLAG.fullmatch(method):
        return method
    first = re.match(r"[a-z]+", method)
    return method if first and first[0] not in VERBS and (len(first[0]) < len(method) or method in NOUNS) else ""


NOUNS = frozenset(
    "quantity amount units timestamp id limit used usage credits balance quota total key type plan tier status price customer "
    "account user tenant metric value seats tokens cost currency payload results event subscription".split()
)
"""A record's components of one word, where the word is no method of the libraries."""


def with_one(
    low: Lowering, node: Node, receiver: Expression, method: str, value: Expression, scope: Scope, how: How
) -> Expression | None:
    place = span(node)
    if method in ("equals", "equalsIgnoreCase", "isEqual"):
        return Compare(place, "==", receiver, value)
    if method in ("isBefore", "isAfter"):
        return Compare(place, "<" if method == "isBefore" else ">", receiver, value)
    if method in ("orElse", "or"):
        return receiver if isinstance(value, Literal) and value.value is None else Logical(place, "??", receiver, value)
    if method in ("orElseThrow", "toList"):
        return receiver
    if dotted(receiver) in ("Objects", "Optional") and method in ("requireNonNull", "ofNullable"):
        return value
    if method == "collect" and isinstance(value, Call) and value.method in ("toList", "toSet", "toUnmodifiableList"):
        return receiver
    if (written := SETTER.fullmatch(method)) and how.use is Use.DISCARDED and not does_work(low, receiver, scope):
        target = Member(place, receiver, written[1][0].lower() + written[1][1:])
        low.assign(node, (target,), value, "=", scope)
        return target
    if method in SIGNS and how.use is not Use.DISCARDED and computes(low, receiver, method, value, scope):
        return Binary(place, SIGNS[method], receiver, value)
    return on_map(low, node, receiver, method, [value], scope)


def computes(low: Lowering, receiver: Expression, method: str, value: Expression, scope: Scope) -> bool:
    """Whether `a.add(b)` is arithmetic: its result is used, and nothing says that `a` is a collection."""
    if isinstance(value, Lambda) or does_work(low, receiver, scope):
        return False
    if method != "add":
        return True
    typed = type_of(low, receiver, scope)
    return typed not in LISTS and not last_word(typed).endswith(("set", "list", "queue")) and not isinstance(receiver, Sequence)


def on_map(
    low: Lowering, node: Node, receiver: Expression, method: str, values: list[Expression], scope: Scope
) -> Expression | None:
    """`totals.get(k)`, `totals.put(k, v)`, `totals.merge(k, n, Long::sum)` on what is declared as a map, `rows.get(0)`."""
    place = span(node)
    typed = type_of(low, receiver, scope)
    if method == "get" and len(values) == 1 and (typed in MAPS or (typed in LISTS and typed)):
        return Index(place, receiver, values[0])
    if typed not in MAPS:
        return None
    item = Index(place, receiver, values[0])
    if method == "containsKey":
        return Compare(place, "in", values[0], receiver)
    if method == "getOrDefault" and len(values) == 2:
        return Logical(place, "??", item, values[1])
    if method == "put" and len(values) == 2:
        low.assign(node, (item,), values[1], "=", scope)
        return values[1]
    if method == "merge" and len(values) == 3 and dotted(values[2]).endswith((".sum", ".add", ".plus")):
        low.assign(node, (item,), values[1], "+=", scope)
        return item
    return None


def literal(place: Span, name: str, values: list[Expression]) -> Expression | None:
    """`List.of(a, b)`, `Map.of("k", v)`."""
    name = name.removeprefix("java.util.")
    if name in LISTED:
        return Sequence(place, tuple(values))
    if name in MAPPED and len(values) % 2 == 0:
        pairs = list(zip(values[::2], values[1::2], strict=True))
        named = [(key.value if isinstance(key, Literal) and isinstance(key.value, str) else None, one) for key, one in pairs]
        return Object(place, tuple(Entry(one.span, key, one) for key, one in named), all(key is not None for key, _ in named))
    return None


def collection(place: Span, type_name: str, values: list[Expression]) -> Expression | None:
    """`new ArrayList<>()`, `new ConcurrentHashMap<>()`: empty, whatever capacity is given; a copy is no literal."""
    if any(not isinstance(one, Literal) and last_word(dotted(one)) not in ("capacity", "size") for one in values):
        return None
    if type_name in EMPTY_LISTS:
        return Sequence(place, ())
    return Object(place, ()) if type_name in EMPTY_MAPS else None


def comparison(low: Lowering, place: Span, operator: str, left: Expression, right: Expression) -> Expression:
    """`a.compareTo(b) >= 0` reads `a >= b`."""
    zero = isinstance(right, Literal) and right.value == 0 and not isinstance(right.value, bool)
    if zero and isinstance(left, Call) and left.method == "compareTo" and left.receiver is not None and left.arguments:
        if low.calls[-1] is left:
            low.calls.pop()
        return Compare(place, operator, left.receiver, left.arguments[0].value)
    return Compare(place, operator, left, right)


def detaches(name: str, how: How) -> bool:
    """Whether what is handed to a call runs beside the caller, and nobody keeps what tells of its end."""
    *before, last = name.replace("()", "").split(".")
    if how.use is not Use.DISCARDED or last not in DETACHES:
        return False
    return last == "startVirtualThread" or last_word(before[-1] if before else "") in POOL


def compounded(target: Expression, value: Expression) -> tuple[str, Expression]:
    """`total = total.add(n)`, as numbers without operators must write it, reads `total += n`."""
    if not isinstance(value, Binary) or value.operator not in ("+", "-") or not dotted(target):
        return "=", value
    return (f"{value.operator}=", value.right) if dotted(value.left) == dotted(target) else ("=", value)
