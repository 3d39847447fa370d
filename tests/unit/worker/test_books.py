"""Writing down what became of jobs: together, each once, and whatever goes wrong with one of them."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from uuid import UUID

import pytest

from backend.domain.errors import DatabaseUnavailable
from backend.domain.jobs import JobFailure, JobState, Lease, Outcome
from backend.worker import books as books_module
from backend.worker.books import NOT_STORABLE, Books
from backend.worker.running import Return, Running
from tests.fake_jobs import FakeJobQueue, FakeTasks
from tests.job_tables import BACKTEST, BROKEN, ROOM

ADA = UUID(int=1)


class Recorder(FakeJobQueue):
    """Remembers each write; some results it does not store, and sometimes it is away."""

    def __init__(self, tasks: FakeTasks) -> None:
        super().__init__(tasks)
        self.writes: list[int] = []
        self.away = 0
        self.may_go_on = asyncio.Event()
        self.may_go_on.set()

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        await self.may_go_on.wait()
        if self.away:
            self.away -= 1
            raise DatabaseUnavailable()
        self.writes.append(len(endings))
        if any((outcome.result or {}).get("text") == "\x00" for _, outcome in endings):
            raise ValueError("no such text")
        return await super().finish(endings)


class Desk:
    """Jobs that run, and the books about them."""

    def __init__(self) -> None:
        self.tasks = FakeTasks()
        self.queue = Recorder(self.tasks)
        self.written: asyncio.Queue[Running] = asyncio.Queue()
        self.books = Books(self.queue, self.written.put_nowait)

    async def running(self, count: int) -> list[Running]:
        for _ in range(count):
            self.tasks.add(ADA, BACKTEST)
        leases = await self.queue.claim("runner", ROOM)
        assert len(leases) == count
        return [Running(lease, lambda one, verdict: None) for lease in leases]

    async def all_written(self, count: int) -> None:
        async with asyncio.timeout(5):
            for _ in range(count):
                await self.written.get()

    def states(self, running: Sequence[Running]) -> list[JobState]:
        return [self.tasks.jobs[one.lease.job.id].state for one in running]


@pytest.fixture
async def desk(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Desk]:
    monkeypatch.setattr(books_module, "_PAUSE_SECONDS", 0)
    async with at_work(Desk()) as desk:
        yield desk


@asynccontextmanager
async def at_work(desk: Desk) -> AsyncIterator[Desk]:
    keeping = asyncio.create_task(desk.books.keep())
    try:
        yield desk
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)


async def test_what_ends_during_a_write_goes_together_into_the_next(desk: Desk) -> None:
    first, *others = await desk.running(4)
    desk.queue.may_go_on.clear()
    desk.books.put(first, Outcome.completed({}))
    await asyncio.sleep(0.01)
    for one in others:
        desk.books.put(one, Outcome.completed({}))
    desk.queue.may_go_on.set()
    await desk.all_written(4)
    assert desk.queue.writes == [1, 3]
    assert set(desk.states([first, *others])) == {JobState.COMPLETED}


async def test_a_lost_lease_among_many_changes_nothing_and_the_others_are_written(desk: Desk) -> None:
    kept, lost = await desk.running(2)
    await desk.queue.lose(lost.lease, BROKEN)
    desk.books.put(kept, Outcome.completed({}))
    desk.books.put(lost, Outcome.completed({}))
    await desk.all_written(2)
    assert desk.states([kept, lost]) == [JobState.COMPLETED, JobState.QUEUED]


async def test_of_a_job_that_is_known_to_be_lost_nothing_is_written(desk: Desk) -> None:
    (lost,) = await desk.running(1)
    lost.lose()
    for verdict in (Outcome.completed({}), BROKEN, Return.HANDED_BACK):
        desk.books.put(lost, verdict)
    await desk.all_written(3)
    assert desk.states([lost]) == [JobState.RUNNING]


async def test_of_many_results_only_the_one_that_cannot_be_stored_fails(desk: Desk) -> None:
    good, bad, other = await desk.running(3)
    desk.books.put(good, Outcome.completed({"number": 1}))
    desk.books.put(bad, Outcome.completed({"text": "\x00"}))
    desk.books.put(other, Outcome.completed({"number": 2}))
    await desk.all_written(3)
    assert desk.states([good, bad, other]) == [JobState.COMPLETED, JobState.FAILED, JobState.COMPLETED]
    assert desk.tasks.jobs[bad.lease.job.id].failure == NOT_STORABLE
    assert desk.queue.writes == [3, 1, 1, 1, 1]


async def test_while_the_database_is_away_the_books_wait(desk: Desk) -> None:
    running = await desk.running(3)
    desk.queue.away = 4
    for one in running:
        desk.books.put(one, Outcome.completed({}))
    await desk.all_written(3)
    assert desk.queue.away == 0
    assert set(desk.states(running)) == {JobState.COMPLETED}


async def test_a_lease_that_is_lost_while_the_database_is_away_is_left_out(desk: Desk) -> None:
    kept, lost = await desk.running(2)
    desk.queue.may_go_on.clear()
    desk.queue.away = 1
    desk.books.put(kept, Outcome.completed({}))
    desk.books.put(lost, Outcome.completed({}))
    await asyncio.sleep(0.01)
    lost.lose()
    desk.queue.may_go_on.set()
    await desk.all_written(2)
    assert desk.queue.writes == [1]
    assert desk.states([kept, lost]) == [JobState.COMPLETED, JobState.RUNNING]


async def test_each_verdict_is_written_as_what_it_is(desk: Desk) -> None:
    done, died, back = await desk.running(3)
    desk.books.put(done, Outcome.cancelled())
    desk.books.put(died, JobFailure(code="worker_died", title="Died", detail="Of 9."))
    desk.books.put(back, Return.HANDED_BACK)
    await desk.all_written(3)
    assert desk.states([done, died, back]) == [JobState.CANCELLED, JobState.QUEUED, JobState.QUEUED]
    assert [desk.tasks.jobs[one.lease.job.id].attempts for one in (died, back)] == [1, 0]
