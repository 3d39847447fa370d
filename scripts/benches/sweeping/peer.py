"""The sweep by vectorbt, in chunks of pairs: all at once would need many times the memory of a machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd

Pairs = Sequence[tuple[int, int]]
CHUNK = 50


def ends(bars: pd.DataFrame, pairs: Pairs, engine: str, stops: dict[str, float]) -> pd.Series:
    """The least that it can do: averages, crossings, orders, and the total return alone."""
    parts = [_portfolio(bars, chunk, engine, stops).total_return() for chunk in _chunks(pairs)]
    return pd.concat(parts)


def figures(bars: pd.DataFrame, pairs: Pairs, engine: str, stops: dict[str, float]) -> None:
    """The figures by which people choose."""
    for chunk in _chunks(pairs):
        portfolio = _portfolio(bars, chunk, engine, stops)
        returns, trades = portfolio.returns().vbt.returns, portfolio.trades
        for figure in (returns.sharpe_ratio, returns.sortino_ratio, returns.calmar_ratio, returns.omega_ratio):
            figure()
        portfolio.total_return()
        portfolio.max_drawdown()
        for figure in (trades.win_rate, trades.profit_factor, trades.expectancy, trades.sqn):
            figure()


def _chunks(pairs: Pairs) -> list[Pairs]:
    return [pairs[at : at + CHUNK] for at in range(0, len(pairs), CHUNK)]


def _portfolio(bars: pd.DataFrame, pairs: Pairs, engine: str, stops: dict[str, float]) -> Any:
    import vectorbt as vbt  # noqa: PLC0415  # seconds that only this peer costs

    frame = bars.set_index("ts")
    close = frame["close"]
    fast = vbt.MA.run(close, [pair[0] for pair in pairs], engine=engine)
    slow = vbt.MA.run(close, [pair[1] for pair in pairs], engine=engine)
    entries, exits = fast.ma_crossed_above(slow), fast.ma_crossed_below(slow)
    entries.columns = exits.columns = pd.MultiIndex.from_tuples(pairs)
    return vbt.Portfolio.from_signals(
        close,
        entries.shift(1, fill_value=False),
        exits.shift(1, fill_value=False),
        price=frame["open"],
        open=frame["open"],
        high=frame["high"],
        low=frame["low"],
        fees=0.001,
        init_cash=100_000.0,
        freq="1min",
        engine=engine,
        **stops,
    )
