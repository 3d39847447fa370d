"""One backtest from beginning to end: a stored form and bars in; signals, fills and figures out.

The command line, notebooks and the runner's children all call `run`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from backend.backtesting.analysis import Analysis, analyse
from backend.backtesting.engine import Feed, Watch, backtest
from backend.backtesting.result import Note, Result
from backend.domain.backtest_errors import CannotReplay
from backend.domain.bars import start_microseconds
from backend.domain.config import RunConfig
from backend.domain.market import ALWAYS, Timeframe
from backend.domain.market_ports import Loaded
from backend.domain.signals import Signals
from backend.domain.strategies.asking import signals_of, trades
from backend.domain.strategies.base import TradingStrategy
from backend.domain.strategies.market import Market, Predictions
from backend.domain.strategies.registry import Listed
from backend.domain.strategy_errors import NeverTrades


@dataclass(frozen=True, kw_only=True, eq=False)
class Run:
    """What a backtest was made from, and what it came to."""

    config: RunConfig
    listed: Listed
    strategy: TradingStrategy
    histories: tuple[Loaded, ...]
    details: Mapping[str, Loaded]
    markets: tuple[Market, ...]  # what the strategy saw, one a symbol
    signals: tuple[Signals, ...]
    result: Result
    analysis: Analysis
    notes: tuple[Note, ...]  # of the engine, and what the run adds to them

    @property
    def timeframe(self) -> Timeframe:
        return self.histories[0].series.timeframe

    @property
    def parameters(self) -> dict[str, Any]:
        """All of them, with those that nobody gave."""
        return self.strategy.parameters.model_dump(mode="json")


def run(
    config: RunConfig,
    histories: Sequence[Loaded],
    listed: Listed,
    *,
    details: Mapping[str, Loaded] = MappingProxyType({}),
    watch: Watch | None = None,
    predictions: Predictions | None = None,
) -> Run:
    """`histories` are the bars of the config's series, `details` shorter ones by symbol; `watch` is told how far it is.
    Strategies that ask models get `predictions`.

    Raises what a person can act on: InvalidParameters, NotEnoughHistory, StrategyFailed, BadSignals, CannotReplay.
    """
    strategy = listed.strategy.given(config.parameters)
    check_together(histories, details, config)
    markets = tuple(markets_of(histories, predictions))
    signals = tuple(signals_of(strategy, market) for market in markets)
    result = backtest(feeds_of(histories, signals, details), config.trading, watch)
    first = histories[0]
    return Run(
        config=config,
        listed=listed,
        strategy=strategy,
        histories=tuple(histories),
        details=dict(details),
        markets=markets,
        signals=signals,
        result=result,
        analysis=analyse(result, timeframe=first.series.timeframe, calendar=first.instrument.calendar),
        notes=(*_silence(strategy, histories, signals), *_simulation(histories), *_gaps(histories), *result.notes),
    )


def check_together(histories: Sequence[Loaded], details: Mapping[str, Loaded], config: RunConfig) -> None:
    """Whether one account can trade them all. Raises CannotReplay."""
    if len({history.series.timeframe for history in histories}) > 1:
        lengths = ", ".join(f"{history.series.symbol} {history.series.timeframe}" for history in histories)
        raise CannotReplay(f"All symbols need bars of the same length. There are {lengths}.")
    if len({history.instrument.calendar for history in histories}) > 1:
        calendars = ", ".join(f"{one.series.symbol} ({one.instrument.calendar})" for one in histories)
        raise CannotReplay(f"All symbols of a run need the same calendar, by which it is annualised: {calendars}.")
    currencies = sorted({history.instrument.currency for history in histories})
    if len(currencies) > 1:
        raise CannotReplay(
            f"One account holds one currency; these symbols are priced in {' and '.join(currencies)}. Run them apart."
        )
    lacking = [one.series.symbol for one in histories if one.series.symbol not in details]
    if config.trading.execution.detail is not None and lacking:
        raise CannotReplay(
            f"The run wants bars of {config.trading.execution.detail} inside its bars; {', '.join(lacking)} has none."
        )


def markets_of(histories: Sequence[Loaded], predictions: Predictions | None = None) -> list[Market]:
    """What the strategy sees of each symbol, with the others beside it."""
    markets = [Market.of(one.bars, one.instrument, one.series.timeframe, predictions=predictions) for one in histories]
    if len(markets) == 1:
        return markets
    others = {(market.symbol, market.timeframe): market for market in markets}
    return [
        Market.of(
            one.bars,
            one.instrument,
            one.series.timeframe,
            others={key: other for key, other in others.items() if key[0] != one.series.symbol},
            predictions=predictions,
        )
        for one in histories
    ]


def feeds_of(histories: Sequence[Loaded], signals: Sequence[Signals], details: Mapping[str, Loaded]) -> list[Feed]:
    """What the engine trades."""
    return [_feed(history, said, details) for history, said in zip(histories, signals, strict=True)]


def _feed(history: Loaded, signals: Signals, details: Mapping[str, Loaded]) -> Feed:
    detail = details.get(history.series.symbol)
    return Feed(
        symbol=history.series.symbol,
        timeframe=history.series.timeframe,
        calendar=history.instrument.calendar,
        bars=history.bars,
        signals=signals,
        tick=history.instrument.tick,
        lot=history.instrument.lot,
        detail=None if detail is None else detail.bars,
        content_hash=history.content_hash,
    )


def _silence(strategy: TradingStrategy, histories: Sequence[Loaded], signals: Sequence[Signals]) -> list[Note]:
    if any(trades(said) for said in signals):
        return []
    bars = sum(len(history.bars) for history in histories)
    problem = NeverTrades(strategy.name, bars=bars, warmup=strategy.warmup_on(histories[0].series.timeframe))
    return [Note(code=problem.code, text=problem.detail)]


def _gaps(histories: Sequence[Loaded]) -> list[Note]:
    """Of markets that never close; when others were open only their calendar knows."""
    found = []
    for one in histories:
        if one.instrument.calendar != ALWAYS:
            continue
        length = one.series.timeframe.seconds * 1_000_000
        lacking = np.diff(start_microseconds(one.bars)) // length - 1
        if not (count := int((lacking > 0).sum())):
            continue
        longest = int(lacking.argmax())
        gaps = f"{count:,} gaps" if count > 1 else "a gap"
        text = (
            f"The bars of {one.series.symbol} have {gaps}: {int(lacking.sum()):,} bars are missing, the longest row of"
            f" them, {int(lacking[longest]):,}, after {one.bars['ts'].iloc[longest]:%Y-%m-%d %H:%M} UTC."
        )
        found.append(Note(code="gaps", text=text, count=count, first_bar=int(np.flatnonzero(lacking > 0)[0])))
    return found


def _simulation(histories: Sequence[Loaded]) -> list[Note]:
    simulated = [one.series.symbol for one in histories if one.instrument.is_simulated]
    if not simulated:
        return []
    return [Note(code="simulated", text=f"The bars of {', '.join(simulated)} are simulated: no market ever made them.")]
