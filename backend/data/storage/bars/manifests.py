"""What is stored of a series, as the file that says so: the one place that makes its Parquet files count.

It carries its own hash, so that a cut or an edit is seen. A file that it does not name is rubbish.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, NamedTuple

from backend.data.storage.bars.files import Damaged
from backend.domain.bars import joined_hash
from backend.domain.grid import microseconds, moment, time_of
from backend.domain.market import Instrument, Series, Span, joined, missing
from backend.domain.market_errors import StorageFailed
from backend.domain.market_ports import Manifest
from backend.domain.periods import period_begin

_FORMAT: Final = 1
_HEAD: Final = b'{"sha256":"'
_MIDDLE: Final = b'","manifest":'
_TAIL: Final = b"}\n"
_BODY_AT: Final = len(_HEAD) + 64 + len(_MIDDLE)


class KeptFile(NamedTuple):
    """One period's file, as it was when it was written. A series may have hundreds: tuples are made quickly."""

    name: str
    period: int
    rows: int
    group_starts: Sequence[int]  # the first start in each group of rows
    last: int
    step: int | None  # from each start to the next, where it is always the same
    size_bytes: int
    crc32: int
    content_hash: str  # of the bars in it
    encoding: str  # for people: the file itself says it to programs

    @property
    def first(self) -> int:
        return self.group_starts[0]

    @property
    def regular(self) -> tuple[int, int] | None:
        return None if self.step is None else (self.first, self.step)


@dataclass(frozen=True, kw_only=True)
class Kept:
    """A series as it is kept."""

    series: Series
    instrument: Instrument
    known: tuple[Span, ...]  # bars that begin here are stored, or there are none
    files: tuple[KeptFile, ...]  # by period
    retired: tuple[str, ...]  # files of the series before, for readers that are still at it
    source: str
    fetched_at: datetime

    @property
    def rows(self) -> int:
        return sum(file.rows for file in self.files)

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)

    def file_names(self) -> set[str]:
        return {file.name for file in self.files}

    def without(self, damaged: set[str]) -> "Kept":
        """What is left when these files are set aside: their periods are to be fetched again."""
        lost = [self._period(file) for file in self.files if file.name in damaged]
        known = joined(part for span in self.known for part in missing(span, lost))
        return replace(self, known=known, files=tuple(file for file in self.files if file.name not in damaged))

    def _period(self, file: KeptFile) -> Span:
        timeframe = self.series.timeframe
        begin, end = (period_begin(file.period + more, timeframe) for more in (0, 1))
        return Span(start=moment(begin), end=moment(end))

    def public(self, used_at: datetime) -> Manifest:
        calendar = self.instrument.calendar
        return Manifest(
            series=self.series,
            instrument=self.instrument,
            covered=joined(time_of(span, self.series.timeframe, calendar) for span in self.known),
            rows=self.rows,
            size_bytes=self.size_bytes,
            first=moment(self.files[0].first) if self.files else None,
            last=moment(self.files[-1].last) if self.files else None,
            content_hash=joined_hash(file.content_hash for file in self.files),
            source=self.source,
            fetched_at=self.fetched_at,
            used_at=used_at,
        )


def to_bytes(kept: Kept) -> bytes:
    facts = {
        "format": _FORMAT,
        "series": _series_facts(kept.series),
        "instrument": _instrument_facts(kept.instrument),
        "known": [[microseconds(span.start), microseconds(span.end)] for span in kept.known],
        "file_columns": KeptFile._fields,
        "files": kept.files,
        "retired": list(kept.retired),
        "source": kept.source,
        "fetched_at": microseconds(kept.fetched_at),
    }
    body = json.dumps(facts, separators=(",", ":")).encode()
    return _HEAD + hashlib.sha256(body).hexdigest().encode() + _MIDDLE + body + _TAIL


def from_bytes(data: bytes, series: Series) -> Kept:
    """Raises Damaged when it was cut, edited, or is another series'; StorageFailed when we are too old to read it."""
    body = data[_BODY_AT : -len(_TAIL)]
    if data != _HEAD + hashlib.sha256(body).hexdigest().encode() + _MIDDLE + body + _TAIL:
        raise Damaged("the manifest is not what was written: its hash does not fit")
    facts = json.loads(body)
    if facts["format"] != _FORMAT:
        raise StorageFailed(
            f"{series} was written by another version of Tidemark (format {facts['format']}; this one reads {_FORMAT})."
            " Start that version, or delete the series and download it again."
        )
    if facts["series"] != _series_facts(series):
        raise Damaged(f"the manifest is that of another series: {facts['series']}")
    return Kept(
        series=series,
        instrument=_instrument_of(facts["instrument"]),
        known=tuple(Span(start=moment(start), end=moment(end)) for start, end in facts["known"]),
        files=tuple(map(KeptFile._make, facts["files"])),
        retired=tuple(facts["retired"]),
        source=facts["source"],
        fetched_at=moment(facts["fetched_at"]),
    )


def _series_facts(series: Series) -> dict[str, Any]:
    return {**vars(series), "owner": str(series.owner) if series.owner else None}


def _instrument_facts(instrument: Instrument) -> dict[str, Any]:
    first_bar = instrument.first_bar
    return {**vars(instrument), "first_bar": None if first_bar is None else microseconds(first_bar)}


def _instrument_of(facts: Mapping[str, Any]) -> Instrument:
    first_bar = facts["first_bar"]
    return Instrument(**{**facts, "first_bar": None if first_bar is None else moment(first_bar)})
