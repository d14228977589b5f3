"""Streams that carry usage: pieces of the network taken for whole lines, and readings that come too late."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Lambda,
    Literal,
    Loop,
    Member,
    Name,
    Scope,
    Start,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.contexts import Context
from rules.meaning.outcomes import is_nothing
from rules.meaning.usage.requests import outermost
from rules.meaning.usage.writes import UsageWrite, usage_writes
from rules.meaning.values import definitions_at
from rules.meaning.vocabulary import words

PIECES = re.compile(
    r"\b(iter_any|iter_content|iter_bytes|aiter_bytes|iter_chunked|aiter_raw|iter_raw|read|getReader)\b|[sS]tream|[rR]es|[bB]ody"
)
WHOLE = re.compile(r"lines\b|Lines\b|readline|Scanner|Decoder|parser|split2|eventsource|SSE")
KEPT = re.compile(
    r"\.pop\(\)|\.at\(-1\)|\.length\s*-\s*1|\[-1\]|\.slice\(0,\s*-1\)|rfind\(|lastIndexOf\(|LastIndex\(|\[:-1\]|[rR]est\b|"
    r"[rR]emain|leftover|[pP]artial|carry"
)
PARSES = re.compile(r"JSON\.parse\(|json\.loads\(|json\.Unmarshal\(|[pP]arse\w*\(")
SPEAKS = re.compile(r"usage|tokens?\b|Tokens|token_count|tokenCount")
DECODES = frozenset("tostring decode string str utf8".split())
PACKAGES = frozenset({"strings", "bytes"})
"""Whose functions are given the text that elsewhere is asked itself."""
LATER = frozenset("setimmediate nexttick queuemicrotask settimeout createtask submit thread go".split())
WAITS = re.compile(r"\.Wait\(|<-|\bawait\b|\.join\(|\.result\(|select\s*\{|gather\(")
USED = frozenset("usage usages tokens token".split())


def split_pieces(code: Code) -> Iterator[Call]:
    """Where a piece is cut into lines that are parsed for usage, and nothing keeps the line that the piece cuts in two."""
    if not code.billing or not usage_writes(code):
        return
    for call in code.facts.calls:
        text = cut(code, call)
        if text is None or code.context(call.scope) in (Context.TEST, Context.BROWSER):
            continue
        reader = enclosing(call.scope, Kind.FUNCTION)
        if reader is None or not is_piece(code, text, call):
            continue
        place = loop_around(call) or reader
        inside = code.facts.text(place.span)
        if PARSES.search(inside) and SPEAKS.search(inside) and not KEPT.search(inside):
            yield call


def cut(code: Code, call: Call) -> Expression | None:
    """The text that is cut at line ends."""
    ends = [str(one.value.value) for one in call.arguments if isinstance(one.value, Literal)]
    if fold(call.method) == "splitlines" or (fold(call.method) == "split" and any("\n" in end or "\\n" in end for end in ends)):
        text_given = len(call.arguments) == 2 and call.name.partition(".")[0] in PACKAGES
        return call.arguments[0].value if text_given else call.receiver
    return None


def loop_around(call: Call) -> Scope | None:
    function = enclosing(call.scope, Kind.FUNCTION)
    return next((one for one in chain(call.scope) if one.kind is Kind.LOOP and function and within(one, function)), None)


def is_piece(code: Code, text: Expression, call: Call) -> bool:
    """Whether a text is one piece of a stream as it came, through decoding and one variable."""
    for _ in range(3):
        text = decoded(text)
        if not isinstance(text, Name):
            return False
        if comes_in_pieces(code, text.text, call):
            return True
        found = definitions_at(code.values, text.text, call.scope, call.span.start)
        if len(found) != 1 or found[0].how != "assign" or found[0].value is None:
            return False
        text = found[0].value
    return False


def decoded(text: Expression) -> Expression:
    """The bytes behind `chunk.toString()`, `decoder.decode(chunk)`, `string(buf[:n])`."""
    while isinstance(text, Call) and fold(text.method) in DECODES:
        inner = next((one.value for one in text.arguments if not isinstance(one.value, Literal)), None)
        if inner is None and text.receiver is None:
            break
        text = inner or text.receiver or text
    while isinstance(text, Member | Index):
        text = text.object
    return text


def comes_in_pieces(code: Code, name: str, call: Call) -> bool:
    """The parameter of a `data` listener, or what a loop over the raw stream binds."""
    for scope in chain(call.scope):
        head = scope.head
        if isinstance(head, Function):
            listens = head.registered_as == "data" and fold(head.passed_to).endswith((".on", ".addlistener"))
            return listens and any(parameter.name == name for parameter in head.parameters)
        if isinstance(head, Loop) and head.iterates is not None:
            bound = any(isinstance(part, Name) and part.text == name for target in head.targets for part in walk(target))
            over = code.facts.text(head.iterates.span)
            if bound:
                return PIECES.search(over) is not None and WHOLE.search(over) is None
    return False


def read_too_early(code: Code) -> Iterator[tuple[Call, UsageWrite, str]]:
    """What sets a figure of usage later, the write that reads it without waiting, and the figure's name."""
    if not code.billing:
        return
    for call in code.facts.calls:
        later = put_off(call)
        if later is None or code.context(call.scope) in (Context.TEST, Context.BROWSER):
            continue
        for name in set_there(code, later):
            if set_at_once(code, name, call):
                continue
            write = next((one for one in usage_writes(code) if reads(code, one, name, later, call)), None)
            if write is not None:
                yield call, write, name
                break


