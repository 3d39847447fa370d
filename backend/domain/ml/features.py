"""What models see of a bar and those before it. Training, backtests and predictions all call `features`.

Nothing is fitted, so nothing later can leak into it; no price or volume stands in it as it is, so that what is learned of
one price holds at another. Each value is made from the last `WARM_UP` bars alone and has the same bits whether more
come before or after it, and however many threads work.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import Final

import numpy as np
import pandas as pd

from backend.domain.bars import COLUMNS, start_microseconds
from backend.domain.ml.feature_kernel import BLOCK, fill_rows
from backend.domain.ml.forecaster import Matrix
from backend.domain.ml.groups.clock import CALENDAR
from backend.domain.ml.groups.declared import LEAD, Feature
from backend.domain.ml.groups.momentum import MOMENTUM
from backend.domain.ml.groups.pattern import PATTERN
from backend.domain.ml.groups.ranges import RANGE
from backend.domain.ml.groups.returns import RETURNS
from backend.domain.ml.groups.reversion import REVERSION
from backend.domain.ml.groups.trend import TREND
from backend.domain.ml.groups.volatility import VOLATILITY
from backend.domain.ml.groups.volume import VOLUME

__all__ = ["FEATURES", "WARM_UP", "Feature", "features"]

FEATURES: Final = (
    *RETURNS,
    *VOLATILITY,
    *RANGE,
    *VOLUME,
    *MOMENTUM,
    *TREND,
    *REVERSION,
    *PATTERN,
    *CALENDAR,
)
WARM_UP: Final = LEAD

_ROWS_AT_ONCE: Final = 16 * BLOCK


def features(bars: pd.DataFrame, *, threads: int = 1) -> Matrix:
    """One row a bar, one column for each of `FEATURES`. The first `WARM_UP` rows are NaN; all others are finite."""
    matrix = np.empty((len(bars), len(FEATURES)), np.float32)
    matrix[:WARM_UP] = np.nan
    columns = [np.ascontiguousarray(bars[name].to_numpy(np.float64)) for name in COLUMNS]
    ts = np.ascontiguousarray(start_microseconds(bars))

    def fill(first: int) -> None:
        fill_rows(ts, *columns, first, min(first + _ROWS_AT_ONCE, len(bars)), matrix)

    firsts = range(WARM_UP, len(bars), _ROWS_AT_ONCE)
    if threads > 1 and len(firsts) > 1:
        with ThreadPoolExecutor(threads, thread_name_prefix="features") as pool:
            list(pool.map(fill, firsts))
    else:
        for first in firsts:
            fill(first)
    return matrix
