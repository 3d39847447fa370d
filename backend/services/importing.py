"""From a file that somebody brought to bars: shown before anything is stored, then read as a whole, part by part."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from backend.domain.bars import MOST_NAMED_ROWS, empty_bars
from backend.domain.errors import InputError, InvalidInput
from backend.domain.import_times import TimeStyle
from backend.domain.imports import (
    BarTable,
    Reading,
    Told,
    Understood,
    in_order,
    place_of,
    placed,
    read_header,
    understand,
    with_lines,
    with_timeframe,
)
from backend.domain.market import ALWAYS, Instrument, Series, Span, Timeframe
from backend.domain.market_errors import BadBars, BadFile, BadRow, UnknownUpload
from backend.domain.market_ports import USUAL_BYTES_A_BAR, BarStore, DiskQuotas, FetchedPage, Manifest, Uploads
from backend.services.market_jobs import series_of

PREVIEWED_ROWS = 20_000
SHOWN_ROWS = 20
MOST_BARS_A_SERIES = 20_000_000
_LONGEST_CELL = 200


@dataclass(frozen=True, kw_only=True)
class Preview:
    """What was understood of the first rows of a file. Without a timeframe nothing can be said about its bars."""

    table: BarTable
    reading: Reading
    timeframe: Timeframe | None
    understood: Understood | None
    is_whole: bool


def preview(
    table: BarTable,
    reading: Reading | None,
    timeframe: Timeframe | None = None,
    calendar: str = ALWAYS,
    *,
    most_rows: int = PREVIEWED_ROWS,
    until: datetime | None = None,
    told: Told | None = None,
) -> Preview:
    """`reading` is how a person corrected it; else what was not `told` is found out. Raises UnrecognisedColumns."""
    if reading is None:
        _require_columns({f"/{what}": name for what, name in told.columns.items()} if told else {}, table)
        reading = read_header(table.header, table.cells, told=told, delimiter=table.delimiter)
    else:
        require_readable(reading, table)
        reading = with_timeframe(reading, table.cells)
    timeframe = timeframe or reading.timeframe
    return Preview(
        table=table,
        reading=reading,
        timeframe=timeframe,
        understood=None if timeframe is None else understand(table.cells, reading, timeframe, calendar, until=until),
        is_whole=len(table.cells) < most_rows,
    )


def glance(table: BarTable, reading: Reading, *, most_rows: int = PREVIEWED_ROWS) -> Preview:
    """A file that nobody can read yet, with what was recognised of it."""
    whole = len(table.cells) < most_rows
    return Preview(table=table, reading=reading, timeframe=None, understood=None, is_whole=whole)


def require_readable(reading: Reading, table: BarTable) -> None:
    """Every column that it names is there, and the zone is one; else InvalidInput with a pointer to each mistake."""
    named = {f"/reading/columns/{what}": name for what, name in reading.columns.items()}
    named["/reading/time"] = reading.time
    if reading.time_of_day is not None:
        named["/reading/time_of_day"] = reading.time_of_day
    wrong = _wrong_columns(named, table)
    wrong += [
        InputError(pointer=f"/reading/columns/{what}", detail="Say which column holds it.")
        for what in ("open", "high", "low", "close")
        if what not in reading.columns
    ]
    wrong += _wrong_zone("/reading/zone", reading.zone)
    if wrong:
        raise InvalidInput(wrong)


def _require_columns(named: Mapping[str, str], table: BarTable) -> None:
    if wrong := _wrong_columns(named, table):
        raise InvalidInput(wrong)


def _wrong_columns(named: Mapping[str, str], table: BarTable) -> list[InputError]:
    known = list(table.cells.columns)
    return [
        InputError(pointer=pointer, detail=f"The file has no column '{name}'. It has: {', '.join(known)}.")
        for pointer, name in named.items()
        if name not in known
    ]


def require_zone(zone: str) -> None:
    """InvalidInput for what is no time zone."""
    if wrong := _wrong_zone("/zone", zone):
        raise InvalidInput(wrong)


def _wrong_zone(pointer: str, zone: str) -> list[InputError]:
    try:
        ZoneInfo(zone)
    except (KeyError, ValueError, OSError):  # one that is not there is a KeyError
        return [InputError(pointer=pointer, detail=f"'{zone}' is no time zone of the IANA list.")]
    return []


def read_all(
    tables: Iterable[BarTable],
    reading: Reading,
    timeframe: Timeframe,
    calendar: str,
    told: Callable[[int], None] = lambda rows: None,
    *,
    until: datetime | None = None,
) -> Understood:
    """The whole file. In memory is what its numbers take, not what its text takes. `told` hears of rows read."""
    parts: list[_Part] = []
    bad: list[BadRow] = []
    bad_count = rows = 0
    for table in tables:
        if not parts:
            require_readable(reading, table)
        found = understand(table.cells, reading, timeframe, calendar, until=until)
        bad += with_lines(table, found.bad, before=rows)
        bad_count += found.bad_count + table.broken_count
        parts.append(_Part(understood=found, table=replace(table, cells=table.cells.iloc[:0]), before=rows))
        rows += found.rows + table.broken_count
        told(rows)
    parts = parts[::-1] if reading.is_newest_first else parts
    bars = pd.concat([part.understood.bars for part in parts], ignore_index=True) if parts else empty_bars()
    # What is in order within each part need not be so in the whole.
    bars, places, late = in_order(bars, np.arange(len(bars)))
    bad += [_placed(row, parts) for row in late.first]
    return Understood(
        bars=bars,
        positions=np.concatenate([part.understood.positions + part.before for part in parts])[places]
        if parts
        else places,
        bad=tuple(sorted(bad, key=place_of)[:MOST_NAMED_ROWS]),
        bad_count=bad_count + late.count,
        rows=rows,
    )


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What came of a part of a file, and where it stood; without its text."""

    understood: Understood
    table: BarTable
    before: int


