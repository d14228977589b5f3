"""Who asks, as far as that can be known, and how often one may: a bucket of tokens for each client, in memory only."""

import ipaddress
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request

from config.page import Network

MOST_CLIENTS = 10_000
"""Remembered at once. Beyond that, whoever has waited longest is forgotten, which only does them good."""

Address = ipaddress.IPv4Address | ipaddress.IPv6Address


def client_of(request: Request, trusted: tuple[Network, ...]) -> str:
    """The network address that counts as one client; of IPv6 the first 64 bits, which one client has to itself.

    `X-Forwarded-For` is read from the right, as far as trusted proxies wrote it: anybody can write the rest.
    """
    peer = address_of(request.client.host) if request.client is not None else None
    if peer is None:
        return "unknown"
    steps = ",".join(request.headers.getlist("X-Forwarded-For")).split(",")
    while is_among(peer, trusted) and steps:
        before = address_of(steps.pop().strip())
        if before is None:
            break
        peer = before
    return str(peer if peer.version == 4 else ipaddress.ip_network((peer, 64), strict=False))


def address_of(text: str) -> Address | None:
    """An IPv4 address that is written as IPv6 is the same client."""
    try:
        found = ipaddress.ip_address(text)
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, ipaddress.IPv6Address) else found


def is_among(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks)


@dataclass(slots=True)
class Bucket:
    tokens: float
    at: float


class Buckets:
    """`hourly` tokens flow in within an hour, evenly; as many as `most` wait for who has not asked for a while."""

    def __init__(self, hourly: int, most: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._rate = hourly / 3600
        self._most = max(1, most)
        self._clock = clock
        self._of: dict[str, Bucket] = {}

    def take(self, client: str) -> float:
        """0 where a token was there and is taken; otherwise the seconds until there is one."""
        now = self._clock()
        # Taken out and put in again: the order of the dictionary is that of the last visit.
        bucket = self._of.pop(client, None) or Bucket(self._most, now)
        self._of[client] = bucket
        if len(self._of) > MOST_CLIENTS:
            del self._of[next(iter(self._of))]
        bucket.tokens = min(self._most, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        if bucket.tokens >= 1:
            bucket.tokens -= 1
            return 0
        return (1 - bucket.tokens) / self._rate
