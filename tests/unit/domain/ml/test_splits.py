"""Nothing that is learned from may reach into what is predicted, wherever the history is cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import (
    Fold,
    bars_needed,
    final_split,
    first_training_needed,
    folds,
    walk_forward_bounds,
)
from backend.domain.model_errors import TooFewBars

FIRST = 130
SPECS = st.builds(
    lambda horizon, more, folds, leaf: ModelSpec(
        horizon=horizon, folds=folds, least_in_leaf=leaf, embargo=None if more is None else horizon + more
    ),
    st.integers(1, 60),
    st.none() | st.integers(0, 40),
    st.integers(2, 9),
    st.integers(5, 300),
)


def bars_of(row: int, spec: ModelSpec) -> set[int]:
    """Those that the label of a row is made from: entered at the next open, left at the open `horizon` bars later."""
    return set(range(row + 1, row + spec.horizon + 2))


def touches(earlier: range, later: range, spec: ModelSpec) -> bool:
    """Whether any bar of an earlier label, or of the embargo after it, is a row of a later set or of its labels."""
    embargo = spec.horizon if spec.embargo is None else spec.embargo
    learned = {bar for row in earlier for bar in (*bars_of(row, spec), *range(row, row + spec.horizon + embargo + 1))}
    return bool(learned & ({bar for row in later for bar in bars_of(row, spec)} | set(later)))


def check(fold: Fold, spec: ModelSpec) -> None:
    train, stop, test = (range(one.first, one.last) for one in (fold.train, fold.stop, fold.test))
    assert train
    assert stop
    # Only the end of an earlier set can reach a later one: the rows before lie further away.
    near = spec.gap + 2
    assert train[-1] < stop[0]
    assert stop[-1] < test[0]
    assert not touches(train[-near:], stop[:near], spec)
    assert not touches(stop[-near:], test[:near], spec)
    assert not touches(train[-near:], test[:near], spec)
    assert stop[0] - train[-1] - 1 == test[0] - stop[-1] - 1 == spec.gap


@settings(max_examples=40, deadline=None)
@given(SPECS, st.integers(0, 4_000))
def test_no_label_reaches_into_a_later_set_or_its_embargo(spec: ModelSpec, more: int) -> None:
    rows = bars_needed(spec, FIRST) + more
    made = folds(FIRST, rows, spec)
    assert [fold.number for fold in made] == list(range(1, spec.folds + 1))
    for fold in made:
        check(fold, spec)
        assert fold.train.first == FIRST
        assert len(fold.train) >= max(200, 2 * spec.least_in_leaf, 2 * spec.horizon)
    assert all(before.test.last == after.test.first for before, after in pairwise(made))
    assert all(len(before.train) <= len(after.train) for before, after in pairwise(made))
    # The answer of the last row is the last open there is.
    assert max(bars_of(made[-1].test.last - 1, spec)) == rows - 1


@settings(max_examples=40, deadline=None)
@given(SPECS)
def test_one_bar_less_than_needed_is_refused_with_the_number(spec: ModelSpec) -> None:
    needed = bars_needed(spec, FIRST)
    with pytest.raises(TooFewBars) as refused:
        folds(FIRST, needed - 1, spec)
    assert (refused.value.bars, refused.value.needed) == (needed - 1, needed)
    assert f"needs at least {needed:,}" in str(refused.value)


def test_a_horizon_longer_than_the_data_says_how_many_bars_it_needs() -> None:
    with pytest.raises(TooFewBars, match=r"There are 1,000 bars; a horizon of 2,000 bars with 5 folds needs"):
        folds(FIRST, 1_000, ModelSpec(horizon=2_000))


@settings(max_examples=40, deadline=None)
@given(SPECS, st.integers(0, 3_000))
def test_the_model_that_is_kept_learns_from_all_that_has_an_answer(spec: ModelSpec, more: int) -> None:
    rows = bars_needed(spec, FIRST) + more
    kept = final_split(FIRST, rows, spec)
    near = spec.gap + 2
    assert not touches(
        range(kept.train.first, kept.train.last)[-near:], range(kept.stop.first, kept.stop.last)[:near], spec
    )
    assert max(bars_of(kept.stop.last - 1, spec)) == rows - 1
    assert kept.train.first == FIRST
    assert len(kept.test) == 0
    with pytest.raises(TooFewBars, match="needs at least"):
        final_split(FIRST, FIRST + spec.horizon + 20, spec)


@settings(max_examples=40, deadline=None)
@given(SPECS, st.integers(0, 500), st.integers(1, 400), st.integers(0, 3_000), st.integers(0, 3_000))
def test_cutting_off_later_bars_changes_no_earlier_window(
    spec: ModelSpec, more: int, every: int, rows: int, cut: int
) -> None:
    first_training = first_training_needed(spec) + more
    whole = walk_forward_bounds(FIRST, FIRST + first_training + rows, first_training, every, spec)
    less = walk_forward_bounds(FIRST, FIRST + first_training + rows - cut, first_training, every, spec)
    assert [(fold.train, fold.stop, fold.test.first) for fold in less] == [
        (fold.train, fold.stop, fold.test.first) for fold in whole[: len(less)]
    ]
    predicted = [row for fold in whole for row in range(fold.test.first, fold.test.last)]
    assert predicted == list(range(FIRST + first_training, FIRST + first_training + rows))
    for fold in (*whole[:2], *whole[-1:]):
        check(fold, spec)


def test_a_first_training_that_no_lesson_fits_into_is_refused_before_any_bar_is_there() -> None:
    with pytest.raises(TooFewBars, match="There are 100 bars; a first training for a horizon of 12 bars"):
        walk_forward_bounds(FIRST, 0, 100, 50, ModelSpec())
    assert walk_forward_bounds(FIRST, 50, 1_000, 50, ModelSpec()) == ()