def _placed(row: BadRow, parts: Sequence[_Part]) -> BadRow:
    """With its place in the file, for a row that was found by its place among all bars."""
    place = row.position
    for part in parts:
        if place < len(part.understood.bars):
            (found,) = placed(
                part.table, [replace(row, position=int(part.understood.positions[place]))], before=part.before
            )
            return found
        place -= len(part.understood.bars)
    raise AssertionError("it is one of the bars")  # pragma: no cover


def store_import(
    store: BarStore, understood: Understood, series: Series, instrument: Instrument, *, source: str, accept_bad: bool
) -> Manifest:
    """All of its good rows, or nothing: bad rows are refused unless they are accepted as lost."""
    if understood.bad_count and not accept_bad:
        raise BadBars(understood.bad, count=understood.bad_count, of=understood.rows)
    if understood.bars.empty:
        raise BadFile("Not a single row of the file is a bar.")
    starts = understood.bars["ts"]
    _require_plausible(starts.iloc[0], starts.iloc[-1], series.timeframe)
    covered = Span(start=starts.iloc[0].to_pydatetime(), end=starts.iloc[-1].to_pydatetime() + series.timeframe.length)
    return store.write(instrument, series, FetchedPage(bars=understood.bars, covered=covered), source=source)


def _require_plausible(first: pd.Timestamp, last: pd.Timestamp, timeframe: Timeframe) -> None:
    """Two rows with a century between them would have every look at the series count its minutes."""
    room = (last - first) // timeframe.length + 1
    if room > MOST_BARS_A_SERIES:
        raise BadFile(
            f"From {first:%Y-%m-%d} to {last:%Y-%m-%d} there is room for {room:,} bars of {timeframe}; at most"
            f" {MOST_BARS_A_SERIES:,} are kept. Check the times, or whether the timeframe is right."
        )


def import_upload(
    payload: Mapping[str, Any],
    owner: UUID,
    told: Callable[[int], None],
    *,
    store: BarStore,
    uploads: Uploads,
    quotas: DiskQuotas,
    now: datetime,
) -> dict[str, Any]:
    """The work of a job: whoever runs it says whose it is, and that alone decides whose files and bars are touched."""
    series = replace(series_of(payload["series"]), owner=owner)
    upload_id = UUID(payload["upload_id"])
    try:
        upload = uploads.find(owner, upload_id)
    except UnknownUpload:
        done = store.manifest(series)
        if done is None or done.source != source_of(payload["name"], upload_id):
            raise
        return {"rows": done.rows, "bad_rows": 0}  # an attempt before was cut after its work was done
    reading = reading_of(payload["reading"])
    understood = read_all(uploads.tables(upload), reading, series.timeframe, payload["calendar"], told, until=now)
    # What it replaces of the series is not known to be less, so it is not counted.
    quotas.require(owner, round(len(understood.bars) * USUAL_BYTES_A_BAR), instead_of=upload.size_bytes)
    store_import(
        store,
        understood,
        series,
        instrument_of_import(series, payload["calendar"], payload["currency"]),
        source=source_of(upload.name, upload.id),
        accept_bad=bool(payload["accept_bad_rows"]),
    )
    uploads.remove(upload)
    return {"rows": len(understood.bars), "bad_rows": understood.bad_count}


def instrument_of_import(series: Series, calendar: str, currency: str) -> Instrument:
    return Instrument(
        provider=series.provider, symbol=series.symbol, name=series.symbol, calendar=calendar, currency=currency
    )


def source_of(name: str, upload_id: UUID) -> str:
    return f"{name} (upload {str(upload_id)[:8]})"


def facts_of_preview(made: Preview) -> dict[str, Any]:
    """A preview as JSON, with the first rows of each thing."""
    cells, understood = made.table.cells.head(SHOWN_ROWS), made.understood
    bad = understood.bad if understood else ()
    bars = understood.bars.head(SHOWN_ROWS) if understood else empty_bars()
    return {
        "header": list(made.table.header) if made.table.header else None,
        "columns": list(cells.columns),
        "reading": {**reading_facts(made.reading), "notes": list(made.reading.notes)},
        "timeframe": made.timeframe,
        "text": [[str(cell)[:_LONGEST_CELL] for cell in row] for row in cells.itertuples(index=False, name=None)],
        "bars": [{**row, "ts": row["ts"].isoformat()} for row in bars.to_dict("records")],
        "rows": len(made.table.cells) + made.table.broken_count,
        "bad_count": made.table.broken_count + (understood.bad_count if understood else 0),
        "bad": [
            {"row": one.position, "line": one.line, "reason": one.reason, "ts": one.ts}
            for one in with_lines(made.table, bad)[:SHOWN_ROWS]
        ],
        "is_whole": made.is_whole,
    }


def reading_facts(reading: Reading) -> dict[str, Any]:
    """A reading as JSON."""
    return {
        "columns": dict(reading.columns),
        "time": reading.time,
        "time_of_day": reading.time_of_day,
        "style": reading.style,
        "zone": reading.zone,
        "decimal": reading.decimal,
        "is_newest_first": reading.is_newest_first,
    }


def reading_of(facts: Mapping[str, Any]) -> Reading:
    """The reading of such JSON."""
    return Reading(**{**facts, "style": TimeStyle(facts["style"])})
