"""Answers to what a model is asked: entered at the next open, left at a barrier or when the time is over."""

import math

import numpy as np
import pandas as pd
import pytest

from backend.domain.ml.labels import Labelled, label, volatility
from backend.domain.ml.spec import LabelKind, ModelSpec
from tests.market_bars import bars_at, walk

Bar = tuple[float, float, float, float]  # open, high, low, close

QUIET = 100  # bars before, whose volatility is SIZE
SIZE = 0.01
STILL = (100.0, 100.5, 99.5, 100.0)


def spec(horizon: int, kind: LabelKind = LabelKind.DIRECTION, barrier: float = 1.0) -> ModelSpec:
    return ModelSpec(horizon=horizon, label=kind, barrier=barrier)


def after_quiet(*bars: Bar) -> pd.DataFrame:
    """Bars that follow closes which go up and down by one percent and end at 100."""
    closes = 100 * np.exp(SIZE * ((np.arange(QUIET) + 1) % 2 - 1.0))[::-1]
    frame = bars_at(closes.tolist())
    later = pd.DataFrame(bars, columns=["open", "high", "low", "close"])
    later["ts"] = frame["ts"].iloc[-1] + pd.to_timedelta(np.arange(1, len(bars) + 1), unit="h").as_unit("us")
    return pd.concat([frame, later.assign(volume=1.0)], ignore_index=True)


def touch(*bars: Bar, horizon: int = 4, barrier: float = 0.5) -> tuple[int, int]:
    """What the last quiet bar is answered, and after how many bars. Barriers lie one percent away."""
    found = label(after_quiet(*bars), spec(horizon, LabelKind.TRIPLE_BARRIER, barrier))
    return int(found.labels[QUIET - 1]), int(found.touched[QUIET - 1])


def test_the_quiet_bars_have_the_volatility_that_the_cases_count_on() -> None:
    assert volatility(after_quiet(STILL)["close"].to_numpy())[QUIET - 1] == pytest.approx(SIZE)


def test_the_order_is_filled_at_the_next_open_and_not_at_the_close() -> None:
    bars = bars_at([100, 90, 95, 80, 85]).assign(open=[100.0, 50.0, 60.0, 55.0, 66.0])
    found = label(bars, spec(1))
    np.testing.assert_allclose(found.forward[:3], [60 / 50 - 1, 55 / 60 - 1, 66 / 55 - 1])
    assert found.labels.tolist() == [1, 0, 1, -1, -1]
    assert found.touched.tolist() == [2, 2, 2, 0, 0]


def test_a_price_that_has_not_moved_is_not_up() -> None:
    assert label(bars_at([5.0] * 6), spec(2)).labels.tolist() == [0, 0, 0, -1, -1, -1]


@pytest.mark.parametrize("kind", LabelKind)
def test_the_last_bars_are_unknown(kind: LabelKind) -> None:
    found = label(walk(300), spec(10, kind))
    assert (found.labels[:-11] >= 0).all()
    assert (found.labels[-11:] == -1).all()
    assert np.isnan(found.forward[-11:]).all()
    assert not found.touched[-11:].any()


@pytest.mark.parametrize("kind", LabelKind)
@pytest.mark.parametrize("rows", [0, 1, 2, 10, 11])
def test_with_too_few_bars_nothing_is_known(rows: int, kind: LabelKind) -> None:
    found = label(walk(300).iloc[:rows], spec(10, kind))
    assert len(found.labels) == len(found.forward) == len(found.touched) == rows
    assert (found.labels == -1).all()


