"""How far a Sharpe ratio can be believed: its interval, what chance alone would show, and how long is long enough.

Deflated ratio and minimum lengths follow Bailey and López de Prado, "The Deflated Sharpe Ratio" (2014) and
"Pseudo-Mathematics and Financial Charlatanism" (2014). A ratio is of one day here unless it says that it is of a year.
"""

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np
import numpy.typing as npt

from backend.domain.compiled import compiled
from backend.domain.lots import bits_of, next_state
from backend.domain.trading.daily import Floats
from backend.domain.trading.statistics import Missing

LEVEL: Final = 0.95
FEWEST_DAYS: Final = 30
_MOST_DRAWS: Final = 1_000
_FEWEST_DRAWS: Final = 200
# What one interval may cost: so many daily returns drawn.
_WORK: Final = 20_000_000
_EULER: Final = 0.5772156649015329
_NORMAL: Final = NormalDist()


@dataclass(frozen=True, kw_only=True)
class SharpeInterval:
    """Between which values the yearly ratio lies in so many of a hundred histories that could have been."""

    low: float
    high: float
    level: float
    block_days: int
    draws: int


def sharpe_interval(returns: Floats, periods_a_year: float, *, seed: int, level: float = LEVEL) -> SharpeInterval:
    """By a stationary block bootstrap (Politis and Romano, 1994) of daily returns; the same seed gives the same."""
    days = _enough(returns)
    block = max(1, round(days ** (1 / 3)))
    draws = min(_MOST_DRAWS, max(_FEWEST_DRAWS, _WORK // days))
    ratios = _drawn_ratios(returns, draws, 1.0 / block, np.uint64(seed)) * math.sqrt(periods_a_year)
    ratios = ratios[np.isfinite(ratios)]
    if not len(ratios):
        raise Missing("The equity did not move, so its Sharpe ratio has no interval.")
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return SharpeInterval(low=float(low), high=float(high), level=level, block_days=block, draws=draws)


@compiled
def _drawn_ratios(returns: Floats, draws: int, jump: float, seed: np.uint64) -> Floats:
    """The ratio of each drawn history. Blocks wrap around, and a new one begins with the chance `jump`."""
    days = len(returns)
    ratios = np.empty(draws)
    state = seed
    for draw in range(draws):
        total, squares, day = 0.0, 0.0, -1
        for _ in range(days):
            state = next_state(state)
            mixed = bits_of(state)
            chance = np.float64(mixed >> np.uint64(32)) / 4294967296.0
            if day < 0 or chance < jump:
                day = int(np.float64(mixed & np.uint64(0xFFFFFFFF)) / 4294967296.0 * days)
            else:
                day = day + 1 if day + 1 < days else 0
            total += returns[day]
            squares += returns[day] * returns[day]
        mean = total / days
        variance = (squares - days * mean * mean) / (days - 1)
        ratios[draw] = mean / math.sqrt(variance) if variance > 0.0 else math.nan
    return ratios


def expected_best_of(trials: int) -> float:
    """How many deviations above their mean the best of so many tries is, when all of them are chance."""
    if trials < 2:
        return 0.0
    return (1 - _EULER) * _NORMAL.inv_cdf(1 - 1 / trials) + _EULER * _NORMAL.inv_cdf(1 - 1 / (trials * math.e))


def probability_above(sharpe: float, threshold: float, *, days: int, skew: float, kurtosis: float) -> float:
    """That the true daily ratio is above it; skew and fat tails make it less sure. `kurtosis` is the excess."""
    return _NORMAL.cdf((sharpe - threshold) * math.sqrt(days - 1) / _error(sharpe, skew, kurtosis))


def deflated_sharpe(
    sharpe: float, *, days: int, skew: float, kurtosis: float, trials: int, spread_of_trials: float
) -> float:
    """The probability that the daily ratio is real although it is the best of so many, whose ratios spread so far."""
    threshold = spread_of_trials * expected_best_of(trials)
    return probability_above(sharpe, threshold, days=days, skew=skew, kurtosis=kurtosis)


def t_value_of(sharpe: float, *, days: int) -> float:
    """The daily ratio in deviations of chance: short tests spread further by it, and tests of any length compare."""
    return sharpe * math.sqrt(days)


def spread_of(t_values: Floats, *, days: int) -> float:
    """How far daily ratios of so many days spread, if they do as these trials do; one alone spreads as chance would."""
    known = t_values[np.isfinite(t_values)]
    spread = 1.0 if len(known) < 2 else float(known.std(ddof=1))
    return spread / math.sqrt(days)


def minimum_backtest_days(sharpe: float, *, trials: int, periods_a_year: float) -> int:
    """Fewer days than this show a ratio this good by chance alone, after so many trials."""
    if sharpe <= 0:
        raise Missing("The Sharpe ratio is not above 0: no length would make it one to trade.")
    best = expected_best_of(max(trials, 2))
    yearly = sharpe * math.sqrt(periods_a_year)
    return math.ceil((best / yearly) ** 2 * periods_a_year)


def minimum_record_days(sharpe: float, *, skew: float, kurtosis: float, level: float = LEVEL) -> int:
    """So many days are needed to be this sure that the ratio is above 0, without any other trial."""
    if sharpe <= 0:
        raise Missing("The Sharpe ratio is not above 0: no length would make it one to trade.")
    return math.ceil(1 + (_NORMAL.inv_cdf(level) / sharpe * _error(sharpe, skew, kurtosis)) ** 2)


def _error(sharpe: float, skew: float, kurtosis: float) -> float:
    spread = 1 - skew * sharpe + (kurtosis + 2) / 4 * sharpe * sharpe
    if spread <= 0:
        raise Missing("The returns are too skewed for the error of their Sharpe ratio to be known.")
    return math.sqrt(spread)


def _enough(returns: npt.NDArray[np.float64]) -> int:
    if len(returns) < FEWEST_DAYS:
        raise Missing(f"An interval needs at least {FEWEST_DAYS} days of returns; there are {len(returns)}.")
    return len(returns)
