"""Asking a strategy for its signals, so that whatever it does wrong has a name, its numbers and a remedy."""

import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np

from backend.domain.backtest_errors import BadSignals
from backend.domain.errors import TidemarkError
from backend.domain.signals import LONG, SHORT, Signals
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.strategy_errors import NeverTrades, NotEnoughHistory, StrategyFailed

T = TypeVar("T")


def signals_of(strategy: TradingStrategy, market: Market, *, must_trade: bool = False) -> Signals:
    """Checked signals. Raises NotEnoughHistory, StrategyFailed, BadSignals, and NeverTrades where that is an error."""
    needed = _asked(strategy, market, strategy.least_bars)
    if len(market) < needed:
        raise NotEnoughHistory(strategy.name, needed=needed, held=len(market))
    signals = _asked(strategy, market, lambda: strategy.generate_signals(market))
    _check(strategy, market, signals)
    if must_trade and not trades(signals):
        raise NeverTrades(strategy.name, bars=len(market), warmup=strategy.warmup_on(market.timeframe))
    return signals


def trades(signals: Signals) -> bool:
    """Whether it ever wants a position."""
    return bool((signals.direction == LONG).any() or (signals.direction == SHORT).any())


def _asked(strategy: TradingStrategy, market: Market, question: Callable[[], T]) -> T:
    try:
        return question()
    except TidemarkError:
        raise
    # Anybody's code runs here, and may raise anything, or try to end the process.
    except (Exception, SystemExit) as problem:
        reason = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
        raise StrategyFailed(
            strategy.name, reason[:500], where=_place(strategy, problem), bars=len(market)
        ) from problem


def _place(strategy: TradingStrategy, problem: BaseException) -> str:
    """The last line of the strategy's own that was running."""
    module = sys.modules.get(type(strategy).__module__)
    file = getattr(module, "__file__", None)
    frames = traceback.extract_tb(problem.__traceback__)
    own = [frame for frame in frames if frame.filename == file] or frames
    return f"{Path(own[-1].filename).name}, line {own[-1].lineno}"


def _check(strategy: TradingStrategy, market: Market, signals: Signals) -> None:
    if not isinstance(signals, Signals):
        raise BadSignals(
            f"{strategy.name} returned {type(signals).__name__} for {len(market):,} bars; it has to return Signals."
            " Make them with Signals.of(direction, bars=len(market))."
        )
    columns: dict[str, np.ndarray] = {"direction": signals.direction, **signals.columns}
    if signals.reason is not None:
        columns["reason"] = signals.reason
    for name, values in columns.items():
        if np.shape(values) != (len(market),):
            raise BadSignals(
                f"{strategy.name} returned {_size(values)} in the column {name} for {len(market):,} bars."
                " Give one value for each bar."
            )
    if not type(strategy).__module__.startswith("backend.domain."):
        # Ours are tested; a plugin may have made its signals without the checks.
        Signals.of(
            signals.direction,
            bars=len(market),
            reason=signals.reason,
            reasons=signals.reasons,
            **signals.columns,
        )


def _size(values: object) -> str:
    return f"{len(values):,} values" if isinstance(values, np.ndarray) and values.ndim == 1 else "no row of values"
