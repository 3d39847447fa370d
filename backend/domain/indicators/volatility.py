"""How far the price swings: ranges, bands and channels."""

from typing import Final

import numpy as np

from backend.domain.indicators.declared import (
    Floats,
    Indicator,
    Pane,
    Parameter,
    ema_settled,
    period,
    wilder_settled,
)
from backend.domain.indicators.door import ta


def true_range(high: Floats, low: Floats, close: Floats) -> Floats:
    """The bar's range, and the gap before it."""
    return ta("TRANGE", high, low, close)[0]


def atr(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Wilder's average true range."""
    return ta("ATR", high, low, close, timeperiod=period)[0]


def natr(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """The average true range in percent of the close."""
    return ta("NATR", high, low, close, timeperiod=period)[0]


def deviation(values: Floats, period: int) -> Floats:
    """Standard deviation of the last values, of the population as TA-Lib has it."""
    return ta("STDDEV", values, timeperiod=period)[0]


def bollinger(values: Floats, period: int, deviations: float) -> tuple[Floats, Floats, Floats]:
    """A simple average, and bands some standard deviations above and below it."""
    upper, middle, lower = ta("BBANDS", values, outputs=3, timeperiod=period, nbdevup=deviations, nbdevdn=deviations)
    return upper, middle, lower


def bollinger_position(values: Floats, period: int, deviations: float) -> tuple[Floats, Floats]:
    """%b: 0 at the lower band, 1 at the upper; and the bands' distance in percent of the middle.

    Where the bands lie on each other the price has no place between them.
    """
    upper, middle, lower = bollinger(values, period, deviations)
    width = upper - lower
    place = np.divide(values - lower, width, out=np.full(len(values), np.nan), where=width > 0)
    return place, 100 * width / middle


def keltner(high: Floats, low: Floats, close: Floats, period: int, multiple: float) -> tuple[Floats, Floats, Floats]:
    """An exponential average of the close, and bands some average true ranges above and below it."""
    middle = ta("EMA", close, timeperiod=period)[0]
    distance = multiple * atr(high, low, close, period)
    # The average is there a bar before the range is; all three begin together.
    middle = np.where(np.isfinite(distance), middle, np.nan)
    return middle + distance, middle, middle - distance


def donchian(high: Floats, low: Floats, period: int) -> tuple[Floats, Floats, Floats]:
    """The highest high and the lowest low of the last bars, this one included, and their middle."""
    upper, lower = ta("MAX", high, timeperiod=period)[0], ta("MIN", low, timeperiod=period)[0]
    return upper, (upper + lower) / 2, lower


def realised_volatility(values: Floats, period: int, bars_a_year: float) -> Floats:
    """Standard deviation of log returns (of the sample), for a year, in percent."""
    if len(values) == 0:
        return np.empty(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        returns = np.log(values[1:] / values[:-1])
    scale = 100 * np.sqrt(bars_a_year * period / (period - 1))
    return np.concatenate(([np.nan], deviation(returns, period) * scale)) if len(returns) else np.full(1, np.nan)


_CLOSE = ("close",)
_HLC = ("high", "low", "close")
_DEVIATIONS = Parameter(
    name="deviations", title="Deviations", default=2.0, minimum=0.1, maximum=10.0, unit="deviations"
)

VOLATILITY: Final = (
    Indicator(
        name="true_range",
        title="True range",
        group="volatility",
        inputs=_HLC,
        parameters=(),
        outputs=("true_range",),
        pane=Pane.OWN,
        function=true_range,
        first=lambda p: 1,
    ),
    Indicator(
        name="atr",
        title="Average true range",
        group="volatility",
        inputs=_HLC,
        parameters=(period(14, minimum=1),),
        outputs=("atr",),
        pane=Pane.OWN,
        function=atr,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + wilder_settled(p["period"]),
    ),
    Indicator(
        name="natr",
        title="Average true range, percent",
        group="volatility",
        inputs=_HLC,
        parameters=(period(14, minimum=1),),
        outputs=("natr",),
        pane=Pane.OWN,
        function=natr,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + wilder_settled(p["period"]),
    ),
    Indicator(
        name="deviation",
        title="Standard deviation",
        group="volatility",
        inputs=_CLOSE,
        parameters=(period(20),),
        outputs=("deviation",),
        pane=Pane.OWN,
        function=deviation,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="bollinger",
        title="Bollinger bands",
        group="volatility",
        inputs=_CLOSE,
        parameters=(period(20), _DEVIATIONS),
        outputs=("upper", "middle", "lower"),
        pane=Pane.PRICE,
        function=bollinger,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="bollinger_position",
        title="Bollinger %b and width",
        group="volatility",
        inputs=_CLOSE,
        parameters=(period(20), _DEVIATIONS),
        outputs=("place", "width"),
        pane=Pane.OWN,
        function=bollinger_position,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="keltner",
        title="Keltner channel",
        group="volatility",
        inputs=_HLC,
        parameters=(
            period(20),
            Parameter(name="multiple", title="Multiple", default=2.0, minimum=0.1, maximum=20.0, unit="ATR"),
        ),
        outputs=("upper", "middle", "lower"),
        pane=Pane.PRICE,
        function=keltner,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + max(wilder_settled(p["period"]), ema_settled(p["period"])),
    ),
    Indicator(
        name="donchian",
        title="Donchian channel",
        group="volatility",
        inputs=("high", "low"),
        parameters=(period(20),),
        outputs=("upper", "middle", "lower"),
        pane=Pane.PRICE,
        function=donchian,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="realised_volatility",
        title="Realised volatility",
        group="volatility",
        inputs=_CLOSE,
        parameters=(
            period(20),
            Parameter(
                name="bars_a_year", title="Bars a year", default=252.0, minimum=1.0, maximum=600_000.0, unit="bars"
            ),
        ),
        outputs=("volatility",),
        pane=Pane.OWN,
        function=realised_volatility,
        first=lambda p: p["period"],
    ),
)
