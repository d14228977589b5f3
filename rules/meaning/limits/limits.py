"""Where usage is compared with what is allowed, or what is left with what is needed."""

from collections.abc import Iterator
from dataclasses import dataclass

from rules.facts import (
    Assign,
    Binary,
    Branch,
    Call,
    Compare,
    Expression,
    Facts,
    Function,
    Index,
    Jump,
    Kind,
    Literal,
    Logical,
    Member,
    Name,
    Raise,
    Return,
    Scope,
    Span,
    Start,
    Test,
    Unary,
    enclosing,
    fold,
    walk,
    within,
)
from rules.meaning.limits.machinery import keeps_up
from rules.meaning.values import Values, definitions_at, resolved
from rules.meaning.vocabulary import (
    LIMIT_WORDS,
    NOT_OF_A_PLAN,
    names_counter,
    names_left,
    names_limit,
    names_used,
    of_a_plan,
    words,
)


@dataclass(frozen=True, slots=True, eq=False)
class Limit:
    """One comparison, turned so that the reading stands left: `used >= limit`, or `balance < cost` where `left`."""

    compare: Compare
    used: Expression
    """The reading: what was used, or what is left."""
    operator: str
    limit: Expression
    """What is allowed, or what is needed."""
    test: Test
    added: Expression | None = None
    """What the comparison adds to the usage first: `used + n > limit`."""
    left: bool = False
    """The reading is a balance, that runs out."""

    @property
    def span(self) -> Span:
        return self.compare.span

    @property
    def scope(self) -> Scope:
        return self.test.scope

    @property
    def function(self) -> Scope | None:
        return enclosing(self.test.scope, Kind.FUNCTION)

    @property
    def refuses(self) -> bool:
        """Whether the branch is taken when there is no room, as against while there is some."""
        return self.operator in (("<", "<=", "==") if self.left else (">", ">=", "=="))


TURNED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "==", "!=": "!="}
VAGUE = frozenset("count total value amount current number length size n num today daily monthly".split())
"""Names that mean something only with what they belong to."""
SEEN_THROUGH = frozenset("int number float len parseint parsefloat bigint decimal max min int64 float64 int32 str abs".split())
OWNERS = frozenset("plan tier subscription account org organization user customer team key tenant workspace".split())
GIVEN_AWAY = frozenset("coupon promo voucher referral discount invitation".split())
"""How often one of these may be used is no customer's plan."""
COUNTS = frozenset("count sum countdocuments scalar scalarone aggregate estimateddocumentcount len".split())
COUNT_WORDS = frozenset(
    "count counter total requests calls generations messages seats cost tokens current today this runs scans exports".split()
)


def limits_of(facts: Facts, values: Values) -> tuple[Limit, ...]:
    found = {
        id(one.compare): one
        for test in (*answers(facts), *facts.tests)
        for one in compared(values, test)
        if not keeps_up(facts, one.scope, one.used, one.limit)
    }
    return tuple(sorted(found.values(), key=lambda limit: limit.span.start))


def answers(facts: Facts) -> Iterator[Test]:
    """`return used < limit`, `return { allowed: used < limit }`: the caller tests it."""
    for one in facts.returns:
        if one.value is not None and not isinstance(one.value, Literal | Name):
            yield Test(one.value.span, one.value, one.scope)


def compared(values: Values, test: Test) -> Iterator[Limit]:
    for part in walk(test.value):
        if isinstance(part, Unary) and (spent := spent_limit(part, test)) is not None:
            yield spent
        if not isinstance(part, Compare) or part.operator not in TURNED:
            continue
        operators = (part.operator, TURNED[part.operator])
        if is_negated(test.value, part):
            operators = (opposite(operators[0]), opposite(operators[1]))
        sides = ((part.left, operators[0], part.right), (part.right, operators[1], part.left))
        found = next((one for side in sides if (one := usage_limit(values, part, *side, test)) is not None), None)
        found = found or next((one for side in sides if (one := balance_limit(values, part, *side, test)) is not None), None)
        if found is not None:
            yield found


def usage_limit(values: Values, part: Compare, used: Expression, operator: str, limit: Expression, test: Test) -> Limit | None:
    """`used + n > limit`, `usage >= plan.limit`, `tokensUsed > 1000`."""
    if isinstance(used, Binary) and used.operator == "-":
        return None
    allowed = is_limit(values, limit, test)
    if operator in ("==", "!=") and not frozenset(words(said_by(limit))) & LIMIT_WORDS:
        return None
    if not (allowed or is_positive(limit)) or not is_usage(values, used, limit if allowed else None, test):
        return None
    added = used.right if isinstance(used, Binary) and used.operator == "+" else None
    return Limit(part, used, operator, limit, test, added)


