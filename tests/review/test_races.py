"""What happens when things happen at once: shared heads, closed and drafted meanwhile, force pushes, limits."""

import asyncio
import itertools
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

import pytest

from bot.demo.standin import Fault, Incoming, PullRequest, secondary_limit
from bot.github.errors import RateLimited, Unanswered
from rules.change import Change
from rules.engine import examine
from rules.options import Options
from rules.report import Report
from tests.review.conftest import Scene
from tests.review.test_review import EMISSION, EXPORT, KEYED


def twin(scene: Scene, base: str) -> PullRequest:
    """Another pull request with the same head, into another branch."""
    return scene.github.open_pull_request(scene.repository, "feature", base=base)


async def test_two_pull_requests_with_one_head_share_the_worse_verdict(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED})
    scene.github.push(scene.repository, "lenient", {".meteraudit.yml": "version: 1\nskip:\n  authors: [ada]\n"}, start="main")
    scene.github.push(scene.repository, "old", {"usage.py": EMISSION}, start="main")
    other = twin(scene, "lenient")
    scene.github.push(scene.repository, "feature", {"usage.py": EMISSION})

    await scene.review(pull)
    await scene.review(other)

    assert "failure" == scene.check().conclusion
    assert "2 open pull requests have this head" in (scene.check().summary or "")
    assert {"completed"} == {run.status for run in scene.github.check_runs(scene.repository)}


