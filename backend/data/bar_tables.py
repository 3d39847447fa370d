"""Files with bars as people have them: CSV of any dialect and Parquet in, CSV and Parquet out.

A table is text until the domain has understood it. Files come from strangers: what is read is bounded.
"""

import contextlib
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import IO

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from backend.domain.bars import COLUMNS
from backend.domain.imports import BarTable
from backend.domain.market_errors import BadFile, BadRow, DataTooLarge

LARGEST_FILE_BYTES = 1 << 30
MOST_ROWS = 20_000_000
MOST_COLUMNS = 64
MOST_BROKEN_LINES = 20
LARGEST_GROUP_BYTES = 1 << 30
_BLOCK_BYTES = 1 << 20
_BLOCKS_AT_ONCE = 8
_PARQUET_ROWS = 100_000
_SNIFFED_BYTES = 64 * 1024
_DELIMITERS = ",;\t|"
_PARQUET_MAGIC = b"PAR1"
_UNPACK, _SAVE_AS = "Unpack it, and import the file in it", "Save its sheet as CSV, and import that"
_OTHERS = {
    b"PK\x03\x04": f"an Excel workbook or a ZIP archive. {_SAVE_AS}; or: {_UNPACK[0].lower()}{_UNPACK[1:]}",
    b"\xd0\xcf\x11\xe0": f"an old Excel workbook. {_SAVE_AS}",
    b"\x1f\x8b": f"packed by gzip. {_UNPACK}",
    b"\x28\xb5\x2f\xfd": f"packed by zstd. {_UNPACK}",
    b"BZh": f"packed by bzip2. {_UNPACK}",
    b"\xfd7zXZ": f"packed by xz. {_UNPACK}",
    b"ARROW1": "an Arrow or Feather file. Write it as Parquet, and import that",
}


def read_table(path: Path, *, most_rows: int | None = None) -> BarTable:
    """The cells of a file, or of its first rows. Raises BadFile and DataTooLarge with the reason."""
    head = _head(path)
    return _parquet(path, most_rows) if head.startswith(_PARQUET_MAGIC) else _text(path, head, most_rows)


def read_tables(path: Path) -> Iterator[BarTable]:
    """The cells of a whole file, part by part. Raises BadFile and DataTooLarge with the reason."""
    head = _head(path)
    rows = 0
    for table in _parquet_parts(path) if head.startswith(_PARQUET_MAGIC) else _text_parts(path, head):
        rows += len(table.cells)
        _bound(rows, table.cells.shape[1])
        yield table


def _head(path: Path) -> bytes:
    size = path.stat().st_size
    if size > LARGEST_FILE_BYTES:
        raise DataTooLarge(f"The file has {size:,} bytes; at most {LARGEST_FILE_BYTES:,} are read. Split it.")
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
    if not head.strip():
        raise BadFile("The file is empty.")
    for magic, what in _OTHERS.items():
        if head.startswith(magic):
            raise BadFile(f"This is {what}.")
    return head


