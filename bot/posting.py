"""What a review writes on GitHub: one check run and one review with comments on lines. Each write can be made twice safely."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from bot.configuration import FILE, InForce
from bot.github.drafts import CheckOutput, CheckRunDraft, CommentDraft
from bot.github.errors import Forbidden, NotFound, Rejected, Unanswered
from bot.github.payloads import App, CheckRun, PullRequest, ReviewComment
from bot.github.repository import RepositoryClient
from bot.reading import Reading
from bot.report.anchors import Anchor, anchor
from bot.report.check_run import annotations, check_summary, check_title
from bot.report.comments import Marker, comment_body, read_marker, review_body
from bot.verdict import Conclusion, verdict_of
from rules.report import Report, Reported

NAME = "MeterAudit"
"""The check's name never changes: people pin it in branch rules."""


@dataclass(frozen=True, slots=True)
class Check:
    """The check run of one head. `run` is None while there is nothing to say that the last completed one does not say."""

    run: CheckRun | None
    last: CheckRun | None
    external_id: str


@dataclass(frozen=True, slots=True)
class Drafted:
    """A comment that is to be posted, with the finding it is about."""

    finding: Reported
    draft: CommentDraft


async def begin(repository: RepositoryClient, pull: PullRequest) -> Check:
    """Shows that the review runs. A head that has a completed run keeps it until there is something new to say."""
    runs = sorted(await repository.check_runs(pull.head.sha, NAME), key=lambda run: run.id)
    open_run = next((run for run in reversed(runs) if run.status != "completed"), None)
    completed = next((run for run in reversed(runs) if run.status == "completed" and run.conclusion != "cancelled"), None)
    repo = pull.base.repo.id if pull.base.repo else 0
    external_id = f"v1:{repo}:{pull.head.sha}:{len(runs) + (open_run is None)}"
    if open_run is not None:
        return Check(open_run, completed, open_run.external_id or external_id)
    if completed is not None:
        return Check(None, completed, external_id)
    return Check(await create(repository, pull, external_id), None, external_id)


async def create(repository: RepositoryClient, pull: PullRequest, external_id: str) -> CheckRun:
    return await repository.create_check_run(
        CheckRunDraft(name=NAME, head_sha=pull.head.sha, external_id=external_id, status="in_progress", started_at=now())
    )


async def comment(repository: RepositoryClient, pull: PullRequest, reading: Reading, report: Report, app: App) -> Report:
    """Posts the new comments in one review. In the report that comes back, what could not be posted is an annotation."""
    said = {mark.fingerprint for one in await repository.review_comments(pull.number) if (mark := own_marker(one, app))}
    drafted = [one for one in drafts(report, reading) if one.finding.fingerprint not in said]
    anchored = {one.finding.fingerprint for one in drafted} | said
    unposted = {one.fingerprint for one in report.findings if one.shown == "comment" and one.fingerprint not in anchored}
    if drafted:
        unposted |= await post_review(repository, pull, report, drafted, app)
    findings = tuple(replace(one, shown="annotation") if one.fingerprint in unposted else one for one in report.findings)
    return replace(report, findings=findings)


def own_marker(one: ReviewComment, app: App) -> Marker | None:
    """Markers count only where our App wrote them: anyone can write one. Nobody else can be its bot account."""
    written = one.performed_via_github_app
    by_us = written.id == app.id if written is not None else one.user is not None and one.user.login == f"{app.slug}[bot]"
    return read_marker(one.body) if by_us else None


def drafts(report: Report, reading: Reading) -> Iterable[Drafted]:
    files = {file.path: file for file in reading.change.files}
    over = Counter((one.rule, one.path) for one in report.findings if one.shown == "annotation")
    for finding in report.findings:
        if finding.shown != "comment" or finding.path in reading.unanchored:
            continue
        place = anchor(finding, files[finding.path].hunks)
        if place is not None:
            more = over.pop((finding.rule, finding.path), 0)
            yield Drafted(finding, draft(finding, place, more))


