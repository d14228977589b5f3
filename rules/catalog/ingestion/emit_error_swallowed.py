"""The failure of a usage report ends in a handler that is empty or only logs.

The provider was down, refused the event or timed out, and the code goes on as if it had been taken: that usage is never
billed, and nobody learns of it. Let the failure reach something that tries again: rethrow it where a queue retries, or write
the event to a table or queue from which it is sent later. Taking the provider's "already known" answer for success is fine.
"""

import re
from collections.abc import Iterator
from itertools import chain

from rules.code import Code
from rules.facts import Call, Function, Handler, Kind, Literal, Name, Object, Scope, Start, Use, enclosing, fold, walk, within
from rules.meaning import wording
from rules.meaning.contexts import Context
from rules.meaning.outcomes import LOST, Outcome, reports
from rules.meaning.overwrites import overwritten
from rules.meaning.usage.counters import Change
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.flushes import unheard
from rules.meaning.usage.losses import Loss, losses
from rules.meaning.usage.quantities import given_quantities
from rules.meaning.usage.replacing import overwrites
from rules.meaning.usage.writes import UsageWrite, failing_writes
from rules.meaning.values import resolved
from rules.meaning.vocabulary import BILLING_NOUNS, consumes, names_left, names_used, words
from rules.rule import About, Classification, Confidence, Edit, Example, Finding, Fix, Severity, Step, Variant
from rules.tracing.absorbed import absorbed, declares_no_error, of_faults, of_nobody, picked_again
from rules.tracing.handed import keeps_work, never_throws_by_design, tried_once_more
from rules.tracing.purposes import at_stake
from rules.tracing.reruns import sent_anew, tells_of_event
from rules.tracing.spared import (
    is_notice,
    kept_behind,
    made_good,
    only_in_memory,
    only_logs,
    only_noted,
    only_states,
    parked,
    tells_total,
    unfilled,
)
from rules.tracing.stakes import Stake, of_billing, priced, says_billed, stake
from rules.tracing.stores import table_of_counter

ABOUT = About(
    id="MTR-102",
    title="Failure of a usage report is swallowed",
    severity=Severity.HIGH,
    classification=Classification.DEFICIENCY,
    classes=("E3", "O1"),
    cwe=("CWE-390",),
    iso_25010="Reliability / fault tolerance",
    variants={"go-emit-err-ignored": Variant("Error of a usage report is dropped", Severity.HIGH, ("E3",), cwe=("CWE-252",))},
    unprompted=True,
)
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.SCRIPT})


def check(code: Code) -> Iterator[Finding]:
    for write in failing_writes(code) if code.facts.traits.errors_returned else ():
        if code.context(write.scope) not in QUIET and (lost := unread_error(code, write)) is not None:
            yield lost
    lost_in: set[Scope] = set()
    for loss in losses(code):
        lost_in.add(loss.handler)
        if code.context(loss.handler) in QUIET or spared(code, loss.write) or booked_later(code, loss):
            continue
        if (hangs := hanging(code, loss.write)) is not Stake.TOLD:
            yield swallowed(code, loss.write, loss.handler, loss.ended, hangs)
    for flush, call, handler in unheard(code):
        if code.context(handler) not in QUIET and handler not in lost_in:
            yield Finding(
                span=handler.span,
                cause=call.span,
                description=(
                    f"`{flush.name}` has emptied `{flush.buffer}` when it fails, and this timer only logs it: the usage in it "
                    "is gone, and all goes on as if it were stored."
                ),
                remediation="Put the events back, or let the timer only signal the loop that can return the failure and stop.",
                confidence=Confidence.LIKELY,
                trace=(Step(call.span, "the flush that fails"),),
            )


def booked_later(code: Code, loss: Loss) -> bool:
    return loss.write.call is not None and tried_once_more(code, loss.write.call, loss.handler)


def spared(code: Code, write: UsageWrite) -> bool:
    """Whether no failure of a store gets here, or the next run makes good what this one lost, or no usage was in it."""
    call = write.call
    assert call is not None
    counted = [one for one in code.counters if one.call is call]
    names = [one.name for one in counted]
    if only_states(names) or of_faults(names) or made_good(code, call) or picked_again(code, call):
        return True
    if any(one.call is call and one.direct for one in code.emissions):
        return tells_total(code, call)
    if (
        kept_behind(code, call)
        or absorbed(code, call)
        or keeps_work(code, call)
        or parked(code, call)
        or only_in_memory(code, call)
        or only_logs(code, call)
    ):
        return True
    return not counted and (is_notice(code, call) or tells_of_event(code, call) or tells_total(code, call))


def swallowed(code: Code, write: UsageWrite, handler: Scope, ended: Outcome, hangs: Stake) -> Finding:
    assert write.call is not None
    alone = only_call(code, write, handler)
    counted = [one.name for one in code.counters if one.call is write.call]
    plain = [one for one in counted if is_plain(one)]
    telling = (one for one in counted if one not in plain and (names_used(one) or names_left(one)))
    name = next(chain(telling, (one for one in counted if one not in plain), plain), "")
    title = f"the write of `{name}`" if name else write.title
    return Finding(
        span=handler.span,
        cause=write.span,
        description=f"When {title} fails, {said_of(code, handler, ended)}: {cost(name, hangs)}, and nothing tries again.",
        remediation=f"{pass_on(code, handler)}, or keep it in a table or queue from which it is written later.",
        confidence=confidence(code, Loss(write, handler, ended), hangs, alone and write.certain and not name),
        trace=(Step(write.span, "this call writes the usage"),),
        fix=rethrow(code, handler) if ended is Outcome.EMPTY and alone else None,
    )


