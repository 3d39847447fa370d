"""What belongs to one user is out of everybody else's reach: every table, every verb, every kind of stranger.

Tables come from the catalogue and strangers from a list, so a new table is attacked by all of them at once.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import pytest

from tests.cluster import FreshDatabase
from tests.integration.rows_of_tables import AHEAD_OF_TIME, CLOSED, ROWS

REFUSED = (asyncpg.InsufficientPrivilegeError,)
WRONG_TYPE = (asyncpg.DatatypeMismatchError, asyncpg.InvalidTextRepresentationError)


@dataclass(frozen=True, kw_only=True)
class People:
    """The owner of all rows that are attacked, and another ordinary user with rows of their own."""

    owner: UUID
    other: UUID


@dataclass(frozen=True, kw_only=True)
class Stranger:
    """A role and claims, as a transaction of the API would carry them."""

    role: str
    claims: str
    rows: int = 0  # how many rows of each table are truly theirs


def claims(**values: object) -> str:
    return json.dumps(values, default=str)


def stranger(kind: str, people: People) -> Stranger:
    forged = {
        "user_metadata": {"role": "service_role", "is_admin": True, "sub": people.owner, "user_id": people.owner},
        "app_metadata": {"role": "admin", "is_admin": True, "user_id": people.owner},
    }
    return {
        "visitor": Stranger(role="anon", claims=claims(role="anon")),
        "visitor with the owner's id": Stranger(role="anon", claims=claims(role="anon", sub=people.owner)),
        "another user": Stranger(role="authenticated", claims=claims(role="authenticated", sub=people.other), rows=1),
        "user without sub": Stranger(role="authenticated", claims=claims(role="authenticated")),
        "user with an empty sub": Stranger(role="authenticated", claims=claims(role="authenticated", sub=None)),
        "no claims at all": Stranger(role="authenticated", claims=""),
        "an unknown user": Stranger(role="authenticated", claims=claims(role="authenticated", sub=uuid4())),
        "user with forged metadata": Stranger(
            role="authenticated", claims=claims(role="authenticated", sub=people.other, **forged), rows=1
        ),
        "user who claims to be the service": Stranger(
            role="authenticated",
            claims=claims(role="service_role", sub=people.other, is_admin=True, aud="service"),
            rows=1,
        ),
    }[kind]


STRANGERS = (
    "visitor",
    "visitor with the owner's id",
    "another user",
    "user without sub",
    "user with an empty sub",
    "no claims at all",
    "an unknown user",
    "user with forged metadata",
    "user who claims to be the service",
)


@pytest.fixture(scope="module")
async def people(database: FreshDatabase) -> People:
    people = People(owner=await database.add_user(), other=await database.add_user())
    admin = await asyncpg.connect(database.dsn("supabase_admin"))
    for table in ROWS:
        rules = "replica" if table in AHEAD_OF_TIME else "origin"
        await admin.execute(f"set session_replication_role = {rules}")
        for user_id in (people.owner, people.other):
            await insert(admin, table, ROWS[table](user_id), "on conflict do nothing")
    await admin.close()
    return people


@pytest.fixture(scope="module")
async def api(database: FreshDatabase) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(database.dsn("app_api"))
    yield connection
    await connection.close()


@pytest.fixture(scope="module")
async def tables(database: FreshDatabase) -> list[str]:
    """From the catalogue; each must be known to rows_of_tables."""
    admin = await asyncpg.connect(database.dsn("supabase_admin"))
    rows = await admin.fetch(
        "select relname::text from pg_class where relnamespace = 'public'::regnamespace"
        " and relkind in ('r', 'p', 'v', 'm', 'f') and not relispartition order by 1"
    )
    await admin.close()
    return [row["relname"] for row in rows]


@asynccontextmanager
async def acting(api: asyncpg.Connection, who: Stranger) -> AsyncIterator[None]:
    """As the API would act for them; whatever they achieve is undone."""
    transaction = api.transaction()
    await transaction.start()
    await api.execute(
        "select set_config('role', $1, true), set_config('request.jwt.claims', $2, true)", who.role, who.claims
    )
    try:
        yield
    finally:
        await transaction.rollback()


async def insert(connection: asyncpg.Connection, table: str, row: Mapping[str, Any], tail: str = "") -> str:
    marks = ", ".join(f"${number}" for number in range(1, len(row) + 1))
    return await connection.execute(
        f"insert into public.{table} ({', '.join(row)}) values ({marks}) {tail}", *row.values()
    )


async def columns(connection: asyncpg.Connection, table: str, verb: str, role: str) -> list[str]:
    rows = await connection.fetch(
        "select attname::text from pg_attribute where attrelid = ('public.' || $1)::regclass and attnum > 0"
        " and not attisdropped and attgenerated = '' and has_column_privilege($3, attrelid, attnum, $2) order by 1",
        table,
        verb,
        role,
    )
    return [row["attname"] for row in rows]


def test_every_table_has_a_row_to_attack(tables: list[str]) -> None:
    assert tables == sorted(ROWS), "describe a row of the new table in tests/integration/rows_of_tables.py"


async def test_the_owner_reads_every_row_that_strangers_are_kept_from(
    api: asyncpg.Connection, people: People, tables: list[str]
) -> None:
    """Without this, all the refusals below could be for the wrong reason."""
    owner = Stranger(role="authenticated", claims=claims(role="authenticated", sub=people.owner))
    for table in tables:
        if table in CLOSED:
            with pytest.raises(REFUSED):
                async with acting(api, owner):
                    await api.fetch(f"select {whose(table)} from public.{table}")
            continue
        async with acting(api, owner):
            rows = await api.fetch(f"select user_id from public.{table}")
            assert [row["user_id"] for row in rows] == [people.owner], table


@pytest.mark.parametrize("kind", STRANGERS)
async def test_reading_finds_nothing_of_the_owner(
    api: asyncpg.Connection, people: People, tables: list[str], kind: str
) -> None:
    who = stranger(kind, people)
    for table in tables:
        user_id = whose(table)
        for query in (
            f"select {user_id} from public.{table}",
            f"select {user_id} from public.{table} where {user_id} = '{people.owner}'",
            f"select {user_id} from public.{table} where {user_id} = '{people.owner}' for update",
        ):
            try:
                async with acting(api, who):
                    found = {row[user_id] for row in await api.fetch(query)}
            except REFUSED:
                continue
            assert people.owner not in found, query


@pytest.mark.parametrize("kind", STRANGERS)
async def test_nothing_can_be_added_in_the_owners_name(
    api: asyncpg.Connection, people: People, tables: list[str], kind: str
) -> None:
    who = stranger(kind, people)
    for table in tables:
        row = ROWS[table](people.owner)
        change = ", ".join(f"{name} = excluded.{name}" for name in row)
        for tail in (
            "",
            "on conflict do nothing",
            f"on conflict ({key_of(table)}) do update set {change}",
        ):
            with pytest.raises(REFUSED):
                async with acting(api, who):
                    await insert(api, table, row, tail)


@pytest.mark.parametrize("kind", STRANGERS)
async def test_nothing_of_the_owner_can_be_changed_or_removed(
    api: asyncpg.Connection, people: People, tables: list[str], kind: str
) -> None:
    """No WHERE and no RETURNING: both read, and policies for reading would hide what a blind statement reaches."""
    who = stranger(kind, people)
    for table in tables:
        assignments = [
            f"{column} = {value}"
            for column in await columns(api, table, "UPDATE", who.role)
            for value in ("default", column, f"'{people.owner}'")
        ]
        for attack in (f"delete from public.{table}", *(f"update public.{table} set {each}" for each in assignments)):
            try:
                async with acting(api, who):
                    status = await api.execute(attack)
            except (*REFUSED, asyncpg.IntegrityConstraintViolationError, asyncpg.DataError, *WRONG_TYPE):
                continue
            assert int(status.split()[-1]) <= who.rows, f"{attack}: {status}"
            assert f"user_id = '{people.owner}'" not in attack or status.endswith(" 0"), f"{attack} handed a row over"


@pytest.mark.parametrize("kind", STRANGERS)
async def test_not_even_when_the_owner_is_named(
    api: asyncpg.Connection, people: People, tables: list[str], kind: str
) -> None:
    who = stranger(kind, people)
    for table in tables:
        updates = [f"update public.{table} set {c} = {c}" for c in await columns(api, table, "UPDATE", who.role)]
        for attack in (f"delete from public.{table}", *updates):
            try:
                async with acting(api, who):
                    status = await api.execute(f"{attack} where {whose(table)} = $1", people.owner)
            except REFUSED:
                continue
            assert status.endswith(" 0"), f"{attack}: {status}"


@pytest.mark.parametrize("kind", ["another user", "user with forged metadata"])
async def test_a_row_cannot_be_handed_over_to_the_owner(
    api: asyncpg.Connection, people: People, tables: list[str], kind: str
) -> None:
    for table in tables:
        with pytest.raises(REFUSED):
            async with acting(api, stranger(kind, people)):
                await api.execute(
                    f"update public.{table} set {whose(table)} = $1 where {whose(table)} = $2",
                    people.owner,
                    people.other,
                )


@pytest.mark.parametrize("kind", STRANGERS)
async def test_tables_cannot_be_emptied_or_altered(
    api: asyncpg.Connection, people: People, tables: list[str], kind: str
) -> None:
    for table in tables:
        for attack in (
            f"truncate public.{table} cascade",
            f"alter table public.{table} disable row level security",
            f"alter table public.{table} owner to authenticated",
            f"drop table public.{table} cascade",
            f"create policy mine on public.{table} using (true)",
            f"create trigger mine before insert on public.{table} execute function tsvector_update_trigger()",
            f"grant select on public.{table} to anon",
        ):
            before = await _acl(api, table)
            try:
                async with acting(api, stranger(kind, people)):
                    await api.execute(attack)
                    # Granting what one does not have is a warning, not an error.
                    assert attack.startswith("grant"), attack
                    assert await _acl(api, table) == before
            except REFUSED:
                continue


@pytest.mark.parametrize("kind", STRANGERS)
async def test_the_tables_of_auth_our_private_ones_and_the_record_of_migrations_are_closed(
    api: asyncpg.Connection, people: People, kind: str
) -> None:
    for table in (
        "auth.users",
        "auth.sessions",
        "auth.refresh_tokens",
        "auth.one_time_tokens",
        "mailbox.messages",
        "private.api_key_locks",
        "private.plans",
        "private.stream_tickets",
        "private.task_event_counters",
        "supabase_migrations.schema_migrations",
        "embedded.files",
        "pg_catalog.pg_authid",
    ):
        with pytest.raises(REFUSED):
            async with acting(api, stranger(kind, people)):
                await api.fetch(f"select * from {table}")


async def _acl(api: asyncpg.Connection, table: str) -> object:
    return await api.fetchval("select relacl::text from pg_class where oid = ('public.' || $1)::regclass", table)


def whose(table: str) -> str:
    return CLOSED.get(table, "user_id")


def key_of(table: str) -> str:
    keys = {
        "profiles": "user_id",
        "audit_log": "id",
        "idempotency_keys": "user_id, key",
        "strategy_versions": "user_id, strategy_id, version",
        "backtest_parts": "user_id, backtest_id, name, part",
        "prediction_outcomes": "user_id, prediction_id",
    }
    return keys.get(table, "user_id, id")
