"""Postgres as one user at a time: each transaction takes on a role and claims, and row level security does the rest."""

import asyncio
import contextlib
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

from backend.domain.accounts import Identity
from backend.domain.errors import AccountSuspended, DatabaseUnavailable

ANON_TIMEOUT = "3s"
USER_TIMEOUT = "8s"
SERVICE_TIMEOUT = "30s"
_ACQUIRE_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 5.0
# Longer than Postgres allows itself: only a backend or a network that stopped without a word takes this long.
_COMMAND_SECONDS = 10.0

# One round trip. `user_is_active` runs with the rights of its owner, before a single row is seen.
_BECOME = """
select set_config('role', $1, true),
       set_config('request.jwt.claims', $2, true),
       set_config('search_path', 'public, extensions', true),
       set_config('statement_timeout', $3, true),
       $4::uuid is null or private.user_is_active($4) as is_active
"""

_BECOME_SERVICE = """
select set_config('role', 'service_role', true),
       set_config('request.jwt.claims', '{"role": "service_role"}', true),
       set_config('search_path', 'public, extensions', true),
       set_config('statement_timeout', $1, true)
"""

# RESET ALL does not reset the role. Nothing here sets one outside a transaction; this makes sure of it.
_RESET = "reset role; close all; unlisten *; reset all;"

# What asyncpg and Postgres say when the database went away, is coming up or has no room, not when a statement is wrong.
_UNAVAILABLE = (
    asyncpg.PostgresConnectionError,
    asyncpg.OperatorInterventionError,
    asyncpg.InsufficientResourcesError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    ConnectionError,
)
_BROKEN = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
# Nothing is lost and nothing was done: the same request may well succeed in a moment.
_BUSY = (asyncpg.QueryCanceledError, asyncpg.LockNotAvailableError, asyncpg.TransactionRollbackError)


class Database:
    """A pool of connections of a login that may do nothing by itself; `acting_as` lends one to a user."""

    def __init__(
        self,
        dsn: str,
        *,
        min_size: int = 2,
        max_size: int = 16,
        statement_cache: bool = True,
        command_seconds: float = _COMMAND_SECONDS,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`statement_cache=False` is for a transaction pooler, where no session state may be relied on.

        `on_wait` hears how long each user of the pool waited for a connection.
        """
        self._dsn = dsn
        self._min_size = min_size
        self._max_size = max_size
        self._statement_cache = statement_cache
        self._command_seconds = command_seconds
        self._on_wait = on_wait
        self._pool: asyncpg.Pool[asyncpg.Record] | None = None

    async def open(self) -> None:
        try:
            self._pool = await asyncpg.create_pool(
                self._dsn,
                min_size=self._min_size,
                max_size=self._max_size,
                timeout=_CONNECT_SECONDS,
                command_timeout=self._command_seconds,
                max_inactive_connection_lifetime=300.0,
                statement_cache_size=100 if self._statement_cache else 0,
                reset=_reset if self._statement_cache else _keep,
            )
        except (*_UNAVAILABLE, OSError, TimeoutError) as error:
            raise DatabaseUnavailable() from error

    async def close(self) -> None:
        """Wait a moment for those who still hold a connection, then close them all."""
        pool, self._pool = self._pool, None
        if pool is None:
            return
        try:
            await asyncio.wait_for(pool.close(), _CLOSE_SECONDS)
        except TimeoutError:
            pool.terminate()

    def acting_as(
        self, identity: Identity | None, *, readonly: bool = False
    ) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """One transaction as this user (None: as a visitor), committed when the block ends well.

        Raises AccountSuspended before anything is read, and DatabaseUnavailable when the connection is lost.
        """
        return self._transaction(identity, readonly)

    def acting_as_service(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """One transaction as the service, past row level security: for the runner's login alone, never for a request.

        Raises DatabaseUnavailable when the connection is lost.
        """
        return self._service_transaction()

    async def check(self) -> None:
        """Raise DatabaseUnavailable unless the database answers."""
        async with self._connection() as connection:
            await connection.fetchval("select 1", timeout=_CONNECT_SECONDS)

    @property
    def size(self) -> int:
        """How many connections are open."""
        return self._pool.get_size() if self._pool is not None else 0

    @property
    def idle(self) -> int:
        """How many of them nobody uses."""
        return self._pool.get_idle_size() if self._pool is not None else 0

    @asynccontextmanager
    async def _transaction(self, identity: Identity | None, readonly: bool) -> AsyncIterator[asyncpg.Connection]:
        async with self._connection() as connection, connection.transaction(readonly=readonly):
            try:
                if not await connection.fetchval(_BECOME, *_who(identity), column=4):
                    raise AccountSuspended()
                yield connection
            except TimeoutError:
                connection.terminate()  # else the rollback would wait for the same silence once more
                raise

    @asynccontextmanager
    async def _service_transaction(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._connection() as connection, connection.transaction():
            await connection.execute(_BECOME_SERVICE, SERVICE_TIMEOUT)
            yield connection

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailable("The database is not open.")
        connection = await self._acquire(pool)
        try:
            yield connection
        except _BUSY as error:
            raise DatabaseUnavailable("The database took too long to answer. Try again.") from error
        except (*_UNAVAILABLE, TimeoutError) as error:
            raise DatabaseUnavailable() from error
        except asyncpg.InternalClientError as error:
            # What asyncpg says when the connection breaks off in the middle of its own exchange.
            if not _is_lost(connection):
                connection.terminate()
            raise DatabaseUnavailable() from error
        except asyncpg.InterfaceError as error:
            # asyncpg says the same of wrong arguments, so ask whether the connection is gone.
            if not _is_lost(connection):
                raise
            raise DatabaseUnavailable() from error
        finally:
            # A connection that can't be reset is thrown away by the pool; what was committed is committed.
            with contextlib.suppress(asyncpg.PostgresError, *_BROKEN):
                await pool.release(connection)

    async def _acquire(self, pool: Any) -> Any:
        asked_at = time.perf_counter()
        try:
            return await pool.acquire(timeout=_ACQUIRE_SECONDS)
        except TimeoutError as error:
            raise DatabaseUnavailable("The database is busy. Try again.") from error
        except (asyncpg.PostgresError, *_BROKEN) as error:
            raise DatabaseUnavailable() from error
        finally:
            self._on_wait(time.perf_counter() - asked_at)


def _is_lost(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # a lost connection has left the pool, and no longer answers even this
        return True


def _who(identity: Identity | None) -> tuple[str, str, str, object]:
    """Role, claims, statement timeout and user id. The role is chosen here, never taken from a token."""
    if identity is None:
        return "anon", json.dumps({"role": "anon"}), ANON_TIMEOUT, None
    claims = {**identity.claims, "sub": str(identity.user_id), "role": "authenticated"}
    return "authenticated", json.dumps(claims), USER_TIMEOUT, identity.user_id


async def _reset(connection: asyncpg.Connection) -> None:
    await connection.execute(_RESET)


async def _keep(connection: asyncpg.Connection) -> None:
    """Behind a transaction pooler the session is not ours to reset, and nothing of ours outlives a transaction."""
