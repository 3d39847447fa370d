"""Predictions and their outcomes in Postgres: read as their owner, written as the service."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any
from uuid import UUID

from backend.data.storage.models import series_of
from backend.domain.ml.spec import ModelSpec
from backend.domain.models import (
    DuePrediction,
    NewOutcome,
    NewPrediction,
    NewWait,
    Prediction,
    PredictionOutcome,
    PredictionWait,
)
from backend.domain.pages import Page, Place

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

_WHOLE = """
    select said.*, model.name as model_name, model.provider, model.symbol, model.timeframe, model.adjustment,
           outcome.realised_return, outcome.went_up, outcome.log_loss, outcome.is_inside, outcome.scored_at,
           wait.looks, wait.looked_at, wait.next_look_at, wait.why
    from public.predictions as said
    join public.models as model on model.user_id = said.user_id and model.id = said.model_id
    left join public.prediction_outcomes as outcome
        on outcome.user_id = said.user_id and outcome.prediction_id = said.id
    left join public.prediction_waits as wait
        on wait.user_id = said.user_id and wait.prediction_id = said.id
"""
# Its time has come, it has no outcome, and nothing says that a look would be in vain.
_DUE = """
    public.predictions as said
    join public.models as model on model.user_id = said.user_id and model.id = said.model_id
    left join public.prediction_waits as wait on wait.user_id = said.user_id and wait.prediction_id = said.id
    where said.due_at <= now()
      and not exists (
          select from public.prediction_outcomes as outcome
          where outcome.user_id = said.user_id and outcome.prediction_id = said.id
      )
      and (
          wait.next_look_at is null or wait.next_look_at <= now()
          or exists (
              select from public.tasks as came
              where came.kind in ('fetch', 'import') and came.state = 'completed' and not came.is_partial
                and came.finished_at > wait.looked_at
                and came.payload #>> '{series,provider}' = model.provider
                and came.payload #>> '{series,symbol}' = model.symbol
                and came.payload #>> '{series,timeframe}' = model.timeframe
          )
      )
"""
_AS_THEY_ARE = (
    "id",
    "model_id",
    "model_name",
    "as_of",
    "entry_at",
    "due_at",
    "made_at",
    "is_late",
    "horizon",
    "probability_up",
    "expected_return",
    "low",
    "high",
    "level",
    "is_trusted",
    "model_age_bars",
)


class PredictionTable:
    """A PredictionRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        self._connection = connection

    async def prediction(self, prediction_id: UUID) -> Prediction | None:
        row = await self._connection.fetchrow(f"{_WHOLE} where said.id = $1", prediction_id)
        return None if row is None else _prediction(row)

    async def predictions(self, *, limit: int, after: Place | None, model_id: UUID | None) -> Page[Prediction]:
        rows = await self._connection.fetch(
            f"""
            {_WHOLE}
            where ($2::timestamptz is null or (said.made_at, said.id) < ($2, $3::uuid))
              and ($4::uuid is null or said.model_id = $4)
            order by said.made_at desc, said.id desc
            limit $1
            """,
            limit + 1,
            after and after.at,
            after and after.id,
            model_id,
        )
        items = tuple(_prediction(row) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=items, next=Place(at=items[-1].made_at, id=items[-1].id) if there_is_more else None)


class PredictionBookTable:
    """A PredictionBook over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def write(self, owner: UUID, prediction: NewPrediction) -> Prediction | None:
        said = json.dumps(asdict(prediction), default=_plain, allow_nan=False)
        row = await self._database.fetchrow(
            _WHOLE.replace("public.predictions as said", "private.write_prediction($1, $2::jsonb) as said"), owner, said
        )
        return None if row is None else _prediction(row)

    async def is_any_due(self) -> bool:
        return bool(await self._database.fetchval(f"select exists (select from {_DUE})"))  # noqa: S608 - our own text

    async def due(self, *, most: int) -> Sequence[DuePrediction]:
        rows = await self._database.fetch(
            f"""
            select * from (
                select said.id, said.user_id, said.as_of, said.entry_at, said.due_at, said.probability_up, said.low,
                       said.high, model.provider, model.symbol, model.timeframe, model.adjustment, model.spec,
                       row_number() over (
                           partition by said.user_id, model.provider, model.symbol, model.timeframe, model.adjustment
                           order by said.due_at, said.id
                       ) as place
                from {_DUE}
            ) as waiting
            where place <= $1
            order by user_id, provider, symbol, timeframe, adjustment, place
            """,  # noqa: S608 - our own text
            most,
        )
        return [_due(row) for row in rows]

    async def score(self, outcomes: Sequence[NewOutcome]) -> int:
        rows = await self._database.fetch(
            """
            with waited as (
                delete from public.prediction_waits
                where (user_id, prediction_id) in (select * from unnest($1::uuid[], $2::uuid[]))
            )
            insert into public.prediction_outcomes
                (user_id, prediction_id, realised_return, went_up, log_loss, is_inside)
            select * from unnest($1::uuid[], $2::uuid[], $3::float8[], $4::boolean[], $5::float8[], $6::boolean[])
            on conflict do nothing
            returning prediction_id
            """,
            *([getattr(one, name) for one in outcomes] for name in _OUTCOME),
        )
        return len(rows)

    async def wait(self, waits: Sequence[NewWait]) -> None:
        await self._database.fetch(
            """
            insert into public.prediction_waits as known (user_id, prediction_id, why)
            select * from unnest($1::uuid[], $2::uuid[], $3::text[])
            on conflict (user_id, prediction_id) do update set
                looks = known.looks + 1,
                looked_at = now(),
                next_look_at = now() + case
                    when known.looks >= $4 then interval '1 day'
                    else least(interval '1 minute' * power(2, least(known.looks, 10)), interval '1 hour')
                end,
                why = excluded.why
            """,
            *([getattr(one, name) for one in waits] for name in ("user_id", "prediction_id")),
            [one.why[:LONGEST_WHY] for one in waits],
            LOOKS_IN_A_WEEK,
        )


# Six that come quickly, then one an hour.
LOOKS_IN_A_WEEK = 6 + 7 * 24
LONGEST_WHY = 400
_OUTCOME = ("user_id", "prediction_id", "realised_return", "went_up", "log_loss", "is_inside")


def _prediction(row: "asyncpg.Record") -> Prediction:
    return Prediction(
        **{name: row[name] for name in _AS_THEY_ARE},
        series=series_of(row),
        reasons=_listed(row["reasons"]),
        contributions=_listed(row["contributions"]),
        outcome=_outcome(row),
        wait=_wait(row),
    )


def _outcome(row: "asyncpg.Record") -> PredictionOutcome | None:
    if row["scored_at"] is None:
        return None
    return PredictionOutcome(
        **{name: row[name] for name in ("realised_return", "went_up", "log_loss", "is_inside", "scored_at")}
    )


def _wait(row: "asyncpg.Record") -> PredictionWait | None:
    if row["looked_at"] is None:
        return None
    return PredictionWait(**{name: row[name] for name in ("looks", "looked_at", "next_look_at", "why")})


def _due(row: "asyncpg.Record") -> DuePrediction:
    names = ("id", "user_id", "as_of", "entry_at", "due_at", "probability_up", "low", "high")
    return DuePrediction(
        **{name: row[name] for name in names},
        series=series_of(row),
        spec=ModelSpec.model_validate_json(row["spec"]),
    )


def _listed(text: str) -> Sequence[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(text)
    return tuple(found)


def _plain(value: Any) -> str:
    """Ids and times."""
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
