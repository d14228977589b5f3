"""Brings the comments on a pull request up to date: reads what stands there, asks `thread` what to do, has it done."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

import structlog

from bot.comments import carry_out, draft, note_new, post_on_file, post_review
from bot.configuration import InForce
from bot.desk import Desk
from bot.github.conversation import Thread
from bot.github.drafts import CommentDraft
from bot.github.errors import Forbidden, Rejected, Unexpected
from bot.github.payloads import ReviewComment
from bot.memory import Decision, Remembered
from bot.reading import Reading
from bot.report.anchors import Anchor, anchor
from bot.report.comments import Marker, comment_body, is_retired, read_marker
from bot.report.quoting import code_span, prose
from bot.thread import Existing, Plan, Post, Remove, Restore, Retire, Rewrite, Situation, plan
from rules.report import Report, Reported

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Talk:
    """One pull request's comments as they stood when the review looked."""

    comments: tuple[Existing, ...]
    remembered: Mapping[str, Remembered]

    def resolved(self) -> frozenset[str]:
        """Findings whose thread a human has resolved."""
        known = {print_ for print_, one in self.remembered.items() if one.state == "acknowledged"}
        live = [one for one in self.comments if not is_retired(one.body)]
        reopened = {one.fingerprint for one in live if one.thread_id is not None and not one.resolved}
        return frozenset((known - reopened) | {one.fingerprint for one in live if one.resolved_by_human})

    def dismissed(self) -> frozenset[str]:
        """Findings whose comment a human has deleted."""
        there = {one.fingerprint for one in self.comments}
        gone = {print_ for print_, one in self.remembered.items() if one.state == "shown" and print_ not in there}
        return frozenset(gone | {print_ for print_, one in self.remembered.items() if one.state == "dismissed"})


@dataclass(frozen=True, slots=True)
class Judged:
    """What a review found out. `whole` has every finding; `report` only those that count."""

    reading: Reading
    whole: Report
    report: Report
    configuration: InForce
    decisions: tuple[Decision, ...]
    ignored: Mapping[str, Decision]
    """By fingerprint: which command took it out of the verdict."""
    resolved: frozenset[str]
    """Fingerprints that do not count because their thread is resolved."""
    dismissed: frozenset[str]

    def fate(self, path: str, rule: str, head: str) -> str | None:
        """What became of a finding that is not there any more; None where nobody looked."""
        if self.configuration.options.rules.get(rule) == "off":
            return "The configuration has switched this rule off."
        became = self.reading.fate(path, self.whole)
        return {"changed": f"Fixed in {head}.", "gone": f"No longer in this pull request as of {head}."}.get(became or "")


async def read_talk(desk: Desk) -> Talk:
    said = await desk.repository.review_comments(desk.pull.number)
    remembered = await desk.memory.comments(desk.repository_id, desk.pull.number)
    marked = [(one, mark) for one in said if desk.ours(one) and (mark := read_marker(one.body))]
    threads = await threads_of(desk) if marked else {}
    return Talk(tuple(existing(desk, one, mark, said, threads.get(one.id)) for one, mark in marked), remembered)


async def threads_of(desk: Desk) -> dict[int, Thread]:
    """By comment; empty where GitHub does not tell, which is no reason to stop a review."""
    try:
        threads = await desk.repository.conversation.threads(desk.pull.number)
    except (Forbidden, Unexpected, Rejected) as error:
        log.info("threads not readable", error=type(error).__name__)
        return {}
    return {comment: thread for thread in threads for comment in thread.comments}


def existing(desk: Desk, one: ReviewComment, mark: Marker, said: Iterable[ReviewComment], thread: Thread | None) -> Existing:
    answers = [other for other in said if other.in_reply_to_id == one.id]
    by_us = thread is not None and thread.resolved_by in (desk.app.slug, f"{desk.app.slug}[bot]")
    return Existing(
        comment_id=one.id,
        node_id=one.node_id,
        fingerprint=mark.fingerprint,
        rule=mark.rule,
        path=one.path,
        body=one.body,
        place=(one.start_line, one.line, one.side),
        thread_id=thread.id if thread else None,
        hidden=thread is not None and one.id in thread.hidden,
        resolved=thread is not None and thread.resolved,
        resolved_by_human=thread is not None and thread.resolved and not by_us,
        resolvable=thread is not None and thread.resolvable,
        replied=any(not desk.ours(other) for other in answers),
        announced=tuple(other.body for other in answers if desk.ours(other)),
    )


