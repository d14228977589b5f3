"""One repository on GitHub as the review sees it: pull requests, files, blobs, check runs, reviews and comments."""

import base64
import hashlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import quote

from msgspec import UNSET, UnsetType, structs

from bot.github.answers import decoded
from bot.github.conversation import Conversation
from bot.github.drafts import CheckRunDraft, CommentDraft
from bot.github.errors import NotFound, TooLarge, Unexpected
from bot.github.payloads import (
    App,
    CheckRun,
    CheckRunList,
    Comparison,
    Contents,
    FileEntry,
    PullRequest,
    Reference,
    Repository,
    RepositoryPermission,
    Review,
    ReviewComment,
    Tree,
)
from bot.github.repository_calls import RepositoryCalls, quoted_path

MOST_FILES = 3000
"""GitHub lists no more files of a pull request, without saying so."""
ANNOTATIONS_AT_ONCE = 50
_RAW = "application/vnd.github.raw+json"
_OBJECT = "application/vnd.github.object+json"
_REVISION = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")


@dataclass(frozen=True, slots=True)
class Files:
    """The files of a pull request; `cut` if GitHub has more than it lists."""

    entries: tuple[FileEntry, ...]
    cut: bool


class RepositoryClient:
    """Got by `GitHub.repository`. Every method may raise any of `bot.github.errors`; only what is special is named.

    Revisions are full hexadecimal object names. Everything is read through this repository, never through a fork.
    """

    def __init__(self, calls: RepositoryCalls, app: Callable[[], Awaitable[App]]) -> None:
        self._calls = calls
        self._app = app
        self.conversation = Conversation(calls)

    async def name(self) -> str:
        """`owner/name` now."""
        return await self._calls.resolve()

    async def about(self) -> Repository:
        """The repository as it is now."""
        return await self._calls.read("", Repository, "read repository")

    async def pull_request(self, number: int) -> PullRequest:
        """The pull request as it is now."""
        path, operation = f"/pulls/{number:d}", "read pull request"
        pull = await self._calls.read(path, PullRequest, operation)
        if not self._is_here(pull):
            # The name has passed to another repository since it was looked up.
            await self._calls.resolve()
            pull = await self._calls.read(path, PullRequest, operation)
            if not self._is_here(pull):
                raise NotFound(operation)
        return pull

    def _is_here(self, pull: PullRequest) -> bool:
        return pull.base.repo is None or pull.base.repo.id == self._calls.repository_id

    async def open_pull_requests(self) -> tuple[PullRequest, ...]:
        """All open pull requests; without `changed_files`."""
        pages = self._calls.pages("/pulls?state=open", tuple[PullRequest, ...], "list pull requests")
        return tuple([pull async for page in pages for pull in page])

    async def pull_requests_of(self, head_sha: str) -> tuple[PullRequest, ...]:
        """The open pull requests with that head; GitHub also names those that only contain the commit."""
        path = f"/commits/{_revision(head_sha)}/pulls"
        pages = self._calls.pages(path, tuple[PullRequest, ...], "list pull requests of a commit")
        pulls = [pull async for page in pages for pull in page]
        return tuple(pull for pull in pulls if pull.state == "open" and pull.head.sha == head_sha)

    async def files(self, number: int, changed_files: int | None = None) -> Files:
        """The files of the current head against the merge base; `changed_files` is what the pull request says.

        The answer names no revision: read the pull request before and after, and compare the heads.
        """
        entries: list[FileEntry] = []
        async for page in self._calls.pages(f"/pulls/{number:d}/files", tuple[FileEntry, ...], "list files"):
            entries += page
            if len(entries) >= MOST_FILES:
                break
        cut = len(entries) >= MOST_FILES if changed_files is None else len(entries) < changed_files
        return Files(tuple(entries), cut)

    async def blob(self, sha: str, limit_bytes: int) -> bytes:
        """The bytes of a blob, proven by their hash. Raises TooLarge over the limit."""
        operation = "read blob"
        path = f"/git/blobs/{_revision(sha)}"
        answer = await self._calls.send("GET", path, operation, accept=_RAW, limit_bytes=limit_bytes)
        if _blob_name(answer.body, sha) != sha:
            raise Unexpected(operation, answer.status, "the bytes are not those of the blob")
        return answer.body

    async def file_at(self, path: str, ref: str, limit_bytes: int = 1024 * 1024) -> bytes | None:
        """The bytes of a file at a revision; None if the revision has no regular file of that path.

        A path that no git tree can hold (`..`, an empty part) is answered without asking. GitHub follows a symbolic
        link to a file of the repository; other links, folders and submodules are no file. Raises TooLarge.
        """
        quoted = quoted_path(path)
        if quoted is None:
            return None
        operation = "read file"
        try:
            answer = await self._calls.send("GET", f"/contents/{quoted}?ref={_revision(ref)}", operation, accept=_OBJECT)
        except NotFound:
            return None
        if answer.body.lstrip().startswith(b"["):
            # A folder, where the server does not know the media type that wraps it in an object.
            return None
        found = decoded(answer, Contents, operation)
        if found.type != "file":
            return None
        if found.size > limit_bytes:
            raise TooLarge(operation, detail=f"over {limit_bytes} bytes")
        if found.encoding != "base64":
            return await self.blob(found.sha, limit_bytes)
        return _from_base64(found.content, operation)

    async def tree(self, sha: str) -> Tree:
        """All entries below a commit or tree, at most 100,000; `truncated` says whether some are missing."""
        return await self._calls.read(f"/git/trees/{_revision(sha)}?recursive=1", Tree, "read tree")

    async def merge_base(self, base: str, head: str) -> str:
        """The revision that GitHub's diff of a pull request starts from. Raises NotFound without common history."""
        path = f"/compare/{_revision(base)}...{_revision(head)}?per_page=1"
        return (await self._calls.read(path, Comparison, "compare revisions")).merge_base_commit.sha

    async def comparison(self, base: str, head: str) -> Comparison:
        """The commits and files between two revisions, at most 250 and 300. Raises NotFound without common history."""
        path = f"/compare/{_revision(base)}...{_revision(head)}?per_page=100"
        return await self._calls.read(path, Comparison, "compare revisions")

    async def branch_tip(self, branch: str) -> str | None:
        """The newest revision of a branch; None if it was deleted."""
        try:
            reference = await self._calls.read(f"/git/ref/heads/{quote(branch, safe='/')}", Reference, "read branch")
        except NotFound:
            return None
        return reference.object.sha

    async def permission_of(self, login: str) -> RepositoryPermission:
        """What somebody may do here; by permission, as `author_association` hides private members."""
        path = f"/collaborators/{quote(login, safe='')}/permission"
        return await self._calls.read(path, RepositoryPermission, "read permission")

    async def create_check_run(self, draft: CheckRunDraft) -> CheckRun:
        """A new check run. Over fifty annotations take more requests; it is completed by the last, as a completed run
        must not grow: GitHub appends annotations and never removes any."""
        first, *others = _in_batches(draft)
        run = await self._calls.write("POST", "/check-runs", first, CheckRun, "create check run")
        for batch in others:
            run = await self._patch_check_run(run.id, batch)
        return run

    async def update_check_run(self, check_run_id: int, draft: CheckRunDraft) -> CheckRun:
        """Changes what the draft holds, annotations are added, fifty at a time. Raises NotFound if the run is gone."""
        first, *others = _in_batches(draft)
        run = await self._patch_check_run(check_run_id, first)
        for batch in others:
            run = await self._patch_check_run(check_run_id, batch)
        return run

    async def _patch_check_run(self, check_run_id: int, draft: CheckRunDraft) -> CheckRun:
        return await self._calls.write("PATCH", f"/check-runs/{check_run_id:d}", draft, CheckRun, "update check run")

    async def check_runs(self, head_sha: str, name: str) -> tuple[CheckRun, ...]:
        """Our own check runs of that name on a commit, all attempts."""
        app = await self._app()
        path = f"/commits/{_revision(head_sha)}/check-runs"
        query = f"?check_name={quote(name, safe='')}&filter=all&app_id={app.id:d}"
        pages = self._calls.pages(path + query, CheckRunList, "list check runs")
        runs = [run async for page in pages for run in page.check_runs]
        return tuple(run for run in runs if run.name == name and run.app is not None and run.app.id == app.id)

    async def create_review(self, number: int, commit_id: str, body: str, comments: Sequence[CommentDraft] = ()) -> Review:
        """One review with its line comments, one notification. All or nothing: Rejected if any anchor is wrong."""
        # Always with an event: without one GitHub keeps a pending review, which blocks all that we write later.
        review = {"commit_id": _revision(commit_id), "body": body, "event": "COMMENT", "comments": list(comments)}
        path = f"/pulls/{number:d}/reviews"
        return await self._calls.write("POST", path, review, Review, "create review", notifies=True)

    async def reviews(self, number: int) -> tuple[Review, ...]:
        """All reviews, everybody's; pending ones only if they are ours."""
        pages = self._calls.pages(f"/pulls/{number:d}/reviews", tuple[Review, ...], "list reviews")
        return tuple([review async for page in pages for review in page])

    async def delete_pending_review(self, number: int) -> bool:
        """Deletes the pending review that we left behind, if there is one; it would block every other write of ours."""
        pending = [review for review in await self.reviews(number) if review.state == "PENDING"]
        for review in pending:
            await self._calls.delete(f"/pulls/{number:d}/reviews/{review.id:d}", "delete pending review")
        return bool(pending)

    async def review_comments(self, number: int) -> tuple[ReviewComment, ...]:
        """All comments on lines and files, everybody's, outdated ones too."""
        pages = self._calls.pages(f"/pulls/{number:d}/comments", tuple[ReviewComment, ...], "list review comments")
        return tuple([comment async for page in pages for comment in page])

    async def create_file_comment(self, number: int, commit_id: str, path: str, body: str) -> ReviewComment:
        """A comment on a whole file, for a finding whose line GitHub does not show in the diff."""
        comment = {"commit_id": _revision(commit_id), "path": path, "body": body, "subject_type": "file"}
        return await self._comment(f"/pulls/{number:d}/comments", comment, "create file comment")

    async def reply(self, number: int, comment_id: int, body: str) -> ReviewComment:
        """An answer in the thread of a top-level comment."""
        path = f"/pulls/{number:d}/comments/{comment_id:d}/replies"
        return await self._comment(path, {"body": body}, "reply to comment")

    async def _comment(self, path: str, comment: dict[str, str], operation: str) -> ReviewComment:
        return await self._calls.write("POST", path, comment, ReviewComment, operation, notifies=True)

    async def update_comment(self, comment_id: int, body: str) -> ReviewComment:
        """New text for a comment of ours; nobody is notified. Raises NotFound if a human deleted it."""
        path = f"/pulls/comments/{comment_id:d}"
        return await self._calls.write("PATCH", path, {"body": body}, ReviewComment, "update comment")

    async def delete_comment(self, comment_id: int) -> None:
        """Deletes a comment of ours; one that is already gone is no error."""
        await self._calls.delete(f"/pulls/comments/{comment_id:d}", "delete comment")


