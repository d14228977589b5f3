"""What a write, a sum or a comparison is about: the table, the column or the key, as the code names it."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import (
    Call,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Object,
    Scope,
    Template,
    dotted,
    enclosing,
    fold,
    walk,
)
from rules.meaning.naming import HOLE, keys, template
from rules.meaning.usage.counters import REDIS_ADDS, Counter
from rules.meaning.values import definitions_at, resolved, root_of
from rules.meaning.vocabulary import words

HANDLES = frozenset(
    "db database tx trx prisma client session self this conn connection pool knex repo repository store manager em "
    "orm query supabase admin sql redis pipeline pipe multi objects q stmt ctx context default write read ledger "
    "trans transaction".split()
)
NAMING = frozenset("from table collection into doc model query insert update insertinto updatetable".split())
QUERIED = frozenset(
    "query select get first one find findone findunique findfirst objects scalar filter all load fetch take".split()
)
"""Calls by which rows come from a database."""
SQL_TABLE = re.compile(r"\b(?:update|insert\s+into|from|join)\s+[\"`]?([A-Za-z_][\w.]*)", re.I)
QUERY = re.compile(r"^\s*(?:select|update|insert|with|delete)\b", re.I)


def key_of(code: Code, call: Call) -> str:
    """The key of a Redis call as a template, holes as `*`."""
    for key in keys(call):
        return template(code.values, key, call.scope, call.span.start) or last_text(key)
    return ""


def last_text(expression: Expression) -> str:
    texts = [part.value for part in walk(expression) if isinstance(part, Literal) and isinstance(part.value, str)]
    return HOLE.join(texts)


def is_redis(call: Call) -> bool:
    return fold(call.method) in REDIS_ADDS and "." in call.name and not adds_to_column(call)


def adds_to_column(call: Call) -> bool:
    """`$account->increment('credits', 5)`, and not `Cache::increment("credits:$id", 5)`."""
    first = call.arguments[0].value if call.arguments else None
    column = isinstance(first, Literal) and isinstance(first.value, str) and first.value.isidentifier()
    return column and fold(call.method) in ("increment", "decrement") and not KEYED & set(words(call.name))


def table_of_counter(code: Code, counter: Counter) -> str:
    """The table whose column is written, by the model, the SQL, or the variable that holds the row."""
    if counter.call is not None:
        return table_of_call(code, counter.call)
    for assign in code.facts.assigns:
        if assign.span is counter.span:
            for target in assign.targets:
                if isinstance(target, Member | Index):
                    return row_name(code, target, counter.scope, counter.span.start)
    return ""


def row_name(code: Code, target: Expression, scope: Scope, at: int) -> str:
    """`user.credits` -> `user`, by the variable's type or origin where these say more."""
    root = root_of(target)
    inner = target.object if isinstance(target, Member | Index) else target
    name = inner.name if isinstance(inner, Member) else inner.text if isinstance(inner, Name) else ""
    if name in ("self", "this"):
        holder = enclosing(scope, Kind.CLASS)
        return getattr(holder.head, "name", "") if holder is not None else ""
    if isinstance(root, Name) and root is inner:
        for found in definitions_at(code.values, root.text, scope, at):
            if found.how == "parameter" and isinstance(found.scope.head, Function):
                typed = next((one.type for one in found.scope.head.parameters if one.name == root.text), "")
                if plain := plain_type(typed):
                    return plain
            if found.value is not None and (table := model_in(found.value)):
                return table
    return name if fold(name) not in HANDLES else ""


def plain_type(typed: str) -> str:
    """`*model.User`, `models.User`, `User | None` -> `User`; nothing for a built-in type."""
    found = re.findall(r"[A-Za-z_][\w.]*", typed.split("|")[0])
    name = found[-1].rsplit(".", 1)[-1] if found else ""
    return name if name[:1].isupper() and name not in ("Session", "Any", "Optional", "Dict", "Request", "AsyncSession") else ""


def model_in(value: Expression) -> str:
    """`db.query(User).filter(…).first()`, `User.objects.get()`, `select(User)` -> `User`."""
    if not any(isinstance(part, Call) and QUERIED & {fold(one) for one in part.name.split(".")} for part in walk(value)):
        return ""
    for part in walk(value):
        if isinstance(part, Name) and part.text[:1].isupper() and not part.text.isupper() and len(part.text) > 2:
            return part.text
        if isinstance(part, Member) and part.name[:1].isupper() and not part.name.isupper() and len(part.name) > 2:
            return part.name
    return ""


