"""Markets whose truth is known: what can be predicted of them, and how well."""

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from backend.domain.ml.evaluation import OutOfFold
from backend.domain.ml.forecaster import Floats
from backend.domain.ml.metrics import Ups


@dataclass(frozen=True, kw_only=True, eq=False)
class Truth:
    """Scores that are probabilities, and what followed."""

    probability: Floats
    ups: Ups
    forward: Floats

    def predicted(self, *, folds: int = 5, **baselines: Floats) -> OutOfFold:
        rows = np.arange(len(self.ups), dtype=np.int64)
        return OutOfFold(
            rows=rows + 1_000,
            folds=rows * folds // len(rows) + 1,
            probability=self.probability,
            labels=self.ups.astype(np.int8),
            forward=self.forward,
            baselines=baselines,
        )


def market(rows: int, horizon: int, *, memory: float, signal: float, seed: int, move: float = 0.01) -> Truth:
    """A score that fades by `memory` a bar and moves each next bar by `signal` of its deviations; the outcomes of
    neighbouring rows share all bars but one. The probability is that of the horizon's sum."""
    dice = np.random.default_rng(seed)
    count = rows + horizon + 1
    fresh = dice.standard_normal(count) * math.sqrt(1 - memory * memory)
    score = np.empty(count)
    score[0] = dice.standard_normal()
    for bar in range(1, count):
        score[bar] = memory * score[bar - 1] + fresh[bar]
    moves = dice.standard_normal(count)
    moves[1:] += signal * score[:-1]
    level = np.concatenate([[0.0], np.cumsum(moves)])
    forward = (level[1 + horizon :] - level[1:-horizon])[:rows] * move
    pushes = signal * (1 - memory**horizon) / (1 - memory) / math.sqrt(horizon)
    probability = 1 / (1 + np.exp(-1.7 * max(pushes, 0.05) * score[:rows]))
    return Truth(probability=probability, ups=forward > 0, forward=forward)


def planted(rows: int, *, auc: float, seed: int, base: float = 0.5, move: float = 0.01) -> Truth:
    """Each row by itself: ups have a score that is higher by so much that no forecast has a better AUC than this one.
    The probability is what Bayes says of the score."""
    dice = np.random.default_rng(seed)
    ups = dice.random(rows) < base
    apart = math.sqrt(2) * _deviations(auc)
    score = dice.standard_normal(rows) + apart * ups
    odds = base / (1 - base) * np.exp(apart * score - apart * apart / 2)
    forward = np.abs(dice.standard_normal(rows)) * np.where(ups, move, -move)
    return Truth(probability=odds / (1 + odds), ups=ups, forward=forward)


def _deviations(share: float) -> float:
    return NormalDist().inv_cdf(share)
