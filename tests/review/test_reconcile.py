"""What the App looks after by itself: missed deliveries, missed pull requests, stuck checks, a changed registration."""

from dataclasses import replace

import pytest

from bot import reconcile
from bot.demo.standin import Fault, hook
from bot.errands import InstallationErrand
from bot.github.errors import Unanswered
from bot.registration import PERMISSIONS
from bot.run_errand import run_errand
from tests.review.conftest import Scene
from tests.review.test_review import EMISSION, KEYED


async def age(scene: Scene, minutes: int) -> None:
    """Makes every open check that much older."""
    await scene.reviewer.memory._rows(
        "UPDATE meteraudit_open_check SET begun_at = begun_at - %s * interval '1 minute'", minutes
    )


async def test_a_failed_delivery_is_asked_for_again_at_most_three_times(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED})
    scene.github.deliver("http://127.0.0.1:9/webhook", "pull_request", "opened", pull=pull)

    asked = 0
    for _ in range(6):
        asked += await reconcile.redeliver_failed(scene.reviewer)
        await scene.settle()

    assert 3 == asked


async def test_a_delivery_that_succeeded_later_is_left_alone(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED})
    first = scene.github.deliver("http://127.0.0.1:9/webhook", "pull_request", "opened", pull=pull)
    hook.keep(scene.github.world, replace(first, status=202))

    assert 0 == await reconcile.redeliver_failed(scene.reviewer)


async def test_open_pull_requests_without_a_verdict_are_found_after_a_downtime(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})

    await reconcile.watch(scene.reviewer)
    assert [pull.number] == [job.number for job in scene.queued]
    await scene.work_off()
    await reconcile.watch(scene.reviewer)

    assert [] == scene.queued
    assert "failure" == scene.check().conclusion


async def test_a_new_installation_is_looked_through(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})

    await run_errand(scene.reviewer, InstallationErrand(scene.installation, active=True))

    assert [pull.number] == [job.number for job in scene.queued]


async def test_what_leaves_the_installation_is_forgotten(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)

    await run_errand(
        scene.reviewer, InstallationErrand(scene.installation, active=True, added=(), removed=(scene.repository.id,))
    )

    assert {} == await scene.reviewer.memory.comments(scene.repository.id, pull.number)


async def test_a_stuck_check_is_looked_at_again_after_ten_minutes(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.reviewer.memory.check_opens(scene.installation, scene.repository.id, scene.github.head(pull), pull.number)

    await reconcile.finish_stuck(scene.reviewer)
    assert [] == scene.queued
    await age(scene, 11)
    await reconcile.finish_stuck(scene.reviewer)

    assert [pull.number] == [job.number for job in scene.queued]


async def test_a_check_that_nobody_ends_is_concluded_after_half_an_hour(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    head = scene.github.head(pull)
    await scene.reviewer.memory.check_opens(scene.installation, scene.repository.id, head, pull.number)
    await age(scene, 31)

    await reconcile.finish_stuck(scene.reviewer)

    assert ("completed", "neutral") == (scene.check().status, scene.check().conclusion)
    assert [pull.number] == [job.number for job in scene.queued]


async def test_after_an_hour_nothing_is_tried_any_more(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nfail_closed: true\n"})
    head = scene.github.head(pull)
    await scene.reviewer.memory.check_opens(scene.installation, scene.repository.id, head, pull.number)
    await age(scene, 61)

    await reconcile.finish_stuck(scene.reviewer)

    assert ("failure", "Could not finish") == (scene.check().conclusion, scene.check().title)
    assert () == await scene.reviewer.memory.open_checks()
    assert [] == scene.queued


async def test_a_review_that_failed_is_tried_again_until_it_succeeds(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(Fault(r"/files", "GET", times=None, status=502))
    with pytest.raises(Unanswered):
        await scene.review(pull)
    assert "neutral" == scene.check().conclusion
    scene.github.faults.clear()
    await age(scene, 11)

    await reconcile.finish_stuck(scene.reviewer)
    await scene.work_off()

    assert "failure" == scene.check().conclusion
    assert () == await scene.reviewer.memory.open_checks()


async def test_a_stuck_check_of_an_older_head_is_cancelled(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    old = scene.github.head(pull)
    await scene.reviewer.memory.check_opens(scene.installation, scene.repository.id, old, pull.number)
    scene.github.push(scene.repository, "feature", {"usage.py": KEYED})
    await age(scene, 31)

    await reconcile.finish_stuck(scene.reviewer)

    assert () == await scene.reviewer.memory.open_checks()


async def test_a_registration_that_lacks_something_is_reported(scene: Scene) -> None:
    assert () == await reconcile.report_drift(scene.reviewer)
    app = next(iter(scene.github.world.apps.values()))
    del app.permissions["merge_queues"]
    app.events.remove("merge_group")

    problems = await reconcile.report_drift(scene.reviewer)

    assert ("permission merge_queues is none, must be read", "event merge_group is not subscribed") == problems


@pytest.mark.parametrize("name", sorted(PERMISSIONS))
def test_the_app_asks_for_no_more_than_it_needs(name: str) -> None:
    assert PERMISSIONS[name] == ("write" if name in ("checks", "pull_requests") else "read")
