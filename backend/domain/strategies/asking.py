"""Asking a strategy for its signals, so that whatever it does wrong has a name, its numbers and a remedy."""

import traceback
from pathlib import Path

import numpy as np

from backend.domain.backtest_errors import BadSignals
from backend.domain.errors import TidemarkError
from backend.domain.signals import LONG, SHORT, Signals
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.strategy_errors import NeverTrades, NotEnoughHistory, StrategyFailed


def signals_of(strategy: TradingStrategy, market: Market, *, must_trade: bool = False) -> Signals:
    """Checked signals. Raises NotEnoughHistory, StrategyFailed, BadSignals, and NeverTrades where that is an error."""
    needed = strategy.least_bars()
    if len(market) < needed:
        raise NotEnoughHistory(strategy.name, needed=needed, held=len(market))
    signals = _asked(strategy, market)
    _check(strategy, market, signals)
    if must_trade and not trades(signals):
        raise NeverTrades(strategy.name, bars=len(market), warmup=strategy.warmup())
    return signals


def trades(signals: Signals) -> bool:
    """Whether it ever wants a position."""
    return bool((signals.direction == LONG).any() or (signals.direction == SHORT).any())


def _asked(strategy: TradingStrategy, market: Market) -> Signals:
    try:
        return strategy.generate_signals(market)
    except TidemarkError:
        raise
    # Anybody's code runs here, and may raise anything.
    except Exception as problem:
        reason = f"{type(problem).__name__}: {problem}" if str(problem) else type(problem).__name__
        raise StrategyFailed(strategy.name, reason[:500], where=_place(problem), bars=len(market)) from problem


def _place(problem: Exception) -> str:
    """The last line of the strategy's own that was running."""
    frames = traceback.extract_tb(problem.__traceback__)[1:]
    if not frames:
        return ""
    own = [frame for frame in frames if frame.filename == frames[0].filename][-1]
    return f"{Path(own.filename).name}, line {own.lineno}"


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
