"""All rows of one person, page by page and under row level security; and what the service does with those who left."""

from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

from backend.domain.errors import SessionEnded, TidemarkError
from backend.domain.own_data import (
    NOUNS,
    Belongings,
    Departure,
    Key,
    LastAdmin,
    Noun,
    OwnPage,
    PasswordUnreadable,
    PasswordWrong,
    TablePiece,
    TooManyExports,
    TooManyTries,
)

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

# Each unpacks to some megabytes.
PIECES_AT_ONCE = 2
# Of a page as it is stored, which is compressed; in memory it is some times as much.
PAGE_BYTES = 1024 * 1024
REMOVED_AT_ONCE = 200

_READABLE = """
select quote_ident(attname) from pg_catalog.pg_attribute
where attrelid = $1::regclass and attnum > 0 and not attisdropped and has_column_privilege(attrelid, attnum, 'select')
order by attnum
"""


class OwnDataTables:
    """An OwnDataRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def belongings(self) -> Belongings:
        counts = {}
        for noun in NOUNS:
            counts[noun.name] = int(await self._connection.fetchval(f"select count(*) from {_rows_of(noun)}"))  # noqa: S608 - constants
        return Belongings(counts=counts, has_password=await self._connection.fetchval("select private.have_password()"))

    async def page(self, noun: Noun, after: Key | None) -> OwnPage:
        columns = await self._columns(noun)
        rows = await self._connection.fetch(_page_of(noun, columns, is_first=after is None), PAGE_BYTES, *(after or ()))
        more = bool(rows) and int(rows[0]["found"]) > len(rows)
        return OwnPage(
            rows=[row["row"] for row in rows],
            next=tuple(rows[-1][name] for name in noun.key) if more else None,
        )

    async def pieces(self, table: str, after: Key | None) -> Sequence[TablePiece]:
        rows = await self._connection.fetch(
            """
            select backtest_id, part, content from public.backtest_parts
            where user_id = auth.uid() and name = $1
              and ($2::uuid is null or (backtest_id, part) > ($2, $3::integer))
            order by backtest_id, part limit $4
            """,
            table,
            *(after or (None, None)),
            PIECES_AT_ONCE,
        )
        return [TablePiece(**row) for row in rows]

    async def require_session(self) -> None:
        if not await self._connection.fetchval("select private.my_session_is_alive()"):
            raise SessionEnded

    async def begin_export(self, address: str | None) -> None:
        (came,) = await self._connection.fetch("select * from private.begin_my_export($1::inet)", address)
        match came["outcome"]:
            case "session":
                raise SessionEnded
            case "wait":
                raise TooManyExports(came["wait_seconds"])

    async def close(self, password: str | None, address: str | None) -> TidemarkError | None:
        (came,) = await self._connection.fetch(
            "select * from private.close_my_account($1, $2::inet)", _comparable(password), address
        )
        match came["outcome"]:
            case "session":
                return SessionEnded()
            case "last_admin":
                return LastAdmin()
            case "password":
                return PasswordWrong()
            case "unreadable":
                return PasswordUnreadable()
            case "wait":
                return TooManyTries(came["wait_seconds"])
        return None

    async def _columns(self, noun: Noun) -> list[str]:
        if not noun.is_table:
            return list(noun.columns)
        return [row[0] for row in await self._connection.fetch(_READABLE, noun.source)]


def _page_of(noun: Noun, columns: Sequence[str], *, is_first: bool) -> str:
    """The next rows: so many at most, and not many more bytes than $1 as they are stored. One row always is a page."""
    key, all_columns = ", ".join(noun.key), ", ".join(columns)
    marks = ", ".join(f"${number}" for number in range(2, len(noun.key) + 2))
    behind = "" if is_first else f"{'and' if noun.is_table else 'where'} ({key}) > ({marks})"
    size = " + ".join(f"coalesce(pg_column_size({column}), 0)" for column in columns)
    return f"""
        with few as (
            select {all_columns}, {size} as stored_bytes from {_rows_of(noun)} {behind}
            order by {key} limit {noun.page + 1}
        ),
        measured as (
            select few.*, sum(stored_bytes) over turns - stored_bytes as bytes_before, row_number() over turns as place,
                   count(*) over () as found
            from few
            window turns as (order by {key} rows unbounded preceding)
        )
        select {key}, found, (select row_to_json(own)::text from (select {all_columns}) as own) as row
        from measured where bytes_before < $1 and place <= {noun.page}
        order by {key}
    """  # noqa: S608 - names of the catalogue, and constants


def _comparable(password: str | None) -> str | None:
    """What the database cannot take is no password, and counts as a wrong one."""
    if password is None:
        return None
    text = password.encode("utf-8", "replace").decode()
    return "" if "\x00" in text else text


def _rows_of(noun: Noun) -> str:
    """Shared rows are everybody's to read, and nobody's to take along."""
    return f"{noun.source} where user_id = auth.uid()" if noun.is_table else noun.source


class DepartureTables:
    """Departures over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def close(self, user_id: UUID, reason: str) -> bool:
        return bool(await self._database.fetchval("select private.close_account_of($1, $2)", user_id, reason))

    async def waiting(self) -> Sequence[Departure]:
        rows = await self._database.fetch("select user_id, left_at from private.list_departures()")
        return [Departure(**row) for row in rows]

    async def running_jobs(self, user_id: UUID) -> int:
        return int(
            await self._database.fetchval(
                "select count(*) from public.tasks where queue = $1 and state = 'running'", user_id
            )
        )

    async def remove_some(self, user_id: UUID) -> int:
        return int(
            await self._database.fetchval("select private.remove_some_of_account($1, $2)", user_id, REMOVED_AT_ONCE)
        )

    async def forget(self, user_id: UUID) -> None:
        await self._database.fetchval("select private.forget_departure($1)", user_id)
