"""Patterns: found where a trader sees them, on the bar that completes them, and never sooner."""

import json

import numpy as np
import pandas as pd
import pytest
import talib

from backend.domain.indicators.declared import Floats
from backend.domain.patterns import chart
from backend.domain.patterns.candlesticks import CANDLESTICKS, Tells, candlestick
from backend.domain.patterns.catalogue import CHART, PATTERNS, describe, marks, pattern
from backend.domain.patterns.chart import Found, Shape
from backend.domain.patterns.pivots import bottoms, level_breaks, levels, tops
from backend.domain.strategy_errors import UnknownPattern
from tests.market_bars import bars_at, columns_of, walk

SMALL = Shape(swing=3, longest=60)
LONG = columns_of(walk(6_000, seed=5, frequency="15min"))
# Prices of a quarter make dojis and equal closes, which a walk in floating point has not.
COARSE = {name: values if name == "moments" else np.round(values * 4) / 4 for name, values in LONG.items()}


def path(*corners: tuple[int, float]) -> dict[str, Floats]:
    """Bars that close on straight lines through these corners (row, price)."""
    rows, prices = zip(*corners, strict=True)
    return columns_of(bars_at(np.interp(np.arange(rows[-1] + 1), rows, prices).tolist()))


def found(name: str, columns: dict[str, Floats]) -> Found:
    return CHART[name][0](columns["high"], columns["low"], columns["close"], SMALL)


def only(seen: Found) -> int:
    """The one bar with a mark."""
    (row,) = np.flatnonzero(seen.marks)
    return int(row)


DOUBLE_TOP = ((0, 100.0), (10, 120.0), (20, 110.0), (30, 120.5), (45, 105.0))
HEAD = ((0, 100.0), (10, 115.0), (18, 108.0), (28, 125.0), (38, 109.0), (46, 115.5), (60, 100.0))


def turned(corners: tuple[tuple[int, float], ...]) -> tuple[tuple[int, float], ...]:
    return tuple((row, 220 - price) for row, price in corners)


def test_a_top_is_known_so_many_bars_later() -> None:
    high = np.array([1, 2, 3, 9, 3, 2, 1, 1, 1, 5, 4, 3.0])
    assert tops(high, 2).tolist() == [-1, -1, -1, -1, -1, 3, -1, -1, -1, -1, -1, 9]
    assert bottoms(-high, 2).tolist() == tops(high, 2).tolist()


def test_of_equal_highs_the_first_is_the_top() -> None:
    assert np.flatnonzero(tops(np.array([1, 1, 5, 5, 1, 1, 1.0]), 2) >= 0).tolist() == [4]


def test_double_top_is_marked_when_the_low_between_is_broken() -> None:
    columns = path(*DOUBLE_TOP)
    seen = found("double_top", columns)
    row = only(seen)
    assert seen.marks[row] == -1
    assert columns["close"][row] < 110 <= columns["close"][row - 1]
    assert seen.level[row] == pytest.approx(110)
    assert seen.target[row] == pytest.approx(110 - (120.5 - 110))


def test_double_bottom_is_a_double_top_upside_down() -> None:
    seen = found("double_bottom", path(*turned(DOUBLE_TOP)))
    assert only(seen) == only(found("double_top", path(*DOUBLE_TOP)))
    assert seen.marks.sum() == 1
    assert seen.level[only(seen)] == pytest.approx(110)
    assert seen.target[only(seen)] == pytest.approx(120.5)


def test_tops_at_different_heights_are_no_double_top() -> None:
    assert not found("double_top", path((0, 100.0), (10, 120.0), (20, 110.0), (30, 126.0), (45, 105.0))).marks.any()


def test_a_double_top_that_was_exceeded_is_none_any_more() -> None:
    columns = path(
        (0, 100.0), (10, 120.0), (20, 110.0), (30, 120.0), (34, 118.0), (38, 121.0), (39, 105.0), (45, 100.0)
    )
    assert not found("double_top", columns).marks.any()


def test_head_and_shoulders_breaks_the_line_through_its_lows() -> None:
    columns = path(*HEAD)
    seen = found("head_and_shoulders", columns)
    row = only(seen)
    assert seen.marks[row] == -1
    slope = (109 - 108) / (38 - 18)
    assert seen.level[row] == pytest.approx(109 + slope * (row - 38))
    assert seen.target[row] == pytest.approx(seen.level[row] - (125 - (108 + slope * 10)))
    assert columns["close"][row] < seen.level[row]


def test_inverse_head_and_shoulders() -> None:
    seen = found("inverse_head_and_shoulders", path(*turned(HEAD)))
    assert seen.marks[only(seen)] == 1
    assert only(seen) == only(found("head_and_shoulders", path(*HEAD)))


