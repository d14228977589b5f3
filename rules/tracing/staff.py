"""What only the staff moves: a grant by hand, one at a time, that nothing else in the program writes over."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Class, Function, Scope, chain, fold
from rules.meaning.contexts import Context
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.vocabulary import words

STAFF = frozenset("admin admins superuser superadmin staff backoffice".split())
MAKES = frozenset("create createmany insert insertone insertmany insertall bulkcreate".split())
FILES = 20
"""A field that more files name is everybody's."""


def only_by_staff(code: Code, counter: Counter) -> bool:
    """Whether a counter is moved here by the staff, and nowhere else but by the staff or at the start of a period."""
    paths = code.elsewhere.naming(counter.name) if code.elsewhere.whole and is_of_staff(code, counter.scope) else frozenset()
    if not paths or len(paths) > FILES:
        return False
    files = [there for path in sorted(paths) if (there := code.elsewhere.code_of(path)) is not None]
    return all(is_of_staff(there, one.scope) for there in files for one in rivals(there, counter.name))


def rivals(code: Code, name: str) -> Iterator[Counter]:
    """The writes of a field that may come between: no row that is made, and nothing that sets it to a fixed start."""
    if code.context(code.facts.root) in (Context.TEST, Context.SCRIPT):
        return
    for one in code.counters:
        made = one.call is not None and fold(one.call.method) in MAKES
        if fold(one.name) == fold(name) and one.change is not Change.RESET and not made:
            yield one


def is_of_staff(code: Code, scope: Scope) -> bool:
    """By the name of the function, the class around it or the file."""
    heads = (one.head.name for one in chain(scope) if isinstance(one.head, Function | Class))
    return bool(STAFF & {word for name in (*heads, code.facts.path) for word in words(name)})
