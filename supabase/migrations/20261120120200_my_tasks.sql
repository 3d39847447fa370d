-- What users do with their own jobs. They cannot write the table itself, so neither quota nor lease can be got around.

-- How many wait and run. Whoever asks holds the user's queue until the transaction ends: two submits count one after
-- the other.
create function private.lock_my_tasks(out queued bigint, out running bigint)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    me uuid := auth.uid();
begin
    insert into private.task_event_counters (user_id) values (me) on conflict (user_id) do nothing;
    perform from private.task_event_counters where user_id = me for update;
    select count(*) into queued from public.tasks where queue = me and state = 'queued';
    select count(*) into running from public.tasks where queue = me and state = 'running';
end
$$;

create function private.submit_my_task(
    kind text, payload jsonb, cores integer, memory_bytes bigint, priority integer,
    max_attempts integer, wall_limit_seconds integer
) returns setof public.tasks
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into public.tasks
        (user_id, kind, payload, cores, memory_bytes, priority, max_attempts, wall_limit_seconds)
    values (auth.uid(), $1, $2, $3, $4, $5, $6, $7)
    returning *
$$;

-- What waits is cancelled at once; what runs is asked to stop. Asking again changes nothing.
create function private.cancel_my_task(wanted_id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with cancelled as (
        update public.tasks set
            state = case state when 'queued' then 'cancelled' else state end,
            finished_at = case state when 'queued' then now() end,
            cancel_requested_at = now()
        where id = wanted_id and user_id = (select auth.uid())
          and state in ('queued', 'running') and cancel_requested_at is null
        returning id
    )
    select exists (select from cancelled)
$$;

-- The same job with as many attempts more.
create function private.retry_my_task(wanted_id uuid, more_attempts integer) returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with retried as (
        update public.tasks set
            state = 'queued', queued_at = now(), max_attempts = attempts + more_attempts,
            started_at = null, finished_at = null, cancel_requested_at = null,
            result = null, failure = null, is_partial = false
        where id = wanted_id and user_id = (select auth.uid()) and state in ('failed', 'cancelled')
        returning id
    )
    select exists (select from retried)
$$;

-- Which events of the caller there are, in the snapshot of the statement that asks.
create function private.my_event_ids(out first_kept_id bigint, out last_id bigint)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce((select min(id) from public.task_events where user_id = auth.uid()), counted.last_id + 1),
           counted.last_id
    from (
        select coalesce((select last_id from private.task_event_counters where user_id = auth.uid()), 0) as last_id
    ) as counted
$$;

revoke all on function private.lock_my_tasks() from public, anon, authenticated, service_role;
revoke all on function private.submit_my_task(text, jsonb, integer, bigint, integer, integer, integer)
    from public, anon, authenticated, service_role;
revoke all on function private.cancel_my_task(uuid) from public, anon, authenticated, service_role;
revoke all on function private.retry_my_task(uuid, integer) from public, anon, authenticated, service_role;
revoke all on function private.my_event_ids() from public, anon, authenticated, service_role;

grant execute on function private.lock_my_tasks() to authenticated;
grant execute on function private.submit_my_task(text, jsonb, integer, bigint, integer, integer, integer)
    to authenticated;
grant execute on function private.cancel_my_task(uuid) to authenticated;
grant execute on function private.retry_my_task(uuid, integer) to authenticated;
grant execute on function private.my_event_ids() to authenticated;
