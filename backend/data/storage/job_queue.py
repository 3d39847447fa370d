"""The queue of all users' jobs in Postgres, as the runner works on it.

Each write for a run names the epoch of its claim, so whoever lost the lease changes nothing.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backend.data.storage.jobs import job_of
from backend.domain.jobs import (
    DEFAULT_QUOTA,
    KINDS,
    LEASE_SECONDS,
    PATIENCE_SECONDS,
    Demand,
    Job,
    JobFailure,
    JobKind,
    JobState,
    Lease,
    NewJob,
    Outcome,
    Renewal,
    Waiting,
)

if TYPE_CHECKING:
    from backend.infrastructure.database import Database

_CLAIM_THIS = """
    with chosen as (
        select id from public.tasks
        where id = $1 and state = 'queued' and cores <= $4 and memory_bytes <= $5
          and (select count(*) from public.tasks as other where other.queue = tasks.queue and other.state = 'running')
              < $6
        for update skip locked
    )
    update public.tasks set
        state = 'running', runner_id = $2, lease_epoch = lease_epoch + 1, attempts = attempts + 1,
        leased_until = now() + make_interval(secs => $3), started_at = now()
    where id = (select id from chosen)
    returning *
"""

# One queue per user, found by jumping from user to user along the index; a long queue costs what a short one does.
# As many jobs are looked at as claims may go on at once without one of them finding nothing.
# Small jobs pass a large one for a while only: then the room that comes free is kept for it, or it would never start.
_CLAIM_NEXT = """
    with recursive users as (
        (select queue from public.tasks where state = 'queued' order by queue limit 1)
        union all
        select (select queue from public.tasks where state = 'queued' and queue > users.queue order by queue limit 1)
        from users where users.queue is not null
    ),
    candidates as (
        select head.id, head.fits, row_number() over turns as place,
               bool_or(not head.fits and head.queued_at < now() - make_interval(secs => $8)) over turns as is_kept_back
        from users
        cross join lateral (
            select count(*) as running from public.tasks where queue = users.queue and state = 'running'
        ) as busy
        cross join lateral (
            select id, turn, queued_at, cores <= $3 and memory_bytes <= $4 as fits from public.tasks
            where queue = users.queue and state = 'queued' and cores <= $6 and memory_bytes <= $7
            order by turn, id limit 32
        ) as head
        where users.queue is not null and busy.running < $5
        window turns as (order by busy.running, head.turn, head.id rows unbounded preceding)
    ),
    first_few as (
        select id, place from candidates where fits and not is_kept_back order by place limit 64
    ),
    chosen as (
        select tasks.id from first_few join public.tasks on tasks.id = first_few.id
        where tasks.state = 'queued'
        order by first_few.place
        limit 1
        for update of tasks skip locked
    )
    update public.tasks set
        state = 'running', runner_id = $1, lease_epoch = lease_epoch + 1, attempts = attempts + 1,
        leased_until = now() + make_interval(secs => $2), started_at = now()
    where id = (select id from chosen)
    returning *
"""

# Attempts are spent: it fails for good. Somebody wanted it cancelled: it is. Else it waits for its next attempt.
_GIVE_UP = """
    update public.tasks set
        state = case when cancel_requested_at is not null then 'cancelled'
                     when attempts < max_attempts then 'queued' else 'failed' end,
        failure = case when cancel_requested_at is null and attempts >= max_attempts then {failure} end,
        finished_at = case when cancel_requested_at is not null or attempts >= max_attempts then now() end,
        queued_at = case when cancel_requested_at is null and attempts < max_attempts then now() else queued_at end,
        leased_until = null, runner_id = null
    where {which}
    returning state
