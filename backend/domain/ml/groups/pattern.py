"""What single candles and pairs of them look like, as shares of their range."""

from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import Columns, Series, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import ago, fill_mean, now, share
from backend.domain.ml.groups.windows import W20, sum_up

PATTERN: Final = group_of(
    "pattern",
    body="Open to close as a share of low to high; negative if it fell",
    upper_shadow="What lies above the body, as a share of low to high",
    lower_shadow="What lies beneath the body, as a share of low to high",
    engulfing="1 if a rising body holds the falling one before it, -1 if a falling one holds a rising one",
    inside_outside="1 if the bar reaches beyond the one before on both sides, -1 if it stays within it",
    shadow_balance_20="Mean of lower less upper shadows of 20 bars",
)


@compiled
def fill_pattern(seen: Seen, columns: Columns) -> None:
    _fill_candle(seen, columns[0], columns[1], columns[2])
    _fill_engulfing(seen, columns[3])
    _fill_inside(seen, columns[4])
    balance, sums = seen.free[0], seen.free[1:3]
    _balance_shadows(seen, balance)
    sum_up(balance, sums)
    fill_mean(now(sums[W20]), 20, columns[5])


@compiled
def _fill_candle(seen: Seen, body: Columns, upper: Columns, lower: Columns) -> None:
    opened, high, low, closed = now(seen.open), now(seen.high), now(seen.low), now(seen.close)
    for row in range(len(body)):
        height, rise = high[row] - low[row], closed[row] - opened[row]
        body[row] = share(rise, height)
        upper[row] = share(high[row] - (closed[row] if rise > 0 else opened[row]), height)
        lower[row] = share((opened[row] if rise > 0 else closed[row]) - low[row], height)


@compiled
def _fill_engulfing(seen: Seen, column: Columns) -> None:
    opened, closed, first, last = now(seen.open), now(seen.close), ago(seen.open, 1), ago(seen.close, 1)
    for row in range(len(column)):
        before, rise = last[row] - first[row], closed[row] - opened[row]
        above, beneath = closed[row] - first[row], opened[row] - last[row]
        rises = (before < 0) & (rise > 0) & (above >= 0) & (beneath <= 0)
        falls = (before > 0) & (rise < 0) & (above <= 0) & (beneath >= 0)
        column[row] = 1.0 if rises else (-1.0 if falls else 0.0)


@compiled
def _fill_inside(seen: Seen, column: Columns) -> None:
    high, low, last_high, last_low = now(seen.high), now(seen.low), ago(seen.high, 1), ago(seen.low, 1)
    for row in range(len(column)):
        above, beneath = high[row] - last_high[row], last_low[row] - low[row]
        is_outside, is_inside = (above > 0) & (beneath > 0), (above < 0) & (beneath < 0)
        column[row] = 1.0 if is_outside else (-1.0 if is_inside else 0.0)


@compiled
def _balance_shadows(seen: Seen, balance: Series) -> None:
    """The lower shadow less the upper one is what lies between the middles of bar and body, twice."""
    for row in range(len(balance)):
        twice = (seen.open[row] + seen.close[row]) - (seen.high[row] + seen.low[row])
        balance[row] = share(twice, seen.high[row] - seen.low[row])
