"""All features of a stretch of rows, a block at a time, so that all that is between stays in the processor's cache."""

from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.forecaster import Matrix
from backend.domain.ml.groups.clock import fill_calendar
from backend.domain.ml.groups.declared import LEAD, Columns, Series, Times
from backend.domain.ml.groups.momentum import fill_momentum
from backend.domain.ml.groups.pattern import fill_pattern
from backend.domain.ml.groups.ranges import fill_ranges
from backend.domain.ml.groups.returns import fill_returns
from backend.domain.ml.groups.reversion import fill_reversion
from backend.domain.ml.groups.seen import ROWS, Seen, see
from backend.domain.ml.groups.trend import fill_trend
from backend.domain.ml.groups.volatility import fill_volatility
from backend.domain.ml.groups.volume import fill_volume

BLOCK: Final = 1_024


@compiled
def fill_rows(  # noqa: PLR0917
    ts: Times,
    opens: Series,
    highs: Series,
    lows: Series,
    closes: Series,
    volumes: Series,
    first: int,
    last: int,
    matrix: Matrix,
) -> None:
    """The rows from `first`, which has at least `LEAD` rows before it, to before `last`."""
    features = matrix.shape[1]
    room = np.zeros((ROWS, LEAD + BLOCK))
    columns = np.empty(
        (features, BLOCK + 16), np.float32
    )  # 16 more, or all columns would lie in the same part of the cache
    for begin in range(first, last, BLOCK):
        end = min(begin + BLOCK, last)
        bars = slice(begin - LEAD, end)
        seen = see(
            ts[bars], opens[bars], highs[bars], lows[bars], closes[bars], volumes[bars], room[:, : end - begin + LEAD]
        )
        _fill_columns(seen, columns[:, : end - begin])
        _turn(columns, matrix[begin:end])


@compiled
def _fill_columns(seen: Seen, columns: Columns) -> None:
    """In the order of FEATURES."""
    fill_returns(seen, columns[0:9])
    fill_volatility(seen, columns[9:20])
    fill_ranges(seen, columns[20:26])
    fill_volume(seen, columns[26:34])
    fill_momentum(seen, columns[34:43])
    fill_trend(seen, columns[43:51])
    fill_reversion(seen, columns[51:56])
    fill_pattern(seen, columns[56:62])
    fill_calendar(seen, columns[62:67])


@compiled
def _turn(columns: Columns, rows: Matrix) -> None:
    for row in range(len(rows)):
        for column in range(rows.shape[1]):
            rows[row, column] = columns[column, row]
