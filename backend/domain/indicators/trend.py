"""Where the price is heading: averages, and measures of how strong a trend is."""

from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.indicators.declared import (
    Floats,
    Indicator,
    Pane,
    Parameter,
    ema_settled,
    period,
    wilder_settled,
)
from backend.domain.indicators.door import begin_of, ta
from backend.domain.indicators.volatility import atr


def sma(values: Floats, period: int) -> Floats:
    """Simple moving average. Our own loop: the same sums in the same order as TA-Lib, without its start-up time."""
    return rolling_mean(values, period, begin_of(values, "the input of sma"))


def ema(values: Floats, period: int) -> Floats:
    """Exponential moving average, begun with the simple average of the first values."""
    return ta("EMA", values, timeperiod=period)[0]


def wma(values: Floats, period: int) -> Floats:
    """Average that weighs the latest value most, the oldest least."""
    return ta("WMA", values, timeperiod=period)[0]


def dema(values: Floats, period: int) -> Floats:
    """Double exponential average: less lag than an exponential one."""
    return ta("DEMA", values, timeperiod=period)[0]


def tema(values: Floats, period: int) -> Floats:
    """Triple exponential average: less lag still."""
    return ta("TEMA", values, timeperiod=period)[0]


def kama(values: Floats, period: int) -> Floats:
    """Kaufman's adaptive average: quick in a trend, slow in noise."""
    return ta("KAMA", values, timeperiod=period)[0]


def linear_regression(values: Floats, period: int) -> Floats:
    """The end of the straight line through the last values."""
    return ta("LINEARREG", values, timeperiod=period)[0]


def macd(values: Floats, fast: int, slow: int, signal: int) -> tuple[Floats, Floats, Floats]:
    """Difference of two exponential averages, the average of that, and how far the two are apart."""
    line, average, histogram = ta("MACD", values, outputs=3, fastperiod=fast, slowperiod=slow, signalperiod=signal)
    return line, average, histogram


