"""A backup on the disk: a folder that gets its name when all of it is there. Its manifest tells every file in it."""

import fcntl
import gzip
import hashlib
import os
import shutil
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Final
from urllib.parse import quote

from backend.data.cache_copies import PART, copy_cache, copy_file, forget_gone, is_kept, make_private, private_file
from backend.domain.backups import BackupDamaged, BackupManifest, BackupRefused, FileCopy, TableShape, read_manifest

MANIFEST: Final = "manifest.json"
CACHE: Final = "cache"
DRAFT_SUFFIX: Final = ".unfinished"
# Bars and models hardly shrink, rows do.
_EFFORT: Final = 1
_PIECE_BYTES: Final = 1024**2


class BackupDraft:
    """`FOLDER.unfinished`, which becomes FOLDER. Files that an interrupted run had copied need not be copied again."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._draft = folder.with_name(folder.name + DRAFT_SUFFIX)
        if folder.exists():
            raise BackupRefused(f"{folder} is there already. Name a folder that is not there yet.")
        make_private(self._draft)
        self._lock = os.open(self._draft, os.O_RDONLY)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(self._lock)
            raise BackupRefused(
                f"Another backup into {folder} is at work. Let it end, or name another folder."
            ) from None
        self._is_first_copy = True
        for leftover in self._draft.iterdir():
            if leftover.name != CACHE:
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()

    def table(self, table: TableShape) -> "RowsFile":
        path = self._draft / _rows_path(table)
        make_private(path.parent)
        return RowsFile(path)

    def add_cache(self, cache_dir: Path) -> None:
        if self._is_first_copy:
            forget_gone(cache_dir, self._draft / CACHE)
        copy_cache(cache_dir, self._draft / CACHE)
        self._is_first_copy = False

    def add_text(self, path: str, text: str) -> None:
        _write(self._draft / path, text)

    def has(self, path: str) -> bool:
        return (self._draft / path).is_file()

    def files(self) -> tuple[FileCopy, ...]:
        return tuple(_described(self._draft, path) for path in _paths(self._draft))

    def finish(self, manifest: BackupManifest) -> None:
        _write(self._draft / MANIFEST, manifest.to_text())
        for folder, _, _ in os.walk(self._draft):
            _sync(Path(folder))
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

    async def write(self, piece: bytes) -> None:
        self._hash.update(piece)
        self._packed.write(piece)

    def close(self) -> str:
        self._open.close()
        return self._hash.hexdigest()


class BackupFolder:
    """Backup over a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def manifest(self) -> BackupManifest:
        try:
            return read_manifest((self._folder / MANIFEST).read_text())
        except (FileNotFoundError, NotADirectoryError):
            unfinished = self._folder.with_name(self._folder.name + DRAFT_SUFFIX)
            hint = f" {unfinished} is one that was cut off: make it anew." if unfinished.exists() else ""
            raise BackupRefused(f"{self._folder} is no backup: it has no {MANIFEST}.{hint}") from None
        except (OSError, UnicodeDecodeError) as problem:
            raise BackupDamaged(f"{self._folder / MANIFEST} cannot be read: {problem}.") from problem

    def damaged(self) -> Iterator[str]:
        told = {file.path: file for file in self.manifest().files}
        for path, file in sorted(told.items()):
            if (wrong := _wrong(self._folder / path, file)) is not None:
                yield f"{path}: {wrong}"
        for path in _paths(self._folder):
            if path not in told and path != MANIFEST:
                yield f"{path}: it is not in the manifest"

    async def rows_of(self, table: TableShape) -> AsyncIterator[bytes]:
        with gzip.open(self._folder / _rows_path(table)) as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece

    def text(self, path: str) -> str | None:
        """A file that was added as text, if it was."""
        file = self._folder / path
        return file.read_text() if file.is_file() else None

    def restore_cache(self, cache_dir: Path) -> int:
        self._require_room(cache_dir)
        files = self._cache_files()
        for path in files:
            target = cache_dir / path
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                copy_file(self._folder / CACHE / path, target)
        return len(files)

    def compare_cache(self, cache_dir: Path) -> Iterator[str]:
        for path, file in sorted(self._cache_files().items()):
            if (wrong := _wrong(cache_dir / path, file)) is not None:
                yield f"{cache_dir / path}: {wrong}"

    def _cache_files(self) -> dict[str, FileCopy]:
        return {
            file.path.removeprefix(f"{CACHE}/"): file
            for file in self.manifest().files
            if file.path.startswith(f"{CACHE}/")
        }

    def _require_room(self, cache_dir: Path) -> None:
        """An empty folder, or one that an interrupted restore of this backup filled in part."""
        ours = self._cache_files()
        for path in _paths(cache_dir) if cache_dir.exists() else ():
            if not is_kept(Path(path)) or path.endswith(PART):
                continue
            if path not in ours or _wrong(cache_dir / path, ours[path]) is not None:
                raise BackupRefused(
                    f"The cache folder {cache_dir} is not empty: {path} is there. Name another in TIDEMARK_CACHE_DIR,"
                    " which Tidemark is then to be started with."
                )


def _rows_path(table: TableShape) -> str:
    return f"database/{quote(table.schema, safe='')}.{quote(table.name, safe='')}.copy.gz"


def _paths(root: Path) -> list[str]:
    return sorted(
        os.path.relpath(os.path.join(folder, name), root) for folder, _, names in os.walk(root) for name in names
    )


def _described(root: Path, path: str) -> FileCopy:
    return FileCopy(path=path, size_bytes=(root / path).stat().st_size, sha256=_hash_of(root / path))


def _wrong(path: Path, file: FileCopy) -> str | None:
    try:
        size = path.stat().st_size
        if size != file.size_bytes:
            return f"it has {size:,} bytes, not {file.size_bytes:,}"
        return None if _hash_of(path) == file.sha256 else "it is not what was written: its hash does not fit"
    except FileNotFoundError:
        return "it is not there"
    except OSError as problem:
        return f"it cannot be read: {problem.strerror}"


def _hash_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _write(path: Path, text: str) -> None:
    make_private(path.parent)
    with private_file(path) as file:
        file.write(text.encode())


def _sync(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
