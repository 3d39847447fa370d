"""All tables of a database at one moment, as text that gives back every bit, and a fresh database filled with them.

The embedded Postgres comes without pg_dump. Definitions are not copied: migrations make them.
"""

import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import asyncpg

from backend.domain.backup_ports import Sink, TableSource
from backend.domain.backups import BackupDamaged, BackupRefused, Counter, DatabaseCopy, DatabaseFacts, TableShape
from backend.domain.errors import DatabaseUnavailable

# The same text for the same rows, wherever and by whomever it is asked for.
_PLAIN: Final = (
    "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; set local intervalstyle = 'postgres';"
    " set local bytea_output = 'hex'; set local extra_float_digits = 1; set local row_security = off;"
    " set local statement_timeout = 0; set local search_path = pg_catalog"
)

# All but the system's, an extension's, and the records of how this one database was made: a fresh one has its own.
_TABLES = """
select namespace.nspname::text as schema, class.relname::text as name,
    array(
        select attname::text from pg_attribute
        where attrelid = class.oid and attnum > 0 and not attisdropped and attgenerated = '' order by attnum
    ) as columns,
    array(
        select attribute.attname::text
        from pg_constraint key, unnest(key.conkey) with ordinality as part (number, place), pg_attribute attribute
        where key.conrelid = class.oid and key.contype = 'p'
          and attribute.attrelid = class.oid and attribute.attnum = part.number
        order by part.place
    ) as key
from pg_class class join pg_namespace namespace on namespace.oid = class.relnamespace
where class.relkind = 'r' and namespace.nspname !~ '^pg_'
  and namespace.nspname not in ('information_schema', 'extensions', 'embedded', 'supabase_migrations')
  and (namespace.nspname, class.relname) <> ('auth', 'schema_migrations')
  and not exists (select from pg_depend where objid = class.oid and classid = 'pg_class'::regclass and deptype = 'e')
order by 1, 2
"""

_OBJECTS = """
with object as (
    select 'pg_class'::regclass as kind, oid, relnamespace as space, relname::text as name from pg_class
    where relkind in ('r', 'p', 'v', 'm', 'f')
    union all
    select 'pg_proc'::regclass, oid, pronamespace, proname::text from pg_proc
)
select distinct namespace.nspname || '.' || object.name as path, object.name
from object join pg_namespace namespace on namespace.oid = object.space
where namespace.nspname !~ '^pg_'
  and namespace.nspname not in ('information_schema', 'extensions', 'embedded', 'supabase_migrations')
  and not exists (select from pg_depend where objid = object.oid and classid = object.kind and deptype = 'e')
order by 1
"""

_NAMED_FILES = """
select 'models/' || user_id || '/' || left(file_sha256, 2) || '/' || file_sha256 || '.model' from public.models
where file_sha256 is not null and deleted_at is null order by 1
"""


class PostgresTables:
    """BackupDatabase of the embedded Postgres, by the login of its superuser. `sources` hold what made its objects."""

    def __init__(self, dsn: str, sources: Sequence[Path]) -> None:
        self._dsn = dsn
        self._sources = sources

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator["PostgresSnapshot"]:
        async with (
            _connected(self._dsn) as connection,
            connection.transaction(isolation="repeatable_read", readonly=True),
        ):
            await connection.execute(_PLAIN)
            yield PostgresSnapshot(connection, self._sources)

    async def fill(self, copy: DatabaseCopy, source: TableSource) -> None:
        async with _connected(self._dsn) as connection:
            async with connection.transaction():
                await connection.execute(f"{_PLAIN}; set local session_replication_role = replica")
                await _require_room(connection, copy)
                # Rows come as they were: nothing may stamp, count or refuse them.
                watchful = await _triggers_that_always_fire(connection)
                for statement in watchful:
                    await connection.execute(statement.format("disable"))
                try:
                    await _load(connection, copy, source)
                except (
                    asyncpg.DataError,
                    asyncpg.IntegrityConstraintViolationError,
                    asyncpg.SyntaxOrAccessError,
                ) as error:
                    raise BackupDamaged(f"The database does not take what is in the backup: {error}.") from error
                for statement in watchful:
                    await connection.execute(statement.format("enable always"))
            await connection.execute("analyze")


