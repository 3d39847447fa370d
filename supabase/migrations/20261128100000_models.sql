-- Models: what was asked, the card that says how far to trust the answer, and which one answers each question.
-- The id is that of the task that trains it: however often the task is tried, there is one model.

create table public.models (
    id uuid primary key,
    user_id uuid not null references auth.users (id) on delete cascade,
    name text not null check (char_length(name) between 1 and 120 and name = btrim(name) and name !~ '[[:cntrl:]]'),
    -- Asked for by a person, or trained because a prediction was asked for.
    origin text not null default 'person' check (origin in ('person', 'prediction')),
    provider text not null check (char_length(provider) between 1 and 60),
    symbol text not null check (char_length(symbol) between 1 and 60),
    timeframe text not null check (char_length(timeframe) between 1 and 8),
    adjustment text not null check (char_length(adjustment) between 1 and 20),
    -- As it was asked for, defaults filled in.
    spec jsonb not null check (jsonb_typeof(spec) = 'object' and pg_column_size(spec) <= 16384),
    horizon integer not null generated always as ((spec ->> 'horizon')::integer) stored,
    label text not null generated always as (spec ->> 'label') stored,
    -- Models of one series with the same question are compared; it begins with label and horizon.
    question text not null check (
        char_length(question) <= 80 and question like (spec ->> 'label') || ':' || (spec ->> 'horizon') || '%'
    ),
    -- What follows is written by the functions below alone.
    state text not null default 'training' check (state in ('training', 'candidate', 'champion', 'retired')),
    state_reason text not null default 'It is being trained.' check (char_length(state_reason) <= 600),
    champion_since timestamptz,
    retired_at timestamptz,
    -- From whom it took over; a rollback gives way to that one.
    follows_id uuid,
    card jsonb check (card is null or jsonb_typeof(card) = 'object'),
    -- What lists show of the card.
    verdict jsonb,
    file_sha256 text check (file_sha256 ~ '^[0-9a-f]{64}$'),
    file_bytes bigint not null default 0 check (file_bytes >= 0),
    -- The last time that it knows anything of, the last for which a contest proved it, and the last that its latest
    -- challenger saw, whether or not there were bars enough to compare them.
    trained_until timestamptz,
    proven_at timestamptz,
    challenged_at timestamptz,
    version integer not null default 1,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    deleted_at timestamptz,
    unique (user_id, id),
    foreign key (user_id, id) references public.tasks (user_id, id) on delete cascade,
    foreign key (user_id, follows_id) references public.models (user_id, id) on delete set null (follows_id),
    check (state not in ('candidate', 'champion') or (card is not null and file_sha256 is not null)),
    check (state <> 'champion' or champion_since is not null),
    check ((state = 'retired') = (retired_at is not null)),
    check (deleted_at is null or state = 'retired')
);
create unique index models_champion_idx on public.models
    (user_id, provider, symbol, timeframe, adjustment, question) where state = 'champion';
create index models_newest_idx on public.models (user_id, created_at desc, id desc) where deleted_at is null;
create index models_follows_idx on public.models (user_id, follows_id) where follows_id is not null;
create index models_deleted_idx on public.models (deleted_at) where deleted_at is not null;

alter table public.models enable row level security;
alter table public.models force row level security;

revoke all on table public.models from public, anon, authenticated, service_role;
grant select on table public.models to authenticated, service_role;
grant insert (id, user_id, name, origin, provider, symbol, timeframe, adjustment, spec, question)
    on table public.models to authenticated;
-- No delete: what predicted something is kept with its track record.
grant update (name) on table public.models to authenticated;

create policy "Users read their own models" on public.models
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add their own models" on public.models
    for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users rename their own models" on public.models
    for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);

-- What its owner says of it has versions; that it was trained, promoted or beaten is no edit.
create trigger models_bump_version before update of name on public.models
    for each row execute function private.bump_version();

-- How many models a user may keep, by the plan.
alter table private.plans add column most_models integer not null default 200 check (most_models >= 0);
update private.plans set most_models = case name when 'small' then 50 when 'large' then 2000 else 200 end;

create function private.require_room_for_model() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := (private.plan_of(new.user_id)).most_models;
    kept bigint;
begin
    perform pg_advisory_xact_lock(hashtextextended('models of ' || new.user_id, 0));
    select count(*) into kept from public.models where user_id = new.user_id and deleted_at is null;
    if kept >= most then
        perform private.refuse_more('models', most, kept, 'Delete some.');
    end if;
    return new;
end
$$;
create trigger models_have_room before insert on public.models
    for each row execute function private.require_room_for_model();

-- Who decides about a question holds it until the commit: two decisions come one after the other.
create function private.hold_question(
    owner uuid, provider text, symbol text, timeframe text, adjustment text, question text
) returns void
language sql volatile set search_path = pg_catalog, pg_temp as $$
    select pg_advisory_xact_lock(hashtextextended(concat_ws('|', 'question', $1, $2, $3, $4, $5, $6), 0))
