"""What the queue, the events and the runner need of the outside."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID

from backend.domain.events import BusMessage, EventLog, FeedPlace, Standing, TaskEvent
from backend.domain.forecast import CompletedRun
from backend.domain.jobs import (
    Ahead,
    Demand,
    Job,
    JobCounts,
    JobFailure,
    JobInBrief,
    JobKind,
    JobState,
    Lease,
    NewJob,
    Outcome,
    Progress,
    Renewal,
    RunningNow,
    Waiting,
)
from backend.domain.pages import Page, Place
from backend.domain.queue_play import QueueAround


class JobRepository(Protocol):
    """A user's own jobs, already narrowed by the database to those of the acting user."""

    async def counts(self) -> JobCounts:
        """How many wait and run, and may."""

    async def submit(self, job: NewJob) -> Job:
        """Add a job to the queue, with its event. The queue hears of it when this transaction commits.

        Raises QuotaReached, here or at the commit: when others took the last places of the user's plan meanwhile.
        """

    async def job(self, job_id: UUID) -> Job | None: ...

    async def jobs(
        self, *, limit: int, after: Place | None, states: Sequence[JobState] = (), kinds: Sequence[JobKind] = ()
    ) -> Page[JobInBrief]:
        """Newest first; empty states or kinds mean all."""

    async def request_cancel(self, job_id: UUID) -> Job | None:
        """Cancel what is queued, ask what is running to stop, leave the rest; None when there is no such job."""

    async def retry(self, job_id: UUID) -> Job | None:
        """Queue a failed or cancelled job for a new attempt; None when there is no such job in such a state.

        Raises QuotaReached when as many of the user's jobs wait as may.
        """

    async def queue_around(self, job_ids: Sequence[UUID], *, runner_id: str) -> QueueAround:
        """What the user's waiting jobs stand among: those that are next, these, and what runs, there or elsewhere."""

    async def event_log(self, *, after: int, limit: int) -> EventLog: ...

    async def standing(self, job_id: UUID) -> Standing | None:
        """The job and the user's last event, both of one moment; None when there is no such job."""


class JobQueue(Protocol):
    """The runner's side of all jobs. What is done under a lease that was lost changes nothing."""

    async def claim(
        self, runner_id: str, room: Demand, *, job_ids: Sequence[UUID] | None = None, ahead: Ahead = ...
    ) -> Sequence[Lease]:
        """Lease the next jobs that fit the room together, the next one first; when ids are given, these in their order.

        Next is the user with the fewest running jobs, then the priority, which ages. Each job that is leased counts as
        running for the one after it. Fewer than possible may come when others claim at the same time; nothing comes
        when there is nothing. `ahead` allows for some more, as long as nothing before them waits for room.
        """

    async def renew(self, leases: Sequence[Lease]) -> Renewal: ...

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        """End jobs for good, with their results and events: those whose lease held, all of them or (it raises) none."""

    async def hand_back(self, leases: Sequence[Lease]) -> frozenset[UUID]:
        """Queue jobs again, whose attempt does not count: those whose lease held."""

    async def recall(self, runner_id: str, known: Collection[UUID]) -> int:
        """Hand back what this runner leased and never heard of, since the answer was lost: all but those it knows."""

    async def lose(self, lease: Lease, failure: JobFailure) -> JobState | None:
        """The child died: queue the job again, or fail it when its attempts are spent; None when the lease was lost."""

    async def reap(self, *, gone: str | None = None) -> int:
        """Do the same for every expired lease, and for all that a runner has which is gone; how many there were.

        A lease that ends later than any can, since a clock was set back, ends when one would that is given now.
        """

    async def waiting(self) -> Sequence[Waiting]: ...

    async def add(self, job: NewJob) -> Job:
        """Add a job of the installation's own, unless one of its kind waits or runs already; then that one."""


class JobRecords(Protocol):
    """What the jobs of all users together tell about jobs, without saying whose they are."""

    async def completed(self, *, since: datetime | None, most: int) -> Sequence[CompletedRun]:
        """The latest completed jobs of each kind that ended after that moment, at most so many each."""

    async def running(self) -> Sequence[RunningNow]: ...


