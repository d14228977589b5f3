"""What is remembered beyond one pull request: installations, pauses, deliveries asked for again, when we were last there."""

from datetime import datetime
from typing import Any, Literal

from bot.jobs.database import Pool
from bot.jobs.tables import OF_REPOSITORY

REGISTRATION = "registration"
"""Under this name stands what the App itself lacks; what an installation lacks stands under its number."""


class Upkeep:
    """Rows of our own tables. Every method is one statement, and may be repeated."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    async def _rows(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        async with self._pool.connection() as connection:
            cursor = await connection.execute(sql, values)
            return await cursor.fetchall() if cursor.description else []

    async def can_hide(self, installation_id: int) -> bool:
        """Whether GitHub has not yet refused this installation to hide comments."""
        rows = await self._rows("SELECT hides FROM meteraudit_installation WHERE installation_id = %s", installation_id)
        return not rows or bool(rows[0][0])

    async def cannot_hide(self, installation_id: int) -> None:
        await self._set(installation_id, "hides", False)

    async def pause(self, installation_id: int, until: datetime) -> None:
        """GitHub asked for silence; the next process must keep it too."""
        await self._set(installation_id, "paused_until", until)

    async def paused_until(self, installation_id: int) -> datetime | None:
        rows = await self._rows("SELECT paused_until FROM meteraudit_installation WHERE installation_id = %s", installation_id)
        return rows[0][0] if rows else None

    async def keep_limit(self, installation_id: int, hourly: int, remaining: int, resets_at: datetime) -> None:
        """What GitHub last said of an installation's requests, for the operator to see."""
        await self._rows(
            "INSERT INTO meteraudit_installation (installation_id, hourly, remaining, resets_at, told_at)"
            " VALUES (%s, %s, %s, %s, clock_timestamp()) ON CONFLICT (installation_id) DO UPDATE SET hourly = excluded.hourly,"
            " remaining = excluded.remaining, resets_at = excluded.resets_at, told_at = excluded.told_at",
            installation_id,
            hourly,
            remaining,
            resets_at,
        )

    async def show_badge(self, repository_id: int, name: str) -> None:
        """The repository's owner has switched its badge on; `name` is owner/name, by which it is asked for."""
        await self._rows(
            "INSERT INTO meteraudit_badge VALUES (%s, %s) ON CONFLICT (repository_id) DO UPDATE SET name = excluded.name",
            repository_id,
            name,
        )

    async def hide_badge(self, repository_id: int) -> None:
        await self._rows("DELETE FROM meteraudit_badge WHERE repository_id = %s", repository_id)

    async def activate(self, installation_id: int, active: bool) -> None:
        """A new set of permissions may allow what was refused before."""
        await self._set(installation_id, "active", active)
        if active:
            await self._set(installation_id, "hides", True)

    async def is_active(self, installation_id: int) -> bool:
        rows = await self._rows("SELECT active FROM meteraudit_installation WHERE installation_id = %s", installation_id)
        return not rows or bool(rows[0][0])

    async def _set(self, installation_id: int, column: Literal["active", "hides", "paused_until"], value: object) -> None:
        await self._rows(
            f"INSERT INTO meteraudit_installation (installation_id, {column}) VALUES (%s, %s)"  # noqa: S608 - three names
            f" ON CONFLICT (installation_id) DO UPDATE SET {column} = excluded.{column}",
            installation_id,
            value,
        )

    async def forget_repository(self, repository_id: int) -> None:
        """Everything about a repository that has left the App."""
        for table in OF_REPOSITORY:
            await self._rows(f"DELETE FROM meteraudit_{table} WHERE repository_id = %s", repository_id)  # noqa: S608

    async def repositories_of(self, installation_id: int) -> tuple[int, ...]:
        """The repositories that an installation has sent deliveries of."""
        rows = await self._rows(
            "SELECT DISTINCT repository_id FROM meteraudit_delivery WHERE installation_id = %s AND repository_id IS NOT NULL",
            installation_id,
        )
        return tuple(row[0] for row in rows)

    async def mark(self, name: str) -> int:
        """A number that a round goes on from; 0 at first."""
        rows = await self._rows("SELECT number FROM meteraudit_round WHERE name = %s", name)
        return int(rows[0][0]) if rows else 0

    async def set_mark(self, name: str, number: int) -> None:
        await self._rows(
            "INSERT INTO meteraudit_round VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET number = excluded.number, at = clock_timestamp()",
            name,
            number,
        )

    async def keep_drift(self, name: str, problems: tuple[str, ...]) -> None:
        """What is wrong with the registration, or with one installation of it; nothing is kept as nothing."""
        await self._rows(
            "INSERT INTO meteraudit_drift VALUES (%s, %s)"
            " ON CONFLICT (name) DO UPDATE SET problem = excluded.problem, at = clock_timestamp()",
            name,
            "\n".join(problems),
        )

    async def forget_drift(self, name: str) -> None:
        await self._rows("DELETE FROM meteraudit_drift WHERE name = %s", name)

    async def forget_drift_but(self, names: list[str]) -> None:
        """Installations that are gone lack nothing, also where nobody told us that they went."""
        await self._rows("DELETE FROM meteraudit_drift WHERE name <> ALL(%s)", names)

    async def alive(self) -> None:
        """Somebody is there now."""
        await self.set_mark("alive", 0)

    async def seconds_away(self) -> float | None:
        """Since somebody was there; None if nobody ever was."""
        rows = await self._rows(
            "SELECT extract(epoch FROM clock_timestamp() - at)::float8 FROM meteraudit_round WHERE name = 'alive'"
        )
        return float(rows[0][0]) if rows else None

    async def is_stored(self, guid: str) -> bool:
        """Whether a delivery has reached us and needs no other attempt."""
        rows = await self._rows("SELECT state FROM meteraudit_delivery WHERE guid = %s", guid)
        return bool(rows) and rows[0][0] != "failed"

    async def count_attempt(self, guid: str) -> int:
        """Notes that a delivery is asked for again, and how often that makes."""
        rows = await self._rows(
            "INSERT INTO meteraudit_redelivery (guid, attempts) VALUES (%s, 1)"
            " ON CONFLICT (guid) DO UPDATE SET attempts = meteraudit_redelivery.attempts + 1, at = clock_timestamp()"
            " RETURNING attempts",
            guid,
        )
        return int(rows[0][0])
