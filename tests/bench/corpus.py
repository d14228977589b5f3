"""The files that the benchmark runs over: those of a folder, or our own sources and larger ones that are generated."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rules import catalog
from rules.examples import examples_of
from rules.judge import RELEVANT, out_of_bounds
from rules.languages import front_end, path_for

ROOT = Path(__file__).parent.parent.parent
LARGE = 2_000
"""Lines of a generated file."""
EACH = 4
"""Of our own files, every fourth: the figures are the same, and the run is short."""
DEFINED = re.compile(r"\b(?:def|function|func|class) (\w+)")
PLAIN = {
    "python": """
def resize(image, width, height):
    if width <= 0 or height <= 0:
        raise ValueError("an image has a width and a height")
    rows = [scale(row, width) for row in image.rows]
    return Image(rows[:height], width=width, name=f"{image.name}-{width}")
""",
    "typescript": """
export async function resize(image: Image, width: number, height: number): Promise<Image> {
  if (width <= 0 || height <= 0) {
    throw new RangeError("an image has a width and a height");
  }
  const rows = await Promise.all(image.rows.map((row) => scale(row, { width, name: `${image.name}-${width}` })));
  return { ...image, rows: rows.slice(0, height), width };
}
""",
    "go": """
func resize(image *Image, width int, height int) (*Image, error) {
	if width <= 0 || height <= 0 {
		return nil, errors.New("an image has a width and a height")
	}
	rows := make([]Row, 0, height)
	for _, row := range image.Rows {
		rows = append(rows, scale(row, width))
	}
	return &Image{Rows: rows, Width: width}, nil
}
""",
}
"""Code without a word of billing."""


@dataclass(frozen=True)
class Sample:
    """One file; in scope where it holds a word of billing, without which nothing is parsed."""

    path: str
    text: str

    @property
    def lines(self) -> int:
        return self.text.count("\n") + 1

    @property
    def in_scope(self) -> bool:
        return RELEVANT.search(self.text) is not None


def corpus(folder: Path | None) -> list[Sample]:
    if folder is not None:
        return [one for path in sorted(folder.rglob("*")) if (one := sample(path)) is not None]
    own = [path for name in ("bot", "rules", "config") for path in sorted((ROOT / name).rglob("*.py"))]
    return [*(one for path in own[::EACH] if (one := sample(path)) is not None), *generated()]


def sample(path: Path) -> Sample | None:
    """A file that a front end reads and that is within the bounds."""
    if front_end(path.name) is None or not path.is_file():
        return None
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        return None
    return Sample(str(path), text) if text and out_of_bounds(text) is None else None


def generated() -> Iterator[Sample]:
    """For each language a long file of billing code, from the rules' examples, and a long one of plain code."""
    for language, plain in PLAIN.items():
        suffix = Path(path_for(language)).suffix
        examples = [one.code for rule in catalog.rules() for one in examples_of(rule) if one.language == language]
        yield Sample(f"generated/billing{suffix}", repeated(examples))
        yield Sample(f"generated/plain{suffix}", repeated([plain]))


def repeated(pieces: list[str]) -> str:
    """The pieces over and over, up to LARGE lines; each copy's functions have names of their own, as in a real file."""
    written: list[str] = []
    lines = 0
    while lines < LARGE:
        piece = pieces[len(written) % len(pieces)]
        for name in sorted(set(DEFINED.findall(piece))):
            piece = re.sub(rf"\b{name}\b", f"{name}{len(written)}", piece)
        written.append(piece)
        lines += piece.count("\n")
    return "".join(written)
