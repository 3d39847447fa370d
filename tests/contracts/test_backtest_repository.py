"""The contract of BacktestRepository, kept by the fake and by the table in a real Postgres."""

import base64
import json
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.backtests import BacktestTable
from backend.data.storage.housekeeping import HousekeepingTables
from backend.domain.backtest_ports import BacktestRepository
from backend.domain.backtests import (
    BacktestChange,
    BacktestFilter,
    BacktestOrder,
    BacktestPlace,
    BacktestSort,
    NewBacktest,
    Part,
    Rows,
    Summary,
    Tried,
)
from backend.domain.errors import QuotaReached
from backend.domain.jobs import JobKind, JobState
from tests.cluster import FreshDatabase
from tests.fake_backtests import FakeBacktests, Shelf
from tests.job_tables import Committing, Tables, identity, open_tables

DAY = datetime(2024, 1, 1, tzinfo=UTC)
CONFIG: Mapping[str, Any] = {
    "strategy": "sma_cross",
    "parameters": {"fast": 5},
    "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}],
}
BY_AGE = BacktestOrder()


@dataclass(frozen=True, kw_only=True)
class Both:
    """Two users, and what the runner does: a task for each backtest, and its result."""

    mine: BacktestRepository
    others: BacktestRepository
    task: Callable[[JobKind], Awaitable[UUID]]
    finish: Callable[[UUID, Summary, Tried, int], Awaitable[None]]
    limit: Callable[[int], Awaitable[None]]

    async def add(self, name: str = "One", *, kind: JobKind = JobKind.BACKTEST, **more: Any) -> UUID:
        config = {**CONFIG, **more.pop("config", {})}
        new = NewBacktest(id=await self.task(kind), kind=kind, config=config, name=name, **more)
        await self.mine.add(new)
        return new.id

    async def named(self, *, order: BacktestOrder = BY_AGE, **only: Any) -> list[str]:
        page = await self.mine.backtests(limit=99, after=None, order=order, only=BacktestFilter(**only))
        assert page.next is None
        return [one.name for one in page.items]


def rows_of_parts(count: int) -> list[tuple[Part, datetime, datetime]]:
    """Of ten rows each, a row an hour."""
    return [
        (
            Part(first_row=number * 10, rows=10, content=bytes([number] * 5)),
            DAY + timedelta(hours=number * 10),
            DAY + timedelta(hours=number * 10 + 9),
        )
        for number in range(count)
    ]


