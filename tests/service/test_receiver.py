"""POST /webhook over real HTTP on a real database."""

import asyncio
import json
import time

import psycopg
import pytest

from bot.web.receiver import LARGEST_BODY, is_signed
from tests.service.stand import SECRET, Query, Receiver, pull_request, receiving, sign

VECTOR = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"


def test_the_signature_of_githubs_own_example_is_accepted() -> None:
    assert is_signed(VECTOR, b"Hello, World!", (SECRET,))


@pytest.mark.parametrize(
    "header",
    ["", VECTOR[:-1], VECTOR + "0", VECTOR.upper(), VECTOR.replace("sha256", "sha1"), VECTOR[7:], VECTOR + "\n"],
)
def test_a_signature_of_another_shape_is_refused(header: str) -> None:
    assert not is_signed(header, b"Hello, World!", (SECRET,))


@pytest.mark.parametrize("secret", [b"the old secret, 16+", b"the new secret, 16+"])
def test_each_of_two_secrets_is_accepted_while_one_replaces_the_other(secret: bytes) -> None:
    secrets = (b"the old secret, 16+", b"the new secret, 16+")

    assert is_signed(sign(b"body", secret), b"body", secrets)


async def deliveries(query: Query) -> int:
    return int((await query("SELECT count(*) FROM meteraudit_delivery"))[0][0])


async def jobs(query: Query) -> int:
    return int((await query("SELECT count(*) FROM procrastinate_jobs WHERE queue_name = 'reviews'"))[0][0])


async def test_a_signed_pull_request_is_stored_with_its_job(receiver: Receiver, query: Query) -> None:
    assert await receiver.deliver(pull_request("opened"), guid="a-1") == (202, "stored")

    columns = "guid, action, installation_id, repository_id, pull_request, state"
    stored = await query(f"SELECT {columns} FROM meteraudit_delivery")
    assert stored == [("a-1", "opened", 900, 40, 7, "received")]
    columns = "args, lock, queueing_lock, status::text"
    assert await query(f"SELECT {columns} FROM procrastinate_jobs WHERE queue_name = 'reviews'") == [
        ({"installation_id": 900, "repository_id": 40, "number": 7}, "review:40:7", "review:40:7", "todo")
    ]


async def test_a_wrong_signature_is_answered_401_and_stores_nothing(receiver: Receiver, query: Query) -> None:
    body = pull_request("opened")

    assert await receiver.deliver(body, signature=sign(body, b"another secret, 16+")) == (401, "unauthorized")

    assert await deliveries(query) == 0
    assert await jobs(query) == 0


async def test_only_the_sha1_signature_is_answered_401(receiver: Receiver) -> None:
    headers = {"X-Hub-Signature": "sha1=" + "0" * 40, "X-GitHub-Event": "ping", "X-GitHub-Delivery": "a"}
    async with receiver.session.post(f"{receiver.url}/webhook", data=b"{}", headers=headers) as response:
        assert response.status == 401


async def raw_request(receiver: Receiver, request: bytes) -> bytes:
    host, port = receiver.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.close()
        await writer.wait_closed()


async def test_a_signature_that_is_not_ascii_is_answered_401(receiver: Receiver) -> None:
    header = b"X-Hub-Signature-256: sha256=" + b"\xe9" * 64
    lines = [b"POST /webhook HTTP/1.1", b"Host: x", b"Content-Length: 2", header, b"Connection: close", b"", b"{}"]

    assert b" 401 " in await raw_request(receiver, b"\r\n".join(lines))


async def test_a_body_declared_too_large_is_answered_413_before_it_is_sent(receiver: Receiver) -> None:
    length = b"Content-Length: %d" % (LARGEST_BODY + 1)
    lines = [b"POST /webhook HTTP/1.1", b"Host: x", length, b"Connection: close", b"", b"{}"]

    assert b" 413 " in await raw_request(receiver, b"\r\n".join(lines))


