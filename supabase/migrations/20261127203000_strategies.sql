-- Strategies that users put together without code. Their rules are versions that never change; only the newest counts.

create table public.strategies (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    name text not null check (char_length(name) between 1 and 80 and name = btrim(name) and name !~ '[[:cntrl:]]'),
    about text not null default '' check (char_length(about) <= 2000),
    -- Of the rules: how many versions there are. Written by the trigger of the versions alone.
    version integer not null default 0,
    -- Of this line: grows with every change, for whoever edits it.
    revision integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- A deleted one can be restored for as long as it is among the latest deleted.
    deleted_at timestamptz,
    unique (user_id, id)
);
create unique index strategies_name_idx on public.strategies (user_id, lower(name)) where deleted_at is null;

create table public.strategy_versions (
    user_id uuid not null,
    strategy_id uuid not null,
    version integer not null check (version > 0),
    rules jsonb not null check (jsonb_typeof(rules) = 'object' and octet_length(rules::text) <= 128000),
    note text not null default '' check (char_length(note) <= 200 and note !~ '[[:cntrl:]]'),
    created_at timestamptz not null default now(),
    primary key (user_id, strategy_id, version),
    foreign key (user_id, strategy_id) references public.strategies (user_id, id) on delete cascade
);

alter table public.strategies enable row level security;
alter table public.strategies force row level security;
alter table public.strategy_versions enable row level security;
alter table public.strategy_versions force row level security;

revoke all on table public.strategies from public, anon, authenticated, service_role;
revoke all on table public.strategy_versions from public, anon, authenticated, service_role;
grant select on table public.strategies, public.strategy_versions to authenticated, service_role;
grant insert (user_id, name, about) on table public.strategies to authenticated;
grant update (name, about, deleted_at) on table public.strategies to authenticated;
-- No update and no delete: what a run was made with can be read again.
grant insert (user_id, strategy_id, rules, note) on table public.strategy_versions to authenticated;

create policy "Users see their own strategies" on public.strategies
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add their own strategies" on public.strategies
    for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users change their own strategies" on public.strategies
    for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "Users see versions of their own strategies" on public.strategy_versions
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add versions to their own strategies" on public.strategy_versions
    for insert to authenticated with check ((select auth.uid()) = user_id);

create function private.refuse_more(what text, most bigint, present bigint, remedy text) returns void
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'there are % %, and at most % may be', present, what, most
        using errcode = 'TM001', detail = jsonb_build_object(
            'what', what, 'limit', most, 'count', present, 'remedy', remedy
        )::text;
end
$$;

-- Two transactions of one user count one after the other.
create function private.limit_strategies() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant bigint := 200;
    present bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('strategies of ' || new.user_id, 0));
    select count(*) into present from public.strategies where user_id = new.user_id and deleted_at is null;
    if present >= most then
        perform private.refuse_more('saved strategies', most, present, 'Delete one first.');
    end if;
    return new;
end
$$;
create trigger strategies_limit before insert on public.strategies
    for each row execute function private.limit_strategies();
create trigger strategies_limit_restored before update of deleted_at on public.strategies
    for each row when (old.deleted_at is not null and new.deleted_at is null)
    execute function private.limit_strategies();

create function private.revise_strategy() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.revision := old.revision + 1;
    new.updated_at := now();
    return new;
end
$$;
create trigger strategies_revise before update on public.strategies
    for each row execute function private.revise_strategy();

-- The latest hundred deleted ones are kept for whoever changes their mind.
create function private.forget_deleted_strategies() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    delete from public.strategies where id in (
        select id from public.strategies where user_id = new.user_id and deleted_at is not null
        order by deleted_at desc, id offset 100
    );
    return null;
end
$$;
create trigger strategies_forget_deleted after update of deleted_at on public.strategies
    for each row when (new.deleted_at is not null) execute function private.forget_deleted_strategies();

-- Numbers are given here, one after the other: whoever adds a version holds the line of its strategy until the commit.
create function private.number_strategy_version() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant bigint := 1000;
begin
    if auth.uid() is not null and auth.uid() <> new.user_id then
        return new; -- the policy refuses it, and says no more
    end if;
    update public.strategies set version = version + 1
    where id = new.strategy_id and user_id = new.user_id and deleted_at is null
    returning version into new.version;
    if not found then
        raise foreign_key_violation using message = 'there is no such strategy';
    end if;
    if new.version > most then
        perform private.refuse_more(
            'versions of this strategy', most, new.version - 1, 'Save it as a new strategy.'
        );
    end if;
    new.created_at := clock_timestamp();
    return new;
end
$$;
create trigger strategy_versions_number before insert on public.strategy_versions
    for each row execute function private.number_strategy_version();

revoke all on function private.refuse_more(text, bigint, bigint, text) from public, anon, authenticated, service_role;
revoke all on function private.limit_strategies() from public, anon, authenticated, service_role;
revoke all on function private.revise_strategy() from public, anon, authenticated, service_role;
revoke all on function private.forget_deleted_strategies() from public, anon, authenticated, service_role;
revoke all on function private.number_strategy_version() from public, anon, authenticated, service_role;
