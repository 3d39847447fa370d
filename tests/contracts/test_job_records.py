"""The contract of JobRecords, kept by the fake and by the table in a real Postgres."""

from abc import abstractmethod
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import pytest

from backend.data.storage.job_records import JobRecordTable
from backend.domain.job_ports import JobQueue, JobRecords, JobRepository
from backend.domain.jobs import Job, JobKind, NewJob, Outcome, RunningNow
from tests.cluster import FreshDatabase
from tests.fake_jobs import FakeJobQueue, FakeJobRecords, FakeJobs, FakeTasks
from tests.job_tables import BACKTEST, BROKEN, ROOM, SMALL, open_tables

SWEEP = NewJob(kind=JobKind.SWEEP, payload={"secret": "of somebody"}, demand=SMALL, work_units=7.5)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """One queue, as two users, the runner and who keeps the records see it."""

    mine: JobRepository
    others: JobRepository
    queue: JobQueue
    records: JobRecords

    async def run(self, new: NewJob, outcome: Outcome | None = None, *, whose: JobRepository | None = None) -> Job:
        job = await (whose or self.mine).submit(new)
        (lease,) = await self.queue.claim("runner", ROOM, job_ids=[job.id])
        assert await self.queue.finish([(lease, outcome or Outcome.completed({"secret": "result"}))])
        return job


class JobRecordsContract:
    """What holds for every JobRecords: override `open`."""

    @abstractmethod
    def open(self) -> AbstractAsyncContextManager[Sides]: ...

    @pytest.fixture
    async def sides(self) -> AsyncIterator[Sides]:
        async with self.open() as sides:
            yield sides

    async def test_completed_jobs_of_everybody_are_told_by_kind(self, sides: Sides) -> None:
        first = await sides.run(SWEEP)
        second = await sides.run(BACKTEST, whose=sides.others)
        runs = {run.job_id: run for run in await sides.records.completed(since=None, most=10)}
        assert set(runs) == {first.id, second.id}
        assert (runs[first.id].kind, runs[first.id].work_units) == (JobKind.SWEEP, 7.5)
        assert (runs[second.id].kind, runs[second.id].work_units) == (JobKind.BACKTEST, None)
        assert 0 <= runs[first.id].seconds < 10
        assert runs[first.id].ended_at.tzinfo is not None
        assert "secret" not in str(runs)

    async def test_what_did_not_complete_is_not_told(self, sides: Sides) -> None:
        for outcome in (Outcome.failed(BROKEN), Outcome.cancelled(), Outcome.cancelled({"half": 1})):
            await sides.run(BACKTEST, outcome)
        await sides.mine.submit(BACKTEST)
        assert list(await sides.records.completed(since=None, most=10)) == []

    async def test_the_latest_of_each_kind_are_told(self, sides: Sides) -> None:
        backtests = [await sides.run(BACKTEST) for _ in range(5)]
        sweep = await sides.run(replace(SWEEP, work_units=None))
        found = {run.job_id for run in await sides.records.completed(since=None, most=2)}
        assert found == {sweep.id, *(job.id for job in backtests[-2:])}

    async def test_only_later_ones_are_told(self, sides: Sides) -> None:
        await sides.run(BACKTEST)
        (first,) = await sides.records.completed(since=None, most=10)
        second = await sides.run(BACKTEST)
        found = await sides.records.completed(since=first.ended_at, most=10)
        assert [run.job_id for run in found] == [second.id]
        later = found[0].ended_at + timedelta(seconds=1)
        assert list(await sides.records.completed(since=later, most=10)) == []

    async def test_running_jobs_are_counted_by_kind(self, sides: Sides) -> None:
        assert list(await sides.records.running()) == []
        for new, whose in ((BACKTEST, sides.mine), (BACKTEST, sides.others), (SWEEP, sides.mine)):
            job = await whose.submit(new)
            assert await sides.queue.claim("runner", ROOM, job_ids=[job.id])
        await sides.mine.submit(SWEEP)
        assert list(await sides.records.running()) == [
            RunningNow(kind=JobKind.BACKTEST, count=2),
            RunningNow(kind=JobKind.SWEEP, count=1),
        ]


class TestFakeJobRecords(JobRecordsContract):
    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sides]:
        tasks = FakeTasks()
        yield Sides(
            mine=FakeJobs(uuid4(), tasks),
            others=FakeJobs(uuid4(), tasks),
            queue=FakeJobQueue(tasks),
            records=FakeJobRecords(tasks),
        )


class TestJobRecordTable(JobRecordsContract):
    @pytest.fixture(autouse=True)
    def _on(self, database: FreshDatabase) -> None:
        self.fresh = database

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Sides]:
        async with open_tables(self.fresh) as tables:
            yield Sides(
                mine=await tables.person(),
                others=await tables.person(),
                queue=tables.queue,
                records=JobRecordTable(tables.worker),
            )
