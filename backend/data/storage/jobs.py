"""A user's own jobs in Postgres. The connection acts as the user, so row level security narrows every row."""

import json
from collections.abc import Mapping, MutableSequence, Sequence
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backend.data.storage.events import event_of
from backend.domain.events import EventLog, Standing
from backend.domain.jobs import (
    KINDS,
    Demand,
    Job,
    JobCounts,
    JobFailure,
    JobInBrief,
    JobKind,
    JobState,
    NewJob,
    Quota,
    about,
    series_in,
)
from backend.domain.pages import Page, Place
from backend.domain.queue_play import MOST_USERS_AROUND, BusyJob, QueueAround, WaitingJobs
from backend.infrastructure.database import refusals_told

if TYPE_CHECKING:
    import asyncpg


# Returned by a statement whose transaction tells of its changes itself once it is committed; the migration
# `notices_after_the_commit` says why.
TOLD_LATER = "set_config('tidemark.notices', 'later', true) as notices"

_SUBMIT = "select submitted.*{told} from private.submit_my_task($1, $2, $3, $4, $5, $6, $7, $8) as submitted"


class JobTable:
    """A JobRepository on one connection, inside one transaction."""

    def __init__(
        self, connection: "asyncpg.Connection[asyncpg.Record]", queued: MutableSequence[UUID] | None = None
    ) -> None:
        """To `queued` it adds the jobs that wait by what was done here, once that is committed.

        Whoever gives it tells of them then, and of their user.
        """
        self._connection = connection
        self._told = "" if queued is None else f", {TOLD_LATER}"
        self._queued = queued if queued is not None else []

    async def counts(self) -> JobCounts:
        row = await self._connection.fetchrow("select * from private.count_my_tasks()")
        if row is None:
            raise LookupError("the statement counted nothing")
        quota = Quota(queued=row["most_queued"], running=row["most_running"], plan=row["plan"])
        return JobCounts(queued=row["queued"], running=row["running"], quota=quota)

    async def submit(self, job: NewJob) -> Job:
        rules = KINDS[job.kind]
        with refusals_told():
            row = await self._connection.fetchrow(
                _SUBMIT.format(told=self._told),
                job.kind,
                json.dumps(dict(job.payload)),
                job.demand.cores,
                job.demand.memory_bytes,
                job.priority,
                rules.max_attempts,
                rules.wall_limit_seconds,
                job.work_units,
            )
        added = job_of(row)
        self._queued.append(added.id)
        return added

    async def job(self, job_id: UUID) -> Job | None:
        row = await self._connection.fetchrow("select * from public.tasks where id = $1", job_id)
        return None if row is None else job_of(row)

    async def jobs(
        self, *, limit: int, after: Place | None, states: Sequence[JobState] = (), kinds: Sequence[JobKind] = ()
    ) -> Page[JobInBrief]:
        rows = await self._connection.fetch(
            """
            select id, user_id, kind, state, cores, memory_bytes, work_units, priority, attempts, max_attempts,
                   lease_epoch, wall_limit_seconds, cancel_requested_at, created_at, queued_at, started_at, finished_at,
                   failure, is_partial, coalesce(payload -> 'series', payload #> '{config,series}') as series
            from public.tasks
            where ($2::timestamptz is null or (created_at, id) < ($2, $3::uuid))
              and (cardinality($4::text[]) = 0 or state = any($4))
              and (cardinality($5::text[]) = 0 or kind = any($5))
            order by created_at desc, id desc
            limit $1
            """,
            limit + 1,
            after and after.at,
            after and after.id,
            list(states),
            list(kinds),
        )
        jobs = tuple(JobInBrief(**brief_of(row), about=about(_value(row["series"]))) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=jobs, next=Place(at=jobs[-1].created_at, id=jobs[-1].id) if there_is_more else None)

    async def request_cancel(self, job_id: UUID) -> Job | None:
        await self._connection.execute("select private.cancel_my_task($1)", job_id)
        return await self.job(job_id)

    async def retry(self, job_id: UUID) -> Job | None:
        job = await self.job(job_id)
        if job is None:
            return None
        with refusals_told():
            is_queued = await self._connection.fetchval(
                "select private.retry_my_task($1, $2)", job_id, KINDS[job.kind].max_attempts
            )
        if not is_queued:
            return None
        self._queued.append(job_id)
        return await self.job(job_id)

    async def queue_around(self, job_ids: Sequence[UUID], *, runner_id: str) -> QueueAround:
        rows = await self._connection.fetch("select * from private.queue_around_me($1, $2)", list(job_ids), runner_id)
        waiting = [row for row in rows if not row["is_running"]]
        return QueueAround(
            waiting=[_waiting(row) for row in waiting],
            running=[_busy(row) for row in rows if row["is_running"]],
            most_running={row["owner"]: row["most_running"] for row in waiting},
            is_cut=any(row["owner"] > MOST_USERS_AROUND for row in waiting),
        )

    async def event_log(self, *, after: int, limit: int) -> EventLog:
        rows = await self._connection.fetch(
            """
            select ids.first_kept_id, ids.last_id, event.user_id, event.id, event.type, event.at, event.task
            from private.my_event_ids() as ids
            left join lateral (
                select user_id, id, type, at, task from public.task_events where id > $1 order by id limit $2
            ) as event on true
            order by event.id
            """,
            after,
            limit,
        )
        return EventLog(
            events=tuple(event_of(row) for row in rows if row["id"] is not None),
            first_kept_id=rows[0]["first_kept_id"],
            last_id=rows[0]["last_id"],
        )

    async def standing(self, job_id: UUID) -> Standing | None:
        row = await self._connection.fetchrow(
            "select task.*, ids.last_id from public.tasks as task, private.my_event_ids() as ids where task.id = $1",
            job_id,
        )
        return None if row is None else Standing(job=job_of(row), last_id=row["last_id"])


