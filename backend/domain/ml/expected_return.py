"""From a probability of up to a return: as much as earlier predictions of the model were followed by, and no more."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from backend.domain.ml.bootstrap import Blocks
from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.spec import ModelSpec


@dataclass(frozen=True, kw_only=True)
class ReturnMap:
    """A line through predictions that were made before the fact. Both its figures are drawn towards 0, the more the
    less sure they are: without a signal every probability expects about nothing. It never falls."""

    mean: float
    slope: float
    middle: float  # the probability at which the mean is expected
    low: float  # beyond these the line was not seen, and stays flat
    high: float

    @classmethod
    def fit(cls, predicted: OutOfFold, spec: ModelSpec) -> "ReturnMap":
        """On out-of-fold rows only: what a model says of its own lessons is too good."""
        known = predicted.answered
        said, forward = known.probability, known.forward
        if len(said) < 2:
            return cls(mean=0.0, slope=0.0, middle=0.5, low=0.5, high=0.5)
        middle = float(said.mean())
        away = said - middle
        low, high = np.quantile(said, [0.01, 0.99])
        mean, slope = _shrunk(away, forward, Blocks.of(len(said), spec.horizon, seed=spec.seed))
        return cls(mean=mean, slope=max(slope, 0.0), middle=middle, low=float(low), high=float(high))

    def expected(self, probability: Floats) -> Floats:
        return self.mean + self.slope * (np.clip(probability, self.low, self.high) - self.middle)

    def document(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "ReturnMap":
        return cls(**document)


def _shrunk(away: Floats, forward: Floats, blocks: Blocks) -> tuple[float, float]:
    drawn = blocks.means(np.stack([away, forward, away * away, away * forward], axis=1))
    x, y, xx, xy = drawn.T
    spread = xx - x * x
    slopes = np.divide(xy - x * y, spread, out=np.full(len(x), np.nan), where=spread > 0)
    moved = float(away @ away)
    slope = float(away @ forward) / moved if moved > 0 else 0.0
    return _believed(float(forward.mean()), y, blocks), _believed(slope, slopes, blocks)


def _believed(value: float, drawn: Floats, blocks: Blocks) -> float:
    """What is left of a figure when the square of its error is taken off its own (James and Stein, 1961)."""
    error = blocks.error(drawn)
    return value * max(0.0, 1 - (error / value) ** 2) if value and np.isfinite(error) else 0.0
