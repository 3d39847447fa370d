"""How good probabilities were, each figure with its interval: at telling up from down, at being true, at returns."""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.domain.ml.bootstrap import Blocks, Interval, Ranked, auc, plain, ranked, ranks
from backend.domain.ml.forecaster import Floats

Ups = npt.NDArray[np.bool_]

_SMALLEST: Final = float(np.finfo(np.float64).eps)


def metrics(probability: Floats, ups: Ups, forward: Floats, blocks: Blocks) -> dict[str, Any]:
    """The document METRICS. `blocks` are drawn from as many rows; what is not known is null."""
    if not len(ups):
        return _nothing()
    by_score, by_return = ranked(probability), ranked(forward)
    sides = (
        (_centred(probability), _centred(forward)),
        (_centred(ranks(by_score)), _centred(ranks(by_return))),
    )
    scores = (log_losses(probability, ups), (probability - ups) ** 2, ((probability >= 0.5) == ups).astype(np.float64))
    columns = [*scores, *(column for x, y in sides for column in (x, y, x * x, y * y, x * y))]
    drawn = blocks.means(np.stack(columns, axis=1))
    figures = {"auc": auc_interval(by_score, ups, blocks)}
    for place, (name, most) in enumerate((("log_loss", math.inf), ("brier", 1.0), ("accuracy", 1.0))):
        figures[name] = blocks.interval(float(scores[place].mean()), drawn[:, place], within=(0.0, most))
    for first, name, (x, y) in zip((3, 8), ("ic", "rank_ic"), sides, strict=True):
        correlations = _drawn_correlations(drawn[:, first : first + 5])
        figures[name] = blocks.interval(_correlation(x, y), correlations, within=(-1.0, 1.0))
    return _document(len(ups), base_accuracy(ups), figures)


def auc_interval(by_score: Ranked, ups: Ups, blocks: Blocks, **level: float) -> Interval:
    return blocks.interval(auc(by_score, ups), blocks.aucs(by_score, ups), within=(0.0, 1.0), **level)


def log_losses(probability: Floats, ups: Ups) -> Floats:
    """Of each row; the surest that can be said is a little less than certain."""
    right = np.clip(np.where(ups, probability, 1 - probability), _SMALLEST, 1 - _SMALLEST)
    losses: Floats = -np.log(right)
    return losses


def base_accuracy(ups: Ups) -> float:
    """Of who always says what came more often, and so knows more than anybody could."""
    share = float(ups.mean())
    return max(share, 1 - share)


def _centred(values: Floats) -> Floats:
    """What is the same everywhere is nothing, not the rounding of its mean."""
    return values - (values.mean() if values.min() < values.max() else values)


def _correlation(x: Floats, y: Floats) -> float:
    """Of centred columns. What does not move goes along with nothing."""
    spread = float((x * x).sum() * (y * y).sum())
    return float((x * y).sum()) / math.sqrt(spread) if spread > 0 else math.nan


def _drawn_correlations(means: Floats) -> Floats:
    x, y, xx, yy, xy = means.T
    spread = (xx - x * x) * (yy - y * y)
    moved = spread > 0
    root = np.sqrt(np.where(moved, spread, 1))
    found: Floats = np.divide(xy - x * y, root, out=np.full(len(x), np.nan), where=moved)
    return found


def _document(rows: int, base_accuracy: float, figures: Mapping[str, Interval]) -> dict[str, Any]:
    """The three that people know by heart are numbers, and have their intervals beside."""
    plainly = ("log_loss", "brier", "accuracy")
    return {
        "rows": rows,
        **{name: plain(of.value) if name in plainly else of.document() for name, of in figures.items()},
        "base_accuracy": plain(base_accuracy),
        "intervals": {name: figures[name].document() for name in plainly},
    }


def _nothing() -> dict[str, Any]:
    unknown = Interval(math.nan, math.nan, math.nan)
    return _document(0, math.nan, dict.fromkeys(("auc", "log_loss", "brier", "accuracy", "ic", "rank_ic"), unknown))
