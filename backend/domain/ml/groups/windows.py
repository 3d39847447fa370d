"""Sums and highs over the last 5, 20, 60 and 240 rows, each made of those before it.

Four sums over 5 rows make one over 20, three of these one over 60, four of these one over 240. No sum runs on from row
to row: none drifts, nothing is taken off again, and a value has the same bits wherever the rows before it begin. The
first rows of each, which would need rows that are not there, are left as they are.
"""

from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Series

WINDOWS: Final = (5, 20, 60, 240)
W5, W20, W60, W240 = range(4)


@compiled
def sum_up(values: Series, sums: Series) -> None:
    """As many windows as `sums` has rows."""
    _five(values, sums[0])
    if len(sums) > 1:
        _four(sums[0], 5, sums[1])
    if len(sums) > 2:
        _three(sums[1], 20, sums[2])
    if len(sums) > 3:
        _four(sums[2], 60, sums[3])


@compiled
def find_highs(values: Series, highs: Series) -> None:
    """As many windows as `highs` has rows. The lows of something are the highs of its negative."""
    _highest(values, 1, 5, highs[0])
    for window, (bars, parts) in enumerate(((5, 4), (20, 3), (60, 4))):
        if window + 1 < len(highs):
            _highest(highs[window], bars, parts, highs[window + 1])


@compiled
def sum_spreads(values: Series, sums: Series, spreads: Series) -> None:
    """Squared distances from the window's own mean, added up: nothing large is taken off something large."""
    count = len(values)
    spread, total = spreads[0, 4:], sums[0, 4:]
    spread[:] = 0.0
    for age in range(5):
        value = values[4 - age : count - age]
        for row in range(len(spread)):
            distance = value[row] - total[row] / 5.0
            spread[row] += distance * distance
    for window, (bars, parts) in enumerate(((5, 4), (20, 3), (60, 4))):
        if window + 1 < len(spreads):
            _join_spreads(spreads[window], sums[window], sums[window + 1], bars, parts, spreads[window + 1])


@compiled
def sum_ages(values: Series, sums: Series, ages: Series) -> None:
    """Each value times its age in rows, added up: what straight lines are fitted with."""
    count = len(values)
    total = ages[0, 4:]
    total[:] = 0.0
    for age in range(1, 5):
        value = values[4 - age : count - age]
        for row in range(len(total)):
            total[row] += age * value[row]
    for window, (bars, parts) in enumerate(((5, 4), (20, 3), (60, 4))):
        if window + 1 < len(ages):
            _join_ages(ages[window], sums[window], bars, parts, ages[window + 1])


@compiled
def _five(values: Series, sums: Series) -> None:
    count = len(values)
    a, b, c, d, e = values[4:], values[3 : count - 1], values[2 : count - 2], values[1 : count - 3], values[: count - 4]
    total = sums[4:]
    for row in range(len(total)):
        total[row] = ((a[row] + b[row]) + (c[row] + d[row])) + e[row]


@compiled
def _four(parts: Series, step: int, sums: Series) -> None:
    count = len(parts)
    a, b = parts[3 * step :], parts[2 * step : count - step]
    c, d = parts[step : count - 2 * step], parts[: count - 3 * step]
    total = sums[3 * step :]
    for row in range(len(total)):
        total[row] = (a[row] + b[row]) + (c[row] + d[row])


@compiled
def _three(parts: Series, step: int, sums: Series) -> None:
    count = len(parts)
    a, b, c = parts[2 * step :], parts[step : count - step], parts[: count - 2 * step]
    total = sums[2 * step :]
    for row in range(len(total)):
        total[row] = (a[row] + b[row]) + c[row]


@compiled
def _highest(parts: Series, step: int, count: int, highs: Series) -> None:
    first, rows = step * (count - 1), len(parts)
    high, now = highs[first:], parts[first:]
    before = parts[first - step : rows - step]
    for row in range(len(high)):
        high[row] = before[row] if before[row] > now[row] else now[row]
    for part in range(2, count):
        before = parts[first - part * step : rows - part * step]
        for row in range(len(high)):
            high[row] = before[row] if before[row] > high[row] else high[row]


@compiled
def _join_spreads(  # noqa: PLR0917
    spreads: Series, sums: Series, wholes: Series, bars: int, parts: int, joined: Series
) -> None:
    first, rows = bars * (parts - 1), len(spreads)
    spread, whole = joined[first:], wholes[first:]
    spread[:] = 0.0
    a_bar, a_whole = 1.0 / bars, 1.0 / (bars * parts)
    for part in range(parts):
        begin, end = first - part * bars, rows - part * bars
        own, total = spreads[begin:end], sums[begin:end]
        for row in range(len(spread)):
            distance = total[row] * a_bar - whole[row] * a_whole
            spread[row] += own[row] + bars * distance * distance


@compiled
def _join_ages(ages: Series, sums: Series, bars: int, parts: int, joined: Series) -> None:
    first, rows = bars * (parts - 1), len(ages)
    total = joined[first:]
    total[:] = 0.0
    for part in range(parts):
        begin, end = first - part * bars, rows - part * bars
        own, plain = ages[begin:end], sums[begin:end]
        older = float(part * bars)
        for row in range(len(total)):
            total[row] += own[row] + older * plain[row]
