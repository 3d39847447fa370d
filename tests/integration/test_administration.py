"""What an administrator's changes do to the rest of the house: jobs, submits at the same moment, other administrators,
the operator's own ways, and what the dashboard shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from backend.data.storage.administration import AdminTables
from backend.domain.accounts import Identity
from backend.domain.administration import AccountRole
from backend.domain.errors import AccountSuspended, AdminNeeded
from backend.domain.jobs import JobState
from tests.cluster import FreshDatabase
from tests.job_tables import BACKTEST, Tables, claim, identity, open_tables

WHY = "Floods the queue."


@pytest.fixture
async def tables(database: FreshDatabase) -> AsyncIterator[Tables]:
    async with open_tables(database) as tables:
        yield tables


async def administrator(tables: Tables) -> Identity:
    user_id = await tables.fresh.add_user(raw_app_meta_data='{"role": "admin"}')
    session_id = uuid4()
    await tables.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, now(), now())",
        session_id,
        user_id,
    )
    plain = identity(user_id)
    return Identity(
        **{**vars(plain), "session_id": session_id, "claims": {**plain.claims, "session_id": str(session_id)}}
    )


@asynccontextmanager
async def acting(tables: Tables, who: Identity) -> AsyncIterator[AdminTables]:
    async with tables.api.acting_as(who) as connection:
        yield AdminTables(connection, None)


async def rows(tables: Tables, statement: str, *arguments: object) -> list[asyncpg.Record]:
    """As the owner of the database, who is also who the dashboard reads as."""
    connection = await asyncpg.connect(tables.fresh.dsn("postgres"))
    try:
        found: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        return found
    finally:
        await connection.close()


async def told(tables: Tables, subject: UUID) -> list[tuple[str, str, Any]]:
    found = await rows(
        tables, "select actor, action, details from public.audit_log where subject_id = $1 order by at, id", subject
    )
    return [(row["actor"], row["action"], json.loads(row["details"])) for row in found]


async def waits_for_a_lock(tables: Tables) -> bool:
    """Whether some transaction of the API waits for another one."""
    return bool(
        await rows(
            tables,
            "select from pg_stat_activity where datname = current_database() and usename = 'app_api'"
            " and wait_event_type = 'Lock'",
        )
    )


async def test_what_is_submitted_while_its_owner_is_suspended_does_not_run(tables: Tables) -> None:
    """The submit saw an active account; the suspension is committed before it."""
    grace, bob = await administrator(tables), await tables.fresh.add_user()
    begun, suspended = asyncio.Event(), asyncio.Event()

    async def submit() -> None:
        async with tables.api.acting_as(identity(bob)) as connection:
            await connection.fetch(
                "select * from private.submit_my_task('backtest', '{}', 1, 1, 0, 1, 60, null::double precision)"
            )
            begun.set()
            await suspended.wait()

    submitting = asyncio.create_task(submit())
    await begun.wait()
    async with acting(tables, grace) as everybody:
        await everybody.suspend(bob, None, WHY)
    suspended.set()
    with pytest.raises(AccountSuspended):
        await submitting
    assert not await rows(tables, "select from public.tasks where user_id = $1", bob)


async def test_a_suspension_waits_for_a_submit_that_is_about_to_be_committed(tables: Tables) -> None:
    grace, bob = await administrator(tables), await tables.fresh.add_user()
    mine = tables.of(bob)

    async def suspend() -> None:
        async with acting(tables, grace) as everybody:
            await everybody.suspend(bob, None, WHY)

    async with tables.api.acting_as(identity(bob)) as connection:
        await connection.fetch(
            "select * from private.submit_my_task('backtest', '{}', 1, 1, 0, 1, 60, null::double precision)"
        )
        await connection.execute("set constraints all immediate")
        suspending = asyncio.create_task(suspend())
        async with asyncio.timeout(20):
            while not await waits_for_a_lock(tables):  # noqa: ASYNC110 - Postgres has no event for it
                await asyncio.sleep(0.02)
    await suspending
    [task] = await rows(tables, "select state, finished_at from public.tasks where user_id = $1", bob)
    assert (task["state"], task["finished_at"] is not None) == ("cancelled", True)
    with pytest.raises(AccountSuspended):
        await mine.submit(BACKTEST)


async def test_a_suspension_and_an_ending_job_do_not_stop_each_other(tables: Tables) -> None:
    """Both lock the job and the counter of its user's events, in the same order."""
    grace, bob = await administrator(tables), await tables.fresh.add_user()
    mine = tables.of(bob)
    leases = [await claim(tables.queue, await mine.submit(BACKTEST)) for _ in range(4)]

    async def suspend() -> None:
        async with acting(tables, grace) as everybody:
            await everybody.suspend(bob, 1, WHY)

    await asyncio.gather(suspend(), *(tables.queue.hand_back([lease]) for lease in leases if lease is not None))
    left = await rows(tables, "select state, cancel_requested_at from public.tasks where user_id = $1", bob)
    assert all(row["state"] == "cancelled" or row["cancel_requested_at"] for row in left), left