def balance_limit(values: Values, part: Compare, left: Expression, operator: str, need: Expression, test: Test) -> Limit | None:
    """`credits < cost`, `balance <= 0`, `userQuota - cost < 0`, `limit - used < n`."""
    if operator == "!=" or (operator == "==" and not is_zero(need)) or (isinstance(need, Literal) and not is_number(need)):
        return None
    if is_form(values, left, operator, need, test):
        return None
    if isinstance(left, Binary) and left.operator == "-" and is_number(need):
        if names_left(said_by(left.left)) and is_zero(need):
            return Limit(part, left.left, operator, left.right, test, left=True)
        if names_limit(said_by(left.left)) and names_counter(said_by(left.right)):
            return Limit(part, left, operator, need, test, left=True)
        return None
    name = said_by(left)
    if names_left(name) and of_a_plan(name) and is_need(left, need):
        return Limit(part, left, operator, need, test, left=True)
    return None


def is_form(values: Values, left: Expression, operator: str, need: Expression, test: Test) -> bool:
    """`if quota < 0`, `if credits <= 0` of a parameter: the form of an amount that is asked for, no balance."""
    if not is_zero(need) or isinstance(left, Binary):
        return False
    if operator in ("<", ">="):
        return True
    found = definitions_at(values, left.text, test.scope, test.span.start) if isinstance(left, Name) else ()
    return any(one.how == "parameter" for one in found)


def is_need(left: Expression, need: Expression) -> bool:
    """Whether the other operand is what is asked for: `user.credits < credits`, `userQuota < quota`, `balance < cost`."""
    name = said_by(need)
    if not names_limit(name) and not names_left(name):
        return True
    narrower = frozenset(words(name)) < frozenset(words(said_by(left)))
    return isinstance(need, Name) and (isinstance(left, Member | Index) or narrower) and not {"max", "limit"} & set(words(name))


def spent_limit(part: Unary, test: Test) -> Limit | None:
    """`if (!user.credits)`: there is nothing left."""
    value = part.value
    if (
        part.operator != "not"
        or not isinstance(value, Member)
        or not {"credits", "balance", "remaining"} & set(words(value.name))
    ):
        return None
    if not names_left(value.name):
        return None
    zero = Literal(part.span, 0)
    return Limit(Compare(part.span, "<=", value, zero), value, "<=", zero, test, left=True)


def opposite(operator: str) -> str:
    return {"<": ">=", ">=": "<", ">": "<=", "<=": ">", "==": "!=", "!=": "=="}[operator]


def is_negated(whole: Expression, part: Compare) -> bool:
    return any(isinstance(one, Unary) and one.operator == "not" and one.value is part for one in walk(whole))


def is_number(expression: Expression) -> bool:
    return (
        isinstance(expression, Literal) and isinstance(expression.value, int | float) and not isinstance(expression.value, bool)
    )


def is_zero(expression: Expression) -> bool:
    return is_number(expression) and getattr(expression, "value", None) == 0


def is_positive(expression: Expression) -> bool:
    return is_number(expression) and getattr(expression, "value", 0) > 0


def said_by(expression: Expression) -> str:
    """What an operand is called: its last name, with its owner's where that alone says nothing: `usage.count`."""
    match expression:
        case Name(text=text):
            return text
        case Member(object=inner, name=name):
            return f"{said_by(inner)}_{name}" if frozenset(words(name)) <= VAGUE else name
        case Index(object=inner, key=Literal(value=str(key))):
            return f"{said_by(inner)}_{key}" if frozenset(words(key)) <= VAGUE else key
        case Index(object=inner):
            return said_by(inner)
        case Call(arguments=arguments) if fold(expression.method) in SEEN_THROUGH and arguments:
            return said_by(arguments[0].value)
        case Call():
            return expression.method
        case Logical(left=left) if expression.operator in ("or", "??"):
            return said_by(left)
        case Binary(left=left, operator="+"):
            return said_by(left)
        case _:
            return ""


def is_usage(values: Values, expression: Expression, limit: Expression | None, test: Test) -> bool:
    """Whether an operand is named like usage, itself or what it was taken from, or counted where a plan's limit is named."""
    first = expression.left if isinstance(expression, Binary) and expression.operator == "+" else expression
    whole = resolved(values, first, test.scope, test.span.start)
    names = {said_by(first), said_by(whole)}
    if any(not of_a_plan(name) or names_limit(name) for name in names):
        return False
    if any(names_used(name) for name in names):
        return True
    return limit is not None and (counted(values, whole) or any(counts_towards(name, said_by(limit)) for name in names))


