"""A ZIP archive that is passed on while it is made: nothing of it is kept but the names of its files."""

import zipfile
from datetime import datetime
from typing import IO


class ZipStream:
    """Files one after the other. What was made since the last time is taken with `take`."""

    def __init__(self, at: datetime) -> None:
        """`at` is when the files say that they were made."""
        self._made = _Outlet()
        self._at = at.timetuple()[:6]
        self._archive = zipfile.ZipFile(self._made, "w")
        self._file: IO[bytes] | None = None

    def begin(self, name: str, *, is_packed: bool = False) -> None:
        """`is_packed` is what would not become smaller."""
        entry = zipfile.ZipInfo(name, self._at)
        entry.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
        entry.external_attr = 0o644 << 16
        # Nobody knows yet how long it will be.
        self._file = self._archive.open(entry, "w", force_zip64=True)

    def write(self, data: bytes) -> None:
        if self._file is None:
            raise ValueError("no file was begun")
        self._file.write(data)

    def end(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def add(self, name: str, data: bytes, *, is_packed: bool = False) -> None:
        self.begin(name, is_packed=is_packed)
        self.write(data)
        self.end()

    def close(self) -> None:
        """The list of all files, without which no program opens the archive."""
        self._archive.close()

    def take(self) -> bytes:
        return self._made.take()


class _Outlet:
    """Where the archive is written: it can only go on, and forgets what was taken."""

    def __init__(self) -> None:
        self._waiting = bytearray()

    def write(self, data: bytes) -> int:
        self._waiting += data
        return len(data)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def take(self) -> bytes:
        taken = bytes(self._waiting)
        self._waiting.clear()
        return taken
