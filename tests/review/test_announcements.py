"""A check that says that a review waits: there before the review begins, and never beside another one."""

from bot.deliveries import PullRequestJob
from bot.demo.standin import Fault, PullRequest
from bot.review import announce
from bot.reviewers import work_of
from tests.review.conftest import Scene

EMISSION = """import stripe


def report(customer, tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""


async def announced(scene: Scene, pull: PullRequest) -> list[str]:
    await announce(scene.reviewer, PullRequestJob(scene.installation, scene.repository.id, pull.number))
    return [run.status for run in scene.github.check_runs(scene.repository)]


async def test_a_waiting_review_is_shown_and_its_run_is_the_one_that_gets_the_verdict(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})

    assert ["queued"] == await announced(scene, pull)
    await scene.review(pull)
    [run] = scene.github.check_runs(scene.repository)
    assert ("completed", "failure") == (run.status, run.conclusion)
    sent = [one.given.get("status") for one in scene.github.exchanges if "check-runs" in one.path and one.method != "GET"]
    assert ["queued", "in_progress", "completed"] == sent


async def test_a_head_that_has_a_run_gets_no_other_for_waiting(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    first, second = await announced(scene, pull), await announced(scene, pull)
    await scene.review(pull)

    assert first == second == ["queued"]
    assert ["completed"] == await announced(scene, pull)
    assert () == await scene.reviewer.memory.open_checks()


async def test_a_closed_pull_request_shows_nothing(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.close(pull)

    assert [] == await announced(scene, pull)


async def test_what_waited_on_an_older_head_is_ended_by_the_review_of_the_newer_one(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await announced(scene, pull)
    scene.github.push(scene.repository, "feature", {"more.py": EMISSION})
    await scene.review(pull)

    assert ["cancelled", "failure"] == [run.conclusion for run in scene.github.check_runs(scene.repository)]
    assert () == await scene.reviewer.memory.open_checks()


async def test_what_waited_is_ended_when_the_pull_request_is_closed(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await announced(scene, pull)
    scene.github.close(pull)
    await scene.review(pull)

    assert ["cancelled"] == [run.conclusion for run in scene.github.check_runs(scene.repository)]


async def test_an_announcement_that_github_refuses_is_no_failure(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(Fault("/check-runs", method="POST", status=403, body={"message": "no"}))

    await work_of(scene.reviewer).announce(PullRequestJob(scene.installation, scene.repository.id, pull.number))

    assert [] == scene.github.check_runs(scene.repository)
