"""What models see of a bar and those before it. Training, backtests and predictions all call `features`.

Nothing is fitted, so nothing later can leak into it; no price or volume stands in it as it is, so that what is learned
of one price holds at another. Each value is made from the last `WARM_UP` bars alone and has the same bits whether more
come before or after them, and however many threads work.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd

from backend.domain.bars import COLUMNS
from backend.domain.ml.columns import column, starts
from backend.domain.ml.feature_kernel import BLOCK, GROUPS, fill_rows
from backend.domain.ml.forecaster import Matrix
from backend.domain.ml.groups.declared import LEAD, Feature

__all__ = ["FEATURES", "WARM_UP", "Feature", "features"]

FEATURES: Final = tuple(feature for group in GROUPS for feature in group)
WARM_UP: Final = LEAD

_ROWS_AT_ONCE: Final = 16 * BLOCK


def features(bars: pd.DataFrame, *, threads: int = 1) -> Matrix:
    """One row a bar, one column for each of `FEATURES`. The first `WARM_UP` rows are NaN; all others are finite."""
    matrix = np.empty((len(bars), len(FEATURES)), np.float32)
    matrix[:WARM_UP] = np.nan
    ts = starts(bars)
    opens, highs, lows, closes, volumes = (column(bars, name) for name in COLUMNS)

    def fill(first: int) -> None:
        last = min(first + _ROWS_AT_ONCE, len(bars))
        fill_rows(ts, opens, highs, lows, closes, volumes, first, last, matrix)

    firsts = range(WARM_UP, len(bars), _ROWS_AT_ONCE)
    if threads > 1 and len(firsts) > 1:
        with ThreadPoolExecutor(threads, thread_name_prefix="features") as pool:
            list(pool.map(fill, firsts))
    else:
        for first in firsts:
            fill(first)
    return matrix
