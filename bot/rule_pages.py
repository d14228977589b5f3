"""The catalogue for readers at a terminal: a table of all rules, and the page of one."""

import json
from collections.abc import Iterable

from rules.rule import Example, Rule


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
        "languages": sorted({example.language for example in rule.examples}),
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
    bad = [example for example in rule.examples if "<- finding" in example.code]
    good = [example for example in rule.examples if "<- finding" not in example.code]
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
    return "\n".join(lines)


def reference(cwe: str) -> str:
    return f"{cwe} (https://cwe.mitre.org/data/definitions/{cwe.removeprefix('CWE-')}.html)"


def fenced(example: Example) -> str:
    fence = "```"
    while fence in example.code:
        fence += "`"
    where = f"In `{example.path}`:\n\n" if example.path else ""
    return f"{where}{fence}{example.language}\n{example.code.strip(chr(10))}\n{fence}"
