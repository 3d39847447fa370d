-- What the command line fetched lies on the disk, and becomes everybody's in the catalogue.

create function private.adopt_series(providers text[], symbols text[], timeframes text[], adjustments text[])
returns bigint
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with adopted as (
        insert into public.series (user_id, provider, symbol, timeframe, adjustment)
        select null, found.provider, found.symbol, found.timeframe, found.adjustment
        from unnest(providers, symbols, timeframes, adjustments)
            as found (provider, symbol, timeframe, adjustment)
        on conflict (user_id, provider, symbol, timeframe, adjustment) do nothing
        returning 1
    )
    select count(*) from adopted
$$;
revoke all on function private.adopt_series(text[], text[], text[], text[])
    from public, anon, authenticated, service_role;
grant execute on function private.adopt_series(text[], text[], text[], text[]) to service_role;
