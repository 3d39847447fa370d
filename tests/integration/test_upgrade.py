"""A data directory of an older version: upgraded in place, left alone when that fails, brought back from a backup."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import httpx
import pytest

from backend import bootstrap_backups, bootstrap_restoring
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, pending, read_migrations
from backend.settings import Settings
from tests.cluster import MIGRATIONS
from tests.serving import ROOT, Running, data_folder, environment, serving

# The first version that had backtests. Everything after it is an upgrade.
LAST_OF_OLDER = "20261127200000"
OLDER = [migration for migration in read_migrations(MIGRATIONS) if migration.version <= LAST_OF_OLDER]
NEWER = [migration for migration in read_migrations(MIGRATIONS) if migration.version > LAST_OF_OLDER]
PASSWORD = "correct horse battery"
# What says nothing without its days, which nobody kept: 20261130120000_trials_by_t_values.sql.
NO_LONGER_KEPT = "daily_sharpes"
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
                f"select count(*) from {table} t, unnest($1::text[]) was (row)"
                " where to_jsonb(t) @> was.row::jsonb - $2::text",
                rows,
                NO_LONGER_KEPT,
            )
            for table, rows in before.items()
        ]
    finally:
        await connection.close()
    return counts == [len(rows) for rows in before.values()]


@contextmanager
def version_of(folder: Path) -> Iterator[None]:
    """What is called within is of the version that brings the migrations of this folder."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (bootstrap_backups, bootstrap_restoring):
            patch.setattr(module, "MIGRATIONS", folder)
        yield


def served_by(folder: Path, data_dir: Path) -> subprocess.CompletedProcess[str]:
    """A start by the version that brings the migrations of this folder, to its end."""
    return subprocess.run(
        [sys.executable, "-m", "tests.with_migrations", folder, "serve", "--port", "0", "--data-dir", data_dir],
        cwd=ROOT,
        env=environment(TIDEMARK_CACHE_DIR=str(data_dir.parent / "cache"), TIDEMARK_LOG_FORMAT="text"),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


def settings_of(data_dir: Path) -> Settings:
    return Settings(_env_file=None, data_dir=data_dir, cache_dir=data_dir.parent / "cache")


@pytest.fixture(scope="module")
def older(place: Path) -> Path:
    """The migrations that the older version brings."""
    folder = place / "older"
    folder.mkdir()
    for migration in OLDER:
        shutil.copy(MIGRATIONS / migration.file_name, folder)
    return folder


@pytest.fixture(scope="module")
def saved(place: Path, older: Path) -> Path:
    """A backup by the older version."""
    folder = place / "backup"
    with version_of(older):
        made = asyncio.run(
            bootstrap_backups.create_backup(
                settings_of(place / "old"), folder, keys=None, files_only=False, is_running=False, say=print
            )
        )
    assert f"{len(OLDER)} migrations (the last one {LAST_OF_OLDER})" in made.words
    assert made.notes == (
        "Not in it: the signing keys, and the master key (it holds no exchange key). --keys FILE saves them, apart.",
    )
    return folder


@pytest.fixture(scope="module")
def upgraded(place: Path, saved: Path) -> Iterator[Running]:
    """The same data directory, served by this version."""
    with serving(place / "old", TIDEMARK_CACHE_DIR=str(place / "cache")) as running:
        yield running


def test_an_upgrade_that_fails_half_way_changes_nothing(place: Path, older: Path, saved: Path) -> None:
    broken = place / "broken"
    shutil.copytree(MIGRATIONS, broken)
    (broken / "29991231000000_broken.sql").write_text("alter table public.tasks add column more text;\nselect 1 / 0;")
    failed = served_by(broken, place / "old")
    assert failed.returncode == 3
    assert "29991231000000_broken.sql failed: division by zero. Nothing was changed" in failed.stderr
    with version_of(older):
        compared = bootstrap_backups.compare_backup(settings_of(place / "old"), saved, is_running=False, say=print)
        assert asyncio.run(compared) == []


def test_an_older_data_directory_is_upgraded_with_all_its_rows(place: Path, upgraded: Running) -> None:
    before = json.loads((place / "rows.json").read_text())
    assert [len(rows) for rows in before.values()] == [1, 1, 1, 2, 1]
    assert f"Applied {len(NEWER)} migrations, the last one {NEWER[-1].file_name}" in upgraded.log.read_text()
    assert asyncio.run(kept(upgraded.status["DB_URL"], before))
    assert asyncio.run(pending(upgraded.status["DB_URL"], MIGRATIONS)) == []
    answer = httpx.post(
        f"{upgraded.url}/auth/v1/token?grant_type=password",
        headers={"apikey": upgraded.status["PUBLISHABLE_KEY"]},
        json={"email": "ada@example.com", "password": PASSWORD},
    )
    assert answer.status_code == 200, answer.text
    token = {"Authorization": f"Bearer {answer.json()['access_token']}"}
    listed = httpx.get(f"{upgraded.url}/api/backtests", headers=token).json()["items"]
    assert [(one["name"], one["strategy"]) for one in listed] == [("My first", "sma_cross")]


def test_an_older_version_refuses_what_a_newer_one_made(older: Path, upgraded: Running) -> None:
    if upgraded.process.poll() is None:
        upgraded.stop()
    refused = served_by(older, upgraded.data_dir)
    assert refused.returncode == 3
    assert "migrations that this version of Tidemark does not know" in refused.stderr
    assert NEWER[0].version in refused.stderr


def test_what_was_saved_before_is_brought_back_as_the_older_version_knows_it(
    place: Path, older: Path, saved: Path
) -> None:
    back = settings_of(place / "back")
    with version_of(older):
        made = asyncio.run(bootstrap_restoring.restore_backup(back, saved, keys=None, say=print))
        assert asyncio.run(bootstrap_backups.compare_backup(back, saved, is_running=False, say=print)) == []
    assert f"{len(OLDER)} migrations (the last one {LAST_OF_OLDER})" in made.words
