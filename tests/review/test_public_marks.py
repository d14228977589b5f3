"""What a review leaves for others to see: the badge that a repository's owner switches on, and the operator's numbers."""

import re
from dataclasses import replace

from bot import reconcile
from bot.deliveries import PullRequestJob
from bot.errands import InstallationErrand, PushErrand
from bot.jobs.database import Database
from bot.jobs.figures import figures, public_score
from bot.reviewers import work_of
from bot.run_errand import run_errand
from tests.review.conftest import Scene

ON = {".meteraudit.yml": "version: 1\nbadge: true\n"}
OFF: dict[str, str | None] = {".meteraudit.yml": "version: 1\n"}
UNKEYED = """import stripe


def report(customer, tokens):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""


async def pushed(scene: Scene, files: dict[str, str | None], branch: str = "main") -> None:
    head = scene.github.push(scene.repository, branch, files)
    await run_errand(scene.reviewer, PushErrand(scene.installation, scene.repository.id, branch, head))


async def test_there_is_no_badge_unless_the_owner_wants_one(scene: Scene, database: Database) -> None:
    await scene.review(scene.pull({"usage.py": UNKEYED}))

    assert await public_score(database, "acme/api") is None


async def test_a_badge_appears_with_a_review_and_has_the_score_when_it_is_merged(scene: Scene, database: Database) -> None:
    pull = scene.pull({"usage.py": UNKEYED}, base=ON)
    await scene.review(pull)
    before = await public_score(database, "acme/api")
    scene.github.close(pull, merged=True)
    await scene.review(pull)

    assert ("acme/api", None) == before
    found = await public_score(database, "acme/api")
    assert found is not None
    assert found[1] in range(1, 11)


async def test_a_pull_request_cannot_switch_the_badge_on_by_itself(scene: Scene, database: Database) -> None:
    await scene.review(scene.pull({"usage.py": UNKEYED, **ON}))

    assert await public_score(database, "acme/api") is None


async def test_another_branch_than_the_default_one_has_no_say(scene: Scene, database: Database) -> None:
    scene.github.push(scene.repository, "old", dict(ON), start="main")
    scene.github.push(scene.repository, "feature", {"usage.py": UNKEYED}, start="old")
    await scene.review(scene.github.open_pull_request(scene.repository, "feature", "old"))
    await pushed(scene, dict(ON), "old")

    assert await public_score(database, "acme/api") is None


async def test_a_push_to_the_default_branch_switches_it_on_and_off_at_once(scene: Scene, database: Database) -> None:
    await pushed(scene, dict(ON))
    on = await public_score(database, "acme/api")
    await pushed(scene, OFF)

    assert on == ("acme/api", None)
    assert await public_score(database, "acme/api") is None


async def test_a_badge_goes_with_the_file_that_switched_it_on(scene: Scene, database: Database) -> None:
    await pushed(scene, dict(ON))
    await pushed(scene, {".meteraudit.yml": None})

    assert await public_score(database, "acme/api") is None


async def test_an_organisation_can_forbid_badges(scene: Scene, database: Database, tmp_path) -> None:  # type: ignore[no-untyped-def]
    home = scene.github.add_repository("acme/.github", tmp_path / "home.git")
    scene.github.push(home, "main", {".meteraudit.yml": "version: 1\nbadge: false\nlocked: [badge]\n"})
    next(iter(scene.github.world.installations.values())).repositories.add(home.id)

    await pushed(scene, {".meteraudit.yml": "version: 1\nextends: org\nbadge: true\n"})

    assert await public_score(database, "acme/api") is None


async def test_what_is_left_of_githubs_limit_is_kept_for_the_operator(scene: Scene, database: Database) -> None:
    pull = scene.pull({"usage.py": UNKEYED})
    await work_of(scene.reviewer).review(PullRequestJob(scene.installation, scene.repository.id, pull.number))

    [quota] = (await figures(database)).quotas
    assert (scene.installation, 5000) == (quota.installation_id, quota.hourly)
    assert quota.remaining is not None
    assert 4900 < quota.remaining < 5000


async def test_an_installation_that_has_not_granted_everything_is_named(scene: Scene, database: Database) -> None:
    installation = next(iter(scene.github.world.installations.values()))
    del installation.permissions["checks"]
    await run_errand(scene.reviewer, InstallationErrand(scene.installation, True))
    lacking = (await figures(database)).lacks
    installation.permissions["checks"] = "write"
    await reconcile.report_drift(scene.reviewer)

    assert [(str(scene.installation), "permission checks is none, must be write")] == [
        (one.name, one.problem) for one in lacking
    ]
    assert () == (await figures(database)).lacks


async def test_a_changed_registration_is_seen_and_seen_to_be_repaired(scene: Scene, database: Database) -> None:
    app = scene.github.apps[0]
    app.events.remove("merge_group")
    await reconcile.report_drift(scene.reviewer)
    lacking = (await figures(database)).lacks
    app.events.append("merge_group")
    await reconcile.report_drift(scene.reviewer)

    assert [("registration", "event merge_group is not subscribed")] == [(one.name, one.problem) for one in lacking]
    assert () == (await figures(database)).lacks
    assert (await figures(database)).compared_at is not None


async def test_the_scores_of_reviews_are_in_the_trend(scene: Scene, database: Database) -> None:
    pull = scene.pull({"usage.py": UNKEYED})
    await scene.review(pull)

    [score] = (await figures(database)).scores
    assert (scene.repository.id, pull.number, False) == (score.repository_id, score.pull_request, score.merged)
    scene.github.close(pull)
    await scene.review(pull)
    assert () == (await figures(database)).scores


async def test_a_check_leads_to_the_pages_of_its_rules(scene: Scene) -> None:
    scene.reviewer = replace(scene.reviewer, public_url="https://meter.acme.test/")
    await scene.review(scene.pull({"usage.py": UNKEYED}))

    url = scene.check().details_url or ""
    assert re.fullmatch(r"https://meter\.acme\.test/rules(/MTR-\d+|\?only=MTR-\d+(,MTR-\d+)*)", url)
    assert "MTR-201" in url


async def test_a_check_without_findings_leads_to_all_rules(scene: Scene) -> None:
    scene.reviewer = replace(scene.reviewer, public_url="https://meter.acme.test")
    await scene.review(scene.pull({"README.md": "nothing\n"}))

    assert "https://meter.acme.test/rules" == scene.check().details_url


async def test_without_a_public_address_a_check_leads_nowhere(scene: Scene) -> None:
    await scene.review(scene.pull({"usage.py": UNKEYED}))

    assert scene.check().details_url is None


async def test_an_installation_that_went_unheard_is_no_alert_any_more(scene: Scene, database: Database) -> None:
    await scene.reviewer.memory.keep_drift("12345", ("permission checks is none, must be write",))

    await reconcile.report_drift(scene.reviewer)

    assert () == (await figures(database)).lacks
