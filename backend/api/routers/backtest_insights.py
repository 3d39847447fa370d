"""What results say beyond their tables: several side by side, and why a trade was made."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path
from starlette.responses import Response

from backend.api.dependencies import Caller, TheHouse
from backend.api.documentation import SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.routers.backtest_insight_shapes import (
    COMPARED,
    EXPLAINED,
    Comparison,
    ComparisonFound,
    TradeExplained,
)
from backend.api.routers.backtest_results import bytes_of
from backend.api.routers.backtest_shapes import BACKTEST_ID
from backend.api.routers.backtests import BAD_ID, BacktestId
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE
from backend.domain.backtests import Rows
from backend.domain.errors import (
    BacktestNotFinished,
    BacktestNotFound,
    InputError,
    InvalidInput,
    NotFound,
    QuotaReached,
)
from backend.domain.market_errors import NoBars, SeriesDamaged
from backend.services.backtest_reading import rows_of

router = APIRouter(prefix="/api/backtests", tags=["Backtests"])

_NOT_STORED = NoBars("demo BTC/USDT 1h: not all of that range is stored. Download it first.")
_DAMAGED = SeriesDamaged("The file of 2025-03 is not what was written. It was set aside; fetch it again.")


@router.post(
    "/compare",
    openapi_extra={**takes({"ids": [str(BACKTEST_ID), str(COMPARED.runs[1].id)]}), **needs(Reach.READ)},
    operation_id="compare_backtests",
    summary="Compare finished backtests",
    responses={
        **shows(ComparisonFound, COMPARED, "Side by side."),
        **problems(
            "/api/backtests/compare",
            *SIGNED_IN,
            *WITH_BODY,
            BacktestNotFound(BACKTEST_ID),
            BacktestNotFinished(BACKTEST_ID, "running"),
            invalid("/ids/1", "This backtest is named twice."),
            QuotaReached("comparisons at once", limit=2, count=2),
        ),
    },
)
async def compare_backtests(wanted: Comparison, house: TheHouse, caller: Caller) -> Response:
    """All figures, what differs between the forms, curves on one axis, and how far the difference may be chance."""
    from backend.services.backtest_comparing import (  # noqa: PLC0415 - loaded by who compares
        Stored,
        comparison_of,
        require_comparable,
    )

    twice = [place for place, one in enumerate(wanted.ids) if one in wanted.ids[:place]]
    if twice:
        raise InvalidInput([InputError(pointer=f"/ids/{place}", detail="It is named twice.") for place in twice])
    async with house.acting_as(caller, readonly=True) as services:
        found = [await services.backtests.finished(one) for one in wanted.ids]
        require_comparable(found)
        stored = [
            Stored(
                found=one,
                equity=(await services.backtests.table(one.id, "equity", Rows()))[0],
                trades=(await services.backtests.table(one.id, "trades", Rows()))[0],
            )
            for one in found
        ]
    desk = house.backtests
    async with desk.comparisons.of(caller.user_id):
        content = await asyncio.to_thread(lambda: bytes_of(comparison_of(stored, desk.tables, seed=wanted.seed)))
    return Response(content, media_type="application/json", headers=PRIVATE)


@router.get(
    "/{backtest_id:uuid}/trades/{number}",
    openapi_extra=needs(Reach.READ),
    operation_id="explain_backtest_trade",
    summary="Read why a trade was made",
    responses={
        **shows(TradeExplained, EXPLAINED, "From its signal to its costs."),
        **problems(
            "/api/backtests/{backtest_id}/trades/{number}",
            *SIGNED_IN,
            BacktestNotFound(BACKTEST_ID),
            BacktestNotFinished(BACKTEST_ID, "running"),
            NotFound("There is no trade 90: this backtest has 87, numbered from 0."),
            _NOT_STORED,
            _DAMAGED,
            BAD_ID,
            invalid("/path/number", "Input should be greater than or equal to 0."),
        ),
    },
)
async def explain_backtest_trade(
    house: TheHouse,
    caller: Caller,
    backtest_id: BacktestId,
    number: Annotated[int, Path(ge=0, le=2**31 - 1, description="Its row in the table of trades.")],
) -> Response:
    """The bars around it, the declared indicators as they were, its orders with the rules that filled them."""
    from backend.services.trade_reasons import reasons_of, require_trade  # noqa: PLC0415 - loaded by who asks why

    rows = Rows(first=number, count=1)
    async with house.acting_as(caller, readonly=True) as services:
        found = await services.backtests.finished(backtest_id)
        parts, total = await services.backtests.table(backtest_id, "trades", rows)
    desk = house.backtests

    def made() -> bytes:
        _, table = rows_of(parts, rows, desk.tables)
        trade = require_trade(number, total, table)
        times = (table["entry_time"].iloc[0], table["exit_time"].iloc[0])
        reasons = reasons_of(found, caller.user_id, trade, times, bars=desk.bars, strategies=desk.strategies)
        return bytes_of({"number": number, "total": total, "trade": trade, **reasons})

    return Response(await asyncio.to_thread(made), media_type="application/json", headers=PRIVATE)
