-- What administrators see of everybody and do with anybody's account. Whatever they call looks up again that they are
-- one, and leaves its line in the audit log in the same transaction. The views show the same in the dashboard.

create schema if not exists administration;
revoke all on schema administration from public, anon, authenticated, service_role;

create index tasks_newest_of_all_idx on public.tasks (created_at desc, id desc);

create view administration.users with (security_invoker = true) as
select account.id,
       nullif(account.email, '')::text as email,
       coalesce(profile.display_name, '') as display_name,
       case account.raw_app_meta_data ->> 'role' when 'admin' then 'admin' else 'user' end as role,
       case when account.banned_until > now() then 'suspended'
            when account.is_anonymous then 'demo'
            when account.email_confirmed_at is null then 'unconfirmed'
            else 'active' end as state,
       -- As private.plan_of has it.
       coalesce(plan.name, 'standard') as plan,
       coalesce(account.created_at, profile.created_at, 'epoch') as created_at,
       greatest(
           account.last_sign_in_at,
           (select max(greatest(created_at, updated_at, refreshed_at at time zone 'UTC'))
            from auth.sessions where user_id = account.id),
           (select max(last_used_at) from public.personal_access_tokens where user_id = account.id)
       ) as last_seen_at,
       case when account.banned_until > now() then account.banned_until end as suspended_until,
       (select count(*) from auth.sessions
        where user_id = account.id and (not_after is null or not_after > now())) as sessions,
       (select count(*) from public.tasks where user_id = account.id and state = 'queued') as queued,
       (select count(*) from public.tasks where user_id = account.id and state = 'running') as running,
       (select count(*) from public.backtests where user_id = account.id and deleted_at is null) as backtests,
       (select count(*) from public.models where user_id = account.id and deleted_at is null) as models,
       (select count(*) from public.api_keys where user_id = account.id) as exchange_keys,
       (select count(*) from public.series where user_id = account.id) as series
from auth.users as account
left join public.profiles as profile on profile.user_id = account.id
left join private.plans as plan on plan.name = account.raw_app_meta_data ->> 'plan'
where account.deleted_at is null;

create view administration.tasks with (security_invoker = true) as
select task.id, task.user_id, nullif(account.email, '')::text as email, task.kind, task.state, task.cores,
       task.memory_bytes, task.work_units, task.priority, task.attempts, task.max_attempts, task.lease_epoch,
       task.wall_limit_seconds, task.cancel_requested_at, task.created_at, task.queued_at, task.started_at,
       task.finished_at, task.failure, task.is_partial
from public.tasks as task
left join auth.users as account on account.id = task.user_id;

create view administration.plans with (security_invoker = true) as
select plans.*, coalesce(accounts.count, 0) as users
from private.plans
left join (select plan, count(*) from administration.users group by plan) as accounts on accounts.plan = plans.name;

create view administration.audit_log with (security_invoker = true) as
select line.id, line.at, line.actor, line.actor_id, nullif(actor.email, '')::text as actor_email, line.action,
       line.subject_id, nullif(subject.email, '')::text as subject_email, line.object, host(line.address) as address,
       line.session_id, line.details, line.reason
from public.audit_log as line
left join auth.users as actor on actor.id = line.actor_id
left join auth.users as subject on subject.id = line.subject_id;

create view administration.exchange_key_log with (security_invoker = true) as
select event.id, event.at, event.user_id, nullif(account.email, '')::text as email, event.action, event.actor,
       event.key_id, event.provider, host(event.address) as address, event.reason
from public.api_key_audit_log as event
left join auth.users as account on account.id = event.user_id;

comment on view administration.users is 'Accounts with role, state, plan, when they were seen last, and how much they use.';
comment on view administration.tasks is 'Everybody''s tasks, without what went in and came out.';
comment on view administration.plans is 'Plans, and how many accounts have each.';
comment on view administration.audit_log is 'The audit log, with the addresses of the accounts that are still there.';
comment on view administration.exchange_key_log is 'What was done with exchange keys. No key, and no part of one.';

