"""What stands behind a move: how much was traded, and at which prices."""

from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.indicators.declared import Floats, Indicator, Pane, ema_settled, period
from backend.domain.indicators.door import ta
from backend.domain.indicators.trend import sma

Moments = npt.NDArray[np.int64]  # microseconds since 1970
_DAY = 86_400_000_000


def obv(close: Floats, volume: Floats) -> Floats:
    """On-balance volume: what was traded on rising bars, less that of falling ones."""
    return ta("OBV", close, volume)[0]


def adl(high: Floats, low: Floats, close: Floats, volume: Floats) -> Floats:
    """Accumulation and distribution: volume, weighed by where in its range the bar closed."""
    return ta("AD", high, low, close, volume)[0]


def chaikin(high: Floats, low: Floats, close: Floats, volume: Floats, *, fast: int, slow: int) -> Floats:
    """Chaikin's oscillator: two averages of accumulation and distribution, one less the other."""
    return ta("ADOSC", high, low, close, volume, fastperiod=fast, slowperiod=slow)[0]


def mfi(high: Floats, low: Floats, close: Floats, volume: Floats, period: int) -> Floats:
    """Money flow index: an RSI that counts volume."""
    return ta("MFI", high, low, close, volume, timeperiod=period)[0]


def volume_average(volume: Floats, period: int) -> Floats:
    """Simple average of the volume."""
    return sma(volume, period)


def relative_volume(volume: Floats, period: int) -> Floats:
    """This bar's volume as a multiple of the average of the bars before it. Nothing where those had none."""
    usual = np.full(len(volume), np.nan)
    usual[1:] = sma(volume, period)[:-1]
    relative: Floats = np.divide(volume, usual, out=np.full(len(volume), np.nan), where=usual > 0)
    return relative


def vwap(high: Floats, low: Floats, close: Floats, volume: Floats, period: int) -> Floats:
    """Average price of what was traded in the last bars. Nothing where nothing was."""
    return _vwap(high, low, close, volume, period)


def session_vwap(moments: Moments, high: Floats, low: Floats, close: Floats, volume: Floats) -> Floats:
    """The same since the start of the day in UTC, in which the session of every exchange that we know lies."""
    return _session_vwap(moments // _DAY, high, low, close, volume)


@compiled
def _vwap(high: Floats, low: Floats, close: Floats, volume: Floats, period: int) -> Floats:
    count = len(close)
    line = np.full(count, np.nan)
    for row in range(period - 1, count):
        # Summed anew for each bar: running sums of money forget small volumes after large ones.
        paid = traded = 0.0
        for each in range(row - period + 1, row + 1):
            paid += (high[each] + low[each] + close[each]) / 3 * volume[each]
            traded += volume[each]
        if traded > 0:
            line[row] = paid / traded
    return line


@compiled
def _session_vwap(day: Moments, high: Floats, low: Floats, close: Floats, volume: Floats) -> Floats:
    count = len(close)
    line = np.full(count, np.nan)
    paid = traded = 0.0
    for row in range(count):
        if row == 0 or day[row] != day[row - 1]:
            paid = traded = 0.0
        paid += (high[row] + low[row] + close[row]) / 3 * volume[row]
        traded += volume[row]
        if traded > 0:
            line[row] = paid / traded
    return line


_HLCV = ("high", "low", "close", "volume")

VOLUME: Final = (
    Indicator(
        name="obv",
        title="On-balance volume",
        group="volume",
        inputs=("close", "volume"),
        parameters=(),
        outputs=("obv",),
        pane=Pane.OWN,
        function=obv,
        first=lambda p: 0,
    ),
    Indicator(
        name="adl",
        title="Accumulation and distribution",
        group="volume",
        inputs=_HLCV,
        parameters=(),
        outputs=("adl",),
        pane=Pane.OWN,
        function=adl,
        first=lambda p: 0,
    ),
    Indicator(
        name="chaikin",
        title="Chaikin oscillator",
        group="volume",
        inputs=_HLCV,
        parameters=(period(3, name="fast", title="Fast"), period(10, name="slow", title="Slow")),
        outputs=("chaikin",),
        pane=Pane.OWN,
        function=chaikin,
        first=lambda p: max(p["fast"], p["slow"]) - 1,
        settled=lambda p: ema_settled(max(p["fast"], p["slow"])),
    ),
    Indicator(
        name="mfi",
        title="Money flow index",
        group="volume",
        inputs=_HLCV,
        parameters=(period(14),),
        outputs=("mfi",),
        pane=Pane.OWN,
        function=mfi,
        first=lambda p: p["period"],
        scale=(0, 100),
    ),
    Indicator(
        name="volume_average",
        title="Average volume",
        group="volume",
        inputs=("volume",),
        parameters=(period(20),),
        outputs=("average",),
        pane=Pane.VOLUME,
        function=volume_average,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="relative_volume",
        title="Relative volume",
        group="volume",
        inputs=("volume",),
        parameters=(period(20),),
        outputs=("relative",),
        pane=Pane.OWN,
        function=relative_volume,
        first=lambda p: p["period"],
    ),
    Indicator(
        name="vwap",
        title="Volume weighted average price",
        group="volume",
        inputs=_HLCV,
        parameters=(period(20),),
        outputs=("vwap",),
        pane=Pane.PRICE,
        function=vwap,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="session_vwap",
        title="VWAP of the day",
        group="volume",
        inputs=("moments", *_HLCV),
        parameters=(),
        outputs=("vwap",),
        pane=Pane.PRICE,
        function=session_vwap,
        first=lambda p: 0,
        # Whoever begins within a day has an average of the rest of it: up to a day of minutes.
        settled=lambda p: 1_440,
    ),
)
