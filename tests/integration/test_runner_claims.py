"""Which job a runner takes next: floods, hints, leases ahead of time, several runners at one queue."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

import pytest

from backend.data.storage.job_queue import JobQueueTable
from backend.data.storage.jobs import JobTable
from backend.domain.errors import DatabaseUnavailable
from backend.domain.jobs import Demand, JobKind, JobState, Lease, NewJob
from backend.infrastructure.job_hints import LocalJobHints
from backend.infrastructure.notices import CommitNotices
from backend.worker.line import AHEAD_JOBS, LATEST_JOBS
from tests.integration.runner_house import GIB, SMALL, House, began, ended, knows_that_nothing_waits, until_async
from tests.integration.test_children import until
from tests.job_tables import Tables, identity


async def test_a_flood_of_one_user_delays_another_by_one_job_at_most(house: House) -> None:
    flood = [await house.submit(steps=4, pause=0.05) for _ in range(30)]
    other = house.tables.of(await house.tables.fresh.add_user())
    async with house.runner(cores=1):
        await asyncio.sleep(0.5)
        job = await other.submit(NewJob(kind=JobKind.PREDICT, payload={}, demand=SMALL))
        await until_async(lambda: ended(other, job), seconds=3)
    states = [(await house.job(one)).state for one in flood]
    assert states.count(JobState.QUEUED) > 10


async def test_two_runners_run_each_job_once(house: House) -> None:
    jobs = [await house.submit(JobKind.PREDICT) for _ in range(40)]
    async with house.runner(), house.runner():
        for job in jobs:
            assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1
            assert await house.events_of(job) == ["queued", "running", "completed"]


async def test_a_hint_from_here_needs_no_bus(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.runner.POLL_SECONDS", 60)
    hints = LocalJobHints()
    async with house.runner(hints=hints) as runner:
        await knows_that_nothing_waits(runner)
        await house.bus.close()
        job = await house.submit(JobKind.PREDICT)
        hints.tell([job.id])
        assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1


async def test_a_hint_that_comes_twice_is_claimed_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.worker.runner.POLL_SECONDS", 60)
    hints, queue = LocalJobHints(), CountingClaims(house.tables)
    async with house.runner(hints=hints, queue=queue) as runner:
        await knows_that_nothing_waits(runner)
        before = queue.claims
        for _ in range(5):
            job = await house.submit(JobKind.PREDICT)
            hints.tell([job.id])
            await house.becomes(job, JobState.COMPLETED)
        await asyncio.sleep(0.2)
        assert queue.claims - before == 5


async def test_word_from_another_server_comes_over_the_bus(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    """It submitted the job and told of it after the commit, whose own notice it had left out."""
    monkeypatch.setattr("backend.worker.runner.POLL_SECONDS", 60)
    async with house.runner() as runner:
        await knows_that_nothing_waits(runner)
        async with house.tables.api.acting_as(identity(house.me)) as connection:
            job = await JobTable(connection, []).submit(NewJob(kind=JobKind.PREDICT, payload={}, demand=SMALL))
        await asyncio.sleep(0.2)
        assert (await house.job(job)).state == JobState.QUEUED
        notices = CommitNotices(house.bus)
        notices.open()
        notices.tell(queued=[job.id], users=[house.me])
        await house.becomes(job, JobState.COMPLETED)
        await notices.close()


async def test_a_job_that_nobody_told_of_is_found_while_others_are_told_of_all_the_time(house: House) -> None:
    """Its server died between the commit and the notice."""
    hints = LocalJobHints()
    async with house.runner(hints=hints) as runner:
        await knows_that_nothing_waits(runner)
        async with house.tables.api.acting_as(identity(house.me)) as connection:
            untold = await JobTable(connection, []).submit(NewJob(kind=JobKind.PREDICT, payload={}, demand=SMALL))
        others = 0
        async with asyncio.timeout(20):
            while not await ended(house.mine, untold):
                told = await house.submit(JobKind.PREDICT)
                hints.tell([told.id])
                await house.becomes(told, JobState.COMPLETED)
                others += 1
    assert others


async def test_a_cancel_that_overtakes_the_answer_of_the_claim_stops_the_job_at_once(house: House) -> None:
    job = await house.submit(steps=10_000)

    async def cancel() -> None:
        assert await house.mine.request_cancel(job.id)
        await asyncio.sleep(0.3)  # it is heard of

    async with house.runner(queue=AnswersLate(house.tables, cancel), heartbeat_seconds=600):
        await house.becomes(job, JobState.CANCELLED)


async def test_a_hint_about_a_job_that_is_gone_harms_nothing(house: House) -> None:
    hints = LocalJobHints()
    async with house.runner(hints=hints) as runner:
        await knows_that_nothing_waits(runner)
        hints.tell([UUID(int=7)])
        await house.becomes(await house.submit(JobKind.PREDICT), JobState.COMPLETED)


@pytest.fixture
def patient_pace(monkeypatch: pytest.MonkeyPatch) -> None:
    """What counts as brief, also on a machine that is busy with something else."""
    monkeypatch.setattr("backend.worker.line.BRIEF_SECONDS", 0.5)
    monkeypatch.setattr("backend.worker.line.AHEAD_SECONDS", 60)


@pytest.mark.usefixtures("patient_pace")
async def test_another_users_job_passes_what_was_leased_ahead(house: House) -> None:
    """Brief jobs are leased before there is room for them, and still another's first job is among the next."""
    other = house.tables.of(await house.tables.fresh.add_user())
    brief = NewJob(kind=JobKind.WALK_FORWARD, payload={}, demand=SMALL)
    async with house.runner() as runner:
        for _ in range(LATEST_JOBS):
            await house.becomes(await house.submit(JobKind.WALK_FORWARD), JobState.COMPLETED)
        flood = await house.submit_many(400, JobKind.WALK_FORWARD, seconds=0.01)
        await until(lambda: len(runner._line) > 0)
        job = await other.submit(brief)
        committed = time.monotonic()
        await until_async(lambda: ended(other, job))
        mine = [await house.becomes(one, JobState.COMPLETED) for one in flood]
        lone = await other.job(job.id)
    assert {one.attempts for one in mine} == {1}
    assert lone is not None
    before = [one for one in mine if committed < began(one) < began(lone)]
    # What waited here already, and one more claim that was on its way.
    assert len(before) <= 2 * (2 * AHEAD_JOBS + 2)


