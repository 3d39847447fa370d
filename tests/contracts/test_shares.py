"""The contracts of ShareRepository, SharedRuns and ShareCounter, kept by one fake and by a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.housekeeping import HousekeepingTables
from backend.data.storage.shares import ShareCounts, SharedRunTables, ShareTable
from backend.domain.accounts import Identity
from backend.domain.errors import QuotaReached
from backend.domain.shares import (
    MOST_LIVE_SHARES,
    NewShare,
    Share,
    ShareCounter,
    SharedRuns,
    ShareRepository,
    make_link,
    new_share,
)
from backend.infrastructure.database import Database
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fake_shares import FakeShares
from tests.fakes import FakeClock
from tests.finished_backtests import finished_backtest


@dataclass(kw_only=True)
class Counter:
    """A user with a finished backtest, whoever visits, and a way to let time pass. Each call may be a transaction."""

    backtest_id: UUID
    mine: Callable[[], AbstractAsyncContextManager[ShareRepository]]
    visit: Callable[[], AbstractAsyncContextManager[SharedRuns]]
    counter: ShareCounter
    pass_time: Callable[[timedelta], Awaitable[None]]

    def fresh(self, days: int = 30) -> NewShare:
        return new_share(make_link(), backtest_id=self.backtest_id, title="A run", days=days)

    async def make(self, share: NewShare) -> Share:
        async with self.mine() as mine:
            made = await mine.create(share)
        assert made is not None
        return made

    async def sees(self, share: NewShare) -> bool:
        async with self.visit() as runs:
            found = await runs.run(share.digest)
            parts = await runs.parts(share.digest, "trades", first=0, last=9)
        assert (found is not None) == bool(parts)
        return found is not None


class SharesContract:
    """What holds for all three: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Counter]: ...

    async def test_a_visitor_reads_the_run_by_its_digest_alone(self) -> None:
        async with self.open() as desk:
            share = desk.fresh()
            made = await desk.make(share)
            assert made.expires_at - made.created_at == timedelta(days=30)
            async with desk.visit() as runs:
                found = await runs.run(share.digest)
                assert found is not None
                assert (found.share_id, found.title, found.symbols, found.trade_rows) == (
                    made.id,
                    "A run",
                    ("BTC/USDT",),
                    3,
                )
                assert found.currency == "USDT"
                assert await runs.run(bytes(32)) is None
                assert [part.rows for part in await runs.parts(share.digest, "equity", first=0, last=1)] == [3]
                assert await runs.parts(share.digest, "trades", first=3, last=9) == []
                assert await runs.parts(share.digest, "trials", first=0, last=9) == []
                assert await runs.parts(bytes(32), "trades", first=0, last=9) == []

    async def test_it_shows_nothing_once_it_was_revoked_or_expired(self) -> None:
        async with self.open() as desk:
            revoked, expiring = desk.fresh(), desk.fresh(days=1)
            made = await desk.make(revoked)
            await desk.make(expiring)
            assert [await desk.sees(revoked), await desk.sees(expiring)] == [True, True]
            async with desk.mine() as mine:
                assert [await mine.revoke(made.id), await mine.revoke(made.id), await mine.revoke(uuid4())] == [
                    True,
                    False,
                    False,
                ]
            await desk.pass_time(timedelta(days=1, seconds=1))
            assert [await desk.sees(revoked), await desk.sees(expiring)] == [False, False]

    async def test_ones_own_are_read_page_by_page_and_by_backtest(self) -> None:
        async with self.open() as desk:
            made = [(await desk.make(desk.fresh())).id for _ in range(3)]
            async with desk.mine() as mine:
                first = await mine.shares(limit=2, after=None, backtest_id=None)
                assert [one.id for one in first.items] == [made[2], made[1]]
                second = await mine.shares(limit=2, after=first.next, backtest_id=desk.backtest_id)
                assert ([one.id for one in second.items], second.next) == ([made[0]], None)
                assert (await mine.shares(limit=2, after=None, backtest_id=uuid4())).items == ()

    async def test_what_has_no_result_of_ones_own_cannot_be_shared(self) -> None:
        async with self.open() as desk, desk.mine() as mine:
            share = new_share(make_link(), backtest_id=uuid4(), title="A run", days=1)
            assert await mine.create(share) is None

    async def test_so_many_may_live(self) -> None:
        async with self.open() as desk:
            async with desk.mine() as mine:
                for _ in range(MOST_LIVE_SHARES):
                    await mine.create(desk.fresh())
            with pytest.raises(QuotaReached) as refusal:
                await desk.make(desk.fresh())
            assert "Revoke some." in refusal.value.detail

    async def test_openings_add_up(self) -> None:
        async with self.open() as desk:
            made = await desk.make(desk.fresh())
            await desk.counter.note({made.id: 2, uuid4(): 1})
            await desk.counter.note({made.id: 1})
            async with desk.mine() as mine:
                [read] = (await mine.shares(limit=9, after=None, backtest_id=None)).items
            assert (read.opened, read.last_opened_at is not None) == (3, True)


