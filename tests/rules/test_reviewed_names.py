"""A rule about what nobody does speaks in a review where every file that has the name is at hand."""

import pytest

from bot.patch import hunks_between
from rules.catalog.aggregation import counted_but_never_read
from rules.catalog.limits import limit_on_uncounted_counter
from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options
from rules.rule import Example
from tests.rules.examples import marked

UNREAD = next(one for one in counted_but_never_read.EXAMPLES if "<- finding" in one.code)
UNCOUNTED = next(one for one in limit_on_uncounted_counter.EXAMPLES if "<- finding" in one.code)


def found(example: Example, complete: set[str], **others: str) -> list[str]:
    """Which of the two rules speak of an example that is added by a change."""
    written = marked(example)
    file = ChangedFile(written.path, "", written.text, hunks_between("", written.text), written.path)
    context = {**written.context, **{f"app/{name}.py": text for name, text in others.items()}}
    change = Change("review", (file,), context=context, complete=frozenset(complete))
    return [one.rule for one in examine(change, Options(), "0").findings if one.rule in ("MTR-320", "MTR-415")]


@pytest.mark.parametrize(
    ("example", "name", "rule"), [(UNREAD, "minutesUsed", "MTR-320"), (UNCOUNTED, "monthly_usage", "MTR-415")]
)
def test_where_every_file_that_has_the_name_is_at_hand_it_speaks(example: Example, name: str, rule: str) -> None:
    assert [rule] == found(example, {name})


@pytest.mark.parametrize("example", [UNREAD, UNCOUNTED])
def test_where_other_files_may_have_the_name_it_is_quiet(example: Example) -> None:
    assert [] == found(example, {"tokens_used", "usage_this_period"})


def test_a_counter_that_any_other_file_speaks_of_may_be_read_there() -> None:
    assert [] == found(UNREAD, {"minutes_used"}, export='FIELDS = "minutes_used"\n')


def test_a_counter_that_another_file_sets_is_not_one_that_nothing_counts() -> None:
    assert [] == found(UNCOUNTED, {"monthly_usage"}, sync="def sync(account, row):\n    account.monthly_usage = row.total\n")


MODEL = """
from app.usage import record_usage

def ask_model(customer, question):
    answer = client.chat.completions.create(model="m", messages=[question])
    return answer
"""
RECORDS = MODEL.replace("    return", "    record_usage(customer, answer.usage.total_tokens, answer.id)\n    return")
USAGE = """
import stripe

def record_usage(customer, tokens, request_id):
    stripe.billing.MeterEvent.create(
        event_name="tokens",
        identifier=request_id,
        payload={"stripe_customer_id": customer, "value": str(tokens)},
    )
"""
CALLER = """
from app.model import ask_model
from app.usage import record_usage

def answer(customer, question):
    answer = ask_model(customer, question)
    record_usage(customer, answer.usage.total_tokens, answer.id)
    return answer
"""


def judged(before: str, after: str, **context: str) -> list[tuple[str, str, int]]:
    file = ChangedFile("app/model.py", before, after, hunks_between(before, after), "app/model.py")
    texts = {f"app/{name}.py": text for name, text in context.items()}
    findings = examine(Change("review", (file,), context=texts), Options(), "0").findings
    return [(one.rule, one.state, one.line) for one in findings if one.rule == "MTR-216"]


def test_a_record_that_an_unchanged_caller_makes_already_is_found_where_the_second_one_is_added() -> None:
    assert [("MTR-216", "new", 6)] == judged(MODEL, RECORDS, usage=USAGE, caller=CALLER)


def test_a_second_record_that_was_there_before_is_not_new() -> None:
    assert [("MTR-216", "existing", 7)] == judged(RECORDS, f"#\n{RECORDS}", usage=USAGE, caller=CALLER)


def test_a_caller_that_records_nothing_makes_no_second_record() -> None:
    quiet = "\n".join(line for line in CALLER.split("\n") if "record_usage(" not in line)

    assert [] == judged(MODEL, RECORDS, usage=USAGE, caller=quiet)


SIBLINGS = """
from app.usage import record_usage

@router.post("/answers")
async def create_answer(request: Request, user: User):
    answer = await client.chat.completions.create(model="m", messages=[])
    record_usage(user.customer, answer.usage.total_tokens, answer.id)
    return answer

@router.post("/titles")
async def create_title(request: Request, user: User):
    answer = await client.chat.completions.create(model="m", messages=[])
    record_usage(user.customer, answer.usage.total_tokens, answer.id)
    return answer
"""
LONE = """
from app.finish import finish

@router.post("/drafts")
async def create_draft(request: Request, user: User):
    answer = await client.chat.completions.create(model="m", messages=[])
    finish(user, answer)
    return answer
"""


def unmetered(**context: str) -> list[str]:
    file = ChangedFile("app/drafts.py", "", LONE, hunks_between("", LONE), "app/drafts.py")
    texts = {"app/usage.py": USAGE, "app/answers.py": SIBLINGS} | {f"app/{name}.py": text for name, text in context.items()}
    findings = examine(Change("review", (file,), context=texts), Options(), "0").findings
    return [one.rule for one in findings if one.rule == "MTR-130"]


def test_an_action_that_records_nothing_is_found_beside_unchanged_siblings() -> None:
    assert ["MTR-130"] == unmetered(finish="def finish(user, answer):\n    user.name = answer.name\n")


def test_an_action_whose_way_leads_out_of_view_may_record_there() -> None:
    assert [] == unmetered()
