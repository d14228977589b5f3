"""Sends deliveries over HTTP: signed, with GitHub's headers, and with a record of what came back."""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import uuid
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from bot.demo.standin.state import App


@dataclass(frozen=True, slots=True)
class Delivery:
    """One attempt at a delivery: `status` is None where no answer came within ten seconds."""

    guid: str
    event: str
    action: str | None
    url: str
    body: bytes
    headers: dict[str, str]
    status: int | None
    answer: str
    payload: dict[str, Any]
    redelivery: bool = False
    id: int = 0
    sent_at: datetime = datetime.min

    @property
    def outcome(self) -> str:
        """GitHub's `status`: OK for 2xx; whatever else it says, it is not OK."""
        if self.status is None:
            return "failed to connect to host" if "refused" in self.answer else "timed out"
        return "OK" if 200 <= self.status < 300 else f"Invalid HTTP Response: {self.status}"


def sign(secret: str, body: bytes) -> str:
    """The value of X-Hub-Signature-256."""
    return "sha256=" + hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def headers_of(app: App, event: str, guid: str, body: bytes) -> dict[str, str]:
    """The headers that GitHub sends with a delivery."""
    return {
        "Accept": "*/*",
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/0000000",
        "X-GitHub-Delivery": guid,
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": str(app.hook_id),
        "X-GitHub-Hook-Installation-Target-ID": str(app.id),
        "X-GitHub-Hook-Installation-Target-Type": "integration",
        "X-Hub-Signature-256": sign(app.webhook_secret, body),
        **({"X-GitHub-Enterprise-Host": app.host, "X-GitHub-Enterprise-Version": "3.19.0"} if app.host else {}),
    }


def send(app: App, url: str, event: str, payload: dict[str, Any], guid: str | None = None) -> Delivery:
    """Delivers once. GitHub waits ten seconds and never tries again of itself."""
    body = json.dumps(payload).encode()
    number = guid or str(uuid.uuid4())
    headers = headers_of(app, event, number, body)
    status, answer = post(url, body, headers)
    return Delivery(number, event, payload.get("action"), url, body, headers, status, answer, payload)


def repeat(delivery: Delivery) -> Delivery:
    """Delivers the same bytes under the same GUID once more."""
    status, answer = post(delivery.url, delivery.body, delivery.headers)
    return replace(delivery, status=status, answer=answer, redelivery=True)


def post(url: str, body: bytes, headers: dict[str, str], timeout: float = 10.0) -> tuple[int | None, str]:
    """Status and text of the answer; None and the reason where there was none."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    connection = kind(parts.netloc, timeout=timeout)
    try:
        connection.request("POST", parts.path or "/", body, headers)
        response = connection.getresponse()
        return response.status, response.read().decode("utf-8", "replace")
    except (OSError, http.client.HTTPException) as error:
        return None, f"{type(error).__name__}: {error}"
    finally:
        connection.close()
