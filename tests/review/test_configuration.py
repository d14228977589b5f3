"""Which configuration decides about a pull request, and what it shows of the others."""

from pathlib import Path

from bot.demo.standin import Repository
from bot.errands import PushErrand
from bot.run_errand import run_errand
from tests.review.conftest import Scene
from tests.review.test_review import EMISSION, KEYED

SUPPRESSED = EMISSION.replace("    stripe.b", "    # meteraudit: ignore MTR-201 the meter takes the last value\n    stripe.b")


def organisation(scene: Scene, text: str, folder: Path) -> Repository:
    """The organisation's file, with our App installed there too."""
    repo = scene.github.add_repository("acme/.github", folder / "org.git")
    scene.github.push(repo, "main", {".meteraudit.yml": text})
    next(iter(scene.github.world.installations.values())).repositories.add(repo.id)
    return repo


async def test_without_a_file_of_its_own_the_organisations_decides(scene: Scene, tmp_path: Path) -> None:
    organisation(scene, "version: 1\nmode: advisory\n", tmp_path)
    pull = scene.pull({"usage.py": EMISSION})

    await scene.review(pull)

    assert "neutral" == scene.check().conclusion
    assert "acme/.github" in (scene.check().summary or "")


async def test_an_organisations_file_without_our_app_on_it_has_no_say(scene: Scene, tmp_path: Path) -> None:
    repo = scene.github.add_repository("acme/.github", tmp_path / "org.git", private=False)
    scene.github.push(repo, "main", {".meteraudit.yml": "version: 1\nmode: advisory\n"})
    pull = scene.pull({"usage.py": EMISSION})

    await scene.review(pull)

    assert "failure" == scene.check().conclusion


async def test_a_locked_key_cannot_be_loosened(scene: Scene, tmp_path: Path) -> None:
    organisation(scene, "version: 1\nmode: blocking\nlocked: [mode]\n", tmp_path)
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nmode: advisory\n"})

    await scene.review(pull)

    assert "failure" == scene.check().conclusion
    assert "has locked mode" in (scene.check().summary or "")


async def test_a_file_of_its_own_that_extends_the_organisations_joins_both(scene: Scene, tmp_path: Path) -> None:
    organisation(scene, "version: 1\nmode: advisory\n", tmp_path)
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nextends: org\nmax_comments: 0\n"})

    await scene.review(pull)

    assert "neutral" == scene.check().conclusion
    assert [] == scene.comments(pull)


async def test_a_file_with_errors_leaves_the_last_valid_one_in_force(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nmax_comments: 0\n"})
    await scene.review(pull)
    scene.github.push(scene.repository, "main", {".meteraudit.yml": "version: 1\nmax_coments: 5\n"})

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert ("action_required", "Configuration error in .meteraudit.yml line 2") == (
        scene.check().conclusion,
        scene.check().title,
    )
    assert "as it was without errors" in (scene.check().summary or "")


async def test_a_tolerated_error_still_blocks_what_was_blocked_before(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\non_config_error: neutral\n"})
    await scene.review(pull)
    scene.github.push(scene.repository, "main", {".meteraudit.yml": "version: 1\nmax_coments: 5\n"})

    await scene.review(pull)

    assert "failure" == scene.check().conclusion


async def test_a_changed_configuration_is_previewed_and_not_applied(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION, ".meteraudit.yml": "version: 1\nmode: advisory\n"})

    await scene.review(pull)

    assert "failure" == scene.check().conclusion
    assert "mode advisory, the check would not block" in (scene.check().summary or "")


async def test_a_change_that_breaks_the_configuration_is_annotated_on_its_line(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED, ".meteraudit.yml": "version: 1\nfail_onn: high\n"})

    await scene.review(pull)

    [annotation] = scene.check().annotations
    assert (".meteraudit.yml", 2) == (annotation["path"], annotation["start_line"])
    assert "action_required" == scene.check().conclusion


async def test_where_the_organisation_wants_it_a_new_ignore_comment_must_be_approved(scene: Scene, tmp_path: Path) -> None:
    organisation(scene, "version: 1\nsuppressions: require_approval\n", tmp_path)
    pull = scene.pull({"usage.py": SUPPRESSED})

    await scene.review(pull)

    assert ("action_required", "1 new ignore comment to be approved") == (scene.check().conclusion, scene.check().title)


async def test_a_push_that_breaks_the_configuration_is_said_on_its_commit(scene: Scene) -> None:
    head = scene.github.push(scene.repository, "main", {".meteraudit.yml": "version: 2\n"})

    await run_errand(scene.reviewer, PushErrand(scene.installation, scene.repository.id, "main", head))
    await run_errand(scene.reviewer, PushErrand(scene.installation, scene.repository.id, "main", head))

    [run] = scene.github.check_runs(scene.repository)
    assert (head, "action_required") == (run.head_sha, run.conclusion)


async def test_a_push_of_a_valid_configuration_is_silent_and_kept(scene: Scene) -> None:
    head = scene.github.push(scene.repository, "main", {".meteraudit.yml": "version: 1\n"})

    await run_errand(scene.reviewer, PushErrand(scene.installation, scene.repository.id, "main", head))

    assert [] == scene.github.check_runs(scene.repository)
    assert (head, b"version: 1\n") == await scene.reviewer.memory.last_configuration(scene.repository.id)
