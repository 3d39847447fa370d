"""How much of a result hangs on what nobody knows: the order inside a bar, and what trading costs."""

from collections.abc import Sequence
from typing import Final

from backend.backtesting.engine import Feed, backtest
from backend.backtesting.result import Result
from backend.backtesting.verdicts import Band
from backend.domain.config import IntrabarMode, TradingConfig

COST_TIMES: Final = (1.0, 2.0, 3.0)


def fill_band(feeds: Sequence[Feed], own: Result) -> tuple[Band, ...]:
    """The same signals from the kindest to the harshest filling, and with costs once, twice and three times as high."""
    config = own.config
    cases = [(mode, 1.0) for mode in (IntrabarMode.OPTIMISTIC, IntrabarMode.NEUTRAL, IntrabarMode.PESSIMISTIC)]
    if not _has_prices(feeds, config):
        cases = [(config.execution.intrabar, 1.0)]  # without limits, stops and targets no bar hides anything
    cases += [(config.execution.intrabar, times) for times in COST_TIMES if times != 1.0]
    return tuple(
        Band(mode=mode, cost_times=times, total_return=_total(feeds, own, _other(config, mode, times)))
        for mode, times in cases
    )


def with_costs(config: TradingConfig, times: float) -> TradingConfig:
    """All costs so many times as high."""
    costs = {name: getattr(config.costs, name) * times for name in type(config.costs).model_fields}
    return config.model_copy(update={"costs": config.costs.model_copy(update=costs)})


def _total(feeds: Sequence[Feed], own: Result, config: TradingConfig) -> float:
    result = own if config == own.config else backtest(feeds, config)
    return float(result.equity[-1] / result.start_cash - 1.0)


def _has_prices(feeds: Sequence[Feed], config: TradingConfig) -> bool:
    execution = config.execution
    rules = (execution.stop_percent, execution.target_percent, execution.trail_percent)
    return any(rule is not None for rule in rules) or any(
        values is not None
        for feed in feeds
        for name, values in feed.signals.columns.items()
        if name not in ("size", "rank")
    )


def _other(config: TradingConfig, mode: IntrabarMode, times: float) -> TradingConfig:
    dearer = with_costs(config, times)
    return dearer.model_copy(update={"execution": config.execution.model_copy(update={"intrabar": mode})})
