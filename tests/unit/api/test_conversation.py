"""A client that does not take what it is told: it is hung up on, never waited for."""

import asyncio
from collections.abc import Awaitable
from datetime import timedelta
from uuid import uuid4

import pytest
from starlette.types import Message

from backend.api import conversation
from backend.api.conversation import Socket
from backend.api.messages import Parting, farewell, told
from backend.api.streams import MOST_WAITING_FRAMES, End, Frame, Stream
from backend.api.wire import HANG_UP
from backend.domain.accounts import Identity
from backend.domain.errors import NotSignedIn
from tests.fakes import START


class Client:
    """The far end: it takes what it is sent, or nothing at all until it is hung up on."""

    def __init__(self, *, takes: bool) -> None:
        self.taken: list[Message] = []
        self._gone = asyncio.Event()
        self._takes = takes
        identity = Identity(
            user_id=uuid4(),
            email=None,
            is_admin=False,
            is_anonymous=False,
            session_id=None,
            expires_at=START + timedelta(hours=1),
            claims={},
        )
        self.stream = Stream(identity)
        self.stream.is_catching_up = False
        scope = {"type": "websocket", "path": "/ws", "extensions": {HANG_UP: {"call": self._gone.set}}}
        self.socket = Socket(scope, self._receive, self._send)

    @property
    def is_gone(self) -> bool:
        return self._gone.is_set()

    async def _receive(self) -> Message:
        await self._gone.wait()
        return {"type": "websocket.disconnect", "code": 1006}

    async def _send(self, message: Message) -> None:
        if not self._takes:
            await self._gone.wait()
            raise OSError("it is gone")
        self.taken.append(message)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversation, "FAREWELL_SECONDS", 0.02)


async def within_a_moment(work: Awaitable[None]) -> None:
    async with asyncio.timeout(2):
        await work


async def test_parting_words_are_the_error_and_the_close() -> None:
    client = Client(takes=True)
    await client.socket.part(Parting.NOT_SIGNED_IN, NotSignedIn("Send a token."))
    complaint, close = client.taken
    assert '"code":"not_signed_in"' in complaint["text"]
    assert (close["type"], close["code"]) == ("websocket.close", 4401)
    assert not client.is_gone


async def test_parting_words_that_are_not_taken_are_not_waited_for() -> None:
    client = Client(takes=False)
    client.socket.belongs_to(client.stream)
    await within_a_moment(client.socket.part(End.EXPIRED))
    assert client.is_gone


@pytest.mark.parametrize("end", [End.EXPIRED, End.SUSPENDED, End.STOPPING])
async def test_stream_that_ends_while_its_client_takes_nothing_hangs_up(end: End) -> None:
    client = Client(takes=False)
    client.socket.belongs_to(client.stream)
    saying = asyncio.create_task(client.socket.say(told("backtest:progress", {})))
    await asyncio.sleep(0)
    client.stream.close(end)
    with pytest.raises(OSError, match="gone"):
        await asyncio.wait_for(saying, 2)


async def test_client_for_whom_too_much_waits_is_hung_up_on() -> None:
    client = Client(takes=False)
    client.socket.belongs_to(client.stream)
    saying = asyncio.create_task(client.socket.say(told("backtest:progress", {})))
    await asyncio.sleep(0)
    for _ in range(MOST_WAITING_FRAMES):
        client.stream.offer(Frame("task_progress", {}))
    assert not client.is_gone
    client.stream.offer(Frame("task_progress", {}))
    assert (client.is_gone, client.socket.end) == (True, End.TOO_SLOW)
    with pytest.raises(OSError, match="gone"):
        await asyncio.wait_for(saying, 2)


async def test_client_that_takes_everything_hears_why_its_stream_ends() -> None:
    client = Client(takes=True)
    client.socket.belongs_to(client.stream)
    await client.socket.say(told("authenticated", {}))
    client.stream.close(End.EXPIRED)
    assert not client.is_gone


@pytest.mark.parametrize("why", [*End, *Parting, "signed_out"])
def test_every_farewell_fits_into_a_close(why: str) -> None:
    code, reason = farewell(why)
    assert code in (1001, 1011, 1012, 1013) or 4400 <= code < 4500
    assert 0 < len(reason.encode()) <= 123
