-- Jobs: the row is the truth, whatever becomes of the processes that run it. Users read; functions below do the rest.

create table public.tasks (
    id uuid primary key default gen_random_uuid(),
    -- Null is housekeeping of the installation itself, which no user sees.
    user_id uuid references auth.users (id) on delete cascade,
    kind text not null check (kind in (
        'backtest', 'sweep', 'optimize', 'walk_forward', 'train', 'predict',
        'fetch', 'import', 'export', 'guard', 'score', 'maintain'
    )),
    state text not null default 'queued' check (state in ('queued', 'running', 'completed', 'failed', 'cancelled')),
    payload jsonb not null check (jsonb_typeof(payload) = 'object'),
    cores smallint not null check (cores > 0),
    memory_bytes bigint not null check (memory_bytes > 0),
    priority smallint not null default 0 check (priority between -10 and 10),
    attempts integer not null default 0,
    max_attempts integer not null check (max_attempts > 0),
    wall_limit_seconds integer not null check (wall_limit_seconds > 0),
    -- Grows with every claim. Whoever writes for a run names the epoch of its claim, so a lost lease writes nothing.
    lease_epoch bigint not null default 0,
    leased_until timestamptz,
    runner_id text,
    cancel_requested_at timestamptz,
    created_at timestamptz not null default now(),
    queued_at timestamptz not null default now(),
    started_at timestamptz,
    finished_at timestamptz,
    result jsonb,
    failure jsonb,
    is_partial boolean not null default false,
    -- Whose queue it stands in, and its turn there: a step of priority is worth a minute of waiting.
    queue uuid not null generated always as (coalesce(user_id, '00000000-0000-0000-0000-000000000000')) stored,
    turn timestamp not null generated always as
        ((queued_at at time zone 'UTC') - priority * interval '60 seconds') stored,
    unique (user_id, id),
    check ((user_id is null) = (kind = 'maintain')),
    check ((state = 'running') = (leased_until is not null)),
    check ((state in ('completed', 'failed', 'cancelled')) = (finished_at is not null))
);
create index tasks_newest_idx on public.tasks (user_id, created_at desc, id desc);
create index tasks_queued_idx on public.tasks (queue, turn, id) where state = 'queued';
create index tasks_running_idx on public.tasks (queue) where state = 'running';
-- The installation's own jobs: one of a kind at a time, however many schedulers ask.
create unique index tasks_housekeeping_idx on public.tasks (kind)
    where user_id is null and state in ('queued', 'running');

alter table public.tasks enable row level security;
alter table public.tasks force row level security;

revoke all on table public.tasks from public, anon, authenticated, service_role;
grant select on table public.tasks to authenticated;
grant select, insert, update on table public.tasks to service_role;

create policy "Users read their own tasks" on public.tasks
    for select to authenticated using ((select auth.uid()) = user_id);