def hanging(code: Code, write: UsageWrite) -> Stake:
    """What hangs on the write. What a provider is told is billed."""
    assert write.call is not None
    if any(one.call is write.call and one.certain for one in code.emissions):
        return Stake.BILL
    return stake(code.elsewhere.trace, code.facts.path, write.call)


def cost(name: str, hangs: Stake) -> str:
    if name:
        return "the count stays wrong"
    return {Stake.BILL: "that usage is missing from the bill", Stake.LIMIT: "that usage is never counted"}.get(
        hangs, "that usage is lost"
    )


def said_of(code: Code, handler: Scope, ended: Outcome) -> str:
    """What the handler does about it; a call that is no log line does something else."""
    if ended is Outcome.LOGGED and not tells_people(code, handler):
        return HOW[Outcome.NOTHING]
    return HOW[ended]


def tells_people(code: Code, handler: Scope) -> bool:
    return any(reports(call) for call in code.facts.calls if handler.span.holds(call.span))


def confidence(code: Code, loss: Loss, hangs: Stake, sure: bool) -> Confidence:
    """Where it is seen that a bill or a limit hangs on the write, names need not say so."""
    fallback = loss.ended is Outcome.LOGGED and not tells_people(code, loss.handler)
    if fallback and not only_call(code, loss.write, loss.handler):
        # What is done instead is for the other work in the same try, whose failure the handler is about.
        return Confidence.POSSIBLE
    if code.elsewhere.whole and never_throws_by_design(code, loss.handler):
        return Confidence.POSSIBLE
    if loss.write.call is not None and unfilled(code, loss.write.call):
        return Confidence.POSSIBLE
    counted = [one.name for one in code.counters if one.call is loss.write.call]
    assert loss.write.call is not None
    if sent_anew(code, loss.write.call) or (code.elsewhere.whole and gives_up_before(loss)):
        return Confidence.POSSIBLE
    if of_rate(code, loss.write) or only_noted(counted) or any(SALES & set(words(name)) for name in counted):
        return Confidence.POSSIBLE
    if counted and (hangs is Stake.NOTHING or only_shown(code, loss.write) or of_nobody(code, loss.write.call)):
        return Confidence.POSSIBLE
    if not counted and not is_sure(code, loss, hangs):
        return Confidence.POSSIBLE
    if hangs not in (Stake.BILL, Stake.LIMIT, Stake.SENT) and (
        only_statistics(code, loss.write, loss.handler) or unsure(code, loss.write, loss.ended)
    ):
        return Confidence.POSSIBLE
    return SURE[sure and loss.ended in LOST]


def gives_up_before(loss: Loss) -> bool:
    """Whether what fails is asked before the write, as an account is looked up: with no such account there may be no usage."""
    call = loss.write.call
    return call is not None and loss.handler.span.end <= call.span.start


def is_sure(code: Code, loss: Loss, hangs: Stake) -> bool:
    """Whether it is seen, and not only said by a name, that what is lost is charged or limited by, and comes to no good later.

    Of a recorder in an empty handler it is not known what its author knew: mostly it keeps its own failures.
    """
    call = loss.write.call
    assert call is not None
    direct = next((one for one in code.emissions if one.call is call and one.direct), None)
    if direct is not None:
        return not sets_total(code, direct)
    if leaves_owner_out(call):
        return False
    if not code.elsewhere.whole:
        # Those who charge by it may lie elsewhere: names are believed then.
        return True
    if hangs is Stake.SENT or (says_billed(call) and has_key(call)):
        return True
    return hangs in (Stake.BILL, Stake.LIMIT) and loss.ended is not Outcome.EMPTY


def sets_total(code: Code, emission: Emission) -> bool:
    """Whether the period's whole figure is sent, which the next report replaces; a number written out is no such figure."""
    key = emission.record.key if emission.record is not None else None
    if key is None or not overwrites(emission, key):
        return False
    amounts = (resolved(code.values, one, emission.scope, emission.call.span.start) for one in given_quantities(code, emission))
    return not any(isinstance(one, Literal) for one in amounts)


def has_key(call: Call) -> bool:
    """`billing.record_usage(…, idempotency_key=key)`: that it must not be booked twice is said of what is billed."""
    named = {fold(one.name or "") for one in call.arguments}
    return bool(
        IDEMPOTENCY
        & (named | {fold(entry.name or "") for one in call.arguments for entry in getattr(one.value, "entries", ())})
    )


IDEMPOTENCY = frozenset({"idempotencykey", "dedupkey", "idempotencyid"})


def leaves_owner_out(call: Call) -> bool:
    """`insert(user_id=user, api_key=None)`: a limit that asks by what is left out never sees the row, written or not."""
    return any(
        one.name is not None and isinstance(one.value, Literal) and one.value.value is None and words(one.name)[-1:] in OWNED_BY
        for one in call.arguments
    )


OWNED_BY = (("id",), ("key",), ("user",), ("customer",), ("account",), ("tenant",), ("team",))


def only_shown(code: Code, write: UsageWrite) -> bool:
    """Whether nobody is refused or charged by any of the counters that are written."""
    counted = [one for one in code.counters if one.call is write.call]
    return all(at_stake(code, one.name, table_of_counter(code, one), one.scope) is False for one in counted)


