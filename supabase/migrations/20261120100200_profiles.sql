-- What a person is called here and prefers. The row comes with the account, by a trigger that can never break sign-up.

create table public.profiles (
    user_id uuid primary key references auth.users (id) on delete cascade,
    display_name text not null default '' check (char_length(display_name) <= 80),
    theme text not null default 'system' check (theme in ('system', 'light', 'dark')),
    palette text not null default 'default' check (palette in ('default', 'colour_blind')),
    density text not null default 'comfortable' check (density in ('comfortable', 'compact', 'spacious')),
    timezone text not null default 'UTC' check (char_length(timezone) between 1 and 64),
    single_key_shortcuts boolean not null default true,
    is_demo boolean not null default false,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now()
);

alter table public.profiles enable row level security;
alter table public.profiles force row level security;

revoke all on table public.profiles from public, anon, authenticated, service_role;
grant select on table public.profiles to authenticated, service_role;
grant update (display_name, theme, palette, density, timezone, single_key_shortcuts)
    on table public.profiles to authenticated;

create policy "Users read their own profile" on public.profiles
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users change their own profile" on public.profiles
    for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

create function private.bump_version() returns trigger
language plpgsql set search_path = '' as $$
begin
    new.version := old.version + 1;
    new.updated_at := now();
    return new;
end
$$;
revoke all on function private.bump_version() from public, anon, authenticated, service_role;

create trigger profiles_bump_version before update on public.profiles
    for each row execute function private.bump_version();

-- The name a new account starts with. User metadata is free text of a stranger: cut, cleaned, never trusted.
create function private.first_display_name(email text, user_metadata jsonb) returns text
language sql immutable set search_path = '' as $$
    select btrim(left(btrim(regexp_replace(coalesce(
        nullif(btrim(user_metadata ->> 'display_name'), ''),
        nullif(btrim(user_metadata ->> 'full_name'), ''),
        nullif(btrim(user_metadata ->> 'name'), ''),
        nullif(split_part(email, '@', 1), ''),
        'Guest'
    ), '[[:cntrl:]]+', ' ', 'g')), 80))
$$;
revoke all on function private.first_display_name(text, jsonb) from public, anon, authenticated, service_role;

-- Whatever fails in here is a warning in the log: the account matters more, and ensure_my_profile makes up for it.
create function private.follow_account() returns trigger
language plpgsql security definer set search_path = '' set lock_timeout = '2s' as $$
begin
    insert into public.profiles (user_id, display_name, is_demo)
    values (new.id, private.first_display_name(new.email, new.raw_user_meta_data), new.is_anonymous)
    on conflict (user_id) do update set is_demo = excluded.is_demo;
    return null;
exception when others then
    raise warning 'The profile of an account could not be written (%)', sqlstate;
    return null;
end
$$;
revoke all on function private.follow_account() from public, anon, authenticated, service_role;

create trigger tidemark_account_created after insert on auth.users
    for each row execute function private.follow_account();
create trigger tidemark_account_upgraded after update of is_anonymous on auth.users
    for each row when (old.is_anonymous is distinct from new.is_anonymous)
    execute function private.follow_account();

-- For an account whose profile is missing, whatever the reason. Harmless to call again.
create function private.ensure_my_profile() returns void
language sql volatile security definer set search_path = '' as $$
    insert into public.profiles (user_id, display_name, is_demo)
    select id, private.first_display_name(email, raw_user_meta_data), is_anonymous
    from auth.users where id = (select auth.uid())
    on conflict (user_id) do nothing
$$;
revoke all on function private.ensure_my_profile() from public, anon, authenticated, service_role;
grant execute on function private.ensure_my_profile() to authenticated;

-- Accounts that are older than this table.
insert into public.profiles (user_id, display_name, is_demo)
select id, private.first_display_name(email, raw_user_meta_data), is_anonymous from auth.users
on conflict (user_id) do nothing;
