"""Flushes of usage that was gathered in memory: which functions flush, who starts one without waiting, and who ends it."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import (
    Call,
    Class,
    Expression,
    Function,
    Kind,
    Lambda,
    Name,
    Scope,
    Span,
    Start,
    Use,
    chain,
    fold,
    within,
)
from rules.meaning.handlers import handlers_of
from rules.meaning.outcomes import LOST, outcome
from rules.meaning.usage.buffers import Emptying, about_usage, emptyings, puts_back, root
from rules.meaning.usage.emissions import is_local
from rules.meaning.vocabulary import words

TAKES_ALL = frozenset("dequeue dequeueall drain drainall takeall popall swap getandclear getandreset collect extract".split())
HELD = frozenset("buffer buf batch batches pending queue queued backlog accumulator aggregator events records store".split())
TIMERS = frozenset("afterfunc settimeout setinterval timer newtimer schedule callater calllater".split())
STARTS = frozenset("createtask ensurefuture go submit".split())
ENDS = frozenset("close aclose shutdown stop destroy dispose terminate teardown onmoduledestroy onapplicationshutdown".split())
WAITS = re.compile(
    rb"\bwait\w*\(|\.Wait\(|\.R?Lock\(|<-|\.join\(|\bawait\b|gather\(|\.result\(|[fF]lush\w*\(|[dD]rain\w*\(|with\s+self\.\w*lock|errgroup|"
    rb"Shutdown\(|\.Close\(\w|wg\."
)
"""What a closing function does to see that a flush is over: it flushes itself, waits, or takes the lock of the flush."""

REREAD = ("storemessage", "storeoffset", "storeoffsets", "commitoffset", "commitmessage", "commitmessages", "markmessage")
"""What a consumer calls that goes on from there after a restart."""
KEPT = re.compile(
    rb"in_?flight|\brunning|\b_?active(Flush|Batch|Send)|[fF]lushing|[mM]utex|[lL]ock\b|Semaphore|current(Flush|Promise)|"
    rb"flushPromise|\bsending|pending(Flush|Send|Write)e?s?\b|p-?[qQ]ueue"
)
"""How a running flush is kept hold of."""


@dataclass(frozen=True, slots=True, eq=False)
class Flush:
    """A function that takes everything out of a buffer of usage."""

    function: Scope
    buffer: str
    name: str
    returns_it: bool
    """Whether what could not be sent is put back."""


def flushes(code: Code) -> tuple[Flush, ...]:
    """One for each function, in source order."""
    found: dict[Scope, Flush] = {}
    for one in (*emptyings(code), *taken_out(code)):
        function = one.function
        if function is not None and isinstance(function.head, Function) and function.head.name and function not in found:
            found[function] = Flush(function, one.buffer, function.head.name, puts_back(code, one))
    return tuple(found.values())


def taken_out(code: Code) -> Iterator[Emptying]:
    """`messages := s.buffer.Dequeue()`: the buffer is a type of its own."""
    for call in code.facts.calls:
        if fold(call.method) not in TAKES_ALL or call.receiver is None or call.arguments or call.use is Use.DISCARDED:
            continue
        buffer = root(call.receiver)
        one = Emptying(call.span, call.scope, buffer)
        if set(words(buffer)) & HELD and "." in buffer and about_usage(code, one):
            yield one


def starts_of(code: Code, flush: Flush) -> Iterator[Call]:
    """Calls of a flush in its file."""
    for call in code.facts.calls:
        if call.method == flush.name and is_local(call, code.values) and not within(call.scope, flush.function):
            yield call


def runs_aside(code: Code, flush: Flush, call: Call) -> bool:
    """Whether a call of a flush runs beside whoever started it: in a goroutine, a task, a timer, or a promise let go."""
    if call.start is Start.DETACHED or on_timer(code, call.scope) is not None:
        return True
    head = flush.function.head
    later = isinstance(head, Function) and head.asynchronous
    return later and call.start is Start.PLAIN and (call.use is Use.DISCARDED or started_task(code, call))


def started_task(code: Code, call: Call) -> bool:
    return call.use is Use.ARGUMENT and any(
        fold(outer.method) in STARTS
        and any(argument.value is call for argument in outer.arguments)
        and outer.use is Use.DISCARDED
        for outer in code.facts.calls
    )


def on_timer(code: Code, scope: Scope) -> Call | None:
    """The timer that runs the function around a scope, given to it directly or by name."""
    for function in chain(scope):
        if function.kind is not Kind.FUNCTION or not isinstance(function.head, Function):
            continue
        for call in code.facts.calls:
            if fold(call.method) in TIMERS and any(means(argument.value, function) for argument in call.arguments):
                return call
    return None


def means(value: Expression, function: Scope) -> bool:
    if isinstance(value, Lambda):
        return value.scope is function
    name = value.text if isinstance(value, Name) else getattr(value, "name", "")
    return isinstance(function.head, Function) and bool(function.head.name) and name == function.head.name


def closings(code: Code, flush: Flush) -> Iterator[Scope]:
    """The functions that end what a flush belongs to: of the same class or receiver."""
    for scope in code.facts.scopes:
        if isinstance(scope.head, Function) and fold(scope.head.name) in ENDS and owner(scope) == owner(flush.function):
            yield scope


def owner(function: Scope) -> str:
    """The class of a method; in Go the type of its receiver; else empty."""
    holder = next((one.head.name for one in chain(function.parent) if isinstance(one.head, Class)), "")
    head = function.head
    if holder or not isinstance(head, Function) or not head.method or not head.parameters:
        return holder
    return head.parameters[0].type.lstrip("*")


def waits(code: Code, closing: Scope) -> bool:
    """Whether a closing function flushes or waits, by its words: unsure is quiet."""
    return WAITS.search(code.facts.source[closing.span.start : closing.span.end].split(b"{", 1)[-1]) is not None


def tracked(code: Code, flush: Flush) -> bool:
    """Whether a file with promises or tasks keeps hold of a running flush: in a field or a set, or by a flag or a lock."""
    if any(call.use in (Use.ASSIGNED, Use.ARGUMENT) and not started_task(code, call) for call in starts_of(code, flush)):
        return True
    return KEPT.search(code.facts.source) is not None


def header(code: Code, function: Scope) -> Span:
    """The first line of a function, for a finding about the whole of it."""
    source, start = code.facts.source, function.span.start
    end = source.find(b"\n", start)
    end = function.span.end if end < 0 else min(end, function.span.end)
    return Span(function.span.line, function.span.line, start, end)


def unheard(code: Code) -> Iterator[tuple[Flush, Call, Scope]]:
    """Flushes that a timer starts, whose failure is only logged although nothing puts back what they took out."""
    emptied = {one.function for one in emptyings(code)}
    consumed = any(call.folded.endswith(REREAD) for call in code.facts.calls)
    for flush in flushes(code):
        if flush.returns_it or (flush.function in emptied and not consumed):
            continue
        for call in starts_of(code, flush):
            if on_timer(code, call.scope) is None:
                continue
            handler = next(iter(handlers_of(code, call, call)), None)
            if handler is not None and outcome(code.facts, handler) in LOST:
                yield flush, call, handler
                break
