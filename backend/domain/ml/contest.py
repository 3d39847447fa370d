"""Whether a challenger did better than the champion on the same bars, and not by luck."""

from typing import Final, NamedTuple

import numpy as np

from backend.domain.ml.bootstrap import Blocks
from backend.domain.ml.forecaster import Floats

CONTEST_LEVEL: Final = 0.90


class Gain(NamedTuple):
    """How much lower the loss of a row became in the mean, and between which values that lies in 90 of 100 cases."""

    mean: float
    low: float
    high: float

    @property
    def is_won(self) -> bool:
        """Not a number is no win."""
        return self.low > 0


def paired_gain(champion: Floats, challenger: Floats, blocks: Blocks) -> Gain:
    """Of the losses of both on the same rows in the order of time: what is hard for both is taken off before."""
    gains = champion - challenger
    mean = float(gains.mean()) if len(gains) else np.nan
    return Gain(
        *blocks.interval(mean, blocks.means(gains[:, None])[:, 0], level=CONTEST_LEVEL, within=(-np.inf, np.inf))
    )
