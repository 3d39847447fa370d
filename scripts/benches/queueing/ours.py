"""Our own queue as it is served: real services, a real runner with warm children, an embedded Postgres with fsync."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import asyncpg

from backend.bootstrap import House, open_house, read_settings, start_logging
from backend.cli.serve import spare_the_collector
from backend.domain.accounts import Identity
from backend.domain.job_ports import JobHints, JobQueue
from backend.domain.jobs import Demand, Job, JobKind, Lease, Outcome
from backend.worker.children import Children
from backend.worker.runner import Runner
from backend.worker.running import Workshop
from scripts.benches.queueing.limits import IN_FLIGHT
from scripts.benches.queueing.works import WORKS

SMALL = Demand(cores=1, memory_bytes=64 * 1024**2)
_WARM_UP = 40


class Commits:
    """Hints that remember when they came, which is when the answer to the commit did."""

    def __init__(self, hints: JobHints) -> None:
        self.listen = hints.listen
        self.at = 0.0
        self._hints = hints

    def tell(self, job_ids: Sequence[UUID]) -> None:
        self.at = time.monotonic()
        self._hints.tell(job_ids)


class Finishes:
    """The queue, and word of how many jobs were finished in it for good."""

    def __init__(self, queue: JobQueue) -> None:
        self._queue = queue
        self.on_finish = asyncio.Semaphore(0)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._queue, name)

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        written = await self._queue.finish(endings)
        for _ in written:
            self.on_finish.release()
        return written


@dataclass(frozen=True, kw_only=True)
class Start:
    """What one job waited: from the call, and from the answer to its commit."""

    from_call_ms: float
    from_commit_ms: float


@dataclass(frozen=True, kw_only=True)
class Queue:
    """A house with users whose jobs it runs."""

    house: House
    commits: Commits
    finishes: Finishes
    users: Sequence[Identity]
    owner_dsn: str

    async def submit(self, who: Identity, kind: JobKind = JobKind.PREDICT, **payload: Any) -> Job:
        async with self.house.acting_as(who) as services:
            return await services.jobs.submit(kind, payload, demand=SMALL)

    async def ended(self, who: Identity, job_id: UUID) -> Job:
        while True:
            async with self.house.acting_as(who, readonly=True) as services:
                job = await services.jobs.job(job_id)
            if job.state.is_final:
                return job
            await asyncio.sleep(0.01)

    async def starts(self, count: int = 300, *, rest_seconds: float = 0.0) -> list[Start]:
        """One job at a time: the next is submitted when the one before is finished for good, or after a rest."""
        finished = self.finishes.on_finish = asyncio.Semaphore(0)
        sent = []
        for _ in range(count + _WARM_UP):
            called = time.monotonic()
            job = await self.submit(self.users[0])
            sent.append((job.id, called, self.commits.at))
            await finished.acquire()
            await asyncio.sleep(rest_seconds)
        return [await self._start_of(*one) for one in sent[_WARM_UP:]]

    async def jobs_a_second(self, users: int, count: int = 3_000) -> float:
        """So many on their way at once, each finished for good before another is submitted."""
        numbers = iter(range(count))
        room = self.finishes.on_finish = asyncio.Semaphore(IN_FLIGHT)
        began = time.monotonic()

        async def submit_some(who: Identity) -> None:
            for _ in numbers:
                await room.acquire()
                await self.submit(who)

        await asyncio.gather(*(submit_some(self.users[number % users]) for number in range(IN_FLIGHT)))
        for _ in range(IN_FLIGHT):
            await room.acquire()
        return count / (time.monotonic() - began)

    async def verify(self) -> int:
        """Every job has its result and its events, in their order and without a gap; how many that are."""
        connection = await asyncpg.connect(self.owner_dsn)
        try:
            await connection.execute("set role service_role")
            jobs, whole = await connection.fetchrow(_WHOLE) or (0, 0)
        finally:
            await connection.close()
        if jobs != whole:
            raise AssertionError(f"of {jobs:,} jobs only {whole:,} have a result and all of their events")
        return int(jobs)

    async def _start_of(self, job_id: UUID, called: float, committed: float) -> Start:
        began = ((await self.ended(self.users[0], job_id)).result or {})["began"]
        return Start(from_call_ms=(began - called) * 1e3, from_commit_ms=(began - committed) * 1e3)


_WHOLE = """
    with told as (
        select task ->> 'id' as task_id, array_agg(type order by id) as types from public.task_events group by 1
    ),
    gapless as (
        select user_id from public.task_events group by user_id having max(id) = count(*) and min(id) = 1
    )
    select count(*), count(*) filter (
        where state = 'completed' and result ? 'began' and attempts = 1
          and types = array['task_queued', 'task_running', 'task_completed']
          and user_id in (select user_id from gapless)
    )
    from public.tasks left join told on task_id = tasks.id::text
    where user_id is not null
"""


@asynccontextmanager
async def open_queue() -> AsyncIterator[Queue]:
    """A house on a data directory of its own, with its runner, as `tidemark serve` has it."""
    # Not where only root may look: Postgres never runs as root.
    with tempfile.TemporaryDirectory(prefix="tidemark-bench-") as folder:
        Path(folder).chmod(0o755)
        settings = read_settings(data_dir=Path(folder) / "data")
        start_logging(settings)
        async with open_house(settings, address="http://127.0.0.1:9", say=lambda text: None) as opened:
            commits, finishes = Commits(opened.hints), Finishes(opened.queue)
            house = replace(opened, hints=commits, queue=finishes)
            async with _runner(house):
                spare_the_collector()
                yield Queue(
                    house=house,
                    commits=commits,
                    finishes=finishes,
                    users=[await add_user(house.owner_dsn) for _ in range(8)],
                    owner_dsn=house.owner_dsn,
                )


@asynccontextmanager
async def _runner(house: House) -> AsyncIterator[None]:
    children = Children(house.resources.capacity().cores)
    runner = Runner(
        queue=house.queue,
        bus=house.bus,
        resources=house.resources,
        workshop=Workshop(children=children, works=WORKS, handlers={}),
        meter=house.monitor,
        hints=house.hints,
        forecasts=house.foresight.forecasts,
        runner_id=house.runner_id,
    )
    await runner.open()
    try:
        while children.idle < children.count:
            await asyncio.sleep(0.05)
        yield
    finally:
        await runner.close()


async def add_user(owner_dsn: str) -> Identity:
    """An account as Supabase Auth would write it."""
    user_id = uuid4()
    connection = await asyncpg.connect(owner_dsn)
    try:
        await connection.execute(
            "insert into auth.users (id, email, aud, role, is_anonymous)"
            " values ($1, $2, 'authenticated', 'authenticated', false)",
            user_id,
            f"{user_id}@example.com",
        )
    finally:
        await connection.close()
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=None,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        claims={"sub": str(user_id), "role": "authenticated"},
    )
