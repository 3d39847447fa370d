"""Which series of bars a user may see. The connection acts as the user, so row level security narrows every row."""

from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.market import Adjustment, Series, Timeframe
from backend.domain.market_ports import SeriesEntry
from backend.domain.pages import Page, Place

if TYPE_CHECKING:
    import asyncpg


class SeriesTable:
    """A SeriesRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def entries(
        self, *, limit: int, after: Place | None, search: str = "", provider: str | None = None
    ) -> Page[SeriesEntry]:
        rows = await self._connection.fetch(
            """
            select * from public.series
            where ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
              and position(lower($4) in lower(symbol)) > 0
              and ($5::text is null or provider = $5)
            order by created_at desc, id desc
            limit $1
            """,
            limit + 1,
            after and after.at,
            after and after.id,
            search if search else "",
            provider,
        )
        entries = tuple(_entry_of(row) for row in rows[:limit])
        last = entries[-1] if len(rows) > limit else None
        return Page(items=entries, next=Place(at=last.created_at, id=last.id) if last else None)

    async def entry(self, series_id: UUID) -> SeriesEntry | None:
        row = await self._connection.fetchrow("select * from public.series where id = $1", series_id)
        return None if row is None else _entry_of(row)

    async def find(self, series: Series) -> SeriesEntry | None:
        row = await self._connection.fetchrow(
            """
            select * from public.series
            where user_id is not distinct from $1 and provider = $2 and symbol = $3 and timeframe = $4
              and adjustment = $5
            """,
            series.owner,
            series.provider,
            series.symbol,
            series.timeframe,
            series.adjustment,
        )
        return None if row is None else _entry_of(row)

    async def add(self, series: Series) -> SeriesEntry:
        what = (series.provider, series.symbol, series.timeframe, series.adjustment)
        if series.owner is None:
            row = await self._connection.fetchrow("select * from private.share_series($1, $2, $3, $4)", *what)
        else:
            await self._connection.execute(
                """
                insert into public.series (user_id, provider, symbol, timeframe, adjustment)
                values ($1, $2, $3, $4, $5) on conflict do nothing
                """,
                series.owner,
                *what,
            )
            return await self._found(series)
        return _entry_of(row)

    async def remove(self, series_id: UUID) -> bool:
        return bool(
            await self._connection.fetchval("delete from public.series where id = $1 returning true", series_id)
        )

    async def _found(self, series: Series) -> SeriesEntry:
        entry = await self.find(series)
        if entry is None:
            raise LookupError("a series that was just added is not there")
        return entry


def _entry_of(row: "asyncpg.Record | None") -> SeriesEntry:
    if row is None:
        raise LookupError("the statement returned no series")
    return SeriesEntry(
        id=row["id"],
        series=Series(
            owner=row["user_id"],
            provider=row["provider"],
            symbol=row["symbol"],
            timeframe=Timeframe(row["timeframe"]),
            adjustment=Adjustment(row["adjustment"]),
        ),
        created_at=row["created_at"],
    )
