"""The examples of a rule: those at the end of its module, and those of further languages, a folder a language here.

`<language>/<rule-name>.txt` holds several files, each headed by a line `--- path/to/file.ext ---`. A heading may end in
`(before)` for the code before the change, or in `(context)` for another file of the project; both belong to the next
example. Marks are the same as in a module: bad lines end in the comment `<- finding`.
"""

import re
from functools import cache
from importlib.resources import files

from rules.rule import Example, Rule

HEADING = re.compile(r"^--- (?P<path>\S+)(?: \((?P<role>before|context)\))? ---\n", re.MULTILINE)
MARK = re.compile(r"[ \t]*(?:\{/\*|/\*|#|//|--) <- finding(?: \*/\}?)?[ \t]*$")


def unmarked(code: str) -> tuple[str, list[int]]:
    """The code as somebody would write it, and the numbers of its marked lines."""
    if not code:
        return "", []
    lines = code.strip("\n").split("\n")
    found = [number for number, line in enumerate(lines, 1) if MARK.search(line)]
    return "\n".join(MARK.sub("", line) for line in lines) + "\n", found


def examples_of(rule: Rule) -> tuple[Example, ...]:
    """All examples of a rule, the module's first, then by language."""
    return (*rule.examples, *(one for language in languages() for one in _in_folder(language, rule.name)))


@cache
def languages() -> tuple[str, ...]:
    """The languages that have a folder here."""
    return tuple(sorted(one.name for one in files(__name__).iterdir() if one.is_dir() and not one.name.startswith("_")))


@cache
def _in_folder(language: str, name: str) -> tuple[Example, ...]:
    file = files(__name__) / language / f"{name}.txt"
    return tuple(parsed(language, file.read_text(encoding="utf-8"))) if file.is_file() else ()


def parsed(language: str, text: str) -> list[Example]:
    """The examples of one file. Raises ValueError for text that stands before the first heading."""
    if text and not HEADING.match(text):
        raise ValueError("examples begin with a heading: --- path/to/file.ext ---")
    found: list[Example] = []
    before, context = "", dict[str, str]()
    headings = list(HEADING.finditer(text))
    for heading, following in zip(headings, [*headings[1:], None], strict=True):
        code = text[heading.end() : following.start() if following else None].strip("\n") + "\n"
        match heading["role"]:
            case "before":
                before = code
            case "context":
                context[heading["path"]] = code
            case _:
                found.append(Example(language, code, heading["path"], before, context))
                before, context = "", {}
    return found
