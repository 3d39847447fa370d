"""What happened to a person's jobs: the record that every stream of events begins with and falls back on."""

from collections.abc import Sequence
from uuid import UUID

from backend.domain.errors import JobNotFound
from backend.domain.events import EventLog, Standing
from backend.domain.job_ports import JobRepository
from backend.domain.jobs import JobState

_BEHIND_EVERYTHING = 2**63 - 1
_MOST_RUNNING = 200


class Events:
    """The events of the one who is acting."""

    def __init__(self, jobs: JobRepository) -> None:
        self._jobs = jobs

    async def log(self, *, after: int | None, limit: int) -> EventLog:
        """Events after that id, oldest first; without one none, only where the record ends now."""
        if after is None:
            return await self._jobs.event_log(after=_BEHIND_EVERYTHING, limit=1)
        return await self._jobs.event_log(after=after, limit=limit)

    async def running(self) -> Sequence[UUID]:
        """The jobs that run now, whose progress no event tells."""
        page = await self._jobs.jobs(limit=_MOST_RUNNING, after=None, states=(JobState.RUNNING,))
        return [job.id for job in page.items]

    async def standing(self, job_id: UUID) -> Standing:
        """Where a job stands, and behind which event its news begin."""
        standing = await self._jobs.standing(job_id)
        if standing is None:
            raise JobNotFound(job_id)
        return standing
