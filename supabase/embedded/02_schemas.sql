-- The schemas of a Supabase project, who may use them, and what new objects grant by default.

create schema if not exists auth;
create schema if not exists extensions authorization postgres;
create schema if not exists storage;
create schema if not exists realtime;
create schema if not exists graphql_public;

-- Owned by supabase_admin, as on the platform: `supabase db reset` drops every schema that somebody else owns.
alter schema auth owner to supabase_admin;
alter schema storage owner to supabase_admin;
alter schema realtime owner to supabase_admin;

create extension if not exists pgcrypto with schema extensions;
create extension if not exists "uuid-ossp" with schema extensions;

revoke create on schema public from public;
grant usage on schema public to postgres, anon, authenticated, service_role;
grant all on schema public to postgres;
-- No CREATE in auth for postgres: hosted projects took it away in 2025.
grant usage on schema auth to anon, authenticated, service_role, postgres, dashboard_user;
grant all on schema auth to supabase_auth_admin;
grant usage on schema extensions to anon, authenticated, service_role, supabase_auth_admin;
grant all on schema extensions to dashboard_user;
grant usage on schema storage to anon, authenticated, service_role;
grant all on schema storage to supabase_storage_admin, postgres, dashboard_user;
grant all on schema realtime to supabase_realtime_admin;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
grant usage on schema graphql_public to postgres, anon, authenticated, service_role;

do $$
declare
    creator text;
begin
    foreach creator in array array['postgres', 'supabase_admin'] loop
        execute format('alter default privileges for role %I in schema public'
            ' grant all on tables to postgres, anon, authenticated, service_role', creator);
        execute format('alter default privileges for role %I in schema public'
            ' grant all on sequences to postgres, anon, authenticated, service_role', creator);
        execute format('alter default privileges for role %I in schema public'
            ' grant all on functions to postgres, anon, authenticated, service_role', creator);
    end loop;
end $$;

-- Since 2026 a project no longer exposes what is new: these three statements are those of the platform itself.
alter default privileges for role postgres in schema public
    revoke select, insert, update, delete on tables from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    revoke usage, select on sequences from anon, authenticated, service_role;
alter default privileges for role postgres in schema public
    revoke execute on functions from anon, authenticated, service_role;

do $$
begin
    if not exists (select from pg_publication where pubname = 'supabase_realtime') then
        set local client_min_messages = error;  -- wal_level is replica here: nobody subscribes
        create publication supabase_realtime;
    end if;
    alter publication supabase_realtime owner to postgres;
end $$;
