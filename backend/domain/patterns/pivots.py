"""Turning points, known some bars later and not before; and the levels that prices turned at more than once."""

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.indicators.declared import Floats
from backend.domain.indicators.volatility import atr

RANGE_BARS = 14

Rows = npt.NDArray[np.int64]


@compiled
def tops(high: Floats, swing: int) -> Rows:
    """For each bar, the row of the top that it confirms, or -1.

    A top is higher than the `swing` bars before it and no lower than the `swing` bars after it, so it is confirmed
    by the last of these. Bottoms are the tops of the negative lows.
    """
    count = len(high)
    confirmed = np.full(count, -1, np.int64)
    for now in range(2 * swing, count):
        row = now - swing
        is_top = True
        for step in range(1, swing + 1):
            if high[row - step] >= high[row] or high[row + step] > high[row]:
                is_top = False
                break
        if is_top:
            confirmed[now] = row
    return confirmed


def bottoms(low: Floats, swing: int) -> Rows:
    """For each bar, the row of the bottom that it confirms, or -1."""
    return tops(-low, swing)


def levels(
    high: Floats, low: Floats, close: Floats, *, swing: int = 5, tolerance: float = 0.5, touches: int = 3
) -> tuple[Floats, Floats]:
    """The nearest support beneath the close and the nearest resistance above it, as of each bar; NaN for none.

    A level is the mean of at least `touches` turning points, of the last 24, that lie within so
    many average true ranges of one another.
    """
    return _levels(high, low, close, tops(high, swing), bottoms(low, swing), near(high, low, close, tolerance), touches)


def near(high: Floats, low: Floats, close: Floats, ranges: float) -> Floats:
    """How far apart prices may be that count as the same, as of each bar: so many average true ranges."""
    return ranges * atr(high, low, close, RANGE_BARS)


def level_breaks(close: Floats, support: Floats, resistance: Floats) -> npt.NDArray[np.int8]:
    """1 where the close leaves the resistance of the bar before beneath it, -1 where it falls through the support."""
    marks = np.zeros(len(close), np.int8)
    marks[1:][close[1:] > resistance[:-1]] = 1
    marks[1:][close[1:] < support[:-1]] = -1
    return marks


@compiled
def _holds(known: Floats, height: float, equal: float) -> bool:
    """Whether one of the levels is the same already."""
    for each in range(len(known)):  # noqa: SIM110
        if abs(known[each] - height) <= equal:
            return True
    return False


@compiled
def _levels(  # noqa: PLR0917
    high: Floats, low: Floats, close: Floats, top: Rows, bottom: Rows, equal: Floats, touches: int
) -> tuple[Floats, Floats]:
    count, room = len(close), 24
    support, resistance = np.full(count, np.nan), np.full(count, np.nan)
    turns, level = np.empty(room), np.empty(room)
    held = known = 0
    for now in range(count):
        is_new = False
        if top[now] >= 0:
            turns[held % room] = high[top[now]]
            held, is_new = held + 1, True
        if bottom[now] >= 0:
            turns[held % room] = low[bottom[now]]
            held, is_new = held + 1, True
        if is_new:
            known = 0
            for each in range(min(held, room)):
                total, count_near = 0.0, 0
                for one in range(min(held, room)):
                    if abs(turns[one] - turns[each]) <= equal[now]:
                        total += turns[one]
                        count_near += 1
                if count_near >= touches and not _holds(level[:known], total / count_near, equal[now]):
                    level[known] = total / count_near
                    known += 1
        for each in range(known):
            if level[each] <= close[now]:
                if not support[now] >= level[each]:
                    support[now] = level[each]
            elif not resistance[now] <= level[each]:
                resistance[now] = level[each]
    return support, resistance
