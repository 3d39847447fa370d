"""Which rows are learned from, which say when to stop, and which are predicted: always later ones, never touching.

Training begins at the first row and grows from fold to fold. Between two sets lie `spec.gap` rows: no label reaches
into a later set, and the embargo is left out besides.
"""

from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.ml.features import WARM_UP
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import TooFewBars

Ints = npt.NDArray[np.int64]

# Of the rows that can be learned from: how many are never tested, and how many of a lesson say when to stop.
FIRST_SHARE: Final = 0.3
STOP_SHARE: Final = 0.15
FEWEST_TRAINING: Final = 200
FEWEST_STOP: Final = 50
FEWEST_TEST: Final = 50


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """Rows from `first` to before `last`."""

    first: int
    last: int

    def __len__(self) -> int:
        return self.last - self.first

    @property
    def rows(self) -> slice:
        return slice(self.first, self.last)

    @property
    def numbers(self) -> Ints:
        return np.arange(self.first, self.last, dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One lesson and what is predicted after it. Numbers begin with 1."""

    number: int
    train: Bounds
    stop: Bounds
    test: Bounds


def folds(first_row: int, rows: int, spec: ModelSpec) -> tuple[Fold, ...]:
    """Of a history of so many rows; those before `first_row` have no features, the last have no answer yet.

    The tests follow each other without a gap, so that together they are one history. Raises TooFewBars.
    """
    last = answered(rows, spec)
    first_test = first_row + max(_fewest_before_test(spec), int(FIRST_SHARE * (last - first_row)))
    if last - first_test < spec.folds * _fewest_test(spec):
        raise TooFewBars(
            rows, bars_needed(spec, first_row), f"a horizon of {spec.horizon:,} bars with {spec.folds} folds"
        )
    edges = np.linspace(first_test, last, spec.folds + 1).astype(np.int64).tolist()
    return tuple(
        Fold(number=number, train=train, stop=stop, test=Bounds(first=edge, last=edges[number]))
        for number, edge in enumerate(edges[:-1], start=1)
        for train, stop in [_lesson(first_row, edge - spec.gap, spec)]
    )


def final_split(first_row: int, rows: int, spec: ModelSpec) -> Fold:
    """For the model that is kept: all that has an answer is learned from, and nothing is left to test."""
    last = answered(rows, spec)
    if last - first_row < _fewest_lesson(spec):
        needed = first_row + _fewest_lesson(spec) + spec.horizon + 1
        raise TooFewBars(rows, needed, f"a horizon of {spec.horizon:,} bars")
    train, stop = _lesson(first_row, last, spec)
    return Fold(number=0, train=train, stop=stop, test=Bounds(first=last, last=last))


def walk_forward_bounds(
    first_row: int, rows: int, first_training: int, retrain_every: int, spec: ModelSpec
) -> tuple[Fold, ...]:
    """For predictions inside a backtest: the first `first_training` rows only teach, then it learns again and again.

    Counted from the first row, so that cutting off later rows shortens the last test and changes nothing else. With too
    few rows for a first prediction there are none. Raises TooFewBars when the first training is too short for any.
    """
    needed = first_training_needed(spec)
    if first_training < needed:
        raise TooFewBars(first_training, needed, f"a first training for a horizon of {spec.horizon:,} bars")
    starts = range(first_row + first_training, rows, retrain_every)
    return tuple(
        Fold(number=number, train=train, stop=stop, test=Bounds(first=start, last=min(start + retrain_every, rows)))
        for number, start in enumerate(starts, start=1)
        for train, stop in [_lesson(first_row, start - spec.gap, spec)]
    )


def bars_needed(spec: ModelSpec, first_row: int = WARM_UP) -> int:
    """The shortest history that `folds` takes."""
    before, tested = _fewest_before_test(spec), spec.folds * _fewest_test(spec)
    rows = max(before + tested, int(tested / (1 - FIRST_SHARE)) - 1)
    while rows - max(before, int(FIRST_SHARE * rows)) < tested:
        rows += 1
    return first_row + rows + spec.horizon + 1


def first_training_needed(spec: ModelSpec) -> int:
    """The fewest rows with features before the first prediction inside a backtest."""
    return _fewest_before_test(spec)


def answered(rows: int, spec: ModelSpec) -> int:
    """The first row whose answer nobody knows: it is the open `horizon` bars after the next one."""
    return rows - spec.horizon - 1


def _lesson(first: int, last: int, spec: ModelSpec) -> tuple[Bounds, Bounds]:
    """The later part says when to stop."""
    rows = last - first - spec.gap
    count = max(_fewest_stop(spec), min(int(STOP_SHARE * rows), rows - _fewest_training(spec)))
    stop = Bounds(first=last - count, last=last)
    return Bounds(first=first, last=stop.first - spec.gap), stop


def _fewest_before_test(spec: ModelSpec) -> int:
    return _fewest_lesson(spec) + spec.gap


def _fewest_lesson(spec: ModelSpec) -> int:
    return _fewest_training(spec) + spec.gap + _fewest_stop(spec)


def _fewest_training(spec: ModelSpec) -> int:
    """A tree splits only where each side keeps its fewest rows; two horizons are two answers that do not overlap."""
    return max(FEWEST_TRAINING, 2 * spec.least_in_leaf, 2 * spec.horizon)


def _fewest_stop(spec: ModelSpec) -> int:
    return max(FEWEST_STOP, spec.horizon)


def _fewest_test(spec: ModelSpec) -> int:
    return max(FEWEST_TEST, spec.horizon)
