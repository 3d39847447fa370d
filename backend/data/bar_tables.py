"""Files with bars as people have them: CSV of any dialect and Parquet in, CSV and Parquet out.

A table is text until the domain has understood it. Files come from strangers: what is read is bounded.
"""

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq

from backend.domain.bars import COLUMNS
from backend.domain.market_errors import BadFile, BadRow, DataTooLarge

LARGEST_FILE_BYTES = 1 << 30
MOST_ROWS = 20_000_000
MOST_COLUMNS = 64
MOST_BROKEN_LINES = 20
_BLOCK_BYTES = 1 << 20
_SNIFFED_BYTES = 64 * 1024
_DELIMITERS = ",;\t|"
_PARQUET_MAGIC = b"PAR1"


@dataclass(frozen=True, kw_only=True)
class BarTable:
    """The cells of a file. Without a header its columns are 'column 1' and so on."""

    header: tuple[str, ...] | None
    cells: pd.DataFrame
    first_line: int  # where in the file the first row of data stands, from 1; 0 in a Parquet file
    broken: tuple[BadRow, ...] = ()  # lines with too few or too many cells
    broken_count: int = 0


def read_table(path: Path, *, most_rows: int | None = None) -> BarTable:
    """The cells of a file, or of its first rows. Raises BadFile and DataTooLarge with the reason."""
    size = path.stat().st_size
    if size > LARGEST_FILE_BYTES:
        raise DataTooLarge(f"The file has {size:,} bytes; at most {LARGEST_FILE_BYTES:,} are read. Split it.")
    with path.open("rb") as file:
        head = file.read(_SNIFFED_BYTES)
    if not head.strip():
        raise BadFile("The file is empty.")
    return _parquet(path, most_rows) if head.startswith(_PARQUET_MAGIC) else _text(path, head, most_rows)


def write_csv(bars: pd.DataFrame, path: Path) -> None:
    """ISO times in UTC, and each number with as many digits as it takes to get the same number back."""
    table = bars.assign(ts=bars["ts"].dt.strftime("%Y-%m-%dT%H:%M:%SZ"))
    table.to_csv(path, index=False, columns=["ts", *COLUMNS], lineterminator="\n")


def write_parquet(bars: pd.DataFrame, path: Path) -> None:
    pq.write_table(pa.Table.from_pandas(bars[["ts", *COLUMNS]], preserve_index=False), path, compression="zstd")


def _parquet(path: Path, most_rows: int | None) -> BarTable:
    try:
        with pq.ParquetFile(path) as file:
            _bound(file.metadata.num_rows, file.metadata.num_columns)
            names = [field.name for field in file.schema_arrow]
            if most_rows is None:
                table = file.read()
            else:
                table = pa.Table.from_batches(
                    list(_first(file.iter_batches(batch_size=most_rows), most_rows)), schema=file.schema_arrow
                )
    except (pa.ArrowException, OSError, ValueError) as error:
        raise BadFile(f"This is no Parquet file that can be read: {_first_line(error)}") from error
    cells = table.to_pandas()
    if any(name in names for name in cells.index.names if name is not None):
        cells = cells.reset_index()
    cells.columns = pd.Index([str(name) for name in cells.columns])
    return BarTable(header=tuple(cells.columns), cells=cells, first_line=0)


def _first(batches: Iterable[pa.RecordBatch], rows: int) -> Iterable[pa.RecordBatch]:
    for batch in batches:
        yield batch.slice(0, rows)
        return


def _text(path: Path, head: bytes, most_rows: int | None) -> BarTable:
    encoding = _encoding(head)
    lines = head.decode(encoding, errors="replace").splitlines()
    if len(head) == _SNIFFED_BYTES:
        if len(lines) < 2:
            raise BadFile(f"Its first line is longer than {_SNIFFED_BYTES:,} bytes, so this is no table.")
        lines = lines[:-1]  # cut off in the middle
    delimiter, skip = _dialect(lines)
    first = next(csv.reader([lines[skip]], delimiter=delimiter))
    has_header = not any(_is_value(cell) for cell in first)
    names = _unique(first) if has_header else [f"column {place + 1}" for place in range(len(first))]
    _bound(0, len(names))
    broken: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    read = pa_csv.ReadOptions(
        column_names=names, skip_rows=skip + has_header, encoding=encoding, use_threads=False, block_size=_BLOCK_BYTES
    )
    cells = _cells(path, read, pa_csv.ParseOptions(delimiter=delimiter, invalid_row_handler=note), most_rows)
    _bound(len(cells), len(names))
    told = [
        BadRow(position=row.number or 0, reason=f"it has {row.actual_columns} cells, the others {row.expected_columns}")
        for row in broken[:MOST_BROKEN_LINES]
    ]
    return BarTable(
        header=tuple(names) if has_header else None,
        cells=cells,
        first_line=skip + has_header + 1,
        broken=tuple(told),
        broken_count=len(broken),
    )


def _cells(path: Path, read: pa_csv.ReadOptions, parse: pa_csv.ParseOptions, most_rows: int | None) -> pd.DataFrame:
    convert = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(read.column_names, pa.string()),
        strings_can_be_null=False,
        quoted_strings_can_be_null=False,
    )
    try:
        if most_rows is None:
            table = pa_csv.read_csv(path, read_options=read, parse_options=parse, convert_options=convert)
        else:
            with pa_csv.open_csv(path, read_options=read, parse_options=parse, convert_options=convert) as reader:
                table = pa.Table.from_batches(list(_first(reader, most_rows)), schema=reader.schema)
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise BadFile(f"The file cannot be read as a table: {_first_line(error)}") from error
    cells: pd.DataFrame = table.to_pandas()
    return cells


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
        if not widths:
            continue
        width = max(set(widths), key=widths.count)
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
    return bool(re.fullmatch(r"\s*[\"$€]?[+-]?\d[\d.,:/TZ\s+-]*[KMB%\"]?\s*", cell))


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
            f"The table has {rows:,} rows and {columns} columns; at most {MOST_ROWS:,} and {MOST_COLUMNS} are read."
        )


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0][:300]
