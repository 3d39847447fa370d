"""Notices that fill their queue, since somebody who listens keeps a transaction open: told as such, and then over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg
import pytest

from backend.domain.errors import DatabaseUnavailable
from backend.infrastructure.event_bus import PostgresEventBus
from backend.infrastructure.service_database import ServiceDatabase
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from backend.infrastructure.supabase.postgres.address import PostgresAddress
from tests.cluster import MIGRATIONS

# As few as Postgres allows: half a mebibyte.
FEWEST_PAGES = 64
LARGE = "select pg_notify('nobody', repeat('x', 7000))"


@asynccontextmanager
async def postgres_with_few_notices(data_dir: Path) -> AsyncIterator[PostgresAddress]:
    postgres = EmbeddedPostgres(data_dir, preferred_port=0)
    address = await asyncio.to_thread(postgres.start)
    try:
        await migrate(address.dsn("postgres"), MIGRATIONS)
        await set_login_passwords(
            address.dsn("postgres"), {login: address.passwords[login] for login in ("app_api", "app_worker")}
        )
        await asyncio.to_thread(postgres.stop)
        (data_dir / "postgres" / "17" / "operator.conf").write_text(f"max_notify_queue_pages = {FEWEST_PAGES}\n")
        yield await asyncio.to_thread(postgres.start)
    finally:
        await asyncio.to_thread(postgres.stop)


async def fill(database: ServiceDatabase) -> None:
    for _ in range(20 * FEWEST_PAGES):
        await database.fetchval(LARGE)


@pytest.mark.timeout(120)
async def test_a_full_queue_of_notices_is_waited_for_and_drains_by_itself(data_dir: Path) -> None:
    async with postgres_with_few_notices(data_dir) as address:
        database = ServiceDatabase(address.dsn("app_worker"), min_size=1, max_size=2)
        bus = PostgresEventBus(address.dsn("app_worker"), probe_seconds=0.2)
        await database.open()
        await bus.open()
        news = bus.subscribe("news")
        assert (await anext(news)).payload is None
        idler = await asyncpg.connect(address.dsn("postgres"))
        try:
            await idler.execute("listen anything")
            await idler.execute("begin; select 1")
            with pytest.raises(DatabaseUnavailable, match="no room for more notices"):
                await fill(database)
            # A hint is lost, and the bus goes on.
            await bus.publish("news", "lost")
            assert bus.is_connected
            # It stays connected: that it leaves would make room as well.
            await idler.execute("rollback")
            async with asyncio.timeout(20):
                while True:
                    try:
                        await database.fetchval(LARGE)
                        break
                    except DatabaseUnavailable:
                        await asyncio.sleep(0.1)
            await bus.publish("news", "heard")
            async with asyncio.timeout(20):
                assert (await anext(news)).payload == "heard"
        finally:
            await idler.close()
            await bus.close()
            await database.close()
