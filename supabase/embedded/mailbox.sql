-- The development mailbox: what a developer would have received by mail. Only the auth server reaches this schema.

create schema if not exists mailbox;
alter schema mailbox owner to supabase_admin;
revoke all on schema mailbox from public;
grant all on schema mailbox to supabase_auth_admin;

set local role supabase_auth_admin;

create table if not exists mailbox.messages (
    id text primary key,
    recipient text not null,
    sender text not null,
    subject text not null,
    text text not null,
    html text not null,
    created_at timestamptz not null default now(),
    read_at timestamptz
);
create index if not exists messages_created_at_idx on mailbox.messages (created_at desc);
create index if not exists messages_recipient_idx on mailbox.messages (recipient);

reset role;