async def test_two_reviews_of_one_head_at_once_end_in_one_verdict(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.push(scene.repository, "lenient", {".meteraudit.yml": "version: 1\nmode: advisory\n"}, start="main")
    other = twin(scene, "lenient")

    await asyncio.gather(scene.review(pull), scene.review(other))

    assert {"completed"} == {run.status for run in scene.github.check_runs(scene.repository)}
    assert "failure" == scene.check().conclusion
    assert [1, 1] == [len(scene.comments(one)) for one in (pull, other)]


async def test_a_closed_pull_request_no_longer_speaks_for_its_twin(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.push(scene.repository, "lenient", {".meteraudit.yml": "version: 1\nskip:\n  authors: [ada]\n"}, start="main")
    other = twin(scene, "lenient")
    await scene.review(pull)
    await scene.review(other)
    scene.github.close(pull)

    await scene.review(pull)
    await scene.work_off()

    assert "success" == scene.check().conclusion


async def meanwhile(scene: Scene, happens: Callable[[], object]) -> None:
    async def then(change: Change, options: Options) -> Report:
        happens()
        return examine(change, options, "0")

    scene.reviewer = replace(scene.reviewer, examine=then)


async def test_a_pull_request_closed_during_the_review_gets_no_comment_and_no_open_check(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await meanwhile(scene, lambda: scene.github.close(pull))

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert ["cancelled"] == [run.conclusion for run in scene.github.check_runs(scene.repository)]


async def test_a_pull_request_made_a_draft_during_the_review_is_neutral(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await meanwhile(scene, lambda: setattr(pull, "draft", True))

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert "neutral" == scene.check().conclusion


async def test_a_draft_that_is_ready_is_reviewed(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, draft=True)
    await scene.review(pull)
    pull.draft = False

    await scene.review(pull)

    assert "failure" == scene.check().conclusion


async def test_a_force_push_leaves_no_check_open(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(Fault(r"/check-runs/\d+$", "PATCH", times=None, status=502))
    with pytest.raises(Unanswered):
        await scene.review(pull)
    scene.github.faults.clear()
    scene.github.push(scene.repository, "feature", {"usage.py": KEYED}, start="main")

    await scene.review(pull)

    runs = {run.head_sha: (run.status, run.conclusion) for run in scene.github.check_runs(scene.repository)}
    assert ("completed", "success") == runs.pop(scene.github.head(pull))
    assert [("completed", "cancelled")] == list(runs.values())


async def test_a_new_base_is_judged_with_its_own_configuration(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)
    scene.github.push(scene.repository, "lenient", {".meteraudit.yml": "version: 1\nmode: advisory\n"}, start="main")
    pull.base_ref = "lenient"

    await scene.review(pull)

    assert "neutral" == scene.check().conclusion
    assert 1 == len(scene.comments(pull))


async def test_a_short_secondary_limit_is_waited_for(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(secondary_limit(r"/reviews$", "POST", retry_after=30))

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))


async def test_a_long_limit_leaves_the_check_open_and_puts_the_job_off(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(secondary_limit(r"/reviews$", "POST", retry_after=900))

    with pytest.raises(RateLimited):
        await scene.review(pull)

    assert ["in_progress"] == [run.status for run in scene.github.check_runs(scene.repository)]


async def test_more_files_than_github_lists_is_no_pass(scene: Scene) -> None:
    scene.github.limits.files = 3
    pull = scene.pull({f"{name}.md": "x\n" for name in "abcde"})

    await scene.review(pull)

    assert "action_required" == scene.check().conclusion
    assert "Partial: 2 of 5 files not analysed" == scene.check().title


async def test_a_file_without_a_patch_is_judged_and_its_comment_stands_on_the_file(scene: Scene) -> None:
    scene.github.limits.patch_bytes = 50
    pull = scene.pull({"usage.py": EMISSION})

    await scene.review(pull)

    assert ["file"] == [one.subject_type for one in scene.comments(pull)]
    assert "failure" == scene.check().conclusion


async def test_a_check_run_whose_end_is_lost_gets_no_annotation_twice(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    pull.locked = True
    scene.github.faults.append(Fault(r"/check-runs/\d+$", "PATCH", drop="after"))
    with pytest.raises(Unanswered):
        await scene.review(pull)

    await scene.review(pull)

    assert 1 == len(scene.check().annotations)
    assert "failure" == scene.check().conclusion


async def test_nothing_that_is_posted_holds_a_token_or_markup_of_the_repository(scene: Scene) -> None:
    name = "`@org/team` <b>#12 -->`.py"
    token = "ghp_" + "A1b2C3d4" * 5
    text = EMISSION.replace('"tokens"', f'"@everyone #1 <!-- x --> {token}"')
    pull = scene.pull({name: text})

    await scene.review(pull)

    bodies = [one.body for one in scene.comments(pull)] + [scene.check().summary or "", scene.check().title or ""]
    assert 1 == len(scene.comments(pull))
    assert not [body for body in bodies if token in body]
    for body in bodies:
        outside = outside_code(body)
        assert "@org" not in outside
        assert "@everyone" not in outside
        assert "<b>" not in outside


async def test_with_the_hourly_limit_nearly_used_up_the_rest_stays_unread_and_is_no_pass(scene: Scene) -> None:
    scene.github.limits.hourly = 1000
    scene.github.world.used = 910
    pull = scene.pull({"usage.py": KEYED})

    await scene.review(pull)

    assert "action_required" == scene.check().conclusion
    assert "nearly used up" in (scene.check().summary or "")


async def test_an_archived_repository_is_left_alone(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.repository.archived = True

    await scene.review(pull)

    assert [] == scene.writes()


async def test_a_missing_permission_is_told_once(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    next(iter(scene.github.world.installations.values())).permissions["checks"] = "read"

    await scene.review(pull)
    await scene.review(pull)

    [said] = scene.github.talk(pull)
    assert "Checks: write" in said.body
    assert [] == scene.comments(pull)


async def test_where_it_is_wanted_one_comment_sums_up_and_is_edited(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nsummary_comment: on_findings\n"})
    await scene.review(pull)
    scene.github.push(scene.repository, "feature", {"usage.py": KEYED})

    await scene.review(pull)

    [said] = scene.github.talk(pull)
    assert "Passed: 10/10" in said.body


async def test_without_findings_there_is_no_summary_comment(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED}, base={".meteraudit.yml": "version: 1\nsummary_comment: on_findings\n"})

    await scene.review(pull)

    assert [] == scene.github.talk(pull)


@pytest.mark.parametrize("applied", ["before", "after"])
async def test_killed_at_any_request_the_next_run_says_all_and_says_it_once(scene: Scene, applied: str) -> None:
    pull = scene.pull({"usage.py": EMISSION, "export.ts": EXPORT})
    for number in range(1, 40, 2):
        scene.github.push(scene.repository, "feature", {"usage.py": EMISSION if number % 4 == 1 else KEYED})
        await killed(scene, pull, number, applied)
        await scene.review(pull)
        live = [one for one in scene.comments(pull) if one.in_reply_to is None and not one.body.startswith("~~")]
        assert (2 if number % 4 == 1 else 1) == len(live)
        assert [] == [run for run in scene.github.check_runs(scene.repository) if run.status != "completed"]
    tops = [one for one in scene.comments(pull) if one.in_reply_to is None]
    assert 2 == len(tops)


async def killed(scene: Scene, pull: PullRequest, number: int, applied: str) -> None:
    """A review that ends without another word at its `number`-th request."""
    counted = itertools.count(1)
    task = asyncio.create_task(scene.review(pull))
    loop = asyncio.get_running_loop()

    def fatal(incoming: Incoming) -> Fault | None:
        if next(counted) != number:
            return None
        return Fault(".", run=lambda: loop.call_soon_threadsafe(task.cancel), drop="before" if applied == "before" else "after")

    scene.github.faults.append(fatal)
    with suppress(asyncio.CancelledError, Unanswered):
        await task
    scene.github.faults.clear()


def outside_code(body: str) -> str:
    """The text without fenced blocks and code spans."""
    body = re.sub(r"(?ms)^(`{3,})[^\n]*\n.*?^\1`*$", "", body)
    return re.sub(r"(?s)(`+)(?!`).*?(?<!`)\1(?!`)", "", body)
