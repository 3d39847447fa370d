"""Sessions and their refresh tokens: one active token a session, rotated at every use, whose reuse ends the family."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from backend.infrastructure.supabase.auth_server import users
from backend.infrastructure.supabase.auth_server.errors import AuthError
from backend.infrastructure.supabase.auth_server.reading import Origin
from backend.infrastructure.supabase.auth_server.user import Connection, User

SHORTEST_TOKEN = 12
LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)


class RefreshTokens:
    """Derives each token from the session and the row's number with a secret that the database does not hold.

    The rows keep digests only, so a copy of the database opens no session, and still the active token can be told
    again to a client that lost the answer.
    """

    def __init__(self, jwt_secret: str) -> None:
        self._secret = hmac.digest(jwt_secret.encode(), b"tidemark refresh tokens", "sha256")

    def spell(self, session_id: UUID, number: int) -> str:
        digest = hmac.digest(self._secret, f"{session_id}:{number}".encode(), "sha256")
        return base64.b32encode(digest).decode().lower()[:26]


def stored(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", errors="replace")).hexdigest()


async def begin(
    connection: Connection, tokens: RefreshTokens, user: User, *, method: str, origin: Origin, now: datetime
) -> tuple[UUID, str]:
    """A new session and its first refresh token."""
    session_id = uuid4()
    await connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, aal, user_agent, ip)"
        " values ($1, $2, $3, $3, 'aal1', $4, $5::text::inet)",
        session_id,
        user.id,
        now,
        origin.user_agent,
        origin.ip,
    )
    await connection.execute(
        "insert into auth.mfa_amr_claims (session_id, created_at, updated_at, authentication_method, id)"
        " values ($1, $2, $2, $3, $4)",
        session_id,
        now,
        method,
        uuid4(),
    )
    return session_id, await _issue(connection, tokens, session_id, user_id=user.id, parent=None, now=now)


async def refresh(
    connection: Connection,
    tokens: RefreshTokens,
    token: str,
    *,
    reuse_interval: timedelta,
    timebox: timedelta | None,
    origin: Origin,
    now: datetime,
) -> tuple[User, UUID, str] | None:
    """The user, the session and the token to use from now on.

    None when a spent token was shown: its family has ended, which must be committed before the caller is refused.
    """
    session = await connection.fetchrow(
        "select s.* from auth.sessions s join auth.refresh_tokens t on t.session_id = s.id"
        " where t.token = $1 for update of s",
        stored(token),
    )
    # Read after the lock: another tab may have used it a moment ago.
    used = await connection.fetchrow("select * from auth.refresh_tokens where token = $1", stored(token))
    if session is None or used is None:
        raise refused("refresh_token_not_found", "Refresh Token Not Found")
    session_id: UUID = session["id"]
    user = await users.by_id(connection, session["user_id"])
    if user is None or user.deleted_at is not None:
        raise refused("session_not_found", "No Valid Session Found")
    if user.is_banned(now):
        raise refused("user_banned", "User Banned")
    next_token = None
    if used["revoked"]:
        active = await _active(connection, session_id)
        is_lost_answer = active is not None and active["parent"] == used["token"]
        if active is None or not (is_lost_answer or now <= used["updated_at"] + reuse_interval):
            await _end_family(connection, session_id, now)
            return None
        next_token = tokens.spell(session_id, active["id"])
    if has_ended(session, timebox, now):
        raise refused("session_expired", "Session Expired")
    if next_token is None:
        await connection.execute(
            "update auth.refresh_tokens set revoked = true, updated_at = $2 where id = $1", used["id"], now
        )
        next_token = await _issue(connection, tokens, session_id, user_id=user.id, parent=used["token"], now=now)
    await _touch(connection, session_id, origin, now)
    return user, session_id, next_token


def has_ended(session: asyncpg.Record, timebox: timedelta | None, now: datetime) -> bool:
    not_after = session["not_after"]
    return (not_after is not None and not_after <= now) or (
        timebox is not None and session["created_at"] + timebox <= now
    )


async def methods(connection: Connection, session_id: UUID) -> list[dict[str, Any]]:
    """How the bearer proved who they are, as the claim `amr` says it."""
    rows = await connection.fetch(
        "select authentication_method, updated_at from auth.mfa_amr_claims where session_id = $1 order by created_at",
        session_id,
    )
    return [{"method": row["authentication_method"], "timestamp": int(row["updated_at"].timestamp())} for row in rows]


async def by_id(connection: Connection, session_id: UUID) -> asyncpg.Record | None:
    return await connection.fetchrow("select * from auth.sessions where id = $1", session_id)


async def end(connection: Connection, session_id: UUID) -> None:
    await connection.execute("delete from auth.sessions where id = $1", session_id)


async def end_all(connection: Connection, user_id: UUID, *, but: UUID | None = None) -> None:
    await connection.execute(
        "delete from auth.sessions where user_id = $1 and id is distinct from $2::uuid", user_id, but
    )


async def _issue(
    connection: Connection,
    tokens: RefreshTokens,
    session_id: UUID,
    *,
    user_id: UUID,
    parent: str | None,
    now: datetime,
) -> str:
    number = await connection.fetchval("select nextval('auth.refresh_tokens_id_seq')")
    token = tokens.spell(session_id, number)
    await connection.execute(
        "insert into auth.refresh_tokens (instance_id, id, token, user_id, revoked, created_at, updated_at, parent,"
        " session_id) values ('00000000-0000-0000-0000-000000000000', $1, $2, $3, false, $4, $4, $5, $6)",
        number,
        stored(token),
        str(user_id),
        now,
        parent,
        session_id,
    )
    return token


async def _active(connection: Connection, session_id: UUID) -> asyncpg.Record | None:
    return await connection.fetchrow(
        "select * from auth.refresh_tokens where session_id = $1 and revoked = false order by id desc limit 1",
        session_id,
    )


async def _end_family(connection: Connection, session_id: UUID, now: datetime) -> None:
    """Someone holds a stolen token: none of this session works any more, nor do its access tokens here."""
    await connection.execute(
        "update auth.refresh_tokens set revoked = true, updated_at = $2 where session_id = $1", session_id, LONG_AGO
    )
    await connection.execute(
        "update auth.sessions set not_after = least(not_after, $2), updated_at = $2 where id = $1", session_id, now
    )


async def _touch(connection: Connection, session_id: UUID, origin: Origin, now: datetime) -> None:
    await connection.execute(
        "update auth.sessions set refreshed_at = ($2::timestamptz at time zone 'utc'), updated_at = $2,"
        " user_agent = $3, ip = $4::text::inet where id = $1",
        session_id,
        now,
        origin.user_agent,
        origin.ip,
    )


def refused(code: str, why: str) -> AuthError:
    return AuthError(400, code, f"Invalid Refresh Token: {why}")
