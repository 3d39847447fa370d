"""The contract of AccountWatch, kept by the fake and over the accounts of a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import pytest

from backend.data.storage.accounts import AccountStates
from backend.domain.ports import AccountWatch
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fakes import FakeAccountWatch


class AccountWatchContract:
    """What holds for every AccountWatch: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[tuple[AccountWatch, UUID, UUID]]:
        """The watch, somebody who may be here and somebody who was suspended."""

    async def test_names_those_who_were_suspended_and_no_others(self) -> None:
        async with self.open() as (watch, ada, eve):
            assert await watch.suspended([ada, eve]) == {eve}
            assert await watch.suspended([ada]) == frozenset()

    async def test_nobody_asked_about_nobody_named(self) -> None:
        async with self.open() as (watch, _, __):
            assert await watch.suspended([]) == frozenset()


class TestFakeAccountWatch(AccountWatchContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[AccountWatch, UUID, UUID]]:
        eve = uuid4()
        yield FakeAccountWatch(eve), uuid4(), eve


class TestAccountStates(AccountWatchContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[AccountWatch, UUID, UUID]]:
        ada = await self.fresh.add_user()
        eve = await self.fresh.add_user(banned_until=datetime.now(UTC) + timedelta(hours=1))
        database = ServiceDatabase(self.fresh.dsn("app_worker"), min_size=1, max_size=1)
        await database.open()
        try:
            yield AccountStates(database), ada, eve
        finally:
            await database.close()

    async def test_deleted_account_counts_as_suspended_and_a_passed_ban_does_not(self) -> None:
        async with self.open() as (watch, _, __):
            deleted = await self.fresh.add_user(deleted_at=datetime.now(UTC))
            back = await self.fresh.add_user(banned_until=datetime.now(UTC) - timedelta(minutes=1))
            unknown = uuid4()
            assert await watch.suspended([deleted, back, unknown]) == {deleted, unknown}
