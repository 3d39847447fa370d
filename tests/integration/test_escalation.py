"""The login of the API can't become more than it is, and a forgotten role means permission denied."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cluster import FreshDatabase

REFUSED = asyncpg.InsufficientPrivilegeError
POWERFUL = (
    "service_role",
    "postgres",
    "supabase_admin",
    "supabase_auth_admin",
    "authenticator",
    "dashboard_user",
    "app_worker",
    "pg_read_all_data",
    "pg_execute_server_program",
)


@pytest.fixture
async def api(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn("app_api"))
    yield connection
    await connection.close()


@pytest.fixture
async def worker(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn("app_worker"))
    yield connection
    await connection.close()


async def become(connection: asyncpg.Connection, role: str, user_id: UUID | None = None, **claims: object) -> None:
    await connection.execute(
        "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)",
        role,
        json.dumps({"role": role, "sub": user_id, **claims}, default=str),
    )


@pytest.mark.parametrize("role", POWERFUL)
async def test_the_api_cannot_become_a_powerful_role(api: asyncpg.Connection, role: str) -> None:
    for statement in (
        f"set role {role}",
        f"set local role {role}",
        f"select set_config('role', '{role}', true)",
        f"set session authorization {role}",
        f"grant {role} to app_api",
        f"grant {role} to authenticated",
    ):
        with pytest.raises(REFUSED):
            async with api.transaction():
                await api.execute(statement)


@pytest.mark.parametrize("role", POWERFUL)
async def test_nor_can_it_after_it_became_a_user(api: asyncpg.Connection, role: str) -> None:
    for statement in (f"set role {role}", f"select set_config('role', '{role}', false)"):

        async def attack(statement: str = statement) -> None:
            async with api.transaction():
                await become(api, "authenticated", uuid4())
                await api.execute(statement)

        with pytest.raises(REFUSED):
            await attack()


@pytest.mark.parametrize(
    "statement",
    [
        "alter role app_api superuser",
        "alter role app_api bypassrls",
        "alter role app_api inherit",
        "alter role authenticated bypassrls",
        "create role mine login",
        "create schema mine",
        "create table public.mine (id int)",
        "create function public.mine() returns int language sql as 'select 1'",
        "create extension dblink",
        "copy (select 1) to program 'true'",
        "copy (select 1) to '/tmp/mine'",
        "select pg_read_file('/etc/passwd')",
        "select pg_ls_dir('.')",
        "select lo_import('/etc/passwd')",
        "set session_replication_role = replica",
        "select pg_reload_conf()",
        "drop schema private cascade",
        "alter database postgres set search_path = private",
    ],
)
@pytest.mark.parametrize("role", [None, "anon", "authenticated"])
async def test_no_statement_opens_a_door(api: asyncpg.Connection, role: str | None, statement: str) -> None:
    async def attack() -> None:
        async with api.transaction():
            if role is not None:
                await become(api, role, uuid4())
            await api.execute(statement)

    with pytest.raises((REFUSED, asyncpg.InvalidParameterValueError)):
        await attack()


async def test_the_server_cannot_be_reconfigured(api: asyncpg.Connection) -> None:
    with pytest.raises(REFUSED):
        await api.execute("alter system set fsync = off")  # not possible inside a transaction, whoever asks


@pytest.mark.parametrize("login", ["app_api", "app_worker"])
async def test_a_forgotten_role_means_permission_denied(database: FreshDatabase, login: str) -> None:
    connection = await asyncpg.connect(database.dsn(login))
    await connection.execute("select set_config('request.jwt.claims', $1, false)", json.dumps({"sub": str(uuid4())}))
    for statement in (
        "select * from public.profiles",
        "select * from public.idempotency_keys",
        "update public.profiles set display_name = 'x'",
        "delete from public.idempotency_keys",
        "select * from private.list_my_sessions()",
        "select private.ensure_my_profile()",
        "select * from auth.users",
    ):
        with pytest.raises(REFUSED):
            await connection.execute(statement)
    await connection.close()


async def test_going_back_to_the_login_inside_a_transaction_gains_nothing(
    database: FreshDatabase, api: asyncpg.Connection
) -> None:
    user_id = await database.add_user()

    async def attack() -> None:
        async with api.transaction():
            await become(api, "authenticated", user_id)
            await api.execute("reset role")
            await api.fetch("select * from public.profiles")

    with pytest.raises(REFUSED):
        await attack()


@pytest.mark.parametrize("role", ["postgres", "supabase_admin", "supabase_auth_admin", "app_api"])
async def test_the_worker_becomes_the_service_and_nothing_else(worker: asyncpg.Connection, role: str) -> None:
    async with worker.transaction():
        await become(worker, "service_role")
        assert await worker.fetchval("select current_user") == "service_role"
    if role != "app_api":
        with pytest.raises(REFUSED):
            await worker.execute(f"set role {role}")


@pytest.mark.parametrize("login", ["authenticator", "supabase_storage_admin", "supabase_replication_admin", "anon"])
async def test_no_other_role_can_log_in(database: FreshDatabase, login: str) -> None:
    address = database.address
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await asyncpg.connect(f"postgresql://{login}:postgres@{address.host}:{address.port}/{database.name}")


async def add_session(database: FreshDatabase, user_id: UUID) -> UUID:
    session_id = uuid4()
    connection = await asyncpg.connect(database.dsn("supabase_auth_admin"))
    await connection.execute(
        "insert into auth.sessions (id, user_id, created_at, updated_at, user_agent, ip)"
        " values ($1, $2, $3, $3, 'Firefox', '127.0.0.1')",
        session_id,
        user_id,
        datetime.now(UTC),
    )
    await connection.close()
    return session_id


async def test_sessions_are_seen_and_ended_by_their_owner_only(
    database: FreshDatabase, api: asyncpg.Connection
) -> None:
    owner, other = await database.add_user(), await database.add_user()
    session_id = await add_session(database, owner)
    for user_id, expected in ((other, False), (None, False), (owner, True)):
        async with api.transaction():
            await become(api, "authenticated", user_id, session_id=session_id)
            rows = await api.fetch("select id, is_current, ip, user_agent from private.list_my_sessions()")
            assert [tuple(row) for row in rows] == ([(session_id, True, "127.0.0.1", "Firefox")] if expected else [])
            assert await api.fetchval("select private.session_is_alive($1)", session_id) is expected
            assert await api.fetchval("select private.end_my_session($1)", session_id) is expected
            assert await api.fetchval("select private.session_is_alive($1)", session_id) is False


async def test_temporary_types_do_not_run_with_the_rights_of_our_functions(
    database: FreshDatabase, api: asyncpg.Connection
) -> None:
    """A domain may share its name with what a function casts to, and its check may call anything."""
    user_id = await database.add_user()
    session_id = await add_session(database, user_id)
    ran_as: list[str] = []
    api.add_log_listener(lambda _, message: ran_as.append(str(message.message)))
    async with api.transaction():
        await become(api, "authenticated", user_id, session_id=session_id)
        await api.execute(
            """
            create function pg_temp.spy(pg_catalog.text) returns pg_catalog.bool language plpgsql as
                $$ begin raise warning '%', current_user; return true; end $$;
            create domain pg_temp.text as pg_catalog.text check (pg_temp.spy(value));
            create domain pg_temp.uuid as pg_catalog.uuid check (pg_temp.spy(value::pg_catalog.text));
            create domain pg_temp.jsonb as pg_catalog.jsonb check (pg_temp.spy(value::pg_catalog.text));
            """
        )
        await api.fetch("select * from private.list_my_sessions()")
        await api.fetch("select private.session_is_alive($1), private.ensure_my_profile()", session_id)
        await api.fetch("select private.end_my_session($1)", session_id)
        await api.execute("update public.profiles set display_name = 'x'")
    assert set(ran_as) <= {"authenticated"}


async def test_a_visitor_cannot_ask_about_sessions(api: asyncpg.Connection) -> None:
    async def attack() -> None:
        async with api.transaction():
            await become(api, "anon", uuid4())
            await api.fetch("select * from private.list_my_sessions()")

    with pytest.raises(REFUSED):
        await attack()
