"""Rules without code: what they are made of, what is wrong with them, and what any strategy says on some bars."""

import asyncio
import json
from functools import lru_cache
from uuid import UUID

from fastapi import APIRouter, Request
from starlette.responses import Response

from backend.api.dependencies import ActiveCaller, TheHouse
from backend.api.documentation import NOT_MODIFIED, SIGNED_IN, WITH_BODY, invalid, problems, shows, takes
from backend.api.routers.market_data import series_given
from backend.api.routers.strategy_names import UNKNOWN, without_paths
from backend.api.routers.strategy_shapes import (
    EXAMINED,
    GRAMMAR,
    PREVIEW,
    PREVIEW_WANTED,
    RULES,
    Grammar,
    Preview,
    PreviewAsked,
    RuleProblem,
    RulesExamined,
    RulesGiven,
    SeriesNamed,
)
from backend.api.scopes import Reach, needs
from backend.api.versions import PRIVATE, IfNoneMatch, tagged, untagged
from backend.domain.accounts import Identity
from backend.domain.errors import InputError, InvalidInput, QuotaReached
from backend.domain.market import IMPORT, Series
from backend.domain.market_errors import NoBars, UnknownSymbol
from backend.domain.strategy_errors import InvalidRules, NotEnoughHistory, PreviewFailed, StrategyBroken, StrategyFailed
from backend.services.market_jobs import series_facts
from backend.services.strategies import examine, grammar, own_id, run_of

router = APIRouter(prefix="/api/strategies", tags=["Strategies"])

DEMO = "demo"


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
    body = RulesExamined(
        is_valid=found.rules is not None,
        errors=[RuleProblem(pointer=one.pointer, detail=one.detail) for one in found.errors],
        rules=None if found.rules is None else dict(found.rules),
        words=list(found.words),
        indicators=list(found.indicators),
        timeframes=list(found.timeframes),
        warmup=found.warmup,
        longer_warmup=dict(found.longer_warmup),
        least_bars=found.least_bars,
    )
    return untagged(body)


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
            UNKNOWN,
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
        problem.detail = without_paths(problem.detail)
        raise
    return Response(json.dumps(made, allow_nan=False), media_type="application/json", headers=PRIVATE)


def _series(named: SeriesNamed, caller: Identity) -> Series:
    owner: UUID | None = caller.user_id if named.provider == IMPORT else None
    return series_given("/series", **dict(named), owner=owner)


@lru_cache(maxsize=1)
def _grammar() -> Grammar:
    return Grammar(**grammar())
