"""Section 4: by what a repeat is recognised."""

from collections.abc import Callable, Iterator, Mapping

from rules import providers
from rules.answers.seen import Said, Seen, Sent, at, of_findings, places, surest
from rules.code import Code
from rules.facts import Call, Expression, Literal, Member, Name, fold
from rules.meaning.repeats.keys import NAMED, Key, keys_of
from rules.meaning.repeats.keys import written as maker
from rules.meaning.repeats.segments import Part, segments_of
from rules.report import Evidence
from rules.rule import Confidence

UNSTABLE = ("unstable-key-random", "key-includes-attempt", "time-in-composite-key")
COLLIDING = ("colliding-key",)
DOUBLE = (
    "missing-idempotency-key",
    *UNSTABLE,
    "retry-without-stable-key",
    "at-least-once-consumer-no-dedup",
    "check-then-insert-dedup",
    "close-job-not-exclusive",
)
MOST_KEYS = 3
LONGEST = 80


def keyable(seen: Seen) -> list[Sent]:
    """The reports whose provider recognises a repeat by a key that can be given."""
    return [one for one in seen.reports if (key := key_of(one)) is not None and not key.natural]


def key_of(sent: Sent) -> providers.Key | None:
    return sent.emission.record.key if sent.emission is not None and sent.emission.record is not None else None


def carried(sent: Sent) -> bool | None:
    """Whether a report has a key; None where its arguments cannot be seen whole."""
    key = key_of(sent)
    assert sent.emission is not None
    assert key is not None
    givens = (*sent.emission.events, sent.emission.given)
    if any(given.first((*key.names, *key.option_names)) is not None for given in givens):
        return True
    return False if all(given.complete for given in sent.emission.events) else None


def keys(seen: Seen) -> Iterator[tuple[Code, Key]]:
    """Where a key is made or handed on in the server's code."""
    for code in seen.billing:
        for key in keys_of(code):
            made = maker(code, key)
            if not key.shaped and not isinstance(made, Literal) and not is_declared(made):
                yield code, key


def is_handed_on(code: Code, key: Key) -> bool:
    """Whether the key is what a caller gave: `body.idempotency_key`, a parameter."""
    made = maker(code, key)
    name = made.text if isinstance(made, Name) else made.name if isinstance(made, Member) else ""
    return fold(name) in NAMED or is_read(made)


def is_read(made: Expression) -> bool:
    """`row.get("idempotency_key")`: what was given before."""
    names = [one.value.value for one in made.arguments if isinstance(one.value, Literal)] if isinstance(made, Call) else []
    return any(isinstance(name, str) and fold(name) in NAMED for name in names)


def is_declared(made: Expression) -> bool:
    """`z.string().max(255)` says what a key looks like, and makes none."""
    return isinstance(made, Call) and made.name.split(".")[0].removesuffix("()") in ("z", "Joi", "yup", "v", "t", "Field")


def is_stable(code: Code, key: Key) -> bool:
    """Whether something in it tells one use from the next, and nothing changes with each attempt."""
    parts = {one.part for one in segments_of(code, key.value, key.scope, key.at)}
    return Part.IDENTITY in parts and not parts & {Part.RANDOM, Part.CLOCK, Part.ATTEMPT}


def stable_key(seen: Seen) -> Said | None:
    unstable, colliding = seen.named(*UNSTABLE), seen.named(*COLLIDING)
    if unstable:
        return Said("no: the key changes with every attempt", surest(unstable), of_findings(unstable))
    if colliding:
        return Said("no: different uses share one key", surest(colliding), of_findings(colliding))
    reports = keyable(seen)
    having = [one for one in reports if carried(one)]
    without = [one for one in reports if carried(one) is False]
    if without and having:
        return Said(f"for {len(having)} of {len(reports)} reports; not for the others", Confidence.CERTAIN, places(without))
    if without:
        return Said("no: no key is given", Confidence.CERTAIN, places(without))
    found = list(keys(seen))
    if reports and len(having) < len(reports):
        return None
    if not found or not all(is_stable(*one) for one in found):
        return None
    where = tuple(dict.fromkeys(at(code, key.cause) for code, key in found))[:MOST_KEYS]
    if all(is_handed_on(*one) for one in found):
        return Said("yes, as far as its caller gives the same one again", Confidence.LIKELY, where)
    return Said("yes: it stays the same when the same use is reported again", Confidence.LIKELY, where)


def key_parts(seen: Seen) -> Said | None:
    """As the code writes it, what stands behind a variable included."""
    texts: dict[str, Evidence] = {}
    found = list(keys(seen))
    made = [one for one in found if not is_handed_on(*one)]
    for code, key in made or found:
        text = " ".join(code.facts.text(maker(code, key).span).split())
        texts.setdefault(text if len(text) <= LONGEST else text[: LONGEST - 1] + "…", at(code, key.cause))
    if texts:
        shown = ", ".join(f"`{text.replace('`', chr(39))}`" for text in list(texts)[:MOST_KEYS])
        rest = f" and {len(texts) - MOST_KEYS} more" if len(texts) > MOST_KEYS else ""
        return Said(shown + rest, Confidence.CERTAIN, tuple(texts.values())[:MOST_KEYS])
    without = [one for one in keyable(seen) if carried(one) is False]
    return Said("no key is given", Confidence.CERTAIN, places(without)) if without else None


def retry_charges_twice(seen: Seen) -> Said | None:
    found = seen.named(*DOUBLE)
    if found:
        worst = found[0]
        return Said(f"yes: {worst.title[:1].lower()}{worst.title[1:]}", surest(found), of_findings(found))
    reports = keyable(seen)
    stable = all(is_stable(*one) for one in keys(seen))
    if reports and stable and all(carried(one) for one in reports) and not seen.named(*COLLIDING):
        given = all(is_handed_on(*one) for one in keys(seen))
        text = "not if the caller gives the same key again" if given else "no: the provider recognises the repeat by its key"
        return Said(text, Confidence.LIKELY, places(reports))
    return None


ANSWERS: Mapping[str, Callable[[Seen], Said | None]] = {
    "stable_key": stable_key,
    "key_parts": key_parts,
    "retry_charges_twice": retry_charges_twice,
}
