"""Commands and buttons on a pull request, from the comment to what it changes."""

import pytest

from bot.demo.standin import Comment, IssueComment, PullRequest
from bot.errands import ButtonErrand, CommandErrand
from bot.run_errand import run_errand
from tests.review.conftest import Scene
from tests.review.test_review import EMISSION, KEYED


async def say(scene: Scene, pull: PullRequest, login: str, body: str) -> IssueComment:
    """A comment in the conversation, and what our App makes of it, reviews that it asks for included."""
    said = scene.github.say(pull, login, body)
    await run_errand(
        scene.reviewer, CommandErrand(scene.installation, scene.repository.id, pull.number, said.id, on_line=False)
    )
    await scene.work_off()
    return said


async def reply(scene: Scene, pull: PullRequest, to: Comment, login: str, body: str) -> Comment:
    said = scene.github.reply(to, login, body)
    await run_errand(scene.reviewer, CommandErrand(scene.installation, scene.repository.id, pull.number, said.id, on_line=True))
    await scene.work_off()
    return said


async def press(scene: Scene, pull: PullRequest, identifier: str, login: str | None) -> None:
    head = scene.github.head(pull)
    await run_errand(scene.reviewer, ButtonErrand(scene.installation, scene.repository.id, head, identifier, login))
    await scene.work_off()


def answers(scene: Scene, pull: PullRequest) -> list[str]:
    return [one.body for one in scene.github.talk(pull) if one.author.login == "meteraudit[bot]"]


@pytest.fixture
async def pull(scene: Scene) -> PullRequest:
    scene.repository.roles |= {"wendy": "write", "max": "maintain", "rita": "read"}
    for login in scene.repository.roles:
        scene.github.world.person(login)
    one = scene.pull({"usage.py": EMISSION}, author="ada")
    await scene.review(one)
    return one


async def test_help_is_answered_and_acknowledged(scene: Scene, pull: PullRequest) -> None:
    said = await say(scene, pull, "rita", "/meteraudit help")

    assert ["eyes", "+1"] == scene.github.reactions(said)
    assert "| `override reason: …` |" in answers(scene, pull)[0]


async def test_a_command_that_is_run_twice_is_answered_once(scene: Scene, pull: PullRequest) -> None:
    said = await say(scene, pull, "rita", "/meteraudit help")
    await run_errand(
        scene.reviewer, CommandErrand(scene.installation, scene.repository.id, pull.number, said.id, on_line=False)
    )

    assert 1 == len(answers(scene, pull))


async def test_our_own_answer_starts_nothing(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "rita", "/meteraudit help")

    await say(scene, pull, "meteraudit[bot]", "/meteraudit help")

    assert 1 == len([one for one in answers(scene, pull) if "| Command |" in one])


async def test_another_bot_starts_nothing(scene: Scene, pull: PullRequest) -> None:
    scene.github.world.person("renovate[bot]", "Bot")

    said = await say(scene, pull, "renovate[bot]", "/meteraudit rerun")

    assert [] == scene.github.reactions(said)


async def test_rerun_makes_a_new_check_run_with_no_annotation_twice(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "ada", "/meteraudit rerun")

    runs = scene.github.check_runs(scene.repository)
    assert [("completed", "failure")] * 2 == [(run.status, run.conclusion) for run in runs]
    assert 1 == len(scene.comments(pull))


async def test_who_may_not_write_gets_a_thumb_down_and_changes_nothing(scene: Scene, pull: PullRequest) -> None:
    said = await say(scene, pull, "rita", "/meteraudit ignore MTR-201 reason: I say so")

    assert ["eyes", "-1"] == scene.github.reactions(said)
    assert 1 == len(answers(scene, pull))
    assert "failure" == scene.check().conclusion


async def test_ignore_with_a_reason_takes_the_finding_out_of_the_verdict(scene: Scene, pull: PullRequest) -> None:
    said = await say(scene, pull, "wendy", "/meteraudit ignore MTR-201 reason: the meter takes the last value")

    [comment] = scene.comments(pull)
    assert "success" == scene.check().conclusion
    assert "Ignored by command" in (scene.check().summary or "")
    assert f"#issuecomment-{said.id}" in (scene.check().summary or "")
    assert "Ignored by `wendy`" in comment.body


async def test_ignore_without_a_reason_is_refused(scene: Scene, pull: PullRequest) -> None:
    said = await say(scene, pull, "wendy", "/meteraudit ignore MTR-201")

    assert ["eyes", "confused"] == scene.github.reactions(said)
    assert "reason" in answers(scene, pull)[0]
    assert "failure" == scene.check().conclusion


