"""A bar frame is checked once where it enters: bad rows are named, good ones keep every bit."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from backend.domain.bars import (
    COLUMNS,
    TS_DTYPE,
    check_bars,
    content_hash,
    derive,
    empty_bars,
    frame_of,
    joined_hash,
    part_hash,
    start_microseconds,
)
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.market_errors import BadBars
from backend.domain.periods import period_of
from tests.fake_calendars import FakeCalendars


def bars(count: int = 6, *, start: str = "2026-01-05", frequency: str = "1h", **columns: Any) -> pd.DataFrame:
    base = np.arange(100.0, 100.0 + count)
    frame = pd.DataFrame(
        {
            "ts": pd.date_range(start, periods=count, freq=frequency, tz="UTC"),
            "open": base,
            "high": base + 2,
            "low": base - 2,
            "close": base + 1,
            "volume": base * 10,
        }
    )
    return frame.assign(**columns)


def with_cell(row: int, column: str, value: object) -> pd.DataFrame:
    frame = bars()
    frame[column] = frame[column].astype(object) if isinstance(value, str) else frame[column]
    frame.loc[row, column] = value
    return frame


def test_a_good_frame_comes_out_in_its_one_form() -> None:
    wild = bars(extra=1, volume=range(6))
    wild["ts"] = wild["ts"].dt.tz_convert("Asia/Tokyo").astype("datetime64[ns, Asia/Tokyo]")
    wild.index = pd.Index(range(6, 12))
    checked = check_bars(wild, Timeframe.H1, ALWAYS)
    assert list(checked.columns) == ["ts", "open", "high", "low", "close", "volume"]
    assert str(checked["ts"].dtype) == TS_DTYPE
    assert set(checked.dtypes.astype(str)) == {TS_DTYPE, "float64"}
    assert checked.index.equals(pd.RangeIndex(6))


@pytest.mark.parametrize(
    ("row", "column", "value", "reason"),
    [
        (2, "close", np.nan, "not a finite number"),
        (2, "high", np.inf, "not a finite number"),
        (2, "open", "n/a", "not a finite number"),
        (2, "low", 0.0, "zero or negative"),
        (2, "volume", -1.0, "volume is negative"),
        (2, "high", 102.5, "high is below"),
        (2, "low", 102.5, "low is above"),
        (2, "ts", pd.Timestamp("2026-01-05 01:00", tz="UTC"), "same time as the row before"),
        (2, "ts", pd.Timestamp("2026-01-05 00:00", tz="UTC"), "before that of the row before"),
        (2, "ts", pd.Timestamp("2026-01-05 02:10", tz="UTC"), "not the start of a bar of 1h"),
        (2, "ts", pd.NaT, "time cannot be read"),
    ],
)
def test_a_bad_row_is_named_with_its_reason(row: int, column: str, value: object, reason: str) -> None:
    with pytest.raises(BadBars) as refusal:
        check_bars(with_cell(row, column, value), Timeframe.H1, ALWAYS)
    assert (refusal.value.count, refusal.value.rows[0].position) == (1, row)
    assert reason in refusal.value.rows[0].reason
    assert "1 of 6 rows" in refusal.value.detail


def test_a_missing_column_is_named() -> None:
    with pytest.raises(BadBars, match="no column close, volume"):
        check_bars(bars().drop(columns=["close", "volume"]), Timeframe.H1, ALWAYS)


def test_a_number_is_no_time() -> None:
    with pytest.raises(BadBars, match="time cannot be read"):
        check_bars(bars(ts=range(6)), Timeframe.H1, ALWAYS)


def test_hourly_bars_of_an_exchange_may_start_at_half_hours() -> None:
    assert len(check_bars(bars(start="2026-01-05 14:30"), Timeframe.H1, "XNYS")) == 6
    with pytest.raises(BadBars, match="start of a bar"):
        check_bars(bars(start="2026-01-05 14:30"), Timeframe.H1, ALWAYS)


def test_an_empty_frame_is_a_frame() -> None:
    assert len(check_bars(empty_bars(), Timeframe.H1, ALWAYS)) == 0


def test_one_bit_makes_another_hash() -> None:
    one, other = bars(), bars()
    assert content_hash(one, Timeframe.H1) == content_hash(other, Timeframe.H1)
    other.loc[3, "close"] = np.nextafter(other.loc[3, "close"], 0)
    assert content_hash(one, Timeframe.H1) != content_hash(other, Timeframe.H1)


def test_hash_of_no_bars_is_that_of_nothing() -> None:
    assert content_hash(empty_bars(), Timeframe.H1) == hashlib.sha256(b"").hexdigest()


def test_known_hashes_of_whole_periods_stand_for_their_bars() -> None:
    frame = bars(40, start="2026-01-31 23:40", frequency="1min")
    january, february = (
        content_hash_of_part(frame.iloc[:20]),
        content_hash_of_part(frame.iloc[20:]),
    )
    period = period_of(1_767_571_200_000_000, Timeframe.M1)
    whole = content_hash(frame, Timeframe.M1)
    assert whole == joined_hash([january, february])
    assert whole == content_hash(frame, Timeframe.M1, {period: january})
    assert whole != content_hash(frame, Timeframe.M1, {period: february})


def content_hash_of_part(frame: pd.DataFrame) -> str:
    return part_hash(start_microseconds(frame), [frame[name].to_numpy() for name in COLUMNS])


def test_longer_bars_hold_what_their_parts_held() -> None:
    made = derive(bars(8), Timeframe.H4)
    assert made["open"].tolist() == [100, 104]
    assert made["high"].tolist() == [105, 109]
    assert made["low"].tolist() == [98, 102]
    assert made["close"].tolist() == [104, 108]
    assert made["volume"].tolist() == [4060, 4220]


def test_an_unfinished_longer_bar_is_left_out() -> None:
    assert len(derive(bars(7), Timeframe.H4, until=pd.Timestamp(datetime(2026, 1, 5, 7, tzinfo=UTC)))) == 1
    assert len(derive(bars(8), Timeframe.H4, until=pd.Timestamp(datetime(2026, 1, 5, 8, tzinfo=UTC)))) == 2


def test_longer_bars_begin_where_their_market_says() -> None:
    half_hours = bars(7, start="2026-01-05 14:30", frequency="30min")
    starts = FakeCalendars().bar_starts("XNYS", Timeframe.H1, start_microseconds(half_hours))
    made = derive(half_hours, Timeframe.H1, starts=starts)
    assert [f"{start:%H:%M}" for start in made["ts"]] == ["14:30", "15:30", "16:30", "17:30"]
    assert made["volume"].sum() == half_hours["volume"].sum()


def test_what_is_traded_outside_the_sessions_is_in_no_longer_bar() -> None:
    early = bars(3, start="2026-01-05 13:30", frequency="30min")
    days = FakeCalendars().bar_starts("XNYS", Timeframe.D1, start_microseconds(early))
    made = derive(early, Timeframe.D1, starts=days)
    assert made["volume"].tolist() == early["volume"].tolist()[2:]
    assert made["ts"].iloc[0] == pd.Timestamp(datetime(2026, 1, 5, tzinfo=UTC))


def test_bars_before_1970_are_bars_too() -> None:
    made = derive(bars(10, start="1927-12-30", frequency="1D"), Timeframe.W1)
    assert made["ts"].iloc[0] == pd.Timestamp(datetime(1927, 12, 26, tzinfo=UTC))


def test_weekly_bars_begin_on_monday() -> None:
    made = derive(bars(10, start="2026-01-07", frequency="1D"), Timeframe.W1)
    assert [start.strftime("%a %d") for start in made["ts"]] == ["Mon 05", "Mon 12"]


def test_starts_are_microseconds() -> None:
    assert start_microseconds(bars(1))[0] == 1_767_571_200_000_000


def test_a_frame_over_arrays_copies_none_of_them() -> None:
    starts = np.arange(3) * 3_600_000_000
    columns = {name: np.arange(3.0) for name in COLUMNS}
    frame = frame_of(starts, columns)
    assert list(frame.columns) == ["ts", *COLUMNS]
    assert str(frame["ts"].dtype) == TS_DTYPE
    assert np.shares_memory(start_microseconds(frame), starts)
    assert all(np.shares_memory(frame[name].to_numpy(), columns[name]) for name in COLUMNS)
