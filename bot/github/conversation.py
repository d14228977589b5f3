"""What commands and retired comments need of a pull request's conversation: reactions, answers, threads, hiding."""

from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from bot.github import answers
from bot.github.errors import CapabilityMissing, NotFound, RateLimited
from bot.github.payloads import IssueComment, Reaction, ReviewComment
from bot.github.repository_calls import RepositoryCalls

_THREADS = """
query($owner: String!, $name: String!, $number: Int!, $after: String) {
  repository(owner: $owner, name: $name) { pullRequest(number: $number) { reviewThreads(first: 50, after: $after) {
    pageInfo { hasNextPage endCursor }
    nodes { id isResolved resolvedBy { login } viewerCanResolve comments(first: 50) { nodes { databaseId isMinimized } } }
  } } }
}
"""
_MINIMIZE = """
mutation($id: ID!, $classifier: ReportedContentClassifiers!) {
  minimizeComment(input: {subjectId: $id, classifier: $classifier}) { minimizedComment { isMinimized } }
}
"""
_UNMINIMIZE = """
mutation($id: ID!) { unminimizeComment(input: {subjectId: $id}) { unminimizedComment { isMinimized } } }
"""
_RESOLVE = "mutation($id: ID!) { resolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"
_UNRESOLVE = "mutation($id: ID!) { unresolveReviewThread(input: {threadId: $id}) { thread { isResolved } } }"
_MOST_PAGES = 40


@dataclass(frozen=True, slots=True)
class Thread:
    """A thread on a line. `resolved_by` is a login as GraphQL writes it: without `[bot]`."""

    id: str
    resolved: bool
    resolved_by: str | None
    resolvable: bool
    """Whether we may resolve it: that takes Contents: write."""
    comments: tuple[int, ...]
    hidden: frozenset[int]


class Conversation:
    """The talk around one repository's pull requests; got as `RepositoryClient.conversation`."""

    def __init__(self, calls: RepositoryCalls) -> None:
        self._calls = calls

    async def react(
        self, where: Literal["issues", "pulls"], comment_id: int, content: Literal["eyes", "+1", "-1", "confused"]
    ) -> Reaction:
        """A reaction to a comment of the conversation (`issues`) or of a line (`pulls`).

        GitHub keeps one of each kind, so it may be repeated. Raises Forbidden where reactions are refused: then reply.
        """
        path = f"/{where}/comments/{comment_id:d}/reactions"
        return await self._calls.write("POST", path, {"content": content}, Reaction, "react", repeatable=True)

    async def comment(self, number: int, body: str) -> IssueComment:
        """A comment in the conversation of a pull request."""
        path = f"/issues/{number:d}/comments"
        return await self._calls.write("POST", path, {"body": body}, IssueComment, "comment", notifies=True)

    async def edit(self, comment_id: int, body: str) -> IssueComment:
        """New text for a comment of ours in the conversation."""
        path = f"/issues/comments/{comment_id:d}"
        return await self._calls.write("PATCH", path, {"body": body}, IssueComment, "edit comment", repeatable=True)

    async def said(self, comment_id: int) -> IssueComment:
        """A comment of the conversation as it is now. Raises NotFound."""
        return await self._calls.read(f"/issues/comments/{comment_id:d}", IssueComment, "read comment")

    async def said_on_line(self, comment_id: int) -> ReviewComment:
        """A comment on a line as it is now. Raises NotFound."""
        return await self._calls.read(f"/pulls/comments/{comment_id:d}", ReviewComment, "read comment")

    async def comments(self, number: int) -> tuple[IssueComment, ...]:
        """The conversation, everybody's, oldest first."""
        pages = self._calls.pages(f"/issues/{number:d}/comments", tuple[IssueComment, ...], "list comments")
        return tuple([comment async for page in pages for comment in page])

    async def threads(self, number: int) -> tuple[Thread, ...]:
        """All threads on lines. Raises Unexpected where GitHub answers anything but them."""
        owner, _, name = (await self._calls.name()).partition("/")
        found: list[Thread] = []
        after: str | None = None
        for _ in range(_MOST_PAGES):
            variables = {"owner": owner, "name": name, "number": number, "after": after}
            body = msgspec.json.encode({"query": _THREADS, "variables": variables})
            answer = await self._calls.graphql("list threads", body, repeatable=True)
            page = answers.decoded(answer, _Answered, "list threads").data.repository.pull_request.review_threads
            found += (_thread(node) for node in page.nodes)
            if not page.page_info.has_next_page:
                break
            after = page.page_info.end_cursor
        return tuple(found)

    async def minimize(self, node_id: str, classifier: Literal["RESOLVED", "OUTDATED"] = "RESOLVED") -> bool:
        """Hides a comment; whether GitHub says that it is hidden now.

        Only `isMinimized` counts; False: GitHub failed for a moment. Raises CapabilityMissing where it is not allowed.
        """
        variables = {"id": node_id, "classifier": classifier}
        return _told(await self._mutate("minimize comment", _MINIMIZE, variables), "minimizedComment", "isMinimized") is True

    async def unminimize(self, node_id: str) -> bool:
        """Shows a hidden comment again; whether GitHub says so."""
        answer = await self._mutate("unminimize comment", _UNMINIMIZE, {"id": node_id})
        return _told(answer, "unminimizedComment", "isMinimized") is False

    async def resolve(self, thread_id: str, resolved: bool = True) -> bool:
        """Resolves a thread or opens it again; whether GitHub says so."""
        operation = "resolve thread" if resolved else "unresolve thread"
        answer = await self._mutate(operation, _RESOLVE if resolved else _UNRESOLVE, {"id": thread_id})
        return _told(answer, "thread", "isResolved") is resolved

    async def _mutate(self, operation: str, query: str, variables: dict[str, Any]) -> Any:
        # Doing it twice changes nothing more than doing it once.
        body = msgspec.json.encode({"query": query, "variables": variables})
        answer = await self._calls.graphql(operation, body, repeatable=True)
        told = answers.decoded(answer, _Mutated, operation)
        kinds = {error.type for error in told.errors}
        if "FORBIDDEN" in kinds:
            raise CapabilityMissing(operation, answer.status)
        if "NOT_FOUND" in kinds:
            raise NotFound(operation, answer.status)
        if "RATE_LIMITED" in kinds:
            raise RateLimited(operation, self._calls.now() + answers.SECONDARY_PAUSE)
        return told.data


