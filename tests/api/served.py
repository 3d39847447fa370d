"""The app behind a real socket in this event loop, and a client that follows its streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import uvicorn

from backend.api.app import create_app
from backend.api.sockets import SETTINGS
from backend.api.task_events import TASK_EVENTS_PATH
from backend.api.wire import BoundedHttp
from backend.bootstrap import House

PATIENCE_SECONDS = 20


@asynccontextmanager
async def served(house: House) -> AsyncIterator[str]:
    """The address of the whole site, as `tidemark serve` has it."""
    app = create_app(house, web_app=Path("/nowhere"))

    class Server(uvicorn.Server):
        @contextlib.contextmanager
        def capture_signals(self) -> Iterator[None]:
            yield

        async def shutdown(self, sockets: Any = None) -> None:
            await app.end_streams()
            await super().shutdown(sockets)

    config = uvicorn.Config(app, http=BoundedHttp, **SETTINGS, port=0, log_config=None, access_log=False, lifespan="on")
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has no event for it
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.wait_for(serving, PATIENCE_SECONDS)


@dataclass(kw_only=True)
class Told:
    """One thing that a stream told."""

    type: str | None = None
    id: int | None = None
    data: Any = None
    comments: list[str] = field(default_factory=list)

    @property
    def task(self) -> dict[str, Any]:
        task: dict[str, Any] = self.data["task"]
        return task


class Listener:
    """A client in the middle of a stream."""

    def __init__(self, answer: httpx.Response) -> None:
        self.answer = answer
        self._lines = answer.aiter_lines()
        self.last_id: int | None = None

    async def next(self) -> Told:
        """The next event, or what remembers a place or gives a sign of life; StopAsyncIteration at the end."""
        return await asyncio.wait_for(self._next(), PATIENCE_SECONDS)

    async def event(self) -> Told:
        """The next event that has a type."""
        while (told := await self.next()).type is None:
            pass
        return told

    async def events(self, count: int) -> list[Told]:
        return [await self.event() for _ in range(count)]

    async def until_the_end(self) -> list[Told]:
        found = []
        with contextlib.suppress(StopAsyncIteration):
            while True:
                found.append(await self.next())
        return found

    async def _next(self) -> Told:
        told = Told()
        async for line in self._lines:
            name, _, value = line.partition(": ")
            match name:
                case "":
                    if line:
                        told.comments.append(value)
                        continue
                    if told.id is not None:
                        self.last_id = told.id
                    return told
                case "event":
                    told.type = value
                case "id":
                    told.id = int(value)
                case "data":
                    told.data = json.loads(value)
        raise StopAsyncIteration


@asynccontextmanager
async def listening(
    url: str, headers: dict[str, str] | None = None, *, after: int | None = None, **query: str
) -> AsyncIterator[Listener]:
    """Open the stream and wait for its greeting."""
    resume = {} if after is None else {"Last-Event-ID": str(after)}
    async with (
        httpx.AsyncClient(base_url=url, timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", TASK_EVENTS_PATH, headers={**(headers or {}), **resume}, params=query) as answer,
    ):
        if answer.status_code != 200:
            await answer.aread()
        yield Listener(answer)
