-- A first name keeps to the rules of a chosen one: no marks that turn the direction of text, and something to see.

create or replace function private.first_display_name(email text, user_metadata jsonb) returns text
language sql immutable set search_path = pg_catalog, pg_temp as $$
    select coalesce((
        select cleaned
        from (
            select place, btrim(left(btrim(regexp_replace(
                offered, '[[:cntrl:]\u200b\u2060\ufeff\u202a-\u202e\u2066-\u2069]+', ' ', 'g'
            )), 80)) as cleaned
            from unnest(array[
                user_metadata ->> 'display_name',
                user_metadata ->> 'full_name',
                user_metadata ->> 'name',
                split_part(email, '@', 1)
            ]) with ordinality as candidate (offered, place)
        ) as candidates
        where cleaned <> ''
        order by place
        limit 1
    ), 'Guest')
$$;
