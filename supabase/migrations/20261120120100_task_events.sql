-- What happened to each user's jobs, written by the change itself.

-- Locked until the end of each transaction that adds an event, so a user's ids are in the order of the commits.
create table private.task_event_counters (
    user_id uuid primary key references auth.users (id) on delete cascade,
    last_id bigint not null default 0
);
alter table private.task_event_counters enable row level security;
alter table private.task_event_counters force row level security;
revoke all on table private.task_event_counters from public, anon, authenticated, service_role;

create table public.task_events (
    user_id uuid not null references auth.users (id) on delete cascade,
    id bigint not null,
    type text not null check (type in (
        'task_queued', 'task_running', 'task_completed', 'task_failed', 'task_cancelled'
    )),
    at timestamptz not null default clock_timestamp(),
    task jsonb not null,
    -- Readers of all users stop at the oldest transaction that is still open.
    transaction xid8 not null default pg_current_xact_id(),
    primary key (user_id, id)
);
create index task_events_transaction_idx on public.task_events (transaction, user_id, id);
create index task_events_at_idx on public.task_events using brin (at);

alter table public.task_events enable row level security;
alter table public.task_events force row level security;

revoke all on table public.task_events from public, anon, authenticated, service_role;
grant select on table public.task_events to authenticated;
grant select, delete on table public.task_events to service_role;

create policy "Users read their own events" on public.task_events
    for select to authenticated using ((select auth.uid()) = user_id);

-- The job as its events tell it: what it is and where it stands, not what went in or came out.
create function private.task_in_brief(task public.tasks) returns jsonb
language sql stable set search_path = pg_catalog, pg_temp set timezone = 'UTC' as $$
    select jsonb_build_object(
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
    )
$$;
revoke all on function private.task_in_brief(public.tasks) from public, anon, authenticated, service_role;

-- Notices leave when the transaction commits, never for what was undone.
create function private.record_task_event() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    event_id bigint;
begin
    if new.state = 'queued' then
        perform pg_notify('tidemark_job_queued', new.id::text);
    elsif new.state = 'running' and new.cancel_requested_at is not null then
        perform pg_notify('tidemark_job_cancel', new.id::text);
    end if;
    if new.user_id is null then
        return null;
    end if;
    insert into private.task_event_counters as counter (user_id, last_id) values (new.user_id, 1)
    on conflict (user_id) do update set last_id = counter.last_id + 1
    returning last_id into event_id;
    insert into public.task_events (user_id, id, type, task)
    values (new.user_id, event_id, 'task_' || new.state, private.task_in_brief(new));
    perform pg_notify('tidemark_event', new.user_id || ' ' || event_id);
    return null;
end
$$;
revoke all on function private.record_task_event() from public, anon, authenticated, service_role;

create trigger tasks_added after insert on public.tasks
    for each row execute function private.record_task_event();
create trigger tasks_moved after update of state, cancel_requested_at on public.tasks
    for each row when (
        old.state is distinct from new.state or old.cancel_requested_at is distinct from new.cancel_requested_at
    )
    execute function private.record_task_event();
