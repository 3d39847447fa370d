-- What models said before the outcome, and what came of it. Nobody changes or prunes a track record: not its owner, nor
-- the service. Only the deletion of the whole account takes it along.

create table public.predictions (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    model_id uuid not null,
    -- The close of the last bar that was looked at, the open at which it is entered, and the one that it is measured by.
    as_of timestamptz not null,
    entry_at timestamptz not null,
    due_at timestamptz not null,
    -- By the clock of the database, whatever is said.
    made_at timestamptz not null default now(),
    horizon integer not null check (horizon > 0),
    probability_up double precision not null check (probability_up between 0 and 1),
    expected_return double precision,
    low double precision,
    high double precision check (low <= high),
    level double precision not null check (level > 0 and level < 1),
    is_trusted boolean not null,
    reasons jsonb not null check (jsonb_typeof(reasons) = 'array' and pg_column_size(reasons) <= 16384),
    model_age_bars integer not null check (model_age_bars >= 0),
    contributions jsonb not null check (
        jsonb_typeof(contributions) = 'array' and pg_column_size(contributions) <= 16384
    ),
    -- More than a bar or a tenth of its time after its entry, part of the outcome was to be seen: such a one counts in
    -- no track record.
    is_late boolean not null
        generated always as (made_at - entry_at > (due_at - entry_at) / greatest(horizon, 10)) stored,
    unique (user_id, id),
    -- The same model says the same of the same bar.
    unique (user_id, model_id, as_of),
    -- Without a cascade: a model that predicted something stays.
    foreign key (user_id, model_id) references public.models (user_id, id),
    check (made_at < due_at),
    check (as_of <= entry_at and entry_at < due_at)
);
create index predictions_newest_idx on public.predictions (user_id, made_at desc, id desc);
create index predictions_due_idx on public.predictions (due_at);

create table public.prediction_outcomes (
    user_id uuid not null,
    prediction_id uuid not null,
    realised_return double precision not null check (realised_return >= -1 and realised_return < 'Infinity'),
    went_up boolean not null,
    log_loss double precision not null check (log_loss >= 0 and log_loss < 'Infinity'),
    is_inside boolean,
    scored_at timestamptz not null default now(),
    primary key (user_id, prediction_id),
    foreign key (user_id, prediction_id) references public.predictions (user_id, id) on delete cascade
);

alter table public.predictions enable row level security;
alter table public.predictions force row level security;
alter table public.prediction_outcomes enable row level security;
alter table public.prediction_outcomes force row level security;

revoke all on table public.predictions from public, anon, authenticated, service_role;
revoke all on table public.prediction_outcomes from public, anon, authenticated, service_role;
-- Written by the server alone, through the function below: an owner cannot put words into the mouth of a model.
grant select on table public.predictions to authenticated, service_role;
grant select on table public.prediction_outcomes to authenticated, service_role;
grant insert (user_id, prediction_id, realised_return, went_up, log_loss, is_inside)
    on table public.prediction_outcomes to service_role;

create policy "Users read their own predictions" on public.predictions
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users read the outcomes of their own predictions" on public.prediction_outcomes
    for select to authenticated using ((select auth.uid()) = user_id);

create function private.stamp_prediction() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    new.made_at := clock_timestamp();
    return new;
end
$$;
create trigger predictions_stamp before insert on public.predictions
    for each row execute function private.stamp_prediction();

create function private.require_time_has_come() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
begin
    new.scored_at := clock_timestamp();
    if exists (
        select from public.predictions
        where user_id = new.user_id and id = new.prediction_id and due_at > new.scored_at
    ) then
        raise exception 'a prediction has no outcome before its time' using errcode = 'restrict_violation';
    end if;
    return new;
end
$$;
create trigger prediction_outcomes_in_time before insert on public.prediction_outcomes
    for each row execute function private.require_time_has_come();

create function private.keep_record() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    has_some boolean;
begin
    if tg_op = 'DELETE' then
        if not exists (select from auth.users where id = old.user_id) then
            return old; -- the account goes, and all that was its own
        end if;
    elsif tg_op = 'TRUNCATE' then
        execute format('select exists (select from %I.%I)', tg_table_schema, tg_table_name) into has_some;
        if not has_some then
            return null;
        end if;
    end if;
    raise exception 'a track record is never changed' using errcode = 'restrict_violation';
end
$$;
create trigger predictions_keep before update or delete on public.predictions
    for each row execute function private.keep_record();
create trigger predictions_keep_all before truncate on public.predictions
    for each statement execute function private.keep_record();
create trigger prediction_outcomes_keep before update or delete on public.prediction_outcomes
    for each row execute function private.keep_record();
create trigger prediction_outcomes_keep_all before truncate on public.prediction_outcomes
    for each statement execute function private.keep_record();

-- Written once for a model and a bar; asked for again, it is the one that there is. Null when its time has passed.
create function private.write_prediction(owner uuid, said jsonb) returns public.predictions
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    written public.predictions;
begin
    select * into written from public.predictions
    where user_id = owner and model_id = (said ->> 'model_id')::uuid and as_of = (said ->> 'as_of')::timestamptz;
    if found or (said ->> 'due_at')::timestamptz <= clock_timestamp()
        or (said ->> 'as_of')::timestamptz > clock_timestamp() + interval '1 minute'
    then
        return written;
    end if;
    insert into public.predictions
        (user_id, model_id, as_of, entry_at, due_at, horizon, probability_up, expected_return, low, high, level,
         is_trusted, reasons, model_age_bars, contributions)
    select owner, given.model_id, given.as_of, given.entry_at, given.due_at, given.horizon, given.probability_up,
           given.expected_return, given.low, given.high, given.level, given.is_trusted, given.reasons,
           given.model_age_bars, given.contributions
    from jsonb_to_record(said) as given (
        model_id uuid, as_of timestamptz, entry_at timestamptz, due_at timestamptz, horizon integer,
        probability_up double precision, expected_return double precision, low double precision,
        high double precision, level double precision, is_trusted boolean, reasons jsonb, model_age_bars integer,
        contributions jsonb
    )
    on conflict (user_id, model_id, as_of) do nothing
    returning * into written;
    if not found then -- somebody else was quicker
        select * into written from public.predictions
        where user_id = owner and model_id = (said ->> 'model_id')::uuid and as_of = (said ->> 'as_of')::timestamptz;
    end if;
    return written;
exception when check_violation then
    -- Its time came between the look above and the stamp.
    if (said ->> 'due_at')::timestamptz <= clock_timestamp() then
        return null;
    end if;
    raise;
end
$$;

revoke all on function private.stamp_prediction() from public, anon, authenticated, service_role;
revoke all on function private.require_time_has_come() from public, anon, authenticated, service_role;
revoke all on function private.keep_record() from public, anon, authenticated, service_role;
revoke all on function private.write_prediction(uuid, jsonb) from public, anon, authenticated, service_role;
grant execute on function private.write_prediction(uuid, jsonb) to service_role;
