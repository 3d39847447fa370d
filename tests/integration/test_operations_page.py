"""What docs/operations.md tells people to give to other programs, the Supabase CLI and psql, is what these take."""

import re
from pathlib import Path

import asyncpg

from tests.cluster import FreshDatabase
from tests.pages import OPERATIONS, block, blocks, commands_in_text, lines
from tests.supabase_cli import supabase


def test_flags_of_the_supabase_cli_are_there(tmp_path: Path) -> None:
    told = [line.words for text in blocks(OPERATIONS) for line in lines(text) if line.words[:1] == ("supabase",)]
    told += [tuple(words) for words in commands_in_text(OPERATIONS, "supabase") if len(words) > 3]
    assert {words[1:3] for words in told} == {("db", "push"), ("db", "dump"), ("migration", "repair")}
    for command in {words[1:3] for words in told}:
        known = supabase(*command, "--help", workdir=tmp_path, home=tmp_path).stdout
        for words in told:
            if words[1:3] == command:
                flags = [word.partition("=")[0] for word in words if word.startswith("-")]
                assert all(re.search(rf"(?<![\w-]){flag}(?![\w-])", known) for flag in flags), words


async def test_sql_of_the_page_works(database: FreshDatabase) -> None:
    connection = await asyncpg.connect(database.dsn("postgres"))
    tables = "select oid::regclass::text from pg_class where relkind = 'r' and relnamespace = any($1::regnamespace[])"
    try:
        for text in blocks(OPERATIONS, "sql"):
            transaction = connection.transaction()
            await transaction.start()
            await connection.execute(text)
            await transaction.rollback()
        restore = block(OPERATIONS, "tidemark migrate\npsql")
        for statement in re.findall(r'--command "(.*)"', restore):
            await connection.execute(statement)
        # Nothing that the migrations made is in the way of the rows of before.
        for row in await connection.fetch(tables, ["public", "private"]):
            assert await connection.fetchval(f"select count(*) from {row[0]}") == 0, row[0]
    finally:
        await connection.close()