@pytest.mark.parametrize(
    ("bars", "answer"),
    [
        ([(100, 101.2, 99.5, 100), STILL, STILL, STILL, STILL], (1, 1)),
        ([(100, 100.5, 98.8, 100), STILL, STILL, STILL, STILL], (0, 1)),
        ([STILL, STILL, (100, 102, 99.9, 101), (101, 101, 90, 90), STILL], (1, 3)),
        ([STILL, STILL, STILL, (100, 100, 98, 100), STILL], (0, 4)),
        # Both in one bar: the worse counts.
        ([STILL, (100, 105, 95, 104), STILL, STILL, STILL], (0, 2)),
        # It opens beyond the upper barrier, so that came first, whatever the low is.
        ([STILL, (103, 103, 90, 91), STILL, STILL, STILL], (1, 2)),
        ([STILL, (97, 110, 96, 109), STILL, STILL, STILL], (0, 2)),
        # Never touched: the open at the end of the horizon decides.
        ([STILL, STILL, STILL, STILL, (100.4, 100.4, 100.4, 100.4)], (1, 5)),
        ([STILL, STILL, STILL, STILL, (99.8, 200, 99.8, 150)], (0, 5)),
        # What the bar of the exit does after its open is too late.
        ([STILL, STILL, STILL, STILL, (100.0, 200, 99.0, 150)], (0, 5)),
    ],
)
def test_the_barrier_that_is_touched_first_decides(bars: list[Bar], answer: tuple[int, int]) -> None:
    assert touch(*bars) == answer


def test_barriers_lie_from_the_entry_at_the_next_open() -> None:
    """101.5 is above the barrier of the last close, but not above that of the open at 101."""
    steady = (101.0, 101.5, 100.5, 101.0)
    assert touch(steady, steady, steady, steady, (100.9, 101, 100.9, 101)) == (0, 5)


def test_barriers_grow_with_the_root_of_the_horizon_and_with_the_spec() -> None:
    high = 100 * math.exp(SIZE * math.sqrt(4)) + 0.01
    bars = [(100.0, high, 99.5, 100.0), STILL, STILL, STILL, (99.9, 100, 99, 99)]
    assert touch(*bars, barrier=1.0) == (1, 1)
    assert touch(*bars, barrier=1.1) == (0, 5)


def test_without_volatility_there_are_no_barriers() -> None:
    bars = bars_at([50.0] * 90)
    found = label(bars, spec(3, LabelKind.TRIPLE_BARRIER))
    assert found.labels.tolist() == [0] * 86 + [-1] * 4
    assert (found.touched[:86] == 4).all()


@pytest.mark.parametrize(("horizon", "barrier"), [(1, 1.0), (7, 0.7), (64, 1.5), (150, 0.8), (300, 3.0)])
def test_it_says_the_same_as_a_plain_walk_from_bar_to_bar(horizon: int, barrier: float) -> None:
    bars = walk(1_500, seed=horizon)
    found = label(bars, spec(horizon, LabelKind.TRIPLE_BARRIER, barrier))
    expected = plainly(bars, horizon, barrier)
    np.testing.assert_array_equal(found.labels, expected.labels)
    np.testing.assert_array_equal(found.touched, expected.touched)


@pytest.mark.parametrize("kind", LabelKind)
def test_known_answers_do_not_change_when_bars_are_added(kind: LabelKind) -> None:
    bars, asked = walk(800), spec(12, kind)
    whole = label(bars, asked)
    for rows in (14, 100, 799):
        part = label(bars.iloc[:rows], asked)
        known = rows - 13
        assert part.labels[:known].tobytes() == whole.labels[:known].tobytes()
        assert part.forward[:known].tobytes() == whole.forward[:known].tobytes()
        assert part.touched[:known].tobytes() == whole.touched[:known].tobytes()


def plainly(bars: pd.DataFrame, horizon: int, barrier: float) -> Labelled:
    opens, highs, lows = (bars[name].tolist() for name in ("open", "high", "low"))
    sizes = np.sqrt((np.log(bars["close"]).diff() ** 2).rolling(60).mean()).tolist()
    labels, touched = np.full(len(bars), -1, np.int8), np.zeros(len(bars), np.int64)
    for row in range(len(bars) - horizon - 1):
        entry, out = opens[row + 1], opens[row + 1 + horizon]
        labels[row], touched[row] = out > entry, horizon + 1
        distance = barrier * sizes[row] * math.sqrt(horizon)
        if math.isnan(distance):
            continue
        upper, lower = entry * math.exp(distance), entry * math.exp(-distance)
        for later in range(row + 1, row + 1 + horizon):
            if highs[later] >= upper or lows[later] <= lower:
                labels[row], touched[row] = opens[later] >= upper or lows[later] > lower, later - row
                break
    return Labelled(labels=labels, forward=np.empty(0), touched=touched)
