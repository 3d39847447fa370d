"""What came out of a backtest is written by the end of its task alone: not by its owner either."""

import json
from collections.abc import AsyncIterator
from uuid import UUID

import asyncpg
import pytest

from tests.cluster import FreshDatabase
from tests.finished_backtests import finished_backtest

REFUSED = asyncpg.InsufficientPrivilegeError
SAID = {"name", "notes", "tags", "is_starred", "archived_at", "deleted_at"}
ASKED = {"id", "user_id", "kind", "config", "parent_id", "name", "tags"}
CAME_OUT = {"figures", "trust", "manifest", "total_return", "sharpe_ratio", "max_drawdown", "trades", "size_bytes"}


@pytest.fixture(scope="module")
async def owner(database: FreshDatabase) -> UUID:
    return await database.add_user()


@pytest.fixture(scope="module")
async def backtest(database: FreshDatabase, owner: UUID) -> UUID:
    return await finished_backtest(database.dsn("postgres"), owner)


@pytest.fixture
async def api(database: FreshDatabase, owner: UUID) -> AsyncIterator[asyncpg.Connection]:
    """As the API acts for the owner; what is achieved is undone."""
    connection = await asyncpg.connect(database.dsn("app_api"))
    await connection.transaction().start()
    await connection.execute(
        "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
        json.dumps({"sub": str(owner), "role": "authenticated"}),
    )
    yield connection
    await connection.close()


async def refused(api: asyncpg.Connection, statement: str, *arguments: object) -> bool:
    try:
        async with api.transaction():
            await api.execute(statement, *arguments)
    except REFUSED:
        return True
    return False


async def columns(api: asyncpg.Connection) -> set[str]:
    rows = await api.fetch(
        "select attname::text from pg_attribute where attrelid = 'public.backtests'::regclass and attnum > 0"
        " and not attisdropped and attgenerated = ''"
    )
    return {row["attname"] for row in rows}


async def test_its_owner_changes_what_is_said_and_nothing_that_came_out(
    api: asyncpg.Connection, backtest: UUID
) -> None:
    every = await columns(api)
    assert every > CAME_OUT | SAID
    for column in sorted(every):
        statement = f"update public.backtests set {column} = {column} where id = $1"
        assert await refused(api, statement, backtest) == (column not in SAID), column


async def test_its_owner_adds_none_with_a_result(api: asyncpg.Connection, backtest: UUID) -> None:
    for column in sorted(await columns(api) - ASKED):
        statement = (
            f"insert into public.backtests (user_id, id, kind, config, name, {column})"
            f" select user_id, gen_random_uuid(), kind, config, 'x', {column} from public.backtests where id = $1"
        )
        assert await refused(api, statement, backtest), column


@pytest.mark.parametrize(
    "statement",
    [
        "insert into public.backtest_parts select * from public.backtest_parts where backtest_id = $1",
        "update public.backtest_parts set content = 'PAR1' where backtest_id = $1",
        "update public.backtest_parts set rows = 1 where backtest_id = $1",
        "delete from public.backtest_parts where backtest_id = $1",
        "delete from public.backtests where id = $1",
        "update public.tasks set result = '{}' where id = $1",
    ],
)
async def test_its_owner_writes_no_piece_of_a_table_and_no_result(
    api: asyncpg.Connection, backtest: UUID, statement: str
) -> None:
    assert await api.fetchval("select count(*) from public.backtest_parts where backtest_id = $1", backtest) == 2
    assert await refused(api, statement, backtest)
