-- Which series of bars there are, and whose they are. The bars themselves are files; this says who may see them.

create table public.series (
    id uuid primary key default gen_random_uuid(),
    -- Null is shared: fetched with nobody's own key, for everybody to read.
    user_id uuid references auth.users (id) on delete cascade,
    provider text not null check (provider ~ '^[a-z][a-z0-9_]{0,19}(:[a-z0-9_]{1,30})?$'),
    symbol text not null check (symbol ~ '^[A-Za-z0-9][A-Za-z0-9._:/^=-]{0,39}$'),
    timeframe text not null check (timeframe in (
        '1m', '3m', '5m', '15m', '30m', '1h', '2h', '4h', '6h', '8h', '12h', '1d', '1w'
    )),
    adjustment text not null check (adjustment in ('raw', 'splits', 'all')),
    created_at timestamptz not null default now(),
    unique (user_id, id),
    unique nulls not distinct (user_id, provider, symbol, timeframe, adjustment),
    -- What a person brings is that person's; what providers serve is everybody's.
    check ((user_id is null) = (provider <> 'import'))
);
create index series_newest_idx on public.series (created_at desc, id desc);

alter table public.series enable row level security;
alter table public.series force row level security;

revoke all on table public.series from public, anon, authenticated, service_role;
grant select on table public.series to authenticated;
grant insert (user_id, provider, symbol, timeframe, adjustment) on table public.series to authenticated;
grant delete on table public.series to authenticated;
grant select on table public.series to service_role;

create policy "Users see shared series and their own" on public.series
    for select to authenticated using (user_id is null or (select auth.uid()) = user_id);
create policy "Users add their own series" on public.series
    for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users delete their own series" on public.series
    for delete to authenticated using ((select auth.uid()) = user_id);

-- A shared series for everybody, because somebody asked a provider for it; the one that is there, if it is.
create function private.share_series(wanted_provider text, wanted_symbol text, wanted_timeframe text,
                                     wanted_adjustment text) returns setof public.series
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if auth.uid() is null then
        raise insufficient_privilege using message = 'only users share series';
    end if;
    insert into public.series (user_id, provider, symbol, timeframe, adjustment)
    values (null, wanted_provider, wanted_symbol, wanted_timeframe, wanted_adjustment)
    on conflict (user_id, provider, symbol, timeframe, adjustment) do nothing;
    return query select * from public.series
        where user_id is null and provider = wanted_provider and symbol = wanted_symbol
          and timeframe = wanted_timeframe and adjustment = wanted_adjustment;
end
$$;
revoke all on function private.share_series(text, text, text, text) from public, anon, authenticated, service_role;
grant execute on function private.share_series(text, text, text, text) to authenticated;
