"""Acting as a user: role, claims and suspension hold for one transaction, and a lost database is said so."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.domain.accounts import Identity
from backend.domain.errors import AccountSuspended, DatabaseUnavailable, InvalidInput
from backend.infrastructure.database import Database
from tests.cluster import FreshDatabase


def identity(user_id: UUID, **claims: object) -> Identity:
    return Identity(
        user_id=user_id,
        email=None,
        is_admin=False,
        is_anonymous=False,
        session_id=None,
        expires_at=datetime.now(UTC) + timedelta(hours=1),
        claims={"sub": str(user_id), "role": "authenticated", **claims},
    )


@pytest.fixture
async def pool(database: FreshDatabase) -> AsyncIterator[Database]:
    pool = Database(database.dsn("app_api"), min_size=1, max_size=3)
    await pool.open()
    yield pool
    await pool.close()


async def test_role_claims_and_limits_hold_inside_the_transaction_only(database: FreshDatabase, pool: Database) -> None:
    user_id = await database.add_user()
    async with pool.acting_as(identity(user_id)) as connection:
        assert await connection.fetchval("select current_user") == "authenticated"
        assert await connection.fetchval("select auth.uid()") == user_id
        assert await connection.fetchval("show statement_timeout") == "8s"
        assert await connection.fetchval("show search_path") == "public, extensions"
    async with pool.acting_as(None) as connection:
        assert await connection.fetchval("select current_user") == "anon"
        assert await connection.fetchval("select auth.uid()") is None
        assert await connection.fetchval("show statement_timeout") == "3s"


async def test_a_text_that_no_database_has_is_the_askers_mistake(database: FreshDatabase, pool: Database) -> None:
    with pytest.raises(InvalidInput, match=r"U\+0000"):
        async with pool.acting_as(identity(await database.add_user()), readonly=True) as connection:
            await connection.fetchval("select 1 where $1::text = 'BTC'", "BT\0C")


async def test_the_role_of_a_token_is_never_taken_over(database: FreshDatabase, pool: Database) -> None:
    user_id = await database.add_user()
    async with pool.acting_as(identity(user_id, role="service_role")) as connection:
        assert await connection.fetchval("select current_user") == "authenticated"
        assert await connection.fetchval("select auth.role()") == "authenticated"


@pytest.mark.parametrize(
    "change",
    ["banned_until = now() + interval '1 hour'", "deleted_at = now()"],
    ids=["banned", "deleted"],
)
async def test_a_suspended_user_is_refused_at_once(database: FreshDatabase, pool: Database, change: str) -> None:
    user_id = await database.add_user()
    async with pool.acting_as(identity(user_id)):
        pass
    connection = await asyncpg.connect(database.dsn("supabase_auth_admin"))
    await connection.execute(f"update auth.users set {change} where id = $1", user_id)
    await connection.close()
    with pytest.raises(AccountSuspended):
        async with pool.acting_as(identity(user_id)):
            pytest.fail("the block of a suspended user must not run")


@pytest.mark.parametrize("moment", ["at work", "at the commit"])
async def test_a_backend_that_falls_silent_is_given_up(database: FreshDatabase, moment: str) -> None:
    """Stopped, not ended: no error ever comes from it, and its own time limits do not run."""
    user_id = await database.add_user()
    pool = Database(database.dsn("app_api"), min_size=1, max_size=1, command_seconds=0.3)
    await pool.open()
    stopped: list[int] = []

    async def work() -> None:
        async with pool.acting_as(identity(user_id)) as connection:
            stopped.append(await connection.fetchval("select pg_backend_pid()"))
            os.kill(stopped[0], signal.SIGSTOP)
            if moment == "at work":
                await connection.fetchval("select 1")

    started = asyncio.get_running_loop().time()
    try:
        with pytest.raises(DatabaseUnavailable):
            await work()
        assert asyncio.get_running_loop().time() - started < 7
        async with pool.acting_as(identity(user_id)) as connection:
            assert await connection.fetchval("select pg_backend_pid()") not in stopped
    finally:
        for backend in stopped:
            os.kill(backend, signal.SIGCONT)
        await pool.close()


async def test_a_ban_that_has_passed_no_longer_counts(database: FreshDatabase, pool: Database) -> None:
    user_id = await database.add_user(banned_until=datetime.now(UTC) - timedelta(minutes=1))
    async with pool.acting_as(identity(user_id)) as connection:
        assert await connection.fetchval("select auth.uid()") == user_id


async def test_an_unknown_user_is_refused(pool: Database) -> None:
    with pytest.raises(AccountSuspended):
        async with pool.acting_as(identity(uuid4())):
            pytest.fail("the block of an unknown user must not run")


async def test_a_readonly_transaction_cannot_write(database: FreshDatabase, pool: Database) -> None:
    user_id = await database.add_user()
    with pytest.raises(asyncpg.ReadOnlySQLTransactionError):
        async with pool.acting_as(identity(user_id), readonly=True) as connection:
            await connection.execute("update public.profiles set display_name = 'x' where user_id = $1", user_id)


async def test_an_error_in_the_block_undoes_its_writes(database: FreshDatabase, pool: Database) -> None:
    user_id = await database.add_user("kept@example.com")

    async def rename_and_fail() -> None:
        async with pool.acting_as(identity(user_id)) as connection:
            await connection.execute("update public.profiles set display_name = 'x' where user_id = $1", user_id)
            raise LookupError

    with pytest.raises(LookupError):
        await rename_and_fail()
    async with pool.acting_as(identity(user_id)) as connection:
        assert await connection.fetchval("select display_name from public.profiles") == "kept"


async def test_a_role_that_leaked_into_the_session_is_gone_with_the_next_user(
    database: FreshDatabase, pool: Database
) -> None:
    user_id = await database.add_user()
    single = Database(database.dsn("app_api"), min_size=1, max_size=1)
    await single.open()
    async with single.acting_as(identity(user_id)) as connection:
        await connection.execute("set session role authenticated")
        await connection.execute("select set_config('request.jwt.claims', $1, false)", json.dumps({"sub": "x"}))
        await connection.execute("set session statement_timeout = '1h'")
    async with single.acting_as(None) as connection:
        assert await connection.fetchval("select current_user") == "anon"
        assert json.loads(await connection.fetchval("select current_setting('request.jwt.claims')")) == {"role": "anon"}
    async with single._connection() as connection:
        assert await connection.fetchval("show statement_timeout") != "1h"
        assert await connection.fetchval("select current_user") == "app_api"
        assert await connection.fetchval("select current_setting('request.jwt.claims', true)") in ("", None)
    await single.close()


async def test_a_connection_that_dies_is_unavailable_and_the_pool_recovers(
    database: FreshDatabase, pool: Database
) -> None:
    user_id = await database.add_user()

    async def ask_after_the_connection_died() -> None:
        async with pool.acting_as(identity(user_id)) as connection:
            await _end_other_sessions(database)
            await connection.fetchval("select 1")

    with pytest.raises(DatabaseUnavailable):
        await ask_after_the_connection_died()
    async with pool.acting_as(identity(user_id)) as connection:
        assert await connection.fetchval("select auth.uid()") == user_id


async def test_idle_connections_that_died_are_replaced_without_an_error(
    database: FreshDatabase, pool: Database
) -> None:
    await pool.check()
    await _end_other_sessions(database)
    await asyncio.sleep(0.1)
    await pool.check()


async def test_a_query_that_takes_too_long_is_unavailable(database: FreshDatabase, pool: Database) -> None:
    async def sleep_past_the_limit() -> None:
        async with pool.acting_as(None) as connection:
            await connection.execute("set local statement_timeout = '50ms'")
            await connection.execute("select pg_sleep(5)")

    with pytest.raises(DatabaseUnavailable, match="too long"):
        await sleep_past_the_limit()


async def test_wrong_arguments_are_a_defect_and_not_an_outage(pool: Database) -> None:
    with pytest.raises(asyncpg.DataError):
        async with pool.acting_as(None) as connection:
            await connection.fetchval("select $1::int", "not a number")


async def test_no_database_at_all_is_unavailable(unused_port: int) -> None:
    closed = Database(f"postgresql://app_api:x@127.0.0.1:{unused_port}/postgres")
    with pytest.raises(DatabaseUnavailable):
        await closed.open()


async def test_a_pool_without_prepared_statements_serves_a_transaction_pooler(database: FreshDatabase) -> None:
    user_id = await database.add_user()
    pool = Database(database.dsn("app_api"), min_size=1, max_size=1, statement_cache=False)
    await pool.open()
    for _ in range(2):
        async with pool.acting_as(identity(user_id)) as connection:
            assert await connection.fetchval("select auth.uid()") == user_id
            assert await connection.fetchval("select count(*) from pg_prepared_statements where name <> ''") == 0
    await pool.close()


@pytest.fixture
def unused_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def _end_other_sessions(database: FreshDatabase) -> None:
    connection = await asyncpg.connect(database.dsn("supabase_admin"))
    await connection.execute(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
    await connection.close()
