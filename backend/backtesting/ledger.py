"""The ledger of trials: every one that was ever made stays, since how much was tried decides what a result is worth.

One folder holds a file of JSON lines a family, and beside it an index of numbers that tells how many different trials
there were, and how far their Sharpe ratios spread, without reading the lines. Processes take turns by a lock.
"""

import fcntl
import hashlib
import json
import math
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Protocol

import numpy as np
import numpy.typing as npt

from backend.domain.optimisation_errors import LedgerDamaged
from backend.domain.trading.evidence import spread_of, t_value_of

_INDEX: Final = np.dtype([("key", "<u8"), ("t_value", "<f8"), ("end", "<u8")])


class Clock(Protocol):
    def __call__(self) -> datetime: ...


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, kw_only=True)
class Family:
    """The trials of one strategy on one symbol."""

    strategy: str
    symbol: str

    @property
    def file_name(self) -> str:
        """Readable, and still another one for every other family."""
        words = re.sub(r"[^A-Za-z0-9]+", "-", f"{self.strategy} {self.symbol}")[:60].strip("-")
        digest = hashlib.sha256(f"{self.strategy}\n{self.symbol}".encode()).hexdigest()[:8]
        return f"{words}-{digest}.jsonl"


@dataclass(frozen=True, kw_only=True)
class FamilySize:
    """How much was tried. A trial that was repeated counts once."""

    trials: int
    t_values: npt.NDArray[np.float64]  # of their Sharpe ratios, of those that have one

    def spread(self, days: int) -> float:
        return spread_of(self.t_values, days=days)


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One trial as it is written down. `about` says on which bars and by which rules it was made."""

    parameters: Mapping[str, Any]
    metrics: Mapping[str, float]
    missing: Mapping[str, str]
    failure: str | None
    daily_sharpe: float  # NaN when there is none
    days: int
    about: Mapping[str, Any]

    @property
    def t_value(self) -> float:
        return t_value_of(self.daily_sharpe, days=self.days)

    @property
    def key(self) -> int:
        """The same for the same parameters on the same bars by the same rules."""
        text = json.dumps([self.parameters, self.about.get("course")], sort_keys=True)
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little")


class Ledger:
    """All families of one researcher or user, in a folder of their own."""

    def __init__(self, folder: Path, *, clock: Clock = _now) -> None:
        self.folder = folder
        self._clock = clock

    def append(self, family: Family, entries: Iterable[Entry]) -> None:
        """Some trials at once: either all their lines are there, or those of a torn end are taken away next time."""
        at = self._clock().isoformat()
        rows = [(entry, _line(family, entry, at)) for entry in entries]
        if not rows:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        with self._locked(family, fcntl.LOCK_EX) as lines:
            index = self._repaired(family, lines)
            end = os.fstat(lines).st_size
            made = np.zeros(len(rows), _INDEX)
            made["key"] = [entry.key for entry, _ in rows]
            made["t_value"] = [entry.t_value for entry, _ in rows]
            made["end"] = end + np.cumsum([len(line) for _, line in rows])
            _write(lines, b"".join(line for _, line in rows))
            self._write_index(family, index, made)

    def size(self, family: Family) -> FamilySize:
        """Reads 24 bytes a trial."""
        if not self._path(family).exists():
            return FamilySize(trials=0, t_values=np.empty(0))
        with self._locked(family, fcntl.LOCK_SH) as lines:
            index = self._whole_index(family, lines)
        _, first = np.unique(index["key"], return_index=True)
        t_values = index["t_value"][first]
        return FamilySize(trials=len(first), t_values=t_values[np.isfinite(t_values)])

    def knows(self, family: Family, entry: Entry) -> bool:
        """Whether the same was tried before."""
        if not self._path(family).exists():
            return False
        with self._locked(family, fcntl.LOCK_SH) as lines:
            return bool((self._whole_index(family, lines)["key"] == np.uint64(entry.key)).any())

    def read(self, family: Family) -> Iterator[dict[str, Any]]:
        """Every trial, the oldest first. Raises LedgerDamaged at a line that is none."""
        path = self._path(family)
        if not path.exists():
            return
        with path.open("rb") as lines:
            for number, line in enumerate(lines, 1):
                if not line.endswith(b"\n"):
                    return  # still being written, or torn
                yield _parsed(line, path, number)

    def _path(self, family: Family) -> Path:
        return self.folder / family.file_name

    def _index_path(self, family: Family) -> Path:
        return self._path(family).with_suffix(".trials")

    @contextmanager
    def _locked(self, family: Family, kind: int) -> Iterator[int]:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        descriptor = os.open(self._path(family), flags, 0o600)
        try:
            fcntl.flock(descriptor, kind)
            yield descriptor
        finally:
            os.close(descriptor)

    def _repaired(self, family: Family, lines: int) -> npt.NDArray[np.void]:
        """The index of all whole lines; what a process that ended halfway left behind them is cut off."""
        index = self._whole_index(family, lines)
        end = int(index["end"][-1]) if len(index) else 0
        if end < os.fstat(lines).st_size:
            os.ftruncate(lines, end)
        return index

    def _whole_index(self, family: Family, lines: int) -> npt.NDArray[np.void]:
        """As the file has it, and what it lacks read from the lines."""
        try:
            raw = self._index_path(family).read_bytes()
        except FileNotFoundError:
            raw = b""
        index = np.frombuffer(raw[: len(raw) // _INDEX.itemsize * _INDEX.itemsize], _INDEX)
        size = os.fstat(lines).st_size
        index = index[index["end"] <= size]
        end = int(index["end"][-1]) if len(index) else 0
        if end == size:
            return index
        found = _indexed(_read(lines, end, size - end), end, self._path(family), len(index))
        return np.concatenate([index, found])

    def _write_index(self, family: Family, before: npt.NDArray[np.void], made: npt.NDArray[np.void]) -> None:
        path = self._index_path(family)
        is_whole = path.exists() and path.stat().st_size == len(before) * _INDEX.itemsize
        with path.open("ab" if is_whole else "wb") as file:
            file.write((made if is_whole else np.concatenate([before, made])).tobytes())


def _line(family: Family, entry: Entry, at: str) -> bytes:
    row = {
        "at": at,
        "strategy": family.strategy,
        "symbol": family.symbol,
        **entry.about,
        "parameters": dict(entry.parameters),
        "metrics": dict(entry.metrics),
        "missing": dict(entry.missing),
        "daily_sharpe": entry.daily_sharpe if math.isfinite(entry.daily_sharpe) else None,
        "days": entry.days,
        "key": f"{entry.key:016x}",
    }
    if entry.failure is not None:
        row["failure"] = entry.failure
    return json.dumps(row, separators=(",", ":"), allow_nan=False).encode() + b"\n"


def _indexed(text: bytes, begin: int, path: Path, before: int) -> npt.NDArray[np.void]:
    rows, end = [], begin
    for number, line in enumerate(text.splitlines(keepends=True), before + 1):
        if not line.endswith(b"\n"):
            break
        end += len(line)
        row = _parsed(line, path, number)
        rows.append((int(row["key"], 16), _t_value(row), end))
    return np.array(rows, _INDEX)


def _t_value(row: Mapping[str, Any]) -> float:
    """Earlier versions did not write down how many days a line is about: it counts, and says nothing of the spread."""
    sharpe, days = row.get("daily_sharpe"), row.get("days")
    return math.nan if sharpe is None or days is None else t_value_of(sharpe, days=days)


def _parsed(line: bytes, path: Path, number: int) -> dict[str, Any]:
    try:
        row = json.loads(line)
    except ValueError:
        row = None
    if not isinstance(row, dict) or "key" not in row:
        raise LedgerDamaged(
            f"Line {number:,} of {path.name} is no trial: {line[:40]!r}. Move the file away to begin a new ledger,"
            " or take this line out of it."
        )
    return row


def _read(descriptor: int, begin: int, count: int) -> bytes:
    parts = []
    while count > 0 and (part := os.pread(descriptor, count, begin)):
        parts.append(part)
        begin, count = begin + len(part), count - len(part)
    return b"".join(parts)


def _write(descriptor: int, text: bytes) -> None:
    left = memoryview(text)
    while left:
        left = left[os.write(descriptor, left) :]
