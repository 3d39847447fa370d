"""Whole bars of a span: the rule by which reading, missing and covering agree."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.grid import microseconds, moment, starts_within, time_of
from backend.domain.market import ALWAYS, Span, Timeframe, missing

START = datetime(2026, 1, 5, tzinfo=UTC)
CALENDARS = st.sampled_from([ALWAYS, "24/5", "XNYS"])
SPANS = st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000)).map(lambda ends: minutes(min(ends), max(ends)))


def minutes(start: int, end: int) -> Span:
    return Span(start=START + timedelta(minutes=start), end=START + timedelta(minutes=end))


def test_moments_are_whole_microseconds_also_before_1970() -> None:
    early = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)
    assert microseconds(early) == -1
    assert moment(-1) == early


@pytest.mark.parametrize(
    ("span", "starts"),
    [
        (minutes(0, 180), minutes(0, 180)),
        (minutes(1, 179), minutes(60, 120)),
        (minutes(60, 119), minutes(60, 60)),
        (minutes(61, 120), minutes(61, 61)),
    ],
)
def test_bars_of_a_market_that_always_trades_lie_side_by_side(span: Span, starts: Span) -> None:
    assert starts_within(span, Timeframe.H1, ALWAYS).is_empty == starts.is_empty
    if not starts.is_empty:
        assert starts_within(span, Timeframe.H1, ALWAYS) == starts


def test_hours_of_an_exchange_can_begin_every_quarter_of_an_hour() -> None:
    assert starts_within(minutes(0, 120), Timeframe.H1, "XNYS") == minutes(0, 75)
    assert time_of(minutes(0, 75), Timeframe.H1, "XNYS") == minutes(0, 120)


@given(span=SPANS, timeframe=st.sampled_from(Timeframe), calendar=CALENDARS)
def test_starts_are_those_of_all_bars_within(span: Span, timeframe: Timeframe, calendar: str) -> None:
    starts = starts_within(span, timeframe, calendar)
    grid = timedelta(seconds=timeframe.grid_seconds(calendar))
    step = timeframe.origin + (span.start - timeframe.origin) // grid * grid - grid
    while step < span.end + grid:
        assert (starts.start <= step < starts.end) == (span.start <= step and step + timeframe.length <= span.end)
        step += grid


@given(span=SPANS, timeframe=st.sampled_from(Timeframe), calendar=CALENDARS)
def test_what_is_asked_for_once_more_is_what_was_missing(span: Span, timeframe: Timeframe, calendar: str) -> None:
    starts = starts_within(span, timeframe, calendar)
    if not starts.is_empty:
        time = time_of(starts, timeframe, calendar)
        assert span.start <= time.start
        assert time.end <= span.end
        assert starts_within(time, timeframe, calendar) == starts
        assert missing(starts, [starts_within(time, timeframe, calendar)]) == ()


def test_spans_at_the_ends_of_time_are_harmless() -> None:
    first, last = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
    for timeframe in Timeframe:
        for span in (Span(start=first, end=last), Span(start=last, end=last), Span(start=first, end=first)):
            starts_within(span, timeframe, "XNYS")
