"""What TA-Lib has of our features, or the nearest to them: as people compute them today, one call a column."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import numpy as np
import talib

Bars = Mapping[str, Any]  # columns, each in one piece


def _hlc(call: Callable[..., Any], bars: Bars, *numbers: int) -> Any:
    return call(bars["high"], bars["low"], bars["close"], *numbers)


CALLS: Final[dict[str, Callable[[Bars], Any]]] = {
    "return_1": lambda b: talib.ROCP(b["close"], 1),
    "return_5": lambda b: talib.ROCP(b["close"], 5),
    "return_20": lambda b: talib.ROCP(b["close"], 20),
    "return_60": lambda b: talib.ROCP(b["close"], 60),
    "return_240": lambda b: talib.ROCP(b["close"], 240),
    "volatility_5": lambda b: talib.STDDEV(b["close"], 5),
    "volatility_20": lambda b: talib.STDDEV(b["close"], 20),
    "volatility_60": lambda b: talib.STDDEV(b["close"], 60),
    "volatility_240": lambda b: talib.STDDEV(b["close"], 240),
    "range_1_to_20": lambda b: _hlc(talib.NATR, b, 20),
    "range_5_to_60": lambda b: _hlc(talib.NATR, b, 60),
    "channel_20": lambda b: talib.MAX(b["high"], 20) - talib.MIN(b["low"], 20),
    "channel_60": lambda b: talib.MAX(b["high"], 60) - talib.MIN(b["low"], 60),
    "channel_240": lambda b: talib.MAX(b["high"], 240) - talib.MIN(b["low"], 240),
    "volume_1_to_20": lambda b: b["volume"] / talib.SMA(b["volume"], 20),
    "volume_5_to_60": lambda b: talib.SMA(b["volume"], 5) / talib.SMA(b["volume"], 60),
    "volume_20_to_240": lambda b: talib.SMA(b["volume"], 20) / talib.SMA(b["volume"], 240),
    "signed_volume_20": lambda b: talib.OBV(b["close"], b["volume"]),
    "money_flow_20": lambda b: talib.MFI(b["high"], b["low"], b["close"], b["volume"], timeperiod=20),
    "rsi_5": lambda b: talib.CMO(b["close"], 5),
    "rsi_20": lambda b: talib.RSI(b["close"], 20),
    "stochastic_20": lambda b: _hlc(talib.WILLR, b, 20),
    "stochastic_60": lambda b: _hlc(talib.WILLR, b, 60),
    "stochastic_240": lambda b: _hlc(talib.WILLR, b, 240),
    "acceleration_20": lambda b: talib.MOM(talib.MOM(b["close"], 20), 20),
    "average_5_to_20": lambda b: talib.SMA(b["close"], 5) / talib.SMA(b["close"], 20),
    "average_20_to_60": lambda b: talib.SMA(b["close"], 20) / talib.SMA(b["close"], 60),
    "average_60_to_240": lambda b: talib.SMA(b["close"], 60) / talib.SMA(b["close"], 240),
    "slope_20": lambda b: talib.LINEARREG_SLOPE(b["close"], 20),
    "slope_60": lambda b: talib.LINEARREG_SLOPE(b["close"], 60),
    "straightness_60": lambda b: talib.CORREL(b["close"], b["row"], 60),
    "directional_20": lambda b: _hlc(talib.DX, b, 20),
    "z_20": lambda b: talib.BBANDS(b["close"], 20),
    "z_60": lambda b: talib.BBANDS(b["close"], 60),
    "z_240": lambda b: talib.BBANDS(b["close"], 240),
    "autocorrelation_60": lambda b: talib.CORREL(b["close"][1:], b["close"][:-1], 60),
    "engulfing": lambda b: talib.CDLENGULFING(b["open"], b["high"], b["low"], b["close"]),
    "inside_outside": lambda b: talib.CDLHARAMI(b["open"], b["high"], b["low"], b["close"]),
}


def features_by_talib(bars: Bars) -> Any:
    """A column each, and nothing done with them; not even put into one matrix."""
    return [call(bars) for call in CALLS.values()]


def taken(columns: Mapping[str, Any]) -> Bars:
    count = len(columns["close"])
    return {**columns, "row": np.arange(count, dtype=np.float64)}
