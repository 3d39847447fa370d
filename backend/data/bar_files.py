"""BarFiles on this machine's disk."""

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pandas as pd

from backend.data.bar_tables import read_table, read_tables, write_csv, write_parquet
from backend.domain.imports import BarTable

_WRITERS = {"csv": write_csv, "parquet": write_parquet}


class TableFiles:
    """A BarFiles. What is only passed on is written below the cache folder: other places may be small."""

    def __init__(self, cache_dir: Path) -> None:
        self._cache_dir = cache_dir

    def first_rows(self, path: Path, rows: int) -> BarTable:
        return read_table(path, most_rows=rows)

    def tables(self, path: Path) -> Iterator[BarTable]:
        return read_tables(path)

    def write(self, bars: pd.DataFrame, path: Path, kind: str) -> None:
        _WRITERS[kind](bars, path)

    def open_written(self, bars: pd.DataFrame, kind: str) -> IO[bytes]:
        with tempfile.TemporaryDirectory(dir=self._cache_dir, prefix=".export-") as folder:
            path = Path(folder) / "bars"
            self.write(bars, path, kind)
            return path.open("rb")
