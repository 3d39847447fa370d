"""Strategies: those of this installation, and rules without code that users save, check and look at on bars."""

import asyncio
import json
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, Caller, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.idempotency import IdempotencyKey, once
from backend.api.pages import Cursor, Limit, Page, from_cursor, link_to_next, to_cursor
from backend.api.routers.strategy_shapes import (
    BUILT_IN,
    EXAMINED,
    GRAMMAR,
    LISTED,
    OWN,
    OWN_ID,
    PREVIEW,
    PREVIEW_WANTED,
    RULES,
    VERSION,
    WANTED,
    BrokenStrategy,
    Grammar,
    Kind,
    PlotShown,
    Preview,
    PreviewAsked,
    RuleProblem,
    RulesExamined,
    RulesGiven,
    RunAs,
    SeriesNamed,
    StrategyFound,
    StrategyInBrief,
    StrategyList,
    StrategyWanted,
    Version,
    VersionFound,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfMatch, IfNoneMatch, required_version, tagged
from backend.bootstrap import House
from backend.domain.accounts import Identity
from backend.domain.errors import (
    IdempotencyKeyInvalid,
    IdempotencyKeyReused,
    InputError,
    InvalidCursor,
    InvalidInput,
    NotAllowed,
    QuotaReached,
    RequestInProgress,
    VersionConflict,
    VersionRequired,
)
from backend.domain.market import IMPORT, Series
from backend.domain.market_errors import NoBars, UnknownSymbol
from backend.domain.saved_strategies import SavedStrategy, StrategyVersion
from backend.domain.strategy_errors import (
    InvalidRules,
    NotEnoughHistory,
    PreviewFailed,
    StrategyBroken,
    StrategyFailed,
    StrategyNameTaken,
    UnknownStrategy,
    UnknownStrategyVersion,
)
from backend.services.market_jobs import series_facts
from backend.services.strategies import Kept, checked, examine, grammar, own_id, require_own, run_of

if TYPE_CHECKING:
    from backend.domain.strategies.registry import Listed


class StrategyName(StringConvertor):
    """A name in a path, none of the words that operations live at: else a name would answer for their methods."""

    regex = r"(?!(?:validate|preview|rules)(?:/|$))[^/]+"


register_url_convertor("strategy", StrategyName())
router = APIRouter(prefix="/api/strategies", tags=["Strategies"])

VERSIONS = "strategy versions"
DEMO = "demo"
# A path in what a plugin raised would tell how the server is laid out; its last part is enough.
_PATH = re.compile(r"(?<![\w.])(?:[A-Za-z]:)?(?:[\\/][^\\/\s'\":,()]+)+[\\/]")

Name = Annotated[
    str,
    Path(
        max_length=60, description="The name of an installed strategy, or the id of one's own.", examples=["sma_cross"]
    ),
]
OwnName = Annotated[str, Path(max_length=60, description="The id of one's own strategy.", examples=[str(OWN_ID)])]
_RULES_ERROR = InputError(pointer="/rules/long/enter/left/price", detail="There is no price 'clsoe'.")
_UNKNOWN = UnknownStrategy("sma_crss", ["sma_cross"])
_NOT_OWN = NotAllowed("'sma_cross' belongs to this installation. Save rules of your own to change them.")
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
    "/rules/grammar",
    operation_id="read_rules_grammar",
    openapi_extra=needs(Reach.READ),
    summary="Read what rules can be made of",
    responses={
        **shows(Grammar, GRAMMAR, "Indicators, patterns, prices, limits and examples.", "ETag"),
        **NOT_MODIFIED,
        **problems("/api/strategies/rules/grammar", *SIGNED_IN),
    },
)
async def read_rules_grammar(request: Request, _caller: ActiveCaller, _: IfNoneMatch = None) -> Response:
    """The same for everybody until the next version of Tidemark."""
    return tagged(request, await asyncio.to_thread(_grammar))


@router.post(
    "/validate",
    openapi_extra={**takes({"rules": RULES}), **needs(Reach.READ)},
    operation_id="validate_rules",
    summary="Check rules",
    responses={
        **shows(RulesExamined, EXAMINED, "All that is wrong, or what they mean."),
        **problems("/api/strategies/validate", *SIGNED_IN, *WITH_BODY, invalid("/rules", "Field required.")),
    },
)
async def validate_rules(given: RulesGiven, _caller: ActiveCaller) -> Response:
    """Nothing is stored. Each error points at its node; good rules are told in words."""
    found = await asyncio.to_thread(examine, given.rules)
    return _json(
        RulesExamined(
            is_valid=found.rules is not None,
            errors=[RuleProblem(pointer=one.pointer, detail=one.detail) for one in found.errors],
            rules=None if found.rules is None else dict(found.rules),
            words=list(found.words),
            indicators=list(found.indicators),
            timeframes=list(found.timeframes),
            warmup=found.warmup,
            least_bars=found.least_bars,
        )
    )


