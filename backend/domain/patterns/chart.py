"""Chart patterns of our own, from confirmed turning points only; each is marked on the bar whose close completes it.

What is said of tops holds for bottoms when prices are turned upside down, and so it is computed.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.indicators.declared import Floats
from backend.domain.patterns.pivots import Rows, bottoms, near, tops

Marks = npt.NDArray[np.int8]


@dataclass(frozen=True, kw_only=True)
class Shape:
    """How a pattern has to look."""

    swing: int = 5  # a turning point is known so many bars later
    tolerance: float = 1.0  # within so many average true ranges two turning points are equally high
    longest: int = 120  # bars from the first turning point to the last, and from there to the break


@dataclass(frozen=True, kw_only=True, eq=False)
class Found:
    """Where a pattern was completed: the line that was broken there, and where the move may lead by its height."""

    marks: Marks  # 1 speaks for rising prices, -1 for falling ones
    level: Floats
    target: Floats


def double_top(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """Two tops at one height; the close falls beneath the low between them."""
    marks, level, target = _double_top(
        high, low, close, tops(high, shape.swing), _near(high, low, close, shape), shape.swing, shape.longest
    )
    return Found(marks=marks, level=level, target=target)


def double_bottom(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """Two bottoms at one height; the close rises above the high between them."""
    return _upright(double_top(-low, -high, -close, shape))


def head_and_shoulders(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """A top between two lower ones at one height; the close falls beneath the line through the lows between them."""
    marks, level, target = _head_and_shoulders(
        high, low, close, tops(high, shape.swing), _near(high, low, close, shape), shape.swing, shape.longest
    )
    return Found(marks=marks, level=level, target=target)


def inverse_head_and_shoulders(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """A bottom between two higher ones; the close rises above the line through the highs between them."""
    return _upright(head_and_shoulders(-low, -high, -close, shape))


def ascending_triangle(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """Level tops over rising bottoms; the close leaves the triangle on either side."""
    return _triangle(high, low, close, shape, _ASCENDING)


def descending_triangle(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """Falling tops over level bottoms; the close leaves the triangle on either side."""
    return _triangle(high, low, close, shape, _DESCENDING)


def symmetric_triangle(high: Floats, low: Floats, close: Floats, shape: Shape) -> Found:
    """Falling tops over rising bottoms; the close leaves the triangle on either side."""
    return _triangle(high, low, close, shape, _SYMMETRIC)


_ASCENDING, _DESCENDING, _SYMMETRIC = 1, 2, 3


def _near(high: Floats, low: Floats, close: Floats, shape: Shape) -> Floats:
    """What counts as equally high, as of each bar: less in a calm market than in a wild one."""
    return near(high, low, close, shape.tolerance)


def _triangle(high: Floats, low: Floats, close: Floats, shape: Shape, kind: int) -> Found:
    marks, level, target = _triangles(
        high,
        low,
        close,
        tops(high, shape.swing),
        bottoms(low, shape.swing),
        _near(high, low, close, shape),
        shape.longest,
        kind,
    )
    return Found(marks=marks, level=level, target=target)


def _upright(found: Found) -> Found:
    return Found(marks=-found.marks, level=-found.level, target=-found.target)


@compiled
def _lowest(low: Floats, start: int, end: int) -> int:
    lowest = start
    for row in range(start, end + 1):
        if low[row] < low[lowest]:
            lowest = row
    return lowest


@compiled
def _double_top(  # noqa: PLR0917
    high: Floats, low: Floats, close: Floats, top: Rows, near: Floats, swing: int, longest: int
) -> tuple[Marks, Floats, Floats]:
    count = len(close)
    marks, level, target = np.zeros(count, np.int8), np.full(count, np.nan), np.full(count, np.nan)
    first = second = -1
    neck = crest = 0.0
    is_waiting = False
    for now in range(count):
        if top[now] >= 0:
            first, second = second, top[now]
            if first >= 0 and 2 * swing <= second - first <= longest:
                crest = max(high[first], high[second])
                neck = low[_lowest(low, first, second)]
                is_level = abs(high[first] - high[second]) <= near[now]
                # A dent between two tops is no valley: it has to be deeper than the tops may differ.
                is_waiting = is_level and crest - neck > 2 * near[now]
            else:
                is_waiting = False
        if is_waiting and (now - second > longest or close[now] > crest):
            is_waiting = False
        if is_waiting and close[now] < neck:
            marks[now], level[now], target[now] = -1, neck, neck - (crest - neck)
            is_waiting = False
    return marks, level, target


@compiled
def _head_and_shoulders(  # noqa: PLR0917
    high: Floats, low: Floats, close: Floats, top: Rows, near: Floats, swing: int, longest: int
) -> tuple[Marks, Floats, Floats]:
    count = len(close)
    marks, level, target = np.zeros(count, np.int8), np.full(count, np.nan), np.full(count, np.nan)
    left = head = right = one = two = -1
    is_waiting = False
    for now in range(count):
        if top[now] >= 0:
            left, head, right = head, right, top[now]
            is_waiting = False
            if left >= 0 and right - left <= longest and min(head - left, right - head) > swing:
                one, two = _lowest(low, left, head), _lowest(low, head, right)
                shoulder = max(high[left], high[right])
                is_level = abs(high[left] - high[right]) <= 2 * near[now]
                is_waiting = is_level and high[head] - shoulder > near[now] and two > one
        if is_waiting and (now - right > longest or close[now] > high[head]):
            is_waiting = False
        if is_waiting:
            slope = (low[two] - low[one]) / (two - one)
            neck = low[two] + slope * (now - two)
            if close[now] < neck:
                height = high[head] - (low[one] + slope * (head - one))
                marks[now], level[now], target[now] = -1, neck, neck - height
                is_waiting = False
    return marks, level, target


@compiled
def _triangles(  # noqa: PLR0917
    high: Floats, low: Floats, close: Floats, top: Rows, bottom: Rows, near: Floats, longest: int, kind: int
) -> tuple[Marks, Floats, Floats]:
    count = len(close)
    marks, level, target = np.zeros(count, np.int8), np.full(count, np.nan), np.full(count, np.nan)
    top_one = top_two = low_one = low_two = -1
    falling = rising = height = 0.0
    is_waiting = False
    for now in range(count):
        if top[now] >= 0:
            top_one, top_two = top_two, top[now]
        if bottom[now] >= 0:
            low_one, low_two = low_two, bottom[now]
        if (top[now] >= 0 or bottom[now] >= 0) and top_one >= 0 and low_one >= 0:
            begins, ends = min(top_one, low_one), max(top_two, low_two)
            falling = (high[top_two] - high[top_one]) / (top_two - top_one)
            rising = (low[low_two] - low[low_one]) / (low_two - low_one)
            height = high[top_one] + falling * (begins - top_one) - (low[low_one] + rising * (begins - low_one))
            flat = near[now]
            tops_move, lows_move = high[top_two] - high[top_one], low[low_two] - low[low_one]
            shape = 0
            if abs(tops_move) <= flat < lows_move:
                shape = 1
            elif abs(lows_move) <= flat and tops_move < -flat:
                shape = 2
            elif tops_move < -flat and lows_move > flat:
                shape = 3
            is_waiting = shape == kind and ends - begins <= longest and height > 2 * flat
        if not is_waiting:
            continue
        upper = high[top_two] + falling * (now - top_two)
        lower = low[low_two] + rising * (now - low_two)
        # Past its tip a triangle has no sides any more.
        if upper <= lower or now - max(top_two, low_two) > longest:
            is_waiting = False
        elif close[now] > upper:
            marks[now], level[now], target[now] = 1, upper, upper + height
            is_waiting = False
        elif close[now] < lower:
            marks[now], level[now], target[now] = -1, lower, lower - height
            is_waiting = False
    return marks, level, target
