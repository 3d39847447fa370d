"""What is learned from: features and answers of a history, row by row, and the lessons that are cut out of it."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from backend.domain.bars import COLUMNS
from backend.domain.ml.conformal import horizon_volatility
from backend.domain.ml.features import WARM_UP, features
from backend.domain.ml.forecaster import Floats, Labels, Lesson, Matrix
from backend.domain.ml.labels import UNKNOWN, label
from backend.domain.ml.spec import ModelSpec
from backend.domain.ml.splits import Fold
from backend.domain.model_errors import NothingToLearn
from backend.domain.strategy_errors import MissingValues


@dataclass(frozen=True, kw_only=True, eq=False)
class Table:
    """One row a bar. Lessons are views: nothing is copied."""

    rows: Matrix
    labels: Labels
    forward: Floats
    volatility: Floats  # over the horizon, as of each row
    last_return: Floats
    next_up: Labels  # whether the next bar closes higher

    @classmethod
    def of(cls, bars: pd.DataFrame, spec: ModelSpec, *, threads: int = 1) -> "Table":
        """Raises NothingToLearn where all answers are the same."""
        _require_whole(bars)
        close = bars["close"].to_numpy(np.float64)
        answers = label(bars, spec)
        _require_both(answers.labels, close)
        change = np.diff(close) / close[:-1]
        return cls(
            rows=features(bars, threads=threads),
            labels=answers.labels,
            forward=answers.forward,
            volatility=horizon_volatility(close, spec.horizon),
            last_return=np.concatenate(([0.0], change)),
            next_up=np.append(change > 0, UNKNOWN).astype(np.int8),
        )

    def __len__(self) -> int:
        return len(self.rows)

    def lesson(self, fold: Fold, labels: Labels | None = None) -> Lesson:
        """With other answers where they are given."""
        answers = self.labels if labels is None else labels
        return Lesson(
            rows=self.rows[fold.train.rows],
            labels=answers[fold.train.rows],
            stop_rows=self.rows[fold.stop.rows],
            stop_labels=answers[fold.stop.rows],
        )


def _require_whole(bars: pd.DataFrame) -> None:
    for name in COLUMNS:
        values = bars[name].to_numpy(np.float64)
        if len(holes := np.flatnonzero(~np.isfinite(values))):
            raise MissingValues(f"The column '{name}'", count=len(holes), of=len(values), first=int(holes[0]))


def _require_both(labels: Labels, close: Floats) -> None:
    known = labels[WARM_UP:][labels[WARM_UP:] != UNKNOWN]
    ups = int(np.count_nonzero(known))
    if not len(known) or 0 < ups < len(known):
        return
    if close.min() == close.max():
        raise NothingToLearn(f"The price is {close[0]:g} on all {len(close):,} bars. Choose a range in which it moves.")
    way = "rise" if ups else "fall or stay where it is"
    raise NothingToLearn(
        f"All {len(known):,} answers are the same: {way}. Choose a longer range, a shorter horizon or nearer barriers."
    )
