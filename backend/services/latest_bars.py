"""The last bars of a series, read without the rest of it, and when the next ones will open. Synchronous."""

import threading
from collections import OrderedDict
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from backend.domain.backtest_ports import RunBars
from backend.domain.market import ALWAYS, FOREX, Series, Span, Timeframe
from backend.domain.market_errors import NoBars, UnknownMarketData
from backend.domain.market_ports import BarStore, Loaded, TradingCalendar
from backend.domain.ports import Clock

_KEPT: Final = 128
# How much longer than its bars a stretch of time is, where the market is not always open.
_CURRENCY_STRETCH: Final = 1.6
_DAILY_STRETCH: Final = 1.7
_INTRADAY_STRETCH: Final = 6.5
_LONGEST: Final = timedelta(days=365 * 80)
# No market rests longer than this; when twice as much time holds no more bars, there are none.
_LONGEST_REST: Final = timedelta(days=30)


class LatestBars:
    """One per process. Simulated bars are remembered: they are the same for as long as no other bar has closed."""

    def __init__(
        self,
        bars: RunBars,
        store: BarStore,
        calendar: TradingCalendar,
        clock: Clock,
        *,
        is_simulated: Callable[[str], bool],
    ) -> None:
        self._bars = bars
        self._store = store
        self._calendar = calendar
        self._clock = clock
        self._is_simulated = is_simulated
        self._made: OrderedDict[tuple[Series, int, datetime], Loaded] = OrderedDict()
        self._lock = threading.Lock()

    def last(self, series: Series, count: int) -> Loaded:
        """The newest so many, or all where there are fewer. Raises NoBars."""
        if self._is_simulated(series.provider):
            return self._simulated(series, count)
        manifest = self._store.manifest(series)
        if manifest is None or manifest.last is None or manifest.first is None:
            raise NoBars(f"Nothing of {series} is stored. Download it first.")
        end = manifest.last + series.timeframe.length
        reach = _reach(manifest.instrument.calendar, series.timeframe, count)
        while True:
            start = max(end - reach, manifest.first)
            found = self._store.read(series, Span(start=start, end=end))
            if len(found.bars) >= count or start <= manifest.first:
                newest = _tail(found, count)
                self._require_whole(newest)
                return newest
            reach = min(2 * reach, _LONGEST)

    def since(self, series: Series, start: datetime, *, before: int = 0) -> Loaded:
        """All from there on, and so many before it, or as many as there are. Raises NoBars."""
        now = self._clock.now()
        if self._is_simulated(series.provider):
            calendar, end = ALWAYS, now
        else:
            manifest = self._store.manifest(series)
            if manifest is None or manifest.last is None or manifest.last < start:
                raise NoBars(f"Nothing of {series} after {start:%Y-%m-%d %H:%M} is stored. Download it.")
            calendar, end = manifest.instrument.calendar, manifest.last + series.timeframe.length
        reach, held = _reach(calendar, series.timeframe, before), -1
        while True:
            found = self._read(series, Span(start=start - reach, end=end))
            earlier = int((found.bars["ts"] < start).sum())
            if earlier >= before or (earlier == held and reach > _LONGEST_REST):
                return found
            held, reach = earlier, 2 * reach

    def holes(self, loaded: Loaded) -> tuple[Span, ...]:
        """What between these bars nobody downloaded; where a market rests or fails there is nothing to be had."""
        if self._is_simulated(loaded.series.provider):
            return ()
        ts = loaded.bars["ts"]
        return self._store.missing(
            loaded.series, Span(start=ts.iloc[0].to_pydatetime(), end=ts.iloc[-1].to_pydatetime())
        )

    def _read(self, series: Series, span: Span) -> Loaded:
        if self._is_simulated(series.provider):
            return self._bars.load(series, span.start, span.end)
        return self._store.read(series, span)

    def _require_whole(self, newest: Loaded) -> None:
        holes = self.holes(newest)
        if holes:
            first, last = holes[0].start, holes[-1].end
            raise NoBars(
                f"{newest.series}: of the newest {len(newest.bars):,} bars, those between {first:%Y-%m-%d %H:%M} and"
                f" {last:%Y-%m-%d %H:%M} are not stored. Download them first."
            )

    def next_opens(self, loaded: Loaded, horizon: int) -> tuple[datetime, datetime]:
        """When the bar after the last one opens, and the one so many bars later; foreseen where no calendar reaches."""
        length, last = loaded.series.timeframe.length, loaded.bars["ts"].iloc[-1].to_pydatetime()
        calendar = loaded.instrument.calendar
        if calendar == ALWAYS:
            return last + length, last + length * (horizon + 1)
        reach = _reach(calendar, loaded.series.timeframe, horizon + 2) + timedelta(days=14)
        opens = self._expected(calendar, loaded.series.timeframe, last + timedelta(microseconds=1), reach)
        entry = opens[0] if opens else last + length
        if len(opens) > horizon:
            return entry, opens[horizon]
        return entry, entry + horizon * _usual_length(calendar, loaded.series.timeframe)

    def _expected(self, calendar: str, timeframe: Timeframe, after: datetime, reach: timedelta) -> list[datetime]:
        while reach > timedelta(days=1):
            try:
                found = self._calendar.expected_starts(calendar, timeframe, Span(start=after, end=after + reach))
            except UnknownMarketData:
                reach /= 2
            else:
                return [moment.to_pydatetime() for moment in found if moment > after]
        return []

    def _simulated(self, series: Series, count: int) -> Loaded:
        now = self._clock.now()
        end = series.timeframe.floor(now)
        # Bars of all markets close at quarter hours, or at the end of a shorter bar.
        key = (series, count, min(Timeframe.M15, series.timeframe, key=lambda one: one.seconds).floor(now))
        with self._lock:
            if key in self._made:
                self._made.move_to_end(key)
                return self._made[key]
        reach = _reach(ALWAYS, series.timeframe, count)
        found = self._bars.load(series, end - reach, now)
        while len(found.bars) < count and reach < _LONGEST and end - 2 * reach > _beginning(found):
            reach *= 2
            found = self._bars.load(series, end - reach, now)
        kept = _tail(found, count)
        with self._lock:
            self._made[key] = kept
            while len(self._made) > _KEPT:
                self._made.popitem(last=False)
        return kept


def _beginning(loaded: Loaded) -> datetime:
    first = loaded.instrument.first_bar
    return first if first is not None else datetime.min.replace(tzinfo=loaded.bars["ts"].iloc[0].tzinfo)


def _reach(calendar: str, timeframe: Timeframe, count: int) -> timedelta:
    return min(_usual_length(calendar, timeframe) * (count + 1), _LONGEST)


def _usual_length(calendar: str, timeframe: Timeframe) -> timedelta:
    """From one bar to the next, nights and days of rest included."""
    if calendar == ALWAYS or timeframe is Timeframe.W1:
        return timeframe.length
    if calendar == FOREX:
        return timeframe.length * _CURRENCY_STRETCH
    return timeframe.length * (_DAILY_STRETCH if timeframe is Timeframe.D1 else _INTRADAY_STRETCH)


def _tail(loaded: Loaded, count: int) -> Loaded:
    if len(loaded.bars) <= count:
        return loaded
    bars = loaded.bars.iloc[-count:].reset_index(drop=True)
    return Loaded(series=loaded.series, instrument=loaded.instrument, bars=bars)
