"""The outermost ring: ids, one line per request, and no error that escapes."""

import asyncio
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.context import context_of
from backend.api.edge import Edge
from tests.fakes import FakeMeter


@pytest.fixture
def records() -> Iterator[list[dict[str, Any]]]:
    kept: list[dict[str, Any]] = []
    sink = logger.add(lambda message: kept.append(dict(message.record)), level="DEBUG")
    yield kept
    logger.remove(sink)


async def fine(scope: Scope, receive: Receive, send: Send) -> None:
    context_of(scope).route = "/things/{id}"
    context_of(scope).facts["user_id"] = "u-1"
    logger.info("At work")
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"fine"})


async def broken(scope: Scope, receive: Receive, send: Send) -> None:
    raise RuntimeError("nobody expected this")


async def broken_half_way(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})
    raise RuntimeError("nobody expected this")


async def ask(app: ASGIApp, meter: FakeMeter, path: str = "/things/7", **headers: str) -> httpx.Response:
    transport = httpx.ASGITransport(app=Edge(app, meter))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.get(path, headers=headers)


async def test_lines_of_a_request_carry_its_facts(records: list[dict[str, Any]]) -> None:
    meter = FakeMeter.fresh()
    answer = await ask(fine, meter, "/things/7?token=hunter2", **{"X-Request-ID": "given-by-caller"})
    assert answer.headers["x-request-id"] == "given-by-caller"
    assert [record["message"] for record in records] == ["At work", "GET /things/7 200"]
    assert all(record["extra"]["facts"] == {"request_id": "given-by-caller", "user_id": "u-1"} for record in records)
    assert records[1]["extra"]["status"] == 200
    assert "hunter2" not in str(records)
    assert meter.requests == [("GET", "/things/{id}", 200)]


async def test_two_requests_at_once_keep_their_facts_apart(records: list[dict[str, Any]]) -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(0.01)
        await fine(scope, receive, send)

    await asyncio.gather(*(ask(slow, FakeMeter.fresh(), **{"X-Request-ID": f"request-{n}"}) for n in range(5)))
    assert {record["extra"]["facts"]["request_id"] for record in records} == {f"request-{n}" for n in range(5)}


async def test_unexpected_error_is_logged_once_and_answered(records: list[dict[str, Any]]) -> None:
    meter = FakeMeter.fresh()
    answer = await ask(broken, meter)
    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert "nobody expected" not in answer.text
    assert [record["level"].name for record in records] == ["ERROR", "WARNING"]
    assert records[0]["extra"]["facts"]["request_id"] == answer.json()["request_id"]
    assert (meter.unexpected, meter.problems) == (1, ["internal_error"])


async def test_answer_that_breaks_half_way_is_not_begun_again(records: list[dict[str, Any]]) -> None:
    meter, sent = FakeMeter.fresh(), []

    async def send(message: Message) -> None:
        sent.append(message["type"])

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    await Edge(broken_half_way, meter)(scope, receive, send)
    # The server sees that the end is missing and closes the connection.
    assert sent == ["http.response.start", "http.response.body"]
    assert meter.unexpected == 1
    assert [record["level"].name for record in records] == ["ERROR", "INFO"]


async def test_caller_who_goes_away_is_counted() -> None:
    meter = FakeMeter.fresh()

    async def gives_up(scope: Scope, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "http.disconnect"

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        pytest.fail("nobody listens")

    await Edge(gives_up, meter)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send)
    assert meter.requests == [("GET", "unmatched", 499)]


async def test_request_that_is_cut_short_by_the_end_is_told_to_try_again() -> None:
    """The server cancels what is still at work when its patience ends; unanswered, it would say 500 in our name."""
    meter = FakeMeter.fresh()
    sent: list[Message] = []

    async def never(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(60)

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    asking = asyncio.create_task(Edge(never, meter)(scope, receive, send))
    await asyncio.sleep(0.01)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert sent[0]["status"] == 503
    assert b"retry-after" in dict(sent[0]["headers"])
    assert b"Tidemark is stopping" in sent[1]["body"]
    assert meter.requests == [("GET", "unmatched", 503)]


async def test_method_that_does_not_exist_is_counted_as_other() -> None:
    meter = FakeMeter.fresh()
    transport = httpx.ASGITransport(app=Edge(fine, meter))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        await client.request("PROPFIND", "/")
    assert meter.requests == [("OTHER", "/things/{id}", 200)]


async def test_opening_of_a_socket_is_a_request_and_its_errors_are_answered(records: list[dict[str, Any]]) -> None:
    meter = FakeMeter.fresh()
    sent: list[Message] = []

    async def accept(scope: Scope, receive: Receive, send: Send) -> None:
        context_of(scope).route = "/socket"
        await send({"type": "websocket.accept", "headers": []})

    async def receive() -> Message:
        return {"type": "websocket.connect"}

    async def send(message: Message) -> None:
        sent.append(message)

    for app in (accept, broken):
        headers = [(b"x-request-id", b"given-by-caller")]
        await Edge(app, meter)({"type": "websocket", "path": "/socket", "headers": headers}, receive, send)
    accepted, refused, body = sent
    assert accepted["headers"] == [(b"x-request-id", b"given-by-caller")]
    assert (refused["type"], refused["status"]) == ("websocket.http.response.start", 500)
    assert b"internal_error" in body["body"]
    assert meter.requests == [("GET", "/socket", 101), ("GET", "unmatched", 500)]
    assert records[0]["message"] == "GET /socket 101"