async def test_unignore_takes_it_back(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "wendy", "/meteraudit ignore MTR-201 reason: the meter takes the last value")
    await say(scene, pull, "wendy", "/meteraudit unignore MTR-201")

    assert "failure" == scene.check().conclusion
    assert not scene.comments(pull)[0].body.startswith("~~")


async def test_an_answer_in_our_thread_is_about_its_finding(scene: Scene, pull: PullRequest) -> None:
    [comment] = scene.comments(pull)

    said = await reply(scene, pull, comment, "wendy", "ignore reason: the meter takes the last value")

    assert ["eyes", "+1"] == scene.github.reactions(said)
    assert "success" == scene.check().conclusion


async def test_an_answer_in_somebody_elses_thread_is_conversation(scene: Scene, pull: PullRequest) -> None:
    other = scene.github.comment_by(pull, "mallory", "usage.py", 5, scene.comments(pull)[0].body)

    said = await reply(scene, pull, other, "wendy", "ignore reason: the meter takes the last value")

    assert [] == scene.github.reactions(said)
    assert "failure" == scene.check().conclusion


async def test_a_paused_pull_request_is_neutral_and_says_who_paused_it(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "wendy", "/meteraudit pause")

    assert ("neutral", "Paused by wendy") == (scene.check().conclusion, scene.check().title)

    await say(scene, pull, "wendy", "/meteraudit resume")

    assert "failure" == scene.check().conclusion


async def test_override_passes_this_commit_only_and_visibly(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "max", "/meteraudit override reason: incident 12")

    assert ("success", "Overridden by max") == (scene.check().conclusion, scene.check().title)
    assert "**Overridden**" in (scene.check().summary or "")

    scene.github.push(scene.repository, "feature", {"other.md": "x\n"})
    await scene.review(pull)

    assert "failure" == scene.check().conclusion


async def test_override_takes_a_maintainer(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "wendy", "/meteraudit override reason: incident 12")

    assert "failure" == scene.check().conclusion


async def test_config_shows_what_is_in_force_and_from_where(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED}, base={".meteraudit.yml": "version: 1\nmax_comments: 3\n"}, author="ada")

    await say(scene, pull, "ada", "/meteraudit config")

    assert "max_comments: 3" in answers(scene, pull)[0]
    assert ".meteraudit.yml on main" in answers(scene, pull)[0]


async def test_explain_shows_the_page_of_a_rule(scene: Scene, pull: PullRequest) -> None:
    await say(scene, pull, "ada", "/meteraudit explain MTR-201")
    await say(scene, pull, "ada", "/meteraudit explain nonsense")

    assert "missing-idempotency-key" in answers(scene, pull)[0]
    assert "There is no rule `nonsense`" in answers(scene, pull)[1]


async def test_after_ten_commands_an_hour_the_rest_is_refused(scene: Scene, pull: PullRequest) -> None:
    for _ in range(10):
        await say(scene, pull, "ada", "/meteraudit explain MTR-201")

    said = await say(scene, pull, "ada", "/meteraudit explain MTR-201")

    assert ["confused"] == scene.github.reactions(said)


async def test_a_locked_conversation_still_obeys(scene: Scene, pull: PullRequest) -> None:
    pull.locked = True

    await say(scene, pull, "max", "/meteraudit override reason: incident 12")

    assert "success" == scene.check().conclusion


async def test_the_button_explains_the_configuration_once(scene: Scene, pull: PullRequest) -> None:
    await press(scene, pull, "explain_config", "wendy")
    await press(scene, pull, "explain_config", "wendy")

    assert 1 == len([one for one in answers(scene, pull) if ".meteraudit.yml" in one])


async def test_the_button_of_the_check_needs_the_right_to_use_it(scene: Scene, pull: PullRequest) -> None:
    await press(scene, pull, "rerun", "rita")

    assert 1 == len(scene.github.check_runs(scene.repository))


async def test_githubs_own_rerun_is_answered_with_a_new_run(scene: Scene, pull: PullRequest) -> None:
    await press(scene, pull, "rerun", None)

    assert ["completed", "completed"] == [run.status for run in scene.github.check_runs(scene.repository)]


async def test_a_check_has_its_two_buttons(scene: Scene, pull: PullRequest) -> None:
    assert {"rerun", "explain_config"} == {one["identifier"] for one in scene.check().actions}
