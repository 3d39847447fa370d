"""The contract of TradingCalendar, kept by the fake and by the calendars of real markets."""

from abc import abstractmethod
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from backend.data.calendars import TradingCalendars
from backend.domain.market import ALWAYS, FOREX, Span, Timeframe
from backend.domain.market_errors import UnknownMarketData
from backend.domain.market_ports import TradingCalendar
from tests.fake_calendars import FakeCalendars

# Three weeks from the middle of a session to the middle of another, with a holiday in New York.
SPAN = Span(start=datetime(2026, 1, 7, 15, 17, tzinfo=UTC), end=datetime(2026, 1, 28, 19, 41, tzinfo=UTC))
MINUTE = timedelta(minutes=1)


class TradingCalendarContract:
    """What holds for every TradingCalendar: override `open`, and name the calendars that it has."""

    calendars: tuple[str, ...] = (ALWAYS, "XNYS")

    @abstractmethod
    def open(self) -> TradingCalendar: ...

    def pytest_generate_tests(self, metafunc: pytest.Metafunc) -> None:
        if "calendar" in metafunc.fixturenames:
            metafunc.parametrize("calendar", self.calendars)

    def test_sessions_are_in_order_apart_and_within_the_span(self, calendar: str) -> None:
        sessions = self.open().sessions(calendar, SPAN)
        assert sessions
        assert sessions[0].start >= SPAN.start
        assert sessions[-1].end <= SPAN.end
        assert all(one.end < other.start for one, other in pairwise(sessions))
        assert all(not session.is_empty for session in sessions)

    def test_every_minute_of_a_session_and_no_other_begins_a_bar(self, calendar: str) -> None:
        calendars = self.open()
        whole = Span(start=_day(10), end=_day(24))  # from one Saturday to another
        open_minutes = [
            pd.date_range(session.start, session.end, freq="min", inclusive="left", unit="us")
            for session in calendars.sessions(calendar, whole)
        ]
        assert calendars.expected_starts(calendar, Timeframe.M1, whole).equals(open_minutes[0].append(open_minutes[1:]))

    @pytest.mark.parametrize("timeframe", list(Timeframe))
    def test_every_minute_belongs_to_a_bar_that_is_expected(self, calendar: str, timeframe: Timeframe) -> None:
        calendars = self.open()
        whole = Span(start=_day(12), end=_day(26))  # from one Monday to another
        minutes = calendars.expected_starts(calendar, Timeframe.M1, whole).as_unit("us").asi8
        around = Span(start=whole.start - timedelta(days=8), end=whole.end + timedelta(days=8))
        expected = calendars.expected_starts(calendar, timeframe, around).as_unit("us").asi8
        starts = calendars.bar_starts(calendar, timeframe, minutes)
        assert (np.diff(starts) >= 0).all()
        assert np.isin(starts, expected).all()
        if timeframe.is_intraday:
            assert ((minutes >= starts) & (minutes < starts + timeframe.seconds * 1_000_000)).all()

    def test_a_moment_outside_all_sessions_belongs_to_no_bar(self, calendar: str) -> None:
        saturday = np.array([int(_day(10, 18).timestamp()) * 1_000_000])
        (start,) = self.open().bar_starts(calendar, Timeframe.H1, saturday)
        assert (start == -1) == (calendar != ALWAYS)

    @pytest.mark.parametrize("timeframe", list(Timeframe))
    def test_starts_increase_in_utc_and_lie_within_the_span(self, calendar: str, timeframe: Timeframe) -> None:
        starts = self.open().expected_starts(calendar, timeframe, SPAN)
        assert str(starts.dtype) == "datetime64[us, UTC]"
        assert len(starts)
        assert starts.is_monotonic_increasing
        assert starts.is_unique
        assert SPAN.start <= starts[0]
        assert starts[-1] < SPAN.end

    @pytest.mark.parametrize("timeframe", list(Timeframe))
    def test_starts_of_two_halves_are_those_of_the_whole(self, calendar: str, timeframe: Timeframe) -> None:
        calendars = self.open()
        for cut in (_day(17), datetime(2026, 1, 15, 17, 31, tzinfo=UTC), datetime(2026, 1, 20, 16, 30, tzinfo=UTC)):
            halves = (Span(start=SPAN.start, end=cut), Span(start=cut, end=SPAN.end))
            first, second = (calendars.expected_starts(calendar, timeframe, half) for half in halves)
            assert first.append(second).equals(calendars.expected_starts(calendar, timeframe, SPAN))

    @pytest.mark.parametrize("timeframe", [one for one in Timeframe if one.is_intraday])
    def test_longer_bars_hold_every_minute_and_none_is_without(self, calendar: str, timeframe: Timeframe) -> None:
        calendars = self.open()
        whole = Span(start=_day(10), end=_day(24))  # from one Saturday to another
        starts = calendars.expected_starts(calendar, timeframe, whole)
        minutes = calendars.expected_starts(calendar, Timeframe.M1, whole)
        holding = np.searchsorted(starts, minutes, side="right") - 1
        assert (minutes - starts[holding] < timeframe.length).all()
        assert set(holding) == set(range(len(starts)))

    @pytest.mark.parametrize("timeframe", list(Timeframe))
    def test_starts_lie_on_the_grid_that_bars_are_checked_against(self, calendar: str, timeframe: Timeframe) -> None:
        starts = self.open().expected_starts(calendar, timeframe, SPAN)
        assert not ((starts - pd.Timestamp(timeframe.origin)).total_seconds() % timeframe.grid_seconds(calendar)).any()

    def test_days_and_weeks_begin_at_midnight_and_on_monday(self, calendar: str) -> None:
        calendars = self.open()
        days = calendars.expected_starts(calendar, Timeframe.D1, SPAN)
        weeks = calendars.expected_starts(calendar, Timeframe.W1, SPAN)
        assert days.equals(days.normalize())
        assert weeks.equals(pd.DatetimeIndex([_day(12), _day(19), _day(26)], dtype="datetime64[us, UTC]"))

    def test_nothing_is_expected_of_no_time(self, calendar: str) -> None:
        empty = Span(start=SPAN.start, end=SPAN.start)
        assert list(self.open().sessions(calendar, empty)) == []
        assert len(self.open().expected_starts(calendar, Timeframe.M1, empty)) == 0

    def test_unknown_calendar_is_told(self) -> None:
        with pytest.raises(UnknownMarketData, match="XNYX"):
            self.open().sessions("XNYX", SPAN)
        with pytest.raises(UnknownMarketData, match="XNYX"):
            self.open().expected_starts("XNYX", Timeframe.H1, SPAN)


class TestFakeCalendars(TradingCalendarContract):
    def open(self) -> TradingCalendar:
        return FakeCalendars()


class TestTradingCalendars(TradingCalendarContract):
    # New York, currencies, exchanges with a break at noon, before midnight UTC, through the night, and at a quarter.
    calendars = (ALWAYS, FOREX, "XNYS", "XHKG", "XASX", "CMES", "XBOM")

    def open(self) -> TradingCalendar:
        return TradingCalendars()


def _day(day: int, hour: int = 0) -> datetime:
    return datetime(2026, 1, day, hour, tzinfo=UTC)
