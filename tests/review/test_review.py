"""One pull request reviewed through real parts: git, HTTP, and a GitHub that refuses what GitHub refuses."""

from dataclasses import replace

import pytest

from bot.demo.standin import Fault, Review
from bot.github.errors import Unanswered
from rules.change import Change
from rules.engine import examine
from rules.options import Options
from rules.report import Report
from tests.review.conftest import Scene

EMISSION = """import stripe


def report(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""
KEYED = EMISSION.replace('"tokens",\n', '"tokens",\n        identifier=request_id,\n', 1)
EXPORT = """import Stripe from "stripe";
const stripe = new Stripe(process.env.STRIPE_KEY!);

export async function report(customer: string, pages: number) {
  await stripe.billing.meterEvents.create({
    event_name: "pages",
    payload: { stripe_customer_id: customer, value: String(pages) },
  });
}
"""


async def test_a_defect_becomes_a_comment_on_its_lines_and_a_failing_check(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})

    await scene.review(pull)

    [comment] = scene.comments(pull)
    assert ("usage.py", "RIGHT") == (comment.path, comment.side)
    assert 5 <= (comment.line or 0) <= 8
    assert "MTR-201" in comment.body
    assert ("completed", "failure") == (scene.check().status, scene.check().conclusion)
    assert (scene.check().title or "").startswith("Blocked: ")


async def test_a_fix_is_offered_as_a_suggestion_on_exactly_the_lines_it_replaces(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})

    await scene.review(pull)

    [comment] = scene.comments(pull)
    assert "```suggestion\n" in comment.body
    assert (None, 7) == (comment.start_line, comment.line)


async def test_all_comments_come_in_one_review(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION, "export.ts": EXPORT})

    await scene.review(pull)

    assert 2 == len(scene.comments(pull))
    assert 1 == len(scene.github.reviews(scene.repository, pull.number))


async def test_a_clean_change_gets_a_passing_check_and_no_comment(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED})

    await scene.review(pull)

    assert [] == scene.github.reviews(scene.repository, pull.number)
    assert ("success", "Passed: 10/10 · no findings") == (scene.check().conclusion, scene.check().title)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("README.md", "# API\n\nUsage: bill the customer with `stripe.billing.meterEvents.create`.\n"),
        ("web/app.css", ".usage { color: red }\n"),
        ("web/limiter.ts", "export const limit = (calls: number, max: number) => { if (calls > max) throw new Error(); };\n"),
        (
            "metrics.py",
            "from prometheus_client import Counter\nusage = Counter('usage', 'x')\n\ndef record_usage(n):\n    usage.inc(n)\n",
        ),
    ],
)
async def test_a_change_that_meters_nothing_passes_and_says_so(scene: Scene, path: str, text: str) -> None:
    pull = scene.pull({path: text})

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert ("success", "Nothing metered in this change") == (scene.check().conclusion, scene.check().title)


async def test_a_second_run_on_the_same_head_writes_nothing(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)
    before = len(scene.writes())

    await scene.review(pull)

    assert [] == scene.writes()[before:]


async def test_an_unrelated_push_brings_no_new_comment(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)
    scene.github.push(scene.repository, "feature", {"README.md": "# The API\n"})

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))
    assert 2 == len(scene.github.check_runs(scene.repository))
    assert "failure" == scene.check().conclusion


async def test_moved_lines_bring_no_new_comment(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)
    scene.github.push(scene.repository, "feature", {"usage.py": "import os\n\n" + EMISSION})

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))


async def test_what_was_wrong_before_is_counted_and_not_said(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION + "\n\nLIMIT = 3\n"}, base={"usage.py": EMISSION})

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert "success" == scene.check().conclusion


async def test_a_push_while_the_files_are_read_starts_over_on_the_new_head(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    old = scene.github.head(pull)
    scene.github.faults.append(
        Fault(r"/git/blobs/", "GET", run=lambda: scene.github.push(scene.repository, "feature", {"usage.py": KEYED}))
    )

    await scene.review(pull)

    assert [] == scene.comments(pull)
    runs = {run.head_sha: run.conclusion for run in scene.github.check_runs(scene.repository)}
    assert {old: "cancelled", scene.github.head(pull): "success"} == runs


async def test_a_push_just_before_posting_keeps_comments_off_the_old_head(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    old = scene.github.head(pull)

    async def then_push(change: Change, options: Options) -> Report:
        if change.head == old:
            scene.github.push(scene.repository, "feature", {"usage.py": KEYED})
        return examine(change, options, "0")

    scene.reviewer = replace(scene.reviewer, examine=then_push)

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert "success" == scene.check().conclusion


async def test_a_review_whose_answer_is_lost_is_not_posted_twice(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(Fault(r"/reviews$", "POST", drop="after"))

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))
    assert "failure" == scene.check().conclusion


async def test_a_failure_of_github_is_said_on_the_check_and_raised_for_another_try(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.faults.append(Fault(r"/reviews$", "POST", status=502, body="<html>"))

    with pytest.raises(Unanswered):
        await scene.review(pull)

    assert "neutral" == scene.check().conclusion
    assert (scene.check().title or "").startswith("Could not finish")

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))
    assert "failure" == scene.check().conclusion


REFUSAL = {"message": "Unprocessable Entity", "errors": ["Line could not be resolved"]}


async def test_a_comment_that_github_refuses_on_its_line_stands_on_its_file(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION, "export.ts": EXPORT})
    scene.github.faults.append(Fault(r"/reviews$", "POST", times=2, status=422, body=REFUSAL))

    await scene.review(pull)

    assert ["file", "line"] == sorted(one.subject_type for one in scene.comments(pull))
    assert [] == scene.check().annotations
    assert "failure" == scene.check().conclusion


async def test_a_comment_that_github_refuses_on_line_and_file_is_an_annotation(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION, "export.ts": EXPORT})
    scene.github.faults.append(Fault(r"/reviews$", "POST", times=2, status=422, body=REFUSAL))
    scene.github.faults.append(Fault(r"/comments$", "POST", status=422, body=REFUSAL))

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))
    assert 1 == len(scene.check().annotations)


async def test_a_pending_review_of_ours_is_cleared_away(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    standin = scene.github.world
    bot = standin.person("meteraudit[bot]", "Bot")
    standin.reviews[1] = Review(1, pull, bot, "", "PENDING", scene.github.head(pull), None)

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))


async def test_a_locked_conversation_gets_annotations_instead_of_comments(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    pull.locked = True

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert 1 == len(scene.check().annotations)


async def test_a_forged_marker_silences_nothing(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    await scene.review(pull)
    [ours] = scene.comments(pull)
    marker = ours.body[ours.body.rindex("<!--") :]
    other = scene.pull({"usage.py": EMISSION, "x.md": "x\n"})
    scene.github.comment_by(other, "mallory", "usage.py", 5, f"fine\n\n{marker}")

    await scene.review(other)

    assert ["mallory", "meteraudit[bot]"] == sorted(one.author.login for one in scene.comments(other))


async def test_the_configuration_of_the_pull_request_itself_has_no_effect(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION, ".meteraudit.yml": "version: 1\nmode: advisory\nrules:\n  MTR-201: off\n"})

    await scene.review(pull)

    assert "failure" == scene.check().conclusion


async def test_the_configuration_on_the_base_branch_decides(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nmode: advisory\n"})

    await scene.review(pull)

    assert "neutral" == scene.check().conclusion
    assert (scene.check().title or "").startswith("Advisory: ")


async def test_an_error_in_the_configuration_is_shown_with_its_line(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={".meteraudit.yml": "version: 1\nfail_onn: high\n"})

    await scene.review(pull)

    assert ("action_required", "Configuration error in .meteraudit.yml line 2") == (
        scene.check().conclusion,
        scene.check().title,
    )
    assert ".meteraudit.yml:2:1" in (scene.check().summary or "")


async def test_a_draft_is_left_alone(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, draft=True)

    await scene.review(pull)

    assert ("neutral", "Draft: not reviewed") == (scene.check().conclusion, scene.check().title)
    assert [] == scene.comments(pull)


async def test_a_pull_request_with_a_skip_label_passes_and_names_it(scene: Scene) -> None:
    base = {".meteraudit.yml": "version: 1\nskip:\n  labels: [no-audit]\n"}
    pull = scene.pull({"usage.py": EMISSION}, base=base, labels=["no-audit"])

    await scene.review(pull)

    assert ("success", "Skipped: label no-audit is in skip.labels") == (scene.check().conclusion, scene.check().title)


async def test_a_pull_request_from_a_deleted_fork_is_reviewed(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, deleted_fork="ghost")

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))


async def test_a_file_that_cannot_be_judged_is_named(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION, "big.py": "# usage\n" * 80_000})

    await scene.review(pull)

    assert "big.py" in (scene.check().summary or "")
    assert "512 kB" in (scene.check().summary or "")


async def test_an_ignore_comment_with_a_reason_silences_its_line(scene: Scene) -> None:
    marked = EMISSION.replace("    stripe.b", "    # meteraudit: ignore MTR-201 the meter takes the last value\n    stripe.b")
    pull = scene.pull({"usage.py": marked})

    await scene.review(pull)

    assert [] == scene.comments(pull)
    assert "the meter takes the last value" in (scene.check().summary or "")


async def test_a_closed_pull_request_is_not_touched(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION})
    scene.github.close(pull)

    await scene.review(pull)

    assert [] == scene.github.check_runs(scene.repository)


async def test_unchanged_files_that_matter_are_read_and_no_others(scene: Scene) -> None:
    base = {
        "models.py": "class UsageEvent:\n    pass\n",
        "prisma/schema.prisma": "model UsageEvent {\n  id Int @id\n}\n",
        "x.py": "y = 1\n",
    }
    pull = scene.pull({"usage.py": "from models import UsageEvent\n" + EMISSION}, base=base)
    seen: list[Change] = []

    async def remembered(change: Change, options: Options) -> Report:
        seen.append(change)
        return examine(change, options, "0")

    scene.reviewer = replace(scene.reviewer, examine=remembered)

    await scene.review(pull)

    assert {"models.py", "prisma/schema.prisma"} == set(seen[0].context)


async def test_a_removed_key_is_said_on_the_deleted_line(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, base={"usage.py": KEYED})

    await scene.review(pull)

    [comment] = scene.comments(pull)
    assert ("LEFT", 7) == (comment.side, comment.line)
    assert "MTR-215" in comment.body


async def test_the_summary_traces_each_meter(scene: Scene) -> None:
    pull = scene.pull({"usage.py": KEYED})

    await scene.review(pull)

    assert "| `tokens` | not visible here | `usage.py:5` |" in (scene.check().summary or "")


async def test_a_pull_request_of_a_bot_is_reviewed_like_any_other(scene: Scene) -> None:
    pull = scene.pull({"usage.py": EMISSION}, author="dependabot[bot]")

    await scene.review(pull)

    assert 1 == len(scene.comments(pull))
    assert "failure" == scene.check().conclusion
