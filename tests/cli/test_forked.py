"""An audit in several processes."""

import os
from collections.abc import Sequence

import pytest

from bot import forked
from bot.forked import in_processes
from rules.change import Change, ChangedFile
from rules.engine import FileResult, Work, examine
from rules.options import Options

RECORDER = """
import stripe

def record_usage(customer, tokens):
    stripe.billing.MeterEvent.create(event_name="tokens", payload={"stripe_customer_id": customer, "value": str(tokens)})
"""


def handler(number: int) -> str:
    return f"""
from app.usage import record_usage

@router.post("/v1/answers/{number}")
def create_answer(request: Request, user: User):
    answer = client.chat.completions.create(model="m", messages=question_of(request))
    record_usage(user.customer, answer.usage.total_tokens)
    return answer
"""


def change() -> Change:
    handlers = [ChangedFile(f"app/answers_{number}.py", None, handler(number)) for number in range(forked.WORTHWHILE)]
    return Change("audit", (*handlers, ChangedFile("app/usage.py", None, RECORDER)))


def test_several_processes_give_the_same_report_as_one() -> None:
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("one processor")

    assert examine(change(), Options(), "test") == examine(change(), Options(), "test", each=in_processes)


def test_each_file_is_told_in_order() -> None:
    told: list[str] = []

    examine(change(), Options(), "test", lambda done: told.append(done.path), in_processes)

    assert [file.path for file in change().files] == told


def test_what_a_process_died_of_is_tried_again_here(monkeypatch: pytest.MonkeyPatch) -> None:
    here = os.getpid()

    def deadly(work: Work, files: Sequence[ChangedFile]) -> list[FileResult]:
        def dying(file: ChangedFile) -> FileResult:
            if file.path == "app/answers_20.py" and os.getpid() != here:
                os._exit(1)
            return work(file)

        return list(in_processes(dying, files))

    assert examine(change(), Options(), "test") == examine(change(), Options(), "test", each=deadly)
