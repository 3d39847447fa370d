"""What is foreseen of waiting jobs, beside what the real claim then does with them; and what asking costs."""

import heapq
import random
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from statistics import median, quantiles
from uuid import UUID, uuid4

import pytest

from backend.domain.forecast import CompletedRun, Forecasts
from backend.domain.job_ports import JobRepository
from backend.domain.jobs import Demand, Job, JobKind, Lease, NewJob, Outcome
from backend.domain.queue_play import MOST_USERS_AROUND
from backend.domain.waiting import waits
from tests.cluster import FreshDatabase
from tests.job_tables import BACKTEST, Tables, open_tables

MIB = 1024**2
MACHINE = Demand(cores=4, memory_bytes=1024 * MIB)
RUNNER = "here"


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


SECONDS = {JobKind.BACKTEST: 3.0, JobKind.SWEEP: 11.0, JobKind.TRAIN: 19.0}


def new(kind: JobKind, cores: int = 1) -> NewJob:
    return NewJob(kind=kind, payload={}, demand=Demand(cores=cores, memory_bytes=MIB))


def knowing() -> Forecasts:
    forecasts = Forecasts()
    forecasts.learn(
        CompletedRun(job_id=uuid4(), kind=kind, work_units=None, seconds=seconds, ended_at=datetime.now(UTC))
        for kind, seconds in SECONDS.items()
    )
    return forecasts


async def foreseen(mine: JobRepository, jobs: list[Job], room: Demand = MACHINE) -> dict[UUID, float | None]:
    around = await mine.queue_around([job.id for job in jobs], runner_id=RUNNER)
    found = waits(around, knowing(), room=room, capacity=MACHINE, lacks=lambda demand: None)
    return {job.id: found[job.id].seconds if job.id in found else 0.0 for job in jobs}


class Clockwork:
    """A runner in a time of its own: it claims what the real queue gives it, and each job takes what its kind does."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables
        self.started: dict[UUID, float] = {}

    async def run(self) -> None:
        now, cores, ends = 0.0, MACHINE.cores, list[tuple[float, int, int, Lease]]()
        while True:
            room = Demand(cores=cores, memory_bytes=MACHINE.memory_bytes)
            leases = await self._tables.queue.claim(RUNNER, room) if cores else ()
            for lease in leases:
                self.started[lease.job.id] = now
                cores -= lease.job.demand.cores
                heapq.heappush(ends, (now + SECONDS[lease.job.kind], len(self.started), lease.job.demand.cores, lease))
            if leases:
                continue
            if ends:
                now, _, given_back, ended = heapq.heappop(ends)
                cores += given_back
                await self._tables.queue.finish([(ended, Outcome.completed({}))])
            else:
                return


async def test_jobs_start_about_when_it_was_foreseen(tables: Tables, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three users, jobs of three kinds, some of two cores: of the others only kinds and numbers are known."""
    # The play has a clock of its own, while the queue's goes on by milliseconds.
    monkeypatch.setattr("backend.domain.queue_play.PATIENCE_SECONDS", float("inf"))
    missed: list[float] = []
    for seed in range(6):
        chance = random.Random(seed)
        people = [await tables.person() for _ in range(3)]
        whose = [chance.randrange(3) for _ in range(40)]
        jobs = [
            await people[number].submit(new(chance.choice(list(SECONDS)), cores=chance.choice([1, 1, 2])))
            for number in whose
        ]
        mine = [job for number, job in zip(whose, jobs, strict=True) if number == 0]
        expected = await foreseen(people[0], mine)
        clockwork = Clockwork(tables)
        await clockwork.run()
        assert max(clockwork.started.values()) > 100
        missed += [abs((expected[job.id] or 0.0) - clockwork.started[job.id]) for job in mine]
    # Half of them by less than half a job; whoever guessed would be off by a third of the whole.
    assert median(missed) <= 10, missed
    assert quantiles(missed, n=10)[-1] <= 35, missed


async def test_ones_own_jobs_alone_start_exactly_when_it_was_foreseen(tables: Tables) -> None:
    mine = await tables.person()
    jobs = [await mine.submit(new(list(SECONDS)[number % 3])) for number in range(25)]
    expected = await foreseen(mine, jobs)
    clockwork = Clockwork(tables)
    await clockwork.run()
    assert expected == pytest.approx(clockwork.started)


async def test_user_whose_plan_lets_one_job_run_waits_for_it(tables: Tables) -> None:
    await tables.execute("insert into private.plans (name, most_queued, most_running) values ('one', 9, 1)")
    mine = tables.of(await tables.fresh.add_user(raw_app_meta_data='{"plan": "one"}'))
    first, second = await mine.submit(new(JobKind.SWEEP)), await mine.submit(new(JobKind.SWEEP))
    assert await tables.queue.claim(RUNNER, MACHINE, job_ids=[first.id])
    around = await mine.queue_around([second.id], runner_id=RUNNER)
    found = waits(around, knowing(), room=MACHINE, capacity=MACHINE, lacks=lambda demand: None)
    assert found[second.id].reason == "Waits for one of your tasks to end: 1 of at most 1 run."
    assert found[second.id].seconds == pytest.approx(11, abs=2)


async def test_floods_are_looked_at_within_bounds(tables: Tables) -> None:
    mine = await tables.person()
    for _ in range(3):
        await tables.flood(await tables.fresh.add_user(), 300)
    jobs = [await mine.submit(BACKTEST) for _ in range(3)]
    around = await mine.queue_around([job.id for job in jobs], runner_id=RUNNER)
    others = [found for found in around.waiting if found.job_id is None]
    assert [(found.count, found.is_cut) for found in others] == [(64, True)] * 3
    assert [found.place for found in around.mine] == [1, 2, 3]


async def test_own_flood_is_told_near_its_head_and_where_it_was_asked_for(tables: Tables) -> None:
    me = await tables.fresh.add_user()
    await tables.flood(me, 600)
    last = await tables.of(me).submit(BACKTEST)
    around = await tables.of(me).queue_around([last.id], runner_id=RUNNER)
    assert [found.place for found in around.mine] == [*range(1, 257), 601]
    assert around.mine[-1].job_id == last.id


async def test_more_users_than_are_looked_at_are_noticed(tables: Tables) -> None:
    mine = await tables.person()
    job = await mine.submit(BACKTEST)
    await tables.execute(
        """
        with people as (
            insert into auth.users (id, email, aud, role) select gen_random_uuid(), gen_random_uuid() || '@x.org',
                   'authenticated', 'authenticated' from generate_series(1, $1) returning id
        )
        insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)
        select id, 'backtest', '{}', 1, 1, 3, 60 from people
        """,
        MOST_USERS_AROUND + 1,
    )
    around = await mine.queue_around([job.id], runner_id=RUNNER)
    assert around.is_cut
    assert len({found.owner for found in around.waiting}) == MOST_USERS_AROUND + 2
