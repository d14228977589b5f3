"""Who may set the server up: whoever has the one-time token of this start, in one browser, and its one trip to GitHub."""

import asyncio
import hmac
import secrets
import time
from collections.abc import Callable

TRIP_SECONDS = 3600.0
"""GitHub's code is good for an hour; so is the state that goes with it."""


class Setup:
    """One set-up. It lives as long as the process, also when the server has been set up: then it opens the checklist."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.token = secrets.token_urlsafe(24)
        self.done = asyncio.Event()
        self.closing = asyncio.Event()
        """The server of the set-up listens no more: who is sent to its address now gets to the one that follows."""
        self.exchanging = asyncio.Lock()
        """Held while a code is exchanged: it works once, and a reloaded page must not come in between."""
        self.public_url = ""
        """The address that was chosen for the trip."""
        self.app_url = ""
        """The page on GitHub of the App that came of it."""
        self._clock = clock
        self._browser: str | None = None
        self._state: str | None = None
        self._began = 0.0

    def admit(self, given: str) -> str | None:
        """The cookie for the browser that knows the token; None for a wrong one, and for one that has been used."""
        fits = hmac.compare_digest(given.strip().encode(), self.token.encode())
        if not fits or self._browser is not None:
            return None
        self._browser = secrets.token_urlsafe(32)
        return self._browser

    @property
    def is_used(self) -> bool:
        return self._browser is not None

    def knows(self, cookie: str | None) -> bool:
        """Whether a cookie is that of the browser that was admitted."""
        if cookie is None or self._browser is None:
            return False
        return hmac.compare_digest(cookie.encode(), self._browser.encode())

    def depart(self, public_url: str) -> str:
        """The state of a trip to GitHub; the one before it is void."""
        self.public_url = public_url
        self._state, self._began = secrets.token_urlsafe(32), self._clock()
        return self._state

    def is_back(self, state: str) -> bool:
        """Whether a state is that of the trip, within its hour."""
        if self._state is None or self._clock() - self._began > TRIP_SECONDS:
            return False
        return hmac.compare_digest(state.encode(), self._state.encode())

    def arrive(self) -> None:
        """The trip is over, whatever came of it: its state is good for nothing more."""
        self._state = None

    def finish(self, app_url: str) -> None:
        """There is an App: nobody registers another one."""
        self.app_url = app_url
        self.done.set()
