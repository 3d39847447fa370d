"""A data directory of an older version: upgraded in place, left alone when that fails, brought back from a backup."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, read_migrations
from tests.cluster import MIGRATIONS
from tests.serving import ROOT, data_folder, environment, serving

# The first version that had backtests. Everything after it is an upgrade.
LAST_OF_OLDER = "20261127200000"
OLDER = [migration for migration in read_migrations(MIGRATIONS) if migration.version <= LAST_OF_OLDER]
NEWER = [migration for migration in read_migrations(MIGRATIONS) if migration.version > LAST_OF_OLDER]
PASSWORD = "correct horse battery"
TABLES = ("auth.users", "public.profiles", "public.tasks", "public.series", "public.backtests")


@pytest.fixture(scope="module")
def place() -> Iterator[Path]:
    """A folder with the data directory `old`, as the older version left it, with rows in it."""
    with data_folder() as data:
        folder = data.parent
        postgres = EmbeddedPostgres(folder / "old", preferred_port=0)
        address = postgres.start()
        try:
            versions = [migration.version for migration in OLDER]
            assert len(asyncio.run(migrate(address.dsn("postgres"), MIGRATIONS, only=versions))) == len(OLDER)
            asyncio.run(fill(address.dsn("supabase_admin")))
            rows = asyncio.run(rows_in(address.dsn("supabase_admin")))
        finally:
            postgres.stop()
        (folder / "rows.json").write_text(json.dumps(rows))
        yield folder


async def fill(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    user, task = uuid4(), uuid4()
    config = {"strategy": "sma_cross", "series": [{"provider": "demo", "symbol": "BTC/USDT", "timeframe": "1h"}]}
    await connection.execute(
        "insert into auth.users (id, aud, role, email, encrypted_password, email_confirmed_at, raw_app_meta_data,"
        " raw_user_meta_data, created_at, updated_at, is_anonymous)"
        " values ($1, 'authenticated', 'authenticated', 'ada@example.com', extensions.crypt($2,"
        " extensions.gen_salt('bf', 4)), now(), '{\"provider\": \"email\"}', '{}', now(), now(), false)",
        user,
        PASSWORD,
    )
    await connection.execute(
        "insert into public.tasks (id, user_id, kind, state, payload, cores, memory_bytes, max_attempts,"
        " wall_limit_seconds, finished_at) values ($1, $2, 'backtest', 'completed', '{}', 1, 1, 3, 60, now())",
        task,
        user,
    )
    await connection.execute(
        "insert into public.series (user_id, provider, symbol, timeframe, adjustment)"
        " values (null, 'demo', 'BTC/USDT', '1h', 'raw'), ($1, 'import', 'MINE', '1d', 'raw')",
        user,
    )
    await connection.execute(
        "insert into public.backtests (id, user_id, kind, config, name, total_return)"
        " values ($1, $2, 'backtest', $3, 'My first', 0.125)",
        task,
        user,
        json.dumps(config),
    )
    await connection.close()


async def rows_in(dsn: str) -> dict[str, list[str]]:
    connection = await asyncpg.connect(dsn)
    try:
        return {
            table: [row[0] for row in await connection.fetch(f"select to_jsonb(t)::text from {table} t order by 1")]
            for table in TABLES
        }
    finally:
        await connection.close()


async def kept(dsn: str, before: dict[str, list[str]]) -> bool:
    """Whether each row is there with all that it held; newer columns may have come."""
    connection = await asyncpg.connect(dsn)
    try:
        counts = [
            await connection.fetchval(
                f"select count(*) from {table} t, unnest($1::text[]) was (row) where to_jsonb(t) @> was.row::jsonb",
                rows,
            )
            for table, rows in before.items()
        ]
    finally:
        await connection.close()
    return counts == [len(rows) for rows in before.values()]


def as_version(folder: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """A command of the version that brings the migrations of this folder, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tests.with_migrations", folder, *arguments],
        cwd=ROOT,
        env=environment(TIDEMARK_CACHE_DIR=str(folder.parent / "cache"), TIDEMARK_LOG_FORMAT="text"),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_an_older_data_directory_is_saved_upgraded_and_brought_back(place: Path) -> None:
    before = json.loads((place / "rows.json").read_text())
    assert [len(rows) for rows in before.values()] == [1, 1, 1, 2, 1]
    older, broken = place / "older", place / "broken"
    older.mkdir()
    for migration in OLDER:
        shutil.copy(MIGRATIONS / migration.file_name, older)
    shutil.copytree(MIGRATIONS, broken)
    (broken / "29991231000000_broken.sql").write_text("alter table public.tasks add column more text;\nselect 1 / 0;")

    saved = as_version(older, "backup", "create", place / "backup", "--data-dir", place / "old")
    assert saved.returncode == 0, saved.stderr
    assert f"{len(OLDER)} migrations (the last one {LAST_OF_OLDER})" in saved.stdout

    # An upgrade that fails half way changes nothing.
    failed = as_version(broken, "serve", "--port", "0", "--data-dir", place / "old")
    assert failed.returncode == 3
    assert "29991231000000_broken.sql failed: division by zero. Nothing was changed" in failed.stderr
    unchanged = as_version(older, "backup", "compare", place / "backup", "--data-dir", place / "old")
    assert unchanged.returncode == 0, unchanged.stdout + unchanged.stderr

    with serving(place / "old", TIDEMARK_CACHE_DIR=str(place / "cache")) as running:
        applied = f"Applied {len(NEWER)} migrations, the last one {NEWER[-1].file_name}"
        assert applied in running.log.read_text()
        assert asyncio.run(kept(running.status["DB_URL"], before))
        answer = httpx.post(
            f"{running.url}/auth/v1/token?grant_type=password",
            headers={"apikey": running.status["PUBLISHABLE_KEY"]},
            json={"email": "ada@example.com", "password": PASSWORD},
        )
        assert answer.status_code == 200, answer.text
        token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        listed = httpx.get(f"{running.url}/api/backtests", headers=token).json()["items"]
        assert [(one["name"], one["strategy"]) for one in listed] == [("My first", "sma_cross")]

    # The older version does not touch what a newer one made; what was saved is what it starts from.
    refused = as_version(older, "serve", "--port", "0", "--data-dir", place / "old")
    assert refused.returncode == 3
    assert "migrations that this version of Tidemark does not know" in refused.stderr
    assert NEWER[0].version in refused.stderr
    back = as_version(older, "backup", "restore", place / "backup", "--data-dir", place / "back")
    assert back.returncode == 0, back.stderr
    assert f"{len(OLDER)} migrations (the last one {LAST_OF_OLDER})" in back.stdout
    pending = as_version(older, "migrate", "--dry-run", "--data-dir", place / "back")
    assert pending.stdout == "The database is up to date.\n", pending.stderr
