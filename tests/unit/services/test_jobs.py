"""What a person can do with their own jobs."""

import math
from uuid import UUID, uuid4

import pytest

from backend.domain.errors import InvalidInput, JobNotFound, JobNotRetryable, JobTooLarge, PayloadTooLarge, QuotaReached
from backend.domain.forecast import Forecasts
from backend.domain.job_data import LARGEST_PAYLOAD_BYTES
from backend.domain.jobs import KINDS, Demand, JobKind, JobState, Outcome, Quota
from backend.services.jobs import Jobs
from tests.fake_jobs import FakeJobQueue, FakeJobs, FakeMachine, FakeTasks

ADA = uuid4()
ROOM = Demand(cores=4, memory_bytes=4 * 1024**3)


def jobs(tasks: FakeTasks, *, user_id: UUID = ADA, queued: int = 3, machine: FakeMachine | None = None) -> Jobs:
    tasks.quotas[user_id] = Quota(queued=queued, running=2, plan="small")
    return Jobs(FakeJobs(user_id, tasks), machine or FakeMachine(), Forecasts(), runner_id="here")


async def test_job_demands_what_its_kind_does_unless_more_is_known() -> None:
    mine = jobs(FakeTasks())
    assert (await mine.submit(JobKind.TRAIN, {})).demand == KINDS[JobKind.TRAIN].demand
    larger = Demand(cores=2, memory_bytes=2 * 1024**3)
    assert (await mine.submit(JobKind.TRAIN, {}, demand=larger)).demand == larger


async def test_job_larger_than_the_machine_is_refused_with_the_numbers() -> None:
    tasks = FakeTasks()
    mine = jobs(tasks, machine=FakeMachine(cores=2, memory_bytes=1024**3))
    with pytest.raises(JobTooLarge) as refused:
        await mine.submit(JobKind.TRAIN, {}, demand=Demand(cores=8, memory_bytes=3 * 1024**3))
    assert "8 cores and 3,072 MiB" in refused.value.detail
    assert "2 cores and 1,024 MiB" in refused.value.detail
    assert tasks.jobs == {}


async def test_payload_that_is_too_large_is_refused_with_the_numbers() -> None:
    tasks = FakeTasks()
    with pytest.raises(PayloadTooLarge) as refused:
        await jobs(tasks).submit(JobKind.BACKTEST, {"note": "x" * LARGEST_PAYLOAD_BYTES})
    assert "at most 262,144 are allowed" in refused.value.detail
    assert tasks.jobs == {}


async def test_payload_that_cannot_be_stored_is_refused() -> None:
    with pytest.raises(InvalidInput):
        await jobs(FakeTasks()).submit(JobKind.BACKTEST, {"note": "\x00"})


@pytest.mark.parametrize("work_units", [0.0, -1.0, math.nan, math.inf])
async def test_what_is_no_amount_of_work_is_a_defect_of_the_caller(work_units: float) -> None:
    with pytest.raises(ValueError, match="no amount of work"):
        await jobs(FakeTasks()).submit(JobKind.BACKTEST, {}, work_units=work_units)


async def test_amount_of_work_is_kept_with_the_job() -> None:
    assert (await jobs(FakeTasks()).submit(JobKind.SWEEP, {}, work_units=5e6)).work_units == 5e6


async def test_only_those_that_wait_are_asked_about() -> None:
    tasks = FakeTasks()
    mine = jobs(tasks, machine=FakeMachine(cores=1))
    first, second = await mine.submit(JobKind.BACKTEST, {}), await mine.submit(JobKind.BACKTEST, {})
    assert await mine.waits([]) == {}
    assert await mine.waits([first]) == {}
    assert list(await mine.waits([first, second])) == [second.id]
    await mine.cancel(second.id)
    assert await mine.waits([await mine.job(second.id)]) == {}


async def test_quota_counts_what_waits_and_not_what_runs() -> None:
    tasks = FakeTasks()
    mine = jobs(tasks)
    for _ in range(3):
        await mine.submit(JobKind.BACKTEST, {})
    with pytest.raises(QuotaReached) as refused:
        await mine.submit(JobKind.BACKTEST, {})
    assert (refused.value.limit, refused.value.count) == (3, 3)
    await FakeJobQueue(tasks).claim("runner", ROOM)
    await mine.submit(JobKind.BACKTEST, {})


async def test_quota_of_one_is_not_spent_by_another() -> None:
    tasks = FakeTasks()
    for _ in range(3):
        await jobs(tasks, user_id=uuid4(), queued=1).submit(JobKind.BACKTEST, {})
    assert len(tasks.jobs) == 3


async def test_failed_job_is_run_again() -> None:
    tasks = FakeTasks()
    mine = jobs(tasks)
    job = await mine.submit(JobKind.BACKTEST, {})
    await mine.cancel(job.id)
    retried = await mine.retry(job.id)
    assert (retried.id, retried.state) == (job.id, JobState.QUEUED)


async def test_retry_counts_towards_the_quota() -> None:
    mine = jobs(FakeTasks(), queued=1)
    first = await mine.submit(JobKind.BACKTEST, {})
    await mine.cancel(first.id)
    await mine.submit(JobKind.BACKTEST, {})
    with pytest.raises(QuotaReached):
        await mine.retry(first.id)
    assert (await mine.job(first.id)).state == JobState.CANCELLED


async def test_retry_on_a_smaller_machine_is_refused() -> None:
    tasks = FakeTasks()
    job = await jobs(tasks).submit(JobKind.BACKTEST, {})
    await jobs(tasks).cancel(job.id)
    with pytest.raises(JobTooLarge):
        await jobs(tasks, machine=FakeMachine(memory_bytes=1024)).retry(job.id)


async def test_what_has_not_failed_is_not_run_again_even_when_the_quota_is_full() -> None:
    tasks = FakeTasks()
    mine = jobs(tasks, queued=1)
    job = await mine.submit(JobKind.BACKTEST, {})
    with pytest.raises(JobNotRetryable, match="is queued"):
        await mine.retry(job.id)
    (lease,) = await FakeJobQueue(tasks).claim("runner", ROOM, job_ids=[job.id])
    assert lease is not None
    await FakeJobQueue(tasks).finish([(lease, Outcome.completed({}))])
    with pytest.raises(JobNotRetryable, match="is completed"):
        await mine.retry(job.id)


async def test_job_of_another_is_not_there() -> None:
    tasks = FakeTasks()
    job = await jobs(tasks, user_id=uuid4()).submit(JobKind.BACKTEST, {})
    mine = jobs(tasks)
    for ask in (mine.job, mine.cancel, mine.retry):
        with pytest.raises(JobNotFound):
            await ask(job.id)
    assert (await mine.jobs(limit=10)).items == ()
