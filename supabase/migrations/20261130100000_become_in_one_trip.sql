-- What begins a user's transaction refuses the suspended by itself, so that beginning it and asking are one round trip.

create function private.admit_user(wanted_user_id uuid) returns void
language plpgsql stable security definer set search_path = pg_catalog, pg_temp as $$
begin
    if not private.user_is_active(wanted_user_id) then
        raise exception 'the account is suspended' using errcode = 'TM002';
    end if;
end
$$;

revoke all on function private.admit_user(uuid) from public, anon, authenticated, service_role;
grant execute on function private.admit_user(uuid) to app_api;