@router.post(
    "/preview",
    openapi_extra={**takes(PREVIEW_WANTED), **needs(Reach.READ)},
    operation_id="preview_strategy",
    summary="Show what a strategy says on some bars",
    responses={
        **shows(Preview, PREVIEW, "Bars, lines and signals by columns."),
        **problems(
            "/api/strategies/preview",
            *SIGNED_IN,
            *WITH_BODY,
            _UNKNOWN,
            UnknownSymbol("BTCUSDT", "demo", ["BTC/USDT"]),
            NoBars("Nothing of yahoo AAPL 1d is stored here. Download it first."),
            InvalidRules([InputError(pointer="/parameters/rules/long", detail="'enter' is missing.")]),
            NotEnoughHistory("sma_cross", needed=50, held=12),
            StrategyFailed("mine", "ValueError: it is Monday", where="mine.py, line 3", bars=500),
            StrategyBroken("mine", "a plugin", "SyntaxError: invalid syntax"),
            PreviewFailed("It was not made within 30 s. Ask for fewer bars, or use fewer indicators."),
            QuotaReached("previews at once", limit=4, count=4),
            invalid("/bars", "Input should be less than or equal to 2000."),
        ),
    },
)
async def preview_strategy(wanted: PreviewAsked, house: TheHouse, caller: ActiveCaller) -> Response:
    """The last bars of the range with the strategy's lines and signals, of stored bars or of the simulated market."""
    series = _series(wanted.series, caller)
    if wanted.start is not None and wanted.end is not None and wanted.end <= wanted.start:
        raise InvalidInput([InputError(pointer="/end", detail="It ends before it starts.")])
    strategy, parameters = wanted.strategy, wanted.parameters
    saved = own_id(strategy)
    if saved is not None or series.provider != DEMO:
        async with house.acting_as(caller, readonly=True) as services:
            if saved is not None:
                kept = await services.strategies.kept(saved)
                strategy, parameters = run_of(strategy, kept.newest.rules)
            if series.provider != DEMO:
                await services.market_data.require(series)
    try:
        made = await house.market.previews.preview(
            {
                "strategy": strategy,
                "parameters": parameters,
                "series": series_facts(series),
                "start": wanted.start.isoformat() if wanted.start else None,
                "end": wanted.end.isoformat() if wanted.end else None,
                "bars": wanted.bars,
            },
            owner=caller.user_id,
        )
    except (StrategyBroken, StrategyFailed) as problem:
        problem.detail = _without_paths(problem.detail)
        raise
    return Response(json.dumps(made, allow_nan=False), media_type="application/json", headers=PRIVATE)


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
            _UNKNOWN,
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
            _NOT_OWN,
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
            _NOT_OWN,
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
            _NOT_OWN,
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
            _NOT_OWN,
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
            _NOT_OWN,
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


async def _installed(house: House, name: str) -> StrategyFound:
    try:
        listed = await house.market.strategies.get(name)
    except StrategyBroken as problem:
        raise StrategyBroken(problem.name, "a plugin", _without_paths(problem.reason)) from None
    described = listed.describe()
    strategy, parameters = run_of(listed.name)
    return StrategyFound(
        **_brief(listed),
        parameters=described["parameters"],
        plots=[PlotShown(**plot) for plot in described["plots"]],
        warmup=described["warmup"],
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
        source_hash=source_hash,
        run=RunAs(strategy=strategy, parameters=parameters),
        rules=rules,
        words=list(found.words),
        note=kept.newest.note,
        created_at=kept.line.created_at,
    )


def _version(found: StrategyVersion) -> VersionFound:
    return VersionFound(**{**vars(found), "rules": dict(found.rules)}, words=list(examine(found.rules).words))


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
    return BrokenStrategy(name=problem.name, reason=_without_paths(problem.reason))


def _without_paths(text: str) -> str:
    return _PATH.sub("", text)


def _series(named: SeriesNamed, caller: Identity) -> Series:
    owner: UUID | None = caller.user_id if named.provider == IMPORT else None
    try:
        return Series(
            provider=named.provider,
            symbol=named.symbol,
            timeframe=named.timeframe,
            adjustment=named.adjustment,
            owner=owner,
        )
    except ValueError as error:
        field = "symbol" if "symbol" in str(error) else "provider"
        raise InvalidInput([InputError(pointer=f"/series/{field}", detail=f"{error}.")]) from error


@lru_cache(maxsize=1)
def _grammar() -> Grammar:
    return Grammar(**grammar())


def _json(body: BaseModel) -> Response:
    return Response(body.model_dump_json(), media_type="application/json", headers=PRIVATE)
