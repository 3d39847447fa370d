-- Yahoo's indices begin with a caret: ^GSPC.

alter table public.series drop constraint series_symbol_check;
alter table public.series
    add constraint series_symbol_check check (symbol ~ '^\^?[A-Za-z0-9][A-Za-z0-9._:/^=-]{0,39}$');