def draft(finding: Reported, place: Anchor, more: int) -> CommentDraft:
    body = comment_body(finding, place, more)
    if place.start_line is None:
        return CommentDraft(path=place.path, body=body, line=place.line, side=place.side)
    return CommentDraft(
        path=place.path, body=body, line=place.line, side=place.side, start_line=place.start_line, start_side=place.side
    )


async def post_review(
    repository: RepositoryClient, pull: PullRequest, report: Report, drafted: list[Drafted], app: App
) -> set[str]:
    """One review for all; the fingerprints of what GitHub would not take. A refusal names no culprit: halves find it."""
    try:
        await repository.create_review(pull.number, pull.head.sha, body(report, pull), [one.draft for one in drafted])
    except Rejected:
        if len(drafted) == 1:
            return {drafted[0].finding.fingerprint}
        middle = len(drafted) // 2
        first = await post_review(repository, pull, report, drafted[:middle], app)
        return first | await post_review(repository, pull, report, drafted[middle:], app)
    except Unanswered:
        # It may have landed all the same: the answer is on GitHub, and nothing is said twice.
        there = {mark.fingerprint for one in await repository.review_comments(pull.number) if (mark := own_marker(one, app))}
        if not {one.finding.fingerprint for one in drafted} <= there:
            raise
    except Forbidden:
        # A locked conversation or an archived repository: the check run says it all.
        return {one.finding.fingerprint for one in drafted}
    return set()


def body(report: Report, pull: PullRequest) -> str:
    url = pull.base.repo.html_url if pull.base.repo else ""
    return review_body(report, f"{url}/pull/{pull.number}/checks")


async def complete(
    repository: RepositoryClient, pull: PullRequest, configuration: InForce, reading: Reading, report: Report, check: Check
) -> None:
    """Says the verdict, unless the last completed run of this head says just that."""
    verdict = verdict_of(report, configuration, reading)
    url = pull.base.repo.html_url if pull.base.repo else ""
    summary = verdict.preface + check_summary(report, url, pull.head.sha, configuration.source)
    output = CheckOutput(title=verdict.title or check_title(report), summary=summary, annotations=annotations(report))
    await conclude(repository, pull, check, verdict.conclusion, output)


async def conclude(
    repository: RepositoryClient, pull: PullRequest, check: Check, conclusion: Conclusion, output: CheckOutput
) -> None:
    last = check.last
    if check.run is None and last is not None and (last.conclusion, last.output.title) == (conclusion, output.title):
        return
    run = check.run or await create(repository, pull, check.external_id)
    done = CheckRunDraft(status="completed", conclusion=conclusion, completed_at=now(), output=output)
    await repository.update_check_run(run.id, done)


async def pass_over(repository: RepositoryClient, pull: PullRequest, reason: str) -> None:
    """A pull request that is left alone: neutral for a draft, success for a label or author, and the title says which."""
    conclusion: Conclusion = "neutral" if pull.draft else "success"
    output = CheckOutput(title=reason[:80], summary=f"{reason}. The configuration on {pull.base.ref} decides this.")
    await conclude(repository, pull, await begin(repository, pull), conclusion, output)


async def supersede(repository: RepositoryClient, check: Check) -> None:
    """Never neutral, which would pass: if the branch goes back to this head, it must be judged."""
    if check.run is None:
        return
    output = CheckOutput(title="Superseded by a newer push", summary="The newest commit of the pull request is judged instead.")
    try:
        await repository.update_check_run(
            check.run.id, CheckRunDraft(status="completed", conclusion="cancelled", completed_at=now(), output=output)
        )
    except NotFound:
        return


async def could_not_finish(repository: RepositoryClient, pull: PullRequest, check: Check, blocks: bool) -> None:
    """Our own failure, or GitHub's: said on the pull request, and tried again by the job."""
    output = CheckOutput(
        title="Could not finish: it is tried again",
        summary="MeterAudit or GitHub failed while this was reviewed; nothing is known to be wrong with the change. "
        "It is tried again by itself. `fail_closed` in " + FILE + " decides whether this blocks.",
    )
    await conclude(repository, pull, check, "failure" if blocks else "neutral", output)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
