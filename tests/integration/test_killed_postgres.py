"""Killed in every way and at any moment: the next start is up in time, and no acknowledged row is missing."""

import asyncio
import contextlib
import random
import sys
import time
from pathlib import Path

import asyncpg
import psutil
import pytest

from backend.domain.errors import DatabaseUnavailable
from backend.infrastructure.database import Database
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from backend.infrastructure.supabase.postgres import leftovers
from tests.cluster import MIGRATIONS
from tests.integration.writers import UP_AGAIN_SECONDS, Writer, postmaster_of


def kill_server(writer: Writer, data_dir: Path) -> None:
    writer.kill()


def kill_server_and_postmaster(writer: Writer, data_dir: Path) -> None:
    postmaster = postmaster_of(data_dir)
    writer.kill()
    with contextlib.suppress(psutil.NoSuchProcess):
        postmaster.kill()


def kill_postmaster_then_server(writer: Writer, data_dir: Path) -> None:
    postmaster_of(data_dir).kill()
    writer.kill()


def freeze_postmaster_and_kill_server(writer: Writer, data_dir: Path) -> None:
    """An orphan that does not hear the signal of its parent's death."""
    postmaster_of(data_dir).suspend()
    writer.kill()


def freeze_backends_and_kill_the_rest(writer: Writer, data_dir: Path) -> None:
    """Backends that outlive their postmaster and hold its shared memory."""
    postmaster = postmaster_of(data_dir)
    for child in postmaster.children():
        child.suspend()
    postmaster.kill()
    writer.kill()


async def numbers(postgres: EmbeddedPostgres) -> set[int]:
    connection = await asyncpg.connect(postgres.address.dsn("postgres"))
    rows = await connection.fetch("select number from public.acknowledged")
    await connection.close()
    return {row["number"] for row in rows}


@pytest.mark.timeout(240)
async def test_every_acknowledged_row_survives_any_kill(data_dir: Path) -> None:
    dice = random.Random(20261120)
    ways = [
        kill_server,
        kill_server_and_postmaster,
        kill_postmaster_then_server,
        freeze_postmaster_and_kill_server,
        freeze_backends_and_kill_the_rest,
        kill_server,
    ]
    acknowledged: set[int] = set()
    for way in ways:
        writer = Writer(data_dir)
        writer.wait_for(dice.randint(2, 200))
        way(writer, data_dir)
        acknowledged |= set(writer.acknowledged)
        assert writer.seconds_to_up is not None
        assert writer.seconds_to_up < UP_AGAIN_SECONDS, f"up after {writer.seconds_to_up:.1f} s, after {way.__name__}"
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    try:
        assert acknowledged <= await numbers(postgres)
    finally:
        postgres.stop()
    assert leftovers.processes_of(data_dir / "postgres" / "17") == []


@pytest.mark.timeout(240)
async def test_a_start_that_was_killed_at_any_moment_is_finished_by_the_next(data_dir: Path) -> None:
    dice = random.Random(20261121)
    for _ in range(8):
        writer = Writer(data_dir)
        # A first start takes about two seconds: these hit copying, initdb, the rename, the bootstrap.
        await asyncio.sleep(dice.uniform(0.2, 1.8))
        writer.kill()
    postgres = EmbeddedPostgres(data_dir)
    began = time.monotonic()
    postgres.start()
    try:
        assert time.monotonic() - began < UP_AGAIN_SECONDS
        connection = await asyncpg.connect(postgres.address.dsn("postgres"))
        assert await connection.fetchval("select count(*) from auth.users") == 0
        assert await connection.fetchval("select count(*) from pg_roles where rolname = 'service_role'") == 1
        await connection.close()
    finally:
        postgres.stop()
    folder = data_dir / "postgres"
    assert {path.name.partition("-")[0] for path in folder.iterdir()} == {"17", "bin"}


async def test_a_postmaster_that_dies_is_started_again_under_the_running_server(data_dir: Path) -> None:
    writer = Writer(data_dir)
    writer.wait_for(20)
    for _ in range(2):
        postmaster_of(data_dir).kill()
        writer.wait_for(50)
    acknowledged = set(writer.acknowledged)
    writer.kill()
    postgres = EmbeddedPostgres(data_dir)
    postgres.start()
    try:
        assert acknowledged <= await numbers(postgres)
    finally:
        postgres.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a child that its parent died")
def test_postgres_goes_with_its_killed_server(data_dir: Path) -> None:
    writer = Writer(data_dir)
    writer.wait_for(5)
    postmaster = postmaster_of(data_dir)
    writer.kill()
    assert psutil.wait_procs([postmaster], timeout=5)[1] == []


async def test_requests_during_a_crash_are_told_to_try_again_and_the_pool_recovers(data_dir: Path) -> None:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    await asyncio.to_thread(postgres.start)
    owner = postgres.address.dsn("postgres")
    await migrate(owner, MIGRATIONS)
    await set_login_passwords(owner, {"app_api": postgres.address.passwords["app_api"]})
    database = Database(postgres.address.dsn("app_api"))
    await database.open()
    refused, recovered, over = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def ask_again_and_again() -> None:
        while not over.is_set():
            try:
                async with database.acting_as(None, readonly=True) as connection:
                    await connection.fetchval("select 1")
                if refused.is_set():
                    recovered.set()
            except DatabaseUnavailable:
                refused.set()
                await asyncio.sleep(0.02)

    askers = [asyncio.create_task(ask_again_and_again()) for _ in range(12)]
    for _ in range(3):
        await asyncio.sleep(0.3)
        refused.clear()
        recovered.clear()
        (await asyncio.to_thread(postmaster_of, data_dir)).kill()
        await asyncio.wait_for(recovered.wait(), UP_AGAIN_SECONDS)
    over.set()
    await asyncio.gather(*askers)
    await database.close()
    await asyncio.to_thread(postgres.stop)
