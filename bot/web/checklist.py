"""How far a fresh installation has come, read from what the receiver and the worker have noted."""

from dataclasses import dataclass
from typing import Any

from bot.jobs.database import Database
from bot.upkeep import REGISTRATION

NOTED = """
SELECT
    (SELECT count(*) FROM meteraudit_drift WHERE name <> %(registration)s),
    EXISTS (SELECT FROM meteraudit_delivery) OR EXISTS (SELECT FROM meteraudit_round WHERE name = 'ping'),
    (SELECT count(*) FROM meteraudit_drift WHERE name = %(registration)s),
    (SELECT coalesce(array_agg(DISTINCT problem), '{}') FROM meteraudit_drift WHERE problem <> ''),
    EXISTS (SELECT FROM meteraudit_round WHERE name = 'check')
"""


@dataclass(frozen=True, slots=True)
class Step:
    """One line of the list; `detail` says what to do, or what is wrong."""

    id: str
    title: str
    done: bool
    detail: str = ""
    failed: bool = False


async def steps(database: Database) -> tuple[Step, ...]:
    async with database.pool.connection() as connection:
        row = await (await connection.execute(NOTED, {"registration": REGISTRATION})).fetchone()
    assert row is not None
    return from_row(row)


def from_row(row: tuple[Any, ...]) -> tuple[Step, ...]:
    installations, webhook, compared, lacking, checked = row
    problems = [line for text in lacking for line in str(text).split("\n")]
    return (
        Step("registered", "The App is registered", True),
        Step("installed", "The App is installed", installations > 0, "" if installations else "Install it on a repository."),
        Step(
            "webhook",
            "A webhook has arrived",
            webhook,
            "" if webhook else "If none comes, GitHub cannot reach the address of the webhook.",
        ),
        permissions_step(bool(compared and installations), problems),
        Step(
            "check",
            "The first check run is posted",
            checked,
            "" if checked else "Open a pull request in a repository where the App is installed.",
        ),
    )


def permissions_step(compared: bool, problems: list[str]) -> Step:
    title = "The permissions are right"
    if problems:
        detail = "Change them on the App's page on GitHub, and accept them where it is installed: " + "; ".join(problems)
        return Step("permissions", title, False, detail, failed=True)
    return Step("permissions", title, compared, "" if compared else "They are compared once the App is installed.")
