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
from backend.domain.ml.groups.seen import ROWS, see
from backend.domain.ml.groups.trend import fill_trend
from backend.domain.ml.groups.volatility import fill_volatility
from backend.domain.ml.groups.volume import fill_volume

BLOCK: Final = 1_008  # a multiple of 1,024 would give all columns the same place in the cache


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
    """From `first`, which has at least `LEAD` rows before it, to before `last`. The groups have the order of FEATURES."""
    rows = min(BLOCK, last - first)
    room, columns = _room(rows, matrix.shape[1])
    for begin in range(first, last, BLOCK):
        if last - begin < rows:
            rows = last - begin
            room, columns = _room(rows, matrix.shape[1])
        bars = slice(begin - LEAD, begin + rows)
        seen = see(ts[bars], opens[bars], highs[bars], lows[bars], closes[bars], volumes[bars], room)
        fill_returns(seen, columns[0:9])
        fill_volatility(seen, columns[9:20])
        fill_ranges(seen, columns[20:26])
        fill_volume(seen, columns[26:34])
        fill_momentum(seen, columns[34:42])
        fill_trend(seen, columns[42:49])
        fill_reversion(seen, columns[49:54])
        fill_pattern(seen, columns[54:60])
        fill_calendar(seen, columns[60:65])
        _turn(columns, matrix[begin : begin + rows])


@compiled
def _room(rows: int, features: int) -> tuple[Series, Columns]:
    return np.zeros((ROWS, LEAD + rows)), np.empty((features, rows), np.float32)


@compiled
def _turn(columns: Columns, rows: Matrix) -> None:
    for row in range(len(rows)):
        for column in range(rows.shape[1]):
            rows[row, column] = columns[column, row]
