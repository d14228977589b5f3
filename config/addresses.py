"""Web addresses that people give us: what is wrong with one, in words."""

import ipaddress
from urllib.parse import urlsplit


def address_problem(text: str) -> str | None:
    """Why `text` cannot be the address of a server, or None if it can."""
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        host, parts = None, urlsplit("")
    if not host or parts.scheme not in ("http", "https") or parts.query or parts.fragment or not text.isprintable():
        return "is no web address: write it as https://host or https://host/path."
    if parts.username or parts.password:
        return "holds a user name or password: leave it out, it would show up in logs."
    if parts.scheme == "http" and not is_loopback(host):
        return "is plain http, which shows tokens to the network: use https (http only locally)."
    return None


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