def _in_batches(draft: CheckRunDraft) -> list[CheckRunDraft]:
    """Drafts of at most fifty annotations each; status and conclusion are in the last, so it is completed last."""
    output = draft.output
    if output is UNSET or len(output.annotations) <= ANNOTATIONS_AT_ONCE:
        return [draft]
    cuts = range(0, len(output.annotations), ANNOTATIONS_AT_ONCE)
    outputs = [structs.replace(output, annotations=output.annotations[cut : cut + ANNOTATIONS_AT_ONCE]) for cut in cuts]
    status: Literal["in_progress"] | UnsetType = UNSET if draft.status is UNSET else "in_progress"
    unfinished = structs.replace(draft, conclusion=UNSET, completed_at=UNSET, status=status, actions=UNSET)
    drafts = [structs.replace(unfinished, output=outputs[0])]
    drafts += [CheckRunDraft(output=middle) for middle in outputs[1:-1]]
    return [*drafts, structs.replace(draft, head_sha=UNSET, output=outputs[-1])]


def _from_base64(content: str, operation: str) -> bytes:
    try:
        return base64.b64decode(content)
    except ValueError:
        raise Unexpected(operation, detail="content is not base64") from None


def _revision(sha: str) -> str:
    """The object name, if it is one: anything else would be another URL."""
    if _REVISION.fullmatch(sha) is None:
        raise ValueError("not a full git object name")
    return sha


def _blob_name(content: bytes, like: str) -> str:
    """Git's name for the content; the repository's hash is told by the length of its names."""
    digest = hashlib.sha1(usedforsecurity=False) if len(like) == 40 else hashlib.sha256()
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()