def adx(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """How strong the trend is, whichever its direction."""
    return ta("ADX", high, low, close, timeperiod=period)[0]


def directional(high: Floats, low: Floats, close: Floats, period: int) -> tuple[Floats, Floats]:
    """Wilder's +DI and -DI: how much of the movement went up, and down."""
    return ta("PLUS_DI", high, low, close, timeperiod=period)[0], ta("MINUS_DI", high, low, close, timeperiod=period)[0]


def aroon(high: Floats, low: Floats, period: int) -> tuple[Floats, Floats]:
    """How recent the highest high and the lowest low are: 100 is now."""
    down, up = ta("AROON", high, low, outputs=2, timeperiod=period)
    return up, down


def sar(high: Floats, low: Floats, step: float, most: float) -> Floats:
    """Wilder's parabolic stop and reverse."""
    return ta("SAR", high, low, acceleration=step, maximum=most)[0]


def supertrend(high: Floats, low: Floats, close: Floats, period: int, multiple: float) -> tuple[Floats, Floats]:
    """A band that trails the price by its range, and the side it is on: 1 beneath, -1 above."""
    return _supertrend(high, low, close, atr(high, low, close, period), multiple)


@compiled
def rolling_mean(values: Floats, period: int, begins: int) -> Floats:
    """Plain running sums. `values` are finite from `begins` on."""
    count = len(values)
    means = np.empty(count)
    ready = min(count, begins + period - 1)
    total = 0.0
    for row in range(ready):
        means[row] = np.nan
        if row >= begins:
            total += values[row]
    for row in range(ready, count):
        total += values[row]
        means[row] = total / period
        total -= values[row - period + 1]
    return means


@compiled
def _supertrend(high: Floats, low: Floats, close: Floats, ranges: Floats, multiple: float) -> tuple[Floats, Floats]:
    count = len(close)
    line, side = np.full(count, np.nan), np.full(count, np.nan)
    upper = lower = np.nan
    direction = 1.0
    for row in range(count):
        if np.isnan(ranges[row]):
            continue
        middle = (high[row] + low[row]) / 2
        above, below = middle + multiple * ranges[row], middle - multiple * ranges[row]
        begun = not np.isnan(upper)
        # A band only moves towards the price, until the price has closed beyond it.
        if begun and not (above < upper or close[row - 1] > upper):
            above = upper
        if begun and not (below > lower or close[row - 1] < lower):
            below = lower
        if direction > 0 and close[row] < below:
            direction = -1.0
        elif direction < 0 and close[row] > above:
            direction = 1.0
        upper, lower = above, below
        line[row] = lower if direction > 0 else upper
        side[row] = direction
    return line, side


_CLOSE = ("close",)
_HLC = ("high", "low", "close")

TREND: Final = (
    Indicator(
        name="sma",
        title="Simple moving average",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(20),),
        outputs=("sma",),
        pane=Pane.PRICE,
        function=sma,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="ema",
        title="Exponential moving average",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(20),),
        outputs=("ema",),
        pane=Pane.PRICE,
        function=ema,
        first=lambda p: p["period"] - 1,
        settled=lambda p: p["period"] - 1 + ema_settled(p["period"]),
    ),
    Indicator(
        name="wma",
        title="Weighted moving average",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(20),),
        outputs=("wma",),
        pane=Pane.PRICE,
        function=wma,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="dema",
        title="Double exponential average",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(20),),
        outputs=("dema",),
        pane=Pane.PRICE,
        function=dema,
        first=lambda p: 2 * (p["period"] - 1),
        settled=lambda p: 2 * (p["period"] - 1 + ema_settled(p["period"])),
    ),
    Indicator(
        name="tema",
        title="Triple exponential average",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(20),),
        outputs=("tema",),
        pane=Pane.PRICE,
        function=tema,
        first=lambda p: 3 * (p["period"] - 1),
        settled=lambda p: 3 * (p["period"] - 1 + ema_settled(p["period"])),
    ),
    Indicator(
        name="kama",
        title="Kaufman's adaptive average",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(30),),
        outputs=("kama",),
        pane=Pane.PRICE,
        function=kama,
        first=lambda p: p["period"],
        # In pure noise it moves with the slowest average that it has, one over 30 bars, squared.
        settled=lambda p: p["period"] + 1_700,
    ),
    Indicator(
        name="linear_regression",
        title="Linear regression",
        group="trend",
        inputs=_CLOSE,
        parameters=(period(14),),
        outputs=("line",),
        pane=Pane.PRICE,
        function=linear_regression,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="macd",
        title="MACD",
        group="trend",
        inputs=_CLOSE,
        parameters=(
            period(12, name="fast", title="Fast"),
            period(26, name="slow", title="Slow"),
            period(9, name="signal", title="Signal", minimum=1),
        ),
        outputs=("macd", "signal", "histogram"),
        pane=Pane.OWN,
        function=macd,
        # TA-Lib takes the longer of the two as the slow one, whichever was called so.
        first=lambda p: max(p["slow"], p["fast"]) - 1 + p["signal"] - 1,
        settled=lambda p: ema_settled(max(p["slow"], p["fast"])) + ema_settled(p["signal"]) + p["slow"] + p["signal"],
    ),
    Indicator(
        name="adx",
        title="Average directional index",
        group="trend",
        inputs=_HLC,
        parameters=(period(14),),
        outputs=("adx",),
        pane=Pane.OWN,
        function=adx,
        first=lambda p: 2 * p["period"] - 1,
        settled=lambda p: 2 * (p["period"] + wilder_settled(p["period"])),
        scale=(0, 100),
    ),
    Indicator(
        name="directional",
        title="Directional movement",
        group="trend",
        inputs=_HLC,
        parameters=(period(14),),
        outputs=("plus", "minus"),
        pane=Pane.OWN,
        function=directional,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + wilder_settled(p["period"]),
        scale=(0, 100),
    ),
    Indicator(
        name="aroon",
        title="Aroon",
        group="trend",
        inputs=("high", "low"),
        parameters=(period(25),),
        outputs=("up", "down"),
        pane=Pane.OWN,
        function=aroon,
        first=lambda p: p["period"],
        scale=(0, 100),
    ),
    Indicator(
        name="sar",
        title="Parabolic SAR",
        group="trend",
        inputs=("high", "low"),
        parameters=(
            Parameter(name="step", title="Step", default=0.02, minimum=0.001, maximum=0.5),
            Parameter(name="most", title="Most", default=0.2, minimum=0.01, maximum=1.0),
        ),
        outputs=("sar",),
        pane=Pane.PRICE,
        function=sar,
        first=lambda p: 1,
        settled=lambda p: 250,
    ),
    Indicator(
        name="supertrend",
        title="Supertrend",
        group="trend",
        inputs=_HLC,
        parameters=(
            period(10),
            Parameter(name="multiple", title="Multiple", default=3.0, minimum=0.1, maximum=20.0, unit="ATR"),
        ),
        outputs=("line", "side"),
        pane=Pane.PRICE,
        function=supertrend,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + wilder_settled(p["period"]) + 250,
    ),
)
