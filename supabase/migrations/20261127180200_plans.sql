-- How much each user may ask for at once, by the plan that an operator gave to the account.

create table private.plans (
    name text primary key check (name ~ '^[a-z][a-z0-9_-]{0,31}$'),
    most_queued integer not null check (most_queued >= 0),
    most_running integer not null check (most_running > 0)
);
alter table private.plans enable row level security;
alter table private.plans force row level security;
revoke all on table private.plans from public, anon, authenticated, service_role;

-- 'standard' is everybody's who has no plan, or one that is not here any more.
insert into private.plans (name, most_queued, most_running) values
    ('small', 100, 2),
    ('standard', 1000, 16),
    ('large', 10000, 64);

create function private.keep_standard_plan() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the plan ''standard'' is everybody''s who has no other: change its numbers, but keep it'
        using errcode = 'restrict_violation';
end
$$;
revoke all on function private.keep_standard_plan() from public, anon, authenticated, service_role;
create trigger plans_keep_standard before delete or update of name on private.plans
    for each row when (old.name = 'standard') execute function private.keep_standard_plan();

-- Users can change their user_metadata, never their app_metadata. Housekeeping and unknown users have the standard.
create function private.plan_of(wanted_user_id uuid) returns private.plans
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select plans.* from private.plans
    where name in ('standard', (select raw_app_meta_data ->> 'plan' from auth.users where id = wanted_user_id))
    order by name = 'standard'
    limit 1
$$;

-- How many jobs of a queue may run at once, for who claims them.
create function private.most_running_tasks(queue uuid) returns integer
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select (private.plan_of(queue)).most_running
$$;

revoke all on function private.plan_of(uuid) from public, anon, authenticated, service_role;
revoke all on function private.most_running_tasks(uuid) from public, anon, authenticated, service_role;
grant execute on function private.most_running_tasks(uuid) to service_role;

-- How many of the caller's jobs wait and run, and how many may.
create function private.count_my_tasks(
    out queued bigint, out running bigint, out plan text, out most_queued integer, out most_running integer
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select (select count(*) from public.tasks where queue = (select auth.uid()) and state = 'queued'),
           (select count(*) from public.tasks where queue = (select auth.uid()) and state = 'running'),
           plan.name, plan.most_queued, plan.most_running
    from private.plan_of((select auth.uid())) as plan
$$;

-- The same. Whoever asks holds the user's queue until the transaction ends: two submits count one after the other.
drop function private.lock_my_tasks();
create function private.lock_my_tasks(
    out queued bigint, out running bigint, out plan text, out most_queued integer, out most_running integer
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into private.task_event_counters (user_id) values (auth.uid()) on conflict (user_id) do nothing;
    perform from private.task_event_counters where user_id = auth.uid() for update;
    select * into queued, running, plan, most_queued, most_running from private.count_my_tasks();
end
$$;

revoke all on function private.count_my_tasks() from public, anon, authenticated, service_role;
revoke all on function private.lock_my_tasks() from public, anon, authenticated, service_role;
grant execute on function private.count_my_tasks() to authenticated;
grant execute on function private.lock_my_tasks() to authenticated;
