"""What a model is asked of each bar, answered afterwards: was the price up, for an order entered at the next open?"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.compiled import compiled
from backend.domain.ml.columns import column
from backend.domain.ml.forecaster import Floats, Labels
from backend.domain.ml.groups.windows import W60, WINDOWS, sum_up
from backend.domain.ml.spec import LabelKind, ModelSpec

UNKNOWN: Final = -1

Counts = npt.NDArray[np.int64]

_SKIPPED: Final = 64  # bars that are passed over at once when they touch nothing


@dataclass(frozen=True, kw_only=True, eq=False)
class Labelled:
    """One answer a bar. Those of the last `horizon` + 1 bars are unknown, also where a barrier was touched already:
    else what is known of the end would be what went quickly."""

    labels: Labels  # 1 for up, 0 for not, -1 for unknown
    forward: Floats  # return from the next open to the open `horizon` bars later; NaN where unknown
    touched: Counts  # bars until the answer is known, at most horizon + 1; 0 where unknown


def label(bars: pd.DataFrame, spec: ModelSpec) -> Labelled:
    """Entered at the open after each bar; left at the open `horizon` bars later, or at the barrier touched before.

    Barriers lie as far away as the volatility of the last 60 bars says for the horizon. Where that is nothing or not
    known yet, there are none.
    """
    opens = column(bars, "open")
    forward = _forward(opens, spec.horizon)
    is_known = np.isfinite(forward)
    labels = np.where(is_known, forward > 0, UNKNOWN).astype(np.int8)
    touched = np.where(is_known, spec.horizon + 1, 0)
    if spec.label is LabelKind.TRIPLE_BARRIER:
        distance = spec.barrier * math.sqrt(spec.horizon) * volatility(column(bars, "close"))
        _touch(opens, column(bars, "high"), column(bars, "low"), distance, spec.horizon, labels, touched)
    return Labelled(labels=labels, forward=forward, touched=touched)


def volatility(closes: Floats) -> Floats:
    """Root of the mean squared return of the last 60 bars; 0 where there are not so many."""
    squares = np.zeros(len(closes))
    squares[1:] = np.diff(np.log(closes)) ** 2
    sums = np.zeros((W60 + 1, len(closes)))
    bars = WINDOWS[W60]
    if len(closes) > bars:
        sum_up(squares, sums)
    sums[W60, :bars] = 0.0
    found: Floats = np.sqrt(sums[W60] / bars)
    return found


def _forward(opens: Floats, horizon: int) -> Floats:
    forward = np.full(len(opens), np.nan)
    known = len(opens) - horizon - 1
    if known > 0:
        forward[:known] = opens[1 + horizon :] / opens[1 : 1 + known] - 1
    return forward


@compiled
def _touch(  # noqa: PLR0917
    opens: Floats, highs: Floats, lows: Floats, distance: Floats, horizon: int, labels: Labels, touched: Counts
) -> None:
    tops, bottoms = _reach(highs, lows)
    for row in range(len(opens) - horizon - 1):
        if not distance[row] > 0:
            continue
        lower, upper = opens[row + 1] * math.exp(-distance[row]), opens[row + 1] * math.exp(distance[row])
        later, last = row + 1, row + horizon
        while later <= last:
            block = later // _SKIPPED
            if later % _SKIPPED == 0 and later + _SKIPPED <= last and lower < bottoms[block] and tops[block] < upper:
                later += _SKIPPED
                continue
            side = _side(opens[later], highs[later], lows[later], lower, upper)
            if side != UNKNOWN:
                labels[row], touched[row] = side, later - row
                break
            later += 1


@compiled
def _side(opened: float, high: float, low: float, lower: float, upper: float) -> int:
    """Both in one bar: assume the lower was touched first, since a bar hides the order; all but what it opened at."""
    if opened >= upper:
        return 1
    if low <= lower:
        return 0
    return 1 if high >= upper else UNKNOWN


@compiled
def _reach(highs: Floats, lows: Floats) -> tuple[Floats, Floats]:
    """The highest and the lowest of each whole block of bars."""
    blocks = len(highs) // _SKIPPED
    tops, bottoms = np.empty(blocks), np.empty(blocks)
    for block in range(blocks):
        bars = slice(block * _SKIPPED, (block + 1) * _SKIPPED)
        tops[block], bottoms[block] = highs[bars].max(), lows[bars].min()
    return tops, bottoms
