"""Timeframes, spans and names."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backend.domain.market import ALWAYS, FOREX, Series, Span, Timeframe, bars_a_year, closest, joined, missing

START = datetime(2026, 1, 5, tzinfo=UTC)  # a Monday


def hours(start: float, end: float) -> Span:
    return Span(start=START + timedelta(hours=start), end=START + timedelta(hours=end))


SPANS = st.tuples(st.integers(0, 50), st.integers(0, 50)).map(lambda pair: hours(min(pair), max(pair)))


def test_weeks_begin_on_monday_and_days_at_midnight() -> None:
    moment = START + timedelta(days=3, hours=13, minutes=37)
    assert Timeframe.W1.floor(moment) == START
    assert Timeframe.D1.floor(moment) == START + timedelta(days=3)
    assert Timeframe.M15.floor(moment) == START + timedelta(days=3, hours=13, minutes=30)


def test_exchanges_open_at_quarter_hours() -> None:
    assert Timeframe.H1.grid_seconds("XBOM") == 900
    assert Timeframe.H1.grid_seconds(ALWAYS) == 3600
    assert Timeframe.M5.grid_seconds("XNYS") == 300
    assert Timeframe.D1.grid_seconds("XNYS") == 86_400


def test_longer_bars_are_made_from_those_that_fit_into_them() -> None:
    assert Timeframe.W1.can_be_made_from(Timeframe.D1)
    assert not Timeframe.M5.can_be_made_from(Timeframe.M3)
    assert not Timeframe.M1.can_be_made_from(Timeframe.M1)


@pytest.mark.parametrize(
    ("calendar", "timeframe", "expected"),
    [
        (ALWAYS, Timeframe.D1, 365),
        (FOREX, Timeframe.D1, 260),
        ("XNYS", Timeframe.D1, 252),
        ("XNYS", Timeframe.W1, 52),
        (ALWAYS, Timeframe.W1, 52),
        (ALWAYS, Timeframe.H1, 8760),
        ("XNYS", Timeframe.M1, 252 * 390),
    ],
)
def test_bars_of_a_year(calendar: str, timeframe: Timeframe, expected: float) -> None:
    assert bars_a_year(calendar, timeframe) == expected


def test_a_span_needs_zones_and_goes_forward() -> None:
    with pytest.raises(ValueError, match="no span"):
        Span(start=START, end=START - timedelta(hours=1))
    with pytest.raises(ValueError, match="no span"):
        Span(start=START.replace(tzinfo=None), end=START.replace(tzinfo=None))


def test_spans_that_touch_become_one() -> None:
    assert joined([hours(3, 4), hours(0, 1), hours(1, 2), hours(5, 5)]) == (hours(0, 2), hours(3, 4))


def test_what_is_missing_lies_between_what_is_covered() -> None:
    assert missing(hours(0, 10), [hours(2, 3), hours(5, 12)]) == (hours(0, 2), hours(3, 5))
    assert missing(hours(0, 10), []) == (hours(0, 10),)
    assert missing(hours(2, 3), [hours(0, 10)]) == ()


@given(SPANS, st.lists(SPANS, max_size=6))
def test_covered_and_missing_make_up_the_whole(wanted: Span, covered: list[Span]) -> None:
    gaps = missing(wanted, covered)
    inside = [part for span in joined(covered) if (part := span.overlap(wanted))]
    assert sum((span.length for span in [*gaps, *inside]), timedelta()) == wanted.length
    assert all(gap.overlap(span) is None for gap in gaps for span in covered)


@pytest.mark.parametrize(
    "symbol", ["BTC/USDT", "AAPL", "BRK.B", "^GSPC".replace("^", "I"), "EURUSD=X", "BTC/USDT:USDT"]
)
def test_symbols_of_all_vendors_are_symbols(symbol: str) -> None:
    assert Series(provider="demo", symbol=symbol, timeframe=Timeframe.H1).symbol == symbol


@pytest.mark.parametrize("symbol", ["", "../etc", "a b", "x" * 41, "a\x00", "/BTC"])
def test_what_could_lead_elsewhere_is_no_symbol(symbol: str) -> None:
    with pytest.raises(ValueError, match="symbol"):
        Series(provider="demo", symbol=symbol, timeframe=Timeframe.H1)


def test_names_that_somebody_may_have_meant() -> None:
    known = ["BTC/USDT", "BTC/USDC", "ETH/USDT", "AAPL"]
    assert closest("btcusdt", known)[0] == "BTC/USDT"
    assert closest("APPL", known) == ("AAPL",)
    assert closest("zzzzzz", known) == ()
