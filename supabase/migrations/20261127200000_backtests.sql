-- Backtests and studies (sweeps, searches, walk-forwards): what was asked, what came out, and what its owner says of it.
-- The id is that of the task that computes it: however often the task is tried, there is one result.

create table public.backtests (
    id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    kind text not null check (kind in ('backtest', 'sweep', 'optimize', 'walk_forward')),
    -- As it was asked for, defaults filled in; nothing else is needed to run it again.
    config jsonb not null check (jsonb_typeof(config) = 'object' and pg_column_size(config) <= 1048576),
    -- The study whose trial it is, or the run that it was made from.
    parent_id uuid,
    name text not null check (char_length(name) between 1 and 120),
    notes text not null default '' check (char_length(notes) <= 10000),
    tags text[] not null default '{}' check (cardinality(tags) <= 20 and char_length(array_to_string(tags, '')) <= 800),
    is_starred boolean not null default false,
    archived_at timestamptz,
    -- Deleted ones can be brought back for a while.
    deleted_at timestamptz,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    -- What came out, written with the end of the task and by nobody else.
    total_return double precision,
    sharpe_ratio double precision,
    max_drawdown double precision,
    trades integer,
    figures jsonb,
    manifest jsonb,
    trust jsonb,
    -- All that is stored of it: what came out, and the pieces of its tables.
    size_bytes bigint not null default 0,
    -- How many different trials it was, and their daily Sharpe ratios (of very many some): what later runs are judged by.
    trials_made integer not null default 0,
    daily_sharpes double precision[] not null default '{}',
    -- What lists are narrowed by.
    strategy text not null generated always as (config ->> 'strategy') stored,
    provider text not null generated always as (config #>> '{series,0,provider}') stored,
    timeframe text not null generated always as (config #>> '{series,0,timeframe}') stored,
    symbols jsonb not null generated always as (jsonb_path_query_array(config, '$.series[*].symbol')) stored,
    form_hash text not null generated always as (md5(config::text)) stored,
    unique (user_id, id),
    foreign key (user_id, id) references public.tasks (user_id, id) on delete cascade,
    foreign key (user_id, parent_id) references public.backtests (user_id, id) on delete set null (parent_id)
);
create index backtests_newest_idx on public.backtests (user_id, created_at desc, id desc) where deleted_at is null;
create index backtests_family_idx on public.backtests (user_id, strategy, (symbols ->> 0)) where trials_made > 0;
create index backtests_children_idx on public.backtests (user_id, parent_id) where parent_id is not null;
create index backtests_deleted_idx on public.backtests (deleted_at) where deleted_at is not null;

-- The tables of a result (trades, equity, trials) in compressed pieces, so that a part is read without the rest.
create table public.backtest_parts (
    user_id uuid not null,
    backtest_id uuid not null,
    name text not null check (name in ('trades', 'equity', 'trials')),
    part integer not null check (part >= 0),
    first_row integer not null check (first_row >= 0),
    rows integer not null check (rows > 0),
    first_at timestamptz,
    last_at timestamptz,
    content bytea not null,
    primary key (user_id, backtest_id, name, part),
    foreign key (user_id, backtest_id) references public.backtests (user_id, id) on delete cascade
);
-- It is compressed already.
alter table public.backtest_parts alter column content set storage external;

-- A filled-in form under a name, to begin the next run with.
create table public.backtest_presets (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    name text not null check (char_length(name) between 1 and 80),
    form jsonb not null check (jsonb_typeof(form) = 'object' and pg_column_size(form) <= 1048576),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (user_id, id),
    unique (user_id, name)
);

alter table public.backtests enable row level security;
alter table public.backtests force row level security;
alter table public.backtest_parts enable row level security;
alter table public.backtest_parts force row level security;
alter table public.backtest_presets enable row level security;
alter table public.backtest_presets force row level security;

revoke all on table public.backtests from public, anon, authenticated, service_role;
revoke all on table public.backtest_parts from public, anon, authenticated, service_role;
revoke all on table public.backtest_presets from public, anon, authenticated, service_role;
grant select on table public.backtests to authenticated;
grant insert (id, user_id, kind, config, parent_id, name, tags) on table public.backtests to authenticated;
grant update (name, notes, tags, is_starred, archived_at, deleted_at) on table public.backtests to authenticated;
grant select on table public.backtest_parts to authenticated;
grant select, delete on table public.backtest_presets to authenticated;
grant insert (user_id, name, form) on table public.backtest_presets to authenticated;
grant update (name, form, updated_at) on table public.backtest_presets to authenticated;

create policy "Users read their own backtests" on public.backtests
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add their own backtests" on public.backtests
    for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users change their own backtests" on public.backtests
    for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "Users read the results of their own backtests" on public.backtest_parts
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users read their own presets" on public.backtest_presets
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add their own presets" on public.backtest_presets
    for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users change their own presets" on public.backtest_presets
    for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "Users delete their own presets" on public.backtest_presets
    for delete to authenticated using ((select auth.uid()) = user_id);

-- What its owner says of it has versions; that a result arrived is no edit.
create trigger backtests_bump_version
    before update of name, notes, tags, is_starred, archived_at, deleted_at on public.backtests
    for each row execute function private.bump_version();

-- How many results a user may keep, by the plan; and a hundred presets.
alter table private.plans add column most_backtests integer not null default 20000 check (most_backtests >= 0);
update private.plans set most_backtests = case name when 'small' then 2000 when 'large' then 200000 else 20000 end;

create function private.require_room_for_backtest() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := (private.plan_of(new.user_id)).most_backtests;
    kept bigint;
begin
    select count(*) into kept from public.backtests where user_id = new.user_id and deleted_at is null;
    if kept >= most then
        raise exception 'as many backtests are kept as may be'
            using errcode = 'TM001',
                  detail = jsonb_build_object(
                      'what', 'stored backtests', 'limit', most, 'count', kept, 'remedy', 'Delete some.'
                  );
    end if;
    return new;
end
$$;
create trigger backtests_have_room before insert on public.backtests
    for each row execute function private.require_room_for_backtest();

create function private.require_room_for_preset() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    kept bigint;
begin
    select count(*) into kept from public.backtest_presets where user_id = new.user_id;
    if kept >= 100 then
        raise exception 'as many presets are kept as may be'
            using errcode = 'TM001', detail = jsonb_build_object(
                      'what', 'presets', 'limit', 100, 'count', kept, 'remedy', 'Delete some.'
                  );
    end if;
    return new;
end
$$;
create trigger backtest_presets_have_room before insert on public.backtest_presets
    for each row execute function private.require_room_for_preset();

-- What a task came to goes to its backtest in the transaction that ends the task; a short summary stays with the task.
create function private.keep_backtest_result() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    came constant jsonb := new.result;
    kept bigint;
begin
    update public.backtests set
        total_return = (came #>> '{summary,total_return}')::double precision,
        sharpe_ratio = (came #>> '{summary,sharpe_ratio}')::double precision,
        max_drawdown = (came #>> '{summary,max_drawdown}')::double precision,
        trades = (came #>> '{summary,trades}')::integer,
        figures = came -> 'figures',
        manifest = came -> 'manifest',
        trust = came -> 'trust',
        trials_made = coalesce((came #>> '{family,trials}')::integer, 0),
        daily_sharpes = array(select jsonb_array_elements(coalesce(came #> '{family,sharpes}', '[]'))::double precision)
    where id = new.id and user_id = new.user_id;
    if found then
        new.result := jsonb_build_object('summary', came -> 'summary');
        -- An earlier attempt may have left a partial one.
        delete from public.backtest_parts where user_id = new.user_id and backtest_id = new.id;
        insert into public.backtest_parts
            (user_id, backtest_id, name, part, first_row, rows, first_at, last_at, content)
        select new.user_id, new.id, part.name, part.part, part.first_row, part.rows, part.first_at, part.last_at,
               decode(part.content, 'base64')
        from jsonb_to_recordset(coalesce(came -> 'tables', '[]')) as part (
            name text, part integer, first_row integer, rows integer, first_at timestamptz, last_at timestamptz,
            content text
        );
        select coalesce(sum(pg_column_size(content)), 0) into kept
        from public.backtest_parts where user_id = new.user_id and backtest_id = new.id;
        update public.backtests set
            size_bytes = kept + coalesce(pg_column_size(config), 0) + coalesce(pg_column_size(figures), 0)
                + coalesce(pg_column_size(manifest), 0) + coalesce(pg_column_size(trust), 0)
        where id = new.id;
    end if;
    return new;
end
$$;
create trigger tasks_keep_backtest_result before update of result on public.tasks for each row
    when (new.result is not null and new.kind in ('backtest', 'sweep', 'optimize', 'walk_forward'))
    execute function private.keep_backtest_result();

-- A thorough look at a result that is there replaces what was found before.
create function private.keep_guard_result() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update public.backtests set trust = new.result -> 'trust'
    where id = (new.payload ->> 'backtest_id')::uuid and user_id = new.user_id and figures is not null;
    return new;
end
$$;
create trigger tasks_keep_guard_result before update of result on public.tasks for each row
    when (new.result is not null and new.kind = 'guard' and new.state = 'completed')
    execute function private.keep_guard_result();

-- Housekeeping: what was deleted long ago goes for good.
create function private.purge_backtests(kept_for interval, most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint;
begin
    with old as (
        select id from public.backtests where deleted_at < now() - kept_for order by deleted_at limit most
    )
    delete from public.backtests using old where backtests.id = old.id;
    get diagnostics gone = row_count;
    return gone;
end
$$;

revoke all on function private.require_room_for_backtest() from public, anon, authenticated, service_role;
revoke all on function private.require_room_for_preset() from public, anon, authenticated, service_role;
revoke all on function private.keep_backtest_result() from public, anon, authenticated, service_role;
revoke all on function private.keep_guard_result() from public, anon, authenticated, service_role;
revoke all on function private.purge_backtests(interval, integer) from public, anon, authenticated, service_role;
grant execute on function private.purge_backtests(interval, integer) to service_role;
