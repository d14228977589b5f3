"""Where usage is reported: calls of catalogued SDKs and endpoints, the project's own recorders, and wrappers of both."""

from collections.abc import Callable
from dataclasses import dataclass

from rules import providers
from rules.facts import (
    Call,
    Class,
    Expression,
    Facts,
    Function,
    Kind,
    Literal,
    Name,
    Scope,
    Start,
    Template,
    Use,
    chain,
    dotted,
    enclosing,
    fold,
    walk,
)
from rules.meaning.arguments import UNSEEN, Given, entries, given, listed, object_of
from rules.meaning.values import Values
from rules.meaning.vocabulary import CONSUME_VERBS, OTHER_METERS, STRONG_EMIT_VERBS, USAGE_NOUNS, consumes, emits, words
from rules.providers import Provider

EMITTING = frozenset({"emit", "emit_batch"})
HTTP_CALLS = frozenset(
    "fetch post put postasjson putasjson request axios send do urlopen ofetch got rawrequest postforentity postforobject "
    "newcall postasync requestasync sendasync".split()
)
PROMISE_STEPS = frozenset("promise then catch finally do execute send unwrap result".split())
"""Calls chained to an emission that carry its outcome on."""
WRAPPER_HOPS = 2


@dataclass(frozen=True, slots=True, eq=False)
class Emission:
    """One call that reports usage."""

    call: Call
    provider: Provider | None
    """None for the project's own recorders."""
    record: providers.Call | None
    events: tuple[Given, ...]
    """What each event of the call is given; one for a call that is not a batch."""
    given: Given
    """The call's own named arguments, options included."""
    sent: Call
    """The call whose result tells the outcome: the end of `.promise()` and `.catch()`, or `client.send` for a command."""
    wraps: Scope | None = None
    """For a call of the file's own recorder: that function."""

    @property
    def scope(self) -> Scope:
        return self.call.scope

    @property
    def function(self) -> Scope | None:
        return enclosing(self.call.scope, Kind.FUNCTION)

    @property
    def direct(self) -> bool:
        """Whether the provider itself is called here, so that what is missing can be seen."""
        return self.record is not None

    @property
    def title(self) -> str:
        """How messages name it."""
        return self.record.title if self.record else f"`{shown(self.call)}`"

    @property
    def certain(self) -> bool:
        """Whether it is known to be an emission, and not only named like one."""
        return self.record is not None or self.wraps is not None


def shown(call: Call) -> str:
    """A call's name as it stands in the code, for messages: imports are not resolved."""
    return dotted(call.callee) or call.name


def emissions_of(
    facts: Facts, values: Values, outer: dict[int, Call], own: Callable[[str], bool] = lambda name: False
) -> tuple[Emission, ...]:
    """All emissions of a file. `own` tells whether a name is configured as, or known to be, the project's recorder."""
    direct = [made for call in facts.calls if (made := provider_emission(facts, values, call, outer)) is not None]
    recorders = wrappers(facts, values, [emission.call for emission in direct])
    found = list(direct)
    taken = {id(emission.call) for emission in direct}
    for call in facts.calls:
        if id(call) in taken:
            continue
        wrapped = recorders.get(call.method) if is_local(call, values) else None
        if wrapped is not None or own(call.name) or is_named_recorder(facts, call, values):
            arguments = given(values, call)
            found.append(Emission(call, None, None, (arguments,), arguments, sent(call, outer), wrapped))
    return tuple(sorted(found, key=lambda emission: emission.call.span.start))


def outer_calls(facts: Facts) -> dict[int, Call]:
    """For each call, by identity, the call of whose callee or arguments it is a part."""
    found: dict[int, Call] = {}
    for call in facts.calls:
        for part in (call.callee, *(argument.value for argument in call.arguments)):
            for inner in walk(part):
                if isinstance(inner, Call) and id(inner) not in found:
                    found[id(inner)] = call
    return found


def sent(call: Call, outer: dict[int, Call]) -> Call:
    """Climbs `.promise()`, `.then()`, `.catch()` and their kind to the call that is awaited, assigned or dropped."""
    while call.use is Use.CHAINED and id(call) in outer:
        above = outer[id(call)]
        if fold(above.method) not in PROMISE_STEPS:
            return call
        call = above
    return call


def provider_emission(facts: Facts, values: Values, call: Call, outer: dict[int, Call]) -> Emission | None:
    matched = providers.match(call.folded, facts.packages, facts.language) or by_address(values, call)
    if matched is None or matched[1].role not in EMITTING:
        return None
    provider, record = matched
    arguments = given(values, call) if not is_http(call) else body(values, call)
    end = sent(call, outer)
    if record.returns == "command":
        end = sender(facts, call, outer)
    return Emission(call, provider, record, events(values, call, record, arguments), arguments, end)


def by_address(values: Values, call: Call) -> tuple[Provider, providers.Call] | None:
    """`fetch("https://api.stripe.com/v1/billing/meter_events", …)`."""
    if not is_http(call):
        return None
    for argument in call.arguments[:3]:
        if (address := leading_text(argument.value) or address_in(values, argument.value, call)) and (
            matched := providers.match_url(address)
        ):
            return matched
    return None


