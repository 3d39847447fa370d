"""When markets are open: exchanges as exchange_calendars knows them, currencies by New York's clock, crypto always."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.market import ALWAYS, FOREX, Span, Timeframe, closest
from backend.domain.market_errors import UnknownMarketData

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = 1_000_000
_DAY = 86_400 * _SECOND
_WEEK = 7 * _DAY
_NEW_YORK = "America/New_York"
_FOREX_CLOSE = pd.Timedelta(hours=17)
# Vendors have next to nothing for these two days, so nothing is expected of them.
_FOREX_HOLIDAYS = ((1, 1), (12, 25))
# A decade takes exchange_calendars a fifth of a second; each is asked for once.
_YEARS_AT_ONCE = 10

Times = npt.NDArray[np.int64]  # microseconds since 1970, in UTC


@dataclass(frozen=True, kw_only=True)
class _Sessions:
    """One row per session: the midnight of its date, when it opens and closes, and its break (else at its close)."""

    dates: Times
    opens: Times
    breaks: Times
    resumes: Times
    closes: Times

    def between(self, start: int, end: int) -> "_Sessions":
        """Those whose date lies in this time."""
        rows = slice(*np.searchsorted(self.dates, [start, end]))
        return _Sessions(
            dates=self.dates[rows],
            opens=self.opens[rows],
            breaks=self.breaks[rows],
            resumes=self.resumes[rows],
            closes=self.closes[rows],
        )


class TradingCalendars:
    """A TradingCalendar. Currencies trade from Sunday 17:00 to Friday 17:00 in New York, without Christmas Day and
    New Year's Day, each of which begins at 17:00 of the evening before.

    Bars: weekly ones begin on Monday and daily ones at midnight UTC of their session's date, when there is a session.
    Shorter ones begin at the session's open on exchanges, so the last may be cut by the close; on the clock elsewhere.
    """

    def sessions(self, calendar: str, span: Span) -> Sequence[Span]:
        if span.is_empty:
            return ()
        if calendar == ALWAYS:
            return (span,)
        start, end = _microseconds(span.start), _microseconds(span.end)
        opens, closes = _open_times(_around(calendar, start, end))
        opens, closes = np.maximum(opens, start), np.minimum(closes, end)
        inside = opens < closes
        return tuple(
            Span(start=_moment(opened), end=_moment(closed))
            for opened, closed in zip(opens[inside], closes[inside], strict=True)
        )

    def expected_starts(self, calendar: str, timeframe: Timeframe, span: Span) -> pd.DatetimeIndex:
        start, end = _microseconds(span.start), _microseconds(span.end)
        if calendar == ALWAYS:
            starts = _grid(timeframe, start, end)
        elif timeframe is Timeframe.W1:
            starts = _weeks(_around(calendar, start, end))
        elif timeframe is Timeframe.D1:
            starts = _around(calendar, start, end).dates
        elif calendar == FOREX:
            starts = _on_the_clock(_around(calendar, start, end), timeframe)
        else:
            starts = _from_the_open(_around(calendar, start, end), timeframe)
        first, last = np.searchsorted(starts, [start, end])
        return pd.DatetimeIndex(starts[first:last].view("datetime64[us]"), tz="UTC")

    def bar_starts(self, calendar: str, timeframe: Timeframe, moments: Times) -> Times:
        if calendar == ALWAYS or not len(moments):
            return _floored(moments, timeframe)
        sessions = _around(calendar, int(moments.min()), int(moments.max()) + 1)
        of = np.searchsorted(sessions.opens, moments, side="right") - 1
        closed = (of < 0) | (moments >= sessions.closes[of])
        return np.where(closed, -1, _bar_starts(calendar, timeframe, moments, sessions, of))


def check_calendar(name: str) -> None:
    """Raises UnknownMarketData, with what may have been meant."""
    if name not in (ALWAYS, FOREX):
        _exchange_type(name)


def _bar_starts(calendar: str, timeframe: Timeframe, moments: Times, sessions: _Sessions, of: Times) -> Times:
    """Of moments within the sessions of these numbers."""
    if not timeframe.is_intraday:
        return _floored(sessions.dates[of], timeframe)
    if calendar == FOREX:
        return _floored(moments, timeframe)
    opens = sessions.opens[of]
    starts: Times = moments - (moments - opens) % (timeframe.seconds * _SECOND)
    return starts


def _floored(moments: Times, timeframe: Timeframe) -> Times:
    length, origin = timeframe.seconds * _SECOND, _microseconds(timeframe.origin)
    starts: Times = moments - (moments - origin) % length
    return starts


def _around(calendar: str, start: int, end: int) -> _Sessions:
    """All sessions that may touch this time, or share a week with it."""
    padded = start - start % _DAY - _WEEK, end - end % _DAY + 2 * _WEEK
    if calendar == FOREX:
        return _currencies(*padded)
    _check_known(calendar, start, end)
    first, last = (_moment(time).year // _YEARS_AT_ONCE for time in padded)
    parts = [_exchange(calendar, decade * _YEARS_AT_ONCE) for decade in range(first, last + 1)]
    whole = _Sessions(**{name: np.concatenate([vars(part)[name] for part in parts]) for name in vars(parts[0])})
    return whole.between(*padded)


def _check_known(name: str, start: int, end: int) -> None:
    """Outside of what the library knows an exchange would seem closed for ever."""
    market = _exchange_type(name)
    earliest, latest = market.bound_min(), market.bound_max()
    if earliest is not None and _moment(start) < earliest.tz_localize("UTC"):
        raise UnknownMarketData(f"The sessions of {name} before {earliest:%Y-%m-%d} are not known.")
    if latest is not None and _moment(end) > latest.tz_localize("UTC") + pd.Timedelta(days=1):
        raise UnknownMarketData(f"The sessions of {name} after {latest:%Y-%m-%d} are not known.")


@lru_cache(maxsize=128)
def _exchange(name: str, year: int) -> _Sessions:
    """Ten years of an exchange's sessions, or what is known of them."""
    market = _exchange_type(name)
    first, last = pd.Timestamp(year, 1, 1), pd.Timestamp(year + _YEARS_AT_ONCE - 1, 12, 31)
    first, last = max(first, market.bound_min() or first), min(last, market.bound_max() or last)
    if first > last:
        return _Sessions(**dict.fromkeys(("dates", "opens", "breaks", "resumes", "closes"), np.empty(0, np.int64)))
    with _told_by(name):
        schedule = market(start=first, end=last).schedule
    return _Sessions(
        dates=_column(schedule.index),
        opens=_column(schedule["open"]),
        breaks=_column(schedule["break_start"].fillna(schedule["close"])),
        resumes=_column(schedule["break_end"].fillna(schedule["close"])),
        closes=_column(schedule["close"]),
    )


