"""Postgres as the service, past row level security: for the runner's login alone, never for a request.

A connection here becomes `service_role` when it is made and stays it until it is closed, so that a statement is one
round trip and its own transaction, with nothing to take on before it and nothing to take off after it. That is safe
because nobody else ever has such a connection. The pool belongs to a login that is nobody by itself, its connections
are never lent to a user and never come from a pool of users, a connection that could not become the service is closed
before it is lent, and all that runs here are statements of `data/storage`, none of which changes the session.
It needs a session of its own, so the address must lead to Postgres itself: a transaction pooler shares sessions.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import asyncpg

from backend.infrastructure.connections import COMMAND_SECONDS, Connections

SERVICE_TIMEOUT = "30s"

_BECOME_SERVICE = """
select set_config('role', 'service_role', false),
       set_config('request.jwt.claims', '{"role": "service_role"}', false),
       set_config('search_path', 'public, extensions', false),
       set_config('statement_timeout', $1, false)
"""


class ServiceDatabase(Connections):
    """Single statements, each committed by itself, and transactions of several. All raise DatabaseUnavailable."""

    def __init__(
        self, dsn: str, *, min_size: int = 2, max_size: int = 8, command_seconds: float = COMMAND_SECONDS
    ) -> None:
        super().__init__(dsn, min_size=min_size, max_size=max_size, begin=_begin, command_seconds=command_seconds)

    async def fetch(self, statement: str, *arguments: object) -> list[asyncpg.Record]:
        async with self._connection() as connection:
            rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
            return rows

    async def fetchrow(self, statement: str, *arguments: object) -> asyncpg.Record | None:
        async with self._connection() as connection:
            row: asyncpg.Record | None = await connection.fetchrow(statement, *arguments)
            return row

    async def fetchval(self, statement: str, *arguments: object) -> Any:
        async with self._connection() as connection:
            return await connection.fetchval(statement, *arguments)

    def acting_as_service(self) -> AbstractAsyncContextManager[asyncpg.Connection]:
        """One transaction of several statements, committed when the block ends well."""
        return self._transaction()

    @asynccontextmanager
    async def _transaction(self) -> AsyncIterator[asyncpg.Connection]:
        async with self._connection() as connection, connection.transaction():
            yield connection


async def _begin(connection: asyncpg.Connection) -> None:
    await connection.execute(_BECOME_SERVICE, SERVICE_TIMEOUT)
