"""What predictions of bars that were not learned from were worth: pooled, fold by fold, and beside plain forecasts."""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.domain.ml.bootstrap import FEW_DRAWS, Blocks, Ints, plain, ranked
from backend.domain.ml.calibration import calibration, deciles, tenths
from backend.domain.ml.contest import paired_gain
from backend.domain.ml.forecaster import Floats, Labels
from backend.domain.ml.metrics import log_losses, metrics
from backend.domain.ml.spec import ModelSpec

TITLES: Final = {
    "base_rate": "Always the base rate",
    "last_return": "From the last bar's return alone",
    "linear": "A linear model of all features",
}
_SPREAD: Final = ("auc", "log_loss", "ic", "rank_ic", "brier")


@dataclass(frozen=True, kw_only=True, eq=False)
class OutOfFold:
    """Each row predicted once, by a model that was made before it; in the order of time. Rows without an answer
    (label -1 or no forward return) count for nothing."""

    rows: Ints
    folds: Ints  # the number of each row's fold
    probability: Floats
    labels: Labels
    forward: Floats
    # By name what plain forecasts said of the same rows.
    baselines: Mapping[str, Floats] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def where(self, chosen: npt.NDArray[np.bool_]) -> "OutOfFold":
        return OutOfFold(
            rows=self.rows[chosen],
            folds=self.folds[chosen],
            probability=self.probability[chosen],
            labels=self.labels[chosen],
            forward=self.forward[chosen],
            baselines={name: said[chosen] for name, said in self.baselines.items()},
        )

    @property
    def answered(self) -> "OutOfFold":
        is_known = (self.labels >= 0) & np.isfinite(self.forward)
        return self if is_known.all() else self.where(is_known)


def evaluate(predicted: OutOfFold, spec: ModelSpec) -> dict[str, Any]:
    """The parts of the card that say how good: `base_rate`, `pooled`, `folds` (number and metrics), `spread`,
    `baselines`, `calibration`, `deciles`."""
    known = predicted.answered
    ups = known.labels == 1
    blocks = Blocks.of(len(known), spec.horizon, seed=spec.seed)
    few = Blocks.of(len(known), spec.horizon, seed=spec.seed, draws=FEW_DRAWS)
    parts = tenths(ranked(known.probability))
    by_fold = [_fold(known, number, spec) for number in np.unique(predicted.folds).tolist()]
    return {
        "base_rate": plain(float(ups.mean())) if len(ups) else None,
        "pooled": metrics(known.probability, ups, known.forward, blocks),
        "folds": by_fold,
        "spread": {name: _spread([fold["metrics"][name] for fold in by_fold]) for name in _SPREAD},
        "baselines": [_baseline(name, known, few) for name in known.baselines],
        "calibration": calibration(known.probability, ups, parts, blocks),
        "deciles": deciles(known.probability, known.forward, parts, blocks, cost_bps=spec.cost_bps),
    }


def _fold(known: OutOfFold, number: int, spec: ModelSpec) -> dict[str, Any]:
    fold = known.where(known.folds == number)
    blocks = Blocks.of(len(fold), spec.horizon, seed=spec.seed, draws=FEW_DRAWS)
    return {"number": number, "metrics": metrics(fold.probability, fold.labels == 1, fold.forward, blocks)}


def _spread(figures: list[Any]) -> dict[str, float | None]:
    values = [figure["value"] if isinstance(figure, Mapping) else figure for figure in figures]
    known = np.array([value for value in values if value is not None])
    if not len(known):
        return {"mean": None, "std": None, "min": None, "max": None}
    std = float(known.std(ddof=1)) if len(known) > 1 else math.nan
    return {
        "mean": plain(float(known.mean())),
        "std": plain(std),
        "min": plain(float(known.min())),
        "max": plain(float(known.max())),
    }


def _baseline(name: str, known: OutOfFold, blocks: Blocks) -> dict[str, Any]:
    """With how much lower the model's loss is than its own."""
    said, ups = known.baselines[name], known.labels == 1
    gain = paired_gain(log_losses(said, ups), log_losses(known.probability, ups), blocks)
    return {
        "name": name,
        "title": TITLES.get(name, name),
        "metrics": metrics(said, ups, known.forward, blocks),
        "gain": {"value": plain(gain.mean), "low": plain(gain.low), "high": plain(gain.high)},
    }
