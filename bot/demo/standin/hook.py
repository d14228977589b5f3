"""Handlers of the App's delivery log, and the log itself."""

from __future__ import annotations

import threading
from dataclasses import replace
from typing import Any

from bot.demo.standin import deliveries as sending
from bot.demo.standin.answer import Answer, Call, RefusalError, not_found
from bot.demo.standin.deliveries import Delivery
from bot.demo.standin.state import World, stamp

KNOWN_STATUS = ("success", "failure")


def keep(world: World, delivery: Delivery) -> Delivery:
    """Writes an attempt into the log, under an id of its own."""
    with world.lock:
        kept = replace(delivery, id=next(world.ids), sent_at=world.clock())
        world.deliveries.append(kept)
        return kept


def deliveries(call: Call) -> Answer:
    """GET /app/hook/deliveries: newest first; `cursor` goes on from an id, `status` filters by HTTP status only."""
    listed = [one for one in reversed(call.world.deliveries) if one.headers["X-GitHub-Hook-ID"] == str(call.asking_app.hook_id)]
    wanted = call.query.get("status")
    if wanted is not None and wanted not in KNOWN_STATUS:
        raise RefusalError(422, "Invalid request.\n\nstatus is success or failure.")
    if wanted is not None:
        # As GitHub does: attempts without an HTTP status, time-outs and refused connections, are in neither list.
        listed = [one for one in listed if one.status is not None and (one.status >= 400) == (wanted == "failure")]
    cursor = call.query.get("cursor")
    if cursor is not None:
        listed = [one for one in listed if one.id <= int(cursor)] if cursor.isdigit() else []
    size = min(100, int(call.query.get("per_page", "30") or "30"))
    shown, rest = listed[:size], listed[size:]
    link = f'<{call.world.api_url}{call.path}?per_page={size}&cursor={rest[0].id}>; rel="next"' if rest else ""
    return Answer(200, [item(one) for one in shown], {"Link": link} if link else {})


def item(one: Delivery) -> dict[str, Any]:
    """One attempt as the list shows it."""
    return {
        "id": one.id,
        "guid": one.guid,
        "delivered_at": stamp(one.sent_at),
        "redelivery": one.redelivery,
        "duration": 0.27,
        "status": one.outcome,
        "status_code": one.status or 0,
        "event": one.event,
        "action": one.action,
        "installation_id": (one.payload.get("installation") or {}).get("id"),
        "repository_id": (one.payload.get("repository") or {}).get("id"),
        "throttled_at": None,
    }


def redeliver(call: Call) -> Answer:
    """POST /app/hook/deliveries/{delivery_id}/attempts: accepted at once, sent a moment later, under the same GUID."""
    number = call.number("delivery_id")
    found = next((one for one in call.world.deliveries if one.id == number), None)
    if found is None:
        raise not_found()
    world = call.world
    threading.Thread(target=lambda: keep(world, sending.repeat(found)), name="redelivery", daemon=True).start()
    return Answer(202, {})
