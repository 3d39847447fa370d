"""Models: trained, compared, promoted, and how their predictions came out. What they predict is in predictions.py."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, Changing, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.backtests import NOT_RUNNABLE
from backend.api.routers.market_data import NO_NUL
from backend.api.routers.market_fetching import STARTS
from backend.api.routers.model_shapes import (
    DRIFT,
    EDIT,
    ESTIMATE,
    FORM,
    FOUND,
    MODEL_ID,
    ROW,
    STARTED,
    TRAINING,
    DriftRead,
    ModelEdit,
    ModelForm,
    ModelFound,
    ModelRow,
    TrainingEstimate,
    TrainingRange,
    TrainingStarted,
    TrainingWanted,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfMatch, IfNoneMatch, required_version, tagged, untagged
from backend.domain.errors import InvalidCursor, QuotaReached, VersionConflict, VersionRequired
from backend.domain.jobs import Job
from backend.domain.market_errors import DataTooLarge
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import ModelDamaged, ModelNotFound, ModelNotUsable, TooFewBars
from backend.domain.models import Model, ModelFilter, ModelInBrief, ModelState, TrainingPlan

router = APIRouter(prefix="/api/models", tags=["Models"])

MODELS = "models"
ModelId = Annotated[UUID, Path(description="The model's id.", examples=[str(MODEL_ID)])]
BAD_ID = invalid("/path/model_id", "Input should be a valid UUID.")
ONE = (*SIGNED_IN, ModelNotFound(MODEL_ID), BAD_ID)
TOO_FEW = TooFewBars(1_200, 2_400, "predicting 12 bars ahead with 5 folds")
DISK_FULL = DataTooLarge("It needs 16.0 KiB, and 5.0 GiB of your 5.0 GiB are taken. Delete series or models first.")
TRAINS = (
    *STARTS,
    *NOT_RUNNABLE,
    TOO_FEW,
    DISK_FULL,
    QuotaReached("models", limit=200, count=200, remedy="Delete some."),
)
NOT_USABLE = ModelNotUsable("BTC, half a day ahead is being trained; only a trained model can become champion.")


@router.get(
    "",
    operation_id="list_models",
    openapi_extra=needs(Reach.READ),
    summary="List one's models",
    responses={
        **shows(Page[ModelRow], Page[ModelRow](items=[ROW], next_cursor=None), "The newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems("/api/models", *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")),
    },
)
async def list_models(
    *,
    request: Request,
    services: Reading,
    state: Annotated[list[ModelState], Query(description="Only in these states.")] = [],  # noqa: B006 - never changed
    provider: Annotated[str | None, Query(max_length=60, pattern=NO_NUL, description="Only of this one.")] = None,
    symbol: Annotated[str | None, Query(max_length=60, pattern=NO_NUL, description="Only of this one.")] = None,
    timeframe: Annotated[str | None, Query(max_length=8, pattern=NO_NUL, description="Only of this one.")] = None,
    question: Annotated[str | None, Query(max_length=80, pattern=NO_NUL, description="Only of this one.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Without those that were deleted."""
    only = ModelFilter(states=state, provider=provider, symbol=symbol, timeframe=timeframe, question=question)
    page = await services.models.models(limit=limit, after=from_cursor(MODELS, cursor), only=only)
    following = to_cursor(MODELS, page.next) if page.next else None
    answer = tagged(request, Page[ModelRow](items=[row_of(one) for one in page.items], next_cursor=following))
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in ("limit", "cursor")]
    filters = {name: [value for other, value in asked if other == name] for name, _ in asked}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/form",
    operation_id="read_model_form",
    openapi_extra=needs(Reach.READ),
    summary="Read the form of a training",
    responses={
        **shows(ModelForm, FORM, "What can be set, with titles, units and bounds."),
        **problems("/api/models/form", *SIGNED_IN),
    },
)
async def read_model_form(_: ActiveCaller) -> Response:
    """The same for everybody."""
    return untagged(ModelForm(form=ModelSpec.model_json_schema(), defaults=ModelSpec()))


