"""Failures that cannot come back, since the work is handed on, and those after which the same is tried once more.

A function that hands its work to a task, a thread or a helper that keeps its failures cannot fail towards its caller: what
is lost is lost further in.
"""

import re
from collections.abc import Iterator
from functools import partial

from rules.code import Code
from rules.facts import (
    Call,
    Function,
    Handler,
    Kind,
    Literal,
    Name,
    Raise,
    Return,
    Scope,
    Start,
    Use,
    chain,
    enclosing,
    fold,
    name_of,
    walk,
    within,
)
from rules.meaning.limits.limits import leaves
from rules.meaning.outcomes import Outcome, outcome
from rules.meaning.promises import is_async, started_beside
from rules.meaning.usage.emissions import own_functions
from rules.meaning.usage.losses import keeps_failures
from rules.meaning.vocabulary import consumes, emits
from rules.tracing.absorbed import leaves_process
from rules.tracing.spared import functions_meant

HOPS = 3
"""Through how many helpers the work is followed."""
DISPATCHES = frozenset({"delay", "applyasync", "sendtask"})
"""How a task is given to the workers of a queue."""
CLOSES = frozenset("close rollback dispose expunge disconnect release".split())
"""Calls that only let go of a store."""
ON_TASKS = frozenset({"start", "adddonecallback"})
"""What is called on a task or thread without waiting for it."""
KEYS = frozenset("idempotencykey idempotencyid dedupkey dedupekey identifier eventid transactionid requestid uniqueid".split())
BEST_EFFORT = re.compile(r"best[- ]effort\b.{0,200}?\b(?:never|not)\s+(?:throw|raise|reject|fail|break|block)s?\b", re.I | re.S)
DENIED = r"(?!(?:not|never|no|nothing|cannot|can|does|doesn|don|won|will)\b)"
HEALS = re.compile(
    rf"\bself[- ]?heals\b|\bnext\W+(?:{DENIED}\w+\W+){{0,3}}re-?(?:posts|sends|reports|computes)\b",
    re.I,
)
"""How a comment says that the next run makes good what this one lost; not that it does not."""
DOCSTRING = re.compile(r"[^\"']{0,400}(\"\"\"|''')(.{0,2000}?)\1", re.S)


def keeps_work(code: Code, call: Call) -> bool:
    """Whether no failure of what a call leads to can come back to it, however far in it happens."""
    if fold(call.method) in DISPATCHES:
        return task_keeps(code, call)
    found = functions_meant(code, call)
    return bool(found) and all(keeps_all(other, function) for other, function in found)


def keeps_all(code: Code, function: Scope) -> bool:
    steps = tuple(kept_steps(code, function, HOPS))
    return bool(steps) and all(steps)


def kept_steps(code: Code, function: Scope, hops: int) -> Iterator[bool]:
    """Of each step that can fail, its helpers' included, whether its failure stays in the function."""
    tried = [
        one.head.guards for one in code.facts.scopes
        if isinstance(one.head, Handler) and isinstance(one.head.guards, Scope)
        and enclosing(one, Kind.FUNCTION) is function
        and outcome(code.facts, one) not in (Outcome.RETHROWN, Outcome.DUPLICATE_ONLY)
    ]  # fmt: skip
    for raised in code.facts.raises:
        if enclosing(raised.scope, Kind.FUNCTION) is function:
            yield any(within(raised.scope, one) for one in tried)
    for call in code.calls_in(function):
        if enclosing(call.scope, Kind.FUNCTION) is function and not is_started(code, call):
            yield from kept_by(code, call, any(within(call.scope, one) for one in tried), hops)


def kept_by(code: Code, call: Call, held: bool, hops: int) -> Iterator[bool]:
    own = own_functions(call, code.values)
    if runs_beside(code, call):
        yield True
    elif fold(call.method) in DISPATCHES:
        yield held or task_keeps(code, call)
    elif own:
        for one in own:
            # A promise that nobody awaits fails behind the back of the try around it.
            late = code.facts.traits.promises and call.start is not Start.AWAITED and is_promised(one)
            inner = kept_steps(code, one, hops - 1) if hops else iter((False,))
            yield from ((held and not late) or kept for kept in inner)
    elif fold(call.method) not in CLOSES and (leaves_process(code, call) or emits(call.method) or consumes(call.method)):
        yield held and (call.start is Start.AWAITED or not code.facts.traits.promises)


def is_promised(function: Scope) -> bool:
    return isinstance(function.head, Function) and is_async(function.head)


def is_started(code: Code, call: Call) -> bool:
    """Whether a call only makes the coroutine that another one starts: `create_task(send())`."""
    outer = code.outer.get(id(call))
    return outer is not None and any(part is call for part in started_beside(outer))


