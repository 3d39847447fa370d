"""Bars out of other people's files: which column is what, how its times and numbers are written, which rows are bad.

Nothing is guessed in silence: a `Reading` says what was understood and why, a person may correct it, and the same
reading then turns the whole file into bars.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd

from backend.domain.bars import COLUMNS, MOST_NAMED_ROWS, bad_rows, describe_rows, start_microseconds
from backend.domain.import_numbers import decimal_of, is_zero_throughout, numbers_of, says_nothing
from backend.domain.import_times import (
    TimeStyle,
    dates_like,
    hours_like,
    moments,
    name_no_zone,
    style_of,
    walls_of,
)
from backend.domain.market import Timeframe
from backend.domain.market_errors import BadFile, BadRow

SAMPLE_ROWS = 200
_LONGEST_NAME = 200

Positions: TypeAlias = npt.NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How to read one file. Names are those of its header, or 'column 1' and so on where it has none."""

    columns: Mapping[str, str]  # open, high, low, close, volume -> name in the file; volume may be absent
    time: str
    time_of_day: str | None = None  # a second column that holds the hour
    style: TimeStyle = TimeStyle.ISO
    zone: str = "UTC"
    decimal: str = "."
    is_newest_first: bool = False
    timeframe: Timeframe | None = None
    notes: tuple[str, ...] = field(default=())


@dataclass(frozen=True, kw_only=True)
class Told:
    """What a person says of a file before it is read; the rest is found out."""

    columns: Mapping[str, str] = field(default_factory=dict)  # time, time_of_day, open, ... -> name in the file
    style: TimeStyle | None = None
    decimal: str | None = None
    zone: str = "UTC"  # of times that name none


@dataclass(frozen=True, kw_only=True)
class Understood:
    """What came of a file: the good rows as bars, and the first of the bad ones."""

    bars: pd.DataFrame
    positions: Positions  # of each bar among the file's data rows, from 0
    bad: tuple[BadRow, ...]  # with positions of the same kind
    bad_count: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class BarTable:
    """The cells of a file. Without a header its columns are 'column 1' and so on."""

    header: tuple[str, ...] | None
    cells: pd.DataFrame
    first_line: int  # where in the file the first row of data stands, from 1; 0 in a Parquet file
    broken: tuple[BadRow, ...] = ()  # lines with too few or too many cells
    broken_count: int = 0
    delimiter: str = ""  # of a text


_NAMES: Mapping[str, str] = {
    "time": "timeperiodstart opentime timeopen windowstart timestamp timestamps time datetime date gmttime localtime"
    " timeutc timegmt dateutc dategmt datetimeutc unix ts t datum data fecha datumzeit dateandtime starttime startdate"
    " start begin eventtime index",
    "time_of_day": "time hour zeit timeofday hora",
    "open": "open o openprice 1open eroffnung eroeffnung eroffn priceopen openbid apertura ouverture otwarcie first",
    "high": "high h highprice 2high hoch pricehigh highbid max maximo massimo plushaut haut najwyzszy",
    "low": "low l lowprice 3low tief pricelow lowbid min minimo plusbas bas najnizszy",
    "close": "close c closeprice 4close closelast schluss zuletzt price last priceclose closebid cierre cloture dernier"
    " ultimo chiusura zamkniecie",
    "volume": "volume v vol basevolume 5volume 6volume volumen wolumen volumetraded tickvol tickvolume volumebtc shares"
    " qty quantity amount",
}
# Without a header: where known vendors put what.
_BARE = ("time", "open", "high", "low", "close", "volume")
_BARE_WIDTHS = (5, 6, 7, 11, 12)  # 7 is Kraken's, 11 and 12 are Binance's; what comes after the volume is theirs


class UnrecognisedColumns(BadFile):
    """A table whose columns say too little. What was recognised is in `reading`, for a person to complete."""

    code = "columns_not_recognised"
    title = "The columns of the file are not recognised"

    def __init__(self, detail: str, reading: Reading) -> None:
        super().__init__(detail)
        self.reading = reading


