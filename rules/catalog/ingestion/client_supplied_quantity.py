"""The amount of usage that is booked comes from the request of the customer who pays for it.

Whoever calls the endpoint chooses the number: zero or less makes the usage free, a negative one may even give credit back,
and a large one harms whoever is billed. Work the quantity out on the server from what was really done. Where a number has to
come from outside, let only your own services send it, with a key of theirs, and bound it.
"""

from collections.abc import Iterator

from rules.code import Code
from rules.facts import Expression, Scope, Span, name_of, walk
from rules.meaning.contexts import Context
from rules.meaning.usage.counters import Change, Counter
from rules.meaning.usage.emissions import Emission
from rules.meaning.usage.quantities import given_quantities, is_quantity
from rules.meaning.usage.requests import Read, carried, reads, trusted
from rules.meaning.vocabulary import words
from rules.rule import About, Classification, Confidence, Example, Finding, Severity, Step
from rules.tracing.purposes import at_stake
from rules.tracing.signed import is_signed
from rules.tracing.spared import only_logs
from rules.tracing.stakes import only_shown_beside
from rules.tracing.stores import table_of_counter

ABOUT = About(
    id="MTR-113",
    title="Quantity of usage comes from the client",
    severity=Severity.CRITICAL,
    classification=Classification.VULNERABILITY,
    classes=("E11",),
    cwe=("CWE-20", "CWE-1284"),
    iso_25010="Security / integrity",
)
QUIET = frozenset({Context.TEST, Context.BROWSER, Context.WEBHOOK, Context.WORKER, Context.SCHEDULE, Context.SCRIPT})


def check(code: Code) -> Iterator[Finding]:
    reported: set[Span] = set()
    for emission in code.emissions:
        if is_open(code, emission.scope) and charges_someone(code, emission):
            read = first(code, given_quantities(code, emission), emission.scope, emission.call.span.start)
            if read is not None and read.span not in reported:
                reported.add(read.span)
                shown = not emission.direct and only_shown_beside(code, emission.call)
                yield finding(read, emission.title, emission.call.span, SAID[not shown])
    for counter in code.counters:
        if counter.amount is not None and counter.change in (Change.ADD, Change.SUBTRACT) and is_open(code, counter.scope):
            read = first(code, [counter.amount], counter.scope, counter.span.start)
            if read is not None and read.span not in reported and not buys(code, counter):
                reported.add(read.span)
                gated = at_stake(code, counter.name, table_of_counter(code, counter), counter.scope) is not False
                yield finding(read, f"the change of `{counter.name}`", counter.span, SAID[gated])


def is_open(code: Code, scope: Scope) -> bool:
    """Whether a customer may call this endpoint, as far as the file tells."""
    return code.context(scope) not in QUIET and not trusted(code, scope) and not is_signed(code, scope)


PARTIES = frozenset(
    "user customer account tenant org organization organisation workspace team member owner client company subscription "
    "subscriber project key email uid sub auth session".split()
)


def charges_someone(code: Code, emission: Emission) -> bool:
    """Whether the usage is somebody's: a provider's meter always is; what is only called a recorder is told for whom."""
    if only_logs(code, emission.call) and not emission.direct:
        return False
    if emission.certain:
        return True
    given = [argument.name or "" for argument in emission.call.arguments]
    for argument in emission.call.arguments:
        given += [name_of(part) for part in walk(argument.value)]
        given += [name for name, _ in carried(code, argument.value, emission.call.scope, emission.call.span.start)]
    return any(PARTIES & set(words(name)) for name in given)


def first(code: Code, values: Iterator[Expression] | list[Expression], scope: Scope, at: int) -> Read | None:
    return next((read for value in values for read in reads(code, value, scope, at) if is_quantity(read.field)), None)


def buys(code: Code, counter: Counter) -> bool:
    """Credits that are added are bought or granted, which is not metering."""
    return counter.change is Change.ADD and bool({"credits", "credit", "balance", "quota"} & set(words(counter.name)))


SAID = {True: Confidence.LIKELY, False: Confidence.POSSIBLE}


def finding(read: Read, what: str, at: Span, confidence: Confidence) -> Finding:
    return Finding(
        span=read.span,
        cause=at,
        description=f"`{read.field}` comes from the request and decides how much {what} books: a caller can send 0 or less.",
        remediation=f"Work `{read.field}` out on the server from what was done, or accept it from your own services only.",
        confidence=confidence,
        trace=(Step(at, "booked here"),) if at.line != read.span.line else (),
    )


