"""Bars that are downloaded: what it would take, the jobs that do it, and those that mend what has gaps."""

from datetime import datetime
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, TheHouse
from backend.api.documentation import SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.routers.market_data import VENDOR, ranges, series_given, span_of
from backend.api.routers.market_shapes import (
    ESTIMATE,
    REPAIR,
    SERIES_ID,
    STARTED,
    WANTED,
    EstimateMade,
    RepairWanted,
    Started,
    Wanted,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, untagged
from backend.bootstrap import House
from backend.domain.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    JobTooLarge,
    NotAllowed,
    QuotaReached,
    RequestInProgress,
)
from backend.domain.jobs import Job
from backend.domain.market import Instrument, Series, Span
from backend.domain.market_errors import NoBars, UnknownSeries
from backend.services.bar_library import Estimate

router = APIRouter(prefix="/api", tags=["Market data"])


STARTS = (
    *SIGNED_IN,
    *WITH_BODY,
    QuotaReached("waiting tasks", limit=1000, count=1000),
    JobTooLarge(cores=1, memory_bytes=1 << 30, capacity_cores=1, capacity_memory_bytes=1 << 29),
    RequestInProgress(),
    IdempotencyKeyInvalid(),
    IdempotencyKeyReused(),
)


@router.post(
    "/data/fetch/estimate",
    operation_id="estimate_fetch",
    openapi_extra={**takes(WANTED), **needs(Reach.READ)},
    summary="Estimate a download before it starts",
    responses={
        **shows(EstimateMade, ESTIMATE, "What is missing, and what it takes."),
        **problems(
            "/api/data/fetch/estimate", *SIGNED_IN, *WITH_BODY, *VENDOR, invalid("/start", "It lies in the future.")
        ),
    },
)
async def estimate_fetch(wanted: Wanted, house: TheHouse, _caller: ActiveCaller) -> Response:
    """Only what is not stored yet counts; nothing is downloaded."""
    series, span = _asked(wanted, house.clock.now())
    instrument = await house.market.markets.instrument_of(series)
    made = await _estimate(house, instrument, series, span)
    return untagged(
        EstimateMade(
            missing=ranges(made.missing),
            bars=made.bars,
            requests=house.market.markets.fetcher(series.provider).requests(series, made.missing, made.bars),
            size_bytes=made.size_bytes,
            seconds=made.seconds,
        )
    )


@router.post(
    "/data/fetch",
    operation_id="fetch_bars",
    openapi_extra={**takes(WANTED), **needs(Reach.DATA)},
    summary="Download bars",
    status_code=202,
    responses={
        **shows(Started, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems("/api/data/fetch", *STARTS, *VENDOR, invalid("/start", "It lies in the future.")),
    },
)
async def fetch_bars(
    *, request: Request, wanted: Wanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """A task downloads what is missing, page by page: cancelled or cut, it goes on where it was."""
    series, span = _asked(wanted, house.clock.now())
    # The provider is asked before the transaction begins: it may take its time.
    instrument = await house.market.markets.instrument_of(series)
    planned = await _estimate(house, instrument, series, span)
    span = house.market.library.until_now(span)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            entry, job = await services.market_data.fetch(series, [span], bars=planned.bars)
            return started(entry.id, job)

        return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/data/repair",
    operation_id="repair_series",
    openapi_extra={**takes(REPAIR), **needs(Reach.DATA)},
    summary="Fetch the gaps of a series again",
    status_code=202,
    responses={
        **shows(Started, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems(
            "/api/data/repair",
            *STARTS,
            UnknownSeries(SERIES_ID),
            NoBars("The series has no gaps, so there is nothing to fetch again."),
            NotAllowed("An imported series has no provider to ask again."),
            invalid("/series_id", "Input should be a valid UUID."),
        ),
    },
)
async def repair_series(
    *, request: Request, wanted: RepairWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """What the provider does not have either stays a gap."""
    gaps = [span_of(f"/gaps/{place}/end", gap.start, gap.end) for place, gap in enumerate(wanted.gaps)]
    for place, gap in enumerate(gaps):
        if gap.is_empty or gap.end > house.clock.now():
            raise invalid(f"/gaps/{place}", "It is empty, or ends in the future.")
    if not gaps:
        async with house.acting_as(caller, readonly=True) as services:
            entry = await services.market_data.repairable(wanted.series_id)
        gaps = [gap.span for gap in (await house.market.library.examine(entry)).quality.gaps]
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            return started(wanted.series_id, await services.market_data.repair(wanted.series_id, gaps))

        return await once(request, key, caller, services.idempotency, work)


async def _estimate(house: House, instrument: Instrument, series: Series, span: Span) -> Estimate:
    pace = house.market.markets.fetcher(series.provider).bars_a_second
    return await house.market.library.estimate(instrument, series, span, bars_a_second=pace)


def _asked(wanted: Wanted, now: datetime) -> tuple[Series, Span]:
    series = series_given("", **wanted.model_dump(include={"provider", "symbol", "timeframe", "adjustment"}))
    return series, span_of("/end", wanted.start, wanted.end or max(now, wanted.start))


def started(series_id: UUID, job: Job) -> Response:
    body = Started(task_id=job.id, series_id=series_id, kind=job.kind, state=job.state)
    return Response(
        body.model_dump_json(),
        status_code=202,
        media_type="application/json",
        headers={**PRIVATE, "Location": f"/api/system/tasks/{job.id}"},
    )
