"""The trust panel: what a sceptic would ask of a result, each answered by a verdict, a sentence and its numbers."""

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from backend.backtesting.analysis import Analysis
from backend.backtesting.break_even import MOST_BPS, break_even_bps, side_bps
from backend.backtesting.engine import Feed, backtest
from backend.backtesting.fill_band import fill_band
from backend.backtesting.guards import SAMPLED_POINTS, THOROUGH_POINTS, look_ahead, recursive, shuffled
from backend.backtesting.result import Result
from backend.backtesting.run import Run, feeds_of
from backend.backtesting.verdicts import Band, Check, Fact, Trust, Verdict
from backend.domain import format as say
from backend.domain.config import TradingConfig
from backend.domain.errors import TidemarkError
from backend.domain.market import Span
from backend.domain.market_errors import UnknownMarketData
from backend.domain.market_ports import Loaded, TradingCalendar
from backend.domain.quality import Quality, inspect
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
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

__all__ = ["Band", "Check", "Examined", "Family", "Trust", "Verdict", "daily_sharpe", "examine", "quality_of"]

Floats = npt.NDArray[np.float64]

FEW_TRADES: Final = 30
BEST_TRADES: Final = 5
HIGH_COSTS: Final = 0.5
SURE: Final = 0.95
# The control asks about the last bars only, and so often.
CONTROL_BARS: Final = 20_000
SAMPLED_SHUFFLES, THOROUGH_SHUFFLES = 19, 199
LUCK: Final = 0.05


@dataclass(frozen=True, kw_only=True, eq=False)
class Family:
    """All that was tried of one strategy on one symbol, this run included; t-values are those of the Sharpe ratios."""

    trials: int
    t_values: Floats


@dataclass(frozen=True, kw_only=True, eq=False)
class Examined:
    """A run to be looked at: one market and one feed for each symbol, in the same order."""

    strategy: TradingStrategy
    markets: Sequence[Market]
    feeds: Sequence[Feed]
    result: Result
    analysis: Analysis
    seed: int = 0
    family: Family | None = None  # none = this is the first trial
    quality: Sequence[Quality] = ()  # of each symbol's bars, where somebody looked

    @classmethod
    def of(cls, run: Run, *, family: Family | None = None, quality: Sequence[Quality] = ()) -> Self:
        """A run that was just made."""
        return cls(
            strategy=run.strategy,
            markets=run.markets,
            feeds=feeds_of(run.histories, run.signals, run.details),
            result=run.result,
            analysis=run.analysis,
            seed=run.config.seed,
            family=family,
            quality=quality,
        )


def quality_of(histories: Sequence[Loaded], calendar: TradingCalendar) -> tuple[Quality, ...]:
    """Each history against its market's calendar; none when nobody knows one of the calendars."""
    try:
        return tuple(_quality(one, calendar) for one in histories)
    except UnknownMarketData:
        return ()


def _quality(history: Loaded, calendar: TradingCalendar) -> Quality:
    ts, timeframe = history.bars["ts"], history.series.timeframe
    span = Span(start=ts.iloc[0].to_pydatetime(), end=ts.iloc[-1].to_pydatetime() + timeframe.length)
    return inspect(history.bars, calendar.expected_starts(history.instrument.calendar, timeframe, span), timeframe)


Finding = tuple[Verdict, str, Mapping[str, Fact]]


def examine(run: Examined, *, thorough: bool = False, only: Collection[str] = ()) -> Trust:
    """Sampled by default, which costs some runs; thorough asks a strategy hundreds of times.

    `only` some checks, by their codes; the others are left out.
    """
    band = fill_band(run.feeds, run.result) if not only or {"band", "break_even"} & set(only) else ()
    asked: list[tuple[str, str, Callable[[], Finding]]] = [
        ("look_ahead", "Look-ahead", lambda: _look_ahead(run, THOROUGH_POINTS if thorough else SAMPLED_POINTS)),
        ("recursive", "Memory", lambda: _recursive(run)),
        ("shuffled", "Order of the bars", lambda: _shuffled(run, THOROUGH_SHUFFLES if thorough else SAMPLED_SHUFFLES)),
        ("gaps", "Gaps in the data", lambda: _gaps(run)),
        ("trades", "Number of trades", lambda: _trades(run)),
        ("few_trades", "Profit of few trades", lambda: _few_trades(run)),
        ("costs", "Costs", lambda: _costs(run)),
        ("break_even", "Break-even cost", lambda: _break_even(run, band)),
        ("band", "Fills and costs", lambda: _band(band)),
        ("interval", "Sharpe ratio's interval", lambda: _interval(run)),
        ("deflated", "Trials and luck", lambda: _deflated(run)),
        ("length", "Length of the test", lambda: _length(run)),
    ]
    chosen = [each for each in asked if not only or each[0] in only]
    return Trust(checks=tuple(_answered(*each) for each in chosen), band=band, thorough=thorough)


