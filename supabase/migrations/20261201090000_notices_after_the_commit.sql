-- What is kept safe is not kept waiting by what is only said.

-- A commit that carries a notice holds one lock of the whole cluster while it is written to the disk, so such commits go
-- one after the other. A transaction that says `tidemark.notices` is "later" promises to tell of its changes itself once
-- they are committed, in a transaction that writes nothing. Everybody else's notices leave with their commit, as before.

-- One task's event and its notices. Locks the counter of its user until the commit.
create or replace function private.record_task_event(task public.tasks) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    tells_later constant boolean := coalesce(current_setting('tidemark.notices', true), '') = 'later';
    event_id bigint;
begin
    if task.user_id is not null then
        insert into private.task_event_counters as counter (user_id, last_id) values (task.user_id, 1)
        on conflict (user_id) do update set last_id = counter.last_id + 1
        returning last_id into event_id;
        insert into public.task_events (user_id, id, type, task)
        values (task.user_id, event_id, 'task_' || task.state, private.task_in_brief(task));
    end if;
    -- That a job is to stop is told at once, whoever asked for it.
    if task.state = 'running' and task.cancel_requested_at is not null then
        perform pg_notify('tidemark_job_cancel', task.id::text);
    end if;
    if tells_later then
        return;
    end if;
    if task.state = 'queued' then
        perform pg_notify('tidemark_job_queued', task.id::text);
    end if;
    if task.user_id is not null then
        perform pg_notify('tidemark_event', task.user_id || ' ' || event_id);
    end if;
end
$$;

-- All moves of one statement at once. Counters are locked in the order of their users, so that no two statements wait
-- for each other. One notice tells the last event of a user: whoever reads up to it has them all.
create or replace function private.record_moved_tasks() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    tells_now constant boolean := coalesce(current_setting('tidemark.notices', true), '') <> 'later';
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
        select 'tidemark_event' as channel, user_id || ' ' || last_id as payload from counted where tells_now
        union all
        select 'tidemark_job_queued', id::text from moved where tells_now and state = 'queued'
        union all
        select 'tidemark_job_cancel', id::text from moved where state = 'running' and cancel_requested_at is not null
    )
    select count(pg_notify(channel, payload)) into told from notices;
    return null;
end
$$;

-- One statement instead of two: it is asked for every submit and every claim.
create or replace function private.plan_of(wanted_user_id uuid) returns private.plans
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_plan private.plans;
begin
    select plans.* into found_plan
    from private.plans
    where plans.name in ('standard', (select raw_app_meta_data ->> 'plan' from auth.users where id = wanted_user_id))
    order by plans.name = 'standard'
    limit 1;
    return found_plan;
end
$$;
