"""What is known of real markets: holidays, early closes, summer time."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pandas as pd
import pytest

from backend.data.calendars import TradingCalendars
from backend.domain.market import ALWAYS, FOREX, Span, Timeframe
from backend.domain.market_errors import UnknownMarketData


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def span(start: str, end: str) -> Span:
    return Span(start=at(start), end=at(end))


def sessions(calendar: str, start: str, end: str) -> list[str]:
    found = TradingCalendars().sessions(calendar, span(start, end))
    return [f"{one.start:%a %m-%d %H:%M} to {one.end:%a %m-%d %H:%M}" for one in found]


def starts(calendar: str, timeframe: Timeframe, start: str, end: str) -> list[str]:
    return list(TradingCalendars().expected_starts(calendar, timeframe, span(start, end)).strftime("%m-%d %H:%M"))


def test_new_york_opens_at_half_past_nine_of_its_own_clock() -> None:
    assert sessions("XNYS", "2024-03-08", "2024-03-12") == [
        "Fri 03-08 14:30 to Fri 03-08 21:00",
        "Mon 03-11 13:30 to Mon 03-11 20:00",  # summer time began on the Sunday between
    ]


def test_new_york_closes_early_and_on_holidays() -> None:
    assert sessions("XNYS", "2024-07-03", "2024-07-06") == [
        "Wed 07-03 13:30 to Wed 07-03 17:00",
        "Fri 07-05 13:30 to Fri 07-05 20:00",
    ]
    assert sessions("XNYS", "2023-11-23", "2023-11-25") == ["Fri 11-24 14:30 to Fri 11-24 18:00"]


@pytest.mark.parametrize(
    "day",
    [
        "2012-10-29",  # hurricane Sandy
        "2018-12-05",  # mourning for George H. W. Bush
        "2021-12-24",  # Christmas was a Saturday
        "2022-06-20",  # Juneteenth was a Sunday
        "2024-03-29",  # Good Friday
        "2025-01-09",  # mourning for Jimmy Carter
    ],
)
def test_new_york_is_closed(day: str) -> None:
    whole = Span(start=at(day), end=at(day) + timedelta(days=1))
    assert TradingCalendars().sessions("XNYS", whole) == ()
    assert len(TradingCalendars().expected_starts("XNYS", Timeframe.D1, whole)) == 0


def test_hours_of_an_exchange_begin_at_its_open() -> None:
    assert starts("XNYS", Timeframe.H1, "2024-07-03", "2024-07-04") == [
        "07-03 13:30",
        "07-03 14:30",
        "07-03 15:30",
        "07-03 16:30",
    ]
    assert starts("XNYS", Timeframe.H4, "2024-01-03", "2024-01-04") == ["01-03 14:30", "01-03 18:30"]
    assert starts("XNYS", Timeframe.H12, "2024-01-03", "2024-01-04") == ["01-03 14:30"]


def test_days_and_weeks_of_an_exchange_are_there_when_it_opens() -> None:
    assert starts("XNYS", Timeframe.D1, "2024-01-12", "2024-01-18") == ["01-12 00:00", "01-16 00:00", "01-17 00:00"]
    assert starts("XNYS", Timeframe.W1, "2001-09-03", "2001-09-22") == ["09-03 00:00", "09-10 00:00", "09-17 00:00"]


def test_break_at_noon_parts_a_session_but_not_its_hours() -> None:
    assert sessions("XHKG", "2024-07-03", "2024-07-04") == [
        "Wed 07-03 01:30 to Wed 07-03 04:00",
        "Wed 07-03 05:00 to Wed 07-03 08:00",
    ]
    assert starts("XHKG", Timeframe.H1, "2024-07-03T03:00", "2024-07-03T06:00") == [
        "07-03 03:30",
        "07-03 04:30",
        "07-03 05:30",
    ]
    assert starts("XHKG", Timeframe.M30, "2024-07-03T03:00", "2024-07-03T06:00") == [
        "07-03 03:00",
        "07-03 03:30",
        "07-03 05:00",
        "07-03 05:30",
    ]


def test_session_that_opens_on_the_evening_before_has_the_date_of_its_close() -> None:
    assert sessions("XASX", "2024-01-09T20:00", "2024-01-10T20:00") == ["Tue 01-09 23:00 to Wed 01-10 05:00"]
    assert starts("XASX", Timeframe.D1, "2024-01-10", "2024-01-11") == ["01-10 00:00"]


def test_currencies_trade_from_sunday_to_friday_evening_in_new_york() -> None:
    assert sessions(FOREX, "2024-03-01", "2024-03-18") == [
        "Fri 03-01 00:00 to Fri 03-01 22:00",
        "Sun 03-03 22:00 to Fri 03-08 22:00",
        "Sun 03-10 21:00 to Fri 03-15 21:00",  # summer time
        "Sun 03-17 21:00 to Mon 03-18 00:00",
    ]


def test_currencies_rest_at_christmas_and_new_year() -> None:
    assert sessions(FOREX, "2024-12-23", "2024-12-28") == [
        "Mon 12-23 00:00 to Tue 12-24 22:00",
        "Wed 12-25 22:00 to Fri 12-27 22:00",
    ]
    assert starts(FOREX, Timeframe.D1, "2024-12-30", "2025-01-04") == [
        "12-30 00:00",
        "12-31 00:00",
        "01-02 00:00",
        "01-03 00:00",
    ]


def test_bars_of_currencies_begin_on_the_clock() -> None:
    assert starts(FOREX, Timeframe.H4, "2024-07-05T12:00", "2024-07-08T04:00") == [
        "07-05 12:00",
        "07-05 16:00",
        "07-05 20:00",
        "07-07 20:00",
        "07-08 00:00",
    ]
    assert starts(FOREX, Timeframe.D1, "2024-07-05", "2024-07-09") == ["07-05 00:00", "07-08 00:00"]


def test_crypto_never_closes() -> None:
    assert len(TradingCalendars().expected_starts(ALWAYS, Timeframe.M1, span("2024-02-28", "2024-03-01"))) == 2 * 1440
    assert starts(ALWAYS, Timeframe.W1, "2024-01-01", "2024-01-16") == ["01-01 00:00", "01-08 00:00", "01-15 00:00"]


def test_ten_years_have_the_days_of_the_exchange() -> None:
    days = TradingCalendars().expected_starts("XNYS", Timeframe.D1, span("2015-01-01", "2025-01-01"))
    assert len(days) == 2516
    minutes = TradingCalendars().expected_starts("XNYS", Timeframe.M1, span("2015-01-01", "2025-01-01"))
    assert len(minutes) == 977_640
    assert minutes.normalize().unique().equals(days)


def test_what_is_not_known_is_no_closed_market() -> None:
    with pytest.raises(UnknownMarketData, match="XBOM after 2026-12-31 are not known"):
        TradingCalendars().sessions("XBOM", span("2026-12-01", "2027-02-01"))
    with pytest.raises(UnknownMarketData, match="XTKS before 1997-01-01 are not known"):
        TradingCalendars().expected_starts("XTKS", Timeframe.D1, span("1996-12-01", "1997-02-01"))
    with pytest.raises(UnknownMarketData, match="Did you mean 'NYSE'"):
        TradingCalendars().sessions("NYSEX", span("2024-01-01", "2024-02-01"))
    with pytest.raises(UnknownMarketData, match="others are 24/7 and 24/5"):
        TradingCalendars().sessions("qqq", span("2024-01-01", "2024-02-01"))
    with pytest.raises(UnknownMarketData, match="ASEX cannot be told"):
        TradingCalendars().sessions("ASEX", span("2024-01-01", "2024-02-01"))


def test_who_trades_crypto_does_not_wait_for_the_exchanges() -> None:
    asks = (
        "import sys; from backend.data.calendars import *;"
        "moments = [pd.Timestamp(2024, 1, day, tz='UTC').to_pydatetime() for day in (1, 9)];"
        "[TradingCalendars().expected_starts(name, Timeframe.H1, Span(start=moments[0], end=moments[1]))"
        " for name in ('24/7', '24/5')];"
        "print('exchange_calendars' in sys.modules)"
    )
    told = subprocess.run([sys.executable, "-c", asks], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "False"


def test_starts_are_timestamps_that_bars_can_be_compared_with() -> None:
    found = TradingCalendars().expected_starts("XNYS", Timeframe.D1, span("2024-01-02", "2024-01-03"))
    assert list(found) == [pd.Timestamp("2024-01-02", tz="UTC")]