class PostgresSnapshot:
    """A transaction that sees what was committed when it began."""

    def __init__(self, connection: asyncpg.Connection, sources: Sequence[Path]) -> None:
        self._connection = connection
        self._sources = sources

    async def facts(self) -> DatabaseFacts:
        ask = self._connection
        return DatabaseFacts(
            postgres=await ask.fetchval("select current_setting('server_version')"),
            migrations=tuple(
                await self._column("select version from supabase_migrations.schema_migrations order by 1")
            ),
            tables=tuple(
                TableShape(
                    schema=row["schema"], name=row["name"], columns=tuple(row["columns"]), order=tuple(row["key"])
                )
                for row in await ask.fetch(_TABLES)
            ),
            counters=tuple(
                Counter(schema=row["schemaname"], name=row["sequencename"], last=row["last_value"])
                for row in await ask.fetch(
                    "select schemaname::text, sequencename::text, last_value from pg_sequences order by 1, 2"
                )
            ),
            strangers=await self._strangers(),
            masters=tuple(
                await self._column(
                    "select master from private.api_key_locks where master is not null"
                    " union select master from public.api_keys order by 1",
                    of="public.api_keys",
                )
            ),
            exchange_keys=sum(await self._column("select count(*) from public.api_keys", of="public.api_keys")),
            named_files=tuple(await self._column(_NAMED_FILES, of="public.models")),
        )

    async def copy(self, table: TableShape, sink: Sink) -> int:
        order = ", ".join(map(_quoted, table.order)) or f"{_quoted(table.name)}::text"
        query = f"select {_list(table.columns)} from {_path(table)} order by {order}"  # noqa: S608 - quoted names
        done = await self._connection.copy_from_query(query, output=sink)
        return int(done.split()[-1])

    async def _strangers(self) -> tuple[str, ...]:
        words = set(re.findall(r"\w+", "\n".join(path.read_text() for path in self._sources)))
        return tuple(row["path"] for row in await self._connection.fetch(_OBJECTS) if row["name"] not in words)

    async def _column(self, query: str, *, of: str = "pg_class") -> list[Any]:
        """The first column; nothing where the table is not there yet."""
        if await self._connection.fetchval("select to_regclass($1)", of) is None:
            return []
        return [row[0] for row in await self._connection.fetch(query)]


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(dsn, timeout=60, statement_cache_size=0)
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise DatabaseUnavailable(f"The database does not answer: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _require_room(connection: asyncpg.Connection, copy: DatabaseCopy) -> None:
    """Every table and column of the backup must be there."""
    there = {(row["schema"], row["name"]): {*row["columns"], *row["key"]} for row in await connection.fetch(_TABLES)}
    for table in copy.tables:
        columns = there.get((table.shape.schema, table.shape.name))
        if columns is None and str(table.shape) in copy.facts.strangers:
            continue
        lacking = [name for name in (*table.shape.columns, *table.shape.order) if name not in (columns or ())]
        if lacking:
            raise BackupRefused(
                f"{table.shape} of this version of Tidemark has no place for {', '.join(lacking)}. Restore the backup"
                " with the version that made it."
            )


async def _triggers_that_always_fire(connection: asyncpg.Connection) -> list[str]:
    rows = await connection.fetch(
        "select tgrelid::regclass::text as relation, tgname::text as name from pg_trigger"
        " where tgenabled = 'A' and not tgisinternal order by 1, 2"
    )
    return [f"alter table {row['relation']} {{}} trigger {_quoted(row['name'])}" for row in rows]


async def _load(connection: asyncpg.Connection, copy: DatabaseCopy, source: TableSource) -> None:
    there = {(row["schema"], row["name"]) for row in await connection.fetch(_TABLES)}
    tables = [table for table in copy.tables if (table.shape.schema, table.shape.name) in there]
    for table in tables:
        await connection.execute(f"truncate {_path(table.shape)} cascade")
    for table in tables:
        done = await connection.copy_to_table(
            table.shape.name,
            schema_name=table.shape.schema,
            columns=list(table.shape.columns),
            source=source.rows_of(table.shape),
        )
        if int(done.split()[-1]) != table.rows:
            raise BackupDamaged(f"{table.shape} came to {done.split()[-1]} rows, not {table.rows}. Use another backup.")
    for counter in copy.facts.counters:
        sequence = f"{_quoted(counter.schema)}.{_quoted(counter.name)}"
        if counter.last is not None and await connection.fetchval("select to_regclass($1)", sequence) is not None:
            await connection.execute("select setval($1::text::regclass, $2)", sequence, counter.last)


def _path(table: TableShape) -> str:
    return f"{_quoted(table.schema)}.{_quoted(table.name)}"


def _list(names: Sequence[str]) -> str:
    return ", ".join(map(_quoted, names))


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
