"""A backup on the disk: a folder that gets its name when all of it is there. Its manifest tells every file in it."""

import gzip
import hashlib
import os
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from functools import cached_property
from io import BufferedReader
from pathlib import Path
from typing import Final

from backend.data.cache_copies import copy_cache, copy_file, forget_gone, is_kept
from backend.domain.backup_manifests import MOST_BYTES, read_manifest
from backend.domain.backups import (
    CACHE,
    MANIFEST,
    BackupDamaged,
    BackupManifest,
    BackupRefused,
    FileCopy,
    TableCopy,
    TableShape,
    unfinished,
)
from backend.infrastructure.plain_files import (
    PART,
    files_below,
    hold_own,
    make_private,
    opened,
    private_file,
    remove,
    remove_strange,
    walk,
)

# Bars and models hardly shrink, rows do.
_EFFORT: Final = 1
_PIECE_BYTES: Final = 1024**2


class BackupDraft:
    """`FOLDER.unfinished`, which becomes FOLDER. Files that an interrupted run had copied need not be copied again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._draft = unfinished(folder)
        if os.path.lexists(folder):
            raise BackupRefused(f"{folder} is there already. Name a folder that is not there yet.")
        make_private(self._draft.parent)
        try:
            self._lock = hold_own(self._draft)
        except BlockingIOError:
            raise BackupRefused(
                f"Another backup into {folder} is at work. Let it end, or name another folder."
            ) from None
        self._is_first_copy = True
        remove_strange(self._draft)
        for leftover in self._draft.iterdir():
            if leftover.name != CACHE:
                remove(leftover)

    def table(self, table: TableShape) -> "RowsFile":
        path = self._draft / table.rows_path
        make_private(path.parent)
        return RowsFile(path)

    def add_cache(self, cache_dir: Path) -> None:
        if self._is_first_copy:
            forget_gone(cache_dir, self._draft / CACHE)
        copy_cache(cache_dir, self._draft / CACHE)
        self._is_first_copy = False

    def add_file(self, path: str, content: bytes) -> None:
        _write(self._draft / path, content)

    def has(self, path: str) -> bool:
        return (self._draft / path).is_file()

    def files(self) -> tuple[FileCopy, ...]:
        return tuple(_described(self._draft, path) for path in files_below(self._draft))

    def finish(self, manifest: BackupManifest) -> None:
        _write(self._draft / MANIFEST, manifest.to_text().encode())
        for folder, _ in walk(self._draft):
            _sync(self._draft / folder)
        self._draft.rename(self._folder)
        _sync(self._folder.parent)
        self.close()

    def close(self) -> None:
        """Let others go on with it."""
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1


class RowsFile:
    """TableSink: compressed, with the hash of what it was before."""

    def __init__(self, path: Path) -> None:
        self._open = ExitStack()
        raw = self._open.enter_context(private_file(path))
        # Without a time and a name in it, the same rows are the same file.
        packed = gzip.GzipFile(filename="", fileobj=raw, mode="wb", compresslevel=_EFFORT, mtime=0)
        self._packed = self._open.enter_context(packed)
        self._hash = hashlib.sha256()
        self._size = 0

    async def write(self, piece: bytes) -> None:
        self._hash.update(piece)
        self._size += len(piece)
        self._packed.write(piece)

    def close(self) -> tuple[int, str]:
        self._open.close()
        return self._size, self._hash.hexdigest()


class BackupFolder:
    """Backup over a folder. Its manifest is read once: what is done later is what was judged."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()

    def manifest(self) -> BackupManifest:
        return self._manifest

    @cached_property
    def _manifest(self) -> BackupManifest:
        try:
            with opened(self._folder / MANIFEST) as file:
                return read_manifest(file.read(MOST_BYTES).decode())
        except (FileNotFoundError, NotADirectoryError):
            draft = unfinished(self._folder)
            hint = f" {draft} is one that was cut off: make it anew." if draft.exists() else ""
            raise BackupRefused(f"{self._folder} is no backup: it has no {MANIFEST}.{hint}") from None
        except (OSError, UnicodeDecodeError) as problem:
            raise BackupDamaged(f"{self._folder / MANIFEST} cannot be read: {problem}.") from problem

    def damaged(self) -> Iterator[str]:
        told = {file.path: file for file in self.manifest().files}
        for path, file in sorted(told.items()):
            if (wrong := _wrong(self._folder / path, file) or self._wrong_rows(path)) is not None:
                yield f"{path}: {wrong}"
        for path in files_below(self._folder):
            if path not in told and path != MANIFEST:
                yield f"{path}: it is not in the manifest"

    async def rows_of(self, table: TableShape) -> AsyncIterator[bytes]:
        for piece in self._unpacked(self._tables[table.rows_path]):
            yield piece

    def put_back(self, path: str, target: Path) -> bool:
        """A file that was added, if it was, under a name that is its own."""
        for file in self.manifest().files:
            if file.path == path:
                self._put(file, target)
                return True
        return False

    def missing_bytes(self, cache_dir: Path) -> int:
        """How much a restore puts there. Raises BackupRefused when what is there is not of this backup."""
        self._require_room(cache_dir)
        return sum(file.size_bytes for path, file in self._cache_files().items() if not (cache_dir / path).exists())

    def restore_cache(self, cache_dir: Path) -> int:
        self._require_room(cache_dir)
        files = self._cache_files()
        for path, file in files.items():
            target = cache_dir / path
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                self._put(file, target)
        return len(files)

    def compare_cache(self, cache_dir: Path) -> Iterator[str]:
        for path, file in sorted(self._cache_files().items()):
            if (wrong := _wrong(cache_dir / path, file)) is not None:
                yield f"{cache_dir / path}: {wrong}"

    def _put(self, file: FileCopy, target: Path) -> None:
        """Read back: what was changed since it was checked does not stay."""
        copy_file(self._folder / file.path, target)
        if (wrong := _wrong(target, file)) is not None:
            target.unlink()
            raise BackupDamaged(f"{file.path} was changed since it was checked: {wrong}.")

    @cached_property
    def _tables(self) -> dict[str, TableCopy]:
        database = self.manifest().database
        return {table.shape.rows_path: table for table in database.tables} if database else {}

    def _wrong_rows(self, path: str) -> str | None:
        if (table := self._tables.get(path)) is None:
            return None
        digest, size = hashlib.sha256(), 0
        try:
            for piece in self._unpacked(table):
                digest.update(piece)
                size += len(piece)
        except BackupDamaged as problem:
            return problem.detail
        is_same = (size, digest.hexdigest()) == (table.size_bytes, table.sha256)
        return None if is_same else "its rows are not those of the manifest"

    def _unpacked(self, table: TableCopy) -> Iterator[bytes]:
        """The rows, and never more of them than the manifest tells: little can be packed that is without end."""
        left = table.size_bytes
        try:
            with opened(self._folder / table.shape.rows_path) as packed, gzip.GzipFile(fileobj=packed) as rows:
                while piece := rows.read(_PIECE_BYTES):
                    if (left := left - len(piece)) < 0:
                        raise BackupDamaged(
                            f"The rows of {table.shape} are more than the {table.size_bytes:,} bytes of the manifest."
                        )
                    yield piece
        except (gzip.BadGzipFile, EOFError, zlib.error) as problem:
            raise BackupDamaged(f"The rows of {table.shape} cannot be unpacked: {problem}.") from problem

    def _cache_files(self) -> dict[str, FileCopy]:
        return {
            file.path.removeprefix(f"{CACHE}/"): file
            for file in self.manifest().files
            if file.path.startswith(f"{CACHE}/")
        }

    def _require_room(self, cache_dir: Path) -> None:
        """An empty folder, or one that an interrupted restore of this backup filled in part."""
        ours = self._cache_files()
        for here, names in walk(cache_dir, is_kept, first_may_link=True):
            for path in (str(here / name) for name in names if not name.endswith(PART)):
                if path not in ours or _wrong(cache_dir / path, ours[path]) is not None:
                    raise BackupRefused(
                        f"The cache folder {cache_dir} is not empty: {path} is there. Name another in"
                        " TIDEMARK_CACHE_DIR, which Tidemark is then to be started with."
                    )


def _described(root: Path, path: str) -> FileCopy:
    with opened(root / path) as file:
        return FileCopy(path=path, size_bytes=_size_of(file), sha256=_hash_of(file))


def _wrong(path: Path, told: FileCopy) -> str | None:
    try:
        with opened(path) as file:
            if _size_of(file) != told.size_bytes:
                return f"it has {_size_of(file):,} bytes, not {told.size_bytes:,}"
            return None if _hash_of(file) == told.sha256 else "it is not what was written: its hash does not fit"
    except FileNotFoundError:
        return "it is not there"
    except OSError as problem:
        return f"it cannot be read: {problem.strerror}"


def _size_of(file: BufferedReader) -> int:
    return os.fstat(file.fileno()).st_size


def _hash_of(file: BufferedReader) -> str:
    return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, content: bytes) -> None:
    make_private(path.parent)
    with private_file(path) as file:
        file.write(content)


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