def counted(values: Values, whole: Expression) -> bool:
    """`await db.generation.count(…)`, `len(rows)`, `rows.len()` in Rust where rows were asked for: how many rows there are."""
    if not isinstance(whole, Call) or fold(whole.method) not in COUNTS:
        return False
    if whole.method != "len" or whole.receiver is None:
        return True
    asked = resolved(values, whole.receiver, whole.scope, whole.span.start)
    return isinstance(asked, Call) and asked.start is Start.AWAITED


def counts_towards(name: str, limit: str) -> bool:
    """`dailyCost >= dailyCostLimit`, `freeCounts >= MAX_FREE_COUNTS`, `requests >= plan.maxRequests`: one subject."""
    mine, theirs = ({word.rstrip("s") for word in words(one)} for one in (name, limit))
    return bool(mine & theirs - {"limit", "max", "maximum"}) and bool(frozenset(words(name)) & COUNT_WORDS)


def is_limit(values: Values, expression: Expression, test: Test) -> bool:
    """Whether an operand is named like what a customer may use."""
    name = said_by(expression)
    if isinstance(expression, Literal | Call) or frozenset(words(name)) & NOT_OF_A_PLAN:
        return False
    if isinstance(expression, Member) and frozenset(words(said_by(expression.object))) & GIVEN_AWAY:
        return False
    if names_limit(name):
        return not is_context_size(name) or (
            isinstance(expression, Member) and bool(OWNERS & set(words(said_by(expression.object))))
        )
    whole = resolved(values, expression, test.scope, test.span.start)
    return whole is not expression and not isinstance(whole, Literal) and names_limit(said_by(whole))


def is_context_size(name: str) -> bool:
    """`max_tokens` bounds one answer of a model, not what a customer may use."""
    return words(name) in (("max", "tokens"), ("max", "output", "tokens"), ("max", "input", "tokens"), ("token", "limit"))


def leaves(facts: Facts, branch: Scope | None) -> bool:
    """Whether a branch ends its function or loop round: it returns, raises or jumps."""
    if branch is None:
        return False
    exits: tuple[Return | Raise | Jump, ...] = (*facts.returns, *facts.raises, *facts.jumps)
    function = enclosing(branch, Kind.FUNCTION)
    return any(within(one.scope, branch) and enclosing(one.scope, Kind.FUNCTION) is function for one in exits)


def of_loop(facts: Facts, limit: Limit) -> bool:
    """`steps = 0`, `steps += 1`, `if steps > max_steps`: a count that begins in this function bounds its own loop.

    So does what is left to share out of a parameter: `left = quantity`, `left -= part`.
    """
    if not isinstance(limit.used, Name):
        return False
    assigned = [
        assign
        for assign in facts.assigns
        if any(isinstance(target, Name) and target.text == limit.used.text for target in assign.targets)
        and enclosing(assign.scope, Kind.FUNCTION) is limit.function
    ]
    if limit.left:
        return shares(limit, assigned)
    begins = any(isinstance(one.value, Literal) and one.value.value == 0 for one in assigned)
    return begins and any(one.operator == "+=" for one in assigned)


def shares(limit: Limit, assigned: list[Assign]) -> bool:
    """Whether a loop lowers a number that the function was handed, and tests what is left of it."""
    loop = enclosing(limit.scope, Kind.LOOP, Kind.FUNCTION)
    head = limit.function.head if limit.function is not None else None
    if loop is None or loop.kind is not Kind.LOOP or not isinstance(head, Function):
        return False
    handed = {one.name for one in head.parameters}
    made = [one for one in assigned if not within(one.scope, loop)]
    lowered = any(one.operator == "-=" or takes_off(one.value) for one in assigned if within(one.scope, loop))
    return lowered and bool(made) and all(said_by(one.value) in handed for one in made if one.value is not None)


def takes_off(value: Expression | None) -> bool:
    return isinstance(value, Binary) and value.operator == "-"


def arm_of(scope: Scope, test: Test) -> str | None:
    """In which arm of this test a scope lies: `then`, `else` or none."""
    found: Scope | None = scope
    while found is not None:
        if isinstance(found.head, Branch) and found.head.test is test.value:
            return found.head.arm
        found = found.parent
    return None


def lets_through(facts: Facts, limit: Limit, scope: Scope) -> bool:
    """Whether a scope after a limit is reached only with room: its refusal leaves, or the scope is in the arm for room."""
    arm = arm_of(scope, limit.test)
    if limit.refuses:
        return arm == "else" or (arm is None and leaves(facts, limit.test.then))
    return arm == "then"


def operands(test: Expression) -> Iterator[Expression]:
    """The operands of `and` and `or`, flattened."""
    if isinstance(test, Logical):
        yield from operands(test.left)
        yield from operands(test.right)
    else:
        yield test
