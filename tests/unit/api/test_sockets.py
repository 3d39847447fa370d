"""One connection that became a WebSocket: nobody is waited for who does not take what is sent."""

import asyncio
from typing import Any

import pytest
import uvicorn
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.utils import ClientDisconnected
from uvicorn.server import ServerState
from websockets.frames import OP_CLOSE, OP_PING, OP_TEXT, Frame

from backend.api import sockets
from backend.api.sockets import SETTINGS, BoundedSockets

OPENING = (
    b"GET /ws HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
GOODBYE = Frame(OP_CLOSE, b"\x03\xe8").serialize(mask=True)


class Line(asyncio.Transport):
    """The way to a client who takes nothing: closing it waits for ever, as a true one does for what is unsent."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.is_closed = False
        self.is_aborted = False
        self.protocol: BoundedSockets | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written += bytes(data)

    def is_closing(self) -> bool:
        return self.is_closed or self.is_aborted

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        if not self.is_aborted and self.protocol is not None:
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)
        self.is_aborted = True

    def pause_reading(self) -> None:
        pass

    def resume_reading(self) -> None:
        pass

    async def aborted(self) -> bool:
        async with asyncio.timeout(5):
            while not self.is_aborted:  # noqa: ASYNC110 - what is waited for has no event
                await asyncio.sleep(0.005)
        return True


def opened(app: ASGIApp, **settings: Any) -> tuple[Line, BoundedSockets]:
    """The connection right after the opening came, before the app had its turn."""
    config = uvicorn.Config(app, **{**SETTINGS, **settings}, lifespan="off", log_config=None)
    config.load()
    line, protocol = Line(), BoundedSockets(config, ServerState(), {})
    line.protocol = protocol
    protocol.connection_made(line)
    protocol.data_received(OPENING)
    return line, protocol


async def listen(scope: Scope, receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "websocket.accept"})
    while (await receive())["type"] != "websocket.disconnect":
        pass


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sockets, "FAREWELL_SECONDS", 0.02)


def errors(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")]


async def test_goodbye_that_is_not_returned_is_waited_for_a_moment() -> None:
    async def part(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        await send({"type": "websocket.close", "code": 4401})

    line, _ = opened(part)
    assert await line.aborted()
    assert line.written.endswith(b"\x88\x02\x11\x31")


async def test_client_who_left_but_takes_nothing_holds_up_no_stop() -> None:
    line, protocol = opened(listen)
    await asyncio.sleep(0)
    protocol.data_received(GOODBYE)
    assert line.is_closed
    protocol.shutdown()
    assert line.is_aborted


async def test_client_who_takes_nothing_holds_up_no_stop() -> None:
    line, protocol = opened(listen)
    await asyncio.sleep(0)
    protocol.shutdown()
    assert line.written.endswith(b"\x88\x02\x03\xf4")  # 1012: the service restarts
    assert await line.aborted()


async def test_client_who_does_not_answer_pings_is_dropped() -> None:
    line, _ = opened(listen, ws_ping_interval=0.01, ws_ping_timeout=0.01)
    assert await line.aborted()


async def test_client_who_pings_but_takes_no_answer_is_dropped() -> None:
    line, protocol = opened(listen)
    await asyncio.sleep(0)
    protocol.data_received(Frame(OP_PING, b"").serialize(mask=True))
    assert not line.is_aborted
    protocol.pause_writing()
    protocol.data_received(Frame(OP_PING, b"").serialize(mask=True))
    assert line.is_aborted


@pytest.mark.parametrize(
    "early",
    [b"\xff" * 20, GOODBYE, Frame(OP_TEXT, b"\xff").serialize(mask=True)],
    ids=["nonsense", "goodbye", "not UTF-8"],
)
async def test_who_breaks_off_before_the_answer_is_gone_without_noise(
    early: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    went: list[object] = []

    async def answer_late(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        went.append((await receive())["type"])
        with pytest.raises(ClientDisconnected):
            await send({"type": "websocket.accept"})

    line, protocol = opened(answer_late)
    await asyncio.sleep(0)
    protocol.data_received(early)
    await asyncio.gather(*protocol.tasks)
    assert (went, line.is_closing()) == (["websocket.disconnect"], True)
    assert b" 101 " not in line.written
    assert errors(caplog) == []


async def test_refusal_is_an_answer_like_any_other(caplog: pytest.LogCaptureFixture) -> None:
    line, protocol = opened(Response("no", status_code=403))
    await asyncio.gather(*protocol.tasks)
    assert line.written.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert line.written.endswith(b"\r\n\r\nno")
    assert (line.is_closed, errors(caplog)) == (True, [])
