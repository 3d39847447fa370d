-- Predictions whose time has come and whose bars are not there: looked for ever more seldom, and why is told.

create table public.prediction_waits (
    user_id uuid not null,
    prediction_id uuid not null,
    looks integer not null default 1 check (looks > 0),
    looked_at timestamptz not null default now(),
    next_look_at timestamptz not null default now() + interval '1 minute',
    why text not null check (char_length(why) between 1 and 400),
    primary key (user_id, prediction_id),
    foreign key (user_id, prediction_id) references public.predictions (user_id, id) on delete cascade
);

alter table public.prediction_waits enable row level security;
alter table public.prediction_waits force row level security;

revoke all on table public.prediction_waits from public, anon, authenticated, service_role;
grant select on table public.prediction_waits to authenticated;
grant select, insert, update, delete on table public.prediction_waits to service_role;

create policy "Users read what their own predictions wait for" on public.prediction_waits
    for select to authenticated using ((select auth.uid()) = user_id);
