"""Sweeps, searches and walks forward: started as jobs of their own, and read like backtests."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, TheHouse
from backend.api.documentation import SIGNED_IN, WITH_BODY, Responses, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.routers.backtest_results import MOST_ROWS, RESULTS, table_of
from backend.api.routers.backtest_shapes import TableRead
from backend.api.routers.backtest_study_shapes import (
    STUDY,
    STUDY_ESTIMATE,
    STUDY_STARTED,
    TRIALS,
    WALK,
    StudyEstimate,
    StudyStarted,
    StudyWanted,
    WalkForwardWanted,
)
from backend.api.routers.backtests import NOT_RUNNABLE, RUNS, BacktestId, estimate_of
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, untagged
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.backtests import LONGEST_NAME, Plan, Rows, usual_name
from backend.domain.jobs import JobKind
from backend.domain.optimisation_errors import CannotWalkForward, InvalidSpace, TooManyTrials
from backend.services.study_plans import plan_study

router = APIRouter(prefix="/api/backtests", tags=["Backtests"])

_CALLED = {JobKind.SWEEP: "Sweep", JobKind.OPTIMIZE: "Search", JobKind.WALK_FORWARD: "Walk forward"}
_SPACE = InvalidSpace("sma_cross", invalid("/space/fast", "fast is 5 to 50 in steps of 0; a step is above 0.").errors)
_MANY = TooManyTrials(combinations=2_000_000, most=1_000_000)
_WINDOWS = CannotWalkForward("40 bars are too few for 20 folds. Choose fewer folds or a longer range.")


def _starts(path: str) -> Responses:
    return {
        **shows(StudyStarted, STUDY_STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems(f"/api/backtests/{path}", *RUNS, _SPACE, _MANY, _WINDOWS),
    }


@router.post(
    "/sweep",
    openapi_extra={**takes(STUDY), **needs(Reach.RUN)},
    operation_id="sweep_backtests",
    summary="Try all combinations of parameters",
    status_code=202,
    responses=_starts("sweep"),
)
async def sweep_backtests(
    *, request: Request, wanted: StudyWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """Or `trials` of them by lot. Cancelled, it keeps what it has by then."""
    return await _start(JobKind.SWEEP, wanted, request=request, house=house, caller=caller, key=key)


@router.post(
    "/optimize",
    openapi_extra={**takes({**STUDY, "trials": 100}), **needs(Reach.RUN)},
    operation_id="optimize_backtests",
    summary="Search for good parameters",
    status_code=202,
    responses=_starts("optimize"),
)
async def optimize_backtests(
    *, request: Request, wanted: StudyWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """It learns from each trial where the next should be. Cancelled, it keeps what it has by then."""
    return await _start(JobKind.OPTIMIZE, wanted, request=request, house=house, caller=caller, key=key)


@router.post(
    "/walk-forward",
    openapi_extra={**takes(WALK), **needs(Reach.RUN)},
    operation_id="walk_forward_backtests",
    summary="Choose parameters on past bars, trade them on the next",
    status_code=202,
    responses=_starts("walk-forward"),
)
async def walk_forward_backtests(
    *, request: Request, wanted: WalkForwardWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """Fold by fold; only what was traded out of sample counts. Cancelled, it keeps the folds it has by then."""
    return await _start(JobKind.WALK_FORWARD, wanted, request=request, house=house, caller=caller, key=key)


@router.post(
    "/studies/estimate",
    openapi_extra={**takes(WALK), **needs(Reach.READ)},
    operation_id="estimate_study",
    summary="Estimate a sweep, a search or a walk forward before it starts",
    responses={
        **shows(StudyEstimate, STUDY_ESTIMATE, "What it takes."),
        **problems("/api/backtests/studies/estimate", *SIGNED_IN, *WITH_BODY, *NOT_RUNNABLE, _SPACE, _MANY, _WINDOWS),
    },
)
async def estimate_study(
    wanted: WalkForwardWanted,
    house: TheHouse,
    caller: ActiveCaller,
    kind: Annotated[
        Literal["sweep", "optimize", "walk_forward"], Query(description="What it does not need is ignored.")
    ] = "sweep",
) -> Response:
    """The same checks as before a start."""
    plan = await _planned(JobKind(kind), wanted, house, caller)
    body = StudyEstimate(**estimate_of(plan).model_dump(), trials=plan.trials)
    return untagged(body)


@router.get(
    "/{backtest_id:uuid}/trials",
    openapi_extra=needs(Reach.READ),
    operation_id="read_backtest_trials",
    summary="Read the trials of a study",
    responses={
        **shows(TableRead, TRIALS, "The best first, at most 1,000 of them."),
        **problems("/api/backtests/{backtest_id}/trials", *RESULTS, invalid("/query/first", "At least 0.")),
    },
)
async def read_backtest_trials(
    *,
    house: TheHouse,
    caller: Caller,
    backtest_id: BacktestId,
    first: Annotated[int, Query(ge=0, le=2**31 - 1, description="The number of the first row.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows at most.")] = 1_000,
) -> Response:
    """To open one, run its parameters as a backtest with the study as `parent_id`."""
    return await table_of(house, caller, backtest_id, "trials", Rows(first=first, count=limit))


async def _start(
    kind: JobKind, wanted: StudyWanted, *, request: Request, house: House, caller: Identity, key: str | None
) -> Response:
    plan = await _planned(kind, wanted, house, caller)
    name = wanted.name or f"{_CALLED[kind]} of {usual_name(plan.config)}"[:LONGEST_NAME]
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            more = {"space": wanted.space, "plan": wanted.how()}
            job, called = await services.backtests.submit(plan, kind=kind, name=name, tags=wanted.tags, more=more)
            body = StudyStarted(id=job.id, kind=job.kind, state=job.state, name=called, trials=plan.trials)
            headers = {**PRIVATE, "Location": f"/api/backtests/{job.id}"}
            return Response(body.model_dump_json(), status_code=202, media_type="application/json", headers=headers)

        return await once(request, key, caller, services.idempotency, work)


async def _planned(kind: JobKind, wanted: StudyWanted, house: House, caller: Identity) -> Plan:
    desk = house.backtests
    return await plan_study(
        desk.planner,
        desk.strategies,
        wanted.config(),
        owner=caller.user_id,
        kind=kind,
        space=wanted.space,
        how=wanted.how(),
    )
