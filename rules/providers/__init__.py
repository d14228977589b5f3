"""The provider catalogue: what each billing SDK call means, read from the JSON files beside this module.

One file a provider. Names in it are folded (lower case, no underscores or dashes), so `meter_events`, `meterEvents` and
`MeterEvents` are one name. A field left out has the default written here.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import msgspec

from rules.facts import fold

Language = str
Role = Literal[
    "emit",  # reports one usage event
    "emit_batch",  # reports several in one request
    "event",  # only builds an event that another call sends
    "flush",  # empties the SDK's buffer
    "check",  # asks whether usage is allowed
    "query",  # reads usage back
    "define",  # creates a meter
    "adjust",  # amends or cancels reported usage
    "seats",  # sets a licensed quantity
    "transport_batch",  # writes several messages or rows; not billing by itself
]
Returns = Literal[
    "response",  # the SDK's ordinary answer: a promise in JavaScript, a coroutine from async clients, a value elsewhere
    "void_buffered",  # nothing yet: the event waits in memory for a background flush
    "generator",  # lazy: nothing is sent until somebody iterates
    "command",  # an object that does nothing until it is given to `client.send`
]


@dataclass(frozen=True, slots=True)
class Key:
    """How a provider recognises a repeated event."""

    names: tuple[str, ...] = ()
    """Folded field names that hold the key inside the event."""
    option_names: tuple[str, ...] = ()
    """Folded names in a request option, keyword argument or header. They protect one request, not the event."""
    decoys: tuple[str, ...] = ()
    """Folded names outside the event that look like its key and are none (tracing ids; Orb's header option)."""
    required: bool = False
    """The call is refused without the key: then ask whether the key is stable, not whether it is there."""
    made_by: Literal["server", "client"] | None = None
    """Who invents a key when none is given. An invented key never survives the caller's own retry."""
    implicit: tuple[str, ...] = ()
    """Fields that together are the key although none is called so."""
    includes_time: bool = False
    """The event's time is part of the key: a clock read on each attempt makes a new event."""
    window_seconds: int | None = None
    """How long a repeat is recognised. None: not stated, or for ever when `forever` is set."""
    forever: bool = False
    natural: bool = False
    """A repeat is harmless without any key, for example because the call overwrites."""
    natural_when: dict[str, tuple[str, ...]] = field(default_factory=dict)
    """Folded argument -> folded values that make the call overwrite, for example action: set."""
    on_duplicate: Literal["ignored", "refused", "overwrites", "flagged"] | None = None
    duplicate_signals: tuple[str, ...] = ()
    """What the answer to a repeat looks like in code: a status number, an exception or error code, folded."""
    spelling: dict[Language, str] = field(default_factory=dict)
    """How to write the key inside the event, per language. No entry: there is nowhere to write it."""
    option_spelling: dict[Language, str] = field(default_factory=dict)

    def written(self, language: Language) -> str | None:
        """The key's name inside the event as this language writes it. None: the SDK has no place for it."""
        return self.spelling.get(family(language))

    def option_written(self, language: Language) -> str | None:
        """The key's name among the options of the call."""
        return self.option_spelling.get(family(language))


@dataclass(frozen=True, slots=True)
class Time:
    """When the usage happened, as the provider wants to be told."""

    names: tuple[str, ...] = ()
    """Folded argument names. Empty: no event time can be sent, the receipt counts."""
    unit: Literal["s", "ms", "rfc3339", "datetime"] | None = None
    """rfc3339: a text or the language's date type, by SDK. datetime: only the language's date type."""
    past_seconds: int | None = None
    """The oldest accepted age. None: not stated."""
    future_seconds: int | None = None
    default_now: bool = False
    """An absent time becomes the moment of receipt or of the call."""
    limit: str | None = None
    """A limit that is not a number of seconds."""


@dataclass(frozen=True, slots=True)
class Quantity:
    """How much was used."""

    names: tuple[str, ...] = ()
    inside: tuple[str, ...] = ()
    """Folded names of the object that holds the number under a key the customer chose."""
    type: Literal["int", "number", "numeric_string", "decimal_string", "any"] = "any"
    integer_only: bool = False
    additive: bool | None = None
    """True: each event adds. False: it replaces. None: the meter's definition decides."""
    negative: bool | None = None
    zero: bool | None = None


@dataclass(frozen=True, slots=True)
class Deprecation:
    text: str
    replacement: str
    removed_in: dict[Language, int] = field(default_factory=dict)
    """The SDK major version, per language, that no longer has the call."""


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    title: str
    """The call's plain name for messages, for example "Stripe meter event"."""
    role: Role
    languages: tuple[Language, ...]
    suffixes: tuple[str, ...] = ()
    """Folded dotted endings that tell the call on their own. A leading * lets the first segment begin with anything."""
    suffixes_with_import: tuple[str, ...] = ()
    """Endings that count only in a file that imports one of the provider's packages."""
    urls: tuple[str, ...] = ()
    """Endpoints without scheme, lower case; {x} stands for one path segment or part of one."""
    positional: tuple[str, ...] = ()
    """Folded parameter names in order, where the SDK takes plain arguments."""
    key: Key | None = None
    time: Time | None = None
    quantity: Quantity | None = None
    customer: tuple[str, ...] = ()
    event_name: tuple[str, ...] = ()
    events: tuple[str, ...] = ()
    """Folded names of the argument that holds the list of events; * when an argument itself is the list (or one event)."""
    batch_limit: int | None = None
    partial_failure: tuple[str, ...] = ()
    """Folded fields of a successful answer that name what was not taken. Code that ignores all of them loses usage."""
    result_reports_errors: tuple[str, ...] = ()
    """Folded fields of the returned value that carry the failure of a call that does not raise."""
    verdict: tuple[str, ...] = ()
    """Folded fields that hold the yes or no of a check; * when the answer itself does."""
    consumes: bool = False
    """A check that also takes from the balance: repeating it takes again."""
    fails_open: bool = False
    """The SDK answers as if all were well when its service cannot be reached."""
    accepted_only: bool = False
    """Success means received, not counted: rejections come later, elsewhere."""
    returns: Returns = "response"
    deprecated: Deprecation | None = None
    help: str = ""
    """One sentence for a message: what is particular about this call."""
    source: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Provider:
    id: str
    name: str
    packages: dict[Language, tuple[str, ...]]
    """Import paths per language; a longer path below one of them counts too."""
    calls: tuple[Call, ...]

    @property
    def urls(self) -> tuple[tuple[str, Role], ...]:
        """Every endpoint with the role of the call it makes."""
        return tuple((url, call.role) for call in self.calls for url in call.urls)


@dataclass(frozen=True, slots=True, eq=False)
class _Ending:
    text: str
    at_boundary: bool
    needs_import: bool
    provider: Provider
    call: Call

    def ends(self, name: str) -> bool:
        if not name.endswith(self.text):
            return False
        before = name[: -len(self.text)]
        return not self.at_boundary or not before or before[-1] in "./ "


# A folded name with one of these before the ending is the code's own table, whatever the file imports:
# `prisma.usageEvent.create` is not Chargebee's. The doubt is resolved towards silence.
_STORE_RECEIVERS = frozenset(
    {"prisma", "prismaclient", "db", "tx", "trx", "database", "orm", "knex", "repo", "repository", "models", "dao"}
)
_FAMILY = {"typescript": "javascript", "tsx": "javascript", "jsx": "javascript", "kotlin": "java"}


def family(language: Language) -> Language:
    """The language whose SDK a file uses: TypeScript files call the JavaScript one."""
    return _FAMILY.get(language, language)


@cache
def catalogue() -> tuple[Provider, ...]:
    """All providers, by file name. Reads the package's own files once; raises msgspec.ValidationError on a bad one."""
    decoder = msgspec.json.Decoder(Provider)
    return tuple(decoder.decode(path.read_bytes()) for path in sorted(Path(__file__).parent.glob("*.json")))


@cache
def _endings() -> dict[str, tuple[_Ending, ...]]:
    found: dict[str, list[_Ending]] = {}
    for provider in catalogue():
        for call in provider.calls:
            for needs_import, suffixes in ((False, call.suffixes), (True, call.suffixes_with_import)):
                for suffix in suffixes:
                    text = suffix.removeprefix("*")
                    ending = _Ending(text, text == suffix, needs_import, provider, call)
                    found.setdefault(_last_segment(text), []).append(ending)
    return {last: tuple(sorted(them, key=lambda ending: -len(ending.text))) for last, them in found.items()}


def _last_segment(name: str) -> str:
    return name.rpartition(".")[2].rpartition("/")[2].rpartition(" ")[2]


def lookup(last_segment: str) -> tuple[tuple[Provider, Call], ...]:
    """Every call whose folded name can end in this folded segment, for a cheap first look. Empty for most names."""
    pairs = {id(ending.call): (ending.provider, ending.call) for ending in _endings().get(last_segment, ())}
    return tuple(pairs.values())


def imports(provider: Provider, imported_packages: frozenset[str], language: Language) -> bool:
    """Whether one of the imported module paths is the provider's package or lies below it (any Go major version)."""
    wanted = [fold(package) for package in provider.packages.get(family(language), ())]
    return any(_is_below(fold(module), package) for module in imported_packages for package in wanted)


def _is_below(module: str, package: str) -> bool:
    if not module.startswith(package):
        return False
    rest = module[len(package) :]
    return not rest or rest[0] in "/."


def match(folded_name: str, imported_packages: frozenset[str], language: Language) -> tuple[Provider, Call] | None:
    """The provider call a folded dotted name stands for: the longest ending wins, weak ones only with their import.

    `client().events.ingest` and `new Command` read like `client.events.ingest` and `Command`. Two providers that fit
    equally well (both imported, same ending) are an unknown: None.
    """
    candidates = _endings().get(_last_segment(folded_name.removesuffix("()")))
    if candidates is None:
        return None
    name = folded_name.replace("()", "")
    best: list[_Ending] = []
    for ending in candidates:
        if best and len(ending.text) < len(best[0].text):
            break
        if _fits(ending, name, imported_packages, family(language)):
            best.append(ending)
    if not best or len({ending.provider.id for ending in best}) > 1 or _is_own_table(name, best[0].text):
        return None
    return best[0].provider, best[0].call


def _fits(ending: _Ending, name: str, imported_packages: frozenset[str], language: Language) -> bool:
    if language not in ending.call.languages or not ending.ends(name):
        return False
    if not ending.needs_import:
        return True
    if language == "go" and "/" in name:
        # A resolved Go package says itself whose it is: `example.org/app/meter.New` is not Stripe's `meter.New`.
        return imports(ending.provider, frozenset({name}), language)
    return imports(ending.provider, imported_packages, language)


def _is_own_table(name: str, ending: str) -> bool:
    return not _STORE_RECEIVERS.isdisjoint(name[: -len(ending)].split("."))


@cache
def _endpoints() -> tuple[tuple[re.Pattern[str], Provider, Call], ...]:
    found = [(url, provider, call) for provider in catalogue() for call in provider.calls for url in call.urls]
    found.sort(key=lambda entry: -len(entry[0]))
    return tuple((_endpoint_pattern(url), provider, call) for url, provider, call in found)


def _endpoint_pattern(url: str) -> re.Pattern[str]:
    pieces = [re.escape(piece) for piece in re.split(r"\{[^}]*\}", url)]
    start = r"(?:^|(?<=[^\w-]))" if url[0] != "/" else ""
    return re.compile(start + r"[^/?#]+".join(pieces) + r"/?(?:$|[?#&])")


def match_url(url: str) -> tuple[Provider, Call] | None:
    """The provider call behind a literal URL or path (any case, query allowed); the longest endpoint wins."""
    lowered = url.lower()
    for pattern, provider, call in _endpoints():
        if pattern.search(lowered):
            return provider, call
    return None
