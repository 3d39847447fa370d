-- Keys of exchanges and brokers, under two locks. What arrives here was sealed by the service under a key that the
-- database never sees; the database locks it once more under a key of its own, which the service never sees. A user reads
-- all but that, and writes nothing past the functions, which ask for a live session and write the audit log.

-- One row: under which master key of the service new keys are sealed, and the database's own key.
create table private.api_key_locks (
    is_the_only_one boolean primary key default true check (is_the_only_one),
    master text check (master ~ '^[0-9a-f]{16}$'),
    database_key bytea not null check (octet_length(database_key) = 32)
);
insert into private.api_key_locks (database_key) values (extensions.gen_random_bytes(32));

create table public.api_keys (
    id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    provider text not null check (provider ~ '^[a-z]{2,20}:[a-z0-9]{2,30}$'),
    label text not null check (char_length(label) between 1 and 80),
    hint text not null check (char_length(hint) = 11),
    permissions text[] not null check (permissions <@ array['read', 'trade', 'withdraw']),
    health jsonb not null check (jsonb_typeof(health) = 'object' and octet_length(health::text) <= 2000),
    -- Of the secret: grows by one with each rotation.
    secret_version integer not null default 1 check (secret_version > 0),
    -- Under which master key of the service the secret is sealed.
    master text not null check (master ~ '^[0-9a-f]{16}$'),
    locked bytea not null check (octet_length(locked) between 100 and 20000),
    created_at timestamptz not null default now(),
    rotated_at timestamptz,
    tested_at timestamptz not null default now(),
    last_used_at timestamptz,
    unique (user_id, id)
);
create index api_keys_newest_idx on public.api_keys (user_id, created_at desc, id desc);
create index api_keys_master_idx on public.api_keys (master, id);

-- Who did what to which key, when, from where and why. Nobody changes it, the service and the owner of the database
-- included; it goes with the account.
create table public.api_key_audit_log (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    -- None when all of them were looked at. The key may be gone since.
    key_id uuid,
    at timestamptz not null default clock_timestamp(),
    action text not null check (
        action in ('create', 'read', 'decrypt', 'test', 'rotate', 'label', 'delete', 'rewrap')
    ),
    actor text not null check (actor in ('user', 'service')),
    session_id uuid,
    address inet,
    provider text,
    hint text,
    reason text not null check (char_length(reason) between 1 and 200),
    unique (user_id, id)
);
create index api_key_audit_log_newest_idx on public.api_key_audit_log (user_id, at desc, id desc);

alter table private.api_key_locks enable row level security;
alter table private.api_key_locks force row level security;
alter table public.api_keys enable row level security;
alter table public.api_keys force row level security;
alter table public.api_key_audit_log enable row level security;
alter table public.api_key_audit_log force row level security;

revoke all on table private.api_key_locks from public, anon, authenticated, service_role;
revoke all on table public.api_keys from public, anon, authenticated, service_role;
revoke all on table public.api_key_audit_log from public, anon, authenticated, service_role;
-- All but what is locked, and under which master key.
grant select (
    id, user_id, provider, label, hint, permissions, health, secret_version, created_at, rotated_at, tested_at,
    last_used_at
) on table public.api_keys to authenticated;
grant select on table public.api_key_audit_log to authenticated;

create policy "Users see their own keys" on public.api_keys
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users see what was done with their own keys" on public.api_key_audit_log
    for select to authenticated using ((select auth.uid()) = user_id);

-- Only an account that goes takes its lines with it: its row is gone by then.
create function private.keep_api_key_audit_log() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    if tg_op = 'DELETE' and not exists (select from auth.users where id = old.user_id) then
        return old;
    end if;
    raise exception 'the audit log of keys is only added to' using errcode = 'insufficient_privilege';
end
$$;
create trigger api_key_audit_log_stays before update or delete on public.api_key_audit_log
    for each row execute function private.keep_api_key_audit_log();
create trigger api_key_audit_log_is_never_emptied before truncate on public.api_key_audit_log
    for each statement execute function private.keep_api_key_audit_log();

-- The database's own lock. The key is in a variable, never in the text of a statement.
create function private.encrypt_api_credential(sealed bytea) returns bytea
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    own_key bytea;
begin
    select database_key into strict own_key from private.api_key_locks;
    -- The key is random, so there is nothing to stretch.
    return extensions.pgp_sym_encrypt_bytea(
        sealed, encode(own_key, 'hex'), 'cipher-algo=aes256, compress-algo=0, s2k-mode=1'
    );
end
$$;

create function private.open_api_credential(locked bytea) returns bytea
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
declare
    own_key bytea;
