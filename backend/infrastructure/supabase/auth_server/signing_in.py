"""Turns a proven user into a session that a client can use."""

from typing import Any
from uuid import UUID

from starlette.responses import JSONResponse

from backend.infrastructure.supabase.auth_server import sessions, shapes, users
from backend.infrastructure.supabase.auth_server.calls import Call
from backend.infrastructure.supabase.auth_server.house import AuthHouse, Transaction
from backend.infrastructure.supabase.auth_server.user import Connection, User


async def new_session(
    house: AuthHouse, transaction: Transaction, call: Call, user: User, method: str
) -> dict[str, Any]:
    """Begin a session, with the user as it is afterwards."""
    connection = transaction.connection
    user = await users.record_sign_in(connection, user, call.now)
    session_id, refresh_token = await sessions.begin(
        connection, house.refresh_tokens, user, method=method, origin=call.origin, now=call.now
    )
    return await session_shape(house, connection, call, user, session_id=session_id, refresh_token=refresh_token)


async def session_shape(
    house: AuthHouse, connection: Connection, call: Call, user: User, *, session_id: UUID, refresh_token: str
) -> dict[str, Any]:
    methods = await sessions.methods(connection, session_id)
    access_token, expires_at = house.access_tokens.sign(user, session_id, methods, call.now)
    return {
        "access_token": access_token,
        "token_type": "bearer",
        "expires_in": house.access_tokens.lifetime_seconds,
        "expires_at": expires_at,
        "refresh_token": refresh_token,
        "user": await shapes.user_shape(connection, user),
    }


def nothing_to_say() -> JSONResponse:
    return JSONResponse({})
