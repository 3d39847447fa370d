"""What a strategy says on some bars: lines and signals, as a document that a chart and a table can show."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.domain.bars import COLUMNS
from backend.domain.indicators.catalogue import indicator
from backend.domain.market import ALWAYS, FOREX, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import NoBars
from backend.domain.market_ports import Loaded
from backend.domain.signals import FLAT, KEEP, LONG, NO_REASON, SHORT, Signals
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market, Predictions

# So much is read before what is shown: at least, since longer bars are made of it, and at most.
_USUAL_HISTORY: Final = 3_000
_MOST_HISTORY: Final = 40_000
_MOST_LINES: Final = 24
_EARLIEST: Final = datetime(1970, 1, 1, tzinfo=UTC)
_SIDES: Final = {LONG: "long", SHORT: "short", FLAT: "flat"}


@dataclass(frozen=True, kw_only=True)
class PreviewWanted:
    """The last bars of a range. Without a start as far back as `bars`, without an end up to the last bar there is."""

    strategy: str
    parameters: Mapping[str, Any]
    series: Series
    start: datetime | None = None
    end: datetime | None = None
    bars: int = 500


Reads = Callable[[Series, Span], Loaded]


def preview(
    wanted: PreviewWanted,
    strategy: TradingStrategy,
    read: Reads,
    *,
    instrument: Instrument,
    until: datetime,
    predictions: Predictions | None = None,
) -> dict[str, Any]:
    """`until` is where the bars end that there are. Raises NoBars, and all that a strategy can raise."""
    history = min(_MOST_HISTORY, max(_USUAL_HISTORY, strategy.warmup_on(wanted.series.timeframe)))
    end = min(wanted.end or until, until)
    if end <= _EARLIEST:
        raise NoBars(f"{wanted.series} has no bars before {_EARLIEST:%Y-%m-%d}. Choose a later range.")
    span = _reach(wanted.series.timeframe, instrument.calendar, end, history + wanted.bars)
    if wanted.start is not None and wanted.start >= end:
        raise NoBars(
            f"{wanted.series} has bars up to {until:%Y-%m-%d %H:%M} UTC, none from {wanted.start:%Y-%m-%d} on."
        )
    loaded = read(wanted.series, span)
    market = Market.of(
        loaded.bars.tail(history + wanted.bars).reset_index(drop=True),
        loaded.instrument,
        wanted.series.timeframe,
        predictions=predictions,
    )
    signals = signals_of(strategy, market)
    first = _first_shown(market, wanted)
    lines = _lines(strategy, market, first)
    return {
        "bars": {
            "ts": (market.starts[first:] // 1000).tolist(),
            **{name: market.columns[name][first:].tolist() for name in COLUMNS},
        },
        "lines": lines[:_MOST_LINES],
        "lines_left_out": max(0, len(lines) - _MOST_LINES),
        "signals": _said(signals, market, first),
        "reasons": list(signals.reasons),
        "warmup": strategy.warmup_on(market.timeframe),
        "bars_before": first,
        "is_simulated": loaded.instrument.is_simulated,
    }


def _reach(timeframe: Timeframe, calendar: str, end: datetime, bars: int) -> Span:
    """Time enough for so many bars of a market that is not always open."""
    if calendar in (ALWAYS, FOREX):
        factor = 1.0 if calendar == ALWAYS else 1.45
    else:
        factor = 6.0 if timeframe.is_intraday else 1.55
    spare = timedelta(0) if calendar == ALWAYS else timedelta(days=10)
    seconds = min(timeframe.seconds * bars * factor, (end - _EARLIEST).total_seconds())
    return Span(start=max(_EARLIEST, end - timedelta(seconds=math.ceil(max(0.0, seconds))) - spare), end=end)


def _first_shown(market: Market, wanted: PreviewWanted) -> int:
    first = max(0, len(market) - wanted.bars)
    if wanted.start is None:
        return first
    begin = int(np.searchsorted(market.starts, int(wanted.start.timestamp() * 1_000_000)))
    if begin >= len(market):
        raise NoBars(f"{wanted.series} has no bars from {wanted.start:%Y-%m-%d %H:%M} UTC on. Choose an earlier range.")
    return max(first, begin)


def _lines(strategy: TradingStrategy, market: Market, first: int) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = []
    for plot in strategy.plots():
        meant = indicator(plot.indicator)
        computed = meant.compute(market.inputs, plot.parameters)
        made.extend(
            {
                "indicator": meant.name,
                "title": meant.title,
                "parameters": meant.complete(plot.parameters),
                "output": output,
                "pane": meant.pane.value,
                "levels": list(plot.levels),
                "values": _numbers(computed[output][first:]),
            }
            for output in plot.outputs or meant.outputs
        )
    return made


def _said(signals: Signals, market: Market, first: int) -> dict[str, list[Any]]:
    """The bars on which something is said anew; on all others everything stays as it is."""
    rows = np.flatnonzero(signals.direction != KEEP)
    rows = rows[rows >= first]
    codes = None if signals.reason is None else signals.reason[rows]
    prices = {
        name: _numbers(values[rows])
        for name in ("stop_percent", "target_percent", "trail_percent", "stop", "target", "limit")
        if (values := getattr(signals, name)) is not None
    }
    return {
        "ts": (market.starts[rows] // 1000).tolist(),
        "side": [_SIDES[int(side)] for side in signals.direction[rows]],
        "close": market.columns["close"][rows].tolist(),
        "reason": [] if codes is None else [None if code == NO_REASON else int(code) for code in codes],
        **prices,
    }


def _numbers(values: npt.NDArray[np.float64]) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in np.asarray(values, np.float64).tolist()]
