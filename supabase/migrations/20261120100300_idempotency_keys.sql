-- Answers kept for 24 hours per user and Idempotency-Key, in the transaction of the work itself.

create table public.idempotency_keys (
    user_id uuid not null references auth.users (id) on delete cascade,
    key text not null check (char_length(key) between 1 and 255),
    method text not null,
    path text not null,
    body_hash text not null,
    status smallint check (status between 100 and 599),
    headers jsonb,
    body bytea check (octet_length(body) <= 1048576),
    created_at timestamptz not null default now(),
    primary key (user_id, key)
);
create index idempotency_keys_created_at_idx on public.idempotency_keys (created_at);

alter table public.idempotency_keys enable row level security;
alter table public.idempotency_keys force row level security;

revoke all on table public.idempotency_keys from public, anon, authenticated, service_role;
grant select, insert, update, delete on table public.idempotency_keys to authenticated;
grant select, delete on table public.idempotency_keys to service_role;

create policy "Users read their own keys" on public.idempotency_keys
    for select to authenticated using ((select auth.uid()) = user_id);
create policy "Users add their own keys" on public.idempotency_keys
    for insert to authenticated with check ((select auth.uid()) = user_id);
create policy "Users change their own keys" on public.idempotency_keys
    for update to authenticated using ((select auth.uid()) = user_id) with check ((select auth.uid()) = user_id);
create policy "Users remove their own keys" on public.idempotency_keys
    for delete to authenticated using ((select auth.uid()) = user_id);
