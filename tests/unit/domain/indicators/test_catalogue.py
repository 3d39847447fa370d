"""What holds for every indicator: it knows nothing later, begins when it says, and settles when it says."""

import json

import numpy as np
import pytest

from backend.domain.indicators.catalogue import INDICATORS, compute, describe, indicator
from backend.domain.indicators.declared import Indicator
from backend.domain.strategy_errors import InvalidParameters, MissingValues, UnknownIndicator
from tests.market_bars import columns_of, walk

EVERY = pytest.mark.parametrize("each", INDICATORS.values(), ids=list(INDICATORS))
SCALED = pytest.mark.parametrize(
    "each", [each for each in INDICATORS.values() if each.scale], ids=lambda each: each.name
)
# Sums since the first bar: their changes mean something, their height does not.
SUMS = ("obv", "adl")
LONG = columns_of(walk(4_000, frequency="15min"))


def first_rows(rows: int) -> dict[str, np.ndarray]:
    return {name: values[:rows] for name, values in LONG.items()}


@EVERY
def test_values_do_not_change_when_later_bars_are_cut_off(each: Indicator) -> None:
    whole = each.compute(LONG)
    for rows in (1, 2, 37, 100, 499, 1_234, 3_999):
        for name, values in each.compute(first_rows(rows)).items():
            np.testing.assert_array_equal(values, whole[name][:rows], err_msg=f"{name} of the first {rows} bars")


@EVERY
def test_it_begins_when_it_says(each: Indicator) -> None:
    shorter = {parameter.name: max(parameter.minimum, parameter.default // 2) for parameter in each.parameters}
    for given in ({}, {} if each.name in ("sar", "supertrend", "keltner") else shorter):
        for name, values in each.compute(LONG, given).items():
            assert np.isnan(values[: each.bars_before_first(given)]).all(), name
            assert np.isfinite(values[each.bars_before_first(given) :]).all(), name


@pytest.mark.parametrize(
    "each", [each for each in INDICATORS.values() if each.name not in SUMS], ids=lambda each: each.name
)
def test_where_history_began_no_longer_matters_when_it_has_settled(each: Indicator) -> None:
    settled = each.bars_until_settled()
    late = each.compute({name: values[len(values) - settled - 1 :] for name, values in LONG.items()})
    for name, values in each.compute(LONG).items():
        spread = float(np.nanstd(values))
        assert late[name][-1] == pytest.approx(values[-1], abs=0.01 * spread), name


@EVERY
def test_it_is_as_long_as_the_bars_even_when_there_are_none(each: Indicator) -> None:
    for rows in (0, 1, 5):
        assert all(len(values) == rows for values in each.compute(first_rows(rows)).values())


@SCALED
def test_all_its_values_lie_on_the_scale_that_it_declares(each: Indicator) -> None:
    assert each.scale is not None
    for values in each.compute(LONG).values():
        assert np.nanmin(values) >= each.scale[0] - 1e-9
        assert np.nanmax(values) <= each.scale[1] + 1e-9


@EVERY
def test_it_does_not_touch_its_inputs(each: Indicator) -> None:
    locked = {name: values.copy() for name, values in LONG.items()}
    for values in locked.values():
        values.flags.writeable = False
    each.compute(locked)
    assert all(np.array_equal(locked[name], LONG[name]) for name in LONG)


@pytest.mark.parametrize("name", ["ema", "rsi", "sma", "bollinger", "atr", "obv"])
def test_a_hole_in_a_column_is_refused_with_its_row(name: str) -> None:
    spoilt = {column: values[:500].copy() for column, values in LONG.items()}
    spoilt["close"][[120, 130]] = np.nan, np.inf
    with pytest.raises(MissingValues, match=r"2 of 500 values.*first at row 120"):
        compute(name, spoilt)


def test_values_that_begin_late_shift_the_beginning_only() -> None:
    late = LONG["close"].copy()
    late[:50] = np.nan
    for name in ("sma", "ema", "rsi", "wma"):
        (values,) = indicator(name).compute({"close": late}, {"period": 10}).values()
        (plain,) = indicator(name).compute({"close": LONG["close"][50:]}, {"period": 10}).values()
        np.testing.assert_allclose(values[50:], plain, equal_nan=True)


def test_an_unknown_indicator_is_answered_with_what_may_be_meant() -> None:
    with pytest.raises(UnknownIndicator, match="Did you mean 'bollinger'"):
        indicator("bolinger")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"period": 1}, "period is 1; 2 to 2,000 is allowed"),
        ({"period": 2.5}, "period is 2.5; a whole number from 2"),
        ({"period": "20"}, "period is '20'; a whole number"),
        ({"period": True}, "period is True; a whole number"),
        ({"perod": 20}, "has no parameter 'perod'. Did you mean 'period'"),
    ],
)
def test_bad_parameters_are_answered_with_a_sentence(given: dict[str, object], words: str) -> None:
    with pytest.raises(InvalidParameters) as refused:
        indicator("rsi").complete(given, at="/enter/left/parameters")
    assert words in refused.value.detail
    assert refused.value.errors[0].pointer.startswith("/enter/left/parameters/pero" if "perod" in given else "/enter")


def test_the_catalogue_can_be_sent_to_the_web_app() -> None:
    described = json.loads(json.dumps(describe()))
    assert [each["name"] for each in described] == list(INDICATORS)
    bollinger = next(each for each in described if each["name"] == "bollinger")
    assert bollinger["outputs"] == ["upper", "middle", "lower"]
    assert bollinger["parameters"][0] == {
        "name": "period",
        "title": "Period",
        "type": "integer",
        "default": 20,
        "minimum": 2,
        "maximum": 2_000,
        "unit": "bars",
    }
