"""A user's saved strategies in Postgres. The connection acts as the user, so row level security narrows every row."""

import contextlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

import asyncpg

from backend.domain.pages import Page, Place
from backend.domain.saved_strategies import SavedStrategy, StrategyVersion, VersionInBrief
from backend.domain.strategy_errors import StrategyNameTaken

_LINE = "id, name, about, version, revision, created_at, updated_at, deleted_at"


class StrategyTables:
    """A StrategyRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def saved(self, *, deleted: bool = False) -> Sequence[SavedStrategy]:
        rows = await self._connection.fetch(
            f"select {_LINE} from public.strategies where (deleted_at is not null) = $1"  # noqa: S608 - a constant
            " order by updated_at desc, id desc",
            deleted,
        )
        return tuple(SavedStrategy(**row) for row in rows)

    async def find(self, strategy_id: UUID) -> SavedStrategy | None:
        return await self._one(f"select {_LINE} from public.strategies where id = $1", strategy_id)  # noqa: S608

    async def add(self, name: str, about: str) -> SavedStrategy:
        with _name_told(name):
            added = await self._one(
                f"insert into public.strategies (user_id, name, about) values (auth.uid(), $1, $2) returning {_LINE}",  # noqa: S608
                name,
                about,
            )
        if added is None:
            raise LookupError("the statement returned no strategy")
        return added

    async def change(self, strategy_id: UUID, *, name: str, about: str, revision: int | None) -> SavedStrategy | None:
        with _name_told(name):
            return await self._one(
                f"""
                update public.strategies set name = $2, about = $3
                where id = $1 and deleted_at is null and ($4::integer is null or revision = $4)
                returning {_LINE}
                """,  # noqa: S608
                strategy_id,
                name,
                about,
                revision,
            )

    async def delete(self, strategy_id: UUID) -> bool:
        return bool(
            await self._connection.fetchval(
                "update public.strategies set deleted_at = now() where id = $1 and deleted_at is null returning true",
                strategy_id,
            )
        )

    async def restore(self, strategy_id: UUID) -> SavedStrategy | None:
        found = await self.find(strategy_id)
        with _name_told(found.name if found else ""):
            return await self._one(
                f"""
                update public.strategies set deleted_at = null where id = $1 and deleted_at is not null
                returning {_LINE}
                """,  # noqa: S608
                strategy_id,
            )

    async def add_version(self, strategy_id: UUID, rules: Mapping[str, Any], note: str) -> StrategyVersion:
        row = await self._connection.fetchrow(
            """
            insert into public.strategy_versions (user_id, strategy_id, rules, note)
            values (auth.uid(), $1, $2::text::jsonb, $3) returning version, rules::text, note, created_at
            """,
            strategy_id,
            json.dumps(dict(rules), allow_nan=False),
            note,
        )
        return _version(row)

    async def versions(self, strategy_id: UUID, *, limit: int, after: Place | None) -> Page[VersionInBrief]:
        rows = await self._connection.fetch(
            """
            select version, note, created_at from public.strategy_versions
            where strategy_id = $1 and ($2::timestamptz is null or created_at < $2)
            order by version desc limit $3
            """,
            strategy_id,
            after and after.at,
            limit + 1,
        )
        items = tuple(VersionInBrief(**row) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=strategy_id) if there_is_more else None)

    async def version(self, strategy_id: UUID, number: int) -> StrategyVersion | None:
        row = await self._connection.fetchrow(
            """
            select version, rules::text, note, created_at from public.strategy_versions
            where strategy_id = $1 and version = $2
            """,
            strategy_id,
            number,
        )
        return None if row is None else _version(row)

    async def _one(self, statement: str, *arguments: object) -> SavedStrategy | None:
        row = await self._connection.fetchrow(statement, *arguments)
        return None if row is None else SavedStrategy(**row)


def _version(row: "asyncpg.Record | None") -> StrategyVersion:
    if row is None:
        raise LookupError("the statement returned no version")
    return StrategyVersion(**{**row, "rules": json.loads(row["rules"])})


@contextlib.contextmanager
def _name_told(name: str) -> Iterator[None]:
    """Raise StrategyNameTaken where two of a user's strategies would be called the same."""
    try:
        yield
    except asyncpg.UniqueViolationError as error:
        raise StrategyNameTaken(name) from error
