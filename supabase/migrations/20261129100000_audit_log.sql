-- What administrators and operators did, and what people did with their whole account: who, when, from where, whose data
-- and why. Lines are added and never changed, also not by the owner of the database, and they outlive the account.

create table public.audit_log (
    id uuid primary key default gen_random_uuid(),
    at timestamptz not null default clock_timestamp(),
    -- The person. None is the operator at the terminal or the dashboard, or the service.
    actor_id uuid,
    actor text not null check (actor in ('user', 'admin', 'operator', 'service')),
    action text not null check (action ~ '^[a-z]+[.][a-z]+(_[a-z]+)*$' and char_length(action) <= 60),
    -- Whose data. Neither this nor the actor is a foreign key: the line stays when the account is gone.
    subject_id uuid,
    object text check (char_length(object) between 1 and 200),
    address inet,
    session_id uuid,
    details jsonb not null default '{}' check (jsonb_typeof(details) = 'object' and octet_length(details::text) <= 4000),
    reason text check (char_length(reason) between 1 and 200),
    check ((actor in ('user', 'admin')) = (actor_id is not null))
);
comment on table public.audit_log is 'What administrators and operators did, and people with their whole account. Only added to.';
create index audit_log_newest_idx on public.audit_log (at desc, id desc);
create index audit_log_actor_idx on public.audit_log (actor_id, at desc, id desc);
create index audit_log_subject_idx on public.audit_log (subject_id, at desc, id desc);
create index audit_log_action_idx on public.audit_log (action, at desc, id desc);

-- No policy lets anybody in: administrators read it through functions, which leave a line of that as well.
alter table public.audit_log enable row level security;
alter table public.audit_log force row level security;
revoke all on table public.audit_log from public, anon, authenticated, service_role;

create function private.keep_audit_log() returns trigger
language plpgsql set search_path = pg_catalog, pg_temp as $$
begin
    raise exception 'the audit log is only added to' using errcode = 'insufficient_privilege';
end
$$;
create trigger audit_log_stays before update or delete on public.audit_log
    for each row execute function private.keep_audit_log();
create trigger audit_log_is_never_emptied before truncate on public.audit_log
    for each statement execute function private.keep_audit_log();

-- Whether the caller is an administrator now: by what the account says, not by what an older token says, and in a
-- session that is alive. No personal access token has one.
create function private.caller_is_admin() returns boolean
language sql stable security definer set search_path = pg_catalog, pg_temp as $$
    select exists (
        select from auth.users as account
        join auth.sessions as session on session.user_id = account.id
        where account.id = auth.uid()
          and account.raw_app_meta_data ->> 'role' = 'admin'
          and not account.is_anonymous
          and private.user_is_active(account.id)
          and session.id = (nullif(auth.jwt() ->> 'session_id', ''))::uuid
          and (session.not_after is null or session.not_after > now())
    )
$$;

-- One line, in the transaction of what it tells about. Nobody writes one in the name of another: a user is who the claims
-- say and tells of their own account, an administrator is looked up, and the others never come by the login of the API.
create function private.note_audit(
    action text, actor text, subject uuid, object text, address inet, details jsonb, reason text
) returns void
language plpgsql volatile security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not coalesce(case actor
        when 'user' then auth.uid() = subject
        when 'admin' then private.caller_is_admin()
        else session_user not in ('app_api', 'authenticator')
    end, false) then
        raise exception 'a line of the audit log tells what its own writer did' using errcode = 'insufficient_privilege';
    end if;
    insert into public.audit_log (actor_id, actor, action, subject_id, object, address, session_id, details, reason)
    values (
        case when actor in ('user', 'admin') then auth.uid() end,
        actor, action, subject, object, address,
        case when actor in ('user', 'admin') then (nullif(auth.jwt() ->> 'session_id', ''))::uuid end,
        coalesce(details, '{}'), reason
    );
end
$$;

revoke all on function private.keep_audit_log() from public, anon, authenticated, service_role;
revoke all on function private.caller_is_admin() from public, anon, authenticated, service_role;
revoke all on function private.note_audit(text, text, uuid, text, inet, jsonb, text)
    from public, anon, authenticated, service_role;
grant execute on function private.caller_is_admin() to authenticated;
grant execute on function private.note_audit(text, text, uuid, text, inet, jsonb, text) to authenticated, service_role;
