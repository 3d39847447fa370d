"""How many trials a study makes, and whether it can be made at all, before it is queued."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from backend.domain.backtests import Plan
from backend.domain.config import RunConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.jobs import JobKind
from backend.domain.optimisation_errors import TooManyTrials, UnknownObjective
from backend.domain.strategies.registry import StrategyRegistry
from backend.services.backtest_plans import BacktestPlanner


async def plan_study(
    planner: BacktestPlanner,
    strategies: StrategyRegistry,
    config: RunConfig,
    *,
    owner: UUID,
    kind: JobKind,
    space: Mapping[str, Any],
    how: Mapping[str, Any],
) -> Plan:
    """Raises InvalidInput with pointers to what is wrong, whether of the run, of the space or of the windows."""

    def trials(bars: int) -> int:
        return _trials(strategies, config, kind, space, how, bars=bars)

    return await planner.plan(config, owner, kind=kind, trials=trials)


def _trials(
    strategies: StrategyRegistry,
    config: RunConfig,
    kind: JobKind,
    space: Mapping[str, Any],
    how: Mapping[str, Any],
    *,
    bars: int,
) -> int:
    from backend.backtesting.objectives import Objective  # noqa: PLC0415 - loaded by who studies
    from backend.backtesting.studies import USUAL_SEARCH, StudyPlan, space_of, windows_of  # noqa: PLC0415
    from backend.backtesting.sweep import MOST_TRIALS  # noqa: PLC0415
    from backend.backtesting.walk_forward import plan as folds_of  # noqa: PLC0415

    try:
        asked = StudyPlan.model_validate(how)
    except ValidationError as problem:
        first = problem.errors(include_url=False)[0]
        pointer = "/" + "/".join(str(part) for part in first["loc"] or ("train",))
        raise InvalidInput([InputError(pointer=pointer, detail=f"{first['msg']}.")]) from None
    try:
        Objective.named(asked.objective)
    except UnknownObjective as problem:
        raise InvalidInput([InputError(pointer="/objective", detail=problem.detail)]) from None
    combinations = space_of(strategies.get(config.strategy), config, space).combinations
    usual = USUAL_SEARCH if kind is JobKind.OPTIMIZE else combinations
    trials = min(asked.trials or usual, combinations)
    if trials > MOST_TRIALS:
        raise TooManyTrials(combinations=trials, most=MOST_TRIALS)
    if kind is not JobKind.WALK_FORWARD:
        return trials
    train, test = windows_of(asked, bars=bars)
    return trials * len(folds_of(bars, train=train, test=test, purge=asked.purge, anchored=asked.anchored))