begin
    select database_key into strict own_key from private.api_key_locks;
    return extensions.pgp_sym_decrypt_bytea(locked, encode(own_key, 'hex'));
end
$$;

create function private.note_api_key(
    owner uuid, key_id uuid, action text, actor text, address inet, provider text, hint text, reason text
) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    insert into public.api_key_audit_log (user_id, key_id, action, actor, session_id, address, provider, hint, reason)
    values (owner, key_id, action, actor,
            case when actor = 'user' then (nullif(auth.jwt() ->> 'session_id', ''))::uuid end,
            address, provider, hint, reason)
$$;

-- Whether the caller may change keys now: a live session, an account, and not a thousand times a day.
create function private.may_change_my_api_keys() returns boolean
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
        where user_id = auth.uid() and at > now() - interval '1 day' and action not in ('rewrap', 'decrypt');
    if lately >= most then
        perform private.refuse_more(
            'changes and tests of keys within a day', most, lately, 'Go on tomorrow.');
    end if;
    return true;
end
$$;

create function private.require_room_for_my_api_key() returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant bigint := 20;
    present bigint;
begin
    if not private.may_change_my_api_keys() then
        return false;
    end if;
    select count(*) into present from public.api_keys where user_id = auth.uid();
    if present >= most then
        perform private.refuse_more('exchange keys', most, present, 'Delete one first.');
    end if;
    return true;
end
$$;

create function private.api_key_master() returns text
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select master from private.api_key_locks
$$;

-- True when new keys are sealed under this master. A rotation of it waits until this transaction ends, and the other way
-- round, so that none is left behind under the old one.
create function private.is_api_key_master(told text) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    present text;
begin
    select master into strict present from private.api_key_locks for share;
    return coalesce(present = told, false);
end
$$;

-- 'stored', or why not: 'session' (no live session of an account), 'master' (sealed under another one than the present).
create function private.create_my_api_key(
    key_id uuid, key_provider text, key_label text, key_hint text, key_permissions text[], key_health jsonb,
    key_master text, sealed bytea, address inet, reason text
) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not private.require_room_for_my_api_key() then
        return 'session';
    end if;
    if not private.is_api_key_master(key_master) then
        return 'master';
    end if;
    insert into public.api_keys (id, user_id, provider, label, hint, permissions, health, master, locked)
    values (key_id, auth.uid(), key_provider, key_label, key_hint, key_permissions, key_health, key_master,
            private.encrypt_api_credential(sealed));
    perform private.note_api_key(auth.uid(), key_id, 'create', 'user', address, key_provider, key_hint, reason);
    return 'stored';
end
$$;

-- A new secret in the place of the old one, in one statement: whoever reads meanwhile has the one or the other.
-- 'version' when it was rotated since by somebody else, or is gone.
create function private.rotate_my_api_key(
    wanted uuid, new_version integer, key_hint text, key_permissions text[], key_health jsonb, key_master text,
    sealed bytea, address inet, reason text
) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    found_provider text;
begin
    if not private.may_change_my_api_keys() then
        return 'session';
    end if;
    if not private.is_api_key_master(key_master) then
        return 'master';
    end if;
    update public.api_keys
    set hint = key_hint, permissions = key_permissions, health = key_health, master = key_master,
        locked = private.encrypt_api_credential(sealed), secret_version = new_version, rotated_at = now(),
        tested_at = now()
    where id = wanted and user_id = auth.uid() and secret_version = new_version - 1
    returning provider into found_provider;
    if found_provider is null then
        return 'version';
    end if;
    perform private.note_api_key(auth.uid(), wanted, 'rotate', 'user', address, found_provider, key_hint, reason);
    return 'stored';
end
$$;

