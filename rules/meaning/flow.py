"""Order and protection: what runs before what, and what runs alone."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Branch,
    Call,
    Class,
    Expression,
    Function,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    Template,
    With,
    chain,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.limits.limits import leaves
from rules.meaning.vocabulary import words

LOCK_WORDS = frozenset("lock locked mutex semaphore redlock advisory synchronized exclusive".split())
LOCK_TEXT = ("for update", "pg_advisory", "skip locked", "get_lock(")
TRANSACTIONS = frozenset(
    "transaction transact withtransaction runtransaction intransaction withtx atomic runintx begintx transactional "
    "usetransaction transactionresult newsuspendedtransaction suspendtransaction transactiontemplate.execute transactionscope "
    "begintransaction".split()
)
ALONE = frozenset("selectforupdate withforupdate lockforupdate forupdate withlock acquirelock trylock setnx locktake".split())


SINGLE = frozenset(
    "durableobject grain journaledgrain actor untypedactor receiveactor abstractactor untypedabstractactor abstractbehavior "
    "virtualobject".split()
)
"""Bases of classes whose messages wait for one another: Cloudflare's, Orleans', Akka's, Dapr's, Restate's."""


def precedes(code: Code, first: Span, first_scope: Scope, second: Span, second_scope: Scope) -> bool:
    """Whether the first runs before the second on a path that reaches both, in one function."""
    if first.end > second.start or not same_function(first_scope, second_scope):
        return False
    if exclusive(first_scope, second_scope):
        return False
    # A branch that leaves takes what it did with it: nothing after it follows on that path.
    branch = enclosing(first_scope, Kind.BRANCH, Kind.HANDLER, Kind.FUNCTION)
    if branch is None or branch.kind is Kind.FUNCTION or within(second_scope, branch):
        return True
    return not leaves(code.facts, branch)


def follows(code: Code, first: Span, first_scope: Scope, second: Span, second_scope: Scope) -> bool:
    """As `precedes`, where the second may also lie in a closure made after the first: deferred, or a callback."""
    function = enclosing(first_scope, Kind.FUNCTION, Kind.MODULE)
    scope: Scope | None = second_scope
    while scope is not None and enclosing(scope, Kind.FUNCTION, Kind.MODULE) is not function:
        inner = enclosing(scope, Kind.FUNCTION)
        if inner is None or (isinstance(inner.head, Function) and inner.head.name):
            return False
        scope = inner.parent
    return scope is not None and precedes(code, first, first_scope, second, scope)


def same_function(one: Scope, other: Scope) -> bool:
    return enclosing(one, Kind.FUNCTION, Kind.MODULE) is enclosing(other, Kind.FUNCTION, Kind.MODULE)


def exclusive(one: Scope, other: Scope) -> bool:
    """Whether two scopes lie in different arms of one `if` or `switch`, or one in a try and one in its handler."""
    mine = {id(scope.head.test): scope for scope in chain(one) if isinstance(scope.head, Branch) and scope.head.test}
    for scope in chain(other):
        if isinstance(scope.head, Branch) and scope.head.test is not None:
            twin = mine.get(id(scope.head.test))
            if twin is not None and twin is not scope:
                return True
    return False


SERIALIZABLE = re.compile(r"^(@?convex|@?confect)(/|$)|/confect$|_generated/server$")
"""Packages in whose files every function is one serializable transaction."""


def runs_alone(code: Code, scope: Scope, transactions: bool = True) -> bool:
    """Whether a lock covers the scope. A transaction alone counts where `transactions`: it may be serializable."""
    if serializable(code):
        return True
    for outer in chain(scope):
        if isinstance(outer.head, With) and any(locks(text, transactions) for item in outer.head.items for text in named(item)):
            return True
        if isinstance(outer.head, Class) and any(one_at_a_time(base) for base in outer.head.bases):
            return True
        if isinstance(outer.head, Function):
            if locks(outer.head.passed_to, transactions):
                return True
            if any(locks(text, transactions) for mark in outer.head.decorators for text in named(mark)):
                return True
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and any(takes_lock(call, transactions) for call in code.calls_in(function))


def one_at_a_time(base: str) -> bool:
    """A class whose objects work on one message at a time, or a job that is run under a lock: `JobWithLockBase`."""
    last = re.sub(r"[<(\[].*", "", base).rpartition(".")[2]
    return fold(last) in SINGLE or bool(LOCK_WORDS & set(words(last)))


def serializable(code: Code) -> bool:
    """A Convex mutation is one serializable transaction that the platform runs again on a conflict:
    https://docs.convex.dev/database/advanced/occ"""
    return any(SERIALIZABLE.search(package) for package in code.facts.packages)


def held_alone(code: Code, scope: Scope, at: int) -> bool:
    """Whether a reading that is tested at byte `at` is still true when it is used: a lock in the function, or a
    transaction around the test or begun before it. A transaction of the writes alone does not hold what was read before."""
    if runs_alone(code, scope, transactions=False):
        return True
    if any(isinstance(outer.head, Function) and locks(outer.head.passed_to, True) for outer in chain(scope)):
        return True
    if any(
        isinstance(outer.head, With)
        and any(locks(text, True) or begins(text) for item in outer.head.items for text in named(item))
        for outer in chain(scope)
    ):
        return True
    function = enclosing(scope, Kind.FUNCTION)
    return function is not None and any(begins(call.name) and call.span.end <= at for call in code.calls_in(function))


def begins(name: str) -> bool:
    return fold(name).rsplit(".", 1)[-1] in ("begin", "begintx", "starttransaction", "beginnested", "begintransaction")


def locks(name: str, transactions: bool) -> bool:
    """`transactionTemplate.execute` says it in two words, where `execute` alone says nothing."""
    *before, last = fold(name).lstrip("$").split(".")
    both = f"{before[-1]}.{last}" if before else ""
    if LOCK_WORDS & set(words(name)) or last.lstrip("$") in ALONE or "forupdate" in last:
        return True
    return transactions and (last.lstrip("$") in TRANSACTIONS or both in TRANSACTIONS)


def takes_lock(call: Call, transactions: bool) -> bool:
    if fold(call.method) in ("lock", "rlock", "trylock") or locks(call.name, transactions=False):
        return True
    if transactions and fold(call.method).lstrip("$") in (*TRANSACTIONS, "begin"):
        return True
    return any(lock in text.lower() for text in strings(call) for lock in LOCK_TEXT)


def strings(call: Call) -> Iterator[str]:
    for argument in call.arguments:
        if argument.name is not None and fold(argument.name) in ("nx", "lock"):
            yield "for update"
        for part in walk(argument.value):
            if isinstance(part, Literal) and isinstance(part.value, str):
                yield part.value
            elif isinstance(part, Member) and part.name in ("PESSIMISTIC_WRITE", "PESSIMISTIC_FORCE_INCREMENT", "UPGRADE"):
                yield "for update"
            elif isinstance(part, Template):
                yield " ".join(str(one.value) for one in part.parts if isinstance(one, Literal))


def named(item: Expression) -> Iterator[str]:
    for part in walk(item):
        if isinstance(part, Call):
            yield part.name
        elif isinstance(part, Name):
            yield part.text
        elif isinstance(part, Member):
            yield part.name
