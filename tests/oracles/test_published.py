"""Published numbers: what the regression test of backtesting.py says of two averages on Google, 2004 to 2013."""

import numpy as np
import pandas as pd
import pytest

from backend.backtesting.analysis import analyse
from backend.backtesting.engine import Feed, backtest
from backend.domain.bars import check_bars
from backend.domain.config import TradingConfig
from backend.domain.market import Timeframe
from backend.domain.signals import FLAT, KEEP, LONG, SHORT, Signals

pytestmark = pytest.mark.filterwarnings("ignore")


def test_averages_of_10_and_30_days_on_google() -> None:
    """Its `test_compute_stats`: both ways, 10,000 in whole shares, no costs; the last trade ends at the last open."""
    bars = _google()
    close = bars["close"]
    fast, slow = close.rolling(10).mean(), close.rolling(30).mean()
    rises = (fast > slow) & (fast.shift() < slow.shift())
    falls = (fast < slow) & (fast.shift() > slow.shift())
    direction = np.select([rises, falls], [LONG, SHORT], KEEP)
    direction[-2] = FLAT
    config = TradingConfig.model_validate(
        {"cash": 10_000, "costs": {"maker_bps": 0, "taker_bps": 0}, "execution": {"sides": "both"}}
    )
    signals = Signals.of(direction, bars=len(bars))
    feed = Feed(symbol="GOOG", timeframe=Timeframe.D1, calendar="XNYS", bars=bars, signals=signals, lot=1)
    result = backtest([feed], config)
    said = analyse(result, timeframe=Timeframe.D1, calendar="XNYS").statistics
    assert said["trades"] == 66
    published = {
        "end_equity": 51422.98999999996,
        "total_return": 4.142298999999996,
        "max_drawdown": -0.4798012705007589,
        "win_rate": 0.4696969696969697,
        "best_trade": 0.5359595229490424,
        "worst_trade": -0.1839887353835481,
        "mean_trade": 0.032748078066748834,
        "sqn": 1.0766187356697705,
        "max_drawdown_days": 584,
    }
    for name, value in published.items():
        assert said[name] == pytest.approx(value, rel=1e-9), name
    assert result.equity.max() == pytest.approx(75787.44, rel=1e-9)
    returns = result.closed["pnl"] / np.abs(result.closed["quantity"] * result.closed["entry_price"])
    assert np.prod(1 + returns) ** (1 / 66) - 1 == pytest.approx(0.02531715975158555, rel=1e-9)
    # There the profit factor is one of returns, here one of money.
    assert returns[returns > 0].sum() / -returns[returns < 0].sum() == pytest.approx(2.167945974262033, rel=1e-9)


def _google() -> pd.DataFrame:
    from backtesting.test import GOOG

    frame = GOOG.rename(columns=str.lower).rename_axis("ts").reset_index()
    frame["ts"] = frame["ts"].dt.tz_localize("UTC")
    return check_bars(frame, Timeframe.D1, "XNYS")
