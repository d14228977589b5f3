"""How a written value comes from an earlier reading of the same field: `user.used + n`, through variables and conversions."""

from rules.facts import Binary, Call, Expression, Index, Literal, Member, Name, Scope, Use, fold, walk
from rules.meaning.values import Values, definitions_at
from rules.meaning.vocabulary import names_counter, words

CONVERSIONS = frozenset(
    "max min int round floor number string str parseint parsefloat float int64 tostring itoa formatint".split()
)
READS = ("get", "fetch", "find", "hget", "load", "read", "select", "query", "first", "scan", "stringget", "hashget")
WHEN = frozenset("new old prev previous current existing updated next now before after total my".split())
"""Words that only say which reading of a field it is."""
COUNTED = frozenset("count counter tokens remaining requests generations calls units seats minutes limit total points".split())


FAULTS = frozenset("error errors unauthorized retry retries fail failed failures attempt attempts login view views".split())


def names_count(name: str) -> bool:
    """A field that holds a number which is added to. Wider than a counter's name: that it is added to tells the rest."""
    said = set(words(name))
    return names_counter(name) or (bool(COUNTED & said) and not FAULTS & said)


def field_name(target: Expression) -> str:
    """The name of a field or item; plain variables are no counter that anyone else sees."""
    if isinstance(target, Member):
        return target.name
    if isinstance(target, Index) and isinstance(target.key, Literal):
        return str(target.key.value)
    return ""


def arithmetic(values: Values, value: Expression, scope: Scope, at: int, hops: int = 3) -> Binary | None:
    """The addition or subtraction, also in a variable and inside `Math.max(0, …)`, `String(…)` and `|| 0`."""
    if isinstance(value, Binary) and value.operator in ("+", "-"):
        return value
    if isinstance(value, Call) and fold(value.method) in CONVERSIONS:
        inside = [argument.value for argument in value.arguments]
        if value.receiver is not None and not value.arguments:
            inside.append(value.receiver)
        return next((found for one in inside if (found := arithmetic(values, one, scope, at, hops)) is not None), None)
    if isinstance(value, Name) and hops:
        reaching = definitions_at(values, value.text, scope, at)
        if len(reaching) == 1 and reaching[0].how == "assign" and reaching[0].value is not None:
            return arithmetic(values, reaching[0].value, reaching[0].scope, reaching[0].end, hops - 1)
    return None


def stepped(values: Values, value: Expression, name: str, scope: Scope, at: int) -> tuple[str, Expression, Expression] | None:
    """`let n = row.n; n += 1; update({ n })`: the sign, what is added, and the reading."""
    if not isinstance(value, Name):
        return None
    reaching = definitions_at(values, value.text, scope, at)
    change = next((one for one in reaching if one.how == "change"), None)
    if change is None or change.value is None or not any(is_reading(values, one.value, name) for one in reaching if one.value):
        return None
    operator = next((one.operator for one in values.facts.assigns if one.span.end == change.end), "+=")
    return (operator[:1], change.value, value) if operator in ("+=", "-=") else None


def is_reading(values: Values, value: Expression, name: str) -> bool:
    return any(isinstance(part, Member | Index) and same_field(field_name(part), name) for part in walk(value))


def old_reading(values: Values, operation: Binary, name: str, scope: Scope, at: int) -> Expression | None:
    """The operand that is an earlier reading of the same field: `user.used`, `used` taken from a row, `(row.used || 0)`."""
    sides = (operation.left, operation.right)
    if all(isinstance(side, Name) and not same_field(side.text, name) for side in sides) and all(
        fetched(values, side, scope, at) for side in sides
    ):
        # The sum of two results is nobody's old value: `total = prompt + completion`.
        return None
    for side in sides:
        for part in walk(side):
            if isinstance(part, Member | Index) and same_field(field_name(part), name):
                return part
            if isinstance(part, Name) and reads_field(values, part, name, scope, at):
                return part
    return None


def fetched(values: Values, side: Expression, scope: Scope, at: int) -> bool:
    """Whether a local name holds what a call gave."""
    reaching = definitions_at(values, side.text, scope, at) if isinstance(side, Name) else ()
    return bool(reaching) and all(one.how == "assign" and isinstance(one.value, Call) for one in reaching)


def same_field(one: str, other: str) -> bool:
    """Whether two names mean one field: equal, or one ends in the other and the rest only says which reading it is."""
    if not one or not other:
        return False
    if fold(one) == fold(other):
        return True
    mine, theirs = plain(one), plain(other)
    return bool(mine) and (mine == theirs or (len(mine) > 1 and theirs[-len(mine) :] == mine))


def plain(name: str) -> tuple[str, ...]:
    return tuple(word for word in words(name) if word not in WHEN)


def reads_field(values: Values, name: Name, field: str, scope: Scope, at: int) -> bool:
    reaching = definitions_at(values, name.text, scope, at)
    if not reaching and values.facts.traits.bare_members:
        # A name that nothing was assigned to is a field of the object itself.
        return same_field(name.text, field)
    for found in reaching:
        if found.how == "part" and found.part and same_field(found.part, field):
            return True
        if found.how != "assign" or found.value is None:
            continue
        if is_reading(values, found.value, field):
            return True
        if names_count(name.text) and any(reads(part) for part in walk(found.value)):
            return True
    return False


def reads(part: Expression) -> bool:
    """A call that fetches a value: `await redis.get(key)`, `getUsed(id)`; not one that is chained on."""
    return isinstance(part, Call) and fold(part.method).startswith(READS) and part.use is not Use.CHAINED
