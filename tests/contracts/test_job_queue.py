"""The contract of JobQueue, kept by the fake and by the table in a real Postgres."""

from dataclasses import replace
from uuid import uuid4

import pytest

from backend.domain.events import EventType
from backend.domain.jobs import KINDS, Ahead, Demand, JobKind, JobState, Lease, NewJob, Outcome
from tests.fake_jobs import FakeJobQueue, FakeJobs, FakeTasks
from tests.job_sides import OnFakes, OnTables, OpensSides
from tests.job_tables import BACKTEST, BROKEN, ROOM, SMALL, Sides, claim

MAINTAIN = NewJob(kind=JobKind.MAINTAIN, payload={}, demand=SMALL)


async def claimed(sides: Sides) -> Lease:
    job = await sides.mine.submit(BACKTEST)
    lease = await claim(sides.queue, job)
    assert lease is not None
    return lease


class JobQueueContract(OpensSides):
    """What holds for every JobQueue."""

    async def test_claim_takes_a_waiting_job_once(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        lease = await claim(sides.queue, job, runner_id="one")
        assert lease is not None
        assert (lease.job.id, lease.job.state, lease.job.payload) == (job.id, JobState.RUNNING, BACKTEST.payload)
        assert (lease.epoch, lease.job.attempts) == (1, 1)
        assert lease.job.started_at is not None
        assert (lease.until - lease.job.started_at).total_seconds() == 30
        assert await claim(sides.queue, job, runner_id="two") is None
        assert await claim(sides.queue, runner_id="two") is None

    async def test_nothing_waits_nothing_is_claimed(self, sides: Sides) -> None:
        assert await claim(sides.queue) is None
        assert await sides.queue.claim("runner", ROOM, job_ids=[uuid4()]) == []

    @pytest.mark.parametrize(
        "room", [Demand(cores=0, memory_bytes=1024**3), Demand(cores=1, memory_bytes=SMALL.memory_bytes - 1)]
    )
    async def test_job_that_does_not_fit_waits(self, sides: Sides, room: Demand) -> None:
        job = await sides.mine.submit(BACKTEST)
        assert await claim(sides.queue, job, room=room) is None
        assert await claim(sides.queue, room=room) is None
        assert await claim(sides.queue, room=SMALL) is not None

    async def test_smaller_job_of_the_same_user_passes_one_that_does_not_fit(self, sides: Sides) -> None:
        await sides.mine.submit(replace(BACKTEST, demand=Demand(cores=8, memory_bytes=1)))
        small = await sides.mine.submit(BACKTEST)
        lease = await claim(sides.queue)
        assert lease is not None
        assert lease.job.id == small.id

    async def test_user_with_fewest_running_comes_first(self, sides: Sides) -> None:
        flood = [await sides.mine.submit(BACKTEST) for _ in range(4)]
        lone = await sides.others.submit(BACKTEST)
        order = []
        for _ in range(5):
            lease = await claim(sides.queue)
            assert lease is not None
            order.append(lease.job.id)
        assert order == [flood[0].id, lone.id, flood[1].id, flood[2].id, flood[3].id]

    async def test_priority_comes_before_age_within_a_minute_a_step(self, sides: Sides) -> None:
        usual = await sides.mine.submit(BACKTEST)
        urgent = await sides.mine.submit(replace(BACKTEST, priority=3))
        low = await sides.mine.submit(replace(BACKTEST, priority=-3))
        order = []
        for _ in range(3):
            lease = await claim(sides.queue)
            assert lease is not None
            order.append(lease.job.id)
        assert order == [urgent.id, usual.id, low.id]

    async def test_user_runs_no_more_than_the_quota_at_once(self, sides: Sides) -> None:
        for _ in range(20):
            await sides.mine.submit(BACKTEST)
        leases = [await claim(sides.queue) for _ in range(20)]
        assert sum(lease is not None for lease in leases) == 16

    async def test_one_claim_takes_what_one_after_the_other_would(self, sides: Sides) -> None:
        flood = [await sides.mine.submit(BACKTEST) for _ in range(4)]
        lone = await sides.others.submit(BACKTEST)
        leases = await sides.queue.claim("runner", ROOM)
        assert [lease.job.id for lease in leases] == [flood[0].id, lone.id, flood[1].id, flood[2].id]
        assert {lease.epoch for lease in leases} == {1}

    async def test_one_claim_takes_no_more_than_fits_together(self, sides: Sides) -> None:
        half = Demand(cores=1, memory_bytes=ROOM.memory_bytes // 2)
        for _ in range(3):
            await sides.mine.submit(replace(BACKTEST, demand=half))
        assert len(await sides.queue.claim("runner", ROOM)) == 2
        assert len(await sides.queue.claim("runner", Demand(cores=4, memory_bytes=half.memory_bytes - 1))) == 0
        assert len(await sides.queue.claim("runner", ROOM)) == 1

    async def test_one_claim_keeps_to_the_quota_of_each_user(self, sides: Sides) -> None:
        for _ in range(20):
            await sides.mine.submit(BACKTEST)
        lone = await sides.others.submit(BACKTEST)
        leases = await sides.queue.claim("runner", Demand(cores=64, memory_bytes=64 * SMALL.memory_bytes))
        assert len(leases) == 17
        assert lone.id in {lease.job.id for lease in leases}

    async def test_of_given_jobs_those_that_wait_are_claimed_in_the_given_order(self, sides: Sides) -> None:
        first, second, third = [await sides.mine.submit(BACKTEST) for _ in range(3)]
        assert await claim(sides.queue, second)
        leases = await sides.queue.claim("runner", ROOM, job_ids=[third.id, second.id, uuid4(), first.id])
        assert [lease.job.id for lease in leases] == [third.id, first.id]

    async def test_given_jobs_keep_to_the_room_and_the_quota(self, sides: Sides) -> None:
        jobs = [await sides.mine.submit(BACKTEST) for _ in range(20)]
        ids = [job.id for job in jobs]
        assert len(await sides.queue.claim("runner", Demand(cores=3, memory_bytes=ROOM.memory_bytes), job_ids=ids)) == 3
        rest = Demand(cores=64, memory_bytes=64 * SMALL.memory_bytes)
        assert len(await sides.queue.claim("runner", rest, job_ids=ids)) == 13
        assert await sides.queue.claim("runner", rest, job_ids=ids[-1:]) == []

    async def test_brief_jobs_may_be_leased_ahead_of_the_room(self, sides: Sides) -> None:
        for _ in range(6):
            await sides.mine.submit(BACKTEST)
        one = Demand(cores=1, memory_bytes=ROOM.memory_bytes)
        ahead = Ahead(count=2, kinds=frozenset({JobKind.BACKTEST}))
        assert len(await sides.queue.claim("runner", one, ahead=ahead)) == 3
        full = Demand(cores=0, memory_bytes=0)
        assert len(await sides.queue.claim("runner", full, ahead=ahead)) == 2
        assert await sides.queue.claim("runner", full, ahead=replace(ahead, kinds=frozenset({JobKind.SWEEP}))) == []
        assert await sides.queue.claim("runner", full) == []

    async def test_what_is_leased_ahead_passes_nothing_that_waits_for_room(self, sides: Sides) -> None:
        await sides.mine.submit(replace(BACKTEST, kind=JobKind.SWEEP))
        for _ in range(3):
            await sides.mine.submit(BACKTEST)
        ahead = Ahead(count=8, kinds=frozenset({JobKind.BACKTEST}))
        assert await sides.queue.claim("runner", Demand(cores=0, memory_bytes=0), ahead=ahead) == []
        one = Demand(cores=1, memory_bytes=ROOM.memory_bytes)
        kinds = [lease.job.kind for lease in await sides.queue.claim("runner", one, ahead=ahead)]
        assert kinds == [JobKind.SWEEP, *[JobKind.BACKTEST] * 3]

    async def test_many_are_finished_together_but_for_those_that_were_lost(self, sides: Sides) -> None:
        jobs = [await sides.mine.submit(BACKTEST) for _ in range(4)]
        leases = await sides.queue.claim("runner", ROOM)
        await sides.queue.lose(leases[1], BROKEN)
        endings = [(lease, Outcome.completed({"number": number})) for number, lease in enumerate(leases)]
        written = await sides.queue.finish(endings)
        assert written == {job.id for job in jobs} - {leases[1].job.id}
        found = [await sides.mine.job(lease.job.id) for lease in leases]
        assert [job and job.result for job in found] == [{"number": 0}, None, {"number": 2}, {"number": 3}]
        assert await sides.queue.finish(endings) == frozenset()

    async def test_nothing_to_finish_and_nothing_to_hand_back(self, sides: Sides) -> None:
        assert await sides.queue.finish([]) == frozenset()
        assert await sides.queue.hand_back([]) == frozenset()

    async def test_many_are_handed_back_together_but_for_those_that_were_lost(self, sides: Sides) -> None:
        for _ in range(3):
            await sides.mine.submit(BACKTEST)
        leases = await sides.queue.claim("runner", ROOM)
        assert await sides.queue.finish([(leases[0], Outcome.completed({}))])
        assert await sides.queue.hand_back(leases) == {lease.job.id for lease in leases[1:]}
        again = await sides.queue.claim("runner", ROOM)
        assert [(lease.job.id, lease.job.attempts, lease.epoch) for lease in again] == [
            (lease.job.id, 1, 2) for lease in leases[1:]
        ]

    async def test_what_a_runner_leased_without_knowing_is_recalled(self, sides: Sides) -> None:
        for _ in range(3):
            await sides.mine.submit(BACKTEST)
        known, stray = await sides.queue.claim("runner", Demand(cores=2, memory_bytes=ROOM.memory_bytes))
        other = await claim(sides.queue, runner_id="another")
        assert other is not None
        assert await sides.queue.recall("runner", [known.job.id]) == 1
        assert await sides.queue.recall("runner", [known.job.id]) == 0
        assert (await sides.queue.renew([known, stray, other])).lost == {stray.job.id}
        again = await claim(sides.queue)
        assert again is not None
        assert (again.job.id, again.job.attempts) == (stray.job.id, 1)

    async def test_finished_job_has_its_result(self, sides: Sides) -> None:
        lease = await claimed(sides)
        assert await sides.queue.finish([(lease, Outcome.completed({"sharpe": 1.25}))])
        job = await sides.mine.job(lease.job.id)
        assert job is not None
        assert (job.state, job.result, job.is_partial) == (JobState.COMPLETED, {"sharpe": 1.25}, False)
        assert job.finished_at is not None
        assert [event.type for event in (await sides.mine.event_log(after=2, limit=9)).events] == [
            EventType.TASK_COMPLETED
        ]

    async def test_cancelled_job_keeps_what_it_had(self, sides: Sides) -> None:
        lease = await claimed(sides)
        assert await sides.queue.finish([(lease, Outcome.cancelled({"folds": 2}))])
        job = await sides.mine.job(lease.job.id)
        assert job is not None
        assert (job.state, job.result, job.is_partial) == (JobState.CANCELLED, {"folds": 2}, True)

    async def test_job_is_finished_once(self, sides: Sides) -> None:
        lease = await claimed(sides)
        assert await sides.queue.finish([(lease, Outcome.completed({"run": 1}))])
        assert not await sides.queue.finish([(lease, Outcome.completed({"run": 2}))])
        assert not await sides.queue.hand_back([lease])
        assert await sides.queue.lose(lease, BROKEN) is None
        job = await sides.mine.job(lease.job.id)
        assert job is not None
        assert (job.state, job.result) == (JobState.COMPLETED, {"run": 1})
        assert (await sides.mine.event_log(after=0, limit=9)).last_id == 3

    async def test_late_finish_of_a_lost_lease_changes_nothing(self, sides: Sides) -> None:
        late = await claimed(sides)
        assert await sides.queue.lose(late, BROKEN) == JobState.QUEUED
        assert not await sides.queue.finish([(late, Outcome.completed({"run": "late"}))])
        present = await claim(sides.queue, late.job, runner_id="another")
        assert present is not None
        assert (present.epoch, present.job.attempts) == (2, 2)
        for write in (
            sides.queue.finish([(late, Outcome.completed({"run": "late"}))]),
            sides.queue.hand_back([late]),
            sides.queue.lose(late, BROKEN),
        ):
            assert not await write
        assert await sides.queue.finish([(present, Outcome.completed({"run": "present"}))])
        job = await sides.mine.job(late.job.id)
        assert job is not None
        assert job.result == {"run": "present"}

    async def test_lost_job_fails_when_its_attempts_are_spent(self, sides: Sides) -> None:
        job = await sides.mine.submit(BACKTEST)
        states = []
        for _ in range(KINDS[JobKind.BACKTEST].max_attempts):
            lease = await claim(sides.queue, job)
            assert lease is not None
            states.append(await sides.queue.lose(lease, BROKEN))
        assert states == [JobState.QUEUED, JobState.QUEUED, JobState.FAILED]
        failed = await sides.mine.job(job.id)
        assert failed is not None
        assert (failed.state, failed.failure, failed.attempts) == (JobState.FAILED, BROKEN, 3)

    async def test_lost_job_that_was_to_stop_is_cancelled(self, sides: Sides) -> None:
        lease = await claimed(sides)
        await sides.mine.request_cancel(lease.job.id)
        assert await sides.queue.lose(lease, BROKEN) == JobState.CANCELLED
        job = await sides.mine.job(lease.job.id)
        assert job is not None
        assert (job.state, job.failure) == (JobState.CANCELLED, None)

    async def test_job_handed_back_keeps_its_attempt_and_its_turn(self, sides: Sides) -> None:
        lease = await claimed(sides)
        await sides.mine.submit(BACKTEST)
        assert await sides.queue.hand_back([lease])
        again = await claim(sides.queue)
        assert again is not None
        assert (again.job.id, again.job.attempts, again.epoch) == (lease.job.id, 1, 2)

    async def test_job_to_stop_is_not_handed_back(self, sides: Sides) -> None:
        lease = await claimed(sides)
        await sides.mine.request_cancel(lease.job.id)
        assert await sides.queue.hand_back([lease])
        job = await sides.mine.job(lease.job.id)
        assert job is not None
        assert job.state == JobState.CANCELLED

    async def test_renewal_tells_what_was_lost_and_what_is_to_stop(self, sides: Sides) -> None:
        kept, lost, unwanted = [await claimed(sides) for _ in range(3)]
        await sides.queue.lose(lost, BROKEN)
        await sides.mine.request_cancel(unwanted.job.id)
        renewal = await sides.queue.renew([kept, lost, unwanted])
        assert renewal.lost == {lost.job.id}
        assert renewal.cancel_requested == {unwanted.job.id}
        assert set(renewal.until) == {kept.job.id, unwanted.job.id}
        assert renewal.until[kept.job.id] >= kept.until

    async def test_nothing_to_renew(self, sides: Sides) -> None:
        renewal = await sides.queue.renew([])
        assert (renewal.until, renewal.lost, renewal.cancel_requested) == ({}, frozenset(), frozenset())

    async def test_lease_that_holds_is_not_reaped(self, sides: Sides) -> None:
        lease = await claimed(sides)
        assert await sides.queue.reap() == 0
        assert await sides.queue.finish([(lease, Outcome.completed({}))])

    async def test_what_a_runner_had_that_is_gone_is_reaped_at_once(self, sides: Sides) -> None:
        left = await claimed(sides)
        kept = await claim(sides.queue, await sides.mine.submit(BACKTEST), runner_id="another")
        assert kept is not None
        assert await sides.queue.reap(gone="runner") == 1
        assert await sides.queue.reap(gone="runner") == 0
        assert (await sides.queue.renew([left, kept])).lost == {left.job.id}
        again = await claim(sides.queue)
        assert again is not None
        assert (again.job.id, again.job.attempts) == (left.job.id, 2)

    async def test_waiting_jobs_are_counted_by_kind(self, sides: Sides) -> None:
        assert list(await sides.queue.waiting()) == []
        first = await sides.mine.submit(BACKTEST)
        await sides.others.submit(BACKTEST)
        await sides.mine.submit(replace(BACKTEST, kind=JobKind.SWEEP))
        found = {one.kind: one for one in await sides.queue.waiting()}
        assert {kind: one.count for kind, one in found.items()} == {JobKind.BACKTEST: 2, JobKind.SWEEP: 1}
        assert found[JobKind.BACKTEST].oldest_queued_at == first.queued_at

    async def test_housekeeping_is_added_once_and_is_nobodys(self, sides: Sides) -> None:
        job = await sides.queue.add(MAINTAIN)
        assert (job.user_id, job.kind, job.state) == (None, JobKind.MAINTAIN, JobState.QUEUED)
        assert await sides.queue.add(MAINTAIN) == job
        assert await sides.mine.job(job.id) is None
        lease = await claim(sides.queue)
        assert lease is not None
        assert lease.job.id == job.id
        assert (await sides.queue.add(MAINTAIN)).id == job.id
        assert await sides.queue.finish([(lease, Outcome.completed({"events": 3}))])
        assert (await sides.queue.add(MAINTAIN)).id != job.id


class TestFakeJobQueue(OnFakes, JobQueueContract):
    """In memory."""

    async def test_expired_lease_is_reaped(self) -> None:
        tasks = FakeTasks()
        queue, mine = FakeJobQueue(tasks), FakeJobs(uuid4(), tasks)
        job = await mine.submit(BACKTEST)
        await claim(queue, job)
        tasks.clock.advance(seconds=31)
        assert await queue.reap() == 1
        assert tasks.jobs[job.id].state == JobState.QUEUED

    async def test_lease_of_a_clock_that_was_set_back_holds_no_longer_than_any(self) -> None:
        tasks = FakeTasks()
        queue, mine = FakeJobQueue(tasks), FakeJobs(uuid4(), tasks)
        await claim(queue, await mine.submit(BACKTEST))
        tasks.clock.advance(hours=-1)
        assert await queue.reap() == 0
        tasks.clock.advance(seconds=31)
        assert await queue.reap() == 1


class TestJobQueueTable(OnTables, JobQueueContract):
    """In Postgres."""
