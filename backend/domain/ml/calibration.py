"""Predictions in ten parts, from the least to the most likely up: how often it went up, and what that paid."""

from typing import Any, Final

import numpy as np

from backend.domain.ml.bootstrap import Blocks, Interval, Ints, Ranked, plain, ranks
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.metrics import Ups

PARTS: Final = 10


def tenths(by_score: Ranked) -> Ints:
    """The part of each row, from 0. Equal predictions stay together, so some parts may be larger and others empty."""
    rows = len(by_score.order)
    return ((ranks(by_score) - 0.5) * PARTS / max(rows, 1)).astype(np.int64)


def calibration(probability: Floats, ups: Ups, parts: Ints, blocks: Blocks) -> list[dict[str, Any]]:
    """What was said beside what came, with the interval of what came."""
    found = []
    for part, observed in _means(ups.astype(np.float64), parts, blocks, (0.0, 1.0)):
        said = probability[parts == part]
        found.append(
            {
                "low": plain(float(said.min())),
                "high": plain(float(said.max())),
                "predicted": plain(float(said.mean())),
                "observed": plain(observed.value),
                "observed_low": plain(observed.low),
                "observed_high": plain(observed.high),
                "count": len(said),
            }
        )
    return found


def deciles(
    probability: Floats, forward: Floats, parts: Ints, blocks: Blocks, *, cost_bps: float
) -> list[dict[str, Any]]:
    """The return of each part with its interval, and what trading leaves: the upper half bought, the lower sold short.

    Costs are paid once when it is entered and once when it is left.
    """
    found = []
    for part, mean in _means(forward, parts, blocks, (-1.0, float("inf"))):
        is_long = part >= PARTS // 2
        found.append(
            {
                "decile": part + 1,
                "side": "long" if is_long else "short",
                "count": int((parts == part).sum()),
                "probability": plain(float(probability[parts == part].mean())),
                "return": plain(mean.value),
                "low": plain(mean.low),
                "high": plain(mean.high),
                "after_costs": plain((mean.value if is_long else -mean.value) - 2 * cost_bps / 1e4),
            }
        )
    return found


def _means(values: Floats, parts: Ints, blocks: Blocks, within: tuple[float, float]) -> list[tuple[int, Interval]]:
    """Of each part that has rows."""
    present = np.unique(parts)
    inside = (parts[:, None] == present).astype(np.float64)
    counts = blocks.sums(inside)
    sums = blocks.sums(inside * values[:, None])
    drawn = np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)
    return [
        (int(part), blocks.interval(float(values[parts == part].mean()), drawn[:, place], within=within))
        for place, part in enumerate(present)
    ]
