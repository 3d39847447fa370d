"""Migrations are applied in order, all or none, once, and what does not fit is refused in words that help."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from backend.domain.errors import ConfigurationError, DatabaseUnavailable, MigrationRefused
from backend.infrastructure.supabase.migrator import migrate, pending, set_login_passwords
from tests.cluster import MIGRATIONS, Cluster, FreshDatabase


@pytest.fixture
def bare(cluster: Cluster) -> Iterator[FreshDatabase]:
    with cluster.fresh_database("postgres") as fresh:
        yield fresh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path, "20260101000000_first.sql", "create table private_notes (id int primary key);")
    write(tmp_path, "20260102000000_second.sql", "insert into private_notes values (1);")
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).write_text(text)


async def ask(database: FreshDatabase, query: str) -> object:
    connection = await asyncpg.connect(database.dsn("postgres"))
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


async def test_pending_names_what_migrate_applies_and_changes_nothing(bare: FreshDatabase, folder: Path) -> None:
    names = ["20260101000000_first.sql", "20260102000000_second.sql"]
    assert await pending(bare.dsn("postgres"), folder) == names
    assert await ask(bare, "select to_regnamespace('supabase_migrations')") is None
    assert await migrate(bare.dsn("postgres"), folder) == names
    assert await pending(bare.dsn("postgres"), folder) == []
    assert await migrate(bare.dsn("postgres"), folder) == []
    assert await ask(bare, "select count(*) from private_notes") == 1


async def test_a_failing_file_undoes_the_files_before_it(bare: FreshDatabase, folder: Path) -> None:
    write(folder, "20260103000000_third.sql", "insert into private_notes values (2);\n\nselect 1 / 0;")
    with pytest.raises(MigrationRefused, match=r"20260103000000_third\.sql failed: division by zero"):
        await migrate(bare.dsn("postgres"), folder)
    assert await ask(bare, "select to_regclass('private_notes')") is None
    assert len(await pending(bare.dsn("postgres"), folder)) == 3


async def test_an_upgrade_that_fails_leaves_the_older_version_startable(bare: FreshDatabase, folder: Path) -> None:
    dsn = bare.dsn("postgres")
    await migrate(dsn, folder)
    newer = folder / "20260103000000_third.sql"
    newer.write_text("alter table private_notes add column text text;\nalter table nowhere add column x int;")
    with pytest.raises(MigrationRefused, match="Nothing was changed"):
        await migrate(dsn, folder)
    newer.unlink()
    assert await migrate(dsn, folder) == []
    assert await ask(bare, "select count(*) from private_notes") == 1


async def test_a_syntax_error_is_named_with_its_line(bare: FreshDatabase, folder: Path) -> None:
    write(folder, "20260103000000_third.sql", "select 1;\n\nselct 2;")
    with pytest.raises(MigrationRefused, match=r"20260103000000_third\.sql:3 failed: syntax error"):
        await migrate(bare.dsn("postgres"), folder)


async def test_servers_that_start_together_apply_each_file_once(bare: FreshDatabase, folder: Path) -> None:
    applied = await asyncio.gather(*(migrate(bare.dsn("postgres"), folder) for _ in range(4)))
    assert sorted(len(names) for names in applied) == [0, 0, 0, 2]
    assert await ask(bare, "select count(*) from private_notes") == 1


async def test_settings_of_one_file_do_not_reach_the_next(bare: FreshDatabase, folder: Path) -> None:
    write(folder, "20260103000000_third.sql", "set search_path = pg_catalog; set role anon; reset role;")
    write(folder, "20260104000000_fourth.sql", "insert into private_notes values (4);")
    await migrate(bare.dsn("postgres"), folder)
    assert await ask(bare, "select count(*) from private_notes") == 2


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("20260103000000_third.sql", "begin;\nselect 1;\ncommit;", "third.sql:1 says 'begin'"),
        ("20260103000000_third.sql", "select 1;\ncreate index concurrently i on t (id);", "third.sql:2 says 'create"),
        ("third.sql", "select 1;", "third.sql is not named"),
        ("20260102000000_again.sql", "select 1;", "same version"),
    ],
)
async def test_a_file_that_cannot_be_applied_is_refused_before_anything_is(
    bare: FreshDatabase, folder: Path, name: str, text: str, says: str
) -> None:
    write(folder, name, text)
    with pytest.raises(MigrationRefused, match=says):
        await migrate(bare.dsn("postgres"), folder)
    assert await ask(bare, "select to_regclass('private_notes')") is None


async def test_rows_of_another_migrator_without_statements_are_accepted(bare: FreshDatabase, folder: Path) -> None:
    await migrate(bare.dsn("postgres"), folder)
    await ask(bare, "update supabase_migrations.schema_migrations set statements = null, name = null returning 1")
    assert await migrate(bare.dsn("postgres"), folder) == []


async def test_ours_run_as_the_postgres_of_a_project_and_belong_to_it(database: FreshDatabase) -> None:
    assert await pending(database.dsn("postgres"), MIGRATIONS) == []
    assert (
        await ask(
            database,
            "select count(*) from pg_class where relnamespace in ('public'::regnamespace, 'private'::regnamespace)"
            " and pg_get_userbyid(relowner) <> 'postgres'",
        )
        == 0
    )
    assert await ask(database, "select pg_get_userbyid(nspowner) from pg_namespace where nspname = 'private'") == (
        "postgres"
    )


async def test_a_wrong_password_is_a_setting_to_check(cluster: Cluster, folder: Path) -> None:
    dsn = f"postgresql://postgres:wrong@127.0.0.1:{cluster.address.port}/postgres"
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        await migrate(dsn, folder)


async def test_a_database_that_does_not_answer_is_unavailable(folder: Path) -> None:
    with pytest.raises(DatabaseUnavailable):
        await migrate("postgresql://postgres:x@127.0.0.1:1/postgres", folder)


async def test_a_login_gets_its_password(database: FreshDatabase, cluster: Cluster) -> None:
    """The same one as before: logins are shared with tests that run at the same time. What is stored has a new salt."""
    passwords = {"app_worker": cluster.address.passwords["app_worker"]}
    admin = await asyncpg.connect(database.dsn("supabase_admin"))
    stored = "select rolpassword from pg_authid where rolname = 'app_worker'"
    before = await admin.fetchval(stored)
    await set_login_passwords(database.dsn("postgres"), passwords)
    after = await admin.fetchval(stored)
    await admin.close()
    assert after != before
    assert after.startswith("SCRAM-SHA-256$4096:")
    connection = await asyncpg.connect(database.dsn("app_worker"))
    assert await connection.fetchval("select session_user") == "app_worker"
    await connection.close()


async def test_only_our_own_logins_get_passwords(database: FreshDatabase) -> None:
    with pytest.raises(ValueError, match="service_role"):
        await set_login_passwords(database.dsn("postgres"), {"service_role": "x"})