def read_header(
    header: Sequence[str] | None, table: pd.DataFrame, *, told: Told | None = None, delimiter: str = ""
) -> Reading:
    """Find out how this file is to be read, from its header and its first rows of text. Raises UnrecognisedColumns.

    What was `told` is not looked for; `delimiter` is what separates the columns of a text.
    """
    told = told or Told()
    found, notes = _by_names(header, table, told.columns) if header is not None else (_by_places(table), [])
    found |= told.columns
    lacking = [name for name in ("time", "open", "high", "low", "close") if name not in found]
    if lacking:
        names = (
            ", ".join(repr(name) for name in header) if header is not None else f"{table.shape[1]} columns, no header"
        )
        detail = (
            f"No column was recognised as {', '.join(lacking)}. The file has {names}."
            " Say which column is what, or rename them to ts, open, high, low, close, volume."
        )
        known: dict[str, str] = {name: found[name] for name in COLUMNS if name in found}
        raise UnrecognisedColumns(detail, Reading(columns=known, time=found.get("time", ""), notes=(detail,)))
    if "volume" not in found:
        notes.append("There is no volume; it is stored as 0.")
    elif says_nothing(table[found["volume"]]):
        notes.append(f"The volume '{found.pop('volume')}' is empty; it is stored as 0.")
    reading = Reading(
        columns={name: found[name] for name in COLUMNS if name in found},
        time=found["time"],
        time_of_day=found.get("time_of_day"),
        zone=told.zone,
        notes=tuple(notes),
    )
    return _with_details(reading, table, told, delimiter)


def understand(
    table: pd.DataFrame, reading: Reading, timeframe: Timeframe, calendar: str, *, until: datetime | None = None
) -> Understood:
    """The whole file as bars. Bad rows are left out and named; whoever calls decides whether that is good enough.

    What ends after `until` is bad as well: it is not finished, or its time is wrong.
    """
    times = _times(table, reading, are_days=timeframe.length >= timedelta(days=1)).reset_index(drop=True)
    frame = pd.DataFrame({"ts": times, **_numbers(table, reading)})
    positions = np.arange(len(frame))
    if reading.is_newest_first:
        frame, positions = frame.iloc[::-1].reset_index(drop=True), positions[::-1]
    bad = bad_rows(frame, timeframe, calendar, until=until)
    told = [
        replace(row, position=int(positions[row.position]))
        for row in describe_rows(frame, bad, timeframe, calendar, until=until)
    ]
    told = [_with_skipped_hour(row, table, reading) for row in told]
    bars, positions, late = in_order(frame.loc[~bad].reset_index(drop=True), positions[~bad])
    return Understood(
        bars=bars,
        positions=positions,
        bad=tuple(sorted([*told, *late.first], key=lambda row: row.position)[:MOST_NAMED_ROWS]),
        bad_count=int(bad.sum()) + late.count,
        rows=len(frame),
    )


@dataclass(frozen=True, kw_only=True)
class OutOfOrder:
    """Rows that are bars, but not after all those before them."""

    first: Sequence[BadRow]
    count: int


def in_order(bars: pd.DataFrame, positions: Positions) -> tuple[pd.DataFrame, Positions, OutOfOrder]:
    """Bars that come after all before them, where those stood, and the rest: neighbours of a bad row, or of a cut
    between two parts of a file, were compared with no one yet."""
    starts = start_microseconds(bars)
    if len(starts) < 2 or (starts[1:] > starts[:-1]).all():
        return bars, positions, OutOfOrder(first=(), count=0)
    latest = np.r_[starts[0] - 1, np.maximum.accumulate(starts)[:-1]]
    late = starts <= latest
    first = [
        BadRow(
            position=int(positions[row]),
            reason="it has the same time as a row before"
            if starts[row] == latest[row]
            else "its time is before that of a row before",
            ts=bars["ts"].iloc[row].isoformat(),
        )
        for row in np.flatnonzero(late)[:MOST_NAMED_ROWS]
    ]
    kept = bars.loc[~late].reset_index(drop=True)
    return kept, positions[~late], OutOfOrder(first=first, count=int(late.sum()))


