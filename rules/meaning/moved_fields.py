"""Fields of Stripe's objects that later API versions moved, and the code that still reads them where they were.

Since 2025-03-31 ("basil") an invoice names its subscription under `parent.subscription_details`, its payments in a list of
their own, and a subscription's period stands on its items: https://docs.stripe.com/changelog/basil
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rules.code import Code
from rules.facts import (
    Assign,
    Call,
    Class,
    Expression,
    Function,
    Index,
    Kind,
    Literal,
    Member,
    Name,
    Scope,
    Span,
    enclosing,
    fold,
    walk,
)
from rules.meaning.vocabulary import words

MOVED = {
    ("invoice", "subscription"): "parent.subscription_details.subscription",
    ("invoice", "payment_intent"): "payments",
    ("invoice", "charge"): "payments",
    ("subscription", "current_period_start"): "items.data[].current_period_start",
    ("subscription", "current_period_end"): "items.data[].current_period_end",
}
VERSION = re.compile(rb"[\"'](20\d\d-\d\d-\d\d)\.[a-z]+[\"']")
SINCE = b"2025-03-31"
SDK = re.compile(r"stripe-go/v(\d+)")
SDK_SINCE = 82
CALLS = frozenset("retrieve update create cancel".split())
KNOWS = (b"subscription_details", b"SubscriptionDetails", b"subscriptionDetails")


@dataclass(frozen=True, slots=True, eq=False)
class OldField:
    """A field that is read where it no longer is."""

    span: Span
    name: str
    now: str


def old_fields(code: Code) -> Iterator[OldField]:
    """One for each field that the file reads in its old place, although it asks for a later version of the API."""
    if b"tripe" not in code.facts.source or any(word in code.facts.source for word in KNOWS):
        return
    yield from declared(code)
    if not any(found >= SINCE for found in VERSION.findall(code.facts.source)):
        return
    said: set[str] = set()
    for whole, scope in code.expressions:
        for part in walk(whole):
            if (found := read_of(code, part, scope)) is not None and found.name not in said:
                said.add(found.name)
                yield found


def read_of(code: Code, part: Expression, scope: Scope) -> OldField | None:
    """`subscription.current_period_end`, `invoice["subscription"]`, of an object that came from Stripe."""
    if isinstance(part, Member):
        name = part.name
    elif isinstance(part, Index) and isinstance(part.key, Literal):
        name = str(part.key.value)
    else:
        return None
    owner = part.object
    kind = next((kind for kind, field in MOVED if field == name and kind in owner_words(owner)), None)
    if kind is None or not isinstance(owner, Name) or not from_stripe(code, owner, scope):
        return None
    if kind == "subscription" and b"items.data" in code.facts.source and b"].current_period" in code.facts.source:
        return None
    return OldField(part.span, f"{owner.text}.{name}", MOVED[kind, name])


def owner_words(owner: Expression) -> set[str]:
    said = set(words(owner.text)) if isinstance(owner, Name) else set()
    return said | {"subscription"} if "sub" in said else said


def from_stripe(code: Code, owner: Name, scope: Scope) -> bool:
    """Whether a name holds Stripe's own object, and not the project's row of that kind."""
    for one in code.values.definitions.get(owner.text, ()):
        if one.how == "parameter":
            head = one.scope.head
            types = [each.type for each in head.parameters if each.name == owner.text] if isinstance(head, Function) else []
            if any("Stripe." in each or "stripe." in each for each in types) and enclosing(scope, Kind.FUNCTION) is one.scope:
                return True
        elif one.value is not None and is_stripes(one.value):
            return True
    return False


def is_stripes(value: Expression) -> bool:
    for part in walk(value):
        if (
            isinstance(part, Call)
            and "stripe" in words(part.name)
            and fold(part.method) in ("retrieve", "update", "create", "cancel")
        ):
            return True
        if isinstance(part, Member) and part.name == "object" and "data" in (getattr(part.object, "name", ""),):
            return True
        if isinstance(part, Index) and isinstance(part.key, Literal) and part.key.value == "object":
            return True
    return False


def declared(code: Code) -> Iterator[OldField]:
    """A struct that is filled from an invoice's JSON and has the field where it was."""
    sdk = [int(found[1]) for package in code.facts.packages if (found := SDK.search(package))]
    if not sdk or max(sdk) < SDK_SINCE:
        return
    structs: dict[Scope, list[Assign]] = {}
    for assign in code.facts.assigns:
        if assign.operator == ":" and isinstance(assign.scope.head, Class) and isinstance(assign.value, Literal):
            structs.setdefault(assign.scope, []).append(assign)
    for fields in structs.values():
        tags = {tag(one): one for one in fields}
        if "billing_reason" in tags and "subscription" in tags and "parent" not in tags:
            yield OldField(tags["subscription"].span, "subscription", MOVED["invoice", "subscription"])


def tag(field: Assign) -> str:
    found = re.search(r'json:"([^",]+)', str(getattr(field.value, "value", "")))
    return found[1] if found else ""
