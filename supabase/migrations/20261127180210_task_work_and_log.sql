-- How much work a job is, so that how long it takes can be foreseen, and the last lines that it wrote.

alter table public.tasks
    -- In the measure of its kind: bars, rows, bars x combinations. Time grows about as this does.
    add column work_units double precision check (work_units > 0 and work_units < 'Infinity'),
    add column log_tail text check (octet_length(log_tail) <= 8192);

-- The latest of each kind, from which the next ones are foreseen.
create index tasks_completed_idx on public.tasks (kind, finished_at) where state = 'completed' and not is_partial;

drop function private.submit_my_task(text, jsonb, integer, bigint, integer, integer, integer);
create function private.submit_my_task(
    kind text, payload jsonb, cores integer, memory_bytes bigint, priority integer,
    max_attempts integer, wall_limit_seconds integer, work_units double precision
) returns setof public.tasks
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into public.tasks
        (user_id, kind, payload, cores, memory_bytes, priority, max_attempts, wall_limit_seconds, work_units)
    values (auth.uid(), $1, $2, $3, $4, $5, $6, $7, $8)
    returning *
$$;
revoke all on function private.submit_my_task(text, jsonb, integer, bigint, integer, integer, integer, double precision)
    from public, anon, authenticated, service_role;
grant execute on function private.submit_my_task(
    text, jsonb, integer, bigint, integer, integer, integer, double precision
) to authenticated;

-- The same job with as many attempts more. What the last one left behind goes.
create or replace function private.retry_my_task(wanted_id uuid, more_attempts integer) returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with retried as (
        update public.tasks set
            state = 'queued', queued_at = now(), max_attempts = attempts + more_attempts,
            started_at = null, finished_at = null, cancel_requested_at = null,
            result = null, failure = null, log_tail = null, is_partial = false
        where id = wanted_id and user_id = (select auth.uid()) and state in ('failed', 'cancelled')
        returning id
    )
    select exists (select from retried)
$$;
