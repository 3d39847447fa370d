"""Applies `supabase/migrations` to the database, so that `supabase db push` and Tidemark can take turns on one.

The order, the refusals and the record are those of the Supabase CLI. One thing is stricter: all pending files are one
transaction, so a failing migration leaves the database as the older version of Tidemark knows it.
"""

import re
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import asyncpg

from backend.domain.errors import ConfigurationError, DatabaseUnavailable, MigrationRefused

from .migration_text import forbidden_statement, split_statements
from .postgres.address import scram_verifier

_HOW_TO_REACH_IT = "The embedded database is run for that by: tidemark database"
_FILE_NAME = re.compile(r"(?P<version>\d+)_(?P<name>.+)\.sql")
_LOGINS = ("app_api", "app_worker")

_LOCK = "select pg_advisory_xact_lock(hashtext('tidemark.migrate'))"

# As the CLI makes it.
_RECORD = """
create schema if not exists supabase_migrations;
create table if not exists supabase_migrations.schema_migrations (version text not null primary key);
alter table supabase_migrations.schema_migrations add column if not exists statements text[];
alter table supabase_migrations.schema_migrations add column if not exists name text;
"""


@dataclass(frozen=True, kw_only=True)
class Migration:
    """One file: its digits are the version, the rest its name."""

    version: str
    name: str
    text: str
    file_name: str


async def migrate(dsn: str, folder: Path, *, only: Collection[str] | None = None) -> list[str]:
    """Apply what is pending and return the file names; raise MigrationRefused and change nothing if that can't be.

    `only` makes the database of an older version: that of these migrations.
    """
    migrations = [each for each in read_migrations(folder) if only is None or each.version in only]
    async with _connected(dsn) as connection, connection.transaction():
        # Held to the end of the transaction, so it also works through a pooler.
        await connection.execute(_LOCK)
        await _make_record(connection)
        todo = choose_pending(migrations, await _applied(connection))
        for migration in todo:
            await _apply(connection, migration)
    return [migration.file_name for migration in todo]


async def pending(dsn: str, folder: Path) -> list[str]:
    """The file names that `migrate` would apply; changes nothing."""
    migrations = read_migrations(folder)
    async with _connected(dsn) as connection:
        return [migration.file_name for migration in choose_pending(migrations, await _applied(connection))]


async def set_login_passwords(dsn: str, passwords: Mapping[str, str]) -> None:
    """Give `app_api` and `app_worker` their passwords; only what Postgres stores of them leaves this process."""
    unknown = set(passwords) - set(_LOGINS)
    if unknown:
        raise ValueError(f"not a login of Tidemark: {', '.join(sorted(unknown))}")
    async with _connected(dsn) as connection, connection.transaction():
        await connection.execute(_LOCK)  # two servers that change one role at once would get in each other's way
        for login, password in passwords.items():
            await connection.execute(f"alter role {login} password '{scram_verifier(password)}'")


def read_migrations(folder: Path) -> list[Migration]:
    """All files in the CLI's order, which is that of their names."""
    migrations = [_read(file) for file in sorted(folder.glob("*.sql"))]
    for first, second in pairwise(migrations):
        if first.version == second.version:
            raise MigrationRefused(
                f"{first.file_name} and {second.file_name} have the same version. Rename one with a newer timestamp."
            )
    return migrations


def choose_pending(migrations: Sequence[Migration], applied: Sequence[str]) -> list[Migration]:
    """What is still to be applied; only versions are compared, as the CLI does."""
    local = [migration.version for migration in migrations]
    unknown = [version for version in applied if version not in local]
    if unknown:
        raise MigrationRefused(
            f"The database has migrations that this version of Tidemark does not know: {', '.join(unknown)}."
            " Start the newer version that applied them; if they were applied by mistake and undone by hand, run:"
            f" supabase migration repair --status reverted {' '.join(unknown)}. {_HOW_TO_REACH_IT}"
        )
    todo = [migration for migration in migrations if migration.version not in applied]
    newest = max(applied, default="")
    late = [migration.file_name for migration in todo if migration.version < newest]
    if late:
        raise MigrationRefused(
            f"{', '.join(late)} would have to run before {newest}, which the database already has."
            " Rename it with a newer timestamp, or apply it on purpose: supabase db push --include-all."
            f" {_HOW_TO_REACH_IT}"
        )
    return todo


def _read(file: Path) -> Migration:
    match = _FILE_NAME.fullmatch(file.name)
    if match is None:
        raise MigrationRefused(f"{file.name} is not named <timestamp>_<name>.sql. Rename it.")
    text = file.read_text(encoding="utf-8")
    if (statement := forbidden_statement(text)) is not None:
        raise MigrationRefused(
            f"{file.name}:{statement.line} says '{statement.words}', which cannot be part of a transaction."
            " All pending migrations are applied in one, so that a failing one changes nothing. Take it out."
        )
    return Migration(version=match["version"], name=match["name"], text=text, file_name=file.name)


@asynccontextmanager
async def _connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    try:
        connection = await asyncpg.connect(dsn, timeout=10, statement_cache_size=0)
    except asyncpg.InvalidAuthorizationSpecificationError as error:
        raise ConfigurationError(f"The database refuses this login: {error}. Check DATABASE_URL.") from error
    except (OSError, TimeoutError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError) as error:
        raise DatabaseUnavailable(f"The database does not answer: {error}") from error
    try:
        yield connection
    finally:
        await connection.close()


async def _make_record(connection: asyncpg.Connection) -> None:
    await connection.execute("set local client_min_messages = warning")
    await connection.execute(_RECORD)


async def _applied(connection: asyncpg.Connection) -> list[str]:
    if await connection.fetchval("select to_regclass('supabase_migrations.schema_migrations')") is None:
        return []
    rows = await connection.fetch("select version from supabase_migrations.schema_migrations order by version")
    return [row["version"] for row in rows]


async def _apply(connection: asyncpg.Connection, migration: Migration) -> None:
    # A file may change the session's settings for itself, not for the next one. Waiting for ever behind a running
    # server would be worse than a refusal.
    await connection.execute("reset all; set local statement_timeout = 0; set local lock_timeout = '20s'")
    try:
        await connection.execute(migration.text)
    except asyncpg.PostgresError as error:
        raise MigrationRefused(_explain(migration, error)) from error
    await connection.execute(
        "insert into supabase_migrations.schema_migrations (version, statements, name) values ($1, $2, $3)",
        migration.version,
        split_statements(migration.text),
        migration.name,
    )


def _explain(migration: Migration, error: asyncpg.PostgresError) -> str:
    position = getattr(error, "position", None)
    line = f":{migration.text.count(chr(10), 0, int(position) - 1) + 1}" if position else ""
    return (
        f"{migration.file_name}{line} failed: {error}. Nothing was changed: the version that ran before can be"
        " started again. Mend the file, then start anew."
    )
