"""A BarStore over Parquet files, one for each of the calendar's periods of a series.

Files never change. A write adds new ones and then switches the manifest, in one rename: whoever reads sees the series
before or after. What it replaced stays for one write more, and who still comes too late reads the manifest again.
"""

import contextlib
import errno
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final, TypeVar

from backend.data.storage.bars import drafts, places
from backend.data.storage.bars.blocks import between, frame_over
from backend.data.storage.bars.decoding import DamagedFile, Decoder, Piece, inspect, pieces_between
from backend.data.storage.bars.files import Damaged
from backend.data.storage.bars.folders import Folder
from backend.data.storage.bars.manifests import Kept
from backend.data.storage.bars.memory import Memory
from backend.data.storage.bars.places import MANIFEST, disk_room
from backend.data.storage.bars.shelves import PATIENCE_SECONDS, Shelves
from backend.data.storage.bars.writing import Write
from backend.domain.format import bytes_
from backend.domain.grid import microseconds, moment, starts_within, time_of
from backend.domain.market import Instrument, Series, Span, joined, missing
from backend.domain.market_errors import NoBars, SeriesDamaged, StorageFailed, StorageFull
from backend.domain.market_ports import FetchedPage, Loaded, Manifest
from backend.domain.ports import Clock

REMEMBERED_BYTES: Final = 256 * 1024**2

_TRIES = 5
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_USED_AGAIN_SECONDS = 60.0
_EVER = 2**62

T = TypeVar("T")


