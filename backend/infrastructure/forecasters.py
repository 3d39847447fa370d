"""Gradient boosted trees of LightGBM behind the forecaster port. What is kept is text, which runs nothing."""

import hashlib
import os
from collections.abc import Callable
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


class LightGbm:
    """A Forecaster."""

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
        learned = lightgbm.Dataset(lesson.rows, lesson.labels, params=given)
        booster = lightgbm.Booster(given, learned)
        booster.add_valid(learned.create_valid(lesson.stop_rows, lesson.stop_labels), "stop")
        best = _grow(booster, spec, told)
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