def _answered(code: str, title: str, ask: Callable[[], Finding]) -> Check:
    try:
        verdict, sentence, facts = ask()
    except Missing as reason:
        verdict, sentence, facts = Verdict.UNKNOWN, str(reason), {}
    except TidemarkError as problem:
        verdict, sentence, facts = Verdict.UNKNOWN, f"It could not be asked: {problem}", {}
    return Check(code=code, title=title, verdict=verdict, sentence=sentence, facts=facts)


def _look_ahead(run: Examined, points: int) -> Finding:
    found = [
        look_ahead(run.strategy, market, feed.signals, points=points)
        for market, feed in zip(run.markets, run.feeds, strict=True)
    ]
    asked = sum(one.points for one in found)
    facts = {"points": asked, "at_signals": sum(one.at_signals for one in found)}
    leaks = [leak for one in found for leak in one.leaks]
    if leaks:
        return Verdict.BAD, leaks[0].sentence, {**facts, "columns": ", ".join(sorted({one.column for one in leaks}))}
    unanswered = sum(one.unanswered for one in found)
    if unanswered:
        words = f"The strategy failed {unanswered:,} times when it was asked about less history, so it is not cleared."
        return Verdict.DOUBTFUL, words, {**facts, "unanswered": unanswered}
    if not asked:
        raise Missing("There are too few bars to cut any off.")
    return Verdict.GOOD, f"No signal changed when later bars were cut off or changed, at {asked:,} places.", facts


def _recursive(run: Examined) -> Finding:
    if run.strategy.learns:
        raise Missing("It learns from all bars before: another beginning teaches it something else, and is meant to.")
    drifts = recursive(run.strategy, run.markets[0], run.feeds[0].signals)
    if not drifts:
        raise Missing("The history is no longer than the strategy's warm-up.")
    last = drifts[-1]
    moved, drift = last.positions or 0.0, last.indicators or 0.0
    facts = {"bars": last.bars, "positions": moved, "indicators": drift}
    words = (
        f"With a history of {last.bars:,} bars instead of all, {say.percent(moved, 0)} of the last signals are others"
    )
    if last.indicator is not None:
        words += f", and {last.indicator} is {say.percent(drift)} away"
    verdict = Verdict.GOOD if moved <= 0.02 and drift <= 0.01 else Verdict.DOUBTFUL  # as little as rounding and a cross
    return verdict, f"{words}.", facts


def _shuffled(run: Examined, times: int) -> Finding:
    if len(run.feeds) > 1:
        raise Missing("The control is for one symbol.")
    if run.strategy.learns:
        raise Missing(
            "It would have to learn from each of these histories anew. Train a model with the same settings: its card"
            " has a control with shuffled labels."
        )
    feed, market = run.feeds[0], _end_of(run.markets[0], CONTROL_BARS)
    config = run.result.config
    own = _return_on(run.strategy, market, feed, config)
    if own is None:
        raise Missing("The strategy does not trade in the bars of the control.")
    orders = (shuffled(market, seed=run.seed + at) for at in range(times))
    as_well = sum((_return_on(run.strategy, order, feed, config) or 0.0) >= own for order in orders)
    as_good = (1 + as_well) / (1 + times)
    facts = {"bars": len(market), "shuffles": times, "as_good": as_good, "total_return": own}
    words = f"Of {times:,} histories made of the same bars in random order, {as_well:,} did as well"
    verdict = Verdict.GOOD if as_good <= LUCK else Verdict.DOUBTFUL
    return verdict, f"{words} ({len(market):,} bars each).", facts


def _return_on(strategy: TradingStrategy, market: Market, feed: Feed, config: TradingConfig) -> float | None:
    signals = signals_of(type(strategy)(strategy.parameters), market)
    result = backtest([replace(feed, bars=market.bars, signals=signals, detail=None)], _without_detail(config))
    return float(result.equity[-1] / result.start_cash - 1.0) if len(result.trades) else None


def _without_detail(config: TradingConfig) -> TradingConfig:
    return config.model_copy(update={"execution": config.execution.model_copy(update={"detail": None})})


def _end_of(market: Market, bars: int) -> Market:
    columns = {name: values[-bars:] for name, values in market.columns.items()}
    return replace(market, starts=market.starts[-bars:], columns=columns)


def _gaps(run: Examined) -> Finding:
    if not run.quality:
        raise Missing("Nobody compared these bars with the calendar of their market.")
    missing = sum(one.missing for one in run.quality)
    expected = sum(one.expected for one in run.quality)
    suspects = sum(one.suspect_count for one in run.quality)
    facts = {"missing": missing, "expected": expected, "suspects": suspects}
    share = missing / expected if expected else 0.0
    words = f"{missing:,} of {expected:,} bars are missing, and {suspects:,} deserve a second look."
    verdict = Verdict.GOOD if share <= 0.001 else Verdict.DOUBTFUL if share <= 0.02 else Verdict.BAD
    return verdict, words, facts


