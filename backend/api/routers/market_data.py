"""Market data: who provides it, what is stored, the bars themselves, and the jobs that fetch and mend them."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import AwareDatetime, BaseModel, Field
from starlette.responses import Response

from backend.api.dependencies import Caller, Changing, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.versions import PRIVATE, IfNoneMatch, tagged
from backend.domain.bars import COLUMNS, start_microseconds
from backend.domain.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InputError,
    InvalidCursor,
    InvalidInput,
    JobTooLarge,
    NotAllowed,
    QuotaReached,
    RequestInProgress,
)
from backend.domain.jobs import Job, JobKind, JobState
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import (
    NoBars,
    NotServed,
    SeriesDamaged,
    UnknownProvider,
    UnknownSeries,
    UnknownSymbol,
    VendorBusy,
    VendorUnavailable,
)
from backend.services.market_data import Held

router = APIRouter(prefix="/api", tags=["Market data"])

SERIES = "series"
MOST_BARS = 50_000


class Provider(BaseModel):
    """Where bars can come from."""

    name: str
    title: str
    about: str
    timeframes: list[Timeframe]
    adjustments: list[Adjustment]
    is_simulated: bool = Field(description="Its market is computed, not real.")
    unavailable: str | None = Field(description="Why it cannot be used on this installation; null when it can.")


class Providers(BaseModel):
    """All providers of this installation."""

    items: list[Provider]


class InstrumentFound(BaseModel):
    """Something that is traded, as its provider describes it."""

    provider: str
    symbol: str
    name: str
    calendar: str
    currency: str
    tick: float | None
    lot: float | None
    first_bar: datetime | None
    is_simulated: bool


class Instruments(BaseModel):
    """What a search found, best matches first."""

    items: list[InstrumentFound]


class Range(BaseModel):
    """From a moment up to, not including, another."""

    start: datetime
    end: datetime


class Stored(BaseModel):
    """What is on the disk of a series."""

    rows: int
    size_bytes: int
    first: datetime | None
    last: datetime | None = Field(description="The start of the last bar.")
    covered: list[Range] = Field(description="The time that was asked for and answered, with or without bars in it.")
    content_hash: str
    source: str
    fetched_at: datetime
    instrument: InstrumentFound


class SeriesFound(BaseModel):
    """One series of the catalogue."""

    id: UUID
    provider: str
    symbol: str
    timeframe: Timeframe
    adjustment: Adjustment
    is_own: bool = Field(description="Imported by the caller, who alone sees it; else it is everybody's.")
    created_at: datetime
    stored: Stored | None = Field(description="Null when nothing is stored yet.")


class Bars(BaseModel):
    """Bars by columns, in order of time; `ts` is the start of each bar in milliseconds since 1970."""

    ts: list[int]
    open: list[float]
    high: list[float]
    low: list[float]
    close: list[float]
    volume: list[float]
    content_hash: str = Field(description="Of all bars in the range that was asked for.")
    next_start: datetime | None = Field(description="Ask again from here; null when these were all.")


class Cell(BaseModel):
    """One cell of the heat map."""

    start: datetime
    expected: int
    present: int


class GapFound(BaseModel):
    """Time in which bars were due and none are there."""

    start: datetime
    end: datetime
    bars: int


class SuspectFound(BaseModel):
    """A bar that deserves a second look."""

    ts: datetime
    kind: str
    detail: str


class Coverage(BaseModel):
    """How complete a series is, and what looks odd in it."""

    cell_length: str = Field(description="day, week, month, quarter or year")
    cells: list[Cell]
    rows: int
    expected: int
    missing: int
    gaps: list[GapFound] = Field(description="The first 500.")
    gap_count: int
    suspects: list[SuspectFound] = Field(description="The first 500.")
    suspect_count: int


class Wanted(BaseModel):
    """Which bars to fetch."""

    provider: str = Field(max_length=60)
    symbol: str = Field(max_length=40)
    timeframe: Timeframe
    adjustment: Adjustment = Adjustment.RAW
    start: AwareDatetime
    end: AwareDatetime | None = Field(default=None, description="Now, when left out.")

    model_config = {
        "json_schema_extra": {
            "example": {
                "provider": "demo",
                "symbol": "BTC/USDT",
                "timeframe": "1h",
                "start": "2025-01-01T00:00:00Z",
                "end": "2026-01-01T00:00:00Z",
            }
        }
    }


class EstimateMade(BaseModel):
    """What a fetch would bring."""

    missing: list[Range] = Field(description="What is not stored yet.")
    bars: int
    size_bytes: int
    seconds: float


class RepairWanted(BaseModel):
    """Which gaps to fetch again."""

    series_id: UUID
    gaps: list[Range] = Field(default_factory=list, max_length=1000, description="All, when left out.")

    model_config = {"json_schema_extra": {"example": {"series_id": "0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a"}}}


class Started(BaseModel):
    """The task that works on it."""

    task_id: UUID
    series_id: UUID
    kind: JobKind
    state: JobState


_ID = UUID("0f9d2a7b-6c1e-4b7a-8a55-1f2e3d4c5b6a")
_THEN, _NOW = datetime(2025, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
INSTRUMENT = InstrumentFound(
    provider="demo",
    symbol="BTC/USDT",
    name="Bitcoin, simulated",
    calendar="24/7",
    currency="USDT",
    tick=0.01,
    lot=0.00001,
    first_bar=datetime(2015, 1, 1, tzinfo=UTC),
    is_simulated=True,
)
PROVIDER = Provider(
    name="demo",
    title="Simulated market",
    about="Computed bars that are the same on every machine.",
    timeframes=[Timeframe.M1, Timeframe.H1, Timeframe.D1],
    adjustments=[Adjustment.RAW],
    is_simulated=True,
    unavailable=None,
)
FOUND = SeriesFound(
    id=_ID,
    provider="demo",
    symbol="BTC/USDT",
    timeframe=Timeframe.H1,
    adjustment=Adjustment.RAW,
    is_own=False,
    created_at=_NOW,
    stored=Stored(
        rows=8760,
        size_bytes=105_120,
        first=_THEN,
        last=_NOW,
        covered=[Range(start=_THEN, end=_NOW)],
        content_hash="9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e",
        source="demo",
        fetched_at=_NOW,
        instrument=INSTRUMENT,
    ),
)
BARS = Bars(
    ts=[1735689600000],
    open=[93500.0],
    high=[93710.5],
    low=[93420.0],
    close=[93650.25],
    volume=[12.5],
    content_hash="9f1c2b7de0a94c5f8f5a4d3c2b1a0f9e",
    next_start=None,
)
COVERAGE = Coverage(
    cell_length="month",
    cells=[Cell(start=_THEN, expected=744, present=740)],
    rows=8756,
    expected=8760,
    missing=4,
    gaps=[GapFound(start=_THEN, end=_NOW, bars=4)],
    gap_count=1,
    suspects=[SuspectFound(ts=_THEN, kind="zero_volume", detail="40 bars in a row have no volume.")],
    suspect_count=1,
)
ESTIMATE = EstimateMade(missing=[Range(start=_THEN, end=_NOW)], bars=8760, size_bytes=105_120, seconds=0.2)
STARTED = Started(task_id=_ID, series_id=_ID, kind=JobKind.FETCH, state=JobState.QUEUED)

SeriesId = Annotated[UUID, Path(description="The series' id.", examples=[str(_ID)])]
SeriesQuery = Annotated[UUID, Query(description="The series' id.", examples=[str(_ID)])]
_BAD_ID = invalid("/path/series_id", "Input should be a valid UUID.")
_BAD_QUERY_ID = invalid("/query/series_id", "Input should be a valid UUID.")
_VENDOR = (
    UnknownProvider("dem", ["demo"]),
    UnknownSymbol("BTCUSDT", "demo", ["BTC/USDT"]),
    NotServed("demo has no bars of 2w."),
    VendorUnavailable("crypto:binance did not answer 5 times. Try again later."),
    VendorBusy("crypto:binance", 30),
)
_STARTS = (
    *SIGNED_IN,
    *WITH_BODY,
    QuotaReached("waiting tasks", limit=1000, count=1000),
    JobTooLarge(cores=1, memory_bytes=1 << 30, capacity_cores=1, capacity_memory_bytes=1 << 29),
    RequestInProgress(),
    IdempotencyKeyInvalid(),
    IdempotencyKeyReused(),
)


@router.get(
    "/providers",
    operation_id="list_providers",
    summary="List the providers of market data",
    responses={
        **shows(Providers, Providers(items=[PROVIDER]), "All of this installation.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/providers", *SIGNED_IN),
    },
)
async def list_providers(request: Request, house: TheHouse, _caller: Caller, _: IfNoneMatch = None) -> Response:
    """Also those that cannot be used here, with the reason."""
    items = [Provider(**vars(facts)) for facts in house.markets.providers()]
    return tagged(request, Providers(items=items))


@router.get(
    "/data/instruments",
    operation_id="search_instruments",
    summary="Search what a provider has",
    responses={
        **shows(Instruments, Instruments(items=[INSTRUMENT]), "Best matches first."),
        **problems(
            "/api/data/instruments", *SIGNED_IN, *_VENDOR, invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def search_instruments(
    house: TheHouse,
    _caller: Caller,
    provider: Annotated[str, Query(max_length=60, description="As /api/providers names it.")],
    search: Annotated[str, Query(max_length=40, description="A part of a symbol or name.")] = "",
    limit: Limit = 50,
) -> Response:
    """Symbols as the provider writes them, which is how a fetch names them."""
    found = await house.markets.instruments(provider, search, limit=limit)
    return _json(Instruments(items=[_instrument(one) for one in found]))


@router.get(
    "/data/series",
    operation_id="list_series",
    summary="List the series that there are",
    responses={
        **shows(Page[SeriesFound], Page[SeriesFound](items=[FOUND], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems(
            "/api/data/series", *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def list_series(
    *,
    request: Request,
    services: Reading,
    search: Annotated[str, Query(max_length=40, description="Only symbols that have this in them.")] = "",
    provider: Annotated[str | None, Query(max_length=60, description="Only of this provider.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Shared series, which everybody may read, and what the caller imported."""
    found = await services.market_data.catalogue(
        limit=limit, after=from_cursor(SERIES, cursor), search=search, provider=provider
    )
    following = to_cursor(SERIES, found.next) if found.next else None
    answer = tagged(request, Page[SeriesFound](items=[_series(held) for held in found.items], next_cursor=following))
    filters = {"search": [search] if search else [], "provider": [provider] if provider else []}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/data/series/{series_id}",
    operation_id="read_series",
    summary="Read what is stored of a series",
    responses={
        **shows(SeriesFound, FOUND, "The series.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/data/series/{series_id}", *SIGNED_IN, UnknownSeries(_ID), _BAD_ID),
    },
)
async def read_series(request: Request, services: Reading, series_id: SeriesId, _: IfNoneMatch = None) -> Response:
    """One line of the catalogue, with what the disk holds of it."""
    return tagged(request, _series(await services.market_data.held(series_id)))


