"""The running instance of a data directory: who holds it, and where it answers."""

import contextlib
import fcntl
import json
import os
import socket
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path

from backend.domain.errors import DataDirectoryInUse, DataDirectoryUnusable


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What the serving process writes down for the other commands. Holds no secret."""

    pid: int
    url: str
    mode: str
    version: str
    started_at: str
    data_dir: str
    mailbox_url: str | None = None
    runner_id: str | None = None
    held: str | None = None  # which lock, of which file system, since which start of the machine


@contextlib.contextmanager
def hold(data_dir: Path) -> Iterator["Held"]:
    """Be the only process that serves or changes this data directory; the kernel lets go when the process ends."""
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        handle = os.open(data_dir / "tidemark.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        _belong_to_owner(data_dir, handle)
    except OSError as problem:
        raise _unusable(data_dir, problem) from problem
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise _in_use(data_dir) from None
        yield Held(data_dir, _lock_of(handle))
    finally:
        os.close(handle)


class Held:
    """The right to announce an instance on a data directory."""

    def __init__(self, data_dir: Path, lock: str) -> None:
        self._path = data_dir / "running.json"
        self._lock = lock
        left = _read(data_dir)
        # The runner of one that was killed: it is gone, since we hold the lock that it held, not that of a copy.
        self.gone = left.runner_id if left and left.held == lock else None
        self._path.unlink(missing_ok=True)

    def announce(self, instance: Instance) -> None:
        fresh = self._path.with_suffix(".new")
        fresh.unlink(missing_ok=True)
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            _belong_to_owner(self._path.parent, file.fileno())
            json.dump(asdict(replace(instance, held=self._lock)), file, indent=2)
        fresh.replace(self._path)

    def withdraw(self) -> None:
        self._path.unlink(missing_ok=True)


def find(data_dir: Path) -> Instance | None:
    """The instance that serves this data directory now; what a killed one left behind does not count."""
    return _read(data_dir) if is_held(data_dir) else None


def _read(data_dir: Path) -> Instance | None:
    try:
        content = json.loads((data_dir / "running.json").read_text())
        left = Instance(**{field.name: content[field.name] for field in fields(Instance)})
    except (FileNotFoundError, ValueError, KeyError, TypeError, RecursionError):
        return None  # it is starting, or stopping
    return left if isinstance(left.runner_id, str | None) else None


def _lock_of(handle: int) -> str:
    """Another for a copy of the folder, for another machine, and after a restart of this one."""
    lock, boot = os.fstat(handle), Path("/proc/sys/kernel/random/boot_id")
    since = boot.read_text().strip() if boot.exists() else ""
    return f"{socket.gethostname()} {since} {lock.st_dev}:{lock.st_ino}"


def is_held(data_dir: Path) -> bool:
    try:
        handle = os.open(data_dir / "tidemark.lock", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    except PermissionError as problem:
        raise DataDirectoryUnusable(
            f"The data directory {data_dir} belongs to another user. Run this command as that user."
        ) from problem
    except OSError as problem:
        raise _unusable(data_dir, problem) from problem
    try:
        fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def _unusable(data_dir: Path, problem: OSError) -> DataDirectoryUnusable:
    is_file = isinstance(problem, (FileExistsError, NotADirectoryError))
    reason = "a file is in its place" if is_file else problem.strerror
    return DataDirectoryUnusable(
        f"The data directory {data_dir} cannot be used: {reason}. Choose another with --data-dir."
    )


def _in_use(data_dir: Path) -> DataDirectoryInUse:
    instance = find(data_dir)
    where = (
        f"at {instance.url} (process {instance.pid})"
        if instance
        else "and is just starting or stopping, or its database runs alone"
    )
    return DataDirectoryInUse(
        f"Tidemark already runs on {data_dir} {where}. Use that one, stop it first, or choose another --data-dir."
    )


def _belong_to_owner(folder: Path, handle: int) -> None:
    """What root writes into the data directory of an ordinary user must not lock that user out later."""
    if os.geteuid() == 0:
        owner = folder.stat()
        os.fchown(handle, owner.st_uid, owner.st_gid)
