"""What a browser is told about this site, and which names this site answers to."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.errors import UnknownHost, problem

API_POLICY = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
HSTS = "max-age=31536000; includeSubDomains"
PERMISSIONS = ", ".join(
    f"{feature}=()"
    for feature in (
        "accelerometer",
        "camera",
        "display-capture",
        "geolocation",
        "gyroscope",
        "hid",
        "magnetometer",
        "microphone",
        "midi",
        "payment",
        "serial",
        "usb",
    )
)

# As they go over the wire.
_ALWAYS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-frame-options", b"DENY"),
    (b"permissions-policy", PERMISSIONS.encode()),
    (b"content-security-policy", API_POLICY.encode()),
)
_OVER_HTTPS = (*_ALWAYS, (b"strict-transport-security", HSTS.encode()))


def web_policy(connect_to: Iterable[str] = ()) -> str:
    """The content security policy of the web app: its own files, and the addresses that it must reach."""
    return "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            # Positions of menus and sizes of panes are style attributes; they cannot run anything.
            "style-src-attr 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self'",
            " ".join(("connect-src 'self'", *connect_to)),
            "manifest-src 'self'",
            "worker-src 'self'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


class SecurityHeaders:
    """Adds what protects a browser to every answer that does not say it itself."""

    def __init__(self, app: ASGIApp, *, is_https: bool) -> None:
        self._app = app
        self._is_https = is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_protected(message: Message) -> None:
            if message["type"] == "http.response.start":
                said = {name.lower() for name, _ in message["headers"]}
                more = _OVER_HTTPS if self._is_https or scope.get("scheme") == "https" else _ALWAYS
                message["headers"] = [*message["headers"], *(each for each in more if each[0] not in said)]
            await send(message)

        await self._app(scope, receive, send_protected)


class KnownHosts:
    """Refuses names that are not ours, so that a foreign page cannot reach a local Tidemark by DNS rebinding.

    Addresses in figures are let through: rebinding needs a name.
    """

    def __init__(self, app: ASGIApp, *, addresses: Iterable[str | None]) -> None:
        self._app = app
        self._names = {"localhost", *filter(None, map(_name_of, addresses))}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if not self._is_ours(Headers(scope=scope).getlist("host")):
            error = UnknownHost(
                "Tidemark does not answer to this host name. If it should, set TIDEMARK_PUBLIC_URL to it."
            )
            await problem(error, scope)(scope, receive, send)
            return
        await self._app(scope, receive, send)

    def _is_ours(self, hosts: list[str]) -> bool:
        if not hosts:
            return True  # no browser leaves it out
        if len(hosts) > 1:
            return False
        name = _name_asked(hosts[0])
        return name is not None and (name in self._names or name.endswith(".localhost") or _is_address(name))


def _name_of(address: str | None) -> str | None:
    try:
        name = urlsplit(address or "").hostname
    except ValueError:
        return None
    return name.rstrip(".").lower() if name else None


@lru_cache(maxsize=256)
def _name_asked(host: str) -> str | None:
    return _name_of(f"//{host}")


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
