"""The folder of a series: files that are there whole or not at all, and one lock for whoever writes.

All goes through an open folder, never through its path: where the folder was removed meanwhile, everything fails, and
nothing lands in another one of the same name.
"""

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

LOCK: Final = "lock"
_NEW: Final = ".new"
_FIRST_WAIT_SECONDS, _LONGEST_WAIT_SECONDS = 0.001, 0.05


class Gone(Exception):
    """The folder, or its lock, was removed while it was in use."""


class Busy(Exception):
    """Somebody else holds the lock for longer than one wants to wait."""


class Folder:
    """An open folder."""

    def __init__(self, path: Path, descriptor: int, *, durable: bool) -> None:
        self.path = path
        self._descriptor = descriptor
        self._durable = durable

    @classmethod
    @contextlib.contextmanager
    def opened(cls, path: Path, *, durable: bool = True, make: bool = False) -> Iterator[Self]:
        """Raises FileNotFoundError where there is none and none is to be made."""
        if make:
            _make(path, durable=durable)
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield cls(path, descriptor, durable=durable)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def locked(self, *, patience_seconds: float, shared: bool = False) -> Iterator[None]:
        """One writer at a time, or any number of readers. The system lets go of the lock of whoever dies.

        It is flock, on Linux as on macOS: held by the open file, so that threads of one process wait for each other.
        """
        descriptor = self._open_lock()
        try:
            _wait_for(descriptor, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, patience_seconds)
            if not self._is_ours(descriptor):
                raise Gone
            yield
        finally:
            os.close(descriptor)

    def read(self, name: str) -> bytes:
        descriptor = os.open(name, os.O_RDONLY, dir_fd=self._descriptor)
        with open(descriptor, "rb", buffering=0) as file:
            return file.readall()

    def write(self, name: str, data: bytes | memoryview) -> None:
        """The whole file under this name, or what was there before."""
        descriptor = os.open(name + _NEW, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode=0o666, dir_fd=self._descriptor)
        try:
            try:
                _write_all(descriptor, memoryview(data))
                self._settle(descriptor)
            finally:
                os.close(descriptor)
            os.rename(name + _NEW, name, src_dir_fd=self._descriptor, dst_dir_fd=self._descriptor)
        except OSError:
            self.remove(name + _NEW)
            raise

    def settle(self) -> None:
        """Names that were given or taken last through a loss of power from here on."""
        self._settle(self._descriptor)

    def size(self, name: str) -> int | None:
        """In bytes; None where there is no such file."""
        try:
            return os.stat(name, dir_fd=self._descriptor).st_size
        except FileNotFoundError:
            return None

    def names(self) -> set[str]:
        return set(os.listdir(self._descriptor))

    def remove(self, name: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name, dir_fd=self._descriptor)

    def move(self, name: str, to: Path) -> None:
        os.rename(name, to, src_dir_fd=self._descriptor)

    def touch(self, at: float) -> None:
        """Remember that the series was used then, in seconds since 1970: as the time of its lock's last change."""
        with contextlib.suppress(OSError):
            os.utime(LOCK, (at, at), dir_fd=self._descriptor)

    def touched(self) -> float:
        """When it was used last."""
        try:
            return os.stat(LOCK, dir_fd=self._descriptor).st_mtime
        except FileNotFoundError:
            return os.fstat(self._descriptor).st_mtime

    def _open_lock(self) -> int:
        try:
            return os.open(LOCK, os.O_RDWR | os.O_CREAT, mode=0o666, dir_fd=self._descriptor)
        except FileNotFoundError:
            raise Gone from None

    def _is_ours(self, lock: int) -> bool:
        """Whoever removes a series removes its lock: a lock that has no name any more protects nothing."""
        try:
            named = os.stat(LOCK, dir_fd=self._descriptor)
        except FileNotFoundError:
            return False
        return os.path.samestat(named, os.fstat(lock))

    def _settle(self, descriptor: int) -> None:
        if self._durable:
            settle(descriptor)


def settle(descriptor: int) -> None:
    """What was written lasts through a loss of power. On macOS fsync leaves it in the disk's own memory."""
    if hasattr(fcntl, "F_FULLFSYNC"):
        with contextlib.suppress(OSError):  # a network disk may not know it
            fcntl.fcntl(descriptor, fcntl.F_FULLFSYNC)
            return
    os.fsync(descriptor)


def _make(path: Path, *, durable: bool) -> None:
    """The folder and its parents, each of which lasts once it was made."""
    if path.is_dir():
        return
    _make(path.parent, durable=durable)
    with contextlib.suppress(FileExistsError):
        path.mkdir()
    if durable:
        descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            settle(descriptor)
        finally:
            os.close(descriptor)


def _wait_for(descriptor: int, kind: int, patience_seconds: float) -> None:
    until, wait = time.monotonic() + patience_seconds, _FIRST_WAIT_SECONDS
    while True:
        try:
            fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= until:
                raise Busy from None
            time.sleep(wait)
            wait = min(2 * wait, _LONGEST_WAIT_SECONDS)
        else:
            return


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]