def write_csv(bars: pd.DataFrame, path: Path) -> None:
    """ISO times in UTC, and each number with as many digits as it takes to get the same number back."""
    table = bars.assign(ts=bars["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    table.to_csv(path, index=False, columns=["ts", *COLUMNS], lineterminator="\n")


def write_parquet(bars: pd.DataFrame, path: Path) -> None:
    with path.open("wb") as file:
        pq.write_table(pa.Table.from_pandas(bars[["ts", *COLUMNS]], preserve_index=False), file, compression="zstd")


def _parquet(path: Path, most_rows: int | None) -> BarTable:
    with _parquet_file(path) as file:
        if most_rows is None:
            return _of_parquet(file.read())
        batches = list(_first(file.iter_batches(batch_size=most_rows), most_rows))
        return _of_parquet(pa.Table.from_batches(batches, schema=file.schema_arrow))


def _parquet_parts(path: Path) -> Iterator[BarTable]:
    with _parquet_file(path) as file:
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            yield _of_parquet(pa.Table.from_batches([batch], schema=file.schema_arrow))


@contextlib.contextmanager
def _parquet_file(path: Path) -> Iterator[pq.ParquetFile]:
    """Raises BadFile also for what is only found out while it is read."""
    try:
        with path.open("rb") as opened, pq.ParquetFile(opened) as file:
            facts = file.metadata
            _bound(facts.num_rows, facts.num_columns)
            for group in range(facts.num_row_groups):
                if facts.row_group(group).total_byte_size > LARGEST_GROUP_BYTES:
                    raise DataTooLarge(
                        f"A row group of the file unpacks to more than {LARGEST_GROUP_BYTES:,} bytes."
                        " Write it with smaller ones."
                    )
            yield file
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadFile(f"This is no Parquet file that can be read: {_first_line(error)}") from error


def _of_parquet(table: pa.Table) -> BarTable:
    cells = table.to_pandas()
    if isinstance(cells.columns, pd.MultiIndex):
        symbols = sorted(
            {str(name) for level in range(1, cells.columns.nlevels) for name in cells.columns.levels[level]}
        )
        if len(symbols) > 1:
            raise BadFile(f"It holds bars of {', '.join(symbols)[:200]}. Write a file for each of them.")
        cells.columns = cells.columns.get_level_values(0)
    if not isinstance(cells.index, pd.RangeIndex):
        cells = cells.reset_index()  # one without a name is called 'index' then
    cells.columns = pd.Index(_unique([str(name) for name in cells.columns]))
    return BarTable(header=tuple(cells.columns), cells=cells, first_line=0)


def _first(batches: Iterable[pa.RecordBatch], rows: int) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(0, rows)
        return


def _text(path: Path, head: bytes, most_rows: int | None) -> BarTable:
    layout = _layout(head)
    _require_closed_quotes(path)
    cells = _cells(path, layout, most_rows)
    _bound(len(cells), len(layout.names))
    return layout.table(cells)


def _text_parts(path: Path, head: bytes) -> Iterator[BarTable]:
    layout = _layout(head)
    _require_closed_quotes(path)
    try:
        with path.open("rb") as file, _reader(file, layout) as reader:
            batches: list[pa.RecordBatch] = []
            for batch in reader:
                batches.append(batch)
                if len(batches) == _BLOCKS_AT_ONCE:
                    yield layout.table(pa.Table.from_batches(batches).to_pandas())
                    batches = []
            if batches:
                yield layout.table(pa.Table.from_batches(batches).to_pandas())
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _unreadable(error) from error


class _Layout:
    """How the table of a text file is written, and the lines that were found to be none of it."""

    def __init__(self, encoding: str, delimiter: str, names: list[str], *, skip: int, has_header: bool) -> None:
        self.names = names
        self._delimiter = delimiter
        self._has_header = has_header
        self._first_line = skip + has_header + 1
        self._broken: list[pa_csv.InvalidRow] = []
        self.read = pa_csv.ReadOptions(
            column_names=names,
            skip_rows=skip + has_header,
            encoding=encoding,
            use_threads=False,
            block_size=_BLOCK_BYTES,
        )
        self.parse = pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=self._note)
        self.convert = pa_csv.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
        )

    def table(self, cells: pd.DataFrame) -> BarTable:
        """Cells with the lines that were broken since the part before."""
        broken, self._broken = self._broken, []
        told = [
            BadRow(
                position=row.number or 0,
                reason=f"it has {row.actual_columns:,} cells, the others {row.expected_columns:,}",
            )
            for row in broken[:MOST_BROKEN_LINES]
        ]
        return BarTable(
            header=tuple(self.names) if self._has_header else None,
            cells=cells,
            first_line=self._first_line,
            broken=tuple(told),
            broken_count=len(broken),
            delimiter=self._delimiter,
        )

    def _note(self, row: pa_csv.InvalidRow) -> str:
        self._broken.append(row)
        return "skip"


def _layout(head: bytes) -> _Layout:
    encoding = _encoding(head)
    lines = head.decode(encoding, errors="replace").splitlines()
    if len(head) == _SNIFFED_BYTES:
        if len(lines) < 2:
            raise BadFile(f"Its first line is longer than {_SNIFFED_BYTES:,} bytes, so this is no table.")
        lines = lines[:-1]  # cut off in the middle
    delimiter, skip = _dialect(lines)
    first = next(csv.reader([lines[skip]], delimiter=delimiter))
    has_header = not any(_is_value(cell) for cell in first)
    if has_header and (above := _names_above_symbols(lines[skip : skip + 3], delimiter)):
        first, skip = above, skip + 2
    names = _unique(first) if has_header else [f"column {place + 1}" for place in range(len(first))]
    _bound(0, len(names))
    return _Layout(encoding, delimiter, names, skip=skip, has_header=has_header)


