-- How somebody leaves: the account is closed in one transaction, and from then on nobody can act as it. What is its own,
-- rows and files, goes after that, step by step; whatever interrupts this, the hourly housekeeping goes on with it.

-- Who left, for as long as something of theirs may still lie on the disk. No foreign key: the account is gone by then.
create table private.departures (
    user_id uuid primary key,
    left_at timestamptz not null default clock_timestamp()
);
alter table private.departures enable row level security;
alter table private.departures force row level security;
revoke all on table private.departures from public, anon, authenticated, service_role;

-- What may be done a few times only, by whoever holds a session: guess its password, take all data along.
create table private.account_tries (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    what text not null check (what in ('password', 'export')),
    at timestamptz not null default clock_timestamp()
);
create index account_tries_user_id_idx on private.account_tries (user_id, what, at);
alter table private.account_tries enable row level security;
alter table private.account_tries force row level security;
revoke all on table private.account_tries from public, anon, authenticated, service_role;

-- Null: it is counted, and may be done. Else so many seconds from now. Two at once count one after the other.
create function private.count_my_try(tried text, most integer, within interval) returns integer
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    present bigint;
    oldest timestamptz;
begin
    perform pg_advisory_xact_lock(hashtextextended('tries of ' || auth.uid()::text, 0));
    delete from private.account_tries
        where user_id = auth.uid() and what = tried and at <= clock_timestamp() - within;
    select count(*), min(at) into present, oldest
        from private.account_tries where user_id = auth.uid() and what = tried;
    if present >= most then
        return greatest(1, ceil(extract(epoch from oldest + within - clock_timestamp())));
    end if;
    insert into private.account_tries (user_id, what) values (auth.uid(), tried);
    return null;
end
$$;

create function private.my_session_is_alive() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce(private.session_is_alive((nullif(auth.jwt() ->> 'session_id', ''))::uuid), false)
$$;

create function private.have_password() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select coalesce((select encrypted_password <> '' from auth.users where id = auth.uid()), false)
$$;

-- An export begins: 'begun', or why not: 'session', or 'wait' for so many seconds.
create function private.begin_my_export(from_address inet, out outcome text, out wait_seconds integer)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not private.my_session_is_alive() then
        outcome := 'session';
        return;
    end if;
    wait_seconds := private.count_my_try('export', 5, interval '1 day');
    if wait_seconds is not null then
        outcome := 'wait';
        return;
    end if;
    perform private.note_audit('account.export', 'user', auth.uid(), null, from_address, '{}', null);
    outcome := 'begun';
end
$$;

-- How many sessions ended.
create function private.end_my_sessions(only_others boolean) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    ended bigint;
begin
    delete from auth.sessions
    where user_id = auth.uid()
      and not (only_others and id = (nullif(auth.jwt() ->> 'session_id', ''))::uuid);
    get diagnostics ended = row_count;
    return ended;
end
$$;

-- Those of these that were signed out or are over, for streams that outlive the request that was checked.
create function private.ended_sessions(asked uuid[]) returns setof uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select wanted from unnest(asked) as wanted
    where not exists (
        select from auth.sessions where id = wanted and (not_after is null or not_after > now())
    )
$$;

-- From here on nobody acts as this account: it counts as deleted, its sessions are gone, its jobs are told to stop.
create function private.close_account(leaving uuid) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    insert into private.departures (user_id) values (leaving) on conflict (user_id) do nothing;
    update auth.users
    set deleted_at = coalesce(deleted_at, now()), banned_until = now() + interval '100 years'
    where id = leaving;
    delete from auth.sessions where user_id = leaving;
    update public.tasks set
        state = case state when 'queued' then 'cancelled' else state end,
        finished_at = case state when 'queued' then now() end,
        cancel_requested_at = coalesce(cancel_requested_at, now())
    where user_id = leaving and state in ('queued', 'running');
end
$$;

-- Whoever is asked about is the only administrator. Two who leave at once are asked one after the other.
create function private.is_last_admin(asked uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from auth.users where id = asked and raw_app_meta_data ->> 'role' = 'admin') then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('tidemark administrators', 0));
    return not exists (
        select from auth.users
        where id <> asked and raw_app_meta_data ->> 'role' = 'admin' and private.user_is_active(id)
    );
end
$$;

