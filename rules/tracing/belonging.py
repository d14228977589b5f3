"""Whether what is taken belongs to the limit that was tested: a balance is not spent by counting findings in another table."""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Call, Expression, Literal, Scope, fold, walk
from rules.meaning.limits.limits import Limit, said_by
from rules.meaning.usage.takings import Taking, amount_of, fluent, same_thing
from rules.meaning.vocabulary import words
from rules.tracing.counted import looked_at, moves
from rules.tracing.stores import table_of_call, table_of_counter
from rules.tracing.weighed import fields

UNTELLING = frozenset(
    "total current daily monthly today month day number count counter value amount get set add read load fetch find first one "
    "select from where eq single maybe update insert create save write put rpc query execute data row rows record result "
    "results res user users account customer org organization team tenant workspace id by to of for and the is has this self "
    "ctx db prisma supabase client service services repo repository store session tx model models objects all check can max "
    "min int float len sum filter or new await async json body request req scalar".split()
)
"""What readings and writes of all kinds have in their names."""
SAME = {"used": "usage", "usages": "usage", "consumed": "usage", "spent": "spend"}


def belongs(code: Code, limit: Limit, taking: Taking) -> bool:
    """Whether a test and a taking are seen to speak of one store: by a name, a table, the amount, or what runs behind."""
    if same_thing(limit.used, taking) or is_amount_tested(code, limit, taking):
        return True
    if telling(read_by(code, limit.used, limit.scope, limit.span.start)) & telling(written_by(code, taking)):
        return True
    return any(runs_into(code, call, taking) for call in calls_of(code, limit))


def is_amount_tested(code: Code, limit: Limit, taking: Taking) -> bool:
    """`balance < cost` and then `charge(user, cost)`: what is tested for is what is taken."""
    needed = limit.added if limit.added is not None else limit.limit
    if isinstance(needed, Literal) or (not limit.left and limit.added is None):
        return False
    amount = amount_of(taking)
    given = [amount] if amount is not None else []
    given += [one.value for one in taking.call.arguments] if taking.call is not None and taking.counter is None else []
    text = code.facts.text(needed.span)
    return any(code.facts.text(part.span) == text for whole in given for part in walk(whole))


def read_by(code: Code, used: Expression, scope: Scope, at: int) -> Iterator[str]:
    yield said_by(used)
    yield from fields(code, used, scope, at)


def written_by(code: Code, taking: Taking) -> Iterator[str]:
    if taking.counter is not None:
        yield taking.counter.name
        yield table_of_counter(code, taking.counter)
    if taking.call is None:
        return
    yield taking.call.name
    yield table_of_call(code, taking.call)
    for one in fluent(code.facts, taking.call):
        yield from (text for each in one.arguments[:1] if isinstance(text := getattr(each.value, "value", None), str))


def telling(names: Iterator[str]) -> frozenset[str]:
    said = (word for name in names for word in words(name) if word not in UNTELLING)
    return frozenset(SAME.get(word, word.rstrip("s")) for word in said)


def calls_of(code: Code, limit: Limit) -> Iterator[Call]:
    for origin in code.origins(limit.used, limit.scope, limit.span.start):
        yield from (part for part in walk(origin.expression) if isinstance(part, Call))


def runs_into(code: Code, call: Call, taking: Taking) -> bool:
    """Whether the function that read it is seen to read what the taking writes."""
    looked = looked_at(code, call)
    if not looked:
        return False
    if taking.counter is not None:
        return fold(taking.counter.name) in looked.counters
    return taking.call is not None and moves(code, taking.call, looked) is True