class JobHints(Protocol):
    """Tells the runner of this process at once what was queued here. A hint may be lost: the queue is the truth."""

    def tell(self, job_ids: Sequence[UUID]) -> None:
        """These were queued, and that is committed."""

    def listen(self, heard: Callable[[UUID], None]) -> Callable[[], None]:
        """Be told of each from now on, until what is returned is called."""


class Notices(Protocol):
    """Tells every process of what is committed, soon. A notice may be lost: the tables are the truth."""

    def tell(self, *, queued: Sequence[UUID] = (), users: Collection[UUID] = ()) -> None:
        """These jobs wait, and these users have new events; both are committed."""


class EventFeed(Protocol):
    """Events of all users, for who tells them on."""

    async def of_users(self, after: Mapping[UUID, int], *, limit: int) -> Sequence[TaskEvent]:
        """For each user the events after that id, at most so many each, in each user's order."""

    async def since(self, place: FeedPlace | None, *, limit: int) -> tuple[Sequence[TaskEvent], FeedPlace]:
        """Events of everybody after a place (None: from now on), and the place to go on from.

        It stops before the oldest transaction that is still open, so that none is ever skipped.
        """


class EventBus(Protocol):
    """Hints between processes, on named channels. They may be lost: the tables are the truth."""

    async def publish(self, channel: str, payload: str) -> bool:
        """Whether the bus took it."""

    def subscribe(self, *channels: str) -> AsyncIterator[BusMessage]:
        """Messages from now on. It survives a lost connection, and says on each channel when one may be missing."""


@dataclass(frozen=True, kw_only=True)
class Admission:
    """Whether a job can start now, and if not, why, in words and numbers."""

    is_granted: bool
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class MachineGauges:
    """What the machine, or the container around us, has and does."""

    cpu_percent: float
    memory_total_bytes: int
    memory_available_bytes: int
    capacity: Demand
    room: Demand


class ResourceMonitor(Protocol):
    """Knows what this machine can take."""

    def capacity(self) -> Demand:
        """The most that all jobs together may ever use."""

    def room(self) -> Demand:
        """What of it is free now."""

    def can_run(self, demand: Demand) -> Admission: ...

    def hold(self, demand: Demand, used: Callable[[], int] = ...) -> AbstractContextManager[None]:
        """Take so much of the room until the block ends; `used` tells how much memory of it is in use by now."""

    def gauges(self) -> MachineGauges: ...


class JobHandler(Protocol):
    """Does the jobs of one kind in the runner itself."""

    async def run(
        self, job: Job, report: Callable[[Progress], None], is_cancelled: Callable[[], bool]
    ) -> Mapping[str, Any]:
        """The job's result. Raises what went wrong."""


class JobMeter(Protocol):
    """Counts what becomes of jobs, for whoever watches the installation."""

    def job_started(self, kind: JobKind, *, waited_seconds: float) -> None: ...

    def job_ended(self, kind: JobKind, how: str, seconds: float) -> None: ...

    def eta_missed(self, kind: JobKind, share: float | None) -> None:
        """By what share of their length jobs of this kind miss what is foreseen of them; None before two of them."""

    def jobs_wait(self, waiting: Sequence[Waiting]) -> None: ...

    def worker_restarted(self) -> None: ...

    def leases_expired(self, count: int) -> None:
        """So many jobs were taken back from runners that went silent."""


@dataclass(frozen=True, kw_only=True)
class Readiness:
    """Whether a part of the house can do its work, in words."""

    is_ready: bool
    detail: str


class Housekeeping(Protocol):
    """What is deleted when its time is over; each answers how much that was."""

    async def forget_old_events(self) -> int: ...

    async def forget_old_answers(self) -> int:
        """Those kept for requests that might be sent again."""

    async def forget_ended_tokens(self) -> int:
        """Personal access tokens that expired or were revoked some time ago."""

    async def forget_ended_shares(self) -> int:
        """Links to results that did."""

    async def forget_deleted_backtests(self) -> int:
        """Those that their users deleted so long ago that they cannot be brought back."""

    async def forget_deleted_models(self) -> int:
        """Those that their users deleted some time ago, unless there are predictions of them."""

    async def forget_old_housekeeping(self) -> int:
        """Tasks of the installation itself that are over."""


class Election(Protocol):
    """Chooses one process among all that stand on the same database."""

    async def is_won(self) -> bool:
        """Whether this process is the chosen one now. The seat is free again as soon as the process is gone."""