$$;

create function private.hold_my_question(
    provider text, symbol text, timeframe text, adjustment text, question text
) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    perform private.hold_question(auth.uid(), $1, $2, $3, $4, $5);
end
$$;

-- It becomes champion in the place of whoever is. Its question is held.
create function private.crown_model(wanted public.models, why text, why_not_the_other text) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    beaten uuid;
begin
    update public.models set state = 'retired', retired_at = now(), state_reason = left(why_not_the_other, 600)
    where user_id = wanted.user_id and provider = wanted.provider and symbol = wanted.symbol
      and timeframe = wanted.timeframe and adjustment = wanted.adjustment and question = wanted.question
      and state = 'champion' and id <> wanted.id
    returning id into beaten;
    update public.models set
        state = 'champion', champion_since = now(), retired_at = null, state_reason = left(why, 600),
        follows_id = beaten
    where id = wanted.id and user_id = wanted.user_id;
end
$$;

-- One's own model with its question held, as it is then; null: there is none.
create function private.hold_my_model(wanted_id uuid) returns public.models
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    wanted public.models;
begin
    select * into wanted from public.models where id = wanted_id and user_id = auth.uid();
    if found then
        perform private.hold_question(
            wanted.user_id, wanted.provider, wanted.symbol, wanted.timeframe, wanted.adjustment, wanted.question
        );
        select * into wanted from public.models where id = wanted_id and user_id = auth.uid() for update;
    end if;
    return wanted;
end
$$;