-- 'closed', or why not: 'session', 'last_admin', 'password' (none or a wrong one), 'unreadable' (kept in a form that
-- this database cannot compare), or 'wait' for so many seconds. It returns instead of raising, so that a try counts.
create function private.close_my_account(
    given_password text, from_address inet, out outcome text, out wait_seconds integer
)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    kept text;
begin
    if not private.my_session_is_alive() then
        outcome := 'session';
        return;
    end if;
    if private.is_last_admin(auth.uid()) then
        outcome := 'last_admin';
        return;
    end if;
    select encrypted_password into kept from auth.users where id = auth.uid();
    if coalesce(kept, '') <> '' then
        if given_password is null then
            outcome := 'password';
            return;
        end if;
        wait_seconds := private.count_my_try('password', 5, interval '15 minutes');
        if wait_seconds is not null then
            outcome := 'wait';
            return;
        end if;
        if kept !~ '^[$]2[aby][$](0[4-9]|1[0-4])[$][./A-Za-z0-9]{53}$' then
            outcome := 'unreadable';
            return;
        end if;
        -- pgcrypto knows the prefix $2a$ only; $2b$ and $2y$ name the same algorithm, which reads 72 bytes at most.
        kept := '$2a' || substr(kept, 4);
        if octet_length(given_password) > 72 or extensions.crypt(given_password, kept) <> kept then
            outcome := 'password';
            return;
        end if;
    end if;
    perform private.note_audit('account.delete', 'user', auth.uid(), null, from_address, '{}', null);
    perform private.close_account(auth.uid());
    outcome := 'closed';
end
$$;

-- The same for an operator. False: there is no such account.
create function private.close_account_of(leaving uuid, why text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not exists (select from auth.users where id = leaving) then
        return false;
    end if;
    perform private.note_audit('user.delete', 'operator', leaving, null, null, '{}', why);
    perform private.close_account(leaving);
    return true;
end
$$;

-- Removes some rows of a closed account, the account itself last. Zero: nothing of it is left.
create function private.remove_some_of_account(leaving uuid, most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint;
begin
    if not exists (select from private.departures where user_id = leaving) then
        return 0;
    end if;
    -- What takes most room goes a few at a time: nobody shall wait for it, and no statement shall run into its limit.
    delete from public.backtests where id in (
        select id from public.backtests where user_id = leaving limit most
    );
    get diagnostics gone = row_count;
    if gone > 0 then
        return gone;
    end if;
    delete from public.task_events where user_id = leaving and id in (
        select id from public.task_events where user_id = leaving limit 50 * most
    );
    get diagnostics gone = row_count;
    if gone > 0 then
        return gone;
    end if;
    delete from auth.flow_state where user_id = leaving;
    -- Supabase Auth keeps the address beside what it did.
    delete from auth.audit_log_entries
    where payload ->> 'actor_id' = leaving::text or payload #>> '{traits,user_id}' = leaving::text;
    delete from auth.users where id = leaving;
    return 0;
end
$$;

create function private.list_departures() returns table (user_id uuid, left_at timestamptz)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select user_id, left_at from private.departures order by left_at, user_id
$$;

create function private.forget_departure(departed uuid) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    delete from private.departures where user_id = departed
$$;

-- However an account goes, also by the dashboard or when a demo is over: its files are to go as well.
create function private.follow_departure() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp set lock_timeout = '2s' as $$
begin
    insert into private.departures (user_id) values (old.id) on conflict (user_id) do nothing;
    return null;
exception when others then
    raise warning 'The departure of an account could not be noted (%)', sqlstate;
    return null;
end
$$;
create trigger tidemark_account_deleted after delete on auth.users
    for each row execute function private.follow_departure();

revoke all on function private.count_my_try(text, integer, interval) from public, anon, authenticated, service_role;
revoke all on function private.my_session_is_alive() from public, anon, authenticated, service_role;
revoke all on function private.have_password() from public, anon, authenticated, service_role;
revoke all on function private.begin_my_export(inet) from public, anon, authenticated, service_role;
revoke all on function private.end_my_sessions(boolean) from public, anon, authenticated, service_role;
revoke all on function private.ended_sessions(uuid[]) from public, anon, authenticated, service_role;
revoke all on function private.close_account(uuid) from public, anon, authenticated, service_role;
revoke all on function private.is_last_admin(uuid) from public, anon, authenticated, service_role;
revoke all on function private.close_my_account(text, inet) from public, anon, authenticated, service_role;
revoke all on function private.close_account_of(uuid, text) from public, anon, authenticated, service_role;
revoke all on function private.remove_some_of_account(uuid, integer) from public, anon, authenticated, service_role;
revoke all on function private.list_departures() from public, anon, authenticated, service_role;
revoke all on function private.forget_departure(uuid) from public, anon, authenticated, service_role;
revoke all on function private.follow_departure() from public, anon, authenticated, service_role;

grant execute on function private.have_password() to authenticated;
grant execute on function private.my_session_is_alive() to authenticated;
grant execute on function private.begin_my_export(inet) to authenticated;
grant execute on function private.end_my_sessions(boolean) to authenticated;
grant execute on function private.close_my_account(text, inet) to authenticated;
grant execute on function private.ended_sessions(uuid[]) to service_role;
grant execute on function private.close_account_of(uuid, text) to service_role;
grant execute on function private.remove_some_of_account(uuid, integer) to service_role;
grant execute on function private.list_departures() to service_role;
grant execute on function private.forget_departure(uuid) to service_role;
