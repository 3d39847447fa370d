"""A challenger against the champion, on bars that neither has learned from."""

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from backend.domain.format import fixed
from backend.domain.ml.bootstrap import Blocks, plain
from backend.domain.ml.contest import CONTEST_LEVEL, Gain, paired_gain
from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.forecaster import Matrix
from backend.domain.ml.learned import LearnedModel
from backend.domain.ml.metrics import log_losses
from backend.domain.ml.spec import ModelSpec

# Fewer blocks than this say nothing of how they vary.
_FEWEST_HORIZONS: Final = 8
_FEWEST_BARS: Final = 100

Moments = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, eq=False)
class Champion:
    """Who answers the question today."""

    id: str
    model: LearnedModel
    known_until: int  # microseconds since 1970: the close of the last bar that it knew


def contest(champion: Champion, predicted: OutOfFold, rows: Matrix, starts: Moments, spec: ModelSpec) -> dict[str, Any]:
    """The challenger is judged by its folds, each of which had not seen what it predicted; the champion is asked about
    the bars since its lessons ended."""
    known = predicted.answered
    unseen = known.where(starts[known.rows] >= champion.known_until)
    needed = max(_FEWEST_BARS, _FEWEST_HORIZONS * (spec.horizon + 1))
    if len(unseen) < needed:
        words = (
            f"Since the champion learned there are {len(unseen):,} bars with an answer; a contest needs {needed:,}."
            " The champion stays."
        )
        return _document(champion, len(unseen), None, words)
    ups = unseen.labels == 1
    blocks = Blocks.of(len(unseen), spec.horizon, seed=spec.seed)
    theirs = log_losses(champion.model.probability_up(rows[unseen.rows]), ups)
    gain = paired_gain(theirs, log_losses(unseen.probability, ups), blocks)
    return _document(champion, len(unseen), gain, _words(gain, len(unseen)))


def _words(gain: Gain, bars: int) -> str:
    between = f"between {_loss(gain.low)} and {_loss(gain.high)} in {CONTEST_LEVEL:.0%} of cases"
    what = f"On {bars:,} bars that neither had learned from, its loss is lower by {_loss(gain.mean)} a bar ({between})."
    return f"{what} It takes the champion's place." if gain.is_won else f"{what} That may be luck: the champion stays."


def _loss(value: float) -> str:
    return fixed(value, 5, signed=True)


def _document(champion: Champion, bars: int, gain: Gain | None, why: str) -> dict[str, Any]:
    return {
        "champion_id": champion.id,
        "bars": bars,
        "gain": None if gain is None else plain(gain.mean),
        "low": None if gain is None else plain(gain.low),
        "high": None if gain is None else plain(gain.high),
        "is_won": gain is not None and gain.is_won,
        "why": why,
    }
