"""The fixed set of figures that every trial of a sweep has, compiled: the same as those of a single backtest.

Sums are added up in numpy's order (pairwise), so that a figure here equals the one in `performance` and
`trade_statistics` to its last digit.
"""

import math
from typing import Final, NamedTuple

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.trading.layout import EXIT_SIGNAL, STILL_OPEN, Records

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int8]

METRICS: Final = (
    "total_return",
    "cagr",
    "volatility",
    "sharpe",
    "sortino",
    "calmar",
    "omega",
    "max_drawdown",
    "skew",
    "kurtosis",
    "trades",
    "win_rate",
    "profit_factor",
    "expectancy",
    "payoff",
    "mean_trade",
    "sqn",
    "net_profit",
    "fees",
    "exposure",
)
PLACE: Final = {name: place for place, name in enumerate(METRICS)}

(
    _TOTAL_RETURN,
    _CAGR,
    _VOLATILITY,
    _SHARPE,
    _SORTINO,
    _CALMAR,
    _OMEGA,
    _MAX_DRAWDOWN,
    _SKEW,
    _KURTOSIS,
    _TRADES,
    _WIN_RATE,
    _PROFIT_FACTOR,
    _EXPECTANCY,
    _PAYOFF,
    _MEAN_TRADE,
    _SQN,
    _NET_PROFIT,
    _FEES,
    _EXPOSURE,
) = range(len(METRICS))

THERE: Final = 0
_NO_TRADE: Final = 1
_NONE_LOST_MONEY: Final = 2
_NONE_WON: Final = 3
_NONE_LOST: Final = 4
_ONE_TRADE: Final = 5
_ALL_SAME: Final = 6
_EMPTY: Final = 7
_ONE_DAY: Final = 8
_FLAT: Final = 9
_NO_BAD_DAY: Final = 10
_NO_DRAWDOWN: Final = 11
_NOTHING_LEFT: Final = 12
_TOO_SHORT: Final = 13
_FEW_DAYS: Final = 14
BEYOND: Final = 15
FAILED: Final = 16
FEWER_TRADES: Final = 17
OTHER: Final = 18

REASONS: Final = {
    _NO_TRADE: "There is no closed trade.",
    _NONE_LOST_MONEY: "None of the closed trades lost money, so there is nothing to divide by.",
    _NONE_WON: "No trade was won.",
    _NONE_LOST: "No trade was lost.",
    _ONE_TRADE: "A spread needs at least 2 closed trades.",
    _ALL_SAME: "All trades earned the same.",
    _EMPTY: "The account was empty, and returns need money.",
    _ONE_DAY: "A spread needs at least 2 days.",
    _FLAT: "The equity did not move, so there is no spread to divide by.",
    _NO_BAD_DAY: "No day lost money, so there is nothing to divide by.",
    _NO_DRAWDOWN: "The equity never fell below a peak.",
    _NOTHING_LEFT: "Nothing is left of the account, so no yearly growth leads there.",
    _TOO_SHORT: "These are too few days to be stretched to a year.",
    _FEW_DAYS: "The shape of returns needs at least 4 days.",
    BEYOND: "It is beyond what a number can say.",
    FAILED: "The strategy failed with these parameters.",
    FEWER_TRADES: "It made fewer trades than were asked for.",
    OTHER: "It cannot be computed for this trial.",
}

_NOTHING = 1e-15
_LARGEST_LOG = 50.0
# As numpy adds: blocks of so many with eight sums side by side, halves above.
_BLOCK = 128


class Sheets(NamedTuple):
    """Where the figures of several trials are written, a row a trial."""

    values: Floats  # (trials, metrics); NaN where one is missing
    why: Codes  # (trials, metrics); why it is
    sums: Floats  # (trials, blocks) of daily returns
    squares: Floats


class Days(NamedTuple):
    """The days of a run, and room to work in."""

    ends: Ints  # the last bar of each
    closes: Floats  # and its close
    edges: Ints  # where the blocks of days begin, and the end; empty = no blocks
    path: Floats  # the start and then each day's equity
    returns: Floats
    scratch: Floats


@compiled
def measure(sheets: Sheets, row: int, days: Days, periods: float, trades: Records, bars: int, cash: float) -> None:
    """All figures of one trial, whose equity of each day is in `days.path`."""
    values, why = sheets.values[row], sheets.why[row]
    values[:] = np.nan
    why[:] = THERE
    _measure_days(values, why, days, periods)
    if len(days.edges) > 0:
        _sum_blocks(sheets.sums[row], sheets.squares[row], days)
    _measure_trades(values, why, trades, bars, days.scratch)
    for each in range(len(values)):
        if why[each] == THERE and not math.isfinite(values[each]):
            why[each] = BEYOND
        if why[each] != THERE:
            values[each] = np.nan


