"""A queue in a real Postgres, its bus, and runners over them in this process."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest

from backend.domain.job_ports import JobHandler, JobRepository
from backend.domain.jobs import Demand, Job, JobKind, JobState, NewJob
from backend.infrastructure.event_bus import PostgresEventBus
from backend.infrastructure.monitoring import Monitor
from backend.infrastructure.resource_manager import Memory, ResourceManager
from backend.worker.children import Children
from backend.worker.runner import Runner
from backend.worker.running import Workshop
from tests.cluster import FreshDatabase
from tests.integration.test_children import until
from tests.integration.works import WORKS
from tests.job_tables import CONNECTIONS, Tables, open_tables

GIB = 1024**3


MIB = 1024**2


SMALL = Demand(cores=1, memory_bytes=128 * MIB)


@dataclass(frozen=True, kw_only=True)
class House:
    """A queue, its bus, and runners over them."""

    tables: Tables
    bus: PostgresEventBus
    mine: JobRepository
    me: UUID

    @asynccontextmanager
    async def runner(
        self,
        *,
        cores: int = 2,
        handlers: Mapping[JobKind, JobHandler] | None = None,
        meter: Monitor | None = None,
        **settings: Any,
    ) -> AsyncIterator[Runner]:
        runner = Runner(
            bus=self.bus,
            resources=ResourceManager(cores=cores, memory=lambda: Memory(total_bytes=4 * GIB, available_bytes=4 * GIB)),
            workshop=Workshop(children=Children(cores), works=WORKS, handlers=handlers or {}),
            meter=meter or Monitor(),
            **{"queue": self.tables.queue, **settings},
        )
        await runner.open()
        try:
            yield runner
        finally:
            await runner.close()

    async def submit(self, kind: JobKind = JobKind.BACKTEST, demand: Demand = SMALL, **payload: Any) -> Job:
        return await self.mine.submit(NewJob(kind=kind, payload=payload, demand=demand))

    async def submit_many(self, count: int, kind: JobKind, **payload: Any) -> list[Job]:
        """As many at once as there are connections, so that none waits for one in vain."""
        room = asyncio.Semaphore(CONNECTIONS)

        async def submit() -> Job:
            async with room:
                return await self.submit(kind, **payload)

        return await asyncio.gather(*(submit() for _ in range(count)))

    async def job(self, job: Job) -> Job:
        found = await self.mine.job(job.id)
        assert found is not None
        return found

    async def becomes(self, job: Job, state: JobState, *, seconds: float = 20) -> Job:
        deadline = time.monotonic() + seconds
        while (found := await self.job(job)).state != state:
            assert time.monotonic() < deadline, f"{found.state}, not {state}: {found.failure}"
            await asyncio.sleep(0.02)
        return found

    async def events_of(self, job: Job) -> list[str]:
        log = await self.mine.event_log(after=0, limit=1000)
        return [event.type.removeprefix("task_") for event in log.events if event.task["id"] == str(job.id)]

    async def kept_answers(self) -> list[str]:
        async with self.tables.worker.acting_as_service() as connection:
            return [row["key"] for row in await connection.fetch("select key from public.idempotency_keys")]

    async def expire_leases(self) -> None:
        await self.tables.execute(
            "update public.tasks set leased_until = now() - interval '1 s' where state = 'running'"
        )


@pytest.fixture
async def house(database: FreshDatabase) -> AsyncIterator[House]:
    async with open_tables(database) as tables:
        bus = PostgresEventBus(database.dsn("app_api"))
        await bus.open()
        me = await database.add_user()
        try:
            yield House(tables=tables, bus=bus, mine=tables.of(me), me=me)
        finally:
            await bus.close()


async def knows_that_nothing_waits(runner: Runner) -> None:
    await until(lambda: runner._workshop.children.idle > 0 and runner._nothing_waits)
    await asyncio.sleep(0.2)


def began(job: Job) -> float:
    assert job.result is not None
    return float(job.result["began"])


async def pid_of(runner: Runner, job: Job) -> int:
    await until(lambda: job.id in runner._running and runner._running[job.id]._child is not None)
    child = runner._running[job.id]._child
    assert child is not None
    return child.pid


async def ended(jobs: JobRepository, job: Job) -> bool:
    found = await jobs.job(job.id)
    return found is not None and found.state.is_final


async def until_async(holds: Callable[[], Any], *, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not await holds():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)
