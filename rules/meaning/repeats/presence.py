"""What a delivery carries of its own, and helpers of a file that answer whether a row of it is there already."""

from rules.code import Code
from rules.facts import Call, Compare, Expression, Function, Index, Literal, Member, Name, Scope, fold, walk, within
from rules.meaning.flow import exclusive
from rules.meaning.limits.limits import leaves
from rules.meaning.vocabulary import words

READS_ROW = tuple("any find get exists select first count filter query one fetch scalar maybesingle".split())
"""How the method begins that asks a store for a row."""
LOOKS = (*READS_ROW, "load")
HAPPENINGS = frozenset(
    "session payment invoice event transaction charge intent order delivery message reference checkout webhook purchase topup "
    "receipt request job refund trade notification callback grant ledger".split()
)
"""What a delivery is about and happens once: a row that is looked up by it tells whether it was here before."""
WHOLE = frozenset(
    "event evt message msg job record payload data body item row entry session invoice order notification".split()
)
HELPERS = 3
"""So many helpers that call one another are followed."""
PRESENT = frozenset("exists exist any has contains existsby".split())


def is_own_id(value: Expression) -> bool:
    """`event.id`, `data["id"]`: the id of what is delivered."""
    if isinstance(value, Member):
        return fold(value.name) == "id" and is_delivered(value)
    literal = isinstance(value, Index) and isinstance(value.key, Literal) and str(value.key.value) == "id"
    owner = value.object if isinstance(value, Index) else None
    return literal and owner is not None and bool(set(last_words(owner)) & (WHOLE | HAPPENINGS | {"object"}))


def last_words(value: Expression) -> tuple[str, ...]:
    """What the last name of an expression says, `object` of `event["data"]["object"]`."""
    if isinstance(value, Index) and isinstance(value.key, Literal):
        return words(str(value.key.value))
    return words(value.text if isinstance(value, Name) else value.name if isinstance(value, Member) else "")


def leaves_if_there(code: Code, function: Scope, place: Scope) -> bool:
    """`if (this.orderExists(data.id)) return`, before the work: a helper of this file that looks for a row by the own id."""
    for test in code.facts.tests:
        if (
            test.then is None
            or not within(test.scope, function)
            or within(place, test.then)
            or not leaves(code.facts, test.then)
        ):
            continue
        if exclusive(test.then, place) and not within(place, test.scope):
            continue
        call = test.value
        if (
            isinstance(call, Call)
            and any(is_own_id(one.value) for one in call.arguments)
            and answers_if_there(code, call, HELPERS)
        ):
            return True
    return False


def answers_if_there(code: Code, call: Call, hops: int) -> bool:
    """Whether what a helper of the file answers is true where a row of the id that it is handed is there."""
    functions = code.values.functions.get(call.method, ())
    if hops == 0 or len(functions) != 1:
        return False
    head = functions[0].head
    given = {one.name for one in head.parameters} if isinstance(head, Function) else set()
    answers = [one.value for one in code.facts.returns if one.scope is functions[0] and one.value is not None]
    return bool(answers) and all(is_present(code, one, given, hops) for one in answers)


def is_present(code: Code, value: Expression, given: set[str], hops: int) -> bool:
    """`rows.where("id", id).exists()`, `rows.count(id) > 0`, `find(id) !== null`, or another helper that answers so."""
    if isinstance(value, Compare):
        empty = isinstance(value.right, Literal) and value.right.value in (0, None)
        return empty and value.operator in (">", "!=", "is not") and is_lookup_of(value.left, given)
    if not isinstance(value, Call):
        return False
    if fold(value.method) in PRESENT:
        return is_lookup_of(value, given)
    return speaks_of(value, given) and answers_if_there(code, value, hops - 1)


def is_lookup_of(value: Expression, given: set[str]) -> bool:
    return isinstance(value, Call) and fold(value.method).startswith((*LOOKS, *PRESENT)) and speaks_of(value, given)


def speaks_of(value: Expression, given: set[str]) -> bool:
    return any(isinstance(part, Name) and part.text in given for part in walk(value))


def is_delivered(part: Expression) -> bool:
    owner = part.object if isinstance(part, Member) else None
    name = owner.text if isinstance(owner, Name) else owner.name if isinstance(owner, Member) else ""
    return bool(set(words(name)) & (WHOLE | HAPPENINGS))
