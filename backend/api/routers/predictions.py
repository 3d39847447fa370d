"""Predictions: made before the outcome, kept for ever, and measured when their time has come."""

from functools import partial
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.api.dependencies import Caller, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.market_data import series_given
from backend.api.routers.model_shapes import MODEL_ID, STARTED, TrainingStarted
from backend.api.routers.models import BAD_ID, NOT_USABLE, TRAINS, ModelId, started
from backend.api.routers.prediction_shapes import (
    ASKED,
    PREDICTION,
    PREDICTION_ID,
    SCORED,
    TRACK_RECORD,
    PredictionRead,
    PredictionWanted,
    TrackRecordRead,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged, untagged
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import InvalidCursor
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import (
    BarsTooOld,
    ModelDamaged,
    ModelNotFound,
    ModelOfOtherVersion,
    PredictionNotFound,
)
from backend.domain.models import MOST_SHOWN, Fitness, Prediction, Question
from backend.domain.ports import Clock
from backend.services.model_predicting import Answer
from backend.services.track_records import track_record, waits_for

router = APIRouter(tags=["Models"])

PREDICTIONS = "predictions"
TOO_OLD = BarsTooOld(
    "The last bar of demo BTC/USDT 1h closed at 2026-11-18 09:00 UTC, and 12 bars after it have passed."
    " Download newer bars first."
)


@router.post(
    "/api/predictions",
    openapi_extra={**takes(ASKED), **needs(Reach.RUN)},
    operation_id="predict",
    summary="Predict now",
    responses={
        **shows(PredictionRead, PREDICTION, "By a fresh champion, or by the model that was named."),
        **shows(TrainingStarted, STARTED, "It is trained first.", "Location", "Idempotency-Replayed", status=202),
        **problems(
            "/api/predictions",
            *TRAINS,
            TOO_OLD,
            NOT_USABLE,
            ModelNotFound(MODEL_ID),
            ModelDamaged(),
            ModelOfOtherVersion(),
            invalid("/horizon", "The spec has a horizon of its own, 12 bars. Leave one of them out."),
        ),
    },
)
async def predict(
    *, request: Request, wanted: PredictionWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """With a fresh champion at once; without one by a training, which writes the prediction when it is done."""
    wanted.require_one_question()
    fitness = await _asked(house, caller, wanted)
    answer, why = await _answer(house, caller, fitness, is_named=wanted.model_id is not None)
    if answer is not None and key is None:
        return await _written(house, caller, answer)
    if answer is not None:
        async with house.acting_as(caller) as services:
            return await once(request, key, caller, services.idempotency, partial(_written, house, caller, answer))
    if wanted.series is None:
        raise ModelNotFound(str(wanted.model_id))
    spec = _spec(wanted, fitness)
    plan = await house.models.planner.plan(wanted.series, spec, caller.user_id, is_brief=True)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            job, name = await services.models.train_to_predict(plan)
            return started(job, name, why=why, place=f"/api/system/tasks/{job.id}")

        return await once(request, key, caller, services.idempotency, work)


@router.get(
    "/api/predictions",
    operation_id="list_predictions",
    openapi_extra=needs(Reach.READ),
    summary="List one's predictions",
    responses={
        **shows(
            Page[PredictionRead],
            Page[PredictionRead](items=[SCORED], next_cursor=None),
            "The latest made first.",
            "ETag",
            "Link",
        ),
        **NOT_MODIFIED,
        **problems(
            "/api/predictions",
            *SIGNED_IN,
            InvalidCursor(),
            ModelNotFound(MODEL_ID),
            invalid("/query/limit", "Input should be at most 200."),
        ),
    },
)
async def list_predictions(
    *,
    request: Request,
    services: Reading,
    house: TheHouse,
    model_id: Annotated[UUID | None, Query(description="Only those of this model.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Also those of models that were deleted."""
    page = await services.models.predictions(limit=limit, after=from_cursor(PREDICTIONS, cursor), model_id=model_id)
    following = to_cursor(PREDICTIONS, page.next) if page.next else None
    items = [prediction_of(one, house.clock) for one in page.items]
    answer = tagged(request, Page[PredictionRead](items=items, next_cursor=following))
    filters = {} if model_id is None else {"model_id": [str(model_id)]}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/api/predictions/{prediction_id:uuid}",
    operation_id="read_prediction",
    openapi_extra=needs(Reach.READ),
    summary="Read a prediction",
    responses={
        **shows(PredictionRead, SCORED, "What was said, and what came of it.", "ETag"),
        **NOT_MODIFIED,
        **problems(
            "/api/predictions/{prediction_id}",
            *SIGNED_IN,
            PredictionNotFound(PREDICTION_ID),
            invalid("/path/prediction_id", "Input should be a valid UUID."),
        ),
    },
)
async def read_prediction(
    request: Request,
    prediction_id: Annotated[UUID, Path(description="The prediction's id.", examples=[str(PREDICTION_ID)])],
    services: Reading,
    house: TheHouse,
    _: IfNoneMatch = None,
) -> Response:
    """It never changes; its outcome comes once."""
    return tagged(request, prediction_of(await services.models.prediction(prediction_id), house.clock))


@router.get(
    "/api/models/{model_id:uuid}/track-record",
    operation_id="read_track_record",
    openapi_extra=needs(Reach.READ),
    summary="Read how a model's predictions came out",
    responses={
        **shows(TrackRecordRead, TRACK_RECORD, "In figures, in words, and one by one.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/models/{model_id}/track-record", *SIGNED_IN, ModelNotFound(MODEL_ID), BAD_ID),
    },
)
async def read_track_record(
    request: Request, model_id: ModelId, house: TheHouse, caller: Caller, _: IfNoneMatch = None
) -> Response:
    """Of predictions that were made in time, after their time has come."""
    async with house.acting_as(caller, readonly=True) as services:
        made = await services.models.record(model_id)
    record = await house.models.judged(track_record, made, house.clock.now())
    items = [prediction_of(one, house.clock) for one in made[:MOST_SHOWN]]
    return tagged(request, TrackRecordRead.model_validate({**record, "items": items}))


def prediction_of(found: Prediction, clock: Clock) -> PredictionRead:
    facts = {**vars(found), "outcome": found.outcome and vars(found.outcome)}
    return PredictionRead.model_validate({**facts, "waiting": waits_for(found, clock.now())})


async def _asked(house: House, caller: Identity, wanted: PredictionWanted) -> Fitness | None:
    """Who is to answer, if there is one. This also sees to it that the caller is active."""
    async with house.acting_as(caller, readonly=True) as services:
        if wanted.model_id is not None:
            return await services.models.fitness(wanted.model_id)
        if wanted.series is None:
            return None
        series_given("/series", **wanted.series.model_dump())
        return await services.models.champion(Question.of(wanted.series, _spec(wanted, None)))


async def _answer(
    house: House, caller: Identity, fitness: Fitness | None, *, is_named: bool
) -> tuple[Answer | None, str]:
    """What it says, or why another is to be trained. A model that was named answers however old it is."""
    if fitness is None:
        return None, "There is no champion for this question yet."
    try:
        answer = await house.models.predictor.ask(fitness, caller.user_id)
    except (ModelDamaged, ModelOfOtherVersion) as problem:
        if is_named:
            raise
        return None, problem.detail
    return (answer, "") if is_named or answer.may_answer else (None, answer.freshness.reason)


def _spec(wanted: PredictionWanted, fitness: Fitness | None) -> ModelSpec:
    """What is asked; trained anew, a champion keeps what it was made with unless something else is said."""
    if wanted.spec is not None:
        return wanted.spec
    if fitness is not None:
        return fitness.model.spec
    return ModelSpec() if wanted.horizon is None else ModelSpec(horizon=wanted.horizon)


async def _written(house: House, caller: Identity, answer: Answer) -> Response:
    """What it says is kept before it is told."""
    prediction = await house.models.predictor.write(answer, caller.user_id)
    return untagged(prediction_of(prediction, house.clock))