async def test_a_chunked_body_that_grows_too_large_is_answered_413(receiver: Receiver, query: Query) -> None:
    host, port = receiver.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"POST /webhook HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"%x\r\n" % (1024 * 1024) + b" " * 1024 * 1024 + b"\r\n"
    try:
        for _ in range(LARGEST_BODY // (1024 * 1024) + 2):
            writer.write(chunk)
            await writer.drain()
    except ConnectionError:
        pass
    assert b" 413 " in await asyncio.wait_for(reader.readline(), 20)
    writer.close()
    assert await deliveries(query) == 0


async def test_a_body_of_the_largest_size_is_accepted(receiver: Receiver) -> None:
    body = pull_request("opened")
    body += b" " * (LARGEST_BODY - len(body))

    assert (await receiver.deliver(body))[0] == 202


@pytest.mark.parametrize("name", ["X-GitHub-Event", "X-GitHub-Delivery"])
async def test_a_missing_header_is_answered_400(receiver: Receiver, name: str) -> None:
    body = pull_request("opened")
    headers = {"X-Hub-Signature-256": sign(body), "X-GitHub-Event": "pull_request", "X-GitHub-Delivery": "a"}
    del headers[name]
    async with receiver.session.post(f"{receiver.url}/webhook", data=body, headers=headers) as response:
        assert response.status == 400


@pytest.mark.parametrize("body", [b"", b"[]", b'"x"', b"payload=%7B%7D", b'{"action":1}', b"\xff\xfe{", b"[" * 5000])
async def test_a_signed_body_that_is_no_json_object_is_answered_400(receiver: Receiver, body: bytes) -> None:
    assert (await receiver.deliver(body))[0] == 400


@pytest.mark.parametrize(
    "missing",
    [{"installation": None}, {"repository": {}}, {"installation": {"id": "9"}}, {"repository": {"id": 2**63}}],
)
async def test_a_pull_request_without_its_ids_is_answered_400(
    receiver: Receiver, query: Query, missing: dict[str, object]
) -> None:
    assert (await receiver.deliver(pull_request("opened", **missing)))[0] == 400
    assert await deliveries(query) == 0


async def test_a_ping_has_no_installation_and_is_answered_200(receiver: Receiver, query: Query) -> None:
    assert await receiver.deliver(b'{"zen":"Keep it logically awesome."}', event="ping") == (200, "pong")
    assert await deliveries(query) == 0


@pytest.mark.parametrize(("event", "action"), [("pull_request", "assigned"), ("status", ""), ("star", "created")])
async def test_an_event_that_asks_for_nothing_is_answered_200(
    receiver: Receiver, query: Query, event: str, action: str
) -> None:
    assert await receiver.deliver(json.dumps({"action": action}).encode(), event=event) == (200, "ignored")
    assert await deliveries(query) == 0


async def test_another_enterprise_server_is_answered_400(address: str) -> None:
    async with receiving(address, github_api_url="https://github.acme.test/api/v3") as receiver:
        for host, expected in (("github.acme.test", 202), ("github.evil.test", 400)):
            body = pull_request("opened")
            headers = {"X-Hub-Signature-256": sign(body), "X-GitHub-Event": "pull_request"}
            headers |= {"X-GitHub-Delivery": str(expected), "X-GitHub-Enterprise-Host": host}
            async with receiver.session.post(f"{receiver.url}/webhook", data=body, headers=headers) as response:
                assert response.status == expected


async def test_the_same_delivery_twice_is_one_job(receiver: Receiver, query: Query) -> None:
    first = await receiver.deliver(pull_request("opened"), guid="twice")
    second = await receiver.deliver(pull_request("opened"), guid="twice")

    assert (first[0], second[0]) == (202, 202)
    assert await deliveries(query) == 1
    assert await jobs(query) == 1


async def test_a_delivery_that_is_done_is_answered_as_duplicate(receiver: Receiver, query: Query) -> None:
    await receiver.deliver(pull_request("opened"), guid="done")
    await query("UPDATE meteraudit_delivery SET state = 'done'")
    await query("DELETE FROM procrastinate_jobs")

    assert await receiver.deliver(pull_request("opened"), guid="done") == (200, "duplicate")
    assert await jobs(query) == 0


async def test_a_delivery_that_failed_is_queued_again(receiver: Receiver, query: Query) -> None:
    await receiver.deliver(pull_request("opened"), guid="failed")
    await query("UPDATE meteraudit_delivery SET state = 'failed'")
    await query("DELETE FROM procrastinate_jobs")

    assert (await receiver.deliver(pull_request("opened"), guid="failed"))[0] == 202
    assert await query("SELECT state FROM meteraudit_delivery") == [("received",)]
    assert await jobs(query) == 1


async def test_a_storm_of_simultaneous_pushes_is_stored_whole_and_waits_as_one_job(receiver: Receiver, query: Query) -> None:
    answers = await asyncio.gather(*(receiver.deliver(pull_request("synchronize")) for _ in range(25)))

    assert {status for status, _ in answers} == {202}
    assert await deliveries(query) == 25
    assert await jobs(query) == 1


async def test_a_database_that_is_gone_is_answered_503(address: str, server: object, receiver: Receiver) -> None:
    name = address.split("?")[0].rsplit("/", 1)[1]
    with psycopg.connect(address.replace(f"/{name}?", "/postgres?"), autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")

    before = time.monotonic()
    assert (await receiver.deliver(pull_request("opened")))[0] == 503
    assert time.monotonic() - before < 8, "GitHub cuts the connection after ten seconds"
    async with receiver.session.get(f"{receiver.url}/readyz") as response:
        assert response.status == 503
    async with receiver.session.get(f"{receiver.url}/healthz") as response:
        assert response.status == 200


async def test_a_server_with_its_database_is_ready(receiver: Receiver) -> None:
    async with receiver.session.get(f"{receiver.url}/readyz") as response:
        assert response.status == 200


async def test_a_delivery_is_answered_within_a_fraction_of_a_second(receiver: Receiver) -> None:
    await receiver.deliver(pull_request("opened", number=1))
    before = time.monotonic()
    for number in range(2, 22):
        await receiver.deliver(pull_request("opened", number=number))

    assert (time.monotonic() - before) / 20 < 0.2


async def test_a_wrong_method_says_nothing_but_its_status(receiver: Receiver) -> None:
    async with receiver.session.get(f"{receiver.url}/webhook") as response:
        assert (response.status, await response.text()) == (405, "405\n")
