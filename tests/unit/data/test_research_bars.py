"""Bars of the demo market are made once and kept for a while; nobody sees what another did to theirs."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from backend.data.fetchers.demo import simulated_bars
from backend.data.research_bars import DEMO, from_file, simulated
from backend.domain.market import Series, Span, Timeframe
from backend.domain.market_errors import NoBars

BITCOIN = Series(provider=DEMO, symbol="BTC/USDT", timeframe=Timeframe.H1)
JANUARY = Span(start=datetime(2024, 1, 1, tzinfo=UTC), end=datetime(2024, 2, 1, tzinfo=UTC))


def test_what_one_run_writes_into_its_bars_no_other_sees() -> None:
    first = simulated(BITCOIN, JANUARY).bars
    first.loc[0, "open"] = 1.0
    first["close"] = 2.0
    second = simulated(BITCOIN, JANUARY).bars
    pd.testing.assert_frame_equal(second, simulated_bars("BTC/USDT", "1h", JANUARY.start, JANUARY.end))


def test_a_range_up_to_now_grows_with_the_time_and_ends_with_the_last_finished_bar() -> None:
    begun = datetime.now(UTC)
    bars = simulated(BITCOIN, Span(start=begun - timedelta(days=2), end=begun + timedelta(days=9))).bars
    assert begun - timedelta(hours=2) < bars["ts"].iloc[-1] <= datetime.now(UTC) - timedelta(hours=1)


def test_a_file_with_a_header_alone_is_said_to_hold_no_bars(tmp_path: Path) -> None:
    path = tmp_path / "bars.csv"
    path.write_text("ts,open,high,low,close,volume\n")
    with pytest.raises(NoBars, match="holds a header, and no bars"):
        from_file(path, symbol="X", timeframe=None)


@pytest.mark.parametrize(
    ("year", "step"), [(2000, "It begins at 2015-01-05: choose a later range."), (2024, "a longer or an earlier range")]
)
def test_an_empty_range_of_the_demo_market_says_where_bars_are(year: int, step: str) -> None:
    sunday = datetime(year, 1, 7 if year == 2024 else 2, tzinfo=UTC)
    apple = Series(provider=DEMO, symbol="AAPL", timeframe=Timeframe.D1)
    with pytest.raises(NoBars, match=step):
        simulated(apple, Span(start=sunday, end=sunday + timedelta(days=1)))
