"""Counts that are kept in the storage of a browser or app, cookies included, and the limits that are decided from them."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import (
    Binary,
    Call,
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
    Span,
    dotted,
    enclosing,
    fold,
    walk,
)
from rules.meaning.usage.emissions import leading_text, shown
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words

STORAGES = frozenset("localstorage sessionstorage asyncstorage securestore mmkv".split())
PREFERENCES = frozenset("preferences prefs sharedpreferences sharedprefs edit()".split())
PUTS = frozenset("set putint putlong putfloat putstring".split())
COOKIES = frozenset("cookie cookies responsecookie cookiejar".split())
KEEPS = frozenset("append set put queue make create new from".split())
JARS = frozenset("cookies cookies.permanent request.cookies response.cookies".split())
"""Cookies that are written by key. Those that are signed or encrypted are made by other names."""
COUNTED = frozenset(
    "usage uses used credits credit quota quotas generations generation remaining trial trials free requests prompts messages "
    "searches downloads exports scans conversions limit limits attempts".split()
)
"""Words of a key that is about how much of something metered was used."""
SHOWN = frozenset(
    "banner dismissed seen dialog theme tab lang settings filter view position token auth sort shown hidden notice popup "
    "tour intro unread".split()
)
"""Words of a key that only keeps how something looks."""
COUNTS = frozenset("count used usage uses total remaining credits quota generations generation left number".split())
LIMITS = frozenset("limit limits max maximum quota free allowed allowance cap daily monthly".split())
HOPS = 4


@dataclass(frozen=True, slots=True, eq=False)
class StoredCount:
    """One write of a number that grows or shrinks by what was used."""

    span: Span
    scope: Scope
    title: str


@dataclass(frozen=True, slots=True, eq=False)
class Kept:
    """One value that the client keeps under a key."""

    span: Span
    scope: Scope
    title: str
    key: Expression
    value: Expression


def counting_writes(code: Code) -> Iterator[StoredCount]:
    """Writes of a count to client storage whose key speaks of usage. Copies of what a server answered are none."""
    for one in kept(code):
        key = frozenset(key_words(code, one))
        if key & COUNTED and not key & SHOWN and counts(code, one.value, one.scope, one.span.start):
            yield StoredCount(one.span, one.scope, one.title)


def kept(code: Code) -> Iterator[Kept]:
    """What is written to the storage of a browser or app, and to cookies that carry no signature."""
    for call in code.facts.calls:
        if (pair := stored(call) or in_cookie(call)) is not None:
            yield Kept(call.span, call.scope, f"`{shown(call)}`", *pair)
    for assign in code.facts.assigns:
        target = assign.targets[0] if assign.operator == "=" and assign.targets else None
        if isinstance(target, Index) and assign.value is not None and dotted(target.object) in JARS:
            yield Kept(assign.span, assign.scope, f"`{dotted(target.object)}`", target.key, assign.value)


def stored(call: Call) -> tuple[Expression, Expression] | None:
    """`localStorage.setItem(key, n)`, `preferences.edit().putInt(key, n)`, `Preferences.Default.Set(key, n)`."""
    *before, last = call.folded.split(".")
    held = (last in ("setitem", "setitemasync") and STORAGES & set(before)) or (last in PUTS and PREFERENCES & set(before))
    return (call.arguments[0].value, call.arguments[1].value) if held and len(call.arguments) >= 2 else None


def in_cookie(call: Call) -> tuple[Expression, Expression] | None:
    """`set_cookie(key, n)`, `Response.Cookies.Append(key, n)`, `Cookie::new(key, n)`, `SetCookie(w, &http.Cookie{…})`."""
    *before, last = call.folded.split(".")
    if last not in ("setcookie", "cookie") and not (last in KEEPS and before and before[-1].removesuffix("()") in COOKIES):
        return None
    given = [argument.value for argument in call.arguments]
    for one in given:
        named = {fold(entry.name or ""): entry.value for entry in one.entries} if isinstance(one, Object) else {}
        if {"name", "value"} <= set(named):
            return named["name"], named["value"]
    return (given[0], given[1]) if len(given) >= 2 else None


def key_words(code: Code, one: Kept) -> Iterator[str]:
    """The words of the key and of the name it is kept under."""
    key = one.key
    yield from words(leading_text(key))
    if isinstance(key, Name | Member):
        name = key.text if isinstance(key, Name) else key.name
        yield from words(name)
        for found in definitions_at(code.values, name, one.scope, one.span.start):
            if found.value is not None:
                yield from words(leading_text(found.value))


def counts(code: Code, value: Expression, scope: Scope, at: int, hops: int = HOPS) -> bool:
    """Whether a number that was added to or taken from flows into the value."""
    for part in walk(value):
        if isinstance(part, Binary) and part.operator in ("+", "-") and not text_like(part):
            return True
        if isinstance(part, Name) and hops and name_counts(code, part, scope, at, hops):
            return True
    return False


def text_like(part: Binary) -> bool:
    return any(isinstance(side, Literal) and isinstance(side.value, str) for side in (part.left, part.right))


def name_counts(code: Code, name: Name, scope: Scope, at: int, hops: int) -> bool:
    function = enclosing(scope, Kind.FUNCTION, Kind.MODULE)
    for assign in code.values.changes.get(name.text, ()):
        same = enclosing(assign.scope, Kind.FUNCTION, Kind.MODULE) is function and assign.span.end <= at
        if same and (assign.operator in ("+=", "-=") or adds(assign.value)):
            return True
    for found in definitions_at(code.values, name.text, scope, at):
        if found.how == "change":
            return True
        if found.how == "parameter":
            return any(
                counts(code, value, call.scope, call.span.start, hops - 1) for call, value in passed(code, found.scope, name)
            )
        made = found.value if found.how == "assign" and not isinstance(found.value, Call) else None
        if made is not None and counts(code, made, found.scope, found.end, hops - 1):
            return True
    return False


def adds(value: Expression | None) -> bool:
    return any(isinstance(part, Binary) and part.operator in ("+", "-") and not text_like(part) for part in walk(value))


def passed(code: Code, function: Scope, name: Name) -> Iterator[tuple[Call, Expression]]:
    """What the file's own calls of a function give for one of its parameters."""
    if not isinstance(function.head, Function) or not function.head.name:
        return
    names = [parameter.name for parameter in function.head.parameters]
    at = names.index(name.text) if name.text in names else None
    for call in code.facts.calls:
        if at is not None and fold(call.method) == fold(function.head.name) and len(call.arguments) > at:
            yield call, call.arguments[at].value


