"""How fast the price moves, and whether it has gone too far."""

from typing import Final

from backend.domain.indicators.declared import Floats, Indicator, Pane, ema_settled, period, wilder_settled
from backend.domain.indicators.door import ta


def rsi(values: Floats, period: int) -> Floats:
    """Wilder's relative strength index."""
    return ta("RSI", values, timeperiod=period)[0]


def stochastic(high: Floats, low: Floats, close: Floats, *, k: int, smooth: int, d: int) -> tuple[Floats, Floats]:
    """Where the close lies in the range of the last bars, smoothed, and the average of that."""
    line, average = ta("STOCH", high, low, close, outputs=2, fastk_period=k, slowk_period=smooth, slowd_period=d)
    return line, average


def stochastic_rsi(values: Floats, period: int, k: int, d: int) -> tuple[Floats, Floats]:
    """Where the RSI lies in its own range of the last bars."""
    line, average = ta("STOCHRSI", values, outputs=2, timeperiod=period, fastk_period=k, fastd_period=d)
    return line, average


def cci(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Commodity channel index: how unusual the distance from the average is."""
    return ta("CCI", high, low, close, timeperiod=period)[0]


def roc(values: Floats, period: int) -> Floats:
    """Rate of change over some bars, in percent."""
    return ta("ROC", values, timeperiod=period)[0]


def momentum(values: Floats, period: int) -> Floats:
    """Change over some bars, in units of the price."""
    return ta("MOM", values, timeperiod=period)[0]


def williams_r(high: Floats, low: Floats, close: Floats, period: int) -> Floats:
    """Where the close lies beneath the highest high: 0 at the top, -100 at the bottom."""
    return ta("WILLR", high, low, close, timeperiod=period)[0]


def cmo(values: Floats, period: int) -> Floats:
    """Chande's momentum oscillator."""
    return ta("CMO", values, timeperiod=period)[0]


def trix(values: Floats, period: int) -> Floats:
    """Change in percent of a thrice smoothed average."""
    return ta("TRIX", values, timeperiod=period)[0]


def ultimate(high: Floats, low: Floats, close: Floats, *, short: int, middle: int, long: int) -> Floats:
    """Williams' ultimate oscillator: buying pressure over three periods at once."""
    return ta("ULTOSC", high, low, close, timeperiod1=short, timeperiod2=middle, timeperiod3=long)[0]


_CLOSE = ("close",)
_HLC = ("high", "low", "close")

MOMENTUM: Final = (
    Indicator(
        name="rsi",
        title="Relative strength index",
        group="momentum",
        inputs=_CLOSE,
        parameters=(period(14),),
        outputs=("rsi",),
        pane=Pane.OWN,
        function=rsi,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + wilder_settled(p["period"]),
        scale=(0, 100),
    ),
    Indicator(
        name="stochastic",
        title="Stochastic",
        group="momentum",
        inputs=_HLC,
        parameters=(
            period(14, name="k", title="Range", minimum=1),
            period(3, name="smooth", title="Smoothing", minimum=1),
            period(3, name="d", title="Signal", minimum=1),
        ),
        outputs=("k", "d"),
        pane=Pane.OWN,
        function=stochastic,
        first=lambda p: p["k"] + p["smooth"] + p["d"] - 3,
        scale=(0, 100),
    ),
    Indicator(
        name="stochastic_rsi",
        title="Stochastic RSI",
        group="momentum",
        inputs=_CLOSE,
        parameters=(
            period(14),
            period(5, name="k", title="Range", minimum=1),
            period(3, name="d", title="Signal", minimum=1),
        ),
        outputs=("k", "d"),
        pane=Pane.OWN,
        function=stochastic_rsi,
        first=lambda p: p["period"] + p["k"] + p["d"] - 2,
        settled=lambda p: p["period"] + wilder_settled(p["period"]) + p["k"] + p["d"],
        scale=(0, 100),
    ),
    Indicator(
        name="cci",
        title="Commodity channel index",
        group="momentum",
        inputs=_HLC,
        parameters=(period(20),),
        outputs=("cci",),
        pane=Pane.OWN,
        function=cci,
        first=lambda p: p["period"] - 1,
    ),
    Indicator(
        name="roc",
        title="Rate of change",
        group="momentum",
        inputs=_CLOSE,
        parameters=(period(10, minimum=1),),
        outputs=("roc",),
        pane=Pane.OWN,
        function=roc,
        first=lambda p: p["period"],
    ),
    Indicator(
        name="momentum",
        title="Momentum",
        group="momentum",
        inputs=_CLOSE,
        parameters=(period(10, minimum=1),),
        outputs=("momentum",),
        pane=Pane.OWN,
        function=momentum,
        first=lambda p: p["period"],
    ),
    Indicator(
        name="williams_r",
        title="Williams %R",
        group="momentum",
        inputs=_HLC,
        parameters=(period(14),),
        outputs=("williams_r",),
        pane=Pane.OWN,
        function=williams_r,
        first=lambda p: p["period"] - 1,
        scale=(-100, 0),
    ),
    Indicator(
        name="cmo",
        title="Chande momentum oscillator",
        group="momentum",
        inputs=_CLOSE,
        parameters=(period(14),),
        outputs=("cmo",),
        pane=Pane.OWN,
        function=cmo,
        first=lambda p: p["period"],
        settled=lambda p: p["period"] + wilder_settled(p["period"]),
        scale=(-100, 100),
    ),
    Indicator(
        name="trix",
        title="TRIX",
        group="momentum",
        inputs=_CLOSE,
        parameters=(period(15),),
        outputs=("trix",),
        pane=Pane.OWN,
        function=trix,
        first=lambda p: 3 * (p["period"] - 1) + 1,
        settled=lambda p: 3 * (p["period"] + ema_settled(p["period"])),
    ),
    Indicator(
        name="ultimate",
        title="Ultimate oscillator",
        group="momentum",
        inputs=_HLC,
        parameters=(
            period(7, name="short", title="Short", minimum=1),
            period(14, name="middle", title="Middle", minimum=1),
            period(28, name="long", title="Long", minimum=1),
        ),
        outputs=("ultimate",),
        pane=Pane.OWN,
        function=ultimate,
        first=lambda p: max(p["short"], p["middle"], p["long"]),
        scale=(0, 100),
    ),
)
