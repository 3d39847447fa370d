"""The demo provider: a simulated market without a key and without a network, the same bars on every machine."""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd

from backend.data.calendars import TradingCalendars
from backend.domain.bars import check_bars, empty_bars
from backend.domain.market import Adjustment, Instrument, Series, Span, Timeframe, closest
from backend.domain.market_errors import NotServed, UnknownSymbol
from backend.domain.market_ports import FetchedPage, TradingCalendar
from backend.domain.ports import Clock
from backend.domain.simulation.bars import simulated
from backend.domain.simulation.dice import Ints
from backend.domain.simulation.markets import FIRST_BAR, MARKETS, PROVIDER, SimulatedMarket
from backend.infrastructure.clock import SystemClock

_DAY = timedelta(days=1)
_HALF_HOUR = 1_800_000_000  # microseconds


class DemoFetcher:
    """A BarFetcher over the simulation. Bars that end after the clock's now do not exist yet."""

    provider = PROVIDER
    timeframes = tuple(Timeframe)
    adjustments = (Adjustment.RAW,)
    bars_a_second = 1_000_000.0

    def __init__(self, calendars: TradingCalendar, clock: Clock) -> None:
        self._calendars = calendars
        self._clock = clock

    def requests(self, series: Series, missing: Sequence[Span], bars: int) -> int:
        return 0

    async def instruments(self, search: str = "", *, limit: int = 50) -> Sequence[Instrument]:
        ranked = sorted(
            (rank, place) for place, market in enumerate(MARKETS.values()) if (rank := _rank(market, search))
        )
        markets = list(MARKETS.values())
        return [markets[place].instrument for _, place in ranked[:limit]]

    async def instrument(self, symbol: str) -> Instrument:
        return _market(symbol).instrument

    async def fetch(self, series: Series, wanted: Span) -> AsyncIterator[FetchedPage]:
        market = _market(series.symbol)
        if series.timeframe not in self.timeframes or series.adjustment not in self.adjustments:
            raise NotServed.of(series, self.timeframes, self.adjustments)
        until = await asyncio.to_thread(self._until, market, series.timeframe, wanted)
        for span in _pages(series.timeframe, Span(start=wanted.start, end=max(wanted.start, until))):
            bars = await asyncio.to_thread(self._bars, market, series.timeframe, span)
            yield FetchedPage(bars=check_bars(bars, series.timeframe, market.calendar), covered=span)

    async def close(self) -> None:
        """There is nothing to close."""

    def bars(self, symbol: str, timeframe: Timeframe, wanted: Span) -> pd.DataFrame:
        """All that `fetch` would bring, at once and without an event loop."""
        market, until = _market(symbol), self.until(symbol, timeframe, wanted)
        pages = [self._bars(market, timeframe, span) for span in _pages(timeframe, Span(start=wanted.start, end=until))]
        return check_bars(pd.concat(pages, ignore_index=True), timeframe, market.calendar) if pages else empty_bars()

    def until(self, symbol: str, timeframe: Timeframe, wanted: Span) -> datetime:
        """Where its bars end: what is not finished yet does not exist."""
        return max(wanted.start, self._until(_market(symbol), timeframe, wanted))

    def _until(self, market: SimulatedMarket, timeframe: Timeframe, wanted: Span) -> datetime:
        """Where the wanted time ends, or before it the first bar that is not finished, or now."""
        now = self._clock.now()
        begun = Span(start=now - timeframe.length + timedelta(microseconds=1), end=now)
        unfinished = self._calendars.expected_starts(market.calendar, timeframe, begun)
        until: datetime = min(wanted.end, now, *unfinished[:1].to_pydatetime())
        return until

    def _bars(self, market: SimulatedMarket, timeframe: Timeframe, span: Span) -> pd.DataFrame:
        begun = span.overlap(Span(start=FIRST_BAR, end=max(FIRST_BAR, span.end)))
        starts = self._starts(market, timeframe, begun) if begun else np.empty(0, np.int64)
        if len(starts) == 0:
            return empty_bars()
        first, last = (datetime.fromtimestamp(int(one) // 1_000_000, UTC) for one in (starts[0], starts[-1]))
        days = Span(start=_midnight(first), end=_midnight(last + timeframe.length - timedelta(microseconds=1)) + _DAY)
        halves = self._starts(market, Timeframe.M30, days) // _HALF_HOUR
        return simulated(market, timeframe, halves, starts)

    def _starts(self, market: SimulatedMarket, timeframe: Timeframe, span: Span) -> Ints:
        starts: Ints = self._calendars.expected_starts(market.calendar, timeframe, span).as_unit("us").asi8
        return starts


def simulated_bars(
    symbol: str,
    timeframe: Timeframe | str,
    start: datetime | str,
    end: datetime | str,
    *,
    clock: Clock | None = None,
) -> pd.DataFrame:
    """Bars of the demo market for research, without a server or a database; times without a zone are UTC.

    >>> simulated_bars("BTC/USDT", "1h", "2024-01-01", "2024-02-01")
    """
    fetcher = DemoFetcher(TradingCalendars(), clock or SystemClock())
    return fetcher.bars(symbol, Timeframe(timeframe), Span(start=_moment(start), end=_moment(end)))


def instrument_of(symbol: str) -> Instrument:
    """Raises UnknownSymbol, with what may have been meant."""
    return _market(symbol).instrument


def _market(symbol: str) -> SimulatedMarket:
    market = MARKETS.get(symbol)
    if market is None:
        raise UnknownSymbol(symbol, PROVIDER, closest(symbol, list(MARKETS)), known=list(MARKETS))
    return market


def _rank(market: SimulatedMarket, search: str) -> int:
    """How well it matches, 1 best; 0 when not at all."""
    wanted, symbol, name = search.strip().upper(), market.symbol.upper(), market.name.upper()
    places = (symbol == wanted, symbol.startswith(wanted), name.startswith(wanted), wanted in symbol, wanted in name)
    return next((place for place, matches in enumerate(places, start=1) if matches), 0)


def _pages(timeframe: Timeframe, span: Span) -> Iterator[Span]:
    """A month of what is made of minutes, a year of the rest; the time before the first bar belongs to its page."""
    start = span.start
    while start < span.end:
        within = max(start, FIRST_BAR)
        month = within.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        if timeframe.seconds < Timeframe.M30.seconds:
            following = (month + timedelta(days=32)).replace(day=1)
        else:
            following = month.replace(year=within.year + 1, month=1)
        # No week is cut in two where a year ends.
        border = timeframe.floor(following)
        end = min(span.end, border if border > start else border + timeframe.length)
        yield Span(start=start, end=end)
        start = end


def _midnight(moment: datetime) -> datetime:
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _moment(time: datetime | str) -> datetime:
    stamp = pd.Timestamp(time)
    moment: datetime = (stamp.tz_localize(UTC) if stamp.tzinfo is None else stamp.tz_convert(UTC)).to_pydatetime()
    return moment