def _trades(run: Examined) -> Finding:
    count = len(run.result.closed)
    facts = {"trades": count}
    if count == 0:
        return Verdict.BAD, "There is no closed trade, so nothing can be said of the strategy.", facts
    if count < FEW_TRADES:
        return Verdict.DOUBTFUL, f"{count} closed trades are few: below {FEW_TRADES} luck says more than skill.", facts
    return Verdict.GOOD, f"{count:,} closed trades.", facts


def _few_trades(run: Examined) -> Finding:
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


def _costs(run: Examined) -> Finding:
    share = _figure(run, "costs_of_gross_profit")
    words = f"Fees, slippage and interest took {say.percent(share, 0)} of the profit before costs."
    return (Verdict.GOOD if share <= HIGH_COSTS else Verdict.DOUBTFUL), words, {"share": share}


def _break_even(run: Examined, band: Sequence[Band]) -> Finding:
    if not len(run.result.trades):
        raise Missing("There is no trade, so nothing was paid.")
    bps, own = break_even_bps(run.feeds, run.result, band), side_bps(run.result.config.costs)
    if bps is None:
        return Verdict.BAD, "It loses even without any costs.", {"supposed_bps": own}
    facts = {"bps": bps, "supposed_bps": own}
    supposed = f"this run supposes {say.bps(own)} for market orders"
    if bps >= MOST_BPS:
        return Verdict.GOOD, f"Something would be left even at costs of {say.bps(bps)} a side; {supposed}.", facts
    words = f"Traded again at costs of {say.bps(bps)} a side nothing would be left; {supposed}."
    verdict = Verdict.GOOD if bps >= 2 * own and bps >= 1 else Verdict.DOUBTFUL if bps >= own else Verdict.BAD
    return verdict, words, facts


def _band(band: Sequence[Band]) -> Finding:
    returns = [one.total_return for one in band]
    low, high = min(returns), max(returns)
    facts = {"low": low, "high": high}
    words = (
        "From the kindest fills to costs three times as high, the return lies between"
        f" {say.change(high, 1)} and {say.change(low, 1)}."
    )
    verdict = Verdict.GOOD if low > 0 else Verdict.DOUBTFUL if high > 0 else Verdict.BAD
    return verdict, words, facts


def _interval(run: Examined) -> Finding:
    daily = run.analysis.daily
    found = sharpe_interval(daily.returns, daily.periods_a_year, seed=run.seed)
    words = (
        f"The yearly Sharpe ratio lies between {say.ratio(found.low)} and {say.ratio(found.high)}"
        f" in {say.percent(found.level, 0)} of {found.draws:,} histories drawn from blocks of {found.block_days} days."
    )
    facts = {"low": found.low, "high": found.high, "block_days": found.block_days, "draws": found.draws}
    return (Verdict.GOOD if found.low > 0 else Verdict.DOUBTFUL if found.high > 0 else Verdict.BAD), words, facts


def _deflated(run: Examined) -> Finding:
    daily, sharpe = run.analysis.daily, _daily_sharpe(run)
    trials = 1 if run.family is None else max(run.family.trials, 1)
    t_values = np.empty(0) if run.family is None else run.family.t_values
    probability = deflated_sharpe(
        sharpe,
        days=len(daily),
        skew=_figure(run, "skew"),
        kurtosis=_figure(run, "kurtosis"),
        trials=trials,
        spread_of_trials=spread_of(t_values, days=len(daily)),
    )
    tries = "the first trial of this family" if trials == 1 else f"the best of {trials:,} trials of this family"
    sure = say.percent(probability, 0)
    words = f"If it is {tries}, its Sharpe ratio is above what luck shows with a probability of {sure}."
    facts = {"trials": trials, "probability": probability}
    return (Verdict.GOOD if probability >= SURE else Verdict.DOUBTFUL), words, facts


def _length(run: Examined) -> Finding:
    daily, sharpe = run.analysis.daily, _daily_sharpe(run)
    trials = 1 if run.family is None else run.family.trials
    needed = minimum_record_days(sharpe, skew=_figure(run, "skew"), kurtosis=_figure(run, "kurtosis"))
    if trials > 1:
        needed = max(needed, minimum_backtest_days(sharpe, trials=trials, periods_a_year=daily.periods_a_year))
    tries = "trial" if trials == 1 else "trials"
    words = f"It has {len(daily):,} days; for this Sharpe ratio and {trials:,} {tries} at least {needed:,} are needed."
    facts = {"days": len(daily), "needed": needed, "trials": trials}
    return (Verdict.GOOD if len(daily) >= needed else Verdict.DOUBTFUL), words, facts


def _daily_sharpe(run: Examined) -> float:
    return daily_sharpe(run.analysis.daily)


def daily_sharpe(daily: DailyEquity) -> float:
    """Of one day, which is what trials are compared by."""
    return sharpe_of(daily.returns, 1.0)


def _figure(run: Examined, name: str) -> float:
    value = run.analysis.statistics.number(name)
    if value is None:
        raise Missing(run.analysis.statistics.missing.get(name, f"{name} is not known."))
    return value