-- A person's own choice. False: there is no such model that could be.
create function private.promote_my_model(wanted_id uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    wanted constant public.models := private.hold_my_model(wanted_id);
begin
    if wanted.id is null or wanted.state not in ('candidate', 'retired') or wanted.deleted_at is not null
        or wanted.file_sha256 is null
    then
        return false;
    end if;
    perform private.crown_model(
        wanted, 'Its owner made it champion.', 'Its owner made ' || wanted.name || ' champion in its place.'
    );
    return true;
end
$$;

-- The champion gives way to the one before it, whose id is returned; null: there is none, or this is no champion.
create function private.roll_back_my_model(wanted_id uuid) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    wanted constant public.models := private.hold_my_model(wanted_id);
    earlier public.models;
    seen uuid[];
begin
    if wanted.id is null or wanted.state <> 'champion' then
        return null;
    end if;
    seen := array[wanted.id];
    earlier := wanted;
    loop
        select * into earlier from public.models where id = earlier.follows_id and user_id = wanted.user_id;
        if not found or earlier.id = any (seen) then
            return null;
        end if;
        exit when earlier.state = 'retired' and earlier.deleted_at is null and earlier.file_sha256 is not null;
        seen := seen || earlier.id;
    end loop;
    -- Each step back is one step: whoever comes back keeps whom it took over from itself.
    update public.models set
        state = 'retired', retired_at = now(), follows_id = null,
        state_reason = left('Rolled back: ' || earlier.name || ' answers again.', 600)
    where id = wanted.id;
    update public.models set
        state = 'champion', champion_since = now(), retired_at = null,
        state_reason = left('Brought back when ' || wanted.name || ' was rolled back.', 600)
    where id = earlier.id;
    return earlier.id;
end
$$;

-- It is in no list any more and answers nothing. Its predictions stay, so no track record can be pruned.
create function private.delete_my_model(wanted_id uuid) returns boolean
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    wanted constant public.models := private.hold_my_model(wanted_id);
begin
    update public.models set
        state = 'retired', retired_at = coalesce(retired_at, now()), deleted_at = now(),
        state_reason = 'Its owner deleted it.'
    where id = wanted.id and deleted_at is null;
    return found;
end
$$;

-- A training that came to its end: the card is kept, and it is decided who answers the question from now on.
-- The winner's prediction, if one was asked for, is written with it. All in the transaction that ends the task.
create function private.keep_model_result() returns trigger
language plpgsql security definer set search_path = pg_catalog, pg_temp as $$
declare
    came constant jsonb := new.result;
    trained public.models;
    holder uuid;
    seen constant timestamptz := (came #>> '{card,data,known_until}')::timestamptz;
    said uuid;
begin
    select * into trained from public.models where id = new.id and user_id = new.user_id;
    if not found or came -> 'card' is null then
        return new;
    end if;
    perform private.hold_question(
        trained.user_id, trained.provider, trained.symbol, trained.timeframe, trained.adjustment, trained.question
    );
    update public.models set
        card = came -> 'card',
        verdict = jsonb_build_object(
            'auc', came #> '{card,pooled,auc}', 'ic', came #> '{card,pooled,ic}',
            'is_trusted', came #> '{card,verdict,is_trusted}', 'headline', came #> '{card,verdict,headline}',
            'reasons', came #> '{card,verdict,reasons}'
        ),
        file_sha256 = came #>> '{file,sha256}',
        file_bytes = coalesce((came #>> '{file,bytes}')::bigint, 0),
        trained_until = (came #>> '{card,data,known_until}')::timestamptz,
        proven_at = seen
    where id = new.id
    returning * into trained;
    if trained.state = 'training' then
        select id into holder from public.models
        where user_id = trained.user_id and provider = trained.provider and symbol = trained.symbol
          and timeframe = trained.timeframe and adjustment = trained.adjustment and question = trained.question
          and state = 'champion'
        for update;
        if holder is null then
            perform private.crown_model(trained, 'Nothing else answered this question.', '');
        elsif holder is distinct from (came #>> '{card,contest,champion_id}')::uuid then
            update public.models set
                state = 'candidate',
                state_reason = 'Another model became champion meanwhile, so it was not compared with this one.'
            where id = trained.id;
        elsif (came #>> '{card,contest,is_won}')::boolean and (came #>> '{card,contest,bars}')::bigint = 0 then
            -- The one before could not be asked, so nothing was won.
            perform private.crown_model(
                trained, left(came #>> '{card,contest,why}', 600), 'It could not be asked; ' || trained.name || ' answers now.'
            );
        elsif (came #>> '{card,contest,is_won}')::boolean then
            perform private.crown_model(
                trained, 'It won: ' || coalesce(came #>> '{card,contest,why}', ''),
                'It was beaten by ' || trained.name || ': ' || coalesce(came #>> '{card,contest,why}', '')
            );
        else
            update public.models set
                state = 'candidate', state_reason = left(coalesce(came #>> '{card,contest,why}', 'It did not win.'), 600)
            where id = trained.id;
            update public.models set
                challenged_at = greatest(challenged_at, seen),
                proven_at = case when came #>> '{card,contest,gain}' is null then proven_at
                                 else greatest(proven_at, seen) end
            where id = holder;
        end if;
    end if;
    -- Of whoever answers now that it is decided, which another training may have changed meanwhile.
    if jsonb_typeof(came -> 'prediction') = 'object' and exists (
        select from public.models
        where id = (came #>> '{prediction,model_id}')::uuid and user_id = new.user_id and state = 'champion'
    ) then
        said := (private.write_prediction(new.user_id, came -> 'prediction')).id;
    end if;
    new.result := jsonb_build_object('summary', came -> 'summary', 'prediction_id', said);
    return new;
end
$$;
create trigger tasks_keep_model_result before update of result on public.tasks for each row
    when (new.result is not null and new.kind = 'train' and new.state = 'completed' and not new.is_partial)
    execute function private.keep_model_result();

-- Housekeeping: deleted models that predicted nothing go for good after a while.
create function private.purge_models(kept_for interval, most integer) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint;
begin
    with old as (
        select id from public.models
        where deleted_at < now() - kept_for
          and not exists (
              select from public.predictions
              where predictions.user_id = models.user_id and predictions.model_id = models.id
          )
        order by deleted_at limit most
    )
    delete from public.models using old where models.id = old.id;
    get diagnostics gone = row_count;
    return gone;
end
$$;

-- The installation's own jobs: also scoring is nobody's, and what is over is of no use after a day.
alter table public.tasks drop constraint tasks_check;
alter table public.tasks add constraint tasks_check check ((user_id is null) = (kind in ('maintain', 'score')));

create function private.purge_housekeeping(kept_for interval) returns bigint
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    gone bigint;
begin
    delete from public.tasks where user_id is null and finished_at < now() - kept_for;
    get diagnostics gone = row_count;
    return gone;
end
$$;

revoke all on function private.require_room_for_model() from public, anon, authenticated, service_role;
revoke all on function private.hold_question(uuid, text, text, text, text, text)
    from public, anon, authenticated, service_role;
revoke all on function private.hold_my_question(text, text, text, text, text)
    from public, anon, authenticated, service_role;
revoke all on function private.crown_model(public.models, text, text) from public, anon, authenticated, service_role;
revoke all on function private.hold_my_model(uuid) from public, anon, authenticated, service_role;
revoke all on function private.promote_my_model(uuid) from public, anon, authenticated, service_role;
revoke all on function private.roll_back_my_model(uuid) from public, anon, authenticated, service_role;
revoke all on function private.delete_my_model(uuid) from public, anon, authenticated, service_role;
revoke all on function private.keep_model_result() from public, anon, authenticated, service_role;
revoke all on function private.purge_models(interval, integer) from public, anon, authenticated, service_role;
revoke all on function private.purge_housekeeping(interval) from public, anon, authenticated, service_role;
grant execute on function private.hold_my_question(text, text, text, text, text) to authenticated;
grant execute on function private.promote_my_model(uuid) to authenticated;
grant execute on function private.roll_back_my_model(uuid) to authenticated;
grant execute on function private.delete_my_model(uuid) to authenticated;
grant execute on function private.purge_models(interval, integer) to service_role;
grant execute on function private.purge_housekeeping(interval) to service_role;
