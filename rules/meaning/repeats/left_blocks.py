"""Transactions of Rails whose block is left by `return` after something was written in it."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Kind, Return, Scope, With, chain, dotted, enclosing, fold, walk, within
from rules.meaning.contexts import Context
from rules.meaning.flow import exclusive
from rules.meaning.outcomes import REPORTS
from rules.meaning.repeats.transactions import called
from rules.meaning.subjects import bills
from rules.meaning.vocabulary import words

BLOCKS = frozenset({"transaction", "withlock"})
SAVES = frozenset(
    "save create update updateall updatecolumns insertall upsertall deleteall destroy destroyall "
    "increment decrement toggle touch".split()
)
CHANGING = frozenset(
    "create update apply settle increase decrease record consume deduct charge finalize mark insert credit debit void".split()
)
"""What a service or a method of the file says in its name that it writes."""
RAILS = re.compile(r"\bActiveRecord::(?:Schema|Migration)\[(\d+\.\d+)\]")
DEFAULTS = re.compile(r"\bload_defaults[ (]+[\"']?(\d+\.\d+)")
CALLED = frozenset("call perform run execute".split())
FAILS = frozenset("fail fails failed failure error errors invalid".split())
"""Words of the calls by which a result is marked as failed: `result.fail_with!(e)`, `Failure(e)`."""
WRITTEN_DOWN = REPORTS - {"record"}
"""`fail_with_record!` means the row."""


def left_by_return(code: Code) -> Iterator[tuple[Return, Call]]:
    """Each early `return` in such a block, with a write before it on the same path."""
    if not code.facts.traits.returns_leave_blocks:
        return
    for one in code.facts.returns:
        block = block_around(one.scope) if code.facts.text(one.span).startswith("return") else None
        if block is None or code.context(one.scope) is Context.TEST or accepted(code, one) or not bills(code.facts, one.scope):
            continue
        written = [call for call in code.calls_in(block) if call.span.end <= one.span.start and reaches(call, one)]
        wrote = next((call for call in reversed(written) if writes(code, call)), None)
        if wrote is not None:
            yield one, wrote


def rolls_back(code: Code) -> bool:
    """Whether the project runs a Rails that undoes what a transaction left by `return` has written: 7.0 does, and 7.1 with the
    defaults of 7.0. Those before and after commit, which is mostly what was meant. Rails writes its version into the schema and
    into each new migration."""
    runs = max(map(version, code.elsewhere.found(RAILS)), default=None)
    defaults = max(map(version, code.elsewhere.found(DEFAULTS)), default=None)
    return runs == (7, 0) or (runs == (7, 1) and defaults is not None and defaults < (7, 1))


def tells_failure(code: Code, end: Return) -> bool:
    """Whether it is the end of a `rescue` that hands the failure on as a failed result: all is undone, and somebody hears of
    it. `rescue ActiveRecord::RecordInvalid => e; result.fail_with!(e); return result`."""
    handler = enclosing(end.scope, Kind.HANDLER, Kind.FUNCTION)
    if handler is None or handler.kind is Kind.FUNCTION:
        return False
    return any(marks_failed(call) and reaches(call, end) and handed_on(call, end) for call in code.calls_in(handler))


def marks_failed(call: Call) -> bool:
    """`result.fail_with!(e)`, `Failure(e)`; not `record.invalid?`, `log_error(e)`, `Rollbar.error(e)`, which change nothing."""
    return bool(FAILS & set(words(call.method))) and not call.method.endswith("?") and not WRITTEN_DOWN & set(words(call.name))


def handed_on(call: Call, end: Return) -> bool:
    """Whether the caller gets what was marked: by `return`, or as the service's own `result`."""
    marked = dotted(call.receiver) if call.receiver is not None else ""
    if marked in ("result", "self.result") or any(part is call for part in walk(end.value)):
        return True
    return bool(marked) and end.value is not None and dotted(end.value) == marked


def version(text: str) -> tuple[int, ...]:
    return tuple(map(int, text.split(".")[:2]))


def accepted(code: Code, end: Return) -> bool:
    """Whether RuboCop's cop for the same is switched off here: its author knows what this version of Rails does."""
    return any(
        end.span.line - 1 <= one.span.line <= end.span.end_line and "Rails/TransactionExitStatement" in one.text
        for one in code.facts.comments
    )


def block_around(scope: Scope) -> Scope | None:
    """The transaction's block, where the scope is an arm or a handler in it and not its plain end."""
    early = False
    for outer in chain(scope):
        if outer.kind is Kind.FUNCTION:
            return None
        if isinstance(outer.head, With):
            names = [fold(name.rsplit(".", 1)[-1]) for item in outer.head.items for name in called(item)]
            return outer if early and BLOCKS & set(names) else None
        early = early or outer.kind in (Kind.BRANCH, Kind.HANDLER)
    return None


def reaches(call: Call, end: Return) -> bool:
    """Whether what was called before is still to be kept or undone at this end."""
    branch = enclosing(call.scope, Kind.BRANCH, Kind.HANDLER, Kind.FUNCTION)
    same = branch is None or branch.kind is Kind.FUNCTION or within(end.scope, branch)
    return same and not exclusive(call.scope, end.scope)


def writes(code: Code, call: Call) -> bool:
    local = code.values.functions.get(call.method, ()) if call.receiver is None else ()
    if local:
        return len(local) == 1 and any(saves(one) for one in code.calls_in(local[0]))
    return saves(call)


def saves(call: Call) -> bool:
    """`row.save!`, `Invoice.create(…)`, `Wallets::ApplyService.call(…)`; a receiver is what is written."""
    if call.receiver is None:
        return False
    last = fold(call.method)
    if last in SAVES:
        return True
    return last in CALLED and bool(CHANGING & set(words(call.name.rpartition(".")[0])))
