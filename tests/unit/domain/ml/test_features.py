"""What holds for every feature: it is what it says, knows nothing later, and forgets what is long past."""

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.bars import COLUMNS
from backend.domain.ml.features import FEATURES, WARM_UP, Feature, features
from backend.domain.ml.forecaster import Matrix
from tests.market_bars import bars_at, walk
from tests.unit.domain.ml.feature_oracle import ORACLE

EVERY = pytest.mark.parametrize("column", range(len(FEATURES)), ids=[feature.name for feature in FEATURES])
ROWS = 700


def with_gaps(bars: pd.DataFrame) -> pd.DataFrame:
    """As on an exchange: pauses of a night, of a weekend, and of a single bar."""
    row = np.arange(len(bars))
    return bars[(row % 24 > 7) & (row % 168 > 40) & (row % 97 != 0)].reset_index(drop=True)


LONG = with_gaps(walk(2_000))
WHOLE = features(LONG)


@EVERY
def test_it_is_what_it_says(column: int) -> None:
    name = FEATURES[column].name
    expected = ORACLE[name](LONG).to_numpy()
    np.testing.assert_allclose(WHOLE[WARM_UP:, column], expected[WARM_UP:], rtol=2e-5, atol=2e-6)


@EVERY
def test_it_moves(column: int) -> None:
    assert len(np.unique(WHOLE[WARM_UP:, column])) > 1


@pytest.fixture(scope="module")
def cut() -> dict[int, Matrix]:
    """The last row there is of it, were the bars to end there."""
    return {rows: features(LONG.iloc[:rows]) for rows in (WARM_UP + 1, WARM_UP + 2, 300, 511, 640, len(LONG) - 1)}


@pytest.fixture(scope="module")
def elsewhere() -> dict[int, Matrix]:
    """Another future: all that comes after these rows is another market."""
    other = bars_at(np.linspace(3, 9, len(LONG)).tolist(), reach=0.5).assign(ts=LONG["ts"])
    return {rows: features(pd.concat([LONG.iloc[:rows], other.iloc[rows:]])) for rows in (WARM_UP + 1, 300, 640)}


@EVERY
def test_it_does_not_change_when_later_bars_are_cut_off(column: int, cut: dict[int, Matrix]) -> None:
    for rows, matrix in cut.items():
        np.testing.assert_array_equal(bits(matrix[:, column]), bits(WHOLE[:rows, column]), err_msg=f"{rows} bars")


@EVERY
def test_it_does_not_change_when_later_bars_are_others(column: int, elsewhere: dict[int, Matrix]) -> None:
    for rows, matrix in elsewhere.items():
        np.testing.assert_array_equal(bits(matrix[:rows, column]), bits(WHOLE[:rows, column]), err_msg=f"{rows} bars")


@pytest.fixture(scope="module")
def late() -> dict[int, Matrix]:
    return {first: features(LONG.iloc[first:]) for first in (1, 17, 250, len(LONG) - WARM_UP - 1)}


@EVERY
def test_it_does_not_know_what_was_before_its_warm_up(column: int, late: dict[int, Matrix]) -> None:
    for first, matrix in late.items():
        known = first + WARM_UP
        np.testing.assert_array_equal(
            bits(matrix[WARM_UP:, column]), bits(WHOLE[known:, column]), err_msg=f"from {first}"
        )


def test_only_the_bars_of_the_warm_up_count() -> None:
    bars = LONG.iloc[-WARM_UP - 1 :].reset_index(drop=True)
    other = bars.assign(**{name: [9.0, *bars[name][1:]] for name in COLUMNS})
    np.testing.assert_array_equal(features(other)[-1], WHOLE[-1])


def test_only_the_rows_of_the_warm_up_are_unknown() -> None:
    assert np.isnan(WHOLE[:WARM_UP]).all()
    assert np.isfinite(WHOLE[WARM_UP:]).all()
    assert WHOLE.dtype == np.float32
    assert WHOLE.flags.c_contiguous


@pytest.mark.parametrize("rows", [0, 1, 5, WARM_UP - 1, WARM_UP])
def test_too_few_bars_give_rows_without_values(rows: int) -> None:
    matrix = features(LONG.iloc[:rows])
    assert matrix.shape == (rows, len(FEATURES))
    assert np.isnan(matrix).all()


def test_any_number_of_threads_gives_the_same_bits() -> None:
    bars = walk(40_000, frequency="1min")
    assert features(bars, threads=3).tobytes() == features(bars).tobytes()


def test_many_bars_before_leave_no_trace() -> None:
    """No sum may drift: the last row of many bars is that of the last few."""
    bars = walk(100_000, frequency="1min")
    assert features(bars)[-1].tobytes() == features(bars.iloc[-600:])[-1].tobytes()


