"""What a migration may not contain is found where it is a statement, and only there."""

import pytest

from backend.infrastructure.supabase.migration_text import forbidden_statement, split_statements


@pytest.mark.parametrize(
    ("text", "words", "line"),
    [
        ("begin;", "begin", 1),
        ("select 1;\nCOMMIT ;", "commit", 2),
        ("start  transaction", "start transaction", 1),
        ("rollback", "rollback", 1),
        ("end;", "end", 1),
        ("/* why */ -- so\nvacuum profiles", "vacuum", 2),
        ("select ';';\n\n  alter system set fsync = off;", "alter system", 3),
        ("create index concurrently a on b (c)", "create index concurrently", 1),
        ("create unique index\nconcurrently a on b (c)", "create unique index concurrently", 1),
        ("drop index concurrently a", "drop index concurrently", 1),
        ("reindex table concurrently a", "reindex table concurrently", 1),
        ("select $a$ $b$; begin; $a$; commit", "commit", 1),
    ],
)
def test_a_statement_that_escapes_the_transaction_is_found(text: str, words: str, line: int) -> None:
    found = forbidden_statement(text)
    assert found is not None
    assert (found.words, found.line) == (words, line)


@pytest.mark.parametrize(
    "text",
    [
        "create function f() returns void language plpgsql as $$ begin commit; end $$;",
        "do $body$ begin perform 1; end $body$;",
        "select 'begin; commit;';",
        'select 1 as "begin; commit";',
        r"select E'it\'s; begin; ';",
        "-- begin;\nselect 1;",
        "/* commit; */ select 1;",
        "create table beginnings (id int); create table ending (id int);",
        "alter table commits add column concurrently int;",
        "savepoint here; rollback to here;",
        "select $1; select 2;",
        "",
    ],
)
def test_the_same_words_inside_text_and_names_are_harmless(text: str) -> None:
    assert forbidden_statement(text) is None


def test_statements_are_split_with_their_comments() -> None:
    text = "-- one\nselect ';';\n\ndo $$ begin; end $$;\n-- nothing follows\n"
    assert split_statements(text) == ["-- one\nselect ';'", "do $$ begin; end $$"]
