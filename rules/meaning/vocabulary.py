"""The words of metering code. A verb alone says little and a noun alone says little: the pair decides."""

import re
from functools import lru_cache

PART = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+")

EMIT_VERBS = frozenset(
    "record report track send emit ingest publish meter bill log push submit post capture enqueue queue create insert "
    "add save store write produce".split()
)
"""`get`, `fetch`, `calculate` and the like are reading; `add`, `log`, `create` count only with a strong noun."""
STRONG_EMIT_VERBS = frozenset("record report track emit ingest meter bill submit send publish push capture".split())
USAGE_NOUNS = frozenset("usage usages meter metering metered billable consumption overage".split())
BILLING_NOUNS = frozenset(
    "usage usages meter meters metering metered billing billable credit credits quota quotas token tokens overage "
    "consumption balance spend charge charges invoice invoices".split()
)
CONSUME_VERBS = frozenset("consume deduct decrement decrease debit spend charge burn subtract withdraw reserve".split())
COUNT_UP_VERBS = frozenset("increment increase incr inc bump".split())
"""They consume only what counts upwards: `incrementUsage` does, `increaseCredits` is a top-up."""
COUNTED_UP = frozenset("usage usages used consumption consumed count counter".split())
RELEASE_VERBS = frozenset("refund release restore return rollback revert settle credit unreserve compensate".split())
COUNTER_NOUNS = frozenset(
    "usage used credits credit quota tokens balance spend consumed remaining requests count counter calls generations "
    "units seats minutes limit".split()
)
LIMIT_NOUNS = frozenset(
    "limit limits quota quotas allowance entitlement entitlements cap max maximum allowed budget included".split()
)
LIMIT_VERBS = frozenset("check enforce assert verify validate ensure require can has is within exceeds throw".split())
LIMIT_WORDS = frozenset("limit limits quota quotas credits credit balance entitlement exceeded allowance".split())
NOT_OF_A_PLAN = frozenset(
    "rate retry retries attempt attempts page pages size depth batch buffer timeout concurrent concurrency connections width "
    "height index offset cursor line lines char chars character characters context window length upload file files image "
    "failures error errors heap memory cpu disk tool tools iteration iterations turns rounds hops redemption redemptions promo "
    "coupon referral launch launches speaker speakers".split()
)
"""Words that make a limit one of machinery or of a request's form, which nobody is billed for."""
MAILED = frozenset("email emails mail mails".split())
ASKED_FOR = frozenset("request requests resend resends".split())
"""`emailRequests`: how often somebody has had a link sent to them, which is held down to keep a mailbox free."""
LEFT_WORDS = frozenset("credits credit balance remaining quota".split())
NOT_LEFT = frozenset(
    "used usage spent spend consumed cost costs price required needed need limit limits max maximum min minimum total to "
    "amount per delta add grant grants id ids card note notes memo transaction transactions purchase package plan pack "
    "reset type history log logs threshold initial default free pre has is name key unlimited error adjustment adjustments "
    "change delta diff old new due forward sheet starting ending invoice transfer duration frequency".split()
)

BILLING_EVIDENCE = frozenset(
    "billing billable invoice invoices subscription subscriptions credits metering metered overage stripe entitlement "
    "entitlements proration idempotency charge charges balance quota quotas lago orb metronome openmeter paddle "
    "chargebee polar autumn amberflo prepaid servicecontrol".split()
)
"""Words of which one marks a file as billing code; `usage`, `limit`, `token` and `rate` do not, they are everywhere."""
WEAK_EVIDENCE = frozenset(
    "usage used consumed customer meter period plan quantity tokens credit cost pricing tier remaining".split()
)

OTHER_METERS = frozenset(
    "opentelemetry @opentelemetry prometheus prometheusclient prom-client promclient micrometer statsd datadog "
    "system.diagnostics.metrics".split()
)