@lru_cache(maxsize=128)
def _exchange_type(name: str) -> Any:
    """The class that knows this exchange."""
    import exchange_calendars  # noqa: PLC0415  # a fifth of a second that who trades crypto need not pay

    try:
        # The class can be had only from an instance; a month of it is made in an instant.
        with _told_by(name):
            return type(exchange_calendars.get_calendar(name, start="2024-01-01", end="2024-01-31"))
    except exchange_calendars.errors.InvalidCalendarName:
        known = [ALWAYS, FOREX, *exchange_calendars.get_calendar_names()]
        meant = " or ".join(repr(one) for one in closest(name, known))
        hint = (
            f"Did you mean {meant}?"
            if meant
            else f"Exchanges have names such as 'XNYS'; others are {ALWAYS} and {FOREX}."
        )
        raise UnknownMarketData(f"There is no calendar '{name}'. {hint}") from None


@contextmanager
def _told_by(name: str) -> Iterator[None]:
    """exchange_calendars lists a few exchanges that it cannot tell the sessions of."""
    try:
        yield
    except (NotImplementedError, ValueError) as error:
        raise UnknownMarketData(f"The sessions of {name} cannot be told: {error}") from error


def _currencies(start: int, end: int) -> _Sessions:
    """A date's session runs from 17:00 of the evening before to 17:00, by the clock of New York."""
    dates = pd.DatetimeIndex(np.arange(start, end, _DAY).view("datetime64[us]"))
    holiday = np.zeros(len(dates), np.bool_)
    for month, day in _FOREX_HOLIDAYS:
        holiday |= (dates.month == month) & (dates.day == day)
    dates = dates[(dates.day_of_week < 5) & ~holiday]
    closes = _column((dates + _FOREX_CLOSE).tz_localize(_NEW_YORK))
    opens = _column((dates + _FOREX_CLOSE - pd.Timedelta(days=1)).tz_localize(_NEW_YORK))
    return _Sessions(dates=_column(dates), opens=opens, breaks=closes, resumes=closes, closes=closes)


def _open_times(sessions: _Sessions) -> tuple[Times, Times]:
    """Opens and closes of the times without a pause: breaks part a session, and sessions that touch are one."""
    opens = np.stack([sessions.opens, sessions.resumes], axis=1).ravel()
    closes = np.stack([sessions.breaks, sessions.closes], axis=1).ravel()
    opens, closes = opens[opens < closes], closes[opens < closes]
    parted = opens[1:] > closes[:-1]
    return opens[np.r_[True, parted][: len(opens)]], closes[np.r_[parted, True][: len(closes)]]


def _grid(timeframe: Timeframe, start: int, end: int) -> Times:
    length, origin = timeframe.seconds * _SECOND, _microseconds(timeframe.origin)
    return np.arange(start + (origin - start) % length, end, length, dtype=np.int64)


def _weeks(sessions: _Sessions) -> Times:
    origin = _microseconds(Timeframe.W1.origin)
    return np.unique(sessions.dates - (sessions.dates - origin) % _WEEK)


def _on_the_clock(sessions: _Sessions, timeframe: Timeframe) -> Times:
    opens, closes = _open_times(sessions)
    length = timeframe.seconds * _SECOND
    starts = _steps(opens - opens % length, closes, length)
    once: Times = starts[np.r_[True, starts[1:] > starts[:-1]][: len(starts)]]
    return once


def _from_the_open(sessions: _Sessions, timeframe: Timeframe) -> Times:
    length = timeframe.seconds * _SECOND
    starts = _steps(sessions.opens, sessions.closes, length)
    if (sessions.breaks == sessions.closes).all():
        return starts
    of = np.searchsorted(sessions.opens, starts, side="right") - 1
    in_the_break = (starts >= sessions.breaks[of]) & (starts + length <= sessions.resumes[of])
    return starts[~in_the_break]


def _steps(opens: Times, closes: Times, length: int) -> Times:
    """Every open, and on from it in steps until the close."""
    counts = -(-(closes - opens) // length)
    before = np.cumsum(counts) - counts
    steps = np.arange(counts.sum(), dtype=np.int64) - np.repeat(before, counts)
    starts: Times = np.repeat(opens, counts) + steps * length
    return starts


def _column(times: Any) -> Times:
    numbers: Times = pd.DatetimeIndex(times).as_unit("us").asi8
    return numbers


def _microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _moment(time: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(time))
