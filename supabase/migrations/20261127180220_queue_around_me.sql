-- What stands before the caller's waiting jobs, so that they can say why they wait and for about how long.
-- Others are told apart by numbers alone, from 1 up; 0 is the caller. No id, payload or name of theirs is in it.

create function private.queue_around_me(wanted uuid[], here text)
returns table (
    owner bigint, most_running integer, is_running boolean, is_here boolean,
    -- Of the caller's own, each job by itself with its place in the queue; of others, how many are alike.
    job_id uuid, place bigint, jobs bigint, is_cut boolean,
    kind text, cores smallint, memory_bytes bigint, work_units double precision,
    -- Since its start, or since the turn of the first and of the last, where a step of priority counts as a minute;
    -- and since the first waits.
    seconds double precision, last_seconds double precision, waited_seconds double precision
)
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    me constant uuid := auth.uid();
    moment constant timestamp := now() at time zone 'UTC';
begin
    return query
    with recursive users as (
        (select queue, 1 as number from public.tasks where state = 'queued' and queue <> me order by queue limit 1)
        union all
        select (
            select queue from public.tasks
            where state = 'queued' and queue > users.queue and queue <> me order by queue limit 1
        ), number + 1
        from users where users.queue is not null and number <= 201
    ),
    -- Each user's limit is asked for once, not for each job.
    owners as materialized (
        select everybody.owner, everybody.queue, private.most_running_tasks(everybody.queue) as most_running
        from (
            select 0::bigint as owner, me as queue
            union all
            select row_number() over (order by users.queue), users.queue from users where users.queue is not null
        ) as everybody
    ),
    mine as (
        select id, row_number() over (order by turn, id) as place from public.tasks
        where queue = me and state = 'queued'
    )
    select 0::bigint, (select owners.most_running from owners where owners.owner = 0), false, false,
           task.id, mine.place, 1::bigint, false,
           task.kind, task.cores, task.memory_bytes, task.work_units,
           extract(epoch from moment - task.turn)::double precision,
           extract(epoch from moment - task.turn)::double precision,
           extract(epoch from now() - task.queued_at)::double precision
    from mine join public.tasks as task on task.id = mine.id
    where mine.place <= 256 or mine.id = any (wanted)
    union all
    select owners.owner, owners.most_running, false, false,
           null, null, alike.jobs, alike.is_cut,
           alike.kind, alike.cores, alike.memory_bytes, alike.work_units,
           extract(epoch from moment - alike.turn)::double precision,
           extract(epoch from moment - alike.last_turn)::double precision,
           extract(epoch from now() - alike.queued_at)::double precision
    from owners cross join lateral (
        select first.kind, first.cores, first.memory_bytes, avg(first.work_units) as work_units, count(*) as jobs,
               min(first.turn) as turn, max(first.turn) as last_turn, min(first.queued_at) as queued_at, max(first.number) = 64 as is_cut
        from (
            select task.kind, task.cores, task.memory_bytes, task.work_units, task.turn, task.queued_at,
                   row_number() over (order by task.turn, task.id) as number
            from public.tasks as task where task.queue = owners.queue and task.state = 'queued'
            order by task.turn, task.id limit 64
        ) as first
        group by first.kind, first.cores, first.memory_bytes
    ) as alike
    where owners.owner > 0
    union all
    (
        select coalesce(owners.owner, -1), null, true, task.runner_id is not distinct from here,
               null, null, 1::bigint, false,
               task.kind, task.cores, task.memory_bytes, task.work_units,
               extract(epoch from now() - task.started_at)::double precision, null::double precision, null::double precision
        from public.tasks as task left join owners on owners.queue = task.queue
        where task.state = 'running'
        limit 1000
    );
end
$$;
revoke all on function private.queue_around_me(uuid[], text) from public, anon, authenticated, service_role;
grant execute on function private.queue_around_me(uuid[], text) to authenticated;
