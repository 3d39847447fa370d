"""Market data: who provides it, what is stored, the bars themselves, and the jobs that fetch and mend them."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, invalid, problems, shows
from backend.api.moments import Moment
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.market_shapes import (
    BARS,
    COVERAGE,
    FOUND,
    INSTRUMENT,
    PROVIDER,
    SERIES_ID,
    Bars,
    Cell,
    Coverage,
    GapFound,
    InstrumentFound,
    Instruments,
    Provider,
    Providers,
    Range,
    SeriesFound,
    Stored,
    SuspectFound,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfNoneMatch, tagged, untagged
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.bars import COLUMNS, start_microseconds
from backend.domain.errors import (
    InputError,
    InvalidCursor,
    InvalidInput,
    NotAllowed,
)
from backend.domain.market import Instrument, Series, Span
from backend.domain.market_errors import (
    NoBars,
    NotServed,
    SeriesBusy,
    SeriesDamaged,
    UnknownProvider,
    UnknownSeries,
    UnknownSymbol,
    VendorBusy,
    VendorRefused,
    VendorUnavailable,
)
from backend.domain.market_ports import SeriesEntry
from backend.services.bar_library import Held

router = APIRouter(prefix="/api", tags=["Market data"])

SERIES = "series"
MOST_BARS = 50_000
NO_NUL = r"^[^\x00]*$"  # Postgres has no text with it

SeriesId = Annotated[UUID, Path(description="The series' id.", examples=[str(SERIES_ID)])]
SeriesQuery = Annotated[UUID, Query(description="The series' id.", examples=[str(SERIES_ID)])]
_BAD_ID = invalid("/path/series_id", "Input should be a valid UUID.")
_BAD_QUERY_ID = invalid("/query/series_id", "Input should be a valid UUID.")
VENDOR = (
    UnknownProvider("dem", ["demo"]),
    UnknownSymbol("BTCUSDT", "demo", ["BTC/USDT"]),
    NotServed("demo has no bars of 2w."),
    VendorUnavailable("crypto:binance did not answer 5 times. Try again later."),
    VendorRefused("alpaca refused (HTTP 403). Check the keys."),
    VendorBusy("crypto:binance", 30),
)


@router.get(
    "/providers",
    operation_id="list_providers",
    openapi_extra=needs(Reach.READ),
    summary="List the providers of market data",
    responses={
        **shows(Providers, Providers(items=[PROVIDER]), "All of this installation.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/providers", *SIGNED_IN),
    },
)
async def list_providers(request: Request, house: TheHouse, _caller: ActiveCaller, _: IfNoneMatch = None) -> Response:
    """Also those that cannot be used here, with the reason."""
    items = [Provider(**vars(facts)) for facts in house.market.markets.providers()]
    return tagged(request, Providers(items=items))


@router.get(
    "/data/instruments",
    operation_id="search_instruments",
    openapi_extra=needs(Reach.READ),
    summary="Search what a provider has",
    responses={
        **shows(Instruments, Instruments(items=[INSTRUMENT]), "Best matches first."),
        **problems(
            "/api/data/instruments", *SIGNED_IN, *VENDOR, invalid("/query/limit", "Input should be at most 200.")
        ),
    },
)
async def search_instruments(
    house: TheHouse,
    _caller: ActiveCaller,
    provider: Annotated[str, Query(max_length=60, description="As /api/providers names it.")],
    search: Annotated[str, Query(max_length=40, description="A part of a symbol or name.")] = "",
    limit: Limit = 50,
) -> Response:
    """Symbols as the provider writes them, which is how a fetch names them."""
    found = await house.market.markets.instruments(provider, search, limit=limit)
    return untagged(Instruments(items=[_instrument(one) for one in found]))


@router.get(
    "/data/series",
    operation_id="list_series",
    openapi_extra=needs(Reach.READ),
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
    house: TheHouse,
    caller: Caller,
    search: Annotated[str, Query(max_length=40, pattern=NO_NUL, description="A part of the symbol.")] = "",
    provider: Annotated[str | None, Query(max_length=60, pattern=NO_NUL, description="Only of this provider.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Shared series, which everybody may read, and what the caller imported."""
    after = from_cursor(SERIES, cursor)
    await house.adoption.look_now_and_then()
    async with house.acting_as(caller, readonly=True) as services:
        found = await services.market_data.entries(limit=limit, after=after, search=search, provider=provider)
    held = await house.market.library.holdings(found.items)
    following = to_cursor(SERIES, found.next) if found.next else None
    answer = tagged(request, Page[SeriesFound](items=[_series(one) for one in held], next_cursor=following))
    filters = {"search": [search] if search else [], "provider": [provider] if provider else []}
    answer.headers.update(link_to_next(request.url.path, limit, following, **filters))
    return answer


