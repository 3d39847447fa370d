-- Links that show the result of a backtest to whoever has them, without an account: a digest in place of the link, and
-- an end. Visitors read through functions that ask for the digest; there is no other way, and nothing to list.

create table public.shares (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    backtest_id uuid not null,
    digest bytea not null unique check (octet_length(digest) = 32),
    -- What the page is called; the name of the backtest stays its owner's.
    title text not null check (char_length(title) between 1 and 120),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    revoked_at timestamptz,
    -- Written down now and then, apart from the visits.
    opened integer not null default 0,
    last_opened_at timestamptz,
    unique (user_id, id),
    foreign key (user_id, backtest_id) references public.backtests (user_id, id) on delete cascade,
    check (expires_at > created_at and expires_at <= created_at + interval '366 days')
);
create index shares_newest_idx on public.shares (user_id, created_at desc, id desc);
create index shares_backtest_idx on public.shares (user_id, backtest_id);

alter table public.shares enable row level security;
alter table public.shares force row level security;

revoke all on table public.shares from public, anon, authenticated, service_role;
-- All but the digest.
grant select (
    id, user_id, backtest_id, title, created_at, expires_at, revoked_at, opened, last_opened_at
) on table public.shares to authenticated;
grant select (expires_at, revoked_at) on table public.shares to service_role;
grant delete on table public.shares to service_role;

create policy "Users read their own shares" on public.shares
    for select to authenticated using ((select auth.uid()) = user_id);

-- Null when the caller has no such backtest with a result. Two at once wait for each other, so the limit holds.
create function private.create_my_share(
    wanted_backtest_id uuid, share_digest bytea, share_title text, lives_for interval
) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := 200;
    most_kept constant integer := 1000;
    live bigint;
    kept bigint;
    made uuid;
begin
    if not exists (
        select from public.backtests
        where id = wanted_backtest_id and user_id = auth.uid() and kind = 'backtest'
          and deleted_at is null and figures is not null
    ) then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('shares of ' || auth.uid()::text, 0));
    select count(*) filter (where revoked_at is null and expires_at > now()), count(*) into live, kept
        from public.shares where user_id = auth.uid();
    if live >= most then
        raise exception 'as many shares live as may' using errcode = 'TM001', detail = jsonb_build_object(
            'what', 'live links', 'limit', most, 'count', live, 'remedy', 'Revoke some.');
    end if;
    if kept >= most_kept then
        raise exception 'as many shares are kept as may' using errcode = 'TM001', detail = jsonb_build_object(
            'what', 'links that lived lately', 'limit', most_kept, 'count', kept,
            'remedy', 'Old ones are forgotten 30 days after their end.');
    end if;
    insert into public.shares (user_id, backtest_id, digest, title, expires_at)
    values (auth.uid(), wanted_backtest_id, share_digest, share_title, now() + lives_for)
    returning id into made;
    return made;
end
$$;

-- True when there was such a share of the caller that was not revoked before.
create function private.revoke_my_share(wanted_share_id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with revoked as (
        update public.shares set revoked_at = now()
        where id = wanted_share_id and user_id = auth.uid() and revoked_at is null
        returning id
    )
    select exists (select from revoked)
$$;

-- The run behind a link, and nothing of whose it is: no owner, no name, no notes, no tags, no manifest.
create function private.read_share(share_digest bytea)
returns table (
    share_id uuid, title text, created_at timestamptz, expires_at timestamptz, kind text, strategy text,
    provider text, timeframe text, symbols jsonb, config jsonb, figures jsonb, trust jsonb, is_partial boolean,
    finished_at timestamptz, trade_rows bigint
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select share.id, share.title, share.created_at, share.expires_at, run.kind, run.strategy, run.provider,
           run.timeframe, run.symbols, run.config - 'study', run.figures, run.trust, task.is_partial, task.finished_at,
           (select coalesce(sum(part.rows), 0) from public.backtest_parts as part
            where part.user_id = run.user_id and part.backtest_id = run.id and part.name = 'trades')
    from public.shares as share
    join public.backtests as run on run.user_id = share.user_id and run.id = share.backtest_id
    join public.tasks as task on task.user_id = run.user_id and task.id = run.id
    where share.digest = share_digest and share.revoked_at is null and share.expires_at > now()
      and run.deleted_at is null and run.figures is not null and private.user_is_active(share.user_id)
$$;

-- The pieces of a table of that run which hold rows of this range.
create function private.read_share_parts(share_digest bytea, wanted text, first integer, last integer)
returns table (first_row integer, rows integer, content bytea)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select part.first_row, part.rows, part.content
    from public.shares as share
    join public.backtests as run on run.user_id = share.user_id and run.id = share.backtest_id
    join public.backtest_parts as part on part.user_id = run.user_id and part.backtest_id = run.id
    where share.digest = share_digest and share.revoked_at is null and share.expires_at > now()
      and run.deleted_at is null and run.figures is not null and private.user_is_active(share.user_id)
      and wanted in ('trades', 'equity') and part.name = wanted
      and part.first_row < last and part.first_row + part.rows > first
    order by part.part
$$;

create function private.note_shares_opened(noted uuid[], times integer[]) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update public.shares as share
    set opened = share.opened + told.times, last_opened_at = now()
    from unnest(noted, times) as told (id, times)
    where share.id = told.id
$$;

revoke all on function private.create_my_share(uuid, bytea, text, interval)
    from public, anon, authenticated, service_role;
revoke all on function private.revoke_my_share(uuid) from public, anon, authenticated, service_role;
revoke all on function private.read_share(bytea) from public, anon, authenticated, service_role;
revoke all on function private.read_share_parts(bytea, text, integer, integer)
    from public, anon, authenticated, service_role;
revoke all on function private.note_shares_opened(uuid[], integer[]) from public, anon, authenticated, service_role;

grant execute on function private.create_my_share(uuid, bytea, text, interval) to authenticated;
grant execute on function private.revoke_my_share(uuid) to authenticated;
-- A visitor may call these two by name, and nothing else of this schema.
grant usage on schema private to anon;
grant execute on function private.read_share(bytea) to anon;
grant execute on function private.read_share_parts(bytea, text, integer, integer) to anon;
grant execute on function private.note_shares_opened(uuid[], integer[]) to service_role;