def runs_beside(code: Code, call: Call) -> bool:
    """Whether it starts work that nobody here waits for: `create_task(send())`, `Thread(target=send).start()`."""
    if not any(True for _ in started_beside(call)) or call.start is Start.AWAITED:
        return False
    outer = code.outer.get(id(call))
    if call.use is Use.CHAINED:
        return outer is not None and fold(outer.method) in ON_TASKS
    if call.use is not Use.ASSIGNED:
        return call.use is Use.DISCARDED
    function = enclosing(call.scope, Kind.FUNCTION, Kind.MODULE) or code.facts.root
    names = "|".join(re.escape(one.text) for one in call.targets if isinstance(one, Name))
    waits = re.compile(rf"\b(?:await|gather|wait)\b[^\n]*\b(?:{names})\b|\b(?:{names})\.(?:result|join)\b")
    return bool(names) and waits.search(code.facts.text(function.span)) is None


def task_keeps(code: Code, call: Call) -> bool:
    """Whether the task that a queue is given is of the project and keeps its failures: the next to lose it is that task."""
    found = tuple(tasks_of(code, call))
    return bool(found) and all(keeps_failures(other, one) or keeps_all(other, one) for other, one in found)


def tasks_of(code: Code, call: Call) -> Iterator[tuple[Code, Scope]]:
    """By the name before the dot of `book_usage.delay(…)`, or by that of `send_task("usage.book")`, which its mark has too."""
    first = call.arguments[0].value if call.arguments else None
    given = first.value if isinstance(first, Literal) and fold(call.method) == "sendtask" else None
    name = str(given) if given is not None else name_of(call.receiver)
    if not name:
        return
    for path in sorted({code.facts.path, *code.elsewhere.naming(name)}):
        other = code if path == code.facts.path else code.elsewhere.code_of(path)
        for scope in other.facts.scopes if other is not None else ():
            if other is not None and isinstance(scope.head, Function) and is_task(scope.head, name):
                yield other, scope


def is_task(head: Function, name: str) -> bool:
    if not head.decorators:
        return False
    marks = (part.value for mark in head.decorators for part in walk(mark) if isinstance(part, Literal))
    return head.name == name or name in marks


def tried_once_more(code: Code, call: Call, handler: Scope) -> bool:
    """Whether the function goes on from the handler to the same report under the same key: that one books it."""
    key = keys_of(code, call)
    function = enclosing(handler, Kind.FUNCTION)
    if not key or leaves(code.facts, handler):
        return False
    again = (
        one for one in code.calls_in(function)
        if one.name == call.name and one.span.start >= handler.span.end
        and within(handler, one.scope) and keys_of(code, one) == key
    )  # fmt: skip
    return any(not ends_between(code, handler, one) for one in again)


def ends_between(code: Code, handler: Scope, call: Call) -> bool:
    function = enclosing(handler, Kind.FUNCTION)
    ends: tuple[Return | Raise, ...] = (*code.facts.returns, *code.facts.raises)
    return any(
        handler.span.end <= one.span.start < call.span.start
        and enclosing(one.scope, Kind.FUNCTION) is function
        and not one.span.holds(call.span)
        for one in ends
    )


def keys_of(code: Code, call: Call) -> frozenset[str]:
    """What a report is told from others by, as it is written."""
    entries = (entry for one in call.arguments for entry in getattr(one.value, "entries", ()))
    return frozenset(
        code.facts.text(one.value.span)
        for one in (*call.arguments, *entries)
        if one.name is not None and fold(one.name) in KEYS
    )


def never_throws_by_design(code: Code, handler: Scope) -> bool:
    """Whether the comment on a function around says that it does its best and never fails, or that the next run makes good
    what one lost: that a loss is borne was decided."""
    around = [one for one in chain(handler) if one.kind is Kind.FUNCTION]
    return any(BEST_EFFORT.search(said) or HEALS.search(said) for said in map(partial(said_over, code), around))


def said_over(code: Code, function: Scope) -> str:
    """The comment right over a function, of as many lines as it has, and its docstring."""
    said: list[str] = []
    below = function.span.line + 1
    for one in sorted(code.facts.comments, key=lambda one: -one.span.start):
        if one.span.line >= function.span.line:
            continue
        # A mark such as `#[cfg(…)]` may stand between the comment and the function.
        if below - one.span.end_line > (3 if not said else 1):
            break
        said.append(one.text)
        below = one.span.line
    inside = DOCSTRING.match(code.facts.text(function.span))
    return " ".join([*reversed(said), inside[2] if inside else ""])
