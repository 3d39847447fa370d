-- What a user brings back counts again, when they deleted something is said by the database alone, a ticket is no
-- better than the token that bought it, and what an earlier attempt left behind goes with it.

-- A plan's limit is of what is kept: whoever deletes, runs more and brings the old ones back would pass it.
create trigger backtests_have_room_again before update of deleted_at on public.backtests
    for each row when (old.deleted_at is not null and new.deleted_at is null)
    execute function private.require_room_for_backtest();

-- "Deleted for ever after" would neither count nor go; "deleted long ago" would go at once.
create function private.date_deletion() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    if current_user = 'authenticated' and new.deleted_at is not null then
        new.deleted_at := coalesce(old.deleted_at, now());
    end if;
    return new;
end
$$;
revoke all on function private.date_deletion() from public, anon, authenticated, service_role;
create trigger backtests_date_deletion before update of deleted_at on public.backtests
    for each row execute function private.date_deletion();
create trigger strategies_date_deletion before update of deleted_at on public.strategies
    for each row execute function private.date_deletion();

-- Once, and never after the personal access token that bought it was revoked.
create or replace function private.redeem_stream_ticket(ticket_digest bytea) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with spent as (
        delete from private.stream_tickets where digest = ticket_digest returning claims, good_until
    )
    select claims from spent
    where good_until > now()
      and (
          claims ->> 'tidemark_token_id' is null
          or exists (
              select from public.personal_access_tokens
              where id = (spent.claims ->> 'tidemark_token_id')::uuid and revoked_at is null
          )
      )
$$;

-- A study that was stopped keeps its partial result. Tried again it is not partial any more, so that goes: else it would
-- be taken for the whole. What was tried still counts among the trials of its strategy.
create function private.forget_backtest_result() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    update public.backtests set
        total_return = null, sharpe_ratio = null, max_drawdown = null, trades = null,
        figures = null, manifest = null, trust = null, size_bytes = 0
    where id = new.id and user_id = new.user_id and figures is not null;
    if found then
        delete from public.backtest_parts where user_id = new.user_id and backtest_id = new.id;
    end if;
    return null;
end
$$;
revoke all on function private.forget_backtest_result() from public, anon, authenticated, service_role;
create trigger tasks_forget_backtest_result after update of state on public.tasks for each row
    when (
        old.state in ('failed', 'cancelled') and new.state = 'queued'
        and new.kind in ('backtest', 'sweep', 'optimize', 'walk_forward')
    )
    execute function private.forget_backtest_result();
