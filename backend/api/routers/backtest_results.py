"""What came out of a backtest: its tables by range, its chart, and files to take elsewhere."""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.responses import Response

from backend.api.dependencies import Caller, TheHouse
from backend.api.documentation import SIGNED_IN, invalid, problems, shows
from backend.api.moments import Moment
from backend.api.routers.backtest_shapes import BACKTEST_ID, CHART, TRADES, ChartRead, TableRead
from backend.api.routers.backtests import BAD_ID, BacktestId
from backend.api.routers.market_data import NO_NUL
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.backtests import Backtest, Part, Rows
from backend.domain.errors import BacktestNotFinished, BacktestNotFound
from backend.domain.jobs import JobKind
from backend.domain.market_errors import NoBars, SeriesDamaged
from backend.services.backtest_reading import MOST_CHART_BARS, chart_of, record_of, rows_of, study_document, thinned

router = APIRouter(prefix="/api/backtests", tags=["Backtests"])

MOST_ROWS = 50_000
RESULTS = (*SIGNED_IN, BacktestNotFound(BACKTEST_ID), BacktestNotFinished(BACKTEST_ID, "running"), BAD_ID)
_MEDIA = {"json": "application/json", "csv": "application/zip", "parquet": "application/zip", "html": "text/html"}
# The report needs nothing of us; opened from here it must not be able to reach us either.
_SANDBOXED = "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:"

Start = Annotated[Moment | None, Query(description="From this moment.")]
End = Annotated[Moment | None, Query(description="Up to, not including, this moment.")]


@router.get(
    "/{backtest_id:uuid}/trades",
    operation_id="read_backtest_trades",
    openapi_extra=needs(Reach.READ),
    summary="Read trades by range",
    responses={
        **shows(TableRead, TRADES, "In the order of their exits; those still open come last."),
        **problems("/api/backtests/{backtest_id}/trades", *RESULTS, invalid("/query/first", "At least 0.")),
    },
)
async def read_backtest_trades(
    *,
    house: TheHouse,
    caller: Caller,
    backtest_id: BacktestId,
    first: Annotated[int, Query(ge=0, le=2**31 - 1, description="The number of the first row.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows at most.")] = 1_000,
) -> Response:
    """Only the pieces that hold these rows are read."""
    return await table_of(house, caller, backtest_id, "trades", Rows(first=first, count=limit))


@router.get(
    "/{backtest_id:uuid}/equity",
    operation_id="read_backtest_equity",
    openapi_extra=needs(Reach.READ),
    summary="Read the equity curve",
    responses={
        **shows(
            TableRead,
            TRADES.model_copy(update={"columns": {"ts": ["2023-01-01T00:00:00Z"], "equity": [10_000.0]}}),
            "By bar.",
        ),
        **problems("/api/backtests/{backtest_id}/equity", *RESULTS, invalid("/query/points", "At least 10.")),
    },
)
async def read_backtest_equity(
    *,
    house: TheHouse,
    caller: Caller,
    backtest_id: BacktestId,
    start: Start = None,
    end: End = None,
    points: Annotated[
        int, Query(ge=10, le=MOST_ROWS, description="About so many rows at most; peaks and troughs are kept.")
    ] = 2_000,
) -> Response:
    """Equity, its benchmark, cash and exposure."""
    return await table_of(
        house, caller, backtest_id, "equity", Rows(start=start, end=end), thin=lambda table: thinned(table, points)
    )


@router.get(
    "/{backtest_id:uuid}/chart",
    operation_id="read_backtest_chart",
    openapi_extra=needs(Reach.READ),
    summary="Read the bars and indicators of a run",
    responses={
        **shows(ChartRead, CHART, "As the strategy saw them."),
        **problems(
            "/api/backtests/{backtest_id}/chart",
            *SIGNED_IN,
            BacktestNotFound(BACKTEST_ID),
            BAD_ID,
            NoBars("demo BTC/USDT 1h: not all of that range is stored. Download it first."),
            SeriesDamaged("The file of 2025-03 is not what was written. It was set aside; fetch it again."),
            invalid("/query/symbol", "The run has BTC/USDT."),
        ),
    },
)
async def read_backtest_chart(
    *,
    house: TheHouse,
    caller: Caller,
    backtest_id: BacktestId,
    symbol: Annotated[str | None, Query(max_length=40, pattern=NO_NUL, description="Left out = the first.")] = None,
    start: Start = None,
    end: End = None,
    limit: Annotated[int, Query(ge=1, le=MOST_CHART_BARS, description="How many bars at most.")] = 5_000,
) -> Response:
    """Long runs come page by page: ask again from `next_start`."""
    async with house.acting_as(caller, readonly=True) as services:
        found = await services.backtests.backtest(backtest_id)
    desk = house.backtests
    chart = await asyncio.to_thread(
        chart_of,
        found,
        caller.user_id,
        symbol=symbol,
        start=start,
        end=end,
        limit=limit,
        bars=desk.bars,
        strategies=desk.strategies,
    )
    return _json(chart)


