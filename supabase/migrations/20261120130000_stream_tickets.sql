-- Tickets that open one stream each, for clients that can send nothing but an address. Only digests are kept.

create table private.stream_tickets (
    digest bytea primary key check (octet_length(digest) = 32),
    user_id uuid not null references auth.users (id) on delete cascade,
    -- What the user's access token said when it was checked; the token itself is not kept.
    claims jsonb not null,
    good_until timestamptz not null
);
create index stream_tickets_user_id_idx on private.stream_tickets (user_id);
create index stream_tickets_good_until_idx on private.stream_tickets (good_until);

alter table private.stream_tickets enable row level security;
alter table private.stream_tickets force row level security;
revoke all on table private.stream_tickets from public, anon, authenticated, service_role;

-- Good for a minute, and never longer than the token. Whoever comes clears away what nobody used.
create function private.issue_stream_ticket(ticket_digest bytea) returns timestamptz
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    delete from private.stream_tickets where digest in (
        select digest from private.stream_tickets where good_until <= now() limit 100 for update skip locked
    );
    insert into private.stream_tickets (digest, user_id, claims, good_until)
    values (
        ticket_digest,
        auth.uid(),
        auth.jwt(),
        least(now() + interval '60 seconds', to_timestamp((auth.jwt() ->> 'exp')::double precision))
    )
    returning good_until
$$;

-- Once: whoever is second finds nothing.
create function private.redeem_stream_ticket(ticket_digest bytea) returns jsonb
language sql volatile security definer set search_path = pg_catalog, pg_temp as $$
    with spent as (
        delete from private.stream_tickets where digest = ticket_digest returning claims, good_until
    )
    select claims from spent where good_until > now()
$$;

revoke all on function private.issue_stream_ticket(bytea) from public, anon, authenticated, service_role;
revoke all on function private.redeem_stream_ticket(bytea) from public, anon, authenticated, service_role;
grant execute on function private.issue_stream_ticket(bytea) to authenticated;
grant execute on function private.redeem_stream_ticket(bytea) to service_role;
