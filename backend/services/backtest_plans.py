"""What a run will take and whether it can be run at all, found out before it is queued. No transaction is open."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from uuid import UUID

from backend.domain.backtests import Plan
from backend.domain.config import RunConfig
from backend.domain.errors import InputError, InvalidInput
from backend.domain.forecast import FEWEST_FOR_A_FIXED_PART, Forecasts
from backend.domain.jobs import KINDS, Demand, JobKind
from backend.domain.market_ports import BarStore
from backend.domain.ports import Clock
from backend.domain.strategies.registry import StrategyRegistry
from backend.services.bar_library import BarLibrary
from backend.services.bars_at_hand import AtHand, BarsAtHand, at, series_of
from backend.services.machine_pace import machine_pace
from backend.services.markets import Markets

MOST_BARS: Final = 20_000_000
# Measured, of runs of 1,000 to 1,000,000 bars: what a run holds beside its child, in bars, signals, equity and trades.
_BYTES_A_BAR: Final = 320
# A simulated market is made minute by minute, whatever its bars; so many of them cost as much as one bar of a run.
_MINUTES_A_BAR: Final = 8
# A study keeps the figures of each trial, and makes a trial in a small part of the time that a whole run takes.
_BYTES_A_TRIAL: Final = 1_000
_SHARE_OF_A_TRIAL: Final = 0.01
_STUDIES: Final = (JobKind.SWEEP, JobKind.OPTIMIZE, JobKind.WALK_FORWARD)
# Before any run was completed here, on a machine of pace 1; then the installation learns from its own.
_FIRST_SECONDS: Final = 0.1
_SECONDS_A_BAR: Final = 1.2e-6


class BacktestPlanner:
    """One per process."""

    def __init__(
        self,
        *,
        strategies: StrategyRegistry,
        markets: Markets,
        store: BarStore,
        library: BarLibrary,
        forecasts: Forecasts,
        clock: Clock,
        pace: Callable[[], float] = machine_pace,
    ) -> None:
        self._strategies = strategies
        self._store = store
        self._at_hand = BarsAtHand(markets, store, library, clock)
        self._forecasts = forecasts
        self._pace = pace

    async def plan(
        self,
        config: RunConfig,
        owner: UUID,
        *,
        kind: JobKind = JobKind.BACKTEST,
        trials: Callable[[int], int] = lambda _: 1,
    ) -> Plan:
        """Raises InvalidInput with a pointer to the field that is wrong, BarsMissing where bars must be fetched first.

        `trials` says of a number of bars how often they are traded. The range is written down as it is now, so that
        the run means the same bars whenever it is made again.
        """
        _require_one_of_each(config)
        await asyncio.to_thread(self._require_strategy, config)
        parts = [
            await self._at_hand.find(one, owner, config.start, config.end, pointer=f"/series/{place}")
            for place, one in enumerate(config.series)
        ]
        await self._require_detail(config, owner)
        bars = sum(part.bars for part in parts)
        if bars > MOST_BARS:
            detail = f"That is {bars:,} bars; one run takes at most {MOST_BARS:,}. Choose a shorter range."
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        _require_one_currency(parts)
        first, last = min(part.span.start for part in parts), max(part.span.end for part in parts)
        runs = await asyncio.to_thread(trials, bars)
        made = sum(part.made_minutes for part in parts) // _MINUTES_A_BAR
        work = float(made + bars * (1 + runs * _SHARE_OF_A_TRIAL if kind in _STUDIES else 1))
        usual = KINDS[kind].demand
        return Plan(
            config=config.model_copy(update={"start": first, "end": last}),
            bars=bars,
            first=first,
            last=last,
            demand=Demand(
                cores=usual.cores,
                memory_bytes=usual.memory_bytes + _BYTES_A_BAR * bars + _BYTES_A_TRIAL * (runs if runs > 1 else 0),
            ),
            seconds=await self._seconds(kind, work),
            work_units=work,
            trials=runs,
            notes=(
                *(f"{part.series.symbol} is simulated." for part in parts if part.instrument.is_simulated),
                *self._doubts(kind),
            ),
        )

    async def _seconds(self, kind: JobKind, work: float) -> float:
        """From the runs of this installation; before the first one, from the pace of the machine."""
        learned = self._forecasts.expected(kind, work)
        if learned is not None:
            return learned
        return await asyncio.to_thread(self._pace) * (_FIRST_SECONDS + _SECONDS_A_BAR * work)

    def _doubts(self, kind: JobKind) -> Iterator[str]:
        """Studies differ a thousandfold in size: from few of them, how long another takes is a guess."""
        known = next((each.jobs for each in self._forecasts.history() if each.kind is kind), 0)
        if kind in _STUDIES and known < FEWEST_FOR_A_FIXED_PART:
            few = f"{known or 'none'} of its kind {'were' if known > 1 else 'was'}"
            yield f"How long it takes is a guess: {few} completed here until now."

    def _require_strategy(self, config: RunConfig) -> None:
        with at("/strategy"):
            listed = self._strategies.get(config.strategy)
        # Its own errors point at each parameter.
        listed.strategy.given(config.parameters)

    async def _require_detail(self, config: RunConfig, owner: UUID) -> None:
        detail = config.trading.execution.detail
        if detail is None:
            return
        for place, wanted in enumerate(config.series):
            if not wanted.timeframe.can_be_made_from(detail):
                raise InvalidInput(
                    [
                        InputError(
                            pointer="/trading/execution/detail",
                            detail=f"Bars of {detail} do not fit into bars of {wanted.timeframe}.",
                        )
                    ]
                )
            shorter = series_of(wanted.model_copy(update={"timeframe": detail}), owner)
            manifest = await asyncio.to_thread(self._store.manifest, shorter)
            await asyncio.to_thread(self._at_hand.span, shorter, manifest, config.start, config.end, f"/series/{place}")


def _require_one_of_each(config: RunConfig) -> None:
    """As the engine wants them, said before anything is queued."""
    first = config.series[0]
    problems, seen = [], set()
    for place, one in enumerate(config.series):
        if one.symbol in seen:
            detail = f"{one.symbol} is there twice. Name each symbol once."
            problems.append(InputError(pointer=f"/series/{place}/symbol", detail=detail))
        if one.timeframe is not first.timeframe:
            detail = f"All symbols need bars of the same length. The first has {first.timeframe}, this {one.timeframe}."
            problems.append(InputError(pointer=f"/series/{place}/timeframe", detail=detail))
        seen.add(one.symbol)
    if problems:
        raise InvalidInput(problems)


def _require_one_currency(parts: Sequence[AtHand]) -> None:
    for name in ("currency", "calendar"):
        kinds = sorted({str(getattr(part.instrument, name)) for part in parts})
        if len(kinds) > 1:
            detail = f"All symbols of a run need one {name}; these have {' and '.join(kinds)}. Run them apart."
            raise InvalidInput([InputError(pointer="/series", detail=detail)])
