"""A user's backtests in Postgres. The connection acts as the user, so row level security narrows every row."""

import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backend.domain.backtests import (
    MOST_T_VALUES,
    Backtest,
    BacktestChange,
    BacktestFilter,
    BacktestInBrief,
    BacktestOrder,
    BacktestPage,
    BacktestPlace,
    BacktestSort,
    NewBacktest,
    Part,
    Preset,
    Rows,
    Summary,
    Tried,
)
from backend.domain.jobs import JobFailure, JobKind, JobState
from backend.infrastructure.database import refusals_told

if TYPE_CHECKING:
    import asyncpg

_BRIEF = """
    run.id, run.kind, task.state, run.name, run.tags, run.is_starred, run.notes <> '' as has_notes, run.archived_at,
    run.deleted_at, run.version, run.created_at, task.started_at, task.finished_at, task.is_partial, task.failure,
    run.parent_id, run.strategy, run.provider, run.timeframe, run.symbols, run.total_return, run.sharpe_ratio,
    run.max_drawdown, run.trades
"""
_ONE = f"""
    select {_BRIEF}, run.notes, run.config, run.figures, run.manifest, run.trust
    from public.backtests as run join public.tasks as task on task.id = run.id
    where run.id = $1
"""  # noqa: S608 - put together from constants

# What a list is ordered by, and the type that a place in it is compared as.
_ORDERS: Mapping[BacktestSort, tuple[str, str]] = {
    BacktestSort.CREATED: ("run.created_at", "timestamptz"),
    BacktestSort.NAME: ("run.name", "text"),
    BacktestSort.TOTAL_RETURN: ("run.total_return", "float8"),
    BacktestSort.SHARPE_RATIO: ("run.sharpe_ratio", "float8"),
    BacktestSort.MAX_DRAWDOWN: ("run.max_drawdown", "float8"),
    BacktestSort.TRADES: ("run.trades", "float8"),
}
# What is never missing needs no word about where the missing go, which an index would not know.
_NEVER_MISSING = (BacktestSort.CREATED, BacktestSort.NAME)
_WORDS = """position({} in lower(run.name || ' ' || run.notes || ' ' || run.strategy || ' ' ||
                    run.symbols::text || ' ' || array_to_string(run.tags, ' '))) > 0"""


