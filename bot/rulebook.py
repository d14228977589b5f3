"""What the page of one rule shows beyond its own words: its examples judged, and the facts of providers they rest on."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache

from bot.patch import hunks_between
from bot.rule_pages import LANGUAGE_NAMES
from rules import catalog
from rules.change import ChangedFile
from rules.code import Code, OwnNames
from rules.examples import examples_of, unmarked
from rules.judge import Around, judge
from rules.languages import ENDINGS
from rules.options import Options
from rules.project import Project
from rules.report import Reported
from rules.reporting import Lines, reported
from rules.rule import Example, Rule

ADDRESS = re.compile(r"\b(?:[a-z0-9-]+\.)+(?:com|io|dev|co|org|ai|sh|net)(?:/[\w./#~%-]*[\w/])?")


@dataclass(frozen=True, slots=True)
class Shown:
    """One example as a reader sees it, without the marks that test it."""

    language: str
    path: str
    code: str
    marked: frozenset[int]
    before: str
    """The code before the change, for a rule about what was taken away; then `gone` are its marked lines."""
    gone: frozenset[int]
    context: tuple[tuple[str, str], ...]
    findings: tuple[Reported, ...]

    @property
    def bad(self) -> bool:
        return bool(self.marked or self.gone)


@dataclass(frozen=True, slots=True)
class Spoken:
    """The examples of one language."""

    language: str
    title: str
    bad: tuple[Shown, ...]
    good: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Fact:
    """What the catalogue of providers says of a call that an example makes."""

    provider: str
    title: str
    help: str
    source: tuple[tuple[str, str | None], ...]
    """Pieces of text; the second is an address where the piece is one."""


@dataclass(frozen=True, slots=True)
class RulePage:
    rule: Rule
    paragraphs: tuple[str, ...]
    languages: tuple[Spoken, ...]
    facts: tuple[Fact, ...]
    previous: Rule | None
    next: Rule | None


@cache
def rule_page(wanted: str) -> RulePage | None:
    """By id or by name. The examples are ours and few: judging them takes some hundredths of a second, once."""
    rule = catalog.rule(wanted)
    if rule is None:
        return None
    shown: list[Shown] = []
    facts: dict[tuple[str, str], Fact] = {}
    for number, example in enumerate(examples_of(rule), 1):
        one, code = judged(rule, example, number)
        shown.append(one)
        facts |= {(fact.provider, fact.title): fact for fact in told(code)}
    languages = tuple(
        Spoken(
            name,
            LANGUAGE_NAMES.get(name, name),
            tuple(one for one in shown if one.language == name and one.bad),
            tuple(one for one in shown if one.language == name and not one.bad),
        )
        for name in dict.fromkeys(one.language for one in shown)
    )
    ordered = catalog.rules()
    at = ordered.index(rule)
    return RulePage(
        rule,
        tuple(" ".join(part.split()) for part in rule.page.split("\n\n")),
        languages,
        tuple(facts[key] for key in sorted(facts)),
        ordered[at - 1] if at else None,
        ordered[at + 1] if at + 1 < len(ordered) else None,
    )


def judged(rule: Rule, example: Example, number: int) -> tuple[Shown, Code | None]:
    """The example with what the rule says of it. Its `number` tells its findings from those of the others on the page."""
    # A file called example is a sample, and what is said of samples is possible at most.
    path = example.path or f"usage.{ENDINGS[example.language]}"
    text, marked = unmarked(example.code)
    before, gone = unmarked(example.before)
    file = ChangedFile(path, before or None, text, hunks_between(before, text) if before else (), path if before else None)
    project = Project({**example.context, path: text})
    base = judge(path, before, (rule,), OwnNames(), path).code if before else None
    result = judge(path, text, (rule,), OwnNames(), path, Around(base, file.deleted, project))
    texts = (Lines(text), Lines(before))
    said = (reported(one, file, texts, "new", Options()) for one in result.said)
    findings = tuple(replace(one, fingerprint=f"{number}-{one.fingerprint}") for one in said)
    context = tuple(example.context.items())
    shown = Shown(example.language, example.path, text, frozenset(marked), before, frozenset(gone), context, findings)
    return shown, result.code


def told(code: Code | None) -> Iterator[Fact]:
    for emission in code.emissions if code is not None else ():
        if emission.record is not None and emission.provider is not None and emission.record.source:
            record = emission.record
            yield Fact(emission.provider.name, record.title, record.help, tuple(linked(record.source)))


def linked(source: str) -> Iterator[tuple[str, str | None]]:
    at = 0
    for found in ADDRESS.finditer(source):
        if found.start() > at:
            yield source[at : found.start()], None
        yield found[0], f"https://{found[0]}"
        at = found.end()
    if at < len(source):
        yield source[at:], None
