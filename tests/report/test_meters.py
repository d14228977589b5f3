"""A meter's way as a diagram and as a tree."""

import re

import pytest

from bot.report.meters import mermaid, tree
from rules.report import Meter, MeterStep

METER = Meter(
    "users.credits",
    kind="counter",
    actions=(MeterStep("src/routes/chat.ts", 4, "certain", "POST /v1/chat"),),
    emitted=(MeterStep("src/routes/chat.ts", 9, "certain", "`deductCredits`"),),
    stored=(MeterStep("src/lib/credits.ts", 12, "certain", "`prisma.user.update`"),),
    charged=(MeterStep("src/lib/credits.ts", 12, "likely", "`prisma.user.update`"),),
    missing=("limited",),
)


def test_each_stage_is_a_box_and_the_boxes_are_joined_in_the_order_of_the_way() -> None:
    drawn = mermaid(METER)

    assert 'actions["Action<br/>POST /v1/chat<br/>src/routes/chat.ts:4"]' in drawn
    assert "  actions --> emitted\n" in drawn
    assert "  emitted --> stored\n" in drawn


def test_stages_at_one_place_share_a_box() -> None:
    assert 'stored["Storage, charge<br/>prisma.user.update<br/>src/lib/credits.ts:12"]' in mermaid(METER)


def test_a_missing_stage_is_drawn_as_missing() -> None:
    drawn = mermaid(METER)

    assert 'limited["Limit<br/>not visible here"]' in drawn
    assert "class limited lacking" in drawn


def test_a_link_that_is_not_certain_is_dotted() -> None:
    unsure = Meter("tokens", emitted=(MeterStep("a.py", 1, "likely", "x"),), stored=(MeterStep("b.py", 1, "certain", "y"),))

    assert "emitted -.-> stored" in mermaid(unsure)


def test_of_many_places_a_few_are_named_and_the_rest_counted() -> None:
    steps = tuple(MeterStep("a.py", line, "certain", f"call {line}") for line in range(1, 7))

    drawn = mermaid(Meter("tokens", emitted=steps))

    assert "call 3" in drawn
    assert "call 4" not in drawn
    assert "and 3 more" in drawn


def test_a_provider_charges_what_is_sent_to_it() -> None:
    drawn = mermaid(Meter("tokens", provider="Stripe", emitted=(MeterStep("a.py", 1, "certain", "send"),)))

    assert 'provider["Stripe<br/>sums and charges"]' in drawn


@pytest.mark.parametrize(
    "text",
    ['x"] --> y["', "```\n# heading", "<img src=x onerror=alert(1)>", "%%{init: {}}%%", "a\u202eb", "click a call()", "#quot;"],
)
def test_no_text_of_a_repository_leaves_its_box(text: str) -> None:
    step = MeterStep(text, 1, "certain", text)

    drawn = mermaid(Meter(text, provider=text, actions=(step,), emitted=(MeterStep("b.py", 2, "certain", text),)))

    head, *lines, end = drawn.split("\n")[1:]
    assert (head, end) == ("flowchart LR", "```")
    for line in lines:
        assert re.fullmatch(r'  \w+\["[A-Za-z0-9 _./,:*()+=\-#;]*(<br/>[A-Za-z0-9 _./,:*()+=\-#;]*)*"\]|  \w+ -\.?-> \w+', line)


def test_the_tree_names_each_place_and_how_sure_it_is() -> None:
    assert [
        "users.credits (counter)",
        "├─ action    src/routes/chat.ts:4  POST /v1/chat",
        "├─ emission  src/routes/chat.ts:9  deductCredits",
        "├─ storage   src/lib/credits.ts:12  prisma.user.update",
        "├─ limit     not visible here",
        "└─ charge    src/lib/credits.ts:12  prisma.user.update (likely)",
    ] == tree(METER)
