"""Shares in Postgres: their owner's as that user, the runs behind them as a visitor, the count as the service."""

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.backtests import Part
from backend.domain.pages import Page, Place
from backend.domain.shares import NewShare, Share, SharedRun

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

# The one with this id, else a page of them.
_READ = """
select id, backtest_id, title, created_at, expires_at, revoked_at, opened, last_opened_at
from public.shares
where ($4::uuid is null or id = $4) and ($5::uuid is null or backtest_id = $5)
  and ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
order by created_at desc, id desc
limit $1
"""


class ShareTable:
    """A ShareRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def shares(self, *, limit: int, after: Place | None, backtest_id: UUID | None) -> Page[Share]:
        rows = await self._connection.fetch(_READ, limit + 1, after and after.at, after and after.id, None, backtest_id)
        items = tuple(Share(**row) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if there_is_more else None)

    async def create(self, share: NewShare) -> Share | None:
        share_id = await self._connection.fetchval(
            "select private.create_my_share($1, $2, $3, $4)",
            share.backtest_id,
            share.digest,
            share.title,
            share.lives_for,
        )
        if share_id is None:
            return None
        [row] = await self._connection.fetch(_READ, 1, None, None, share_id, None)
        return Share(**row)

    async def revoke(self, share_id: UUID) -> bool:
        return bool(await self._connection.fetchval("select private.revoke_my_share($1)", share_id))


class SharedRunTables:
    """SharedRuns on the connection of a visitor, who can call these two functions and nothing else."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def run(self, digest: bytes) -> SharedRun | None:
        row = await self._connection.fetchrow("select * from private.read_share($1)", digest)
        if row is None:
            return None
        documents = {name: row[name] and json.loads(row[name]) for name in ("config", "figures", "trust")}
        return SharedRun(**{**row, **documents, "symbols": tuple(json.loads(row["symbols"]))})

    async def parts(self, digest: bytes, name: str, *, first: int, last: int) -> Sequence[Part]:
        rows = await self._connection.fetch(
            "select * from private.read_share_parts($1, $2, $3, $4)", digest, name, first, last
        )
        return [Part(**row) for row in rows]


class ShareCounts:
    """A ShareCounter over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def note(self, opened: Mapping[UUID, int]) -> None:
        await self._database.fetchval(
            "select private.note_shares_opened($1, $2)", list(opened.keys()), list(opened.values())
        )
