"""Bars out of other people's files: which column is what, how its times and numbers are written, which rows are bad.

Nothing is guessed in silence: a `Reading` says what was understood and why, a person may correct it, and the same
reading then turns the whole file into bars.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from backend.domain.bars import COLUMNS, MOST_NAMED_ROWS, TS_DTYPE, bad_rows, describe_rows
from backend.domain.market import Timeframe
from backend.domain.market_errors import BadFile, BadRow

SAMPLE_ROWS = 200


class TimeStyle(StrEnum):
    """How a file writes the time."""

    ISO = "iso"  # 2026-01-05, 2026-01-05 14:30, 2026-01-05T14:30:00Z, 2026.01.05 14:30, 20260105 143000
    DAY_FIRST = "day_first"  # 05.01.2026, 05/01/2026 14:30
    MONTH_FIRST = "month_first"  # 01/05/2026
    EPOCH_S = "epoch_s"
    EPOCH_MS = "epoch_ms"
    EPOCH_US = "epoch_us"
    EPOCH_NS = "epoch_ns"


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
class Understood:
    """What came of a file: the good rows as bars, and the first of the bad ones."""

    bars: pd.DataFrame
    bad: tuple[BadRow, ...]  # positions are those of the file's data rows, from 0
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


_NAMES: Mapping[str, str] = {
    "time": "timestamp time datetime date opentime gmttime localtime unix ts t datum dateandtime starttime begin"
    " eventtime fecha index",
    "time_of_day": "time hour zeit timeofday hora",
    "open": "open o openprice 1open eroffnung eroeffnung priceopen openbid apertura first",
    "high": "high h highprice 2high hoch pricehigh highbid max maximo",
    "low": "low l lowprice 3low tief pricelow lowbid min minimo",
    "close": "close c closeprice 4close closelast schluss price last priceclose closebid cierre",
    "volume": "volume v vol basevolume 5volume 6volume volumen tickvol tickvolume volumebtc shares qty quantity amount",
}
# Without a header: where known vendors put what.
_BARE: Mapping[int, tuple[str, ...]] = {
    5: ("time", "open", "high", "low", "close"),
    6: ("time", "open", "high", "low", "close", "volume"),
    7: ("time", "time_of_day", "open", "high", "low", "close", "volume"),  # MetaTrader 4
    11: ("time", "open", "high", "low", "close", "volume"),  # Binance, some dumps
    12: ("time", "open", "high", "low", "close", "volume"),  # Binance klines
}
_EPOCHS = (
    (TimeStyle.EPOCH_S, 1_000_000),
    (TimeStyle.EPOCH_MS, 1_000),
    (TimeStyle.EPOCH_US, 1),
)
_NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?"
_NOT_PLAIN = r"[^0-9.eE+-]"
_SUFFIXES = {"k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}
_FAR_PAST = 1_000_000 * 86_400 * 365 * 10  # in microseconds: 1980
_FAR_FUTURE = 1_000_000 * 86_400 * 365 * 130  # about 2100


class UnrecognisedColumns(BadFile):
    """A table whose columns say too little. What was recognised is in `reading`, for a person to complete."""

    code = "columns_not_recognised"
    title = "The columns of the file are not recognised"

    def __init__(self, detail: str, reading: Reading) -> None:
        super().__init__(detail)
        self.reading = reading


def read_header(header: Sequence[str] | None, table: pd.DataFrame) -> Reading:
    """Find out how this file is to be read, from its header and its first rows of text. Raises UnrecognisedColumns."""
    found = _by_names(header) if header is not None else _by_places(table.shape[1])
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
    reading = Reading(
        columns={name: found[name] for name in COLUMNS if name in found},
        time=found["time"],
        time_of_day=found.get("time_of_day"),
        notes=() if "volume" in found else ("There is no volume; it is stored as 0.",),
    )
    return _with_details(reading, table)


def understand(
    table: pd.DataFrame, reading: Reading, timeframe: Timeframe, calendar: str, *, until: datetime | None = None
) -> Understood:
    """The whole file as bars. Bad rows are left out and named; whoever calls decides whether that is good enough.

    What ends after `until` is bad as well: it is not finished, or its time is wrong.
    """
    frame = pd.DataFrame({"ts": _times(table, reading), **_numbers(table, reading)})
    positions = np.arange(len(frame))
    if reading.is_newest_first:
        frame, positions = frame.iloc[::-1].reset_index(drop=True), positions[::-1]
    bad = bad_rows(frame, timeframe, calendar, until=until)
    told = [
        replace(row, position=int(positions[row.position]))
        for row in describe_rows(frame, bad, timeframe, calendar, until=until)
    ]
    return Understood(
        bars=frame.loc[~bad].reset_index(drop=True),
        bad=tuple(sorted(told, key=lambda row: row.position)[:MOST_NAMED_ROWS]),
        bad_count=int(bad.sum()),
        rows=len(frame),
    )


def with_lines(table: BarTable, bad: Sequence[BadRow], *, before: int = 0) -> list[BadRow]:
    """Broken lines and bad rows with where they stand in a text file, after so many rows of tables before.

    Broken lines are told by their line, and the rows after them move down.
    """
    broken = [replace(row, line=row.position or None) for row in table.broken]
    moved = [replace(row, position=row.position + before) for row in bad]
    if table.first_line == 0 or table.broken_count > len(broken):
        return [*broken, *moved]
    skipped = sorted(row.position for row in broken)
    return [*broken, *(replace(row, line=_line(table.first_line + row.position, skipped)) for row in moved)]


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


def _by_names(header: Sequence[str]) -> dict[str, str]:
    bare = {name: re.sub(r"[^a-z0-9]", "", _plain(name).lower()) for name in header}
    found: dict[str, str] = {}
    for wanted in ("open", "high", "low", "close", "volume", "time"):
        by_rank = [name for alias in _NAMES[wanted].split() for name in header if bare[name] == alias]
        if not by_rank and wanted == "volume":
            by_rank = [name for name in header if bare[name].startswith("volume")]
        if wanted == "time" and not by_rank and header[0] == "":
            by_rank = [header[0]]  # as pandas writes an index without a name
        if by_rank:
            found[wanted] = by_rank[0]
    date = next((name for name in header if bare[name] in ("date", "datum", "fecha")), None)
    hour = next((name for name in header if bare[name] in _NAMES["time_of_day"].split()), None)
    if date is not None and hour is not None and found.get("time") in (date, hour):
        found |= {"time": date, "time_of_day": hour}
    return found


def _by_places(width: int) -> dict[str, str]:
    return {what: f"column {place + 1}" for place, what in enumerate(_BARE.get(width, ()))}


def _plain(name: str) -> str:
    return name.translate(str.maketrans("äöüÄÖÜéíóáñ", "aouAOUeioan"))


def _with_details(reading: Reading, table: pd.DataFrame) -> Reading:
    sample = table.head(SAMPLE_ROWS)
    notes = list(reading.notes)
    decimal = _decimal(sample, reading)
    style, note = _style(sample[reading.time])
    if note:
        notes.append(note)
    reading = replace(reading, decimal=decimal, style=style)
    if style in (TimeStyle.ISO, TimeStyle.DAY_FIRST, TimeStyle.MONTH_FIRST) and not _names_a_zone(sample[reading.time]):
        notes.append("Its times name no zone, so they are taken as UTC.")
    times = _times(table.head(max(SAMPLE_ROWS, 2)), reading).dropna()
    if len(times) > 1 and times.iloc[0] > times.iloc[-1]:
        reading = replace(reading, is_newest_first=True)
        notes.append("The newest row comes first; the order is turned around.")
    return replace(reading, timeframe=timeframe_of(times), notes=tuple(notes))


def _decimal(sample: pd.DataFrame, reading: Reading) -> str:
    """A comma is the decimal mark when it stands last in prices, and not before groups of three alone."""
    texts = [text for name in ("open", "high", "low", "close") for text in sample[reading.columns[name]].astype(str)]
    with_comma = [text for text in texts if "," in text]
    if not with_comma or any("." in text[text.rfind(",") :] for text in with_comma):
        return "."
    if all(re.fullmatch(r"[^,]*\d{1,3}(,\d{3})+", text) for text in with_comma) and len(with_comma) < len(texts):
        return "."
    return ","


def _style(times: "pd.Series[str]") -> tuple[TimeStyle, str | None]:
    texts = times.astype(str).str.strip().str.strip('"')
    numbers = pd.to_numeric(texts, errors="coerce")
    if numbers.notna().mean() > 0.5 and not texts.str.fullmatch(r"(19|20)\d{6}(\d{6})?").all():
        size = float(numbers.abs().median())
        for style, factor in _EPOCHS:
            if _FAR_PAST <= size * factor <= _FAR_FUTURE:
                return style, None
        return TimeStyle.EPOCH_NS, None
    return _order_of_days(texts)


def _order_of_days(texts: "pd.Series[str]") -> tuple[TimeStyle, str | None]:
    parts = texts.str.extract(r"^(\d{1,2})[./-](\d{1,2})[./-](\d{4})").dropna().astype(int)
    if parts.empty:
        return TimeStyle.ISO, None
    if (parts[0] > 12).any():
        return TimeStyle.DAY_FIRST, None
    if (parts[1] > 12).any():
        return TimeStyle.MONTH_FIRST, None
    if texts.str.contains(".", regex=False).any():
        return TimeStyle.DAY_FIRST, "Whether day or month comes first cannot be seen; with points the day is taken."
    return TimeStyle.MONTH_FIRST, "Whether day or month comes first cannot be seen; the month is taken."


def _names_a_zone(times: "pd.Series[str]") -> bool:
    return bool(times.astype(str).str.contains(r"(?:Z|UTC|GMT|[+-]\d{2}:?\d{2})\"?$").mean() > 0.5)


def _times(table: pd.DataFrame, reading: Reading) -> "pd.Series[pd.Timestamp]":
    if pd.api.types.is_datetime64_any_dtype(table[reading.time].dtype):
        return _in_utc(table[reading.time], reading.zone)
    texts = table[reading.time].astype(str).str.strip().str.strip('"')
    if reading.style.startswith("epoch"):
        return _from_epoch(texts, reading.style)
    if reading.time_of_day is not None:
        texts = texts + " " + _hour(table[reading.time_of_day].astype(str).str.strip())
    texts = texts.str.replace(r"^(\d{4})[./](\d{1,2})[./](\d{1,2})", r"\1-\2-\3", regex=True)
    texts = texts.str.replace(r"^((?:19|20)\d{2})(\d{2})(\d{2})(?=\D|$)", r"\1-\2-\3", regex=True)
    texts = texts.str.replace(
        r"^((?:19|20)\d{2})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2})$", r"\1-\2-\3 \4:\5:\6", regex=True
    )
    texts = texts.str.replace(r"^(\S+)[ T](\d{2})(\d{2})(\d{2})$", r"\1 \2:\3:\4", regex=True)
    texts = texts.str.replace(r"\s*(?:UTC|GMT)$", "+00:00", regex=True)
    day_first = reading.style is TimeStyle.DAY_FIRST
    if _names_a_zone(texts):
        return pd.to_datetime(texts, format="mixed", dayfirst=day_first, utc=True, errors="coerce")
    local = pd.to_datetime(texts, format="mixed", dayfirst=day_first, errors="coerce")
    return _in_utc(local, reading.zone)


def _in_utc(times: "pd.Series[pd.Timestamp]", zone: str) -> "pd.Series[pd.Timestamp]":
    """An hour that the clocks skip or repeat is no moment: such rows become bad ones."""
    if times.dt.tz is None:
        times = times.dt.tz_localize(ZoneInfo(zone), ambiguous="NaT", nonexistent="NaT")
    return times.dt.tz_convert("UTC").astype(TS_DTYPE)


def _from_epoch(texts: "pd.Series[str]", style: TimeStyle) -> "pd.Series[pd.Timestamp]":
    numbers = pd.to_numeric(texts, errors="coerce")
    unit = style.removeprefix("epoch_")
    micro = {"s": 1e6, "ms": 1e3, "us": 1.0, "ns": 1e-3}[unit]
    scaled = (numbers * micro).where(numbers.abs() * micro < _FAR_FUTURE)
    return pd.to_datetime(scaled.round().astype("Int64"), unit="us", utc=True, errors="coerce")


def _hour(texts: "pd.Series[str]") -> "pd.Series[str]":
    """153000 and 1530 as 15:30."""
    bare = texts.where(
        ~texts.str.fullmatch(r"\d{1,6}"), texts.str.zfill(6).where(texts.str.len() > 4, texts.str.zfill(4) + "00")
    )
    return bare.str.replace(r"^(\d{2})(\d{2})(\d{2})$", r"\1:\2:\3", regex=True)


def _numbers(table: pd.DataFrame, reading: Reading) -> "dict[str, pd.Series[float]]":
    numbers = {
        name: _number(table[reading.columns[name]], reading.decimal) for name in COLUMNS if name in reading.columns
    }
    if "volume" not in numbers:
        numbers["volume"] = pd.Series(0.0, index=table.index)
    return {name: numbers[name].reset_index(drop=True) for name in COLUMNS}


def _number(texts: "pd.Series[str]", decimal: str) -> "pd.Series[float]":
    """'$1,234.50', '1.234,50', '12.5K' and '-' as people write them; what is no number becomes missing."""
    if pd.api.types.is_numeric_dtype(texts.dtype):
        return texts.astype("float64")
    if decimal == "." and not texts.str.contains(_NOT_PLAIN).any():
        return _floats(texts)
    cleaned = texts.str.strip().str.replace(r"[$€£¥\s\u00a0'\"]", "", regex=True)
    if decimal == ",":
        cleaned = cleaned.str.replace(".", "", regex=False).str.replace(",", ".", regex=False)
    else:
        cleaned = cleaned.str.replace(",", "", regex=False)
    factor = cleaned.str.extract(r"([kKmMbBtT])$")[0].str.lower().map(_SUFFIXES).fillna(1.0)
    return _floats(cleaned.str.replace(r"[kKmMbBtT]$", "", regex=True)) * factor.astype("float64")


def _floats(texts: "pd.Series[str]") -> "pd.Series[float]":
    """The double nearest to each decimal, as Python reads it; pandas' own reader may miss it by a bit."""
    numbers = np.full(len(texts), np.nan)
    good = texts.str.fullmatch(_NUMBER).to_numpy(dtype=np.bool_, na_value=False)
    numbers[good] = texts[good].to_numpy(dtype=np.str_).astype(np.float64)
    return pd.Series(numbers)
