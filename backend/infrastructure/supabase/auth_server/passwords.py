"""Passwords: their strength, and bcrypt hashes made and compared by pgcrypto, few at a time."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import asyncpg

from backend.infrastructure.supabase.auth_server import errors
from backend.infrastructure.supabase.auth_server.errors import AuthError

if TYPE_CHECKING:
    from asyncpg.pool import Pool

LONGEST_BYTES = 72  # bcrypt reads no further
HIGHEST_COST = 14  # a costlier hash, brought by an import, would keep the database busy for seconds
BCRYPT = re.compile(r"\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}")


def check_strength(password: str, min_length: int) -> None:
    """Raise unless the password is long enough to be safe and short enough to be hashed whole."""
    length = len(password.encode())
    if length > LONGEST_BYTES:
        raise errors.invalid(f"Password cannot be longer than {LONGEST_BYTES} characters")
    if length < min_length:
        raise AuthError(
            422, "weak_password", f"Password should be at least {min_length} characters.", weak_password=["length"]
        )


def is_usable_hash(password_hash: str) -> bool:
    match = BCRYPT.fullmatch(password_hash)
    return match is not None and 4 <= int(match[1]) <= HIGHEST_COST


class PasswordHasher:
    """Lets a few hashes run at once, so that other requests always find a connection and a core."""

    def __init__(self, *, at_once: int, waiting: int) -> None:
        self._turn = asyncio.Semaphore(at_once)
        self._waiting_allowed = waiting
        self._waiting = 0
        self._decoy = ""

    async def prepare(self, pool: "Pool[asyncpg.Record]") -> None:
        """Make the hash that is compared when there is no account, so that the answer takes as long."""
        self._decoy = await pool.fetchval("select extensions.crypt('no such account', extensions.gen_salt('bf', 10))")

    async def hash(self, pool: "Pool[asyncpg.Record]", password: str) -> str:
        async with self._my_turn():
            hashed: str = await pool.fetchval("select extensions.crypt($1, extensions.gen_salt('bf', 10))", password)
            return hashed

    async def matches(self, pool: "Pool[asyncpg.Record]", password: str, password_hash: str | None) -> bool:
        """Compare; without a usable hash do the same work and say no."""
        is_real = password_hash is not None and is_usable_hash(password_hash)
        known = password_hash if is_real and password_hash is not None else self._decoy
        async with self._my_turn():
            # pgcrypto knows the prefix $2a$ only; $2b$ and $2y$ name the same algorithm.
            is_same: bool = await pool.fetchval(
                "select extensions.crypt($1, '$2a' || substr($2, 4)) = '$2a' || substr($2, 4)", password, known
            )
        return is_real and is_same and len(password.encode()) <= LONGEST_BYTES

    @asynccontextmanager
    async def _my_turn(self) -> AsyncIterator[None]:
        if self._waiting >= self._waiting_allowed:
            raise errors.too_many_requests(5)
        self._waiting += 1
        try:
            await self._turn.acquire()
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._turn.release()