@router.get(
    "/data/series/{series_id}",
    operation_id="read_series",
    openapi_extra=needs(Reach.READ),
    summary="Read what is stored of a series",
    responses={
        **shows(SeriesFound, FOUND, "The series.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/data/series/{series_id}", *SIGNED_IN, UnknownSeries(SERIES_ID), _BAD_ID),
    },
)
async def read_series(
    *, request: Request, house: TheHouse, caller: Caller, series_id: SeriesId, _: IfNoneMatch = None
) -> Response:
    """One line of the catalogue, with what the disk holds of it."""
    (held,) = await house.market.library.holdings([await entry_of(house, caller, series_id)])
    return tagged(request, _series(held))


@router.delete(
    "/data/series/{series_id}",
    operation_id="delete_series",
    openapi_extra=needs(Reach.DATA),
    summary="Delete a series that one imported",
    status_code=204,
    responses={
        204: {"description": "It is gone, with its bars."},
        **problems(
            "/api/data/series/{series_id}",
            *SIGNED_IN,
            UnknownSeries(SERIES_ID),
            NotAllowed("Shared series are everybody's; they can be fetched again, but not deleted by one user."),
            _BAD_ID,
        ),
    },
)
async def delete_series(house: TheHouse, caller: Caller, series_id: SeriesId) -> Response:
    """Its bars are deleted from the disk. Shared series stay."""
    async with house.acting_as(caller, readonly=True) as services:
        entry = await services.market_data.own_entry(series_id)
    await house.market.library.delete(entry)
    async with house.acting_as(caller) as services:
        await services.market_data.forget(series_id)
    return Response(status_code=204)


@router.get(
    "/data/bars",
    operation_id="read_bars",
    openapi_extra=needs(Reach.READ),
    summary="Read the bars of a series",
    responses={
        **shows(Bars, BARS, "In order of time, at most `limit` of them."),
        **problems(
            "/api/data/bars",
            *SIGNED_IN,
            UnknownSeries(SERIES_ID),
            NoBars("The series has bars from 2025-01-01 to 2026-01-01, none in this range."),
            SeriesBusy("demo BTC/USDT 1h", 60),
            SeriesDamaged("The file of 2025-03 is not what was written. It was set aside; fetch it again."),
            _BAD_QUERY_ID,
        ),
    },
)
async def read_bars(
    *,
    house: TheHouse,
    caller: Caller,
    series_id: SeriesQuery,
    start: Annotated[Moment | None, Query(description="From this moment; the first bar, when left out.")] = None,
    end: Annotated[Moment | None, Query(description="Up to, not including, this moment.")] = None,
    limit: Annotated[int, Query(ge=1, le=MOST_BARS, description="How many bars at most.")] = 5_000,
) -> Response:
    """Whole series come page by page: ask again from `next_start`."""
    span = _span(start, end)
    loaded = await house.market.library.bars(await entry_of(house, caller, series_id), span)
    return Response(
        await asyncio.to_thread(lambda: _bars_json(loaded.bars, loaded.content_hash, limit)),
        media_type="application/json",
        headers=PRIVATE,
    )