async def speak(desk: Desk, talk: Talk, judged: Judged, tidy: bool = True) -> tuple[Report, bool]:
    """Makes the comments say what the report says. In the report that comes back, `shown` is what has become of each.

    Without `tidy`, what stands there and needs no more than tidying stays for later; the second answer says if any does.
    """
    now = situation(judged, desk.pull.head.sha, await desk.memory.can_hide(desk.installation_id))
    todo = plan(now, talk.comments, talk.remembered)
    await desk.memory.remember(desk.repository_id, desk.pull.number, todo.learned)
    new = [step.fingerprint for step in todo.steps if isinstance(step, Post)]
    refused: frozenset[str] = await post(desk, judged, new) if new else frozenset()
    if new:
        await note_new(desk)
    later = [step for step in todo.steps if isinstance(step, (Retire, Rewrite, Remove)) and not tidy]
    for step in todo.steps:
        if step not in later:
            await carry_out(desk, step)
    return as_shown(judged.report, todo, refused), bool(later)


def ignored_words(decision: Decision) -> str:
    return f"Ignored by {code_span(decision.login)} for this pull request ([reason]({decision.comment_url}))."


def situation(judged: Judged, head: str, can_hide: bool) -> Situation:
    findings = {one.fingerprint: one for one in judged.whole.findings}
    more = overflow(judged.report)
    suppressed = {
        one.fingerprint: f"Suppressed in the code: {prose(one.reason or '', 300)}"
        for one in judged.whole.suppressed
        if one.fingerprint is not None
    }

    def body(print_: str, at: tuple[int | None, int | None, str | None]) -> str:
        finding = findings[print_]
        place = anchored(finding, judged.reading)
        # A suggestion replaces the lines that it stands on: only where it stands on the right ones.
        stands = place is not None and (place.start_line, place.line, place.side) == at
        return comment_body(finding, place if stands else None, more.get((finding.rule, finding.path), 0))

    return Situation(
        head=head,
        present=frozenset(findings) - judged.ignored.keys(),
        silenced={**suppressed, **{print_: ignored_words(one) for print_, one in judged.ignored.items()}},
        fate=lambda path, rule: judged.fate(path, rule, head[:7]),
        wanted=tuple(one.fingerprint for one in judged.report.findings if one.shown == "comment"),
        body=body,
        can_hide=can_hide,
    )


def overflow(report: Report) -> Counter[tuple[str, str]]:
    return Counter((one.rule, one.path) for one in report.findings if one.shown == "annotation")


def anchored(finding: Reported, reading: Reading) -> Anchor | None:
    """Where on the diff its comment goes; None where GitHub would refuse one on a line."""
    file = next((one for one in reading.change.files if one.path == finding.path), None)
    return None if file is None or finding.path in reading.unanchored else anchor(finding, file.hunks)


def as_shown(report: Report, done: Plan, refused: frozenset[str]) -> Report:
    """Annotations are only for what could have been a comment and is none."""

    def one_shown(finding: Reported) -> Reported:
        if finding.fingerprint in done.quiet:
            return replace(finding, shown="summary")
        if finding.fingerprint in refused:
            return replace(finding, shown="annotation")
        return replace(finding, shown="comment") if finding.fingerprint in done.standing else finding

    back = {step.comment.fingerprint for step in done.steps if isinstance(step, Restore)}
    findings = [replace(one, state="reappeared") if one.fingerprint in back else one for one in report.findings]
    return replace(report, findings=tuple(map(one_shown, findings)))


async def post(desk: Desk, judged: Judged, wanted: list[str]) -> frozenset[str]:
    """All new comments in one review; the fingerprints of those that could not be said on the pull request's files."""
    findings = {one.fingerprint: one for one in judged.report.findings}
    more = overflow(judged.report)
    drafts: dict[str, CommentDraft] = {}
    loose: list[str] = []
    for print_ in wanted:
        place = anchored(findings[print_], judged.reading)
        if place is None:
            loose.append(print_)
            continue
        rest = more.pop((findings[print_].rule, findings[print_].path), 0)
        drafts[print_] = draft(comment_body(findings[print_], place, rest), place)
    demoted = await post_review(desk, judged.report, drafts) if drafts else []
    return frozenset([one for one in (*demoted, *loose) if not await post_on_file(desk, findings[one])])
