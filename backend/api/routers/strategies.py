"""Strategies: those of this installation, and rules without code that users save."""

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.routers.strategy_names import NOT_OWN, UNKNOWN, Name, OwnName, without_paths
from backend.api.routers.strategy_shapes import (
    BUILT_IN,
    LISTED,
    OWN,
    OWN_ID,
    WANTED,
    BrokenStrategy,
    Kind,
    PlotShown,
    RunAs,
    StrategyFound,
    StrategyInBrief,
    StrategyList,
    StrategyWanted,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import IfMatch, IfNoneMatch, required_version, tagged
from backend.bootstrap import House
from backend.domain.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InputError,
    QuotaReached,
    RequestInProgress,
    VersionConflict,
    VersionRequired,
)
from backend.domain.saved_strategies import SavedStrategy
from backend.domain.strategy_errors import (
    InvalidRules,
    StrategyBroken,
    StrategyNameTaken,
    UnknownStrategy,
)
from backend.services.strategies import Kept, checked, examine, own_id, require_own, run_of

if TYPE_CHECKING:
    from backend.domain.strategies.registry import Listed


router = APIRouter(prefix="/api/strategies", tags=["Strategies"])

_RULES_ERROR = InputError(pointer="/rules/long/enter/left/price", detail="There is no price 'clsoe'.")
_SAVES = (
    *SIGNED_IN,
    *WITH_BODY,
    InvalidRules([_RULES_ERROR]),
    invalid("/name", "It has 90 characters; 1 to 80 are allowed."),
    StrategyNameTaken("Above its average"),
    QuotaReached("saved strategies", limit=200, count=200, remedy="Delete one first."),
    RequestInProgress(),
    IdempotencyKeyInvalid(),
    IdempotencyKeyReused(),
)


@router.get(
    "",
    operation_id="list_strategies",
    openapi_extra=needs(Reach.READ),
    summary="List strategies",
    responses={
        **shows(StrategyList, LISTED, "All of them.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/strategies", *SIGNED_IN, invalid("/query/deleted", "Input should be a valid boolean.")),
    },
)
async def list_strategies(
    *,
    request: Request,
    house: TheHouse,
    caller: Caller,
    deleted: Annotated[bool, Query(description="Only the latest that one deleted, which can be restored.")] = False,
    _: IfNoneMatch = None,
) -> Response:
    """Those of this installation beside the rules that the caller saved; plugins that failed by name and reason."""
    async with house.acting_as(caller, readonly=True) as services:
        saved = await services.strategies.saved(deleted=deleted)
    own = [_line(one) for one in saved]
    if deleted:
        return tagged(request, StrategyList(items=own, broken=[]))
    installed, broken = await house.market.strategies.all()
    return tagged(
        request, StrategyList(items=[*map(_listed, installed), *own], broken=[_broken(one) for one in broken])
    )


@router.get(
    "/{name:strategy}",
    operation_id="read_strategy",
    openapi_extra=needs(Reach.READ),
    summary="Read a strategy",
    responses={
        **shows(StrategyFound, BUILT_IN, "The strategy.", "ETag"),
        **NOT_MODIFIED,
        **problems(
            "/api/strategies/sma_cross",
            *SIGNED_IN,
            UNKNOWN,
            StrategyBroken("wrong", "a plugin", "SyntaxError: invalid syntax"),
            invalid("/path/name", "String should have at most 60 characters."),
        ),
    },
)
async def read_strategy(
    *, request: Request, house: TheHouse, caller: ActiveCaller, name: Name, _: IfNoneMatch = None
) -> Response:
    """What it does and when it fails, its parameters as a JSON Schema, and what its charts show."""
    saved = own_id(name)
    if saved is None:
        return tagged(request, await _installed(house, name))
    async with house.acting_as(caller, readonly=True) as services:
        kept = await services.strategies.kept(saved)
    return await _own(request, house, kept)


@router.post(
    "",
    openapi_extra={**takes(WANTED), **needs(Reach.RUN)},
    operation_id="save_strategy",
    summary="Save rules as a strategy of one's own",
    status_code=201,
    responses={
        **shows(StrategyFound, OWN, "Saved, as version 1.", "ETag", "Location", "Idempotency-Replayed", status=201),
        **problems("/api/strategies", *_SAVES),
    },
)
async def save_strategy(
    *, request: Request, wanted: StrategyWanted, house: TheHouse, caller: Caller, key: IdempotencyKey = None
) -> Response:
    """Rules are checked and kept in their full form."""
    rules, taken = await asyncio.to_thread(checked, wanted.rules), await house.market.strategies.names()
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            kept = await services.strategies.create(wanted.name, wanted.about, rules, wanted.note, taken=taken)
            answer = await _own(request, house, kept)
            answer.status_code = 201
            answer.headers["Location"] = f"/api/strategies/{kept.line.id}"
            return answer

        return await once(request, key, caller, services.idempotency, work)


