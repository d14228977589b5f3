"""An audit of a whole project says less than one of files that somebody has picked."""

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.project import PICKED

UNPICKED = """
import stripe

def run(job, customer):
    try:
        return work(job)
    finally:
        stripe.billing.MeterEvent.create(
            event_name="runs", identifier=job.id, payload={"stripe_customer_id": customer, "value": 1}
        )
"""
RECORDED = """
import stripe
from celery import shared_task

{mark}
def report(customer, tokens):
    stripe.billing.MeterEvent.create(event_name="tokens", payload={{"stripe_customer_id": customer, "value": tokens}})
"""


def told(text: str, others: int, partial: bool = False) -> dict[str, str]:
    beside = (ChangedFile(f"app/page_{number}.py", None, "def page():\n    return 1\n") for number in range(others))
    change = Change("audit", (ChangedFile("billing/usage.py", None, text), *beside), partial=partial)
    return {one.rule: one.confidence for one in examine(change, Options(), "0").findings}


def test_a_rule_without_a_record_is_only_possible_in_a_whole_project() -> None:
    assert told(UNPICKED, PICKED)["MTR-105"] == "possible"


def test_it_speaks_where_the_files_were_picked() -> None:
    assert told(UNPICKED, PICKED, partial=True)["MTR-105"] == "likely"
    assert told(UNPICKED, PICKED - 1)["MTR-105"] == "likely"


def test_a_rule_with_a_record_speaks_in_both() -> None:
    text = RECORDED.format(mark="@shared_task")
    assert told(text, PICKED)["MTR-201"] == told(text, PICKED, partial=True)["MTR-201"] == "certain"


def test_what_nothing_is_seen_to_send_again_is_only_possible_in_a_whole_project() -> None:
    text = RECORDED.format(mark="")
    assert told(text, PICKED)["MTR-201"] == "possible"
    assert told(text, PICKED, partial=True)["MTR-201"] == "certain"