@compiled
def _measure_days(values: Floats, why: Codes, days: Days, periods: float) -> None:
    path, returns = days.path, days.returns
    count = len(returns)
    years = count / periods
    values[_TOTAL_RETURN] = path[count] / path[0] - 1.0
    growth = path[count] / path[0]
    if growth <= 0:
        why[_CAGR] = _NOTHING_LEFT
    elif math.log(growth) / years > _LARGEST_LOG:
        why[_CAGR] = _TOO_SHORT
    else:
        values[_CAGR] = math.expm1(math.log(growth) / years)
    peak, depth, is_empty = path[0], 0.0, path[0] <= 0.0
    for day in range(count):
        equity = path[day + 1]
        is_empty = is_empty or equity <= 0.0
        peak = max(peak, equity)
        depth = min(depth, equity / peak - 1.0)
        returns[day] = equity / path[day] - 1.0
    values[_MAX_DRAWDOWN] = depth
    if depth >= 0.0:
        why[_MAX_DRAWDOWN] = _NO_DRAWDOWN
    _divide(values, why, _CALMAR, values[_CAGR], -depth, _NO_DRAWDOWN)
    if why[_CAGR] != THERE:
        why[_CALMAR] = why[_CAGR]
    spread = (_VOLATILITY, _SHARPE, _SORTINO, _OMEGA, _SKEW, _KURTOSIS)
    if is_empty:
        returns[:] = 0.0
        for each in spread:
            why[each] = _EMPTY
        return
    _measure_returns(values, why, returns, days.scratch, periods)


@compiled
def _measure_returns(values: Floats, why: Codes, returns: Floats, scratch: Floats, periods: float) -> None:
    count = len(returns)
    gains = losses = 0
    for day in range(count):
        gains += returns[day] > 0
    bad = scratch[gains:]
    good, at = scratch[:gains], 0
    for day in range(count):
        if returns[day] > 0:
            good[at] = returns[day]
            at += 1
        elif returns[day] < 0:
            bad[losses] = returns[day]
            losses += 1
    _divide(values, why, _OMEGA, total(good), -total(bad[:losses]), _NO_BAD_DAY)
    if count < 2:
        for each in (_VOLATILITY, _SHARPE, _SORTINO):
            why[each] = _ONE_DAY
        why[_SKEW] = why[_KURTOSIS] = _FEW_DAYS
        return
    mean = total(returns) / count
    largest = 1.0
    away = scratch[:count]
    for day in range(count):
        largest = max(largest, abs(returns[day]))
        away[day] = (returns[day] - mean) * (returns[day] - mean)
    squares = total(away)
    deviation = math.sqrt(squares / (count - 1))
    yearly = math.sqrt(periods)
    values[_VOLATILITY] = deviation * yearly
    is_flat = deviation <= 1e-13 * largest
    if is_flat:
        why[_SHARPE] = _FLAT
    else:
        _divide(values, why, _SHARPE, mean, deviation, _FLAT)
        values[_SHARPE] *= yearly
    for day in range(count):
        down = min(returns[day], 0.0)
        away[day] = down * down
    _divide(values, why, _SORTINO, mean, math.sqrt(total(away) / count), _NO_BAD_DAY)
    values[_SORTINO] *= yearly
    if count < 4 or is_flat:
        why[_SKEW] = why[_KURTOSIS] = _FEW_DAYS if count < 4 else _FLAT
        return
    _measure_shape(values, returns, away, mean, squares / count)


@compiled
def _measure_shape(values: Floats, returns: Floats, away: Floats, mean: float, variance: float) -> None:
    n = len(returns)
    for day in range(n):
        distance = returns[day] - mean
        away[day] = distance * distance * distance
    values[_SKEW] = total(away) / n / (variance * math.sqrt(variance)) * math.sqrt(n * (n - 1)) / (n - 2)
    for day in range(n):
        square = (returns[day] - mean) * (returns[day] - mean)
        away[day] = square * square
    excess = total(away) / n / (variance * variance) - 3.0
    values[_KURTOSIS] = ((n + 1) * excess + 6.0) * (n - 1) / ((n - 2) * (n - 3))


