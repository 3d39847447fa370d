"""Statistics of daily returns: growth, risk, drawdowns, and against a benchmark.

Shares are fractions (0.12 is 12 %). Spread is measured with n - 1. Value at risk and the mean loss beyond it suppose
the normal distribution, as most reports do; `..._seen` beside them is what was seen. Losses are returns below 0.
"""

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from backend.domain.trading.daily import DailyEquity, Days, Floats, date_of
from backend.domain.trading.statistics import Missing, Sheet, Statistics, over

# Deviations from the mean: where the worst 5 % begin, and their own mean.
NORMAL_5_PERCENT: Final = -1.6448536269514722
MEAN_BEYOND_5_PERCENT: Final = -math.exp(-(NORMAL_5_PERCENT**2) / 2) / math.sqrt(2 * math.pi) / 0.05
_TAIL: Final = 0.05
_MOMENTS_NEED: Final = 4
_SKEW_POWER: Final = 3
_LARGEST_LOG: Final = 50.0

_FLAT = "The equity did not move, so there is no spread to divide by."
_NO_LOSS = "No day lost money, so there is nothing to divide by."
_STILL = "still open"


@dataclass(frozen=True, kw_only=True)
class Drawdown:
    """From a peak down, and back up to it. Days are calendar days; the start counts as the day before the first."""

    depth: float
    peak: int
    trough: int
    recovered: int | None
    ends: int  # the day of recovery, or the last day

    @property
    def days(self) -> int:
        return self.ends - self.peak


def performance(daily: DailyEquity, benchmark: DailyEquity | None = None) -> Statistics:
    """All of them; what cannot be computed is missing, with the reason."""
    sheet = Sheet()
    # What overflows is not finite, and the sheet says so.
    with np.errstate(over="ignore", invalid="ignore"):
        _fill(sheet, daily, benchmark)
    return sheet.done()


def _fill(sheet: Sheet, daily: DailyEquity, benchmark: DailyEquity | None) -> None:
    sheet.put("days", lambda: len(daily))
    sheet.put("start_equity", lambda: daily.start)
    sheet.put("end_equity", lambda: _last(daily))
    sheet.put("total_return", lambda: _last(daily) / daily.start - 1.0)
    sheet.put("cagr", lambda: _cagr(daily))
    _spread(sheet, daily)
    _tails(sheet, daily)
    _drawdowns(sheet, daily)
    _against(sheet, daily, benchmark)


def _last(daily: DailyEquity) -> float:
    if len(daily) == 0:
        raise Missing("There is no bar, so there is no equity.")
    return float(daily.equity[-1])


def _cagr(daily: DailyEquity) -> float:
    growth = _last(daily) / daily.start
    if growth <= 0:
        raise Missing("Nothing is left of the account, so no yearly growth leads there.")
    log_growth = math.log(growth) / daily.years
    if log_growth > _LARGEST_LOG:
        raise Missing(f"{len(daily):,} days are too few to be stretched to a year.")
    return math.expm1(log_growth)


def _spread(sheet: Sheet, daily: DailyEquity) -> None:
    periods = daily.periods_a_year
    sheet.put("volatility", lambda: _deviation(daily.returns) * math.sqrt(periods))
    sheet.put("sharpe", lambda: sharpe_of(daily.returns, periods))
    sheet.put("sortino", lambda: _sortino(daily.returns, periods))
    sheet.put("omega", lambda: _omega(daily.returns))
    sheet.put("best_day", lambda: float(daily.returns.max()))
    sheet.put("worst_day", lambda: float(daily.returns.min()))
    sheet.put("positive_days", lambda: float((daily.returns > 0).mean()))


def sharpe_of(returns: Floats, periods_a_year: float) -> float:
    """Annualised, against no interest."""
    return over(float(returns.mean()), _moving(returns), _FLAT) * math.sqrt(periods_a_year)


def _deviation(returns: Floats) -> float:
    if len(returns) < 2:
        raise Missing(f"A spread needs at least 2 days; there is {len(returns)}.")
    return float(returns.std(ddof=1))


def _moving(returns: Floats) -> float:
    """The deviation, when there is more to it than the rounding of a flat line."""
    deviation = _deviation(returns)
    if deviation <= 1e-13 * max(1.0, float(np.abs(returns).max())):
        raise Missing(_FLAT)
    return deviation


def _sortino(returns: Floats, periods: float) -> float:
    _deviation(returns)
    downside = math.sqrt(float(np.square(np.minimum(returns, 0.0)).mean()))
    return over(float(returns.mean()), downside, _NO_LOSS) * math.sqrt(periods)


def _omega(returns: Floats) -> float:
    return over(float(returns[returns > 0].sum()), float(-returns[returns < 0].sum()), _NO_LOSS)


def _tails(sheet: Sheet, daily: DailyEquity) -> None:
    sheet.put("var_95", lambda: _normal_at(daily.returns, NORMAL_5_PERCENT))
    sheet.put("cvar_95", lambda: _normal_at(daily.returns, MEAN_BEYOND_5_PERCENT))
    sheet.put_all(("var_95_seen", "cvar_95_seen"), lambda: _tail_seen(daily.returns))
    sheet.put("skew", lambda: _skew(daily.returns))
    sheet.put("kurtosis", lambda: _kurtosis(daily.returns))


def _normal_at(returns: Floats, deviations: float) -> float:
    return float(returns.mean()) + deviations * _deviation(returns)


