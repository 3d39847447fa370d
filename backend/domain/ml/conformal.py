"""Between which values a return will lie: as far from what is expected as it was before, in volatilities of the moment.

Split conformal prediction (Lei and others, 2018) on predictions that were made before the fact, each tail by itself.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np

from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.expected_return import ReturnMap
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.spec import ModelSpec

INTERVAL_LEVEL: Final = 0.9
VOLATILITY_BARS: Final = 60
# Of the usual volatility: a few still bars are no promise that nothing will happen.
_STILLEST: Final = 0.1
_FEWEST_ROWS: Final = 20


def horizon_volatility(close: Floats, horizon: int) -> Floats:
    """The deviation to expect over the horizon, from each row's last 60 bars or as many as there are. The same bits
    whatever came before them."""
    squares = np.zeros(len(close) + VOLATILITY_BARS - 1)
    squares[VOLATILITY_BARS:] = np.diff(np.log(close)) ** 2
    sums = np.lib.stride_tricks.sliding_window_view(squares, VOLATILITY_BARS).sum(axis=1)
    counts = np.clip(np.arange(len(close)), 1, VOLATILITY_BARS)
    found: Floats = np.sqrt(sums / counts * horizon)
    return found


@dataclass(frozen=True, kw_only=True)
class Conformal:
    """How many volatilities the lowest and the highest lie away from what is expected."""

    level: float
    low: float
    high: float
    stillest: float  # no volatility is taken for less

    @classmethod
    def fit(
        cls, expected: Floats, forward: Floats, volatility: Floats, *, level: float = INTERVAL_LEVEL
    ) -> "Conformal":
        stillest = _STILLEST * float(np.median(volatility)) if len(volatility) else 0.0
        stillest = max(stillest, 1e-9)
        away = np.sort((forward - expected) / np.maximum(volatility, stillest))
        tail = math.floor((1 - level) / 2 * (len(away) + 1))
        if tail < 1:  # fewer rows than an end needs: all that was seen, and twice as far
            furthest = 2 * float(np.abs(away).max()) if len(away) else 0.0
            return cls(level=level, low=-furthest, high=furthest, stillest=stillest)
        return cls(level=level, low=float(away[tail - 1]), high=float(away[-tail]), stillest=stillest)

    def around(self, expected: Floats, volatility: Floats) -> tuple[Floats, Floats]:
        """No price falls below nothing."""
        scale = np.maximum(volatility, self.stillest)
        return np.maximum(expected + self.low * scale, -1.0), expected + self.high * scale

    def document(self) -> dict[str, float]:
        return asdict(self)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> "Conformal":
        return cls(**document)


def proven_coverage(
    predicted: OutOfFold, volatility: Floats, spec: ModelSpec, *, level: float = INTERVAL_LEVEL
) -> float | None:
    """How often the return lay inside, when the interval of each fold was made from the folds before it alone.

    `volatility` is that of each predicted row. Nothing is known without a fold that has enough before it.
    """
    is_known = (predicted.labels >= 0) & np.isfinite(predicted.forward)
    known, volatility = predicted.where(is_known), volatility[is_known]
    inside, rows = 0, 0
    for number in np.unique(known.folds)[1:]:
        now = known.folds == number
        before = known.rows < known.rows[now][0] - spec.gap
        if before.sum() < _FEWEST_ROWS:
            continue
        earlier, later = known.where(before), known.where(now)
        returns = ReturnMap.fit(earlier, spec)
        interval = Conformal.fit(
            returns.expected(earlier.probability), earlier.forward, volatility[before], level=level
        )
        low, high = interval.around(returns.expected(later.probability), volatility[now])
        inside += int(((later.forward >= low) & (later.forward <= high)).sum())
        rows += len(later)
    return inside / rows if rows else None
