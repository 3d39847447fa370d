"""A user's models in Postgres. The connection acts as the user, so row level security narrows every row."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from backend.domain.config import SeriesConfig
from backend.domain.jobs import JobFailure, JobState
from backend.domain.ml.spec import LabelKind, ModelSpec
from backend.domain.models import (
    Fitness,
    Model,
    ModelFilter,
    ModelInBrief,
    ModelState,
    NewModel,
    Origin,
    Question,
    Verdict,
)
from backend.domain.pages import Page, Place
from backend.infrastructure.database import refusals_told

if TYPE_CHECKING:
    import asyncpg

    from backend.infrastructure.service_database import ServiceDatabase

# So many of its latest predictions say whether a model still works.
MOST_WEIGHED: Final = 500

_BRIEF = """
    model.id, model.name, model.origin, model.state, model.state_reason, model.provider, model.symbol, model.timeframe,
    model.adjustment, model.question, model.horizon, model.label, model.verdict, model.trained_until, model.proven_at,
    model.challenged_at,
    model.champion_since, model.retired_at, model.deleted_at, model.created_at, model.version,
    task.state as task_state, task.failure, model.file_bytes as size_bytes, model.file_sha256,
    (select count(*) from public.predictions as said
     where said.user_id = model.user_id and said.model_id = model.id) as predictions
"""
_FROM = "from public.models as model join public.tasks as task on task.id = model.id"
_OF_QUESTION = """model.provider = $1 and model.symbol = $2 and model.timeframe = $3 and model.adjustment = $4
    and model.question = $5"""
_ONE = f"select {_BRIEF}, model.spec, model.card {_FROM}"
_FIT = f"""
    select {_BRIEF}, model.spec, scored.expected, scored.realised,
           jsonb_build_object('data', model.card -> 'data', 'verdict', model.card -> 'verdict') as card {_FROM}
    left join lateral (
        select array_agg(probability_up order by as_of) as expected,
               array_agg(realised_return order by as_of) as realised
        from (
            select said.as_of, said.probability_up, outcome.realised_return
            from public.predictions as said
            join public.prediction_outcomes as outcome on outcome.prediction_id = said.id
            where said.model_id = model.id and not said.is_late
            order by said.as_of desc limit {MOST_WEIGHED}
        ) as latest
    ) as scored on true