@router.put(
    "/{name:strategy}",
    openapi_extra={**takes(WANTED), **needs(Reach.RUN)},
    operation_id="change_strategy",
    summary="Change a strategy of one's own",
    responses={
        **shows(StrategyFound, OWN, "As it is now.", "ETag", "Idempotency-Replayed"),
        **problems(
            f"/api/strategies/{OWN_ID}",
            *_SAVES,
            NOT_OWN,
            UnknownStrategy(str(OWN_ID)),
            VersionConflict(),
            VersionRequired(),
        ),
    },
)
async def change_strategy(
    *,
    request: Request,
    wanted: StrategyWanted,
    house: TheHouse,
    caller: ActiveCaller,
    name: OwnName,
    if_match: IfMatch = None,
    key: IdempotencyKey = None,
) -> Response:
    """Rules that differ become a new version; the same ones do not. If-Match must hold the ETag that was read."""
    revision, taken = required_version(if_match), await house.market.strategies.names()
    strategy_id = require_own(name, taken)
    rules = await asyncio.to_thread(checked, wanted.rules)
    async with house.acting_as(caller) as services:

        async def work() -> Response:
            kept = await services.strategies.change(
                strategy_id, wanted.name, wanted.about, rules, wanted.note, revision=revision, taken=taken
            )
            return await _own(request, house, kept)

        return await once(request, key, caller, services.idempotency, work)


@router.delete(
    "/{name:strategy}",
    operation_id="delete_strategy",
    openapi_extra=needs(Reach.RUN),
    summary="Delete a strategy of one's own",
    status_code=204,
    responses={
        204: {"description": "It is gone from the list. The latest hundred deleted can be restored."},
        **problems(
            f"/api/strategies/{OWN_ID}",
            *SIGNED_IN,
            NOT_OWN,
            UnknownStrategy(str(OWN_ID)),
            invalid("/path/name", "String should have at most 60 characters."),
        ),
    },
)
async def delete_strategy(house: TheHouse, caller: ActiveCaller, name: OwnName) -> Response:
    """What was run with it stays as it is."""
    strategy_id = require_own(name, await house.market.strategies.names())
    async with house.acting_as(caller) as services:
        await services.strategies.delete(strategy_id)
    return Response(status_code=204)


@router.post(
    "/{name:strategy}/restore",
    operation_id="restore_strategy",
    openapi_extra=needs(Reach.RUN),
    summary="Restore a deleted strategy",
    responses={
        **shows(StrategyFound, OWN, "It is back.", "ETag"),
        **problems(
            f"/api/strategies/{OWN_ID}/restore",
            *SIGNED_IN,
            NOT_OWN,
            UnknownStrategy(str(OWN_ID)),
            StrategyNameTaken("Above its average"),
            QuotaReached("saved strategies", limit=200, count=200, remedy="Delete one first."),
            invalid("/path/name", "String should have at most 60 characters."),
        ),
    },
)
async def restore_strategy(request: Request, house: TheHouse, caller: ActiveCaller, name: OwnName) -> Response:
    """With all its versions. One that is not deleted stays as it is."""
    strategy_id = require_own(name, await house.market.strategies.names())
    async with house.acting_as(caller) as services:
        kept = await services.strategies.restore(strategy_id)
    return await _own(request, house, kept)


async def _installed(house: House, name: str) -> StrategyFound:
    try:
        listed = await house.market.strategies.get(name)
    except StrategyBroken as problem:
        raise StrategyBroken(problem.name, "a plugin", without_paths(problem.reason)) from None
    described = listed.describe()
    strategy, parameters = run_of(listed.name)
    return StrategyFound(
        **_brief(listed),
        parameters=described["parameters"],
        plots=[PlotShown(**plot) for plot in described["plots"]],
        warmup=described["warmup"],
        longer_warmup=described["longer_warmup"],
        source_hash=listed.source_hash,
        run=RunAs(strategy=strategy, parameters=parameters),
        rules=None,
        words=[],
        note=None,
        created_at=None,
    )


async def _own(request: Request, house: House, kept: Kept) -> Response:
    """A strong tag: it can be edited."""
    rules = await house.market.strategies.get("rules")
    body = await asyncio.to_thread(_found, kept, rules.source_hash)
    return tagged(request, body, version=kept.line.revision)


def _found(kept: Kept, source_hash: str) -> StrategyFound:
    rules = dict(kept.newest.rules)
    found = examine(rules)
    strategy, parameters = run_of("", rules)
    return StrategyFound(
        **_line(kept.line).model_dump(),
        parameters={"type": "object", "properties": {}},
        plots=[PlotShown(**plot) for plot in found.plots],
        warmup=found.warmup,
        longer_warmup=dict(found.longer_warmup),
        source_hash=source_hash,
        run=RunAs(strategy=strategy, parameters=parameters),
        rules=rules,
        words=list(found.words),
        note=kept.newest.note,
        created_at=kept.line.created_at,
    )


def _line(line: SavedStrategy) -> StrategyInBrief:
    return StrategyInBrief(
        name=str(line.id),
        title=line.name,
        kind=Kind.OWN,
        description=line.about,
        markets="",
        needs_symbols=False,
        version=line.version,
        updated_at=line.updated_at,
        deleted_at=line.deleted_at,
    )


@lru_cache(maxsize=1000)
def _listed(listed: "Listed") -> StrategyInBrief:
    return StrategyInBrief(**_brief(listed))


def _brief(listed: "Listed") -> dict[str, Any]:
    described = listed.describe()
    return {
        "kind": Kind.BUILT_IN if listed.is_built_in else Kind.PLUGIN,
        "version": None,
        "updated_at": None,
        "deleted_at": None,
        **{name: described[name] for name in ("name", "title", "description", "markets", "needs_symbols")},
    }


def _broken(problem: StrategyBroken) -> BrokenStrategy:
    return BrokenStrategy(name=problem.name, reason=without_paths(problem.reason))
