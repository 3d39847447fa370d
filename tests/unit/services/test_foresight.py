"""Forecasts are kept in step with the table, in every process, whatever happens in between."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import uuid4

import pytest

from backend.domain.errors import DatabaseUnavailable
from backend.domain.forecast import CompletedRun
from backend.domain.jobs import JobKind, Outcome
from backend.services import foresight as module
from backend.services.foresight import Foresight
from tests.fake_jobs import FakeJobQueue, FakeJobRecords, FakeJobs, FakeTasks
from tests.job_tables import BACKTEST, BROKEN, ROOM


class Meter:
    """Of a JobMeter what is looked at here."""

    def __init__(self) -> None:
        self.missed: dict[JobKind, float | None] = {}

    def eta_missed(self, kind: JobKind, share: float | None) -> None:
        self.missed[kind] = share


class Shaky(FakeJobRecords):
    """A table that is away at first, then breaks, then answers."""

    def __init__(self, tasks: FakeTasks) -> None:
        super().__init__(tasks)
        self.troubles: list[Exception] = [DatabaseUnavailable(), ValueError("nobody expected this")]
        self.has_answered = asyncio.Event()

    async def completed(self, *, since: datetime | None, most: int) -> Sequence[CompletedRun]:
        if self.troubles:
            raise self.troubles.pop(0)
        self.has_answered.set()
        return await super().completed(since=since, most=most)


async def complete(tasks: FakeTasks, seconds: float, outcome: Outcome | None = None) -> None:
    job = await FakeJobs(uuid4(), tasks).submit(BACKTEST)
    (lease,) = await FakeJobQueue(tasks).claim("runner", ROOM, job_ids=[job.id])
    tasks.clock.advance(seconds=seconds)
    await FakeJobQueue(tasks).finish([(lease, outcome or Outcome.completed({}))])


def foresight(records: FakeJobRecords, meter: Meter | None = None) -> Foresight:
    return Foresight(records, meter or Meter())  # type: ignore[arg-type]  # the part of a meter that is used


async def test_what_was_completed_is_learned_at_the_start_and_later() -> None:
    tasks, meter = FakeTasks(), Meter()
    await complete(tasks, 10)
    ours = foresight(FakeJobRecords(tasks), meter)
    await ours.look()
    assert ours.forecasts.expected(JobKind.BACKTEST) == pytest.approx(10)
    assert meter.missed == {JobKind.BACKTEST: None}
    await complete(tasks, 20)
    await ours.look()
    (known,) = ours.history()
    assert known.jobs == 2
    assert known.typical_seconds == pytest.approx(15)
    assert meter.missed == {JobKind.BACKTEST: pytest.approx(0.5)}


async def test_failed_cancelled_and_partial_runs_teach_nothing() -> None:
    tasks = FakeTasks()
    for outcome in (Outcome.failed(BROKEN), Outcome.cancelled(), Outcome.cancelled({"half": 1})):
        await complete(tasks, 10, outcome)
    ours = foresight(FakeJobRecords(tasks))
    await ours.look()
    assert ours.history() == []


async def test_looking_goes_on_after_any_trouble(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LOOKS", 0.001)
    tasks = FakeTasks()
    await complete(tasks, 10)
    records = Shaky(tasks)
    ours = foresight(records)
    looking = asyncio.create_task(ours.keep_looking())
    await asyncio.wait_for(records.has_answered.wait(), 5)
    await asyncio.sleep(0.01)
    looking.cancel()
    assert ours.forecasts.expected(JobKind.BACKTEST) == pytest.approx(10)


async def test_what_is_old_is_not_read_again() -> None:
    asked: list[datetime | None] = []

    class Watched(FakeJobRecords):
        async def completed(self, *, since: datetime | None, most: int) -> Sequence[CompletedRun]:
            asked.append(since)
            return await super().completed(since=since, most=most)

    tasks = FakeTasks()
    await complete(tasks, 10)
    ours = foresight(Watched(tasks))
    await ours.look()
    await ours.look()
    assert asked == [None, tasks.clock.now() - timedelta(minutes=2)]
