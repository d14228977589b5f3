"""What a call is given, in the spellings of everyday code where a naive reading is wrong."""

import pytest

from rules.code import Code
from rules.facts import Literal, Name
from rules.meaning.usage.emissions import Emission
from tests.rules.examples import code_of

PATHS = {"python": "usage.py", "typescript": "usage.ts", "go": "usage.go"}
STRIPE_TS = 'import Stripe from "stripe";\nconst stripe = new Stripe("k");\n'
GO = 'package usage\n\nimport (\n\t"context"\n\t"github.com/stripe/stripe-go/v82"\n)\n\n'


def read(language: str, text: str) -> Code:
    code = code_of(PATHS[language], text)
    assert code.facts.broken == ()
    return code


def emission(language: str, text: str) -> Emission:
    found = read(language, text).emissions
    assert len(found) == 1
    return found[0]


SPREAD = {
    "python": "import stripe\ndef report(event):\n    stripe.billing.MeterEvent.create(**event)\n",
    "typescript": STRIPE_TS + "export const report = (event: E) => stripe.billing.meterEvents.create({ ...event });\n",
    "go": GO + "func report(ctx context.Context, sc *stripe.Client, p *stripe.BillingMeterEventCreateParams) {\n"
    "\tsc.V1BillingMeterEvents.Create(ctx, p)\n}\n",
}


@pytest.mark.parametrize("language", SPREAD)
def test_arguments_that_come_from_elsewhere_are_not_taken_for_complete(language: str) -> None:
    (event,) = emission(language, SPREAD[language]).events

    assert not event.complete


PARAMS_ABOVE = {
    "python": "import stripe\ndef report(run_id):\n    params = {'event_name': 'calls', 'identifier': run_id}\n"
    "    stripe.billing.MeterEvent.create(**params)\n",
    "typescript": STRIPE_TS + "export function report(runId: string) {\n"
    "  const params = { event_name: 'calls', identifier: runId };\n  return stripe.billing.meterEvents.create(params);\n}\n",
    "go": GO + "func report(ctx context.Context, sc *stripe.Client, runID string) {\n"
    '\tparams := &stripe.BillingMeterEventCreateParams{EventName: stripe.String("calls")}\n'
    "\tparams.Identifier = stripe.String(runID)\n\tsc.V1BillingMeterEvents.Create(ctx, params)\n}\n",
}


@pytest.mark.parametrize("language", PARAMS_ABOVE)
def test_parameters_put_together_one_line_up_are_seen(language: str) -> None:
    (event,) = emission(language, PARAMS_ABOVE[language]).events

    assert event.complete
    assert event.first(("identifier",)) is not None


def test_a_shorthand_property_is_given_under_its_own_name() -> None:
    text = (
        STRIPE_TS
        + "export const f = (identifier: string) => stripe.billing.meterEvents.create({ event_name: 'a', identifier });\n"
    )

    value = emission("typescript", text).events[0].first(("identifier",))

    assert isinstance(value, Name)
    assert value.text == "identifier"


DIRECT_IMPORT = {
    "python": "from stripe.billing import MeterEvent\ndef report():\n    MeterEvent.create(event_name='calls')\n",
    "typescript": 'import { createUsageRecord } from "@lemonsqueezy/lemonsqueezy.js";\n'
    "export const report = () => createUsageRecord({ quantity: 1, subscriptionItemId: 7 });\n",
    "go": 'package usage\n\nimport "github.com/stripe/stripe-go/v82/billing/meterevent"\n\n'
    "func report(p *P) {\n\tmeterevent.New(p)\n}\n",
}


@pytest.mark.parametrize("language", DIRECT_IMPORT)
def test_a_name_imported_by_itself_is_the_providers_call(language: str) -> None:
    assert emission(language, DIRECT_IMPORT[language]).direct


CLIENT = {
    "python": "import stripe\ndef report(client: stripe.StripeClient):\n"
    "    client.billing.meter_events.create(params={'event_name': 'calls', 'identifier': 'run'})\n",
    "typescript": 'import Stripe from "stripe";\nclass Reporter {\n  constructor(private readonly client: Stripe) {}\n'
    "  report() { return this.client.billing.meterEvents.create({ event_name: 'calls', identifier: 'run' }); }\n}\n",
    "go": GO + "type reporter struct{ client *stripe.Client }\n\nfunc (r *reporter) report(ctx context.Context) {\n"
    '\tr.client.V1BillingMeterEvents.Create(ctx, &stripe.BillingMeterEventCreateParams{Identifier: stripe.String("run")})\n}\n',
}


