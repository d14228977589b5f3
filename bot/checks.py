"""The one check run of a commit: begun early, completed last, shared by every pull request with that head.

GitHub keeps a check by commit and name and shows the newest of that name. So the writer of a commit's check holds a lock, looks
at what is there, and writes only what is new. A run that is completed is never touched again: another one takes its place.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import blake2b

import msgspec
import structlog
from msgspec import UNSET, UnsetType, structs

from bot.desk import Desk
from bot.github.drafts import CheckAction, CheckOutput, CheckRunDraft
from bot.github.errors import NotFound, Rejected, RevisionGone
from bot.github.payloads import CheckRun
from bot.memory import Verdict
from bot.report.quoting import clipped, code_span, one_line, prose
from bot.verdict import Conclusion

log = structlog.get_logger(__name__)

NAME = "MeterAudit"
"""The check's name never changes: people pin it in branch rules."""
BUTTONS = (
    CheckAction("Re-run", "Review the newest commit again", "rerun"),
    CheckAction("Explain config", "Say which settings decide, and why", "explain_config"),
)
GRAVITY: tuple[Conclusion, ...] = ("failure", "action_required", "cancelled", "timed_out", "neutral", "skipped", "success")
"""The worst first: what two pull requests with one head share is the worse verdict."""
LONGEST_TITLE = 80
HALVINGS = 4
CUT = "GitHub refused the rest of this text as too long: `meteraudit review` shows all."
_MOST_OTHERS = 10
_MOST_RULES = 20


@dataclass(frozen=True, slots=True)
class Word:
    """What is to be said on the check."""

    conclusion: Conclusion
    output: CheckOutput
    score: int | None = None
    rules: tuple[str, ...] = ()
    """Ids of the rules that have something new to say, the gravest first: where the check leads to."""


async def begin(desk: Desk) -> None:
    """Shows that the review runs. A head that has a completed run keeps it until there is something new to say."""
    head = desk.pull.head.sha
    for one in await desk.memory.open_checks(desk.repository_id, desk.pull.number):
        # Groups of the merge queue have no number, and each has a right to its own answer.
        if one.head_sha != head and desk.pull.number:
            await cancel(desk, one.head_sha)
    await desk.memory.check_opens(desk.installation_id, desk.repository_id, head, desk.pull.number)
    async with desk.memory.publishing(desk.repository_id, head):
        runs = await runs_of(desk, head)
        waiting = opened(runs)
        if waiting is not None and waiting.status == "queued":
            await desk.repository.update_check_run(waiting.id, CheckRunDraft(status="in_progress", started_at=now()))
        elif waiting is None and completed(runs) is None:
            await create(desk, head, len(runs) + 1)


async def announce(desk: Desk) -> None:
    """Shows that a review waits, unless the head has a run that is open or says a verdict."""
    head = desk.pull.head.sha
    async with desk.memory.publishing(desk.repository_id, head):
        runs = await runs_of(desk, head)
        if opened(runs) is not None or completed(runs) is not None:
            return
        await desk.memory.check_opens(desk.installation_id, desk.repository_id, head, desk.pull.number)
        await create(desk, head, len(runs) + 1, status="queued")


async def runs_of(desk: Desk, head: str) -> list[CheckRun]:
    """Ours on a commit, oldest first."""
    return sorted(await desk.repository.check_runs(head, NAME), key=lambda run: run.id)


def opened(runs: Sequence[CheckRun]) -> CheckRun | None:
    return next((run for run in reversed(runs) if run.status != "completed"), None)


def completed(runs: Sequence[CheckRun]) -> CheckRun | None:
    return next((run for run in reversed(runs) if run.status == "completed" and run.conclusion != "cancelled"), None)


async def create(desk: Desk, head: str, attempt: int, status: str = "in_progress") -> CheckRun:
    external_id = f"v1:{desk.repository_id}:{head}:{attempt}"
    draft = CheckRunDraft(name=NAME, head_sha=head, external_id=external_id, details_url=details_url(desk, ()))
    if status == "queued":
        return await desk.repository.create_check_run(structs.replace(draft, status="queued"))
    return await desk.repository.create_check_run(structs.replace(draft, status="in_progress", started_at=now()))


