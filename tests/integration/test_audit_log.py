"""The audit log is only added to, and nobody writes a line in the name of another."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cluster import FreshDatabase

NOTE = "select private.note_audit($1, $2, $3, $4, $5, $6, $7)"


@asynccontextmanager
async def acting(
    database: FreshDatabase, login: str, become: str, **claims: object
) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn(login))
    try:
        async with connection.transaction():
            await connection.execute(
                "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
                become,
                json.dumps({"role": become, **claims}, default=str),
            )
            yield connection
    finally:
        await connection.close()


async def person(database: FreshDatabase, *, role: str | None = None) -> dict[str, UUID]:
    """Claims of a user with a session."""
    metadata = json.dumps({"role": role} if role else {})
    user_id = await database.add_user(raw_app_meta_data=metadata)
    session_id = uuid4()
    await execute(
        database,
        "insert into auth.sessions (id, user_id, created_at, updated_at) values ($1, $2, now(), now())",
        session_id,
        user_id,
    )
    return {"sub": user_id, "session_id": session_id}


async def execute(
    database: FreshDatabase, statement: str, *arguments: object, login: str = "supabase_admin"
) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.dsn(login))
    try:
        rows: list[asyncpg.Record] = await connection.fetch(statement, *arguments)
        return rows
    finally:
        await connection.close()


async def execute_as(database: FreshDatabase, part: str, statement: str, login: str) -> None:
    connection = await asyncpg.connect(database.dsn(login))
    try:
        await connection.execute(f"set session_replication_role = {part}")
        await connection.execute(statement)
    finally:
        await connection.close()


def line(actor: str, subject: UUID | None, action: str = "user.read", **details: Any) -> tuple[object, ...]:
    return action, actor, subject, "task 1", "192.0.2.7", json.dumps(details), "Asked for by its owner."


async def is_admin(database: FreshDatabase, **claims: object) -> bool:
    async with acting(database, "app_api", "authenticated", **claims) as connection:
        return bool(await connection.fetchval("select private.caller_is_admin()"))


async def test_an_administrator_is_who_the_account_says_in_a_session_that_lives(database: FreshDatabase) -> None:
    ada, bob, eve = await person(database, role="admin"), await person(database), await person(database, role="admin")
    claim = {"app_metadata": {"role": "admin"}}
    assert await is_admin(database, **ada)
    assert not await is_admin(database, **bob, **claim), "a claim alone makes nobody an administrator"
    assert not await is_admin(database, sub=ada["sub"], **claim), "a token without a session"
    assert not await is_admin(database, sub=ada["sub"], session_id=bob["session_id"], **claim), "another's session"
    assert not await is_admin(database, sub=uuid4(), **claim)
    assert not await is_admin(database)
    await execute(database, "update auth.users set raw_app_meta_data = '{}' where id = $1", ada["sub"])
    assert not await is_admin(database, **ada, **claim), "the role was taken away"
    await execute(database, "update auth.sessions set not_after = now() where id = $1", eve["session_id"])
    assert not await is_admin(database, **eve, **claim), "the session ended"


@pytest.mark.parametrize("change", ["banned_until = now() + interval '1 day'", "deleted_at = now()", "is_anonymous"])
async def test_an_administrator_who_is_shut_out_is_none(database: FreshDatabase, change: str) -> None:
    ada = await person(database, role="admin")
    setting = change if "=" in change else f"{change} = true"
    await execute(database, f"update auth.users set {setting} where id = $1", ada["sub"])
    assert not await is_admin(database, **ada)


async def test_a_line_tells_who_wrote_it(database: FreshDatabase) -> None:
    ada, bob = await person(database, role="admin"), await person(database)
    async with acting(database, "app_api", "authenticated", **ada) as connection:
        await connection.execute(NOTE, *line("admin", bob["sub"]))
    async with acting(database, "app_api", "authenticated", **bob) as connection:
        await connection.execute(NOTE, *line("user", bob["sub"], "account.export"))
    async with acting(database, "app_worker", "service_role") as connection:
        await connection.execute(NOTE, *line("service", bob["sub"], "user.delete"))
    await execute(database, NOTE, *line("operator", bob["sub"], "user.promote"), login="postgres")
    rows = await execute(
        database,
        "select actor, actor_id, session_id from public.audit_log where subject_id = $1 order by at",
        bob["sub"],
    )
    assert [tuple(row) for row in rows] == [
        ("admin", ada["sub"], ada["session_id"]),
        ("user", bob["sub"], bob["session_id"]),
        ("service", None, None),
        ("operator", None, None),
    ]


@pytest.mark.parametrize("actor", ["admin", "operator", "service", "user", "nobody"])
async def test_nobody_writes_in_the_name_of_another(database: FreshDatabase, actor: str) -> None:
    ada, bob = await person(database, role="admin"), await person(database)
    for claims in (bob, {**bob, "app_metadata": {"role": "admin"}}, {**bob, "role": "service_role"}, {}):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with acting(database, "app_api", "authenticated", **claims) as connection:
                await connection.execute(NOTE, *line(actor, ada["sub"]))
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with acting(database, "app_api", "anon", **bob) as connection:
            await connection.execute(NOTE, *line(actor, bob["sub"]))
    told = "select from public.audit_log where subject_id = $1 and action = 'user.read'"
    assert not await execute(database, told, ada["sub"])


@pytest.mark.parametrize("action", ["user.promote", "user.suspend", "audit.export", "task.read"])
async def test_a_user_tells_of_nothing_but_the_own_account(database: FreshDatabase, action: str) -> None:
    bob = await person(database)
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="its own writer did"):
        async with acting(database, "app_api", "authenticated", **bob) as connection:
            await connection.execute(NOTE, *line("user", bob["sub"], action))


@pytest.mark.parametrize("part", ["origin", "replica"])
@pytest.mark.parametrize("login", ["supabase_admin", "postgres"])
async def test_not_even_the_owner_of_the_database_changes_a_line(
    database: FreshDatabase, login: str, part: str
) -> None:
    """Nor as a replica, for which ordinary triggers sleep."""
    bob = await person(database)
    await execute(database, NOTE, *line("operator", bob["sub"]), login="postgres")
    for attack in (
        "update public.audit_log set reason = 'other'",
        "delete from public.audit_log",
        "truncate public.audit_log",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="only added to"):
            await execute_as(database, part, attack, login)


async def test_lines_outlive_the_account(database: FreshDatabase) -> None:
    bob = await person(database)
    async with acting(database, "app_api", "authenticated", **bob) as connection:
        await connection.execute(NOTE, *line("user", bob["sub"], "account.delete"))
    await execute(database, "delete from auth.users where id = $1", bob["sub"])
    rows = await execute(database, "select action, actor_id from public.audit_log where subject_id = $1", bob["sub"])
    assert ("account.delete", bob["sub"]) in [tuple(row) for row in rows]


@pytest.mark.parametrize(
    "wrong", [line("operator", None, "Promoted"), line("operator", None, "user.read", words="x" * 4000)]
)
async def test_lines_have_a_form_and_an_end(database: FreshDatabase, wrong: tuple[object, ...]) -> None:
    with pytest.raises(asyncpg.CheckViolationError):
        await execute(database, NOTE, *wrong, login="postgres")
