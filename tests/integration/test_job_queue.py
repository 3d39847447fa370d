"""The queue in a real Postgres with many hands on it: claims, leases, fairness, quotas and who may write."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import asyncpg
import pytest

from backend.data.storage.jobs import JobTable
from backend.domain.errors import QuotaReached
from backend.domain.forecast import Forecasts
from backend.domain.jobs import Demand, JobKind, JobState, Lease, NewJob, Outcome
from backend.infrastructure.service_database import ServiceDatabase
from backend.services.jobs import Jobs
from tests.cluster import FreshDatabase
from tests.fake_jobs import FakeMachine
from tests.job_tables import BACKTEST, ROOM, Tables, claim, identity, open_tables

REFUSED = asyncpg.InsufficientPrivilegeError


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


async def expire(tables: Tables, lease: Lease) -> None:
    await tables.execute("update public.tasks set leased_until = now() - interval '1 s' where id = $1", lease.job.id)


async def test_of_many_claimers_each_job_goes_to_one(tables: Tables) -> None:
    users = [await tables.fresh.add_user() for _ in range(3)]
    for user_id in users:
        await tables.flood(user_id, 10)

    async def claim_all(runner_id: str) -> list[Lease]:
        found = []
        while lease := await claim(tables.queue, runner_id=runner_id):
            found.append(lease)
        return found

    found = await asyncio.gather(*(claim_all(f"runner {number}") for number in range(6)))
    claimed = [lease.job.id for leases in found for lease in leases]
    assert len(claimed) == len(set(claimed)) == 30
    assert {lease.epoch for leases in found for lease in leases} == {1}


async def test_of_two_who_want_the_same_job_one_gets_it(tables: Tables) -> None:
    mine = await tables.person()
    for _ in range(20):
        job = await mine.submit(BACKTEST)
        leases = await asyncio.gather(*(claim(tables.queue, job, runner_id=name) for name in ("one", "two")))
        won = [lease for lease in leases if lease is not None]
        assert len(won) == 1
        assert await tables.queue.finish([(won[0], Outcome.completed({}))])


async def test_claim_that_is_not_committed_holds_the_job_and_nobody_waits_for_it(tables: Tables) -> None:
    mine = await tables.person()
    first, second = await mine.submit(BACKTEST), await mine.submit(BACKTEST)
    async with tables.worker.acting_as_service() as connection:
        await connection.execute("select from public.tasks where id = $1 for update", first.id)
        lease = await asyncio.wait_for(claim(tables.queue, runner_id="other"), 1)
        assert lease is not None
        assert lease.job.id == second.id
        assert await asyncio.wait_for(claim(tables.queue, first, runner_id="other"), 1) is None


async def test_expired_lease_goes_back_and_its_late_writes_change_nothing(tables: Tables) -> None:
    """What a stopped process does when it is continued past its lease."""
    user_id = await tables.fresh.add_user()
    mine = tables.of(user_id)
    job = await mine.submit(BACKTEST)
    late = await claim(tables.queue, job, runner_id="stopped")
    assert late is not None
    await expire(tables, late)
    assert await tables.queue.reap() == 1
    assert await tables.queue.reap() == 0
    assert not await tables.queue.finish([(late, Outcome.completed({"by": "stopped"}))])
    present = await claim(tables.queue, runner_id="present")
    assert present is not None
    assert present.epoch == 2
    assert not await tables.queue.finish([(late, Outcome.completed({"by": "stopped"}))])
    assert (await tables.queue.renew([late])).lost == {job.id}
    assert await tables.queue.finish([(present, Outcome.completed({"by": "present"}))])
    assert not await tables.queue.finish([(late, Outcome.completed({"by": "stopped"}))])
    found = await mine.job(job.id)
    assert found is not None
    assert (found.state, found.result, found.attempts) == (JobState.COMPLETED, {"by": "present"}, 2)
    assert [event.type for event in (await mine.event_log(after=0, limit=9)).events] == [
        "task_queued",
        "task_running",
        "task_queued",
        "task_running",
        "task_completed",
    ]


async def test_of_many_finishes_at_once_one_counts(tables: Tables) -> None:
    mine = await tables.person()
    job = await mine.submit(BACKTEST)
    lease = await claim(tables.queue, job)
    assert lease is not None
    done = await asyncio.gather(
        *(tables.queue.finish([(lease, Outcome.completed({"number": number}))]) for number in range(6))
    )
    assert sum(map(bool, done)) == 1
    found = await mine.job(job.id)
    assert found is not None
    assert found.result == {"number": done.index(frozenset({job.id}))}
    assert (await mine.event_log(after=0, limit=9)).last_id == 3


async def test_renewed_lease_outlives_the_reaper(tables: Tables) -> None:
    mine = await tables.person()
    job = await mine.submit(BACKTEST)
    lease = await claim(tables.queue, job)
    assert lease is not None
    await expire(tables, lease)
    renewal = await tables.queue.renew([lease])
    assert renewal.until[job.id] > lease.until
    assert await tables.queue.reap() == 0


async def test_lease_of_a_clock_that_was_set_back_holds_no_longer_than_any(tables: Tables) -> None:
    mine = await tables.person()
    job = await mine.submit(BACKTEST)
    lease = await claim(tables.queue, job)
    assert lease is not None
    await tables.execute(
        "update public.tasks set leased_until = leased_until + interval '1 hour' where id = $1", job.id
    )
    assert await tables.queue.reap() == 0
    await tables.execute("update public.tasks set leased_until = leased_until - interval '31 s' where id = $1", job.id)
    assert await tables.queue.reap() == 1
    assert (await tables.queue.renew([lease])).lost == {job.id}


async def test_reaper_fails_what_has_no_attempts_left_and_cancels_what_was_to_stop(tables: Tables) -> None:
    mine = await tables.person()
    spent, unwanted = await mine.submit(BACKTEST), await mine.submit(BACKTEST)
    for job in (spent, unwanted):
        lease = await claim(tables.queue, job)
        assert lease is not None
        await expire(tables, lease)
    await tables.execute("update public.tasks set attempts = max_attempts where id = $1", spent.id)
    await mine.request_cancel(unwanted.id)
    assert await tables.queue.reap() == 2
    failed, cancelled = await mine.job(spent.id), await mine.job(unwanted.id)
    assert failed is not None
    assert cancelled is not None
    assert failed.failure is not None
    assert (failed.state, failed.failure.code) == (JobState.FAILED, "runner_lost")
    assert (cancelled.state, cancelled.failure) == (JobState.CANCELLED, None)


async def test_thousand_jobs_of_one_user_let_the_other_go_next(tables: Tables) -> None:
    greedy, modest = await tables.fresh.add_user(), await tables.fresh.add_user()
    await tables.flood(greedy, 1000)
    running = await claim(tables.queue)
    assert running is not None
    lone = await tables.of(modest).submit(BACKTEST)
    following = await claim(tables.queue)
    assert following is not None
    assert following.job.id == lone.id


async def test_claim_costs_the_same_in_a_long_queue(tables: Tables) -> None:
    """Read from the plan, not from a clock: a claim looks at a few rows of each user, not at all."""
    greedy = await tables.fresh.add_user()
    await tables.flood(greedy, 2000)
    await tables.execute("analyze public.tasks")
    before = await reads(tables)
    assert await claim(tables.queue) is not None
    assert await reads(tables) - before < 500


async def reads(tables: Tables) -> int:
    connection = await asyncpg.connect(tables.fresh.dsn("postgres"))
    try:
        # Other sessions tell their counts when they are idle, at most once a second unless they are asked.
        async with tables.worker.acting_as_service() as working:
            await working.execute("select pg_stat_force_next_flush()")
        return int(
            await connection.fetchval(
                "select sum(idx_tup_read) + (select sum(seq_tup_read) from pg_stat_user_tables where relname = 'tasks')"
                " from pg_stat_user_indexes where relname = 'tasks'"
            )
        )
    finally:
        await connection.close()


async def test_priority_ages(tables: Tables) -> None:
    mine = await tables.person()
    old = await mine.submit(BACKTEST)
    await tables.execute("update public.tasks set queued_at = now() - interval '150 s' where id = $1", old.id)
    urgent = await mine.submit(replace(BACKTEST, priority=2))
    more_urgent = await mine.submit(replace(BACKTEST, priority=3))
    order = []
    for _ in range(3):
        lease = await claim(tables.queue)
        assert lease is not None
        order.append(lease.job.id)
    assert order == [more_urgent.id, old.id, urgent.id]


async def test_large_job_is_passed_for_a_minute_and_then_room_is_kept_for_it(tables: Tables) -> None:
    mine, others = await tables.person(), await tables.person()
    large = await mine.submit(replace(BACKTEST, demand=ROOM))
    half = Demand(cores=1, memory_bytes=ROOM.memory_bytes // 2)
    for _ in range(2):
        await others.submit(BACKTEST)
    passing = await claim(tables.queue, room=half)
    assert passing is not None
    await tables.execute("update public.tasks set queued_at = now() - interval '61 s' where id = $1", large.id)
    assert await claim(tables.queue, room=half) is None
    assert await tables.queue.finish([(passing, Outcome.completed({}))])
    lease = await claim(tables.queue, room=ROOM)
    assert lease is not None
    assert lease.job.id == large.id
    assert await claim(tables.queue, room=half) is not None


async def test_no_room_is_kept_for_what_this_machine_cannot_hold(tables: Tables) -> None:
    mine = await tables.person()
    huge = await mine.submit(replace(BACKTEST, demand=Demand(cores=64, memory_bytes=1)))
    await tables.execute("update public.tasks set queued_at = now() - interval '61 s' where id = $1", huge.id)
    small = await mine.submit(BACKTEST)
    lease = await claim(tables.queue)
    assert lease is not None
    assert lease.job.id == small.id


async def test_large_jobs_of_one_user_keep_no_room_from_who_runs_less(tables: Tables) -> None:
    greedy = await tables.person()
    running = await greedy.submit(BACKTEST)
    assert await claim(tables.queue, running) is not None
    large = await greedy.submit(replace(BACKTEST, demand=ROOM))
    await tables.execute("update public.tasks set queued_at = now() - interval '61 s' where id = $1", large.id)
    lone = await (await tables.person()).submit(BACKTEST)
    lease = await claim(tables.queue, room=Demand(cores=2, memory_bytes=ROOM.memory_bytes // 2))
    assert lease is not None
    assert lease.job.id == lone.id


async def test_many_submits_at_once_stay_within_the_quota(tables: Tables) -> None:
    await tables.execute("insert into private.plans (name, most_queued, most_running) values ('five', 5, 1)")
    who = identity(await tables.fresh.add_user(raw_app_meta_data='{"plan": "five"}'))

    async def submit() -> None:
        async with tables.api.acting_as(who) as connection:
            await Jobs(JobTable(connection), FakeMachine(), Forecasts(), runner_id="here").submit(JobKind.BACKTEST, {})

    answers = await asyncio.gather(*(submit() for _ in range(20)), return_exceptions=True)
    refused = [answer for answer in answers if isinstance(answer, QuotaReached)]
    assert len(refused) == 15
    assert {(one.limit, one.count) for one in refused} == {(5, 5)}
    assert answers.count(None) == 5


async def test_many_hands_on_one_users_jobs_never_lock_each_other_out(tables: Tables) -> None:
    """Submits, claims, renewals, cancels and finishes of the same users, all at once, all end."""
    people = [await tables.person() for _ in range(2)]
    ended_at = time.monotonic() + 3
    done = 0

    async def user(number: int) -> None:
        mine = people[number % 2]
        while time.monotonic() < ended_at:
            job = await mine.submit(BACKTEST)
            if number % 3 == 0:
                await mine.request_cancel(job.id)
                await mine.retry(job.id)

    async def runner(name: str) -> None:
        nonlocal done
        while time.monotonic() < ended_at:
            lease = await claim(tables.queue, runner_id=name)
            if lease is None:
                await asyncio.sleep(0.001)
                continue
            await tables.queue.renew([lease])
            done += len(await tables.queue.finish([(lease, Outcome.completed({}))]))

    await asyncio.gather(*(user(number) for number in range(4)), *(runner(f"runner {number}") for number in range(3)))
    assert done > 0


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, 'backtest', '{}', 1, 1, 1, 1)",
        "update public.tasks set state = 'completed' where user_id = $1",
        "delete from public.tasks where user_id = $1",
        "insert into public.task_events (user_id, id, type, task) values ($1, 99, 'task_queued', '{}')",
        "delete from public.task_events where user_id = $1",
        "select * from private.task_event_counters where user_id = $1",
    ],
)
async def test_users_write_their_queue_by_its_functions_alone(tables: Tables, statement: str) -> None:
    user_id = await tables.fresh.add_user()
    await tables.flood(user_id, 1)
    with pytest.raises(REFUSED):
        async with tables.api.acting_as(identity(user_id)) as connection:
            await connection.execute(statement, user_id)


async def test_api_cannot_become_the_service(tables: Tables) -> None:
    disguised = ServiceDatabase(tables.fresh.dsn("app_api"), min_size=1)
    with pytest.raises(REFUSED):
        await disguised.open()


async def test_jobs_and_events_go_with_their_account(tables: Tables) -> None:
    user_id = await tables.fresh.add_user()
    mine = tables.of(user_id)
    job = await mine.submit(BACKTEST)
    lease = await claim(tables.queue, job)
    assert lease is not None
    connection = await asyncpg.connect(tables.fresh.dsn("supabase_auth_admin"))
    await connection.execute("delete from auth.users where id = $1", user_id)
    await connection.close()
    assert not await tables.queue.finish([(lease, Outcome.completed({}))])
    assert await tables.feed.of_users({user_id: 0}, limit=9) == []


async def test_only_housekeeping_has_no_user(tables: Tables) -> None:
    small = Demand(cores=1, memory_bytes=1)
    jobs = await asyncio.gather(
        *(tables.queue.add(NewJob(kind=JobKind.MAINTAIN, payload={}, demand=small)) for _ in range(6))
    )
    assert len({job.id for job in jobs}) == 1
    with pytest.raises(asyncpg.CheckViolationError):
        await tables.queue.add(NewJob(kind=JobKind.PREDICT, payload={}, demand=small))