def _tail_seen(returns: Floats) -> tuple[float, float]:
    _deviation(returns)
    quantile = float(np.quantile(returns, _TAIL))
    return quantile, float(returns[returns <= quantile].mean())


def _standard_moment(returns: Floats, power: int) -> float:
    if len(returns) < _MOMENTS_NEED:
        raise Missing(f"The shape of returns needs at least {_MOMENTS_NEED} days; there are {len(returns)}.")
    _moving(returns)
    away = returns - returns.mean()
    squares = away * away  # a power of an array costs fifty times as much
    risen = squares * (away if power == _SKEW_POWER else squares)
    spread = float(squares.mean())
    return float(risen.mean()) / (spread * math.sqrt(spread) if power == _SKEW_POWER else spread * spread)


def _skew(returns: Floats) -> float:
    """Corrected for few days, as pandas does."""
    moment, n = _standard_moment(returns, _SKEW_POWER), len(returns)
    return moment * math.sqrt(n * (n - 1)) / (n - 2)


def _kurtosis(returns: Floats) -> float:
    """Above that of the normal distribution, corrected for few days."""
    excess, n = _standard_moment(returns, 4) - 3.0, len(returns)
    return ((n + 1) * excess + 6.0) * (n - 1) / ((n - 2) * (n - 3))


def deepest_drawdown(daily: DailyEquity) -> Drawdown:
    """Raises Missing when equity never fell."""
    path, days = daily.path, _path_days(daily)
    peaks = np.maximum.accumulate(path)
    depths = path / peaks - 1.0
    trough = int(depths.argmin()) if len(daily) else 0
    if depths[trough] >= 0:
        raise Missing("The equity never fell below a peak.")
    peak = int(np.flatnonzero(path[: trough + 1] == peaks[trough])[-1])
    back = np.flatnonzero(path[trough:] >= peaks[trough])
    recovered = int(days[trough + back[0]]) if len(back) else None
    return Drawdown(
        depth=float(depths[trough]),
        peak=int(days[peak]),
        trough=int(days[trough]),
        recovered=recovered,
        ends=int(days[-1]) if recovered is None else recovered,
    )


def longest_under_water(daily: DailyEquity) -> int:
    """Calendar days from a peak to the day that reached it again, or to the last day."""
    path, days = daily.path, _path_days(daily)
    is_peak = path >= np.maximum.accumulate(path)
    peaks = np.flatnonzero(is_peak)
    below = np.append(np.diff(peaks) > 1, not is_peak[-1])
    ends = np.append(days[peaks[1:]], days[-1])
    return int((ends - days[peaks])[below].max(initial=0))


def _path_days(daily: DailyEquity) -> Days:
    return np.concatenate((daily.days[:1] - 1, daily.days))


def _drawdowns(sheet: Sheet, daily: DailyEquity) -> None:
    names = (
        "max_drawdown",
        "max_drawdown_peak",
        "max_drawdown_trough",
        "max_drawdown_recovered",
        "max_drawdown_days",
    )

    def deepest() -> tuple[float, str, str, str, int]:
        found = deepest_drawdown(daily)
        back = _STILL if found.recovered is None else date_of(found.recovered)
        return found.depth, date_of(found.peak), date_of(found.trough), back, found.days

    sheet.put_all(names, deepest)
    sheet.put("calmar", lambda: over(_cagr(daily), -deepest_drawdown(daily).depth, "There was no drawdown."))
    sheet.put("longest_under_water_days", lambda: _with_days(daily) and longest_under_water(daily))
    sheet.put("time_under_water", lambda: _with_days(daily) and _under_water(daily))


def _with_days(daily: DailyEquity) -> bool:
    _last(daily)
    return True


def _under_water(daily: DailyEquity) -> float:
    path = daily.path
    return float((path < np.maximum.accumulate(path))[1:].mean())


def _against(sheet: Sheet, daily: DailyEquity, benchmark: DailyEquity | None) -> None:
    periods = daily.periods_a_year

    def days() -> tuple[Floats, Floats]:
        if benchmark is None:
            raise Missing("There is no benchmark to compare with.")
        return _same_days(daily, benchmark)

    def ahead() -> Floats:
        mine, other = days()
        return mine - other

    sheet.put("benchmark_return", lambda: float(np.prod(1.0 + days()[1])) - 1.0)
    sheet.put_all(("alpha", "beta", "correlation"), lambda: _regression(*days(), periods))
    sheet.put("tracking_error", lambda: _deviation(ahead()) * math.sqrt(periods))
    sheet.put("information_ratio", lambda: sharpe_of(ahead(), periods))


def _same_days(daily: DailyEquity, benchmark: DailyEquity) -> tuple[Floats, Floats]:
    mine, other = daily.returns, benchmark.returns
    _, left, right = np.intersect1d(daily.days, benchmark.days, assume_unique=True, return_indices=True)
    if len(left) < 2:
        raise Missing(f"The benchmark has {len(left)} of these days; a comparison needs at least 2.")
    return mine[left], other[right]


def _regression(mine: Floats, other: Floats, periods: float) -> tuple[float, float, float]:
    """Alpha a year, beta, and how closely they move together."""
    _moving(mine)
    covariance = np.cov(mine, other, ddof=1)
    beta = over(float(covariance[0, 1]), float(covariance[1, 1]), "The benchmark did not move.")
    alpha = (float(mine.mean()) - beta * float(other.mean())) * periods
    return alpha, beta, float(covariance[0, 1]) / math.sqrt(float(covariance[0, 0]) * float(covariance[1, 1]))