def with_lines(table: BarTable, bad: Sequence[BadRow], *, before: int = 0) -> list[BadRow]:
    """Broken lines and bad rows with where they stand in a text file, after so many rows of tables before.

    Broken lines are told by their line, and the rows after them move down.
    """
    broken = [replace(row, line=row.position or None) for row in table.broken]
    return sorted([*broken, *placed(table, bad, before=before)], key=place_of)


def place_of(row: BadRow) -> int:
    """For an order of rows as in their file."""
    return row.position if row.line is None else row.line


def placed(table: BarTable, bad: Sequence[BadRow], *, before: int = 0) -> list[BadRow]:
    """The bad rows alone."""
    moved = [replace(row, position=row.position + before) for row in bad]
    if table.first_line == 0 or table.broken_count > len(table.broken):
        return moved
    skipped = sorted(row.position for row in table.broken)
    return [replace(row, line=_line(table.first_line + row.position, skipped)) for row in moved]


def _line(line: int, skipped: Sequence[int]) -> int:
    for one in skipped:
        line += one <= line
    return line


def with_timeframe(reading: Reading, table: pd.DataFrame) -> Reading:
    """A reading that somebody corrected, with the timeframe of the times as they are read now."""
    times = _times(table.head(SAMPLE_ROWS), reading).dropna()
    return replace(reading, timeframe=timeframe_of(times))


def timeframe_of(starts: "pd.Series[pd.Timestamp]") -> Timeframe | None:
    """The timeframe that most neighbours are apart; None when that is none of ours."""
    gaps = starts.dropna().drop_duplicates().sort_values().diff().dropna().dt.total_seconds()
    if gaps.empty:
        return None
    commonest = float(gaps.mode().iloc[0])
    return next((one for one in Timeframe if one.seconds == commonest), None)