def address_in(values: Values, value: Expression, call: Call) -> str:
    """The address of a request that was built before: `HttpRequest.newBuilder().uri(URI.create("…"))`."""
    whole = object_of(values, value, call.scope, call.span.start)
    for entry in whole.entries if whole is not None else ():
        if entry.name in ("uri", "url"):
            made = entry.value
            first = made.arguments[0].value if isinstance(made, Call) and made.arguments else made
            return leading_text(first)
    return ""


def is_http(call: Call) -> bool:
    return fold(call.method) in HTTP_CALLS


def leading_text(expression: Expression) -> str:
    """The text of a string, with `x` for what is filled in."""
    match expression:
        case Literal(value=str(text)):
            return text
        case Template(parts=parts):
            return "".join(leading_text(part) or "x" for part in parts)
        case _:
            return ""


def body(values: Values, call: Call) -> Given:
    """What an HTTP call sends: an object, `json=`, `body: JSON.stringify({…})`."""
    arguments = given(values, call)
    named = dict(arguments.named)
    complete = arguments.complete
    for name in ("body", "data", "json", "post", "put"):
        sent_value = arguments.named.get(name)
        complete = complete and not (name in ("post", "put") and isinstance(sent_value, Name))
        if isinstance(sent_value, Call) and sent_value.arguments:
            whole = object_of(values, sent_value.arguments[0].value, call.scope, call.span.start)
            if whole is None:
                complete = False
            else:
                inner = entries(values, whole, call.scope, call.span.start)
                named |= inner.named
                complete = complete and inner.complete
    return Given(named, complete, arguments.literal)


def events(values: Values, call: Call, record: providers.Call, arguments: Given) -> tuple[Given, ...]:
    """The events that one call sends."""
    if not record.events:
        return (arguments,)
    inside = arguments.first(tuple(name for name in record.events if name != "*"))
    if inside is None and "*" in record.events and call.arguments:
        inside = call.arguments[-1].value if len(call.arguments) == 1 else call.arguments[0].value
    if inside is None:
        return (arguments if arguments.complete else UNSEEN,)
    return listed(values, inside, call.scope, call.span.start)


def sender(facts: Facts, command: Call, outer: dict[int, Call]) -> Call:
    """The `client.send(…)` that is given this command, directly or through a variable."""
    if command.use is Use.ARGUMENT and id(command) in outer:
        return sent(outer[id(command)], outer)
    names = {target.text for target in command.targets if isinstance(target, Name)}
    for call in facts.calls:
        if fold(call.method) == "send" and any(
            isinstance(argument.value, Name) and argument.value.text in names for argument in call.arguments
        ):
            return sent(call, outer)
    return command


def wrappers(facts: Facts, values: Values, calls: list[Call]) -> dict[str, Scope]:
    """The file's own functions that report usage, by name: those around an emission, and those around a call of one."""
    found: dict[str, Scope] = {}
    for _ in range(WRAPPER_HOPS):
        for call in calls:
            function = named_function(call.scope)
            if function is None or not isinstance(function.head, Function):
                continue
            if names_usage(function.head.name) and len(values.functions.get(function.head.name, ())) == 1:
                found[function.head.name] = function
        calls = [call for call in facts.calls if call.method in found and is_local(call, values)]
    return found


def names_usage(name: str) -> bool:
    """A function that merely happens to report usage among other work is no recorder: its name must say so."""
    return emits(name) or consumes(name)


def named_function(scope: Scope) -> Scope | None:
    return next((one for one in chain(scope) if isinstance(one.head, Function) and one.head.name), None)


def is_local(call: Call, values: Values) -> bool:
    """Whether a call can mean the file's own function of that name: `f()`, `self.f()`, `this.f()`, `r.f()` on a receiver."""
    before = call.name.rpartition(".")[0]
    if before in ("", "self", "this", "cls"):
        return True
    functions = values.functions.get(call.method, ())
    return any(
        isinstance(function.head, Function) and function.head.method and is_receiver(function.head, before)
        for function in functions
    )


def own_functions(call: Call, values: Values) -> tuple[Scope, ...]:
    """The file's own functions that a call may mean."""
    return values.functions.get(call.method, ()) if is_local(call, values) else ()


def is_receiver(head: Function, name: str) -> bool:
    """Go methods name their receiver first; callers in the file mostly use the same letter."""
    return bool(head.parameters) and head.parameters[0].name == name


AGENTS = frozenset(
    "service tracker client reporter recorder metering queue producer publisher collector logger repository repo manager api "
    "writer ledger ingestor emitter sender".split()
)
"""What a receiver is called that writes usage down, as against a list that only holds it."""
RECORDED = frozenset("event events count counts record records tokens call calls request requests batch data".split())


