"""An in-memory twin of the trading calendars, for tests that need sessions and no holidays."""

from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta

import numpy as np
import pandas as pd

from backend.domain.grid import microseconds, moment
from backend.domain.market import ALWAYS, Span, Timeframe
from backend.domain.market_errors import UnknownMarketData
from backend.domain.market_ports import StartTimes

_OPEN, _CLOSE = time(14, 30, tzinfo=UTC), time(21, 0, tzinfo=UTC)


class FakeCalendars:
    """A TradingCalendar in which New York trades from Monday to Friday and has neither summer nor holidays."""

    def sessions(self, calendar: str, span: Span) -> Sequence[Span]:
        if span.is_empty:
            return ()
        if calendar == ALWAYS:
            return (span,)
        whole = (_session(day) for day in _days(calendar, span))
        return tuple(cut for session in whole if (cut := session.overlap(span)) is not None)

    def expected_starts(self, calendar: str, timeframe: Timeframe, span: Span) -> pd.DatetimeIndex:
        found = sorted(start for start in self._starts(calendar, timeframe, span) if span.start <= start < span.end)
        return pd.DatetimeIndex(found, dtype="datetime64[us, UTC]")

    def bar_starts(self, calendar: str, timeframe: Timeframe, moments: StartTimes) -> StartTimes:
        return np.array([self._bar_start(calendar, timeframe, int(one)) for one in moments], np.int64)

    def _bar_start(self, calendar: str, timeframe: Timeframe, since_1970: int) -> int:
        at = moment(since_1970)
        sessions = self.sessions(calendar, Span(start=at, end=at + timedelta(microseconds=1)))
        if not sessions:
            return -1
        if calendar == ALWAYS or not timeframe.is_intraday:
            return microseconds(timeframe.floor(at))
        opened = _session(datetime.combine(at.date(), time(tzinfo=UTC))).start
        return microseconds(opened + (at - opened) // timeframe.length * timeframe.length)

    def _starts(self, calendar: str, timeframe: Timeframe, span: Span) -> set[datetime]:
        if calendar == ALWAYS:
            first = timeframe.floor(span.start)
            return {first + step * timeframe.length for step in range((span.end - first) // timeframe.length + 1)}
        days = _days(calendar, span)
        if not timeframe.is_intraday:
            return {timeframe.floor(day) for day in days}
        return {start for day in days for start in _steps(_session(day), timeframe.length)}


def _days(calendar: str, span: Span) -> list[datetime]:
    if calendar != "XNYS":
        raise UnknownMarketData(f"There is no calendar '{calendar}'.")
    first = datetime.combine(span.start.date(), time(tzinfo=UTC)) - timedelta(days=7)
    days = [first + timedelta(days=number) for number in range((span.end - first).days + 8)]
    return [day for day in days if day.weekday() < 5]


def _session(day: datetime) -> Span:
    return Span(start=datetime.combine(day, _OPEN), end=datetime.combine(day, _CLOSE))


def _steps(session: Span, length: timedelta) -> list[datetime]:
    return [session.start + number * length for number in range(-(-session.length // length))]