async def test_two_administrators_who_take_each_others_role_leave_one(tables: Tables) -> None:
    grace, linus = await administrator(tables), await administrator(tables)

    async def demote(who: Identity, whom: Identity) -> None:
        async with acting(tables, who) as everybody:
            await everybody.set_role(whom.user_id, AccountRole.USER, WHY)

    outcomes = await asyncio.gather(demote(grace, linus), demote(linus, grace), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes if outcome is not None] == [AdminNeeded]
    left = await rows(
        tables,
        "select from auth.users where id = any($1) and raw_app_meta_data ->> 'role' = 'admin'",
        [grace.user_id, linus.user_id],
    )
    assert len(left) == 1


@pytest.mark.parametrize("login", ["postgres", "supabase_auth_admin"])
async def test_what_the_operator_changes_is_told_and_a_suspension_ends_jobs(tables: Tables, login: str) -> None:
    """The terminal asks Supabase Auth, and the dashboard writes the tables: neither passes the API."""
    bob = await tables.fresh.add_user()
    job = await tables.of(bob).submit(BACKTEST)
    connection = await asyncpg.connect(tables.fresh.dsn(login))
    try:
        for change in (
            'raw_app_meta_data = \'{"role": "admin"}\'',
            'raw_app_meta_data = \'{"role": "admin", "plan": "large"}\'',
            'raw_app_meta_data = \'{"plan": "large"}\'',
            "last_sign_in_at = now()",
            "banned_until = '2126-01-01T00:00:00Z'",
            "banned_until = null",
        ):
            await connection.execute(f"update auth.users set {change} where id = $1", bob)
        await connection.execute("delete from auth.users where id = $1", bob)
    finally:
        await connection.close()
    assert await told(tables, bob) == [
        ("operator", "user.promote", {}),
        ("operator", "user.plan", {"plan": "large", "before": "standard"}),
        ("operator", "user.demote", {}),
        ("operator", "user.suspend", {"until": "2126-01-01T00:00:00+00:00"}),
        ("operator", "user.restore", {}),
        ("operator", "user.delete", {}),
    ]
    assert job.state is JobState.QUEUED
    assert await claim(tables.queue) is None


async def test_the_operator_cancels_tasks_and_ends_sessions_in_the_dashboard(tables: Tables) -> None:
    bob = await tables.fresh.add_user()
    job = await tables.of(bob).submit(BACKTEST)
    await tables.execute("insert into auth.sessions (id, user_id) values ($1, $2)", uuid4(), bob)
    for expected in (True, False):
        [task] = await rows(tables, "select administration.cancel_task($1, $2) as done", job.id, WHY)
        [sessions] = await rows(tables, "select administration.end_sessions($1, $2) as done", bob, WHY)
        assert (task["done"], sessions["done"]) == (expected, expected)
    assert [(actor, action) for actor, action, _ in await told(tables, bob)] == [
        ("operator", "task.cancel"),
        ("operator", "user.sessions_end"),
    ]
    assert not await rows(tables, "select from auth.sessions where user_id = $1", bob)
    cancelled = await tables.of(bob).job(job.id)
    assert cancelled is not None
    assert cancelled.state is JobState.CANCELLED


