"""What one connection may send: bounded heads, requests that arrive, and refusals that say why."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send

from backend.api.wire import LARGEST_HEAD_BYTES, BoundedHttp

HEAD = b"POST /x HTTP/1.1\r\nHost: localhost\r\n"


async def echo_size(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers with the number of bytes that the body has."""
    size, more = 0, True
    while more:
        message = await receive()
        size, more = size + len(message.get("body", b"")), message.get("more_body", False)
    body = str(size).encode()
    headers = [(b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Impatient(BoundedHttp):
    head_seconds = body_pause_seconds = 0.2


class Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def port(request: pytest.FixtureRequest) -> AsyncIterator[int]:
    protocol = getattr(request, "param", BoundedHttp)
    server = Server(uvicorn.Config(echo_size, http=protocol, port=0, lifespan="off", log_config=None))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(5):
        while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
            await asyncio.sleep(0.01)
    yield server.servers[0].sockets[0].getsockname()[1]
    server.should_exit = True
    await serving


async def tell(port: int, *pieces: bytes) -> bytes:
    """Send the pieces, then listen until the other side hangs up."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    with contextlib.suppress(ConnectionError):
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(0.01)
    answer = b""
    with contextlib.suppress(ConnectionError):
        answer = await asyncio.wait_for(reader.read(), 5)
    writer.close()
    return answer


def refusal(answer: bytes) -> tuple[int, str]:
    """Status and code of an answer that is one whole problem, and that ends the connection."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    problem = json.loads(body)
    assert "content-type: application/problem+json" in lines
    assert "connection: close" in lines
    assert f"x-request-id: {problem['request_id']}" in lines
    return problem["status"], problem["code"]


@pytest.mark.parametrize(
    "pieces",
    [
        [HEAD + b"X: " + b"a" * (LARGEST_HEAD_BYTES + 1) + b"\r\n\r\n"],
        [HEAD + b"X: 1\r\n" * 20_000 + b"\r\n"],
        [HEAD, *[b"X: 1\r\n" * 1000] * 11],
        [HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", *[b"X: 1\r\n" * 1000] * 11],
    ],
    ids=["one header", "many headers", "headers without end", "trailers without end"],
)
async def test_a_head_that_is_too_large_is_refused(port: int, pieces: list[bytes]) -> None:
    assert refusal(await tell(port, *pieces)) == (431, "request_head_too_large")


async def test_a_header_without_end_is_never_held(port: int) -> None:
    """Bytes that make no whole header reach us only as silence; the parser would hold them all."""
    answer = await tell(port, HEAD + b"X: ", *[b"a" * 65_536] * 50)
    assert answer == b"" or refusal(answer) == (431, "request_head_too_large")


async def test_what_is_not_http_is_refused_as_a_problem(port: int) -> None:
    assert refusal(await tell(port, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")) == (400, "bad_request")


async def test_heads_below_the_bound_and_large_bodies_pass(port: int) -> None:
    head = HEAD + b"X: " + b"a" * (LARGEST_HEAD_BYTES - 200) + b"\r\nConnection: close\r\n"
    body = b"b" * 3_000_000
    answer = await tell(port, head + b"Content-Length: 3000000\r\n\r\n" + body[:100_000], body[100_000:])
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"3000000")


async def test_requests_on_one_connection_are_bounded_one_by_one(port: int) -> None:
    padding = b"X: " + b"a" * 40_000 + b"\r\n"
    keep = HEAD + padding + b"Content-Length: 0\r\n\r\n"
    last = HEAD + padding + b"Connection: close\r\nContent-Length: 0\r\n\r\n"
    assert (await tell(port, keep, keep, keep + last)).count(b"HTTP/1.1 200") == 4


@pytest.mark.parametrize("port", [Impatient], indirect=True)
@pytest.mark.parametrize(
    "pieces", [[HEAD], [HEAD + b"Content-Length: 9\r\n\r\nabc"]], ids=["half a head", "half a body"]
)
async def test_a_request_that_stays_away_is_not_waited_for(port: int, pieces: list[bytes]) -> None:
    assert refusal(await tell(port, *pieces)) == (408, "request_too_slow")


@pytest.mark.parametrize("port", [Impatient], indirect=True)
async def test_a_connection_that_asks_nothing_is_closed(port: int) -> None:
    assert await tell(port) == b""


@pytest.mark.parametrize("port", [Impatient], indirect=True)
async def test_a_body_may_take_its_time_while_it_comes(port: int) -> None:
    head = HEAD + b"Connection: close\r\nContent-Length: 60\r\n\r\n"
    assert (await tell(port, head, *[b"x"] * 60)).endswith(b"60")


async def test_a_refusal_is_never_taken_for_the_answer_to_an_earlier_request(port: int) -> None:
    """What follows the first request in the same packet is not HTTP; the first one may be answered, or nothing is."""
    answer = await tell(port, HEAD + b"Content-Length: 2\r\n\r\nab" + b"\x00\x01\r\n\r\n")
    assert answer == b"" or answer.startswith(b"HTTP/1.1 200")
