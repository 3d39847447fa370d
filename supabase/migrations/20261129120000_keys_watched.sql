-- Exchange keys are looked at again about once a day by the service, each at its own time. What a provider refuses is on
-- record too, and one damaged row stops nobody.

alter table public.api_keys
    -- Random, so that keys which were stored together are not asked about together.
    add column next_check_at timestamptz not null default now() + interval '20 hours' + random() * interval '8 hours',
    add column failed_checks integer not null default 0 check (failed_checks >= 0),
    -- Since when no test found it working.
    add column failing_since timestamptz;
create index api_keys_next_check_idx on public.api_keys (next_check_at);
grant select (failing_since) on table public.api_keys to authenticated;

alter table public.api_key_audit_log
    add column outcome text not null default 'done' check (
        outcome in ('done', 'refused', 'unreachable', 'unreadable', 'can_withdraw')
    ),
    drop constraint api_key_audit_log_action_check,
    add constraint api_key_audit_log_action_check check (
        action in ('create', 'read', 'decrypt', 'test', 'check', 'rotate', 'label', 'delete', 'rewrap')
    );

-- Whatever tests a key plans its next check. A provider that is away is asked again soon, one that refuses ever more
-- seldom: exchanges lock out addresses that come back with dead keys.
create function private.plan_next_check_of_api_key() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_state constant text := new.health ->> 'state';
    wait interval := interval '1 day';
begin
    if found_state = 'works' then
        new.failed_checks := 0;
        new.failing_since := null;
    else
        new.failed_checks := least(old.failed_checks + 1, 20);
        new.failing_since := coalesce(old.failing_since, now());
        wait := case
            when found_state = 'unreachable' then least(interval '1 hour' * 2 ^ (new.failed_checks - 1), interval '1 day')
            else least(interval '1 day' * 2 ^ (new.failed_checks - 1), interval '7 days')
        end;
    end if;
    new.next_check_at := now() + wait * (0.85 + 0.3 * random());
    return new;
end
$$;
create trigger api_keys_plan_next_check before update of tested_at on public.api_keys
    for each row execute function private.plan_next_check_of_api_key();

-- Some whose time has come, for one who looks at them now: nobody else gets them within the hour.
create function private.api_keys_to_check(most integer) returns table (id uuid, user_id uuid)
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update public.api_keys as key set next_check_at = now() + interval '1 hour'
    where key.id in (
        select due.id from public.api_keys as due
        where due.next_check_at <= now() and private.user_is_active(due.user_id)
        order by due.next_check_at
        limit most
        for update skip locked
    )
    returning key.id, key.user_id
$$;

drop function private.note_api_key(uuid, uuid, text, text, inet, text, text, text);
create function private.note_api_key(
    owner uuid, key_id uuid, action text, actor text, address inet, provider text, hint text, reason text,
    outcome text default 'done'
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into public.api_key_audit_log
        (user_id, key_id, action, actor, session_id, address, provider, hint, reason, outcome)
    values (owner, key_id, action, actor,
            case when actor = 'user' then (nullif(auth.jwt() ->> 'session_id', ''))::uuid end,
            address, provider, hint, reason, outcome)
$$;

-- A key that was not stored. Ten minutes of the same are one line, and a day has fifty at most, of which the last says
-- so: nobody fills the log with tries. Of the key that was tried nothing is kept.
create function private.note_my_api_key_refused(
    tried text, wanted uuid, wanted_provider text, told text, from_address inet
) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant bigint := 50;
    own_session constant uuid := (nullif(auth.jwt() ->> 'session_id', ''))::uuid;
    lately bigint;
    why text;
begin
    if tried not in ('create', 'rotate') or told not in ('refused', 'unreachable', 'can_withdraw') then
        raise exception 'no such refusal' using errcode = 'invalid_parameter_value';
    end if;
    if not coalesce(private.session_is_alive(own_session), false) then
        return;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('keys of ' || auth.uid()::text, 0));
    select count(*) into lately from public.api_key_audit_log
        where user_id = auth.uid() and at > now() - interval '1 day' and actor = 'user' and outcome <> 'done';
    if lately >= most or exists (
        select from public.api_key_audit_log
        where user_id = auth.uid() and at > now() - interval '10 minutes' and action = tried and outcome = told
          and provider = wanted_provider and key_id is not distinct from wanted
          and session_id is not distinct from own_session and address is not distinct from from_address
    ) then
        return;
    end if;
    why := case told
        when 'refused' then 'The provider did not take it.'
        when 'unreachable' then 'The provider did not answer.'
        else 'It can withdraw, which was not accepted in words.'
    end || ' Nothing was stored.';
    perform private.note_api_key(
        auth.uid(), wanted, tried, 'user', from_address, wanted_provider,
        (select hint from public.api_keys where id = wanted and user_id = auth.uid()),
        case when lately = most - 1 then why || ' More of this day are not listed.' else why end, told);
