"""The net under every text that leaves: no credential, no stack trace, no size that GitHub refuses."""

import pytest

from bot.github.drafts import Annotation, CheckOutput, CheckRunDraft
from bot.github.outbound import LONGEST, clean, cleaned

TOKEN = "ghs_99_eyJhbGciOi.JSUzI1-NiJ9.secretsecret"
TRACE = """Oops
Traceback (most recent call last):
  File "/srv/bot/review.py", line 7, in review
    raise X
KeyError: 'x'
End"""


@pytest.mark.parametrize("name", ["body", "title", "summary", "text", "message", "raw_details"])
def test_no_text_that_people_read_holds_a_token(name: str) -> None:
    assert TOKEN not in str(cleaned({"outer": [{name: f"see {TOKEN}"}]}))


def test_a_stack_trace_becomes_a_word() -> None:
    assert "review.py" not in clean(TRACE)
    assert "Oops\n[internal error]\nEnd" == clean(TRACE)


def test_a_private_key_is_masked() -> None:
    assert "MIIE" not in clean("-----BEGIN RSA PRIVATE KEY-----\nMIIEow\n-----END RSA PRIVATE KEY-----")


def test_a_body_is_never_longer_than_github_takes() -> None:
    assert LONGEST + 1 == len(clean("x" * 100_000))


def test_a_clean_text_stays_as_it_is() -> None:
    text = "**[HIGH] A title**\n\n```python\na = 1\n```\n"

    assert text == clean(text) == clean(clean(text))


def test_what_is_left_out_of_a_draft_stays_left_out() -> None:
    draft = CheckRunDraft(status="completed", output=CheckOutput("t", "s", annotations=(Annotation("a", 1, 1, "notice", "m"),)))

    assert {"status", "output"} == set(cleaned(draft))
    assert {"path", "start_line", "end_line", "annotation_level", "message"} == set(cleaned(draft)["output"]["annotations"][0])
