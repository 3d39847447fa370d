"""An in-memory twin of the market cache. It passes the contract tests of its ports (tests/contracts)."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import numpy as np
import pandas as pd

from backend.domain.bars import COLUMNS, TS_DTYPE, content_hash, empty_bars, frame_of, start_microseconds
from backend.domain.grid import microseconds, moment, starts_within, time_of
from backend.domain.market import Instrument, Series, Span, joined, missing
from backend.domain.market_errors import BadBars, BadRow, NoBars
from backend.domain.market_ports import DiskRoom, FetchedPage, Loaded, Manifest
from backend.domain.ports import Clock
from tests.fakes import FakeClock

BYTES_A_BAR = 48


@dataclass(frozen=True, kw_only=True)
class FakeKept:
    instrument: Instrument
    bars: pd.DataFrame
    known: tuple[Span, ...]
    source: str
    fetched_at: datetime
    used_at: datetime


class FakeBarStore:
    """A BarStore whose series are frames in a dict."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.kept: dict[Series, FakeKept] = {}

    def manifest(self, series: Series) -> Manifest | None:
        kept = self.kept.get(series)
        return None if kept is None else _manifest(series, kept)

    def manifests(self) -> Sequence[Manifest]:
        return [_manifest(series, kept) for series, kept in self.kept.items()]

    def all_series(self) -> Sequence[Series]:
        return list(self.kept)

    def problem(self, series: Series) -> str | None:
        return None

    def problems(self) -> Mapping[Series, str]:
        return {}

    def read(self, series: Series, span: Span | None = None) -> Loaded:
        kept = self.kept.get(series)
        if kept is None:
            raise NoBars(f"Nothing of {series} is stored. Download it first.")
        found = kept.bars if span is None else kept.bars[_is_within(kept.bars, span, series)].reset_index(drop=True)
        if found.empty:
            raise NoBars(f"{series} has no bars from there to there.")
        self.kept[series] = replace(kept, used_at=self.clock.now())
        return Loaded(series=series, instrument=kept.instrument, bars=_fixed(found))

    def missing(self, series: Series, wanted: Span) -> tuple[Span, ...]:
        kept = self.kept.get(series)
        if kept is None:
            return joined([wanted])
        calendar = kept.instrument.calendar
        gaps = missing(starts_within(wanted, series.timeframe, calendar), kept.known)
        return joined(time_of(gap, series.timeframe, calendar) for gap in gaps)

    def write(self, instrument: Instrument, series: Series, *pages: FetchedPage, source: str) -> Manifest:
        for page in pages:
            _check(page, series)
        before = self.kept.get(series)
        bars = before.bars if before else empty_bars()
        known = list(before.known) if before else []
        for page in pages:
            bars = pd.concat([bars[~_is_within(bars, page.covered, series)], page.bars]).sort_values("ts")
            known.append(starts_within(page.covered, series.timeframe, instrument.calendar))
        self.kept[series] = FakeKept(
            instrument=instrument,
            bars=bars.reset_index(drop=True),
            known=joined(known),
            source=source,
            fetched_at=self.clock.now(),
            used_at=self.clock.now(),
        )
        return _manifest(series, self.kept[series])

    def renew(
        self, instrument: Instrument, series: Series, *pages: FetchedPage, source: str, instead_of: Manifest
    ) -> Manifest | None:
        for page in pages:
            _check(page, series)
        present = self.manifest(series)
        if present is None or not present.has_the_bars_of(instead_of):
            return None
        del self.kept[series]
        return self.write(instrument, series, *pages, source=source)

    def verify(self, series: Series, progress: Callable[[int, int], None] | None = None) -> Mapping[str, str]:
        if progress is not None and series in self.kept:
            progress(1, 1)
        return {}

    def delete(self, series: Series) -> bool:
        return self.kept.pop(series, None) is not None


class FakeBarHousekeeping:
    """A BarHousekeeping over such a store, on a disk of any size."""

    def __init__(self, store: FakeBarStore, room: DiskRoom | None = None) -> None:
        self._store = store
        self.disk = room or DiskRoom(total_bytes=10**12, free_bytes=10**11)

    def used_bytes(self) -> Mapping[UUID | None, int]:
        used: dict[UUID | None, int] = {}
        for manifest in self._store.manifests():
            used[manifest.series.owner] = used.get(manifest.series.owner, 0) + manifest.size_bytes
        return used

    def evict(self, budget_bytes: int, *, owner: UUID | None = None) -> Sequence[Manifest]:
        kept = [one for one in self._store.manifests() if owner is None or one.series.owner == owner]
        found = [one for one in kept if one.series.is_refetchable]
        used, gone = sum(one.size_bytes for one in found), []
        for manifest in sorted(found, key=lambda one: one.used_at):
            if used > budget_bytes:
                self._store.delete(manifest.series)
                used -= manifest.size_bytes
                gone.append(manifest)
        return gone

    def sweep(self) -> int:
        return 0

    def room(self) -> DiskRoom:
        return self.disk


def _manifest(series: Series, kept: FakeKept) -> Manifest:
    starts = start_microseconds(kept.bars)
    return Manifest(
        series=series,
        instrument=kept.instrument,
        covered=joined(time_of(span, series.timeframe, kept.instrument.calendar) for span in kept.known),
        rows=len(kept.bars),
        size_bytes=len(kept.bars) * BYTES_A_BAR,
        first=moment(int(starts[0])) if len(starts) else None,
        last=moment(int(starts[-1])) if len(starts) else None,
        content_hash=content_hash(kept.bars, series.timeframe),
        source=kept.source,
        fetched_at=kept.fetched_at,
        used_at=kept.used_at,
    )


def _is_within(bars: pd.DataFrame, span: Span, series: Series) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    starts = start_microseconds(bars)
    latest = microseconds(span.end) - series.timeframe.seconds * 1_000_000
    within: np.ndarray[tuple[int], np.dtype[np.bool_]] = (starts >= microseconds(span.start)) & (starts <= latest)
    return within


def _check(page: FetchedPage, series: Series) -> None:
    if list(page.bars.columns) != ["ts", *COLUMNS] or str(page.bars["ts"].dtype) != TS_DTYPE:
        raise ValueError("this is no bar frame")
    starts = start_microseconds(page.bars)
    bad = np.r_[False, starts[1:] <= starts[:-1]][: len(starts)] | ~_is_within(page.bars, page.covered, series)
    if bad.any():
        first = BadRow(position=int(np.flatnonzero(bad)[0]), reason="out of order, or not wholly covered")
        raise BadBars([first], count=int(bad.sum()), of=len(starts))


def _fixed(bars: pd.DataFrame) -> pd.DataFrame:
    """A copy that nobody can change."""
    arrays = [np.array(start_microseconds(bars)), *(bars[name].to_numpy(copy=True) for name in COLUMNS)]
    for array in arrays:
        array.flags.writeable = False
    return frame_of(arrays[0], dict(zip(COLUMNS, arrays[1:], strict=True)))
