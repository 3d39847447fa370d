"""The auth server as one ASGI app: its routes, and how a handler's outcome becomes an answer."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import asyncpg
from loguru import logger
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from backend.infrastructure.supabase.auth_keys import AuthKeys
from backend.infrastructure.supabase.auth_server import (
    account,
    admin,
    discovery,
    errors,
    links,
    recovering,
    signing_up,
    token_grants,
    verifying,
)
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.config import AuthServerConfig
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.gateway import Gateway
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Now
from backend.infrastructure.supabase.auth_server.housekeeping import keep_tidy

Handler: TypeAlias = Callable[[AuthHouse, Call], Awaitable[Response]]
ANY = "*"

ROUTES: dict[str, dict[str, Handler]] = {
    "/health": {"GET": discovery.health},
    "/settings": {"GET": discovery.settings},
    "/.well-known/jwks.json": {"GET": discovery.jwks},
    "/.well-known/openid-configuration": {"GET": discovery.openid_configuration},
    "/signup": {"POST": signing_up.sign_up},
    "/token": {"POST": token_grants.grant},
    "/user": {"GET": account.get_user, "PUT": account.change_user},
    "/logout": {"POST": account.log_out},
    "/reauthenticate": {"GET": account.reauthenticate},
    "/recover": {"POST": recovering.recover},
    "/otp": {"POST": recovering.one_time_password},
    "/magiclink": {"POST": recovering.magic_link},
    "/resend": {"POST": recovering.resend},
    "/verify": {"GET": verifying.follow_link, "POST": verifying.verify_code},
    "/invite": {"POST": links.invite},
    "/admin/generate_link": {"POST": links.generate_link},
    "/admin/users": {"GET": admin.list_users, "POST": admin.create_user},
    "/admin/users/{user_id}": {"GET": admin.get_user, "PUT": admin.change_user, "DELETE": admin.delete_user},
    "/admin/users/{user_id}/factors": {"GET": admin.list_factors},
    "/admin/audit": {"GET": admin.list_audit},
    "/admin/{rest:path}": {ANY: discovery.admin_extra},
    "/authorize": {"GET": discovery.authorize},
    "/callback": {"GET": discovery.callback, "POST": discovery.callback},
    "/factors": {"POST": discovery.enroll_factor},
    "/factors/{factor_id}": {"DELETE": discovery.factor},
    "/factors/{factor_id}/{step}": {"POST": discovery.factor},
    "/user/identities/{rest:path}": {ANY: discovery.identity_linking},
    "/sso": {ANY: discovery.single_sign_on},
    "/sso/{rest:path}": {ANY: discovery.single_sign_on},
    "/oauth/{rest:path}": {ANY: discovery.not_offered},
    "/user/oauth/{rest:path}": {ANY: discovery.not_offered},
    "/passkeys/{rest:path}": {ANY: discovery.not_offered},
}


class AuthServer:
    """Supabase Auth for one installation. Mount it at /auth/v1; `open` it before the first request."""

    def __init__(
        self,
        config: AuthServerConfig,
        keys: AuthKeys,
        *,
        now: Now | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.house = AuthHouse(config, keys, now=now, monotonic=monotonic)
        routes = [Route(path, _Methods(self.house, handlers)) for path, handlers in ROUTES.items()]
        self._app = Gateway(Router(routes, redirect_slashes=False, default=_nowhere), keys)
        self._tidying: asyncio.Task[None] | None = None

    async def open(self) -> None:
        await self.house.open()
        self._tidying = asyncio.create_task(keep_tidy(self.house))

    async def close(self) -> None:
        if self._tidying is not None:
            self._tidying.cancel()
            await asyncio.gather(self._tidying, return_exceptions=True)
        await self.house.close()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def create_auth_app(
    config: AuthServerConfig,
    keys: AuthKeys,
    *,
    now: Now | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> AuthServer:
    return AuthServer(config, keys, now=now, monotonic=monotonic)


class _Methods:
    """All methods of one path."""

    def __init__(self, house: AuthHouse, handlers: dict[str, Handler]) -> None:
        self._house = house
        self._handlers = handlers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await _answer(self._house, request, self._handlers)
        await response(scope, receive, send)


async def _answer(house: AuthHouse, request: Request, handlers: dict[str, Handler]) -> Response:
    try:
        handler = handlers.get(request.method) or handlers.get(ANY)
        if handler is None:
            raise AuthError(
                405, "validation_failed", "Method not allowed", headers={"Allow": ", ".join(sorted(handlers))}
            )
        return await handler(house, Call.of(request, house))
    except AuthError as problem:
        return problem.response(request)
    except ClientDisconnect:
        return Response(status_code=499)
    except Exception as problem:  # noqa: BLE001 - the edge: whatever it was, it is logged once and told in our format
        return _explain(problem).response(request)


def _explain(problem: Exception) -> AuthError:
    """What is not our own error is the database's, the input's, or a mistake of ours."""
    match problem:
        case asyncpg.QueryCanceledError() | TimeoutError():
            logger.warning("The database took too long to answer an auth request")
            return AuthError(504, "request_timeout", "Processing this request timed out, please retry.")
        case asyncpg.LockNotAvailableError() | asyncpg.DeadlockDetectedError() | asyncpg.SerializationError():
            return AuthError(409, "conflict", "Too many concurrent requests on the same session or account")
        case asyncpg.DataError() | ValueError():
            logger.warning("An auth request holds a value that the database refuses: {}", type(problem).__name__)
            return errors.invalid("The request contains a value that cannot be stored")
        case OSError() | asyncpg.InterfaceError() | asyncpg.PostgresConnectionError():
            return _database_away(problem)
        # asyncpg loses count of its own state when a connection is cut between two of its messages.
        case asyncpg.OperatorInterventionError() | asyncpg.TooManyConnectionsError() | asyncpg.InternalClientError():
            return _database_away(problem)
        case _:
            logger.opt(exception=problem).error("An auth request failed unexpectedly")
            return errors.unexpected()


def _database_away(problem: Exception) -> AuthError:
    logger.error("The database does not answer the auth server: {}", type(problem).__name__)
    return errors.database_away()


async def _nowhere(scope: Scope, receive: Receive, send: Send) -> None:
    problem = AuthError(404, "not_found", "404 page not found")
    await problem.response(Request(scope, receive))(scope, receive, send)