@router.get(
    "/{backtest_id:uuid}/export",
    operation_id="export_backtest",
    openapi_extra=needs(Reach.READ),
    summary="Take a result elsewhere",
    response_class=Response,
    responses={
        200: {
            "description": "JSON as one document; CSV and Parquet as a zip of tables, of a study its trials, with the "
            "document beside them; HTML as a page that needs nothing else.",
            "content": {
                "application/json": {"schema": {"type": "object"}, "example": {"id": str(BACKTEST_ID)}},
                "application/zip": {"schema": {"type": "string", "format": "binary"}, "example": "PK"},
                "text/html": {"schema": {"type": "string"}, "example": "<!doctype html>"},
            },
        },
        **problems(
            "/api/backtests/{backtest_id}/export", *RESULTS, invalid("/query/format", "Input should be 'json'.")
        ),
    },
)
async def export_backtest(
    house: TheHouse,
    caller: Caller,
    backtest_id: BacktestId,
    kind: Annotated[
        Literal["json", "csv", "parquet", "html"], Query(alias="format", description="Of the file.")
    ] = "json",
) -> Response:
    """Read again, the numbers are the same to the last bit."""
    everything = Rows()
    async with house.acting_as(caller, readonly=True) as services:
        found = await services.backtests.finished(backtest_id)
        names = ("trades", "equity") if found.kind is JobKind.BACKTEST else ("trials",)
        parts = [(await services.backtests.table(backtest_id, name, everything))[0] for name in names]
    made = _exported if found.kind is JobKind.BACKTEST else _exported_study
    content = await asyncio.to_thread(made, house, found, parts, kind)
    ending = "zip" if kind in ("csv", "parquet") else kind
    headers = {**PRIVATE, "Content-Disposition": f'attachment; filename="backtest-{backtest_id}.{ending}"'}
    if kind == "html":
        headers["Content-Security-Policy"] = _SANDBOXED
    return Response(content, media_type=_MEDIA[kind], headers=headers)


def _whole(table: Any) -> Any:
    return table


async def table_of(
    house: House,
    caller: Identity,
    backtest_id: UUID,
    name: str,
    rows: Rows,
    *,
    thin: Callable[[Any], Any] = _whole,
) -> Response:
    async with house.acting_as(caller, readonly=True) as services:
        parts, total = await services.backtests.table(backtest_id, name, rows)

    def made() -> bytes:
        from backend.backtesting.record import columns_of  # noqa: PLC0415 - loaded by who reads results

        first, table = rows_of(parts, rows, house.backtests.tables)
        return bytes_of({"total": total, "first": first, "columns": columns_of(thin(table))})

    return Response(await asyncio.to_thread(made), media_type="application/json", headers=PRIVATE)


def _exported(house: House, found: Backtest, parts: Sequence[Sequence[Part]], kind: str) -> bytes:
    trades, equity = parts
    record = record_of(found, trades, equity, house.backtests.tables)
    if kind == "html":
        from backend.backtesting.report.page import report_html  # noqa: PLC0415 - loaded by who wants a report

        return report_html(record).encode()
    if kind == "json":
        return bytes_of({**record.document(tables=True), "trust": found.trust, "name": found.name})
    return house.backtests.packed(kind, record.document(), {"trades": record.trades, "equity": record.equity})


def _exported_study(house: House, found: Backtest, parts: Sequence[Sequence[Part]], kind: str) -> bytes:
    from backend.backtesting.record import rows_of as plain_rows  # noqa: PLC0415 - loaded by who exports
    from backend.backtesting.report.study_page import study_report  # noqa: PLC0415

    document, table = study_document(found), house.backtests.tables.unpacked(parts[0])
    if kind == "html":
        return study_report(document["study"]).encode()
    if kind == "json":
        return bytes_of({**document, "trials": plain_rows(table) if len(table) else []})
    return house.backtests.packed(kind, document, {"trials": table})


def _json(body: Any) -> Response:
    return Response(bytes_of(body), media_type="application/json", headers=PRIVATE)


def bytes_of(body: Any) -> bytes:
    """By hand: building a model of 300,000 numbers would take longer than reading them."""
    return json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
