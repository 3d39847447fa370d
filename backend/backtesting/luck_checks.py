"""Could it be luck? How many trades and days there are, how much was tried, and how far a Sharpe ratio is believed."""

import math
from typing import Final

import numpy as np

from backend.backtesting.examined import Examined, Finding, Floats, figure
from backend.backtesting.result import Result
from backend.backtesting.verdicts import Verdict
from backend.domain import format as say
from backend.domain.trading.daily import DailyEquity
from backend.domain.trading.evidence import (
    deflated_sharpe,
    minimum_backtest_days,
    minimum_record_days,
    sharpe_interval,
    spread_of,
)
from backend.domain.trading.performance import sharpe_of
from backend.domain.trading.statistics import Missing

FEW_TRADES: Final = 30
BEST_TRADES: Final = 5
SURE: Final = 0.95


def trades(run: Examined) -> Finding:
    count = len(run.result.closed)
    facts = {"trades": count}
    if count == 0:
        return Verdict.BAD, "There is no closed trade, so nothing can be said of the strategy.", facts
    if count < FEW_TRADES:
        return Verdict.DOUBTFUL, f"{count} closed trades are few: below {FEW_TRADES} luck says more than skill.", facts
    return Verdict.GOOD, f"{count:,} closed trades.", facts


def few_trades(run: Examined) -> Finding:
    growth = np.sort(_growth_by_trade(run.result))[::-1]
    whole, best, five = (math.expm1(growth[skipped:].sum()) for skipped in (0, 1, BEST_TRADES))
    if whole <= 0:
        raise Missing("The closed trades earned nothing, so no trade made the profit.")
    words = (
        f"The closed trades made {say.change(whole, 1)}; without the best one the others would have made"
        f" {say.change(best, 1)}, without the best {BEST_TRADES} {say.change(five, 1)}."
    )
    facts = {"total": whole, "without_best": best, "without_best_five": five}
    verdict = Verdict.BAD if best <= 0 else Verdict.DOUBTFUL if five <= 0 else Verdict.GOOD
    return verdict, words, facts


def _growth_by_trade(result: Result) -> Floats:
    """The logarithm of what each closed trade made of the account that it found."""
    closed = result.closed
    found = np.where(closed["entry_bar"] > 0, result.equity[np.maximum(closed["entry_bar"] - 1, 0)], result.start_cash)
    earned = np.divide(closed["pnl"], found, out=np.zeros(len(closed)), where=found > 0)
    growth: Floats = np.log1p(np.maximum(earned, -0.999))
    return growth


def interval(run: Examined) -> Finding:
    daily = run.analysis.daily
    found = sharpe_interval(daily.returns, daily.periods_a_year, seed=run.seed)
    words = (
        f"The yearly Sharpe ratio lies between {say.ratio(found.low)} and {say.ratio(found.high)}"
        f" in {say.percent(found.level, 0)} of {found.draws:,} histories drawn from blocks of {found.block_days} days."
    )
    facts = {"low": found.low, "high": found.high, "block_days": found.block_days, "draws": found.draws}
    return (Verdict.GOOD if found.low > 0 else Verdict.DOUBTFUL if found.high > 0 else Verdict.BAD), words, facts


def deflated(run: Examined) -> Finding:
    daily, sharpe = run.analysis.daily, daily_sharpe(run.analysis.daily)
    trials = 1 if run.family is None else max(run.family.trials, 1)
    t_values = np.empty(0) if run.family is None else run.family.t_values
    probability = deflated_sharpe(
        sharpe,
        days=len(daily),
        skew=figure(run, "skew"),
        kurtosis=figure(run, "kurtosis"),
        trials=trials,
        spread_of_trials=spread_of(t_values, days=len(daily)),
    )
    tries = "the first trial of this family" if trials == 1 else f"the best of {trials:,} trials of this family"
    sure = say.percent(probability, 0)
    words = f"If it is {tries}, its Sharpe ratio is above what luck shows with a probability of {sure}."
    facts = {"trials": trials, "probability": probability}
    return (Verdict.GOOD if probability >= SURE else Verdict.DOUBTFUL), words, facts


def length(run: Examined) -> Finding:
    daily, sharpe = run.analysis.daily, daily_sharpe(run.analysis.daily)
    trials = 1 if run.family is None else run.family.trials
    needed = minimum_record_days(sharpe, skew=figure(run, "skew"), kurtosis=figure(run, "kurtosis"))
    if trials > 1:
        needed = max(needed, minimum_backtest_days(sharpe, trials=trials, periods_a_year=daily.periods_a_year))
    tries = "trial" if trials == 1 else "trials"
    words = f"It has {len(daily):,} days; for this Sharpe ratio and {trials:,} {tries} at least {needed:,} are needed."
    facts = {"days": len(daily), "needed": needed, "trials": trials}
    return (Verdict.GOOD if len(daily) >= needed else Verdict.DOUBTFUL), words, facts


def daily_sharpe(daily: DailyEquity) -> float:
    """Of one day, which is what trials are compared by."""
    return sharpe_of(daily.returns, 1.0)