class BacktestRepositoryContract:
    """What holds for every BacktestRepository: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Both]: ...

    @pytest.fixture
    async def both(self) -> AsyncIterator[Both]:
        async with self.open() as both:
            yield both

    async def test_one_is_found_as_it_was_added(self, both: Both) -> None:
        parent = await both.add("Parent")
        added = await both.add("Mine", tags=("a", "b"), parent_id=parent)
        found = await both.mine.backtest(added)
        assert found is not None
        assert (found.name, found.tags, found.parent_id, found.version) == ("Mine", ("a", "b"), parent, 1)
        assert (found.strategy, found.provider, found.timeframe) == ("sma_cross", "demo", "1h")
        assert found.symbols == ("BTC/USDT",)
        assert (found.state, found.summary, found.figures) == (JobState.QUEUED, Summary(), None)
        assert dict(found.config) == dict(CONFIG)

    async def test_nobody_else_sees_or_changes_it(self, both: Both) -> None:
        added = await both.add()
        await both.finish(added, Summary(trades=1), Tried(trials=3), 1)
        assert await both.others.backtest(added) is None
        assert (await both.others.backtests(limit=9, after=None, order=BY_AGE, only=BacktestFilter())).items == ()
        assert not await both.others.change(added, BacktestChange(name="Theirs"), version=None)
        assert await both.others.parts(added, "trades", Rows()) == []
        assert await both.others.count_rows(added, "trades") == 0
        assert await both.others.tried({**CONFIG, "parameters": {}}) == Tried()
        assert await both.others.tags() == {}

    async def test_a_change_holds_for_the_version_that_was_read(self, both: Both) -> None:
        added = await both.add()
        assert await both.mine.change(added, BacktestChange(notes="slow", is_starred=True), version=1)
        assert not await both.mine.change(added, BacktestChange(notes="fast"), version=1)
        assert await both.mine.change(added, BacktestChange(tags=("x",)), version=None)
        assert not await both.mine.change(uuid4(), BacktestChange(tags=("x",)), version=None)
        found = await both.mine.backtest(added)
        assert found is not None
        assert (found.notes, found.has_notes, found.is_starred, found.tags) == ("slow", True, True, ("x",))
        assert (found.version, found.name) == (3, "One")

    async def test_that_a_result_arrives_is_no_edit(self, both: Both) -> None:
        added = await both.add()
        await both.finish(added, Summary(total_return=0.1, sharpe_ratio=1.0, max_drawdown=-0.2, trades=3), Tried(), 0)
        found = await both.mine.backtest(added)
        assert found is not None
        assert (found.version, found.summary.total_return, found.summary.trades) == (1, 0.1, 3)

    async def test_put_away_and_deleted_ones_are_lists_of_their_own(self, both: Both) -> None:
        await both.add("Shown")
        for name, change in (("Away", BacktestChange(is_archived=True)), ("Gone", BacktestChange(is_deleted=True))):
            assert await both.mine.change(await both.add(name), change, version=None)
        assert await both.named() == ["Shown"]
        assert await both.named(is_archived=True) == ["Away"]
        assert await both.named(is_deleted=True) == ["Gone"]

    async def test_a_list_is_narrowed(self, both: Both) -> None:
        two = {"series": [*CONFIG["series"], {"provider": "demo", "symbol": "ETH/USDT", "timeframe": "1h"}]}
        study = await both.add("Study", kind=JobKind.SWEEP)
        await both.add("Child", parent_id=study, tags=("a",))
        await both.add("Pair 100%", config={**two, "strategy": "rsi_reversion"}, tags=("a", "b"))
        assert await both.named(kinds=[JobKind.SWEEP]) == ["Study"]
        assert await both.named(parent_id=study) == ["Child"]
        assert await both.named(symbol="ETH/USDT") == ["Pair 100%"]
        assert await both.named(strategy="rsi_reversion") == ["Pair 100%"]
        assert await both.named(tags=["a"]) == ["Pair 100%", "Child"]
        assert await both.named(tags=["a", "b"]) == ["Pair 100%"]
        assert await both.named(search="0%") == ["Pair 100%"]
        assert await both.named(search="eth") == ["Pair 100%"]
        assert await both.named(search="_") == await both.named()
        assert await both.named(states=[JobState.RUNNING]) == []
        assert await both.named(is_starred=True) == []
        assert len(await both.named(states=[JobState.QUEUED], is_starred=False)) == 3

    @pytest.mark.parametrize("by", list(BacktestSort))
    @pytest.mark.parametrize("descending", [True, False])
    async def test_pages_hold_each_once_in_order_with_ties_and_gaps(
        self, both: Both, by: BacktestSort, descending: bool
    ) -> None:
        figures = [0.5, None, 0.1, 0.5, None, -0.3, 0.5]
        for number, value in enumerate(figures):
            added = await both.add(f"Name {number % 3}")
            if value is not None:
                summary = Summary(total_return=value, sharpe_ratio=value, max_drawdown=value, trades=int(value * 10))
                await both.finish(added, summary, Tried(), 0)
        order = BacktestOrder(by=by, is_descending=descending)
        whole = await both.mine.backtests(limit=99, after=None, order=order, only=BacktestFilter())
        seen: list[UUID] = []
        after: BacktestPlace | None = None
        for _ in figures:
            page = await both.mine.backtests(limit=2, after=after, order=order, only=BacktestFilter())
            seen += [one.id for one in page.items]
            after = page.next
            if after is None:
                break
        assert seen == [one.id for one in whole.items]
        assert len(set(seen)) == len(figures)
        if by is BacktestSort.SHARPE_RATIO:
            there = [one.summary.sharpe_ratio for one in whole.items]
            assert there == [*sorted((v for v in figures if v is not None), reverse=descending), None, None]

    async def test_tags_are_counted_the_most_used_first(self, both: Both) -> None:
        await both.add(tags=("b", "a"))
        await both.add(tags=("a",))
        gone = await both.add(tags=("c",))
        await both.mine.change(gone, BacktestChange(is_deleted=True), version=None)
        assert list((await both.mine.tags()).items()) == [("a", 2), ("b", 1)]

    async def test_only_those_pieces_come_that_hold_wanted_rows(self, both: Both) -> None:
        added = await both.add()
        await both.finish(added, Summary(), Tried(), 3)
        assert await both.mine.count_rows(added, "trades") == 30
        assert await both.mine.count_rows(added, "equity") == 0

        async def firsts(rows: Rows) -> list[int]:
            return [part.first_row for part in await both.mine.parts(added, "trades", rows)]

        assert await firsts(Rows()) == [0, 10, 20]
        assert await firsts(Rows(first=9, count=1)) == [0]
        assert await firsts(Rows(first=9, count=2)) == [0, 10]
        assert await firsts(Rows(first=30, count=1)) == []
        assert await firsts(Rows(start=DAY + timedelta(hours=10))) == [10, 20]
        assert await firsts(Rows(end=DAY + timedelta(hours=10))) == [0]
        assert (await both.mine.parts(added, "trades", Rows(first=20)))[0].content == b"\x02" * 5

    async def test_a_result_takes_the_place_of_an_earlier_one(self, both: Both) -> None:
        added = await both.add()
        await both.finish(added, Summary(trades=9), Tried(), 3)
        await both.finish(added, Summary(trades=1), Tried(), 1)
        assert await both.mine.count_rows(added, "trades") == 10

    async def test_all_trials_of_a_strategy_on_a_symbol_are_counted_whatever_became_of_them(self, both: Both) -> None:
        async def tried(trials: int, *t_values: float, **config: Any) -> UUID:
            added = await both.add(config=config)
            await both.finish(added, Summary(), Tried(trials=trials, t_values=t_values), 0)
            return added

        assert await both.mine.tried(CONFIG) == Tried()
        gone = await tried(1, 0.1, parameters={"fast": 6})
        await both.mine.change(gone, BacktestChange(is_deleted=True), version=None)
        await tried(100, 0.2, 0.3, parameters={"fast": 7})
        await tried(1, 0.4)
        await tried(50, 0.5, strategy="rsi_reversion")
        await both.add(config={"parameters": {"fast": 8}})
        found = await both.mine.tried({**CONFIG, "parameters": {"fast": 9}})
        assert (found.trials, sorted(found.t_values)) == (102, [0.1, 0.2, 0.3, 0.4])
        await tried(1, 0.4)
        assert (await both.mine.tried({**CONFIG, "parameters": {"fast": 9}})).trials == 102
        assert (await both.mine.tried(CONFIG)).trials == 101

    async def test_as_many_are_kept_as_the_plan_allows(self, both: Both) -> None:
        await both.add()
        await both.limit(1)
        with pytest.raises(QuotaReached) as reached:
            await both.add()
        assert (reached.value.limit, reached.value.count) == (1, 1)
        first = (await both.mine.backtests(limit=1, after=None, order=BY_AGE, only=BacktestFilter())).items[0]
        await both.mine.change(first.id, BacktestChange(is_deleted=True), version=None)
        await both.add("In its place")
        with pytest.raises(QuotaReached):
            await both.mine.change(first.id, BacktestChange(is_deleted=False), version=None)
        await both.limit(2)
        assert await both.mine.change(first.id, BacktestChange(is_deleted=False), version=None)

    async def test_a_preset_takes_the_place_of_the_one_of_its_name(self, both: Both) -> None:
        first = await both.mine.keep_preset("b", {"fast": 1})
        await both.mine.keep_preset("A", {})
        again = await both.mine.keep_preset("b", {"fast": 2})
        assert again.id == first.id
        assert [(one.name, dict(one.form)) for one in await both.mine.presets()] == [("A", {}), ("b", {"fast": 2})]
        assert await both.others.presets() == []
        assert not await both.others.forget_preset(first.id)
        assert await both.mine.forget_preset(first.id)
        assert not await both.mine.forget_preset(first.id)

    async def test_presets_are_a_hundred_at_most(self, both: Both) -> None:
        for number in range(100):
            await both.mine.keep_preset(f"{number}", {})
        await both.mine.keep_preset("7", {"again": True})
        with pytest.raises(QuotaReached):
            await both.mine.keep_preset("one more", {})


class TestFakeBacktests(BacktestRepositoryContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        shelf, me = Shelf(), uuid4()

        async def task(kind: JobKind) -> UUID:
            return uuid4()

        async def finish(backtest_id: UUID, summary: Summary, tried: Tried, parts: int) -> None:
            owner, found = shelf.kept[backtest_id]
            shelf.kept[backtest_id] = (owner, replace(found, summary=summary, figures={}))
            shelf.parts[backtest_id, "trades"] = list(rows_of_parts(parts))
            if tried.trials:
                shelf.tried[backtest_id] = tried

        async def limit(most: int) -> None:
            shelf.most = most

        mine, others = FakeBacktests(me, shelf), FakeBacktests(uuid4(), shelf)
        yield Both(mine=mine, others=others, task=task, finish=finish, limit=limit)


async def _task(tables: Tables, me: UUID, kind: JobKind) -> UUID:
    task_id = uuid4()
    await tables.execute(
        "insert into public.tasks (id, user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, $2, $3, '{}', 1, 1, 3, 60)",
        task_id,
        me,
        kind,
    )
    return task_id


async def _finish(tables: Tables, task_id: UUID, summary: Summary, tried: Tried, parts: int) -> None:
    result = {
        "summary": vars(summary),
        "figures": {},
        "family": vars(tried),
        "tables": [
            {
                "name": "trades",
                "part": number,
                "first_row": part.first_row,
                "rows": part.rows,
                "first_at": first_at.isoformat(),
                "last_at": last_at.isoformat(),
                "content": base64.b64encode(part.content).decode(),
            }
            for number, (part, first_at, last_at) in enumerate(rows_of_parts(parts))
        ],
    }
    await tables.execute("update public.tasks set result = $2 where id = $1", task_id, json.dumps(result))


class TestBacktestTable(BacktestRepositoryContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Both]:
        async with open_tables(self.fresh) as tables:
            me, other = await self.fresh.add_user(), await self.fresh.add_user()

            async def limit(most: int) -> None:
                await tables.execute("update private.plans set most_backtests = $1", most)

            await limit(20_000)
            yield Both(
                mine=self._of(tables, me),
                others=self._of(tables, other),
                task=partial(_task, tables, me),
                finish=partial(_finish, tables),
                limit=limit,
            )

    async def test_a_parent_has_to_be_ones_own(self) -> None:
        async with open_tables(self.fresh) as tables:
            me, other = await self.fresh.add_user(), await self.fresh.add_user()
            theirs = NewBacktest(
                id=await _task(tables, other, JobKind.BACKTEST), kind=JobKind.BACKTEST, config=CONFIG, name="Theirs"
            )
            await self._of(tables, other).add(theirs)
            own = replace(theirs, id=await _task(tables, me, JobKind.BACKTEST), name="Mine", parent_id=theirs.id)
            with pytest.raises(asyncpg.ForeignKeyViolationError):
                await self._of(tables, me).add(own)

    async def test_a_child_outlives_its_parent(self) -> None:
        async with self.open() as both, open_tables(self.fresh) as tables:
            parent = await both.add("Parent")
            child = await both.add("Child", parent_id=parent)
            await tables.execute("delete from public.backtests where id = $1", parent)
            found = await both.mine.backtest(child)
            assert found is not None
            assert found.parent_id is None

    async def test_what_an_attempt_left_behind_goes_when_it_is_tried_again(self) -> None:
        async with self.open() as both, open_tables(self.fresh) as tables:
            added = await both.add(kind=JobKind.SWEEP)
            await both.finish(added, Summary(trades=3), Tried(trials=5), 2)
            ends = "update public.tasks set state = $2, finished_at = $3 where id = $1"
            await tables.execute(ends, added, "cancelled", datetime.now(UTC))
            found = await both.mine.backtest(added)
            assert found is not None
            assert found.figures is not None
            await tables.execute(ends, added, "queued", None)
            again = await both.mine.backtest(added)
            assert again is not None
            assert (again.figures, again.summary, await both.mine.count_rows(added, "trades")) == (None, Summary(), 0)
            assert (await both.mine.tried({**CONFIG, "parameters": {}})).trials == 5

    async def test_its_owner_says_that_it_is_deleted_and_not_when(self) -> None:
        async with self.open() as both:
            added = await both.add()
            owner = await self._owner(added)
            connection = await asyncpg.connect(self.fresh.dsn("app_api"))
            try:
                for wanted in ("infinity", "1999-01-01"):
                    async with connection.transaction():
                        await connection.execute(
                            "select set_config('role', 'authenticated', true),"
                            " set_config('request.jwt.claims', $1, true)",
                            json.dumps({"sub": str(owner), "role": "authenticated"}),
                        )
                        is_recent = await connection.fetchval(
                            "update public.backtests set deleted_at = $2::text::timestamptz where id = $1"
                            " returning deleted_at between now() - interval '1 minute' and now()",
                            added,
                            wanted,
                        )
                    assert is_recent, wanted
            finally:
                await connection.close()

    async def _owner(self, backtest_id: UUID) -> UUID:
        connection = await asyncpg.connect(self.fresh.dsn("postgres"))
        try:
            owner: UUID = await connection.fetchval("select user_id from public.backtests where id = $1", backtest_id)
        finally:
            await connection.close()
        return owner

    async def test_what_was_deleted_long_ago_goes_for_good_with_its_tables(self) -> None:
        async with self.open() as both, open_tables(self.fresh) as tables:
            ages = {"Kept": None, "Young": 29, "Old": 31}
            ids = {name: await both.add(name) for name in ages}
            for name, days in ages.items():
                await both.finish(ids[name], Summary(), Tried(), 2)
                await tables.execute(
                    "update public.backtests set deleted_at = now() - make_interval(days => $2) where id = $1",
                    ids[name],
                    days,
                )
            housekeeping = HousekeepingTables(tables.worker)
            assert await housekeeping.forget_deleted_backtests() == 1
            assert await housekeeping.forget_deleted_backtests() == 0
            assert await both.mine.backtest(ids["Old"]) is None
            assert await both.mine.count_rows(ids["Old"], "trades") == 0
            assert await both.mine.count_rows(ids["Young"], "trades") == 20
            assert await both.mine.backtest(ids["Kept"]) is not None

    def _of(self, tables: Tables, user_id: UUID) -> BacktestRepository:
        return cast(
            BacktestRepository,
            Committing(tables.api, identity(user_id), lambda connection: BacktestTable(connection, user_id)),
        )
