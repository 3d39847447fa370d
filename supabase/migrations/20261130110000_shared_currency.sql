-- A shared result says what its money is.

-- The run behind a link, and nothing of whose it is: no owner, no name, no notes, no tags, and of the manifest the currency.
drop function private.read_share(bytea);

create function private.read_share(share_digest bytea)
returns table (
    share_id uuid, title text, created_at timestamptz, expires_at timestamptz, kind text, strategy text,
    provider text, timeframe text, symbols jsonb, config jsonb, figures jsonb, trust jsonb, is_partial boolean,
    finished_at timestamptz, currency text, trade_rows bigint
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select share.id, share.title, share.created_at, share.expires_at, run.kind, run.strategy, run.provider,
           run.timeframe, run.symbols, run.config - 'study', run.figures, run.trust, task.is_partial, task.finished_at,
           run.manifest #>> '{data,0,instrument,currency}',
           (select coalesce(sum(part.rows), 0) from public.backtest_parts as part
            where part.user_id = run.user_id and part.backtest_id = run.id and part.name = 'trades')
    from public.shares as share
    join public.backtests as run on run.user_id = share.user_id and run.id = share.backtest_id
    join public.tasks as task on task.user_id = run.user_id and task.id = run.id
    where share.digest = share_digest and share.revoked_at is null and share.expires_at > now()
      and run.deleted_at is null and run.figures is not null and private.user_is_active(share.user_id)
$$;

revoke all on function private.read_share(bytea) from public, anon, authenticated, service_role;
grant execute on function private.read_share(bytea) to anon;
