"""The contract of SeriesRepository, kept by the fake and by the table in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID, uuid4

import pytest

from backend.data.storage.series import SeriesTable
from backend.domain.market import Adjustment, Series, Timeframe
from backend.domain.market_ports import SeriesRepository
from tests.cluster import FreshDatabase
from tests.fake_market import FakeCatalogue, FakeSeries
from tests.job_tables import Committing, Tables, identity, open_tables


@dataclass(frozen=True, kw_only=True)
class Both:
    """Two users in one catalogue."""

    me: UUID
    mine: SeriesRepository
    others: SeriesRepository


def shared(symbol: str = "BTC/USDT", timeframe: Timeframe = Timeframe.H1) -> Series:
    return Series(provider="demo", symbol=symbol, timeframe=timeframe)


class SeriesRepositoryContract:
    """What holds for every SeriesRepository: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Both]: ...

    @pytest.fixture
    async def both(self) -> AsyncIterator[Both]:
        async with self.open() as both:
            yield both

    async def test_a_shared_series_is_everybodys(self, both: Both) -> None:
        entry = await both.mine.add(shared())
        assert entry.series == shared()
        assert await both.others.entry(entry.id) == entry
        assert await both.others.find(shared()) == entry
        assert await both.others.add(shared()) == entry

    async def test_an_index_has_a_name_with_a_caret(self, both: Both) -> None:
        assert (await both.mine.add(shared("^GSPC"))).series.symbol == "^GSPC"

    async def test_an_own_series_is_nobody_elses(self, both: Both) -> None:
        own = Series(provider="import", symbol="MINE", timeframe=Timeframe.D1, owner=both.me)
        entry = await both.mine.add(own)
        assert await both.mine.add(own) == entry
        assert await both.mine.find(own) == entry
        assert await both.others.entry(entry.id) is None
        assert await both.others.find(own) is None
        assert (await both.others.entries(limit=9, after=None)).items == ()
        assert not await both.others.remove(entry.id)
        assert await both.mine.entry(entry.id) == entry

    async def test_one_removes_ones_own_alone(self, both: Both) -> None:
        common = await both.mine.add(shared())
        own = await both.mine.add(Series(provider="import", symbol="MINE", timeframe=Timeframe.D1, owner=both.me))
        assert not await both.mine.remove(common.id)
        assert not await both.mine.remove(uuid4())
        assert await both.mine.remove(own.id)
        assert await both.mine.entry(own.id) is None

    async def test_what_differs_in_anything_is_another_series(self, both: Both) -> None:
        first = await both.mine.add(shared())
        daily = await both.mine.add(shared(timeframe=Timeframe.D1))
        adjusted = await both.mine.add(
            Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1, adjustment=Adjustment.ALL)
        )
        assert len({first.id, daily.id, adjusted.id}) == 3

    async def test_pages_hold_every_series_once_newest_first(self, both: Both) -> None:
        added = [(await both.mine.add(shared(f"S{number}"))).id for number in range(5)]
        seen: list[UUID] = []
        page = await both.mine.entries(limit=2, after=None)
        seen += [entry.id for entry in page.items]
        while page.next:
            page = await both.mine.entries(limit=2, after=page.next)
            seen += [entry.id for entry in page.items]
        assert seen == added[::-1]

    async def test_the_list_is_narrowed_by_symbol_and_provider(self, both: Both) -> None:
        for symbol in ("BTC/USDT", "ETH/USDT", "AAPL"):
            await both.mine.add(shared(symbol))
        await both.mine.add(Series(provider="yahoo", symbol="AAPL", timeframe=Timeframe.D1))

        async def found(search: str, provider: str | None = None) -> list[str]:
            page = await both.mine.entries(limit=9, after=None, search=search, provider=provider)
            return sorted(f"{entry.series.provider} {entry.series.symbol}" for entry in page.items)

        assert await found("usdt") == ["demo BTC/USDT", "demo ETH/USDT"]
        assert await found("aapl", "yahoo") == ["yahoo AAPL"]
        assert await found("%") == []


class TestFakeSeries(SeriesRepositoryContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        catalogue, me = FakeCatalogue(), uuid4()
        yield Both(me=me, mine=FakeSeries(me, catalogue), others=FakeSeries(uuid4(), catalogue))


class TestSeriesTable(SeriesRepositoryContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        async with open_tables(self.fresh) as tables:
            await tables.execute("truncate public.series")
            me, other = await self.fresh.add_user(), await self.fresh.add_user()
            yield Both(me=me, mine=self._of(tables, me), others=self._of(tables, other))

    def _of(self, tables: Tables, user_id: UUID) -> SeriesRepository:
        return cast(SeriesRepository, Committing(tables.api, identity(user_id), SeriesTable))
