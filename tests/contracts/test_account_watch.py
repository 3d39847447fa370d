"""The contract of AccountWatch, kept by the fake and over the accounts of a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.accounts import AccountStates
from backend.domain.ports import AccountWatch
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fakes import FakeAccountWatch


class AccountWatchContract:
    """What holds for every AccountWatch: override `open`."""

    @abstractmethod
    def sessions(self, watch: AccountWatch, user_id: UUID) -> AbstractAsyncContextManager[tuple[UUID, UUID]]:
        """One that is alive, and one that was ended."""

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

    async def test_names_the_sessions_that_were_ended_and_no_others(self) -> None:
        async with self.open() as (watch, ada, _), self.sessions(watch, ada) as (alive, ended):
            assert await watch.signed_out([alive, ended]) == {ended}
            assert await watch.signed_out([]) == frozenset()


class TestFakeAccountWatch(AccountWatchContract):
    @asynccontextmanager
    async def sessions(self, watch: AccountWatch, user_id: UUID) -> AsyncIterator[tuple[UUID, UUID]]:
        assert isinstance(watch, FakeAccountWatch)
        alive, ended = uuid4(), uuid4()
        watch.known_signed_out.add(ended)
        yield alive, ended

    @asynccontextmanager
    async def open(self) -> AsyncIterator[tuple[AccountWatch, UUID, UUID]]:
        eve = uuid4()
        yield FakeAccountWatch(eve), uuid4(), eve


class TestAccountStates(AccountWatchContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def sessions(self, watch: AccountWatch, user_id: UUID) -> AsyncIterator[tuple[UUID, UUID]]:
        alive, over = uuid4(), uuid4()
        writer = await asyncpg.connect(self.fresh.dsn("supabase_auth_admin"))
        try:
            for session_id, not_after in ((alive, None), (over, datetime.now(UTC) - timedelta(minutes=1))):
                await writer.execute(
                    "insert into auth.sessions (id, user_id, created_at, not_after) values ($1, $2, now(), $3)",
                    session_id,
                    user_id,
                    not_after,
                )
        finally:
            await writer.close()
        gone = uuid4()
        assert await watch.signed_out([over, gone]) == {over, gone}
        yield alive, over

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
