"""Files of bars: uploaded, looked at, imported as one's own series, and exported again."""

import asyncio
from collections.abc import Iterator
from typing import IO, Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from starlette.requests import ClientDisconnect
from starlette.responses import Response, StreamingResponse

from backend.api.dependencies import ActiveCaller, Caller, TheHouse, active_caller
from backend.api.documentation import SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.errors import BadRequest
from backend.api.idempotency import IdempotencyKey, once
from backend.api.routers.file_shapes import (
    IMPORT_WANTED,
    PREVIEW_WANTED,
    PREVIEWED,
    UPLOADED,
    ImportWanted,
    PreviewMade,
    PreviewWanted,
    UploadKept,
)
from backend.api.routers.market_data import SeriesQuery, entry_of, series_given
from backend.api.routers.market_fetching import STARTS, started
from backend.api.routers.market_shapes import SERIES_ID, STARTED, Started
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, untagged
from backend.bootstrap import House
from backend.domain.errors import BodyTooLarge
from backend.domain.jobs import KINDS, Demand, JobKind
from backend.domain.market import IMPORT, Series, Span, Timeframe
from backend.domain.market_errors import (
    BadFile,
    DataTooLarge,
    NoBars,
    SeriesDamaged,
    StorageFull,
    UnknownMarketData,
    UnknownSeries,
    UnknownUpload,
)
from backend.domain.market_ports import LARGEST_UPLOAD_BYTES, Upload, UploadWriter
from backend.services.importing import (
    PREVIEWED_ROWS,
    reading_facts,
)

router = APIRouter(prefix="/api", tags=["Market data"])

UPLOAD_PATH = "/api/data/uploads"
_PIECE = 1 << 20
# An import holds the numbers of a file, which its text (or what Parquet packed) says the size of roughly.
_BYTES_PER_UPLOADED_BYTE = 6
_MEDIA = {"csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
_UNREADABLE = (
    UnknownUpload(SERIES_ID),
    BadFile("No table with at least 5 columns was found."),
    DataTooLarge("The table has 70 columns; at most 64 are read."),
    invalid("/reading/columns/open", "The file has no column 'Opn'."),
)


@router.post(
    "/data/uploads",
    operation_id="upload_file",
    summary="Upload a file of bars",
    status_code=201,
    openapi_extra={
        **needs(Reach.DATA),
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        },
    },
    responses={
        **shows(UploadKept, UPLOADED, "Kept for a day, for its owner alone.", status=201),
        **problems(
            UPLOAD_PATH,
            *SIGNED_IN,
            BodyTooLarge(LARGEST_UPLOAD_BYTES),
            DataTooLarge("It needs 30.0 MiB, and 5.0 GiB of your 5.0 GiB are taken. Delete series first."),
            StorageFull("The disk has no room for this file."),
            BadRequest("The upload broke off."),
            BadFile("The file is empty."),
            invalid("/query/name", "String should have at least 1 character."),
        ),
    },
)
async def upload_file(
    request: Request,
    house: TheHouse,
    caller: ActiveCaller,
    name: Annotated[str, Query(min_length=1, max_length=200, description="What the file is called.")],
) -> Response:
    """CSV of any dialect, or Parquet, as the raw body: at most 256 MiB."""
    await asyncio.to_thread(house.market.quotas.require, caller.user_id, _announced_bytes(request))
    writer = await asyncio.to_thread(house.market.uploads.begin, caller.user_id, name)
    try:
        if not await _write_body(request, writer):
            raise BadFile("The file is empty.")
        # Who was suspended or left meanwhile keeps nothing; an upload may take its time.
        await active_caller(request, caller)
        # One that did not say how large it is counts as a whole only now.
        await asyncio.to_thread(house.market.quotas.require, caller.user_id, 0)
        kept = await asyncio.to_thread(writer.keep)
    except ClientDisconnect:
        raise BadRequest("The upload broke off.") from None
    finally:
        await asyncio.to_thread(writer.discard)
    body = UploadKept(upload_id=kept.id, name=kept.name, size_bytes=kept.size_bytes)
    return untagged(body, status=201)


@router.post(
    "/data/import/preview",
    operation_id="preview_import",
    summary="See what is understood of an uploaded file",
    openapi_extra={**takes(PREVIEW_WANTED), **needs(Reach.DATA)},
    responses={
        **shows(PreviewMade, PREVIEWED, "Of its first rows."),
        **problems("/api/data/import/preview", *SIGNED_IN, *WITH_BODY, *_UNREADABLE),
    },
)
async def preview_import(wanted: PreviewWanted, house: TheHouse, caller: ActiveCaller) -> Response:
    """Correct the reading and look again until the bars are right; then import with the same reading."""
    await _require_calendar(house, wanted.calendar)
    reading = wanted.reading.reading() if wanted.reading else None

    upload = await asyncio.to_thread(house.market.uploads.find, caller.user_id, wanted.upload_id)
    seen = await house.market.looks.look(
        caller.user_id,
        wanted.upload_id,
        rows=PREVIEWED_ROWS,
        reading=reading_facts(reading) if reading else None,
        timeframe=wanted.timeframe,
        calendar=wanted.calendar,
    )
    made = PreviewMade.model_validate({"name": upload.name, **seen})
    return untagged(made)


