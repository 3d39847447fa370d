"""The contract of StrategyRepository, kept by the fake and by the tables in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import cast
from uuid import UUID, uuid4

import pytest

from backend.data.storage.strategies import StrategyTables
from backend.domain.errors import QuotaReached
from backend.domain.ports import StrategyRepository
from backend.domain.strategies.rules.examples import BREAKOUT_ON_VOLUME, DIP_IN_A_RISING_MARKET
from backend.domain.strategy_errors import StrategyNameTaken
from tests.cluster import FreshDatabase
from tests.fake_strategies import FakeShelf, FakeStrategies
from tests.job_tables import Committing, Tables, identity, open_tables


@dataclass(frozen=True, kw_only=True)
class Both:
    """Two users on one shelf."""

    mine: StrategyRepository
    others: StrategyRepository


class StrategyRepositoryContract:
    """What holds for every StrategyRepository: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Both]: ...

    @pytest.fixture
    async def both(self) -> AsyncIterator[Both]:
        async with self.open() as both:
            yield both

    async def test_versions_count_up_and_stay_as_they_were(self, both: Both) -> None:
        line = await both.mine.add("Dip", "Buys dips.")
        assert (line.version, line.revision, line.deleted_at) == (0, 1, None)
        first = await both.mine.add_version(line.id, DIP_IN_A_RISING_MARKET, "first")
        second = await both.mine.add_version(line.id, BREAKOUT_ON_VOLUME, "")
        assert (first.version, second.version) == (1, 2)
        assert await both.mine.version(line.id, 1) == first
        assert first.rules == DIP_IN_A_RISING_MARKET
        assert await both.mine.version(line.id, 3) is None
        found = await both.mine.find(line.id)
        assert found is not None
        assert (found.version, found.revision) == (2, 3)

    async def test_pages_of_versions_hold_each_once_newest_first(self, both: Both) -> None:
        line = await both.mine.add("Dip", "")
        for number in range(5):
            await both.mine.add_version(line.id, DIP_IN_A_RISING_MARKET, f"note {number + 1}")
        page = await both.mine.versions(line.id, limit=2, after=None)
        seen = [(one.version, one.note) for one in page.items]
        while page.next:
            page = await both.mine.versions(line.id, limit=2, after=page.next)
            seen += [(one.version, one.note) for one in page.items]
        assert seen == [(number, f"note {number}") for number in (5, 4, 3, 2, 1)]

    async def test_a_change_of_an_older_revision_does_nothing(self, both: Both) -> None:
        line = await both.mine.add("Dip", "")
        changed = await both.mine.change(line.id, name="Deep dip", about="New", revision=1)
        assert changed is not None
        assert (changed.name, changed.about, changed.revision) == ("Deep dip", "New", 2)
        assert await both.mine.change(line.id, name="Late", about="", revision=1) is None
        assert await both.mine.find(line.id) == changed
        assert await both.mine.change(line.id, name="Any", about="", revision=None) is not None
        assert await both.mine.change(uuid4(), name="None", about="", revision=None) is None

    async def test_a_name_is_taken_once_by_each_user_whatever_its_case(self, both: Both) -> None:
        line = await both.mine.add("Dip", "")
        other = await both.mine.add("Breakout", "")
        with pytest.raises(StrategyNameTaken):
            await both.mine.add("DIP", "")
        with pytest.raises(StrategyNameTaken):
            await both.mine.change(other.id, name="dip", about="", revision=None)
        assert await both.mine.change(line.id, name="dip", about="", revision=None) is not None
        assert (await both.others.add("Dip", "")).name == "Dip"

    async def test_what_is_deleted_leaves_its_name_and_comes_back(self, both: Both) -> None:
        line = await both.mine.add("Dip", "")
        await both.mine.add_version(line.id, DIP_IN_A_RISING_MARKET, "")
        assert await both.mine.delete(line.id)
        assert not await both.mine.delete(line.id)
        assert await both.mine.change(line.id, name="Gone", about="", revision=None) is None
        assert [one.id for one in await both.mine.saved(deleted=True)] == [line.id]
        assert await both.mine.saved() == ()
        again = await both.mine.add("Dip", "")
        with pytest.raises(StrategyNameTaken):
            await both.mine.restore(line.id)
        await both.mine.delete(again.id)
        back = await both.mine.restore(line.id)
        assert back is not None
        assert (back.deleted_at, back.version) == (None, 1)
        assert await both.mine.restore(line.id) is None
        assert await both.mine.version(line.id, 1) is not None

    async def test_what_was_changed_last_comes_first(self, both: Both) -> None:
        first, second = await both.mine.add("First", ""), await both.mine.add("Second", "")
        assert [one.id for one in await both.mine.saved()] == [second.id, first.id]
        await both.mine.change(first.id, name="First", about="changed", revision=None)
        assert [one.id for one in await both.mine.saved()] == [first.id, second.id]

    async def test_nobody_elses_is_seen_or_touched(self, both: Both) -> None:
        line = await both.mine.add("Dip", "")
        await both.mine.add_version(line.id, DIP_IN_A_RISING_MARKET, "")
        assert await both.others.saved() == ()
        assert await both.others.find(line.id) is None
        assert await both.others.version(line.id, 1) is None
        assert (await both.others.versions(line.id, limit=9, after=None)).items == ()
        assert await both.others.change(line.id, name="Theirs", about="", revision=None) is None
        assert not await both.others.delete(line.id)
        assert await both.others.restore(line.id) is None

    async def test_there_are_two_hundred_at_most(self, both: Both) -> None:
        lines = [await both.mine.add(f"Number {number}", "") for number in range(200)]
        with pytest.raises(QuotaReached, match=r"You have 200 saved strategies; at most 200 are allowed\. Delete one"):
            await both.mine.add("One more", "")
        await both.mine.delete(lines[0].id)
        await both.mine.add("One more", "")
        with pytest.raises(QuotaReached):
            await both.mine.restore(lines[0].id)
        assert (await both.others.add("Mine", "")).version == 0


class TestFakeStrategies(StrategyRepositoryContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        shelf = FakeShelf()
        yield Both(mine=FakeStrategies(uuid4(), shelf), others=FakeStrategies(uuid4(), shelf))


class TestStrategyTables(StrategyRepositoryContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        async with open_tables(self.fresh) as tables:
            me, other = await self.fresh.add_user(), await self.fresh.add_user()
            yield Both(mine=self._of(tables, me), others=self._of(tables, other))

    def _of(self, tables: Tables, user_id: UUID) -> StrategyRepository:
        return cast(StrategyRepository, Committing(tables.api, identity(user_id), StrategyTables))

    async def test_the_latest_hundred_deleted_are_kept(self, both: Both) -> None:
        lines = [await both.mine.add(f"Number {number}", "") for number in range(102)]
        for line in lines:
            await both.mine.delete(line.id)
        assert [one.id for one in await both.mine.saved(deleted=True)] == [line.id for line in lines[:1:-1]]