@router.delete(
    "/data/series/{series_id}",
    operation_id="delete_series",
    summary="Delete a series that one imported",
    status_code=204,
    responses={
        204: {"description": "It is gone, with its bars."},
        **problems(
            "/api/data/series/{series_id}",
            *SIGNED_IN,
            UnknownSeries(_ID),
            NotAllowed("Shared series are everybody's; they can be fetched again, but not deleted by one user."),
            _BAD_ID,
        ),
    },
)
async def delete_series(services: Changing, series_id: SeriesId) -> Response:
    """Its bars are deleted from the disk. Shared series stay."""
    await services.market_data.remove(series_id)
    return Response(status_code=204)


@router.get(
    "/data/bars",
    operation_id="read_bars",
    summary="Read the bars of a series",
    responses={
        **shows(Bars, BARS, "In order of time, at most `limit` of them."),
        **problems(
            "/api/data/bars",
            *SIGNED_IN,
            UnknownSeries(_ID),
            NoBars("The series has bars from 2025-01-01 to 2026-01-01, none in this range."),
            SeriesDamaged("The file of 2025-03 is not what was written. It was set aside; fetch it again."),
            _BAD_QUERY_ID,
        ),
    },
)
async def read_bars(
    *,
    services: Reading,
    series_id: SeriesQuery,
    start: Annotated[AwareDatetime | None, Query(description="From this moment; the first bar, when left out.")] = None,
    end: Annotated[AwareDatetime | None, Query(description="Up to, not including, this moment.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BARS, description="How many bars at most.")] = 5_000,
) -> Response:
    """Whole series come page by page: ask again from `next_start`."""
    loaded = await services.market_data.bars(series_id, _span(start, end))
    return Response(
        await asyncio.to_thread(_bars_json, loaded.bars, loaded.content_hash, limit),
        media_type="application/json",
        headers=PRIVATE,
    )


@router.get(
    "/data/coverage",
    operation_id="read_coverage",
    summary="Read how complete a series is",
    responses={
        **shows(Coverage, COVERAGE, "Its heat map, gaps and odd bars.", "ETag"),
        **NOT_MODIFIED,
        **problems(
            "/api/data/coverage",
            *SIGNED_IN,
            UnknownSeries(_ID),
            NoBars("Nothing of demo BTC/USDT 1h is stored yet. Download it first."),
            SeriesDamaged("The file of 2025-03 is not what was written. It was set aside; fetch it again."),
            _BAD_QUERY_ID,
        ),
    },
)
async def read_coverage(request: Request, services: Reading, series_id: SeriesQuery, _: IfNoneMatch = None) -> Response:
    """Counted against the calendar of its market: nights and holidays are no gaps."""
    cells, length = await services.market_data.coverage(series_id)
    quality = await services.market_data.quality(series_id)
    return tagged(
        request,
        Coverage(
            cell_length=length,
            cells=[Cell(start=cell.start, expected=cell.expected, present=cell.present) for cell in cells],
            rows=quality.rows,
            expected=quality.expected,
            missing=quality.missing,
            gaps=[GapFound(start=gap.span.start, end=gap.span.end, bars=gap.bars) for gap in quality.gaps],
            gap_count=quality.gap_count,
            suspects=[SuspectFound(ts=one.ts, kind=one.kind, detail=one.detail) for one in quality.suspects],
            suspect_count=quality.suspect_count,
        ),
    )


@router.post(
    "/data/fetch/estimate",
    operation_id="estimate_fetch",
    summary="Estimate a download before it starts",
    responses={
        **shows(EstimateMade, ESTIMATE, "What is missing, and what it takes."),
        **problems(
            "/api/data/fetch/estimate", *SIGNED_IN, *WITH_BODY, *_VENDOR, invalid("/start", "It lies in the future.")
        ),
    },
)
async def estimate_fetch(wanted: Wanted, house: TheHouse, caller: Caller) -> Response:
    """Only what is not stored yet counts; nothing is downloaded."""
    series, span = _asked(wanted, house.clock.now())
    instrument = await house.markets.instrument_of(series)
    pace = house.markets.fetcher(series.provider).bars_a_second
    async with house.acting_as(caller, readonly=True) as services:
        made = await services.market_data.estimate(instrument, series, span, bars_a_second=pace)
    return _json(
        EstimateMade(missing=_ranges(made.missing), bars=made.bars, size_bytes=made.size_bytes, seconds=made.seconds)
    )


@router.post(
    "/data/fetch",
    operation_id="fetch_bars",
    summary="Download bars",
    status_code=202,
    responses={
        **shows(Started, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems("/api/data/fetch", *_STARTS, *_VENDOR, invalid("/start", "It lies in the future.")),
    },
)
async def fetch_bars(
    *, request: Request, wanted: Wanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """A task downloads what is missing, page by page: cancelled or cut, it goes on where it was."""
    series, span = _asked(wanted, house.clock.now())
    # The provider is asked before the transaction begins: it may take its time.
    instrument = await house.markets.instrument_of(series)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            entry, job = await services.market_data.fetch(instrument, series, span)
            return _started(entry.id, job)

        return await once(request, key, caller, services.idempotency, work)


@router.post(
    "/data/repair",
    operation_id="repair_series",
    summary="Fetch the gaps of a series again",
    status_code=202,
    responses={
        **shows(Started, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems(
            "/api/data/repair",
            *_STARTS,
            UnknownSeries(_ID),
            NoBars("The series has no gaps, so there is nothing to fetch again."),
            NotAllowed("An imported series has no provider to ask again."),
            invalid("/series_id", "Input should be a valid UUID."),
        ),
    },
)
async def repair_series(
    *, request: Request, wanted: RepairWanted, caller: Caller, services: Changing, key: IdempotencyKey = None
) -> Response:
    """What the provider does not have either stays a gap."""
    gaps = [_span_of(f"/gaps/{place}/end", gap.start, gap.end) for place, gap in enumerate(wanted.gaps)]

    async def work() -> Response:
        return _started(wanted.series_id, await services.market_data.repair(wanted.series_id, gaps))

    return await once(request, key, caller, services.idempotency, work)


def _asked(wanted: Wanted, now: datetime) -> tuple[Series, Span]:
    try:
        series = Series(
            provider=wanted.provider,
            symbol=wanted.symbol,
            timeframe=wanted.timeframe,
            adjustment=wanted.adjustment,
        )
    except ValueError as error:
        field = "/symbol" if "symbol" in str(error) else "/provider"
        raise InvalidInput([InputError(pointer=field, detail=f"{error}.")]) from error
    return series, _span_of("/end", wanted.start, wanted.end or max(now, wanted.start))


def _span_of(pointer: str, start: datetime, end: datetime) -> Span:
    if start.tzinfo is None or end.tzinfo is None:
        raise InvalidInput([InputError(pointer=pointer, detail="A time needs its zone, such as 2026-01-01T00:00:00Z.")])
    start, end = start.astimezone(UTC), end.astimezone(UTC)
    if end < start:
        raise InvalidInput([InputError(pointer=pointer, detail=f"It ends at {end:%Y-%m-%d}, before it starts.")])
    return Span(start=start, end=end)


def _span(start: datetime | None, end: datetime | None) -> Span | None:
    if start is None and end is None:
        return None
    return _span_of("/query/end", start or datetime(1900, 1, 1, tzinfo=UTC), end or datetime(2200, 1, 1, tzinfo=UTC))


def _started(series_id: UUID, job: Job) -> Response:
    body = Started(task_id=job.id, series_id=series_id, kind=job.kind, state=job.state)
    return Response(
        body.model_dump_json(),
        status_code=202,
        media_type="application/json",
        headers={**PRIVATE, "Location": f"/api/system/tasks/{job.id}"},
    )


def _series(held: Held) -> SeriesFound:
    entry, manifest = held.entry, held.manifest
    return SeriesFound(
        id=entry.id,
        provider=entry.series.provider,
        symbol=entry.series.symbol,
        timeframe=entry.series.timeframe,
        adjustment=entry.series.adjustment,
        is_own=entry.series.owner is not None,
        created_at=entry.created_at,
        stored=None
        if manifest is None
        else Stored(
            rows=manifest.rows,
            size_bytes=manifest.size_bytes,
            first=manifest.first,
            last=manifest.last,
            covered=_ranges(manifest.covered),
            content_hash=manifest.content_hash,
            source=manifest.source,
            fetched_at=manifest.fetched_at,
            instrument=_instrument(manifest.instrument),
        ),
    )


def _instrument(instrument: Instrument) -> InstrumentFound:
    return InstrumentFound(**vars(instrument))


def _ranges(spans: Sequence[Span]) -> list[Range]:
    return [Range(start=span.start, end=span.end) for span in spans]


def _bars_json(bars: Any, content_hash: str, limit: int) -> bytes:
    """By hand: building a model of 300,000 numbers would take longer than reading them."""
    shown = bars.iloc[:limit]
    rest = bars["ts"].iloc[limit].isoformat() if len(bars) > limit else None
    columns = {name: shown[name].to_numpy().tolist() for name in COLUMNS}
    milliseconds = (start_microseconds(shown) // 1000).tolist()
    body = {"ts": milliseconds, **columns, "content_hash": content_hash, "next_start": rest}
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json", headers=PRIVATE)
