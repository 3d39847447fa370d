-- Says what helps when a user has as many tokens as may be.

create or replace function private.create_my_token(
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
