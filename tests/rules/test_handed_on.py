"""A failure that cannot come back, or after which the same is tried once more, is lost somewhere else, if at all."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

CALLER = """
from billing.sending import report_usage

def answer(account, prompt):
    text = complete(prompt)
    try:
        report_usage(account.id, text.tokens, idempotency_key=f"answer:{text.id}")
    except Exception:
        logger.exception("usage of %s is not booked", account.id)
    {after}
    return text
"""
TASK = """
from billing.queue import app

@app.task(name="usage.book")
def book_usage(account, tokens, key):
    {body}
"""
KEPT = """try:
        ledger.book_usage(account, tokens, key)
    except Exception:
        logger.exception("not booked")"""
SENDING = """
import asyncio
from billing.tasks import book_usage

async def send(account, tokens, key):
    await http.post("/usage", json=[account, tokens, key])

def queue_task(account, tokens, key):
    {hands_on}

def report_usage(account, tokens, idempotency_key):
    queue_task(account, tokens, idempotency_key)
"""


def said(after: str = "pass", hands_on: str = "db.add_usage(account, tokens, key)", task: str = "pass") -> bool:
    texts = {
        "billing/answers.py": CALLER.replace("{after}", after),
        "billing/sending.py": SENDING.replace("{hands_on}", hands_on),
        "billing/tasks.py": TASK.replace("{body}", task),
    }
    change = Change("review", tuple(ChangedFile(path, None, text) for path, text in texts.items()))
    found = examine(change, Options(), "test").findings
    return any(one.rule == "MTR-102" and one.path == "billing/answers.py" for one in found)


def test_what_fails_in_the_call_is_said() -> None:
    assert said()


@pytest.mark.parametrize(
    "hands_on",
    [
        "asyncio.create_task(send(account, tokens, key))",
        "threading.Thread(target=send, args=(account, tokens, key)).start()",
    ],
)
def test_a_task_that_is_started_beside_fails_for_itself(hands_on: str) -> None:
    assert not said(hands_on=hands_on)


@pytest.mark.parametrize(
    "hands_on", ["executor.submit(send, account, tokens, key).result()", "asyncio.run(send(account, tokens, key))"]
)
def test_one_that_is_waited_for_does_not(hands_on: str) -> None:
    assert said(hands_on=hands_on)


@pytest.mark.parametrize(("task", "expected"), [(KEPT, False), ("ledger.book_usage(account, tokens, key)", True)])
def test_a_task_of_a_queue_is_followed_to_its_body(task: str, expected: bool) -> None:
    assert said(hands_on="book_usage.delay(account, tokens, key)", task=task) is expected
    assert said(hands_on='app.send_task("usage.book", [account, tokens, key])', task=task) is expected


@pytest.mark.parametrize(("key", "expected"), [("answer", False), ("second", True)])
def test_the_same_report_further_down_books_what_is_missing(key: str, expected: bool) -> None:
    again = f'report_usage(account.id, text.tokens, idempotency_key=f"{key}:{{text.id}}")'
    assert said(after=again) is expected


def test_a_way_that_ends_before_the_second_report_books_nothing() -> None:
    again = (
        'if text.short:\n        return text\n    report_usage(account.id, text.tokens, idempotency_key=f"answer:{text.id}")'
    )
    assert said(after=again)


@pytest.mark.parametrize(
    ("words", "expected"), [("Best-effort: never throws.", "possible"), ("Counts what was asked.", "likely")]
)
def test_a_loss_that_was_decided_on_is_not_said(words: str, expected: str) -> None:
    text = f"""
/** {words} */
export async function noteSearch(accountId: string, cost: number): Promise<void> {{
  try {{
    await billing.recordUsage({{ accountId, cost, idempotencyKey: accountId }});
  }} catch (error) {{
    logger.warn("not recorded", error);
  }}
}}
"""
    change = Change("audit", (ChangedFile("src/billing/searches.ts", None, text),))
    assert [one.confidence for one in examine(change, Options(), "test").findings if one.rule == "MTR-102"] == [expected]


@pytest.mark.parametrize(
    ("words", "expected"), [("Best-effort: it must never break the search.", "possible"), ("Counts the search.", "likely")]
)
def test_a_docstring_says_as_well_that_a_loss_was_decided_on(words: str, expected: str) -> None:
    text = f"""
def note_search(account_id: str, cost: int) -> None:
    \"\"\"{words}\"\"\"
    try:
        billing.record_usage(account_id, cost, idempotency_key=account_id)
    except Exception:
        logger.warning("not recorded")
"""
    change = Change("audit", (ChangedFile("app/billing/searches.py", None, text),))
    assert [one.confidence for one in examine(change, Options(), "test").findings if one.rule == "MTR-102"] == [expected]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("The next sync re-posts the\n// whole figure, so a lost one heals.", "possible"),
        ("Posts the figure to the\n// provider.", "likely"),
    ],
)
def test_a_comment_of_several_lines_says_that_the_next_run_makes_it_good(words: str, expected: str) -> None:
    text = f"""
// noteSeats counts the seats. {words}
export async function noteSeats(accountId: string, seats: number): Promise<void> {{
  queue.defer(async () => {{
    try {{
      await billing.recordUsage({{ accountId, seats, idempotencyKey: accountId }});
    }} catch (error) {{
      logger.warn("not recorded", error);
    }}
  }});
}}
"""
    change = Change("audit", (ChangedFile("src/billing/seats.ts", None, text),))
    assert [one.confidence for one in examine(change, Options(), "test").findings if one.rule == "MTR-102"] == [expected]
