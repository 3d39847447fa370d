-- What Tidemark asks about users and sessions of Supabase Auth, whose tables no user can read.

-- Asked by the statement that begins every transaction, before any row is seen: a suspension holds at once.
create function private.user_is_active(wanted_user_id uuid) returns boolean
language sql stable security definer set search_path = '' as $$
    select exists (
        select from auth.users
        where id = wanted_user_id
          and deleted_at is null
          and (banned_until is null or banned_until <= now())
    )
$$;

create function private.list_my_sessions()
returns table (
    id uuid, created_at timestamptz, last_seen_at timestamptz, user_agent text, ip text, is_current boolean
)
language sql stable security definer set search_path = '' as $$
    select session.id,
           session.created_at,
           greatest(session.created_at, session.updated_at, session.refreshed_at at time zone 'UTC'),
           session.user_agent,
           host(session.ip),
           coalesce(session.id::text = (select auth.jwt()) ->> 'session_id', false)
    from auth.sessions as session
    where session.user_id = (select auth.uid())
      and (session.not_after is null or session.not_after > now())
$$;

-- True when there was such a session of the caller; its refresh tokens go with it.
create function private.end_my_session(wanted_session_id uuid) returns boolean
language sql volatile security definer set search_path = '' as $$
    with ended as (
        delete from auth.sessions
        where id = wanted_session_id and user_id = (select auth.uid())
        returning id
    )
    select exists (select from ended)
$$;

-- A signature cannot see a logout, so what is dangerous asks this first.
create function private.session_is_alive(wanted_session_id uuid) returns boolean
language sql stable security definer set search_path = '' as $$
    select exists (
        select from auth.sessions
        where id = wanted_session_id
          and user_id = (select auth.uid())
          and (not_after is null or not_after > now())
    )
$$;

revoke all on function private.user_is_active(uuid) from public, anon, authenticated, service_role;
revoke all on function private.list_my_sessions() from public, anon, authenticated, service_role;
revoke all on function private.end_my_session(uuid) from public, anon, authenticated, service_role;
revoke all on function private.session_is_alive(uuid) from public, anon, authenticated, service_role;

grant execute on function private.user_is_active(uuid) to app_api, app_worker, service_role;
grant execute on function private.list_my_sessions() to authenticated;
grant execute on function private.end_my_session(uuid) to authenticated;
grant execute on function private.session_is_alive(uuid) to authenticated;