"""


class JobQueueTable:
    """A JobQueue over the database, as the service."""

    def __init__(
        self,
        database: "Database",
        *,
        capacity: Callable[[], Demand],
        most_running_per_user: int = DEFAULT_QUOTA.running,
    ) -> None:
        """`capacity` is what this machine can give at most: no room is kept for jobs that are larger."""
        self._database = database
        self._capacity = capacity
        self._most_running_per_user = most_running_per_user

    async def claim(self, job_id: UUID | None, runner_id: str, room: Demand) -> Lease | None:
        limits = (room.cores, room.memory_bytes, self._most_running_per_user)
        async with self._database.acting_as_service() as connection:
            if job_id is None:
                largest = self._capacity()
                row = await connection.fetchrow(
                    _CLAIM_NEXT,
                    runner_id,
                    LEASE_SECONDS,
                    *limits,
                    largest.cores,
                    largest.memory_bytes,
                    PATIENCE_SECONDS,
                )
            else:
                row = await connection.fetchrow(_CLAIM_THIS, job_id, runner_id, LEASE_SECONDS, *limits)
        return None if row is None else Lease(job=job_of(row), epoch=row["lease_epoch"], until=row["leased_until"])

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                """
                with held as (
                    select id from public.tasks
                    join unnest($1::uuid[], $2::bigint[]) as lease (id, epoch) using (id)
                    where state = 'running' and lease_epoch = lease.epoch
                    order by id for update of tasks
                )
                update public.tasks set leased_until = now() + make_interval(secs => $3)
                from held where tasks.id = held.id
                returning tasks.id, tasks.leased_until, tasks.cancel_requested_at is not null as is_cancelled
                """,
                [lease.job.id for lease in leases],
                [lease.epoch for lease in leases],
                LEASE_SECONDS,
            )
        held = {row["id"]: row["leased_until"] for row in rows}
        return Renewal(
            until=held,
            lost=frozenset(lease.job.id for lease in leases) - held.keys(),
            cancel_requested=frozenset(row["id"] for row in rows if row["is_cancelled"]),
        )

    async def finish(self, lease: Lease, outcome: Outcome) -> bool:
        async with self._database.acting_as_service() as connection:
            return bool(
                await connection.fetchval(
                    """
                    update public.tasks set
                        state = $3, result = $4, failure = $5, is_partial = $6, log_tail = $7, finished_at = now(),
                        leased_until = null, runner_id = null
                    where id = $1 and lease_epoch = $2 and state = 'running'
                    returning true
                    """,
                    lease.job.id,
                    lease.epoch,
                    outcome.state,
                    _json(outcome.result),
                    _failure(outcome.failure),
                    outcome.is_partial,
                    outcome.log_tail,
                )
            )

    async def hand_back(self, lease: Lease) -> bool:
        async with self._database.acting_as_service() as connection:
            return bool(
                await connection.fetchval(
                    """
                    update public.tasks set
                        state = case when cancel_requested_at is null then 'queued' else 'cancelled' end,
                        finished_at = case when cancel_requested_at is not null then now() end,
                        attempts = attempts - 1, leased_until = null, runner_id = null
                    where id = $1 and lease_epoch = $2 and state = 'running'
                    returning true
                    """,
                    lease.job.id,
                    lease.epoch,
                )
            )

    async def lose(self, lease: Lease, failure: JobFailure) -> JobState | None:
        async with self._database.acting_as_service() as connection:
            state = await connection.fetchval(
                _GIVE_UP.format(failure="$3::jsonb", which="id = $1 and lease_epoch = $2 and state = 'running'"),
                lease.job.id,
                lease.epoch,
                _failure(failure),
            )
        return None if state is None else JobState(state)

    async def reap(self) -> int:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                _GIVE_UP.format(
                    failure="$1::jsonb",
                    which="""id in (select id from public.tasks where state = 'running' and leased_until < now()
                                    order by id for update skip locked)""",
                ),
                _failure(RUNNER_LOST),
            )
        return len(rows)

    async def waiting(self) -> Sequence[Waiting]:
        async with self._database.acting_as_service() as connection:
            rows = await connection.fetch(
                "select kind, count(*), min(queued_at) as oldest from public.tasks"
                " where state = 'queued' group by kind order by kind"
            )
        return [Waiting(kind=JobKind(row["kind"]), count=row["count"], oldest_queued_at=row["oldest"]) for row in rows]

    async def add(self, job: NewJob) -> Job:
        rules = KINDS[job.kind]
        async with self._database.acting_as_service() as connection:
            await connection.execute(
                """
                insert into public.tasks
                    (kind, payload, cores, memory_bytes, priority, max_attempts, wall_limit_seconds)
                values ($1, $2, $3, $4, $5, $6, $7)
                on conflict (kind) where user_id is null and state in ('queued', 'running') do nothing
                """,
                job.kind,
                json.dumps(dict(job.payload)),
                job.demand.cores,
                job.demand.memory_bytes,
                job.priority,
                rules.max_attempts,
                rules.wall_limit_seconds,
            )
            row = await connection.fetchrow(
                "select * from public.tasks where user_id is null and kind = $1 order by created_at desc limit 1",
                job.kind,
            )
        return job_of(row)


RUNNER_LOST = JobFailure(
    code="runner_lost",
    title="The process that ran this task went away",
    detail=f"Nothing was heard of it for {LEASE_SECONDS} s, at each attempt that the task had.",
    remedy="Run the task again. If it happens once more, ask the operator for the log of this time.",
)


def _failure(failure: JobFailure | None) -> str | None:
    return None if failure is None else json.dumps(asdict(failure))


def _json(facts: Any) -> str | None:
    return None if facts is None else json.dumps(dict(facts))
