"""HTTP as it comes over one connection, with bounds that uvicorn leaves open: how large a head, how slow a request."""

import asyncio
from typing import Any
from uuid import uuid4

from loguru import logger
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from backend.api.context import RequestContext, remember
from backend.api.errors import BadRequest, HeadTooLarge, RequestTooSlow, problem
from backend.domain.errors import TidemarkError

# What an endless answer calls, found under this name in the scope's extensions, when its reader takes nothing more.
HANG_UP = "tidemark.hang_up"
# What an endless answer calls, found likewise, to get the connection for itself once it has begun.
HAND_OVER = "tidemark.hand_over"
LARGEST_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 20.0
# Between two pieces of a body, not for the whole of it: a large file over a slow line is welcome.
BODY_PAUSE_SECONDS = 20.0
LAST_CHUNK = b"0\r\n\r\n"
# So long a client may take to read the end of what it was told.
FAREWELL_SECONDS = 5.0


class BoundedHttp(HttpToolsProtocol):
    """Refuses a head that does not end and a request that does not arrive, before they fill memory or connections."""

    head_seconds = HEAD_SECONDS
    body_pause_seconds = BODY_PAUSE_SECONDS

    _timer: asyncio.TimerHandle | None = None
    _refusal: TidemarkError | None = None
    _was_asked = False
    _head_bytes = 0
    # Read since the parser last had something to tell: the part of a head that it still holds itself.
    _silent_bytes = 0
    _is_silent = True
    # Its request is answered now; others that came on its heels wait.
    _served: RequestResponseCycle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn itself
        super().connection_made(transport)
        self._expect_more(self.head_seconds)

    def connection_lost(self, exc: Exception | None) -> None:
        self._expect_nothing()
        super().connection_lost(exc)
        self.scope = None  # type: ignore[assignment]  # it leads back here, and would wait for the garbage collector

    def data_received(self, data: bytes) -> None:
        self._is_silent = True
        super().data_received(data)
        self._silent_bytes = self._silent_bytes + len(data) if self._is_silent else 0
        if self._silent_bytes > LARGEST_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLarge(LARGEST_HEAD_BYTES))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGIApp) -> None:  # type: ignore[override]  # same shape
        self._served = cycle
        super()._start_asgi_task(cycle, app if cycle.scope["http_version"] != "1.0" else _unchunked(cycle, app))  # type: ignore[arg-type]

    def _hand_over(self, line: "Line") -> bool:
        """Give the connection to who goes on with the answer, as to a WebSocket; False when it is gone already."""
        cycle = self._served
        if cycle is None or cycle.disconnected or self.transport.is_closing():
            return False
        self._expect_nothing()
        self.flow.resume_reading()
        self.connections.discard(self)
        line.take_over(
            self.transport,
            self.connections,
            is_chunked=bool(cycle.chunked_encoding),
            is_full=self.flow.write_paused,
        )
        # Nobody asks for the rest of the request, nor for another one, and nothing here shall outlive this.
        cycle.response_complete = True
        self.pipeline.clear()
        self.parser = self.scope = self.cycle = self._served = None  # type: ignore[assignment]
        return True

    def handle_websocket_upgrade(self) -> None:
        self._expect_nothing()
        super().handle_websocket_upgrade()

    def send_400_response(self, msg: str) -> None:
        self._refuse(self._refusal or BadRequest(msg))

    def on_message_begin(self) -> None:
        self._was_asked = True
        self._head_bytes = 0
        self._is_silent = False
        self._expect_more(self.head_seconds)
        super().on_message_begin()
        self.scope["extensions"] = {HANG_UP: {"call": self.transport.abort}, HAND_OVER: {"call": self._hand_over}}

    def on_url(self, url: bytes) -> None:
        self._count(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Also called for what trails a chunked body, which counts all the same."""
        self._count(len(name) + len(value) + len(b": \r\n"))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._is_silent = False
        self._expect_more(self.body_pause_seconds)
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        self._is_silent = False
        self._expect_more(self.body_pause_seconds)
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._is_silent = False
        self._expect_nothing()
        super().on_message_complete()

    def _count(self, size: int) -> None:
        self._head_bytes += size
        if self._head_bytes > LARGEST_HEAD_BYTES:
            self._refusal = HeadTooLarge(LARGEST_HEAD_BYTES)
            raise ValueError("the head is too large")  # stops the parser, which then asks for a 400

    def _expect_more(self, seconds: float) -> None:
        self._expect_nothing()
        self._timer = self.loop.call_later(seconds, self._waited, seconds)

    def _expect_nothing(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _waited(self, seconds: float) -> None:
        if self.flow.read_paused:  # it is we who do not read
            self._expect_more(seconds)
        elif not self._was_asked:
            self.transport.close()
        else:
            self._refuse(RequestTooSlow(f"Nothing of it came for {seconds:g} seconds."))

    def _refuse(self, error: TidemarkError) -> None:
        """Say why and hang up, unless an answer to an earlier request could be mistaken for this one."""
        self._expect_nothing()
        if self._may_answer():
            scope: Scope = {"type": "http", "path": "/"}
            context = RequestContext(request_id=uuid4().hex)
            remember(scope, context)
            answer = problem(error, scope, headers={"Connection": "close", "X-Content-Type-Options": "nosniff"})
            lines = [b"%b: %b\r\n" % header for header in answer.raw_headers]
            self.transport.write(
                b"".join(
                    (
                        STATUS_LINE[answer.status_code],
                        *lines,
                        b"x-request-id: %b\r\n\r\n" % context.request_id.encode(),
                        answer.body,
                    )
                )
            )
            logger.bind(request_id=context.request_id, status=answer.status_code).info("{}", error.title)
        self.transport.close()

    def _may_answer(self) -> bool:
        if self.pipeline:
            return False
        if self.cycle is None or self.cycle.response_complete:
            return True
        # The body of this very request stays away; nothing was answered yet.
        return self.cycle.scope is self.scope and self.cycle.more_body and not self.cycle.response_started


class Line(asyncio.Protocol):
    """A connection after its request, which only the answer's own author still writes to."""

    __slots__ = ("_connections", "_heard_bytes", "_parting", "is_chunked", "is_full", "transport")

    transport: asyncio.Transport
    is_chunked: bool
    # The client does not take what was written.
    is_full: bool

    def __init__(self) -> None:
        self._heard_bytes = 0
        self._parting: asyncio.TimerHandle | None = None

    def take_over(
        self, transport: asyncio.Transport, connections: set[Any], *, is_chunked: bool, is_full: bool
    ) -> None:
        """Take the place of the connection's protocol, also among all connections of the server."""
        self.transport, self._connections = transport, connections
        self.is_chunked, self.is_full = is_chunked, is_full
        connections.add(self)
        transport.set_protocol(self)

    def write(self, body: bytes) -> None:
        self.transport.write(chunk(body) if self.is_chunked else body)

    def finish(self, body: bytes) -> None:
        """The last words, and so long as the client may take to hear them."""
        self.write(body)
        if self.is_chunked:
            self.transport.write(LAST_CHUNK)
        self.transport.close()
        self._parting = asyncio.get_running_loop().call_later(FAREWELL_SECONDS, self.transport.abort)

    def hang_up(self) -> None:
        self.transport.abort()

    def pause_writing(self) -> None:
        self.is_full = True

    def resume_writing(self) -> None:
        self.is_full = False

    def data_received(self, data: bytes) -> None:
        """The client was answered, and has nothing to say that anybody would hear."""
        self._heard_bytes += len(data)
        if self._heard_bytes > LARGEST_HEAD_BYTES:
            self.hang_up()

    def eof_received(self) -> None:
        self.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        self._connections.discard(self)
        if self._parting is not None:
            self._parting.cancel()

    def shutdown(self) -> None:
        """As uvicorn says it to every connection when it stops; the answer ends by its author."""


def chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def _unchunked(cycle: RequestResponseCycle, app: ASGIApp) -> ASGIApp:
    """HTTP/1.0 knows no chunks, which uvicorn would send all the same: an answer of unknown length ends by its end."""

    async def answered(scope: Scope, receive: Receive, send: Send) -> None:
        is_open_ended = False

        async def send_plainly(message: Message) -> None:
            nonlocal is_open_ended
            if message["type"] == "http.response.start":
                is_open_ended = all(name.lower() != b"content-length" for name, _ in message.get("headers", ()))
                if is_open_ended:
                    cycle.chunked_encoding = False
            elif is_open_ended:
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await app(scope, receive, send_plainly)

    return answered