@compiled
def _measure_trades(values: Floats, why: Codes, trades: Records, bars: int, scratch: Floats) -> None:
    closed = 0
    for at in range(len(trades)):
        closed += trades[at].exit_why != STILL_OPEN
        scratch[at] = trades[at].fees
    values[_FEES] = total(scratch[: len(trades)])
    values[_EXPOSURE] = _held(trades) / bars
    values[_TRADES] = closed
    for at in range(closed):
        scratch[at] = trades[at].pnl
    pnl = scratch[:closed]
    earned = total(pnl)
    values[_NET_PROFIT] = earned
    if closed == 0:
        for each in (_WIN_RATE, _PROFIT_FACTOR, _EXPECTANCY, _MEAN_TRADE):
            why[each] = _NO_TRADE
        why[_PAYOFF], why[_SQN] = _NONE_WON, _ONE_TRADE
        return
    mean = earned / closed
    values[_EXPECTANCY] = mean
    _measure_wins(values, why, pnl, scratch[closed:])
    away = scratch[closed : 2 * closed]
    for at in range(closed):
        entered = abs(trades[at].quantity) * trades[at].entry_price
        away[at] = trades[at].pnl / entered if entered > 0 else 0.0
    values[_MEAN_TRADE] = total(away) / closed
    if closed < 2:
        why[_SQN] = _ONE_TRADE
        return
    for at in range(closed):
        away[at] = (pnl[at] - mean) * (pnl[at] - mean)
    _divide(values, why, _SQN, math.sqrt(closed) * mean, math.sqrt(total(away) / (closed - 1)), _ALL_SAME)


@compiled
def _measure_wins(values: Floats, why: Codes, pnl: Floats, scratch: Floats) -> None:
    won = lost = 0
    for at in range(len(pnl)):
        won += pnl[at] > 0
        lost += pnl[at] < 0
    values[_WIN_RATE] = won / len(pnl)
    wins, losses = scratch[:won], scratch[won : won + lost]
    won = lost = 0
    for at in range(len(pnl)):
        if pnl[at] > 0:
            wins[won] = pnl[at]
            won += 1
        elif pnl[at] < 0:
            losses[lost] = pnl[at]
            lost += 1
    gain, loss = total(wins), -total(losses)
    _divide(values, why, _PROFIT_FACTOR, gain, loss, _NONE_LOST_MONEY)
    if won == 0:
        why[_PAYOFF] = _NONE_WON
    elif lost == 0:
        why[_PAYOFF] = _NONE_LOST
    else:
        _divide(values, why, _PAYOFF, gain / won, loss / lost, _NONE_LOST_MONEY)


@compiled
def _held(trades: Records) -> float:
    """In how many bars there was a position; an exit at an open did not hold that bar."""
    held, before = 0, 0
    for at in range(len(trades)):
        trade = trades[at]
        end = max(before, trade.exit_bar + (0 if trade.exit_why == EXIT_SIGNAL else 1))
        held += max(end - max(trade.entry_bar, before), 0)
        before = end
    return float(held)


@compiled
def _sum_blocks(sums: Floats, squares: Floats, days: Days) -> None:
    for block in range(len(days.edges) - 1):
        one = two = 0.0
        for day in range(days.edges[block], days.edges[block + 1]):
            one += days.returns[day]
            two += days.returns[day] * days.returns[day]
        sums[block], squares[block] = one, two


@compiled
def _divide(values: Floats, why: Codes, metric: int, numerator: float, denominator: float, why_not: int) -> None:
    if abs(denominator) < _NOTHING:
        why[metric] = why_not
    else:
        values[metric] = numerator / denominator


@compiled
def total(values: Floats) -> float:
    """As numpy adds up: rounding then grows with the logarithm of the length, and both say the same."""
    count = len(values)
    if count < 8:
        result = 0.0
        for at in range(count):
            result += values[at]
        return result
    if count > _BLOCK:
        half = count // 2
        half -= half % 8
        return total(values[:half]) + total(values[half:])
    a, b, c, d = values[0], values[1], values[2], values[3]
    e, f, g, h = values[4], values[5], values[6], values[7]
    at = 8
    while at < count - count % 8:
        a += values[at]
        b += values[at + 1]
        c += values[at + 2]
        d += values[at + 3]
        e += values[at + 4]
        f += values[at + 5]
        g += values[at + 6]
        h += values[at + 7]
        at += 8
    result = ((a + b) + (c + d)) + ((e + f) + (g + h))
    while at < count:
        result += values[at]
        at += 1
    return float(result)
