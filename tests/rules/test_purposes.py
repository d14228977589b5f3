"""What a counter is for decides whether its lost updates and its resets are said."""

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.report import Reported

BESIDE = {
    f"app/{name}.py": f'def bill_{name}(invoice):\n    return {{"{name}": invoice.credits}}\n'
    for name in ("plans", "prices", "invoices", "taxes", "exports")
}
ADDS = """
def record_tokens(session, workspace_id, tokens):
    workspace = session.get(Workspace, workspace_id)
    workspace.monthly_tokens_used += tokens
    session.commit()
"""
REFUSES = """
def check_tokens(workspace, plan):
    if workspace.monthly_tokens_used >= plan.token_limit:
        raise PaymentRequired()
"""
HANDS_ON = """
def room_of(workspace, plan):
    return Room({"taken": workspace.monthly_tokens_used, "limit": LIMIT})


def check_room(room):
    if room.taken >= room.limit:
        raise PaymentRequired()
"""
RESETS = """
def reset_billing_period(session, workspace):
    workspace.monthly_tokens_used = 0
    session.commit()
"""
RUNS = """
from app.resets import reset_billing_period

@celery.task
def roll_over(workspace_ids):
    for one in workspace_ids:
        reset_billing_period(session, load(one))


celery.conf.beat_schedule = {"monthly": {"task": "app.jobs.roll_over", "schedule": crontab(day_of_month=1)}}
"""


def said(rule: str, **files: str) -> list[Reported]:
    texts = {**BESIDE, **{f"app/{name}.py": text for name, text in files.items()}}
    change = Change("audit", tuple(ChangedFile(path, None, text) for path, text in texts.items()))
    return [one for one in examine(change, Options(), "test").findings if one.name == rule]


def test_a_counter_that_nobody_is_refused_or_charged_by_is_only_possibly_lost() -> None:
    (found,) = said("read-modify-write-counter", usage=ADDS)

    assert found.confidence == "possible"


def test_a_counter_that_is_compared_with_a_limit_is_said() -> None:
    (found,) = said("read-modify-write-counter", usage=ADDS, gate=REFUSES)

    assert found.confidence == "likely"


def test_a_counter_that_is_handed_on_beside_a_limit_is_compared_there() -> None:
    (found,) = said("read-modify-write-counter", usage=ADDS, gate=HANDS_ON)

    assert found.confidence == "likely"


def test_a_counter_that_is_handed_on_beside_no_limit_is_only_shown() -> None:
    (found,) = said("read-modify-write-counter", usage=ADDS, gate=HANDS_ON.replace("LIMIT", "None"))

    assert found.confidence == "possible"


def test_a_reset_that_somebody_asks_for_is_only_possibly_destructive() -> None:
    (found,) = said("destructive-reset", usage=ADDS, gate=REFUSES, resets=RESETS)

    assert found.confidence == "possible"


def test_a_reset_that_a_job_sets_off_is_said() -> None:
    (found,) = said("destructive-reset", usage=ADDS, gate=REFUSES, resets=RESETS, jobs=RUNS)

    assert found.confidence == "likely"


LEARNS = """
def learn(session, route_id):
    route = session.get(Route, route_id)
    route.total_requests += 1
    route.success_rate = route.succeeded / route.total_requests
    route.average_savings = route.saved / route.total_requests
    session.commit()
"""
PRICES = """
def failed(route):
    return route.success_rate * route.total_requests


def check_requests(route, plan):
    if route.total_requests >= plan.request_limit:
        raise PaymentRequired()
"""


def test_a_count_beside_rates_and_averages_is_a_statistic() -> None:
    assert not said("read-modify-write-counter", usage=LEARNS, gate=PRICES)


def test_a_statistic_by_which_its_file_refuses_is_said() -> None:
    (found,) = said("read-modify-write-counter", usage=LEARNS + PRICES, gate=REFUSES)

    assert found.confidence == "likely"


def test_a_total_that_is_limited_of_another_thing_is_not_at_stake() -> None:
    adds = ADDS.replace("monthly_tokens_used", "total_tokens").replace("workspace", "chat").replace("Workspace", "Chat")
    refuses = REFUSES.replace("monthly_tokens_used", "total_tokens")

    assert not said("read-modify-write-counter", usage=adds, gate=refuses)