create function private.label_my_api_key(wanted uuid, new_label text, address inet, reason text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    changed public.api_keys;
begin
    if not private.may_change_my_api_keys() then
        return 'session';
    end if;
    update public.api_keys set label = new_label where id = wanted and user_id = auth.uid() returning * into changed;
    if changed.id is null then
        return 'none';
    end if;
    perform private.note_api_key(
        auth.uid(), wanted, 'label', 'user', address, changed.provider, changed.hint, reason);
    return 'stored';
end
$$;

create function private.delete_my_api_key(wanted uuid, address inet, reason text) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone public.api_keys;
begin
    -- Whoever has used up the day's changes can still take a key away.
    if not coalesce(private.session_is_alive((nullif(auth.jwt() ->> 'session_id', ''))::uuid), false) then
        return 'session';
    end if;
    delete from public.api_keys where id = wanted and user_id = auth.uid() returning * into gone;
    if gone.id is null then
        return 'none';
    end if;
    perform private.note_api_key(auth.uid(), wanted, 'delete', 'user', address, gone.provider, gone.hint, reason);
    return 'stored';
end
$$;

-- A list that is looked at again and again is one line for each ten minutes, session and address.
create function private.note_my_api_keys_read(from_address inet, reason text) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    select private.note_api_key(auth.uid(), null, 'read', 'user', from_address, null, null, reason)
    where not exists (
        select from public.api_key_audit_log
        where user_id = auth.uid() and action = 'read' and at > now() - interval '10 minutes'
          and session_id is not distinct from (nullif(auth.jwt() ->> 'session_id', ''))::uuid
          and address is not distinct from from_address
    ) and exists (select from public.api_keys where user_id = auth.uid())
$$;

-- What the service sealed, for the service alone; there is no other way to it, and it leaves its line in the log.
-- Of a suspended user it opens none.
create function private.decrypt_api_credential(owner uuid, wanted uuid, is_use boolean, address inet, reason text)
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
    return query select asked.provider, asked.secret_version, private.open_api_credential(asked.locked);
end
$$;

-- False when the secret was rotated since, or the key is gone.
create function private.note_api_key_test(
    owner uuid, wanted uuid, tested_version integer, found_permissions text[], found_health jsonb, address inet,
    reason text
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
    perform private.note_api_key(owner, wanted, 'test', 'service', address, tested.provider, tested.hint, reason);
    return true;
end
$$;

-- New keys are sealed under this master from now on. With `only_if_free` only where there was none, or no key is stored.
create function private.set_api_key_master(told text, only_if_free boolean) returns text
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    present text;
begin
    select master into strict present from private.api_key_locks for update;
    if present is null or not only_if_free or not exists (select from public.api_keys) then
        update private.api_key_locks set master = told;
        return told;
    end if;
    return present;
end
$$;

create function private.api_keys_to_rewrap(most integer)
returns table (id uuid, user_id uuid, provider text, secret_version integer, sealed bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select key.id, key.user_id, key.provider, key.secret_version, private.open_api_credential(key.locked)
    from public.api_keys as key
    where key.master <> (select locks.master from private.api_key_locks as locks)
    order by key.id
    limit most
$$;

-- False when it was rotated or deleted since it was read, or the master changed once more.
create function private.rewrap_api_key(wanted uuid, read_version integer, new_master text, sealed bytea)
returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    wrapped public.api_keys;
begin
    if not private.is_api_key_master(new_master) then
        return false;
    end if;
    update public.api_keys set master = new_master, locked = private.encrypt_api_credential(sealed)
    where id = wanted and secret_version = read_version and master <> new_master
    returning * into wrapped;
    if wrapped.id is null then
        return false;
    end if;
    perform private.note_api_key(
        wrapped.user_id, wanted, 'rewrap', 'service', null, wrapped.provider, wrapped.hint, 'The master key was rotated.');
    return true;
end
$$;

do $$
declare
    each record;
begin
    for each in
        select oid::regprocedure as name from pg_catalog.pg_proc
        where pronamespace = 'private'::regnamespace and proname ~ 'api_(key|credential)'
    loop
        execute format('revoke all on function %s from public, anon, authenticated, service_role', each.name);
    end loop;
end
$$;

grant execute on function private.encrypt_api_credential(bytea) to authenticated;
grant execute on function private.require_room_for_my_api_key() to authenticated;
grant execute on function private.may_change_my_api_keys() to authenticated;
grant execute on function private.api_key_master() to authenticated, service_role;
grant execute on function private.create_my_api_key(
    uuid, text, text, text, text[], jsonb, text, bytea, inet, text
) to authenticated;
grant execute on function private.rotate_my_api_key(
    uuid, integer, text, text[], jsonb, text, bytea, inet, text
) to authenticated;
grant execute on function private.label_my_api_key(uuid, text, inet, text) to authenticated;
grant execute on function private.delete_my_api_key(uuid, inet, text) to authenticated;
grant execute on function private.note_my_api_keys_read(inet, text) to authenticated;
grant execute on function private.decrypt_api_credential(uuid, uuid, boolean, inet, text) to service_role;
grant execute on function private.note_api_key_test(uuid, uuid, integer, text[], jsonb, inet, text) to service_role;
grant execute on function private.set_api_key_master(text, boolean) to service_role;
grant execute on function private.api_keys_to_rewrap(integer) to service_role;
grant execute on function private.rewrap_api_key(uuid, integer, text, bytea) to service_role;