@pytest.mark.parametrize(
    ("name", "corners", "side"),
    [
        ("ascending_triangle", [(0, 100), (10, 120), (18, 104), (26, 120), (33, 110), (48, 130)], 1),
        ("descending_triangle", [(0, 120), (10, 100), (18, 116), (26, 100), (33, 110), (48, 90)], -1),
        ("symmetric_triangle", [(0, 100), (10, 125), (18, 102), (26, 119), (33, 108), (48, 130)], 1),
    ],
)
def test_triangles_are_marked_when_the_close_leaves_them(
    name: str, corners: list[tuple[int, float]], side: int
) -> None:
    columns = path(*corners)
    for each in ("ascending_triangle", "descending_triangle", "symmetric_triangle"):
        seen = found(each, columns)
        assert np.flatnonzero(seen.marks).size == (each == name), each
    seen = found(name, columns)
    row = only(seen)
    assert seen.marks[row] == side
    assert row > 33 + SMALL.swing
    assert side * (columns["close"][row] - seen.level[row]) > 0


def test_levels_are_where_prices_turned_more_than_once() -> None:
    columns = path((0, 105), (6, 100), (16, 120), (26, 100), (36, 120), (46, 100), (56, 120), (66, 110))
    support, resistance = levels(columns["high"], columns["low"], columns["close"], swing=3)
    assert support[-1] == pytest.approx(100)
    assert resistance[-1] == pytest.approx(120)
    assert np.isnan(support[:49]).all()  # the third low is row 46, known three bars later
    assert np.isfinite(support[49])


def test_breaks_of_levels() -> None:
    nan = np.nan
    close = np.array([10, 11, 12.5, 12, 8.0])
    support, resistance = np.array([nan, 9, 9, 9, nan]), np.array([nan, 12, nan, nan, nan])
    assert level_breaks(close, support, resistance).tolist() == [0, 0, 1, 0, -1]


@pytest.mark.parametrize("name", list(PATTERNS))
def test_marks_do_not_change_when_later_bars_are_cut_off(name: str) -> None:
    for columns in (LONG, COARSE):
        whole = marks(name, columns)
        fired = np.flatnonzero(whole)
        cuts = {50, 999, 3_000, *(int(row) + 1 for row in fired[:3]), *(int(row) for row in fired[-3:])}
        for rows in cuts - {0}:
            cut = marks(name, {column: values[:rows] for column, values in columns.items()})
            np.testing.assert_array_equal(cut, whole[:rows])


@pytest.mark.parametrize("name", [name for name, each in PATTERNS.items() if each.kind != "candlestick"])
def test_chart_patterns_occur_and_wait_for_their_turning_points(name: str) -> None:
    seen = np.flatnonzero(marks(name, LONG))
    assert len(seen) > 2
    assert seen[0] >= PATTERNS[name].warmup


@pytest.mark.parametrize("name", list(CANDLESTICKS))
def test_candlesticks_are_those_of_ta_lib_signed_by_what_they_tell(name: str) -> None:
    function, tells = CANDLESTICKS[name]
    theirs = getattr(talib, function)(COARSE["open"], COARSE["high"], COARSE["low"], COARSE["close"])
    ours = candlestick(name, COARSE["open"], COARSE["high"], COARSE["low"], COARSE["close"])
    assert ours.dtype == np.int8
    np.testing.assert_array_equal(ours != 0, theirs != 0)
    allowed = {Tells.BULLISH: {0, 1}, Tells.BEARISH: {0, -1}, Tells.BOTH: {-1, 0, 1}, Tells.NEITHER: {0, 1}}[tells]
    assert set(ours.tolist()) <= allowed
    assert not np.flatnonzero(ours)[:1].tolist() or np.flatnonzero(ours)[0] >= 1


def test_a_hammer_is_bullish_and_a_gravestone_bearish() -> None:
    falling = bars_at([120 - row for row in range(30)], reach=0.4)
    hammer = pd.DataFrame(
        [
            {
                "ts": falling["ts"].iloc[-1] + pd.Timedelta("1h"),
                "open": 90.0,
                "high": 90.3,
                "low": 86.0,
                "close": 90.25,
                "volume": 1.0,
            }
        ]
    )
    assert marks("hammer", columns_of(pd.concat([falling, hammer], ignore_index=True)))[-1] == 1
    grave = hammer.assign(high=94.0, low=90.0, close=90.0)
    assert marks("gravestone_doji", columns_of(pd.concat([falling, grave], ignore_index=True)))[-1] == -1


@pytest.mark.parametrize("rows", [0, 1, 5])
def test_few_bars_have_no_patterns(rows: int) -> None:
    few = {name: values[:rows] for name, values in LONG.items()}
    assert all(len(marks(name, few)) == rows for name in PATTERNS)


def test_an_unknown_pattern_is_answered_with_what_may_be_meant() -> None:
    with pytest.raises(UnknownPattern, match="Did you mean 'double_top'"):
        pattern("duble_top")


def test_the_catalogue_can_be_sent_to_the_web_app() -> None:
    assert {each["kind"] for each in json.loads(json.dumps(describe()))} == {"candlestick", "chart", "level"}
    assert chart.Shape() == Shape()
