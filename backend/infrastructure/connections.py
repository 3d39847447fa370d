"""Connections to Postgres in a pool, and what its silence means: a database that went away is said so, and comes back.

Who is at work on a connection is decided by those who stand on this: a user for one transaction, or the service.
"""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import asyncpg

from backend.domain.errors import DatabaseUnavailable

_ACQUIRE_SECONDS = 5.0
_CONNECT_SECONDS = 5.0
_CLOSE_SECONDS = 5.0
# Longer than Postgres allows itself: only a backend or a network that stopped without a word takes this long.
COMMAND_SECONDS = 10.0

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

_NO_ROOM_FOR_NOTICES = (
    "The database has no room for more notices, since a session that listens keeps a transaction open."
    " Nothing was changed; it works again once that session has ended."
)

_NO_ROOM_ON_DISK = "The disk of the database is full. Nothing was changed; it works again once there is room."

Preparing = Callable[[Any], Coroutine[Any, Any, None]]


class Connections:
    """A pool of connections of one login. `begin` prepares each once; whoever gets one sees to it that it is clean."""

    def __init__(
        self,
        dsn: str,
        *,
        min_size: int,
        max_size: int,
        begin: Preparing | None = None,
        statement_cache: bool = True,
        command_seconds: float = COMMAND_SECONDS,
        on_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        self._dsn = dsn
        self._min_size = min_size
        self._max_size = max_size
        self._begin = begin
        self._statement_cache = statement_cache
        self._command_seconds = command_seconds
        self._on_wait = on_wait
        # Who came first goes first. The pool's own line lets a newcomer overtake whoever was just called from it.
        self._turns = asyncio.Semaphore(max_size)
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
                init=self._begin,
                # Whoever gives one back need not wait until it is clean; who gets it next does.
                reset=_nothing,
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
    async def _connection(self) -> AsyncIterator[Any]:
        """One connection until the block ends. Raises DatabaseUnavailable when it is lost."""
        pool = self._pool
        if pool is None:
            raise DatabaseUnavailable("The database is not open.")
        connection = await self._acquire(pool)
        try:
            yield connection
        except _BUSY as error:
            raise DatabaseUnavailable("The database took too long to answer. Try again.") from error
        except asyncpg.DiskFullError as error:
            raise DatabaseUnavailable(_NO_ROOM_ON_DISK) from error
        except (*_UNAVAILABLE, TimeoutError) as error:
            raise DatabaseUnavailable() from error
        except asyncpg.ProgramLimitExceededError as error:
            if not _is_for_want_of_notices(error):
                raise
            raise DatabaseUnavailable(_NO_ROOM_FOR_NOTICES) from error
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
            # A broken connection is thrown away by the pool; what was committed is committed.
            try:
                with contextlib.suppress(asyncpg.PostgresError, *_BROKEN):
                    await pool.release(connection, timeout=_ACQUIRE_SECONDS)
            finally:
                self._turns.release()

    async def _acquire(self, pool: Any) -> Any:
        asked_at = time.perf_counter()
        try:
            await self._turn()
            try:
                # One that is there is had at once; a clock beside it would cost more than it does.
                return await pool.acquire(timeout=None if pool.get_idle_size() else _ACQUIRE_SECONDS)
            except BaseException:
                self._turns.release()
                raise
        except TimeoutError as error:
            raise DatabaseUnavailable("The database is busy. Try again.") from error
        except (asyncpg.PostgresError, *_BROKEN) as error:
            raise DatabaseUnavailable() from error
        finally:
            self._on_wait(time.perf_counter() - asked_at)

    async def _turn(self) -> None:
        async with asyncio.timeout(_ACQUIRE_SECONDS) if self._turns.locked() else contextlib.nullcontext():
            await self._turns.acquire()


async def _nothing(connection: asyncpg.Connection) -> None:
    pass


def _is_for_want_of_notices(error: asyncpg.ProgramLimitExceededError) -> bool:
    """By the place in Postgres where it was raised: the same state is told of statements that are too large."""
    return bool(error.server_source_filename == "async.c")


def _is_lost(connection: Any) -> bool:
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:  # a lost connection has left the pool, and no longer answers even this
        return True