def _by_names(header: Sequence[str], table: pd.DataFrame, told: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Which column is what, and in words where several could be it."""
    bare = {name: _bare(name) for name in header}
    found: dict[str, str] = {}
    notes = []
    for wanted in ("open", "high", "low", "close", "volume", "time"):
        by_rank = [name for alias in _NAMES[wanted].split() for name in header if bare[name] == alias]
        if not by_rank and wanted == "volume":
            by_rank = [name for name in header if bare[name].startswith("volume")]
        if wanted == "volume" and wanted not in told:
            by_rank = sorted(by_rank, key=lambda name: is_zero_throughout(table[name]))
        if wanted == "time" and not by_rank and header[0] == "":
            by_rank = [header[0]]  # as pandas writes an index without a name
        if by_rank:
            found[wanted] = by_rank[0]
    date = next((name for name in header if bare[name] in ("date", "datum", "data", "fecha")), None)
    hour = next((name for name in header if bare[name] in _NAMES["time_of_day"].split()), None)
    if date is not None and hour is not None and found.get("time") in (date, hour):
        found |= {"time": date, "time_of_day": hour}
    for what, name in found.items():
        others = [
            other
            for other in header
            if what != "time_of_day" and other not in found.values() and bare[other] in _NAMES[what].split()
        ]
        if others and what not in told:
            names = ", ".join(f"'{other}'" for other in others)
            if what == "volume" and all(is_zero_throughout(table[other]) for other in others):
                names += ", which is 0 throughout" if len(others) == 1 else ", which are 0 throughout"
            notes.append(f"The {what} is taken from '{name}', not from {names}.")
    return found, notes


def _bare(name: str) -> str:
    """Without case, accents, signs, and what stands in brackets behind it. Of a long name its beginning."""
    plain = unicodedata.normalize("NFKD", name[:_LONGEST_NAME]).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]", "", re.sub(r"(?<=\w)\s*\([^)]*\)\s*$", "", plain))


def _by_places(table: pd.DataFrame) -> dict[str, str]:
    """A second column of hours stands between the date and the prices, as MetaTrader 4 and Kibot write it."""
    names = [str(name) for name in table.columns]
    if (
        len(names) >= 6
        and dates_like(table[names[0]].head(SAMPLE_ROWS))
        and hours_like(table[names[1]].head(SAMPLE_ROWS))
    ):
        return dict(zip(("time", "time_of_day", *_BARE[1:]), names, strict=False))
    return dict(zip(_BARE, names, strict=False)) if len(names) in _BARE_WIDTHS else {}


def _with_details(reading: Reading, table: pd.DataFrame, told: Told, delimiter: str) -> Reading:
    sample = table.head(SAMPLE_ROWS)
    if sample.empty:
        raise BadFile("It has a header, and no row below it.")
    notes = list(reading.notes)
    prices = [sample[reading.columns[name]] for name in ("open", "high", "low", "close")]
    decimal, unseen = decimal_of([text for one in prices for text in one.dropna().astype(str)], delimiter)
    notes += [unseen] if unseen and told.decimal is None else []
    style, unseen = style_of(table[reading.time])  # of all rows there are: the 13th of a month says what comes first
    notes += [unseen] if unseen and told.style is None else []
    reading = replace(reading, decimal=told.decimal or decimal, style=told.style or style)
    times = _times(sample, reading).dropna()
    if times.empty:
        first = str(sample[reading.time].iloc[0])[:40]
        notes.append(f"No time in '{reading.time}' can be read, such as '{first}'.")
    elif name_no_zone(*_written(sample, reading)):
        notes.append(f"Its times name no zone, so they are taken as {reading.zone}.")
    if len(times) > 1 and times.diff().dropna().dt.total_seconds().median() < 0:
        reading = replace(reading, is_newest_first=True)
        notes.append("The newest row comes first; the order is turned around.")
    return replace(reading, timeframe=timeframe_of(times), notes=tuple(notes))


def _times(table: pd.DataFrame, reading: Reading, *, are_days: bool = False) -> "pd.Series[pd.Timestamp]":
    return moments(*_written(table, reading), reading.zone, are_days=are_days)


def _written(table: pd.DataFrame, reading: Reading) -> "tuple[pd.Series[str], pd.Series[str] | None, TimeStyle]":
    hours = None if reading.time_of_day is None else table[reading.time_of_day]
    return table[reading.time], hours, reading.style


def _with_skipped_hour(row: BadRow, table: pd.DataFrame, reading: Reading) -> BadRow:
    """A time that can be read, and is none, is one that the clocks of its place skip or repeat."""
    if row.ts is not None or row.reason != "its time cannot be read":
        return row
    one = table.iloc[[row.position]]
    wall = walls_of(*_written(one, reading)).iloc[0]
    if pd.isna(wall) or not name_no_zone(*_written(one, reading)):
        text = str(one[reading.time].iloc[0]).strip(' "')[:40]
        return replace(row, reason=f"its time '{text}' cannot be read")
    return replace(row, reason=f"the clocks of {reading.zone} skip or repeat the hour {wall:%Y-%m-%d %H:%M}")


def _numbers(table: pd.DataFrame, reading: Reading) -> "dict[str, pd.Series[float]]":
    numbers = {
        name: numbers_of(table[reading.columns[name]], reading.decimal) for name in COLUMNS if name in reading.columns
    }
    if "volume" not in numbers:
        numbers["volume"] = pd.Series(0.0, index=table.index)
    return {name: numbers[name].reset_index(drop=True) for name in COLUMNS}
