-- What each table holds, for whoever looks at it in the dashboard, and for docs/reference/database.md.

comment on table public.api_key_audit_log is 'Who did what to which exchange key, when, from where and why. Only added to.';
comment on table public.api_keys is 'Exchange keys under two locks. Nobody reads what is locked; the rest is its owner''s.';
comment on table public.backtest_parts is 'The large tables of results, such as trades and equity, in compressed pieces.';
comment on table public.backtest_presets is 'Forms of backtests that a user saved under a name.';
comment on table public.backtests is 'Runs and studies: what was asked, the figures that came of it, and the notes of its owner.';
comment on table public.idempotency_keys is 'Answers kept for a day, so that a request that is sent again starts nothing twice.';
comment on table public.models is 'Trained models: what they learned from, their card, and which of them is the champion.';
comment on table public.personal_access_tokens is 'Tokens for scripts, as digests, with what each may do and when it ends.';
comment on table public.prediction_outcomes is 'What became of predictions. Written once, by the service, when the horizon has passed.';
comment on table public.predictions is 'What models said before it happened. Nobody changes or removes a line.';
comment on table public.profiles is 'What a person is called here, and prefers.';
comment on table public.series is 'Which bars are stored, for whom, and how complete they are. The bars lie in files.';
comment on table public.shares is 'Links to results for people without an account, as digests, with their end.';
comment on table public.strategies is 'Strategies without code, each private to its owner.';
comment on table public.strategy_versions is 'Every saved version of the rules of a strategy.';
comment on table public.task_events is 'Every change of a task, in the order in which its owner is told. Kept for 7 days.';
comment on table public.tasks is 'Jobs: what is to be done, its state, progress and end. The row is the truth.';
comment on table private.api_key_locks is 'One row: the database''s own key for exchange keys, and under which master key new ones are sealed.';
comment on table private.plans is 'How much each user may ask for, by plan. "standard" is everybody''s who has no other.';
comment on table private.stream_tickets is 'Single-use tickets for streams of clients that cannot set headers. They end within a minute.';
comment on table private.task_event_counters is 'The last event number of each user, taken under a lock, so that no event is skipped.';