def _names_above_symbols(lines: Sequence[str], delimiter: str) -> list[str] | None:
    """As yfinance and pandas write columns of two levels: what it is, of which symbol, and the name of the index."""
    rows = [[cell.strip() for cell in row] for row in csv.reader(lines, delimiter=delimiter)]
    if len(rows) < 3 or rows[1][:1] not in (["Ticker"], ["Symbol"]) or any(rows[2][1:]) or not rows[2][0]:
        return None
    symbols = sorted(set(rows[1][1:]))
    if len(symbols) > 1:
        raise BadFile(f"It holds bars of {', '.join(symbols)[:200]}. Write a file for each of them.")
    return [rows[2][0], *rows[0][1:]]


def _cells(path: Path, layout: _Layout, most_rows: int | None) -> pd.DataFrame:
    try:
        with path.open("rb") as file, _reader(file, layout) as reader:
            batches = list(reader if most_rows is None else _first(reader, most_rows))
            table = pa.Table.from_batches(batches, schema=reader.schema)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise _unreadable(error) from error
    cells: pd.DataFrame = table.to_pandas()
    return cells


def _reader(file: IO[bytes], layout: _Layout) -> pa_csv.CSVStreamingReader:
    """Of an open file: names are bytes to the disk, and the library only opens those that are UTF-8."""
    return pa_csv.open_csv(file, read_options=layout.read, parse_options=layout.parse, convert_options=layout.convert)


def _unreadable(error: Exception) -> BadFile:
    reason = _first_line(error)
    if "straddl" in reason:
        return BadFile(f"It has a line longer than {_BLOCK_BYTES:,} bytes, so this is no table of bars.")
    if "Could not skip" in reason:
        return BadFile("It has a header, and no row below it.")
    return BadFile(f"The file cannot be read as a table: {reason}")


def _require_closed_quotes(path: Path) -> None:
    """The reader takes what stands behind a quotation mark that is never closed for one cell, and drops it."""
    marks, lines, last_line = 0, 1, 0
    with path.open("rb") as file:
        while part := file.read(_BLOCK_BYTES):
            if found := part.count(b'"'):
                marks += found
                last_line = lines + part.count(b"\n", 0, part.rindex(b'"'))
            lines += part.count(b"\n")
    if marks % 2:
        raise BadFile(f"A quotation mark is opened and never closed; the last one is in line {last_line:,}.")


def _encoding(head: bytes) -> str:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    if b"\x00" in head:
        raise BadFile("This is neither CSV nor Parquet: it holds bytes that no text has.")
    try:
        head[: -4 if len(head) > 4 else None].decode("utf-8")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _dialect(lines: Sequence[str]) -> tuple[str, int]:
    """The delimiter that most lines agree on, and how many lines before the table say something else."""
    best: tuple[int, str, int] = (0, ",", 0)
    for delimiter in _DELIMITERS:
        widths = [len(next(csv.reader([line], delimiter=delimiter), [])) for line in lines[:200]]
        filled = [width for width in widths if width]
        if not filled:
            continue
        width = max(set(filled), key=filled.count)
        if width >= 5 and widths.count(width) * width > best[0]:
            best = (widths.count(width) * width, delimiter, widths.index(width))
    if best[0] == 0:
        raise BadFile(
            "No table with at least 5 columns was found: a time, open, high, low and close,"
            " separated by comma, semicolon, tab or bar."
        )
    return best[1], best[2]


def _is_value(cell: str) -> bool:
    """Whether it looks like a number or a time, as a header never does."""
    return bool(re.fullmatch(r"[\"$€]?[+-]?\d[\d.,:/TZ\s+-]*[KMB%\"]?", cell.strip()))


def _unique(names: Sequence[str]) -> list[str]:
    seen: dict[str, int] = {}
    result = []
    for name in (text.strip().lstrip("\ufeff") for text in names):
        seen[name] = seen.get(name, 0) + 1
        result.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return result


def _bound(rows: int, columns: int) -> None:
    if rows > MOST_ROWS or columns > MOST_COLUMNS:
        raise DataTooLarge(
            f"The table has {rows:,} rows and {columns:,} columns; at most {MOST_ROWS:,} and {MOST_COLUMNS:,} are read."
        )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:300]
