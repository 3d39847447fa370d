"""Every table with a row in it goes into a fresh database and comes out as the same text, whatever watches over it."""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import asyncpg
import pytest

from backend.domain.backups import BackupDamaged, BackupRefused, DatabaseCopy, TableCopy, TableShape, differences
from backend.infrastructure.supabase.table_copies import PostgresTables
from tests.cluster import MIGRATIONS, ROOT, Cluster, FreshDatabase
from tests.integration.rows_of_tables import ROWS

SOURCES = [*MIGRATIONS.glob("*.sql"), *(ROOT / "supabase" / "embedded").glob("*.sql")]


@dataclass
class Kept:
    """A TableSource that holds what a snapshot gave."""

    copy: DatabaseCopy
    rows: dict[str, bytes] = field(default_factory=dict)

    async def rows_of(self, table: TableShape) -> AsyncIterator[bytes]:
        yield self.rows[str(table)]


async def kept(database: FreshDatabase) -> Kept:
    tables, rows = [], {}
    async with PostgresTables(database.dsn("supabase_admin"), SOURCES).snapshot() as snapshot:
        facts = await snapshot.facts()
        for shape in facts.tables:
            pieces: list[bytes] = []

            async def take_in(piece: bytes, pieces: list[bytes] = pieces) -> None:
                pieces.append(piece)

            count = await snapshot.copy(shape, take_in)
            rows[str(shape)] = b"".join(pieces)
            size, sha256 = len(rows[str(shape)]), hashlib.sha256(rows[str(shape)]).hexdigest()
            tables.append(TableCopy(shape=shape, rows=count, size_bytes=size, sha256=sha256))
    return Kept(copy=DatabaseCopy(facts=facts, tables=tuple(tables)), rows=rows)


async def asked(database: FreshDatabase, query: str, role: str = "supabase_admin") -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.dsn(role))
    try:
        return await connection.fetch(query)
    finally:
        await connection.close()


async def fill(database: FreshDatabase) -> None:
    user = await database.add_user(encrypted_password="a hash\twith a tab")
    connection = await asyncpg.connect(database.dsn("supabase_admin"))
    try:
        # Rules are set aside: one row of each table is what is wanted, not a story that they tell.
        await connection.execute("set session_replication_role = replica")
        for table, row in ROWS.items():
            values = row(user)
            names, marks = ", ".join(values), ", ".join(f"${number}" for number in range(1, len(values) + 1))
            if table != "profiles":
                await connection.execute(f"insert into public.{table} ({names}) values ({marks})", *values.values())
        await connection.execute("update public.backtests set t_values = '{0.30000000000000004, -0, NaN}'")
        await connection.execute("create table public.of_the_operator (note text)")
        await connection.execute("insert into public.of_the_operator values ('b'), ('a'), (null)")
        await connection.execute("select nextval('auth.refresh_tokens_id_seq') from generate_series(1, 41)")
    finally:
        await connection.close()


async def test_every_table_comes_back_as_it_was(cluster: Cluster) -> None:
    with cluster.fresh_database() as source, cluster.fresh_database() as target:
        await fill(source)
        saved = await kept(source)
        assert saved.copy.facts.strangers == ("public.of_the_operator",)
        assert {table.shape.name for table in saved.copy.tables if table.rows} >= {*ROWS, "users", "plans"}
        watching = "select tgrelid::regclass::text, tgname, tgenabled::text from pg_trigger order by 1, 2"
        before = await asked(target, watching)
        await PostgresTables(target.dsn("supabase_admin"), SOURCES).fill(saved.copy, saved)
        again = await kept(target)
        assert differences(saved.copy.tables, again.copy.tables) == [
            "public.of_the_operator is not there (3 rows in the backup)"
        ]
        assert again.copy.facts.counters == saved.copy.facts.counters
        assert await asked(target, watching) == before


async def test_a_snapshot_is_of_the_moment_when_it_was_taken(database: FreshDatabase) -> None:
    tables = PostgresTables(database.dsn("supabase_admin"), SOURCES)
    async with tables.snapshot() as snapshot:
        [users] = [table for table in (await snapshot.facts()).tables if str(table) == "auth.users"]
        await database.add_user()
        assert await snapshot.copy(users, lambda _: asyncio.sleep(0)) == 0


async def test_rows_that_are_none_are_damage_and_nothing_is_changed(database: FreshDatabase) -> None:
    saved = await kept(database)
    for rows in (b"no plan\n", b"\\N\t\\N\n", b"\xff\n", b"\x00\n"):
        saved.rows["private.plans"] = rows
        with pytest.raises(BackupDamaged, match="The database does not take what is in the backup"):
            await PostgresTables(database.dsn("supabase_admin"), SOURCES).fill(saved.copy, saved)
    assert len(await asked(database, "select from private.plans")) == 3


async def test_rows_that_have_no_place_are_refused_and_nothing_is_changed(cluster: Cluster) -> None:
    with cluster.fresh_database() as source, cluster.fresh_database() as target:
        await asked(source, "alter table public.profiles add column shoe_size int")
        saved = await kept(source)
        with pytest.raises(BackupRefused, match=r"profiles of this version .* has no place for shoe_size"):
            await PostgresTables(target.dsn("supabase_admin"), SOURCES).fill(saved.copy, saved)
        assert len(await asked(target, "select from private.plans")) == 3
