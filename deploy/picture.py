"""Draws deploy/review.svg from what the demo prints: the review and its verdict, without ports and revisions."""

import io
from pathlib import Path

from rich.console import Console
from rich.terminal_theme import MONOKAI
from rich.text import Text

from bot.demo.run import run_demo

WIDTH = 88
FIRST, LAST = " Review ", "Score "
"""The picture begins at the line that holds the one and ends before the line that begins with the other."""

PLAIN = """<svg class="rich-terminal" viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{ font-family: ui-monospace, Menlo, Consolas, monospace; font-size: {char_height}px;
  line-height: {line_height}px; white-space: pre; }}
{styles}
</style>
<defs>{lines}</defs>
<rect fill="#0c0c0c" width="{width}" height="{height}" rx="8"/>
<g transform="translate({terminal_x}, {terminal_y})">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""rich's own frame loads a font from the network and draws a window's buttons; this one does neither."""


def main() -> None:
    printed = io.StringIO()
    run_demo(Console(file=printed, width=WIDTH, force_terminal=True, color_system="truecolor", legacy_windows=False))
    lines = Text.from_ansi(printed.getvalue()).split("\n")
    first = next(at for at, line in enumerate(lines) if FIRST in line.plain)
    last = next(at for at, line in enumerate(lines) if line.plain.startswith(LAST))
    drawn = Console(file=io.StringIO(), width=WIDTH, record=True)
    for line in lines[first:last]:
        line.rstrip()
        drawn.print(line)
    picture = drawn.export_svg(title="", theme=MONOKAI, code_format=PLAIN, unique_id="review")
    Path(__file__).with_name("review.svg").write_text(picture, encoding="utf-8")


if __name__ == "__main__":
    main()
