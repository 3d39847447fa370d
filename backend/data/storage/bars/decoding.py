"""From the files of a series to one block: what is remembered is taken from there, the rest decoded side by side."""

import errno
import os
import zlib
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from backend.data.storage.bars.blocks import Block, empty_block, hash_of
from backend.data.storage.bars.files import Damaged, decode, group_count, group_rows
from backend.data.storage.bars.folders import Folder
from backend.data.storage.bars.manifests import Kept, KeptFile
from backend.data.storage.bars.memory import Memory, Unit


class DamagedFile(Exception):
    """A file that is not what was written, or not there: unless the series has changed since its manifest was read."""

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(f"{name}: {reason}")
        self.name, self.reason = name, reason


@dataclass(frozen=True, kw_only=True)
class Piece:
    """The groups of rows of one file that somebody needs."""

    file: KeptFile
    groups: range

    @property
    def rows(self) -> int:
        return group_rows(self.groups, self.file.rows)

    def units(self) -> Iterator[Unit]:
        return (Unit(self.file.name, group) for group in self.groups)

    def unit_rows(self) -> Iterator[int]:
        return (group_rows(range(group, group + 1), self.file.rows) for group in self.groups)


def whole(file: KeptFile) -> Piece:
    return Piece(file=file, groups=range(group_count(file.rows)))


def pieces_between(files: Sequence[KeptFile], first: int, last: int) -> list[Piece]:
    """What has to be decoded for bars that start from `first` to `last`, both of them included."""
    return [
        Piece(
            file=file,
            groups=range(max(0, bisect_right(file.group_starts, first) - 1), bisect_right(file.group_starts, last)),
        )
        for file in files[bisect_left(files, first, key=lambda file: file.last) :]
        if file.first <= last
    ]


class Decoder:
    """Decodes with as many threads as the process may use cores."""

    def __init__(
        self, memory: Memory, *, threads: int | None = None, on_read: Callable[[str], None] = lambda _: None
    ) -> None:
        self._memory = memory
        self._on_read = on_read
        self.pool = ThreadPoolExecutor(threads or _cores(), thread_name_prefix="bars")

    def block(self, folder: Folder, kept: Kept, pieces: Sequence[Piece]) -> Block:
        """The bars of these pieces, in one block that nobody can change. Raises DamagedFile."""
        series, units = str(folder.path), [unit for piece in pieces for unit in piece.units()]
        block = self._memory.find(series, units)
        self._on_read("decoded" if block is None else "remembered")
        if block is None:
            block = self._decoded(folder, pieces)
            self.remember(folder, kept, pieces, block)
        return block

    def remember(self, folder: Folder, kept: Kept, pieces: Sequence[Piece], block: Block) -> None:
        """The block holds the bars of these pieces, and nobody can change it from here on."""
        units = [unit for piece in pieces for unit in piece.units()]
        rows = [rows for piece in pieces for rows in piece.unit_rows()]
        self._memory.keep(str(folder.path), units, rows, block, current=kept.file_names())

    def forget(self, path: Path) -> None:
        """Give back the memory that the bars of a folder take."""
        self._memory.forget(str(path))

    def _decoded(self, folder: Folder, pieces: Sequence[Piece]) -> Block:
        block, row, work = empty_block(sum(piece.rows for piece in pieces)), 0, []
        for piece in pieces:
            into = block[:, row : row + piece.rows]
            if (known := self._memory.find(str(folder.path), list(piece.units()))) is not None:
                into[:] = known
            else:
                work.append((piece, into))
            row += piece.rows
        if len(work) == 1:
            _decode(folder, *work[0])
        else:
            for _ in self.pool.map(lambda one: _decode(folder, *one), work):
                pass
        return block


def inspect(folder: Folder, file: KeptFile) -> str | None:
    """What is wrong with a file, down to the hash of its bars."""
    block = empty_block(file.rows)
    try:
        _decode(folder, Piece(file=file, groups=range(group_count(file.rows))), block, trusting_manifest=False)
    except DamagedFile as damage:
        return damage.reason
    return None if hash_of(block) == file.content_hash else "its bars do not have the hash that they had"


def _decode(folder: Folder, piece: Piece, into: Block, *, trusting_manifest: bool = True) -> None:
    file = piece.file
    try:
        data = _bytes_of(folder, file)
        decode(data, into, piece.groups, regular=file.regular if trusting_manifest else None)
    except Damaged as damage:
        raise DamagedFile(file.name, str(damage)) from damage


def _bytes_of(folder: Folder, file: KeptFile) -> bytes:
    """All of them, checked: Parquet's own checksums do not cover the headers, which say how to read the numbers."""
    try:
        data = folder.read(file.name)
    except FileNotFoundError:
        raise Damaged("it is not there") from None
    except OSError as problem:
        if problem.errno != errno.EIO:
            raise
        raise Damaged(f"the disk cannot read it: {problem}") from problem
    if len(data) != file.size_bytes:
        raise Damaged(f"it has {len(data):,} bytes, not {file.size_bytes:,}")
    if zlib.crc32(data) != file.crc32:
        raise Damaged("its checksum does not fit")
    return data


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