@pytest.mark.parametrize("factor", [1e-9, 1 / 3, 1e9])
def test_neither_the_unit_of_prices_nor_that_of_volumes_matters(factor: float) -> None:
    scaled = LONG.assign(**{name: LONG[name] * factor for name in COLUMNS[:4]}, volume=LONG["volume"] / factor)
    np.testing.assert_allclose(features(scaled)[WARM_UP:], WHOLE[WARM_UP:], rtol=1e-4, atol=1e-4)


def test_constant_prices_have_defined_values() -> None:
    matrix = features(bars_at([7.3] * ROWS))[WARM_UP:]
    of_prices = [column for column, feature in enumerate(FEATURES) if feature.group != "calendar"]
    np.testing.assert_allclose(matrix[:, of_prices], 0, atol=1e-5)


def test_no_volume_has_defined_values() -> None:
    silent = features(LONG.assign(volume=0.0))
    for column, feature in enumerate(FEATURES):
        if feature.group == "volume":
            assert not silent[WARM_UP:, column].any(), feature.name
        else:
            np.testing.assert_array_equal(silent[:, column], WHOLE[:, column], err_msg=feature.name)


def test_volume_that_comes_back_is_all_there_is() -> None:
    volume = np.r_[LONG["volume"].to_numpy()[:-300], np.zeros(299), 5.0]
    last = dict(zip([feature.name for feature in FEATURES], features(LONG.assign(volume=volume))[-1], strict=True))
    assert last["volume_1_to_20"] == pytest.approx((1 - 1 / 20) / (1 + 1 / 20))
    assert abs(last["signed_volume_20"]) == 1


@pytest.mark.parametrize("factor", [1e6, 1e-6])
def test_a_jump_of_the_price_is_held_and_forgotten(factor: float) -> None:
    """As after a split that nobody adjusted."""
    price = np.where(np.arange(len(LONG)) < 400, 1.0, factor)
    jumped = features(LONG.assign(**{name: LONG[name] * price for name in COLUMNS[:4]}))
    assert np.isfinite(jumped[WARM_UP:]).all()
    assert np.abs(jumped[WARM_UP:]).max() <= 60
    np.testing.assert_allclose(jumped[400 + WARM_UP :], WHOLE[400 + WARM_UP :], rtol=1e-4, atol=1e-4)


def test_the_smallest_and_the_largest_numbers_have_values() -> None:
    for price, volume in ((1e-300, 1e-300), (1e300, 1e300), (1e-300, 1e300)):
        bars = LONG.assign(**{name: LONG[name] * price for name in COLUMNS[:4]}, volume=LONG["volume"] * volume)
        assert np.isfinite(features(bars)[WARM_UP:]).all()


@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_whatever_bars_do_all_values_stay_in_their_bounds(data: st.DataObject) -> None:
    count = WARM_UP + 30
    moves = st.sampled_from([0.0, 0.0, 1e-12, 1e-4, -1e-4, 0.3, -0.3, 5.0, -5.0])
    steps = data.draw(st.lists(moves, min_size=count, max_size=count))
    reach = data.draw(st.sampled_from([0.0, 1e-13, 0.01, 2.0]))
    volumes = data.draw(st.lists(st.sampled_from([0.0, 1e-12, 1.0, 1e12]), min_size=count, max_size=count))
    closes = np.exp(np.clip(np.cumsum(steps), -300, 300))
    bars = bars_at(closes.tolist())
    bars = bars.assign(high=bars["high"] * (1 + reach), low=bars["low"] / (1 + reach), volume=volumes)
    matrix = features(bars)[WARM_UP:]
    assert np.isfinite(matrix).all()
    for column, feature in enumerate(FEATURES):
        low, high = bounds(feature)
        assert low <= matrix[:, column].min(), feature.name
        assert matrix[:, column].max() <= high, feature.name


def test_frames_are_read_and_not_touched() -> None:
    bars = LONG.copy()
    features(bars)
    pd.testing.assert_frame_equal(bars, LONG)


def test_every_feature_is_told_apart_and_explained() -> None:
    assert len({feature.name for feature in FEATURES}) == len(FEATURES) == len(ORACLE)
    assert all(feature.about and not feature.about.endswith(".") for feature in FEATURES)
    assert list(dict.fromkeys(feature.group for feature in FEATURES)) == [
        "returns",
        "volatility",
        "range",
        "volume",
        "momentum",
        "trend",
        "reversion",
        "pattern",
        "calendar",
    ]


def bits(values: Matrix) -> npt.NDArray[np.int32]:
    return values.view(np.int32)


WIDER = {
    "return": (-4, 4),
    "gap": (-4, 4),
    "move": (-10, 10),
    "skewness": (-8, 8),
    "tails": (0, 60),
    "channel": (0, 10),
    "vwap": (-10, 10),
    "acceleration": (-10, 10),
    "momentum": (-10, 10),
    "average": (-10, 10),
    "slope": (-10, 10),
    "z": (-10, 10),
}


def bounds(feature: Feature) -> tuple[float, float]:
    """All that is not named here lies between -1 and 1."""
    return WIDER.get(feature.name.partition("_")[0], (-1, 1))
