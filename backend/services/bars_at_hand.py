"""Which bars of a range are there to compute with, found out before a job is queued. No transaction is open."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from backend.domain.backtest_errors import BarsMissing
from backend.domain.config import SeriesConfig
from backend.domain.errors import InputError, InvalidInput, NotFound, TidemarkError
from backend.domain.market import IMPORT, Instrument, Series, Span
from backend.domain.market_errors import MarketDataError
from backend.domain.market_ports import BarStore, Manifest
from backend.domain.ports import Clock
from backend.domain.strategy_errors import StrategyError
from backend.services.bar_library import BarLibrary
from backend.services.markets import Markets


@dataclass(frozen=True, kw_only=True)
class AtHand:
    """One series over a range: stored, or of a simulated market."""

    series: Series
    instrument: Instrument
    span: Span
    bars: int
    made_minutes: int  # of a simulated market, which have to be made before its bars are there


class BarsAtHand:
    """One per process."""

    def __init__(self, markets: Markets, store: BarStore, library: BarLibrary, clock: Clock) -> None:
        self._markets = markets
        self._store = store
        self._library = library
        self._clock = clock

    async def find(
        self, wanted: SeriesConfig, owner: UUID, start: datetime | None, end: datetime | None, *, pointer: str
    ) -> AtHand:
        """Raises InvalidInput with a pointer to what is wrong, BarsMissing where bars must be fetched first."""
        with at(pointer):
            series = series_of(wanted, owner)
            manifest = await asyncio.to_thread(self._store.manifest, series)
            instrument = manifest.instrument if manifest else await self._instrument(series)
        span, missing = await asyncio.to_thread(self.span, series, manifest, start, end, pointer)
        bars = await asyncio.to_thread(self._library.count, instrument, series, self._closed(series, span))
        if not bars:
            detail = f"{series} has no bars from {span.start:%Y-%m-%d} to {span.end:%Y-%m-%d}. Choose another range."
            raise InvalidInput([InputError(pointer="/start", detail=detail)])
        minutes = int((span.end - span.start).total_seconds() // 60) if missing else 0
        return AtHand(series=series, instrument=instrument, span=span, bars=bars, made_minutes=minutes)

    def span(
        self,
        series: Series,
        manifest: Manifest | None,
        wanted_start: datetime | None,
        wanted_end: datetime | None,
        pointer: str,
    ) -> tuple[Span, Sequence[Span]]:
        """What of the wanted range there is, and what of it a simulated market has to make; looks at the disk.

        Refuses what would have to be fetched first.
        """
        now = self._clock.now()
        first, last = (manifest.first, manifest.last) if manifest else (None, None)
        start = wanted_start or first
        if start is None:
            raise BarsMissing(
                [InputError(pointer="/start", detail=f"Nothing of {series} is stored, so say where to begin.")]
            )
        if start >= now:
            raise InvalidInput([InputError(pointer="/start", detail=f"It is {now:%Y-%m-%d %H:%M} UTC now.")])
        end = min(wanted_end or (last + series.timeframe.length if last else now), now)
        span = Span(start=start, end=_whole(max(end, start)))
        missing = self._store.missing(series, span)
        if missing and not self.is_simulated(series.provider):
            raise BarsMissing([InputError(pointer=pointer, detail=_missing_words(series, missing))])
        return span, missing

    def _closed(self, series: Series, span: Span) -> Span:
        """Without the bar that is under way: a simulated market would have it, and no run gets it."""
        if not self.is_simulated(series.provider):
            return span
        until = series.timeframe.floor(self._clock.now())
        return Span(start=span.start, end=max(min(span.end, until), span.start))

    def is_simulated(self, provider: str) -> bool:
        return any(one.is_simulated and one.name == provider for one in self._markets.providers())

    async def _instrument(self, series: Series) -> Instrument:
        if series.provider == IMPORT:
            raise NotFound(f"You have no imported series {series.symbol} {series.timeframe}. Import a file first.")
        return await self._markets.instrument_of(series)


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
def at(pointer: str) -> Iterator[None]:
    """What is wrong below, as the fault of this field."""
    try:
        yield
    except InvalidInput:
        raise
    except (MarketDataError, NotFound, StrategyError, ValueError) as problem:
        detail = problem.detail if isinstance(problem, TidemarkError) else f"{problem}."
        raise InvalidInput([InputError(pointer=pointer, detail=detail)]) from problem


def _whole(end: datetime) -> datetime:
    """Cut to the minute: what is asked for later shall find the same bars."""
    return end.replace(second=0, microsecond=0)


def _missing_words(series: Series, missing: Sequence[Span]) -> str:
    first, last = missing[0].start, missing[-1].end
    return f"{series}: bars between {first:%Y-%m-%d} and {last:%Y-%m-%d} are not stored. Download them first."
