"""Uploaded files below the cache folder, each in a folder of its owner's own. No name in a path comes from a person."""

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO
from uuid import UUID, uuid4

from backend.data.bar_tables import read_table, read_tables
from backend.domain.format import bytes_
from backend.domain.imports import BarTable
from backend.domain.market_errors import DataTooLarge, StorageFull, UnknownUpload
from backend.domain.market_ports import LARGEST_UPLOAD_BYTES, Upload
from backend.domain.ports import Clock

MOST_STAGED_BYTES = 1024**3
UPLOADS_ARE_KEPT_SECONDS = 24 * 3600
UPLOADS = "uploads"
_DATA, _NAME = "data", "name"
_NEW = ".new"
_LONGEST_NAME = 200


class StagedUploads:
    """Uploads over a folder; safe between processes."""

    def __init__(
        self,
        cache_dir: Path,
        clock: Clock,
        *,
        largest: int = LARGEST_UPLOAD_BYTES,
        most_staged: int = MOST_STAGED_BYTES,
    ) -> None:
        self._root = cache_dir / UPLOADS
        self._clock = clock
        self._largest = largest
        self._most_staged = most_staged

    def begin(self, owner: UUID, name: str) -> "StagedWriter":
        staged = self._staged_bytes(owner)
        if staged >= self._most_staged:
            raise DataTooLarge(
                f"Your uploaded files take {bytes_(staged)}, of at most {bytes_(self._most_staged)}."
                " Import them first; whatever is not imported goes after a day."
            )
        return StagedWriter(
            self._root / str(owner), owner, name, largest=self._largest, room=self._most_staged - staged
        )

    def find(self, owner: UUID, upload_id: UUID) -> Upload:
        folder = self._root / str(owner) / str(upload_id)
        try:
            name = (folder / _NAME).read_text(encoding="utf-8")
            return Upload(id=upload_id, owner=owner, name=name, size_bytes=(folder / _DATA).stat().st_size)
        except FileNotFoundError:
            raise UnknownUpload(upload_id) from None

    def first_rows(self, upload: Upload, rows: int) -> BarTable:
        return read_table(self._data(upload), most_rows=rows)

    def tables(self, upload: Upload) -> Iterator[BarTable]:
        return read_tables(self._data(upload))

    def remove(self, upload: Upload) -> None:
        shutil.rmtree(self._root / str(upload.owner) / str(upload.id), ignore_errors=True)

    def forget_old(self) -> int:
        oldest = self._clock.now().timestamp() - UPLOADS_ARE_KEPT_SECONDS
        gone = 0
        for folder in list(self._root.glob("*/*")):
            with contextlib.suppress(FileNotFoundError):
                if folder.stat().st_mtime < oldest:
                    shutil.rmtree(folder, ignore_errors=True)
                    gone += 1
        return gone

    def _data(self, upload: Upload) -> Path:
        path = self._root / str(upload.owner) / str(upload.id) / _DATA
        if not path.is_file():
            raise UnknownUpload(upload.id)
        return path

    def _staged_bytes(self, owner: UUID) -> int:
        """Those on their way count too."""
        found = 0
        for file in (self._root / str(owner)).glob(f"*/{_DATA}"):
            with contextlib.suppress(FileNotFoundError):
                found += file.stat().st_size
        return found


class StagedWriter:
    """Writes into a folder of a name that nobody knows yet, which gets its own at the end."""

    def __init__(self, place: Path, owner: UUID, name: str, *, largest: int, room: int) -> None:
        self._id, self._owner = uuid4(), owner
        self._name = "".join(one if one.isprintable() else "?" for one in name)[:_LONGEST_NAME] or "file"
        self._folder = place / f"{self._id}{_NEW}"
        self._largest, self._room = largest, room
        self._size = 0
        self._folder.mkdir(parents=True, mode=0o700)
        self._file: IO[bytes] = (self._folder / _DATA).open("xb")

    def write(self, part: bytes) -> None:
        self._size += len(part)
        if self._size > self._largest:
            raise DataTooLarge(f"The file is larger than {bytes_(self._largest)}, the most that is taken. Split it.")
        if self._size > self._room:
            raise DataTooLarge("Your uploaded files take too much room together. Import some first, then try again.")
        try:
            self._file.write(part)
            self._file.flush()  # others who count see it
        except OSError as problem:
            if problem.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull("The disk has no room for this file. Tell the operator.") from problem
            raise

    def keep(self) -> Upload:
        self._file.close()
        (self._folder / _NAME).write_text(self._name, encoding="utf-8")
        os.rename(self._folder, self._folder.with_name(str(self._id)))
        return Upload(id=self._id, owner=self._owner, name=self._name, size_bytes=self._size)

    def discard(self) -> None:
        self._file.close()
        shutil.rmtree(self._folder, ignore_errors=True)