class BacktestTable:
    """A BacktestRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", user_id: UUID) -> None:
        self._connection = connection
        self._user_id = user_id

    async def add(self, backtest: NewBacktest) -> None:
        with refusals_told():
            await self._connection.execute(
                """
                insert into public.backtests (id, user_id, kind, config, parent_id, name, tags)
                values ($1, $2, $3, $4, $5, $6, $7)
                """,
                backtest.id,
                self._user_id,
                backtest.kind,
                json.dumps(dict(backtest.config)),
                backtest.parent_id,
                backtest.name,
                list(backtest.tags),
            )

    async def backtest(self, backtest_id: UUID) -> Backtest | None:
        row = await self._connection.fetchrow(_ONE, backtest_id)
        if row is None:
            return None
        return Backtest(
            **_brief(row),
            notes=row["notes"],
            **{name: _object(row[name]) for name in ("config", "figures", "manifest", "trust")},  # type: ignore[arg-type]  # config is never null
        )

    async def backtests(
        self, *, limit: int, after: BacktestPlace | None, order: BacktestOrder, only: BacktestFilter
    ) -> BacktestPage:
        statement, arguments = list_statement(order, only, after)
        rows = await self._connection.fetch(statement, limit + 1, *arguments)
        items = tuple(BacktestInBrief(**_brief(row)) for row in rows[:limit])
        if len(rows) <= limit:
            return BacktestPage(items=items, next=None)
        last = rows[limit - 1]
        value = last[order.by.value if order.by is not BacktestSort.CREATED else "created_at"]
        place = value.isoformat() if order.by is BacktestSort.CREATED else value
        return BacktestPage(items=items, next=BacktestPlace(value=place, id=last["id"]))

    async def tried(self, config: Mapping[str, Any]) -> Tried:
        row = await self._connection.fetchrow(
            """
            with kin as (
                select distinct on (form_hash) trials_made, t_values from public.backtests
                where strategy = $1 and symbols ->> 0 = $2 and trials_made > 0 and form_hash <> md5($3::jsonb::text)
                order by form_hash, created_at desc
            )
            select coalesce(sum(trials_made), 0) as trials,
                   array(select one from kin, unnest(t_values) as one limit $4) as t_values
            from kin
            """,
            config["strategy"],
            config["series"][0]["symbol"],
            json.dumps(dict(config)),
            MOST_T_VALUES,
        )
        return Tried() if row is None else Tried(trials=int(row["trials"]), t_values=tuple(row["t_values"]))

    async def tags(self) -> Mapping[str, int]:
        rows = await self._connection.fetch(
            """
            select tag, count(*) from public.backtests, unnest(tags) as tag
            where deleted_at is null group by tag order by count(*) desc, tag limit 500
            """
        )
        return {row["tag"]: row["count"] for row in rows}

    async def change(self, backtest_id: UUID, change: BacktestChange, *, version: int | None) -> bool:
        with refusals_told():
            done = await self._connection.fetchval(
                """
                update public.backtests set
                    name = coalesce($3, name),
                    notes = coalesce($4, notes),
                    tags = coalesce($5, tags),
                    is_starred = coalesce($6, is_starred),
                    archived_at = case when $7 then coalesce(archived_at, now())
                                       when not $7 then null else archived_at end,
                    deleted_at = case when $8 then coalesce(deleted_at, now())
                                      when not $8 then null else deleted_at end
                where id = $1 and ($2::integer is null or version = $2)
                returning true
                """,
                backtest_id,
                version,
                change.name,
                change.notes,
                None if change.tags is None else list(change.tags),
                change.is_starred,
                change.is_archived,
                change.is_deleted,
            )
        return bool(done)

    async def parts(self, backtest_id: UUID, name: str, rows: Rows) -> Sequence[Part]:
        found = await self._connection.fetch(
            """
            select first_row, rows, content from public.backtest_parts
            where backtest_id = $1 and name = $2
              and first_row + rows > $3 and ($4::bigint is null or first_row < $3 + $4)
              and ($5::timestamptz is null or last_at >= $5) and ($6::timestamptz is null or first_at < $6)
            order by part
            """,
            backtest_id,
            name,
            rows.first,
            rows.count,
            rows.start,
            rows.end,
        )
        return [Part(**row) for row in found]

    async def count_rows(self, backtest_id: UUID, name: str) -> int:
        return int(
            await self._connection.fetchval(
                "select coalesce(sum(rows), 0) from public.backtest_parts where backtest_id = $1 and name = $2",
                backtest_id,
                name,
            )
        )

    async def presets(self) -> Sequence[Preset]:
        rows = await self._connection.fetch("select * from public.backtest_presets order by lower(name), name")
        return [_preset(row) for row in rows]

    async def keep_preset(self, name: str, form: Mapping[str, Any]) -> Preset:
        with refusals_told():
            row = await self._connection.fetchrow(
                """
                with replaced as (
                    update public.backtest_presets set form = $3, updated_at = now()
                    where user_id = $1 and name = $2 returning *
                ), added as (
                    insert into public.backtest_presets (user_id, name, form)
                    select $1, $2, $3 where not exists (select from replaced) returning *
                )
                select * from replaced union all select * from added
                """,
                self._user_id,
                name,
                json.dumps(dict(form)),
            )
        if row is None:
            raise LookupError("the statement returned no preset")
        return _preset(row)

    async def forget_preset(self, preset_id: UUID) -> bool:
        return bool(
            await self._connection.fetchval(
                "delete from public.backtest_presets where id = $1 returning true", preset_id
            )
        )


def list_statement(order: BacktestOrder, only: BacktestFilter, after: BacktestPlace | None) -> tuple[str, list[object]]:
    """Put together from constants alone, of what is asked for alone: what a caller says is an argument, from $2 on."""
    column, kind = _ORDERS[order.by]
    direction = "desc" if order.is_descending else "asc"
    missing = "" if order.by in _NEVER_MISSING else "nulls last"
    arguments: list[object] = []
    conditions = [*_narrowed(only, arguments), *_beyond(order, after, column, kind, arguments)]
    statement = f"""
        select {_BRIEF} from public.backtests as run join public.tasks as task on task.id = run.id
        where {" and ".join(conditions)}
        order by {column} {direction} {missing}, run.id {direction}
        limit $1
    """  # noqa: S608 - constants alone
    return statement, arguments


def _narrowed(only: BacktestFilter, arguments: list[object]) -> list[str]:
    wanted: list[tuple[str, object]] = [
        (_WORDS, only.search.lower() or None),
        ("run.kind = any({}::text[])", list(only.kinds) or None),
        ("task.state = any({}::text[])", list(only.states) or None),
        ("run.tags @> {}::text[]", list(only.tags) or None),
        ("run.strategy = {}", only.strategy),
        ("run.symbols ? {}", only.symbol),
        ("run.parent_id = {}", only.parent_id),
        ("run.is_starred = {}", only.is_starred),
    ]
    return [
        f"run.deleted_at is {'not' if only.is_deleted else ''} null",
        f"run.archived_at is {'not' if only.is_archived else ''} null",
        *(condition.format(_mark(arguments, value)) for condition, value in wanted if value is not None),
    ]


def _beyond(
    order: BacktestOrder, after: BacktestPlace | None, column: str, kind: str, arguments: list[object]
) -> list[str]:
    if after is None:
        return []
    than, place = "<" if order.is_descending else ">", f"{_mark(arguments, after.id)}::uuid"
    if after.value is None:
        return [f"{column} is null and run.id {than} {place}"]
    value = f"{_mark(arguments, str(after.value))}::text::{kind}"
    if order.by in _NEVER_MISSING:
        return [f"({column}, run.id) {than} ({value}, {place})"]
    return [f"({column} {than} {value} or {column} = {value} and run.id {than} {place} or {column} is null)"]


def _mark(arguments: list[object], value: object) -> str:
    """The first is $2."""
    arguments.append(value)
    return f"${len(arguments) + 1}"


def _brief(row: "asyncpg.Record") -> dict[str, Any]:
    failure = _object(row["failure"])
    return {
        **dict(zip(_AS_THEY_ARE, _as_they_are(row), strict=True)),
        "kind": JobKind(row["kind"]),
        "state": JobState(row["state"]),
        "tags": tuple(row["tags"]),
        "symbols": _symbols(row["symbols"]),
        "failure": None if failure is None else JobFailure(**failure),
        "summary": Summary(
            total_return=row["total_return"],
            sharpe_ratio=row["sharpe_ratio"],
            max_drawdown=row["max_drawdown"],
            trades=row["trades"],
        ),
    }


_AS_THEY_ARE = (
    "id",
    "name",
    "is_starred",
    "has_notes",
    "archived_at",
    "deleted_at",
    "version",
    "created_at",
    "started_at",
    "finished_at",
    "is_partial",
    "parent_id",
    "strategy",
    "provider",
    "timeframe",
)
_as_they_are = itemgetter(*_AS_THEY_ARE)


@lru_cache(maxsize=1024)
def _symbols(text: str) -> tuple[str, ...]:
    """The rows of a list are of a few series."""
    return tuple(json.loads(text))


def _object(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)


def _preset(row: "asyncpg.Record") -> Preset:
    return Preset(id=row["id"], name=row["name"], form=json.loads(row["form"]), updated_at=row["updated_at"])