def details_url(desk: Desk, rules: tuple[str, ...]) -> str | UnsetType:
    """The page of the one rule, the list of several, or of all where there is none to name; nothing without an address."""
    if desk.rules_url is None:
        return UNSET
    if len(rules) == 1:
        return f"{desk.rules_url}/{rules[0]}"
    return f"{desk.rules_url}?only={','.join(rules[:_MOST_RULES])}" if rules else desk.rules_url


async def conclude(desk: Desk, word: Word, *, settles: bool = True) -> None:
    """Says the verdict of this pull request, and of the others with its head, unless the check says just that.

    A word that does not settle it leaves the head noted as open, to be looked at again.
    """
    head, number = desk.pull.head.sha, desk.pull.number
    own = Verdict(number, word.conclusion, word.output.title, word.score, digest_of(word))
    await desk.memory.keep_verdict(desk.repository_id, head, own)
    async with desk.memory.publishing(desk.repository_id, head):
        others = [one for one in await desk.memory.verdicts(desk.repository_id, head) if one.number != number]
        if others:
            here = {pull.number for pull in await desk.repository.pull_requests_of(head)}
            others = [one for one in others if one.number in here]
        await say(desk, head, joined(own, word, others), said_mark([own, *others]))
    await desk.memory.set_mark("check", number)
    if settles:
        await desk.memory.check_closed(desk.repository_id, head, number)


def joined(own: Verdict, word: Word, others: Sequence[Verdict]) -> Word:
    """One word for several pull requests: the worst of them, and a section for each."""
    if not others:
        return word
    worst = min([own, *others], key=lambda one: (GRAVITY.index(conclusion_of(one)), one.number != own.number))
    lines = [
        f"- Pull request {one.number}: **{one.conclusion}**, {prose(one.title, LONGEST_TITLE)}" for one in others[:_MOST_OTHERS]
    ]
    lines += [f"- and {len(others) - _MOST_OTHERS} more"] if len(others) > _MOST_OTHERS else []
    summary = (
        f"**{len(others) + 1} open pull requests have this head.** The check shows the worst verdict of them.\n\n"
        + "\n".join(lines)
        + f"\n\n## Pull request {own.number}\n\n{word.output.summary}"
    )
    return replace(
        word, conclusion=conclusion_of(worst), output=structs.replace(word.output, title=worst.title, summary=summary)
    )


def digest_of(word: Word) -> str:
    return blake2b(msgspec.json.encode((word.conclusion, word.output)), digest_size=16).hexdigest()


def said_mark(verdicts: Sequence[Verdict]) -> str:
    """The invisible last line of a summary. It is the same whichever of the pull requests was judged last."""
    parts = sorted(f"{one.number}:{one.digest}" for one in verdicts)
    return f"<!-- meteraudit:v1 said={blake2b(' '.join(parts).encode(), digest_size=16).hexdigest()} -->"


def conclusion_of(one: Verdict) -> Conclusion:
    return next((known for known in GRAVITY if known == one.conclusion), "failure")


async def say(desk: Desk, head: str, word: Word, mark: str) -> None:
    """Under the lock of the commit. `mark` tells whether the same was said before."""
    runs = await runs_of(desk, head)
    waiting, last = opened(runs), completed(runs)
    title = clipped(one_line(word.output.title), LONGEST_TITLE)
    output = structs.replace(word.output, title=title, summary=f"{word.output.summary.rstrip()}\n\n{mark}\n")
    if waiting is None:
        if last is not None and (last.output.summary or "").rstrip().endswith(mark):
            return
        waiting = await create(desk, head, len(runs) + 1)
    # A run that grew before its writer died keeps what it has: GitHub adds annotations and takes none back.
    output = structs.replace(output, annotations=output.annotations[waiting.output.annotations_count :])
    await complete(desk, waiting.id, word, output)
    for older in runs:
        if older.status != "completed" and older.id != waiting.id:
            await end(desk, older, "Superseded by a newer run", "Another run of this check has the verdict.")


