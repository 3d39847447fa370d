"""Bars, pages and series as tests of market data need them: few numbers, easily told apart."""

from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import frame_of
from backend.domain.grid import microseconds
from backend.domain.market import ALWAYS, Instrument, Series, Span, Timeframe
from backend.domain.market_ports import FetchedPage

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday
BTC = Series(provider="demo", symbol="BTC/USDT", timeframe=Timeframe.H1)


def instrument(series: Series = BTC, calendar: str = ALWAYS) -> Instrument:
    return Instrument(
        provider=series.provider, symbol=series.symbol, name="Bitcoin", calendar=calendar, currency="USDT", tick=0.01
    )


def bars(
    count: int, start: datetime = START, timeframe: Timeframe = Timeframe.H1, price: float = 100.0
) -> pd.DataFrame:
    """Bars without a gap, whose closes count up from the price by a cent."""
    starts = microseconds(start) + np.arange(count) * timeframe.seconds * 1_000_000
    return bars_at(starts, price)


def bars_at(starts: npt.NDArray[np.int64], price: float = 100.0) -> pd.DataFrame:
    close = np.round(price + np.arange(len(starts)) / 100, 2)
    opened = np.r_[close[:1], close[:-1]]
    columns = {
        "open": opened,
        "high": np.round(np.maximum(opened, close) + 0.5, 2),
        "low": np.round(np.minimum(opened, close) - 0.5, 2),
        "close": close,
        "volume": np.round(10.0 + np.arange(len(starts)) % 7 / 8, 3),
    }
    return frame_of(starts.astype(np.int64), columns)


def page(count: int, start: datetime = START, timeframe: Timeframe = Timeframe.H1, price: float = 100.0) -> FetchedPage:
    """Such bars, and the time that they fill is covered."""
    covered = Span(start=start, end=start + count * timeframe.length)
    return FetchedPage(bars=bars(count, start, timeframe, price), covered=covered)


def hours(start: float, end: float) -> Span:
    """A span in hours from START."""
    return Span(start=START + timedelta(hours=start), end=START + timedelta(hours=end))