end
$$;

-- As before, but the checks of the service are none of the user's changes.
create or replace function private.may_change_my_api_keys() returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant bigint := 1000;
    lately bigint;
begin
    if not coalesce(private.session_is_alive((nullif(auth.jwt() ->> 'session_id', ''))::uuid), false)
        or not exists (select from auth.users where id = auth.uid() and not is_anonymous)
    then
        return false;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('keys of ' || auth.uid()::text, 0));
    select count(*) into lately from public.api_key_audit_log
        where user_id = auth.uid() and at > now() - interval '1 day' and action not in ('rewrap', 'decrypt', 'check');
    if lately >= most then
        perform private.refuse_more(
            'changes and tests of keys within a day', most, lately, 'Go on tomorrow.');
    end if;
    return true;
end
$$;

-- False when the secret was rotated since, or the key is gone. `test` is asked for by its owner, `check` by nobody.
drop function private.note_api_key_test(uuid, uuid, integer, text[], jsonb, inet, text);
create function private.note_api_key_test(
    owner uuid, wanted uuid, tested_version integer, found_permissions text[], found_health jsonb, address inet,
    reason text, is_asked boolean
) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    tested public.api_keys;
begin
    update public.api_keys
    set permissions = coalesce(found_permissions, permissions), health = found_health, tested_at = now()
    where id = wanted and user_id = owner and secret_version = tested_version
    returning * into tested;
    if tested.id is null then
        return false;
    end if;
    perform private.note_api_key(
        owner, wanted, case when is_asked then 'test' else 'check' end, 'service', address, tested.provider,
        tested.hint, reason, case found_health ->> 'state' when 'works' then 'done' else found_health ->> 'state' end);
    return true;
end
$$;

-- Null for one that was damaged: whoever reads many goes on with the others.
create function private.open_api_credential_if_whole(locked bytea) returns bytea
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    return private.open_api_credential(locked);
exception when external_routine_invocation_exception or data_exception then
    return null;
end
$$;

create or replace function private.decrypt_api_credential(
    owner uuid, wanted uuid, is_use boolean, address inet, reason text
)
returns table (provider text, secret_version integer, sealed bytea)
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    asked public.api_keys;
begin
    update public.api_keys as key set last_used_at = case when is_use then now() else key.last_used_at end
    where key.id = wanted and key.user_id = owner and private.user_is_active(owner)
    returning key.* into asked;
    if asked.id is null then
        return;
    end if;
    perform private.note_api_key(owner, wanted, 'decrypt', 'service', address, asked.provider, asked.hint, reason);
    return query select asked.provider, asked.secret_version, private.open_api_credential_if_whole(asked.locked);
end
$$;

create or replace function private.api_keys_to_rewrap(most integer)
returns table (id uuid, user_id uuid, provider text, secret_version integer, sealed bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select key.id, key.user_id, key.provider, key.secret_version, private.open_api_credential_if_whole(key.locked)
    from public.api_keys as key
    where key.master <> (select locks.master from private.api_key_locks as locks)
    order by key.id
    limit most
$$;

revoke all on function private.plan_next_check_of_api_key() from public, anon, authenticated, service_role;
revoke all on function private.api_keys_to_check(integer) from public, anon, authenticated, service_role;
revoke all on function private.note_api_key(uuid, uuid, text, text, inet, text, text, text, text)
    from public, anon, authenticated, service_role;
revoke all on function private.note_my_api_key_refused(text, uuid, text, text, inet)
    from public, anon, authenticated, service_role;
revoke all on function private.note_api_key_test(uuid, uuid, integer, text[], jsonb, inet, text, boolean)
    from public, anon, authenticated, service_role;
revoke all on function private.open_api_credential_if_whole(bytea) from public, anon, authenticated, service_role;
grant execute on function private.api_keys_to_check(integer) to service_role;
grant execute on function private.note_my_api_key_refused(text, uuid, text, text, inet) to authenticated;
grant execute on function private.note_api_key_test(uuid, uuid, integer, text[], jsonb, inet, text, boolean)
    to service_role;