SURE = {True: Confidence.CERTAIN, False: Confidence.LIKELY}
STATISTICS = frozenset("stats statistics statistical analytics dashboard metrics telemetry insights".split())
ACCESS = frozenset("latency latencyms responsetime responsetimems durationms ip ipaddress useragent status statuscode".split())
ANALYTICS = re.compile(r"\banalytics\b|\btelemetry\b|\bdashboards?\b", re.I)
SUPPLY = frozenset("channel channels upstream provider vendor proxy platform".split())
"""Whose usage is the seller's own cost, not a customer's."""
BILLED = frozenset("billing bill billed ledger charge charges credit credits quota meter metering invoice balance".split())
EVENTS = frozenset("event events record records".split())
PLAIN_COUNTS = frozenset("request requests count counts counter total calls call hits last used at time api key".split())
SALES = frozenset("order orders sales sold views likes".split())
"""What a shop counts of its customers, who are not billed by it."""
HOW = {
    Outcome.EMPTY: "nothing at all happens",
    Outcome.LOGGED: "only a log line is written",
    Outcome.NOTHING: "the code goes on as if there had been no usage",
}


def pass_on(code: Code, handler: Scope) -> str:
    """What can be done with the error there: a callback or goroutine has no caller that hears of it."""
    function = enclosing(handler, Kind.FUNCTION)
    named = function is not None and isinstance(function.head, Function) and bool(function.head.name)
    if code.facts.traits.errors_returned and not named:
        return "Try it again here"
    if code.facts.idioms.hand_back:
        return code.facts.idioms.hand_back
    again = code.facts.idioms.rethrow.capitalize()
    callback = isinstance(handler.head, Handler) and isinstance(handler.head.guards, tuple)
    tests = code.facts.text(handler.span).lstrip().startswith("if")
    return "Await the call and let its error through" if callback and not tests else again


def only_statistics(code: Code, write: UsageWrite, handler: Scope) -> bool:
    """Counts that are looked at, and as far as can be seen not billed: `request_count`, or a handler that says so itself."""
    counted = [one.name for one in code.counters if one.call is write.call]
    if counted and (all(map(is_plain, counted)) or only_tally(code, write)):
        return True
    if ANALYTICS.search(remarks(code, write, handler)) or is_access_log(write):
        return True
    if any(one.call is write.call for one in code.emissions):
        return False
    named = set(words(code.function_name(handler))) | set(words(write.title))
    return bool(
        named & (STATISTICS | SUPPLY) or set(words(code.facts.text(handler.span))) & (STATISTICS - {"stats", "metrics"})
    )


def of_rate(code: Code, write: UsageWrite) -> bool:
    """Counts of a limiter of rates, which protects the machine and is forgotten after a minute or a day."""
    said = {*words(code.facts.path.rpartition("/")[2]), *words(code.function_name(write.scope)), *words(write.title)}
    return {"rate"} < said and bool(said & {"limit", "limits", "limiter", "limiting"})


def is_billed(write: UsageWrite) -> bool:
    """Whether an own write says that money hangs on it; rows of usage that do not are mostly kept to be looked at."""
    said = set(words(write.title))
    return bool(said & BILLED) or ("usage" in said and bool(said & EVENTS))


def unsure(code: Code, write: UsageWrite, ended: Outcome) -> bool:
    """Where it cannot be seen that anybody is billed from the write, or that the caller does not look at the answer.

    A row of usage in a file that speaks of no billing; a row beside the charge itself; counts of things such as
    `voiceCount`; a client of another service that answers `None` for a failure, as such clients do.
    """
    counted = [one.name for one in code.counters if one.call is write.call]
    if counted:
        return not any(BILLING_NOUNS & set(words(name)) or names_used(name) or names_left(name) for name in counted)
    if ended is Outcome.NOTHING and "client" in words(code.facts.path.rsplit("/", 1)[-1]):
        return True
    strong, _ = code.evidence
    if any(one.call is write.call for one in code.emissions):
        return write.call is None or not (says_billed(write.call) or of_billing(code, write.scope) or priced(code, write.call))
    if write.call is not None and not is_billed(write):
        return True
    log = write.call is not None and bool({"log", "logs"} & set(words(code.facts.text(write.call.span))))
    charged = log and any(consumes(call.method) for call in code.calls_in(write.function) if call.span.start > write.span.end)
    return strong == 0 or charged


def is_access_log(write: UsageWrite) -> bool:
    """A row with a latency, a status or an address tells of a request; that it is billed from cannot be seen."""
    call = write.call
    if call is None or consumes(call.method):
        return False
    named = {
        fold(entry.name or "")
        for argument in call.arguments
        for part in walk(argument.value)
        if isinstance(part, Object)
        for entry in part.entries
    }
    return bool(named & ACCESS)


def remarks(code: Code, write: UsageWrite, handler: Scope) -> str:
    """The comments right above the write and its try, and those in the handler."""
    first = handler.head.guards.span.line if isinstance(handler.head, Handler) and isinstance(handler.head.guards, Scope) else 0
    return "\n".join(
        one.text
        for one in code.facts.comments
        if handler.span.holds(one.span) or any(0 <= line - one.span.end_line <= 2 for line in (first, write.span.line))
    )


def only_tally(code: Code, write: UsageWrite) -> bool:
    """`used_quota + n` beside a balance that the same file takes from: the balance is what the customer pays with."""
    own = [one for one in code.counters if one.call is write.call]
    return all(names_used(one.name) or is_plain(one.name) for one in own) and any(
        names_left(one.name) and one.change is Change.SUBTRACT and one.call is not write.call for one in code.counters
    )


def is_plain(name: str) -> bool:
    return set(words(name)) <= PLAIN_COUNTS


