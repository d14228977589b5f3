"""The report as one HTML file that needs nothing else, made of macros that the web page uses, too."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.highlight import Piece, cut, drawn, pieces
from bot.report.edits import diff_lines, new_lines
from bot.report.masking import masked, masked_finding
from bot.report.meters import STAGES
from bot.report.quoting import MOST_LINES, clipped, language_of, one_line, place, split_spans, visible, visible_name
from bot.report.verdict import HOW_SCORED, LEGEND, SECTIONS, SUMS_UP, due, headline, number
from rules.report import Meter, MeterStep, Report, Reported, Score

TEMPLATES = Path(__file__).parent / "templates"
NOTHING = Markup("")
WIDEST = 400
"""Characters of a line of code: in HTML it can be scrolled."""
LONGEST_COPY = 20_000


@dataclass(frozen=True, slots=True)
class CodeLine:
    """One line of code in three pieces: what is marked stands in the middle. `label` is its number, if that is known."""

    label: str
    before: Markup
    marked: Markup
    after: Markup


@dataclass(frozen=True, slots=True)
class Stage:
    """One step of a meter's way. Without places it is one that such a meter needs and that the code does not show."""

    title: str
    steps: tuple[MeterStep, ...]


def as_html(report: Report) -> str:
    """The whole report as one file: no request to anywhere, and a policy in it that allows none."""
    style, script = asset("report.css"), asset("report.js")
    page = environment().get_template("report.html")
    text = page.render(report=masked(report), style=style, script=script, digests=(digest(style), digest(script)))
    return encodable(text) + "\n"


def card(finding: Reported) -> str:
    """One finding as an `article`, as it may be shown."""
    return fragment("_finding.html", "card", masked_finding(finding))


def score_drawn(score: Score | None) -> str:
    """The score with its dimensions."""
    return fragment("_score.html", "drawn", score)


def sections_drawn(report: Report) -> str:
    """All ten sections, as in the file."""
    return fragment("_sections.html", "all", masked(report))


def meters_drawn(meters: tuple[Meter, ...]) -> str:
    """Each meter as a row of steps."""
    return fragment("_meters.html", "drawn", meters)


def fragment(template: str, macro: str, value: object) -> str:
    module = environment().get_template(template).module
    return encodable(str(getattr(module, macro)(value)))


def encodable(text: str) -> str:
    """Lone surrogates of file names that are not UTF-8 become U+FFFD."""
    return text if text.isascii() else text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


@cache
def environment() -> Environment:
    """Escapes everything; an unknown name is an error and no empty text."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    equip(made)
    return made


def equip(made: Environment) -> None:
    """Gives an environment what the macros need; its loader must know the folder `TEMPLATES`."""
    made.filters |= {"prose": prose, "line": one_line, "name": visible_name, "path": breakable, "visible": visible}
    made.globals |= {
        "place": place,
        "headline": headline,
        "marked_code": marked_code,
        "diff_rows": diff_rows,
        "new_text": new_text,
        "stages": stages,
        "due": due,
        "number": number,
        "LEGEND": LEGEND,
        "SECTIONS": SECTIONS,
        "HOW_SCORED": HOW_SCORED,
        "SUMS_UP": SUMS_UP,
    }


@cache
def asset(name: str) -> Markup:
    """A file of our own, as it is: nothing of a report gets into it."""
    return Markup((TEMPLATES / name).read_text(encoding="utf-8"))  # noqa: S704


def digest(text: str) -> str:
    """As a Content-Security-Policy names an inline style or script."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def prose(text: str, limit: int = 2_000) -> Markup:
    """Sentences with code between backticks, as plain words and `code` elements."""
    parts = [
        Markup("<code>{}</code>").format(visible_name(piece)) if is_code else Markup("{}").format(piece)
        for piece, is_code in split_spans(one_line(text, limit))
    ]
    return Markup("").join(parts)


def breakable(path: str) -> Markup:
    """A path that may go on in a new line behind each of its slashes."""
    return Markup("/<wbr>").join(visible_name(path).split("/"))


def marked_code(finding: Reported) -> list[CodeLine]:
    """The evidence, coloured, with its line numbers; marked is what the finding is about, from its first column to its last."""
    lines = [line.removesuffix("\r") for line in finding.evidence.removesuffix("\n").split("\n")[:MOST_LINES]]
    coloured = pieces("\n".join(clipped(line, WIDEST) for line in lines), language_of(finding.path))
    made = [marked_line(finding, at, *both) for at, both in enumerate(zip(lines, coloured, strict=True))]
    left = finding.end_line - finding.line + 1 - len(made)
    return [*made, CodeLine("", escape(f"… {number(left, 'more line')}"), NOTHING, NOTHING)] if left > 0 else made


def marked_line(finding: Reported, at: int, line: str, coloured: list[Piece]) -> CodeLine:
    label = str(finding.line + at)
    if len(line) > WIDEST:
        return CodeLine(label, drawn(coloured), NOTHING, NOTHING)
    first = finding.column - 1 if at == 0 else len(line) - len(line.lstrip())
    last = finding.end_column if finding.line + at == finding.end_line else len(line)
    bounds = ((0, first), (first, last), (max(first, last), len(line)))
    return CodeLine(label, *(drawn(cut(coloured, *bound)) for bound in bounds))


def diff_rows(finding: Reported) -> Iterator[tuple[str, str]]:
    """The fix line by line: what kind of line, and its text."""
    kinds = {"@": "place", "-": "old", "+": "new"}
    for line in diff_lines(finding):
        yield kinds.get(line[:1], "note"), line


def new_text(finding: Reported) -> str:
    """What a reader copies: the lines that the fix puts in place; nothing where they hide characters that nobody sees."""
    edits = finding.fix.edits if finding.fix else ()
    text = "\n".join("\n".join(new_lines(edit)) for edit in edits if edit.text)
    return text if visible(text) == text.replace("\r\n", "\n") and len(text) <= LONGEST_COPY else ""


def stages(meter: Meter) -> list[Stage]:
    """The steps that are there or missed, in the order of the way; at the end the provider, where it does the rest."""
    steps = [(name, title, tuple(getattr(meter, name))) for name, title in STAGES.items()]
    return [Stage(title, places) for name, title, places in steps if places or name in meter.missing]