@pytest.mark.usefixtures("patient_pace")
async def test_what_was_leased_ahead_goes_back_when_the_jobs_turn_out_long(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("backend.worker.line.BUSY_SECONDS", 0.5)
    async with house.runner(cores=1) as runner:
        for _ in range(LATEST_JOBS):
            await house.becomes(await house.submit(JobKind.WALK_FORWARD), JobState.COMPLETED)
        long = await house.submit_many(4, JobKind.WALK_FORWARD, seconds=3.0)
        await until(lambda: len(runner._line) > 0)
        await until(lambda: len(runner._line) == 0 and len(runner._held) == 1)
        counts = await house.mine.counts()
        assert (counts.running, counts.queued) == (1, 3)
        for job in long:
            done = await house.becomes(job, JobState.COMPLETED)
            assert done.attempts == 1


@pytest.mark.usefixtures("patient_pace")
async def test_two_runners_lease_ahead_and_run_each_job_once(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    # On a busy machine some would go back to the queue, and be queued twice.
    monkeypatch.setattr("backend.worker.line.LONGEST_WAIT_SECONDS", 60)
    async with house.runner(), house.runner():
        for _ in range(2):
            jobs = await house.submit_many(150, JobKind.WALK_FORWARD)
            for job in jobs:
                assert (await house.becomes(job, JobState.COMPLETED)).attempts == 1
    log = await house.mine.event_log(after=0, limit=1000)
    types = Counter(event.type for event in log.events)
    assert set(types.values()) == {300}
    assert [event.id for event in log.events] == list(range(1, 901))


async def test_a_result_that_cannot_be_stored_fails_alone_among_many(house: House) -> None:
    bad = await house.submit_many(3, JobKind.EXPORT)
    good = await house.submit_many(30, JobKind.PREDICT)
    async with house.runner():
        for job in good:
            await house.becomes(job, JobState.COMPLETED)
        for job in bad:
            failed = await house.becomes(job, JobState.FAILED)
            assert failed.failure is not None
            assert failed.failure.code == "result_not_storable"


async def test_jobs_whose_claim_was_answered_into_the_void_are_run_at_once(house: House) -> None:
    """Postgres committed the claim, and the connection broke before it could say so."""
    jobs = [await house.submit(JobKind.PREDICT) for _ in range(3)]
    async with house.runner(queue=LosesFirstAnswer(house.tables)):
        for job in jobs:
            done = await house.becomes(job, JobState.COMPLETED, seconds=10)
            assert done.attempts == 1


class CountingClaims(JobQueueTable):
    def __init__(self, tables: Tables) -> None:
        super().__init__(tables.worker, capacity=lambda: Demand(cores=4, memory_bytes=4 * GIB))
        self.claims = 0

    async def claim(self, *arguments: Any, **named: Any) -> Sequence[Lease]:
        self.claims += 1
        return await super().claim(*arguments, **named)


class AnswersLate(CountingClaims):
    """Something happens between the commit of a claim and its answer."""

    def __init__(self, tables: Tables, happens: Callable[[], Awaitable[None]]) -> None:
        super().__init__(tables)
        self._happens = happens

    async def claim(self, *arguments: Any, **named: Any) -> Sequence[Lease]:
        leases = await super().claim(*arguments, **named)
        if leases:
            await self._happens()
        return leases


class LosesFirstAnswer(CountingClaims):
    async def claim(self, *arguments: Any, **named: Any) -> Sequence[Lease]:
        leases = await super().claim(*arguments, **named)
        if self.claims == 1:
            assert leases
            raise DatabaseUnavailable()
        return leases
