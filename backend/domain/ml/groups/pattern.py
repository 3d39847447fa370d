"""What single candles and pairs of them look like, as shares of their range."""

from typing import Final

from backend.domain.compiled import compiled
from backend.domain.ml.groups.declared import LEAD, Columns, group_of
from backend.domain.ml.groups.seen import Seen
from backend.domain.ml.groups.shapes import now, share
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
    balance, sums = seen.free[0], seen.free[1:3]
    _fill_candles(seen, columns, balance)
    sum_up(balance, sums)
    _fill_pairs(seen, columns[3], columns[4])
    for row in range(columns.shape[1]):
        columns[5, row] = now(sums[W20])[row] / 20


@compiled
def _fill_candles(seen: Seen, columns, balance) -> None:
    for row in range(len(balance)):
        height = seen.high[row] - seen.low[row]
        top, bottom = max(seen.open[row], seen.close[row]), min(seen.open[row], seen.close[row])
        upper, lower = share(seen.high[row] - top, height), share(bottom - seen.low[row], height)
        balance[row] = lower - upper
        if row >= LEAD:
            columns[0, row - LEAD] = share(seen.close[row] - seen.open[row], height)
            columns[1, row - LEAD] = upper
            columns[2, row - LEAD] = lower


@compiled
def _fill_pairs(seen: Seen, engulfing, inside) -> None:
    for row in range(LEAD, len(seen.close)):
        first, last = seen.open[row - 1], seen.close[row - 1]
        opened, closed = seen.open[row], seen.close[row]
        rises = last < first and closed > opened and closed >= first and opened <= last
        falls = last > first and closed < opened and closed <= first and opened >= last
        engulfing[row - LEAD] = 1.0 if rises else (-1.0 if falls else 0.0)
        above, beneath = seen.high[row] - seen.high[row - 1], seen.low[row - 1] - seen.low[row]
        inside[row - LEAD] = 1.0 if above > 0 and beneath > 0 else (-1.0 if above < 0 and beneath < 0 else 0.0)