async def complete(desk: Desk, run: int, word: Word, output: CheckOutput) -> None:
    """The last update of a run. What GitHub finds too long is halved until it takes it; the mark at the end stays."""
    for left in reversed(range(HALVINGS + 1)):
        draft = CheckRunDraft(
            status="completed",
            conclusion=word.conclusion,
            completed_at=now(),
            details_url=details_url(desk, word.rules),
            output=output,
            actions=BUTTONS,
        )
        try:
            await desk.repository.update_check_run(run, draft)
            return
        except Rejected:
            if not left:
                raise
        output = structs.replace(output, summary=halved(output.summary))


def halved(summary: str) -> str:
    """The first half of a text and its last line, which is our mark."""
    text, _, mark = summary.rstrip().rpartition("\n")
    return f"{text[: len(text) // 2].rpartition(chr(10))[0]}\n\n{CUT}\n\n{mark}\n"


async def end(desk: Desk, run: CheckRun, title: str, summary: str) -> None:
    """Never neutral, which would pass: if the branch goes back to this commit, it must be judged."""
    output = CheckOutput(title=title, summary=summary)
    draft = CheckRunDraft(status="completed", conclusion="cancelled", completed_at=now(), output=output)
    try:
        await desk.repository.update_check_run(run.id, draft)
    except NotFound:
        return


async def cancel(desk: Desk, head: str) -> None:
    """Ends what is open on a commit that is no longer this pull request's head, unless it is that of another one."""
    try:
        here = [pull for pull in await desk.repository.pull_requests_of(head) if pull.number != desk.pull.number]
        async with desk.memory.publishing(desk.repository_id, head):
            for run in [] if here else await runs_of(desk, head):
                if run.status != "completed":
                    await end(
                        desk, run, "Superseded by a newer push", "The newest commit of the pull request is judged instead."
                    )
    except (NotFound, RevisionGone):
        # A force push took the commit out of the repository, and its check with it.
        pass
    await desk.memory.check_closed(desk.repository_id, head, desk.pull.number)


async def pass_over(desk: Desk, reason: str) -> None:
    """A pull request that is left alone: neutral for a draft or a pause, success for a label or author."""
    conclusion: Conclusion = "success" if reason.startswith("Skipped") else "neutral"
    summary = f"{prose(reason)}. The configuration on {code_span(desk.pull.base.ref)} or a command decides this."
    await conclude(desk, Word(conclusion, CheckOutput(title=reason, summary=summary)))


async def could_not_finish(desk: Desk, blocks: bool, *, for_good: bool = False) -> None:
    """Our own failure, or GitHub's: said on the pull request, and tried again for an hour."""
    again = "Use Re-run to try again." if for_good else "It is tried again by itself."
    incident = f"{desk.repository_id}-{desk.pull.number}-{desk.pull.head.sha[:7]}"
    log.warning("could not finish", incident=incident, for_good=for_good)
    output = CheckOutput(
        title="Could not finish" if for_good else "Could not finish: it is tried again",
        summary="MeterAudit or GitHub failed while this was reviewed; nothing is known to be wrong with the change. "
        f"{again} `fail_closed` in `.meteraudit.yml` decides whether this blocks.\n\n"
        f"Incident `{incident}`: whoever runs MeterAudit finds it in the log.",
    )
    await conclude(desk, Word("failure" if blocks else "neutral", output), settles=for_good)


async def ask_again(desk: Desk, head: str) -> None:
    """A new run on a head that somebody wants judged again, so that the answer is a new one even if it is the same."""
    await desk.memory.check_opens(desk.installation_id, desk.repository_id, head, desk.pull.number)
    async with desk.memory.publishing(desk.repository_id, head):
        runs = await runs_of(desk, head)
        if opened(runs) is None:
            await create(desk, head, len(runs) + 1, status="queued")


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
