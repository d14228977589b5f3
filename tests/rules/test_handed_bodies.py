"""A model is the body of a request where a framework fills it, and what a helper is handed is what its callers have."""

import pytest

from rules.change import Change, ChangedFile
from rules.engine import examine
from rules.options import Options

ROUTER = """
from fastapi import APIRouter, Depends

router = APIRouter()

@router.post("/answers")
async def answers(body: {body}, caller: Caller = Depends(signed_in)):
    return StreamingResponse(stream(body, {handed}))

async def stream(request, caller: Caller):
    text = await complete(request.prompt)
    deduct_credits(caller.user_id, text.cost)
    yield text
"""


def said(text: str) -> bool:
    change = Change("audit", (ChangedFile("app/answers.py", None, text),))
    return any(one.rule == "MTR-114" and one.confidence != "possible" for one in examine(change, Options(), "test").findings)


@pytest.mark.parametrize(("handed", "expected"), [("caller", False), ("body.caller", True)])
def test_a_helper_has_what_its_callers_hand_it(handed: str, expected: bool) -> None:
    assert said(ROUTER.replace("{body}", "Question").replace("{handed}", handed)) is expected


@pytest.mark.parametrize(("made", "expected"), [("Depends(signed_in)", False), ("Body()", True)])
def test_a_type_may_say_where_it_comes_from(made: str, expected: bool) -> None:
    text = f"""
from typing import Annotated
from fastapi import APIRouter, Body, Depends

Asking = Annotated[Account, {made}]
router = APIRouter()

@router.post("/answers")
async def answers(question: str, asking: Asking):
    text = await complete(question)
    deduct_credits(asking.user_id, text.cost)
    return text
"""
    assert said(text) is expected
