-- Whoever can make a temporary type called `text` decides what `::text` means, even below an empty search path, since
-- the temporary schema comes first unless it is named. A domain's check then runs with the rights of our functions.
-- So it is named, last. What these functions call (auth.uid() and its casts) is found along the same path.

alter function private.user_is_active(uuid) set search_path = pg_catalog, pg_temp;
alter function private.list_my_sessions() set search_path = pg_catalog, pg_temp;
alter function private.end_my_session(uuid) set search_path = pg_catalog, pg_temp;
alter function private.session_is_alive(uuid) set search_path = pg_catalog, pg_temp;
alter function private.bump_version() set search_path = pg_catalog, pg_temp;
alter function private.first_display_name(text, jsonb) set search_path = pg_catalog, pg_temp;
alter function private.follow_account() set search_path = pg_catalog, pg_temp;
alter function private.ensure_my_profile() set search_path = pg_catalog, pg_temp;
