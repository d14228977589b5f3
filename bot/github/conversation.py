"""What commands and retired comments need of a pull request's conversation: reactions, answers, hiding."""

from typing import Literal

import msgspec

from bot.github import answers
from bot.github.payloads import IssueComment, Minimized, Reaction
from bot.github.repository_calls import RepositoryCalls

_MINIMIZE = """
mutation($id: ID!, $classifier: ReportedContentClassifiers!) {
  minimizeComment(input: {subjectId: $id, classifier: $classifier}) { minimizedComment { isMinimized } }
}
"""


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

    async def minimize(self, node_id: str, classifier: Literal["RESOLVED", "OUTDATED"] = "RESOLVED") -> bool:
        """Hides a comment; whether GitHub says that it is hidden now.

        A refused mutation is answered 200 with `errors`, so only `isMinimized` counts. False: fall back to an edit.
        """
        operation = "minimize comment"
        variables = {"id": node_id, "classifier": classifier}
        body = msgspec.json.encode({"query": _MINIMIZE, "variables": variables})
        answer = await self._calls.graphql(operation, body)
        return answers.decoded(answer, Minimized, operation).is_minimized