@router.post(
    "/data/import",
    operation_id="import_file",
    summary="Import an uploaded file as a series of one's own",
    status_code=202,
    openapi_extra={**takes(IMPORT_WANTED), **needs(Reach.DATA)},
    responses={
        **shows(Started, STARTED, "Queued.", "Location", "Idempotency-Replayed", status=202),
        **problems(
            "/api/data/import",
            *STARTS,
            *_UNREADABLE,
            invalid("/symbol", "'..' is no symbol: letters from A to Z, digits and ._:/^=- make one, 40 at most."),
        ),
    },
)
async def import_file(
    *, request: Request, wanted: ImportWanted, house: TheHouse, caller: ActiveCaller, key: IdempotencyKey = None
) -> Response:
    """A task reads the whole file. What it has replaces what the series had of that time; nobody else sees it."""
    _require_symbol(wanted)
    await _require_calendar(house, wanted.calendar)
    reading = wanted.reading.reading()

    async def look() -> Upload:
        upload = await asyncio.to_thread(house.market.uploads.find, caller.user_id, wanted.upload_id)
        await house.market.looks.look(
            caller.user_id, upload.id, rows=1, reading=reading_facts(reading), calendar=wanted.calendar
        )
        return upload

    # Under a key that was used before, the file may be gone: the answer is not.
    upload = await look() if key is None else None
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            found = await look() if upload is None else upload
            entry, job = await services.market_data.add_import(
                wanted.symbol, wanted.timeframe, wanted.adjustment, _payload(wanted, found), demand=_demand(found)
            )
            return started(entry.id, job)

        return await once(request, key, caller, services.idempotency, work)


@router.get(
    "/data/export",
    operation_id="export_series",
    openapi_extra=needs(Reach.READ),
    summary="Export a series as a file",
    response_class=StreamingResponse,
    responses={
        200: {
            "description": "All of its bars. Imported again, they are the same to the last bit.",
            "content": {
                "text/csv": {
                    "schema": {"type": "string"},
                    "example": "ts,open,high,low,close,volume\n2025-01-01T00:00:00Z,93.5,93.7,93.4,93.6,12.5\n",
                },
                _MEDIA["parquet"]: {"schema": {"type": "string", "format": "binary"}, "example": "PAR1"},
            },
        },
        **problems(
            "/api/data/export",
            *SIGNED_IN,
            UnknownSeries(SERIES_ID),
            NoBars("Nothing of demo BTC/USDT 1h is stored. Download it first."),
            SeriesDamaged("Stored bars are not what was written. Download them again."),
            StorageFull("The disk has no room for this file."),
            invalid("/query/format", "Input should be 'csv' or 'parquet'."),
        ),
    },
)
async def export_series(
    *,
    house: TheHouse,
    caller: Caller,
    series_id: SeriesQuery,
    kind: Annotated[Literal["csv", "parquet"], Query(alias="format", description="Of the file.")] = "csv",
) -> Response:
    """Times are ISO in UTC, and numbers have as many digits as it takes to get the same number back."""
    entry = await entry_of(house, caller, series_id)
    loaded = await house.market.library.bars(entry)
    file = await asyncio.to_thread(house.market.files.open_written, loaded.bars, kind)
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="{_file_name(entry.series)}.{kind}"'}
    return StreamingResponse(_pieces(file), media_type=_MEDIA[kind], headers=headers)


def _announced_bytes(request: Request) -> int:
    said = request.headers.get("content-length", "")
    return int(said) if said.isdigit() else 0


async def _write_body(request: Request, writer: UploadWriter) -> int:
    """Piece by piece to the disk; how many bytes that were."""
    waiting, size = bytearray(), 0
    async for chunk in request.stream():
        waiting += chunk
        size += len(chunk)
        if len(waiting) >= _PIECE:
            await asyncio.to_thread(writer.write, bytes(waiting))
            waiting.clear()
    await asyncio.to_thread(writer.write, bytes(waiting))
    return size


def _pieces(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        while piece := file.read(_PIECE):
            yield piece


def _file_name(series: Series) -> str:
    parts = (series.provider, series.symbol, series.timeframe)
    return "-".join("".join(one if one.isalnum() else "_" for one in part) for part in parts)


def _require_symbol(wanted: ImportWanted) -> None:
    series_given("", provider=IMPORT, symbol=wanted.symbol, timeframe=wanted.timeframe)


async def _require_calendar(house: House, calendar: str) -> None:
    now = house.clock.now()
    try:
        await asyncio.to_thread(
            house.market.calendar.sessions, calendar, Span(start=now - Timeframe.D1.length, end=now)
        )
    except UnknownMarketData as error:
        raise invalid("/calendar", error.detail) from error


def _payload(wanted: ImportWanted, upload: Upload) -> dict[str, Any]:
    return {
        "upload_id": str(upload.id),
        "name": upload.name,
        "calendar": wanted.calendar,
        "currency": wanted.currency,
        "reading": reading_facts(wanted.reading.reading()),
        "accept_bad_rows": wanted.accept_bad_rows,
    }


def _demand(upload: Upload) -> Demand:
    usual = KINDS[JobKind.IMPORT].demand
    return Demand(cores=usual.cores, memory_bytes=usual.memory_bytes + _BYTES_PER_UPLOADED_BYTE * upload.size_bytes)
