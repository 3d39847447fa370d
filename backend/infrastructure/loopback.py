"""Serves a small app on a loopback port of its own, beside the main server and in its event loop."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from starlette.types import ASGIApp

HOST = "127.0.0.1"


@contextlib.asynccontextmanager
async def serving_on_loopback(app: ASGIApp, *, preferred_port: int) -> AsyncIterator[str]:
    """Yields the address. The preferred port is taken when it is free, else any other."""
    with _listen(preferred_port) as listener:
        server = _Server(
            uvicorn.Config(app, loop="none", lifespan="off", log_config=None, log_level="warning", access_log=False)
        )
        task = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield f"http://{HOST}:{listener.getsockname()[1]}"
        finally:
            server.should_exit = server.force_exit = True
            await task


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield  # signals belong to the main server


def _listen(preferred_port: int) -> socket.socket:
    for port in (preferred_port, 0):
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen()
        except OSError:
            listener.close()
            continue
        return listener
    raise OSError("no loopback port is free")
