"""A change that is larger than what one review may ask of GitHub, or that GitHub has little left for."""

import pytest

from bot.choosing import FOR_FILES, REQUESTS
from bot.demo.standin import Fault
from bot.github.errors import Postponed
from bot.report.comments import is_retired
from bot.reviewers import in_turn
from tests.review.conftest import Scene, Skipping
from tests.review.test_review import EMISSION, KEYED

PLAIN = "def area(width, height):\n    return width * height\n"
MANY = FOR_FILES + 60


def many() -> dict[str, str | None]:
    return {f"shapes/shape_{number}.py": f"# {number}\n{PLAIN}" for number in range(MANY)}


async def test_of_a_change_beyond_the_budget_the_file_that_speaks_of_billing_is_read(scene: Scene) -> None:
    pull = scene.pull({**many(), "zz/usage.py": EMISSION})

    await scene.review(pull)

    assert ["zz/usage.py"] == [comment.path for comment in scene.comments(pull)]


async def test_a_review_keeps_within_its_budget_and_names_what_it_left_out(scene: Scene) -> None:
    pull = scene.pull({**many(), "zz/usage.py": EMISSION})
    before = len(scene.github.exchanges)

    await scene.review(pull)

    assert len(scene.github.exchanges) - before <= REQUESTS
    check = scene.check()
    assert f"Not analysed: {MANY + 1 - FOR_FILES} files" in (check.summary or "")
    assert f"more than {REQUESTS} requests" in (check.summary or "")
    assert (check.title or "").endswith(" · partial")


async def test_files_that_no_rule_reads_cost_no_request(scene: Scene) -> None:
    styles: dict[str, str | None] = {f"styles/{number}.css": f"b {{ margin: {number}px }}\n" for number in range(MANY)}
    pull = scene.pull({**styles, "usage.py": EMISSION})
    before = len(scene.github.exchanges)

    await scene.review(pull)

    assert len(scene.github.exchanges) - before < 60
    assert not (scene.check().title or "").startswith("Partial: ")


async def test_the_text_before_a_change_is_not_asked_for_where_the_patch_tells_it(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={"usage.py": EMISSION.replace("str(tokens)", "tokens")})

    await scene.review(pull)

    asked = [one.path for one in scene.github.exchanges if "/contents/usage.py" in one.path]
    assert [] == asked
    assert "completed" == scene.check().status


async def test_with_a_fifth_of_the_hourly_limit_left_comments_on_what_is_fixed_are_tidied_in_the_next_hour(
    scene: Scene, skipping: Skipping
) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)
    scene.github.push(scene.repository, "feature", {"usage.py": KEYED})
    scene.github.limits.hourly = 1000
    scene.github.world.used = 850

    with pytest.raises(Postponed) as postponed:
        await scene.review(pull)

    assert "success" == scene.check().conclusion
    assert [False] == [is_retired(one.body) for one in scene.comments(pull)]
    skipping.ahead += postponed.value.until - skipping.now() + 1
    await scene.review(pull)
    assert [True] == [is_retired(one.body) for one in scene.comments(pull)]


async def test_with_next_to_nothing_of_the_hourly_limit_left_no_review_begins_before_the_next_hour(
    scene: Scene, skipping: Skipping
) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.limits.hourly = 1000
    scene.github.world.used = 960

    with pytest.raises(Postponed) as postponed:
        await scene.review(pull)

    assert [] == scene.github.check_runs(scene.repository)
    skipping.ahead += postponed.value.until - skipping.now() + 1
    await scene.review(pull)
    assert "failure" == scene.check().conclusion


async def test_a_summary_that_github_finds_too_long_is_halved_until_it_is_taken(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    refusal = {"message": "Validation Failed", "errors": [{"message": "summary exceeds a maximum bytesize"}]}
    scene.github.faults.append(Fault(r"/check-runs/\d+$", "PATCH", times=2, status=422, body=refusal))

    await scene.review(pull)

    summary = scene.check().summary or ""
    assert "failure" == scene.check().conclusion
    assert summary.startswith("**Fails**")
    assert "GitHub refused the rest of this text" in summary
    before = len(scene.writes())
    await scene.review(pull)
    assert before == len(scene.writes())


async def test_a_review_that_waits_for_the_next_hour_holds_up_nobody_else(scene: Scene) -> None:
    async def run() -> None:
        raise Postponed("begin review", 2_000_000_000.0)

    with pytest.raises(Postponed):
        await in_turn(scene.reviewer, scene.installation, run)

    assert await scene.reviewer.memory.paused_until(scene.installation) is None
