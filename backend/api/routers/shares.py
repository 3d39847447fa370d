"""Links that show a result to others: one's own, and what stands behind one for whoever has it."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Path, Query, Request
from loguru import logger
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from backend.api.context import client_address, context_of
from backend.api.dependencies import Changing, Reading, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.limits import network_of, take
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.backtest_results import MOST_ROWS
from backend.api.routers.backtest_shapes import BACKTEST_ID, FOUND, TRADES, Name, TableRead
from backend.api.routers.tokens import TokenState
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged
from backend.bootstrap import House
from backend.domain import shares as domain
from backend.domain.backtests import Part, Rows
from backend.domain.errors import (
    BacktestNotFinished,
    BacktestNotFound,
    DatabaseUnavailable,
    InvalidCursor,
    QuotaReached,
    ShareNotFound,
)
from backend.domain.ports import RateLimit
from backend.services.backtest_reading import rows_of, thinned

SHARES = "shares"
PATH = "/api/shares"
# Enough to read a result, and too little to look for links; each address has its own.
SHARE_READS = RateLimit(name="share_reads", requests=120, window_seconds=60)
# Whoever has the address has the result: it is kept by nobody, found by no search, and told to no other site.
UNLISTED = {"Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow", "Referrer-Policy": "no-referrer"}


async def _count_visit(request: Request, house: TheHouse) -> None:
    if house.limiter is not None:
        who = network_of(client_address(request.scope))
        await take(house.limiter, SHARE_READS, who, context_of(request.scope), house.monitor)


router = APIRouter(prefix=PATH, tags=["Shares"])
VISIT = [Depends(_count_visit)]


class ShareLink(BaseModel):
    """A link as its owner sees it: everything but the link."""

    id: UUID
    backtest_id: UUID
    title: str = Field(description="What the page is called.")
    state: TokenState
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    opened: int = Field(description="About so often.")
    last_opened_at: datetime | None


class FreshShare(ShareLink):
    """A link that was just made."""

    token: str = Field(description="The page is /shared/{token}. Nothing shows it again.")
    url: str


class ShareWanted(BaseModel):
    """What to show to whoever has the link, and for how long."""

    model_config = ConfigDict(extra="forbid")

    backtest_id: UUID
    title: Name | None = Field(default=None, description="Left out = the name of the backtest.")
    expires_in_days: int = Field(ge=1, le=domain.LONGEST_SHARE_DAYS, strict=True)


class SharedBacktest(BaseModel):
    """A run as a visitor sees it. Nothing says whose it is."""

    model_config = ConfigDict(from_attributes=True)

    title: str
    kind: str
    strategy: str
    provider: str
    timeframe: str
    symbols: list[str]
    is_partial: bool
    finished_at: datetime | None
    expires_at: datetime
    config: dict[str, Any]
    figures: dict[str, Any]
    trust: dict[str, Any] | None
    currency: str | None = Field(description="Of its money.")
    trade_rows: int = Field(description="How many trades there are.")


_NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
_ID = UUID("c2a7b5f4-0f4b-4e0e-8c53-6d1f7c9e2a11")
_LINK = "3hXv0yqfCkq9uYlmXW5m6Yw3s0mJr1m2S6cX8m0bq1E"
SHARE = ShareLink(
    id=_ID,
    backtest_id=BACKTEST_ID,
    title="Slow cross, 2023",
    state=TokenState.LIVE,
    created_at=_NOW,
    expires_at=_NOW + timedelta(days=30),
    revoked_at=None,
    opened=3,
    last_opened_at=_NOW,
)
FRESH = FreshShare(**SHARE.model_dump(), token=_LINK, url=f"http://127.0.0.1:8000/shared/{_LINK}")
SHARED = SharedBacktest(
    **FOUND.model_dump(
        include={"kind", "strategy", "provider", "timeframe", "symbols", "is_partial", "config", "figures", "trust"}
    ),
    finished_at=_NOW,
    title=SHARE.title,
    expires_at=SHARE.expires_at,
    currency="USDT",
    trade_rows=87,
)
WANTED = {"backtest_id": str(BACKTEST_ID), "title": "Slow cross, 2023", "expires_in_days": 30}
Link = Annotated[str, Path(min_length=1, max_length=100, description="What the address ends with.", examples=[_LINK])]


@router.get(
    "",
    operation_id="list_my_shares",
    openapi_extra=needs(Reach.READ),
    summary="List one's own links",
    responses={
        **shows(Page[ShareLink], Page[ShareLink](items=[SHARE], next_cursor=None), "Newest first.", "ETag", "Link"),
        **NOT_MODIFIED,
        **problems(PATH, *SIGNED_IN, InvalidCursor(), invalid("/query/limit", "Input should be at most 200.")),
    },
)
async def list_my_shares(
    *,
    request: Request,
    house: TheHouse,
    services: Reading,
    backtest_id: Annotated[UUID | None, Query(description="Only those of this backtest.")] = None,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """Those that live, and for 30 days those that expired or were revoked."""
    found = await services.shares.shares(limit=limit, after=from_cursor(SHARES, cursor), backtest_id=backtest_id)
    following = to_cursor(SHARES, found.next) if found.next else None
    now = house.clock.now()
    answer = tagged(request, Page[ShareLink](items=[_shown(one, now) for one in found.items], next_cursor=following))
    only = {} if backtest_id is None else {"backtest_id": [str(backtest_id)]}
    answer.headers.update(link_to_next(request.url.path, limit, following, **only))
    return answer


@router.post(
    "",
    operation_id="create_share",
    openapi_extra={**takes(WANTED), **needs(Reach.SHARE)},
    summary="Make a link to a result",
    status_code=201,
    responses={
        **shows(FreshShare, FRESH, "The link. Nothing shows it again.", status=201),
        **problems(
            PATH,
            *SIGNED_IN,
            *WITH_BODY,
            BacktestNotFound(BACKTEST_ID),
            BacktestNotFinished(BACKTEST_ID, "running"),
            QuotaReached("live links", limit=domain.MOST_LIVE_SHARES, count=200, remedy="Revoke some."),
            invalid("/expires_in_days", "Input should be less than or equal to 365."),
        ),
    },
)
async def create_share(request: Request, wanted: ShareWanted, house: TheHouse, services: Changing) -> Response:
    """Whoever has it sees the run, without an account, until it expires or is revoked: nothing else of yours."""
    made, link = await services.shares.create(wanted.backtest_id, title=wanted.title, days=wanted.expires_in_days)
    logger.bind(**context_of(request.scope).facts, share_id=str(made.id)).info("A result was shared")
    shown = _shown(made, house.clock.now()).model_dump()
    body = FreshShare(**shown, token=link, url=f"{house.address}/shared/{link}")
    return Response(body.model_dump_json(), status_code=201, media_type="application/json", headers=UNLISTED)


@router.delete(
    "/{share}",
    operation_id="revoke_share",
    openapi_extra=needs(Reach.SHARE),
    summary="Revoke a link",
    status_code=204,
    responses={
        204: {"description": "It shows nothing any more."},
        **problems(
            f"{PATH}/{_ID}", *SIGNED_IN, ShareNotFound(), invalid("/path/share", "Input should be a valid UUID.")
        ),
    },
)
async def revoke_share(
    request: Request,
    services: Changing,
    share_id: Annotated[UUID, Path(alias="share", description="The share's id.", examples=[str(_ID)])],
) -> Response:
    """At once, and it cannot be taken back."""
    await services.shares.revoke(share_id)
    logger.bind(**context_of(request.scope).facts, share_id=str(share_id)).info("A link was revoked")
    return Response(status_code=204)


@router.get(
    "/{share}",
    operation_id="read_shared_backtest",
    openapi_extra=needs(Reach.OPEN),
    dependencies=VISIT,
    summary="Read a result by its link",
    responses={
        **shows(SharedBacktest, SHARED, "The run."),
        **problems(f"{PATH}/{_LINK}", ShareNotFound(), DatabaseUnavailable(), invalid("/path/share", "Too long.")),
    },
)
async def read_shared_backtest(house: TheHouse, link: Annotated[Link, Path(alias="share")]) -> Response:
    """For anybody who has the link. A link that is unknown, expired or revoked is answered alike."""
    async with house.visited() as results:
        found = await results.run(link)
    house.openings.note(found.share_id)
    body = SharedBacktest.model_validate(found)
    return Response(body.model_dump_json(), media_type="application/json", headers=UNLISTED)


@router.get(
    "/{share}/trades",
    operation_id="read_shared_trades",
    openapi_extra=needs(Reach.OPEN),
    dependencies=VISIT,
    summary="Read trades of a shared result by range",
    responses={
        **shows(TableRead, TRADES, "In the order of their exits; those still open come last."),
        **problems(
            f"{PATH}/{_LINK}/trades", ShareNotFound(), DatabaseUnavailable(), invalid("/query/first", "At least 0.")
        ),
    },
)
async def read_shared_trades(
    house: TheHouse,
    link: Annotated[Link, Path(alias="share")],
    first: Annotated[int, Query(ge=0, le=2**30, description="The number of the first row.")] = 0,
    limit: Annotated[int, Query(ge=1, le=MOST_ROWS, description="How many rows at most.")] = 1_000,
) -> Response:
    """Only the pieces that hold these rows are read."""
    async with house.visited() as results:
        found, parts = await results.table(link, "trades", first=first, last=first + limit)
    rows = Rows(first=first, count=limit)
    return await asyncio.to_thread(_table, house, parts, rows, found.trade_rows, None)


@router.get(
    "/{share}/equity",
    operation_id="read_shared_equity",
    openapi_extra=needs(Reach.OPEN),
    dependencies=VISIT,
    summary="Read the equity curve of a shared result",
    responses={
        **shows(
            TableRead,
            TRADES.model_copy(update={"columns": {"ts": ["2023-01-01T00:00:00Z"], "equity": [10_000.0]}}),
            "By bar.",
        ),
        **problems(
            f"{PATH}/{_LINK}/equity", ShareNotFound(), DatabaseUnavailable(), invalid("/query/points", "At least 10.")
        ),
    },
)
async def read_shared_equity(
    house: TheHouse,
    link: Annotated[Link, Path(alias="share")],
    points: Annotated[
        int, Query(ge=10, le=5_000, description="About so many rows at most; peaks and troughs are kept.")
    ] = 2_000,
) -> Response:
    """Equity, its benchmark, cash and exposure."""
    async with house.visited() as results:
        _, parts = await results.table(link, "equity")
    return await asyncio.to_thread(_table, house, parts, Rows(), sum(part.rows for part in parts), points)


def _table(house: House, parts: Sequence[Part], rows: Rows, total: int, points: int | None) -> Response:
    from backend.backtesting.record import columns_of  # noqa: PLC0415 - loaded by who reads results

    first, table = rows_of(parts, rows, house.backtests.tables)
    shown = table if points is None else thinned(table, points)
    body = json.dumps({"total": total, "first": first, "columns": columns_of(shown)}, allow_nan=False)
    return Response(body, media_type="application/json", headers=UNLISTED)


def _shown(share: domain.Share, now: datetime) -> ShareLink:
    state = TokenState.LIVE if share.expires_at > now else TokenState.EXPIRED
    return ShareLink(**vars(share), state=TokenState.REVOKED if share.revoked_at is not None else state)
