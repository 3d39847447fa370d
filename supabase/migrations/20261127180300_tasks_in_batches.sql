-- Many tasks move in one statement, and no user's transactions wait for one another longer than a commit takes.

-- Functions that are called for every task are in PL/pgSQL, which keeps its plans as long as the connection lives;
-- one in SQL that cannot be inlined is planned anew by every statement that calls it.

-- Asked by the statement that begins every transaction, before any row is seen: a suspension holds at once.
create or replace function private.user_is_active(wanted_user_id uuid) returns boolean
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return exists (
        select from auth.users
        where id = wanted_user_id
          and deleted_at is null
          and (banned_until is null or banned_until <= now())
    );
end
$$;

-- Users can change their user_metadata, never their app_metadata. Housekeeping and unknown users have the standard.
create or replace function private.plan_of(wanted_user_id uuid) returns private.plans
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    given text;
    found_plan private.plans;
begin
    select raw_app_meta_data ->> 'plan' into given from auth.users where id = wanted_user_id;
    if given is not null then
        select * into found_plan from private.plans where name = given;
    end if;
    if found_plan.name is null then
        select * into found_plan from private.plans where name = 'standard';
    end if;
    return found_plan;
end
$$;

create or replace function private.most_running_tasks(queue uuid) returns integer
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return (private.plan_of(queue)).most_running;
end
$$;

-- The job as its events tell it: what it is and where it stands, not what went in or came out.
create or replace function private.task_in_brief(task public.tasks) returns jsonb
language plpgsql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
begin
    return jsonb_build_object(
        'id', task.id,
        'kind', task.kind,
        'state', task.state,
        'priority', task.priority,
        'attempts', task.attempts,
        'max_attempts', task.max_attempts,
        'cores', task.cores,
        'memory_bytes', task.memory_bytes,
        'wall_limit_seconds', task.wall_limit_seconds,
        'cancel_requested_at', task.cancel_requested_at,
        'created_at', task.created_at,
        'queued_at', task.queued_at,
        'started_at', task.started_at,
        'finished_at', task.finished_at,
        'failure', task.failure - 'log_tail',
        'is_partial', task.is_partial
    );
end
$$;

drop trigger tasks_added on public.tasks;
drop trigger tasks_moved on public.tasks;
drop function private.record_task_event();

-- Refuses what the user's plan does not allow, in numbers for who catches it. Who wants the count to hold until the
-- commit has locked the user's counter before.
create function private.require_room_in_queue(wanted_queue uuid, added integer) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := (private.plan_of(wanted_queue)).most_queued;
    waiting bigint;
begin
    select count(*) into waiting from public.tasks where queue = wanted_queue and state = 'queued';
    if waiting + added > most then
        raise exception 'as many tasks wait as may'
            using errcode = 'TM001', detail = jsonb_build_object('limit', most, 'count', least(waiting, most));
    end if;
end
$$;

-- One task's event and its notices, which leave with the commit. Locks the counter of its user until then.
create function private.record_task_event(task public.tasks) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    event_id bigint;
begin
    if task.state = 'queued' then
        perform pg_notify('tidemark_job_queued', task.id::text);
    elsif task.state = 'running' and task.cancel_requested_at is not null then
        perform pg_notify('tidemark_job_cancel', task.id::text);
    end if;
    if task.user_id is not null then
        insert into private.task_event_counters as counter (user_id, last_id) values (task.user_id, 1)
        on conflict (user_id) do update set last_id = counter.last_id + 1
        returning last_id into event_id;
        insert into public.task_events (user_id, id, type, task)
        values (task.user_id, event_id, 'task_' || task.state, private.task_in_brief(task));
        perform pg_notify('tidemark_event', task.user_id || ' ' || event_id);
    end if;
end
$$;

-- A new task gets its event from the commit itself: until then its user's counter is free for everybody else.
-- What a person adds is counted once more under that lock, so that many submits at once cannot pass the quota.
create function private.record_added_task() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.record_task_event(new);
    if new.user_id = auth.uid() then
        perform private.require_room_in_queue(new.user_id, 0);
    end if;
    return null;
end
$$;

create constraint trigger tasks_added after insert on public.tasks
    deferrable initially deferred for each row execute function private.record_added_task();

