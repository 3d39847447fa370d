"""What a run will take and whether it can be run at all, found out before it is queued. No transaction is open."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from uuid import UUID

from backend.domain.backtest_errors import BarsMissing
from backend.domain.backtests import Plan
from backend.domain.config import RunConfig, SeriesConfig
from backend.domain.errors import InputError, InvalidInput, NotFound, TidemarkError
from backend.domain.forecast import Forecasts
from backend.domain.jobs import KINDS, Demand, JobKind
from backend.domain.market import IMPORT, Instrument, Series, Span
from backend.domain.market_errors import MarketDataError
from backend.domain.market_ports import BarStore, Manifest
from backend.domain.ports import Clock
from backend.domain.strategies.registry import StrategyRegistry
from backend.domain.strategy_errors import StrategyError
from backend.services.bar_library import BarLibrary
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


@dataclass(frozen=True, kw_only=True)
class _Part:
    """One series of a run."""

    series: Series
    instrument: Instrument
    span: Span
    bars: int
    made_minutes: int  # of a simulated market, which have to be made before its bars are there


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
        self._markets = markets
        self._store = store
        self._library = library
        self._forecasts = forecasts
        self._clock = clock
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
        parts = [await self._part(config, place, owner) for place in range(len(config.series))]
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
            notes=tuple(f"{part.series.symbol} is simulated." for part in parts if part.instrument.is_simulated),
        )

    async def _seconds(self, kind: JobKind, work: float) -> float:
        """From the runs of this installation; before the first one, from the pace of the machine."""
        learned = self._forecasts.expected(kind, work)
        if learned is not None:
            return learned
        return await asyncio.to_thread(self._pace) * (_FIRST_SECONDS + _SECONDS_A_BAR * work)

    def _require_strategy(self, config: RunConfig) -> None:
        with _at("/strategy"):
            listed = self._strategies.get(config.strategy)
        # Its own errors point at each parameter.
        listed.strategy.given(config.parameters)

    async def _part(self, config: RunConfig, place: int, owner: UUID) -> _Part:
        wanted = config.series[place]
        with _at(f"/series/{place}"):
            series = series_of(wanted, owner)
            manifest = await asyncio.to_thread(self._store.manifest, series)
            instrument = manifest.instrument if manifest else await self._instrument(series)
        span, missing = await asyncio.to_thread(self._span, config, series, manifest, place)
        bars = await asyncio.to_thread(self._library.count, instrument, series, span)
        if not bars:
            detail = f"{series} has no bars from {span.start:%Y-%m-%d} to {span.end:%Y-%m-%d}. Choose another range."
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        minutes = int((span.end - span.start).total_seconds() // 60) if missing else 0
        return _Part(series=series, instrument=instrument, span=span, bars=bars, made_minutes=minutes)

    async def _instrument(self, series: Series) -> Instrument:
        if series.provider == IMPORT:
            raise NotFound(f"You have no imported series {series.symbol} {series.timeframe}. Import a file first.")
        return await self._markets.instrument_of(series)

    def _span(
        self, config: RunConfig, series: Series, manifest: Manifest | None, place: int
    ) -> tuple[Span, Sequence[Span]]:
        """What of the wanted range there is, and what of it a simulated market has to make; looks at the disk.

        Refuses what would have to be fetched first.
        """
        now = self._clock.now()
        first, last = (manifest.first, manifest.last) if manifest else (None, None)
        start = config.start or first
        if start is None:
            raise BarsMissing(
                [InputError(pointer="/start", detail=f"Nothing of {series} is stored, so say where to begin.")]
            )
        if start >= now:
            raise InvalidInput([InputError(pointer="/start", detail=f"It is {now:%Y-%m-%d %H:%M} UTC now.")])
        end = min(config.end or (last + series.timeframe.length if last else now), now)
        span = Span(start=start, end=_whole(max(end, start)))
        missing = self._store.missing(series, span)
        if missing and not self._is_simulated(series):
            raise BarsMissing([InputError(pointer=f"/series/{place}", detail=_missing_words(series, missing))])
        return span, missing

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
            await asyncio.to_thread(self._span, config, shorter, manifest, place)

    def _is_simulated(self, series: Series) -> bool:
        return any(one.is_simulated and one.name == series.provider for one in self._markets.providers())


def series_of(wanted: SeriesConfig, owner: UUID) -> Series:
    """What is imported is looked for among the owner's own, whoever asks."""
    return Series(
        provider=wanted.provider,
        symbol=wanted.symbol,
        timeframe=wanted.timeframe,
        adjustment=wanted.adjustment,
        owner=owner if wanted.provider == IMPORT else None,
    )


@contextmanager
def _at(pointer: str) -> Iterator[None]:
    """What is wrong below, as the fault of this field."""
    try:
        yield
    except InvalidInput:
        raise
    except (MarketDataError, NotFound, StrategyError, ValueError) as problem:
        detail = problem.detail if isinstance(problem, TidemarkError) else f"{problem}."
        raise InvalidInput([InputError(pointer=pointer, detail=detail)]) from problem


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


def _require_one_currency(parts: Sequence[_Part]) -> None:
    for name in ("currency", "calendar"):
        kinds = sorted({str(getattr(part.instrument, name)) for part in parts})
        if len(kinds) > 1:
            detail = f"All symbols of a run need one {name}; these have {' and '.join(kinds)}. Run them apart."
            raise InvalidInput([InputError(pointer="/series", detail=detail)])


def _whole(end: datetime) -> datetime:
    """Cut to the minute: what is asked for later shall find the same bars."""
    return end.replace(second=0, microsecond=0)


def _missing_words(series: Series, missing: Sequence[Span]) -> str:
    first, last = missing[0].start, missing[-1].end
    return f"{series}: bars between {first:%Y-%m-%d} and {last:%Y-%m-%d} are not stored. Download them first."
