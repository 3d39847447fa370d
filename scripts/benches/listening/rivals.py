"""What others can do: the limit of the machine, and peers. Each a server that tells everybody an event a second.

`python -m scripts.benches.listening.rivals NAME` prints its port and serves until it is killed.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import psutil
import uvicorn
import uvloop

ROOT = Path(__file__).resolve().parents[3]
HEAD = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"
WAITING = 64
# As large as an event of ours.
TASK = {
    "id": "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a",
    "kind": "sweep",
    "stage": "Sweeping",
    "percent": 42,
    "message": "4,200 of 10,000 combinations",
    "eta_seconds": 60.0,
}


def event() -> bytes:
    """An event that carries the moment at which it was made."""
    task = json.dumps({"type": "task_progress", "task": TASK | {"sent": time.monotonic_ns()}}, separators=(",", ":"))
    return f"event: task_progress\ndata: {task}\n\n".encode()


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


async def each_second(tell: Callable[[], None]) -> None:
    due = time.monotonic()
    while True:
        due += 1
        await asyncio.sleep(due - time.monotonic())
        tell()


class Bare(asyncio.Protocol):
    """The limit: nothing but a socket that is written to."""

    everybody: ClassVar[set[asyncio.Transport]] = set()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as asyncio calls it
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._transport.write(HEAD + chunk(b": \n\n"))
        self.everybody.add(self._transport)

    def connection_lost(self, exc: Exception | None) -> None:
        self.everybody.discard(self._transport)

    @classmethod
    def tell(cls) -> None:
        told = chunk(event())
        for transport in cls.everybody:
            transport.write(told)


async def limit() -> None:
    server = await asyncio.get_running_loop().create_server(Bare, "127.0.0.1", 0, backlog=2048)
    say_port(server.sockets[0].getsockname()[1])
    await each_second(Bare.tell)


class RawAsgi:
    """A peer as somebody in a hurry would write it: a queue for each client, and the bytes made once."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[bytes]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        queue: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        self._queues.add(queue)
        try:
            headers = [(b"content-type", b"text/event-stream")]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            await send({"type": "http.response.body", "body": b": \n\n", "more_body": True})
            while True:
                await send({"type": "http.response.body", "body": await queue.get(), "more_body": True})
        finally:
            self._queues.discard(queue)

    def tell(self) -> None:
        told = event()
        for queue in self._queues:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(told)


class SseStarlette:
    """A peer as its readme has it: a generator over a queue for each client."""

    def __init__(self) -> None:
        self._queues: set[asyncio.Queue[str]] = set()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        from sse_starlette import EventSourceResponse  # noqa: PLC0415 - only who measures has it

        await EventSourceResponse(self._events(), ping=15)(scope, receive, send)

    async def _events(self) -> AsyncIterator[dict[str, str]]:
        queue: asyncio.Queue[str] = asyncio.Queue(WAITING)
        self._queues.add(queue)
        try:
            yield {"comment": ""}
            while True:
                yield {"event": "task_progress", "data": await queue.get()}
        finally:
            self._queues.discard(queue)

    def tell(self) -> None:
        told = event().decode().partition("data: ")[2].strip()
        for queue in self._queues:
            with contextlib.suppress(asyncio.QueueFull):
                queue.put_nowait(told)


async def on_uvicorn(app: RawAsgi | SseStarlette) -> None:
    config = uvicorn.Config(app, port=0, http="httptools", log_level="warning", access_log=False, lifespan="off")
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    say_port(server.servers[0].sockets[0].getsockname()[1])
    telling = asyncio.create_task(each_second(app.tell))
    await serving
    telling.cancel()


def say_port(port: int) -> None:
    print(port, flush=True)


RIVALS: dict[str, Callable[[], Awaitable[None]]] = {
    "limit": limit,
    "asgi": lambda: on_uvicorn(RawAsgi()),
    "sse_starlette": lambda: on_uvicorn(SseStarlette()),
}


@contextlib.contextmanager
def serving_rival(name: str) -> Iterator[tuple[psutil.Process, int]]:
    """Its process and its port."""
    command = [sys.executable, "-m", "scripts.benches.listening.rivals", name]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as process:
        try:
            yield psutil.Process(process.pid), int(process.stdout.readline() if process.stdout else 0)
        finally:
            process.kill()


async def main(name: str) -> None:
    await RIVALS[name]()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1]))
