"""Whose turn it is in the queue: leases the next jobs in one statement, as many as there is room for."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.jobs import LEASE_SECONDS, PATIENCE_SECONDS, Ahead, Demand

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

_LEASED = """
        state = 'running', runner_id = $1, lease_epoch = lease_epoch + 1, attempts = attempts + 1,
        leased_until = now() + make_interval(secs => $2), started_at = now()
"""

# In the order of their places, until the first for which there is no room left, or none ahead of the room: one claim
# for each would take the same.
_TAKE = f"""
    taken as (
        select id, place from (
            select id, place, bool_and(has_room or may_be_ahead) over turns as is_next,
                   count(*) filter (where not has_room) over turns as ahead
            from (
                select id, place, may_be_ahead,
                       sum(cores) over turns <= $3 and sum(memory_bytes) over turns <= $4 as has_room
                from locked
                window turns as (order by place rows unbounded preceding)
            ) as summed
            window turns as (order by place rows unbounded preceding)
        ) as judged
        where is_next and ahead <= $6
    )
    update public.tasks set {_LEASED}
    from taken where tasks.id = taken.id
    returning tasks.*, taken.place
"""  # noqa: S608 - put together from constants

# A single job, which is what waits on a machine that has room: the same, only quicker.
_CLAIM_THIS = f"""
    update public.tasks set {_LEASED}
    where id = (
        select id from public.tasks
        cross join lateral (
            select count(*) as running from public.tasks as other
            where other.queue = tasks.queue and other.state = 'running'
        ) as busy
        where id = $6 and state = 'queued' and (cores <= $3 and memory_bytes <= $4 or kind = any($5))
          and (running = 0 or running < private.most_running_tasks(queue))
        for update of tasks skip locked
    )
    returning *, 1 as place
"""  # noqa: S608 - put together from constants

_CLAIM_THESE = f"""
    with wanted as (
        select tasks.id, cores, memory_bytes, kind = any($5) as may_be_ahead, queue, given.place,
               (select count(*) from public.tasks as other where other.queue = tasks.queue and other.state = 'running')
                   + row_number() over (partition by queue order by given.place) as would_run
        from unnest($7::uuid[]) with ordinality as given (id, place) join public.tasks using (id)
        where state = 'queued'
    ),
    locked as (
        select wanted.* from wanted join public.tasks using (id)
        where tasks.state = 'queued' and (would_run = 1 or would_run <= private.most_running_tasks(wanted.queue))
        for update of tasks skip locked
    ),
    {_TAKE}
"""  # noqa: S608 - put together from constants

# One queue per user, found by jumping from user to user along the index; a long queue costs what a short one does.
# As many jobs are looked at as claims may go on at once without one of them finding nothing.
# A limit is a function that reads: it is called once for a user of whom it matters, and never for each row.
# Each job that is taken counts as running for the next of its user: `would_run` is how many there would be before it.
# Small jobs pass a large one for a while only: then the room that comes free is kept for it, or it would never start.
# What is leased ahead of the room passes nothing that waits for room.
_CLAIM_NEXT = f"""
    with recursive users as (
        (select queue from public.tasks where state = 'queued' order by queue limit 1)
        union all
        select (select queue from public.tasks where state = 'queued' and queue > users.queue order by queue limit 1)
        from users where users.queue is not null
    ),
    busy as materialized (
        select queue, running, case when running > 0 then private.most_running_tasks(queue) end as most_running
        from users
        cross join lateral (
            select count(*) as running from public.tasks where tasks.queue = users.queue and state = 'running'
        ) as counted
        where queue is not null
    ),
    heads as (
        select busy.queue, busy.most_running, head.*, not (fits or is_brief) as must_wait,
               busy.running - (fits or is_brief)::integer + count(*) filter (where fits or is_brief) over (
                   partition by busy.queue order by turn, id rows unbounded preceding) as would_run
        from busy
        cross join lateral (
            select id, turn, queued_at, cores, memory_bytes, cores <= $3 and memory_bytes <= $4 as fits,
                   kind = any($5) as is_brief
            from public.tasks
            where queue = busy.queue and state = 'queued' and cores <= $8 and memory_bytes <= $9
            order by turn, id limit 32
        ) as head
        where running = 0 or running < most_running
    ),
    candidates as (
        select id, queue, most_running, cores, memory_bytes, is_brief, fits, would_run,
               row_number() over turns as place,
               bool_or(must_wait) over turns as is_passing,
               bool_or(must_wait and queued_at < now() - make_interval(secs => $7)) over turns as is_kept_back
        from heads
        window turns as (order by would_run, turn, id rows unbounded preceding)
    ),
    first_few as materialized (
        select * from candidates where (fits or not is_passing) and not is_kept_back order by place limit 64
    ),
    limits as materialized (
        select queue, private.most_running_tasks(queue) as most_running
        from (select distinct queue from first_few where would_run > 0 and most_running is null) as those_with_more
    ),
    locked as (
        select first_few.*, is_brief and not is_passing as may_be_ahead
        from first_few join public.tasks using (id)
        left join limits on limits.queue = first_few.queue
        where tasks.state = 'queued'
          and (would_run = 0 or would_run < coalesce(first_few.most_running, limits.most_running))
        order by place
        limit $3::bigint + $6::bigint
        for update of tasks skip locked
    ),
    {_TAKE}
"""  # noqa: S608 - put together from constants


async def claim_these(
    database: "ServiceDatabase", runner_id: str, room: Demand, ahead: Ahead, *, job_ids: Sequence[UUID], told: str = ""
) -> "list[asyncpg.Record]":
    """Rows of those among these jobs that wait, in the order given, as far as there is room.

    `told` is what to return besides, such as TOLD_LATER.
    """
    if len(job_ids) == 1:
        return await _claim(database, _CLAIM_THIS + told, runner_id, room, ahead, job_ids[0])
    return await _claim(database, _CLAIM_THESE + told, runner_id, room, ahead, ahead.count, list(job_ids))


async def claim_next(
    database: "ServiceDatabase", runner_id: str, room: Demand, ahead: Ahead, *, largest: Demand, told: str = ""
) -> "list[asyncpg.Record]":
    """Rows of the next jobs. No room is kept for any that is larger than the largest."""
    return await _claim(
        database,
        _CLAIM_NEXT + told,
        runner_id,
        room,
        ahead,
        ahead.count,
        PATIENCE_SECONDS,
        largest.cores,
        largest.memory_bytes,
    )


async def _claim(
    database: "ServiceDatabase", statement: str, runner_id: str, room: Demand, ahead: Ahead, *arguments: object
) -> "list[asyncpg.Record]":
    rows = await database.fetch(
        statement,
        runner_id,
        LEASE_SECONDS,
        room.cores,
        room.memory_bytes,
        list(ahead.kinds) if ahead.count else [],
        *arguments,
    )
    return sorted(rows, key=lambda row: int(row["place"]))