async def test_an_account_that_supabase_auth_keeps_as_deleted_is_told_once(tables: Tables) -> None:
    bob = await tables.fresh.add_user()
    await tables.execute("update auth.users set deleted_at = now() where id = $1", bob)
    await tables.execute("delete from auth.users where id = $1", bob)
    assert [(actor, action) for actor, action, _ in await told(tables, bob)] == [("operator", "user.delete")]


async def test_a_demo_account_that_is_over_is_no_news(tables: Tables) -> None:
    guest = await tables.fresh.add_user(email=None, is_anonymous=True)
    await tables.execute("delete from auth.users where id = $1", guest)
    assert await told(tables, guest) == []


async def test_plans_that_the_operator_changes_are_told(tables: Tables) -> None:
    await tables.execute("insert into private.plans (name, most_queued, most_running) values ('desk', 5, 1)")
    await tables.execute("update private.plans set most_queued = 6 where name = 'desk'")
    await tables.execute("delete from private.plans where name = 'desk'")
    found = await rows(
        tables, "select actor, action, details from public.audit_log where object = 'plan desk' order by at, id"
    )
    assert [(row["actor"], row["action"]) for row in found] == [
        ("operator", "plan.create"),
        ("operator", "plan.change"),
        ("operator", "plan.delete"),
    ]
    changed = json.loads(found[1]["details"])
    assert (changed["before"]["most_queued"], changed["after"]["most_queued"]) == (5, 6)


async def test_the_dashboard_shows_the_same(tables: Tables) -> None:
    bob = await tables.fresh.add_user("bob@example.com", email_confirmed_at=None)
    await tables.of(bob).submit(BACKTEST)
    await tables.execute("update auth.users set banned_until = now() + interval '1 day' where id = $1", bob)
    [user] = await rows(tables, "select * from administration.users where email = 'bob@example.com'")
    assert (user["role"], user["state"], user["plan"], user["queued"]) == ("user", "suspended", "standard", 0)
    [task] = await rows(tables, "select * from administration.tasks where user_id = $1", bob)
    assert (task["email"], task["state"]) == ("bob@example.com", "cancelled")
    [line] = await rows(tables, "select * from administration.audit_log where subject_id = $1", bob)
    assert (line["subject_email"], line["action"]) == ("bob@example.com", "user.suspend")
    plans = await rows(tables, "select name, users from administration.plans order by most_running")
    assert [plan["name"] for plan in plans] == ["small", "standard", "large"]
    assert plans[1]["users"] >= 1
    assert await rows(tables, "select * from administration.exchange_key_log") == []


@pytest.mark.parametrize("view", ["users", "tasks", "plans", "audit_log", "exchange_key_log"])
@pytest.mark.parametrize("role", ["anon", "authenticated"])
async def test_nobody_reads_the_views_through_the_api(tables: Tables, view: str, role: str) -> None:
    grace = await administrator(tables)
    connection = await asyncpg.connect(tables.fresh.dsn("app_api"))
    try:
        async with connection.transaction():
            await connection.execute(
                "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
                role,
                json.dumps({**grace.claims, "app_metadata": {"role": "admin"}}),
            )
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.fetch(f"select * from administration.{view}")
    finally:
        await connection.close()


async def test_no_view_and_no_function_of_administration_has_a_secret(tables: Tables) -> None:
    named = await rows(
        tables,
        "select table_name || '.' || column_name as name from information_schema.columns"
        " where table_schema = 'administration'",
    )
    words = ("password", "secret", "locked", "digest", "token", "hint", "key_id")
    assert [row["name"] for row in named if any(word in row["name"] for word in words)] == ["exchange_key_log.key_id"]
