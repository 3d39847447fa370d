"""Gradient boosted trees of LightGBM behind the forecaster port. What is kept is text, which runs nothing."""

import hashlib
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from backend.domain.ml.forecaster import Fitted, Floats, Lesson, Matrix
from backend.domain.ml.spec import ModelSpec
from backend.domain.model_errors import ModelDamaged, NothingToLearn

# Its threads wait for each other after each step, by default in a busy loop: two trainings that share two cores would
# take ten times as long. OpenMP reads this once, when it is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import lightgbm

_MARK: Final = b"lightgbm "
# The loss of what is learned from takes a pass over all its rows, so that it is not asked for after each round.
_TOLD_EVERY: Final = 10


def parameters(spec: ModelSpec, threads: int) -> dict[str, Any]:
    """What LightGBM is told. Rows are summed up in one order, so that the same lesson gives the same bytes. Where a
    signal is weak, the best split is mostly that of the luckiest feature: each tree sees half of them, and splits at
    places drawn by lot.
    """
    return {
        "objective": "binary",
        "metric": "binary_logloss",
        "learning_rate": spec.learning_rate,
        "num_leaves": spec.leaves,
        "min_data_in_leaf": spec.least_in_leaf,
        "feature_fraction": 0.5,
        "extra_trees": True,
        "seed": spec.seed,
        "num_threads": threads,
        "deterministic": True,
        "force_row_wise": True,
        "verbosity": -1,
    }


@dataclass(frozen=True, kw_only=True, eq=False)
class _Bins:
    """The rows of a lesson as the library sees them. Labels have no part in it."""

    key: tuple[object, ...]
    learned: lightgbm.Dataset
    stop: lightgbm.Dataset


class _LatestBins:
    """The bins of the lesson before, for as long as the table is there that its rows are a part of.

    A control learns other answers on the rows of the last fold, and making bins takes longer than many trees.
    """

    def __init__(self) -> None:
        self._kept: _Bins | None = None
        self._table: weakref.ref[Matrix] | None = None
        self._lock = threading.Lock()

    def take(self, lesson: Lesson, given: dict[str, Any]) -> _Bins:
        """Nobody else has them meanwhile."""
        key = (_place(lesson.rows), _place(lesson.stop_rows), tuple(given.items()))
        with self._lock:
            kept, self._kept = self._kept, None
            is_same = (
                kept is not None and kept.key == key and self._table is not None and self._table() is _table(lesson)
            )
        if kept is not None and is_same:
            kept.learned.set_label(lesson.labels)
            kept.stop.set_label(lesson.stop_labels)
            return kept
        kept = None  # before others are made: there is room for one
        learned = lightgbm.Dataset(lesson.rows, lesson.labels, params=given)
        return _Bins(key=key, learned=learned, stop=learned.create_valid(lesson.stop_rows, lesson.stop_labels))

    def keep(self, bins: _Bins, lesson: Lesson) -> None:
        with self._lock:
            self._kept, self._table = bins, weakref.ref(_table(lesson), self._forget)

    def _forget(self, table: "weakref.ref[Matrix]") -> None:
        if self._table is table:
            self._kept = self._table = None


def _table(lesson: Lesson) -> Matrix:
    return lesson.rows if lesson.rows.base is None else lesson.rows.base


def _place(rows: Matrix) -> tuple[object, ...]:
    return rows.__array_interface__["data"][0], rows.shape, rows.strides


class LightGbm:
    """A Forecaster."""

    def __init__(self) -> None:
        self._bins = _LatestBins()

    @property
    def version(self) -> str:
        return f"lightgbm {lightgbm.__version__}"

    def fit(
        self,
        lesson: Lesson,
        spec: ModelSpec,
        *,
        threads: int = 1,
        told: Callable[[int, float, float], None] | None = None,
    ) -> Fitted:
        _require_both(lesson)
        given = parameters(spec, threads)
        bins = self._bins.take(lesson, given)
        booster = lightgbm.Booster(given, bins.learned)
        booster.add_valid(bins.stop, "stop")
        best = _grow(booster, spec, told)
        self._bins.keep(bins, lesson)
        return Trees(booster.model_to_string(num_iteration=best, importance_type="gain"))

    def read(self, content: bytes) -> Fitted:
        head, line, text = content.partition(b"\n")
        # A text that was changed may end the process that parses it, so it is looked at before.
        if not line or head != _head(text):
            raise ModelDamaged("The trees of this model are not what was written. Train it again.")
        try:
            return Trees(text.decode())
        except (lightgbm.basic.LightGBMError, UnicodeDecodeError) as problem:
            raise ModelDamaged(f"The trees of this model cannot be read: {problem}. Train it again.") from problem


class Trees:
    """What LightGBM has learned: the text, and the trees that were read from it, as they are after a restart."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._booster = lightgbm.Booster(model_str=text)

    @property
    def rounds(self) -> int:
        return self._booster.num_trees()

    @property
    def gain(self) -> Floats:
        return np.asarray(self._booster.feature_importance("gain"), np.float64)

    def probability_up(self, rows: Matrix) -> Floats:
        return self._asked(rows)

    def contributions(self, rows: Matrix) -> Floats:
        return self._asked(rows, pred_contrib=True)

    def content(self) -> bytes:
        text = self._text.encode()
        return _head(text) + b"\n" + text

    def _asked(self, rows: Matrix, **how: Any) -> Floats:
        # Threads cost more than they bring here: a row takes microseconds.
        return np.asarray(self._booster.predict(rows, num_threads=1, **how), np.float64)


def _grow(booster: lightgbm.Booster, spec: ModelSpec, told: Callable[[int, float, float], None] | None) -> int:
    """Adds trees until the loss of the stop rows has not fallen for long enough. Returns the best number of them."""
    best, least = 1, float("inf")
    for number in range(1, spec.rounds + 1):
        has_ended = booster.update()
        stop_loss = float(booster.eval_valid()[0][2])
        if stop_loss < least:
            best, least = number, stop_loss
        has_ended = has_ended or number - best >= spec.patience or number == spec.rounds
        if told is not None and (has_ended or number % _TOLD_EVERY == 0):
            told(number, float(booster.eval_train()[0][2]), stop_loss)
        if has_ended:
            break
    return best


def _require_both(lesson: Lesson) -> None:
    ups, count = int(np.count_nonzero(lesson.labels)), len(lesson.labels)
    if ups in {0, count}:
        way = "down" if ups == 0 else "up"
        raise NothingToLearn(f"All {count:,} bars to learn from went {way}: there is nothing to tell apart.")


def _head(text: bytes) -> bytes:
    return _MARK + hashlib.sha256(text).hexdigest().encode()
