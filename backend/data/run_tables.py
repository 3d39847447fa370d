"""The tables of a result as compressed pieces: Parquet in memory, a piece so many rows, each readable by itself."""

import base64
import io
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from backend.domain.backtests import Part

# So many rows decode in a few milliseconds, and compress nearly as well as more.
ROWS_A_PART: Final = {"trades": 20_000, "equity": 50_000, "trials": 20_000}
_TIMES: Final = {"trades": ("entry_time", "exit_time"), "equity": ("ts", "ts")}


class ParquetTables:
    """A TablePacking."""

    def packed(self, name: str, table: pd.DataFrame) -> list[dict[str, Any]]:
        size = ROWS_A_PART[name]
        return [
            _packed(name, number, first, table.iloc[first : first + size])
            for number, first in enumerate(range(0, len(table), size))
        ]

    def unpacked(self, parts: Sequence[Part], columns: Sequence[str] | None = None) -> pd.DataFrame:
        wanted = None if columns is None else list(columns)
        tables = [pq.read_table(pa.BufferReader(part.content), columns=wanted) for part in parts]
        return pa.concat_tables(tables).to_pandas() if tables else pd.DataFrame()


def _packed(name: str, number: int, first_row: int, rows: pd.DataFrame) -> dict[str, Any]:
    begin, end = _TIMES.get(name, (None, None))
    return {
        "name": name,
        "part": number,
        "first_row": first_row,
        "rows": len(rows),
        "first_at": None if begin is None else rows[begin].min().isoformat(),
        "last_at": None if end is None else rows[end].max().isoformat(),
        "content": base64.b64encode(_bytes_of(rows)).decode(),
    }


def _bytes_of(rows: pd.DataFrame) -> bytes:
    table = pa.Table.from_pandas(rows, preserve_index=False)
    floats = [field.name for field in table.schema if pa.types.is_floating(field.type)]
    whole = io.BytesIO()
    pq.write_table(
        table,
        whole,
        compression="zstd",
        # Prices and sums hardly repeat, but the high bytes of neighbours do.
        use_dictionary=[field.name for field in table.schema if field.name not in floats],
        column_encoding=dict.fromkeys(floats, "BYTE_STREAM_SPLIT"),
        write_statistics=False,
    )
    return whole.getvalue()
