"""At which costs nothing would be left: the same signals are traded again until a return of nothing is enclosed.

Profit over turnover is another number: with other costs there is more or less to trade with.
"""

import math
from collections.abc import Callable, Sequence
from typing import Final

from backend.backtesting.engine import Feed, backtest
from backend.backtesting.fill_band import with_costs
from backend.backtesting.result import Result
from backend.backtesting.verdicts import Band
from backend.domain.config import CostModel

MOST_BPS: Final = 1_000.0
_FLAT_BPS: Final = 10.0  # what is multiplied when a run supposes that trading is free
_CLOSE_BPS: Final = 0.05
_MOST_RUNS: Final = 12
_NOTHING: Final = 1e-4
_RUINED: Final = -3.0  # the logarithm that stands for an account that is as good as gone

Point = tuple[float, float]  # costs a side in basis points, and the logarithm of what an account became


def side_bps(costs: CostModel) -> float:
    """What a market order pays, without impact and interest."""
    return costs.taker_bps + costs.slippage_bps + costs.spread_bps / 2


def break_even_bps(feeds: Sequence[Feed], own: Result, band: Sequence[Band]) -> float | None:
    """All costs multiplied alike, in basis points a side: `MOST_BPS` if it is more, none if even 0 is too much."""
    config, unit = own.config, side_bps(own.config.costs)
    if unit <= 0:
        free = CostModel(taker_bps=_FLAT_BPS, maker_bps=_FLAT_BPS)
        config, unit = config.model_copy(update={"costs": free}), _FLAT_BPS
        known: list[Point] = [(0.0, _growth(own))]
    else:
        mode = config.execution.intrabar
        known = [(one.cost_times * unit, _log(one.total_return)) for one in band if one.mode == mode]
    return _crossing(sorted(known), lambda bps: _growth(backtest(feeds, with_costs(config, bps / unit))))


def _crossing(known: Sequence[Point], ask: Callable[[float], float]) -> float | None:
    lost = next((point for point in known if point[1] <= 0), None)
    if lost is None:
        return _beyond(known[-1], ask)
    earned = max((point for point in known if point < lost), default=(0.0, ask(0.0)))
    return _between(earned, lost, ask) if earned[1] > 0 else None


def _beyond(earned: Point, ask: Callable[[float], float]) -> float:
    while earned[0] < MOST_BPS:
        bps = min(max(2 * earned[0], _FLAT_BPS), MOST_BPS)
        asked = (bps, ask(bps))
        if asked[1] <= 0:
            return _between(earned, asked, ask)
        earned = asked
    return MOST_BPS


def _between(earned: Point, lost: Point, ask: Callable[[float], float]) -> float:
    """By false position. Costs take their share again and again, so the logarithm falls nearly in a line."""
    (low, above), (high, below) = earned, lost
    bps = low
    for _ in range(_MOST_RUNS):
        bps = low + (high - low) * above / (above - below)
        growth = ask(bps)
        if abs(growth) <= _NOTHING or high - low <= _CLOSE_BPS:
            break
        if growth > 0:
            low, above, below = bps, growth, below / 2
        else:
            high, below, above = bps, growth, above / 2
    return bps


def _growth(result: Result) -> float:
    return _log(float(result.equity[-1] / result.start_cash - 1.0))


def _log(total_return: float) -> float:
    return math.log1p(total_return) if total_return > math.expm1(_RUINED) else _RUINED
