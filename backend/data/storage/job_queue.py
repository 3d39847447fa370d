"""The queue of all users' jobs in Postgres, as the runner works on it.

Each write for a run names the epoch of its claim, so whoever lost the lease changes nothing.
"""

import json
from collections.abc import Callable, Collection, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backend.data.storage.job_claims import claim_next, claim_these
from backend.data.storage.jobs import TOLD_LATER, job_of
from backend.domain.jobs import (
    KINDS,
    LEASE_SECONDS,
    NOTHING_AHEAD,
    Ahead,
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
    import asyncpg

    from backend.domain.job_ports import Notices
    from backend.infrastructure.service_database import ServiceDatabase

# Those of the given jobs that still run under the lease that they are named with.
_HELD = """held as (
    select id from public.tasks join unnest($1::uuid[], $2::bigint[]) as lease (id, epoch) using (id)
    where state = 'running' and lease_epoch = lease.epoch
    order by id for update of tasks
)"""

_RENEW = f"""
    with {_HELD}
    update public.tasks set leased_until = now() + make_interval(secs => $3)
    from held where tasks.id = held.id
    returning tasks.id, tasks.leased_until, tasks.cancel_requested_at is not null as is_cancelled
"""  # noqa: S608 - put together from constants

_FINISH = f"""
    with ended as (
        select * from unnest($1::uuid[], $3::text[], $4::text[], $5::text[], $6::boolean[], $7::text[])
            as ended (id, state, result, failure, is_partial, log_tail)
    ), {_HELD}
    update public.tasks set
        state = ended.state, result = ended.result::jsonb, failure = ended.failure::jsonb,
        is_partial = ended.is_partial, log_tail = ended.log_tail, finished_at = now(),
        leased_until = null, runner_id = null
    from held join ended using (id) where tasks.id = held.id
    returning tasks.id
"""  # noqa: S608 - put together from constants

_HANDED_BACK = """
        state = case when cancel_requested_at is null then 'queued' else 'cancelled' end,
        finished_at = case when cancel_requested_at is not null then now() end,
        attempts = attempts - 1, leased_until = null, runner_id = null
"""

_HAND_BACK = f"""
    with {_HELD}
    update public.tasks set {_HANDED_BACK}
    from held where tasks.id = held.id
    returning tasks.id, user_id, state
"""  # noqa: S608 - put together from constants

_RECALL = f"""
    update public.tasks set {_HANDED_BACK}
    where id in (
        select id from public.tasks where state = 'running' and runner_id = $1 and id <> all($2)
        order by id for update
    )
    returning id, user_id, state
"""  # noqa: S608 - put together from constants

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
    returning id, user_id, state
"""


# The clock was set back since: nobody shall wait until its time comes again. Longer than a lease, so that one who is
# renewing it now is not in the way.
_SHORTEN = """
    update public.tasks set leased_until = now() + make_interval(secs => $1)
    where id in (select id from public.tasks
                 where state = 'running' and leased_until > now() + make_interval(secs => 2 * $1)
                 order by id for update skip locked)
"""


class JobQueueTable:
    """A JobQueue over the database, as the service. Each write is one statement, and its own transaction.

    Rows are locked in the order of their ids, so that no two statements over many jobs wait for each other.
    """

    def __init__(
        self, database: "ServiceDatabase", *, capacity: Callable[[], Demand], notices: "Notices | None" = None
    ) -> None:
        """`capacity` is what this machine can give at most: no room is kept for jobs that are larger.

        With `notices` whatever becomes of jobs here is told once it is committed, and not by the commit itself.
        """
        self._database = database
        self._capacity = capacity
        self._notices = notices
        self._told = "" if notices is None else f", {TOLD_LATER}"

    async def claim(
        self, runner_id: str, room: Demand, *, job_ids: Sequence[UUID] | None = None, ahead: Ahead = NOTHING_AHEAD
    ) -> Sequence[Lease]:
        if job_ids is not None:
            rows = await claim_these(self._database, runner_id, room, ahead, job_ids=job_ids, told=self._told)
        else:
            rows = await claim_next(self._database, runner_id, room, ahead, largest=self._capacity(), told=self._told)
        self._tell([row["user_id"] for row in rows])
        return [Lease(job=job_of(row), epoch=row["lease_epoch"], until=row["leased_until"]) for row in rows]

    async def renew(self, leases: Sequence[Lease]) -> Renewal:
        rows = await self._database.fetch(
            _RENEW,
            *_ids_and_epochs(leases),
            LEASE_SECONDS,
        )
        held = {row["id"]: row["leased_until"] for row in rows}
        return Renewal(
            until=held,
            lost=frozenset(lease.job.id for lease in leases) - held.keys(),
            cancel_requested=frozenset(row["id"] for row in rows if row["is_cancelled"]),
        )

    async def finish(self, endings: Sequence[tuple[Lease, Outcome]]) -> frozenset[UUID]:
        outcomes = [outcome for _, outcome in endings]
        rows = await self._database.fetch(
            _FINISH + self._told,
            *_ids_and_epochs([lease for lease, _ in endings]),
            [outcome.state for outcome in outcomes],
            [_json(outcome.result) for outcome in outcomes],
            [_failure(outcome.failure) for outcome in outcomes],
            [outcome.is_partial for outcome in outcomes],
            [outcome.log_tail for outcome in outcomes],
        )
        written = frozenset(row["id"] for row in rows)
        self._tell([lease.job.user_id for lease, _ in endings if lease.job.id in written])
        return written

    async def hand_back(self, leases: Sequence[Lease]) -> frozenset[UUID]:
        return frozenset(row["id"] for row in await self._put_back(_HAND_BACK, *_ids_and_epochs(leases)))

    async def recall(self, runner_id: str, known: Collection[UUID]) -> int:
        return len(await self._put_back(_RECALL, runner_id, list(known)))

    async def lose(self, lease: Lease, failure: JobFailure) -> JobState | None:
        which = "id = $1 and lease_epoch = $2 and state = 'running'"
        rows = await self._put_back(
            _GIVE_UP.format(failure="$3::jsonb", which=which), lease.job.id, lease.epoch, _failure(failure)
        )
        return JobState(rows[0]["state"]) if rows else None

    async def reap(self, *, gone: str | None = None) -> int:
        which = """id in (select id from public.tasks
                          where state = 'running' and (leased_until < now() or runner_id = $2)
                          order by id for update skip locked)"""
        rows = await self._put_back(_GIVE_UP.format(failure="$1::jsonb", which=which), _failure(RUNNER_LOST), gone)
        await self._database.fetch(_SHORTEN, LEASE_SECONDS)
        return len(rows)

    async def waiting(self) -> Sequence[Waiting]:
        rows = await self._database.fetch(
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

    async def _put_back(self, statement: str, *arguments: object) -> "list[asyncpg.Record]":
        """A run ended before its job did: most of these wait again, the others are over."""
        rows = await self._database.fetch(statement + self._told, *arguments)
        self._tell([row["user_id"] for row in rows], queued=[row["id"] for row in rows if row["state"] == "queued"])
        return rows

    def _tell(self, users: Collection[UUID | None], *, queued: Sequence[UUID] = ()) -> None:
        """Housekeeping is nobody's."""
        if self._notices is not None:
            self._notices.tell(queued=queued, users={user_id for user_id in users if user_id is not None})


RUNNER_LOST = JobFailure(
    code="runner_lost",
    title="The process that ran this task went away",
    detail=f"Nothing was heard of it for {LEASE_SECONDS} s, at each attempt that the task had.",
    remedy="Run the task again. If it happens once more, ask the operator for the log of this time.",
)


def _ids_and_epochs(leases: Sequence[Lease]) -> tuple[list[UUID], list[int]]:
    return [lease.job.id for lease in leases], [lease.epoch for lease in leases]


def _failure(failure: JobFailure | None) -> str | None:
    return None if failure is None else json.dumps(asdict(failure))


def _json(facts: Any) -> str | None:
    return None if facts is None else json.dumps(dict(facts))