class ParquetBarStore:
    """The bars under one folder. Many processes may have one each; one may be used by many threads.

    `durable` writes last through a loss of power. `remembered_bytes` is how much of what was decoded is kept in memory.
    `on_read` hears of each read where its bars were: "remembered" in memory, "decoded" from the disk, or "nothing".
    """

    def __init__(
        self,
        root: Path,
        clock: Clock,
        *,
        durable: bool = True,
        remembered_bytes: int = REMEMBERED_BYTES,
        patience_seconds: float = PATIENCE_SECONDS,
        threads: int | None = None,
        on_read: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.shelves = Shelves(root, clock, durable=durable, patience_seconds=patience_seconds)
        self._on_read = on_read
        self._decoder = Decoder(Memory(remembered_bytes), threads=threads, on_read=on_read)
        self._touched: dict[Series, float] = {}

    def manifest(self, series: Series) -> Manifest | None:
        return self._look(series, lambda folder, kept: kept.public(_used_at(folder)))

    def manifests(self) -> Sequence[Manifest]:
        found = []
        for series in places.all_series(self.shelves.root):
            with contextlib.suppress(StorageFailed):
                found.append(self.manifest(series))
        return [manifest for manifest in found if manifest is not None]

    def all_series(self) -> Sequence[Series]:
        return list(places.all_series(self.shelves.root))

    def problem(self, series: Series) -> str | None:
        try:
            if self.manifest(series) is not None or not self.shelves.was_set_aside(series):
                return None
        except StorageFailed as problem:
            return problem.detail
        remedy = "Download it again" if series.is_refetchable else "Import its file again"
        return f"Its manifest was not what was written, so all of it is set aside. {remedy}."

    def problems(self) -> Mapping[Series, str]:
        found = {*places.all_series(self.shelves.root), *self.shelves.all_set_aside()}
        return {series: problem for series in found if (problem := self.problem(series)) is not None}

    def read(self, series: Series, span: Span | None = None) -> Loaded:
        with self._saying_what_the_disk_refused(series):
            try:
                return self._read(series, span)
            except NoBars:
                self._on_read("nothing")
                raise

    def missing(self, series: Series, wanted: Span) -> tuple[Span, ...]:
        def gaps(_: Folder, kept: Kept) -> tuple[Span, ...]:
            timeframe, calendar = series.timeframe, kept.instrument.calendar
            unknown = missing(starts_within(wanted, timeframe, calendar), kept.known)
            return joined(time_of(gap, timeframe, calendar) for gap in unknown)

        self._set_lost_files_aside(series)
        found = self._look(series, gaps)
        return joined([wanted]) if found is None else found

    def write(self, instrument: Instrument, series: Series, *pages: FetchedPage, source: str) -> Manifest:
        write = _write(instrument, series, pages, source)

        def work(folder: Folder) -> Manifest:
            return write.into(folder, self.shelves, self._decoder).public(_used_at(folder))

        with self._saying_what_the_disk_refused(series):
            return self.shelves.exclusively(series, work)

    def renew(
        self, instrument: Instrument, series: Series, *pages: FetchedPage, source: str, instead_of: Manifest
    ) -> Manifest | None:
        write = _write(instrument, series, pages, source)

        def work(folder: Folder) -> Manifest | None:
            before = self.shelves.mended(folder, series)
            if before is None or not before.public(_used_at(folder)).has_the_bars_of(instead_of):
                return None
            return write.instead(before, folder, self.shelves, self._decoder).public(_used_at(folder))

        with self._saying_what_the_disk_refused(series):
            return self.shelves.look_exclusively(series, work)

    def verify(self, series: Series, progress: Callable[[int, int], None] | None = None) -> Mapping[str, str]:
        with self._saying_what_the_disk_refused(series):
            try:
                with self.shelves.opened(series) as folder:
                    kept = self.shelves.kept(folder, series)
                    suspects = _inspected(folder, kept, progress or _nobody) if kept else {}
            except FileNotFoundError:
                return {}
            except Damaged as damage:
                self._set_all_aside(series)
                return {MANIFEST: str(damage)}
            return self.shelves.without_damage(series, suspects) if suspects else {}

    def delete(self, series: Series) -> bool:
        self._touched.pop(series, None)
        self._decoder.forget(self.shelves.path(series))
        with self._saying_what_the_disk_refused(series):
            return self.shelves.remove(series)

    def _read(self, series: Series, span: Span | None) -> Loaded:
        problem: DamagedFile | None = None
        for attempt in range(_TRIES):
            try:
                return self._read_once(series, span, steady=attempt == _TRIES - 1)
            except FileNotFoundError:
                raise _nothing(series) from None
            except Damaged as damage:
                self._set_all_aside(series)
                raise _damaged(series, {MANIFEST: str(damage)}) from damage
            except DamagedFile as damage:
                problem = damage
                if found := self._still_damaged(series, damage):
                    raise _damaged(series, found) from damage
        raise SeriesDamaged(f"{series} cannot be read: {problem}.")

    def _read_once(self, series: Series, span: Span | None, *, steady: bool) -> Loaded:
        with self.shelves.opened(series, steady=steady) as folder:
            kept = self.shelves.kept(folder, series)
            if kept is None:
                raise FileNotFoundError
            first, last = _starts_of(span, series)
            pieces = pieces_between(kept.files, first, last)
            block = between(self._decoder.block(folder, kept, pieces), first, last + 1) if pieces else None
            self._touch(folder, series)
        if block is None or not block.size:
            raise _nothing(series, span, kept)
        return Loaded(
            series=series,
            instrument=kept.instrument,
            bars=frame_over(block),
            known_hashes=_hashes(pieces, first, last),
        )

    def _still_damaged(self, series: Series, damage: DamagedFile) -> Mapping[str, str]:
        """Most often a file that is not there belongs to the series before a write: then there is no damage at all."""
        is_named = self._look(series, lambda _, kept: damage.name in kept.file_names())
        return self.shelves.without_damage(series, {damage.name: damage.reason}) if is_named else {}

    def _set_lost_files_aside(self, series: Series) -> None:
        """Those that are not there, or cut: who asks what is missing reads none of them."""

        def suspects(folder: Folder, kept: Kept) -> dict[str, str]:
            return {file.name: "" for file in kept.files if folder.size(file.name) != file.size_bytes}

        with self._saying_what_the_disk_refused(series):
            if found := self._look(series, suspects):
                self.shelves.without_damage(series, found)

    def _look(self, series: Series, what: Callable[[Folder, Kept], T]) -> T | None:
        """What one finds in a series; None where nothing is stored, or nothing that can be believed."""
        with self._saying_what_the_disk_refused(series):
            try:
                with self.shelves.opened(series) as folder:
                    kept = self.shelves.kept(folder, series)
                    return None if kept is None else what(folder, kept)
            except FileNotFoundError:
                return None
            except Damaged:
                self._set_all_aside(series)
                return None

    def _set_all_aside(self, series: Series) -> None:
        """Of a series whose manifest is damaged, unless somebody else has done it."""
        self.shelves.look_exclusively(series, lambda folder: self.shelves.mended(folder, series))

    def _touch(self, folder: Folder, series: Series) -> None:
        now = self.shelves.clock.now().timestamp()
        if now - self._touched.get(series, 0.0) >= _USED_AGAIN_SECONDS:
            self._touched[series] = now
            folder.touch(now)

    @contextlib.contextmanager
    def _saying_what_the_disk_refused(self, series: Series) -> Iterator[None]:
        try:
            yield
        except OSError as problem:
            if problem.errno not in _NO_ROOM:
                raise StorageFailed(
                    f"The disk refused to let us use {series}: {problem.strerror}. An operator has to look at"
                    " the folder of market data."
                ) from problem
            free = disk_room(self.shelves.root).free_bytes
            raise StorageFull(
                f"The disk took no more of {series}; {bytes_(free)} are free. What was stored before is untouched."
                " Make room on the disk, or delete series that nobody needs."
            ) from problem


def _write(instrument: Instrument, series: Series, pages: Sequence[FetchedPage], source: str) -> Write:
    checked = [drafts.checked(page, series.timeframe, instrument.calendar) for page in pages]
    return Write(instrument=instrument, series=series, pages=checked, source=source)


def _starts_of(span: Span | None, series: Series) -> tuple[int, int]:
    """The first and the last start of bars that lie wholly within the span."""
    if span is None:
        return -_EVER, _EVER
    return microseconds(span.start), microseconds(span.end) - series.timeframe.seconds * 1_000_000


def _hashes(pieces: Sequence[Piece], first: int, last: int) -> dict[int, str]:
    files = [piece.file for piece in pieces]
    return {file.period: file.content_hash for file in files if file.first >= first and file.last <= last}


def _inspected(folder: Folder, kept: Kept, progress: Callable[[int, int], None]) -> dict[str, str]:
    suspects = {}
    for done, file in enumerate(kept.files, start=1):
        if reason := inspect(folder, file):
            suspects[file.name] = reason
        progress(done, len(kept.files))
    return suspects


def _nobody(_done: int, _of: int) -> None:
    """Hears of the progress when nobody else does."""


def _used_at(folder: Folder) -> datetime:
    return datetime.fromtimestamp(folder.touched(), UTC)


def _nothing(series: Series, span: Span | None = None, kept: Kept | None = None) -> NoBars:
    if kept is None or not kept.files:
        remedy = "Download it first." if series.is_refetchable else "Import a file first."
        return NoBars(f"Nothing of {series} is stored. {remedy}")
    first, last = (f"{moment(at):%Y-%m-%d %H:%M}" for at in (kept.files[0].first, kept.files[-1].last))
    asked = "" if span is None else f" from {span.start:%Y-%m-%d %H:%M} to {span.end:%Y-%m-%d %H:%M}"
    return NoBars(f"{series} has no bars{asked}. Stored are {kept.rows:,} bars from {first} to {last} UTC.")


def _damaged(series: Series, damage: Mapping[str, str]) -> SeriesDamaged:
    names = "; ".join(f"{name}: {reason}" for name, reason in damage.items())
    return SeriesDamaged(
        f"Stored bars of {series} are not what was written ({names}). They are set aside, and their time counts as"
        " missing: download it again, or import it where it came from a file."
    )
