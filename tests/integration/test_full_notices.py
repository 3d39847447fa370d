"""Notices that fill their queue, since somebody who listens keeps a transaction open: told as such, and then over."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest

from backend.data.storage.job_queue import JobQueueTable
from backend.data.storage.jobs import JobTable
from backend.domain.errors import DatabaseUnavailable
from backend.domain.jobs import JobState, Outcome
from backend.infrastructure.database import Database
from backend.infrastructure.event_bus import PostgresEventBus
from backend.infrastructure.notices import CommitNotices
from backend.infrastructure.service_database import ServiceDatabase
from backend.infrastructure.supabase.embedded_postgres import EmbeddedPostgres
from backend.infrastructure.supabase.migrator import migrate, set_login_passwords
from backend.infrastructure.supabase.postgres.address import PostgresAddress
from tests.cluster import MIGRATIONS
from tests.fakes import FakeEventBus
from tests.job_tables import BACKTEST, BROKEN, ROOM, identity

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


async def ran(address: PostgresAddress, database: ServiceDatabase) -> JobState:
    """A job as the house runs it, with notices after the commits, and the mishaps of its first three runs."""
    who = identity(uuid4())
    owner = await asyncpg.connect(address.dsn("postgres"))
    await owner.execute("insert into auth.users (id) values ($1)", who.user_id)
    await owner.close()
    api = Database(address.dsn("app_api"), min_size=1)
    await api.open()
    try:
        async with api.acting_as(who) as connection:
            job = await JobTable(connection, []).submit(BACKTEST)
        queue = JobQueueTable(database, capacity=lambda: ROOM, notices=CommitNotices(FakeEventBus()))
        await queue.hand_back(await queue.claim("runner", ROOM, job_ids=[job.id]))
        (lost,) = await queue.claim("runner", ROOM, job_ids=[job.id])
        assert await queue.lose(lost, BROKEN) == JobState.QUEUED
        await queue.claim("killed runner", ROOM, job_ids=[job.id])
        assert await queue.reap(gone="killed runner") == 1
        leases = await queue.claim("runner", ROOM, job_ids=[job.id])
        await queue.finish([(lease, Outcome.completed({})) for lease in leases])
        async with api.acting_as(who) as connection:
            found = await JobTable(connection).job(job.id)
        assert found is not None
        return found.state
    finally:
        await api.close()


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
            # Jobs need no notice to be kept: they are submitted, leased and ended all the same.
            assert await ran(address, database) == JobState.COMPLETED
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