EXAMPLES = (
    Example(
        "typescript",
        """
import { NextResponse } from "next/server";
import { reportUsage } from "@/lib/usage";

export async function POST(request: Request) {
  const session = await auth();
  const { feature, quantity = 1 } = await request.json();  // <- finding
  await reportUsage({ customer: session.user.customerId, feature, quantity });
  return NextResponse.json({ ok: true });
}
""",
        path="app/api/report-usage/route.ts",
    ),
    Example(
        "javascript",
        """
const stripe = require("stripe")(process.env.STRIPE_KEY);

app.post("/meter", requireLogin, async (req, res) => {
  await stripe.billing.meterEvents.create({
    event_name: "minutes",
    identifier: req.id,
    payload: { stripe_customer_id: req.user.customer, value: String(req.body.minutes) },  // <- finding
  });
  res.sendStatus(204);
});
""",
    ),
    Example(
        "python",
        """
class AskRequest(BaseModel):
    question: str
    tokens_used: int

@app.post("/ask")
def ask(body: AskRequest, user: User = Depends(current_user)):
    answer = model.answer(body.question)
    quotas[user.id]["used"] += body.tokens_used  # <- finding
    return {"answer": answer}
""",
    ),
    Example(
        "go",
        """
package api

func report(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Tokens int64 `json:"tokens"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	if err := meter.RecordUsage(r.Context(), userID(r), body.Tokens); err != nil {  // <- finding
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
""",
    ),
    Example(
        "typescript",
        """
import { reportUsage } from "@/lib/usage";
const body = z.object({ minutes: z.number().positive().max(60) });

export async function POST(request: Request) {
  const { minutes } = body.parse(await request.json());
  await reportUsage({ customer: await customerOf(request), quantity: minutes });
  return Response.json({ ok: true });
}

export async function PUT(request: Request) {
  const { prompt } = await request.json();
  const answer = await complete(prompt);
  await reportUsage({ customer: await customerOf(request), quantity: answer.usage.total_tokens });
  return Response.json(answer);
}

export async function PATCH(request: Request) {
  if (request.headers.get("x-api-key") !== process.env.METER_KEY) return new Response(null, { status: 401 });
  const { customer, quantity } = await request.json();
  await reportUsage({ customer, quantity });
  return Response.json({ ok: true });
}
""",
        path="app/api/usage/route.ts",
    ),
    Example(
        "typescript",
        """
import { footprint } from "@/lib/climate";

export async function POST(request: Request) {
  const { kind, quantity } = await request.json();
  await footprint.trackUsage(kind, quantity);
  return Response.json({ billing: false });
}
""",
        path="app/api/footprint/route.ts",
    ),
    Example(
        "python",
        """
class Ask(BaseModel):
    question: str
    minutes: int = Field(gt=0, le=60)

@app.post("/ask")
def ask(body: Ask, user: User = Depends(current_user)):
    record_usage(user.id, quantity=body.minutes)
    record_usage(user.id, quantity=len(body.question))
""",
    ),
    Example(
        "go",
        """
package api

func convert(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Document string `json:"document"`
	}
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	pages := render(body.Document)
	if err := meter.RecordUsage(r.Context(), userID(r), len(pages)); err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
	}
}
""",
    ),
    Example(
        "php",
        """
<?php

namespace App\\Http\\Controllers;

class TransferController extends Controller
{
    public function transfer(TransferCredits $request)
    {
        $amount = $request->input('transfer_amount');
        $request->user()->credits_balance -= $amount;
        $request->user()->save();
    }
}
""",
        path="app/Http/Controllers/TransferController.php",
        context={
            "app/Http/Requests/TransferCredits.php": """
<?php

class TransferCredits extends FormRequest
{
    public function rules()
    {
        return ['transfer_amount' => 'required|integer|min:1'];
    }
}
""",
        },
    ),
    Example(
        "python",
        """
def ensure_from_carrier(request):
    sent = request.headers["X-Carrier-Signature"]
    if not carrier.validate(request.url, request.json, sent):
        raise Refused("wrong signature")

@app.route("/calls/ended", methods=["POST"])
def call_ended():
    ensure_from_carrier(request)
    line = line_of(request.json["called"])
    line.remaining_seconds = line.remaining_seconds - int(request.json["duration"])
    line.save()
    return "", 204
""",
    ),
)
