"""The merge queue: a verdict on the commit that would be merged, and no comment anywhere."""

from dataclasses import replace

import pytest

from bot import reconcile
from bot.demo.standin import CheckRun, PullRequest
from bot.errands import MergeGroupErrand
from bot.run_errand import run_errand
from rules.change import Change
from rules.options import Options
from rules.report import Report
from tests.review.conftest import Scene
from tests.review.test_review import EMISSION, KEYED


async def queued(scene: Scene, pull: PullRequest, message: str = "Merge", *, destroyed: bool = False) -> CheckRun | None:
    """The check on the group that the queue makes of a pull request."""
    branch = f"gh-readonly-queue/main/pr-{pull.number}-{'0' * 8}"
    base = scene.github.push(scene.repository, "main", {})
    text = scene.github.world.clock().isoformat()
    head = scene.github.push(scene.repository, branch, {"merged.txt": text}, start="feature", message=message)
    errand = MergeGroupErrand(scene.installation, scene.repository.id, head, base, f"refs/heads/{branch}", destroyed)
    await run_errand(scene.reviewer, errand)
    return next((run for run in scene.github.check_runs(scene.repository) if run.head_sha == head), None)


@pytest.mark.parametrize(("text", "conclusion"), [(EMISSION, "failure"), (KEYED, "success")])
async def test_a_group_takes_over_the_verdict_of_its_pull_request(scene: Scene, text: str, conclusion: str) -> None:
    pull = scene.pull({"usage.py": text})
    await scene.review(pull)
    before = len(scene.comments(pull))

    run = await queued(scene, pull)

    assert run is not None
    assert ("completed", conclusion) == (run.status, run.conclusion)
    assert before == len(scene.comments(pull))


async def test_a_group_of_several_passes_only_if_all_do(scene: Scene) -> None:
    bad = scene.pull({"usage.py": EMISSION})
    await scene.review(bad)
    good = scene.pull({"other.py": KEYED})
    await scene.review(good)

    run = await queued(scene, good, message=f"Take one (#{bad.number})")

    assert run is not None
    # The head of the first pull request is now that of the second, so both are asked for by number.
    assert f"Pull request {bad.number}" in (run.summary or "")
    assert f"Pull request {good.number}" in (run.summary or "")


async def test_a_group_without_a_verdict_does_not_pass(scene: Scene) -> None:
    run = await queued(scene, scene.pull({"usage.py": KEYED}))

    assert run is not None
    assert "failure" == run.conclusion
    assert "has no verdict yet" in (run.summary or "")


async def test_a_group_is_scanned_where_the_configuration_says_so(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nmerge_group: scan\n"})

    run = await queued(scene, pull)

    assert run is not None
    assert "failure" == run.conclusion
    assert 1 == len(run.annotations)
    assert [] == scene.comments(pull)


async def test_a_group_that_was_taken_apart_has_no_open_check(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED})

    assert await queued(scene, pull, destroyed=True) is None


async def left_open(scene: Scene, pull: PullRequest, *, minutes: int) -> CheckRun:
    """The check of a group whose judge fails each time, so many minutes later."""

    async def broken(change: Change, options: Options) -> Report:
        raise RuntimeError

    whole = scene.reviewer
    scene.reviewer = replace(whole, examine=broken)
    with pytest.raises(RuntimeError):
        await queued(scene, pull)
    scene.reviewer = whole
    async with scene.reviewer.memory._pool.connection() as connection:
        await connection.execute("UPDATE meteraudit_open_check SET begun_at = begun_at - %s * interval '1 minute'", [minutes])
    await reconcile.finish_stuck(scene.reviewer)
    return scene.check()


@pytest.mark.parametrize(("closed", "conclusion"), [("false", "success"), ("true", "failure")])
async def test_a_group_whose_judge_has_failed_is_answered_by_the_watchdog(scene: Scene, closed: str, conclusion: str) -> None:
    text = f"version: 1\nmerge_group: scan\nfail_closed: {closed}\n"
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": text})

    run = await left_open(scene, pull, minutes=11)

    assert ("completed", conclusion) == (run.status, run.conclusion)
    assert "Could not look at the merge group" == run.title
    assert () == await scene.reviewer.memory.open_checks()


async def test_a_group_that_may_still_be_judged_is_left_to_its_judge(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nmerge_group: scan\n"})

    run = await left_open(scene, pull, minutes=5)

    assert "in_progress" == run.status
    assert 1 == len(await scene.reviewer.memory.open_checks())


async def test_a_group_that_has_its_answer_gets_no_other_from_the_watchdog(scene: Scene) -> None:
    run = await queued(scene, scene.pull({"usage.py": KEYED}))
    assert run is not None
    await scene.reviewer.memory.check_opens(scene.installation, scene.repository.id, run.head_sha, 0)
    async with scene.reviewer.memory._pool.connection() as connection:
        await connection.execute("UPDATE meteraudit_open_check SET begun_at = begun_at - interval '1 hour'")

    await reconcile.finish_stuck(scene.reviewer)

    assert "Could not look at the merge group" != scene.check().title
    assert () == await scene.reviewer.memory.open_checks()
