"""What the App asks about itself: its delivery log, its installations and the repositories they reach."""

from bot.github.client import GitHub
from bot.github.installation_tokens import Access
from bot.github.paging import PER_PAGE, pages
from bot.github.payloads import Delivery, Installation, Repository, RepositoryList
from bot.github.transport import Answer, Request


async def deliveries(github: GitHub, after: int) -> tuple[Delivery, ...]:
    """Our webhook deliveries with an id above `after`, newest first.

    No filter by status: GitHub's `failure` leaves out timeouts and refused connections.
    """
    operation = "list deliveries"
    first = await github.as_app(Request("GET", f"/app/hook/deliveries?per_page={PER_PAGE}", operation))
    found: list[Delivery] = []
    async for page in pages(first, github.as_app, tuple[Delivery, ...], operation):
        found += (delivery for delivery in page if delivery.id > after)
        if any(delivery.id <= after for delivery in page):
            break
    return tuple(found)


async def redeliver(github: GitHub, delivery_id: int) -> None:
    """Asks GitHub to send a delivery again; the receiver knows the second one by its GUID, so it may be repeated."""
    path = f"/app/hook/deliveries/{delivery_id:d}/attempts"
    await github.as_app(Request("POST", path, "redeliver", repeatable=True))


async def installations(github: GitHub) -> tuple[Installation, ...]:
    """All installations of the App, suspended ones included."""
    operation = "list installations"
    first = await github.as_app(Request("GET", f"/app/installations?per_page={PER_PAGE}", operation))
    return tuple([one async for page in pages(first, github.as_app, tuple[Installation, ...], operation) for one in page])


async def installation_repositories(github: GitHub, installation_id: int) -> tuple[Repository, ...]:
    """The repositories that an installation reaches."""
    operation = "list installation repositories"
    access = Access(installation_id, None, (("metadata", "read"),))

    async def send(request: Request) -> Answer:
        return await github.as_installation(access, request)

    first = await send(Request("GET", f"/installation/repositories?per_page={PER_PAGE}", operation))
    return tuple([one async for page in pages(first, send, RepositoryList, operation) for one in page.repositories])
