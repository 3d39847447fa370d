"""docs/reference/database.md is what the migrations make, and every table says in words what it holds."""

import asyncio

import asyncpg

from scripts.references import database as reference
from scripts.references.__main__ import FOLDER
from tests.cluster import FreshDatabase


def test_page_is_that_of_a_migrated_database(database: FreshDatabase) -> None:
    made = asyncio.run(reference.page(database.dsn("postgres")))
    assert (FOLDER / "database.md").read_text() == made, "Run ./scripts/reference."


def test_every_table_says_what_it_holds(database: FreshDatabase) -> None:
    async def mute() -> list[str]:
        connection = await asyncpg.connect(database.dsn("postgres"))
        rows = await connection.fetch(reference.TABLES)
        await connection.close()
        return [f"{row['schema']}.{row['name']}" for row in rows if not row["words"]]

    assert asyncio.run(mute()) == [], "Say it with `comment on table` in a migration."
