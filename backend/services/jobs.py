"""A person's own jobs: submitting, watching, cancelling and running them again."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from backend.domain.errors import JobNotFound, JobNotRetryable, QuotaReached
from backend.domain.jobs import KINDS, Demand, Job, JobCounts, JobKind, JobState, NewJob, require_possible
from backend.domain.pages import Page, Place
from backend.domain.ports import JobRepository, ResourceMonitor


class Jobs:
    """The jobs of the one who is acting."""

    def __init__(self, repository: JobRepository, machine: ResourceMonitor) -> None:
        self._repository = repository
        self._machine = machine

    async def submit(
        self, kind: JobKind, payload: Mapping[str, Any], *, demand: Demand | None = None, priority: int = 0
    ) -> Job:
        """Add a job to the queue; `demand` is estimated from the size of its input, else the one of its kind."""
        wanted = demand or KINDS[kind].demand
        require_possible(wanted, self._machine.capacity())
        await self._require_room_in_queue()
        return await self._repository.submit(NewJob(kind=kind, payload=payload, demand=wanted, priority=priority))

    async def job(self, job_id: UUID) -> Job:
        job = await self._repository.job(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    async def jobs(
        self,
        *,
        limit: int,
        after: Place | None = None,
        states: Sequence[JobState] = (),
        kinds: Sequence[JobKind] = (),
    ) -> Page[Job]:
        return await self._repository.jobs(limit=limit, after=after, states=states, kinds=kinds)

    async def counts(self) -> JobCounts:
        """How many wait and run, and how many may by the plan."""
        return await self._repository.counts(lock=False)

    async def cancel(self, job_id: UUID) -> Job:
        """What waits is cancelled at once, what runs is asked to stop; what has ended stays as it is."""
        job = await self._repository.request_cancel(job_id)
        if job is None:
            raise JobNotFound(job_id)
        return job

    async def retry(self, job_id: UUID) -> Job:
        """Queue a failed or cancelled job for a new attempt."""
        job = await self.job(job_id)
        if job.state in (JobState.FAILED, JobState.CANCELLED):
            require_possible(job.demand, self._machine.capacity())
            await self._require_room_in_queue()
        retried = await self._repository.retry(job_id)
        if retried is None:
            raise JobNotRetryable(job_id, (await self.job(job_id)).state)
        return retried

    async def _require_room_in_queue(self) -> None:
        """Counted under a lock until the transaction ends, so that many submits at once cannot pass the quota."""
        counts = await self._repository.counts()
        if counts.queued >= counts.quota.queued:
            raise QuotaReached("waiting tasks", limit=counts.quota.queued, count=counts.queued)