class TestFakeShares(SharesContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Counter]:
        clock, backtest_id = FakeClock(), uuid4()
        shares = FakeShares([backtest_id], clock)

        @asynccontextmanager
        async def itself() -> AsyncIterator[FakeShares]:
            yield shares

        async def pass_time(span: timedelta) -> None:
            clock.advance(seconds=span.total_seconds())

        yield Counter(backtest_id=backtest_id, mine=itself, visit=itself, counter=shares, pass_time=pass_time)


class TestShareTables(SharesContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Counter]:
        users, service = Database(self.fresh.dsn("app_api")), ServiceDatabase(self.fresh.dsn("app_worker"))
        await users.open()
        await service.open()
        user_id = await self.fresh.add_user()
        identity = Identity(
            user_id=user_id,
            email=None,
            is_admin=False,
            is_anonymous=False,
            session_id=None,
            expires_at=datetime.now(UTC) + timedelta(hours=1),
            claims={},
        )

        @asynccontextmanager
        async def mine() -> AsyncIterator[ShareTable]:
            async with users.acting_as(identity) as connection:
                yield ShareTable(connection)

        @asynccontextmanager
        async def visit() -> AsyncIterator[SharedRunTables]:
            async with users.acting_as(None, readonly=True) as connection:
                yield SharedRunTables(connection)

        async def pass_time(span: timedelta) -> None:
            await self._execute(
                "update public.shares set created_at = created_at - $2::interval,"
                " expires_at = expires_at - $2::interval, revoked_at = revoked_at - $2::interval where user_id = $1",
                user_id,
                span,
            )

        try:
            backtest_id = await finished_backtest(self.fresh.dsn("postgres"), user_id)
            counter = ShareCounts(service)
            yield Counter(backtest_id=backtest_id, mine=mine, visit=visit, counter=counter, pass_time=pass_time)
        finally:
            await users.close()
            await service.close()

    async def test_what_ended_is_forgotten_after_30_days(self) -> None:
        async with self.open() as desk:
            ended, alive = desk.fresh(days=2), desk.fresh(days=90)
            await desk.make(ended)
            await desk.make(alive)
            service = ServiceDatabase(self.fresh.dsn("app_worker"), min_size=1, max_size=1)
            await service.open()
            try:
                await desk.pass_time(timedelta(days=31))
                assert await HousekeepingTables(service).forget_ended_shares() == 0
                await desk.pass_time(timedelta(days=2))
                assert await HousekeepingTables(service).forget_ended_shares() == 1
            finally:
                await service.close()
            assert await desk.sees(alive)

    async def test_a_visitor_can_read_nothing_else(self) -> None:
        async with self.open() as desk:
            await desk.make(desk.fresh())
            database = Database(self.fresh.dsn("app_api"), min_size=1, max_size=1)
            await database.open()
            attacks = (
                "select * from public.shares",
                "select * from public.backtests",
                "select * from private.stream_tickets",
                "select private.user_is_active(gen_random_uuid())",
                "select private.create_my_share(gen_random_uuid(), '\\x00', 'x', interval '1 day')",
                "select private.revoke_my_share(gen_random_uuid())",
                "select private.note_shares_opened('{}', '{}')",
            )
            try:
                for attack in attacks:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        async with database.acting_as(None) as connection:
                            await connection.execute(attack)
            finally:
                await database.close()

    async def _execute(self, statement: str, *arguments: object) -> None:
        connection = await asyncpg.connect(self.fresh.dsn("postgres"))
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()