def job_of(row: "asyncpg.Record | None") -> Job:
    """The job of a row of the table."""
    if row is None:
        raise LookupError("the statement returned no job")
    payload = json.loads(row["payload"])
    return Job(
        **brief_of(row),
        about=about(series_in(payload)),
        payload=payload,
        result=_object(row["result"]),
        log_tail=row["log_tail"],
    )


def _value(text: str | None) -> object:
    return None if text is None else json.loads(text)


def brief_of(row: "asyncpg.Record") -> dict[str, Any]:
    return {
        **{name: row[name] for name in _AS_THEY_ARE},
        "kind": JobKind(row["kind"]),
        "state": JobState(row["state"]),
        "demand": Demand(cores=row["cores"], memory_bytes=row["memory_bytes"]),
        "failure": _failure(_object(row["failure"])),
    }


_AS_THEY_ARE = (
    "id",
    "user_id",
    "work_units",
    "priority",
    "attempts",
    "max_attempts",
    "lease_epoch",
    "wall_limit_seconds",
    "cancel_requested_at",
    "created_at",
    "queued_at",
    "started_at",
    "finished_at",
    "is_partial",
)


def _waiting(row: "asyncpg.Record") -> WaitingJobs:
    return WaitingJobs(
        owner=row["owner"],
        kind=JobKind(row["kind"]),
        demand=Demand(cores=row["cores"], memory_bytes=row["memory_bytes"]),
        work_units=row["work_units"],
        turn_seconds=row["seconds"],
        last_turn_seconds=row["last_seconds"],
        waited_seconds=row["waited_seconds"],
        count=row["jobs"],
        is_cut=row["is_cut"],
        job_id=row["job_id"],
        place=row["place"],
    )


def _busy(row: "asyncpg.Record") -> BusyJob:
    return BusyJob(
        owner=row["owner"],
        is_here=row["is_here"],
        kind=JobKind(row["kind"]),
        demand=Demand(cores=row["cores"], memory_bytes=row["memory_bytes"]),
        work_units=row["work_units"],
        elapsed=max(row["seconds"], 0.0),
    )


def _object(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _failure(facts: Mapping[str, Any] | None) -> JobFailure | None:
    return None if facts is None else JobFailure(**facts)
