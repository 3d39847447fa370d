"""All features of a stretch of rows, a block at a time, so that all that is between stays in the processor's cache."""

from itertools import accumulate
from typing import Final

import numpy as np

from backend.domain.compiled import compiled
from backend.domain.ml.forecaster import Matrix
from backend.domain.ml.groups.clock import CALENDAR, fill_calendar
from backend.domain.ml.groups.declared import LEAD, Columns, Series, Times
from backend.domain.ml.groups.momentum import MOMENTUM, fill_momentum
from backend.domain.ml.groups.pattern import PATTERN, fill_pattern
from backend.domain.ml.groups.ranges import RANGE, fill_ranges
from backend.domain.ml.groups.returns import RETURNS, fill_returns
from backend.domain.ml.groups.reversion import REVERSION, fill_reversion
from backend.domain.ml.groups.seen import ROWS, see
from backend.domain.ml.groups.trend import TREND, fill_trend
from backend.domain.ml.groups.volatility import VOLATILITY, fill_volatility
from backend.domain.ml.groups.volume import VOLUME, fill_volume

GROUPS: Final = (RETURNS, VOLATILITY, RANGE, VOLUME, MOMENTUM, TREND, REVERSION, PATTERN, CALENDAR)

BLOCK: Final = 1_008  # a multiple of 1,024 would give all columns the same place in the cache
_AT: Final = tuple(accumulate((len(group) for group in GROUPS), initial=0))  # the first column of each group


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
    """From `first`, which has `LEAD` rows before it, to before `last`. The groups come in their order."""
    rows = min(BLOCK, last - first)
    room, columns = _room(rows, matrix.shape[1])
    for begin in range(first, last, BLOCK):
        if last - begin < rows:
            rows = last - begin
            room, columns = _room(rows, matrix.shape[1])
        bars = slice(begin - LEAD, begin + rows)
        seen = see(ts[bars], opens[bars], highs[bars], lows[bars], closes[bars], volumes[bars], room)
        fill_returns(seen, columns[_AT[0] : _AT[1]])
        fill_volatility(seen, columns[_AT[1] : _AT[2]])
        fill_ranges(seen, columns[_AT[2] : _AT[3]])
        fill_volume(seen, columns[_AT[3] : _AT[4]])
        fill_momentum(seen, columns[_AT[4] : _AT[5]])
        fill_trend(seen, columns[_AT[5] : _AT[6]])
        fill_reversion(seen, columns[_AT[6] : _AT[7]])
        fill_pattern(seen, columns[_AT[7] : _AT[8]])
        fill_calendar(seen, columns[_AT[8] : _AT[9]])
        _turn(columns, matrix[begin : begin + rows])


@compiled
def _room(rows: int, features: int) -> tuple[Series, Columns]:
    return np.zeros((ROWS, LEAD + rows)), np.empty((features, rows), np.float32)


@compiled
def _turn(columns: Columns, rows: Matrix) -> None:
    for row in range(len(rows)):
        for column in range(rows.shape[1]):
            rows[row, column] = columns[column, row]
