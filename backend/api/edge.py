"""The outermost ring: every request gets an id, one line in the log and a place in the metrics; no error escapes.

The opening of a socket is a request too. What comes after it is not seen here.
"""

import asyncio
import re
import time
from uuid import uuid4

from loguru import logger
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.context import RequestContext, client_address, remember
from backend.api.errors import problem
from backend.domain.errors import ServiceUnavailable, TidemarkError
from backend.domain.ports import Meter

ACCEPTED_REQUEST_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{7,127}")
BEGINNINGS = frozenset({"http.response.start", "websocket.http.response.start", "websocket.accept"})
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
CLIENT_WENT_AWAY = 499
SOCKET_OPENED = 101
# Answers that come by the second and say nothing when they are fine.
QUIET_ROUTES = frozenset({"/healthz", "/readyz", "/metrics", "web", "web assets"})


class Edge:
    """Gives each request its context, answers what nobody caught, then logs and counts."""

    def __init__(self, app: ASGIApp, meter: Meter) -> None:
        self._app = app
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = RequestContext(request_id=_request_id(scope))
        context.facts["request_id"] = context.request_id
        remember(scope, context)
        answer = _Answer(send, context.request_id)
        started = time.perf_counter()
        with logger.contextualize(facts=context.facts), self._meter.request_in_flight():
            try:
                await self._app(scope, receive, answer.send)
            except asyncio.CancelledError:
                # The server stops, and waited for this request as long as it could.
                if answer.status == 0:
                    stopping = ServiceUnavailable("Tidemark is stopping. Try again.")
                    await problem(stopping, scope)(scope, receive, answer.send)
                raise
            except Exception:  # noqa: BLE001 - the last place that can answer; logged here and only here
                await self._unexpected(scope, receive, answer)
            finally:
                self._finish(scope, context, answer, time.perf_counter() - started)

    async def _unexpected(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        self._meter.unexpected_error()
        logger.exception("Unexpected error in {} {}", _method(scope), scope["path"])
        if answer.status == 0:
            await problem(TidemarkError(), scope)(scope, receive, answer.send)

    def _finish(self, scope: Scope, context: RequestContext, answer: "_Answer", seconds: float) -> None:
        method = _method(scope)
        status = answer.status or CLIENT_WENT_AWAY
        self._meter.request_finished(method=method, route=context.route, status=status, seconds=seconds)
        if "problem" in context.facts:
            self._meter.problem(context.facts["problem"])
        is_quiet = context.route in QUIET_ROUTES and status < 400
        level = "DEBUG" if is_quiet else "WARNING" if status >= 500 else "INFO"
        logger.bind(
            method=method,
            path=scope["path"],
            status=status,
            duration_ms=round(seconds * 1000, 1),
            client=client_address(scope),
        ).log(level, "{} {} {}", method, scope["path"], status)


class _Answer:
    """Passes the answer on with its request id, and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def send(self, message: Message) -> None:
        if message["type"] in BEGINNINGS:
            self.status = message.get("status", SOCKET_OPENED)
            MutableHeaders(scope=message)["X-Request-ID"] = self._request_id
        await self._send(message)


def _method(scope: Scope) -> str:
    """A socket is opened by GET, and its scope does not say so."""
    method = str(scope.get("method", "GET"))
    return method if method in METHODS else "OTHER"


def _request_id(scope: Scope) -> str:
    offered = Headers(scope=scope).get("x-request-id", "")
    return offered if ACCEPTED_REQUEST_ID.fullmatch(offered) else uuid4().hex
