"""Keeps one installation within GitHub's limits: pauses, spacing between writes, how many calls at once."""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import AsyncIterator

from gidgethub.sansio import RateLimit

from bot.github.clock import Clock
from bot.github.errors import RateLimited
from bot.github.transport import Request

PATIENCE = 120.0
"""The longest wait in seconds inside a running job; for more the job is put off."""
READS_AT_ONCE = 5
_BURST = 10.0
_NOTIFYING_COST = 3.0
_WINDOWS = ((60.0, 60), (3600.0, 400))
"""At most so many writes in so many seconds; GitHub's own limits are 80 a minute and 500 an hour."""


class Pace:
    """The state of one installation: `paused_until` in epoch seconds, the last seen primary limit.

    Only writes go through the token bucket (burst 10, one a second, a notifying write counts three): reads are held by
    the number at once and by the primary limit, else a change of 300 files would take five minutes to read.
    """

    def __init__(self, clock: Clock, everyone: asyncio.Semaphore) -> None:
        self.paused_until = 0.0
        self.limit: RateLimit | None = None
        self._clock = clock
        self._everyone = everyone
        self._reads = asyncio.Semaphore(READS_AT_ONCE)
        self._writing = asyncio.Lock()
        self._tokens = _BURST
        self._refilled = clock.now()
        self._written: deque[float] = deque()

    def pause(self, until: float) -> None:
        """No call of this installation before `until`, with up to a tenth more, so that workers spread."""
        now = self._clock.now()
        until += max(0.0, until - now) * 0.1 * random.random()  # noqa: S311 - spreads load, keeps no secret
        self.paused_until = max(self.paused_until, until)

    @contextlib.asynccontextmanager
    async def turn(self, request: Request) -> AsyncIterator[None]:
        """Waits until this request may go out and holds its place meanwhile. Raises RateLimited over PATIENCE."""
        async with self._reads if request.may_repeat else self._writing:
            if not request.may_repeat:
                await self._space(request)
            while (wait := self.paused_until - self._clock.now()) > 0:
                await self._wait(request, wait)
            async with self._everyone:
                yield

    async def _space(self, request: Request) -> None:
        """Takes tokens for one write; a token bucket that may go below zero makes the next one wait longer."""
        now = self._clock.now()
        self._tokens = min(_BURST, self._tokens + max(0.0, now - self._refilled))
        self._refilled = now
        cost = _NOTIFYING_COST if request.notifies else 1.0
        await self._wait(request, max(cost - self._tokens, self._window_wait(now)))
        now = self._clock.now()
        self._tokens = min(_BURST, self._tokens + max(0.0, now - self._refilled)) - cost
        self._refilled = now
        self._written.append(now)

    def _window_wait(self, now: float) -> float:
        while self._written and self._written[0] <= now - _WINDOWS[-1][0]:
            self._written.popleft()
        waits = [0.0]
        for seconds, most in _WINDOWS:
            if len(self._written) >= most:
                waits.append(self._written[-most] + seconds - now)
        return max(waits)

    async def _wait(self, request: Request, seconds: float) -> None:
        if seconds > PATIENCE:
            raise RateLimited(request.operation, self._clock.now() + seconds)
        if seconds > 0:
            await self._clock.sleep(seconds)