def put_off(call: Call) -> Scope | None:
    """The body that runs later: `setImmediate(() => …)`, `go func() { … }()`."""
    if call.start is Start.DETACHED and isinstance(call.callee, Lambda):
        return call.callee.scope
    if fold(call.method) not in LATER or call.start is Start.AWAITED:
        return None
    return next((one.value.scope for one in call.arguments if isinstance(one.value, Lambda)), None)


def set_there(code: Code, later: Scope) -> Iterator[str]:
    """Variables about usage, of the functions around, that the body sets."""
    for assign in code.facts.assigns:
        if assign.declares or not within(assign.scope, later):
            continue
        for target in assign.targets:
            root = target
            while isinstance(root, Member):
                root = root.object
            own = isinstance(root, Name) and around(code, root.text, later)
            if isinstance(root, Name) and USED & set(words(code.facts.text(target.span))) and own:
                yield root.text


def set_at_once(code: Code, name: str, call: Call) -> bool:
    """Whether the function that puts the body off has set the variable already: what comes later says the same again."""
    function = enclosing(call.scope, Kind.FUNCTION)
    return any(
        not one.declares
        and one.span.end <= call.span.start
        and enclosing(one.scope, Kind.FUNCTION) is function
        and not (one.value is not None and is_nothing(one.value))
        and any(isinstance(target, Name) and target.text == name for target in one.targets)
        for one in code.facts.assigns
    )


def around(code: Code, name: str, later: Scope) -> bool:
    """Whether a name belongs to a function around the body."""
    return later.parent is not None and bool(definitions_at(code.values, name, later.parent, later.span.start))


def reads(code: Code, write: UsageWrite, name: str, later: Scope, call: Call) -> bool:
    """Whether a write outside the body is given the variable, and nothing waits in between."""
    if (
        write.call is None
        or within(write.scope, later)
        or outermost(write.scope) is not outermost(later)
        or not any(isinstance(part, Name) and part.text == name for one in write.call.arguments for part in walk(one.value))
    ):
        return False
    if enclosing(write.scope, Kind.FUNCTION) is enclosing(call.scope, Kind.FUNCTION):
        between = code.facts.source[call.span.end : write.span.start].decode(errors="replace")
        return write.span.start > call.span.end and WAITS.search(between) is None
    holder = enclosing(write.scope, Kind.FUNCTION)
    return holder is not None and isinstance(holder.head, Function) and holder.head.registered_as in ("end", "finish", "close")
