"""Writes text that came out of a repository so that it can only be read: as code, or as plain words, never as markup."""

import re
from collections.abc import Iterator
from urllib.parse import quote

from rules.report import Reported

LANGUAGES = {
    "py": "python", "pyi": "python", "ts": "typescript", "mts": "typescript", "cts": "typescript", "tsx": "tsx",
    "js": "javascript", "mjs": "javascript", "cjs": "javascript", "jsx": "jsx", "go": "go", "sql": "sql", "rb": "ruby",
    "php": "php", "java": "java", "cs": "csharp", "kt": "kotlin", "rs": "rust", "yml": "yaml", "yaml": "yaml",
    "json": "json",
}  # fmt: skip
WIDEST_LINE = 240
MOST_LINES = 40

_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
_UNSEEN_IN_NAME = re.compile(f"[\t\n]|{_UNSEEN.pattern}")
_LINKS = re.compile(r"@(?=\w)|#(?=\d)|\bGH-(?=\d)|:(?=//)|\bwww(?=\.)|\b[0-9a-f]{7,40}\b", re.IGNORECASE)
_MARKUP = re.compile(r"[\\`*_\[\]|~$]")
_LINE_START = re.compile(r"[#+=-]|[0-9]{1,9}(?=[.)])")
_BREAK = "\u200b"


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters spelt out, such as `[U+202E]`; tabs and newlines stay.

    What a reviewer reads must be what the machine reads. Lone surrogates (undecodable file names) are spelt out too, so
    that the result can always be encoded.
    """
    return _UNSEEN.sub(_spelt, text.replace("\r\n", "\n"))


def visible_name(name: str) -> str:
    """The same for a path or an identifier, in which tabs and newlines are no better than other control characters."""
    return _UNSEEN_IN_NAME.sub(_spelt, name)


def _spelt(found: re.Match[str]) -> str:
    return f"[U+{ord(found[0]):04X}]"


def clipped(text: str, limit: int) -> str:
    """At most `limit` characters, the last one an ellipsis where something was cut."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def one_line(text: str, limit: int = 2_000) -> str:
    """Visible, every run of white space one blank."""
    return clipped(visible(" ".join(text.split())), limit)


def longest_run(text: str) -> int:
    """The length of the longest run of backticks."""
    return max(map(len, re.findall("`+", text)), default=0)


def code_span(text: str) -> str:
    """Inline code whose delimiters no content can close. Nothing in it is a mention, a link or markup for GitHub."""
    content = clipped(visible_name(text), 1_000) or " "
    marks = "`" * (longest_run(content) + 1)
    edges = content[0] + content[-1]
    # CommonMark takes one blank off both ends if both are blanks; a backtick at an end would lengthen the delimiter.
    pad = " " if "`" in edges or (edges == "  " and content.strip()) else ""
    return f"{marks}{pad}{content}{pad}{marks}"


def fence(content: str) -> str:
    """Backticks, at least three and longer than any run in the content."""
    return "`" * max(3, longest_run(content) + 1)


def fenced(code: str, language: str = "", most_lines: int = MOST_LINES) -> str:
    """A code block that no content can close; long lines and long blocks are clipped, and the block says so."""
    content = "\n".join(code_lines(code, most_lines))
    marks = fence(content)
    return f"{marks}{language}\n{content}\n{marks}"


def code_lines(code: str, most_lines: int = MOST_LINES, widest: int = WIDEST_LINE) -> list[str]:
    """The lines of a piece of code to be shown: visible, clipped, without the newline at the end."""
    lines = code.removesuffix("\n").split("\n")
    shown = [clipped(visible(line.removesuffix("\r")), widest) for line in lines[:most_lines]]
    return shown if len(lines) <= most_lines else [*shown, f"… {len(lines) - most_lines} more lines"]


def prose(text: str, limit: int = 2_000) -> str:
    """Sentences with code spans as one line of Markdown that shows exactly those words.

    Outside the spans, markup is escaped and an invisible blank breaks what GitHub would link: mentions, issue numbers,
    revisions, addresses. GitHub links after rendering, so escaping alone would not keep it from notifying people.
    """
    pieces = split_spans(one_line(text, limit))
    written = "".join(code_span(piece) if is_code else _literal(piece) for piece, is_code in pieces)
    return _LINE_START.sub(_harmless_start, written, count=1) if _LINE_START.match(written) else written


def split_spans(source: str) -> Iterator[tuple[str, bool]]:
    """A text in pieces, each with whether it stood between backticks; those are taken off, and a single one is text."""
    runs = list(re.finditer("`+", source))
    at = 0
    while runs:
        opening = runs.pop(0)
        closing = next((run for run in runs if len(run[0]) == len(opening[0])), None)
        if closing is None:
            continue
        yield source[at : opening.start()], False
        yield source[opening.end() : closing.start()].strip(), True
        at = closing.end()
        runs = [run for run in runs if run.start() >= at]
    yield source[at:], False


def _literal(text: str) -> str:
    # In groups of six: a revision is linked from seven digits on, so one break in forty would leave another.
    broken = _LINKS.sub(lambda found: re.sub(".{1,6}", rf"\g<0>{_BREAK}", found[0]), text)
    escaped = _MARKUP.sub(r"\\\g<0>", broken.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;"))
    return escaped.replace(_BREAK, "&#8203;")


def _harmless_start(found: re.Match[str]) -> str:
    """`# x`, `- x` and `1. x` are a heading and lists at the start of a line only."""
    return f"{found[0]}\\" if found[0].isdigit() else f"\\{found[0]}"


def table_row(*cells: str) -> str:
    """A row of a Markdown table; GitHub splits cells before it looks for code spans, so `|` is escaped in them too."""
    return "| " + " | ".join(re.sub(r"(?<!\\)\|", r"\\|", cell) for cell in cells) + " |"


def language_of(path: str) -> str:
    """The info string for a fence, by suffix; empty where unknown."""
    return LANGUAGES.get(path.rpartition(".")[2].lower(), "") if "." in path else ""


def comment_in(path: str, text: str) -> str:
    """The text as a comment line of the language that the file is written in."""
    suffix = path.rpartition(".")[2].lower()
    if suffix in {"py", "pyi", "rb", "yml", "yaml", "sh", "tf", "toml"}:
        return f"# {text}"
    if suffix == "sql":
        return f"-- {text}"
    if suffix in {"html", "vue", "svelte", "xml"}:
        return f"<!-- {text} -->"
    return f"// {text}"


def place(finding: Reported) -> str:
    """`src/usage.ts:14-18`, as plain text."""
    until = f"-{finding.end_line}" if finding.end_line > finding.line else ""
    return f"{visible_name(finding.path)}:{finding.line}{until}"


def permalink(repository_url: str, revision: str, path: str, line: int, end_line: int) -> str:
    """The address of these lines at that revision: it keeps showing what was judged after the next push."""
    until = f"-L{end_line}" if end_line > line else ""
    escaped = quote(path, safe="/", errors="surrogateescape")
    return f"{repository_url.rstrip('/')}/blob/{revision}/{escaped}#L{line}{until}"