@pytest.mark.parametrize("language", CLIENT)
def test_a_method_of_an_sdk_client_is_the_providers_call_with_its_fields(language: str) -> None:
    found = emission(language, CLIENT[language])

    assert found.direct
    assert found.events[0].first(("identifier",)) is not None


PEELED = [
    "(stripe?.subscriptionItems as any).createUsageRecord('si', { quantity: 1 })",
    "stripe!.subscriptionItems!.createUsageRecord('si', { quantity: 1 } as any)",
    "stripe?.subscriptionItems?.createUsageRecord?.('si', { quantity: 1 })",
    "(stripe.subscriptionItems.createUsageRecord('si', { quantity: 1 }) as Promise<unknown>)",
]


@pytest.mark.parametrize("call", PEELED)
def test_casts_and_optional_chaining_around_a_call_do_not_hide_it(call: str) -> None:
    found = emission("typescript", STRIPE_TS + f"export async function report() {{ await {call}; }}\n")

    assert found.direct
    assert "quantity" in found.given.named


OPTIONS = {
    "python": "import stripe\ndef report(key):\n    stripe.billing.MeterEvent.create(event_name='calls', idempotency_key=key)\n",  # noqa: E501  one statement as its author would write it
    "typescript": STRIPE_TS + "export const f = (key: string) =>\n"
    "  stripe.billing.meterEvents.create({ event_name: 'calls' }, { idempotencyKey: key });\n",
}


@pytest.mark.parametrize("language", OPTIONS)
def test_an_options_object_after_the_event_is_given_to_the_call(language: str) -> None:
    assert emission(language, OPTIONS[language]).given.first(("idempotencykey",)) is not None


BUILDER = {
    "typescript": 'import { BatchMeterUsageCommand, MarketplaceMeteringClient } from "@aws-sdk/client-marketplace-metering";\n'
    "export async function f(client: MarketplaceMeteringClient) {\n"
    "  const command = new BatchMeterUsageCommand({ UsageRecords: [{ Dimension: 'calls', Quantity: 1 }] });\n"
    "  await client.send(command);\n}\n",
    "go": GO + "func report(ctx context.Context, sc *stripe.Client, key string) {\n"
    '\tparams := &stripe.BillingMeterEventCreateParams{EventName: stripe.String("calls")}\n'
    "\tparams.SetIdempotencyKey(key)\n\tsc.V1BillingMeterEvents.Create(ctx, params)\n}\n",
}


def test_a_command_is_sent_where_the_client_sends_it() -> None:
    found = emission("typescript", BUILDER["typescript"])

    assert found.sent.name == "client.send"
    assert found.events[0].first(("dimension",)) is not None


def test_a_setter_on_the_parameters_gives_its_field() -> None:
    assert emission("go", BUILDER["go"]).given.first(("idempotencykey",)) is not None


ALIASED = {
    "python": "from stripe.billing import MeterEvent as ME\ndef report():\n    ME.create(event_name='calls')\n",
    "typescript": 'import { createUsageRecord as bill } from "@lemonsqueezy/lemonsqueezy.js";\n'
    "export const report = () => bill({ quantity: 1 });\n",
    "go": 'package usage\n\nimport me "github.com/stripe/stripe-go/v82/billing/meterevent"\n\nfunc report(p *P) {\n\tme.New(p)\n}\n',  # noqa: E501  one statement as its author would write it
}


@pytest.mark.parametrize("language", ALIASED)
def test_an_import_under_another_name_is_still_the_providers_call(language: str) -> None:
    assert emission(language, ALIASED[language]).direct


def test_a_literal_keeps_its_place_for_one_more_entry() -> None:
    found = emission("typescript", STRIPE_TS + "stripe.billing.meterEvents.create({ event_name: 'calls' });\n").events[0]

    assert found.literal is not None
    assert isinstance(found.named["eventname"], Literal)
