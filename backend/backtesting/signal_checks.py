"""Is it built without a fault? Whether signals know what is to come, or hang on the beginning or the order of bars."""

from dataclasses import replace
from typing import Final

from backend.backtesting import guards
from backend.backtesting.engine import Feed, backtest
from backend.backtesting.examined import Examined, Finding
from backend.backtesting.verdicts import Verdict
from backend.domain import format as say
from backend.domain.config import TradingConfig
from backend.domain.strategies.asking import signals_of
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market
from backend.domain.trading.statistics import Missing

# The control asks about the last bars only.
CONTROL_BARS: Final = 20_000
LUCK: Final = 0.05


def look_ahead(run: Examined, points: int | None) -> Finding:
    found = [
        guards.look_ahead(run.strategy, market, feed.signals, points=points)
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


def recursive(run: Examined) -> Finding:
    if run.strategy.learns:
        raise Missing("It learns from all bars before: another beginning teaches it something else, and is meant to.")
    drifts = guards.recursive(run.strategy, run.markets[0], run.feeds[0].signals)
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
    settled = moved <= 0.02 and drift <= 0.01  # as little as rounding and a cross
    if not run.strategy.warmup_on(run.markets[0].timeframe) and not settled:
        words += ". It declares no warm-up: if it needs more bars than that, say so in warmup()"
    return Verdict.GOOD if settled else Verdict.DOUBTFUL, f"{words}.", facts


def shuffled(run: Examined, times: int) -> Finding:
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
    orders = (guards.shuffled(market, seed=run.seed + at) for at in range(times))
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


def gaps(run: Examined) -> Finding:
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