def only_call(code: Code, write: UsageWrite, handler: Scope) -> bool:
    """Whether nothing but the report and what is passed to it can fail into the handler."""
    head = handler.head
    end = write.sent or write.call
    if not isinstance(head, Handler) or not isinstance(head.guards, Scope) or end is None:
        return True
    return all(
        call is write.call or call is end or end.span.holds(call.span)
        for call in code.facts.calls
        if within(call.scope, head.guards)
    )


def rethrow(code: Code, handler: Scope) -> Fix | None:
    """Only for an empty block whose text can be replaced whole."""
    source = code.facts.source[handler.span.start : handler.span.end]
    title = code.facts.idioms.rethrow.capitalize()
    head, nothing = handler.head, code.facts.idioms.nothing.encode()
    if nothing and source.rstrip().endswith(nothing):
        at = handler.span.start + source.rindex(nothing)
        return Fix(title, (Edit(at, at + len(nothing), wording.throw_again(code.facts.idioms, "")),))
    if source.startswith(b"catch") and isinstance(head, Handler) and head.binds and source.rstrip().endswith(b"}"):
        opened = source.index(b"{")
        if not source[opened + 1 : source.rindex(b"}")].strip():
            start, end = handler.span.start + opened, handler.span.start + source.rindex(b"}") + 1
            thrown = wording.throw_again(code.facts.idioms, head.binds)
            # A checked exception would have to be declared: whether this compiles, the file alone does not say.
            return Fix(title, (Edit(start, end, f"{{ {thrown} }}"),), safe=not code.facts.traits.checked_exceptions)
    return None


def unread_error(code: Code, write: UsageWrite) -> Finding | None:
    """An error beside a result that nobody takes, or that the next assignment overwrites before anything reads it."""
    if not code.facts.traits.errors_returned or write.call is None:
        return None
    emission = next((one for one in code.emissions if one.call is write.call), None)
    if emission is not None and drops_error(emission):
        return dropped(write, "is dropped")
    if (emission is not None or write.certain) and overwritten(code, write.sent or write.call):
        if declares_no_error(code, write.call) or not takes_error(write.sent or write.call):
            return None
        return dropped(write, "is overwritten before anything reads it")
    return None


def takes_error(call: Call) -> bool:
    """`err := record(…)`, `_, saveErr := …`, and not `changed := record(…)`."""
    last = call.targets[-1] if call.targets else None
    return isinstance(last, Name) and bool({"err", "error", "e"} & set(words(last.text)))


def drops_error(emission: Emission) -> bool:
    """A Go call whose error result nobody takes. The project's own recorders count where their result type is in view."""
    if emission.sent.start is not Start.PLAIN or emission.sent.use is not Use.DISCARDED:
        return False
    if emission.record is not None:
        return emission.record.returns == "response"
    head = emission.wraps.head if emission.wraps is not None else None
    return isinstance(head, Function) and "error" in head.returns


def dropped(write: UsageWrite, how: str) -> Finding:
    return Finding(
        span=write.span,
        description=f"The error of {write.title} {how}: when it fails, that usage is lost and nobody learns of it.",
        remediation="Take the error and return it, or store the event and send it again later.",
        confidence=Confidence.CERTAIN if write.certain else Confidence.LIKELY,
        variant="go-emit-err-ignored",
    )


