"""The sections of the report over all files: answers, summary and the check that sums it up."""

from collections.abc import Callable, Mapping

from rules.answers import aggregation, deduplication, ingestion, limits, observability, transparency
from rules.answers.accuracy import accurate
from rules.answers.architecture import summary
from rules.answers.questions import QUESTIONS, TITLES, UNSEEN
from rules.answers.seen import Said, Seen, seen_of
from rules.report import Answer, CheckResult, Section

__all__ = ["QUESTIONS", "TITLES", "UNSEEN", "checks", "sections", "seen_of", "summary"]

ANSWERS: Mapping[str, Mapping[str, Callable[[Seen], Said | None]]] = {
    "ingestion": ingestion.ANSWERS,
    "deduplication": deduplication.ANSWERS,
    "aggregation": aggregation.ANSWERS,
    "limits": limits.ANSWERS,
    "transparency": transparency.ANSWERS,
    "observability": observability.ANSWERS,
}


def sections(seen: Seen, touched: frozenset[str]) -> tuple[Section, ...]:
    """Sections 3 to 8, always all. `touched` are those that the analysed code touches, or that have a finding."""
    return tuple(
        Section(section, TITLES[section], section in touched, tuple(answered(seen, section, one) for one in questions))
        for section, questions in QUESTIONS.items()
    )


def answered(seen: Seen, section: str, question: str) -> Answer:
    said = ANSWERS[section][question](seen)
    asked = QUESTIONS[section][question]
    if said is None:
        return Answer(question, asked, UNSEEN, None, ())
    return Answer(question, asked, said.text, said.confidence.value, said.evidence)


def checks(seen: Seen) -> tuple[CheckResult, ...]:
    """`usage-billing-accurate`, the only one."""
    return (accurate(seen),)
