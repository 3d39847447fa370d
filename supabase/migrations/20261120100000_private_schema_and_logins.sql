-- Tidemark's own logins and the schema for functions that no API exposes.
-- Passwords are set outside migrations. Both logins inherit nothing: a forgotten `set role` means permission denied.

create schema if not exists private;
revoke all on schema private from public, anon, authenticated, service_role;

do $$
begin
    if not exists (select from pg_catalog.pg_roles where rolname = 'app_api') then
        create role app_api login noinherit;
    end if;
    if not exists (select from pg_catalog.pg_roles where rolname = 'app_worker') then
        create role app_worker login noinherit;
    end if;
end $$;

-- The API may become a visitor or a signed-in user, never the service.
grant anon, authenticated to app_api with inherit false, set true;
-- The runner may become the service, and a user for what is written for that user.
grant service_role, authenticated to app_worker with inherit false, set true;

alter role app_api set idle_in_transaction_session_timeout = '30s';
alter role app_api set lock_timeout = '5s';
alter role app_worker set idle_in_transaction_session_timeout = '60s';
alter role app_worker set lock_timeout = '10s';

grant usage on schema private to app_api, app_worker, authenticated, service_role;
