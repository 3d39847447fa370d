"""One among all processes on a database is chosen: who holds an advisory lock, for as long as its connection lives."""

import asyncio

import asyncpg

from backend.domain.errors import DatabaseUnavailable

_CONNECT_SECONDS = 5.0
_ANSWER_SECONDS = 5.0
_CLOSE_SECONDS = 2.0
_LOST = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)


class AdvisoryLockElection:
    """An Election. `dsn` must lead to Postgres itself: behind a transaction pooler a lock has no owner."""

    def __init__(self, dsn: str, seat: str) -> None:
        self._dsn = dsn
        self._seat = seat
        self._connection: asyncpg.Connection | None = None
        self._has_won = False

    async def is_won(self) -> bool:
        """Take the seat if it is free; when it is ours, see that it still is."""
        try:
            if self._connection is None or self._connection.is_closed():
                self._has_won = False
                self._connection = await asyncpg.connect(self._dsn, timeout=_CONNECT_SECONDS, statement_cache_size=0)
            if self._has_won:
                await self._connection.execute("select 1", timeout=_ANSWER_SECONDS)
            else:
                self._has_won = await self._connection.fetchval(
                    "select pg_try_advisory_lock(hashtextextended($1, 0))", self._seat, timeout=_ANSWER_SECONDS
                )
        except _LOST as error:
            await self.close()
            raise DatabaseUnavailable() from error
        return self._has_won

    async def close(self) -> None:
        """Leave the seat to somebody else."""
        connection, self._connection, self._has_won = self._connection, None, False
        if connection is not None:
            try:
                await asyncio.wait_for(connection.close(), _CLOSE_SECONDS)
            except _LOST:
                connection.terminate()
