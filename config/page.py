"""What the environment says of the page that anybody may use: whether there is one, and how much of it one client gets."""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

PAGE = "METERAUDIT_PAGE"
MEGABYTES = "METERAUDIT_PAGE_MEGABYTES"
FILES = "METERAUDIT_PAGE_FILES"
SECONDS = "METERAUDIT_PAGE_SECONDS"
HOURLY = "METERAUDIT_PAGE_HOURLY"
AT_ONCE = "METERAUDIT_PAGE_AT_ONCE"
TRUSTED_PROXIES = "METERAUDIT_TRUSTED_PROXIES"

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class PageSettings:
    """The limits of the page. They keep a public server answering; on one's own machine they can be raised."""

    enabled: bool = True
    megabytes: int = 2
    """Of code in one audit."""
    files: int = 500
    seconds: int = 60
    hourly: int = 60
    """Audits that one client may start in an hour, half of them at once."""
    at_once: int = 2
    """Audits of all clients together; others wait."""
    trusted_proxies: tuple[Network, ...] = ()
    """Only what these say of a client's address (`X-Forwarded-For`) is believed."""


def read_page(environ: Mapping[str, str], problems: list[str]) -> PageSettings:
    """Reads `environ`; what is wrong with it is added to `problems`, one sentence a variable."""
    return PageSettings(
        enabled=_switch(environ, problems) == "on",
        megabytes=_number(environ, MEGABYTES, "2", 64, problems),
        files=_number(environ, FILES, "500", 5000, problems),
        seconds=_number(environ, SECONDS, "60", 600, problems),
        hourly=_number(environ, HOURLY, "60", 100_000, problems),
        at_once=_number(environ, AT_ONCE, "2", 64, problems),
        trusted_proxies=_networks(environ, problems),
    )


def _switch(environ: Mapping[str, str], problems: list[str]) -> Literal["on", "off"]:
    text = environ.get(PAGE, "").strip() or "on"
    if text not in ("on", "off"):
        problems.append(f"{PAGE} is neither on nor off: write one of the two.")
    return "off" if text == "off" else "on"


def _number(environ: Mapping[str, str], name: str, usual: str, most: int, problems: list[str]) -> int:
    text = environ.get(name, "").strip() or usual
    if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) and 1 <= int(text) <= most:
        return int(text)
    problems.append(f"{name} is no number from 1 to {most}: write one, or leave it out for {usual}.")
    return int(usual)


def _networks(environ: Mapping[str, str], problems: list[str]) -> tuple[Network, ...]:
    words = [word.strip() for word in environ.get(TRUSTED_PROXIES, "").split(",") if word.strip()]
    try:
        return tuple(ipaddress.ip_network(word) for word in words)
    except ValueError:
        problems.append(f"{TRUSTED_PROXIES} is no list of addresses: write it as 10.0.0.7 or 10.0.0.0/8, separated by commas.")
        return ()
