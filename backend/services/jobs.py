"""A person's own jobs: submitting, watching, cancelling and running them again."""

from collections.abc import Mapping, Sequence
from typing import Any
from uuid import UUID

from backend.domain.errors import JobNotFound, JobNotRetryable
from backend.domain.forecast import Forecasts
from backend.domain.job_data import require_storable
from backend.domain.job_ports import JobRepository, ResourceMonitor
from backend.domain.jobs import KINDS, Demand, Job, JobCounts, JobInBrief, JobKind, JobState, NewJob, require_possible
from backend.domain.pages import Page, Place
from backend.domain.waiting import Wait, waits


class Jobs:
    """The jobs of the one who is acting."""

    def __init__(
        self, repository: JobRepository, machine: ResourceMonitor, forecasts: Forecasts, *, runner_id: str
    ) -> None:
        """`machine` and `forecasts` are this process's, which takes jobs itself as the runner of that id."""
        self._repository = repository
        self._machine = machine
        self._forecasts = forecasts
        self._runner_id = runner_id

    async def submit(
        self,
        kind: JobKind,
        payload: Mapping[str, Any],
        *,
        demand: Demand | None = None,
        work_units: float | None = None,
        priority: int = 0,
    ) -> Job:
        """Add a job to the queue, within the user's quota. `demand` is estimated from its input, else that of its kind.

        `work_units` says how much work it is, in a measure of its kind that its time grows with: bars, rows,
        bars x combinations. With it, how long the job takes is foreseen better than by its kind alone.
        """
        wanted = demand or KINDS[kind].demand
        require_storable(payload)
        require_possible(wanted, self._machine.capacity())
        return await self._repository.submit(
            NewJob(kind=kind, payload=payload, demand=wanted, work_units=work_units, priority=priority)
        )

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
    ) -> Page[JobInBrief]:
        return await self._repository.jobs(limit=limit, after=after, states=states, kinds=kinds)

    async def counts(self) -> JobCounts:
        """How many wait and run, and how many may by the plan."""
        return await self._repository.counts()

    async def waits(self, jobs: Sequence[JobInBrief]) -> Mapping[UUID, Wait]:
        """Of those among them that cannot start at once: why, and for about how long."""
        queued = [job.id for job in jobs if job.state == JobState.QUEUED]
        if not queued:
            return {}
        found = waits(
            await self._repository.queue_around(queued, runner_id=self._runner_id),
            self._forecasts,
            room=self._machine.room(),
            capacity=self._machine.capacity(),
            lacks=lambda demand: self._machine.can_run(demand).reason,
        )
        return {job_id: found[job_id] for job_id in queued if job_id in found}

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
        retried = await self._repository.retry(job_id)
        if retried is None:
            raise JobNotRetryable(job_id, (await self.job(job_id)).state)
        return retried