EXAMPLES = (
    Example(
        "python",
        """
import logging
import stripe

def report(customer, tokens, request_id):
    try:
        stripe.billing.MeterEvent.create(
            event_name="tokens", identifier=request_id, payload={"stripe_customer_id": customer, "value": tokens}
        )
    except stripe.StripeError:  # <- finding
        logging.exception("could not report usage")

def report_quietly(customer, tokens, request_id):
    try:
        stripe.billing.MeterEvent.create(
            event_name="tokens", identifier=request_id, payload={"stripe_customer_id": customer, "value": tokens}
        )
    except Exception:  # <- finding
        pass
""",
    ),
    Example(
        "python",
        """
import stripe

def report(customer, tokens, request_id, outbox):
    event = {"event_name": "tokens", "identifier": request_id, "payload": {"stripe_customer_id": customer, "value": tokens}}
    try:
        stripe.billing.MeterEvent.create(**event)
    except stripe.StripeError:
        outbox.retry_queue.push(event)

def report_or_fail(customer, tokens, request_id):
    try:
        stripe.billing.MeterEvent.create(
            event_name="tokens", identifier=request_id, payload={"stripe_customer_id": customer, "value": tokens}
        )
    except stripe.InvalidRequestError as error:
        if error.code != "duplicate_meter_event":
            raise
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, identifier: string) {
  try {
    await stripe.billing.meterEvents.create({
      event_name: "tokens", identifier, payload: { stripe_customer_id: customer, value: String(tokens) },
    });
  } catch (error) {  // <- finding
    console.error("usage not reported", error);
  }
}

export async function reportQuietly(customer: string, tokens: number, identifier: string) {
  try {
    await stripe.billing.meterEvents.create({
      event_name: "tokens", identifier, payload: { stripe_customer_id: customer, value: String(tokens) },
    });
  } catch (error) {}  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, tokens: number, identifier: string, queue: Queue) {
  const event = { event_name: "tokens", identifier, payload: { stripe_customer_id: customer, value: String(tokens) } };
  try {
    await stripe.billing.meterEvents.create(event);
  } catch (error) {
    await queue.add("usage-retry", event);
  }
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"
	"log"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, params *stripe.BillingMeterEventCreateParams) {
	_, err := sc.V1BillingMeterEvents.Create(ctx, params)
	if err != nil {  // <- finding
		log.Printf("usage not reported: %v", err)
	}
}

func reportQuietly(ctx context.Context, sc *stripe.Client, params *stripe.BillingMeterEventCreateParams) {
	_, _ = sc.V1BillingMeterEvents.Create(ctx, params)  // <- finding
}
""",
    ),
    Example(
        "go",
        """
package usage

import (
	"context"
	"fmt"

	"github.com/stripe/stripe-go/v82"
)

func report(ctx context.Context, sc *stripe.Client, params *stripe.BillingMeterEventCreateParams) error {
	if _, err := sc.V1BillingMeterEvents.Create(ctx, params); err != nil {
		return fmt.Errorf("report usage: %w", err)
	}
	return nil
}
""",
    ),
    Example(
        "typescript",
        """
export class UsageService {
  async recordUsage(keyId: string, tokens: number) {
    try {
      await this.redis.hincrby(`usage:${keyId}`, "tokens", tokens);
      return { cost: price(tokens) };
    } catch (error) {  // <- finding
      logger.error("usage not recorded", error);
      return { cost: 0 };
    }
  }

  async saveUsage(row: UsageRow) {
    const { error } = await this.supabase.from("usage_logs").insert(row);
    if (error) {  // <- finding
      console.error("usage row not stored", error);
    }
  }
}

export function meter(customer: string, tokens: number) {
  void reportUsage(customer, tokens).catch(() => {});  // <- finding
}
""",
    ),
    Example(
        "typescript",
        """
export async function deliver(stripe: Stripe, prisma: PrismaClient, event: UsageEvent) {
  await prisma.usageEvent.create({ data: event });
  try {
    await stripe.billing.meterEvents.create({
      event_name: "tokens", identifier: event.id, payload: { stripe_customer_id: event.customer, value: event.tokens },
    });
  } catch (error) {
    console.error("not reported yet, the next run sends the row", error);
  }
}

export async function save(supabase: SupabaseClient, row: UsageRow) {
  const { error } = await supabase.from("usage_logs").insert(row);
  if (error) throw new Error(`usage row not stored: ${error.message}`);
  try {
    metrics.observe("usage_rows", 1);
  } catch (error) {}
}
""",
    ),
    Example(
        "python",
        """
class Ledger:
    async def flush(self, organization, action):
        pending = self.pending[action]
        try:
            await self.repository.increment_usage(organization, {action: pending})
            self.pending[action] = 0
        except Exception:
            logger.error("not stored, kept for the next flush")

def bill_answer(store, customer, answer):
    try:
        tokens = json.loads(answer)["usage"]["total_tokens"]
        store.deduct_credits(customer, tokens)
    except (json.JSONDecodeError, KeyError):
        logger.warning("no usage in the answer")
""",
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "./usage-service";
import { captureUsage } from "./analytics/usage";

export async function answer(key: string, model: Model, question: string) {
  const reply = await model.ask(question);
  try {
    await recordUsage(key, reply.tokens);
  } catch (error) {
    logger.error("usage not recorded", error);
  }
  try {
    captureUsage(model.name, reply.tokens);
  } catch (error) {}
  return reply;
}
""",
        context={
            "usage-service.ts": """
export async function recordUsage(key: string, tokens: number) {
  try {
    await prisma.usageEvent.create({ data: { key, tokens } });
  } catch (error) {
    await retryQueue.add("usage", { key, tokens });
  }
}
""",
            "analytics/usage.ts": """
export function captureUsage(model: string, tokens: number) {
  posthog.capture("usage", { model, tokens });
}
""",
        },
    ),
    Example(
        "typescript",
        """
import { recordUsage } from "./usage-service";

export async function answer(key: string, model: Model, question: string) {
  const reply = await model.ask(question);
  try {
    await recordUsage(key, reply.tokens);
  } catch (error) {  // <- finding
    logger.error("usage not recorded", error);
  }
  return reply;
}
""",
        context={
            "usage-service.ts": """
export async function recordUsage(key: string, tokens: number) {
  await prisma.usageEvent.create({ data: { key, tokens } });
}
""",
        },
    ),
    Example(
        "go",
        """
package model

func PostConsumeTokenQuota(token *Token, quota int64) error {
	err := DecreaseUserQuota(token.UserId, quota)  // <- finding
	if !token.UnlimitedQuota {
		err = DecreaseTokenQuota(token.Id, quota)
	}
	if err != nil {
		return err
	}
	return nil
}
""",
    ),
    Example(
        "go",
        """
package model

func PostConsumeTokenQuota(token *Token, quota int64) (err error) {
	err = DecreaseUserQuota(token.UserId, quota)
	if err != nil {
		log.Printf("quota not taken: %v", err)
	}
	return err
}
""",
    ),
    Example(
        "go",
        """
package handler

func (s *Server) ingest(w http.ResponseWriter, r *http.Request) {
	if err := s.usage.RecordUsage(r.Context(), decode(r)); err != nil {
		writeDomainError(w, err)
	}
}

func (s *Session) onTurnDone(usage *Usage, failures chan error) {
	if err := s.billing.ConsumeQuota(usage.Tokens); err != nil {
		failures <- fmt.Errorf("consume quota: %w", err)
	}
}

func (s *Server) afterTurn(ctx context.Context, user string, cost int64) {
	if err := s.billingCache.DeductBalance(ctx, user, cost); err != nil {
		log.Printf("cached balance is stale: %v", err)
	}
}

func (s *Server) afterCall(ctx context.Context, user string, tokens int64) {
	go func() {
		if err := s.usage.RecordUsage(ctx, user, tokens); err != nil {  // <- finding
			log.Printf("usage not recorded: %v", err)
		}
	}()
}
""",
    ),
    Example(
        "typescript",
        """
export async function track(usage: UsageClient, onError: (error: unknown) => void, team: string, tokens: number) {
  try {
    await usage.recordUsage(team, tokens);
  } catch (error) {
    onError(error);
  }
}

export async function deleteFiles(batches: Batch[]) {
  const result = { deleted: 0, failed: 0 };
  for (const batch of batches) {
    try {
      await decrementStorageUsage(batch.owner, batch.bytes);
      result.deleted += batch.files;
    } catch (error) {
      result.failed += batch.files;
      console.error("not deleted", error);
    }
  }
  return result;
}

async function trackQuietly(usage: UsageClient, team: string, tokens: number) {
  try {
    await usage.recordUsage(team, tokens);
  } catch (error) {  // <- finding
    console.error("usage not recorded", error);
  }
}

export async function answer(usage: UsageClient, team: string, model: Model, question: string) {
  try {
    const reply = await model.ask(question);
    await trackQuietly(usage, team, reply.tokens);
    return reply;
  } catch (error) {
    console.error("no answer", error);
  }
}
""",
    ),
    Example(
        "go",
        """
package metering

func (s *UsageSink) arm(ctx context.Context) {
	s.timer = time.AfterFunc(s.wait, func() {
		err := s.flush(ctx)
		if err != nil {  // <- finding
			s.logger.Error("failed to flush", "err", err)
		}
	})
}

func (s *UsageSink) flush(ctx context.Context) error {
	events := s.buffer.Dequeue()
	return s.store.BulkInsertUsage(ctx, events)
}

func (s *UsageSink) Close(ctx context.Context) error {
	s.timer.Stop()
	return s.flush(ctx)
}
""",
    ),
    Example(
        "go",
        """
package metering

func (s *UsageSink) arm(ctx context.Context) {
	s.timer = time.AfterFunc(s.wait, func() {
		if err := s.flush(ctx); err != nil {
			s.failed <- err
		}
	})
}

func (s *UsageSink) flush(ctx context.Context) error {
	events := s.buffer.Dequeue()
	return s.store.BulkInsertUsage(ctx, events)
}

func (s *UsageSink) Close(ctx context.Context) error {
	s.timer.Stop()
	return s.flush(ctx)
}
""",
    ),
    Example(
        "typescript",
        """
import { recordModelUsage } from "../usage/model-usage";

export async function caption(team: string, model: Model, picture: Picture) {
  try {
    const reply = await model.describe(picture);
    recordModelUsage(team, reply);
    return reply.text;
  } catch (error) {
    console.error("no caption", error);
  }
}
""",
        context={
            "src/usage/model-usage.ts": """
import { recordUsage } from "./rows";

export function recordModelUsage(team: string, reply: Reply): void {
  recordUsage({ team, tokens: reply.tokens });
}
""",
            "src/usage/rows.ts": """
export function recordUsage(row: UsageRow): void {
  try {
    void outbox.append(row);
  } catch (error) {
    metrics.increment("usage_rows_lost");
  }
}
""",
            "src/digest/run.ts": """
export const digest = { recordUsage: async (row: UsageRow) => { await rows.add(row); } };
""",
        },
    ),
    Example(
        "typescript",
        """
export class Assistant {
  async answer(team: string, question: string) {
    const reply = await this.model.ask(question);
    await this.limits
      .trackAiUsage(team, reply.tokens)
      .catch(() => {});
    return reply.text;
  }
}
""",
        path="src/billing/assistant.ts",
        context={
            "src/billing/plan-limits.ts": """
export class PlanLimits {
  async trackAiUsage(team: string, tokens: number) {
    const plan = await this.plans.of(team);
    const key = keyOf(team, plan);
    try {
      await this.redis.incrby(key, tokens);
    } catch (caught: unknown) {
      const cause = caught instanceof Error ? caught : new Error("unknown");
      this.logger.warn(`usage of the plan not counted: ${cause.message}`);
    }
  }
}
""",
        },
    ),
    Example(
        "typescript",
        """
import { publisher } from "./publisher";

export class Keys {
  async publishBillingEvent(event: BillingEvent) {
    try {
      await publisher.publishUsageEvent(event);
    } catch (error) {
      logger.debug("not published", error);
    }
  }
}
""",
        path="src/billing/keys.ts",
        context={
            "src/billing/publisher.ts": """
export class Publisher {
  async publishUsageEvent(event: BillingEvent) {
    try {
      return await this.stream.xadd("usage", "*", "data", JSON.stringify(event));
    } catch (error) {
      await this.retryQueue.add("usage", event);
      return null;
    }
  }
}
""",
        },
    ),
    Example(
        "go",
        """
package relay

func (r *Relay) finish(ctx context.Context, usage Usage) {
	if err := r.bus.PublishUsage(ctx, usage); err != nil {
		r.logger.Warn("usage not told", "err", err)
	}
}
""",
        path="billing/relay.go",
    ),
    Example(
        "python",
        """
class UsageService:
    def store_usage_record(self, tenant, answer):
        try:
            self.rows.put_usage_row({"tenant": tenant, "tokens": answer.tokens})
        except Exception as error:
            logger.error(f"usage not stored: {error}")
""",
        path="billing/usage_service.py",
        context={
            "billing/rows.py": """
class Rows:
    def put_usage_row(self, row):
        try:
            self.table.put_item(Item=row)
        except Exception as error:
            logger.error(f"row not stored: {error}")
""",
        },
    ),
    Example(
        "python",
        """
from app.quotas import QuotaTracker

def upload(db, user, file):
    path = keep(file)
    try:
        QuotaTracker(db).track_storage_usage(user.id, file.size)
    except Exception as error:
        logger.warning(f"storage not counted: {error}")
    return path
""",
        path="app/uploads.py",
        context={
            "app/quotas.py": """
class QuotaTracker:
    def __init__(self, db):
        self.db = db

    def track_storage_usage(self, user_id, size):
        quota = self.quota_of(user_id)
        quota.storage_used = quota.storage_used + size
        self.db.commit()

    def has_room(self, user_id, size):
        quota = self.quota_of(user_id)
        return quota.storage_used + size <= quota.storage_limit
""",
            "app/tasks.py": """
@celery_app.task
def reconcile_storage_quotas():
    for quota in session.query(Quota).all():
        quota.storage_used = measured_size(quota.user_id)
    session.commit()
""",
        },
    ),
    Example(
        "python",
        """
class MeterReading:
    def __init__(self, settings):
        self.unit = settings["unit"]

def load(every):
    found = {}
    for settings in every:
        try:
            found[settings["name"]] = MeterReading(settings)
        except SettingsError as error:
            LOG.error("usage meter left out: %s", error)
    return found
""",
    ),
    Example(
        "go",
        """
package billing

func (s *Service) ReconcileInvoices(ctx context.Context, balances map[string]int64) error {
	for _, customer := range s.customers(ctx) {
		if err := s.setUsage(ctx, customer, balances[customer.ID]); err != nil {
			log.Printf("usage not reported: %v", err)
		}
	}
	return nil
}

func (s *Service) setUsage(ctx context.Context, customer *Customer, credits int64) error {
	return s.provider.ReportUsage(ctx, customer.Item, credits)
}

func (p *Probe) note(ctx context.Context, credential int, state *string) {
	_, err := p.db.Exec(ctx, `UPDATE keys SET quota_state = COALESCE($1, quota_state) WHERE id = $2`, state, credential)
	if err != nil {
		log.Printf("state not kept: %v", err)
	}
}

func (s *Server) meter(w http.ResponseWriter, r *http.Request) {
	if err := s.usage.RecordUsage(r.Context(), decode(r)); err != nil {
		if refused, ok := err.(*Refusal); ok {
			http.Error(w, refused.Message, http.StatusBadRequest)
			log.Printf("usage refused: %v", err)
		}
		return
	}
}
""",
    ),
    Example(
        "typescript",
        """
export class BillingAlerts {
  async sendCritical(key: string, reason: string) {
    try {
      await this.auditService.recordBillingEvent({ kind: "spend_update_failed", key, reason });
    } catch (error) {
      logger.error("no alert", error);
    }
  }
}

export class Router {
  private readonly stats = new Map<string, number>();

  recordTargetUsage(node: string, tokens: number): void {
    this.stats.set(node, (this.stats.get(node) ?? 0) + tokens);
  }

  async finish(reply: Reply) {
    try {
      this.recordTargetUsage(reply.node, reply.tokens);
    } catch (error) {
      logger.error("not noted", error);
    }
  }
}
""",
    ),
    Example(
        "typescript",
        """
export async function settleInvoices(invoices: Invoice[]) {
  for (const invoice of invoices) {
    try {
      await publishBillingEvent("invoice.paid", invoice.customerId, invoice.id);
    } catch (error) {
      console.error("event not published", error);
    }
  }
}
""",
        path="src/billing/settle.ts",
    ),
    Example(
        "typescript",
        """
export async function giveBack(supabase: SupabaseClient, scene: Scene, credits: number) {
  try {
    await supabase.from("scenes").update({ spent_credits: scene.spent_credits - credits }).eq("id", scene.id);
    await provider.cancel(scene.job);
  } catch (error) {
    console.error("not cancelled", error);
  }
}
""",
    ),
    Example(
        "go",
        """
package titles

func (s *Service) regenerate(ctx context.Context, hold *Hold, answer Answer) {
	if err := s.recordTitleUsage(ctx, hold, answer.Usage); err != nil {
		s.logger.Warn("title not billed yet", "err", err)
	}
}
""",
        path="billing/titles.go",
        context={
            "billing/record.go": """
package titles

func (s *Service) recordTitleUsage(ctx context.Context, hold *Hold, usage Usage) error {
	if err := s.usage.RecordUsage(ctx, hold.Account, usage.Tokens); err != nil {
		return s.markForReconciliation(ctx, hold, err)
	}
	return nil
}
""",
        },
    ),
    # The service falls back by itself where its store is down: no failure gets here.
    Example(
        "typescript",
        """
export class AnswerQuota {
  async countAnswer(userId: string): Promise<void> {
    try {
      const usedQuota = (await this.quotaCache.get(`quota:${userId}`)) || 0;
      await this.quotaCache.set(`quota:${userId}`, usedQuota + 1, 86400);
    } catch (error) {
      this.logger.warn("quota not counted", { error });
    }
  }
  async mayAnswer(userId: string): Promise<boolean> {
    const usedQuota = await this.quotaCache.get(`quota:${userId}`);
    return usedQuota < 100;
  }
}
""",
        context={
            "src/quotaCache.ts": """
export class QuotaCache {
  async set(key: string, quota: number, seconds: number): Promise<void> {
    try {
      await this.redis.setex(key, seconds, quota);
      return;
    } catch (error) {
      this.logger.debug("quota is kept in memory", { key });
    }
    this.memory.set(key, quota);
  }
}
"""
        },
    ),
    # What failed is still due, and how often a payment failed is no usage.
    Example(
        "typescript",
        """
export class Renewals {
  @Cron("0 * * * *")
  async takeFees(): Promise<void> {
    const due = await this.accounts.find({ status: "active", nextFeeDueAt: { $lte: new Date() } });
    for (const account of due) {
      try {
        await this.accounts.updateOne({ id: account.id }, { $inc: { creditsUsed: account.fee },
          $set: { nextFeeDueAt: tomorrow() } });
      } catch (error) {
        this.logger.error("fee not taken", error);
      }
    }
  }
  mayRun(account: Account): boolean {
    if (account.creditsUsed >= account.creditLimit) throw new Error("no credits");
    return true;
  }
}
""",
    ),
    Example(
        "go",
        """
package pools

import "context"

func (s *Service) reconcile(ctx context.Context, pool *Pool) (changed bool) {
	changed = s.recordUsage(ctx, pool)
	changed = s.closeIdle(ctx, pool)
	return changed
}

func (s *Service) recordUsage(ctx context.Context, pool *Pool) bool {
	if err := s.billing.RecordUsage(ctx, pool.ID, pool.Minutes); err != nil {
		pool.LastError = err
		return false
	}
	pool.BilledUntil = pool.Now
	return true
}
""",
    ),
    Example(
        "typescript",
        """
export class Relay {
  private async recordUsage(key: string | undefined, upstream: string, tokens: number) {
    try {
      if (key) {
        await this.recordKeyUsage(key, tokens, upstream);
      } else {
        await redis.incrementUpstreamUsage(upstream, tokens);
      }
    } catch (error) {
      logger.error("usage not recorded", error);
    }
  }

  private async recordKeyUsage(key: string, tokens: number, upstream: string) {
    try {
      await redis.hincrby(`usage:${key}`, "tokens", tokens);
      await redis.hincrby(`upstream:${upstream}`, "tokens", tokens);
    } catch (error) {
      await outbox.enqueue({ key, tokens, upstream });
    }
  }
}
""",
    ),
    Example(
        "python",
        """
import logging

async def draw(websocket, user_id, prompt):
    begun = clock()
    try:
        async with new_session() as db:
            charged = await deduct_credit(db, user_id)
        if not charged:
            await websocket.close(code=4402)
            return
        picture = await run_pipeline(prompt)
        took = round(clock() - begun)
        await websocket.send_json({"picture": picture, "took": took})
    except WebSocketDisconnect:
        logging.info("customer hung up")
        return
    except Exception:
        took = round(clock() - begun)
        await websocket.send_json({"failed_after": took})
        logging.exception("no picture drawn")
""",
    ),
    Example(
        "python",
        """
import logging

def settle(db, user, subscription, tokens):
    try:
        if subscription:
            record_subscription_usage(db, subscription, tokens)
        else:
            deduct_credits(db, user, tokens)
    except Exception:  # <- finding
        logging.exception("usage not settled")

def record(user, subscription, tokens):
    try:
        if subscription:
            record_subscription_usage(session(), subscription, tokens)
        else:
            record_user_usage(user, tokens)
    except Exception:  # <- finding
        logging.exception("usage not recorded")

def record_subscription_usage(db, subscription, tokens):
    try:
        db.increment_usage(subscription.id, tokens)
    except Exception:
        outbox.enqueue({"subscription": subscription.id, "tokens": tokens})
""",
    ),
    Example(
        "python",
        """
import logging

def draw_anyway(user_id, prompt):
    try:
        charged = deduct_credit(user_id)
        if not charged:
            return None
        note_charge(user_id)
    except Exception:  # <- finding
        logging.exception("credit not taken")
    return paint(prompt)

def draw_there(user_id, prompt):
    try:
        if not deduct_credit(user_id):
            return None
        picture = paint(prompt)
    except Exception:  # <- finding
        logging.exception("credit not taken")
        picture = paint(prompt)
    return picture

def draw_charged(user_id, prompt):
    try:
        if not deduct_credit(user_id):
            return None
        return paint(prompt)
    except Exception:
        logging.exception("no picture drawn")
""",
    ),
    Example(
        "typescript",
        """
export async function drawAnyway(user: string, prompt: string) {
  try {
    if (!(await deductCredits(user))) return refused(user);
    await noteCharge(user);
  } catch (error) {  // <- finding
    console.error("credits not taken", error);
  }
  return paint(prompt);
}

export async function drawLarger(user: string, prompt: string) {
  try {
    if (await deductCredits(user)) return paintLarge(prompt);
    await noteRefusal(user);
  } catch (error) {  // <- finding
    console.error("credits not taken", error);
  }
}

export async function drawCharged(user: string, prompt: string) {
  try {
    if (!(await deductCredits(user))) return refused(user);
    return paint(prompt);
  } catch (error) {
    console.error("no picture drawn", error);
  }
}
""",
    ),
    Example(
        "python",
        """
import logging
import stripe

def report_usage(account, usage, key):
    try:
        require_billing()
        return stripe.billing.MeterEvent.create(
            event_name="usage",
            payload={"value": usage, "stripe_customer_id": account.customer_id},
            idempotency_key=key,
        )
    except BillingDisabledError:
        logging.info("this installation bills nobody")
        return None
""",
    ),
)
