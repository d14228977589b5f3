"""The conversation on a pull request, push after push: nothing said twice, nothing left standing that is no longer so."""

import pytest

from bot.demo.standin import Comment, Fault, PullRequest
from bot.github.errors import Unanswered
from tests.review.conftest import Scene
from tests.review.test_review import EMISSION, EXPORT, KEYED

SUPPRESSED = EMISSION.replace("    stripe.b", "    # meteraudit: ignore MTR-201 the meter takes the last value\n    stripe.b")
FORBIDDEN = {"data": {"minimizeComment": None}, "errors": [{"type": "FORBIDDEN", "message": "no"}]}


async def reviewed(scene: Scene, **files: str | None) -> tuple[PullRequest, Comment]:
    """A pull request with one comment of ours."""
    pull = scene.pull({"usage.py": EMISSION, **files})
    await scene.review(pull)
    return pull, scene.comments(pull)[0]


async def push(scene: Scene, pull: PullRequest, text: str | None, path: str = "usage.py") -> str:
    head = scene.github.push(scene.repository, "feature", {path: text})
    await scene.review(pull)
    return head


async def test_a_fixed_finding_is_struck_through_with_the_commit_and_minimised(scene: Scene) -> None:
    pull, comment = await reviewed(scene)

    head = await push(scene, pull, KEYED)

    assert comment.body.startswith("~~**[")
    assert f"Fixed in {head[:7]}." in comment.body
    assert "resolved" == comment.minimized
    assert "success" == scene.check().conclusion


