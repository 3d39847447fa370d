"""Predictions inside a backtest: each bar is judged by a model that was trained only on bars before it.

Trainings are remembered by the content of the bars that they saw, so that whoever asks again about the same past, as
guards and sweeps do, does not train again. What lies after a training can change nothing in it.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Self

import numpy as np

from backend.domain.bars import COLUMNS, frame_of
from backend.domain.ml.features import WARM_UP, features
from backend.domain.ml.forecaster import Fitted, Floats, Forecaster, Labels, Lesson, Matrix
from backend.domain.ml.labels import label
from backend.domain.ml.memory import Memory
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import Fold, walk_forward_bounds
from backend.domain.model_errors import NothingToLearn
from backend.domain.strategies.market import Market, OutOfSample

Watch = Callable[[int, int], None]  # how many trainings are done, of how many; what it raises ends them


def unwatched(done: int, of: int) -> None:
    """Nobody wants to know how far it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class _Table:
    rows: Matrix
    labels: Labels

    def lesson(self, fold: Fold) -> Lesson:
        return Lesson(
            rows=self.rows[fold.train.rows],
            labels=self.labels[fold.train.rows],
            stop_rows=self.rows[fold.stop.rows],
            stop_labels=self.labels[fold.stop.rows],
        )


class WalkForward:
    """The Predictions of a strategy's market. The forecaster is only opened when one is asked for."""

    def __init__(
        self, open_forecaster: Callable[[], Forecaster], *, watch: Watch = unwatched, memory: Memory | None = None
    ) -> None:
        self._open_forecaster = open_forecaster
        self._watch = watch
        self._memory = memory or Memory()

    def watched(self, watch: Watch) -> Self:
        """The same, with the same memory, telling how far it is."""
        return type(self)(self._open_forecaster, watch=watch, memory=self._memory)

    def probability_up(self, market: Market, wanted: OutOfSample) -> Floats:
        spec, bars = wanted.spec, frame_of(market.starts, {name: market.inputs[name] for name in COLUMNS})
        folds = walk_forward_bounds(WARM_UP, len(bars), wanted.first_training, wanted.retrain_every, spec)
        said = np.full(len(bars), np.nan)
        if not folds:
            return said
        table, forecaster = _Table(rows=features(bars), labels=label(bars, spec).labels), self._open_forecaster()
        asked = f"{forecaster.version} {spec.model_dump_json()}"
        for fold, seen in zip(folds, _digests(market, folds), strict=True):
            hear = partial(self._watch, fold.number - 1, len(folds))
            hear()
            fit = partial(_fit, forecaster, table.lesson(fold), spec, hear)
            fitted = self._memory.get((asked, seen), fit)
            if fitted is not None:
                said[fold.test.rows] = fitted.probability_up(table.rows[fold.test.rows])
        return said


def _fit(forecaster: Forecaster, lesson: Lesson, spec: ModelSpec, hear: Callable[[], None]) -> Fitted | None:
    try:
        return forecaster.fit(lesson, spec, told=lambda *_: hear())
    except NothingToLearn:
        return None


def _digests(market: Market, folds: Sequence[Fold]) -> Iterator[bytes]:
    """Of all bars before each test: they decide what is learned, its labels included."""
    columns = (market.columns[name].view(np.int64) for name in COLUMNS)
    table = np.column_stack((market.starts, *columns))
    digest, until = hashlib.blake2b(digest_size=16), 0
    for fold in folds:
        digest.update(table[until : fold.test.first].tobytes())
        until = fold.test.first
        yield digest.digest()
