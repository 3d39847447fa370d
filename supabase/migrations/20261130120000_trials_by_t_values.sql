-- How far the Sharpe ratios of trials spread depends on how long they were tested: a test of one year spreads further by
-- chance than one of five. So t-values are kept, the ratio in deviations of chance. Of ratios that were kept before
-- nobody knows the days; those trials still count.
alter table public.backtests rename column daily_sharpes to t_values;
update public.backtests set t_values = '{}' where t_values <> '{}';

create or replace function private.keep_backtest_result() returns trigger
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
        t_values = array(select jsonb_array_elements(coalesce(came #> '{family,t_values}', '[]'))::double precision)
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