@lru_cache(maxsize=50_000)
def words(name: str) -> tuple[str, ...]:
    """`recordUsageEvent`, `record_usage_event` and `RecordUsageEvent` -> ("record", "usage", "event")."""
    return tuple(part.lower() for part in PART.findall(name))


INCREMENT_VERBS = frozenset("increment increase bump count charge".split())
ABOUT_USAGE = frozenset(
    "alert alerts email emails mail notification notifications warning warnings limit limits threshold summary".split()
)
"""What is made of usage for people to see; sending that is no emission."""
PARTS = frozenset(
    "id ids key keys name names type types feature features price prices plan plans product products config settings filter "
    "filters column columns table index view schema accumulator tracker recorder reporter collector builder logger service "
    "client store limit limits middleware report reports payload params options snapshot estimate state states "
    "definition definitions".split()
)
"""What only belongs to metering: `addMeteredFeatureIds`, `createMeteredPrice`."""
UNBILLED = frozenset("secret secrets password coupon coupons deprecated deprecation font icon otp totp".split())
"""What is used without being metered: `recordSecretUsage` keeps when a secret was last read."""
SHOWN_IN = frozenset("result results response output message messages dict report trace span context state prompt".split())
"""`add_usage_to_result` fills in an object, and books nothing."""
COPIED = frozenset("cache cached".split())
"""Holds usage a second time: what is written there can be read again from where it came."""


def emits(name: str) -> bool:
    """Whether a function of this name says that it records usage: `reportUsage`, `send_meter_event`, `billTeam`."""
    said = words(name)
    if not said or said[0] not in EMIT_VERBS | INCREMENT_VERBS:
        return False
    rest = frozenset(said[1:])
    if rest & (ABOUT_USAGE | COPIED | UNBILLED) or said[-1] in PARTS or ("to" in rest and said[-1] in SHOWN_IN):
        return False
    if said[0] in INCREMENT_VERBS:
        return bool(rest & {"usage", "usages", "metered", "metering", "consumption"}) and rest != {"usages"}
    if rest & {"billing"} and rest & {"event", "events", "operation", "record"}:
        return True
    if said[0] in STRONG_EMIT_VERBS:
        return bool(rest & USAGE_NOUNS) or (said[0] == "meter" and len(said) > 1) or bills(said)
    return bool(rest & {"usage", "metering", "metered", "overage"})


def bills(said: tuple[str, ...]) -> bool:
    """`billTeam`, `bill_request`: whom or what, not `billing` as a noun or a form."""
    return len(said) == 2 and said[0] == "bill" and said[1] in (
        "team", "user", "customer", "org", "organization", "account", "tenant", "workspace", "request", "call", "job", "tokens"
    )  # fmt: skip


def consumes(name: str) -> bool:
    """`deductCredits`, `consume_quota`, `PreConsumeQuota`, `UpdateKeyCreditsDecrement`, `increaseApiLimit`."""
    said = words(name)
    start = before_clause(said[1:] if said and said[0] in ("pre", "post") else said)
    if start and start[0] in COUNT_UP_VERBS and "limit" in start[1:] and start[-1] in ("limit", "count", "counter"):
        return True
    if not start or not frozenset(start[1:]) & BILLING_NOUNS or start[-1] in ("id", "ids", "key", "name", "type", "amount"):
        return False
    if "cache" in said or "cached" in said or lowers_usage(start):
        return False
    if start[0] in ("charge", "spend"):
        return bool(frozenset(start[1:4]) & (BILLING_NOUNS - {"charge", "charges", "invoice", "invoices", "spend", "billing"}))
    return start[0] in CONSUME_VERBS or start[-1] in ("decrement", "deduct", "consume")


def before_clause(said: tuple[str, ...]) -> tuple[str, ...]:
    """`consumeBalanceOnAccountWithUnpaidInvoices` consumes a balance, and no invoices."""
    ends = [place for place, word in enumerate(said) if word in ("with", "on") and place > 1]
    return said[: ends[0]] if ends else said


