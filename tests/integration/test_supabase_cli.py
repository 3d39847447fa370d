"""The real Supabase CLI and our migrator take turns on one database, and its advisors find nothing to say."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from backend.domain.errors import MigrationRefused
from backend.infrastructure.supabase.migrator import migrate, pending
from tests.cluster import MIGRATIONS, ROOT, Cluster, FreshDatabase
from tests.supabase_cli import advise, push, supabase

OURS = sorted(file.name for file in MIGRATIONS.glob("*.sql"))


@pytest.fixture
def bare(cluster: Cluster) -> Iterator[FreshDatabase]:
    """A Supabase project without any migration."""
    with cluster.fresh_database("postgres") as fresh:
        yield fresh


@pytest.fixture
def workdir(tmp_path: Path) -> Path:
    """A copy of the supabase folder, where the CLI may leave its files."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "supabase", folder / "supabase", ignore=shutil.ignore_patterns("node_modules"))
    return folder


def add_migration(workdir: Path, name: str, text: str) -> None:
    (workdir / "supabase" / "migrations" / name).write_text(text)


async def recorded(database: FreshDatabase) -> list[tuple[str, str, list[str]]]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    rows = await connection.fetch(
        "select version, name, statements from supabase_migrations.schema_migrations order by version"
    )
    await connection.close()
    return [(row["version"], row["name"], row["statements"]) for row in rows]


async def test_what_we_migrated_is_up_to_date_for_the_cli(bare: FreshDatabase, workdir: Path, tmp_path: Path) -> None:
    dsn = bare.dsn("postgres")
    assert await migrate(dsn, MIGRATIONS) == OURS
    done = push(dsn, workdir, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Remote database is up to date." in done.stdout


async def test_what_the_cli_pushed_is_up_to_date_for_us(bare: FreshDatabase, workdir: Path, tmp_path: Path) -> None:
    dsn = bare.dsn("postgres")
    done = push(dsn, workdir, tmp_path)
    assert done.returncode == 0, done.stderr
    assert await pending(dsn, MIGRATIONS) == []
    assert await migrate(dsn, MIGRATIONS) == []


async def test_both_leave_the_same_record(bare: FreshDatabase, cluster: Cluster, workdir: Path, tmp_path: Path) -> None:
    await migrate(bare.dsn("postgres"), MIGRATIONS)
    with cluster.fresh_database("postgres") as other:
        done = push(other.dsn("postgres"), workdir, tmp_path)
        assert done.returncode == 0, done.stderr
        assert await recorded(bare) == await recorded(other)


async def test_they_take_turns_on_one_database(bare: FreshDatabase, workdir: Path, tmp_path: Path) -> None:
    dsn, folder = bare.dsn("postgres"), workdir / "supabase" / "migrations"
    assert await migrate(dsn, folder) == OURS
    add_migration(workdir, "29990101000000_by_the_cli.sql", "create table private.one (id int primary key);")
    done = push(dsn, workdir, tmp_path)
    assert done.returncode == 0, done.stderr
    add_migration(workdir, "29990102000000_by_us.sql", "create table private.two (id int primary key);")
    assert await migrate(dsn, folder) == ["29990102000000_by_us.sql"]
    add_migration(workdir, "29990103000000_by_the_cli.sql", "drop table private.one, private.two;")
    done = push(dsn, workdir, tmp_path)
    assert done.returncode == 0, done.stderr
    assert await pending(dsn, folder) == []


async def test_both_refuse_a_database_that_is_newer(bare: FreshDatabase, workdir: Path, tmp_path: Path) -> None:
    dsn, folder = bare.dsn("postgres"), workdir / "supabase" / "migrations"
    add_migration(workdir, "29990101000000_from_the_future.sql", "select 1;")
    await migrate(dsn, folder)
    (folder / "29990101000000_from_the_future.sql").unlink()
    assert push(dsn, workdir, tmp_path).returncode != 0
    with pytest.raises(MigrationRefused, match="29990101000000"):
        await migrate(dsn, folder)


async def test_both_refuse_a_file_older_than_the_last_applied(
    bare: FreshDatabase, workdir: Path, tmp_path: Path
) -> None:
    dsn, folder = bare.dsn("postgres"), workdir / "supabase" / "migrations"
    await migrate(dsn, folder)
    add_migration(workdir, "20200101000000_too_late.sql", "select 1;")
    assert push(dsn, workdir, tmp_path).returncode != 0
    with pytest.raises(MigrationRefused, match="20200101000000_too_late"):
        await migrate(dsn, folder)
    assert push(dsn, workdir, tmp_path, "--include-all").returncode == 0
    assert await pending(dsn, folder) == []


async def test_a_reset_by_the_cli_keeps_the_project_and_builds_our_tables_again(
    bare: FreshDatabase, workdir: Path, tmp_path: Path
) -> None:
    dsn = bare.dsn("postgres")
    await migrate(dsn, MIGRATIONS)
    connection = await asyncpg.connect(dsn)
    await connection.execute("create table public.leftover (id int primary key); create schema experiments")
    done = supabase("db", "reset", f"--remote={dsn}", workdir=workdir, home=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert await pending(dsn, MIGRATIONS) == []
    schemas = {row["nspname"] for row in await connection.fetch("select nspname from pg_namespace")}
    assert {"auth", "storage", "realtime", "extensions", "mailbox", "private"} <= schemas
    assert "experiments" not in schemas
    assert await connection.fetchval("select to_regclass('public.leftover')") is None
    await connection.execute("insert into auth.users (id, email) values (gen_random_uuid(), 'new@example.com')")
    assert await connection.fetchval("select count(*) from public.profiles") == 1
    await connection.close()


async def test_the_advisors_have_no_warning(database: FreshDatabase, workdir: Path, tmp_path: Path) -> None:
    findings = advise(database.dsn("postgres"), workdir, tmp_path)
    # An index of a fresh database was never used; a table of ours without a policy is for nobody, on purpose.
    assert [finding for finding in findings if finding["name"] not in ("unused_index", "rls_enabled_no_policy")] == []
    closed = [finding["metadata"] for finding in findings if finding["name"] == "rls_enabled_no_policy"]
    assert [table["name"] for table in closed if table["schema"] != "private"] == ["audit_log"]


async def test_the_advisors_would_see_a_table_without_row_security(
    bare: FreshDatabase, workdir: Path, tmp_path: Path
) -> None:
    connection = await asyncpg.connect(bare.dsn("postgres"))
    await connection.execute(
        "create table public.open_door (id int primary key); grant select on public.open_door to anon;"
        " create function public.loose() returns int language sql as 'select 1'"
    )
    await connection.close()
    names = {finding["name"] for finding in advise(bare.dsn("postgres"), workdir, tmp_path)}
    assert {"rls_disabled_in_public", "function_search_path_mutable"} <= names