def _told(data: Any, *path: str) -> Any:
    """The value under the only mutation of an answer; None at whatever depth GitHub refused."""
    value = next(iter(data.values()), None) if isinstance(data, dict) else None
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


class _Error(msgspec.Struct, frozen=True):
    type: str = ""


class _Mutated(msgspec.Struct, frozen=True):
    """Refusals are answered 200, too; what failed for a moment has errors without a type."""

    data: Any = None
    errors: tuple[_Error, ...] = ()


class _Login(msgspec.Struct, frozen=True):
    login: str


class _Comment(msgspec.Struct, frozen=True, rename="camel"):
    database_id: int | None = None
    is_minimized: bool = False


class _Comments(msgspec.Struct, frozen=True):
    nodes: tuple[_Comment, ...] = ()


class _Thread(msgspec.Struct, frozen=True, rename="camel"):
    id: str
    is_resolved: bool
    comments: _Comments
    resolved_by: _Login | None = None
    viewer_can_resolve: bool = False


class _Page(msgspec.Struct, frozen=True, rename="camel"):
    has_next_page: bool
    end_cursor: str | None = None


class _Threads(msgspec.Struct, frozen=True, rename="camel"):
    nodes: tuple[_Thread, ...]
    page_info: _Page


class _PullRequest(msgspec.Struct, frozen=True, rename="camel"):
    review_threads: _Threads


class _Repository(msgspec.Struct, frozen=True, rename="camel"):
    pull_request: _PullRequest


class _Data(msgspec.Struct, frozen=True):
    repository: _Repository


class _Answered(msgspec.Struct, frozen=True):
    data: _Data


def _thread(one: _Thread) -> Thread:
    ids = tuple(comment.database_id for comment in one.comments.nodes if comment.database_id is not None)
    hidden = frozenset(c.database_id for c in one.comments.nodes if c.is_minimized and c.database_id is not None)
    by = one.resolved_by.login if one.resolved_by else None
    return Thread(one.id, one.is_resolved, by, one.viewer_can_resolve, ids, hidden)
