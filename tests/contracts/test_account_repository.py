"""The contract of AccountRepository, kept by the fake and by the tables in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.accounts import AccountTables
from backend.domain.accounts import Density, Identity, PreferencesChange, ProfileChange, Session, Theme
from backend.domain.ports import AccountRepository
from backend.infrastructure.database import Database
from tests.cluster import FreshDatabase
from tests.fakes import START, FakeAccounts


class AccountRepositoryContract:
    """What holds for every AccountRepository: override `open`."""

    @abstractmethod
    def open(self, user_id: UUID, sessions: list[UUID]) -> AbstractAsyncContextManager[AccountRepository]:
        """The repository as this user sees it, with these sessions, oldest first."""

    @pytest.fixture
    async def user_id(self) -> UUID:
        return uuid4()

    async def test_profile_begins_with_defaults(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            profile = await accounts.profile(user_id)
            assert profile is not None
            assert (profile.user_id, profile.version, profile.is_demo) == (user_id, 1, False)
            assert (profile.preferences.theme, profile.preferences.timezone) == (Theme.SYSTEM, "UTC")
            assert profile.created_at.tzinfo is not None

    async def test_another_ones_profile_is_not_there(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            assert await accounts.profile(uuid4()) is None

    async def test_ensuring_a_profile_changes_nothing_that_is_there(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            before = await accounts.profile(user_id)
            await accounts.ensure_profile()
            assert await accounts.profile(user_id) == before

    async def test_change_names_what_changes(self, user_id: UUID) -> None:
        change = ProfileChange(
            display_name="Ada", preferences=PreferencesChange(density=Density.COMPACT, single_key_shortcuts=False)
        )
        async with self.open(user_id, []) as accounts:
            changed = await accounts.change_profile(user_id, change, version=1)
            assert changed is not None
            assert (changed.display_name, changed.version) == ("Ada", 2)
            assert (changed.preferences.density, changed.preferences.theme) == (Density.COMPACT, Theme.SYSTEM)
            assert changed.preferences.single_key_shortcuts is False
            assert await accounts.profile(user_id) == changed

    async def test_change_of_an_older_version_does_nothing(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            assert await accounts.change_profile(user_id, ProfileChange(display_name="Eve"), version=7) is None
            profile = await accounts.profile(user_id)
            assert profile is not None
            assert profile.version == 1

    async def test_change_of_any_version(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            changed = await accounts.change_profile(user_id, ProfileChange(display_name="Ada"), version=None)
            assert changed is not None

    async def test_nobody_changes_another_ones_profile(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            assert await accounts.change_profile(uuid4(), ProfileChange(display_name="Eve"), version=None) is None

    async def test_sessions_come_page_by_page_newest_first(self, user_id: UUID) -> None:
        ids = [uuid4() for _ in range(5)]
        async with self.open(user_id, ids) as accounts:
            whole = await accounts.sessions(limit=5, after=None)
            assert [one.id for one in whole.items] == ids[::-1]
            assert whole.next is None
            first = await accounts.sessions(limit=2, after=None)
            second = await accounts.sessions(limit=2, after=first.next)
            third = await accounts.sessions(limit=2, after=second.next)
            assert first.items + second.items + third.items == whole.items
            assert third.next is None

    async def test_ended_session_is_gone(self, user_id: UUID) -> None:
        one, other = uuid4(), uuid4()
        async with self.open(user_id, [one, other]) as accounts:
            assert await accounts.session_is_alive(one)
            assert await accounts.end_session(one)
            assert not await accounts.session_is_alive(one)
            assert not await accounts.end_session(one)
            assert [left.id for left in (await accounts.sessions(limit=5, after=None)).items] == [other]

    async def test_nobody_is_an_administrator_by_themselves(self, user_id: UUID) -> None:
        async with self.open(user_id, [uuid4()]) as accounts:
            assert not await accounts.is_admin()

    async def test_unknown_session_is_not_alive(self, user_id: UUID) -> None:
        async with self.open(user_id, []) as accounts:
            assert not await accounts.session_is_alive(uuid4())


class TestFakeAccounts(AccountRepositoryContract):
    @asynccontextmanager
    async def open(self, user_id: UUID, sessions: list[UUID]) -> AsyncIterator[AccountRepository]:
        yield FakeAccounts(
            user_id,
            sessions=[
                Session(
                    id=one,
                    created_at=START + timedelta(minutes=minute),
                    last_seen_at=START,
                    user_agent=None,
                    ip=None,
                    is_current=False,
                )
                for minute, one in enumerate(sessions)
            ],
        )


class TestAccountTables(AccountRepositoryContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @pytest.fixture
    async def user_id(self, database: FreshDatabase) -> UUID:
        return await database.add_user()

    @asynccontextmanager
    async def open(self, user_id: UUID, sessions: list[UUID]) -> AsyncIterator[AccountRepository]:
        writer = await asyncpg.connect(self.fresh.dsn("supabase_auth_admin"))
        for minute, one in enumerate(sessions):
            await writer.execute(
                "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, $3, $3)",
                one,
                user_id,
                START + timedelta(minutes=minute),
            )
        await writer.close()
        pool = Database(self.fresh.dsn("app_api"), min_size=1, max_size=1)
        await pool.open()
        try:
            async with pool.acting_as(someone(user_id)) as connection:
                yield AccountTables(connection)
        finally:
            await pool.close()


def someone(user_id: UUID) -> Identity:
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=None,
        expires_at=START + timedelta(hours=1),
        claims={"sub": str(user_id), "role": "authenticated"},
    )