async def test_a_fixed_finding_is_not_touched_again(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    first = await push(scene, pull, KEYED)

    await push(scene, pull, KEYED + "\n\nX = 1\n")

    assert f"Fixed in {first[:7]}." in comment.body


async def test_a_finding_whose_file_leaves_the_change_is_struck_through_and_says_so(scene: Scene) -> None:
    pull, comment = await reviewed(scene, **{"other.md": "x\n"})

    await push(scene, pull, None)

    assert "No longer in this pull request" in comment.body


async def test_a_finding_that_comes_back_reopens_its_comment(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    words = comment.body
    await push(scene, pull, KEYED)

    head = await push(scene, pull, EMISSION)

    assert words.partition("\n")[0] == comment.body.partition("\n")[0]
    assert comment.minimized is None
    assert [f"Back in {head[:7]}."] == [one.body for one in scene.comments(pull) if one.in_reply_to == comment.id]
    assert "back again" in (scene.check().summary or "")
    assert "failure" == scene.check().conclusion


async def test_a_finding_that_comes_back_after_we_died_is_announced_once(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    await push(scene, pull, KEYED)
    scene.github.push(scene.repository, "feature", {"usage.py": EMISSION})
    scene.github.faults.append(Fault(r"/pulls/comments/\d+$", "PATCH", status=502))
    with pytest.raises(Unanswered):
        await scene.review(pull)
    assert comment.body.startswith("~~")

    await scene.review(pull)

    assert not comment.body.startswith("~~")
    assert 1 == len([one for one in scene.comments(pull) if one.in_reply_to == comment.id])


async def test_a_comment_that_a_human_deleted_is_not_said_again_and_still_counts(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    scene.github.delete_comment(comment)

    await push(scene, pull, "import os\n" + EMISSION)

    assert [] == scene.comments(pull)
    assert "failure" == scene.check().conclusion
    assert "comment was deleted, not said again: 1" in (scene.check().summary or "")
    assert [] == scene.check().annotations


async def test_a_thread_that_a_human_resolved_stays_silent_and_still_counts(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    words = comment.body
    scene.github.resolve(comment, "ada")

    await push(scene, pull, "import os\n" + EMISSION)

    assert [comment] == scene.comments(pull)
    assert words == comment.body
    assert "failure" == scene.check().conclusion


async def test_a_thread_that_a_human_resolved_does_not_count_where_the_configuration_says_so(scene: Scene) -> None:
    scene.github.push(scene.repository, "main", {".meteraudit.yml": "version: 1\nresolved_threads: ignore\n"})
    pull, comment = await reviewed(scene)
    assert "failure" == scene.check().conclusion
    scene.github.resolve(comment, "ada")

    await scene.review(pull)

    assert "success" == scene.check().conclusion
    assert [comment] == scene.comments(pull)
    assert not comment.body.startswith("~~")


async def test_an_acknowledged_finding_that_comes_back_stays_silent(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    scene.github.resolve(comment, "ada")
    await scene.review(pull)
    await push(scene, pull, KEYED)
    assert comment.body.startswith("~~")

    await push(scene, pull, EMISSION)

    assert [comment] == scene.comments(pull)
    assert comment.body.startswith("~~")


async def test_an_ignore_comment_with_a_reason_retires_the_comment_with_the_reason(scene: Scene) -> None:
    pull, comment = await reviewed(scene)

    await push(scene, pull, SUPPRESSED)

    assert "Suppressed in the code: the meter takes the last value" in comment.body
    assert "success" == scene.check().conclusion
    assert "New ignore comments in this change: 1" in (scene.check().summary or "")


async def test_what_was_not_analysed_this_time_is_left_untouched(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    words = comment.body

    await push(scene, pull, KEYED + "# usage\n" * 80_000)

    assert words == comment.body
    assert comment.minimized is None


async def test_nothing_is_said_twice_in_many_pushes(scene: Scene) -> None:
    pull, _ = await reviewed(scene, **{"export.ts": EXPORT})
    for number in range(3):
        await push(scene, pull, "\n" * number + EMISSION)
        await push(scene, pull, "\n" * number + EXPORT, "export.ts")

    assert 2 == len(scene.comments(pull))
    assert 1 == len(scene.github.reviews(scene.repository, pull.number))


async def test_a_comment_that_people_answered_is_never_deleted(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    scene.github.reply(comment, "ada", "Good catch")
    scene.github.faults.append(Fault(r"/graphql", "POST", times=None, status=200, body=FORBIDDEN))

    await push(scene, pull, KEYED)

    assert comment in scene.comments(pull)
    assert comment.body.startswith("~~")


async def test_where_hiding_fails_for_a_moment_it_is_tried_again(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    passing = {"data": None, "errors": [{"message": "Something went wrong while executing your query"}]}
    scene.github.faults.append(Fault(r"/graphql", "POST", skip=1, status=200, body=passing))

    await push(scene, pull, KEYED)
    assert comment.minimized is None
    await scene.review(pull)

    assert "resolved" == comment.minimized
    assert comment in scene.comments(pull)


async def test_where_hiding_is_refused_a_comment_without_answers_is_deleted(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    scene.github.faults.append(Fault(r"/graphql", "POST", skip=1, times=None, status=200, body=FORBIDDEN))

    await push(scene, pull, KEYED)
    assert comment not in scene.comments(pull)
    await push(scene, pull, EMISSION)

    assert 1 == len(scene.comments(pull))


async def test_with_contents_write_the_thread_is_resolved_and_opened_again(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    installation = next(iter(scene.github.world.installations.values()))
    installation.permissions["contents"] = "write"
    for grant in scene.github.world.grants.values():
        grant.permissions["contents"] = "write"

    await push(scene, pull, KEYED)
    assert comment.resolved_by is not None
    await push(scene, pull, EMISSION)

    assert comment.resolved_by is None


async def test_a_comment_posted_twice_is_reduced_to_one(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    double = scene.github.comment_by(pull, "meteraudit[bot]", "usage.py", 7, comment.body)

    await scene.review(pull)

    assert [comment] == scene.comments(pull)
    assert double.id > comment.id


async def test_a_lost_database_brings_no_second_comment(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    await scene.reviewer.memory.forget_repository(scene.repository.id)

    await push(scene, pull, "import os\n" + EMISSION)

    assert [comment] == scene.comments(pull)


async def test_a_marker_in_an_answer_of_somebody_else_changes_nothing(scene: Scene) -> None:
    pull, comment = await reviewed(scene)
    scene.github.reply(comment, "mallory", comment.body)

    await push(scene, pull, KEYED)

    assert 2 == len(scene.comments(pull))
    assert comment.body.startswith("~~")


async def test_a_renamed_file_keeps_its_comment(scene: Scene) -> None:
    base = EMISSION.replace("stripe.billing.MeterEvent.create", "print") + "# more\n" * 30
    pull = scene.pull({"usage.py": EMISSION + "# more\n" * 30}, base={"usage.py": base})
    await scene.review(pull)
    [comment] = scene.comments(pull)

    scene.github.push(scene.repository, "feature", {"usage.py": None, "meter.py": EMISSION + "# more\n" * 30})
    await scene.review(pull)

    assert [comment] == scene.comments(pull)
    assert not comment.body.startswith("~~")
