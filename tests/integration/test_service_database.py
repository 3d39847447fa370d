"""Acting as the service: from the first moment of each connection to its last, each statement by itself."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from backend.domain.errors import DatabaseUnavailable
from backend.infrastructure.service_database import ServiceDatabase
from tests.cluster import FreshDatabase


@pytest.fixture
async def service(database: FreshDatabase) -> AsyncIterator[ServiceDatabase]:
    service = ServiceDatabase(database.dsn("app_worker"), min_size=1, max_size=2)
    await service.open()
    yield service
    await service.close()


async def test_each_connection_is_the_service_from_its_start(service: ServiceDatabase) -> None:
    facts = "select current_user, session_user, auth.role(), current_setting('search_path') as path,"
    facts += " current_setting('statement_timeout') as timeout, pg_sleep(0.05) is null, pg_backend_pid() as pid"
    rows = await asyncio.gather(*(service.fetchrow(facts) for _ in range(4)))
    told = [dict(row) for row in rows if row is not None]
    assert len({row.pop("pid") for row in told}) == 2
    assert all(
        (row["current_user"], row["session_user"], row["role"], row["path"], row["timeout"])
        == ("service_role", "app_worker", "service_role", "public, extensions", "30s")
        for row in told
    )


RAISE_PRIORITY = "update public.tasks set priority = priority + 1 where user_id = $1 returning priority"
READ_PRIORITY = "select priority from public.tasks where user_id = $1"


async def user_with_task(database: FreshDatabase) -> UUID:
    user_id = await database.add_user()
    connection = await asyncpg.connect(database.dsn("postgres"))
    await connection.execute(
        "insert into public.tasks (user_id, kind, payload, cores, memory_bytes, max_attempts, wall_limit_seconds)"
        " values ($1, 'backtest', '{}', 1, 1, 1, 60)",
        user_id,
    )
    await connection.close()
    return user_id


async def test_a_statement_is_committed_by_itself(database: FreshDatabase, service: ServiceDatabase) -> None:
    user_id = await user_with_task(database)
    assert await service.fetchval(RAISE_PRIORITY, user_id) == 1
    connection = await asyncpg.connect(database.dsn("app_worker"))
    await connection.execute("set role service_role")
    assert await connection.fetchval(READ_PRIORITY, user_id) == 1
    await connection.close()


async def test_an_error_among_several_statements_undoes_them(database: FreshDatabase, service: ServiceDatabase) -> None:
    user_id = await user_with_task(database)

    async def raise_and_fail() -> None:
        async with service.acting_as_service() as connection:
            assert await connection.fetchval(RAISE_PRIORITY, user_id) == 1
            raise LookupError

    with pytest.raises(LookupError):
        await raise_and_fail()
    assert await service.fetchval(READ_PRIORITY, user_id) == 0


async def test_a_connection_that_dies_is_unavailable_and_the_next_is_the_service_again(
    database: FreshDatabase, service: ServiceDatabase
) -> None:
    sleeping = asyncio.create_task(service.fetchval("select pg_sleep(20)"))
    await asyncio.sleep(0.2)
    await end_other_sessions(database)
    with pytest.raises(DatabaseUnavailable):
        await sleeping
    assert await service.fetchval("select current_user") == "service_role"


async def test_a_backend_that_falls_silent_is_given_up(database: FreshDatabase) -> None:
    service = ServiceDatabase(database.dsn("app_worker"), min_size=1, max_size=1, command_seconds=0.3)
    await service.open()
    silent = await service.fetchval("select pg_backend_pid()")
    os.kill(silent, signal.SIGSTOP)
    try:
        with pytest.raises(DatabaseUnavailable):
            await service.fetchval("select 1")
        assert await service.fetchval("select pg_backend_pid()") != silent
    finally:
        os.kill(silent, signal.SIGCONT)
        await service.close()


async def test_a_full_disk_is_said_and_not_taken_for_silence(service: ServiceDatabase) -> None:
    with pytest.raises(DatabaseUnavailable, match="The disk of the database is full"):
        await service.fetchval("do $$ begin raise exception 'no room' using errcode = 'disk_full'; end $$")
    assert await service.fetchval("select 1") == 1


async def test_wrong_arguments_are_a_defect_and_not_an_outage(service: ServiceDatabase) -> None:
    with pytest.raises(asyncpg.DataError):
        await service.fetchval("select $1::int", "not a number")


async def test_no_database_at_all_is_unavailable() -> None:
    with pytest.raises(DatabaseUnavailable):
        await ServiceDatabase("postgresql://app_worker:x@127.0.0.1:1/postgres").open()


async def test_it_offers_nobody_to_be_a_user(service: ServiceDatabase) -> None:
    assert not hasattr(service, "acting_as")


async def end_other_sessions(database: FreshDatabase) -> None:
    connection = await asyncpg.connect(database.dsn("supabase_admin"))
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()


async def test_nobody_is_overtaken_while_waiting(database: FreshDatabase) -> None:
    service = ServiceDatabase(database.dsn("app_worker"), min_size=4, max_size=4)
    await service.open()
    served = dict.fromkeys(range(16), 0)
    overtaken = []

    async def ask_again_and_again(who: int) -> None:
        while min(served.values()) < 100:
            before = sum(served.values())
            async with service._connection() as connection:
                overtaken.append(sum(served.values()) - before)
                served[who] += 1
                await connection.fetchval("select 1")

    await asyncio.gather(*(ask_again_and_again(who) for who in served))
    await service.close()
    assert max(overtaken) < len(served)


async def test_a_wait_that_is_given_up_costs_nobody_a_turn(database: FreshDatabase) -> None:
    service = ServiceDatabase(database.dsn("app_worker"), min_size=1, max_size=1)
    await service.open()
    for _ in range(20):
        busy = asyncio.create_task(service.fetchval("select pg_sleep(0.02)"))
        waiting = [asyncio.create_task(service.fetchval("select 1")) for _ in range(3)]
        await asyncio.sleep(0.005)
        for task in (waiting[0], busy):
            task.cancel()
        await asyncio.wait([busy, *waiting])
        assert [task.result() for task in waiting[1:]] == [1, 1]
    assert await service.fetchval("select 1") == 1
    await service.close()