-- A suspended account neither waits nor runs: its tasks end in the transaction that suspends it, whoever does that.
create function private.end_tasks_of(gone uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update public.tasks set
        state = case state when 'queued' then 'cancelled' else state end,
        finished_at = case state when 'queued' then now() end,
        cancel_requested_at = now()
    where user_id = gone and state in ('queued', 'running') and cancel_requested_at is null
$$;

-- Waits for a suspension that is about to be committed, and makes one that comes later wait until this is.
create function private.require_active(wanted_user_id uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform from auth.users
    where id = wanted_user_id and deleted_at is null and (banned_until is null or banned_until <= now())
    for share;
    if not found then
        raise exception 'the account is suspended' using errcode = 'TM002';
    end if;
end
$$;

-- As before, and for who may still be here alone. The account is locked before the counter, as a suspension does.
create or replace function private.record_added_task() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if new.user_id = auth.uid() then
        perform private.require_active(new.user_id);
    end if;
    perform private.record_task_event(new);
    if new.user_id = auth.uid() then
        perform private.require_room_in_queue(new.user_id, 0);
    end if;
    return null;
end
$$;

create or replace function private.retry_my_task(wanted_id uuid, more_attempts integer) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    me constant uuid := auth.uid();
begin
    perform private.require_active(me);
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

-- Changes of accounts that come by the terminal, the dashboard or Supabase Auth's own API are the operator's. Those that
-- come by the API of Tidemark write their own lines, which know more.
create function private.follow_administration() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    was_admin constant boolean := tg_op <> 'INSERT' and coalesce(old.raw_app_meta_data ->> 'role' = 'admin', false);
    is_admin constant boolean := tg_op <> 'DELETE' and coalesce(new.raw_app_meta_data ->> 'role' = 'admin', false);
    by_operator constant boolean := session_user not in ('app_api', 'app_worker');
begin
    if tg_op = 'DELETE' then
        if by_operator and not coalesce(old.is_anonymous, false) and old.deleted_at is null then
            perform private.note_audit('user.delete', 'operator', old.id, null, null, null, null);
        end if;
        return null;
    end if;
    if tg_op = 'UPDATE' and not private.user_is_active(new.id) then
        perform private.end_tasks_of(new.id);
    end if;
    if not by_operator then
        return null;
    end if;
    -- Supabase Auth can keep the row of an account that it deletes.
    if tg_op = 'UPDATE' and old.deleted_at is null and new.deleted_at is not null and not new.is_anonymous then
        perform private.note_audit('user.delete', 'operator', new.id, null, null, null, null);
    end if;
    if was_admin <> is_admin then
        perform private.note_audit(
            case when is_admin then 'user.promote' else 'user.demote' end, 'operator', new.id, null, null, null, null);
    end if;
    if tg_op = 'UPDATE' and old.banned_until is distinct from new.banned_until then
        perform private.note_audit(
            case when new.banned_until > now() then 'user.suspend' else 'user.restore' end, 'operator', new.id, null,
            null, jsonb_strip_nulls(jsonb_build_object('until', new.banned_until)), null);
    end if;
    if tg_op = 'UPDATE'
        and old.raw_app_meta_data ->> 'plan' is distinct from new.raw_app_meta_data ->> 'plan'
    then
        perform private.note_audit(
            'user.plan', 'operator', new.id, null, null, jsonb_build_object(
                'plan', coalesce(new.raw_app_meta_data ->> 'plan', 'standard'),
                'before', coalesce(old.raw_app_meta_data ->> 'plan', 'standard')), null);
    end if;
    return null;
end
$$;

create trigger tidemark_administrator_made after insert on auth.users
    for each row when (new.raw_app_meta_data ->> 'role' = 'admin')
    execute function private.follow_administration();
create trigger tidemark_account_administered after update on auth.users
    for each row when (
        old.banned_until is distinct from new.banned_until
        or old.deleted_at is distinct from new.deleted_at
        or old.raw_app_meta_data ->> 'role' is distinct from new.raw_app_meta_data ->> 'role'
        or old.raw_app_meta_data ->> 'plan' is distinct from new.raw_app_meta_data ->> 'plan'
    )
    execute function private.follow_administration();
create trigger tidemark_account_removed after delete on auth.users
    for each row execute function private.follow_administration();

create function private.plan_in_words(plan private.plans) returns jsonb
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select to_jsonb(plan) - 'name'
$$;

create function private.follow_plans() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if session_user in ('app_api', 'app_worker') then
        return null;
    end if;
    perform private.note_audit(
        case tg_op when 'INSERT' then 'plan.create' when 'DELETE' then 'plan.delete' else 'plan.change' end,
        'operator', null,
        'plan ' || case when tg_op = 'DELETE' then old.name else new.name end,
        null,
        jsonb_strip_nulls(jsonb_build_object(
            'before', case when tg_op <> 'INSERT' then private.plan_in_words(old) end,
            'after', case when tg_op <> 'DELETE' then private.plan_in_words(new) end
        )),
        null);
    return null;
end
$$;
create trigger plans_are_followed after insert or update or delete on private.plans
    for each row execute function private.follow_plans();

-- Raises unless the caller is an administrator at this moment.
create function private.require_admin() returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not private.caller_is_admin() then
        raise exception 'this needs an administrator' using errcode = 'TM003';
    end if;
end
$$;

-- The same, alone: two administrators who take each other's role away at once do so one after the other, and the
-- second one is none any more. So one always stays.
create function private.require_admin_alone() returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform pg_advisory_xact_lock(hashtextextended('tidemark administrators', 0));
    perform private.require_admin();
end
$$;

create function private.admin_users(
    words text, wanted_role text, wanted_state text, wanted_plan text,
    most integer, after_at timestamptz, after_id uuid, address inet
) returns table (
    id uuid, email text, display_name text, role text, state text, plan text, created_at timestamptz,
    last_seen_at timestamptz, suspended_until timestamptz
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_admin();
    perform private.note_audit('user.list', 'admin', null, null, address, jsonb_strip_nulls(jsonb_build_object(
        'search', words, 'role', wanted_role, 'state', wanted_state, 'plan', wanted_plan)), null);
    return query
    select one.id, one.email, one.display_name, one.role, one.state, one.plan, one.created_at, one.last_seen_at,
           one.suspended_until
    from administration.users as one
    where (words is null or position(lower(words) in lower(one.email)) > 0
           or position(lower(words) in lower(one.display_name)) > 0 or one.id::text = lower(words))
      and (wanted_role is null or one.role = wanted_role)
      and (wanted_state is null or one.state = wanted_state)
      and (wanted_plan is null or one.plan = wanted_plan)
      and (after_at is null or (one.created_at, one.id) < (after_at, after_id))
    order by one.created_at desc, one.id desc
    limit most;
end
$$;

-- One account with what it uses and may use. A look leaves its line; after a change, the change has left one.
create function private.admin_user(wanted uuid, is_look boolean, address inet)
returns table (
    id uuid, email text, display_name text, role text, state text, plan text, created_at timestamptz,
    last_seen_at timestamptz, suspended_until timestamptz, sessions bigint, queued bigint, running bigint,
    backtests bigint, models bigint, exchange_keys bigint, series bigint,
    most_queued integer, most_running integer, most_backtests integer, most_models integer
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_admin();
    return query
    select one.id, one.email, one.display_name, one.role, one.state, one.plan, one.created_at, one.last_seen_at,
           one.suspended_until, one.sessions, one.queued, one.running, one.backtests, one.models, one.exchange_keys,
           one.series, plans.most_queued, plans.most_running, plans.most_backtests, plans.most_models
    from administration.users as one
    join private.plans on plans.name = one.plan
    where one.id = wanted;
    if found and is_look then
        perform private.note_audit('user.read', 'admin', wanted, null, address, null, null);
    end if;
end
$$;

-- Each of the following says 'done', or why not: 'none' (no such account), 'self', 'demo', 'plan' (no such plan).
-- What changes nothing leaves no line.
create function private.admin_set_role(wanted uuid, makes_admin boolean, address inet, why text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    account auth.users;
begin
    perform private.require_admin_alone();
    select * into account from auth.users as one where one.id = wanted and one.deleted_at is null for update;
    if account.id is null then
        return 'none';
    elsif wanted = auth.uid() and not makes_admin then
        return 'self';
    elsif account.is_anonymous and makes_admin then
        return 'demo';
    elsif coalesce(account.raw_app_meta_data ->> 'role' = 'admin', false) = makes_admin then
        return 'done';
    end if;
    update auth.users as one set
        raw_app_meta_data = (coalesce(raw_app_meta_data, '{}') - 'role')
            || case when makes_admin then '{"role": "admin"}'::jsonb else '{}'::jsonb end,
        updated_at = now()
    where one.id = wanted;
    perform private.note_audit(
        case when makes_admin then 'user.promote' else 'user.demote' end, 'admin', wanted, null, address, null, why);
    return 'done';
end
$$;

create function private.admin_set_plan(wanted uuid, new_plan text, address inet, why text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    before text;
begin
    perform private.require_admin();
    perform from private.plans where name = new_plan for share;
    if not found then
        return 'plan';
    end if;
    select coalesce(one.raw_app_meta_data ->> 'plan', 'standard') into before
    from auth.users as one where one.id = wanted and one.deleted_at is null for update;
    if before is null then
        return 'none';
    elsif before = new_plan then
        return 'done';
    end if;
    update auth.users as one set
        raw_app_meta_data = coalesce(raw_app_meta_data, '{}') || jsonb_build_object('plan', new_plan),
        updated_at = now()
    where one.id = wanted;
    perform private.note_audit('user.plan', 'admin', wanted, null, address,
        jsonb_build_object('plan', new_plan, 'before', before), why);
    return 'done';
end
$$;

create function private.admin_suspend(wanted uuid, hours integer, address inet, why text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    -- Supabase Auth has no word for "for good".
    a_century constant integer := 876000;
    until constant timestamptz := now() + make_interval(hours => coalesce(hours, a_century));
begin
    perform private.require_admin_alone();
    if wanted = auth.uid() then
        return 'self';
    end if;
    update auth.users as one set banned_until = until, updated_at = now()
    where one.id = wanted and one.deleted_at is null;
    if not found then
        return 'none';
    end if;
    perform private.note_audit('user.suspend', 'admin', wanted, null, address,
        case when hours is null then '{}' else jsonb_build_object('hours', hours, 'until', until) end, why);
    return 'done';
end
$$;

create function private.admin_restore(wanted uuid, address inet, why text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    account auth.users;
begin
    perform private.require_admin();
    select * into account from auth.users as one where one.id = wanted and one.deleted_at is null for update;
    if account.id is null then
        return 'none';
    elsif account.banned_until is null or account.banned_until <= now() then
        return 'done';
    end if;
    update auth.users as one set banned_until = null, updated_at = now() where one.id = wanted;
    perform private.note_audit('user.restore', 'admin', wanted, null, address, null, why);
    return 'done';
end
$$;

-- Their refresh tokens go with them.
create function private.admin_end_sessions(wanted uuid, address inet, why text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    ended bigint;
begin
    perform private.require_admin();
    if not exists (select from auth.users as one where one.id = wanted and one.deleted_at is null) then
        return 'none';
    end if;
    select count(*) into ended from auth.sessions where user_id = wanted;
    -- Before they end: the administrator's own may be among them.
    perform private.note_audit(
        'user.sessions_end', 'admin', wanted, null, address, jsonb_build_object('sessions', ended), why);
    delete from auth.sessions where user_id = wanted;
    return 'done';
end
$$;

create function private.admin_plans()
returns table (
    name text, most_queued integer, most_running integer, most_backtests integer, most_models integer, users bigint
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_admin();
    return query
    select one.name, one.most_queued, one.most_running, one.most_backtests, one.most_models, one.users
    from administration.plans as one order by one.most_running, one.most_queued, one.name;
end
$$;

create function private.admin_put_plan(
    wanted text, queued integer, running integer, backtests integer, models integer, address inet, why text
) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    before private.plans;
    after private.plans;
begin
    perform private.require_admin();
    select * into before from private.plans where name = wanted for update;
    insert into private.plans as plan (name, most_queued, most_running, most_backtests, most_models)
    values (wanted, queued, running, backtests, models)
    on conflict (name) do update set
        most_queued = excluded.most_queued, most_running = excluded.most_running,
        most_backtests = excluded.most_backtests, most_models = excluded.most_models
    returning plan.* into after;
    if before is distinct from after then
        perform private.note_audit(
            case when before.name is null then 'plan.create' else 'plan.change' end, 'admin', null, 'plan ' || wanted,
            address, jsonb_strip_nulls(jsonb_build_object(
                'before', case when before.name is not null then private.plan_in_words(before) end,
                'after', private.plan_in_words(after))), why);
    end if;
end
$$;

-- How many accounts have it, when they are in the way; -1 without such a plan; 0 when it is gone.
create function private.admin_delete_plan(wanted text, address inet, why text) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    before private.plans;
    users bigint;
begin
    perform private.require_admin();
    select * into before from private.plans where name = wanted for update;
    if before.name is null then
        return -1;
    end if;
    select count(*) into users from auth.users
    where deleted_at is null and raw_app_meta_data ->> 'plan' = wanted;
    if users > 0 then
        return users;
    end if;
    delete from private.plans where name = wanted;
    perform private.note_audit('plan.delete', 'admin', null, 'plan ' || wanted, address,
        jsonb_build_object('before', private.plan_in_words(before)), why);
    return 0;
end
$$;

create function private.admin_tasks(
    owner uuid, states text[], kinds text[], most integer, after_at timestamptz, after_id uuid, address inet
) returns setof administration.tasks
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_admin();
    perform private.note_audit('task.list', 'admin', owner, null, address, jsonb_strip_nulls(jsonb_build_object(
        'states', case when cardinality(states) > 0 then to_jsonb(states) end,
        'kinds', case when cardinality(kinds) > 0 then to_jsonb(kinds) end)), null);
    return query
    select * from administration.tasks as task
    where (owner is null or task.user_id = owner)
      and (cardinality(states) = 0 or task.state = any(states))
      and (cardinality(kinds) = 0 or task.kind = any(kinds))
      and (after_at is null or (task.created_at, task.id) < (after_at, after_id))
    order by task.created_at desc, task.id desc
    limit most;
end
$$;

create function private.admin_task(wanted uuid, is_look boolean, address inet)
returns table (task public.tasks, email text)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    owner uuid;
begin
    perform private.require_admin();
    select one.user_id into owner from public.tasks as one where one.id = wanted;
    if not found then
        return;
    end if;
    if is_look then
        perform private.note_audit('task.read', 'admin', owner, 'task ' || wanted, address, null, null);
    end if;
    return query
    select one, nullif(account.email, '')::text
    from public.tasks as one left join auth.users as account on account.id = one.user_id where one.id = wanted;
end
$$;

-- What waits is cancelled at once; what runs is asked to stop; what has ended stays as it is, and leaves no line.
create function private.admin_cancel_task(wanted uuid, address inet, why text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    cancelled public.tasks;
begin
    perform private.require_admin();
    update public.tasks as one set
        state = case one.state when 'queued' then 'cancelled' else one.state end,
        finished_at = case one.state when 'queued' then now() end,
        cancel_requested_at = now()
    where one.id = wanted and one.state in ('queued', 'running') and one.cancel_requested_at is null
    returning one.* into cancelled;
    if cancelled.id is not null then
        perform private.note_audit('task.cancel', 'admin', cancelled.user_id, 'task ' || wanted, address,
            jsonb_build_object('kind', cancelled.kind, 'state', cancelled.state), why);
    end if;
end
$$;

-- `noted` is the action that this reading is told by; null for the pages of an export, which told of itself.
create function private.admin_audit(
    wanted_actor uuid, wanted_subject uuid, wanted_action text, since timestamptz, until timestamptz,
    most integer, after_at timestamptz, after_id uuid, address inet, noted text, facts jsonb
) returns setof administration.audit_log
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_admin();
    return query
    select * from administration.audit_log as line
    where (wanted_actor is null or line.actor_id = wanted_actor)
      and (wanted_subject is null or line.subject_id = wanted_subject)
      and (wanted_action is null or line.action = wanted_action)
      and (since is null or line.at >= since)
      and (until is null or line.at < until)
      and (after_at is null or (line.at, line.id) < (after_at, after_id))
    order by line.at desc, line.id desc
    limit most;
    -- After what was read, which it is not a part of.
    if noted is not null then
        perform private.note_audit(noted, 'admin', wanted_subject, null, address,
            facts || jsonb_strip_nulls(jsonb_build_object(
                'actor_id', wanted_actor, 'action', wanted_action, 'since', since, 'until', until)), null);
    end if;
end
$$;

create function private.admin_note_limits(address inet) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.require_admin();
    perform private.note_audit('limits.read', 'admin', null, null, address, null, null);
end
$$;

-- For the operator in the dashboard, as nobody else: the same with a line of the log. True when there was something to do.
create function administration.cancel_task(wanted uuid, why text) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    cancelled public.tasks;
begin
    update public.tasks as one set
        state = case one.state when 'queued' then 'cancelled' else one.state end,
        finished_at = case one.state when 'queued' then now() end,
        cancel_requested_at = now()
    where one.id = wanted and one.state in ('queued', 'running') and one.cancel_requested_at is null
    returning one.* into cancelled;
    if cancelled.id is null then
        return false;
    end if;
    perform private.note_audit('task.cancel', 'operator', cancelled.user_id, 'task ' || wanted, null,
        jsonb_build_object('kind', cancelled.kind, 'state', cancelled.state), why);
    return true;
end
$$;

create function administration.end_sessions(wanted uuid, why text) returns boolean
language plpgsql volatile set search_path = pg_catalog, pg_temp as $$
declare
    ended bigint;
begin
    delete from auth.sessions where user_id = wanted;
    get diagnostics ended = row_count;
    if ended = 0 then
        return false;
    end if;
    perform private.note_audit('user.sessions_end', 'operator', wanted, null, null,
        jsonb_build_object('sessions', ended), why);
    return true;
end
$$;

do $$
declare
    each record;
begin
    for each in
        select oid::regprocedure as name, proname from pg_catalog.pg_proc
        where pronamespace = 'private'::regnamespace
          and (proname ~ '^(admin_|require_admin|follow_administration|follow_plans|plan_in_words)'
               or proname in ('end_tasks_of', 'require_active'))
    loop
        execute format('revoke all on function %s from public, anon, authenticated, service_role', each.name);
        if each.proname ~ '^(admin_|require_admin$)' then
            execute format('grant execute on function %s to authenticated', each.name);
        end if;
    end loop;
    for each in
        select oid::regclass as name from pg_catalog.pg_class where relnamespace = 'administration'::regnamespace
    loop
        execute format('revoke all on table %s from public, anon, authenticated, service_role', each.name);
    end loop;
    revoke all on all functions in schema administration from public, anon, authenticated, service_role;
end
$$;
