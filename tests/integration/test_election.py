"""One process among all on a database is chosen, and another as soon as that one is gone."""

import asyncio

import asyncpg

from backend.domain.errors import DatabaseUnavailable
from backend.infrastructure.election import AdvisoryLockElection
from tests.cluster import FreshDatabase


async def test_one_is_chosen_and_another_when_it_leaves(database: FreshDatabase) -> None:
    first, second = (AdvisoryLockElection(database.dsn("app_api"), "seat") for _ in range(2))
    assert await first.is_won()
    assert not await second.is_won()
    assert await first.is_won()
    await first.close()
    assert await second.is_won()
    assert not await first.is_won()
    await first.close()
    await second.close()


async def test_seats_are_independent(database: FreshDatabase) -> None:
    one, other = (AdvisoryLockElection(database.dsn("app_api"), seat) for seat in ("one", "other"))
    assert await one.is_won()
    assert await other.is_won()
    await one.close()
    await other.close()


async def test_who_loses_its_connection_loses_its_seat(database: FreshDatabase) -> None:
    first, second = (AdvisoryLockElection(database.dsn("app_api"), "seat") for _ in range(2))
    assert await first.is_won()
    await end_all_connections(database)
    await asyncio.sleep(0.2)
    assert await has_won(second)
    assert not await has_won(first)
    await first.close()
    await second.close()


async def has_won(election: AdvisoryLockElection) -> bool:
    try:
        return await election.is_won()
    except DatabaseUnavailable:
        return False


async def end_all_connections(database: FreshDatabase) -> None:
    connection = await asyncpg.connect(database.dsn("supabase_admin"))
    try:
        await connection.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and usename = 'app_api'"
        )
    finally:
        await connection.close()
