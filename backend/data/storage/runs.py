"""Finished backtests of this machine: a folder each below `data_cache/backtests`, written whole or not at all."""

import json
import os
import re
import secrets
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from backend.domain.errors import BacktestNotFound
from backend.domain.market_errors import SeriesDamaged, StorageFailed

_FOLDER = "backtests"
_ID = re.compile(r"[0-9a-z][0-9a-z-]{3,39}")
_DOCUMENTS = ("config", "manifest", "figures")


class RunShelf:
    """Stored runs by id. An id may be cut as long as it means one run."""

    def __init__(self, cache_dir: Path) -> None:
        self._folder = cache_dir / _FOLDER

    def save(self, documents: Mapping[str, Any], tables: Mapping[str, pd.DataFrame]) -> str:
        """The documents config, manifest and figures, and the tables trades and equity. Returns the new id."""
        run_id = f"{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
        draft = self._folder / f".{run_id}"
        try:
            draft.mkdir(parents=True)
            for name in _DOCUMENTS:
                _write_synced(draft / f"{name}.json", json.dumps(documents[name], indent=1).encode())
            for name, table in tables.items():
                table.to_parquet(draft / f"{name}.parquet", compression="zstd", index=False)
                _sync(draft / f"{name}.parquet")
            draft.rename(self._folder / run_id)
            _sync(self._folder)
        except OSError as problem:
            shutil.rmtree(draft, ignore_errors=True)
            raise StorageFailed(f"{self._folder} cannot be written: {problem.strerror}.") from problem
        return run_id

    def load(self, run_id: str) -> "StoredRun":
        """Raises BacktestNotFound, or SeriesDamaged where its files are not what was written."""
        folder = self._folder / self._whole(run_id)
        try:
            documents = {name: json.loads((folder / f"{name}.json").read_bytes()) for name in _DOCUMENTS}
        except (OSError, ValueError) as problem:
            raise SeriesDamaged(f"The stored backtest {folder.name} cannot be read: {problem}. Run it again.") from None
        return StoredRun(folder, documents)

    def ids(self) -> Iterator[str]:
        """Newest first."""
        if self._folder.is_dir():
            yield from sorted((each.name for each in self._folder.iterdir() if _ID.fullmatch(each.name)), reverse=True)

    def _whole(self, run_id: str) -> str:
        # Only names that are there become paths, so that nothing a caller says can.
        found = [one for one in self.ids() if one == run_id] or [one for one in self.ids() if one.startswith(run_id)]
        if not run_id or not found:
            raise BacktestNotFound(f"{run_id[:60]}: `tidemark backtest list` shows those that there are")
        if len(found) > 1:
            raise BacktestNotFound(f"{run_id[:60]} alone: {len(found):,} begin like that, as {found[0]} and {found[1]}")
        return found[0]


class StoredRun:
    """The parts of one run; its tables are read when they are asked for."""

    def __init__(self, folder: Path, documents: Mapping[str, Any]) -> None:
        self.id = folder.name
        self.saved_at = datetime.strptime(folder.name[:15], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
        self.config, self.manifest, self.figures = (documents[name] for name in _DOCUMENTS)
        self.trades = partial(_read, folder / "trades.parquet")
        self.equity = partial(_read, folder / "equity.parquet")


def _read(path: Path) -> pd.DataFrame:
    try:
        return pd.read_parquet(path)
    except (OSError, ValueError) as problem:
        raise SeriesDamaged(f"{path} cannot be read: {str(problem).partition(chr(10))[0]}. Run it again.") from None


def _write_synced(path: Path, content: bytes) -> None:
    path.write_bytes(content)
    _sync(path)


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