def table_of_call(code: Code, call: Call) -> str:
    """`prisma.user.update`, `db.insert(usageEvents)`, `DB.Model(&User{}).Update(…)`, `UPDATE users SET …`."""
    if text := sql_text(call):
        found = SQL_TABLE.search(text)
        return found[1] if found else ""
    for part in receivers(call):
        if isinstance(part, Call) and fold(part.method) in NAMING and part.arguments:
            first = part.arguments[0].value
            plain = isinstance(first, Literal) and (fold(part.method) in ("update", "insert", "query") or part is call)
            # `User.update({ where, data })`: what is written, and no table.
            fields = isinstance(first, Object) and not first.type and part is call
            if not plain and not fields and (named := named_in(code, first, part)):
                return named
    return before(call) or given_row(code, call)


def receivers(call: Call) -> Iterator[Expression]:
    """The call, and the calls before it in its chain."""
    one: Expression | None = call
    while one is not None:
        yield one
        one = one.receiver if isinstance(one, Call) else one.object if isinstance(one, Member) else None


def sql_text(call: Call) -> str:
    for argument in call.arguments[:3]:
        value = argument.value
        if isinstance(value, Call) and value.arguments:
            value = value.arguments[0].value
        text = written(value)
        if QUERY.match(text):
            return text
    return ""


def written(value: Expression) -> str:
    if isinstance(value, Literal) and isinstance(value.value, str):
        return value.value
    if isinstance(value, Template):
        return "".join(written(part) or (getattr(part, "name", "") or getattr(part, "text", "") or "?") for part in value.parts)
    return ""


def named_in(code: Code, value: Expression, call: Call) -> str:
    """The table that an argument names: a string, a model, a struct, a variable of a model's type."""
    for part in walk(value):
        match part:
            case Literal(value=str(text)) if re.fullmatch(r"[\w.\"]+( +as +\w+)?", text, re.I):
                return text.split(" ")[0].strip('"')
            case Object(type=kind) if kind:
                return kind.rsplit(".", 1)[-1].lstrip("&*")
            case Call(constructs=True):
                return part.method
            case Member(name=name) if fold(name) not in HANDLES:
                return name
            case Name(text=text) if fold(text) not in HANDLES:
                return row_type(code, part, call) or text
    return ""


def row_type(code: Code, name: Name, call: Call) -> str:
    for found in definitions_at(code.values, name.text, call.scope, call.span.start):
        if found.how == "parameter" and isinstance(found.scope.head, Function):
            typed = next((one.type for one in found.scope.head.parameters if one.name == name.text), "")
            return plain_type(typed)
        if found.value is not None:
            whole = found.value
            for part in walk(whole):
                if isinstance(part, Object) and part.type:
                    return part.type.rsplit(".", 1)[-1].lstrip("&*")
                if isinstance(part, Call) and (part.constructs or part.method[:1].isupper()) and part.method[:1].isupper():
                    return part.method if not part.method.startswith("New") else part.method[3:]
    return ""


STEPS = frozenset(
    "where wherein wherekey wherenot wherehas findby find findorfail findoneby first firstorfail last lock lockforupdate "
    "unscoped joins includes query newquery getquery withtrashed select order orderby latest limit tap with preload".split()
)
"""What ActiveRecord and Eloquent chain between a model and the write: `UsagePeriod.where(…).update_all(…)`."""
KEYED = frozenset("cache redis store memcached kv limiter counter counters".split())
"""Words of the stores whose counters have keys."""
SESSIONS = frozenset("db session tx conn connection pool prisma database".split())


def before(call: Call) -> str:
    """`usageEvent` of `prisma.usageEvent.create`, `UsageLog` of `UsageLog.objects.create`; handles say nothing."""
    for segment in reversed([one for one in re.split(r"[.]", dotted(call.callee))[:-1] if one]):
        name = segment.replace("()", "").replace("[]", "")
        if "()" in segment and fold(name) in STEPS:
            continue
        if name and fold(name) not in HANDLES and not frozenset(words(name)) & SESSIONS:
            return re.sub(r"(Repository|Repo|Dao|DAO|Model|Store|_repository|_repo|_model)$", "", name) or name
        if "()" in segment:
            break
    return ""


def given_row(code: Code, call: Call) -> str:
    """`session.add(UsageRecord(…))`, `DB.Create(&log)`, `repo.save(event)`."""
    for argument in call.arguments[:2]:
        if isinstance(argument.value, Literal | Template):
            continue
        whole = resolved(code.values, argument.value, call.scope, call.span.start)
        if isinstance(whole, Call) and whole.method[:1].isupper():
            return whole.method
        named = named_in(code, argument.value, call)
        if named and fold(named) not in ("ctx", "context", "c", "err", "data") and words(named)[-1:] != ("id",):
            return named
    return ""
