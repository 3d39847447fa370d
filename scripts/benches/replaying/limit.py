"""The least that this work takes: one loop with averages, fills, equity and trades, that knows no other rule."""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True, nogil=True, error_model="numpy")
def fused(opens: Any, close: Any, equity: Any, trades: Any) -> int:
    fast, slow, fee, cash = 20, 50, 0.001, 100_000.0
    quantity = fast_sum = slow_sum = 0.0
    count, wants = 0, 0
    above, known = False, False
    for at in range(len(close)):
        if wants == 1 and quantity == 0.0:
            quantity = cash / (opens[at] * (1.0 + fee))
            trades[count, 0], trades[count, 1], cash = at, opens[at], 0.0
        elif wants == -1 and quantity > 0.0:
            cash = quantity * opens[at] * (1.0 - fee)
            trades[count, 2], trades[count, 3], quantity = at, opens[at], 0.0
            count += 1
        wants = 0
        fast_sum += close[at]
        slow_sum += close[at]
        if at >= fast:
            fast_sum -= close[at - fast]
        if at >= slow:
            slow_sum -= close[at - slow]
        if at >= slow - 1:
            now = fast_sum / fast > slow_sum / slow
            if known and now != above:
                wants = 1 if now else -1
            above, known = now, True
        equity[at] = cash + quantity * close[at]
    return count


def run(opens: Any, close: Any) -> float:
    """The final equity."""
    equity, trades = np.empty(len(close)), np.empty((len(close) // 20, 4))
    fused(opens, close, equity, trades)
    return float(equity[-1])
