-- An account with very many rows goes as well: in pieces that no statement's limit stops. And what is only added to
-- stays also for an operator who takes the part of a replica, where ordinary triggers sleep.

-- No account, or one that was closed and is being taken apart.
create function private.is_leaving(asked uuid) returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select not exists (
        select from auth.users as account
        where account.id = asked
          and (account.deleted_at is null or not exists (select from private.departures where user_id = asked))
    )
$$;
revoke all on function private.is_leaving(uuid) from public, anon, authenticated, service_role;

create or replace function private.keep_record() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    has_some boolean;
begin
    if tg_op = 'DELETE' then
        if private.is_leaving(old.user_id) then
            return old; -- the account goes, and all that was its own
        end if;
    elsif tg_op = 'TRUNCATE' then
        execute format('select exists (select from %I.%I)', tg_table_schema, tg_table_name) into has_some;
        if not has_some then
            return null;
        end if;
    end if;
    raise exception 'a track record is never changed' using errcode = 'restrict_violation';
end
$$;

create or replace function private.keep_api_key_audit_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' and private.is_leaving(old.user_id) then
        return old;
    end if;
    raise exception 'the audit log of keys is only added to' using errcode = 'insufficient_privilege';
end
$$;

alter table public.audit_log
    enable always trigger audit_log_stays,
    enable always trigger audit_log_is_never_emptied;
alter table public.api_key_audit_log
    enable always trigger api_key_audit_log_stays,
    enable always trigger api_key_audit_log_is_never_emptied;
alter table public.predictions
    enable always trigger predictions_keep,
    enable always trigger predictions_keep_all;
alter table public.prediction_outcomes
    enable always trigger prediction_outcomes_keep,
    enable always trigger prediction_outcomes_keep_all;

-- Removes some rows of a closed account, the account itself last. Zero: nothing of it is left.
create or replace function private.remove_some_of_account(leaving uuid, most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    each record;
    gone bigint;
begin
    if not exists (select from private.departures where user_id = leaving) then
        return 0;
    end if;
    -- What may be much goes some at a time: nobody shall wait for it, and no statement shall run into its limit.
    -- What points at other rows goes before them.
    for each in
        select * from (values
            ('backtests', 1), ('task_events', 50), ('prediction_outcomes', 50), ('predictions', 50), ('models', 1),
            ('tasks', 50), ('api_key_audit_log', 50), ('series', 50), ('strategy_versions', 1), ('shares', 50)
        ) as large (name, times)
    loop
        -- The place of a row is as good as its key here: nobody else removes it, and one that moved comes next time.
        execute format(
            'delete from public.%I where user_id = $1 and ctid = any (array('
            'select ctid from public.%I where user_id = $1 limit $2))', each.name, each.name
        ) using leaving, each.times * most;
        get diagnostics gone = row_count;
        if gone > 0 then
            return gone;
        end if;
    end loop;
    delete from auth.flow_state where user_id = leaving;
    -- Supabase Auth keeps the address beside what it did.
    delete from auth.audit_log_entries
    where payload ->> 'actor_id' = leaving::text or payload #>> '{traits,user_id}' = leaving::text;
    delete from auth.users where id = leaving;
    return 0;
end
$$;

-- As before, and a user's own lines tell of the whole account alone: nobody claims to have promoted or suspended.
create or replace function private.note_audit(
    action text, actor text, subject uuid, object text, address inet, details jsonb, reason text
) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not coalesce(case actor
        when 'user' then auth.uid() = subject and action in ('account.delete', 'account.export')
        when 'admin' then private.caller_is_admin()
        else session_user not in ('app_api', 'authenticator')
    end, false) then
        raise exception 'a line of the audit log tells what its own writer did' using errcode = 'insufficient_privilege';
    end if;
    insert into public.audit_log (actor_id, actor, action, subject_id, object, address, session_id, details, reason)
    values (
        case when actor in ('user', 'admin') then auth.uid() end,
        actor, action, subject, object, address,
        case when actor in ('user', 'admin') then (nullif(auth.jwt() ->> 'session_id', ''))::uuid end,
        coalesce(details, '{}'), reason
    );
end
$$;
