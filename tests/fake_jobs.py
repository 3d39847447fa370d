"""In-memory twins of the queue. They share one table and, like Postgres, let each user see their own rows alone."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import groupby
from statistics import fmean
from typing import Any
from uuid import UUID, uuid4

from backend.domain.errors import QuotaReached
from backend.domain.events import EventLog, EventType, FeedPlace, Standing, TaskEvent
from backend.domain.forecast import CompletedRun
from backend.domain.job_ports import Admission, MachineGauges
from backend.domain.jobs import (
    DEFAULT_QUOTA,
    KINDS,
    LEASE_SECONDS,
    NOTHING_AHEAD,
    SECONDS_A_PRIORITY_STEP,
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
    Quota,
    Renewal,
    RunningNow,
    Waiting,
    about,
    series_in,
)
from backend.domain.pages import Page, Place
from backend.domain.queue_play import ME, BusyJob, QueueAround, WaitingJobs
from tests.fakes import FakeClock

LOST = JobFailure(code="runner_lost", title="Gone", detail="Nothing was heard of it.")


@dataclass
class FakeTasks:
    """The table that both sides work on, with its events."""

    clock: FakeClock = field(default_factory=FakeClock)
    jobs: dict[UUID, Job] = field(default_factory=dict)
    leases: dict[UUID, datetime] = field(default_factory=dict)
    events: list[TaskEvent] = field(default_factory=list)
    quotas: dict[UUID, Quota] = field(default_factory=dict)
    runners: dict[UUID, str] = field(default_factory=dict)

    def add(self, user_id: UUID | None, new: NewJob) -> Job:
        # Two rows of one instant would have no order.
        self.clock.advance(microseconds=1)
        now = self.clock.now()
        job = Job(
            id=uuid4(),
            user_id=user_id,
            kind=new.kind,
            state=JobState.QUEUED,
            payload=dict(new.payload),
            about=about(series_in(new.payload)),
            demand=new.demand,
            work_units=new.work_units,
            priority=new.priority,
            attempts=0,
            max_attempts=KINDS[new.kind].max_attempts,
            lease_epoch=0,
            wall_limit_seconds=KINDS[new.kind].wall_limit_seconds,
            cancel_requested_at=None,
            created_at=now,
            queued_at=now,
            started_at=None,
            finished_at=None,
            result=None,
            failure=None,
            log_tail=None,
            is_partial=False,
        )
        self.jobs[job.id] = job
        self._tell(job)
        return job

    def change(self, job: Job, **changes: Any) -> Job:
        state = changes.get("state", job.state)
        assert state == job.state or job.state.can_become(state), f"{job.state} cannot become {state}"
        self.jobs[job.id] = changed = replace(job, **changes)
        if changed.state != JobState.RUNNING:
            self.leases.pop(job.id, None)
        if (changed.state, changed.cancel_requested_at) != (job.state, job.cancel_requested_at):
            self._tell(changed)
        return changed

    def end(self, job: Job, state: JobState, **changes: Any) -> Job:
        return self.change(job, state=state, finished_at=self.clock.now(), **changes)

    def in_state(self, state: JobState) -> list[Job]:
        return [job for job in self.jobs.values() if job.state == state]

    def events_of(self, user_id: UUID) -> list[TaskEvent]:
        return [event for event in self.events if event.user_id == user_id]

    def seconds_since(self, moment: datetime) -> float:
        return (self.clock.now() - moment).total_seconds()

    def _tell(self, job: Job) -> None:
        if job.user_id is None:
            return
        self.events.append(
            TaskEvent(
                id=len(self.events_of(job.user_id)) + 1,
                user_id=job.user_id,
                type=EventType(f"task_{job.state}"),
                at=self.clock.now(),
                task={"id": str(job.id), "kind": str(job.kind), "state": str(job.state)},
            )
        )


class FakeJobs:
    """A JobRepository."""

    def __init__(self, user_id: UUID, tasks: FakeTasks | None = None) -> None:
        self._user_id = user_id
        self._tasks = tasks or FakeTasks()

    async def counts(self) -> JobCounts:
        states = [job.state for job in self._mine()]
        return JobCounts(
            queued=states.count(JobState.QUEUED),
            running=states.count(JobState.RUNNING),
            quota=self._tasks.quotas.get(self._user_id, DEFAULT_QUOTA),
        )

    async def submit(self, job: NewJob) -> Job:
        await self._require_room()
        return self._tasks.add(self._user_id, job)

    async def job(self, job_id: UUID) -> Job | None:
        return next((job for job in self._mine() if job.id == job_id), None)

    async def jobs(
        self, *, limit: int, after: Place | None, states: Sequence[JobState] = (), kinds: Sequence[JobKind] = ()
    ) -> Page[JobInBrief]:
        found = [
            job
            for job in sorted(self._mine(), key=lambda job: (job.created_at, job.id), reverse=True)
            if (after is None or (job.created_at, job.id) < (after.at, after.id))
            and (not states or job.state in states)
            and (not kinds or job.kind in kinds)
        ]
        items = tuple(found[:limit])
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if len(found) > limit else None)

    async def request_cancel(self, job_id: UUID) -> Job | None:
        job = await self.job(job_id)
        if job is None or job.state.is_final or job.cancel_requested_at is not None:
            return job
        now = self._tasks.clock.now()
        if job.state == JobState.QUEUED:
            return self._tasks.end(job, JobState.CANCELLED, cancel_requested_at=now)
        return self._tasks.change(job, cancel_requested_at=now)

    async def retry(self, job_id: UUID) -> Job | None:
        job = await self.job(job_id)
        if job is None or job.state not in (JobState.FAILED, JobState.CANCELLED):
            return None
        await self._require_room()
        return self._tasks.change(
            job,
            state=JobState.QUEUED,
            queued_at=self._tasks.clock.now(),
            max_attempts=job.attempts + KINDS[job.kind].max_attempts,
            started_at=None,
            finished_at=None,
            cancel_requested_at=None,
            result=None,
            failure=None,
            log_tail=None,
            is_partial=False,
        )

    async def queue_around(self, job_ids: Sequence[UUID], *, runner_id: str) -> QueueAround:
        waiting = sorted(self._tasks.in_state(JobState.QUEUED), key=lambda job: (_turn(job), job.id))
        strangers = sorted({job.user_id for job in waiting if job.user_id != self._user_id}, key=str)
        owners = {self._user_id: ME, **{user_id: number for number, user_id in enumerate(strangers, 1)}}
        mine = [job for job in waiting if job.user_id == self._user_id]
        return QueueAround(
            waiting=[
                *(self._waiting([job], ME, job_id=job.id, place=place) for place, job in enumerate(mine, 1)),
                *(
                    self._waiting(list(alike), owners[user_id])
                    for user_id in strangers
                    for alike in _alike(job for job in waiting if job.user_id == user_id)
                ),
            ],
            running=[
                BusyJob(
                    owner=owners.get(job.user_id, -1),
                    is_here=self._tasks.runners[job.id] == runner_id,
                    kind=job.kind,
                    demand=job.demand,
                    work_units=job.work_units,
                    elapsed=self._tasks.seconds_since(job.started_at or job.queued_at),
                )
                for job in self._tasks.in_state(JobState.RUNNING)
            ],
            most_running={
                owner: self._tasks.quotas.get(user_id or self._user_id, DEFAULT_QUOTA).running
                for user_id, owner in owners.items()
                if any(job.user_id == user_id for job in waiting)
            },
        )

    def _waiting(
        self, alike: Sequence[Job], owner: int, *, job_id: UUID | None = None, place: int | None = None
    ) -> WaitingJobs:
        known = [job.work_units for job in alike if job.work_units is not None]
        return WaitingJobs(
            owner=owner,
            kind=alike[0].kind,
            demand=alike[0].demand,
            work_units=fmean(known) if known else None,
            turn_seconds=max(self._tasks.seconds_since(_turn(job)) for job in alike),
            last_turn_seconds=min(self._tasks.seconds_since(_turn(job)) for job in alike),
            waited_seconds=max(self._tasks.seconds_since(job.queued_at) for job in alike),
            count=len(alike),
            job_id=job_id,
            place=place,
        )

    async def event_log(self, *, after: int, limit: int) -> EventLog:
        events = self._tasks.events_of(self._user_id)
        return EventLog(
            events=tuple(event for event in events if event.id > after)[:limit],
            first_kept_id=1,
            last_id=len(events),
        )

    async def standing(self, job_id: UUID) -> Standing | None:
        job = await self.job(job_id)
        return None if job is None else Standing(job=job, last_id=len(self._tasks.events_of(self._user_id)))

    async def _require_room(self) -> None:
        counts = await self.counts()
        if counts.queued >= counts.quota.queued:
            raise QuotaReached("waiting tasks", limit=counts.quota.queued, count=counts.queued)

    def _mine(self) -> list[Job]:
        return [job for job in self._tasks.jobs.values() if job.user_id == self._user_id]


class FakeJobQueue:
    """A JobQueue."""

    def __init__(self, tasks: FakeTasks) -> None:
        self._tasks = tasks

    async def claim(
        self,
        runner_id: str,
        room: Demand,
        *,
        job_ids: Sequence[UUID] | None = None,
        ahead: Ahead = NOTHING_AHEAD,
    ) -> Sequence[Lease]:
        """One after the other, as one claim for each would take them."""
        leases: list[Lease] = []
        for job in self._in_turn(job_ids):
            fits = job.demand.fits(room)
            if fits:
                room = Demand(
                    cores=room.cores - job.demand.cores, memory_bytes=room.memory_bytes - job.demand.memory_bytes
                )
            elif job.kind in ahead.kinds and ahead.count > 0:
                ahead = replace(ahead, count=ahead.count - 1)
            else:
                # What is leased ahead passes nothing that waits for room.
                ahead = NOTHING_AHEAD
                continue
            leases.append(self._lease(job, runner_id))
        return leases

    def _in_turn(self, job_ids: Sequence[UUID] | None) -> Iterator[Job]:
        """Whose turn it is by what is running at each step; each waiting job once."""
        left = [job for job in self._tasks.in_state(JobState.QUEUED) if job_ids is None or job.id in job_ids]
        while True:
            allowed = [job for job in left if self._running_of(job.user_id) < self._quota_of(job.user_id).running]
            if not allowed:
                return
            if job_ids is None:
                job = min(allowed, key=lambda job: (self._running_of(job.user_id), _turn(job), job.id))
            else:
                job = min(allowed, key=lambda job: job_ids.index(job.id))
            left.remove(job)
            yield job

    def _lease(self, job: Job, runner_id: str) -> Lease:
        until = self._tasks.clock.now() + timedelta(seconds=LEASE_SECONDS)
        self._tasks.leases[job.id] = until
        self._tasks.runners[job.id] = runner_id
        claimed = self._tasks.change(
            job,
            state=JobState.RUNNING,
            attempts=job.attempts + 1,
            lease_epoch=job.lease_epoch + 1,
            started_at=self._tasks.clock.now(),
        )
        return Lease(job=claimed, epoch=claimed.lease_epoch, until=until)

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        held = [job for lease in leases if (job := self._held(lease))]
        until = self._tasks.clock.now() + timedelta(seconds=LEASE_SECONDS)
        self._tasks.leases.update({job.id: until for job in held})
        return Renewal(
            until={job.id: until for job in held},
            lost=frozenset(lease.job.id for lease in leases) - {job.id for job in held},
            cancel_requested=frozenset(job.id for job in held if job.cancel_requested_at is not None),
        )

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        held = [(job, outcome) for lease, outcome in endings if (job := self._held(lease))]
        for job, outcome in held:
            self._tasks.end(
                job,
                outcome.state,
                result=outcome.result,
                failure=outcome.failure,
                log_tail=outcome.log_tail,
                is_partial=outcome.is_partial,
            )
        return frozenset(job.id for job, _ in held)

    async def hand_back(self, leases: Sequence[Lease]) -> frozenset[UUID]:
        held = [job for lease in leases if (job := self._held(lease))]
        for job in held:
            self._return(job)
        return frozenset(job.id for job in held)

    async def recall(self, runner_id: str, known: Collection[UUID]) -> int:
        strays = [
            job
            for job in self._tasks.in_state(JobState.RUNNING)
            if self._tasks.runners.get(job.id) == runner_id and job.id not in known
        ]
        for job in strays:
            self._return(job)
        return len(strays)

    async def lose(self, lease: Lease, failure: JobFailure) -> JobState | None:
        job = self._held(lease)
        return None if job is None else self._give_up(job, failure)

    async def reap(self, *, gone: str | None = None) -> int:
        now, leases, runners = self._tasks.clock.now(), self._tasks.leases, self._tasks.runners
        left = [
            job
            for job in self._tasks.in_state(JobState.RUNNING)
            if leases[job.id] < now or (gone is not None and runners[job.id] == gone)
        ]
        for job in left:
            self._give_up(job, LOST)
        until = now + timedelta(seconds=LEASE_SECONDS)
        for job in self._tasks.in_state(JobState.RUNNING):
            if leases[job.id] > until + timedelta(seconds=LEASE_SECONDS):
                leases[job.id] = until
        return len(left)

    async def waiting(self) -> Sequence[Waiting]:
        queued = self._tasks.in_state(JobState.QUEUED)
        return [
            Waiting(
                kind=kind,
                count=sum(job.kind == kind for job in queued),
                oldest_queued_at=min(job.queued_at for job in queued if job.kind == kind),
            )
            for kind in {job.kind for job in queued}
        ]

    async def add(self, job: NewJob) -> Job:
        for known in self._tasks.jobs.values():
            if known.user_id is None and known.kind == job.kind and not known.state.is_final:
                return known
        return self._tasks.add(None, job)

    def _return(self, job: Job) -> None:
        if job.cancel_requested_at is not None:
            self._tasks.end(job, JobState.CANCELLED, attempts=job.attempts - 1)
        else:
            self._tasks.change(job, state=JobState.QUEUED, attempts=job.attempts - 1)

    def _quota_of(self, user_id: UUID | None) -> Quota:
        return self._tasks.quotas.get(user_id, DEFAULT_QUOTA) if user_id is not None else DEFAULT_QUOTA

    def _running_of(self, user_id: UUID | None) -> int:
        return sum(job.user_id == user_id for job in self._tasks.in_state(JobState.RUNNING))

    def _held(self, lease: Lease) -> Job | None:
        job = self._tasks.jobs.get(lease.job.id)
        is_held = job is not None and job.state == JobState.RUNNING and job.lease_epoch == lease.epoch
        return job if is_held else None

    def _give_up(self, job: Job, failure: JobFailure) -> JobState:
        if job.cancel_requested_at is not None:
            return self._tasks.end(job, JobState.CANCELLED).state
        if job.attempts >= job.max_attempts:
            return self._tasks.end(job, JobState.FAILED, failure=failure).state
        return self._tasks.change(job, state=JobState.QUEUED, queued_at=self._tasks.clock.now()).state


class FakeJobRecords:
    """A JobRecords."""

    def __init__(self, tasks: FakeTasks) -> None:
        self._tasks = tasks

    async def completed(self, *, since: datetime | None, most: int) -> Sequence[CompletedRun]:
        runs = [
            CompletedRun(
                job_id=job.id,
                kind=job.kind,
                work_units=job.work_units,
                seconds=(job.finished_at - job.started_at).total_seconds(),
                ended_at=job.finished_at,
            )
            for job in self._tasks.in_state(JobState.COMPLETED)
            if job.started_at and job.finished_at and not job.is_partial and (since is None or job.finished_at > since)
        ]
        latest = sorted(runs, key=lambda run: run.ended_at)
        return [run for kind in JobKind for run in [one for one in latest if one.kind == kind][-most:]]

    async def running(self) -> Sequence[RunningNow]:
        kinds = Counter(job.kind for job in self._tasks.in_state(JobState.RUNNING))
        return [RunningNow(kind=kind, count=count) for kind, count in sorted(kinds.items())]


class FakeEventFeed:
    """An EventFeed; every change is a transaction of its own."""

    def __init__(self, tasks: FakeTasks) -> None:
        self._tasks = tasks

    async def of_users(self, after: Mapping[UUID, int], *, limit: int) -> Sequence[TaskEvent]:
        return [
            event
            for user_id in sorted(after)
            for event in [one for one in self._tasks.events_of(user_id) if one.id > after[user_id]][:limit]
        ]

    async def since(self, place: FeedPlace | None, *, limit: int) -> tuple[Sequence[TaskEvent], FeedPlace]:
        nobody = UUID(int=0)
        if place is None:
            return [], FeedPlace(transaction=len(self._tasks.events), user_id=nobody, event_id=0)
        events = self._tasks.events[place.transaction :][:limit]
        return events, FeedPlace(transaction=place.transaction + len(events), user_id=nobody, event_id=0)


class FakeMachine:
    """A ResourceMonitor of a machine that does nothing else."""

    def __init__(self, *, cores: int = 4, memory_bytes: int = 4 * 1024**3) -> None:
        self._all = Demand(cores=cores, memory_bytes=memory_bytes)

    def capacity(self) -> Demand:
        return self._all

    def room(self) -> Demand:
        return self._all

    def can_run(self, demand: Demand) -> Admission:
        if not demand.fits(self._all):
            return Admission(is_granted=False, reason="The machine is smaller than that.")
        has_core = demand.cores <= self.room().cores
        return Admission(is_granted=has_core, reason=None if has_core else "A machine without a free core.")

    def hold(self, demand: Demand, used: Callable[[], int] = lambda: 0) -> AbstractContextManager[None]:
        return nullcontext()

    def gauges(self) -> MachineGauges:
        return MachineGauges(
            cpu_percent=12.5,
            memory_total_bytes=2 * self._all.memory_bytes,
            memory_available_bytes=self._all.memory_bytes,
            capacity=self._all,
            room=self._all,
        )


def _alike(jobs: Iterable[Job]) -> Iterable[Iterable[Job]]:
    def kind_and_demand(job: Job) -> tuple[str, int, int]:
        return job.kind, job.demand.cores, job.demand.memory_bytes

    return (list(alike) for _, alike in groupby(sorted(jobs, key=kind_and_demand), kind_and_demand))


def _turn(job: Job) -> datetime:
    return job.queued_at - timedelta(seconds=SECONDS_A_PRIORITY_STEP * job.priority)
