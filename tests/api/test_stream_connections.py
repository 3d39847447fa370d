"""The connection under a stream of events, byte by byte: what HTTP says of it, and what else a client may do there."""

import asyncio
import contextlib
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager

import httpx
import pytest
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from backend.api.following import Following
from backend.api.lines import EventLine
from backend.api.stream import Stream
from backend.api.task_events import TASK_EVENTS_PATH
from backend.api.wire import BoundedHttp
from tests.api.conftest import Person, Site
from tests.api.served import served
from tests.api.test_task_events import add_tasks

pytestmark = pytest.mark.timeout(90)


@pytest.fixture(scope="module")
async def url(site: Site) -> AsyncIterator[str]:
    async with served(site.house) as url:
        yield url


class Connection:
    """A client that speaks HTTP by hand."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer

    async def until(self, end: bytes) -> str:
        return (await asyncio.wait_for(self.reader.readuntil(end), 20)).decode()

    async def rest(self) -> str:
        return (await asyncio.wait_for(self.reader.read(), 20)).decode()


@asynccontextmanager
async def connected(url: str, *requests: str) -> AsyncIterator[Connection]:
    address = httpx.URL(url)
    reader, writer = await asyncio.open_connection(address.host, address.port)
    writer.write("".join(requests).encode())
    try:
        yield Connection(reader, writer)
    finally:
        writer.close()


def asking(person: Person, *, version: str = "1.1", method: str = "GET", path: str = TASK_EVENTS_PATH) -> str:
    token = person.headers["Authorization"]
    return f"{method} {path} HTTP/{version}\r\nHost: 127.0.0.1\r\nAuthorization: {token}\r\n\r\n"


async def test_stream_comes_in_chunks_and_ends_with_the_connection(url: str, site: Site, ada: Person) -> None:
    async with connected(url, asking(ada)) as client:
        head = await client.until(b"\r\n\r\n")
        assert head.startswith("HTTP/1.1 200 OK\r\n")
        assert "\r\ntransfer-encoding: chunked\r\n" in head
        assert "\r\nconnection: close\r\n" in head
        await add_tasks(ada)
        assert await client.until(b"\r\n") == "13\r\n"
        assert await client.until(b"\n\n\r\n") == "retry: 1000\nid: 0\n\n\r\n"
        size = int(await client.until(b"\r\n"), 16)
        told = await client.until(b"\n\n\r\n")
        assert len(told) == size + len("\r\n")
        assert told.startswith("event: task_queued\nid: 1\n")
        await suspend(site, ada)
        # A suspension also cancels what waits, which may be told before.
        assert (await client.rest()).endswith("14\r\n: ended, suspended\n\n\r\n0\r\n\r\n")


async def test_client_of_http_1_0_gets_the_stream_without_chunks(url: str, site: Site, ada: Person) -> None:
    async with connected(url, asking(ada, version="1.0")) as client:
        head = await client.until(b"\r\n\r\n")
        assert "transfer-encoding" not in head
        assert await client.until(b"\n\n") == "retry: 1000\nid: 0\n\n"
        await add_tasks(ada, 2)
        for number in (1, 2):
            told = await client.until(b"\n\n")
            assert told.startswith(f"event: task_queued\nid: {number}\ndata: {{")
        await suspend(site, ada)
        assert (await client.rest()).endswith(": ended, suspended\n\n")


@pytest.mark.parametrize("path", ["/api/config", "/api/openapi.json", "/healthz"])
async def test_client_of_http_1_0_gets_every_answer_without_chunks(url: str, ada: Person, path: str) -> None:
    async with connected(url, asking(ada, version="1.0", path=path)) as client:
        head = await client.until(b"\r\n\r\n")
        body = await client.rest()
    assert "transfer-encoding" not in head
    assert (await fetched(url, path, ada)) == body


async def test_compressed_answer_reaches_a_client_of_http_1_0_whole(url: str, ada: Person) -> None:
    request = asking(ada, version="1.0", path="/api/openapi.json").replace(
        "\r\n\r\n", "\r\nAccept-Encoding: gzip\r\n\r\n"
    )
    async with connected(url, request) as client:
        head = await client.until(b"\r\n\r\n")
        body = await asyncio.wait_for(client.reader.read(), 20)
    assert "content-encoding: gzip" in head
    answer = httpx.Response(200, headers={"content-encoding": "gzip"}, content=body)
    assert answer.text == await fetched(url, "/api/openapi.json", ada)


async def test_head_is_answered_with_the_same_head_and_the_connection_ends(url: str, ada: Person) -> None:
    async with connected(url, asking(ada, method="HEAD")) as client:
        head = await client.rest()
    assert head.startswith("HTTP/1.1 200 OK\r\n")
    assert "text/event-stream" in head
    assert head.endswith("\r\n\r\n")


async def test_second_request_on_the_connection_is_not_answered_into_the_stream(url: str, ada: Person) -> None:
    async with connected(url, asking(ada), asking(ada, path="/api/config")) as client:
        await client.until(b"retry: 1000\nid: 0\n\n\r\n")
        client.writer.write(asking(ada, path="/api/config").encode())
        await add_tasks(ada)
        told = await client.until(b"\n\n\r\n")
    assert "event: task_queued\nid: 1\n" in told
    assert "HTTP/1.1" not in told


async def test_stream_after_another_answer_on_one_connection(url: str, ada: Person) -> None:
    async with connected(url, asking(ada, path="/api/config"), asking(ada)) as client:
        assert "200 OK" in await client.until(b"\r\n\r\n")
        assert "text/event-stream" in await client.until(b"retry: 1000\nid: 0\n\n\r\n")
        await add_tasks(ada)
        assert "event: task_queued\nid: 1\n" in await client.until(b"\n\n\r\n")


async def test_client_that_sends_no_more_but_listens_is_let_go(url: str, site: Site, ada: Person) -> None:
    await until(lambda: _streams(site) == 0)
    async with connected(url, asking(ada)) as client:
        await client.until(b"retry: 1000\nid: 0\n\n\r\n")
        assert _streams(site) == 1
        client.writer.write_eof()
        assert await client.rest() == ""
    await until(lambda: _streams(site) == 0)


async def test_client_that_talks_on_is_cut_off(url: str, site: Site, ada: Person) -> None:
    await until(lambda: _streams(site) == 0)
    async with connected(url, asking(ada)) as client:
        await client.until(b"retry: 1000\nid: 0\n\n\r\n")
        client.writer.write(b"x" * 100_000)
        with contextlib.suppress(ConnectionResetError):  # what it said was still on its way
            assert await client.rest() == ""
    await until(lambda: _streams(site) == 0)


async def test_body_of_a_request_for_a_stream_disturbs_nothing(url: str, ada: Person) -> None:
    request = asking(ada).replace("\r\n\r\n", "\r\nContent-Length: 1000\r\n\r\n")
    async with connected(url, request) as client:
        await client.until(b"retry: 1000\nid: 0\n\n\r\n")
        client.writer.write(b"x" * 1000)
        await add_tasks(ada)
        assert "event: task_queued\nid: 1\n" in await client.until(b"\n\n\r\n")


async def test_many_who_left_are_forgotten(url: str, site: Site, ada: Person) -> None:
    await until(lambda: _streams(site) == 0)
    for _ in range(3):
        async with asyncio.TaskGroup() as group:
            for _ in range(20):
                group.create_task(_look_in(url, ada))
    await until(lambda: _streams(site) == 0)


async def test_open_stream_costs_no_task_and_keeps_nothing_of_its_request(url: str, ada: Person) -> None:
    await add_tasks(ada)
    await until(lambda: _kept() == {})
    tasks = len(asyncio.all_tasks())
    async with AsyncExitStack() as stack:
        for _ in range(20):
            client = await stack.enter_async_context(connected(url, asking(ada)))
            await client.until(b"retry: 1000\nid: 1\n\n\r\n")
        await until(lambda: _kept() == {EventLine: 20, Following: 20, Stream: 20})
        await until(lambda: len(asyncio.all_tasks()) <= tasks)
    await until(lambda: _kept() == {})


def _kept() -> Counter[type]:
    """What there is of streams and requests in this process."""
    gc.collect()
    kinds = (BoundedHttp, RequestResponseCycle, EventLine, Following, Stream)
    return Counter(type(one) for one in gc.get_objects() if isinstance(one, kinds))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.02)


async def _look_in(url: str, person: Person) -> None:
    async with connected(url, asking(person)) as client:
        await client.until(b"\n\n\r\n")


async def suspend(site: Site, person: Person) -> None:
    await site.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", person.user_id)


async def fetched(url: str, path: str, person: Person) -> str:
    async with httpx.AsyncClient(base_url=url) as client:
        answer = await client.get(path, headers=person.headers)
    assert answer.http_version == "HTTP/1.1"
    return answer.text


def _streams(site: Site) -> float:
    return site.house.monitor.registry.get_sample_value("tidemark_streams") or 0
