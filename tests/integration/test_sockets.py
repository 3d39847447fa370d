"""Sockets in hard times: clients that read nothing, that talk nonsense or too much, and a Postgres that restarts."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest
from websockets.frames import OP_CONT, OP_PING, OP_TEXT, Frame

from backend.api import streams
from backend.domain.jobs import Outcome
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from tests.api.conftest import Person, Site, open_site
from tests.api.served import served
from tests.api.talking import Runner, Talker, talking
from tests.cluster import MIGRATIONS, FreshDatabase

pytestmark = pytest.mark.timeout(120)

LONG = "x" * 7000
OPENING = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)


@pytest.fixture
async def site(database: FreshDatabase) -> AsyncIterator[Site]:
    async with open_site(database) as site:
        yield site


@pytest.fixture
async def ada(site: Site) -> Person:
    return await site.person()


class Lazy:
    """A client that writes whatever it is told to, and reads only when it is told to."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    async def write(self, *frames: Frame | bytes) -> None:
        for frame in frames:
            data = frame if isinstance(frame, bytes) else frame.serialize(mask=True)
            await asyncio.get_running_loop().sock_sendall(self._connection, data)

    async def say(self, text: str) -> None:
        await self.write(Frame(OP_TEXT, text.encode()))

    async def read(self) -> bytes:
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self._connection, 65536)

    async def read_all(self) -> bytes:
        found = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := await self.read():
                found += piece
        return found


@contextlib.contextmanager
def lazy(url: str) -> Iterator[Lazy]:
    address = httpx.URL(url)
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.connect((address.host, address.port))
        connection.setblocking(False)
        yield Lazy(connection)


@contextlib.asynccontextmanager
async def lazy_watcher(url: str, runner: Runner, backtest_id: object) -> AsyncIterator[Lazy]:
    """One that authenticates and subscribes, then reads nothing more."""
    with lazy(url) as client:
        await client.write(OPENING)
        assert b" 101 " in await client.read()
        await client.say(f'{{"event":"authenticate","data":{{"token":"{runner.person.token}"}}}}')
        assert b"authenticated" in await client.read()
        await client.say(f'{{"event":"backtest:subscribe","data":{{"backtestId":"{backtest_id}"}}}}')
        assert b"backtest:subscribed" in await client.read()
        yield client


def closed_as(site: Site, why: str) -> float:
    return site.house.monitor.registry.get_sample_value("tidemark_sockets_closed_total", {"why": why}) or 0


async def until_closed_as(site: Site, why: str, *, seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while closed_as(site, why) == 0:  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def test_client_that_takes_nothing_is_dropped_and_the_others_are_not(site: Site, ada: Person) -> None:
    runner = Runner(person=ada)
    lease = await runner.running()
    async with served(site.house) as url, talking(url, ada) as talker:
        await talker.subscribe(lease.job.id)
        await talker.events(2)
        async with lazy_watcher(url, runner, lease.job.id):
            while closed_as(site, "too_slow") == 0:
                for number in range(20):
                    await runner.progress(lease, number, message=LONG)
                    assert (await talker.hear())[1]["progress"] == number
        await runner.finish(lease, Outcome.completed({}))
        assert (await talker.hear())[0] == "backtest:complete"


async def test_client_that_is_stuck_is_dropped_though_little_waits_for_it(
    site: Site, ada: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(streams, "MOST_WAITING_FRAMES", 1_000_000)
    monkeypatch.setattr(streams, "STALLED_SECONDS", 1.0)
    runner = Runner(person=ada)
    lease = await runner.running()
    async with served(site.house) as url, lazy_watcher(url, runner, lease.job.id):
        while closed_as(site, "too_slow") == 0:
            for number in range(20):
                await runner.progress(lease, number, message=LONG)
            await asyncio.sleep(0.01)


async def test_client_that_pings_and_takes_no_answer_is_dropped(site: Site) -> None:
    async with served(site.house) as url:
        with lazy(url) as client:
            await client.write(OPENING)
            await client.read()
            pings = [Frame(OP_PING, b"p" * 125).serialize(mask=True) * 1000] * 1000
            with pytest.raises(ConnectionError):
                await asyncio.wait_for(client.write(*pings), 20)
        await until_closed_as(site, "left")


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([Frame(OP_TEXT, b"{", fin=False), *([Frame(OP_CONT, b"", fin=False)] * 100)], 1008),
        ([Frame(OP_TEXT, b"{}")] * 3000, 1008),
        ([Frame(OP_TEXT, b"\xff\xfe")], 1007),
        ([Frame(OP_CONT, b"x")], 1002),
        ([b"\xff" * 20], 1002),
    ],
    ids=["pieces", "flood", "not UTF-8", "no beginning", "nonsense"],
)
async def test_what_breaks_the_protocol_ends_the_socket_without_noise(
    site: Site, ada: Person, frames: list[Frame | bytes], code: int, caplog: pytest.LogCaptureFixture
) -> None:
    async with served(site.house) as url, talking(url, ada) as talker:
        transport = talker.socket.transport
        transport.write(b"".join(one if isinstance(one, bytes) else one.serialize(mask=True) for one in frames))
        assert await end_of(talker) == code
    assert [record.message for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []


@pytest.mark.parametrize(
    "opening",
    [
        OPENING.replace(b"GET ", b"POST "),
        OPENING.replace(b"\r\n\r\n", b"\r\nContent-Length: 4\r\n\r\nbody"),
        OPENING.replace(b"Sec-WebSocket-Key", b"Sec-WebSocket-Kay"),
        OPENING.replace(b"Version: 13", b"Version: 8"),
        OPENING.replace(b"\r\n\r\n", b"\r\nX-Long: " + b"x" * 9000 + b"\r\n\r\n"),
    ],
    ids=["POST", "body", "no key", "old version", "long line"],
)
async def test_opening_that_is_none_is_answered_at_once(site: Site, opening: bytes) -> None:
    async with served(site.house) as url:
        with lazy(url) as client:
            await client.write(opening)
            answer = await client.read_all()
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert b'"code": "bad_request"' in answer


async def test_restart_of_postgres_loses_nothing(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    address = await asyncio.to_thread(postgres.start)
    try:
        await migrate(address.dsn("postgres"), MIGRATIONS)
        await set_login_passwords(
            address.dsn("postgres"), {login: address.passwords[login] for login in ("app_api", "app_worker")}
        )
        async with open_site(FreshDatabase(name="postgres", address=address)) as site, served(site.house) as url:
            runner = Runner(person=await site.person())
            lease = await runner.running()
            async with talking(url, runner.person) as talker:
                await talker.subscribe(lease.job.id)
                await talker.events(2)
                await asyncio.to_thread(postgres.stop)
                await talker.subscribe(lease.job.id)
                assert (await talker.error())["code"] == "database_unavailable"
                await asyncio.to_thread(postgres.start)
                # The bus is likely not back yet: then only reading again can find it.
                await runner.finish(lease, Outcome.completed({}))
                event, data = await talker.hear()
                assert (event, data["status"]) == ("backtest:complete", "completed")
    finally:
        await asyncio.to_thread(postgres.stop)


async def end_of(talker: Talker) -> int | None:
    """The code of the close, whatever comes before it."""
    await asyncio.wait_for(talker.socket.wait_closed(), 10)
    return talker.socket.close_code
