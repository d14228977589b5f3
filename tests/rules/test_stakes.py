"""What hangs on a record of usage decides how surely its loss is said, and what the message says it costs."""

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.report import Reported


def lost(**files: str) -> list[Reported]:
    texts = {f"src/{name}.ts": text for name, text in files.items()}
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in texts.items()))
    return [one for one in examine(change, Options(), "test").findings if one.name == "emit-error-swallowed"]


def recorded(body: str) -> str:
    return f"""
export async function trackUsage(key: string, tokens: number) {{
  {body}
}}
"""


def caller(before: str = "") -> str:
    return f"""
export async function answer(customer: string, question: string) {{
  const reply = await model.ask(question);
  try {{
    await {before}trackUsage(customer, reply.tokens);
  }} catch (error) {{
    console.error("usage not kept", error);
  }}
  return reply;
}}
"""


def test_usage_that_nothing_is_seen_to_bill_is_only_possibly_lost() -> None:
    (found,) = lost(chat=caller("panel."))

    assert found.confidence == "possible"
    assert "that usage is lost" in found.description


def test_usage_that_is_sent_to_a_provider_is_missing_from_the_bill() -> None:
    send = (
        "await stripe.billing.meterEvents.create({ event_name: 'tokens', identifier: key, "
        "payload: { stripe_customer_id: key, value: String(tokens) } });"
    )

    (found,) = lost(chat=caller(), usage=recorded(send))

    assert found.confidence == "likely"
    assert "that usage is missing from the bill" in found.description


def test_usage_that_is_put_on_a_queue_is_meant_to_be_worked_on() -> None:
    (found,) = lost(chat=caller(), usage=recorded("await usageQueue.add('used', { key, tokens });"))

    assert found.confidence == "likely"


def test_a_recorder_that_nothing_is_seen_to_read_is_believed_if_it_is_given_a_key() -> None:
    keyed = caller("billing.").replace("reply.tokens)", "{ tokens: reply.tokens, idempotencyKey: reply.id })")

    assert [one.confidence for one in lost(chat=caller("billing."))] == ["possible"]
    assert [one.confidence for one in lost(chat=keyed)] == ["likely"]


def test_a_figure_that_the_next_report_replaces_is_only_possibly_lost() -> None:
    report = """
export async function report(stripe, item: string, overage: {{ minutes: number }}) {{
  try {{
    await stripe.subscriptionItems.createUsageRecord(item, {{ quantity: overage.minutes, action: "{}" }});
  }} catch (error) {{
    logger.error(error);
  }}
}}
"""
    assert [one.confidence for one in lost(report=report.format("set"))] == ["possible"]
    assert [one.confidence for one in lost(report=report.format("increment"))] == ["certain"]


def test_usage_that_is_told_in_the_same_program_is_left_alone() -> None:
    assert lost(chat=caller(), usage=recorded("await this.bus.publish({ key, tokens });")) == []
