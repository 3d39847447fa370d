"""One-time codes: digits for people, their digest for links. Each works once, not for long, and bears few guesses."""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, TypeAlias
from uuid import UUID, uuid4

import asyncpg
from cachetools import LRUCache

from backend.infrastructure.supabase.auth_server.user import Connection, User

PKCE_PREFIX = "pkce_"
CODE_DIGITS = 6

TokenKind: TypeAlias = Literal[
    "confirmation_token",
    "recovery_token",
    "email_change_token_new",
    "email_change_token_current",
    "reauthentication_token",
]

# One statement a kind: which column holds the digest, and which one says when it was sent.
_ISSUE: dict[TokenKind, str] = {
    "confirmation_token": "update auth.users set confirmation_token = $2, confirmation_sent_at = $3 where id = $1",
    "recovery_token": "update auth.users set recovery_token = $2, recovery_sent_at = $3 where id = $1",
    "email_change_token_new": (
        "update auth.users set email_change_token_new = $2, email_change_sent_at = $3 where id = $1"
    ),
    "email_change_token_current": (
        "update auth.users set email_change_token_current = $2, email_change_sent_at = $3 where id = $1"
    ),
    "reauthentication_token": (
        "update auth.users set reauthentication_token = $2, reauthentication_sent_at = $3 where id = $1"
    ),
}


@dataclass(frozen=True, kw_only=True)
class Code:
    """What is sent: the digits to type and the digest that a link carries."""

    digits: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Pending:
    """A code that waits to be used."""

    id: UUID
    user_id: UUID
    kind: TokenKind
    digest: str
    expires_at: datetime


def make(email: str, *, pkce: bool = False) -> Code:
    digits = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    return Code(digits=digits, digest=f"{PKCE_PREFIX if pkce else ''}{digest_of(email, digits)}")


def digest_of(email: str, digits: str) -> str:
    return hashlib.sha224(f"{email}{digits}".encode()).hexdigest()


async def issue(
    connection: Connection, user: User, kind: TokenKind, code: Code, *, email: str, now: datetime, expiry: timedelta
) -> None:
    """Remember the code; an earlier one of this kind stops working."""
    await connection.execute(
        "insert into auth.one_time_tokens (id, user_id, token_type, token_hash, relates_to, created_at, updated_at,"
        " expires_at) values ($1, $2, $3::text::auth.one_time_token_type, $4, $5,"
        " $6::timestamptz at time zone 'utc', $6::timestamptz at time zone 'utc', $7)"
        " on conflict (user_id, token_type) do update set id = excluded.id, token_hash = excluded.token_hash,"
        " relates_to = excluded.relates_to, created_at = excluded.created_at, updated_at = excluded.updated_at,"
        " expires_at = excluded.expires_at",
        uuid4(),
        user.id,
        kind,
        code.digest,
        email,
        now,
        now + expiry,
    )
    await connection.execute(_ISSUE[kind], user.id, code.digest, now)


async def by_digest(connection: Connection, digest: str, kinds: Iterable[TokenKind]) -> Pending | None:
    """The code that a link carries, of either flow."""
    row = await connection.fetchrow(
        "select id, user_id, token_type::text, token_hash, expires_at from auth.one_time_tokens"
        " where token_hash in ($1, 'pkce_' || $1) and token_type::text = any($2::text[]) limit 1",
        digest,
        list(kinds),
    )
    return None if row is None else _pending(row)


async def of_user(connection: Connection, user_id: UUID, kinds: Iterable[TokenKind]) -> list[Pending]:
    rows = await connection.fetch(
        "select id, user_id, token_type::text, token_hash, expires_at from auth.one_time_tokens"
        " where user_id = $1 and token_type::text = any($2::text[]) order by created_at desc",
        user_id,
        list(kinds),
    )
    return [_pending(row) for row in rows]


async def user_changing_to(connection: Connection, email: str) -> list[UUID]:
    """Those who asked to change their address to this one, or from it."""
    rows = await connection.fetch(
        "select distinct user_id from auth.one_time_tokens where relates_to = $1"
        " and token_type in ('email_change_token_new', 'email_change_token_current')",
        email,
    )
    return [row["user_id"] for row in rows]


async def forget(connection: Connection, pending: Pending) -> bool:
    """Use it up; False when someone else did so first. The user's row is locked before, here and everywhere."""
    if await connection.execute("delete from auth.one_time_tokens where id = $1", pending.id) == "DELETE 0":
        return False
    await connection.execute(
        "update auth.users set confirmation_token = case when $2 = 'confirmation_token' then '' else"
        " confirmation_token end, recovery_token = case when $2 = 'recovery_token' then '' else recovery_token end,"
        " email_change_token_new = case when $2 = 'email_change_token_new' then '' else email_change_token_new end,"
        " email_change_token_current = case when $2 = 'email_change_token_current' then '' else"
        " email_change_token_current end, reauthentication_token = case when $2 = 'reauthentication_token' then ''"
        " else reauthentication_token end where id = $1",
        pending.user_id,
        pending.kind,
    )
    return True


def fits(pending: Pending, digest: str, now: datetime) -> bool:
    """Whether this is the code, of either flow, and still in time."""
    expected = pending.digest.removeprefix(PKCE_PREFIX)
    return hmac.compare_digest(expected, digest) and now < pending.expires_at


class Guesses:
    """Counts wrong digits per code; past the bound the code itself is withdrawn."""

    def __init__(self, allowed: int) -> None:
        self._allowed = allowed
        self._wrong: LRUCache[UUID, int] = LRUCache(100_000)

    def count(self, pending: Pending) -> bool:
        """Note one wrong guess; True when it was one too many."""
        self._wrong[pending.id] = self._wrong.get(pending.id, 0) + 1
        return self._wrong[pending.id] >= self._allowed


def _pending(row: asyncpg.Record) -> Pending:
    kind: TokenKind = next(known for known in _ISSUE if known == row["token_type"])
    return Pending(
        id=row["id"], user_id=row["user_id"], kind=kind, digest=row["token_hash"], expires_at=row["expires_at"]
    )
