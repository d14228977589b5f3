"""Days that are taken from moments without a zone, in a project whose customers each have a zone of their own."""

import re
from collections.abc import Iterator

from rules.code import Code
from rules.facts import Branch, Call, Compare, Expression, Name, dotted, fold, name_of, walk, within
from rules.meaning.contexts import Context
from rules.meaning.floats import declared
from rules.meaning.subjects import bills, only_shows, spoken_in
from rules.meaning.times.fates import asks
from rules.meaning.times.periods import mark_names
from rules.meaning.times.told import told_only
from rules.meaning.vocabulary import words

OWNER = re.compile(r"(customer|account|organi[sz]ation|tenant|subscriber|merchant|workspace|company)$")
"""Whose bill follows a calendar; the zone of a user or a device is what they are shown their times in."""
ZONE_COLUMN = re.compile(r"(timezone|tzname|timezoneid)$")
MOMENT_WORDS = frozenset("at datetime timestamp utc".split())
EDGES = frozenset(
    "period start started starts end ended ends from until trial renew renews renewed renewal due cycle charges terminated "
    "billing billed usage event occurred effective expires expired cancelled canceled invoice invoiced".split()
)
"""Words of the moments that say in which period something is billed."""
ONCE = frozenset("migration migrations migrate backfill seed seeds".split())
PREVIEWS = frozenset(
    "preview previews estimate estimates projection projected projections forecast simulate simulation".split()
)
LOGS = frozenset("log logger logging warn warning info debug".split())
ANSWERS = re.compile(r"serializ|presenter|graphql|views?/|resource|mailer|(^|/)(types?|docs|spec)/|schema|openapi", re.I)
ZONE_WORDS = frozenset("timezone zone tz".split())


def customers_zone(code: Code) -> str | None:
    """The table whose rows, the customers, each have a zone."""
    for table in code.elsewhere.schema.tables.values():
        if OWNER.search(fold(table.name).removesuffix("s")) and any(map(ZONE_COLUMN.search, table.columns)):
            return table.name
    return None


def days_of_moments(code: Code) -> Iterator[tuple[Call, Expression]]:
    """Each day that is taken from a moment of a billing period, in a function that speaks of no zone, and the moment."""
    found = [(call, moment, looked_up_by(code, call)) for call, moment in taken(code)]
    stored = {code.facts.text(call.span) for call, _, looked_up in found if not looked_up}
    for call, moment, looked_up in found:
        # What a row is found again by is right or wrong with what was stored in it.
        if not looked_up or code.facts.text(call.span) not in stored:
            yield call, moment


def taken(code: Code) -> Iterator[tuple[Call, Expression]]:
    for call in code.facts.calls:
        moment = asked(call) if fold(call.method) in code.facts.traits.takes_day else None
        if moment is None or not is_moment(code, call, moment) or not EDGES & spoken(moment):
            continue
        if not aware(code, call, moment) and decides(code, call):
            yield call, moment


def looked_up_by(code: Code, call: Call) -> bool:
    return any(argument.span.holds(call.span) for one in code.facts.calls if asks(one) for argument in one.arguments)


def asked(call: Call) -> Expression | None:
    if fold(call.method) == "fromdatetime":
        return call.arguments[0].value if len(call.arguments) == 1 and call.folded.endswith("dateonly.fromdatetime") else None
    return call.receiver if not call.arguments else None


def spoken(moment: Expression) -> frozenset[str]:
    """The words of the moment's own name; of what holds it where that only says `timestamp`."""
    own = frozenset(words(name_of(moment).rsplit(".", 1)[-1]))
    return own if own - MOMENT_WORDS else frozenset(words(dotted(moment)))


def is_moment(code: Code, call: Call, moment: Expression) -> bool:
    """By its type where the language declares one, else by its name: `ended_at`, `period_datetime`."""
    if zoned := code.facts.traits.zoned_types:
        return isinstance(moment, Name) and declared(code, moment, call.scope, call.span.start).rstrip("?") in zoned
    last = words(name_of(moment).rsplit(".", 1)[-1])
    return code.facts.traits.dates_apart or (bool(last) and last[-1] in MOMENT_WORDS)


def aware(code: Code, call: Call, moment: Expression) -> bool:
    """Whether the function, or what the moment is made of, says in whose zone the day is."""
    said = spoken_in(code.facts, call.scope) | {word for mark in mark_names(code.values, moment, 4) for word in words(mark)}
    return bool(ZONE_WORDS & said) or any("zone" in word for word in said)


def decides(code: Code, call: Call) -> bool:
    """Whether somebody is billed by that day: it is not only shown, not filled in once, and not held against another such
    day, which is off by as much."""
    if code.context(call.scope) in (Context.TEST, Context.SCRIPT, Context.BROWSER) or ONCE & set(words(code.facts.path)):
        return False
    if only_told(code, call) or only_shown(code, call) or told_only(code, call):
        return False
    return bills(code.facts, call.scope) and not only_shows(code.facts, call.scope) and not levelled(code, call)


def only_told(code: Code, call: Call) -> bool:
    """Whether the day is that of a preview, or decides about a line of the log and nothing else."""
    said = {*words(code.function_name(call.scope)), *words(code.facts.path)}
    if said & PREVIEWS:
        return True
    arms = [
        one for one in code.facts.scopes
        if isinstance(one.head, Branch) and one.head.test is not None and one.head.test.span.holds(call.span)
    ]  # fmt: skip
    made = [one for arm in arms for one in code.facts.calls if within(one.scope, arm)]
    return bool(made) and all(
        LOGS & {*words(one.name)} or any(other.span.holds(one.span) and other is not one for other in made) for one in made
    )


def only_shown(code: Code, call: Call) -> bool:
    """Whether only what writes answers asks for the day: serializers, types of an API, views."""
    name = code.function_name(call.scope)
    asking = code.elsewhere.naming(name) - {code.facts.path} if name else frozenset()
    return bool(asking) and all(map(ANSWERS.search, asking)) and code.facts.source.count(name.encode()) == 1


def levelled(code: Code, call: Call) -> bool:
    return any(
        isinstance(part, Compare)
        and any(one is call for one in (part.left, part.right))
        and takes(code, part.left)
        and takes(code, part.right)
        for whole, _ in code.expressions
        for part in walk(whole)
    )


def takes(code: Code, side: Expression) -> bool:
    return isinstance(side, Call) and fold(side.method) in code.facts.traits.takes_day and asked(side) is not None