@router.post(
    "/train",
    openapi_extra={**takes(TRAINING), **needs(Reach.RUN)},
    operation_id="train_model",
    summary="Train a model",
    status_code=202,
    responses={
        **shows(TrainingStarted, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems("/api/models/train", *TRAINS),
    },
)
async def train_model(
    *, request: Request, wanted: TrainingWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """All is checked before it is queued. When it is done it is compared with the champion of its question, if any."""
    wanted.require_order()
    plan = await house.models.planner.plan(
        wanted.series, wanted.spec, caller.user_id, start=wanted.start, end=wanted.end, threads=wanted.threads
    )
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            job, name = await services.models.train(plan, name=wanted.name)
            return started(job, name, why="It was asked for.", place=f"/api/models/{job.id}")

        return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/estimate",
    openapi_extra={**takes({name: TRAINING[name] for name in TRAINING if name != "name"}), **needs(Reach.READ)},
    operation_id="estimate_training",
    summary="Estimate a training before it starts",
    responses={
        **shows(TrainingEstimate, ESTIMATE, "What it takes, and whether there are enough bars."),
        **problems("/api/models/estimate", *SIGNED_IN, *WITH_BODY, *NOT_RUNNABLE),
    },
)
async def estimate_training(wanted: TrainingRange, house: TheHouse, caller: ActiveCaller) -> Response:
    """The same checks as before a training, but too few bars are no error here."""
    wanted.require_order()
    plan = await house.models.planner.estimate(
        wanted.series, wanted.spec, caller.user_id, start=wanted.start, end=wanted.end, threads=wanted.threads
    )
    return untagged(_estimate(plan))


@router.get(
    "/{model_id:uuid}",
    operation_id="read_model",
    openapi_extra=needs(Reach.READ),
    summary="Read a model with its card",
    responses={
        **shows(ModelFound, FOUND, "What was asked, and how far to trust the answer.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/models/{model_id}", *ONE),
    },
)
async def read_model(request: Request, model_id: ModelId, services: Reading, _: IfNoneMatch = None) -> Response:
    """Also one that was deleted: its track record stays."""
    return _answer(request, await services.models.model(model_id))


@router.patch(
    "/{model_id:uuid}",
    openapi_extra={**takes(EDIT), **needs(Reach.RUN)},
    operation_id="rename_model",
    summary="Rename a model",
    responses={
        **shows(ModelFound, FOUND, "As it is now.", "ETag"),
        **problems(
            "/api/models/{model_id}",
            *ONE,
            *WITH_BODY,
            VersionConflict(),
            VersionRequired(),
            invalid("/name", "A name has 1 to 120 visible characters."),
        ),
    },
)
async def rename_model(
    *, request: Request, model_id: ModelId, edit: ModelEdit, services: Changing, if_match: IfMatch = None
) -> Response:
    """Its card cannot be edited."""
    found = await services.models.rename(model_id, edit.name, version=required_version(if_match))
    return _answer(request, found)


@router.delete(
    "/{model_id:uuid}",
    operation_id="delete_model",
    openapi_extra=needs(Reach.RUN),
    summary="Delete a model",
    status_code=204,
    responses={
        204: {"description": "It is in no list any more and answers nothing; its predictions stay."},
        **problems("/api/models/{model_id}", *ONE),
    },
)
async def delete_model(model_id: ModelId, services: Changing) -> Response:
    """A training that still waits or runs is cancelled. What it predicted stays: no track record can be pruned."""
    await services.models.delete(model_id)
    return Response(status_code=204)


@router.post(
    "/{model_id:uuid}/promote",
    operation_id="promote_model",
    openapi_extra=needs(Reach.RUN),
    summary="Make a model champion",
    responses={
        **shows(ModelFound, FOUND, "It answers from now on.", "ETag", "Idempotency-Replayed"),
        **problems("/api/models/{model_id}/promote", *ONE, NOT_USABLE),
    },
)
async def promote_model(
    *, request: Request, model_id: ModelId, services: Changing, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """In the place of whoever is, who is retired."""

    async def work() -> Response:
        return _answer(request, await services.models.promote(model_id))

    return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/{model_id:uuid}/rollback",
    operation_id="roll_back_model",
    openapi_extra=needs(Reach.RUN),
    summary="Let the champion before it answer again",
    responses={
        **shows(ModelFound, FOUND, "The one that answers from now on.", "ETag", "Idempotency-Replayed"),
        **problems("/api/models/{model_id}/rollback", *ONE, NOT_USABLE),
    },
)
async def roll_back_model(
    *, request: Request, model_id: ModelId, services: Changing, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """The champion is retired. Each rollback is one step."""

    async def work() -> Response:
        return _answer(request, await services.models.roll_back(model_id))

    return await once(request, key, caller, services.idempotency, work)


@router.get(
    "/{model_id:uuid}/drift",
    operation_id="read_model_drift",
    openapi_extra=needs(Reach.READ),
    summary="Read how far the market moved away from what a model learned",
    responses={
        **shows(DriftRead, DRIFT, "By feature, and whether it may still answer."),
        **problems("/api/models/{model_id}/drift", *ONE, NOT_USABLE, *NOT_RUNNABLE, ModelDamaged()),
    },
)
async def read_model_drift(model_id: ModelId, house: TheHouse, caller: Caller) -> Response:
    """Of the latest bars that are stored, or made."""
    async with house.acting_as(caller, readonly=True) as services:
        fitness = await services.models.fitness(model_id)
    return untagged(DriftRead.model_validate(await house.models.predictor.drift(fitness, caller.user_id)))


def started(job: Job, name: str, *, why: str, place: str) -> Response:
    body = TrainingStarted(id=job.id, kind=job.kind, state=job.state, name=name, why=why)
    headers = {**PRIVATE, "Location": place}
    return Response(body.model_dump_json(), status_code=202, media_type="application/json", headers=headers)


def row_of(found: ModelInBrief) -> ModelRow:
    return ModelRow.model_validate(_facts(found), from_attributes=True)


def _facts(found: ModelInBrief) -> dict[str, Any]:
    return {**vars(found), **vars(found.verdict), "failure": found.failure and vars(found.failure)}


def _answer(request: Request, found: Model) -> Response:
    return tagged(request, ModelFound.model_validate(_facts(found), from_attributes=True), version=found.version)


def _estimate(plan: TrainingPlan) -> TrainingEstimate:
    return TrainingEstimate(
        bars=plan.bars,
        needed=plan.needed,
        is_enough=plan.is_enough,
        first=plan.first,
        last=plan.last,
        seconds=plan.seconds,
        memory_bytes=plan.demand.memory_bytes,
        cores=plan.demand.cores,
        notes=list(plan.notes),
    )
