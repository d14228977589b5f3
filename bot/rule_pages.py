"""The catalogue for readers: a table of all rules and the page of one at a terminal, and the tables in our own pages."""

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from rules import catalog
from rules.examples import examples_of
from rules.rule import Example, Rule, Severity
from rules.sections import TITLES

BEGIN, END = "<!-- rules: begin, written by make rules-page -->", "<!-- rules: end -->"
"""Between these lines of the README stands what `with_counts` writes."""
LANGUAGE_NAMES = {
    "python": "Python", "typescript": "TypeScript", "tsx": "TypeScript with JSX", "javascript": "JavaScript",
    "jsx": "JavaScript with JSX", "go": "Go", "sql": "SQL", "ruby": "Ruby", "php": "PHP", "java": "Java", "csharp": "C#",
    "kotlin": "Kotlin", "rust": "Rust",
}  # fmt: skip


def as_table(rules: Iterable[Rule]) -> str:
    """One line a rule: id, name, severity, classes, title; columns as wide as their widest cell."""
    rows = [("id", "name", "severity", "classes", "title")]
    rows += [(r.about.id, r.name, str(r.about.severity), " ".join(r.about.classes), r.about.title) for r in rules]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = ("  ".join([*(cell.ljust(width) for cell, width in zip(row, widths, strict=False)), row[4]]) for row in rows)
    return "".join(f"{line.rstrip()}\n" for line in lines)


def as_json(rules: Iterable[Rule]) -> str:
    """The same with everything that a rule says of itself, for other programs."""
    return json.dumps([described(rule) for rule in rules], indent=2, ensure_ascii=False) + "\n"


def described(rule: Rule) -> dict[str, object]:
    about = rule.about
    return {
        "id": about.id,
        "name": rule.name,
        "title": about.title,
        "section": rule.section,
        "severity": str(about.severity),
        "classification": str(about.classification),
        "classes": list(about.classes),
        "cwe": list(about.cwe),
        "iso_25010": about.iso_25010,
        "unprompted": about.unprompted,
        "languages": sorted({example.language for example in examples_of(rule)}),
        "variants": {
            name: {
                "title": one.title,
                "severity": str(one.severity or about.severity),
                "classes": list(one.classes or about.classes),
            }
            for name, one in about.variants.items()
        },
    }


def page(rule: Rule) -> str:
    """One rule in Markdown: what, why and what to do, how it is classed, bad and good code."""
    about = rule.about
    parts = [f"# {about.id} {rule.name}: {about.title}", rule.page, facts(rule)]
    if about.variants:
        parts.append("\n".join(f"- Variant `{name}`: {one.title}" for name, one in about.variants.items()))
    bad = [example for example in examples_of(rule) if "<- finding" in example.code]
    good = [example for example in examples_of(rule) if "<- finding" not in example.code]
    for heading, examples in (("Bad", bad), ("Good", good)):
        if examples:
            parts += [f"## {heading}", *map(fenced, examples)]
    return "\n\n".join(parts) + "\n"


def facts(rule: Rule) -> str:
    about = rule.about
    lines = [f"- Severity: {about.severity}", f"- Classification: {about.classification}"]
    lines += [f"- Classes: {', '.join(about.classes)}"] if about.classes else []
    lines += [f"- References: {', '.join(map(reference, about.cwe))}"] if about.cwe else []
    lines += [f"- ISO/IEC 25010: {about.iso_25010}"] if about.iso_25010 else []
    lines.append(f"- Section: {rule.section}")
    lines.append(f"- In an audit of a whole project: {'said' if about.unprompted else 'possible at most'}")
    return "\n".join(lines)


def reference(cwe: str) -> str:
    return f"{cwe} (https://cwe.mitre.org/data/definitions/{cwe.removeprefix('CWE-')}.html)"


def fenced(example: Example) -> str:
    fence = "```"
    while fence in example.code:
        fence += "`"
    where = f"In `{example.path}`:\n\n" if example.path else ""
    return f"{where}{fence}{example.language}\n{example.code.strip(chr(10))}\n{fence}"


def as_markdown(rules: Iterable[Rule]) -> str:
    """`rules/README.md`: all rules in one table, each linked to its module."""
    ordered = list(rules)
    heading = (
        "id",
        "name",
        "severity",
        "classification",
        "classes",
        "title",
        "in a whole project",
        "languages of its examples",
    )
    rows = [
        (
            rule.about.id,
            f"[{rule.name}](catalog/{rule.section}/{rule.name.replace('-', '_')}.py)",
            str(rule.about.severity),
            str(rule.about.classification),
            " ".join(rule.about.classes),
            rule.about.title,
            "said" if rule.about.unprompted else "possible",
            " ".join(sorted({example.language for example in examples_of(rule)})),
        )
        for rule in ordered
    ]
    intro = (
        f"All {len(ordered)} rules, written by `make rules-page` from [the catalogue](catalog). The first digit of an id is\n"
        "its section. `meteraudit explain MTR-201` prints a rule's page: what is wrong, what it costs, what to do, bad and\n"
        "good code. In an audit of a whole project, of which nobody has picked the files, a rule that is not said there is\n"
        "possible at most; in a review, in pasted code and for files that are named, each rule is said."
    )
    return f"# Rules\n\n{intro}\n\n{table(heading, rows)}"


def counts(rules: Iterable[Rule]) -> str:
    """How many rules each section of the report has, by severity."""
    ordered = list(rules)
    found = Counter((rule.section, rule.about.severity) for rule in ordered)
    rows = [(TITLES[one], *numbers([found[one, severity] for severity in Severity])) for one in catalog.SECTIONS]
    rows.append(("All", *numbers([sum(found[one, severity] for one in catalog.SECTIONS) for severity in Severity])))
    return table(("section", *map(str, Severity), "all"), rows)


def numbers(row: list[int]) -> list[str]:
    return [str(number) for number in (*row, sum(row))]


def with_counts(readme: str, rules: Iterable[Rule]) -> str:
    """The README with its table brought up to date. Raises ValueError where it has no place for one."""
    before, begin, rest = readme.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The README lacks the lines {BEGIN!r} and {END!r}.")
    return f"{before}{BEGIN}\n\n{counts(rules)}\n{END}{after}"


def table(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    written = [[cell.replace("|", "\\|") for cell in row] for row in (heading, *rows)]
    written.insert(1, ["---"] * len(written[0]))
    return "".join(f"| {' | '.join(row)} |\n" for row in written)


def write_pages(root: Path) -> None:
    """Brings the pages of the repository at `root` up to date."""
    readme = root / "README.md"
    readme.write_text(with_counts(readme.read_text(encoding="utf-8"), catalog.rules()), encoding="utf-8")
    (root / "rules" / "README.md").write_text(as_markdown(catalog.rules()), encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(__file__).parent.parent)