"""  # noqa: S608 - put together from constants


class ModelTable:
    """A ModelRepository on one connection, inside one transaction."""

    def __init__(self, connection: "asyncpg.Connection[asyncpg.Record]", user_id: UUID) -> None:
        self._connection = connection
        self._user_id = user_id

    async def hold(self, question: Question) -> None:
        await self._connection.execute("select private.hold_my_question($1, $2, $3, $4, $5)", *_asked(question))

    async def add(self, model: NewModel) -> None:
        with refusals_told():
            await self._connection.execute(
                """
                insert into public.models
                    (id, user_id, name, origin, provider, symbol, timeframe, adjustment, question, spec)
                values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
                """,
                model.id,
                self._user_id,
                model.name,
                model.origin,
                *_asked(Question.of(model.series, model.spec)),
                model.spec.model_dump_json(),
            )

    async def model(self, model_id: UUID) -> Model | None:
        return _model(await self._connection.fetchrow(f"{_ONE} where model.id = $1", model_id))

    async def models(self, *, limit: int, after: Place | None, only: ModelFilter) -> Page[ModelInBrief]:
        rows = await self._connection.fetch(
            f"""
            select {_BRIEF} {_FROM}
            where model.deleted_at is null
              and ($2::timestamptz is null or (model.created_at, model.id) < ($2, $3::uuid))
              and (cardinality($4::text[]) = 0 or model.state = any($4))
              and ($5::text is null or model.provider = $5)
              and ($6::text is null or model.symbol = $6)
              and ($7::text is null or model.timeframe = $7)
              and ($8::text is null or model.question = $8)
            order by model.created_at desc, model.id desc
            limit $1
            """,
            limit + 1,
            after and after.at,
            after and after.id,
            list(only.states),
            only.provider,
            only.symbol,
            only.timeframe,
            only.question,
        )
        items = tuple(ModelInBrief(**_brief(row)) for row in rows[:limit])
        there_is_more = len(rows) > limit
        return Page(items=items, next=Place(at=items[-1].created_at, id=items[-1].id) if there_is_more else None)

    async def champion(self, question: Question) -> Model | None:
        statement = f"{_ONE} where {_OF_QUESTION} and model.state = 'champion'"
        return _model(await self._connection.fetchrow(statement, *_asked(question)))

    async def fitness(self, model_id: UUID) -> Fitness | None:
        return _fitness(await self._connection.fetchrow(f"{_FIT} where model.id = $1", model_id))

    async def champion_fitness(self, question: Question) -> Fitness | None:
        statement = f"{_FIT} where {_OF_QUESTION} and model.state = 'champion'"
        return _fitness(await self._connection.fetchrow(statement, *_asked(question)))

    async def asked_training(self, question: Question) -> UUID | None:
        found: UUID | None = await self._connection.fetchval(
            f"""
            select model.id {_FROM}
            where {_OF_QUESTION} and model.state = 'training' and model.origin = 'prediction'
              and task.state in ('queued', 'running') and task.cancel_requested_at is null
            order by model.created_at limit 1
            """,
            *_asked(question),
        )
        return found

    async def rename(self, model_id: UUID, name: str, *, version: int | None) -> bool:
        return bool(
            await self._connection.fetchval(
                """
                update public.models set name = $2
                where id = $1 and deleted_at is null and ($3::integer is null or version = $3)
                returning true
                """,
                model_id,
                name,
                version,
            )
        )

    async def promote(self, model_id: UUID) -> bool:
        return bool(await self._connection.fetchval("select private.promote_my_model($1)", model_id))

    async def roll_back(self, model_id: UUID) -> UUID | None:
        found: UUID | None = await self._connection.fetchval("select private.roll_back_my_model($1)", model_id)
        return found

    async def delete(self, model_id: UUID) -> bool:
        return bool(await self._connection.fetchval("select private.delete_my_model($1)", model_id))


class KeptModelTable:
    """KeptModels over the database, as the service."""

    def __init__(self, database: "ServiceDatabase") -> None:
        self._database = database

    async def files(self) -> frozenset[tuple[UUID, str]]:
        rows = await self._database.fetch(
            "select user_id, file_sha256 from public.models where file_sha256 is not null and deleted_at is null"
        )
        return frozenset((row["user_id"], row["file_sha256"]) for row in rows)


def series_of(row: "asyncpg.Record") -> SeriesConfig:
    return SeriesConfig(**{name: row[name] for name in ("provider", "symbol", "timeframe", "adjustment")})


def _asked(question: Question) -> tuple[str, str, str, str, str]:
    series = question.series
    return series.provider, series.symbol, series.timeframe, series.adjustment, question.text


def _model(row: "asyncpg.Record | None") -> Model | None:
    if row is None:
        return None
    return Model(**_brief(row), spec=ModelSpec.model_validate_json(row["spec"]), card=_object(row["card"]))


def _fitness(row: "asyncpg.Record | None") -> Fitness | None:
    model = _model(row)
    if row is None or model is None:
        return None
    return Fitness(model=model, expected=tuple(row["expected"] or ()), realised=tuple(row["realised"] or ()))


def _brief(row: "asyncpg.Record") -> dict[str, Any]:
    failure = _object(row["failure"])
    return {
        **{name: row[name] for name in _AS_THEY_ARE},
        "origin": Origin(row["origin"]),
        "state": ModelState(row["state"]),
        "series": series_of(row),
        "label": LabelKind(row["label"]),
        "verdict": _verdict(_object(row["verdict"])),
        "task_state": JobState(row["task_state"]),
        "failure": None if failure is None else JobFailure(**failure),
    }


_AS_THEY_ARE = (
    "id",
    "name",
    "state_reason",
    "question",
    "horizon",
    "trained_until",
    "proven_at",
    "challenged_at",
    "champion_since",
    "retired_at",
    "deleted_at",
    "created_at",
    "version",
    "size_bytes",
    "predictions",
    "file_sha256",
)


def _verdict(said: Mapping[str, Any] | None) -> Verdict:
    return Verdict() if said is None else Verdict(**{**said, "reasons": tuple(said["reasons"] or ())})


def _object(text: str | None) -> Mapping[str, Any] | None:
    return None if text is None else json.loads(text)
