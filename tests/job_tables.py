"""The queue over a real Postgres, as its users and its runners see it: every call is a transaction of its own."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import asyncpg

from backend.data.storage.events import EventTable
from backend.data.storage.job_queue import JobQueueTable
from backend.data.storage.jobs import JobTable
from backend.domain.accounts import Identity
from backend.domain.job_ports import EventFeed, JobQueue, JobRepository
from backend.domain.jobs import Demand, Job, JobFailure, JobKind, Lease, NewJob, Outcome
from backend.infrastructure.database import Database
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase
from tests.fakes import START

SMALL = Demand(cores=1, memory_bytes=64 * 1024**2)
ROOM = Demand(cores=4, memory_bytes=1024**3)
# For one small job, and no more.
ONE = Demand(cores=1, memory_bytes=1024**3)
BROKEN = JobFailure(code="broken", title="It broke", detail="By 3 of 5.", remedy="Mend it.", log_tail="crack")
BACKTEST = NewJob(kind=JobKind.BACKTEST, payload={"fast": 20, "symbols": ["BTC/USDT"]}, demand=SMALL)


@dataclass(frozen=True, kw_only=True)
class Sides:
    """One queue: as its owner sees it, as somebody else does, and as the runner does."""

    mine: JobRepository
    others: JobRepository
    queue: JobQueue
    feed: EventFeed

    async def failed(self) -> Job:
        job = await self.mine.submit(BACKTEST)
        lease = await claim(self.queue, job)
        assert lease is not None
        assert await self.queue.finish([(lease, Outcome.failed(BROKEN))])
        return job


async def claim(
    queue: JobQueue, job: Job | None = None, *, room: Demand = ONE, runner_id: str = "runner"
) -> Lease | None:
    """This job, or the next one alone; None when there is none."""
    leases = await queue.claim(runner_id, room, job_ids=None if job is None else [job.id])
    assert len(leases) < 2
    return leases[0] if leases else None


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The logins of a fresh database, with nothing in the queue."""

    fresh: FreshDatabase
    api: Database
    worker: ServiceDatabase

    @property
    def queue(self) -> JobQueueTable:
        return JobQueueTable(self.worker, capacity=lambda: ROOM)

    @property
    def feed(self) -> EventTable:
        return EventTable(self.worker)

    async def person(self) -> JobRepository:
        return self.of(await self.fresh.add_user())

    def of(self, user_id: UUID) -> JobRepository:
        return cast(JobRepository, Committing(self.api, identity(user_id), JobTable))

    async def sides(self) -> Sides:
        return Sides(mine=await self.person(), others=await self.person(), queue=self.queue, feed=self.feed)

    async def flood(self, user_id: UUID, count: int) -> None:
        """So many jobs of one user, which need next to nothing."""
        await self.execute(
            "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
            " select $1, 'backtest', '{}', 1, 1, 3, 60 from generate_series(1, $2)",
            user_id,
            count,
        )

    async def execute(self, statement: str, *arguments: object) -> None:
        connection = await asyncpg.connect(self.fresh.dsn("postgres"))
        try:
            await connection.execute(statement, *arguments)
        finally:
            await connection.close()


@asynccontextmanager
async def open_tables(fresh: FreshDatabase) -> AsyncIterator[Tables]:
    api = Database(fresh.dsn("app_api"), min_size=1, max_size=8)
    worker = ServiceDatabase(fresh.dsn("app_worker"), min_size=1)
    await api.open()
    await worker.open()
    tables = Tables(fresh=fresh, api=api, worker=worker)
    try:
        await tables.execute("truncate public.tasks, public.task_events, private.task_event_counters cascade")
        yield tables
    finally:
        await api.close()
        await worker.close()


def identity(user_id: UUID) -> Identity:
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=None,
        expires_at=START + timedelta(hours=1),
        claims={"sub": str(user_id), "role": "authenticated"},
    )


class Committing:
    """A repository as requests use it: each call in a transaction of its own."""

    def __init__(self, database: Database, who: Identity, table: Callable[[Any], object]) -> None:
        self._database = database
        self._who = who
        self._table = table

    def __getattr__(self, name: str) -> object:
        async def call(*arguments: object, **named: object) -> object:
            async with self._database.acting_as(self._who) as connection:
                return await getattr(self._table(connection), name)(*arguments, **named)

        return call