-- All moves of one statement at once. Counters are locked in the order of their users, so that no two statements wait
-- for each other. One notice tells the last event of a user: whoever reads up to it has them all.
create function private.record_moved_tasks() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    task public.tasks;
    told bigint;
begin
    select count(*) into told from present;
    if told <= 1 then
        -- As with many, only quicker.
        select present.* into task from present join past using (id)
        where present.state <> past.state or present.cancel_requested_at is distinct from past.cancel_requested_at;
        if found then
            perform private.record_task_event(task);
        end if;
        return null;
    end if;
    with moved as materialized (
        select row(present.*)::public.tasks as task, present.id, present.user_id, present.state,
               present.cancel_requested_at,
               row_number() over (partition by present.user_id order by present.turn, present.id)
                   - count(*) over (partition by present.user_id) as before_last
        from present join past using (id)
        where present.state <> past.state or present.cancel_requested_at is distinct from past.cancel_requested_at
    ),
    counted as (
        insert into private.task_event_counters as counter (user_id, last_id)
        select user_id, count(*) from moved where user_id is not null group by user_id order by user_id
        on conflict (user_id) do update set last_id = counter.last_id + excluded.last_id
        returning user_id, last_id
    ),
    events as (
        insert into public.task_events (user_id, id, type, task)
        select user_id, counted.last_id + moved.before_last, 'task_' || moved.state, private.task_in_brief(moved.task)
        from moved join counted using (user_id)
    ),
    notices as (
        select 'tidemark_event' as channel, user_id || ' ' || last_id as payload from counted
        union all
        select 'tidemark_job_queued', id::text from moved where state = 'queued'
        union all
        select 'tidemark_job_cancel', id::text from moved where state = 'running' and cancel_requested_at is not null
    )
    select count(pg_notify(channel, payload)) into told from notices;
    return null;
end
$$;

create trigger tasks_moved after update on public.tasks
    referencing old table as past new table as present
    for each statement execute function private.record_moved_tasks();

-- Whoever adds tasks is held to the quota by the commit; this refuses early what would be refused then.
create or replace function private.submit_my_task(
    kind text, payload jsonb, cores integer, memory_bytes bigint, priority integer,
    max_attempts integer, wall_limit_seconds integer, work_units double precision
) returns setof public.tasks
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_room_in_queue(auth.uid(), 1);
    return query
    insert into public.tasks
        (user_id, kind, payload, cores, memory_bytes, priority, max_attempts, wall_limit_seconds, work_units)
    values (auth.uid(), $1, $2, $3, $4, $5, $6, $7, $8)
    returning *;
end
$$;

-- What the same transaction added is told of before it is cancelled.
create or replace function private.cancel_my_task(wanted_id uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    set constraints public.tasks_added immediate;
    update public.tasks set
        state = case state when 'queued' then 'cancelled' else state end,
        finished_at = case state when 'queued' then now() end,
        cancel_requested_at = now()
    where id = wanted_id and user_id = auth.uid()
      and state in ('queued', 'running') and cancel_requested_at is null;
    return found;
end
$$;

-- The same job with as many attempts more, counted under the lock of its user. What the last one left behind goes.
create or replace function private.retry_my_task(wanted_id uuid, more_attempts integer) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    me constant uuid := auth.uid();
begin
    perform from private.task_event_counters where user_id = me for update;
    if not exists (
        select from public.tasks where id = wanted_id and user_id = me and state in ('failed', 'cancelled')
    ) then
        return false;
    end if;
    perform private.require_room_in_queue(me, 1);
    update public.tasks set
        state = 'queued', queued_at = now(), max_attempts = attempts + more_attempts,
        started_at = null, finished_at = null, cancel_requested_at = null,
        result = null, failure = null, log_tail = null, is_partial = false
    where id = wanted_id and user_id = me and state in ('failed', 'cancelled');
    return found;
end
$$;

-- Nothing is counted ahead of the commit any more.
drop function private.lock_my_tasks();

revoke all on function private.require_room_in_queue(uuid, integer) from public, anon, authenticated, service_role;
revoke all on function private.record_task_event(public.tasks) from public, anon, authenticated, service_role;
revoke all on function private.record_added_task() from public, anon, authenticated, service_role;
revoke all on function private.record_moved_tasks() from public, anon, authenticated, service_role;
