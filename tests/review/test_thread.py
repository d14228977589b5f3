"""What is to be done with a comment: every state it can be in, without GitHub."""

from hypothesis import given
from hypothesis import strategies as st

from bot.memory import Remembered
from bot.report.comments import is_retired, retired_body
from bot.thread import Existing, Post, Remove, Restore, Retire, Rewrite, Situation, plan

BODY = "**[HIGH] A title**\n\nwords\n\n<!-- meteraudit:v1 fp=f1 rule=MTR-201 -->"


def situation(
    present: set[str], wanted: tuple[str, ...] = (), fate: str | None = "Fixed in abc1234.", **more: object
) -> Situation:
    body = str(more.pop("body", BODY))
    return Situation("abc1234def", frozenset(present), {}, lambda path, rule: fate, wanted, lambda *_: body, **more)  # type: ignore[arg-type]


def comment(number: int = 1, fingerprint: str = "f1", **more: object) -> Existing:
    return Existing(
        number, f"node{number}", fingerprint, "MTR-201", "a.py", **{"body": BODY, "place": (None, 3, "RIGHT"), **more}
    )  # type: ignore[arg-type]


GONE = retired_body(BODY, "Fixed in 0000000.")


def test_a_new_finding_is_posted() -> None:
    assert (Post("f1"),) == plan(situation({"f1"}, ("f1",)), [], {}).steps


def test_a_finding_that_has_its_comment_needs_nothing() -> None:
    assert () == plan(situation({"f1"}, ("f1",)), [comment()], {}).steps


def test_another_severity_is_another_heading() -> None:
    [step] = plan(situation({"f1"}, body=BODY.replace("HIGH", "LOW")), [comment()], {}).steps

    assert isinstance(step, Rewrite)


def test_other_words_below_the_same_heading_are_not_worth_an_edit() -> None:
    assert () == plan(situation({"f1"}, body=BODY.replace("words", "others")), [comment()], {}).steps


def test_a_finding_that_is_gone_is_retired_once() -> None:
    [step] = plan(situation(set()), [comment()], {}).steps

    assert isinstance(step, Retire)
    assert step.body is not None
    assert is_retired(step.body)
    assert () == plan(situation(set()), [comment(body=step.body, hidden=True)], {}).steps


def test_a_finding_that_nobody_looked_for_is_left_alone() -> None:
    assert () == plan(situation(set(), fate=None), [comment()], {}).steps


def test_a_finding_that_returns_is_restored() -> None:
    [step] = plan(situation({"f1"}), [comment(body=GONE)], {"f1": Remembered(1, "retired")}).steps

    assert step == Restore(comment(body=GONE), BODY, "Back in abc1234.")


def test_a_deleted_comment_is_dismissed_for_good() -> None:
    first = plan(situation({"f1"}, ("f1",)), [], {"f1": Remembered(1, "shown")})

    assert () == first.steps
    assert {"f1": Remembered(1, "dismissed")} == first.learned
    assert () == plan(situation({"f1"}, ("f1",)), [], first.learned).steps


def test_a_comment_that_we_deleted_ourselves_is_posted_again() -> None:
    assert (Post("f1"),) == plan(situation({"f1"}, ("f1",)), [], {"f1": Remembered(1, "retired")}).steps


def test_a_thread_that_was_opened_again_is_live_again() -> None:
    known = {"f1": Remembered(1, "acknowledged")}

    assert {"f1": Remembered(1, "shown")} == plan(situation({"f1"}), [comment(thread_id="t")], known).learned


def test_a_second_comment_that_people_answered_stays() -> None:
    assert () == plan(situation({"f1"}), [comment(), comment(2, replied=True)], {}).steps
    assert (Remove(comment(2)),) == plan(situation({"f1"}), [comment(), comment(2)], {}).steps


PRINTS = st.sampled_from(["f1", "f2", "f3"])


@given(
    st.sets(PRINTS),
    st.lists(
        st.builds(comment, st.integers(1, 9), PRINTS, body=st.sampled_from([BODY, GONE])), unique_by=lambda c: c.comment_id
    ),
    st.dictionaries(PRINTS, st.builds(Remembered, st.integers(1, 9), st.sampled_from(["shown", "retired", "dismissed"]))),
)
def test_nothing_is_posted_that_has_a_comment_or_was_dismissed(
    present: set[str], comments: list[Existing], known: dict[str, Remembered]
) -> None:
    steps = plan(situation(present, tuple(sorted(present))), comments, known).steps

    posted = {step.fingerprint for step in steps if isinstance(step, Post)}
    assert not posted & {one.fingerprint for one in comments}
    assert not posted & {print_ for print_, one in known.items() if one.state == "dismissed"}
    assert len(posted) == len([step for step in steps if isinstance(step, Post)])