def lowers_usage(said: tuple[str, ...]) -> bool:
    """`decrementStorageUsage`, `decreaseUsedQuota`: what was used gets less, so something is given back."""
    return said[0] in ("decrement", "decrease", "subtract") and bool(frozenset(said[1:]) & COUNTED_UP)


def releases(name: str) -> bool:
    said = words(name)
    return bool(said) and said[0] in RELEASE_VERBS


BOOKED = frozenset(
    "op operation operations card cards note notes memo history record records row entry entries transaction transactions "
    "account log grant grants sheet pack package purchase type id table wallet exists score".split()
)


SWITCHED = frozenset("enabled disabled configured supported".split())
"""How a name ends that asks whether there are limits at all, or for whom: `isUsageLimitEnabled`."""


def checks_limit(name: str) -> bool:
    """`checkQuota`, `throwIfLimitExceeded`, `has_enough_credits`; never a bare `limit` or `isRateLimited`."""
    said = words(name)
    if len(said) < 2 or said[0] not in LIMIT_VERBS or "rate" in said or said[-1] in SWITCHED:
        return False
    # `hasCreditNote`, `ensureBalanceRow`: a thing of the books, and nothing that runs out.
    things = {place for place, word in enumerate(said) if place and word in BOOKED and said[place - 1] in ("credit", "balance")}
    return bool({word for place, word in enumerate(said[1:], 1) if place + 1 not in things} & LIMIT_WORDS)


def names_counter(name: str) -> bool:
    """A field or variable that holds how much was used or is left: `used`, `creditsRemaining`, `monthly_usage`."""
    said = frozenset(words(name))
    return (
        bool(said & {"used", "usage", "credits", "quota", "consumed", "balance", "spend", "spent"})
        or bool(said & {"remaining", "count", "total", "counter"} and said & (BILLING_NOUNS | {"limit"}))
        or bool(said & {"count", "counter"} and said & {"daily", "weekly", "monthly", "hourly"})
    )


def names_used(name: str) -> bool:
    """Of these, how much was used: `usedCredits`, `monthly_usage`, `tokenCount`; never what is left or allowed."""
    said = frozenset(words(name))
    if said & {"remaining", "left", "available"} or names_limit(name):
        return False
    return (
        bool(said & {"used", "usage", "consumed", "spend", "spent"})
        or bool(said & {"count", "total", "counter"} and said & (BILLING_NOUNS | {"limit"}))
        or bool(said & {"count", "counter"} and said & {"daily", "weekly", "monthly", "hourly"})
    )


def names_left(name: str) -> bool:
    """How much is left: `credits`, `userQuota`, `remaining`, `tokens_left`; never a cost, a grant or a limit."""
    said = frozenset(words(name))
    if said & NOT_LEFT or ("quota" in said and said & {"hourly", "daily", "weekly", "monthly", "yearly"}):
        return False
    return bool(said & LEFT_WORDS) or ("left" in said and bool(said & (BILLING_NOUNS | COUNTER_NOUNS)))


def names_limit(name: str) -> bool:
    """A field or variable that holds how much is allowed."""
    said = words(name)
    return bool(frozenset(said) & LIMIT_NOUNS) and not frozenset(said) & {
        "rate",
        "used",
        "usage",
        "consumed",
        "spent",
        "remaining",
        "count",
        "counter",
    }


def of_a_plan(name: str) -> bool:
    """Whether a limit of this name may be one that a customer bought, and not one of machinery or of paging."""
    said = frozenset(words(name))
    return not said & NOT_OF_A_PLAN and not (said & MAILED and said & ASKED_FOR)


def evidence(text: str) -> tuple[int, int]:
    """How many different strong and weak billing words a text has. Not remembered: a process would keep every file it read."""
    said = {part.lower() for part in PART.findall(text)}
    return len(said & BILLING_EVIDENCE), len(said & WEAK_EVIDENCE)
