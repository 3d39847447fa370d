"""GET /api/system/task-events as bare ASGI: thousands stay open at once, so each holds as little as it can."""

from collections.abc import Callable
from typing import NamedTuple
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from backend.api.context import context_of
from backend.api.dependencies import identity_by
from backend.api.errors import MethodNotAllowed, problem
from backend.api.following import Following
from backend.api.lines import EventLine, encoded
from backend.api.scopes import Reach, require_scope
from backend.api.stream import End, Stream
from backend.api.streams import Streams
from backend.api.wire import HAND_OVER, HANG_UP
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import InputError, InvalidInput, NotSignedIn, TidemarkError

TASK_EVENTS_PATH = "/api/system/task-events"
METHODS = ("GET", "HEAD")
MEDIA_TYPE = "text/event-stream"
RETRY_MILLISECONDS = 1000
LARGEST_EVENT_ID = 2**63 - 1
_HEADERS = (
    (b"content-type", MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store, no-transform"),
    (b"x-accel-buffering", b"no"),
    # It serves this stream, then ends.
    (b"connection", b"close"),
)
_BEGUN = "tidemark.begun_stream"


class _Begun(NamedTuple):
    stream: Stream
    following: Following


class TaskEvents:
    """The stream of a user's events by server-sent events: replay, then tail, for as long as the caller may listen.

    Its beginning passes all the wrappers of the API. Then they are done, and so is the request: only a line is kept.
    """

    def __init__(self, house: House, streams: Streams, guarded: Callable[[ASGIApp], ASGIApp]) -> None:
        self._house = house
        self._streams = streams
        self._beginning = guarded(self._begin)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._beginning(scope, receive, send)
        except BaseException:
            if _BEGUN in scope:
                self._streams.leave(scope[_BEGUN].stream, End.LEFT)
            raise
        if _BEGUN in scope:
            self._hand_over(scope.pop(_BEGUN), scope)

    async def _begin(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)
        context.route = TASK_EVENTS_PATH
        if scope["method"] not in METHODS:
            error = MethodNotAllowed(f"{TASK_EVENTS_PATH} answers {', '.join(METHODS)}, not {scope['method']}.")
            await problem(error, scope, headers={"Allow": ", ".join(METHODS)})(scope, receive, send)
            return
        try:
            identity = await self._caller(scope)
            require_scope(identity, Reach.READ)
            after = _last_event_id(scope)
            stream = self._streams.enter(identity)
        except TidemarkError as error:
            await problem(error, scope)(scope, receive, send)
            return
        try:
            await self._greet(stream, after, scope, receive, send)
        finally:
            if _BEGUN not in scope:
                self._streams.leave(stream, End.LEFT)

    async def _greet(self, stream: Stream, after: int | None, scope: Scope, receive: Receive, send: Send) -> None:
        following = Following(self._house, self._streams, stream, after=after)
        try:
            missed = await following.begin()
        except TidemarkError as error:
            await problem(error, scope)(scope, receive, send)
            return
        await send({"type": "http.response.start", "status": 200, "headers": _HEADERS})
        if scope["method"] == "HEAD":
            await send({"type": "http.response.body", "body": b""})
            return
        stream.on_end = _hang_up_when_stuck(stream, scope)
        await stream.sending(send(_piece(_greeting(following, after) + encoded(missed))))
        scope[_BEGUN] = _Begun(stream, following)

    def _hand_over(self, begun: _Begun, scope: Scope) -> None:
        line = EventLine(self._streams, begun.stream, begun.following, context_of(scope).request_id)
        if scope["extensions"][HAND_OVER]["call"](line):
            line.begin()
        else:
            self._streams.leave(begun.stream, End.LEFT)

    async def _caller(self, scope: Scope) -> Identity:
        """By the access token in its header, else by a ticket; a token in the address would end up in logs."""
        scheme, _, token = Headers(scope=scope).get("authorization", "").partition(" ")
        ticket = _query(scope, "ticket")
        if scheme.lower() == "bearer" and token.strip():
            asked = self._house.verifier.verify(token.strip())
        elif ticket:
            asked = self._house.identity_of_ticket(ticket)
        else:
            raise NotSignedIn("Send an access token as 'Authorization: Bearer <token>', or open it with a ticket.")
        return await identity_by(self._house, asked, scope)


def _greeting(following: Following, asked_for: int | None) -> bytes:
    """From where the client would resume should nothing more arrive; or that what it has is of no use any more."""
    place = following.place if asked_for is None or following.began_anew else asked_for
    if following.began_anew:
        return f'retry: {RETRY_MILLISECONDS}\nevent: reset\nid: {place}\ndata: {{"type":"reset"}}\n\n'.encode()
    return f"retry: {RETRY_MILLISECONDS}\nid: {place}\n\n".encode()


def _piece(body: bytes) -> dict[str, object]:
    return {"type": "http.response.body", "body": body, "more_body": True}


def _hang_up_when_stuck(stream: Stream, scope: Scope) -> Callable[[], None]:
    """What a client does not take can't be followed by a farewell."""
    hang_up: Callable[[], None] | None = scope.get("extensions", {}).get(HANG_UP, {}).get("call")

    def on_end() -> None:
        if hang_up is not None and (stream.sending_since is not None or stream.end is End.TOO_SLOW):
            hang_up()

    return on_end


def _last_event_id(scope: Scope) -> int | None:
    for place, text in (
        ("/header/Last-Event-ID", Headers(scope=scope).get("last-event-id")),
        ("/query/last_event_id", _query(scope, "last_event_id")),
    ):
        if text:
            if not (len(text) < 20 and text.isascii() and text.isdigit() and int(text) <= LARGEST_EVENT_ID):
                raise InvalidInput([InputError(pointer=place, detail="Not the id of an event.")])
            return int(text)
    return None


def _query(scope: Scope, name: str) -> str | None:
    values = parse_qs(scope.get("query_string", b"").decode("latin-1")).get(name)
    return values[0] if values else None
