"""How much one caller may send: the size of a body, and the number of requests by address, user and class of route."""

import ipaddress
from collections.abc import Mapping
from types import MappingProxyType

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.api.context import RequestContext, client_address, context_of
from backend.api.errors import problem
from backend.domain.errors import BodyTooLarge, RateLimited
from backend.domain.ports import Allowance, Meter, RateLimit, RateLimiter

LARGEST_BODY_BYTES = 1024 * 1024
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

# Many people can share an address, so an address may do more than a user.
ADDRESS_READS = RateLimit(name="address_reads", requests=3000, window_seconds=60)
ADDRESS_WRITES = RateLimit(name="address_writes", requests=600, window_seconds=60)
USER_READS = RateLimit(name="user_reads", requests=1200, window_seconds=60)
USER_WRITES = RateLimit(name="user_writes", requests=240, window_seconds=60)
# Each asks an exchange, from our address, whether somebody's key is good.
KEY_TRIES = RateLimit(name="key_tries", requests=30, window_seconds=3600)


class BodyLimit:
    """Refuses a body that says it is too large, and stops reading one that turns out to be."""

    def __init__(
        self, app: ASGIApp, largest: int = LARGEST_BODY_BYTES, larger: Mapping[str, int] = MappingProxyType({})
    ) -> None:
        """`larger` are the limits of paths that take more than all others."""
        self._app = app
        self._largest = largest
        self._larger = larger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        largest = self._larger.get(scope["path"], self._largest)
        announced = Headers(scope=scope).get("content-length", "0")
        if announced.isascii() and announced.isdigit() and int(announced[:20]) > largest:
            await problem(BodyTooLarge(largest), scope)(scope, receive, send)
            return
        received = 0

        async def receive_some() -> Message:
            nonlocal received
            message = await receive()
            if message["type"] == "http.request":
                received += len(message.get("body", b""))
                if received > largest:
                    # The framework lets this one through while it reads a body; any other becomes a 400.
                    raise HTTPException(413, str(largest))
            return message

        await self._app(scope, receive_some, send)


class RateLimits:
    """Counts requests by address before anything else is done, and says on each answer what is left."""

    def __init__(self, app: ASGIApp, limiter: RateLimiter, meter: Meter) -> None:
        self._app = app
        self._limiter = limiter
        self._meter = meter

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        context = context_of(scope)

        async def send_with_allowance(message: Message) -> None:
            if message["type"] == "http.response.start" and context.allowance is not None:
                MutableHeaders(scope=message).update(headers_of(context.allowance))
            await send(message)

        # A socket is opened by GET, and its scope does not say so.
        limit = ADDRESS_READS if scope.get("method", "GET") in SAFE_METHODS else ADDRESS_WRITES
        try:
            await take(self._limiter, limit, network_of(client_address(scope)), context, self._meter)
        except RateLimited as error:
            await problem(error, scope)(scope, receive, send_with_allowance)
            return
        await self._app(scope, receive, send_with_allowance)


async def take(limiter: RateLimiter, limit: RateLimit, who: str, context: RequestContext, meter: Meter) -> None:
    """Count one request against a limit, or raise RateLimited."""
    allowance = await limiter.take(limit, who)
    context.allow(allowance)
    if not allowance.is_allowed:
        meter.rate_limited(limit.name)
        raise RateLimited(allowance.resets_in_seconds)


def headers_of(allowance: Allowance) -> dict[str, str]:
    return {
        "RateLimit-Limit": str(allowance.limit),
        "RateLimit-Remaining": str(allowance.remaining),
        "RateLimit-Reset": str(allowance.resets_in_seconds),
    }


def network_of(address: str) -> str:
    """One household has a whole /64 of IPv6 addresses, so it counts as one."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(parsed, ipaddress.IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return str(ipaddress.ip_network((parsed, 64), strict=False))
    return address