def receiver_records(call: Call) -> bool:
    """`meteringClient.send(event)`, `usageTracker.track(…)`, `ApiUsage.recordCounts(…)`: the noun stands before the dot."""
    verb, *rest = words(call.method) or ("",)
    holder = call.name.split(".")[-2] if "." in call.name else ""
    said = frozenset(words(holder.removesuffix("()")))
    if "ingest" in said and said & AGENTS and verb == "send":
        return True
    if verb not in STRONG_EMIT_VERBS or not frozenset(rest) <= RECORDED or not said & (USAGE_NOUNS | {"billing"}):
        return False
    return bool(said & AGENTS) or (verb in ("record", "track", "ingest") and said != {"meter"})


COMMANDS = frozenset(
    "call callasync perform performnow performlater performasync performin performat performbulk dispatch dispatchsync "
    "dispatchnow dispatchafterresponse run execute invoke".split()
)
"""How a command object is run: what it does is said by its class."""
KINDS = frozenset("service job worker command action handler task interactor operation".split())


def command(call: Call) -> str:
    """What the class of a command says that it does: `ReportUsageJob.perform_later`, `Usage::Record.new(…).call`.

    Empty for calls of any other kind.
    """
    *before, last = call.name.replace(".new().", ".").split(".")
    if fold(last) not in COMMANDS or not before or not before[-1][:1].isupper():
        return ""
    said = list(words(before[-1].removesuffix("()")))
    while said and said[-1] in KINDS:
        said.pop()
    around = list(words(before[-2])) if len(before) > 1 else []
    return "_".join([*said, *around])


def is_named_recorder(facts: Facts, call: Call, values: Values) -> bool:
    """A call whose name says that it records usage, in a file that does not measure something else of that name."""
    if not names_usage(call.method) and not receiver_records(call) and not names_usage(command(call)):
        return False
    if is_log(call) or on_cache(call) or on_span(call) or adds_up(call) or call.constructs or fills_bucket(facts, call):
        return False
    if notes_access(call) or makes_object(facts, call):
        return False
    if any({package.lower(), package.split(".")[0].lower()} & OTHER_METERS for package in facts.packages):
        return False
    return not any(call.folded.startswith(name) for name in ("console.", "logger.", "logging.", "log."))


def makes_object(facts: Facts, call: Call) -> bool:
    """`MeterReading(config)` of a class that stands in the file: an object is made, and nothing is recorded yet."""
    return any(isinstance(one.head, Class) and one.head.name == call.method for one in facts.scopes)


CREDENTIALS = frozenset("token secret session key link invite".split())
VISITS = frozenset(
    "get client remote ip address addr agent request req useragent now utcnow timezone datetime time date".split()
)


def notes_access(call: Call) -> bool:
    """`token.record_usage(get_client_ip(request))`: when and from where a credential was used, and no amount."""
    holder = frozenset(words(call.name.split(".")[-2].removesuffix("()"))) if "." in call.name else frozenset()
    said = {word for argument in call.arguments for part in walk(argument.value) for word in words(spoken(part))}
    return bool(holder & CREDENTIALS) and not holder & USAGE_NOUNS and said <= VISITS


def spoken(part: Expression) -> str:
    return str(getattr(part, "name", "") or getattr(part, "text", "") or getattr(part, "value", ""))


def on_cache(call: Call) -> bool:
    """`billingCache.updateUsage(…)` follows what was booked elsewhere."""
    return "cache" in words(call.name.split(".")[-2] if "." in call.name else "")


def adds_up(call: Call) -> bool:
    """`addUsage(total, answer.usage)` sums in memory."""
    first = call.arguments[0].value if call.arguments else None
    sums = {"usage", "usages", "total", "totals", "acc", "accumulator", "sum", "aggregate"}
    return (
        words(call.method)[:1] == ("add",)
        and call.start is not Start.AWAITED
        and len(call.arguments) > 1
        and (isinstance(first, Name) and bool(sums & set(words(first.text))))
    )


def fills_bucket(facts: Facts, call: Call) -> bool:
    """The tokens of a rate limiter's bucket are nobody's credits."""
    limiter = {"limiter", "ratelimit", "ratelimiter", "throttle", "bucket"}
    said = set(words(call.method))
    if {"rate", "limit"} <= said:
        return True
    return said <= CONSUME_VERBS | {"token", "tokens"} and bool(limiter & {*words(facts.path), *words(call.name)})


def on_span(call: Call) -> bool:
    """`recordTokenUsage(span, usage)` sets attributes of a trace."""
    given_first = [argument.value for argument in call.arguments[:2]]
    return any(isinstance(one, Name) and words(one.text)[-1:] in (("span",), ("tracer",), ("trace",)) for one in given_first)


def is_log(call: Call) -> bool:
    """`tokenRefreshLogger.logTokenUsage(…)` writes a log; `usageLogger.logUsage(…)` may well be the meter."""
    holder = frozenset(words(call.name.split(".")[-2])) if "." in call.name else frozenset()
    return bool(holder & {"logger", "logging", "log"}) and not holder & USAGE_NOUNS
