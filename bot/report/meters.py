"""The way of a meter for people: a small Mermaid diagram, which GitHub draws, and a tree for a terminal."""

import re
from collections.abc import Iterator
from itertools import pairwise

from bot.report.quoting import clipped, one_line, visible_name
from rules.report import Meter, MeterStep

STAGES = {
    "actions": "Action",
    "emitted": "Emission",
    "transported": "Transport",
    "stored": "Storage",
    "aggregated": "Aggregation",
    "limited": "Limit",
    "charged": "Charge",
}
"""In the order of the way. The limit hangs beside it: it looks at what is stored and holds up the action."""
LINES = 3
"""Places that one box of a diagram names."""
WIDEST = 44
_PLAIN = re.compile(r"[^A-Za-z0-9 _./,:*()+=-]")


def mermaid(meter: Meter) -> str:
    """A flow chart of at most nine boxes, one a stage, fenced for Markdown. No text of the repository can leave its box."""
    boxes = list(_boxes(meter))
    names = [name for name, _ in boxes]
    lines = [f'  {name}["{label}"]' for name, label in boxes]
    main = [name for name in names if name != "limited"]
    lines += [
        f"  {one} {'-->' if _is_sure(meter, one) and _is_sure(meter, two) else '-.->'} {two}" for one, two in pairwise(main)
    ]
    if "limited" in names and main:
        holder = next((name for name in ("stored", "aggregated", "emitted", "actions") if name in names), main[0])
        lines.append(f"  {holder} {'-->' if _is_sure(meter, 'limited') else '-.->'} limited")
    if lacking := [name for name in names if name in meter.missing]:
        lines += [
            "  classDef lacking stroke-dasharray: 4 4",
            f"  class {','.join(lacking)} lacking",
        ]
    return "\n".join(["```mermaid", "flowchart LR", *lines, "```"])


def _boxes(meter: Meter) -> Iterator[tuple[str, str]]:
    """The name and the label of each box; stages that stand at the same places share one."""
    drawn: set[str] = set()
    for stage, title in STAGES.items():
        steps = _steps(meter, stage)
        if stage in drawn:
            continue
        if not steps:
            if stage in meter.missing:
                yield stage, f"{title}<br/>not visible here"
            continue
        # Limits are never merged: they stand beside the way.
        others = [] if stage == "limited" else _later(stage)
        same = [other for other in others if _places(_steps(meter, other)) == _places(steps)]
        drawn.update(same)
        heads = ", ".join([title, *(STAGES[other].lower() for other in same)])
        shown = [f"{_plain(step.note)}<br/>{_plain(_place(step), keep_end=True)}" for step in steps[:LINES]]
        rest = [f"and {len(steps) - LINES} more"] if len(steps) > LINES else []
        yield stage, "<br/>".join([heads, *shown, *rest])
    if meter.provider and not meter.charged:
        yield "provider", f"{_plain(meter.provider)}<br/>sums and charges"


def _later(stage: str) -> list[str]:
    names = list(STAGES)
    return [name for name in names[names.index(stage) + 1 :] if name != "limited"]


def _steps(meter: Meter, stage: str) -> tuple[MeterStep, ...]:
    found: tuple[MeterStep, ...] = getattr(meter, stage)
    return found


def _places(steps: tuple[MeterStep, ...]) -> set[tuple[str, int]]:
    return {(step.path, step.line) for step in steps}


def _place(step: MeterStep) -> str:
    return f"{visible_name(step.path)}:{step.line}"


def _is_sure(meter: Meter, stage: str) -> bool:
    steps = _steps(meter, stage) if stage in STAGES else ()
    return not steps or any(step.confidence == "certain" for step in steps)


def _plain(text: str, keep_end: bool = False) -> str:
    """What Mermaid can only show: every other character as its number, so that no quote, bracket or fence ends the box."""
    line = one_line(text.replace("`", ""), 500)
    if len(line) > WIDEST:
        line = "…" + line[-WIDEST:] if keep_end else clipped(line, WIDEST)
    return _PLAIN.sub(lambda found: f"#{ord(found[0])};", line)


def tree(meter: Meter) -> list[str]:
    """The same as lines of plain text, the meter's name first."""
    whole = f"{one_line(meter.name, 120)} ({meter.provider if meter.provider else meter.kind})"
    rows = list(_rows(meter))
    widest = max((len(title) for title, _ in rows), default=0)
    branches = [
        f"{'└─' if number == len(rows) else '├─'} {title:<{widest}}  {text}" for number, (title, text) in enumerate(rows, 1)
    ]
    return [whole, *branches]


def _rows(meter: Meter) -> Iterator[tuple[str, str]]:
    for stage, title in STAGES.items():
        steps = _steps(meter, stage)
        for number, step in enumerate(steps[:LINES]):
            sure = "" if step.confidence == "certain" else f" ({step.confidence})"
            note = one_line(step.note.replace("`", ""), 80)
            yield (title.lower() if number == 0 else ""), f"{_place(step)}  {note}{sure}".rstrip()
        if len(steps) > LINES:
            yield "", f"and {len(steps) - LINES} more"
        if not steps and stage in meter.missing:
            yield title.lower(), "not visible here"
    if meter.provider and not meter.charged:
        yield "charge", f"{one_line(meter.provider, 60)} sums and charges"