def decides_limit(code: Code) -> Compare | None:
    """The first comparison of a count with an allowance that stands in the file's own names."""
    found = [part for value in expressions(code) for part in walk(value) if isinstance(part, Compare) and is_limit(code, part)]
    return min(found, key=lambda compare: compare.span.start, default=None)


def expressions(code: Code) -> Iterator[Expression]:
    facts = code.facts
    yield from (test.value for test in facts.tests)
    yield from (one.value for one in facts.returns if one.value is not None)
    yield from (one.value for one in facts.assigns if one.value is not None)
    yield from (argument.value for call in facts.calls for argument in call.arguments)


def is_limit(code: Code, compare: Compare) -> bool:
    if compare.operator not in ("<", "<=", ">", ">="):
        return False
    left, right = frozenset(last_words(compare.left)), frozenset(last_words(compare.right))
    for used, allowed, other in ((left, right, compare.right), (right, left, compare.left)):
        if used & COUNTS and allowed & LIMITS and not isinstance(other, Object):
            return True
        if "remaining" in used and isinstance(other, Literal) and other.value in (0, 1):
            return True
    return False


def last_words(expression: Expression) -> Iterator[str]:
    """The words of the names that an operand ends in: of `usage.count` those of `usage` too."""
    for part in walk(expression):
        match part:
            case Name(text=text):
                yield from words(text)
            case Member(name=name):
                yield from words(name)
            case Call():
                yield from words(part.method)
            case Index(key=Literal(value=str(key))):
                yield from words(key)