@router.get(
    "/data/coverage",
    operation_id="read_coverage",
    openapi_extra=needs(Reach.READ),
    summary="Read how complete a series is",
    responses={
        **shows(Coverage, COVERAGE, "Its heat map, gaps and odd bars.", "ETag"),
        **NOT_MODIFIED,
        **problems(
            "/api/data/coverage",
            *SIGNED_IN,
            UnknownSeries(SERIES_ID),
            NoBars("Nothing of demo BTC/USDT 1h is stored yet. Download it first."),
            SeriesBusy("demo BTC/USDT 1h", 60),
            SeriesDamaged("The file of 2025-03 is not what was written. It was set aside; fetch it again."),
            _BAD_QUERY_ID,
        ),
    },
)
async def read_coverage(
    *, request: Request, house: TheHouse, caller: Caller, series_id: SeriesQuery, _: IfNoneMatch = None
) -> Response:
    """Counted against the calendar of its market: nights and holidays are no gaps."""
    examination = await house.market.library.examine(await entry_of(house, caller, series_id))
    quality = examination.quality
    return tagged(
        request,
        Coverage(
            cell_length=examination.cell_length,
            cells=[Cell(start=cell.start, expected=cell.expected, present=cell.present) for cell in examination.cells],
            rows=quality.rows,
            expected=quality.expected,
            missing=quality.missing,
            gaps=[GapFound(start=gap.span.start, end=gap.span.end, bars=gap.bars) for gap in quality.gaps],
            gap_count=quality.gap_count,
            suspects=[
                SuspectFound(ts=one.ts, end=one.end, kind=one.kind, detail=one.detail) for one in quality.suspects
            ],
            suspect_count=quality.suspect_count,
        ),
    )


async def entry_of(house: House, caller: Identity, series_id: UUID) -> SeriesEntry:
    """The caller's line of the catalogue; its transaction is over before the disk is read."""
    async with house.acting_as(caller, readonly=True) as services:
        return await services.market_data.entry(series_id)


def series_given(at: str, **facts: Any) -> Series:
    """Raises InvalidInput at the field that names none; `at` begins its pointer."""
    try:
        return Series(**facts)
    except ValueError as error:
        field = "symbol" if "symbol" in str(error) else "provider"
        raise InvalidInput([InputError(pointer=f"{at}/{field}", detail=f"{error}.")]) from error


def span_of(pointer: str, start: datetime, end: datetime) -> Span:
    if start.tzinfo is None or end.tzinfo is None:
        raise InvalidInput([InputError(pointer=pointer, detail="A time needs its zone, such as 2026-01-01T00:00:00Z.")])
    try:
        start, end = start.astimezone(UTC), end.astimezone(UTC)
    except OverflowError:
        raise InvalidInput(
            [InputError(pointer=pointer, detail="A time lies in the years 1 to 9999, in UTC.")]
        ) from None
    if end < start:
        raise InvalidInput([InputError(pointer=pointer, detail=f"It ends at {end:%Y-%m-%d}, before it starts.")])
    return Span(start=start, end=end)


def _span(start: datetime | None, end: datetime | None) -> Span | None:
    if start is None and end is None:
        return None
    return span_of("/query/end", start or datetime(1900, 1, 1, tzinfo=UTC), end or datetime(2200, 1, 1, tzinfo=UTC))


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
            covered=ranges(manifest.covered),
            content_hash=manifest.content_hash,
            source=manifest.source,
            fetched_at=manifest.fetched_at,
            instrument=_instrument(manifest.instrument),
        ),
        problem=held.problem,
    )


def _instrument(instrument: Instrument) -> InstrumentFound:
    return InstrumentFound(**vars(instrument))


def ranges(spans: Sequence[Span]) -> list[Range]:
    return [Range(start=span.start, end=span.end) for span in spans]


def _bars_json(bars: Any, content_hash: str, limit: int) -> bytes:
    """By hand: building a model of 300,000 numbers would take longer than reading them."""
    shown = bars.iloc[:limit]
    rest = bars["ts"].iloc[limit].isoformat() if len(bars) > limit else None
    columns = {name: shown[name].to_numpy().tolist() for name in COLUMNS}
    milliseconds = (start_microseconds(shown) // 1000).tolist()
    body = {"ts": milliseconds, **columns, "content_hash": content_hash, "next_start": rest}
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
