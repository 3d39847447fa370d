"""A profile comes with the account, whatever is in its metadata, and no trouble with profiles ever stops a sign-up."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator

import asyncpg
import pytest

from tests.cluster import Cluster, FreshDatabase


@pytest.fixture
def own(cluster: Cluster) -> Iterator[FreshDatabase]:
    """A database that a test may break."""
    with cluster.fresh_database() as fresh:
        yield fresh


@pytest.fixture
async def owner(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn("postgres"))
    yield connection
    await connection.close()


@pytest.mark.parametrize(
    ("email", "metadata", "name"),
    [
        ("ada@example.com", {}, "ada"),
        ("ada@example.com", {"display_name": "  Ada Lovelace "}, "Ada Lovelace"),
        ("ada@example.com", {"full_name": "Ada L.", "name": "x"}, "Ada L."),
        ("ada@example.com", {"name": "Ada"}, "Ada"),
        ("ada@example.com", {"display_name": "   "}, "ada"),
        ("ada@example.com", {"display_name": None}, "ada"),
        ("ada@example.com", {"display_name": "x" * 100_000}, "x" * 80),
        ("ada@example.com", {"display_name": "a\nb\t\x01c"}, "a b c"),
        ("ada@example.com", {"display_name": "👩‍💻" * 50}, ("👩‍💻" * 50)[:80]),
        ("ada@example.com", {"display_name": "\u202egpj.exe\u2066"}, "gpj.exe"),
        ("ada@example.com", {"display_name": "\u200b\u2060", "name": "\x01", "full_name": "Ada"}, "Ada"),
        ("ada@example.com", {"display_name": "\u200b"}, "ada"),
        (None, {"display_name": "\ufeff\u200b"}, "Guest"),
        ("ada@example.com", {"display_name": {"deep": [1]}}, '{"deep": [1]}'),
        ("ada@example.com", {"display_name": "'; drop table profiles; --"}, "'; drop table profiles; --"),
        ("ada@example.com", ["a", "list"], "ada"),
        ("ada@example.com", "text", "ada"),
        ("ada@example.com", 5, "ada"),
        ("ada@example.com", None, "ada"),
        (f"{'y' * 200}@example.com", {}, "y" * 80),
        (None, {}, "Guest"),
        ("", {}, "Guest"),
        ("@", {}, "Guest"),
    ],
)
async def test_the_name_is_made_of_whatever_there_is(
    database: FreshDatabase, owner: asyncpg.Connection, email: str | None, metadata: object, name: str
) -> None:
    user_id = await database.add_user(email=email, raw_user_meta_data=json.dumps(metadata))
    made = await owner.fetchval("select display_name from public.profiles where user_id = $1", user_id)
    await owner.execute("delete from auth.users where id = $1", user_id)
    assert made == name


async def test_a_profile_comes_with_the_account_and_goes_with_it(
    database: FreshDatabase, owner: asyncpg.Connection
) -> None:
    user_id = await database.add_user("ada.lovelace@example.com")
    row = await owner.fetchrow("select display_name, is_demo, version from public.profiles where user_id = $1", user_id)
    assert tuple(row or ()) == ("ada.lovelace", False, 1)
    await owner.execute("delete from auth.users where id = $1", user_id)
    assert await owner.fetchval("select count(*) from public.profiles where user_id = $1", user_id) == 0


async def test_a_demo_becomes_an_account(database: FreshDatabase, owner: asyncpg.Connection) -> None:
    user_id = await database.add_user(is_anonymous=True, raw_user_meta_data=json.dumps({"name": "Guest"}))
    assert await owner.fetchval("select is_demo from public.profiles where user_id = $1", user_id)
    await owner.execute("update public.profiles set display_name = 'Chosen' where user_id = $1", user_id)
    await owner.execute("update auth.users set is_anonymous = false where id = $1", user_id)
    row = await owner.fetchrow("select display_name, is_demo from public.profiles where user_id = $1", user_id)
    assert tuple(row or ()) == ("Chosen", False)


@pytest.mark.parametrize(
    "breakage",
    [
        "alter table public.profiles add constraint never check (false) not valid",
        "alter table public.profiles add column needed text not null",
        "alter table public.profiles rename to gone",
        "drop table public.profiles cascade",
        "drop function private.first_display_name(text, jsonb)",
        "revoke all on public.profiles from postgres",
        "create function private.fail() returns trigger language plpgsql as $$ begin raise 'no'; end $$;"
        " create trigger fail before insert on public.profiles for each row execute function private.fail()",
        "create function private.divide() returns trigger language plpgsql as $$ begin perform 1/0; return new; end $$;"
        " create trigger divide after insert on public.profiles for each row execute function private.divide()",
    ],
)
async def test_sign_up_succeeds_although_profiles_fail(own: FreshDatabase, breakage: str) -> None:
    connection = await asyncpg.connect(own.dsn("postgres"))
    await connection.execute(breakage)
    user_id = await own.add_user(is_anonymous=True)
    await connection.execute("update auth.users set is_anonymous = false where id = $1", user_id)
    assert await connection.fetchval("select count(*) from auth.users where id = $1", user_id) == 1
    await connection.close()


async def test_sign_up_waits_two_seconds_at_most_for_a_locked_table(own: FreshDatabase) -> None:
    connection = await asyncpg.connect(own.dsn("postgres"))
    transaction = connection.transaction()
    await transaction.start()
    await connection.execute("lock table public.profiles in access exclusive mode")
    user_id = await asyncio.wait_for(own.add_user(), timeout=10)
    await transaction.rollback()
    assert await connection.fetchval("select count(*) from auth.users where id = $1", user_id) == 1
    assert await connection.fetchval("select count(*) from public.profiles where user_id = $1", user_id) == 0
    await connection.close()


async def test_a_missing_profile_is_made_up_for(database: FreshDatabase, owner: asyncpg.Connection) -> None:
    user_id = await database.add_user("late@example.com")
    await owner.execute("delete from public.profiles where user_id = $1", user_id)
    api = await asyncpg.connect(database.dsn("app_api"))
    for _ in range(2):
        async with api.transaction():
            await api.execute(
                "select set_config('role', 'authenticated', true), set_config('request.jwt.claims', $1, true)",
                json.dumps({"sub": str(user_id)}),
            )
            await api.execute("select private.ensure_my_profile()")
            assert await api.fetchval("select display_name from public.profiles") == "late"
    await api.close()


async def test_the_version_grows_by_itself_and_cannot_be_set(
    database: FreshDatabase, owner: asyncpg.Connection
) -> None:
    user_id = await database.add_user()
    await owner.execute("update public.profiles set theme = 'dark', version = 40 where user_id = $1", user_id)
    row = await owner.fetchrow(
        "select version, updated_at >= created_at from public.profiles where user_id = $1", user_id
    )
    assert tuple(row or ()) == (2, True)


async def test_accounts_older_than_the_table_get_their_profile(cluster: Cluster) -> None:
    from backend.infrastructure.supabase.migrator import migrate
    from tests.cluster import MIGRATIONS

    with cluster.fresh_database("postgres") as bare:
        user_id = await bare.add_user("old@example.com")
        await migrate(bare.dsn("postgres"), MIGRATIONS)
        connection = await asyncpg.connect(bare.dsn("postgres"))
        assert (
            await connection.fetchval("select display_name from public.profiles where user_id = $1", user_id) == "old"
        )
        await connection.close()
