"""Plain forecasts that a model has to beat: the base rate, the last bar's return, and a linear model of all features.

Each learns from a fold's training rows only; its strength is chosen where the model decides when to stop.
"""

from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.ml.forecaster import Floats, Labels, Matrix
from backend.domain.ml.metrics import log_losses
from backend.domain.ml.splits import Bounds, Fold

# Rows that a linear model learns from at most, evenly spread: more of them hardly change it.
_MOST_ROWS: Final = 8_000
# What is further from the mean is taken for this many deviations.
_FARTHEST: Final = 4.0
# Weights of the ridge, in shares of the rows.
_RIDGES: Final = (0.001, 0.01, 0.1, 1.0, 10.0)
_SUREST: Final = 0.05

Columns = npt.NDArray[np.float32]


def plain_forecasts(rows: Matrix, last_return: Floats, labels: Labels, fold: Fold) -> dict[str, Floats]:
    """Probabilities of up for the rows of the fold's test. `last_return` is that of each row's own bar."""
    taught = labels[fold.train.rows]
    base = float((taught[taught >= 0] == 1).mean()) if (taught >= 0).any() else 0.5
    alone = np.ascontiguousarray(last_return[:, None], np.float32)
    return {
        "base_rate": np.full(len(fold.test), base),
        "last_return": _linear(alone, labels, fold),
        "linear": _linear(rows, labels, fold),
    }


def _linear(rows: Columns, labels: Labels, fold: Fold) -> Floats:
    """A ridge regression of the label on what is known of a row."""
    train, ups = _answered(rows, labels, fold.train, -(-len(fold.train) // _MOST_ROWS))
    stop, stop_ups = _answered(rows, labels, fold.stop)
    base, middle, deviation = float(ups.mean()), train.mean(axis=0), train.std(axis=0)
    scale = np.divide(1, deviation, out=np.zeros_like(deviation), where=deviation > 0)

    def scaled(part: Columns) -> Columns:
        within: Columns = np.clip((part - middle) * scale, -_FARTHEST, _FARTHEST)
        return within

    seen = scaled(train)
    values, vectors = np.linalg.eigh((seen.T @ seen).astype(np.float64) / len(seen))
    pull = vectors.T @ (seen.T @ (ups - base).astype(np.float32)).astype(np.float64) / len(seen)
    weights = vectors @ (pull[:, None] / (np.maximum(values, 0)[:, None] + np.array(_RIDGES)))
    said = _believable(base + scaled(stop) @ weights)
    best = int(np.argmin([log_losses(said[:, one], stop_ups).mean() for one in range(len(_RIDGES))]))
    return _believable(base + scaled(rows[fold.test.rows]) @ weights[:, best])


def _answered(rows: Columns, labels: Labels, bounds: Bounds, step: int = 1) -> tuple[Columns, npt.NDArray[np.bool_]]:
    part, answers = rows[bounds.rows][::step], labels[bounds.rows][::step]
    is_known = answers >= 0
    return (part, answers == 1) if is_known.all() else (part[is_known], answers[is_known] == 1)


def _believable(probability: Floats) -> Floats:
    return np.clip(probability, _SUREST, 1 - _SUREST)
