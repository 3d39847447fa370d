"""WebSockets as they come over one connection, with bounds that uvicorn leaves open: what a client may leave unread."""

from collections.abc import Mapping
from typing import Any
from uuid import uuid4

from starlette.types import Scope
from uvicorn.protocols.http.httptools_impl import STATUS_LINE
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame
from websockets.http11 import Request
from websockets.protocol import State

from backend.api.context import RequestContext, remember
from backend.api.errors import BadRequest, problem
from backend.api.wire import HANG_UP

# An access token has at most 16 KiB; nothing else that is said here is long.
LARGEST_MESSAGE_BYTES = 32 * 1024
MOST_PIECES_OF_A_MESSAGE = 64
MOST_WAITING_MESSAGES = 1_000
PING_SECONDS = 20.0
# So long a client may take to say goodbye in its turn, or to take what is still on its way.
FAREWELL_SECONDS = 5.0


class BoundedSockets(WebSocketsSansIOProtocol):
    """Ends a connection that asks for more than it takes, or says more than anybody would."""

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None:
            self._refuse("A WebSocket is opened by GET, without a body.")

    def handle_connect(self, event: Request) -> None:
        if self.conn.accept(event).status_code != 101:
            self._refuse(f"No WebSocket can be opened: {self.conn.handshake_exc}.")
            return
        super().handle_connect(event)
        self.scope["extensions"][HANG_UP] = {"call": self.transport.abort}

    def handle_cont(self, event: Frame) -> None:
        if len(self.frames) < MOST_PIECES_OF_A_MESSAGE:
            super().handle_cont(event)
        else:
            self._fail(CloseCode.POLICY_VIOLATION, "too many pieces of one message")

    def handle_ping(self) -> None:
        if self.writable.is_set():
            super().handle_ping()
        else:
            self.transport.abort()  # our answers would wait for one who does not take them

    def handle_close(self, event: Frame) -> None:
        super().handle_close(event)
        if not self.handshake_complete:
            self._is_gone()

    def handle_parser_exception(self) -> None:
        if self.conn.close_sent is None:  # it broke off before we had answered, so no word of ours can reach it
            self._is_gone()
            self.transport.abort()
        else:
            super().handle_parser_exception()

    def send_receive_event_to_app(self) -> None:
        if self.queue.qsize() >= MOST_WAITING_MESSAGES:
            self._fail(CloseCode.POLICY_VIOLATION, "too many messages at once")
        elif self.curr_msg_data_type == "text" and not _is_utf8(b"".join(self.frames)):
            self._fail(CloseCode.INVALID_DATA, "text must be UTF-8")
        else:
            super().send_receive_event_to_app()

    def keepalive_timeout(self) -> None:
        super().keepalive_timeout()
        self.transport.abort()

    async def send(self, message: Any) -> None:
        await super().send(message)
        if self.initial_response is not None and self.close_sent:
            self.handshake_complete = True  # a refusal is an answer, else uvicorn misses one
        if message["type"] == "websocket.close" and self.close_timer is not None:
            self.close_timer.cancel()
            # To close would be to wait until everything was taken.
            self.close_timer = self.loop.call_later(FAREWELL_SECONDS, self.transport.abort)

    def shutdown(self) -> None:
        if self.handshake_complete and not self.close_sent and self.conn.state is not State.OPEN:
            self.transport.abort()  # it said goodbye itself, and hears ours no more
        else:
            super().shutdown()
            self.loop.call_later(FAREWELL_SECONDS, self.transport.abort)

    def _fail(self, code: CloseCode, reason: str) -> None:
        self.frames = []
        if not self.close_sent:
            self.conn.fail(code, reason)
            self.handle_parser_exception()

    def _is_gone(self) -> None:
        self.queue.put_nowait({"type": "websocket.disconnect", "code": CloseCode.ABNORMAL_CLOSURE})
        self.handshake_complete = self.disconnected = True

    def _refuse(self, detail: str) -> None:
        scope: Scope = {"type": "http", "path": "/"}
        context = RequestContext(request_id=uuid4().hex)
        remember(scope, context)
        answer = problem(BadRequest(detail), scope, headers={"Connection": "close", "X-Request-ID": context.request_id})
        head = b"".join(b"%b: %b\r\n" % header for header in answer.raw_headers)
        self.transport.write(STATUS_LINE[answer.status_code] + head + b"\r\n" + bytes(answer.body))
        self.handshake_complete = self.close_sent = True
        self.transport.close()


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# How uvicorn is told of them. Messages are short and each is written to many clients, so nothing is compressed.
SETTINGS: Mapping[str, Any] = {
    "ws": BoundedSockets,
    "ws_max_size": LARGEST_MESSAGE_BYTES,
    "ws_ping_interval": PING_SECONDS,
    "ws_ping_timeout": PING_SECONDS,
    "ws_per_message_deflate": False,
}
