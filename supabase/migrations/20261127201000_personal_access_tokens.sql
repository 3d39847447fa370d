-- Personal access tokens: a digest in place of the token, what it may do and for how long. A user reads their own and
-- writes none: making and revoking are functions, which ask for a live session first. A stolen access token whose
-- session was signed out could otherwise make itself one that lives for a year.

create table public.personal_access_tokens (
    id uuid primary key default gen_random_uuid(),
    user_id uuid not null references auth.users (id) on delete cascade,
    name text not null check (char_length(name) between 1 and 80),
    digest bytea not null unique check (octet_length(digest) = 32),
    hint text not null check (hint ~ '^tdm_[A-Za-z0-9_-]{4}[.]{3}[A-Za-z0-9_-]{4}$'),
    scopes text[] not null check (
        cardinality(scopes) between 1 and 4 and scopes <@ array['read', 'run', 'data', 'share']
    ),
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    last_used_at timestamptz,
    last_used_address inet,
    revoked_at timestamptz,
    unique (user_id, id),
    check (expires_at > created_at and expires_at <= created_at + interval '366 days')
);
create index personal_access_tokens_newest_idx on public.personal_access_tokens (user_id, created_at desc, id desc);

alter table public.personal_access_tokens enable row level security;
alter table public.personal_access_tokens force row level security;

revoke all on table public.personal_access_tokens from public, anon, authenticated, service_role;
-- All but the digest.
grant select (
    id, user_id, name, hint, scopes, created_at, expires_at, last_used_at, last_used_address, revoked_at
) on table public.personal_access_tokens to authenticated;
grant select (expires_at, revoked_at) on table public.personal_access_tokens to service_role;
grant delete on table public.personal_access_tokens to service_role;

create policy "Users read their own tokens" on public.personal_access_tokens
    for select to authenticated using ((select auth.uid()) = user_id);

-- Null without a live session of the caller. Two at once wait for each other, so the limit holds.
create function private.create_my_token(
    token_name text, token_digest bytea, token_hint text, token_scopes text[], lives_for interval
) returns uuid
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
declare
    most constant integer := 50;
    -- Those that ended stay listed for a while, and who makes and revokes without end shall not fill the disk.
    most_kept constant integer := 500;
    live bigint;
    kept bigint;
    made uuid;
begin
    if not exists (
        select from auth.sessions
        where id = (auth.jwt() ->> 'session_id')::uuid
          and user_id = auth.uid()
          and (not_after is null or not_after > now())
    ) then
        return null;
    end if;
    perform pg_advisory_xact_lock(hashtextextended('tokens of ' || auth.uid()::text, 0));
    select count(*) filter (where revoked_at is null and expires_at > now()), count(*) into live, kept
        from public.personal_access_tokens where user_id = auth.uid();
    if live >= most then
        raise exception 'as many tokens live as may' using errcode = 'TM001', detail = jsonb_build_object(
            'what', 'live tokens', 'limit', most, 'count', live, 'remedy', 'Revoke some.');
    end if;
    if kept >= most_kept then
        raise exception 'as many tokens are kept as may' using errcode = 'TM001', detail = jsonb_build_object(
            'what', 'tokens that lived lately', 'limit', most_kept, 'count', kept,
            'remedy', 'Old ones are forgotten 30 days after their end.');
    end if;
    insert into public.personal_access_tokens (user_id, name, digest, hint, scopes, expires_at)
    values (auth.uid(), token_name, token_digest, token_hint, token_scopes, now() + lives_for)
    returning id into made;
    return made;
end
$$;

-- True when there was such a token of the caller that was not revoked before.
create function private.revoke_my_token(wanted_token_id uuid) returns boolean
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with revoked as (
        update public.personal_access_tokens set revoked_at = now()
        where id = wanted_token_id and user_id = auth.uid() and revoked_at is null
        returning id
    )
    select exists (select from revoked)
$$;

-- Whose token has this digest. Who has not the token learns nothing: there is no other way to ask.
create function private.holder_of_token(token_digest bytea)
returns table (
    token_id uuid, user_id uuid, email text, is_anonymous boolean, scopes text[], created_at timestamptz,
    expires_at timestamptz, last_used_at timestamptz, is_revoked boolean
)
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select token.id, token.user_id, nullif(account.email, ''), account.is_anonymous, token.scopes, token.created_at,
           token.expires_at, token.last_used_at, token.revoked_at is not null
    from public.personal_access_tokens as token
    join auth.users as account on account.id = token.user_id
    where token.digest = token_digest
$$;

-- At most one write an hour for each token, however many processes tell of it.
create function private.note_token_uses(used uuid[], addresses inet[]) returns void
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    update public.personal_access_tokens as token
    set last_used_at = now(), last_used_address = told.address
    from unnest(used, addresses) as told (id, address)
    where token.id = told.id
      and (token.last_used_at is null or token.last_used_at < now() - interval '1 hour')
$$;

-- Those of these that were revoked or are gone, for streams that outlive the request that was checked.
create function private.revoked_tokens(asked uuid[]) returns setof uuid
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select wanted from unnest(asked) as wanted
    where not exists (
        select from public.personal_access_tokens where id = wanted and revoked_at is null
    )
$$;

revoke all on function private.create_my_token(text, bytea, text, text[], interval)
    from public, anon, authenticated, service_role;
revoke all on function private.revoke_my_token(uuid) from public, anon, authenticated, service_role;
revoke all on function private.holder_of_token(bytea) from public, anon, authenticated, service_role;
revoke all on function private.note_token_uses(uuid[], inet[]) from public, anon, authenticated, service_role;
revoke all on function private.revoked_tokens(uuid[]) from public, anon, authenticated, service_role;

grant execute on function private.create_my_token(text, bytea, text, text[], interval) to authenticated;
grant execute on function private.revoke_my_token(uuid) to authenticated;
grant execute on function private.holder_of_token(bytea) to service_role;
grant execute on function private.note_token_uses(uuid[], inet[]) to service_role;
grant execute on function private.revoked_tokens(uuid[]) to service_role;
