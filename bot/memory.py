"""What outlives a job: which comments we made, what people decided, the last valid configuration, verdicts by head."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from bot.upkeep import Upkeep

CommentState = Literal["shown", "retired", "acknowledged", "dismissed"]
DecisionKind = Literal["ignore", "pause", "override"]


@dataclass(frozen=True, slots=True)
class Remembered:
    """A comment of ours on a finding. Acknowledged: a human resolved it; dismissed: a human deleted it."""

    comment_id: int
    state: CommentState


@dataclass(frozen=True, slots=True)
class Decision:
    """What somebody entitled told us about a pull request; `target` is a rule, a fingerprint or a head, by kind."""

    kind: DecisionKind
    target: str
    login: str
    comment_url: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last word on one pull request at one head."""

    number: int
    conclusion: str
    title: str
    score: int | None = None
    digest: str = ""
    """Of all that was said, so that the same need not be said again."""


@dataclass(frozen=True, slots=True)
class OpenCheck:
    """A head for which a check run may be open."""

    repository_id: int
    head_sha: str
    installation_id: int
    number: int
    age: float
    """Seconds since the review of it began."""


class Memory(Upkeep):
    """Rows of our own tables about pull requests, besides those about installations."""

    async def comments(self, repository_id: int, number: int) -> Mapping[str, Remembered]:
        """By fingerprint."""
        rows = await self._rows(
            "SELECT fingerprint, comment_id, state FROM meteraudit_comment WHERE repository_id = %s AND pull_request = %s",
            repository_id,
            number,
        )
        return {fingerprint: Remembered(comment_id, state) for fingerprint, comment_id, state in rows}

    async def remember(self, repository_id: int, number: int, comments: Mapping[str, Remembered]) -> None:
        for fingerprint, one in comments.items():
            await self._rows(
                "INSERT INTO meteraudit_comment VALUES (%s, %s, %s, %s, %s)"
                " ON CONFLICT (repository_id, pull_request, fingerprint)"
                " DO UPDATE SET comment_id = excluded.comment_id, state = excluded.state",
                repository_id,
                number,
                fingerprint,
                one.comment_id,
                one.state,
            )

    async def decisions(self, repository_id: int, number: int) -> tuple[Decision, ...]:
        rows = await self._rows(
            "SELECT kind, target, login, comment_url FROM meteraudit_decision"
            " WHERE repository_id = %s AND pull_request = %s ORDER BY kind, target",
            repository_id,
            number,
        )
        return tuple(Decision(*row) for row in rows)

    async def decide(self, repository_id: int, number: int, one: Decision) -> None:
        await self._rows(
            "INSERT INTO meteraudit_decision VALUES (%s, %s, %s, %s, %s, %s)"
            " ON CONFLICT (repository_id, pull_request, kind, target)"
            " DO UPDATE SET login = excluded.login, comment_url = excluded.comment_url",
            repository_id,
            number,
            one.kind,
            one.target,
            one.login,
            one.comment_url,
        )

    async def undecide(self, repository_id: int, number: int, kind: DecisionKind, target: str) -> bool:
        """Takes a decision back; whether there was one."""
        rows = await self._rows(
            "DELETE FROM meteraudit_decision WHERE repository_id = %s AND pull_request = %s AND kind = %s AND target = %s"
            " RETURNING 1",
            repository_id,
            number,
            kind,
            target,
        )
        return bool(rows)

    async def count_command(self, repository_id: int, number: int, comment_id: int) -> int:
        """Notes a command and says how many this pull request has had within an hour, this one included."""
        await self._rows(
            "INSERT INTO meteraudit_command (comment_id, repository_id, pull_request) VALUES (%s, %s, %s)"
            " ON CONFLICT DO NOTHING",
            comment_id,
            repository_id,
            number,
        )
        rows = await self._rows(
            "SELECT count(*) FROM meteraudit_command WHERE repository_id = %s AND pull_request = %s"
            " AND at > clock_timestamp() - interval '1 hour' AND comment_id <= %s",
            repository_id,
            number,
            comment_id,
        )
        return int(rows[0][0])

    async def last_configuration(self, repository_id: int) -> tuple[str, bytes] | None:
        """Revision and text of the last `.meteraudit.yml` without errors."""
        rows = await self._rows("SELECT revision, text FROM meteraudit_configuration WHERE repository_id = %s", repository_id)
        return (rows[0][0], bytes(rows[0][1])) if rows else None

    async def keep_configuration(self, repository_id: int, revision: str, text: bytes) -> None:
        await self._rows(
            "INSERT INTO meteraudit_configuration VALUES (%s, %s, %s)"
            " ON CONFLICT (repository_id) DO UPDATE SET revision = excluded.revision, text = excluded.text",
            repository_id,
            revision,
            text,
        )

    async def verdicts(self, repository_id: int, head_sha: str) -> tuple[Verdict, ...]:
        """Of all pull requests with that head."""
        rows = await self._rows(
            "SELECT pull_request, conclusion, title, score, digest FROM meteraudit_verdict"
            " WHERE repository_id = %s AND head_sha = %s ORDER BY pull_request",
            repository_id,
            head_sha,
        )
        return tuple(Verdict(*row) for row in rows)

    async def keep_verdict(self, repository_id: int, head_sha: str, one: Verdict) -> None:
        await self._rows(
            "INSERT INTO meteraudit_verdict VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (repository_id, pull_request)"
            " DO UPDATE SET head_sha = excluded.head_sha, conclusion = excluded.conclusion, title = excluded.title,"
            " score = excluded.score, digest = excluded.digest, at = clock_timestamp()",
            repository_id,
            one.number,
            head_sha,
            one.conclusion,
            one.title,
            one.score,
            one.digest,
        )

    async def close(self, repository_id: int, number: int, *, merged: bool) -> None:
        """A closed pull request has no say in its head's check; the score of a merged one is kept for the trend."""
        sql = "DELETE FROM meteraudit_verdict WHERE repository_id = %s AND pull_request = %s"
        if merged:
            sql = "UPDATE meteraudit_verdict SET merged = true, head_sha = '' WHERE repository_id = %s AND pull_request = %s"
        await self._rows(sql, repository_id, number)

    async def check_opens(self, installation_id: int, repository_id: int, head_sha: str, number: int) -> None:
        """Noted before the check run is created: whoever dies in between leaves a trace for the watchdog."""
        await self._rows(
            "INSERT INTO meteraudit_open_check VALUES (%s, %s, %s, %s) ON CONFLICT DO NOTHING",
            repository_id,
            head_sha,
            installation_id,
            number,
        )

    async def check_closed(self, repository_id: int, head_sha: str, number: int) -> None:
        await self._rows(
            "DELETE FROM meteraudit_open_check WHERE repository_id = %s AND head_sha = %s AND pull_request = %s",
            repository_id,
            head_sha,
            number,
        )

    async def open_checks(self, repository_id: int | None = None, number: int | None = None) -> tuple[OpenCheck, ...]:
        """Of one pull request, or all."""
        rows = await self._rows(
            "SELECT repository_id, head_sha, installation_id, pull_request,"
            " extract(epoch FROM clock_timestamp() - begun_at)::float8 FROM meteraudit_open_check"
            " WHERE (%s::bigint IS NULL OR repository_id = %s) AND (%s::integer IS NULL OR pull_request = %s)",
            repository_id,
            repository_id,
            number,
            number,
        )
        return tuple(OpenCheck(*row) for row in rows)

    @asynccontextmanager
    async def publishing(self, repository_id: int, head_sha: str) -> AsyncIterator[None]:
        """Holds the right to write the check of one commit: several pull requests can share it."""
        key = int.from_bytes(blake2b(f"{repository_id}:{head_sha}".encode(), digest_size=8).digest(), "big", signed=True)
        async with self._pool.connection() as connection, connection.transaction():
            await connection.execute("SELECT pg_advisory_xact_lock(%s)", [key])
            yield
