"""Whose plan is which: an operator alone gives them, everybody else has the standard, and users see none of it."""

import json
from collections.abc import AsyncIterator

import asyncpg
import pytest

from backend.domain.jobs import DEFAULT_QUOTA, Quota
from tests.cluster import FreshDatabase
from tests.job_tables import BACKTEST, ROOM, Tables, open_tables

REFUSED = asyncpg.InsufficientPrivilegeError
LARGE = Quota(plan="large", queued=10_000, running=64)


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


async def quota_of(tables: Tables, **account: object) -> Quota:
    written = {name: json.dumps(value) for name, value in account.items()}
    counts = await tables.of(await tables.fresh.add_user(**written)).counts()
    return counts.quota


async def test_account_without_a_plan_has_the_standard(tables: Tables) -> None:
    assert await quota_of(tables) == DEFAULT_QUOTA
    assert await quota_of(tables, raw_app_meta_data={"provider": "email"}) == DEFAULT_QUOTA


async def test_account_has_the_plan_that_it_was_given(tables: Tables) -> None:
    assert await quota_of(tables, raw_app_meta_data={"plan": "large"}) == LARGE


@pytest.mark.parametrize("plan", ["gold", "", "Large", None, 7, ["large"], {"name": "large"}, "' or true --"])
async def test_plan_that_is_none_means_the_standard(tables: Tables, plan: object) -> None:
    assert await quota_of(tables, raw_app_meta_data={"plan": plan}) == DEFAULT_QUOTA


async def test_plan_that_users_write_themselves_counts_for_nothing(tables: Tables) -> None:
    assert await quota_of(tables, raw_user_meta_data={"plan": "large"}) == DEFAULT_QUOTA
    user_id = await tables.fresh.add_user()
    async with tables.api.acting_as(None) as visitor:
        await visitor.execute(
            "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
            json.dumps({"sub": str(user_id), "role": "authenticated", "app_metadata": {"plan": "large"}}),
        )
        assert await visitor.fetchval("select plan from private.count_my_tasks()") == "standard"


async def test_operator_changes_the_numbers_for_everybody_at_once(tables: Tables) -> None:
    await tables.execute("insert into private.plans (name, most_queued, most_running) values ('brief', 5, 1)")
    user_id = await tables.fresh.add_user(raw_app_meta_data='{"plan": "brief"}')
    mine = tables.of(user_id)
    assert (await mine.counts()).quota == Quota(plan="brief", queued=5, running=1)
    await tables.execute("update private.plans set most_queued = 7 where name = 'brief'")
    assert (await mine.counts()).quota.queued == 7
    await tables.execute("delete from private.plans where name = 'brief'")
    assert (await mine.counts()).quota == DEFAULT_QUOTA


@pytest.mark.parametrize(
    "statement",
    [
        "delete from private.plans where name = 'standard'",
        "update private.plans set name = 'x' where name = 'standard'",
    ],
)
async def test_standard_stays(tables: Tables, statement: str) -> None:
    with pytest.raises(asyncpg.RestrictViolationError, match="change its numbers, but keep it"):
        await tables.execute(statement)


async def test_claim_is_told_each_queues_limit(tables: Tables) -> None:
    large = await tables.fresh.add_user(raw_app_meta_data='{"plan": "large"}')
    standard = await tables.fresh.add_user()
    housekeeping = "00000000-0000-0000-0000-000000000000"
    async with tables.worker.acting_as_service() as service:
        for queue, expected in ((large, 64), (standard, 16), (housekeeping, 16)):
            assert await service.fetchval("select private.most_running_tasks($1)", queue) == expected


async def test_counts_of_others_are_not_told(tables: Tables) -> None:
    mine, others = await tables.person(), await tables.person()
    job = await others.submit(BACKTEST)
    await others.submit(BACKTEST)
    assert await tables.queue.claim("runner", ROOM, job_ids=[job.id])
    assert ((await mine.counts()).queued, (await mine.counts()).running) == (0, 0)
    assert ((await others.counts()).queued, (await others.counts()).running) == (1, 1)


@pytest.mark.parametrize(
    "statement",
    [
        "select * from private.plans",
        "insert into private.plans (name, most_queued, most_running) values ('mine', 99, 99)",
        "update private.plans set most_queued = 99999",
        "delete from private.plans",
        "truncate private.plans",
        "select private.plan_of(auth.uid())",
        "select private.most_running_tasks(auth.uid())",
        'update auth.users set raw_app_meta_data = \'{"plan": "large"}\'',
        "select private.keep_standard_plan()",
    ],
)
async def test_user_neither_sees_nor_changes_plans(tables: Tables, statement: str) -> None:
    user_id = await tables.fresh.add_user()

    async def attack() -> None:
        async with tables.api.acting_as(None) as connection:
            await connection.execute(
                "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
                json.dumps({"sub": str(user_id), "role": "authenticated"}),
            )
            await connection.execute(statement)

    with pytest.raises(REFUSED):
        await attack()


async def test_visitor_can_ask_nothing_of_the_queue(tables: Tables) -> None:
    for statement in (
        "select * from private.count_my_tasks()",
        "select * from private.queue_around_me(array[]::uuid[], 'x')",
    ):
        with pytest.raises(REFUSED):
            async with tables.api.acting_as(None) as visitor:
                await visitor.fetch(statement)
