"""The App reads a few files whose paths speak of the names that a pull request touches."""

from dataclasses import dataclass, replace

from bot.choosing import FOR_USERS
from rules.change import Change
from rules.engine import examine
from rules.options import Options
from rules.report import Report
from tests.review.conftest import Scene

RECORDER = """import stripe


def record_usage(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""
MODEL = """from app.usage import record_usage


def bill_answer(customer, question):
    answer = client.chat.completions.create(model="m", messages=[question])
    return answer
"""
RECORDS = MODEL.replace("    return", "    record_usage(customer, answer.usage.total_tokens, answer.id)\n    return")
CALLER = """from app.model import bill_answer
from app.usage import record_usage


def answer(customer, question):
    answer = bill_answer(customer, question)
    record_usage(customer, answer.usage.total_tokens, answer.id)
    return answer
"""


@dataclass
class Watched:
    """Judges as usual and keeps what it was given."""

    change: Change | None = None

    async def judged(self, change: Change, options: Options) -> Report:
        self.change = change
        return examine(change, options, "0")


async def given(scene: Scene, base: dict[str, str]) -> Change:
    """What a review judges of a change to `app/model.py`, in a repository with these files."""
    watched = Watched()
    pull = scene.pull({"app/model.py": RECORDS}, base={"app/model.py": MODEL, "app/usage.py": RECORDER, **base})
    scene.reviewer = replace(scene.reviewer, examine=watched.judged)
    await scene.review(pull)
    assert watched.change is not None
    return watched.change


async def test_a_caller_whose_path_speaks_of_the_name_is_read(scene: Scene) -> None:
    change = await given(scene, {"web/answer.py": CALLER, "web/bill.py": "def area(a, b):\n    return a * b\n"})

    assert {"app/usage.py", "web/answer.py"} == {*change.context}


async def test_files_whose_paths_say_nothing_are_not_asked_for(scene: Scene) -> None:
    before = len(scene.github.exchanges)
    await given(scene, {f"shapes/area_{number}.py": CALLER for number in range(30)})

    assert len(scene.github.exchanges) - before < 30


async def test_the_files_that_are_asked_for_are_bounded(scene: Scene) -> None:
    change = await given(scene, {f"web/answer_{number}.py": CALLER for number in range(FOR_USERS + 30)})

    assert FOR_USERS == len([path for path in change.context if path.startswith("web/")])


async def test_usage_that_an_unchanged_caller_records_as_well_is_commented_on(scene: Scene) -> None:
    pull = scene.pull(
        {"app/model.py": RECORDS}, base={"app/model.py": MODEL, "app/usage.py": RECORDER, "web/answer.py": CALLER}
    )

    await scene.review(pull)

    [comment] = scene.comments(pull)
    assert ("app/model.py", 6) == (comment.path, comment.line)
    assert "MTR-216" in comment.body
