"""Bad company: a job that ignores its cancel, and one user's burst while another waits for a single job."""

import asyncio
import time
from uuid import UUID

from backend.domain.accounts import Identity
from backend.domain.jobs import JobKind, JobState
from scripts.benches.queueing.ours import Queue

BURST = 1_000
# How long each job of the slower burst takes.
JOB_SECONDS = 0.02
_SECONDS_BETWEEN_SINGLES = 0.1


async def stubborn_gone_after_seconds(queue: Queue) -> float:
    """From the call that cancels a job that ignores it until the job is recorded as cancelled, its process gone."""
    who = queue.users[0]
    job = await queue.submit(who, JobKind.OPTIMIZE)
    while (await _state(queue, who, job.id)) != JobState.RUNNING:
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)
    cancelled = time.monotonic()
    async with queue.house.acting_as(who) as services:
        await services.jobs.cancel(job.id)
    ended = await queue.ended(who, job.id)
    if ended.state != JobState.CANCELLED:
        raise AssertionError(f"the stubborn job is {ended.state}, not cancelled")
    return time.monotonic() - cancelled


async def waits_during_burst_ms(queue: Queue, kind: JobKind, **payload: float) -> list[float]:
    """What single jobs of one user wait from commit to first line while another's burst is worked off."""
    greedy, modest = queue.users[2:4]
    burst = asyncio.create_task(_burst(queue, greedy, kind, payload))
    waits = []
    await asyncio.sleep(_SECONDS_BETWEEN_SINGLES)
    while not burst.done() or await _waiting(queue, greedy):
        job = await queue.submit(modest)
        committed = queue.commits.at
        ended = await queue.ended(modest, job.id)
        waits.append(((ended.result or {})["began"] - committed) * 1e3)
        await asyncio.sleep(_SECONDS_BETWEEN_SINGLES)
    await burst
    return waits


async def _burst(queue: Queue, who: Identity, kind: JobKind, payload: dict[str, float]) -> None:
    numbers = iter(range(BURST))

    async def submit_some() -> None:
        for _ in numbers:
            await queue.submit(who, kind, **payload)

    await asyncio.gather(*(submit_some() for _ in range(8)))


async def _waiting(queue: Queue, who: Identity) -> int:
    async with queue.house.acting_as(who, readonly=True) as services:
        return (await services.jobs.counts()).queued


async def _state(queue: Queue, who: Identity, job_id: UUID) -> JobState:
    async with queue.house.acting_as(who, readonly=True) as services:
        return (await services.jobs.job(job_id)).state
