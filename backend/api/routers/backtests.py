"""Backtests: run, found again, described, and their presets. What comes out of them is read in backtest_results.py."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic_core import to_json
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, Changing, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Limit, Page, link_to_next
from backend.api.routers.backtest_cursor import BacktestCursor, from_cursor, to_cursor
from backend.api.routers.backtest_shapes import (
    BACKTEST_ID,
    EDIT,
    ESTIMATE,
    FOUND,
    ROW,
    STARTED,
    WANTED,
    BacktestEdit,
    BacktestFound,
    BacktestRow,
    BacktestStarted,
    BacktestWanted,
    FailureFound,
    RunEstimate,
    RunWanted,
    TagCount,
    TagCounts,
)
from backend.api.routers.market_data import NO_NUL
from backend.api.routers.market_fetching import STARTS
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfMatch, IfNoneMatch, required_version, tagged, untagged
from backend.bootstrap_services import Services
from backend.domain.backtest_errors import BarsMissing
from backend.domain.backtests import (
    Backtest,
    BacktestChange,
    BacktestFilter,
    BacktestInBrief,
    BacktestOrder,
    BacktestSort,
    Plan,
)
from backend.domain.errors import (
    BacktestNotFinished,
    BacktestNotFound,
    InputError,
    InvalidCursor,
    InvalidInput,
    QuotaReached,
    VersionConflict,
    VersionRequired,
)
from backend.domain.jobs import Job, JobKind, JobState
from backend.services.backtest_reading import config_of

router = APIRouter(prefix="/api/backtests", tags=["Backtests"])

BacktestId = Annotated[UUID, Path(description="The backtest's id.", examples=[str(BACKTEST_ID)])]
BAD_ID = invalid("/path/backtest_id", "Input should be a valid UUID.")
NOT_RUNNABLE = (
    invalid("/parameters/slow", "More than 20 is needed; there is 10."),
    BarsMissing(
        [
            InputError(
                pointer="/series/0", detail="Bars between 2023-01-01 and 2024-01-01 are not stored. Download them."
            )
        ]
    ),
)
RUNS = (*STARTS, *NOT_RUNNABLE, QuotaReached("stored backtests", limit=20_000, count=20_000))


@router.post(
    "/run",
    openapi_extra={**takes(WANTED), **needs(Reach.RUN)},
    operation_id="run_backtest",
    summary="Run a backtest",
    status_code=202,
    responses={
        **shows(BacktestStarted, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems("/api/backtests/run", *RUNS, BacktestNotFound(BACKTEST_ID)),
    },
)
async def run_backtest(
    *, request: Request, wanted: BacktestWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """All is checked before it is queued; what is wrong is named by its field."""
    plan = await house.backtests.planner.plan(wanted.config(), caller.user_id)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            job, name = await services.backtests.submit(
                plan, name=wanted.name, tags=wanted.tags, parent_id=wanted.parent_id
            )
            return started(job, name)

        return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/estimate",
    openapi_extra={**takes(WANTED), **needs(Reach.READ)},
    operation_id="estimate_backtest",
    summary="Estimate a run before it starts",
    responses={
        **shows(RunEstimate, ESTIMATE, "What it takes."),
        **problems("/api/backtests/estimate", *SIGNED_IN, *WITH_BODY, *NOT_RUNNABLE),
    },
)
async def estimate_backtest(wanted: RunWanted, house: TheHouse, caller: ActiveCaller) -> Response:
    """The same checks as before a run."""
    plan = await house.backtests.planner.plan(wanted.config(), caller.user_id)
    return untagged(estimate_of(plan))


@router.get(
    "",
    operation_id="list_backtests",
    openapi_extra=needs(Reach.READ),
    summary="List one's backtests",
    responses={
        **shows(Page[BacktestRow], Page[BacktestRow](items=[ROW], next_cursor=None), "In that order.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems(
            "/api/backtests", *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def list_backtests(
    *,
    request: Request,
    services: Reading,
    search: Annotated[
        str, Query(max_length=80, pattern=NO_NUL, description="In names, notes, tags, strategies and symbols.")
    ] = "",
    kind: Annotated[list[JobKind], Query(description="Only of these kinds.")] = [],  # noqa: B006 - never changed
    state: Annotated[list[JobState], Query(description="Only in these states.")] = [],  # noqa: B006 - never changed
    tag: Annotated[list[str], Query(max_length=20, description="With all of these tags.")] = [],  # noqa: B006
    strategy: Annotated[str | None, Query(max_length=100, pattern=NO_NUL, description="Only of this one.")] = None,
    symbol: Annotated[str | None, Query(max_length=40, pattern=NO_NUL, description="Only with this one.")] = None,
    parent: Annotated[UUID | None, Query(description="Only what was made from this backtest.")] = None,
    starred: Annotated[bool | None, Query(description="Only those with a star, or without.")] = None,
    archived: Annotated[bool, Query(description="Those that were put away, in place of the others.")] = False,
    deleted: Annotated[bool, Query(description="Those that can be brought back, in place of the others.")] = False,
    sort: Annotated[BacktestSort, Query(description="What to order by.")] = BacktestSort.CREATED,
    descending: Annotated[bool, Query(description="The largest, or newest, first.")] = True,
    limit: Limit = 50,
    cursor: BacktestCursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """What has no such figure comes last, whichever way it is ordered."""
    order = BacktestOrder(by=sort, is_descending=descending)
    only = BacktestFilter(
        search=search,
        kinds=kind,
        states=state,
        tags=[require_text(one, f"/query/tag/{place}") for place, one in enumerate(tag)],
        strategy=strategy,
        symbol=symbol,
        parent_id=parent,
        is_starred=starred,
        is_archived=archived,
        is_deleted=deleted,
    )
    page = await services.backtests.backtests(limit=limit, after=from_cursor(order, cursor), order=order, only=only)
    following = to_cursor(order, page.next) if page.next else None
    answer = tagged(request, to_json({"items": [row_of(one) for one in page.items], "next_cursor": following}))
    asked = [(name, value) for name, value in request.query_params.multi_items() if name not in ("limit", "cursor")]
    filters = {name: [value for other, value in asked if other == name] for name, _ in asked}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/tags",
    operation_id="list_backtest_tags",
    openapi_extra=needs(Reach.READ),
    summary="List the tags in use",
    responses={
        **shows(TagCounts, TagCounts(items=[TagCount(tag="trend", count=12)]), "The most used first."),
        **problems("/api/backtests/tags", *SIGNED_IN),
    },
)
async def list_backtest_tags(services: Reading) -> Response:
    """Of all backtests that are not deleted."""
    found = await services.backtests.tags()
    return untagged(TagCounts(items=[TagCount(tag=tag, count=count) for tag, count in found.items()]))


@router.get(
    "/{backtest_id:uuid}",
    operation_id="read_backtest",
    openapi_extra=needs(Reach.READ),
    summary="Read a backtest",
    responses={
        **shows(BacktestFound, FOUND, "All but its tables.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/backtests/{backtest_id}", *SIGNED_IN, BacktestNotFound(BACKTEST_ID), BAD_ID),
    },
)
async def read_backtest(
    request: Request, backtest_id: BacktestId, services: Reading, _: IfNoneMatch = None
) -> Response:
    """What was asked, where it stands, and, once it is done, what came out."""
    return await _answer(request, services, await services.backtests.backtest(backtest_id))


@router.patch(
    "/{backtest_id:uuid}",
    openapi_extra={**takes(EDIT), **needs(Reach.RUN)},
    operation_id="edit_backtest",
    summary="Rename, tag, star or archive a backtest, or write notes",
    responses={
        **shows(BacktestFound, FOUND, "As it is now.", "ETag"),
        **problems(
            "/api/backtests/{backtest_id}",
            *SIGNED_IN,
            *WITH_BODY,
            BacktestNotFound(BACKTEST_ID),
            BAD_ID,
            VersionConflict(),
            VersionRequired(),
            invalid("/tags/0", "A tag has 1 to 40 visible characters."),
        ),
    },
)
async def edit_backtest(
    *, request: Request, backtest_id: BacktestId, edit: BacktestEdit, services: Changing, if_match: IfMatch = None
) -> Response:
    """What came out cannot be edited."""
    change = BacktestChange(
        **{**edit.model_dump(exclude={"tags"}), "tags": None if edit.tags is None else tuple(edit.tags)}
    )
    found = await services.backtests.change(backtest_id, change, version=required_version(if_match))
    return await _answer(request, services, found)


@router.delete(
    "/{backtest_id:uuid}",
    operation_id="delete_backtest",
    openapi_extra=needs(Reach.RUN),
    summary="Delete a backtest",
    status_code=204,
    responses={
        204: {"description": "It is in no list any more; for 30 days it can be brought back."},
        **problems("/api/backtests/{backtest_id}", *SIGNED_IN, BacktestNotFound(BACKTEST_ID), BAD_ID),
    },
)
async def delete_backtest(backtest_id: BacktestId, services: Changing) -> Response:
    """One that waits or runs is cancelled."""
    await services.backtests.delete(backtest_id)
    return Response(status_code=204)


@router.post(
    "/{backtest_id:uuid}/restore",
    operation_id="restore_backtest",
    openapi_extra=needs(Reach.RUN),
    summary="Bring a deleted backtest back",
    responses={
        **shows(BacktestFound, FOUND, "As it was.", "ETag"),
        **problems(
            "/api/backtests/{backtest_id}/restore",
            *SIGNED_IN,
            BacktestNotFound(BACKTEST_ID),
            BAD_ID,
            QuotaReached("stored backtests", limit=20_000, count=20_000, remedy="Delete some."),
        ),
    },
)
async def restore_backtest(request: Request, backtest_id: BacktestId, services: Changing) -> Response:
    """For 30 days after it was deleted."""
    return await _answer(request, services, await services.backtests.restore(backtest_id))


@router.post(
    "/{backtest_id:uuid}/replay",
    operation_id="replay_backtest",
    openapi_extra=needs(Reach.RUN),
    summary="Run it again, from the same form",
    status_code=202,
    responses={
        **shows(BacktestStarted, STARTED, "Queued, as a backtest of its own.", "Location", status=202),
        **problems("/api/backtests/{backtest_id}/replay", *RUNS, BacktestNotFound(BACKTEST_ID), BAD_ID),
    },
)
async def replay_backtest(
    *, request: Request, backtest_id: BacktestId, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """Its manifest, beside that of the first, says whether every trade and every bar's equity are the same."""
    async with house.acting_as(caller, readonly=True) as services:
        before = await services.backtests.run(backtest_id)
    plan = await house.backtests.planner.plan(config_of(before), caller.user_id)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            job, name = await services.backtests.submit(plan, name=before.name, parent_id=backtest_id)
            return started(job, name)

        return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/{backtest_id:uuid}/guard",
    operation_id="guard_backtest",
    openapi_extra=needs(Reach.RUN),
    summary="Examine a result thoroughly",
    status_code=202,
    responses={
        **shows(
            BacktestStarted,
            STARTED.model_copy(update={"kind": JobKind.GUARD}),
            "Queued as a task of its own; its findings replace those of the quick look.",
            "Location",
            status=202,
        ),
        **problems(
            "/api/backtests/{backtest_id}/guard",
            *RUNS,
            BacktestNotFound(BACKTEST_ID),
            BacktestNotFinished(BACKTEST_ID, "running"),
            BAD_ID,
        ),
    },
)
async def guard_backtest(
    *, request: Request, backtest_id: BacktestId, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """Asks the strategy hundreds of times, with later bars cut off, changed or shuffled."""
    async with house.acting_as(caller, readonly=True) as services:
        await services.backtests.run(backtest_id)
        before = await services.backtests.finished(backtest_id)
    plan = await house.backtests.planner.plan(config_of(before), caller.user_id, kind=JobKind.GUARD)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            job = await services.backtests.guard(backtest_id, plan)
            return started(job, before.name, place=f"/api/system/tasks/{job.id}")

        return await once(request, key, caller, services.idempotency, work)


def estimate_of(plan: Plan) -> RunEstimate:
    return RunEstimate(
        bars=plan.bars,
        first=plan.first,
        last=plan.last,
        memory_bytes=plan.demand.memory_bytes,
        cores=plan.demand.cores,
        seconds=plan.seconds,
        notes=list(plan.notes),
    )


def started(job: Job, name: str, place: str | None = None) -> Response:
    body = BacktestStarted(id=job.id, kind=job.kind, state=job.state, name=name)
    headers = {**PRIVATE, "Location": place or f"/api/backtests/{job.id}"}
    return Response(body.model_dump_json(), status_code=202, media_type="application/json", headers=headers)


_FAILURE = tuple(FailureFound.model_fields)


def row_of(found: BacktestInBrief) -> dict[str, Any]:
    """A BacktestRow, without a model of each: copying and checking took a quarter of the time of a list.

    All is as plain as JSON: the encoder takes twice as long when it has to find out what an enum or an id is.
    """
    failure = found.failure
    return {
        "id": str(found.id),
        "kind": found.kind.value,
        "state": found.state.value,
        "name": found.name,
        "tags": found.tags,
        "is_starred": found.is_starred,
        "has_notes": found.has_notes,
        "is_partial": found.is_partial,
        "archived_at": found.archived_at,
        "deleted_at": found.deleted_at,
        "created_at": found.created_at,
        "started_at": found.started_at,
        "finished_at": found.finished_at,
        "failure": None if failure is None else {name: getattr(failure, name) for name in _FAILURE},
        "parent_id": found.parent_id,
        "strategy": found.strategy,
        "provider": found.provider,
        "timeframe": found.timeframe,
        "symbols": found.symbols,
        "summary": vars(found.summary),
    }


def require_text(text: str, pointer: str) -> str:
    if "\x00" in text:
        raise InvalidInput([InputError(pointer=pointer, detail="It holds the character U+0000.")])
    return text


async def _answer(request: Request, services: Services, found: Backtest) -> Response:
    facts = {**_facts(found), "trials_now": await services.backtests.trials_now(found)}
    return tagged(request, BacktestFound.model_validate(facts, from_attributes=True), version=found.version)


def _facts(found: BacktestInBrief) -> dict[str, Any]:
    return {**vars(found), "summary": vars(found.summary), "failure": found.failure and vars(found.failure)}
