"""The versions of rules that one saved: when they were changed, and what they were."""

import asyncio
from typing import Annotated

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, invalid, problems, shows
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.strategy_names import NOT_OWN, OwnName
from backend.api.routers.strategy_shapes import OWN_ID, VERSION, Version, VersionFound
from backend.api.scopes import Reach, needs
from backend.api.versions import IfNoneMatch, tagged
from backend.domain.errors import InvalidCursor
from backend.domain.saved_strategies import StrategyVersion
from backend.domain.strategy_errors import UnknownStrategy, UnknownStrategyVersion
from backend.services.strategies import examine, require_own

router = APIRouter(prefix="/api/strategies", tags=["Strategies"])

VERSIONS = "strategy versions"


@router.get(
    "/{name:strategy}/versions",
    operation_id="list_strategy_versions",
    openapi_extra=needs(Reach.READ),
    summary="List the versions of a strategy of one's own",
    responses={
        **shows(
            Page[Version],
            Page[Version](
                items=[Version(**VERSION.model_dump(include={"version", "note", "created_at"}))], next_cursor=None
            ),
            "Newest first.",
            "ETag",
            "Link",
        ),
        **NOT_MODIFIED,
        **problems(
            f"/api/strategies/{OWN_ID}/versions",
            *SIGNED_IN,
            NOT_OWN,
            UnknownStrategy(str(OWN_ID)),
            InvalidCursor(),
            invalid("/query/limit", "Input should be at most 200."),
        ),
    },
)
async def list_strategy_versions(
    *,
    request: Request,
    house: TheHouse,
    caller: ActiveCaller,
    name: OwnName,
    limit: Limit = 50,
    cursor: Cursor = None,
    _: IfNoneMatch = None,
) -> Response:
    """When its rules were changed, and what for."""
    after, strategy_id = from_cursor(VERSIONS, cursor), require_own(name, await house.market.strategies.names())
    async with house.acting_as(caller, readonly=True) as services:
        found = await services.strategies.versions(strategy_id, limit=limit, after=after)
    following = to_cursor(VERSIONS, found.next) if found.next else None
    answer = tagged(request, Page[Version](items=[Version(**vars(one)) for one in found.items], next_cursor=following))
    answer.headers.update(link_to_next(request.url.path, limit, following))
    return answer


@router.get(
    "/{name:strategy}/versions/{version}",
    operation_id="read_strategy_version",
    openapi_extra=needs(Reach.READ),
    summary="Read one version of a strategy of one's own",
    responses={
        **shows(VersionFound, VERSION, "The rules as they were.", "ETag"),
        **NOT_MODIFIED,
        **problems(
            f"/api/strategies/{OWN_ID}/versions/2",
            *SIGNED_IN,
            NOT_OWN,
            UnknownStrategy(str(OWN_ID)),
            UnknownStrategyVersion(7, 2),
            invalid("/path/version", "Input should be greater than or equal to 1."),
        ),
    },
)
async def read_strategy_version(
    *,
    request: Request,
    house: TheHouse,
    caller: ActiveCaller,
    name: OwnName,
    version: Annotated[int, Path(ge=1, le=1_000_000, description="Its number.", examples=[2])],
    _: IfNoneMatch = None,
) -> Response:
    """It never changes."""
    strategy_id = require_own(name, await house.market.strategies.names())
    async with house.acting_as(caller, readonly=True) as services:
        found = await services.strategies.version(strategy_id, version)
    return tagged(request, await asyncio.to_thread(_version, found))


def _version(found: StrategyVersion) -> VersionFound:
    return VersionFound(**{**vars(found), "rules": dict(found.rules)}, words=list(examine(found.rules).words))
