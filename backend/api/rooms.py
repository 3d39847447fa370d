"""WS /ws as bare ASGI: rooms of one's own backtests. docs/how-to/watch-backtests-by-websocket.md tells clients how."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api.context import context_of
from backend.api.conversation import Conversation, Socket
from backend.api.errors import NoSuchPage, NotReady, OriginNotAllowed, UpgradeRequired, problem
from backend.api.streams import End, Streams
from backend.bootstrap import House
from backend.domain.errors import TidemarkError

ROOMS_PATH = "/ws"
GOODBYE_SECONDS = 2.0
_ACCEPTED = "tidemark.accepted_socket"
_DEFAULT_PORTS = {"http": 80, "https": 443}


class Rooms:
    """Opens sockets for whoever may come here, and keeps those that are open.

    The opening passes all the wrappers of a request; then they are done.
    """

    def __init__(self, house: House, streams: Streams, guarded: Callable[[ASGIApp], ASGIApp]) -> None:
        self._house = house
        self._streams = streams
        self._opening = guarded(self._open)
        addresses = (house.settings.public_url, house.address, *house.settings.cors_origins)
        self._origins = frozenset(map(_origin, addresses))
        self._conversations: dict[asyncio.Task[Any], Conversation] = {}
        self._is_closed = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._opening(scope, receive, send)
        if _ACCEPTED in scope:
            # They were read, and would stay in memory as long as the socket.
            scope["headers"].clear()
            await self._hold(Socket(scope, receive, send))

    async def close(self) -> None:
        """Let nobody in, and let all say goodbye. The streams of those who are known must be closed before."""
        self._is_closed = True
        for conversation in self._conversations.values():
            conversation.stop_waiting()
        if self._conversations:
            await asyncio.wait(self._conversations, timeout=GOODBYE_SECONDS)

    async def _open(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            self._admit(scope)
        except TidemarkError as error:
            headers = {"Upgrade": "websocket"} if isinstance(error, UpgradeRequired) else {}
            await problem(error, scope, headers=headers)(scope, receive, send)
            return
        with contextlib.suppress(OSError):  # the client is gone already
            await receive()
            await send({"type": "websocket.accept", "headers": []})
            scope[_ACCEPTED] = True

    def _admit(self, scope: Scope) -> None:
        if scope["path"] != ROOMS_PATH:
            raise NoSuchPage(f"Nothing lives at {scope['path']}. The WebSocket is at {ROOMS_PATH}.")
        context_of(scope).route = ROOMS_PATH
        if scope["type"] != "websocket":
            raise UpgradeRequired(f"{ROOMS_PATH} is a WebSocket. Open it with a client that speaks WebSocket.")
        self._require_origin(scope)
        if self._is_closed:
            raise NotReady("Tidemark is stopping.")

    def _require_origin(self, scope: Scope) -> None:
        """Browsers alone name one, and pages can't make them lie. That the host is ours was found out before."""
        headers = Headers(scope=scope)
        here = _origin(f"{scope['scheme'].replace('ws', 'http')}://{headers.get('host', '')}")
        for named in map(_origin, headers.getlist("origin")):
            if named is None or (named != here and named not in self._origins):
                raise OriginNotAllowed(
                    "The page that opens this WebSocket comes from elsewhere. If it may, name its origin in"
                    " TIDEMARK_CORS_ORIGINS."
                )

    async def _hold(self, socket: Socket) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a socket is held by a task")
        self._house.monitor.socket_opened()
        why: str = End.STOPPING  # unless it ends by itself
        try:
            conversation = self._conversations[task] = Conversation(self._house, self._streams, socket)
            if self._is_closed:
                conversation.stop_waiting()
            why = await conversation.hold()
        finally:
            del self._conversations[task]
            self._house.monitor.socket_closed(why)
            socket.log_end(why)


def _origin(address: str | None) -> tuple[str, str, int] | None:
    """What makes two addresses one origin, or None when it is no address of the web."""
    try:
        parts = urlsplit(address or "")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
        return None
    return parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme]
