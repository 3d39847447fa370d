"""The contract of Departures, kept by the fake and by the functions in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from uuid import UUID, uuid4

import pytest

from backend.data.storage.own_data import DepartureTables
from backend.domain.own_data_ports import Departures
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fake_leaving import FakeDepartures
from tests.finished_backtests import finished_backtest


class DeparturesContract:
    """What holds for all Departures: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[tuple[Departures, UUID, UUID]]:
        """With two people who have rows."""

    async def test_who_left_is_told_once_until_forgotten(self) -> None:
        async with self.open() as (departures, ada, eve):
            for _ in range(2):
                assert await departures.close(ada, "They asked for it.")
            assert [one.user_id for one in await departures.waiting()] == [ada]
            await departures.forget(eve)
            await departures.forget(ada)
            assert await departures.waiting() == []

    async def test_who_never_was_here_does_not_leave(self) -> None:
        async with self.open() as (departures, _, __):
            assert not await departures.close(uuid4(), "A mistake.")
            assert await departures.waiting() == []

    async def test_all_rows_go_and_the_account_last(self) -> None:
        async with self.open() as (departures, ada, _):
            await departures.close(ada, "They asked for it.")
            assert await departures.remove_some(ada) > 0
            while await departures.remove_some(ada):
                pass
            assert not await departures.close(ada, "They asked twice.")
            assert await departures.remove_some(ada) == 0

    async def test_nothing_goes_of_who_did_not_leave(self) -> None:
        async with self.open() as (departures, ada, eve):
            await departures.close(ada, "They asked for it.")
            assert await departures.remove_some(eve) == 0
            assert await departures.close(eve, "They are still here.")


class TestFakeDepartures(DeparturesContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Departures, UUID, UUID]]:
        ada, eve = uuid4(), uuid4()
        yield FakeDepartures({ada: 5, eve: 1}), ada, eve


class TestDepartureTables(DeparturesContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[Departures, UUID, UUID]]:
        ada, eve = await self.fresh.add_user(), await self.fresh.add_user()
        for who in (ada, eve):
            await finished_backtest(self.fresh.dsn("supabase_admin"), who)
        database = ServiceDatabase(self.fresh.dsn("app_worker"), min_size=1, max_size=1)
        await database.open()
        departures = DepartureTables(database)
        try:
            yield departures, ada, eve
            for one in await departures.waiting():
                await departures.forget(one.user_id)
        finally:
            await database.close()
