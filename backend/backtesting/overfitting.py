"""The probability of backtest overfitting: how often the best try of one half was below the median on the other.

Combinatorially symmetric cross-validation (Bailey, Borwein, López de Prado and Zhu, 2015). Only sums of the blocks are
kept, so memory does not grow with the length of the history, and the halves cost no pass over it.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.trading.statistics import Missing

Floats = npt.NDArray[np.float64]

BLOCKS: Final = 16
_FEWEST_TRIALS: Final = 2
_FEWEST_DAYS_A_BLOCK: Final = 2
# Less spread than this is rounding.
_STILL: Final = 1e-24
# Ratios that are held at once: halves times trials.
_ROOM: Final = 4_000_000


@dataclass(frozen=True, kw_only=True)
class Overfitting:
    """`probability` is the share of halves whose winner was below the median of the other half."""

    probability: float
    trials: int
    blocks: int
    halves: int
    # How much of the winner's daily Sharpe ratio was left on the other half, in the mean of all halves.
    kept: float | None


@dataclass(frozen=True, kw_only=True, eq=False)
class BlockSums:
    """What is needed of each trial's daily returns: by block their count, sum, and sum of squares."""

    days: Floats  # (blocks,)
    sums: Floats  # (blocks, trials)
    squares: Floats

    @classmethod
    def of(cls, returns: Floats, *, blocks: int = BLOCKS) -> "BlockSums":
        """From a table of days by trials. Raises Missing when it is too small."""
        days, trials = returns.shape
        if trials < _FEWEST_TRIALS:
            raise Missing(f"Overfitting needs at least {_FEWEST_TRIALS} trials to compare; there is {trials}.")
        if days < blocks * _FEWEST_DAYS_A_BLOCK:
            raise Missing(
                f"Overfitting needs at least {blocks * _FEWEST_DAYS_A_BLOCK} days, {_FEWEST_DAYS_A_BLOCK} in each of"
                f" {blocks} blocks; there are {days}."
            )
        edges = np.linspace(0, days, blocks + 1).astype(np.int64)
        return cls(
            days=np.diff(edges).astype(np.float64),
            sums=np.add.reduceat(returns, edges[:-1], axis=0),
            squares=np.add.reduceat(returns * returns, edges[:-1], axis=0),
        )


def overfitting(blocks: BlockSums) -> Overfitting:
    """Over all ways to split the blocks into two halves."""
    count, trials = blocks.sums.shape
    below, halves, kept, ratios = 0, 0, 0.0, 0
    for chosen in _halves(count, max(1, _ROOM // trials)):
        inside, outside = _sharpes(blocks, chosen), _sharpes(blocks, 1.0 - chosen)
        best = inside.argmax(axis=1)
        rows = np.arange(len(chosen))
        winners = outside[rows, best]
        # Equal ones share their places, so that trials that are all the same say nothing either way.
        rank = (outside < winners[:, None]).sum(axis=1) + ((outside == winners[:, None]).sum(axis=1) + 1) / 2
        below += int((rank / (trials + 1) < 0.5).sum())
        halves += len(chosen)
        was_good = inside[rows, best] > 0
        kept += float((winners[was_good] / inside[rows, best][was_good]).sum())
        ratios += int(was_good.sum())
    return Overfitting(
        probability=below / halves,
        trials=trials,
        blocks=count,
        halves=halves,
        kept=kept / ratios if ratios else None,
    )


def _halves(blocks: int, at_once: int) -> Iterator[Floats]:
    """Rows of ones and zeros, a one for each block of the first half."""
    rows: list[Floats] = []
    for chosen in combinations(range(blocks), blocks // 2):
        row = np.zeros(blocks)
        row[list(chosen)] = 1.0
        rows.append(row)
        if len(rows) == at_once:
            yield np.array(rows)
            rows = []
    if rows:
        yield np.array(rows)


def _sharpes(blocks: BlockSums, chosen: Floats) -> Floats:
    """The ratio of each half and trial; one that did not move has none to speak of, so 0."""
    days = chosen @ blocks.days
    mean = chosen @ blocks.sums / days[:, None]
    variance = (chosen @ blocks.squares - days[:, None] * mean * mean) / (days[:, None] - 1)
    moved = variance > _STILL
    return np.divide(mean, np.sqrt(np.maximum(variance, _STILL)), out=np.zeros_like(mean), where=moved)
