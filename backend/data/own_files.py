"""What one person has below the cache folder, taken along or removed for good."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pandas as pd
import pyarrow as pa

from backend.data.run_files import csv_of
from backend.data.run_tables import ParquetTables
from backend.data.storage.bars import places
from backend.domain.backtests import Part
from backend.domain.market import Series, Span
from backend.domain.market_errors import NoBars, SeriesDamaged, StorageFailed
from backend.domain.market_ports import BarFiles, BarStore
from backend.domain.model_errors import ModelDamaged
from backend.domain.model_ports import ModelFiles
from backend.domain.own_data import TablePiece

BACKTEST = "backtest_id"


class FolderOwnFiles:
    """OwnFiles over the folders of the market cache."""

    def __init__(self, cache_dir: Path, store: BarStore, bar_files: BarFiles, model_files: ModelFiles) -> None:
        self._cache_dir = cache_dir
        self._store = store
        self._bar_files = bar_files
        self._model_files = model_files

    def csv(self, piece: TablePiece) -> tuple[str, str] | None:
        if (table := _unpacked(piece)) is None:
            return None
        header, _, rows = csv_of(table).partition("\n")
        return f"{header}\n", rows

    def json_lines(self, piece: TablePiece) -> str | None:
        table = _unpacked(piece)
        return None if table is None else str(table.to_json(orient="records", lines=True, date_format="iso"))

    def bars(self, series: Series) -> Iterator[tuple[int, bytes | None]]:
        manifest = self._store.manifest(series)
        if manifest is None or manifest.first is None or manifest.last is None:
            return
        for year in range(manifest.first.year, manifest.last.year + 1):
            span = Span(start=datetime(year, 1, 1, tzinfo=UTC), end=datetime(year + 1, 1, 1, tzinfo=UTC))
            try:
                bars = self._store.read(series, span).bars
            except NoBars:
                continue
            except SeriesDamaged:
                yield year, None
                continue
            if len(bars):
                with self._bar_files.open_written(bars, "parquet") as file:
                    yield year, file.read()

    def model(self, owner: UUID, sha256: str) -> bytes | None:
        try:
            return self._model_files.read(owner, sha256)
        except ModelDamaged:
            return None

    def used_bytes(self, owner: UUID) -> int:
        return sum(places.bytes_in(folder) for folder in self._folders(owner))

    def remove(self, owner: UUID) -> None:
        """Tried twice: whoever writes there meanwhile may make a folder anew."""
        for _ in range(2):
            for folder in self._folders(owner):
                shutil.rmtree(folder, ignore_errors=True)
        if left := self._folders(owner):
            raise StorageFailed(f"{left[0]} could not be removed.")

    def _folders(self, owner: UUID) -> list[Path]:
        """Every kind of file has a folder, in which each owner has one: right there, or among those of all owners."""
        own = places.owner_parts(owner)
        found = [
            folder
            for kind in self._cache_dir.iterdir()
            if kind.is_dir()
            for folder in (kind.joinpath(*own), kind / own[-1])
        ]
        return [folder for folder in found if folder.is_dir()]


def _unpacked(piece: TablePiece) -> pd.DataFrame | None:
    try:
        table = ParquetTables().unpacked([Part(first_row=0, rows=0, content=piece.content)])
    except (pa.ArrowException, OSError):
        return None
    table.insert(0, BACKTEST, str(piece.backtest_id))
    return table
