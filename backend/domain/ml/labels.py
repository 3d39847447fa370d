"""What a model is asked of each bar, answered afterwards: was the price up, for an order entered at the next open?"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.compiled import compiled
from backend.domain.ml.forecaster import Floats, Labels
from backend.domain.ml.spec import LabelKind, ModelSpec

UNKNOWN: Final = -1
VOLATILITY_BARS: Final = 60

Counts = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """One answer a bar. What the last bars' answers are nobody can know yet."""

    labels: Labels  # 1 for up, 0 for not, -1 for unknown
    forward: Floats  # return from the next open to the open `horizon` bars later; NaN where unknown
    touched: Counts  # bars until the answer is known, at most horizon + 1; 0 where unknown


def label(bars: pd.DataFrame, spec: ModelSpec) -> Labelled:
    """Entered at the open after each bar, left at the open `horizon` bars later, or at the first barrier before."""
    opens = bars["open"].to_numpy(np.float64)
    forward = _forward(opens, spec.horizon)
    is_known = np.isfinite(forward)
    labels = np.where(is_known, forward > 0, UNKNOWN).astype(np.int8)
    touched = np.where(is_known, spec.horizon + 1, 0).astype(np.int64)
    if spec.label is LabelKind.TRIPLE_BARRIER:
        high, low, close = (bars[name].to_numpy(np.float64) for name in ("high", "low", "close"))
        distance = spec.barrier * math.sqrt(spec.horizon) * _volatility(close)
        _touch(opens, high, low, distance, spec.horizon, labels, touched)
    return Labelled(labels=labels, forward=forward, touched=touched)


def _forward(opens: Floats, horizon: int) -> Floats:
    forward = np.full(len(opens), np.nan)
    known = max(len(opens) - horizon - 1, 0)
    forward[:known] = opens[1 + horizon :][:known] / opens[1:][:known] - 1
    return forward


def _volatility(close: Floats) -> Floats:
    """Of the returns of the last 60 bars, or of as many as there are."""
    squares = np.zeros(len(close))
    squares[1:] = np.diff(np.log(close)) ** 2
    windows: Floats = pd.Series(squares).rolling(VOLATILITY_BARS, min_periods=1).mean().to_numpy()
    return np.sqrt(windows)


@compiled
def _touch(  # noqa: PLR0917
    opens: Floats, high: Floats, low: Floats, distance: Floats, horizon: int, labels: Labels, touched: Counts
) -> None:
    """Both barriers in one bar: assume the lower came first, since a bar hides the order."""
    for row in range(len(opens) - horizon - 1):
        if not distance[row] > 0:
            continue
        upper, lower = opens[row + 1] * math.exp(distance[row]), opens[row + 1] * math.exp(-distance[row])
        for later in range(row + 1, row + 1 + horizon):
            if opens[later] >= upper or (low[later] > lower and high[later] >= upper):
                labels[row], touched[row] = 1, later - row
                break
            if low[later] <= lower:
                labels[row], touched[row] = 0, later - row
                break
