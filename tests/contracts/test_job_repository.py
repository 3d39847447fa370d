"""The contract of JobRepository, kept by the fake and by the table in a real Postgres."""

from dataclasses import replace
from uuid import UUID, uuid4

import pytest

from backend.domain.events import EventType
from backend.domain.jobs import DEFAULT_QUOTA, KINDS, JobCounts, JobKind, JobState, NewJob, Outcome
from backend.domain.queue_play import ME
from tests.job_sides import OnFakes, OnTables, OpensSides
from tests.job_tables import BACKTEST, BROKEN, ROOM, SMALL, Sides, claim


class JobRepositoryContract(OpensSides):
    """What holds for every JobRepository."""

    async def test_submitted_job_waits(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        assert (job.kind, job.state, job.payload, job.demand) == (
            JobKind.BACKTEST,
            JobState.QUEUED,
            BACKTEST.payload,
            SMALL,
        )
        assert (job.attempts, job.max_attempts, job.lease_epoch) == (0, KINDS[JobKind.BACKTEST].max_attempts, 0)
        assert (job.result, job.failure, job.is_partial) == (None, None, False)
        assert job.created_at.tzinfo is not None
        assert await sides.mine.job(job.id) == job

    @pytest.mark.parametrize(
        ("payload", "about"),
        [
            ({"series": {"provider": "demo", "symbol": "ETH/USDT", "timeframe": "1m"}}, "ETH/USDT 1m, demo"),
            ({"series": {"provider": "import", "symbol": "MINE", "timeframe": "1d"}}, "MINE 1d"),
            (
                {"config": {"series": [{"provider": "demo", "symbol": name, "timeframe": "1h"} for name in "ABCDE"]}},
                "A, B, C and 2 more 1h, demo",
            ),
            ({"series": "none", "config": 3}, None),
            ({}, None),
        ],
    )
    async def test_tells_which_market_data_it_is_about(
        self, sides: Sides, payload: dict[str, object], about: str | None
    ) -> None:
        job = await sides.mine.submit(NewJob(kind=JobKind.FETCH, payload=payload, demand=SMALL))
        assert job.about == about
        assert [one.about for one in (await sides.mine.jobs(limit=10, after=None)).items] == [about]

    async def test_jobs_of_others_are_not_there(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        assert await sides.others.job(job.id) is None
        assert (await sides.others.jobs(limit=10, after=None)).items == ()
        assert await sides.others.request_cancel(job.id) is None
        assert await sides.others.retry(job.id) is None
        assert await sides.mine.job(job.id) == job
        assert (await sides.others.event_log(after=0, limit=10)).events == ()
        assert await sides.others.counts() == JobCounts(queued=0, running=0)

    async def test_counts_what_waits_and_runs(self, sides: Sides) -> None:
        assert await sides.mine.counts() == JobCounts(queued=0, running=0)
        first = await sides.mine.submit(BACKTEST)
        for _ in range(2):
            await sides.mine.submit(BACKTEST)
        await sides.failed()
        await claim(sides.queue, first)
        assert await sides.mine.counts() == JobCounts(queued=2, running=1)

    async def test_pages_hold_every_job_once_newest_first(self, sides: Sides) -> None:
        submitted = [(await sides.mine.submit(BACKTEST)).id for _ in range(5)]
        seen: list[UUID] = []
        page = await sides.mine.jobs(limit=2, after=None)
        seen += [job.id for job in page.items]
        while page.next:
            page = await sides.mine.jobs(limit=2, after=page.next)
            seen += [job.id for job in page.items]
        assert seen == submitted[::-1]

    async def test_list_is_narrowed_by_state_and_kind(self, sides: Sides) -> None:
        sweep = await sides.mine.submit(NewJob(kind=JobKind.SWEEP, payload={}, demand=SMALL))
        failed = await sides.failed()

        async def found(states: list[JobState], kinds: list[JobKind]) -> list[UUID]:
            return [job.id for job in (await sides.mine.jobs(limit=9, after=None, states=states, kinds=kinds)).items]

        assert await found([JobState.FAILED], []) == [failed.id]
        assert await found([], [JobKind.SWEEP, JobKind.TRAIN]) == [sweep.id]
        assert await found([JobState.FAILED, JobState.QUEUED], []) == [failed.id, sweep.id]
        assert await found([JobState.FAILED], [JobKind.SWEEP]) == []

    async def test_waiting_job_is_cancelled_at_once(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        cancelled = await sides.mine.request_cancel(job.id)
        assert cancelled is not None
        assert (cancelled.state, cancelled.attempts) == (JobState.CANCELLED, 0)
        assert cancelled.finished_at is not None
        assert await claim(sides.queue) is None

    async def test_running_job_is_asked_to_stop_once(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        await claim(sides.queue, job)
        asked = await sides.mine.request_cancel(job.id)
        assert asked is not None
        assert (asked.state, asked.finished_at) == (JobState.RUNNING, None)
        assert asked.cancel_requested_at is not None
        assert await sides.mine.request_cancel(job.id) == asked
        assert (await sides.mine.event_log(after=2, limit=9)).last_id == 3

    async def test_ended_job_cannot_be_cancelled(self, sides: Sides) -> None:
        job = await sides.failed()
        before = await sides.mine.job(job.id)
        assert await sides.mine.request_cancel(job.id) == before
        assert before is not None
        assert (before.state, before.failure, before.cancel_requested_at) == (JobState.FAILED, BROKEN, None)

    async def test_unknown_job_can_be_neither_cancelled_nor_retried(self, sides: Sides) -> None:
        assert await sides.mine.request_cancel(uuid4()) is None
        assert await sides.mine.retry(uuid4()) is None

    async def test_retry_is_a_new_attempt_of_the_same_job(self, sides: Sides) -> None:
        job = await sides.failed()
        retried = await sides.mine.retry(job.id)
        assert retried is not None
        assert (retried.id, retried.state, retried.attempts) == (job.id, JobState.QUEUED, 1)
        assert (retried.failure, retried.finished_at, retried.started_at) == (None, None, None)
        assert retried.max_attempts == 1 + KINDS[JobKind.BACKTEST].max_attempts
        lease = await claim(sides.queue, job)
        assert lease is not None
        assert (lease.job.attempts, lease.epoch) == (2, 2)

    async def test_cancelled_job_can_be_retried_and_others_cannot(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        assert await sides.mine.retry(job.id) is None
        await sides.mine.request_cancel(job.id)
        retried = await sides.mine.retry(job.id)
        assert retried is not None
        assert (retried.state, retried.cancel_requested_at) == (JobState.QUEUED, None)
        lease = await claim(sides.queue, job)
        assert lease is not None
        assert await sides.mine.retry(job.id) is None
        await sides.queue.finish([(lease, Outcome.completed({}))])
        assert await sides.mine.retry(job.id) is None

    async def test_log_and_result_are_kept_with_the_end_and_not_listed(self, sides: Sides) -> None:
        job = await sides.mine.submit(replace(BACKTEST, work_units=12.5))
        (lease,) = await sides.queue.claim("runner", ROOM, job_ids=[job.id])
        assert lease.job.work_units == 12.5
        assert await sides.queue.finish([(lease, Outcome.completed({"sharpe": 1.5}, "reading\ndone €"))])
        done = await sides.mine.job(job.id)
        assert done is not None
        assert (done.result, done.log_tail, done.work_units) == ({"sharpe": 1.5}, "reading\ndone €", 12.5)
        (listed,) = (await sides.mine.jobs(limit=9, after=None)).items
        assert (listed.id, listed.state, listed.work_units) == (job.id, JobState.COMPLETED, 12.5)

    async def test_retry_leaves_no_log_behind(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        (lease,) = await sides.queue.claim("runner", ROOM, job_ids=[job.id])
        await sides.mine.request_cancel(job.id)
        assert await sides.queue.finish([(lease, Outcome.cancelled({"half": 1}, "half of it"))])
        stopped = await sides.mine.job(job.id)
        assert stopped is not None
        assert (stopped.log_tail, stopped.is_partial) == ("half of it", True)
        retried = await sides.mine.retry(job.id)
        assert retried is not None
        assert (retried.log_tail, retried.result, retried.is_partial) == (None, None, False)

    async def test_waiting_jobs_are_told_with_their_place_and_how_much_work_they_are(self, sides: Sides) -> None:
        later = await sides.mine.submit(replace(BACKTEST, work_units=250.0))
        sooner = await sides.mine.submit(NewJob(kind=JobKind.SWEEP, payload={}, demand=ROOM, priority=1))
        around = await sides.mine.queue_around([later.id, sooner.id], runner_id="here")
        assert [(jobs.job_id, jobs.place, jobs.owner) for jobs in around.mine] == [
            (sooner.id, 1, ME),
            (later.id, 2, ME),
        ]
        first, second = around.mine
        assert (first.kind, first.demand, first.work_units) == (JobKind.SWEEP, ROOM, None)
        assert (second.kind, second.demand, second.work_units) == (JobKind.BACKTEST, SMALL, 250.0)
        assert first.turn_seconds - first.waited_seconds == pytest.approx(60, abs=0.1)
        assert 0 <= second.waited_seconds < 10
        assert (around.running, around.is_cut, around.most_running) == ([], False, {ME: DEFAULT_QUOTA.running})

    async def test_jobs_of_others_are_told_as_numbers_alone(self, sides: Sides) -> None:
        mine = await sides.mine.submit(BACKTEST)
        for work in (100.0, 300.0, None):
            await sides.others.submit(replace(BACKTEST, work_units=work, payload={"secret": "of others"}))
        sweep = await sides.others.submit(NewJob(kind=JobKind.SWEEP, payload={}, demand=SMALL, work_units=5.0))
        assert await sides.queue.claim("there", ROOM, job_ids=[sweep.id])
        around = await sides.mine.queue_around([mine.id, sweep.id], runner_id="here")
        (others,) = (jobs for jobs in around.waiting if jobs.owner != ME)
        assert (others.count, others.work_units, others.is_cut) == (3, 200.0, False)
        assert (others.job_id, others.place) == (None, None)
        (busy,) = around.running
        assert (busy.owner, busy.is_here, busy.kind, busy.work_units) == (others.owner, False, JobKind.SWEEP, 5.0)
        assert 0 <= busy.elapsed < 10
        assert str(sweep.id) not in str(around)
        assert "secret" not in str(around)
        assert (await sides.others.queue_around([], runner_id="there")).running[0].is_here

    async def test_what_runs_and_waits_of_nobody_around_says_nothing(self, sides: Sides) -> None:
        await sides.failed()
        around = await sides.others.queue_around([], runner_id="here")
        assert (around.waiting, around.running) == ([], [])

    async def test_log_tells_each_change_in_order(self, sides: Sides) -> None:
        empty = await sides.mine.event_log(after=0, limit=10)
        assert (empty.events, empty.first_kept_id, empty.last_id) == ((), 1, 0)
        assert (empty.continues(0), empty.continues(1)) == (True, False)
        job = await sides.failed()
        log = await sides.mine.event_log(after=0, limit=10)
        assert [event.type for event in log.events] == [
            EventType.TASK_QUEUED,
            EventType.TASK_RUNNING,
            EventType.TASK_FAILED,
        ]
        assert [event.id for event in log.events] == [1, 2, 3]
        assert {event.task["id"] for event in log.events} == {str(job.id)}
        assert (log.first_kept_id, log.last_id) == (1, 3)
        assert [event.id for event in (await sides.mine.event_log(after=1, limit=1)).events] == [2]
        rest = await sides.mine.event_log(after=3, limit=10)
        assert (rest.events, rest.last_id) == ((), 3)

    async def test_standing_is_of_the_moment_of_the_last_event(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        await sides.mine.submit(BACKTEST)
        standing = await sides.mine.standing(job.id)
        assert standing is not None
        assert (standing.job, standing.last_id) == (job, 2)
        await sides.queue.claim("runner", ROOM, job_ids=[job.id])
        standing = await sides.mine.standing(job.id)
        assert standing is not None
        assert (standing.job.state, standing.last_id) == (JobState.RUNNING, 3)

    async def test_standing_of_anothers_job_is_as_unknown_as_that_of_none(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        assert await sides.others.standing(job.id) is None
        assert await sides.mine.standing(uuid4()) is None


class TestFakeJobs(OnFakes, JobRepositoryContract):
    """In memory."""


class TestJobTable(OnTables, JobRepositoryContract):
    """In Postgres."""
