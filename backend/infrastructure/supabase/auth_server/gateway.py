"""The gateway in front of the auth server: API keys of both styles, CORS, and which token the server gets to see."""

import hmac
import re
from dataclasses import dataclass
from http import HTTPStatus
from typing import Literal

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server.errors import API_VERSION_HEADER

# Followed from a mail or by a verifier that holds no key.
OPEN_PATHS = frozenset(
    {"/verify", "/callback", "/authorize", "/.well-known/jwks.json", "/.well-known/openid-configuration"}
)
ALLOWED_METHODS = "GET, POST, PUT, PATCH, DELETE, OPTIONS, HEAD"
ALLOWED_HEADERS = ("authorization", "apikey", "content-type", "x-client-info", "x-supabase-api-version")
EXPOSED_HEADERS = f"X-Total-Count, Link, {API_VERSION_HEADER}, x-sb-error-code, Retry-After"
HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]{1,64}")
MOST_HEADERS = 50
BROWSER = re.compile(r"\bMozilla/", re.IGNORECASE)
SCOPE_KEY = "tidemark.auth.presented"


@dataclass(frozen=True, kw_only=True)
class Presented:
    """What speaks for the caller: a token of theirs, or the role of the key that was sent alone."""

    authorization: str | None = None
    role: Literal["anon", "service_role"] | None = None


class Gateway:
    """Answers what needs no server behind it, and lets the rest through with what the caller presented."""

    def __init__(self, app: ASGIApp, keys: AuthKeys) -> None:
        self._app = app
        self._keys = keys

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        send = _opened_to_browsers(send)
        if scope["method"] == "OPTIONS":
            await _preflight(connection.headers)(scope, receive, send)
            return
        decision = self._decide(connection, _route_path(scope))
        if isinstance(decision, Response):
            await decision(scope, receive, send)
            return
        await self._app({**scope, SCOPE_KEY: decision}, receive, send)

    def _decide(self, connection: HTTPConnection, path: str) -> Presented | Response:
        authorization = connection.headers.get("authorization") or None
        api_key = connection.headers.get("apikey") or connection.query_params.get("apikey") or ""
        if not api_key:
            if path in OPEN_PATHS:
                return Presented(authorization=authorization)
            return _refusal("No API key found in request")
        role = self._role_of(api_key)
        if role is None:
            return Presented(authorization=authorization) if path in OPEN_PATHS else _refusal("Invalid API key")
        if api_key.startswith("sb_secret_") and BROWSER.search(connection.headers.get("user-agent", "")):
            return _refusal("Forbidden use of secret API key in browser")
        # A user's token wins over any key; a key of the new style is no token, wherever it stands.
        if authorization is not None and not authorization.lower().startswith("bearer sb_"):
            return Presented(authorization=authorization)
        return Presented(role=role)

    def _role_of(self, api_key: str) -> Literal["anon", "service_role"] | None:
        keys = self._keys
        if _same(api_key, keys.secret_key) or _same(api_key, keys.service_role_key):
            return "service_role"
        if _same(api_key, keys.publishable_key) or _same(api_key, keys.anon_key):
            return "anon"
        return None


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode("utf-8", errors="replace"), expected.encode())


def _refusal(message: str) -> JSONResponse:
    return JSONResponse({"message": message}, status_code=HTTPStatus.UNAUTHORIZED)


def _preflight(headers: Headers) -> Response:
    asked_for = [name.strip().lower() for name in headers.get("access-control-request-headers", "").split(",")]
    more = [name for name in asked_for[:MOST_HEADERS] if HEADER_NAME.fullmatch(name) and name not in ALLOWED_HEADERS]
    return Response(
        status_code=HTTPStatus.OK,
        headers={
            "Access-Control-Allow-Methods": ALLOWED_METHODS,
            "Access-Control-Allow-Headers": ", ".join([*ALLOWED_HEADERS, *more]),
            "Access-Control-Max-Age": "3600",
            "Vary": "Access-Control-Request-Headers",
        },
    )


def _opened_to_browsers(send: Send) -> Send:
    """Any origin may read the answers: who may do what is decided by tokens, never by cookies."""

    async def wrapped(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            headers["Access-Control-Allow-Origin"] = "*"
            headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
            headers.setdefault("Cache-Control", "no-store")
            headers["X-Content-Type-Options"] = "nosniff"
        await send(message)

    return wrapped


def _route_path(scope: Scope) -> str:
    path: str = scope["path"]
    root: str = scope.get("root_path", "")
    return path[len(root) :] if root and path.startswith(root) else path
